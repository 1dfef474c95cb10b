// Sends records to a topic, and waits until they are stored.
//
//     example-basic-producer 127.0.0.1:9092 greetings 3
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

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: " << argv[0] << " BROKER TOPIC [COUNT]\n";
    return EXIT_FAILURE;
  }
  const std::string topic = argv[2];
  const int count = argc > 3 ? std::atoi(argv[3]) : 1;

  // One cluster object per program: it holds the connections, and one broker that answers is enough
  // to find the others.
  client::cluster_config where;
  where.brokers = {argv[1]};
  where.client_id = "example-basic-producer";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  // A topic that exists already is as good as one that was made just now.
  client::admin admin(*cluster);
  const auto created = admin.create_topic({topic});
  if (!created && created.error().code != aqueduct::errc::topic_exists)
    return fail(created.error());

  // Sequence numbers make sure that no retry stores a record twice: that is the default.
  auto producer = client::producer::create(*cluster);
  if (!producer)
    return fail(producer.error());

  for (int i = 0; i < count; ++i) {
    const auto key = "key-" + std::to_string(i);
    const auto value = "hello number " + std::to_string(i);
    client::record record;
    record.topic = topic;
    record.key = client::bytes_view(key);
    record.value = client::bytes_view(value);
    const auto stored = producer->send_and_wait(record);
    if (!stored)
      return fail(stored.error());
    std::cout << topic << "/" << stored->partition.value << " @ " << stored->offset.value << "\n";
  }

  const auto closed = producer->close();
  return closed ? EXIT_SUCCESS : fail(closed.error());
}
