// The order rules of the producer, in virtual time.
#include "protocol/client/internal/partition_pipeline.hpp"
#include "protocol/record_batch.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using verdict = partition_pipeline::verdict;

namespace {

constexpr node_id leader{1};
constexpr node_id other_leader{2};
const time_point start = time_point{} + 1h;

batch_ptr make_batch(int records) {
  protocol::batch_builder builder;
  for (int i = 0; i < records; ++i)
    REQUIRE(builder.append({timestamp_ms(1000 + i), {}, bytes_view("value"), {}}));
  auto batch = std::make_shared<producer_batch>();
  batch->records = records;
  batch->wire = builder.finish().value();
  batch->memory = static_cast<std::size_t>(records) * 10;
  batch->delivery_deadline = start + 10s;
  batch->is_finished = true;
  return batch;
}

partition_pipeline make_pipeline(int in_flight = 5, bool idempotent = true) {
  partition_pipeline::settings how;
  how.in_flight_max = in_flight;
  how.backoff_min = 100ms;
  how.backoff_max = 1000ms;
  how.records_bytes_max = 1 << 20;
  if (idempotent)
    how.identity = producer_identity{producer_id(7), 0};
  return partition_pipeline(how);
}

protocol::batch_header header_of(const batch_ptr& batch) {
  return protocol::validate_batch(batch->wire.bytes()).value();
}

/// Pushes `count` batches of two records and sends all of them.
std::vector<batch_ptr> send_some(partition_pipeline& pipeline, int count) {
  std::vector<batch_ptr> batches;
  for (int i = 0; i < count; ++i)
    pipeline.push(make_batch(2));
  for (auto next = pipeline.next(start, leader); next; next = pipeline.next(start, leader))
    batches.push_back(next);
  return batches;
}

constexpr partition_pipeline::attempt_failure passing{errc::overloaded, true};
constexpr partition_pipeline::attempt_failure out_of_order{errc::out_of_order_sequence, false};
constexpr partition_pipeline::attempt_failure hopeless{errc::invalid_message, false};

} // namespace

TEST_SUITE_BEGIN("client.partition_pipeline");

TEST_CASE("stamping an identity leaves a batch with a right checksum") {
  const auto batch = make_batch(3);
  const std::span bytes(const_cast<std::byte*>(batch->wire.data()), batch->wire.size());

  stamp_identity(bytes, {producer_id(123456789012), 77}, 4711);

  const auto header = header_of(batch);
  CHECK(header.producer == producer_id(123456789012));
  CHECK(header.producer_epoch == 77);
  CHECK(header.base_sequence == 4711);
}

TEST_CASE("batches go in order, numbered by their records, five at a time") {
  auto pipeline = make_pipeline();
  const auto sent = send_some(pipeline, 7);
  REQUIRE(sent.size() == 5);
  for (int i = 0; i < 5; ++i)
    CHECK(header_of(sent[static_cast<std::size_t>(i)]).base_sequence == 2 * i);

  // The broker remembers five: while the first is not answered, the sixth has to wait.
  pipeline.stored(sent[2]);
  CHECK_FALSE(pipeline.next(start, leader));

  pipeline.stored(sent[0]);
  const auto next = pipeline.next(start, leader);
  REQUIRE(next);
  CHECK(header_of(next).base_sequence == 10);
  CHECK_FALSE(pipeline.next(start, leader));
}

TEST_CASE("a batch before one that was stored was stored, whatever the broker remembers") {
  auto pipeline = make_pipeline();
  const auto sent = send_some(pipeline, 2);
  CHECK(pipeline.failed(sent[0], {errc::connection_lost, true}, start) == verdict::retry);
  pipeline.stored(sent[1]);
  REQUIRE(pipeline.next(start + 1h, leader) == sent[0]);

  CHECK(pipeline.failed(sent[0], out_of_order, start) == verdict::stored);
  CHECK(pipeline.empty());
}

TEST_CASE("after a passing failure nothing goes until all under way is answered") {
  auto pipeline = make_pipeline();
  const auto sent = send_some(pipeline, 4);
  pipeline.push(make_batch(2));

  CHECK(pipeline.failed(sent[0], passing, start) == verdict::retry);
  CHECK_FALSE(pipeline.next(start + 1h, leader));
  CHECK(pipeline.failed(sent[1], out_of_order, start) == verdict::retry);
  CHECK(pipeline.failed(sent[3], out_of_order, start) == verdict::retry);
  CHECK_FALSE(pipeline.next(start + 1h, leader));
  CHECK(pipeline.failed(sent[2], out_of_order, start) == verdict::retry);

  // Then the back-off, and the same batches with the same numbers in the same order.
  CHECK_FALSE(pipeline.next(start, leader));
  const auto retry_at = pipeline.next_wake();
  CHECK(retry_at >= start + 50ms);
  CHECK(retry_at <= start + 100ms);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto again = pipeline.next(retry_at, leader);
    REQUIRE(again == sent[i]);
    CHECK(header_of(again).base_sequence == 2 * static_cast<int>(i));
    CHECK(again->attempts == 2);
  }
}

TEST_CASE("a hint to another leader is followed at once, but only once in a row") {
  auto pipeline = make_pipeline();
  const partition_pipeline::attempt_failure redirect{errc::not_leader, true, true};
  const auto sent = send_some(pipeline, 2);
  CHECK(pipeline.failed(sent[0], redirect, start) == verdict::retry);
  CHECK(pipeline.failed(sent[1], redirect, start + 1ms) == verdict::retry);
  REQUIRE(pipeline.next(start + 1ms, other_leader) == sent[0]);

  CHECK(pipeline.failed(sent[0], redirect, start + 2ms) == verdict::retry);
  CHECK_FALSE(pipeline.next(start + 2ms, leader));
  CHECK(pipeline.next(start + 1s, leader) == sent[0]);
}

TEST_CASE("what is under way to the old leader is settled before the new one gets anything") {
  auto pipeline = make_pipeline();
  const auto sent = send_some(pipeline, 1);
  pipeline.push(make_batch(2));

  CHECK_FALSE(pipeline.next(start, other_leader));
  pipeline.stored(sent[0]);
  CHECK(pipeline.next(start, other_leader));
}

TEST_CASE("after a batch was given up, those behind it get a new epoch and begin at 0") {
  auto pipeline = make_pipeline();
  const auto sent = send_some(pipeline, 3);
  const auto old_copy = sent[1]->wire;

  CHECK(pipeline.failed(sent[0], hopeless, start) == verdict::given_up);
  CHECK(pipeline.failed(sent[1], out_of_order, start) == verdict::needs_identity);
  CHECK(pipeline.failed(sent[2], out_of_order, start) == verdict::retry);
  CHECK(pipeline.needs_identity());
  CHECK_FALSE(pipeline.next(start + 1h, leader));

  pipeline.adopt({producer_id(7), 1});
  const auto first = pipeline.next(start + 1h, leader);
  const auto second = pipeline.next(start + 1h, leader);
  REQUIRE(first == sent[1]);
  REQUIRE(second == sent[2]);
  CHECK(header_of(first).producer_epoch == 1);
  CHECK(header_of(first).base_sequence == 0);
  CHECK(header_of(second).base_sequence == 2);
  // The copy that a socket may still hold was not written to.
  CHECK(protocol::validate_batch(old_copy.bytes()).value().base_sequence == 2);
}

TEST_CASE("a broker that refuses every epoch ends in an error, not in a circle") {
  auto pipeline = make_pipeline();
  pipeline.push(make_batch(1));
  for (std::int16_t epoch = 1; epoch <= 3; ++epoch) {
    const auto batch = pipeline.next(start, leader);
    REQUIRE(batch);
    REQUIRE(pipeline.failed(batch, out_of_order, start) == verdict::needs_identity);
    pipeline.adopt({producer_id(7), epoch});
  }
  CHECK(pipeline.failed(pipeline.next(start, leader), out_of_order, start) == verdict::given_up);
  CHECK(pipeline.empty());
}

TEST_CASE("a batch that is too large goes again as two, in order and with following numbers") {
  auto pipeline = make_pipeline();
  pipeline.push(make_batch(5));
  pipeline.push(make_batch(1));
  const auto big = pipeline.next(start, leader);
  const auto after_it = pipeline.next(start, leader);
  std::vector<int> told;
  for (std::uint32_t i = 0; i < 5; ++i)
    big->completions.push_back(
        {i, {}, send_callback([&told, i](const auto&) { told.push_back(static_cast<int>(i)); })});

  CHECK(pipeline.failed(big, {errc::message_too_large}, start) == verdict::split);
  CHECK(pipeline.failed(after_it, out_of_order, start) == verdict::retry);

  std::vector<std::int32_t> sequences;
  std::vector<std::int32_t> counts;
  for (int i = 0; i < 3; ++i) {
    const auto part = pipeline.next(start, leader);
    REQUIRE(part);
    sequences.push_back(header_of(part).base_sequence);
    counts.push_back(header_of(part).record_count);
    CHECK(part->records == counts.back());
    for (auto& each : part->completions) {
      CHECK(each.index < static_cast<std::uint32_t>(part->records));
      each.tell(record_metadata{});
    }
  }
  CHECK(sequences == std::vector<std::int32_t>{0, 2, 5});
  CHECK(counts == std::vector<std::int32_t>{2, 3, 1});
  CHECK(told == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("one record that is too large is given up") {
  auto pipeline = make_pipeline();
  pipeline.push(make_batch(1));
  CHECK(pipeline.failed(pipeline.next(start, leader), {errc::message_too_large}, start) ==
        verdict::given_up);
}

TEST_CASE("a batch whose time is over leaves the queue, but not while it is under way") {
  auto pipeline = make_pipeline(1);
  const auto sent = send_some(pipeline, 1);
  const auto waiting = make_batch(2);
  pipeline.push(waiting);
  CHECK(pipeline.expire(start + 9s).empty());
  CHECK(pipeline.next_wake() == start + 10s);

  CHECK(pipeline.expire(start + 10s) == std::vector{sent[0], waiting});
  CHECK(pipeline.expire(start + 11s).empty());
  CHECK_FALSE(pipeline.empty());

  SUBCASE("and is dropped when its answer is an error") {
    CHECK(pipeline.failed(sent[0], passing, start + 11s) == verdict::dropped);
  }
  SUBCASE("and is dropped when it was stored after all") {
    pipeline.stored(sent[0]);
  }
  CHECK(pipeline.empty());
}

TEST_CASE("without idempotence batches carry no identity") {
  auto pipeline = make_pipeline(1, false);
  const auto sent = send_some(pipeline, 2);
  REQUIRE(sent.size() == 1);
  CHECK_FALSE(header_of(sent[0]).is_idempotent());
  CHECK(pipeline.failed(sent[0], out_of_order, start) == verdict::given_up);
}

TEST_SUITE_END();
