// Fetches that a replica answers without leading.
#include "tests/actors/partition_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
using protocol::fetch_freshness;

TEST_SUITE_BEGIN("actors.partition_freshness");

namespace {

/// A replica that follows node 2, with 3 records in entry 1.
struct follower_lab : lab {
  explicit follower_lab(bool follower_reads = true) : lab(with(follower_reads)) {
    current_term = 1;
    core.follow(1, 2, effects);
    append(3);
  }

  static partition_core::options with(bool follower_reads) {
    auto options = options_of({}, 1 << 20);
    options.follower_reads = follower_reads;
    return options;
  }

  void append(int records) {
    protocol::batch_options options;
    options.base_offset = offset_t(core.high_watermark());
    commit_entry(raft::entry_kind::records, build_batch(records, options));
  }

  std::shared_ptr<fetched_to> ask(fetch_freshness freshness, std::int64_t offset, std::int64_t now,
                                  std::int64_t age_max = 0, bool wait = false) {
    auto sink = std::make_shared<fetched_to>();
    fetch_item item;
    item.sink = sink;
    item.offset = offset;
    item.bytes_max = 1 << 16;
    item.wait = wait;
    item.freshness = freshness;
    item.age_ms_max = age_max;
    core.fetch(std::move(item), now, effects);
    return sink;
  }

  void answer(std::optional<std::uint64_t> index, std::int64_t now) {
    const auto round = std::exchange(effects.read_index, std::nullopt);
    REQUIRE(round);
    core.read_index_found(*round, index, now, effects);
  }
};

} // namespace

TEST_CASE("a replica that does not lead answers a fetch that any may answer, at once") {
  follower_lab it;

  const auto found = it.ask(fetch_freshness::any, 0, 100);

  REQUIRE(found->outcomes.size() == 1);
  CHECK(found->outcomes[0].error == errc::none);
  CHECK(!found->outcomes[0].records.empty());
  CHECK(found->outcomes[0].high_watermark == 3);
  CHECK(!found->outcomes[0].leads);
  CHECK(found->outcomes[0].complete_at_ms == -1);
  CHECK(!it.effects.read_index);
  CHECK(it.ask(fetch_freshness::leader, 0, 100)->outcomes.at(0).error == errc::not_leader);
}

TEST_CASE("without a leader any still answers, and nothing is proven") {
  follower_lab it;
  it.core.follow(2, -1, it.effects);

  CHECK(it.ask(fetch_freshness::any, 0, 100)->outcomes.at(0).error == errc::none);
  const auto latest = it.ask(fetch_freshness::linearizable, 0, 100);
  CHECK(latest->outcomes.empty());
  it.answer(std::nullopt, 101);
  CHECK(latest->outcomes.at(0).error == errc::not_leader);
}

TEST_CASE("where follower reads are turned off the reader is referred to the leader") {
  follower_lab it(false);
  const auto refused = it.ask(fetch_freshness::any, 0, 100)->outcomes.at(0);
  CHECK(refused.error == errc::not_leader);
  CHECK(refused.leader == 2);
}

TEST_CASE("a linearizable fetch waits for a read index and until it is applied") {
  follower_lab it;
  const auto first = it.ask(fetch_freshness::linearizable, 3, 100, 0, true);
  CHECK(first->outcomes.empty());
  CHECK(!it.core.is_quiet());
  // The round has begun without it: it needs the next one.
  const auto round = *std::exchange(it.effects.read_index, std::nullopt);
  const auto second = it.ask(fetch_freshness::linearizable, 0, 101);
  CHECK(!it.effects.read_index);

  it.core.read_index_found(round, 2, 105, it.effects);
  CHECK(first->outcomes.empty());
  it.append(2);

  REQUIRE(first->outcomes.size() == 1);
  CHECK(first->outcomes[0].high_watermark == 5);
  CHECK(first->outcomes[0].complete_at_ms == 100);
  CHECK(!first->outcomes[0].records.empty());
  CHECK(second->outcomes.empty());
  it.answer(2, 110);
  REQUIRE(second->outcomes.size() == 1);
  CHECK(second->outcomes[0].complete_at_ms == 105);
}

TEST_CASE("a bounded fetch uses a proof that is young enough, else begins a round") {
  follower_lab it;
  const auto first = it.ask(fetch_freshness::bounded, 0, 100, 50);
  CHECK(first->outcomes.empty());
  it.answer(1, 120);
  REQUIRE(first->outcomes.size() == 1);
  CHECK(first->outcomes[0].complete_at_ms == 100);

  CHECK(it.ask(fetch_freshness::bounded, 0, 149, 50)->outcomes.size() == 1);
  CHECK(!it.effects.read_index);
  const auto late = it.ask(fetch_freshness::bounded, 0, 150, 50);
  CHECK(late->outcomes.empty());
  it.answer(std::nullopt, 160);
  REQUIRE(late->outcomes.size() == 1);
  CHECK(late->outcomes[0].error == errc::not_leader);
  CHECK(late->outcomes[0].leader == 2);
}

TEST_CASE("fetches that come together share one round") {
  follower_lab it;
  const auto first = it.ask(fetch_freshness::bounded, 0, 100, 50);
  const auto second = it.ask(fetch_freshness::bounded, 0, 101, 50);
  const auto third = it.ask(fetch_freshness::bounded, 0, 102, 50);
  it.answer(1, 120);
  CHECK(first->outcomes.size() == 1);
  CHECK(second->outcomes.size() == 1);
  CHECK(third->outcomes.size() == 1);
  CHECK(!it.effects.read_index);
}

TEST_CASE("an offset above what a follower knows is waited for, and not out of range") {
  follower_lab it;
  const auto waiting = it.ask(fetch_freshness::any, 4, 100, 0, true);
  REQUIRE(waiting->outcomes.size() == 1);
  CHECK(waiting->outcomes[0].waiting);
  CHECK(waiting->outcomes[0].error == errc::none);
  CHECK(waiting->outcomes[0].high_watermark == 3);
  it.append(1);
  CHECK(waiting->outcomes.size() == 1);
  it.append(1);
  REQUIRE(waiting->outcomes.size() == 2);
  CHECK(!waiting->outcomes[1].records.empty());

  SUBCASE("except by one that knows the latest") {
    const auto latest = it.ask(fetch_freshness::linearizable, 9, 100);
    it.answer(it.core.applied_index(), 101);
    CHECK(latest->outcomes.at(0).error == errc::offset_out_of_range);
  }
  SUBCASE("until it leads itself") {
    const auto beyond = it.ask(fetch_freshness::any, 9, 100, 0, true);
    it.lead(2);
    REQUIRE(beyond->outcomes.size() == 2);
    CHECK(beyond->outcomes[1].error == errc::offset_out_of_range);
  }
}

TEST_CASE("a long poll of a follower goes on when another replica comes to lead") {
  follower_lab it;
  const auto any = it.ask(fetch_freshness::any, 3, 100, 0, true);
  it.core.follow(2, 3, it.effects);
  it.current_term = 2;
  CHECK(any->outcomes.size() == 1);
  it.append(1);
  REQUIRE(any->outcomes.size() == 2);
  CHECK(any->outcomes[1].error == errc::none);
}

TEST_CASE("a fetch whose freshness is not proven in time is refused") {
  follower_lab it;
  const auto fetched = it.ask(fetch_freshness::linearizable, 0, 100);
  it.core.tick(1099, 5000, it.effects);
  CHECK(fetched->outcomes.empty());
  it.core.tick(1100, 5000, it.effects);
  REQUIRE(fetched->outcomes.size() == 1);
  CHECK(fetched->outcomes[0].error == errc::not_leader);
}

TEST_CASE("a fetch that waits for a proof can be given up, and ends with the partition") {
  follower_lab it;
  const auto given_up = it.ask(fetch_freshness::linearizable, 0, 2000);
  it.core.cancel_fetch(given_up.get());
  const auto ended = it.ask(fetch_freshness::linearizable, 0, 2000);
  it.core.close(errc::shutting_down);
  CHECK(given_up->outcomes.empty());
  CHECK(ended->outcomes.at(0).error == errc::shutting_down);
}

TEST_CASE("a follower whose state is ahead of its log serves nothing until the log is there") {
  follower_lab it;
  const auto waiting = it.ask(fetch_freshness::any, 3, 100, 0, true);
  partition_core::restored_state state;
  state.summary.applied_index = 3;
  state.summary.high_watermark = 7;
  state.logged = 1;
  it.core.install(std::move(state));

  const auto refused = it.ask(fetch_freshness::any, 0, 100)->outcomes.at(0);
  CHECK(refused.error == errc::not_leader);
  CHECK(refused.leader == 2);
  CHECK(it.effects.reads.empty());
  it.commit_entry(raft::entry_kind::noop, {});
  CHECK(waiting->outcomes.at(1).error == errc::not_leader);
  CHECK(it.ask(fetch_freshness::any, 0, 100)->outcomes.at(0).error == errc::not_leader);
  it.commit_entry(raft::entry_kind::noop, {});
  CHECK(it.ask(fetch_freshness::any, 0, 100)->outcomes.empty());
  CHECK(it.effects.reads.size() == 1);

  SUBCASE("nor at the next start") {
    state.summary.applied_index = 3;
    state.logged = 2;
    partition_core again(follower_lab::with(true), std::move(state));
    again.follow(1, 2, it.effects);
    auto sink = std::make_shared<fetched_to>();
    fetch_item item;
    item.sink = sink;
    item.freshness = fetch_freshness::any;
    again.fetch(std::move(item), 0, it.effects);
    CHECK(sink->outcomes.at(0).error == errc::not_leader);
  }
}

TEST_CASE("a follower that cannot read its log refers the reader to the leader") {
  follower_lab it;
  it.core.tick(0, 1'000'000, it.effects);
  it.core.tick(0, 2'000'000, it.effects);
  const auto found = it.ask(fetch_freshness::any, 0, 100);
  REQUIRE(it.effects.reads.size() == 1);
  it.core.read_done(it.effects.reads[0].token, unexpected(errc::storage_damaged, "hole"),
                    it.effects);
  REQUIRE(found->outcomes.size() == 1);
  CHECK(found->outcomes[0].error == errc::not_leader);
  CHECK(found->outcomes[0].leader == 2);
  CHECK(found->budget == 1 << 20);
}

TEST_CASE("a leader proves with a round that it still leads") {
  lab it;
  it.lead();
  it.produce(build_batch(1));
  it.commit();
  auto sink = std::make_shared<fetched_to>();
  fetch_item item;
  item.sink = sink;
  item.bytes_max = 100;
  item.freshness = fetch_freshness::linearizable;
  it.core.fetch(std::move(item), 7, it.effects);
  CHECK(sink->outcomes.empty());
  REQUIRE(it.effects.read_index);
  it.core.read_index_found(*it.effects.read_index, 2, 8, it.effects);
  REQUIRE(sink->outcomes.size() == 1);
  CHECK(sink->outcomes[0].leads);
  CHECK(sink->outcomes[0].complete_at_ms == 7);
}

TEST_SUITE_END();
