// Works on a topic as a member of a group: start it twice, and the two share the partitions.
//
//     example-groups-simple 127.0.0.1:9092 billing greetings 3
#include "protocol/client/client.hpp"

#include <cstdlib>
#include <iostream>

namespace client = aqueduct::client;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << "error: " << to_string(why) << "\n";
  return EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: " << argv[0] << " BROKER GROUP TOPIC COUNT\n";
    return EXIT_FAILURE;
  }
  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-groups-simple";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  client::group_consumer_config config;
  config.group = argv[2];
  config.topics = {argv[3]};
  auto member = client::group_consumer::create(*cluster, config);
  if (!member)
    return fail(member.error());

  auto left = std::strtoull(argv[4], nullptr, 10);
  const auto outcome =
      member->run([&](const client::record_view& record) -> aqueduct::result<void> {
        std::cout << record.topic << "/" << record.partition.value << " @ " << record.offset.value
                  << "  " << (record.value ? record.value->text() : "(null)") << "\n";
        if (--left == 0)
          member->stop();
        // What the handler returns well for is committed; an error has it called again.
        return {};
      });
  if (!outcome)
    return fail(outcome.error());
  // Commits what is finished and leaves, so that others need not wait for the session's end.
  if (const auto closed = member->close(); !closed)
    return fail(closed.error());
  return EXIT_SUCCESS;
}
