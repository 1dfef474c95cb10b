// The pieces of a state on their way to another replica, and what the receiver makes of them.
#include "actors/replica/state_fetch.hpp"
#include "protocol/cluster/state_messages.hpp"
#include "protocol/native/codec.hpp"
#include "tests/actors/raft_samples.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
namespace wire = aqueduct::protocol::cluster;

namespace {

storage::group_state state_of(std::size_t rows, std::size_t row_bytes = 100) {
  storage::group_state state;
  raft::membership members;
  members.voters = {sample_replica(1)};
  state.mark.base = {10, 3, offset_t(7), buffer::from(raft::encode(members))};
  state.mark.applied_index = 12;
  state.mark.applied_term = 3;
  for (std::size_t i = 0; i < rows; ++i)
    state.rows.push_back({"key " + std::to_string(i), std::string(row_bytes, 'v')});
  return state;
}

kept_states::limits small() {
  kept_states::limits limits;
  limits.states_max = 2;
  limits.bytes_max = 2500;
  limits.piece_bytes = 250;
  limits.idle_ms_max = 1000;
  return limits;
}

raft::snapshot_fetch offer() {
  return {sample_replica(1), {{raft::term_id(3), raft::log_index(10)}, {}}};
}

state_fetch fetch_of(const raft::snapshot_fetch& what = offer()) {
  return {sample_group(1), sample_replica(2), what};
}

} // namespace

TEST_SUITE("actors.replica.kept_states") {
  TEST_CASE("a state comes in pieces, and is dropped with the last one") {
    kept_states kept(small());
    auto piece = kept.begin(5, state_of(5), 0);
    CHECK(piece.rows.size() == 2);
    CHECK(kept.count() == 1);
    std::size_t rows = piece.rows.size();
    while (piece.next != 0) {
      const auto next = kept.next(5, piece.next, 1);
      REQUIRE(next);
      piece = *next;
      rows += piece.rows.size();
    }
    CHECK(rows == 5);
    CHECK(kept.count() == 0);
    CHECK(kept.bytes() == 0);
    CHECK(kept.next(5, 2, 1).error().code == errc::not_found);
  }

  TEST_CASE("what fits one piece is not kept, one large row goes alone") {
    kept_states kept(small());
    CHECK(kept.begin(5, state_of(2), 0).next == 0);
    CHECK(kept.begin(6, state_of(1, 5000), 0).next == 0);
    CHECK(kept.begin(7, state_of(0), 0).rows.empty());
    CHECK(kept.count() == 0);
  }

  TEST_CASE("number, bytes and time are bounded; the one that was used last stays") {
    kept_states kept(small());
    const auto first = kept.begin(1, state_of(5), 0);
    (void)kept.begin(2, state_of(5), 10);
    CHECK(kept.next(1, first.next, 20));
    (void)kept.begin(3, state_of(5), 30);
    CHECK(kept.count() == 2);
    CHECK_FALSE(kept.next(2, 2, 40));
    (void)kept.begin(4, state_of(20), 50);
    CHECK(kept.count() == 1);
    kept.expire(1049);
    CHECK(kept.count() == 1);
    kept.expire(1050);
    CHECK(kept.count() == 0);
    CHECK(kept.bytes() == 0);
  }
}

TEST_SUITE("actors.replica.state_fetch") {
  TEST_CASE("a state of many pieces arrives as it was") {
    kept_states kept(small());
    auto fetch = fetch_of();
    auto piece = kept.begin(5, state_of(7), 0);
    while (true) {
      const auto complete = fetch.take(encode(piece), raft::term_id(3));
      REQUIRE(complete);
      if (*complete)
        break;
      const auto asked = protocol::decode<wire::state_question>(fetch.question());
      REQUIRE(asked);
      CHECK(asked->snapshot == 5);
      piece = *kept.next(asked->snapshot, asked->position, 0);
    }
    CHECK(fetch.state().mark == state_of(7).mark);
    CHECK(fetch.state().rows.size() == 7);
    CHECK(fetch.meta().last == raft::entry_id{raft::term_id(3), raft::log_index(10)});
    CHECK(fetch.meta().membership.voters.size() == 1);
  }

  TEST_CASE("what cannot be the state that was offered is of no use") {
    const auto taken = [](const state_piece& piece, std::uint64_t term = 3,
                          const raft::snapshot_fetch& what = offer()) {
      return fetch_of(what).take(encode(piece), raft::term_id(term)).has_value();
    };
    kept_states kept(small());
    const auto good = kept.begin(5, state_of(2), 0);
    CHECK(taken(good));
    CHECK_FALSE(taken(good, 2));
    auto later = offer();
    later.meta.last.index = raft::log_index(11);
    CHECK_FALSE(taken(good, 3, later));
    auto bad = good;
    bad.mark.base.data = buffer::copy_of("?");
    CHECK_FALSE(taken(bad));
    bad = good;
    bad.snapshot = 0;
    CHECK_FALSE(taken(bad));
    bad = good;
    bad.mark.applied_index = 9;
    CHECK_FALSE(taken(bad));
    bad = good;
    bad.rows[0].key = "!applied";
    CHECK_FALSE(taken(bad));
    CHECK_FALSE(fetch_of().take(buffer::copy_of("nonsense"), raft::term_id(3)));
  }

  TEST_CASE("pieces of another moment, or that do not follow, are of no use") {
    kept_states kept(small());
    const auto first = kept.begin(5, state_of(7), 0);
    const auto second = *kept.next(5, first.next, 0);
    for (int what = 0; what < 3; ++what) {
      auto fetch = fetch_of();
      CHECK(fetch.take(encode(first), raft::term_id(3)));
      auto bad = second;
      if (what == 0)
        bad.snapshot = 6;
      else if (what == 1)
        bad.mark.applied_index = 13;
      else
        bad.next = first.next;
      CHECK_FALSE(fetch.take(encode(bad), raft::term_id(3)));
    }
  }
}
