// The actor around the coordinator of consumer groups, on a node of its own under CAF's test
// coordinator: that it answers what is durable, keeps time, stops and starts as it should. What it
// decides is tested in tests/consumer_group.
#include "actors/consumer_group/assignors.hpp"
#include "actors/consumer_group/group_partition.hpp"
#include "protocol/consumer_protocol.hpp"
#include "tests/simulation/sim_node.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>

#include <optional>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

constexpr std::int32_t session_ms = 3000;
/// Until a group's first rebalance is over, and the coordinator has looked.
constexpr std::int64_t join_ms = 1000;
const offset_key key{{}, 1};

join_call join_of(const std::string& member) {
  join_call call;
  call.group = "g";
  call.member = member;
  call.brings_id = true;
  call.protocol_type = protocol::consumer_protocol_type;
  call.session_timeout_ms = session_ms;
  call.rebalance_timeout_ms = 10 * session_ms;
  call.kind = member_kind::coordinator_assigned;
  protocol::consumer_subscription wish;
  wish.topics = {"t"};
  call.protocols = {{std::string(range_assignor), protocol::encode_subscription(wish)}};
  return call;
}

commit_call commit_of(const std::string& member, std::int32_t generation, std::int64_t offset) {
  commit_call call;
  call.group = "g";
  call.who = {member, "", generation};
  call.rows = {{key, offset, -1, ""}};
  return call;
}

struct shell {
  explicit shell(std::uint64_t seed) : machine(seed) {
    boot();
    const auto topic = node->create_topic("t", 4);
    REQUIRE((topic->has_value() && **topic));
    const auto own = node->create_coordinators(1);
    REQUIRE((own->has_value() && **own));
    node->run_for(join_ms);
  }

  void boot() {
    node.emplace(machine);
    node->settle();
    node->run_for(join_ms);
  }
  void cut_power(std::uint64_t seed) {
    node.reset();
    machine.crash(seed);
    boot();
  }

  /// Puts the question into the mailbox.
  template <class Answer, class Call>
  answer<Answer> send(Call call) {
    auto to = std::make_shared<std::optional<Answer>>();
    call.done = [to](Answer got) {
      CHECK_FALSE(to->has_value());
      to->emplace(std::move(got));
    };
    const auto topic = node->directory().find(group_topic_name);
    REQUIRE(topic);
    caf::anon_send(topic->partitions[0]->coordinator, group_call{std::move(call)});
    return to;
  }
  template <class Answer, class Call>
  Answer ask(Call call) {
    const auto to = send<Answer>(std::move(call));
    node->run_for(join_ms);
    REQUIRE(to->has_value());
    return std::move(**to);
  }
  std::int32_t join(const std::string& member) {
    const auto joined = ask<join_answer>(join_of(member));
    REQUIRE_MESSAGE(joined.error == errc::none, joined.message);
    return joined.generation;
  }
  std::optional<std::int64_t> committed() {
    fetch_offsets_call call;
    call.group = "g";
    const auto fetched = ask<fetch_offsets_answer>(std::move(call));
    REQUIRE_MESSAGE(fetched.error == errc::none, fetched.message);
    return fetched.rows.empty() ? std::nullopt : std::optional(fetched.rows[0].value.offset);
  }
  group_phase phase() {
    describe_group_call call;
    call.group = "g";
    return ask<describe_group_answer>(std::move(call)).phase;
  }
  errc beat(const std::string& member, std::int32_t generation) {
    heartbeat_call call;
    call.group = "g";
    call.who = {member, "", generation};
    return ask<heartbeat_answer>(std::move(call)).error;
  }

  sim_machine machine;
  std::optional<sim_node> node;
};

} // namespace

TEST_SUITE("simulation.group_shell") {
  TEST_CASE("a generation, its members and their commits outlive the power") {
    shell on(1);
    const auto joined = on.ask<join_answer>(join_of("m"));
    REQUIRE_MESSAGE(joined.error == errc::none, joined.message);
    const auto assignment = protocol::decode_assignment(joined.assignment);
    REQUIRE(assignment);
    CHECK(assignment->partitions.at(0).partitions == std::vector<std::int32_t>{0, 1, 2, 3});
    CHECK(on.ask<commit_answer>(commit_of("m", joined.generation, 7)).error == errc::none);

    on.cut_power(2);
    // Whoever leads next grants the member a session of its own.
    CHECK(on.phase() == group_phase::stable);
    CHECK(on.beat("m", joined.generation) == errc::none);
    CHECK(on.committed() == 7);
    CHECK(on.ask<commit_answer>(commit_of("m", joined.generation, 8)).error == errc::none);
    CHECK(on.committed() == 8);
  }

  TEST_CASE("a commit that was answered is there after a power cut at any moment") {
    int answered = 0;
    int lost = 0;
    for (std::size_t messages = 0; messages < 40; ++messages) {
      CAPTURE(messages);
      shell on(10 + messages);
      const auto generation = on.join("m");
      REQUIRE(on.ask<commit_answer>(commit_of("m", generation, 1)).error == errc::none);
      const auto commit = on.send<commit_answer>(commit_of("m", generation, 2));
      on.node->run_part(messages);
      const bool is_answered = commit->has_value();
      on.cut_power(100 + messages);
      const auto found = on.committed();
      REQUIRE(found);
      CHECK(*found >= (is_answered ? 2 : 1));
      answered += is_answered ? 1 : 0;
      lost += *found == 1 ? 1 : 0;
    }
    // Both ends were seen, or the test shows nothing.
    CHECK(answered > 0);
    CHECK(lost > 0);
  }

  TEST_CASE("a member that says nothing is gone after its session, and not before") {
    shell on(3);
    const auto generation = on.join("m");
    on.node->run_for(session_ms - 2 * join_ms);
    CHECK(on.phase() == group_phase::stable);
    CHECK(on.beat("m", generation) == errc::none);
    on.node->run_for(session_ms - 2 * join_ms);
    CHECK(on.phase() == group_phase::stable);
    on.node->run_for(session_ms);
    CHECK(on.phase() == group_phase::empty);
    CHECK(on.beat("m", generation) == errc::unknown_member);
    // The clock of a group that has nobody to watch goes slowly; the next member is watched again.
    on.node->run_for(60'000);
    CHECK(on.join("n") > generation);
    on.node->run_for(session_ms + join_ms);
    CHECK(on.phase() == group_phase::empty);
  }

  TEST_CASE("a join that waits for others is answered when the node stops, and once") {
    shell on(4);
    const auto generation = on.join("m");
    CHECK(on.beat("m", generation) == errc::none);
    // It waits for "m" to join again.
    const auto waiting = on.send<join_answer>(join_of("n"));
    on.node->run_for(100);
    CHECK_FALSE(waiting->has_value());
    on.node->stop();
    REQUIRE(on.node->is_stopped());
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->error == errc::not_coordinator);
  }

  TEST_CASE("records are neither taken nor given") {
    shell on(5);
    const std::string name(group_topic_name);
    const auto produced = on.node->produce(name, 0, make_batch("v"));
    REQUIRE(produced->has_value());
    CHECK((*produced)->error == errc::invalid_topic);
    const auto fetched = on.node->fetch(name, 0, 0);
    REQUIRE(fetched->has_value());
    CHECK((*fetched)->error == errc::invalid_topic);
  }

  TEST_CASE("a question that comes while the log is being opened is answered when it is open") {
    shell on(6);
    (void)on.join("m");
    on.node.reset();
    on.machine.keep_all();
    on.node.emplace(on.machine);
    const auto is_there = [&] {
      const auto topic = on.node->directory().find(group_topic_name);
      return topic && !topic->partitions.empty() && topic->partitions[0]->coordinator;
    };
    for (int steps = 0; steps < 10'000 && !is_there(); ++steps)
      on.node->run_part(1);
    REQUIRE(is_there());
    const auto early = on.send<list_groups_answer>(list_groups_call());
    CHECK_FALSE(early->has_value());
    on.node->run_for(join_ms);
    REQUIRE(early->has_value());
    // Whether it led by then is another matter.
    CHECK(((*early)->error == errc::none || (*early)->error == errc::not_coordinator ||
           (*early)->error == errc::coordinator_loading));
    CHECK(on.phase() == group_phase::stable);
  }
}
