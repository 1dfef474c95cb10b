#include "actors/partition/producer_table.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;

TEST_SUITE("actors.producer_table") {
  using kind = producer_table::verdict::kind;

  protocol::batch_header header_of(std::int32_t first, std::int32_t count, std::int16_t epoch = 0) {
    protocol::batch_header header;
    header.producer = producer_id(1);
    header.producer_epoch = epoch;
    header.base_sequence = first;
    header.record_count = count;
    header.last_offset_delta = count - 1;
    header.max_timestamp = timestamp_ms(1000);
    return header;
  }

  TEST_CASE("sequences wrap from 2^31 - 1 to 0") {
    producer_table table;
    table.commit(header_of(0x7ffffffe, 2), 10);
    CHECK(table.check(header_of(0, 1)).what == kind::append);
    CHECK(table.check(header_of(1, 1)).error == errc::out_of_order_sequence);
  }

  TEST_CASE("the last five batches are remembered, older repeats are told apart from gaps") {
    producer_table table;
    for (int i = 0; i < 8; ++i)
      table.commit(header_of(i * 10, 10), i * 10);
    CHECK(table.check(header_of(30, 10)).what == kind::duplicate);
    CHECK(table.check(header_of(30, 10)).base_offset == 30);
    CHECK(table.check(header_of(20, 10)).error == errc::duplicate_sequence);
    CHECK(table.check(header_of(90, 10)).error == errc::out_of_order_sequence);
  }

  TEST_CASE("a batch is not said to be stored while a record of it may not be") {
    producer_table table;
    const auto is_refused = [&](std::int32_t first, std::int32_t count) {
      return table.check(header_of(first, count)).error == errc::out_of_order_sequence;
    };
    // Nothing was known of the producer: whatever came before may be on its way still.
    for (int i = 1; i <= 4; ++i)
      table.commit(header_of(i * 10, 10), i * 10);
    CHECK(is_refused(0, 10));
    table.commit(header_of(50, 10), 50);
    CHECK(table.check(header_of(0, 10)).error == errc::duplicate_sequence);
    // Half of it is new, or remembered as part of another batch.
    CHECK(is_refused(55, 10));
    CHECK(is_refused(5, 10));
    CHECK(is_refused(30, 5));
    CHECK(is_refused(30, 20));
    CHECK(is_refused(0, 0x7fffffff));
  }

  TEST_CASE("batches before the remembered ones are told across the wrap") {
    producer_table table;
    for (int i = 0; i < 5; ++i)
      table.commit(header_of(1 + i, 1), i);
    CHECK(table.check(header_of(0x7fffffff, 2)).error == errc::duplicate_sequence);
    CHECK(table.check(header_of(0x7fffffff, 3)).error == errc::out_of_order_sequence);
  }

  TEST_CASE("a new epoch starts with sequence 0 and forgets the old one") {
    producer_table table;
    table.commit(header_of(0, 5), 0);
    CHECK(table.check(header_of(5, 1, 1)).error == errc::out_of_order_sequence);
    CHECK(table.check(header_of(0, 1, 1)).what == kind::append);
    table.commit(header_of(0, 1, 1), 5);
    CHECK(table.check(header_of(5, 1, 0)).error == errc::fenced_epoch);
  }

  TEST_CASE("the state of a producer survives its encoding") {
    producer_table table;
    for (int i = 0; i < 7; ++i)
      table.commit(header_of(i, 1), i);
    auto changes = table.take_changes();
    REQUIRE(changes.at(1));
    const auto bytes = encode(*changes.at(1));
    CHECK(*decode_producer(bytes.bytes()) == *changes.at(1));
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_producer(bytes.slice(0, size).bytes()));
    CHECK(table.take_changes().empty());
  }

  TEST_CASE("a producer is as old as the looks at it since its last batch") {
    producer_table table;
    table.commit(header_of(0, 1), 0);
    CHECK(table.has_to_look(0));
    table.look(5000, 1000);
    CHECK(table.take_changes().at(1)->seen_ms == 5000);
    CHECK_FALSE(table.has_to_look(5000));
    table.look(6000, 5000);
    CHECK(table.take_changes().empty());
    table.commit(header_of(1, 1), 1);
    CHECK(table.has_to_look(0));
    table.look(9000, 7000);
    CHECK(table.take_changes().at(1)->seen_ms == 9000);
    CHECK(table.has_to_look(9001));
    table.look(12'000, 9001);
    CHECK_FALSE(table.take_changes().at(1));
    CHECK(table.size() == 0);
  }

  TEST_CASE("a leader forgets whom its followers forget, and knows what is under way") {
    producer_table leader;
    producer_table follower;
    const auto commit = [&](const protocol::batch_header& header, std::int64_t offset) {
      leader.commit(header, offset);
      follower.commit(header, offset);
    };
    const auto look = [&](std::int64_t now_ms, std::int64_t before_ms) {
      leader.look(now_ms, before_ms);
      follower.look(now_ms, before_ms);
    };
    leader.append(header_of(0, 5), 0);
    commit(header_of(0, 5), 0);
    look(1000, 0);
    leader.append(header_of(5, 5), 5);
    look(9000, 2000);
    CHECK(leader.take_changes() == follower.take_changes());
    CHECK(leader.size() == 0);
    CHECK(leader.check(header_of(5, 5)).what == kind::duplicate);
    CHECK(leader.check(header_of(20, 5)).error == errc::out_of_order_sequence);
    commit(header_of(5, 5), 5);
    CHECK(leader.take_changes() == follower.take_changes());
    CHECK(leader.check(header_of(10, 5)).what == kind::append);
  }
}
