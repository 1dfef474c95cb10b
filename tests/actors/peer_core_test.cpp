// A link as two cores see it: dialling, greeting, silence, and what may go over which connection.
#include "protocol/native/codec.hpp"
#include "tests/actors/peer_pair.hpp"
#include "tests/actors/raft_samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
namespace wire = aqueduct::protocol::cluster;

namespace {

/// One control and one bulk connection, of the same dialler, and nothing else.
void check_one_link(peer_pair& pair) {
  CHECK(pair.open_wires() == 2);
  for (const auto what : {purpose::control, purpose::bulk}) {
    CHECK(pair.is_up(1, what));
    CHECK(pair.is_up(2, what));
    CHECK(pair.status(1, what).dialled != pair.status(2, what).dialled);
  }
  CHECK(pair.status(1, purpose::control).dialled == pair.status(1, purpose::bulk).dialled);
}

peer_pair connected_pair() {
  peer_pair pair;
  pair.start(1);
  pair.settle();
  pair.start(2);
  pair.run(100);
  check_one_link(pair);
  return pair;
}

std::vector<std::uint64_t> indexes(const std::vector<raft_delivery>& deliveries, int group) {
  std::vector<std::uint64_t> found;
  for (const auto& each : deliveries)
    if (each.group == sample_group(group))
      found.push_back(index_of(each.body));
  return found;
}

constexpr std::size_t large = 100'000;

} // namespace

TEST_SUITE("actors.peer.core.dialling") {
  TEST_CASE("either node's dial makes the link") {
    for (const int dialler : {1, 2}) {
      peer_pair pair;
      pair.ends[dialler].unreachable = true;
      pair.start(1);
      pair.start(2);
      pair.run(200);
      check_one_link(pair);
      CHECK(pair.status(dialler, purpose::control).dialled);
    }
  }

  TEST_CASE("when both greet at once the connection of the lower id stays") {
    peer_pair pair;
    pair.start(1);
    pair.start(2);
    pair.connect();
    CHECK(pair.status(1, purpose::control).phase == connection_phase::greeting);
    CHECK(pair.status(2, purpose::control).phase == connection_phase::greeting);
    pair.run(200);
    check_one_link(pair);
    CHECK(pair.status(1, purpose::control).dialled);
    CHECK(pair.dials == 3);
  }

  TEST_CASE("a dial that reached nobody yet gives way to one that did, whoever's it is") {
    peer_pair pair;
    pair.ends[2].unreachable = true;
    pair.start(1);
    pair.start(2);
    pair.settle();
    check_one_link(pair);
    CHECK(pair.status(2, purpose::control).dialled);
    CHECK(pair.dials == 3);
  }

  TEST_CASE("an unreachable node is dialled less and less often, and found when it is there") {
    peer_pair pair;
    pair.ends[2].unreachable = true;
    pair.start(1);
    pair.run(60'000);
    const auto dials = pair.dials;
    CHECK(dials > 20);
    CHECK(dials < 40);
    CHECK(pair.status(1, purpose::control).last_error == "no connection within 1000 ms");
    CHECK(pair.ends[1].notes.size() == 1);
    pair.ends[2].unreachable = false;
    pair.start(2);
    pair.run(2500);
    check_one_link(pair);
    CHECK(pair.status(1, purpose::control).failures == 0);
  }

  TEST_CASE("the waits before dials differ by the seed") {
    const auto next_dial = [](std::uint64_t seed) {
      auto options = peer_pair::options_of(1);
      options.seed = seed;
      peer_core core(options);
      std::int64_t now = 0;
      (void)core.start(now);
      for (connection_id id = 1; id < 8; ++id) {
        (void)core.closed(now, id, {errc::connection_lost, "refused"});
        now = *core.next_tick_ms();
        (void)core.tick(now);
      }
      return now;
    };
    CHECK(next_dial(1) == next_dial(1));
    CHECK(next_dial(1) != next_dial(2));
  }

  TEST_CASE("a node that accepts and says nothing is given up within an election timeout") {
    peer_pair pair;
    pair.ends[2].frozen = true;
    pair.start(1);
    pair.run(election_timeout_ms);
    CHECK(pair.status(1, purpose::control).failures == 1);
    CHECK(pair.status(1, purpose::control).last_error.starts_with("connected, but it said"));
  }

  TEST_CASE("a node that moves is dialled at once") {
    peer_pair pair;
    pair.ends[2].unreachable = true;
    pair.start(1);
    pair.run(30'000);
    pair.ends[2].unreachable = false;
    pair.start(2);
    const auto dials = pair.dials;
    (void)pair.core(1).readdressed(pair.now_ms);
    CHECK(pair.status(1, purpose::control).phase == connection_phase::connecting);
    CHECK(pair.status(1, purpose::control).failures == 0);
    CHECK(pair.dials == dials);
  }

  TEST_CASE("a link that was cut is there again within a tenth of an election timeout") {
    auto pair = connected_pair();
    for (int i = 0; i < 5; ++i) {
      pair.cut();
      CHECK_FALSE(pair.connected());
      pair.run(election_timeout_ms / 10);
      check_one_link(pair);
    }
  }

  TEST_CASE("bulk alone that was cut is dialled again, control stays") {
    auto pair = connected_pair();
    const auto since = pair.status(1, purpose::control).since_ms;
    link_frame nonsense{{12, protocol::frame_kind::push, wire::hello_key, 1, errc::none, 0}, {}};
    pair.inject(2, purpose::bulk, nonsense);
    CHECK_FALSE(pair.is_up(2, purpose::bulk));
    pair.run(200);
    check_one_link(pair);
    CHECK(pair.status(1, purpose::control).since_ms == since);
  }

  TEST_CASE("a process that began anew replaces its connections at once, whoever dialled them") {
    for (const int node : {1, 2}) {
      for (const int dialler : {1, 2}) {
        peer_pair pair;
        pair.ends[dialler].unreachable = true;
        pair.start(1);
        pair.start(2);
        pair.run(100);
        pair.ends[dialler].unreachable = false;
        // Its end was not heard.
        pair.ends[node].mute = true;
        auto options = peer_pair::options_of(node);
        options.us.session = 999;
        pair.restart(node, options);
        pair.ends[node].mute = false;
        pair.start(node);
        pair.run(election_timeout_ms / 4);
        check_one_link(pair);
      }
    }
  }

  TEST_CASE("random starts, cuts and silence always end in one link") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      peer_pair pair;
      std::uint64_t random = seed;
      const auto draw = [&random](std::uint64_t below) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        return (random >> 33) % below;
      };
      const auto some_node = [&draw] { return 1 + static_cast<int>(draw(2)); };
      pair.start(some_node());
      for (int i = 0; i < 20; ++i) {
        auto& end = pair.ends[some_node()];
        switch (draw(6)) {
        case 0:
          pair.cut();
          break;
        case 1:
          end.unreachable = !end.unreachable;
          break;
        case 2:
          end.mute = !end.mute;
          break;
        case 3:
          end.frozen = !end.frozen;
          break;
        case 4:
          pair.connect();
          break;
        default: {
          const auto node = some_node();
          auto options = peer_pair::options_of(node);
          options.us.session = seed * 1000 + static_cast<std::uint64_t>(i);
          pair.restart(node, options);
          pair.start(node);
        }
        }
        pair.run(static_cast<std::int64_t>(draw(600)));
      }
      for (auto& [node, end] : pair.ends) {
        end.unreachable = end.mute = end.frozen = false;
        auto options = peer_pair::options_of(node);
        options.us.session = seed * 2000 + static_cast<std::uint64_t>(node);
        pair.restart(node, options);
        pair.start(node);
      }
      pair.run(4 * election_timeout_ms);
      CAPTURE(seed);
      check_one_link(pair);
    }
  }
}

TEST_SUITE("actors.peer.core.greeting") {
  TEST_CASE("an older life of a disk is refused, a newer one is taken and named") {
    auto pair = connected_pair();
    auto options = peer_pair::options_of(2);
    options.us.self.incarnation = raft::incarnation(3);
    options.us.session = 7;
    pair.restart(2, options);
    pair.start(2);
    pair.run(200);
    check_one_link(pair);
    CHECK(pair.core(1).status().incarnation == raft::incarnation(3));
    options.us.self.incarnation = raft::incarnation(2);
    pair.restart(2, options);
    pair.start(2);
    pair.run(5000);
    CHECK_FALSE(pair.is_up(1, purpose::control));
    CHECK_FALSE(pair.is_up(2, purpose::control));
    CHECK(pair.status(2, purpose::control).last_error.find("later life") != std::string::npos);
  }

  TEST_CASE("bulk before control is refused") {
    peer_core core(peer_pair::options_of(1));
    (void)core.start(0);
    const auto hello = make_hello(peer_pair::options_of(2).us, raft::node_id(1), purpose::bulk);
    const auto effects = core.accepted(0, first_accepted, hello);
    REQUIRE(effects.steps.size() == 2);
    const auto bytes = std::get<peer_effects::write>(effects.steps[0]).bytes.flatten();
    const auto answer = protocol::decode<wire::hello_answer>(
        bytes.slice(protocol::frame_header_size, bytes.size() - protocol::frame_header_size));
    REQUIRE(answer);
    CHECK(answer->refused == wire::refusal::no_control);
    CHECK(std::get<peer_effects::close>(effects.steps[1]).after_sending);
  }

  TEST_CASE("a link that was stopped takes and dials nothing more") {
    auto pair = connected_pair();
    (void)pair.core(1).stop();
    CHECK_FALSE(pair.core(1).next_tick_ms());
    const auto hello = make_hello(peer_pair::options_of(2).us, raft::node_id(1), purpose::control);
    const auto effects = pair.core(1).accepted(pair.now_ms, first_accepted + 50, hello);
    CHECK(std::holds_alternative<peer_effects::close>(effects.steps.back()));
    CHECK_FALSE(pair.core(1).is_connected());
  }

  TEST_CASE("frames that have no place end the connection with the reason") {
    using protocol::frame_kind;
    const auto key_raft = wire::raft_key;
    const auto key_call = wire::call_key;
    const auto version = wire::protocol_max;
    wire::raft_messages huge_term;
    huge_term.messages.push_back(to_wire(
        parcel(1, raft::timeout_now{raft::term_id(std::numeric_limits<std::uint64_t>::max())}, 2)));
    const std::vector<link_frame> bad = {
        {{12, frame_kind::request, wire::hello_key, version, errc::none, 0}, {}},
        {{12, frame_kind::request, key_raft, version, errc::none, 0}, {}},
        {{12, frame_kind::push, key_raft, version + 1, errc::none, 0}, {}},
        {{12, frame_kind::push, key_raft, version - 1, errc::none, 0}, {}},
        {{12, frame_kind::push, key_raft, version, errc::none, 0}, buffer::copy_of("\x05garbage")},
        {{12, frame_kind::push, key_raft, version, errc::none, 0}, protocol::encode(huge_term)},
        {{12, frame_kind::push, wire::ping_key, version, errc::none, 0}, {}},
        {{12, frame_kind::request, wire::ping_key, version, errc::none, 0}, {}},
        {{12, frame_kind::push, key_call, version, errc::none, 1}, protocol::encode(wire::call{})},
        {{12, frame_kind::request, key_call, version, errc::none, 1}, buffer::copy_of("x")},
        {{12, frame_kind::request, key_call, version, errc::none, 0},
         protocol::encode(wire::call{})},
        {{12, frame_kind::response, key_call, version, errc::none, 1}, buffer::copy_of("x")},
        {{12, frame_kind::request, static_cast<protocol::api_key>(1), version, errc::none, 0}, {}},
    };
    for (const auto& frame : bad) {
      auto pair = connected_pair();
      pair.inject(1, purpose::control, frame);
      CHECK_FALSE(pair.core(1).is_connected());
      CHECK_FALSE(pair.status(1, purpose::control).last_error.empty());
      CHECK(pair.ends[1].delivered.empty());
      pair.run(200);
      check_one_link(pair);
    }
  }

  TEST_CASE("messages of or for another life of a node are dropped and counted") {
    auto pair = connected_pair();
    auto to_former = parcel(1, vote());
    to_former.to.incarnation = raft::incarnation(7);
    auto from_other = parcel(1, heartbeat());
    from_other.from.node = raft::node_id(5);
    pair.send(1, {to_former, from_other, parcel(2, vote())});
    pair.run(10);
    CHECK(pair.ends[2].delivered.size() == 1);
    CHECK(pair.core(2).status().dropped_misaddressed == 2);
  }
}

TEST_SUITE("actors.peer.core.silence") {
  /// How long until `node` knows that the link is gone.
  std::int64_t noticed_after(peer_pair & pair, int node) {
    const auto from = pair.now_ms;
    while (pair.core(node).is_connected() && pair.now_ms < from + 10 * election_timeout_ms)
      pair.run(1);
    return pair.now_ms - from;
  }

  TEST_CASE("an idle link stays, and its round trip is known") {
    auto pair = connected_pair();
    const auto since = pair.status(1, purpose::control).since_ms;
    pair.run(60'000);
    check_one_link(pair);
    CHECK(pair.status(1, purpose::control).since_ms == since);
    CHECK(pair.status(1, purpose::control).round_trip_ms == 0);
    CHECK(pair.status(1, purpose::control).heard_ms > pair.now_ms - election_timeout_ms / 2);
  }

  TEST_CASE("a frozen node is noticed within an election timeout, at any time of the rhythm") {
    for (int offset = 0; offset < 300; offset += 7) {
      auto pair = connected_pair();
      pair.run(1000 + offset);
      pair.ends[2].frozen = true;
      CHECK(noticed_after(pair, 1) < election_timeout_ms);
      CHECK_FALSE(pair.is_up(1, purpose::bulk));
    }
  }

  TEST_CASE("a one-way link is noticed on both sides within an election timeout") {
    for (const int mute : {1, 2}) {
      for (int offset = 0; offset < 300; offset += 11) {
        auto pair = connected_pair();
        pair.run(1000 + offset);
        pair.ends[mute].mute = true;
        auto other = pair.now_ms;
        CHECK(noticed_after(pair, 1) < election_timeout_ms);
        CHECK(noticed_after(pair, 2) + pair.now_ms - other < 2 * election_timeout_ms);
        CHECK(pair.now_ms - other < election_timeout_ms);
      }
    }
  }

  TEST_CASE("a node that takes no more bytes is noticed within an election timeout") {
    auto pair = connected_pair();
    pair.run(1000);
    pair.ends[1].clogged = true;
    pair.ends[2].frozen = true;
    pair.send(1, {parcel(1, vote())});
    CHECK(noticed_after(pair, 1) < election_timeout_ms);
  }

  TEST_CASE("a bulk connection that makes no progress is noticed, control stays") {
    auto pair = connected_pair();
    const auto since = pair.status(1, purpose::control).since_ms;
    pair.ends[1].mute_bulk = true;
    pair.send(1, {parcel(1, append(1, large))});
    pair.run(3 * election_timeout_ms);
    const auto gave_up = [](const std::string& note) {
      return note.find("bulk: connection lost: it does not answer") != std::string::npos;
    };
    CHECK(std::ranges::any_of(pair.ends[2].notes, gave_up));
    pair.ends[1].mute_bulk = false;
    pair.run(2 * election_timeout_ms);
    check_one_link(pair);
    CHECK(pair.status(1, purpose::control).since_ms == since);
  }
}

TEST_SUITE("actors.peer.core.traffic") {
  TEST_CASE("what comes to an idle link leaves at once") {
    auto pair = connected_pair();
    pair.send(1, {parcel(1, vote()), parcel(2, append(1))});
    pair.settle();
    CHECK(pair.ends[2].delivered.size() == 2);
    CHECK(pair.frames.size() == 1);
  }

  TEST_CASE("what piles up while the link is busy leaves together") {
    auto pair = connected_pair();
    pair.run(1000);
    pair.frames.clear();
    pair.ends[1].clogged = true;
    for (std::uint64_t i = 1; i <= 10; ++i)
      pair.send(1, {parcel(static_cast<int>(i), append(i))});
    CHECK(pair.frames.size() == 1);
    pair.unclog(1);
    REQUIRE(pair.frames.size() == 2);
    CHECK(pair.frames[1].size() == 9);
    pair.settle();
    CHECK(pair.ends[2].delivered.size() == 10);
  }

  TEST_CASE("heartbeats of all groups wait a moment and go in one frame") {
    auto pair = connected_pair();
    pair.run(1000);
    pair.frames.clear();
    for (int group = 0; group < 1000; ++group)
      pair.send(1, {parcel(group, heartbeat())});
    CHECK(pair.frames.empty());
    pair.run(5);
    REQUIRE(pair.frames.size() == 1);
    CHECK(pair.frames[0].size() == 1000);
    CHECK(pair.ends[2].delivered.size() == 1000);
  }

  TEST_CASE("heartbeats that wait go along with anything that does not") {
    auto pair = connected_pair();
    pair.frames.clear();
    pair.send(1, {parcel(1, heartbeat())});
    pair.send(1, {parcel(2, vote())});
    REQUIRE(pair.frames.size() == 1);
    CHECK(pair.frames[0].size() == 2);
  }

  TEST_CASE("votes wait for a connection, appends do not") {
    peer_pair pair;
    pair.ends[2].unreachable = true;
    pair.start(1);
    pair.run(10'000);
    const auto dropped = pair.core(1).status().dropped_unconnected;
    for (std::uint64_t term = 1; term <= 5; ++term)
      pair.send(1, {parcel(1, vote(term)), parcel(1, append(term))});
    pair.run(1500);
    CHECK(pair.core(1).status().dropped_unconnected > dropped);
    pair.ends[2].unreachable = false;
    pair.start(2);
    pair.run(2500);
    REQUIRE(pair.ends[2].delivered.size() >= 1);
    CHECK(std::get<raft::vote_request>(pair.ends[2].delivered[0].body).term.value == 5);
    CHECK(pair.core(1).status().superseded == 4);
  }

  TEST_CASE("large appends go over bulk, and small ones of their group follow in order") {
    auto pair = connected_pair();
    const auto control_before = pair.status(1, purpose::control).bytes_sent;
    pair.send(1, {parcel(1, append(1, large)), parcel(1, append(2, 10)), parcel(2, append(1, 10))});
    CHECK(pair.status(1, purpose::control).bytes_sent - control_before < 1000);
    CHECK(pair.status(1, purpose::bulk).bytes_sent > large);
    pair.settle();
    CHECK(indexes(pair.ends[2].delivered, 1) == std::vector<std::uint64_t>{1, 2});
    CHECK(pair.frames.size() == 2);
  }

  TEST_CASE("a large append behind small ones waits until they have arrived") {
    auto pair = connected_pair();
    pair.run(1000);
    pair.send(1, {parcel(1, append(1, 10))});
    const auto bulk_before = pair.status(1, purpose::bulk).bytes_sent;
    pair.send(1, {parcel(1, append(2, large)), parcel(1, append(3, 10))});
    CHECK(pair.status(1, purpose::bulk).bytes_sent == bulk_before);
    pair.settle();
    CHECK(indexes(pair.ends[2].delivered, 1) == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(pair.status(1, purpose::bulk).bytes_sent > bulk_before + large);
  }

  TEST_CASE("appends of many groups and sizes keep their order per group") {
    auto pair = connected_pair();
    std::map<int, std::uint64_t> last;
    std::uint64_t random = 42;
    const auto draw = [&random](std::uint64_t below) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      return (random >> 33) % below;
    };
    for (int i = 0; i < 3000; ++i) {
      const auto group = static_cast<int>(draw(5));
      pair.send(1, {parcel(group, append(++last[group], draw(10) == 0 ? large : 10))});
      if (draw(4) == 0)
        pair.run(static_cast<std::int64_t>(draw(200)));
    }
    pair.run(1000);
    for (const auto& [group, count] : last) {
      const auto found = indexes(pair.ends[2].delivered, group);
      CHECK(found.size() == count);
      CHECK(std::ranges::is_sorted(found));
    }
    CHECK(pair.core(1).status().dropped_full == 0);
  }

  TEST_CASE("small appends that no longer fit control go over bulk, in order") {
    auto pair = connected_pair();
    constexpr std::uint64_t count = 400;
    pair.ends[1].clogged = true;
    for (std::uint64_t i = 1; i <= count; ++i)
      pair.send(1, {parcel(1, append(i, 20'000)), parcel(2, append(i, 20'000))});
    CHECK(pair.core(1).status().dropped_full == 0);
    pair.unclog(1);
    pair.run(1000);
    for (const int group : {1, 2}) {
      const auto found = indexes(pair.ends[2].delivered, group);
      CHECK(found.size() == count);
      CHECK(std::ranges::is_sorted(found));
    }
  }

  TEST_CASE("memory for a node that takes nothing is bounded, and counted") {
    auto pair = connected_pair();
    pair.ends[1].clogged = true;
    std::uint64_t most = 0;
    for (std::uint64_t i = 1; i <= 2000; ++i) {
      pair.send(1, {parcel(1, append(i, large)), parcel(2, append(i, 10'000)),
                    parcel(static_cast<int>(i), heartbeat())});
      const auto status = pair.core(1).status();
      for (const auto& connection : status.connections)
        most = std::max(most, connection.window_bytes);
    }
    const auto options = peer_pair::options_of(1);
    CHECK(most <= options.bulk_window_bytes);
    CHECK(pair.status(1, purpose::control).window_bytes <= options.control_window_bytes);
    CHECK(pair.core(1).status().dropped_full > 2000);
  }

  TEST_CASE("a message larger than the other node's frames is dropped and said") {
    auto pair = connected_pair();
    pair.send(1, {parcel(1, append(1, 9 << 20)), parcel(2, append(1, large))});
    pair.settle();
    CHECK(indexes(pair.ends[2].delivered, 1).empty());
    CHECK(indexes(pair.ends[2].delivered, 2).size() == 1);
    CHECK(pair.core(1).status().dropped_full == 1);
    CHECK(pair.ends[1].notes.back().find("larger than the frames") != std::string::npos);
  }

  TEST_CASE("both ways at once") {
    auto pair = connected_pair();
    for (std::uint64_t i = 1; i <= 100; ++i) {
      pair.send(1, {parcel(1, append(i, i % 3 == 0 ? large : 10), 1)});
      pair.send(2, {parcel(2, append(i, i % 5 == 0 ? large : 10), 2)});
      pair.settle();
    }
    CHECK(indexes(pair.ends[2].delivered, 1).size() == 100);
    CHECK(indexes(pair.ends[1].delivered, 2).size() == 100);
  }
}
