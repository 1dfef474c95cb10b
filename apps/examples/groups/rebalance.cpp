// Shows what changes hands when a second member comes and goes: half of the partitions, and no
// others. The callbacks run within `poll`: what is taken may be committed still.
//
//     example-groups-rebalance 127.0.0.1:9092 shipping parcels
#include "protocol/client/client.hpp"

#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>

namespace client = aqueduct::client;
using namespace std::chrono_literals;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << "error: " << to_string(why) << "\n";
  return EXIT_FAILURE;
}

client::group_consumer_config config_of(const std::string& name, char** argv) {
  const auto say = [name](const char* what) {
    return [name, what](client::partition_span partitions) {
      std::cout << name << " " << what << ":";
      for (const auto& tp : partitions)
        std::cout << " " << to_string(tp);
      std::cout << "\n";
    };
  };
  client::group_consumer_config config;
  config.group = argv[2];
  config.topics = {argv[3]};
  config.heartbeat_interval = 200ms;
  config.on_assigned = say("is given");
  config.on_revoked = say("gives up");
  config.on_lost = say("has lost");
  return config;
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
  // Eight partitions, unless the topic is there already.
  (void)client::admin(*cluster).create_topic({.name = argv[3], .partitions = 8});
  const auto topic = cluster->topic(argv[3]);
  if (!topic)
    return fail(topic.error());
  const auto all = topic->partitions.size();

  auto first = client::group_consumer::create(*cluster, config_of("first", argv));
  if (!first)
    return fail(first.error());
  std::optional<client::group_consumer> second;
  std::optional<aqueduct::error> failed;
  const auto poll_until = [&](const std::function<bool()>& holds) {
    while (!failed && !holds()) {
      if (const auto records = first->poll(50ms); !records)
        failed = records.error();
      if (second)
        if (const auto records = second->poll(50ms); !records)
          failed = records.error();
    }
    return !failed;
  };
  if (!poll_until([&] { return first->assigned().size() == all; }))
    return fail(*failed);

  auto made = client::group_consumer::create(*cluster, config_of("second", argv));
  if (!made)
    return fail(made.error());
  second.emplace(std::move(*made));
  if (!poll_until([&] {
        return first->assigned().size() + second->assigned().size() == all &&
               second->assigned().size() == all / 2;
      }))
    return fail(*failed);

  if (const auto closed = second->close(); !closed)
    return fail(closed.error());
  second.reset();
  if (!poll_until([&] { return first->assigned().size() == all; }))
    return fail(*failed);
  return first->close() ? EXIT_SUCCESS : EXIT_FAILURE;
}
