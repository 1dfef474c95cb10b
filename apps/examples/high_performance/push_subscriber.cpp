// Has the records of a topic pushed as they are committed: no request per fetch, credits keep the
// broker from sending more than was asked for.
//
//     example-high_performance-push_subscriber 127.0.0.1:9092 load 1000000
#include "protocol/client/client.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

namespace client = aqueduct::client;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << "error: " << to_string(why) << "\n";
  return EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " BROKER TOPIC COUNT\n";
    return EXIT_FAILURE;
  }
  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-push-subscriber";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  client::consumer_config config;
  config.mode = client::consume_mode::push;
  // What may lie here unread; beyond it the broker waits.
  config.partition_bytes_max = std::size_t{4} << 20;
  config.prefetch_bytes = std::size_t{64} << 20;
  auto consumer = client::consumer::create(*cluster, config);
  if (!consumer)
    return fail(consumer.error());
  const auto assigned = consumer->assign_topic(argv[2], client::start_position::earliest());
  if (!assigned)
    return fail(assigned.error());

  const auto wanted = std::strtoull(argv[3], nullptr, 10);
  unsigned long long records_seen = 0;
  unsigned long long bytes_seen = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (records_seen < wanted) {
    // The memory of the records is that into which they were read from the network. To keep them,
    // keep the set.
    const auto records = consumer->poll(std::chrono::milliseconds(1000));
    if (!records)
      return fail(records.error());
    records_seen += records->size();
    bytes_seen += records->payload_bytes();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  consumer->close();
  std::cout << records_seen << " records, " << bytes_seen << " bytes, "
            << static_cast<unsigned long long>(static_cast<double>(records_seen) / took.count())
            << " records/s\n";
  return EXIT_SUCCESS;
}
