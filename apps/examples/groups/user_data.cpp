// Members may say something about themselves: bytes that nobody but their peers understands, which
// the group's description shows.
//
//     example-groups-user_data 127.0.0.1:9092 tellers accounts
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
  config.user_data = "answers at 10.0.0.7:8080";
  auto member = client::group_consumer::create(*cluster, config);
  if (!member)
    return fail(member.error());
  while (member->assigned().empty())
    if (const auto records = member->poll(50ms); !records)
      return fail(records.error());

  const auto group = client::group_admin(*cluster).describe(argv[2]);
  if (!group)
    return fail(group.error());
  for (const auto& each : group->members)
    std::cout << each.assigned.size() << " partitions: " << each.user_data << "\n";
  return member->close() ? EXIT_SUCCESS : EXIT_FAILURE;
}
