// Consumer groups on a simulated cluster: the shipped coordinators over replicated logs, with
// members of both protocols that join, crash and stand still while coordinators are lost.
#include "actors/consumer_group/group_partition.hpp"
#include "tests/simulation/group_cluster.hpp"
#include "tests/simulation/sim_speed.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.consumer_group");

namespace {

constexpr int rounds = 40;

/// As it has to be for a test that begins with it.
struct group_on_cluster : group_cluster {
  explicit group_on_cluster(std::uint64_t seed) : group_cluster(seed) { REQUIRE(is_there()); }
};

/// What the coordinator on `node` says to a commit of who is no member.
commit_answer commit(group_cluster& life, std::int32_t node, std::int64_t offset) {
  const auto answer = std::make_shared<std::optional<commit_answer>>();
  commit_call call;
  call.group = sim_group_name;
  call.rows = {{{uuid{}, 0}, offset, -1, ""}};
  call.done = [answer](commit_answer said) { *answer = std::move(said); };
  caf::anon_send(life.route(node)->coordinator, group_call{std::move(call)});
  REQUIRE(life.cluster.run_until([&] { return answer->has_value(); }, 5000));
  return **answer;
}

void check_clean(const group_book& book) {
  for (const auto& sentence : book.broken)
    FAIL_CHECK(sentence);
}

/// Two members that share everything, and a third one that joins: how many generations that takes
/// when the coordinator is lost as soon as the group is in that phase, or is not lost.
std::int32_t generations_of(sim_member_kind kind, std::uint64_t seed,
                            std::optional<group_phase> lost_in) {
  group_on_cluster life(seed);
  life.add_member(kind);
  life.add_member(kind, "static");
  REQUIRE(life.settles_within(30'000));
  life.run_for(2000);
  REQUIRE(life.book.commits > 0);
  const auto before = life.members[0]->generation();
  life.add_member(kind);
  std::int32_t lost = 0;
  if (lost_in) {
    lost = life.run_until_phase(*lost_in, 5000);
    REQUIRE(lost != 0);
    life.cluster.crash(lost);
  }
  CHECK(life.settles_within(30'000));
  // Whatever was still to be done is done.
  life.run_for(5000);
  CHECK(life.is_shared_out());
  CHECK(life.check_offsets());
  if (lost != 0) {
    CHECK(life.coordinator() != lost);
    life.cluster.start(lost);
  }
  CHECK(life.cluster.run_until([&] { return life.cluster.unrest().empty(); }, 60'000));
  check_clean(life.book);
  CHECK(life.cluster.ledger().is_clean());
  return life.members[0]->generation() - before;
}

} // namespace

TEST_CASE("members go on when their coordinator is lost, with what they had and had committed") {
  group_on_cluster life(3);
  life.add_member();
  life.add_member();
  REQUIRE(life.settles_within(30'000));
  life.run_for(3000);
  const auto generation = life.members[0]->generation();
  REQUIRE(life.book.commits > 10);

  const auto lost = life.coordinator();
  REQUIRE(lost != 0);
  life.cluster.crash(lost);
  REQUIRE(life.cluster.run_until([&] { return life.coordinator() != 0; }, 20'000));
  life.run_for(3000);
  REQUIRE(life.settles_within(30'000));
  CHECK(life.members[0]->generation() <= generation + 1);
  life.cluster.start(lost);
  CHECK(life.cluster.run_until([&] { return life.cluster.unrest().empty(); }, 60'000));
  CHECK(life.cluster.ledger().is_clean());
}

TEST_CASE("who was just elected is the coordinator, though it may be loading") {
  group_on_cluster life(5);
  const auto lost = life.coordinator();
  REQUIRE(lost != 0);
  life.cluster.crash(lost);
  REQUIRE(life.cluster.run_until([&] { return life.successor_of(lost) != 0; }, 20'000));
  const auto elected = life.successor_of(lost);
  // What a client asks whom FindCoordinator has sent to this node.
  const auto answer = std::make_shared<std::optional<heartbeat_answer>>();
  heartbeat_call call;
  call.group = "g";
  call.who = {"nobody", "", 1};
  call.done = [answer](heartbeat_answer said) { *answer = std::move(said); };
  caf::anon_send(life.route(elected)->coordinator, group_call{std::move(call)});
  REQUIRE(life.cluster.run_until([&] { return answer->has_value(); }, 5000));
  CHECK((*answer)->error != errc::not_coordinator);
}

TEST_CASE("offsets that are asked for of a coordinator that is deposed meanwhile are refused") {
  group_on_cluster life(6);
  const auto deposed = life.coordinator();
  REQUIRE(deposed != 0);
  REQUIRE(commit(life, deposed, 1).error == errc::none);

  // It stands still while the others elect another one, which takes the next commit.
  life.cluster.wires().isolate(deposed, 3);
  life.cluster.pause(deposed, true);
  REQUIRE(life.cluster.run_until([&] { return life.successor_of(deposed) != 0; }, 20'000));
  const auto elected = life.successor_of(deposed);
  REQUIRE(
      life.cluster.run_until([&] { return commit(life, elected, 2).error == errc::none; }, 5000));
  life.cluster.pause(deposed, false);

  int answers = 0;
  fetch_offsets_answer read;
  fetch_offsets_call call;
  call.group = "g";
  call.done = [&](fetch_offsets_answer said) {
    ++answers;
    read = std::move(said);
  };
  caf::anon_send(life.route(deposed)->coordinator, group_call{std::move(call)});
  life.cluster.run_for(1);
  // It takes itself for the coordinator, and cannot prove it.
  CHECK(life.route(deposed)->leader == deposed);
  CHECK(answers == 0);
  life.cluster.heal_network();
  REQUIRE(life.cluster.run_until([&] { return answers > 0; }, 5000));
  life.cluster.run_for(1000);
  CHECK(answers == 1);
  CHECK((read.error == errc::not_coordinator || read.error == errc::coordinator_loading));
  CHECK(read.rows.empty());
}

TEST_CASE("a coordinator that is out of service sends everybody to who took over") {
  group_on_cluster life(7);
  const auto broken = life.coordinator();
  REQUIRE(broken != 0);
  REQUIRE(commit(life, broken, 1).error == errc::none);

  caf::anon_send(life.route(broken)->handle,
                 group_event{group_failed{{errc::internal, "an invariant is broken"}}});
  const auto refused = commit(life, broken, 2);
  CHECK(refused.error == errc::not_coordinator);
  CHECK(refused.message == "an invariant is broken");
  CHECK(refused.coordinator == -1);
  const auto elected = [&] { return life.successor_of(broken); };
  REQUIRE(life.cluster.run_until([&] { return elected() != 0; }, 20'000));
  CHECK(
      life.cluster.run_until([&] { return commit(life, elected(), 3).error == errc::none; }, 5000));
  CHECK(commit(life, broken, 4).error == errc::not_coordinator);
}

TEST_CASE("news that were behind a coordinator's failure do not bring it back") {
  group_on_cluster life(8);
  const auto broken = life.coordinator();
  REQUIRE(broken != 0);
  const auto route = life.route(broken);
  const auto tell = [&](auto news) { caf::anon_send(route->handle, group_event{std::move(news)}); };
  const auto term = static_cast<std::uint64_t>(route->leader_epoch.load());
  tell(group_failed{{errc::internal, "an invariant is broken"}});
  tell(group_leadership{term + 1, broken, true});
  life.cluster.run_for(1);
  const auto named = route->leader.load();
  CHECK(named > 0);
  CHECK(named != broken);
  SUBCASE("who took over is worth knowing") {
    const auto other = broken % 3 + 1;
    tell(group_leadership{term + 2, other, false});
    life.cluster.run_for(1);
    CHECK(route->leader == other);
    CHECK(route->leader_epoch == static_cast<std::int32_t>(term + 2));
  }
  SUBCASE("that nobody leads is not") {
    tell(group_leadership{term + 2, -1, false});
    life.cluster.run_for(1);
    CHECK(route->leader == named);
  }
}

TEST_CASE("the internal topic keeps no records and says so") {
  group_on_cluster life(4);
  const auto node = life.cluster.broker(1).directory().find(group_topic_name);
  REQUIRE(node);
  CHECK(node->record.partitions.size() == 2);
  const auto answered = std::make_shared<std::optional<error>>();
  protocol::delete_topic_request removal;
  removal.name = group_topic_name;
  life.cluster.broker(1).ask_controller(
      removal, [answered](const result<controller_answer>& answer) { *answered = answer.error(); });
  REQUIRE(life.cluster.run_until([&] { return answered->has_value(); }, 10'000));
  CHECK((*answered)->code == errc::invalid_topic);
}

TEST_CASE("a coordinator that is lost in the middle of a rebalance costs one more at most") {
  for (const auto kind : {sim_member_kind::native, sim_member_kind::classic})
    for (std::uint64_t seed = 21; seed <= 24; ++seed) {
      CAPTURE(seed);
      CAPTURE(static_cast<int>(kind));
      const auto undisturbed = generations_of(kind, seed, std::nullopt);
      CHECK(undisturbed > 0);
      CHECK(generations_of(kind, seed, group_phase::preparing) <= undisturbed + 1);
      CHECK(generations_of(kind, seed, group_phase::completing) <= undisturbed + 1);
    }
}

TEST_CASE("groups keep their promises in random lives of a cluster") {
  // AQUEDUCT_GROUP_SEEDS=FIRST-LAST runs others.
  std::uint64_t first = 1;
  std::uint64_t last = 60;
  if (const char* given = std::getenv("AQUEDUCT_GROUP_SEEDS"))
    REQUIRE(std::sscanf(given, "%" SCNu64 "-%" SCNu64, &first, &last) == 2);
  const auto lives = last - first + 1;
  std::size_t commits = 0;
  std::size_t joins = 0;
  std::size_t assignments = 0;
  std::size_t board_answers = 0;
  std::int64_t simulated_ms = 0;
  case_counts cases;
  events_per_second speed;
  for (auto seed = first; seed <= last; ++seed) {
    group_life life(seed);
    for (const auto& sentence : life.run(rounds))
      FAIL_CHECK("seed " << seed << ": " << sentence);
    CAPTURE(seed);
    CHECK(life.book().joins > 0);
    joins += life.book().joins;
    commits += life.book().commits;
    assignments += life.book().assignments;
    board_answers += life.book().board_answers;
    simulated_ms += life.simulated_ms();
    cases.add(life.cases());
    speed.add(life.events());
  }
  MESSAGE(lives << " lives of consumer groups, " << simulated_ms / 1000 << " s, " << speed.text()
                << ", " << joins << " joins, " << assignments << " assignments by members, "
                << commits << " offsets committed\n"
                << cases.table(life_kind::consumers));
  if (lives < 20)
    return;
  for (const auto& name : cases.missing(life_kind::consumers))
    FAIL_CHECK("in " << lives << " lives of consumer groups this never came up: " << name);
  CHECK(commits > 50 * lives);
  CHECK(assignments > lives);
  CHECK(board_answers > 20 * lives);
}

TEST_CASE("a seed is the same life of a consumer group every time") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    group_life first(seed);
    group_life second(seed);
    CHECK(first.run(rounds).empty());
    CHECK(second.run(rounds).empty());
    CHECK(first.trace() == second.trace());
  }
}

TEST_SUITE_END();
