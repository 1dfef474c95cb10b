// Ways to read: long polls, subscriptions with credits, many ranges at once.
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("integration.consume");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

protocol::subscribe_request subscription_of(const std::string& topic, std::int64_t offset,
                                            std::int64_t credit_bytes,
                                            std::int32_t push_bytes_max = 1 << 20) {
  protocol::subscribe_request request;
  request.subscription = 7;
  request.topic = topic;
  request.partitions = {{0, offset}};
  request.credit_bytes = credit_bytes;
  request.push_bytes_max = push_bytes_max;
  return request;
}

protocol::delivery next_push(native_client& client) {
  const auto frame = client.receive();
  CHECK(frame.header.kind == protocol::frame_kind::push);
  CHECK(frame.header.key == protocol::api_key::delivery);
  return must(protocol::decode<protocol::delivery>(frame.payload));
}

/// Whether a frame comes although none is due: an answer that was asked for afterwards shows it, as
/// both take the same way.
bool something_came(native_client& client) {
  const auto asked = client.send(protocol::api_versions_request{});
  const auto frame = client.receive();
  return frame.header.kind == protocol::frame_kind::push || frame.header.correlation_id != asked;
}

} // namespace

TEST_CASE("a long poll is answered by the produce that it waits for") {
  own_node own;
  create_topic(own.client, "news", 2);
  native_client reader(own.node.client_address());
  const auto minute = 60'000;
  const auto poll = reader.send(fetch_request_of("news", 0, 0, minute));
  // Something in another partition, or nothing at all, does not end it.
  append(own.client, "news", 1, {"elsewhere"});
  CHECK_FALSE(something_came(reader));

  const auto began = test_clock::now();
  append(own.client, "news", 0, {"flash"});
  const auto frame = reader.receive_answer(poll);

  CHECK(test_clock::now() - began < patience);
  const auto answer = fetched(frame);
  const auto& part = answer.topics.at(0).partitions.at(0);
  CHECK(values_of(records_in(part.records)) == std::vector<std::string>{"flash"});
  CHECK(part.high_watermark == 1);
}

TEST_CASE("a long poll over several partitions is answered by the first that has something") {
  own_node own;
  create_topic(own.client, "many", 3);
  native_client reader(own.node.client_address());
  protocol::fetch_request poll;
  poll.max_wait_ms = 60'000;
  poll.topics.push_back({"many", {{0, 0, 1 << 20, -1}, {1, 0, 1 << 20, -1}, {2, 0, 1 << 20, -1}}});
  const auto asked = reader.send(poll);
  append(own.client, "many", 1, {"here"});
  const auto answer = fetched(reader.receive_answer(asked));
  REQUIRE(answer.topics.at(0).partitions.size() == 3);
  CHECK(answer.topics[0].partitions[0].records.empty());
  CHECK(values_of(records_in(answer.topics[0].partitions[1].records)) ==
        std::vector<std::string>{"here"});
}

TEST_CASE("a long poll waits for min_bytes and takes what is there when its time is over") {
  own_node own;
  create_topic(own.client, "slow");
  native_client reader(own.node.client_address());
  const auto batch = batch_of({std::string(1000, 'x')});
  const auto enough = static_cast<std::int32_t>(batch.size() * 2);
  const auto poll = reader.send(fetch_request_of("slow", 0, 0, 60'000, enough));
  CHECK(produce(own.client, "slow", 0, batch).error == errc::none);
  CHECK_FALSE(something_came(reader));
  CHECK(produce(own.client, "slow", 0, batch).error == errc::none);
  auto answer = fetched(reader.receive_answer(poll));
  CHECK(records_in(answer.topics[0].partitions[0].records).size() == 2);

  const auto short_poll = fetch_request_of("slow", 0, 1, 100, enough);
  answer = must(reader.call(short_poll));
  CHECK(records_in(answer.topics[0].partitions[0].records).size() == 1);
  answer = must(reader.call(fetch_request_of("slow", 0, 2, 100)));
  CHECK(answer.topics[0].partitions[0].error == errc::none);
  CHECK(answer.topics[0].partitions[0].records.empty());
}

TEST_CASE("a long poll ends when its topic is deleted") {
  own_node own;
  create_topic(own.client, "passing");
  native_client reader(own.node.client_address());
  const auto poll = reader.send(fetch_request_of("passing", 0, 0, 60'000));
  CHECK_FALSE(something_came(reader));
  delete_topic(own.client, "passing");
  const auto answer = fetched(reader.receive_answer(poll));
  CHECK(answer.topics[0].partitions[0].error == errc::unknown_topic);
}

TEST_CASE("a subscription pushes what is there and what comes, in order and without holes") {
  own_node own;
  create_topic(own.client, "feed");
  for (int i = 0; i < 10; ++i)
    append(own.client, "feed", 0, {std::to_string(i)});
  native_client reader(own.node.client_address());
  const auto answer = must(reader.call(subscription_of("feed", -2, 1 << 20)));
  REQUIRE(answer.partitions.size() == 1);
  CHECK(answer.partitions[0].error == errc::none);
  CHECK(answer.partitions[0].offset == 0);
  for (int i = 10; i < 20; ++i)
    append(own.client, "feed", 0, {std::to_string(i)});
  std::vector<read_record> seen;
  while (seen.size() < 20) {
    const auto push = next_push(reader);
    CHECK(push.subscription == 7);
    CHECK(push.error == errc::none);
    for (auto& record : records_in(push.records))
      seen.push_back(std::move(record));
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CHECK(seen[i].offset == static_cast<std::int64_t>(i));
    CHECK(seen[i].value == std::to_string(i));
  }
  (void)must(reader.call(protocol::unsubscribe_request{7}));
  append(own.client, "feed", 0, {"unheard"});
  CHECK_FALSE(something_came(reader));
}

TEST_CASE("a subscription at the end sees only what comes after") {
  own_node own;
  create_topic(own.client, "fresh");
  append(own.client, "fresh", 0, {"old"});
  native_client reader(own.node.client_address());
  CHECK(must(reader.call(subscription_of("fresh", -1, 1 << 20))).partitions[0].offset == 1);
  append(own.client, "fresh", 0, {"new"});
  CHECK(values_of(records_in(next_push(reader).records)) == std::vector<std::string>{"new"});
}

TEST_CASE("a subscription pushes no more than its credit and goes on when more comes") {
  own_node own;
  create_topic(own.client, "metered");
  const auto batch = batch_of({std::string(1000, 'x')});
  const auto size = static_cast<std::int64_t>(batch.size());
  for (int i = 0; i < 10; ++i)
    CHECK(produce(own.client, "metered", 0, batch).error == errc::none);
  SUBCASE("from the node's memory") {}
  SUBCASE("from the disk") {
    own.restart();
  }
  native_client reader(own.node.client_address());
  (void)must(reader.call(subscription_of("metered", 0, size * 3)));
  std::int64_t pushed = 0;
  std::int64_t next = 0;
  const auto take = [&](std::int64_t until_offset) {
    while (next < until_offset) {
      const auto push = next_push(reader);
      REQUIRE(push.error == errc::none);
      pushed += static_cast<std::int64_t>(push.records.size());
      for (const auto& record : records_in(push.records))
        CHECK(record.offset == next++);
    }
  };
  take(3);
  CHECK_FALSE(something_came(reader));
  CHECK(pushed == size * 3);
  // Less credit than a batch: the next batch comes whole, then the debt is paid first.
  (void)reader.send(protocol::credit_request{7, 1});
  take(4);
  CHECK_FALSE(something_came(reader));
  (void)reader.send(protocol::credit_request{7, size - 1});
  CHECK_FALSE(something_came(reader));
  (void)reader.send(protocol::credit_request{7, size * 2});
  take(6);
  CHECK_FALSE(something_came(reader));
  (void)reader.send(protocol::credit_request{7, size * 100});
  take(10);
  CHECK(pushed == size * 10);
}

TEST_CASE("credits without a subscription, and subscriptions without sense, are refused") {
  own_node own;
  create_topic(own.client, "strict");
  const auto refusal_of = [&](const auto& request) {
    const auto frame = own.client.receive_answer(own.client.send(request));
    return protocol::decode_error(frame.header, frame.payload);
  };
  CHECK(refusal_of(protocol::credit_request{3, 5}).code == errc::unknown_subscription);
  CHECK(refusal_of(protocol::unsubscribe_request{3}).code == errc::unknown_subscription);
  CHECK(refusal_of(subscription_of("absent", 0, 1)).code == errc::unknown_topic);
  CHECK(refusal_of(subscription_of("strict", 0, -1)).code == errc::invalid_request);
  auto nothing = subscription_of("strict", 0, 1);
  nothing.partitions.clear();
  CHECK(refusal_of(nothing).code == errc::invalid_request);
  auto elsewhere = subscription_of("strict", 0, 1);
  elsewhere.partitions = {{0, 99}, {5, 0}};
  const auto answer = must(own.client.call(elsewhere));
  REQUIRE(answer.partitions.size() == 2);
  CHECK(answer.partitions[0].error == errc::offset_out_of_range);
  CHECK(answer.partitions[0].message.find("0 to 0") != std::string::npos);
  CHECK(answer.partitions[1].error == errc::unknown_partition);
  CHECK(refusal_of(subscription_of("strict", 0, 1)).code == errc::conflict);
  CHECK(refusal_of(protocol::credit_request{7, 0}).code == errc::invalid_request);
}

TEST_CASE("a batch fetch answers each range with its own records") {
  own_node own;
  create_topic(own.client, "ranges");
  for (int i = 0; i < 20; ++i)
    append(own.client, "ranges", 0, {"a" + std::to_string(i), "b" + std::to_string(i)});
  protocol::batch_fetch_request request;
  request.topic = "ranges";
  request.ranges = {{0, 1 << 20, 3},   {10, 1, -1},       {39, 1 << 20, -1},
                    {40, 1 << 20, -1}, {41, 1 << 20, -1}, {5, 1 << 20, 0}};
  const auto answer = must(own.client.call(request));
  CHECK(answer.high_watermark == 40);
  REQUIRE(answer.ranges.size() == 6);
  // Whole batches: the third record lies in the second batch.
  CHECK(records_in(answer.ranges[0].records).size() == 4);
  CHECK(answer.ranges[0].next_offset == 4);
  // A bound that is too small still lets one batch through.
  CHECK(records_in(answer.ranges[1].records).size() == 2);
  CHECK(answer.ranges[1].next_offset == 12);
  CHECK(records_in(answer.ranges[2].records).back().value == "b19");
  CHECK(answer.ranges[3].error == errc::none);
  CHECK(answer.ranges[3].records.empty());
  CHECK(answer.ranges[4].error == errc::offset_out_of_range);
  CHECK(answer.ranges[5].records.empty());
}

TEST_CASE("a look-up by time finds the first record that is late enough") {
  own_node own;
  create_topic(own.client, "times");
  for (std::int64_t i = 0; i < 10; ++i)
    append(own.client, "times", 0, {"x"}, 1000 + i * 100);
  CHECK(offset_at(own.client, "times", 0, 0).offset == 0);
  CHECK(offset_at(own.client, "times", 0, 1000).offset == 0);
  CHECK(offset_at(own.client, "times", 0, 1001).offset == 1);
  CHECK(offset_at(own.client, "times", 0, 1001).timestamp_ms == 1100);
  CHECK(offset_at(own.client, "times", 0, 1900).offset == 9);
  CHECK(offset_at(own.client, "times", 0, 1901).offset == -1);
  // The newest record, and what is no time.
  CHECK(offset_at(own.client, "times", 0, -3).offset == 9);
  CHECK(offset_at(own.client, "times", 0, -3).timestamp_ms == 1900);
  CHECK(offset_at(own.client, "times", 0, -4).error == errc::invalid_timestamp);
  CHECK(offset_at(own.client, "times", 1, 0).error == errc::unknown_partition);
}

TEST_SUITE_END();
