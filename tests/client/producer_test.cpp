#include "protocol/client/client.hpp"
#include "protocol/record_reader.hpp"
#include "tests/client/client_lab.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using protocol::api_key;
using test::create;
using test::fake_cluster;
using test::numbers;
using test::open;
using test::quick_producer;
using test::reaction;
using test::stored;
using kind = test::reaction::kind;

namespace {

/// Sends 0, 1, 2 ... to partition 0, each in a batch of its own, and waits for none of them.
std::vector<std::future<result<record_metadata>>> send_numbers(producer& to, int count) {
  std::vector<std::future<result<record_metadata>>> outcomes;
  for (int i = 0; i < count; ++i) {
    const auto text = std::to_string(i);
    outcomes.push_back(to.send_future({.topic = "t", .partition = partition_id(0), .value = text}));
  }
  return outcomes;
}

void check_in_order(std::vector<std::future<result<record_metadata>>>& outcomes) {
  std::int64_t expected = 0;
  for (auto& each : outcomes) {
    const auto outcome = each.get();
    REQUIRE_MESSAGE(outcome, to_string(outcome.error()));
    CHECK(outcome->offset.value == expected++);
  }
}

} // namespace

TEST_SUITE_BEGIN("client.producer");

TEST_CASE("a record is stored with key, value, headers and time, and its place is told") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto sender = create(on);
  const std::vector<header> headers{{"h", "v"}, {"h", std::nullopt}};

  const auto first = sender.send_and_wait(
      {.topic = "t", .key = "k", .value = "v0", .headers = headers, .timestamp = timestamp_ms(77)});
  const auto second = sender.send_and_wait({.topic = "t", .value = "v1"});

  REQUIRE(first);
  CHECK(first->offset == offset_t(0));
  CHECK(first->timestamp == timestamp_ms(77));
  REQUIRE(second);
  CHECK(second->offset == offset_t(1));
  CHECK(second->timestamp.value > 1'600'000'000'000);
  brokers.with([](fake_cluster& state) {
    protocol::record_reader reader;
    protocol::record_view record;
    reader.open(protocol::batch_view(state.topics.at("t").partitions[0].batches[0].bytes()));
    REQUIRE(reader.next(record));
    CHECK(bytes_view(*record.key).text() == "k");
    CHECK(record.timestamp == timestamp_ms(77));
    CHECK(record.headers.size() == 2);
  });
}

TEST_CASE("a leader that is cut off from the others is left, though it alone is connected") {
  fake_cluster brokers(2);
  brokers.add_topic("t", 1);
  // Both are known, and only the one that leads is talked to.
  const auto on = open(brokers);
  auto sender = create(on);
  REQUIRE(sender.send({.topic = "t", .partition = partition_id(0), .value = "0"}));
  const auto stale = brokers.with([](fake_cluster& state) {
    protocol::topic_metadata topic;
    topic.name = "t";
    topic.id = state.topics.at("t").id;
    protocol::partition_metadata partition;
    partition.leader = 0;
    partition.leader_epoch = 1;
    partition.replicas = {0, 1};
    topic.partitions.push_back(partition);
    return topic;
  });
  // It waits for others to take what it is sent, and tells what was.
  brokers.on(api_key::produce, [](const test::fake_request& request) {
    return reaction{.what = request.node == 0 ? kind::ignore : kind::normal};
  });
  brokers.on(api_key::metadata, [stale](const test::fake_request& request) {
    if (request.node != 0)
      return reaction{};
    protocol::metadata_response old;
    old.metadata_version = 1;
    old.topics.push_back(stale);
    const auto bytes =
        protocol::encode_frame({0, protocol::frame_kind::response, api_key::metadata,
                                request.header.version, errc::none, request.header.correlation_id},
                               old);
    std::string text;
    for (const auto& part : bytes.parts())
      text += bytes_view(part.bytes()).text();
    return reaction{.what = kind::raw, .bytes = text};
  });
  brokers.move_leader("t", 0, 1);
  auto outcome = sender.send_future({.topic = "t", .partition = partition_id(0), .value = "1"});
  REQUIRE(outcome.wait_for(20s) == std::future_status::ready);
  CHECK(outcome.get().has_value());
  CHECK(stored(brokers, "t", 0) == std::vector<std::string>{"0", "1"});
}

TEST_CASE("answers that come in reverse order find their records") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 5, {.what = kind::hold});
  const auto on = open(brokers);
  auto sender = create(on);
  auto outcomes = send_numbers(sender, 1);
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 1; }));
  for (int i = 1; i < 5; ++i) {
    const auto text = std::to_string(i);
    outcomes.push_back(
        sender.send_future({.topic = "t", .partition = partition_id(0), .value = text}));
    REQUIRE(brokers.wait([&] { return brokers.held_count() == static_cast<std::size_t>(i + 1); }));
  }

  brokers.release(true);

  check_in_order(outcomes);
  CHECK(stored(brokers, "t", 0) == numbers(5));
}

TEST_CASE("order and once-only survive refusals, lost answers and broken connections") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  // Every third request is refused, every fifth is acted on without an answer, every seventh kills
  // the connection.
  brokers.on(api_key::produce, [](const test::fake_request& request) -> reaction {
    if (request.number % 7 == 6)
      return {.what = kind::close};
    if (request.number % 5 == 4)
      return {.what = kind::act_and_close};
    if (request.number % 3 == 2)
      return {.what = kind::fail_partitions, .code = errc::overloaded};
    return {};
  });
  const auto on = open(brokers);
  auto config = quick_producer();
  config.batch_records = 3;
  auto sender = create(on, config);

  auto outcomes = send_numbers(sender, 300);

  check_in_order(outcomes);
  CHECK(stored(brokers, "t", 0) == numbers(300));
  CHECK(sender.stats().batches_retried > 0);
  CHECK(sender.stats().records_acked == 300);
  CHECK(sender.stats().memory_bytes == 0);
}

TEST_CASE("a batch whose answer was lost is not stored twice and gets its first offset") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1, {.what = kind::act_and_close});
  const auto on = open(brokers);
  auto sender = create(on);

  const auto outcome = sender.send_and_wait({.topic = "t", .value = "once"});

  REQUIRE(outcome);
  CHECK(outcome->offset == offset_t(0));
  CHECK(brokers.count(api_key::produce) == 2);
  CHECK(stored(brokers, "t", 0) == std::vector<std::string>{"once"});
}

TEST_CASE("a new leader is found by the hint in the answer") {
  fake_cluster brokers(2);
  brokers.add_topic("t", 1, 0);
  const auto on = open(brokers);
  auto sender = create(on);
  REQUIRE(sender.send_and_wait({.topic = "t", .value = "0"}));
  brokers.move_leader("t", 0, 1);
  // No metadata from now on: the hint alone has to do.
  brokers.on(api_key::metadata, [](const auto&) { return reaction{.what = kind::ignore}; });

  const auto outcome = sender.send_and_wait({.topic = "t", .value = "1"});

  REQUIRE_MESSAGE(outcome, to_string(outcome.error()));
  CHECK(stored(brokers, "t", 0) == numbers(2));
}

TEST_CASE("a leader that is gone is replaced by the one that the metadata names") {
  fake_cluster brokers(2);
  brokers.add_topic("t", 1, 0);
  const auto on = open(brokers);
  auto sender = create(on);
  REQUIRE(sender.send_and_wait({.topic = "t", .value = "0"}));

  brokers.stop(0);
  brokers.move_leader("t", 0, 1);
  auto outcomes = send_numbers(sender, 3);

  for (auto& each : outcomes)
    CHECK(each.get());
  CHECK(stored(brokers, "t", 0).size() == 4);
}

TEST_CASE("after a record was given up the rest goes on with a new epoch") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on(api_key::produce, [](const test::fake_request& request) -> reaction {
    if (request.number == 1)
      return {.what = kind::fail_partitions, .code = errc::invalid_message};
    return {};
  });
  const auto on = open(brokers);
  auto config = quick_producer();
  config.batch_records = 1;
  auto sender = create(on, config);
  REQUIRE(sender.send_and_wait({.topic = "t", .value = "0"}));

  auto outcomes = send_numbers(sender, 4);

  CHECK(outcomes[0].get().error().code == errc::invalid_message);
  for (std::size_t i = 1; i < 4; ++i)
    CHECK(outcomes[i].get());
  CHECK(stored(brokers, "t", 0) == std::vector<std::string>{"0", "1", "2", "3"});
  CHECK(brokers.count(api_key::init_producer_id) == 2);
}

TEST_CASE("a fenced producer is of no more use") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1, {.what = kind::fail_partitions, .code = errc::fenced_epoch});
  const auto on = open(brokers);
  auto sender = create(on);

  CHECK(sender.send_and_wait({.topic = "t", .value = "0"}).error().code == errc::fenced_epoch);
  CHECK(sender.send({.topic = "t", .value = "1"}).error().code == errc::fenced_epoch);
}

TEST_CASE("a repeat that is too old for its offset counts as stored") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1,
                  {.what = kind::fail_partitions, .code = errc::duplicate_sequence});
  const auto on = open(brokers);
  auto sender = create(on);
  const auto outcome = sender.send_and_wait({.topic = "t", .value = "0"});
  REQUIRE(outcome);
  CHECK(outcome->offset == offset_t(-1));
}

TEST_CASE("a batch that the broker finds too large arrives in parts, in order") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.with([](fake_cluster& state) { state.topics.at("t").batch_bytes_max = 300; });
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 1min;
  auto sender = create(on, config);
  // The first record leaves at once; the others travel as one batch.
  REQUIRE(sender.send_and_wait({.topic = "t", .partition = partition_id(0), .value = "first"}));
  auto outcomes = send_numbers(sender, 100);

  REQUIRE(sender.flush(10s));

  for (std::size_t i = 0; i < outcomes.size(); ++i)
    CHECK(outcomes[i].get()->offset.value == static_cast<std::int64_t>(i) + 1);
  auto expected = numbers(100);
  expected.insert(expected.begin(), "first");
  CHECK(stored(brokers, "t", 0) == expected);
  CHECK(sender.stats().batches_split > 0);
}

TEST_CASE("a record that is too large on its own fails, and those after it do not") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.with([](fake_cluster& state) { state.topics.at("t").batch_bytes_max = 300; });
  const auto on = open(brokers);
  auto sender = create(on);
  const std::string large(1000, 'x');

  CHECK(sender.send_and_wait({.topic = "t", .value = large}).error().code ==
        errc::message_too_large);
  CHECK(sender.send_and_wait({.topic = "t", .value = "small"}));
}

TEST_CASE("a record larger than a batch travels alone") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto sender = create(on);
  const std::string large(3 << 20, 'x');

  CHECK(sender.send_and_wait({.topic = "t", .value = "a"}));
  CHECK(sender.send_and_wait({.topic = "t", .value = large}));
  CHECK(sender.send_and_wait({.topic = "t", .value = "b"}));
  CHECK(stored(brokers, "t", 0) == std::vector<std::string>{"a", large, "b"});
}

TEST_CASE("memory is bounded: a send waits for room, then gives up") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1'000, {.what = kind::hold});
  const auto on = open(brokers);
  auto config = quick_producer();
  config.batch_bytes = 1024;
  config.memory_bytes = 8 * 1024;
  config.block_max = 0ms;
  auto sender = create(on, config);
  // What is known needs no wait.
  CHECK(sender.send({.topic = "t", .value = "x"}).error().code == errc::timed_out);
  REQUIRE(cluster(on).topic("t"));
  const std::string kilobyte(1000, 'x');
  int accepted = 0;
  while (sender.send({.topic = "t", .value = kilobyte}))
    ++accepted;
  CHECK(accepted == 8);
  CHECK(sender.stats().memory_bytes <= config.memory_bytes);
  CHECK(sender.send({.topic = "t", .value = kilobyte}).error().code == errc::overloaded);
  const std::string larger_than_all(10'000, 'x');
  CHECK(sender.send({.topic = "t", .value = larger_than_all}).error().code ==
        errc::message_too_large);

  SUBCASE("and there is room again when answers come") {
    std::thread answers([&] {
      // 5 are under way at first.
      for (std::size_t answered = 0; answered < 8;) {
        if (!brokers.wait([&] { return brokers.held_count() > 0; }))
          break;
        answered += brokers.release();
      }
    });
    CHECK(sender.flush(10s));
    answers.join();
    CHECK(sender.send({.topic = "t", .value = kilobyte}));
  }
}

TEST_CASE("a send that waits for memory goes on when the broker answers") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1, {.what = kind::hold});
  const auto on = open(brokers);
  auto config = quick_producer();
  config.batch_bytes = 1024;
  config.memory_bytes = 1100;
  auto sender = create(on, config);
  const std::string kilobyte(1000, 'x');
  REQUIRE(sender.send({.topic = "t", .value = kilobyte}));
  auto waiting = std::async(std::launch::async,
                            [&] { return sender.send({.topic = "t", .value = kilobyte}); });
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 1; }));
  CHECK(waiting.wait_for(0s) == std::future_status::timeout);

  brokers.release();

  CHECK(waiting.get());
  CHECK(sender.flush(10s));
}

TEST_CASE("a record that nobody answers for fails when its delivery time is over") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.delivery_timeout = 50ms;
  auto sender = create(on, config);
  REQUIRE(sender.send_and_wait({.topic = "t", .value = "0"}));
  brokers.on_next(api_key::produce, 1, {.what = kind::ignore});

  const auto outcome = sender.send_and_wait({.topic = "t", .value = "1"});

  CHECK(outcome.error().code == errc::timed_out);
}

TEST_CASE("a record that no attempt stores in time fails with the reason of the last one") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  reaction failing{.what = kind::fail_partitions, .code = errc::storage_full};
  std::string reason = "STORAGE_FULL";
  SUBCASE("a refusal") {}
  SUBCASE("a lost connection") {
    failing = {.what = kind::close};
    reason = "the broker closed the connection";
  }
  brokers.on(api_key::produce, [=](const test::fake_request&) { return failing; });
  const auto on = open(brokers);
  auto config = quick_producer();
  config.delivery_timeout = 300ms;
  const auto outcome = create(on, config).send_and_wait({.topic = "t", .value = "0"});

  CHECK(outcome.error().code == errc::timed_out);
  const auto& message = outcome.error().message;
  INFO(message);
  const auto told = message.find("the last attempt failed: ");
  REQUIRE(told != std::string::npos);
  CHECK(message.find(reason, told) != std::string::npos);
}

TEST_CASE("a request without an answer is sent again on a new connection") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.request_timeout = 50ms;
  auto sender = create(on, config);
  brokers.on_next(api_key::produce, 1, {.what = kind::ignore});

  CHECK(sender.send_and_wait({.topic = "t", .value = "0"}));
  CHECK(stored(brokers, "t", 0) == numbers(1));
}

TEST_CASE("flush waits for all that was sent before, and tells of what was lost") {
  fake_cluster brokers;
  brokers.add_topic("t", 2);
  brokers.on_next(api_key::produce, 1, {.what = kind::hold});
  const auto on = open(brokers);
  auto config = quick_producer();
  std::atomic<std::size_t> lost = 0;
  config.on_lost = [&](const topic_partition&, const error&, std::size_t n) { lost += n; };
  auto sender = create(on, config);
  REQUIRE(sender.send({.topic = "t", .value = "0"}));
  CHECK(sender.flush(1ms).error().code == errc::timed_out);
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 1; }));
  brokers.release();
  CHECK(sender.flush(10s));

  brokers.on_next(api_key::produce, 1,
                  {.what = kind::fail_partitions, .code = errc::invalid_timestamp});
  REQUIRE(sender.send({.topic = "t", .value = "1"}));
  CHECK(sender.flush(10s).error().code == errc::invalid_timestamp);
  CHECK(lost == 1);
  CHECK(sender.flush(10s));
}

TEST_CASE("close sends what is left; afterwards nothing is taken") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 1min;
  auto sender = create(on, config);
  for (const auto& text : numbers(10))
    REQUIRE(sender.send({.topic = "t", .value = text}));

  CHECK(sender.close(10s));

  CHECK(stored(brokers, "t", 0) == numbers(10));
  CHECK(sender.send({.topic = "t", .value = "x"}).error().code == errc::cancelled);
  CHECK(sender.close(0ms));
}

TEST_CASE("close gives up after its time, and every callback is called") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1000, {.what = kind::ignore});
  const auto on = open(brokers);
  auto sender = create(on);
  auto outcomes = send_numbers(sender, 20);

  CHECK(sender.close(10ms).error().code == errc::timed_out);

  for (auto& each : outcomes)
    CHECK(each.get().error().code == errc::cancelled);
}

TEST_CASE("a producer that goes away tells those who wait") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1000, {.what = kind::ignore});
  const auto on = open(brokers);
  std::future<result<record_metadata>> outcome;
  {
    auto sender = create(on);
    outcome = std::move(send_numbers(sender, 1)[0]);
  }
  CHECK(outcome.get().error().code == errc::cancelled);
}

TEST_CASE("closing the cluster ends the producers on it") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.on_next(api_key::produce, 1000, {.what = kind::ignore});
  auto on = open(brokers);
  auto sender = create(on);
  auto outcomes = send_numbers(sender, 3);

  on.close();

  for (auto& each : outcomes)
    CHECK(each.get().error().code == errc::cancelled);
  CHECK(sender.send({.topic = "t", .value = "x"}).error().code == errc::cancelled);
  CHECK(sender.send({.topic = "u", .value = "x"}).error().code == errc::cancelled);
}

TEST_CASE("without acks records are stored, nobody knows where, and no answer is waited for") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.acks = client::acks::none;
  auto sender = create(on, config);
  auto outcomes = send_numbers(sender, 100);
  for (auto& each : outcomes)
    CHECK(each.get()->offset == offset_t(-1));
  REQUIRE(brokers.wait([&] { return brokers.topics.at("t").partitions[0].end == 100; }));
  CHECK(stored(brokers, "t", 0) == numbers(100));
  CHECK(brokers.count(api_key::init_producer_id) == 0);
}

TEST_CASE("records go where they are told to, and those with a key where Kafka puts it") {
  fake_cluster brokers;
  brokers.add_topic("t", 5);
  const auto on = open(brokers);
  auto sender = create(on);
  CHECK(
      sender.send_and_wait({.topic = "t", .partition = partition_id(3), .value = "x"})->partition ==
      partition_id(3));
  for (int i = 0; i < 20; ++i) {
    const auto key = "key" + std::to_string(i);
    CHECK(sender.send_and_wait({.topic = "t", .key = key})->partition.value ==
          partition_for_key(bytes_view(key), 5));
  }
  CHECK(sender.send({.topic = "t", .partition = partition_id(5), .value = "x"}).error().code ==
        errc::unknown_partition);
  CHECK(sender.send({.topic = "t", .partition = partition_id(-1), .value = "x"}).error().code ==
        errc::unknown_partition);
}

TEST_CASE("records without a key stay in one partition for a batch and reach all in time") {
  fake_cluster brokers;
  brokers.add_topic("t", 4);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 1min;
  config.batch_records = 10;
  auto sender = create(on, config);
  std::set<std::int32_t> partitions;
  int changes = 0;
  std::int32_t last = -1;
  std::vector<std::future<result<record_metadata>>> outcomes;
  for (int i = 0; i < 1000; ++i)
    outcomes.push_back(sender.send_future({.topic = "t", .value = "x"}));
  REQUIRE(sender.flush(10s));
  for (auto& each : outcomes) {
    const auto partition = each.get()->partition.value;
    partitions.insert(partition);
    changes += std::exchange(last, partition) != partition ? 1 : 0;
  }
  CHECK(partitions.size() == 4);
  CHECK(changes <= 110);
}

TEST_CASE("round robin takes turns, and a function of the user's decides") {
  fake_cluster brokers;
  brokers.add_topic("t", 3);
  const auto on = open(brokers);
  auto config = quick_producer();
  SUBCASE("round robin") {
    config.partitioning = partitioning::round_robin;
    auto sender = create(on, config);
    for (int i = 0; i < 9; ++i)
      CHECK(sender.send_and_wait({.topic = "t", .key = "same"})->partition.value == i % 3);
  }
  SUBCASE("function") {
    config.partitioner = [](const record& rec, std::int32_t count) {
      return rec.value->text() == "bad" ? count : count - 1;
    };
    auto sender = create(on, config);
    CHECK(sender.send_and_wait({.topic = "t", .value = "x"})->partition.value == 2);
    CHECK(sender.send_and_wait({.topic = "t", .value = "bad"}).error().code ==
          errc::unknown_partition);
  }
}

TEST_CASE("batches are compressed as asked") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  for (const auto codec :
       {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
    auto config = quick_producer();
    config.codec = codec;
    auto sender = create(on, config);
    REQUIRE(sender.send_and_wait({.topic = "t", .value = std::string(10'000, 'x').c_str()}));
    brokers.with([&](fake_cluster& state) {
      const auto& batch = state.topics.at("t").partitions[0].batches.back();
      CHECK(batch.size() < 1000);
      CHECK(static_cast<int>(protocol::batch_view(batch.bytes()).compression()) ==
            static_cast<int>(codec));
    });
  }
}

TEST_CASE("a topic that does not exist is an error, unless it may be created") {
  fake_cluster brokers;
  const auto on = open(brokers);
  auto sender = create(on);
  CHECK(sender.send_and_wait({.topic = "new", .value = "x"}).error().code == errc::unknown_topic);

  brokers.with([](fake_cluster& state) { state.auto_create = true; });
  CHECK(sender.send_and_wait({.topic = "new", .value = "x"}));

  auto config = quick_producer();
  config.auto_create = false;
  auto careful = create(on, config);
  CHECK(careful.send_and_wait({.topic = "newer", .value = "x"}).error().code ==
        errc::unknown_topic);
}

TEST_CASE("callbacks may send, but not wait") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto sender = create(on);
  std::promise<result<record_metadata>> inner;
  std::promise<errc> waited;
  REQUIRE(sender.send({.topic = "t", .value = "0"}, [&](const auto&) {
    waited.set_value(sender.send_and_wait({.topic = "t", .value = "never"}).error().code);
    REQUIRE(sender.send({.topic = "t", .value = "1"},
                        [&](const auto& outcome) { inner.set_value(outcome); }));
  }));
  CHECK(waited.get_future().get() == errc::invalid_request);
  CHECK(inner.get_future().get()->offset == offset_t(1));
}

TEST_CASE("a conditional append happens only at the expected offset") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto sender = create(on);
  const topic_partition to{"t", partition_id(0)};
  const std::vector<record> two{{.topic = "", .value = "0"}, {.topic = "", .value = "1"}};
  const std::vector<record> one{{.topic = "", .value = "2"}};

  CHECK(sender.append_at(to, offset_t(0), two)->offset == offset_t(0));
  offset_t end;
  CHECK(sender.append_at(to, offset_t(0), one, &end).error().code == errc::offset_conflict);
  CHECK(end == offset_t(2));
  CHECK(sender.append_at(to, end, one)->offset == offset_t(2));
  // A lost answer is no conflict with itself.
  brokers.on_next(api_key::produce, 1, {.what = kind::act_and_close});
  const std::vector<record> last{{.topic = "", .value = "3"}};
  brokers.with([](fake_cluster& state) { state.log.clear(); });
  const auto repeated = sender.append_at(to, offset_t(3), last);
  CHECK(stored(brokers, "t", 0) == numbers(4));
  CHECK(sender.append_at(to, offset_t(1), {}).error().code == errc::invalid_message);
}

TEST_CASE("many threads send to many partitions, and each partition keeps each thread's order") {
  fake_cluster brokers(3);
  for (int node = 0; node < 3; ++node)
    brokers.add_topic("t" + std::to_string(node), 4, node);
  const auto on = open(brokers);
  auto config = quick_producer();
  config.linger = 1ms;
  auto sender = create(on, config);
  std::vector<std::thread> threads;
  std::atomic<int> acked = 0;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 2000; ++i) {
        const auto topic = "t" + std::to_string(i % 3);
        const auto value = std::to_string(thread) + ":" + std::to_string(i);
        CHECK(sender.send({.topic = topic, .partition = partition_id(i % 4), .value = value},
                          [&](const auto& outcome) { acked += outcome ? 1 : 0; }));
      }
    });
  for (auto& each : threads)
    each.join();
  REQUIRE(sender.flush(10s));
  CHECK(acked == 8000);
  std::size_t total = 0;
  for (int t = 0; t < 3; ++t)
    for (int p = 0; p < 4; ++p) {
      std::map<std::string, int> last;
      for (const auto& value : stored(brokers, "t" + std::to_string(t), p)) {
        const auto colon = value.find(':');
        const auto number = std::stoi(value.substr(colon + 1));
        CHECK(last.try_emplace(value.substr(0, colon), -1).first->second < number);
        last[value.substr(0, colon)] = number;
        ++total;
      }
    }
  CHECK(total == 8000);
}

TEST_CASE("settings out of range are refused by name") {
  producer_config config;
  CHECK(config.validate());
  config.in_flight_per_partition = 6;
  CHECK(config.validate().error().message.find("in_flight_per_partition is 6") == 0);
  config = {};
  config.acks = client::acks::none;
  config.idempotent = true;
  CHECK(config.validate().error().code == errc::invalid_config);
  config = {};
  config.memory_bytes = 1;
  CHECK_FALSE(config.validate());
  config = {};
  config.linger = 2min;
  CHECK_FALSE(config.validate());
}

TEST_SUITE_END();
