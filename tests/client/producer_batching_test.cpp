// Which records of a producer share a batch, and how long they wait for each other.
#include "protocol/client/client.hpp"
#include "protocol/record_reader.hpp"
#include "tests/client/client_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using protocol::api_key;
using test::create;
using test::fake_cluster;
using test::numbers;
using test::open;
using test::quick_producer;
using test::stored;
using kind = test::reaction::kind;

TEST_SUITE_BEGIN("client.producer_batching");

TEST_CASE("records collect while linger lasts, and the first does not wait") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 1min;
  auto sender = create(on, config);
  REQUIRE(sender.send({.topic = "t", .value = "0"}));
  REQUIRE(brokers.wait([&] { return brokers.log.back().header.key == api_key::produce; }));
  for (int i = 1; i < 1000; ++i) {
    const auto text = std::to_string(i);
    REQUIRE(sender.send({.topic = "t", .value = text}));
  }
  CHECK(brokers.count(api_key::produce) == 1);

  REQUIRE(sender.flush(10s));

  CHECK(brokers.count(api_key::produce) == 2);
  CHECK(stored(brokers, "t", 0) == numbers(1000));
}

TEST_CASE("records for any partition travel together while a batch of others is under way") {
  fake_cluster brokers;
  brokers.add_topic("t", 8);
  brokers.add_topic("u", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 1min;
  config.batch_bytes = 1024;
  auto sender = create(on, config);
  brokers.on_next(api_key::produce, 3, {.what = kind::hold});
  const std::string large(700, 'x');
  for (std::size_t sent = 1; sent <= 2; ++sent) {
    REQUIRE(sender.send({.topic = "t", .value = large}));
    REQUIRE(brokers.wait([&] { return brokers.held_count() == sent; }));
  }

  for (const auto& text : numbers(10))
    REQUIRE(sender.send({.topic = "t", .value = text}));
  // Who names an idle partition, by a number or by a key, does not wait.
  REQUIRE(sender.send({.topic = "u", .partition = partition_id(0), .value = "named"}));
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 3; }));
  CHECK(brokers.count(api_key::produce) == 3);

  brokers.release();
  REQUIRE(sender.flush(10s));
  CHECK(brokers.count(api_key::produce) == 4);
  CHECK(stored(brokers, "u", 0) == std::vector<std::string>{"named"});
  int found = 0;
  for (int partition = 0; partition < 8; ++partition) {
    auto values = stored(brokers, "t", partition);
    std::erase(values, large);
    found += values == numbers(10) ? 1 : 0;
  }
  CHECK(found == 1);
}

TEST_CASE("a batch leaves when linger is over") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 20ms;
  auto sender = create(on, config);
  std::promise<result<record_metadata>> second;
  REQUIRE(sender.send({.topic = "t", .value = "0"}));
  REQUIRE(sender.send({.topic = "t", .value = "1"},
                      [&](const auto& outcome) { second.set_value(outcome); }));
  CHECK(second.get_future().get()->offset == offset_t(1));
}

TEST_SUITE_END();
