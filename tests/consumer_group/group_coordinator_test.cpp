#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

using parts = std::vector<topic_partitions>;

buffer text(std::string_view what) {
  return buffer::copy_of(what);
}

/// A classic group of "c-1", which leads, and "c-2", stable at generation 1.
struct classic_pair {
  classic_pair() {
    lab.commits = true;
    auto first = group_lab::classic_join("");
    auto second = group_lab::classic_join("");
    // Both are there before the first rebalance is over.
    first.needs_member_id = second.needs_member_id = true;
    const auto one = lab.join(first);
    const auto two = lab.join(second);
    first.member = one->member;
    second.member = two->member;
    leader = one->member;
    follower = two->member;
    auto a = lab.join(first);
    auto b = lab.join(second);
    REQUIRE(a.is_there());
    REQUIRE(b.is_there());
    REQUIRE(a->leader == leader);
    const auto waits = lab.sync(follower, 1);
    const auto done = lab.sync(leader, 1, {{leader, text("A")}, {follower, text("B")}});
    REQUIRE(done->assignment == text("A"));
    REQUIRE(waits->assignment == text("B"));
  }
  group_lab lab;
  std::string leader;
  std::string follower;
};

} // namespace

TEST_SUITE_BEGIN("actors.consumer_group.coordinator");

TEST_CASE("a member of Kafka's protocol is told its id, joins, and assigns for all") {
  group_lab lab;
  auto call = group_lab::classic_join("");
  call.needs_member_id = true;
  const auto refused = lab.join(call);
  CHECK(refused->error == errc::member_id_required);
  CHECK(refused->member == "c-1");
  CHECK(refused->generation == -1);

  call.member = "c-1";
  const auto joined = lab.join(call);
  REQUIRE(joined.is_there());
  CHECK(joined->error == errc::none);
  CHECK(joined->generation == 1);
  CHECK(joined->protocol == "range");
  CHECK(joined->leader == "c-1");
  REQUIRE(joined->members.size() == 1);
  CHECK(joined->members[0].metadata == text("meta"));
  CHECK(lab.describe().phase == group_phase::completing);
  CHECK(lab.heartbeat("c-1", 1).error == errc::none);
  CHECK(lab.commit({"c-1", "", 1}, 5)->error == errc::rebalance_in_progress);

  const auto synced = lab.sync("c-1", 1, {{"c-1", text("mine")}, {"nobody", text("x")}});
  CHECK(synced->assignment == text("mine"));
  CHECK(lab.describe().phase == group_phase::stable);
  CHECK(lab.sync("c-1", 1)->assignment == text("mine"));
}

TEST_CASE("answers to proposals that were given up are not for those that came after them") {
  group_lab lab;
  lab.commits = false;
  const auto given_up = lab.commit({}, 5);
  REQUIRE(lab.coordinator->take_proposals().size() == 1);
  lab.coordinator->follow(2);
  CHECK(given_up->error == errc::not_coordinator);
  lab.coordinator->lead(lab.now);
  const auto fresh = lab.commit({}, 6);
  REQUIRE(lab.coordinator->take_proposals().size() == 1);

  SUBCASE("refused") {
    lab.coordinator->refused(1, {errc::not_leader, "too late"}, lab.now);
    CHECK(fresh.count() == 0);
    lab.coordinator->proposed(11, 3, 1);
  }
  SUBCASE("placed") {
    lab.coordinator->proposed(10, 1, 1);
    lab.coordinator->applied(10, 1, lab.now);
    CHECK(fresh.count() == 0);
    lab.coordinator->proposed(11, 3, 1);
  }
  SUBCASE("placed together with the next") {
    lab.coordinator->proposed(10, 3, 2);
  }
  lab.coordinator->applied(10, 3, lab.now);
  CHECK(fresh.count() == 0);
  lab.coordinator->applied(11, 3, lab.now);
  REQUIRE(fresh.is_there());
  CHECK(fresh->error == errc::none);
}

TEST_CASE("members hear of a generation only when the log has it") {
  group_lab lab;
  lab.commits = false;
  const auto joined = lab.join(group_lab::classic_join(""));
  CHECK_FALSE(joined.is_there());
  lab.commit_all();
  REQUIRE(joined.is_there());
  const auto synced = lab.sync(joined->member, 1, {{joined->member, text("mine")}});
  CHECK_FALSE(synced.is_there());
  lab.commit_all();
  CHECK(synced->assignment == text("mine"));
}

TEST_CASE("what the log does not take is told, and the group begins anew") {
  group_lab lab;
  lab.commits = false;
  const auto joined = lab.join(group_lab::classic_join(""));
  lab.refuse_all(errc::storage_full);
  REQUIRE(joined.is_there());
  CHECK(joined->error == errc::storage_full);
  CHECK(lab.describe().phase == group_phase::preparing);
  lab.commits = true;
  const auto again = lab.join(group_lab::classic_join(joined->member));
  CHECK(again->generation == 2);

  lab.commits = false;
  const auto synced = lab.sync(again->member, 2, {{again->member, text("mine")}});
  lab.refuse_all(errc::overloaded);
  CHECK(synced->error == errc::overloaded);
  CHECK(lab.describe().phase == group_phase::preparing);
}

TEST_CASE("a rebalance waits for all members, and goes on without those that do not come") {
  classic_pair pair;
  auto& lab = pair.lab;
  const auto third = lab.join(group_lab::classic_join(""));
  CHECK_FALSE(third.is_there());
  CHECK(lab.heartbeat(pair.leader, 1).error == errc::rebalance_in_progress);
  // The running generation may commit still.
  CHECK(lab.commit({pair.leader, "", 1}, 5)->error == errc::none);
  const auto again = lab.join(group_lab::classic_join(pair.leader));
  CHECK_FALSE(again.is_there());
  for (int i = 0; i < 5; ++i) {
    lab.advance(4000);
    (void)lab.heartbeat(pair.follower, 1);
  }
  REQUIRE(third.is_there());
  CHECK(third->generation == 2);
  CHECK(again->members.size() == 2);
  CHECK(lab.heartbeat(pair.follower, 1).error == errc::unknown_member);
  CHECK(lab.heartbeat(pair.leader, 1).error == errc::generation_mismatch);
  CHECK(lab.commit({pair.leader, "", 1}, 6)->error == errc::rebalance_in_progress);
  CHECK(lab.commit({pair.follower, "", 1}, 6)->error == errc::unknown_member);
}

TEST_CASE("a member that is silent for its session, or never asks for its part, is put out") {
  classic_pair pair;
  auto& lab = pair.lab;
  for (int i = 0; i < 3; ++i) {
    lab.advance(5000);
    (void)lab.heartbeat(pair.leader, 1);
  }
  CHECK(lab.heartbeat(pair.follower, 1).error == errc::unknown_member);
  const auto alone = lab.join(group_lab::classic_join(pair.leader));
  REQUIRE(alone.is_there());
  CHECK(alone->generation == 2);
  // It does not sync: after its rebalance timeout nobody is left.
  for (int i = 0; i < 5; ++i) {
    (void)lab.heartbeat(pair.leader, 2);
    lab.advance(5000);
  }
  CHECK(lab.heartbeat(pair.leader, 2).error == errc::unknown_member);
  CHECK(lab.describe().phase == group_phase::empty);
}

TEST_CASE("who joins again unchanged is told what is, and the leader asks for a rebalance by it") {
  classic_pair pair;
  auto& lab = pair.lab;
  const auto same = lab.join(group_lab::classic_join(pair.follower));
  REQUIRE(same.is_there());
  CHECK(same->generation == 1);
  CHECK(same->members.empty());
  CHECK(lab.describe().phase == group_phase::stable);

  auto changed = group_lab::classic_join(pair.follower);
  changed.protocols[0].metadata = text("other");
  CHECK_FALSE(lab.join(changed).is_there());
  CHECK(lab.describe().phase == group_phase::preparing);
  const auto led = lab.join(group_lab::classic_join(pair.leader));
  CHECK(led->generation == 2);
  (void)lab.sync(pair.follower, 2);
  (void)lab.sync(pair.leader, 2, {});
  CHECK(lab.describe().phase == group_phase::stable);
  CHECK_FALSE(lab.join(group_lab::classic_join(pair.leader)).is_there());
  CHECK(lab.describe().phase == group_phase::preparing);
}

TEST_CASE("a first rebalance waits a moment for more members, but not for ever") {
  group_limits bounds;
  bounds.initial_delay_ms = 300;
  group_lab lab(bounds);
  const auto first = lab.join(group_lab::classic_join(""));
  lab.advance(200);
  CHECK_FALSE(first.is_there());
  const auto second = lab.join(group_lab::classic_join(""));
  lab.advance(200);
  CHECK_FALSE(first.is_there());
  lab.advance(200);
  REQUIRE(first.is_there());
  CHECK(first->generation == 1);
  CHECK(second->generation == 1);
}

TEST_CASE("what cannot be a member is refused, and why is said") {
  group_lab lab;
  const auto refusal_of = [&](auto change) {
    auto call = group_lab::classic_join("");
    change(call);
    const auto answer = lab.join(call);
    CHECK(answer.is_there());
    CHECK_FALSE(answer->message.empty());
    return answer->error;
  };
  CHECK(refusal_of([](auto& call) { call.group.clear(); }) == errc::invalid_group);
  CHECK(refusal_of([](auto& call) { call.session_timeout_ms = 10; }) ==
        errc::invalid_session_timeout);
  CHECK(refusal_of([](auto& call) { call.session_timeout_ms = 1'800'001; }) ==
        errc::invalid_session_timeout);
  CHECK(refusal_of([](auto& call) { call.protocols.clear(); }) == errc::inconsistent_protocol);
  CHECK(refusal_of([](auto& call) { call.member = "nobody"; }) == errc::unknown_member);
  CHECK(refusal_of([](auto& call) {
          call.protocols[0].metadata = buffer::from(std::vector<std::byte>(300'000));
        }) == errc::invalid_request);
  CHECK(refusal_of([](auto& call) {
          call.kind = member_kind::coordinator_assigned;
          call.protocols[0].name = "mine";
        }) == errc::inconsistent_protocol);
  (void)lab.join(group_lab::classic_join(""));
  CHECK(refusal_of([](auto& call) { call.protocols[0].name = "other"; }) ==
        errc::inconsistent_protocol);
  CHECK(refusal_of([](auto& call) { call.protocol_type = "connect"; }) ==
        errc::inconsistent_protocol);

  group_limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.members_max = 1;
  group_lab small(bounds);
  const auto only = small.join(group_lab::classic_join(""));
  CHECK(only->error == errc::none);
  CHECK(small.join(group_lab::classic_join(""))->error == errc::group_full);
  CHECK(small.join(group_lab::classic_join(only->member))->error != errc::group_full);
}

TEST_CASE("most votes among the ways that all know decide") {
  group_lab lab;
  auto first = group_lab::classic_join("");
  first.needs_member_id = true;
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i)
    ids.push_back(lab.join(first)->member);
  first.needs_member_id = false;
  const std::vector<std::vector<std::string>> wishes{{"x", "a", "b"}, {"b", "a"}, {"b", "a", "x"}};
  awaited<join_answer> last;
  for (std::size_t i = 0; i < 3; ++i) {
    first.member = ids[i];
    first.protocols.clear();
    for (const auto& name : wishes[i])
      first.protocols.push_back({name, text(name)});
    last = lab.join(first);
  }
  REQUIRE(last.is_there());
  CHECK(last->protocol == "b");
}

TEST_CASE("static members come back without a rebalance, and fence who was there") {
  group_lab lab;
  auto call = group_lab::native_join("", {"t"});
  call.instance = "i1";
  const auto first = lab.join(call);
  REQUIRE(first.is_there());
  CHECK(parts_of(first->assignment) == parts{{"t", {0, 1, 2, 3}}});

  const auto second = lab.join(call);
  REQUIRE(second.is_there());
  CHECK(second->generation == first->generation);
  CHECK(second->member != first->member);
  CHECK(second->assignment == first->assignment);
  CHECK(lab.heartbeat(first->member, 1, "i1").error == errc::fenced_member);
  CHECK(lab.commit({first->member, "i1", 1}, 3)->error == errc::fenced_member);
  CHECK(lab.heartbeat(second->member, 1, "i1").error == errc::none);
  CHECK(lab.heartbeat(second->member, 1, "i2").error == errc::unknown_member);

  // It asks for something else: then there is a rebalance.
  lab.topics["u"] = 1;
  auto other = group_lab::native_join("", {"u"});
  other.instance = "i1";
  const auto third = lab.join(other);
  CHECK(third->generation == 2);
  CHECK(parts_of(third->assignment) == parts{{"u", {0}}});

  // An operator puts it out by its instance.
  CHECK(lab.leave({{"", "i1", -1}, {"", "i9", -1}}).members ==
        std::vector{errc::none, errc::unknown_member});
  CHECK(lab.describe().phase == group_phase::empty);
}

TEST_CASE("a static leader that comes back is told to skip the assignment, if it knows how") {
  group_lab lab;
  auto call = group_lab::classic_join("");
  call.instance = "i1";
  const auto first = lab.join(call);
  (void)lab.sync(first->member, 1, {{first->member, text("mine")}}, "i1");
  const auto old = lab.join(call);
  CHECK(old->leader == first->member);
  CHECK_FALSE(old->skips_assignment);
  call.knows_skipping = true;
  const auto modern = lab.join(call);
  CHECK(modern->leader == modern->member);
  CHECK(modern->skips_assignment);
  CHECK(modern->members.size() == 1);
  CHECK(lab.sync(modern->member, 1, {}, "i1")->assignment == text("mine"));
}

TEST_CASE("the coordinator assigns for its own members, and moves nothing that can stay") {
  group_lab lab;
  const auto a = lab.join(group_lab::native_join("", {"t", "gone"}));
  REQUIRE(a.is_there());
  CHECK(parts_of(a->assignment) == parts{{"t", {0, 1, 2, 3}}});
  CHECK(lab.describe().phase == group_phase::stable);

  const auto b = lab.join(group_lab::native_join("", {"t"}));
  CHECK_FALSE(b.is_there());
  CHECK(lab.heartbeat(a->member, 1).error == errc::rebalance_in_progress);
  const auto a2 = lab.join(group_lab::native_join(a->member, {"t", "gone"}, {{"t", {0, 1, 2, 3}}}));
  REQUIRE(b.is_there());
  CHECK(a2->generation == 2);
  CHECK(parts_of(a2->assignment) == parts{{"t", {0, 1}}});
  CHECK(parts_of(b->assignment).empty());

  // It has let go of what it lost.
  const auto a3 = lab.join(group_lab::native_join(a->member, {"t", "gone"}, {{"t", {0, 1}}}));
  CHECK(lab.heartbeat(b->member, 2).error == errc::rebalance_in_progress);
  const auto b2 = lab.join(group_lab::native_join(b->member, {"t"}));
  CHECK(a3->generation == 3);
  CHECK(parts_of(a3->assignment) == parts{{"t", {0, 1}}});
  CHECK(parts_of(b2->assignment) == parts{{"t", {2, 3}}});
  lab.advance(60'000);
}

TEST_CASE("members of both kinds share a group: the coordinator assigns") {
  group_lab lab;
  protocol::consumer_subscription wish;
  wish.topics = {"t"};
  auto kafka = group_lab::classic_join("");
  kafka.protocols = {{"range", protocol::encode_subscription(wish)}};
  const auto k = lab.join(kafka);
  CHECK(k->leader == k->member);
  (void)lab.sync(k->member, 1, {});
  auto ours = group_lab::native_join("", {"t"});
  ours.protocols[0].name = "range";
  const auto n = lab.join(ours);
  kafka.member = k->member;
  const auto k2 = lab.join(kafka);
  REQUIRE(n.is_there());
  CHECK(k2->leader == n->member);
  CHECK(k2->members.empty());
  CHECK(parts_of(n->assignment).size() == 1);
  const auto synced = lab.sync(k->member, 2);
  REQUIRE(synced.is_there());
  CHECK(parts_of(synced->assignment)[0].partitions.size() == 2);
}

TEST_CASE("a topic that grows is shared out anew") {
  group_lab lab;
  const auto a = lab.join(group_lab::native_join("", {"t", "u"}));
  lab.topics["t"] = 5;
  lab.topics["u"] = 1;
  lab.advance(1100);
  CHECK(lab.heartbeat(a->member, 1).error == errc::rebalance_in_progress);
  const auto again = lab.join(group_lab::native_join(a->member, {"t", "u"}, {{"t", {0, 1, 2, 3}}}));
  CHECK(parts_of(again->assignment) == parts{{"t", {0, 1, 2, 3, 4}}, {"u", {0}}});
}

TEST_CASE("a member that brings its id joins under it, and once more after a lost answer") {
  group_lab lab;
  auto call = group_lab::native_join("mine", {"t"});
  CHECK(lab.join(call)->error == errc::unknown_member);
  call.brings_id = true;
  const auto first = lab.join(call);
  CHECK(first->member == "mine");
  CHECK(first->generation == 1);
  const auto again = lab.join(call);
  CHECK(again->generation == 1);
  CHECK(again->assignment == first->assignment);
  CHECK(lab.describe().group.members.size() == 1);

  call.member = "other";
  call.instance = "i1";
  const auto placed = lab.join(call);
  call.member = "mine";
  call.brings_id = false;
  call.instance.clear();
  (void)lab.join(call);
  CHECK(placed->member == "other");
  call.member = "third";
  call.instance = "i1";
  call.brings_id = true;
  const auto replaced = lab.join(call);
  CHECK(replaced->member == "third");
  CHECK(lab.heartbeat("other", 2, "i1").error == errc::fenced_member);
}

TEST_CASE("a join that is repeated while its generation goes into the log waits for it too") {
  group_lab lab;
  lab.commits = false;
  auto call = group_lab::native_join("own-1", {"t"});
  call.brings_id = true;
  const auto first = lab.join(call);
  CHECK_FALSE(first.is_there());
  const auto again = lab.join(call);
  CHECK(first->error == errc::rebalance_in_progress);
  CHECK_FALSE(again.is_there());

  SUBCASE("and is told of it then") {
    lab.commit_all();
    REQUIRE(again.is_there());
    CHECK(again->error == errc::none);
    CHECK(again->generation == 1);
  }
  SUBCASE("which may never have it: the generation is another one's") {
    lab.fail_over();
    REQUIRE(again.is_there());
    CHECK(again->error == errc::not_coordinator);
    lab.commits = true;
    auto other = call;
    other.member = "own-2";
    CHECK(lab.join(other)->generation == 1);
  }
}

TEST_CASE("partitions that nobody lets go of are asked for again") {
  group_lab lab;
  const auto a = lab.join(group_lab::native_join("", {"t"}));
  const auto b = lab.join(group_lab::native_join("", {"t"}));
  (void)lab.join(group_lab::native_join(a->member, {"t"}, {{"t", {0, 1, 2, 3}}}));
  REQUIRE(b->generation == 2);
  bool asked = false;
  for (int i = 0; i < 25 && !asked; ++i) {
    asked = lab.heartbeat(a->member, 2).error == errc::rebalance_in_progress;
    (void)lab.heartbeat(b->member, 2);
    lab.advance(1000);
  }
  CHECK(asked);
}

TEST_CASE("who takes over knows the members, and they go on without a rebalance") {
  group_lab lab;
  const auto a = lab.join(group_lab::native_join("", {"t"}));
  CHECK(lab.commit({a->member, "", 1}, 10)->error == errc::none);
  lab.fail_over();
  CHECK(lab.heartbeat(a->member, 1).error == errc::none);
  CHECK(lab.offset_of() == 10);
  CHECK(lab.commit({a->member, "", 1}, 11)->error == errc::none);
  lab.advance(9000);
  CHECK(lab.heartbeat(a->member, 1).error == errc::none);
  CHECK(lab.describe().phase == group_phase::stable);
  lab.advance(11'000);
  CHECK(lab.heartbeat(a->member, 1).error == errc::unknown_member);
}

TEST_CASE("a coordinator that is lost within a rebalance costs one rebalance and no generation") {
  group_lab lab;
  lab.commits = false;
  const auto lost = lab.join(group_lab::classic_join(""));
  lab.fail_over();
  REQUIRE(lost.is_there());
  CHECK(lost->error == errc::not_coordinator);
  CHECK(lab.describe().error == errc::unknown_group);

  lab.commits = true;
  const auto joined = lab.join(group_lab::classic_join(""));
  lab.commits = false;
  const auto waits = lab.sync(joined->member, 1, {{joined->member, text("mine")}});
  lab.fail_over();
  CHECK(waits->error == errc::not_coordinator);
  CHECK(lab.heartbeat(joined->member, 1).error == errc::rebalance_in_progress);
  lab.commits = true;
  const auto again = lab.join(group_lab::classic_join(joined->member));
  REQUIRE(again.is_there());
  CHECK(again->generation == 2);
  CHECK(lab.sync(joined->member, 2, {{joined->member, text("mine")}})->assignment == text("mine"));
}

TEST_CASE("who does not coordinate says who does") {
  group_lab lab;
  lab.coordinator->follow(7);
  const auto joined = lab.join(group_lab::classic_join(""));
  CHECK(joined->error == errc::not_coordinator);
  CHECK(joined->coordinator == 7);
  CHECK(lab.sync("m", 1)->coordinator == 7);
  CHECK(lab.heartbeat("m", 1).error == errc::not_coordinator);
  CHECK(lab.leave({{"m", "", -1}}).error == errc::not_coordinator);
  CHECK(lab.commit({}, 1)->error == errc::not_coordinator);
  CHECK(lab.offsets().error == errc::not_coordinator);
  CHECK(lab.describe().error == errc::not_coordinator);
  CHECK(lab.remove() == errc::not_coordinator);
  lab.coordinator->follow(1);
  CHECK(lab.heartbeat("m", 1).error == errc::coordinator_loading);
}

TEST_CASE("many commits go into one entry of the log, and are answered when it is committed") {
  group_lab lab;
  lab.commits = false;
  std::vector<awaited<commit_answer>> answers;
  for (int i = 0; i < 100; ++i)
    answers.push_back(lab.commit({}, i, i % 4));
  CHECK_FALSE(answers[0].is_there());
  REQUIRE(lab.commit_one());
  CHECK(answers[0].is_there());
  CHECK_FALSE(answers[1].is_there());
  REQUIRE(lab.commit_one());
  CHECK(answers[99].is_there());
  CHECK_FALSE(lab.commit_one());
  CHECK(lab.offset_of(3) == 99);

  const auto lost = lab.commit({}, 1000);
  const auto queued = lab.commit({}, 1001);
  lab.refuse_all(errc::storage_full);
  CHECK(lost->error == errc::storage_full);
  CHECK_FALSE(queued.is_there());
  lab.commit_all();
  CHECK(queued->error == errc::none);
}

TEST_CASE("rows of a commit are judged one by one") {
  group_lab lab;
  awaited<commit_answer> answer;
  lab.coordinator->handle(commit_call{"g",
                                      {},
                                      {{group_lab::key(0), 1, 3, "fine"},
                                       {group_lab::key(1), 1, -1, std::string(5000, 'x')},
                                       {group_lab::key(2), -5, -1, ""}},
                                      answer.taker()},
                          lab.now);
  lab.commit_all();
  CHECK(answer->rows == std::vector{errc::none, errc::metadata_too_large, errc::invalid_request});
  REQUIRE(lab.offsets().rows.size() == 1);
  CHECK(lab.offsets().rows[0].value == offset_record{1, 3, "fine", lab.now.wall_ms});
  for (const auto none : {-1, -2}) {
    CHECK(lab.commit({}, none)->rows == std::vector{errc::none});
    CHECK(lab.offsets().rows.empty());
    CHECK(lab.commit({}, 7)->rows == std::vector{errc::none});
  }
  CHECK(lab.commit({}, 1, 0, "")->error == errc::invalid_group);
  CHECK(lab.commit({"m", "", 1}, 1)->error == errc::unknown_member);
}

TEST_CASE("offsets of a group with members are the members'") {
  group_lab lab;
  const auto a = lab.join(group_lab::native_join("", {"t"}));
  CHECK(lab.commit({}, 5)->error == errc::unknown_member);
  CHECK(lab.commit({a->member, "", 1}, 5)->error == errc::none);
  CHECK(lab.commit({a->member, "", 2}, 6)->error == errc::generation_mismatch);
  CHECK(lab.remove() == errc::group_not_empty);

  awaited<delete_offsets_answer> answer;
  lab.coordinator->handle(
      delete_offsets_call{
          "g", {{group_lab::key(0), "t"}, {group_lab::key(1), "other"}}, answer.taker()},
      lab.now);
  lab.commit_all();
  CHECK(answer->rows == std::vector{errc::group_subscribed, errc::none});

  CHECK(lab.leave({{a->member, "", -1}}).members == std::vector{errc::none});
  CHECK(lab.commit({}, 5)->error == errc::none);
  CHECK(lab.remove() == errc::none);
  CHECK(lab.offsets().rows.empty());
  CHECK(lab.describe().error == errc::unknown_group);
  CHECK(lab.remove() == errc::unknown_group);
  CHECK(lab.rows.empty());
}

TEST_CASE("offsets expire when nobody uses the group for long, and not before") {
  group_limits bounds;
  bounds.initial_delay_ms = 0;
  bounds.retention_ms = 600'000;
  group_lab lab(bounds);
  const auto a = lab.join(group_lab::native_join("", {"t"}));
  CHECK(lab.commit({a->member, "", 1}, 5)->error == errc::none);
  for (int i = 0; i < 200; ++i) {
    lab.advance(5000, 5000);
    REQUIRE(lab.heartbeat(a->member, 1).error == errc::none);
  }
  CHECK(lab.offset_of() == 5);
  (void)lab.leave({{a->member, "", -1}});
  lab.advance(500'000, 5000);
  CHECK(lab.offset_of() == 5);
  lab.advance(300'000, 5000);
  CHECK(lab.offset_of() == -1);
  CHECK(lab.describe().error == errc::unknown_group);

  CHECK(lab.commit({}, 7, 0, "simple")->error == errc::none);
  lab.advance(800'000, 5000);
  CHECK(lab.offsets("simple").rows.empty());

  // Topics that are gone for good take their offsets along, whoever is there.
  const auto b = lab.join(group_lab::native_join("", {"t"}));
  CHECK(lab.commit({b->member, "", b->generation}, 5)->error == errc::none);
  lab.is_gone = true;
  for (int i = 0; i < 20; ++i) {
    lab.advance(5000, 5000);
    (void)lab.heartbeat(b->member, b->generation);
  }
  CHECK(lab.offset_of() == -1);
}

TEST_CASE("groups are listed with what they are") {
  group_lab lab;
  (void)lab.join(group_lab::native_join("", {"t"}));
  (void)lab.commit({}, 1, 0, "simple");
  awaited<list_groups_answer> answer;
  lab.coordinator->handle(list_groups_call{answer.taker()}, lab.now);
  REQUIRE(answer->groups.size() == 2);
  CHECK(answer->groups[0].id == "g");
  CHECK(answer->groups[0].phase == group_phase::stable);
  CHECK(answer->groups[0].members == 1);
  CHECK(answer->groups[0].protocol_type == "consumer");
  CHECK(answer->groups[1].id == "simple");
  CHECK(answer->groups[1].phase == group_phase::empty);
  CHECK(lab.describe().group.members[0].client_id == "c");
  for (const auto phase : {group_phase::empty, group_phase::preparing, group_phase::completing,
                           group_phase::stable, group_phase::dead})
    CHECK_FALSE(to_string(phase).empty());
}

TEST_SUITE_END();
