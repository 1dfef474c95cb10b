// Calls between nodes, as two cores see them: every call ends, exactly once, whatever happens to
// the link, and no number or size of them costs more than its bound.
#include "actors/peer/peer_inbox.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/sentence.hpp"
#include "tests/actors/peer_pair.hpp"
#include "tests/actors/raft_samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
namespace wire = aqueduct::protocol::cluster;

namespace {

peer_pair linked_pair() {
  peer_pair pair;
  pair.start(1);
  pair.settle();
  pair.start(2);
  pair.run(100);
  REQUIRE(pair.is_up(1, purpose::bulk));
  REQUIRE(pair.is_up(2, purpose::bulk));
  return pair;
}

buffer text(std::string_view what) {
  return buffer::copy_of(what);
}

buffer sized(std::size_t bytes) {
  return buffer::from(std::vector<std::byte>(bytes, std::byte{'y'}));
}

const result<buffer>* ended(peer_pair& pair, int node, call_number number) {
  const auto found = pair.ends[node].ended.find(number);
  return found == pair.ends[node].ended.end() ? nullptr : &found->second;
}

errc error_of(peer_pair& pair, int node, call_number number) {
  const auto* answer = ended(pair, node, number);
  REQUIRE(answer != nullptr);
  REQUIRE_FALSE(*answer);
  CHECK_FALSE(answer->error().message.empty());
  return answer->error().code;
}

template <class M>
link_frame frame_of(protocol::frame_kind kind, std::uint32_t correlation, const M& message) {
  return {{12, kind, wire::call_key, wire::protocol_max, errc::none, correlation},
          protocol::encode(message)};
}

constexpr auto controller = call_kind::controller;
constexpr auto fetch_state = call_kind::fetch_state;

} // namespace

TEST_SUITE("actors.peer.calls.table") {
  TEST_CASE("calls end by their answer or their deadline, once") {
    call_table table({3, 100});
    const auto one = table.begin(11, 50);
    const auto two = table.begin(12, 40);
    const auto three = table.begin(13, 40);
    CHECK(table.is_full());
    CHECK(table.next_deadline_ms() == 40);
    CHECK(table.finish(two) == 12u);
    CHECK_FALSE(table.finish(two));
    CHECK(table.overdue(39).empty());
    CHECK(table.overdue(40) == std::vector<call_number>{13});
    CHECK_FALSE(table.finish(three));
    CHECK(table.next_deadline_ms() == 50);
    CHECK(table.lose() == std::vector<call_number>{11});
    CHECK_FALSE(table.finish(one));
    CHECK_FALSE(table.next_deadline_ms());
    CHECK(table.open() == 0);
  }

  TEST_CASE("what the other node asks is bounded in number and bytes, one large question goes") {
    using admission = call_table::admission;
    call_table table({2, 100});
    CHECK(table.admit(1, 1000) == admission::taken);
    CHECK(table.admit(1, 1) == admission::repeated);
    CHECK(table.admit(2, 1) == admission::full);
    CHECK(table.answered(1));
    CHECK_FALSE(table.answered(1));
    CHECK(table.admit(1, 60) == admission::taken);
    CHECK(table.admit(2, 41) == admission::full);
    CHECK(table.admit(2, 40) == admission::taken);
    CHECK(table.admit(3, 0) == admission::full);
    CHECK(table.lose().empty());
    CHECK_FALSE(table.answered(2));
    CHECK(table.admit(2, 100) == admission::taken);
  }
}

TEST_SUITE("actors.peer.calls.once") {
  TEST_CASE("the first answer counts, a dropped one answers for itself") {
    std::vector<result<buffer>> got;
    const auto take = [&got](result<buffer> answer) { got.push_back(std::move(answer)); };
    {
      const auto answer = answer_once(take, {errc::internal, "gone"});
      const auto copy = answer;
      copy(text("a"));
      answer(text("b"));
    }
    REQUIRE(got.size() == 1);
    CHECK(got[0]->text() == "a");
    {
      auto copy = answer_once(take, {errc::internal, "gone"});
      const auto other = std::exchange(copy, nullptr);
      CHECK(got.size() == 1);
    }
    REQUIRE(got.size() == 2);
    CHECK(got[1].error() == error{errc::internal, "gone"});
  }
}

TEST_SUITE("actors.peer.calls.inbox") {
  outgoing_call call_of(std::size_t bytes) {
    return {controller, sized(bytes), 100, [](const result<buffer>&) {}};
  }

  TEST_CASE("calls are bounded in number and bytes, beside the messages") {
    peer_inbox inbox(1000, 3);
    using outcome = peer_inbox::outcome;
    CHECK(inbox.push({parcel(1, append(1, 900))}));
    auto call = call_of(600);
    CHECK(inbox.push(call) == outcome::taken);
    call = call_of(600);
    CHECK(inbox.push(call) == outcome::full);
    CHECK(call.question.size() == 600);
    call = call_of(100);
    CHECK(inbox.push(call) == outcome::taken);
    call = call_of(100);
    CHECK(inbox.push(call) == outcome::taken);
    call = call_of(0);
    CHECK(inbox.push(call) == outcome::full);
    CHECK_FALSE(inbox.push(outgoing_answer{{1, 1}, sized(700)}));
    auto mail = inbox.take();
    CHECK(mail.parcels.size() == 1);
    CHECK(mail.calls.size() == 3);
    REQUIRE(mail.answers.size() == 1);
    CHECK(mail.answers[0].answer.error().code == errc::overloaded);
    call = call_of(5000);
    CHECK(inbox.push(call) == outcome::taken_wake);
  }

  TEST_CASE("one that was closed gives back what it has and takes no more") {
    peer_inbox inbox(1000, 3);
    auto call = call_of(10);
    CHECK(inbox.push(call) == peer_inbox::outcome::taken_wake);
    CHECK(inbox.close().calls.size() == 1);
    call = call_of(10);
    CHECK(inbox.push(call) == peer_inbox::outcome::closed);
    CHECK_FALSE(inbox.push({parcel(1, vote())}));
    CHECK_FALSE(inbox.push(outgoing_answer{{1, 1}, sized(7)}));
    CHECK(inbox.take().empty());
  }
}

TEST_SUITE("actors.peer.calls.core") {
  TEST_CASE("a call arrives as it was asked, its answer too, in any order and both ways") {
    auto pair = linked_pair();
    pair.call(1, 1, controller, text("first"));
    pair.call(1, 2, controller, text("second"));
    pair.call(2, 1, controller, text("third"));
    pair.settle();
    auto& asked = pair.ends[2].asked;
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].what == controller);
    CHECK(asked[0].body.text() == "first");
    CHECK(asked[1].body.text() == "second");
    REQUIRE(pair.ends[1].asked.size() == 1);
    CHECK(pair.core(1).status().calls_open == 2);
    CHECK(pair.core(2).status().calls_asked == 2);

    pair.answer(2, asked[1].call, text("2"));
    pair.answer(1, pair.ends[1].asked[0].call, text("3"));
    pair.settle();
    CHECK(ended(pair, 1, 1) == nullptr);
    CHECK((*ended(pair, 1, 2))->text() == "2");
    CHECK((*ended(pair, 2, 1))->text() == "3");
    pair.answer(2, asked[0].call, text(""));
    // Nobody waits for it any more.
    pair.answer(2, asked[0].call, text("again"));
    pair.settle();
    CHECK((*ended(pair, 1, 1))->empty());
    CHECK(pair.core(1).status().calls_open == 0);
    CHECK(pair.core(1).status().calls_sent == 2);
    CHECK(pair.core(2).status().calls_asked == 0);
    CHECK(pair.core(2).status().calls_received == 2);
    CHECK(pair.connected());
  }

  TEST_CASE("an error of the other node comes as it gave it, no longer than a sentence") {
    auto pair = linked_pair();
    pair.call(1, 1, controller, text("a"));
    pair.call(1, 2, controller, text("b"));
    pair.settle();
    pair.answer(2, pair.ends[2].asked[0].call, unexpected(errc::not_leader, "ask node 3"));
    pair.answer(2, pair.ends[2].asked[1].call, unexpected(errc::conflict, std::string(5000, 'x')));
    pair.settle();
    CHECK(ended(pair, 1, 1)->error() == error{errc::not_leader, "ask node 3"});
    CHECK(error_of(pair, 1, 2) == errc::conflict);
    CHECK(ended(pair, 1, 2)->error().message.size() <= sentence_bytes_max + 3);
  }

  TEST_CASE("the state of groups travels on bulk, the rest on control") {
    auto pair = linked_pair();
    const auto control = pair.status(1, purpose::control).bytes_sent;
    const auto bulk = pair.status(1, purpose::bulk).bytes_sent;
    pair.call(1, 1, fetch_state, sized(100'000));
    CHECK(pair.status(1, purpose::bulk).bytes_sent > bulk + 100'000);
    CHECK(pair.status(1, purpose::control).bytes_sent < control + 1000);
    pair.call(1, 2, controller, sized(100'000));
    CHECK(pair.status(1, purpose::control).bytes_sent > control + 100'000);
    pair.settle();
    const auto back = pair.status(2, purpose::bulk).bytes_sent;
    const auto& asked = pair.ends[2].asked;
    const auto state = std::ranges::find(asked, fetch_state, &peer_effects::question::what);
    REQUIRE(state != asked.end());
    pair.answer(2, state->call, sized(1'000'000));
    CHECK(pair.status(2, purpose::bulk).bytes_sent > back + 1'000'000);
    pair.settle();
    CHECK((*ended(pair, 1, 1))->size() == 1'000'000);
  }

  TEST_CASE("without a connection of its kind a call fails at once") {
    peer_pair pair;
    pair.call(1, 1, controller, text("a"));
    CHECK(error_of(pair, 1, 1) == errc::shutting_down);
    pair.ends[2].unreachable = true;
    pair.start(1);
    pair.run(1500);
    pair.call(1, 2, controller, text("a"));
    CHECK(error_of(pair, 1, 2) == errc::broker_unavailable);
    CHECK(ended(pair, 1, 2)->error().message.find("no connection within") != std::string::npos);
    CHECK(pair.core(1).status().calls_open == 0);
  }

  TEST_CASE("a call without an answer ends at its deadline, a late answer is ignored") {
    auto pair = linked_pair();
    pair.call(1, 1, controller, text("a"), 700);
    pair.call(1, 2, controller, text("b"), 300);
    pair.call(1, 3, controller, text("c"), 0);
    CHECK(error_of(pair, 1, 3) == errc::timed_out);
    pair.run(299);
    CHECK(ended(pair, 1, 2) == nullptr);
    pair.run(1);
    CHECK(error_of(pair, 1, 2) == errc::timed_out);
    pair.run(400);
    CHECK(error_of(pair, 1, 1) == errc::timed_out);
    for (const auto& question : pair.ends[2].asked)
      pair.answer(2, question.call, text("late"));
    pair.settle();
    CHECK(pair.connected());
    pair.call(1, 4, controller, text("d"));
    pair.settle();
    pair.answer(2, pair.ends[2].asked.back().call, text("in time"));
    pair.settle();
    CHECK((*ended(pair, 1, 4))->text() == "in time");
  }

  TEST_CASE("a link that ends answers its calls, and forgets those of the other node") {
    auto pair = linked_pair();
    pair.call(1, 1, controller, text("a"));
    pair.call(1, 2, fetch_state, text("b"));
    pair.call(2, 1, controller, text("c"));
    pair.settle();
    const auto asked = pair.ends[2].asked;
    pair.cut();
    CHECK(error_of(pair, 1, 1) == errc::connection_lost);
    CHECK(error_of(pair, 1, 2) == errc::connection_lost);
    CHECK(error_of(pair, 2, 1) == errc::connection_lost);
    CHECK(pair.core(2).status().calls_asked == 0);
    pair.run(200);
    REQUIRE(pair.connected());
    for (const auto& question : asked)
      pair.answer(2, question.call, text("to nobody"));
    pair.settle();
    CHECK(pair.connected());
    CHECK(pair.ends[1].ended.size() == 2);
  }

  TEST_CASE("a frozen node's calls end when the silence is noticed, before their deadline") {
    auto pair = linked_pair();
    pair.ends[2].frozen = true;
    pair.call(1, 1, controller, text("a"), 60'000);
    pair.run(election_timeout_ms);
    CHECK(error_of(pair, 1, 1) == errc::connection_lost);
  }

  TEST_CASE("a link that is closed here says so") {
    auto pair = linked_pair();
    pair.call(1, 1, controller, text("a"));
    const auto effects = pair.core(1).stop();
    REQUIRE(effects.ended.size() == 1);
    CHECK(effects.ended[0].number == 1);
    CHECK(effects.ended[0].answer.error().code == errc::shutting_down);
  }

  TEST_CASE("a call or an answer larger than the frames of the other node is an error") {
    auto pair = linked_pair();
    auto small = peer_pair::options_of(2);
    small.us.frame_bytes_max = 1 << 20;
    small.us.session = 9;
    pair.restart(2, small);
    pair.start(2);
    pair.run(200);
    REQUIRE(pair.is_up(1, purpose::bulk));
    pair.call(1, 1, fetch_state, sized(1 << 20));
    CHECK(error_of(pair, 1, 1) == errc::message_too_large);
    pair.call(2, 1, fetch_state, text("a"));
    pair.settle();
    pair.answer(1, pair.ends[1].asked.at(0).call, sized(1 << 20));
    pair.settle();
    CHECK(error_of(pair, 2, 1) == errc::message_too_large);
    CHECK(pair.is_up(1, purpose::bulk));
    CHECK(pair.is_up(2, purpose::bulk));
  }

  TEST_CASE("calls beyond the bounds of number and bytes fail at once, later ones go again") {
    auto pair = linked_pair();
    const auto options = peer_pair::options_of(1);
    pair.ends[1].clogged = true;
    for (call_number number = 1; number <= options.calls.calls_max; ++number)
      pair.call(1, number, controller, text("a"));
    CHECK(pair.ends[1].ended.empty());
    pair.call(1, 1000, controller, text("a"));
    CHECK(error_of(pair, 1, 1000) == errc::overloaded);

    call_number last = 2000;
    for (std::size_t bytes = 0; bytes < 2 * options.bulk_window_bytes; bytes += 1 << 20)
      pair.call(1, ++last, fetch_state, sized(1 << 20));
    CHECK(error_of(pair, 1, last) == errc::overloaded);
    CHECK(pair.status(1, purpose::bulk).window_bytes <= options.bulk_window_bytes);
    CHECK(pair.ends[1].ended.size() > 30);

    pair.unclog(1);
    pair.settle();
    while (!pair.ends[2].asked.empty()) {
      const auto questions = std::exchange(pair.ends[2].asked, {});
      for (const auto& question : questions)
        pair.answer(2, question.call, text("b"));
      pair.settle();
    }
    pair.run(4000);
    pair.call(1, 9000, fetch_state, sized(1 << 20));
    pair.settle();
    CHECK(pair.ends[2].asked.size() == 1);
    CHECK(pair.core(1).status().calls_open == 1);
    CHECK((*ended(pair, 1, 1))->text() == "b");
  }

  TEST_CASE("questions that are not answered are refused beyond the bound, and keep the link") {
    auto pair = linked_pair();
    const auto frame = [](std::uint32_t correlation, std::size_t bytes) {
      return frame_of(protocol::frame_kind::request, correlation, wire::call{1, sized(bytes)});
    };
    const auto limits = peer_pair::options_of(1).calls;
    for (std::uint32_t i = 1; i <= 2 * limits.calls_max; ++i)
      pair.inject(1, purpose::control, frame(i, 10));
    CHECK(pair.ends[1].asked.size() == limits.calls_max);
    CHECK(pair.core(1).status().calls_asked == limits.calls_max);
    for (std::uint32_t i = 1; i <= 10; ++i)
      pair.inject(1, purpose::bulk, frame(i, limits.asked_bytes_max / 4));
    CHECK(pair.core(1).status().calls_asked == limits.calls_max + 4);
    CHECK(pair.connected());

    // Nobody reads the refusals: what they cost is bounded.
    pair.ends[1].clogged = true;
    for (std::uint32_t i = 10'000; i <= 100'000; ++i)
      pair.inject(1, purpose::control, frame(i, 10));
    CHECK(pair.status(1, purpose::control).window_bytes <=
          peer_pair::options_of(1).control_window_bytes);
  }

  TEST_CASE("answers beyond the window give way to an error") {
    auto pair = linked_pair();
    for (call_number number = 1; number <= 40; ++number)
      pair.call(1, number, fetch_state, text("a"));
    pair.settle();
    pair.ends[2].clogged = true;
    for (const auto& question : pair.ends[2].asked)
      pair.answer(2, question.call, sized(1 << 20));
    CHECK(pair.status(2, purpose::bulk).window_bytes <= peer_pair::options_of(2).bulk_window_bytes);
    pair.unclog(2);
    pair.settle();
    const auto answered = [](const auto& each) { return each.second.has_value(); };
    CHECK(pair.ends[1].ended.size() == 40);
    CHECK(std::ranges::count_if(pair.ends[1].ended, answered) > 20);
    CHECK(error_of(pair, 1, 40) == errc::overloaded);
  }

  TEST_CASE("a call repeats no correlation id of one under way") {
    auto pair = linked_pair();
    const auto call = frame_of(protocol::frame_kind::request, 5, wire::call{1, text("a")});
    pair.inject(1, purpose::control, call);
    pair.answer(1, pair.ends[1].asked.at(0).call, text("b"));
    pair.inject(1, purpose::control, call);
    CHECK(pair.is_up(1, purpose::control));
    pair.inject(1, purpose::control, call);
    CHECK_FALSE(pair.is_up(1, purpose::control));
    CHECK(pair.status(1, purpose::control).last_error.find("correlation id 5") !=
          std::string::npos);
  }

  TEST_CASE("a kind that is not known is an error that says so") {
    auto pair = linked_pair();
    pair.call(1, 1, static_cast<call_kind>(77), text("a"));
    pair.settle();
    CHECK(pair.ends[2].asked.empty());
    CHECK(error_of(pair, 1, 1) == errc::unsupported_api);
    CHECK(ended(pair, 1, 1)->error().message.find("kind 77") != std::string::npos);
    CHECK(pair.core(2).status().calls_asked == 0);
  }

  TEST_CASE("an error number of a later release counts as internal") {
    auto pair = linked_pair();
    pair.call(1, 1, controller, text("a"));
    pair.settle();
    pair.inject(1, purpose::control,
                frame_of(protocol::frame_kind::response, 1,
                         wire::call_answer{static_cast<errc>(999), "something new", {}}));
    CHECK(error_of(pair, 1, 1) == errc::internal);
  }

  TEST_CASE("a node of a release without calls is not asked, all else works with it") {
    peer_pair pair;
    pair.start(1);
    auto hello = make_hello(peer_pair::options_of(2).us, raft::node_id(1), purpose::control);
    hello.protocol_max = 1;
    hello.software = "aqueductd 0.0";
    (void)pair.core(1).accepted(pair.now_ms, first_accepted + 7, hello);
    REQUIRE(pair.is_up(1, purpose::control));
    pair.call(1, 1, controller, text("a"));
    CHECK(error_of(pair, 1, 1) == errc::unsupported_version);
    CHECK(ended(pair, 1, 1)->error().message.find("aqueductd 0.0") != std::string::npos);
    const auto push = [&](protocol::api_key key, protocol::frame_kind kind, const buffer& payload) {
      return pair.core(1).arrived(pair.now_ms, first_accepted + 7,
                                  {{{12, kind, key, 1, errc::none, 1}, payload}});
    };
    const wire::raft_messages votes{{to_wire(parcel(1, vote(), 2))}};
    CHECK(
        push(wire::raft_key, protocol::frame_kind::push, protocol::encode(votes)).deliver.size() ==
        1);
    const auto effects =
        push(wire::call_key, protocol::frame_kind::request, protocol::encode(wire::call{}));
    CHECK(effects.asked.empty());
    CHECK_FALSE(pair.is_up(1, purpose::control));
  }

  TEST_CASE("neither Raft messages nor calls hold each other up") {
    auto pair = linked_pair();
    pair.ends[1].clogged = true;
    pair.send(1, {parcel(1, vote())});
    for (call_number number = 1; number <= 10; ++number)
      pair.call(1, number, controller, sized(60'000));
    for (std::uint64_t i = 1; i <= 100; ++i)
      pair.send(1, {parcel(2, append(i, 20'000))});
    // Each time that the connection takes bytes some of both leave.
    std::size_t questions = 0;
    std::size_t messages = 0;
    for (int rounds = 0; rounds < 4; ++rounds) {
      pair.drain_once(1);
      pair.settle();
      CHECK(pair.ends[2].asked.size() > questions);
      CHECK(pair.ends[2].delivered.size() > messages);
      questions = pair.ends[2].asked.size();
      messages = pair.ends[2].delivered.size();
    }
  }

  TEST_CASE("random calls, cuts and delays: every call ends once, and nothing is left") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      CAPTURE(seed);
      auto pair = linked_pair();
      std::uint64_t random = seed;
      const auto draw = [&random](std::uint64_t below) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        return (random >> 33) % below;
      };
      std::map<int, call_number> last;
      for (int i = 0; i < 200; ++i) {
        const auto node = 1 + static_cast<int>(draw(2));
        auto& end = pair.ends[node];
        switch (draw(8)) {
        case 0:
          if (draw(5) == 0)
            pair.cut();
          break;
        case 1:
          end.frozen = !end.frozen;
          break;
        case 2:
          pair.run(static_cast<std::int64_t>(draw(300)));
          break;
        case 3:
          end.clogged = true;
          break;
        case 4:
          pair.unclog(node);
          break;
        case 5:
          if (!end.asked.empty()) {
            const auto at = end.asked.begin() + static_cast<std::ptrdiff_t>(draw(end.asked.size()));
            pair.answer(node, at->call, sized(draw(100'000)));
            end.asked.erase(at);
          }
          break;
        default:
          pair.call(node, ++last[node], draw(2) == 0 ? controller : fetch_state,
                    sized(draw(200'000)), static_cast<std::int64_t>(draw(2000)));
        }
      }
      for (const int node : {1, 2}) {
        pair.ends[node].frozen = false;
        pair.unclog(node);
      }
      pair.run(10'000);
      for (const int node : {1, 2}) {
        CHECK(pair.ends[node].ended.size() == last[node]);
        CHECK(pair.core(node).status().calls_open == 0);
      }
    }
  }
}
