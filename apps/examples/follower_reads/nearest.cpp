// Reads a topic from the replicas of the rack it is in, so that nothing crosses between racks that
// need not. Where the rack has none that can answer, other replicas and at last the leader do.
//
//     example-follower_reads-nearest 127.0.0.1:9092 greetings 3 r1
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
    std::cerr << "usage: " << argv[0] << " BROKER TOPIC COUNT RACK\n";
    return EXIT_FAILURE;
  }
  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-follower_reads-nearest";
  // Compared with `node.rack` of the brokers.
  where.rack = argv[4];
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  client::consumer_config config;
  // However far the replica is behind: it has only committed records, and they come in order.
  config.read_from = client::read_source::any();
  auto consumer = client::consumer::create(*cluster, config);
  if (!consumer)
    return fail(consumer.error());
  const auto assigned = consumer->assign_topic(argv[2], client::start_position::earliest());
  if (!assigned)
    return fail(assigned.error());

  auto left = std::strtoull(argv[3], nullptr, 10);
  while (left > 0) {
    const auto records = consumer->poll(std::chrono::milliseconds(1000));
    if (!records)
      return fail(records.error());
    for (const auto& record : *records) {
      std::cout << record.topic << "/" << record.partition.value << " @ " << record.offset.value
                << "  " << (record.value ? record.value->text() : "(null)");
      // Who sent it, by the last answer about the partition.
      const auto origin = consumer->last_answer({std::string(record.topic), record.partition});
      if (origin)
        std::cout << "  from node " << origin->replica.value
                  << (origin->leads ? ", the leader" : "");
      std::cout << "\n";
      if (--left == 0)
        break;
    }
  }
  consumer->close();
  return EXIT_SUCCESS;
}
