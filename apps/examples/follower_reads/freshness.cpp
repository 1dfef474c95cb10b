// Reads a topic from any replica that proves to be fresh: it knows of everything that was committed
// AGE milliseconds before it was asked. With an age of 0 it knows of everything that was committed
// before it was asked, as the leader does.
//
//     example-follower_reads-freshness 127.0.0.1:9092 greetings 3 500
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
    std::cerr << "usage: " << argv[0] << " BROKER TOPIC COUNT AGE_MS\n";
    return EXIT_FAILURE;
  }
  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-follower_reads-freshness";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  // Where a replica cannot prove it, the leader answers in its stead.
  const client::milliseconds age(std::strtoull(argv[4], nullptr, 10));
  client::consumer_config config;
  config.read_from =
      age.count() == 0 ? client::read_source::linearizable() : client::read_source::within(age);
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
      // What the last answer about the partition proved.
      const auto origin = consumer->last_answer({std::string(record.topic), record.partition});
      if (origin && origin->age)
        std::cout << "  from node " << origin->replica.value << ", which knew of everything until "
                  << origin->age->count() << " ms before";
      std::cout << "\n";
      if (--left == 0)
        break;
    }
  }
  consumer->close();
  return EXIT_SUCCESS;
}
