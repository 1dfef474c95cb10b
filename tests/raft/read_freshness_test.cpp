#include "raft/read_freshness.hpp"

#include <doctest/doctest.h>

using namespace aqueduct::raft;

TEST_SUITE_BEGIN("raft.read_freshness");

TEST_CASE(
    "a state is proven when it has applied the index of a round, as of the round's beginning") {
  read_freshness it;
  CHECK(!it.proven_since_ms());
  const auto need = it.need_latest();
  CHECK(it.begin(100) == need);
  it.answered(need, log_index(7));
  CHECK(!it.is_proven(need));
  it.applied(log_index(6));
  CHECK(!it.is_proven(need));
  CHECK(!it.is_lost(need));

  it.applied(log_index(7));

  CHECK(it.is_proven(need));
  REQUIRE(it.proven_since_ms());
  CHECK(*it.proven_since_ms() == 100);
  CHECK(age_ms(*it.proven_since_ms(), 140) == 41);
}

TEST_CASE("a read of the latest state never uses a round that began before it") {
  read_freshness it;
  const auto first = it.need_latest();
  REQUIRE(it.begin(100) == first);

  const auto second = it.need_latest();
  CHECK(second == first + 1);
  CHECK(it.need_latest() == second);
  CHECK(!it.begin(100));
  it.answered(first, log_index(0));
  CHECK(it.is_proven(first));
  CHECK(!it.is_proven(second));
  CHECK(it.begin(101) == second);
  it.answered(second, log_index(0));
  CHECK(it.is_proven(second));
  CHECK(!it.begin(102));
}

TEST_CASE("reads within an age share a proof as long as it is young enough") {
  read_freshness it;
  REQUIRE(it.begin(100) == std::nullopt);
  const auto need = it.need_within(100, 50);
  CHECK(need == 1);
  CHECK(it.begin(100) == 1);

  SUBCASE("also the round that is under way") {
    CHECK(it.need_within(149, 50) == 1);
    CHECK(it.need_within(150, 50) == 2);
  }
  SUBCASE("also one whose index is still to be applied") {
    it.answered(1, log_index(3));
    CHECK(it.need_within(149, 50) == 1);
    CHECK(it.need_within(150, 50) == 2);
  }
  SUBCASE("the proof itself, counted from the round's beginning and not from its answer") {
    it.answered(1, log_index(0));
    CHECK(it.need_within(149, 50) == 0);
    CHECK(!it.begin(149));
    CHECK(it.need_within(150, 50) == 2);
    CHECK(it.begin(150) == 2);
  }
  SUBCASE("no time at all is a read of the latest state") {
    it.answered(1, log_index(0));
    CHECK(it.need_within(100, 0) == 2);
  }
}

TEST_CASE("a round that could not be confirmed loses the reads that wait for it, and only those") {
  read_freshness it;
  const auto first = it.need_latest();
  REQUIRE(it.begin(10) == first);
  it.answered(first, log_index(5));
  const auto second = it.need_latest();
  REQUIRE(it.begin(20) == second);
  const auto third = it.need_latest();

  it.answered(second, std::nullopt);

  CHECK(!it.is_lost(first));
  CHECK(it.is_lost(second));
  CHECK(!it.is_lost(third));
  it.applied(log_index(5));
  CHECK(it.is_proven(first));
  CHECK(*it.proven_since_ms() == 10);
  CHECK(it.begin(30) == third);
}

TEST_CASE("answers that nobody waits for change nothing") {
  read_freshness it;
  it.answered(1, log_index(9));
  REQUIRE(it.begin(5) == std::nullopt);
  const auto need = it.need_latest();
  REQUIRE(it.begin(5) == need);
  it.answered(need + 1, std::nullopt);
  CHECK(!it.is_lost(need + 1));
  it.answered(need, log_index(0));
  it.answered(need, std::nullopt);
  CHECK(it.is_proven(need));
}

TEST_SUITE_END();
