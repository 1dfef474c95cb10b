// Reads a topic from its beginning, and prints what it finds.
//
//     example-basic-consumer 127.0.0.1:9092 greetings 3
#include "protocol/client/client.hpp"

#include <cstdlib>
#include <iostream>
#include <string>

namespace client = aqueduct::client;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << "error: " << to_string(why) << "\n";
  return EXIT_FAILURE;
}

std::string_view text_of(const std::optional<client::bytes_view>& bytes) {
  return bytes ? bytes->text() : "(null)";
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " BROKER TOPIC COUNT\n";
    return EXIT_FAILURE;
  }
  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-basic-consumer";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  auto consumer = client::consumer::create(*cluster);
  if (!consumer)
    return fail(consumer.error());
  const auto assigned = consumer->assign_topic(argv[2], client::start_position::earliest());
  if (!assigned)
    return fail(assigned.error());

  const auto wanted = std::strtoull(argv[3], nullptr, 10);
  unsigned long long seen = 0;
  while (seen < wanted) {
    // Returns as soon as there is something. The records are views into the set.
    const auto records = consumer->poll(std::chrono::milliseconds(1000));
    if (!records)
      return fail(records.error());
    for (const auto& record : *records) {
      std::cout << record.topic << "/" << record.partition.value << " @ " << record.offset.value
                << "  " << text_of(record.key) << " = " << text_of(record.value) << "\n";
      if (++seen == wanted)
        break;
    }
  }
  consumer->close();
  return EXIT_SUCCESS;
}
