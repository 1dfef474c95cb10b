// What a user's program looks like, built against the installed library. With an address it stores
// a record there and reads it back; without one it checks that nobody answers where nobody listens.
#include <aqueduct/client.hpp>
#include <iostream>

namespace aq = aqueduct::client;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << to_string(why) << '\n';
  return 1;
}

int round_trip(const aq::cluster& cluster) {
  auto producer = aq::producer::create(cluster);
  if (!producer)
    return fail(producer.error());
  const auto stored = producer->send_and_wait({.topic = "sample", .key = "k", .value = "hello"});
  if (!stored)
    return fail(stored.error());
  auto consumer = aq::consumer::create(cluster);
  if (!consumer)
    return fail(consumer.error());
  const aq::topic_partition from{"sample", stored->partition};
  if (auto assigned = consumer->assign({{from, aq::start_position::at(stored->offset)}}); !assigned)
    return fail(assigned.error());
  const auto records = consumer->poll(std::chrono::seconds(10));
  if (!records)
    return fail(records.error());
  for (const auto& record : *records)
    std::cout << record.offset.value << ' ' << record.value->text() << '\n';
  return records->empty() ? 1 : 0;
}

} // namespace

int main(int argc, char** argv) {
  auto cluster = aq::cluster::open({.brokers = {argc > 1 ? argv[1] : "127.0.0.1:1"}});
  if (argc > 1)
    return cluster ? round_trip(*cluster) : fail(cluster.error());
  if (cluster || cluster.error().code != aqueduct::errc::broker_unavailable)
    return 1;
  std::cout << to_string(cluster.error()) << '\n';
  return 0;
}
