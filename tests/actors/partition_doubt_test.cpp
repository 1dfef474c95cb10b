// Refusals that only the leader of now may give: held until it is proven that this replica is it.
#include "tests/actors/partition_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("actors.partition_doubt");

namespace {

/// Leads in term 1 and has sequence 0 of the producer at offset 0.
struct leader_lab : lab {
  explicit leader_lab(std::size_t doubted_max = 1000) : lab(with(doubted_max)) {
    lead();
    produce(build_batch(1, idempotent(0)));
    commit();
    producer->outcomes.clear();
    next_slot = 0;
  }

  static partition_core::options with(std::size_t doubted_max) {
    auto options = options_of({}, 1 << 20);
    options.doubted_max = doubted_max;
    return options;
  }

  [[nodiscard]] std::size_t answers() const { return producer->outcomes.size(); }
};

} // namespace

TEST_CASE("a gap in the sequence is refused when a round has proven that this replica leads") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  CHECK(it.answers() == 0);
  CHECK(it.effects.read_index);
  CHECK(it.core.doubted() == 1);
  CHECK_FALSE(it.core.is_quiet());
  CHECK_FALSE(it.core.is_idle());
  it.answer_rounds();
  REQUIRE(it.answers() == 1);
  CHECK(it.outcome(0).error == errc::out_of_order_sequence);
  CHECK(it.core.doubted() == 0);
}

TEST_CASE("every refusal that the log decides waits, and what the batch alone decides does not") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(1, 2)));
  it.produce(build_batch(1, idempotent(0)), 7);
  it.produce(build_batch(1), 5);
  CHECK(it.answers() == 1);
  CHECK(it.outcome(0).base_offset == 0);
  it.produce(build_batch(1, idempotent(-1)));
  REQUIRE(it.answers() == 2);
  CHECK(it.outcome(1).error == errc::invalid_message);
  CHECK(it.core.doubted() == 2);
  it.answer_rounds();
  REQUIRE(it.answers() == 4);
  CHECK(it.outcome(2).error == errc::out_of_order_sequence);
  CHECK(it.outcome(3).error == errc::offset_conflict);
  CHECK(it.outcome(3).end_offset == 1);
}

TEST_CASE("a refusal is not given by who cannot prove that it leads") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  it.answer_rounds(false);
  REQUIRE(it.answers() == 1);
  CHECK(it.outcome(0).error == errc::not_leader);
  CHECK(it.outcome(0).leader == -1);
}

TEST_CASE("a leader that is deposed refers to its successor in place of what it wanted to refuse") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  it.produce(build_batch(1), 5);
  it.core.follow(2, 3, it.effects);
  REQUIRE(it.answers() == 2);
  for (const std::size_t i : {0, 1}) {
    CHECK(it.outcome(i).error == errc::not_leader);
    CHECK(it.outcome(i).leader == 3);
  }
}

TEST_CASE("a proof of a later term is none for a judgement of an earlier one") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  it.lead(2);
  REQUIRE(it.answers() == 1);
  CHECK(it.outcome(0).error == errc::not_leader);
  it.answer_rounds();
  CHECK(it.answers() == 1);
}

TEST_CASE("a round that began before the refusal proves nothing of it") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  const auto first = std::exchange(it.effects.read_index, std::nullopt);
  REQUIRE(first);
  it.produce(build_batch(1, idempotent(3)));
  CHECK_FALSE(it.effects.read_index);
  it.core.read_index_found(*first, it.last_index, 0, it.effects);
  CHECK(it.answers() == 1);
  it.answer_rounds();
  REQUIRE(it.answers() == 2);
  CHECK(it.producer->outcomes[1].first == 1);
}

TEST_CASE("a refusal waits for what it counted as stored, and is gone with it") {
  SUBCASE("it is stored") {
    leader_lab it;
    it.produce(build_batch(1, idempotent(0, 1)));
    it.produce(build_batch(1, idempotent(1, 0)));
    it.answer_rounds();
    CHECK(it.answers() == 0);
    it.commit();
    REQUIRE(it.answers() == 2);
    CHECK(it.outcome(0).error == errc::none);
    CHECK(it.outcome(1).error == errc::fenced_epoch);
  }
  SUBCASE("the group does not take it") {
    leader_lab it;
    it.produce(build_batch(1, idempotent(0, 1)));
    it.produce(build_batch(1, idempotent(1, 0)));
    it.answer_rounds();
    it.core.proposal_refused(1, errc::not_leader, 2);
    REQUIRE(it.answers() == 2);
    CHECK(it.outcome(0).error == errc::not_leader);
    CHECK(it.outcome(1).error == errc::not_leader);
    CHECK(it.outcome(1).leader == 2);
  }
}

TEST_CASE("a refusal waits until everything up to the read index is applied") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  const auto round = std::exchange(it.effects.read_index, std::nullopt);
  REQUIRE(round);
  it.core.read_index_found(*round, it.last_index + 1, 0, it.effects);
  CHECK(it.answers() == 0);
  it.commit_entry(raft::entry_kind::noop, {});
  REQUIRE(it.answers() == 1);
  CHECK(it.outcome(0).error == errc::out_of_order_sequence);
}

TEST_CASE("what comes behind a refusal that is held is judged as if it had been given") {
  leader_lab it;
  // The condition does not hold; the two behind it would follow it.
  it.produce(build_batch(1, idempotent(1)), 9);
  it.produce(build_batch(1, idempotent(2)));
  it.produce(build_batch(1, idempotent(3)));
  CHECK(it.effects.propose.empty());
  // Sent again without the condition: the first is stored now, and the refusals stand.
  it.produce(build_batch(1, idempotent(1)));
  CHECK(it.effects.propose.size() == 1);
  it.answer_rounds();
  it.commit();
  REQUIRE(it.answers() == 4);
  const std::vector<std::pair<std::uint32_t, errc>> expected{{0, errc::offset_conflict},
                                                             {1, errc::out_of_order_sequence},
                                                             {2, errc::out_of_order_sequence},
                                                             {3, errc::none}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(it.producer->outcomes[i].first == expected[i].first);
    CHECK(it.outcome(i).error == expected[i].second);
  }
}

TEST_CASE("refusals that nobody waits for are not held, and there is a bound to the others") {
  leader_lab it(2);
  it.producer = nullptr;
  it.produce(build_batch(1, idempotent(2)));
  CHECK(it.core.doubted() == 0);
  it.producer = std::make_shared<produced_to>();
  for (int i = 0; i < 3; ++i)
    it.produce(build_batch(1, idempotent(2)));
  REQUIRE(it.answers() == 1);
  CHECK(it.outcome(0).error == errc::overloaded);
  CHECK(it.core.doubted() == 2);
}

TEST_CASE("a refusal that is not proven in time is no refusal") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)), -1, 100);
  it.produce(build_batch(1, idempotent(2)), -1, 300);
  it.core.tick(200, 5000, it.effects);
  REQUIRE(it.answers() == 1);
  CHECK(it.outcome(0).error == errc::timed_out);
  it.answer_rounds();
  REQUIRE(it.answers() == 2);
  CHECK(it.outcome(1).error == errc::out_of_order_sequence);
}

TEST_CASE("held refusals are answered when the partition closes or fails") {
  leader_lab it;
  it.produce(build_batch(1, idempotent(2)));
  SUBCASE("closes") {
    it.core.close(errc::shutting_down);
    REQUIRE(it.answers() == 1);
    CHECK(it.outcome(0).error == errc::shutting_down);
  }
  SUBCASE("fails") {
    it.core.fail({errc::storage_failed, "the disk failed"});
    REQUIRE(it.answers() == 1);
    CHECK(it.outcome(0).error == errc::storage_failed);
  }
}

TEST_CASE("who asks for more than the leader knows of is refused when it is proven to lead") {
  leader_lab it;
  const auto beyond = it.fetch(2);
  const auto subscriber = std::make_shared<pushed_to>();
  it.core.subscribe({subscriber, 0, 0, 2, 1000}, it.effects);
  CHECK(beyond->outcomes.empty());
  CHECK(subscriber->starts.empty());
  CHECK_FALSE(it.core.is_quiet());
  CHECK_FALSE(it.core.is_idle());

  SUBCASE("it is") {
    it.answer_rounds();
    REQUIRE(beyond->outcomes.size() == 1);
    CHECK(beyond->outcomes[0].error == errc::offset_out_of_range);
    REQUIRE(subscriber->starts.size() == 1);
    CHECK(subscriber->starts[0].first == errc::offset_out_of_range);
  }
  SUBCASE("a successor may have what is asked for") {
    it.answer_rounds(false);
    REQUIRE(beyond->outcomes.size() == 1);
    CHECK(beyond->outcomes[0].error == errc::not_leader);
    REQUIRE(subscriber->starts.size() == 1);
    CHECK(subscriber->starts[0].first == errc::not_leader);
  }
  SUBCASE("nobody says so in time") {
    it.core.tick(10, 10, it.effects);
    CHECK(beyond->outcomes.empty());
    it.core.tick(1010, 1010, it.effects);
    REQUIRE(beyond->outcomes.size() == 1);
    CHECK(beyond->outcomes[0].error == errc::not_leader);
    REQUIRE(subscriber->starts.size() == 1);
    CHECK(subscriber->starts[0].first == errc::not_leader);
  }
  SUBCASE("it is there meanwhile") {
    it.produce(build_batch(1, idempotent(1)));
    it.commit();
    it.answer_rounds();
    REQUIRE(beyond->outcomes.size() == 1);
    CHECK(beyond->outcomes[0].error == errc::none);
    REQUIRE(subscriber->starts.size() == 1);
    CHECK(subscriber->starts[0] == std::pair(errc::none, std::int64_t{2}));
  }
  SUBCASE("nobody wants to know any more") {
    it.core.cancel_fetch(beyond.get());
    it.core.unsubscribe(subscriber.get());
    it.answer_rounds();
    CHECK(beyond->outcomes.empty());
    CHECK(subscriber->starts.empty());
  }
  SUBCASE("the partition is closed") {
    it.core.close(errc::shutting_down);
    REQUIRE(beyond->outcomes.size() == 1);
    CHECK(beyond->outcomes[0].error == errc::shutting_down);
    REQUIRE(subscriber->starts.size() == 1);
    CHECK(subscriber->starts[0].first == errc::shutting_down);
  }
}

TEST_SUITE_END();
