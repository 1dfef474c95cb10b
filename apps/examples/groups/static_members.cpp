// A static member keeps its partitions over a restart: the process that comes back with its
// instance id takes over what the old one had, in the same generation, and nobody else notices.
//
//     example-groups-static_members 127.0.0.1:9092 drivers rides
#include "protocol/client/client.hpp"

#include <cstdlib>
#include <iostream>

namespace client = aqueduct::client;
using namespace std::chrono_literals;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << "error: " << to_string(why) << "\n";
  return EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " BROKER GROUP TOPIC\n";
    return EXIT_FAILURE;
  }
  client::cluster_config where;
  where.brokers = {argv[1]};
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());
  (void)client::admin(*cluster).create_topic({.name = argv[3], .partitions = 2});

  client::group_consumer_config config;
  config.group = argv[2];
  config.topics = {argv[3]};
  config.instance_id = "driver-1";
  // How long it may be away.
  config.session_timeout = 30s;
  for (const char* life : {"first", "second"}) {
    auto member = client::group_consumer::create(*cluster, config);
    if (!member)
      return fail(member.error());
    while (member->assigned().empty())
      if (const auto records = member->poll(50ms); !records)
        return fail(records.error());
    std::cout << life << " life: " << member->assigned().size() << " partitions, generation "
              << member->generation() << "\n";
    // A static member that is closed does not leave its group.
    if (const auto closed = member->close(); !closed)
      return fail(closed.error());
  }
  return EXIT_SUCCESS;
}
