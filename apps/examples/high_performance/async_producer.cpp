// Sends records as fast as the cluster takes them: no wait between records, a callback for each,
// memory bounded by the producer.
//
//     example-high_performance-async_producer 127.0.0.1:9092 load 1000000 100
#include "protocol/client/client.hpp"

#include <atomic>
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

/// What the callbacks count. They run on the library's I/O thread and must not block it.
struct outcome {
  std::atomic<std::uint64_t> stored{0};
  std::atomic<std::uint64_t> failed{0};
};

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " BROKER TOPIC COUNT [SIZE]\n";
    return EXIT_FAILURE;
  }
  const std::string topic = argv[2];
  const auto count = std::strtoull(argv[3], nullptr, 10);
  const auto size = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 100ULL;

  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-async-producer";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());
  client::admin admin(*cluster);
  const auto created = admin.create_topic({topic});
  if (!created && created.error().code != aqueduct::errc::topic_exists)
    return fail(created.error());

  client::producer_config config;
  // Large batches, and a moment to fill them.
  config.batch_bytes = 512 * 1024;
  config.linger = std::chrono::milliseconds(5);
  config.memory_bytes = std::size_t{128} << 20;
  // When the memory is full, `send` waits: the cluster sets the pace.
  config.block_max = std::chrono::milliseconds(60'000);
  // Declared before the producer, so that it outlives every callback.
  outcome seen;
  auto producer = client::producer::create(*cluster, config);
  if (!producer)
    return fail(producer.error());

  const std::string value(size, 'x');
  client::record record;
  record.topic = topic;
  record.value = client::bytes_view(value);
  const auto begin = std::chrono::steady_clock::now();
  for (unsigned long long i = 0; i < count; ++i) {
    const auto sent =
        producer->send(record, [&seen](const aqueduct::result<client::record_metadata>& done) {
          (done ? seen.stored : seen.failed).fetch_add(1, std::memory_order_relaxed);
        });
    if (!sent)
      return fail(sent.error());
  }
  // Returns when every record has had its callback.
  const auto closed = producer->close();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (!closed)
    return fail(closed.error());

  std::cout << seen.stored << " stored, " << seen.failed << " failed, "
            << static_cast<std::uint64_t>(static_cast<double>(count) / took.count())
            << " records/s\n";
  return seen.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
