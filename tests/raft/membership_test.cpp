#include "raft/generator.hpp"
#include "raft/membership.hpp"
#include "raft/membership_log.hpp"
#include "tests/raft/replica.hpp"

#include <doctest/doctest.h>

namespace aqueduct::raft {

using test::id_of;
using test::voters_of;

namespace {

membership mixed() {
  return {{id_of(1), id_of(2, 9), id_of(5)}, {id_of(3), id_of(7, ~0ULL)}};
}

} // namespace

TEST_SUITE("raft.membership") {
  TEST_CASE("a membership survives its encoding") {
    CHECK(decode_membership(encode(mixed())) == mixed());
    CHECK(decode_membership(encode({})) == membership{});
    CHECK(decode_membership(encode(voters_of({0, 2147483647}))) == voters_of({0, 2147483647}));
  }

  TEST_CASE("the encoding is what is written down") {
    const auto bytes = encode({{{node_id(2), incarnation(3)}}, {}});
    const unsigned char expected[] = {1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0,
                                      0, 0, 0, 0, 0, 3, 0, 0, 0, 0};
    REQUIRE(bytes.size() == sizeof expected);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      CHECK(std::to_integer<unsigned char>(bytes[i]) == expected[i]);
  }

  TEST_CASE("bytes that are cut short or have something behind them are refused") {
    const auto bytes = encode(mixed());
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_membership(std::span(bytes).first(size)));
    auto longer = bytes;
    longer.push_back(std::byte{0});
    CHECK_FALSE(decode_membership(longer));
  }

  TEST_CASE("changed bytes are refused or give a valid membership") {
    const auto bytes = encode(mixed());
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        auto changed = bytes;
        changed[at] ^= static_cast<std::byte>(1 << bit);
        const auto read = decode_membership(changed);
        CHECK((!read || (read->valid() && encode(*read) == changed)));
      }
    }
  }

  TEST_CASE("a count that lies allocates nothing") {
    std::vector<std::byte> bytes(9, std::byte{0xff});
    bytes[0] = std::byte{1};
    CHECK_FALSE(decode_membership(bytes));
  }

  TEST_CASE("a membership with a node twice, out of order, or without voters is not valid") {
    CHECK(mixed().valid());
    CHECK(membership{}.valid());
    CHECK_FALSE(membership{{}, {id_of(1)}}.valid());
    CHECK_FALSE(membership{{id_of(2), id_of(1)}, {}}.valid());
    CHECK_FALSE(membership{{id_of(1), id_of(1, 2)}, {}}.valid());
    CHECK_FALSE(membership{{id_of(1)}, {id_of(1, 2)}}.valid());
  }

  TEST_CASE("a learner joins, becomes a voter, and leaves") {
    auto m = apply_change(voters_of({1}), add_learner{id_of(2)});
    REQUIRE(m);
    CHECK(m->learners == std::vector{id_of(2)});
    m = apply_change(*m, promote_learner{id_of(2)});
    REQUIRE(m);
    CHECK(*m == voters_of({1, 2}));
    m = apply_change(*m, remove_replica{id_of(1)});
    REQUIRE(m);
    CHECK(*m == voters_of({2}));
  }

  TEST_CASE("a node that lost its disk takes the place of its former self as a learner") {
    const auto m = apply_change(voters_of({1, 2, 3}), add_learner{id_of(2, 1)});
    REQUIRE(m);
    CHECK(m->voters == voters_of({1, 3}).voters);
    CHECK(m->learners == std::vector{id_of(2, 1)});
    CHECK_FALSE(m->contains(id_of(2)));
  }

  TEST_CASE("a change that does not apply is refused") {
    const auto now = voters_of({1, 2});
    CHECK_FALSE(apply_change(now, add_learner{id_of(2)}));
    CHECK_FALSE(apply_change(now, promote_learner{id_of(2)}));
    CHECK_FALSE(apply_change(now, promote_learner{id_of(3)}));
    CHECK_FALSE(apply_change(now, remove_replica{id_of(3)}));
    CHECK_FALSE(apply_change(now, remove_replica{id_of(2, 1)}));
    CHECK_FALSE(apply_change(voters_of({1}), remove_replica{id_of(1)}));
    CHECK_FALSE(apply_change(voters_of({1}), add_learner{id_of(1, 1)}));
  }

  TEST_CASE("every change alters the voters by at most one, so that majorities intersect") {
    generator random(7);
    membership now = voters_of({1});
    for (int round = 0; round < 2000; ++round) {
      const auto who = id_of(static_cast<int>(random.below(6)), random.below(2));
      const membership_change changes[] = {add_learner{who}, promote_learner{who},
                                           remove_replica{who}};
      const auto next = apply_change(now, changes[random.below(3)]);
      if (!next)
        continue;
      REQUIRE(next->valid());
      std::size_t shared = 0;
      for (const auto& id : now.voters)
        shared += next->is_voter(id) ? 1 : 0;
      REQUIRE(std::max(now.voters.size(), next->voters.size()) - shared <= 1);
      now = *next;
    }
  }

  TEST_CASE(
      "the last membership in the log is in force, and the one before it after a truncation") {
    membership_log log(log_index(4), voters_of({1}), {});
    log.append(log_index(6), voters_of({1, 2}));
    log.append(log_index(9), voters_of({1, 2, 3}));
    CHECK(log.latest() == voters_of({1, 2, 3}));
    CHECK(log.at(log_index(5)) == voters_of({1}));
    CHECK(log.at(log_index(6)) == voters_of({1, 2}));
    CHECK_FALSE(log.truncate_from(log_index(10)));
    CHECK(log.truncate_from(log_index(9)));
    CHECK(log.latest() == voters_of({1, 2}));
    CHECK(log.latest_index() == log_index(6));
    log.compact(log_index(7));
    CHECK(log.latest() == voters_of({1, 2}));
    CHECK(log.latest_index() == log_index(7));
    log.reset(log_index(20), voters_of({3}));
    CHECK(log.at(log_index(25)) == voters_of({3}));
  }
}

} // namespace aqueduct::raft
