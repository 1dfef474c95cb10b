// The pure parts of a cluster of several nodes: who founds it, who is there, who is a member, where
// replicas go.
#include "actors/controller/broker_sessions.hpp"
#include "actors/controller/pending_commands.hpp"
#include "actors/controller/placement_plan.hpp"
#include "actors/controller/questions.hpp"
#include "actors/discovery/seed_survey.hpp"
#include "actors/replica/catch_up_pacer.hpp"
#include "actors/replica/member_plan.hpp"
#include "protocol/native/codec.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <set>

using namespace aqueduct;
using namespace aqueduct::actors;
using protocol::cluster::hello_answer;

namespace {

uuid cluster_of(std::uint8_t number) {
  uuid id;
  id.bytes[0] = number;
  return id;
}

hello_answer answer_of_node(std::int32_t node, const uuid& cluster = {}) {
  hello_answer answer;
  answer.node = node;
  answer.session = static_cast<std::uint64_t>(node) * 100;
  answer.cluster = cluster;
  return answer;
}

seed_survey survey_of(std::int32_t node, std::size_t seeds) {
  std::vector<config::endpoint> list;
  for (std::size_t i = 0; i < seeds; ++i)
    list.push_back({"host-" + std::to_string(i + 1), 9093});
  seed_survey survey(list, node, static_cast<std::uint64_t>(node) * 100);
  survey.begin();
  return survey;
}

raft::replica_id replica(std::int32_t node, std::uint64_t incarnation = 1) {
  return {raft::node_id(node), raft::incarnation(incarnation)};
}

std::string next(const raft::membership& members, std::vector<raft::replica_id> wanted,
                 std::size_t voters_max = 5, std::vector<raft::replica_id> listeners = {}) {
  const auto change = next_member_change(members, wanted, voters_max, replica(1), listeners);
  return change ? raft::to_string(*change) : "nothing";
}

} // namespace

TEST_SUITE("actors.seed_survey") {
  TEST_CASE("without seeds a node founds a cluster at once") {
    auto survey = survey_of(1, 0);
    REQUIRE(survey.outcome());
    CHECK(**survey.outcome() == survey_outcome{});
  }

  TEST_CASE("of empty nodes the one with the lowest id founds, when all are there") {
    for (const std::int32_t self : {1, 2, 3}) {
      auto survey = survey_of(self, 3);
      survey.answered(0, answer_of_node(1));
      survey.answered(2, answer_of_node(3));
      CHECK_FALSE(survey.outcome());
      CHECK(survey.state() == "waiting for the nodes at host-2:9093");
      survey.failed(1, {errc::broker_unavailable, "connection refused"});
      CHECK(survey.is_complete());
      CHECK_FALSE(survey.outcome());
      CHECK(survey.state() == "waiting for the nodes at host-2:9093 (connection refused)");
      survey.answered(1, answer_of_node(2));
      if (self == 1) {
        REQUIRE(survey.outcome());
        CHECK(**survey.outcome() == survey_outcome{{}, 3});
      } else {
        CHECK_FALSE(survey.outcome());
        CHECK(survey.state() == "waiting for node 1 to found the cluster");
      }
    }
  }

  TEST_CASE("a new survey forgets who was there in the last one") {
    auto survey = survey_of(1, 2);
    survey.answered(0, answer_of_node(1));
    survey.begin();
    survey.answered(1, answer_of_node(2));
    CHECK_FALSE(survey.outcome());
    CHECK_FALSE(survey.is_complete());
  }

  TEST_CASE("one node of a cluster is enough to join it, whoever else is missing") {
    auto survey = survey_of(1, 3);
    survey.answered(2, answer_of_node(3, cluster_of(7)));
    REQUIRE(survey.outcome());
    CHECK((*survey.outcome())->cluster == cluster_of(7));
  }

  TEST_CASE("a node that is not in its own list only joins") {
    auto survey = survey_of(1, 2);
    survey.answered(0, answer_of_node(2));
    survey.answered(1, answer_of_node(3));
    CHECK_FALSE(survey.outcome());
    CHECK(survey.state().find("only joins") != std::string::npos);
  }

  TEST_CASE("seeds of two clusters, and a second node with the same id, are for a person to mend") {
    auto survey = survey_of(1, 2);
    survey.answered(0, answer_of_node(2, cluster_of(7)));
    survey.answered(1, answer_of_node(3, cluster_of(8)));
    REQUIRE(survey.outcome());
    CHECK(survey.outcome()->error().code == errc::conflict);
    CHECK(survey.outcome()->error().message.find("different clusters") != std::string::npos);
    survey.begin();
    auto twin = answer_of_node(1, cluster_of(7));
    twin.session = 99;
    survey.answered(0, twin);
    REQUIRE(survey.outcome());
    CHECK(survey.outcome()->error().message.find("node.id must be unique") != std::string::npos);
  }
}

TEST_SUITE("actors.placement_plan") {
  TEST_CASE("replicas and preferred leaders are spread evenly, on distinct brokers") {
    placement_plan plan;
    for (const std::int32_t node : {1, 2, 3, 4, 5})
      plan.add({node, "", 0, 0});
    std::map<std::int32_t, int> replicas;
    std::map<std::int32_t, int> leaders;
    for (int i = 0; i < 50; ++i) {
      const auto nodes = plan.place(3);
      CHECK(std::set<std::int32_t>(nodes.begin(), nodes.end()).size() == 3);
      ++leaders[nodes.front()];
      for (const auto node : nodes)
        ++replicas[node];
    }
    for (const std::int32_t node : {1, 2, 3, 4, 5}) {
      CHECK(replicas[node] == 30);
      CHECK(leaders[node] == 10);
    }
  }

  TEST_CASE("replicas are in distinct racks as long as there are some") {
    placement_plan plan;
    plan.add({1, "a", 0, 0});
    plan.add({2, "a", 0, 0});
    plan.add({3, "b", 100, 0});
    for (int i = 0; i < 10; ++i) {
      const auto nodes = plan.place(2);
      CHECK(std::set<std::int32_t>(nodes.begin(), nodes.end()).contains(3));
    }
    CHECK(plan.place(3).size() == 3);
  }

  TEST_CASE("the emptiest brokers come first, and the one with the fewest leaders leads") {
    placement_plan plan;
    plan.add({1, "", 10, 0});
    plan.add({2, "", 1, 5});
    plan.add({3, "", 2, 4});
    CHECK(plan.place(2) == std::vector<std::int32_t>{3, 2});
  }

  TEST_CASE("a disk has room in quarters, and is full when less than a tenth is free") {
    CHECK(disk_room{}.free_quarters() == 4);
    CHECK_FALSE(disk_room{}.is_full());
    CHECK(disk_room{1000, 1000}.free_quarters() == 4);
    CHECK(disk_room{751, 1000}.free_quarters() == 4);
    CHECK(disk_room{750, 1000}.free_quarters() == 3);
    CHECK(disk_room{251, 1000}.free_quarters() == 2);
    CHECK(disk_room{250, 1000}.free_quarters() == 1);
    CHECK(disk_room{0, 1000}.free_quarters() == 1);
    CHECK_FALSE(disk_room{100, 1000}.is_full());
    CHECK(disk_room{99, 1000}.is_full());
    const auto whole = std::numeric_limits<std::uint64_t>::max();
    CHECK(disk_room{whole, whole}.free_quarters() == 4);
    CHECK(disk_room{0, whole}.is_full());
  }

  TEST_CASE("replicas go by the room on the disks, and small differences do not matter") {
    std::map<std::int32_t, int> replicas;
    placement_plan plan;
    plan.add({1, "", 0, 0, {1000, 1000}});
    plan.add({2, "", 0, 0, {760, 1000}});
    plan.add({3, "", 0, 0, {400, 1000}});
    plan.add({4, "", 0, 0, {200, 1000}});
    for (int i = 0; i < 110; ++i)
      ++replicas[plan.place(1).front()];
    CHECK(replicas[1] == 40);
    CHECK(replicas[2] == 40);
    CHECK(replicas[3] == 20);
    CHECK(replicas[4] == 10);
  }

  TEST_CASE("disks that are all but alike, or of which one is not known, do not count") {
    for (const disk_room other : {disk_room{510, 1000}, disk_room{595, 1000}, disk_room{}}) {
      placement_plan plan;
      plan.add({1, "", 0, 0, {500, 1000}});
      plan.add({2, "", 0, 0, other});
      plan.add({3, "", 0, 0, {20, 1000}});
      std::map<std::int32_t, int> replicas;
      for (int i = 0; i < 20; ++i)
        ++replicas[plan.place(1).front()];
      CHECK(replicas[1] == 10);
      CHECK(replicas[2] == 10);
      CHECK(replicas[3] == 0);
    }
    placement_plan plan;
    plan.add({1, "", 0, 0, {500, 1000}});
    plan.add({2, "", 0, 0, {600, 1000}});
    std::map<std::int32_t, int> replicas;
    for (int i = 0; i < 20; ++i)
      ++replicas[plan.place(1).front()];
    CHECK(replicas[1] == 8);
    CHECK(replicas[2] == 12);
  }

  TEST_CASE("a full disk is the last choice, also if two replicas come to be in one rack") {
    placement_plan plan;
    plan.add({1, "a", 50, 0, {500, 1000}});
    plan.add({2, "a", 50, 0, {500, 1000}});
    plan.add({3, "b", 0, 0, {50, 1000}});
    for (int i = 0; i < 5; ++i) {
      const auto nodes = plan.place(2);
      CHECK(std::set<std::int32_t>(nodes.begin(), nodes.end()) == std::set<std::int32_t>{1, 2});
    }
    CHECK(plan.place(3).size() == 3);
  }

  TEST_CASE("a cluster whose disks are all full still places, by the same rules") {
    placement_plan plan;
    for (const std::int32_t node : {1, 2, 3})
      plan.add({node, "", 0, 0, {10, 1000}});
    std::map<std::int32_t, int> replicas;
    for (int i = 0; i < 30; ++i)
      for (const auto node : plan.place(2))
        ++replicas[node];
    for (const std::int32_t node : {1, 2, 3})
      CHECK(replicas[node] == 20);
  }
}

TEST_SUITE("actors.broker_sessions") {
  TEST_CASE("a broker that is silent for a timeout counts as gone, and is back when it is heard") {
    std::map<std::int32_t, broker_record> brokers{{1, {1, "a", 1, ""}}, {2, {2, "b", 1, ""}}};
    broker_sessions sessions(5000);
    sessions.begin(1000);
    sessions.heard(1, 1000);
    CHECK(sessions.changes(brokers, 5999).empty());
    sessions.heard(1, 5999);
    auto changes = sessions.changes(brokers, 6000);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].node == 2);
    CHECK(changes[0].fenced);
    CHECK_FALSE(sessions.is_alive(2, 6000));
    brokers[2].fenced = true;
    CHECK(sessions.changes(brokers, 6001).empty());
    sessions.heard(2, 6002);
    changes = sessions.changes(brokers, 6002);
    REQUIRE(changes.size() == 1);
    CHECK_FALSE(changes[0].fenced);
  }

  TEST_CASE("a new leader gives everybody a whole timeout") {
    std::map<std::int32_t, broker_record> brokers{{1, {1, "a", 1, ""}}};
    broker_sessions sessions(5000);
    sessions.begin(1000);
    sessions.heard(1, 1000);
    sessions.begin(20'000);
    CHECK(sessions.changes(brokers, 24'999).empty());
    CHECK(sessions.changes(brokers, 25'000).size() == 1);
  }

  TEST_CASE("what brokers say of their disks holds until they say something else, or office ends") {
    broker_sessions sessions(5000);
    sessions.begin(1000);
    sessions.told(1, {5, 10});
    sessions.told(2, {6, 10});
    sessions.told(1, {4, 10});
    CHECK(sessions.disks() == std::map<std::int32_t, disk_room>{{1, {4, 10}}, {2, {6, 10}}});
    sessions.begin(2000);
    CHECK(sessions.disks().empty());
  }
}

TEST_SUITE("actors.member_plan") {
  TEST_CASE("a new node is a learner first, then a voter") {
    CHECK(next({{replica(1)}, {}}, {replica(1), replica(2)}) ==
          raft::to_string(raft::membership_change(raft::add_learner{replica(2)})));
    CHECK(next({{replica(1)}, {replica(2)}}, {replica(1), replica(2)}) ==
          raft::to_string(raft::membership_change(raft::promote_learner{replica(2)})));
    CHECK(next({{replica(1), replica(2)}, {}}, {replica(1), replica(2)}) == "nothing");
  }

  TEST_CASE("there are no more voters than wanted, the rest learns") {
    CHECK(next({{replica(1), replica(2)}, {replica(3)}}, {replica(1), replica(2), replica(3)}, 2) ==
          "nothing");
  }

  TEST_CASE("another disk takes the place of the one that is lost") {
    CHECK(next({{replica(1), replica(2)}, {}}, {replica(1), replica(2, 9)}) ==
          raft::to_string(raft::membership_change(raft::add_learner{replica(2, 9)})));
  }

  TEST_CASE("who is not wanted goes last, and the leader never of itself") {
    CHECK(next({{replica(1), replica(2), replica(3)}, {}}, {replica(1), replica(2), replica(4)}) ==
          raft::to_string(raft::membership_change(raft::add_learner{replica(4)})));
    CHECK(next({{replica(1), replica(2), replica(3), replica(4)}, {}},
               {replica(1), replica(2), replica(4)}) ==
          raft::to_string(raft::membership_change(raft::remove_replica{replica(3)})));
    CHECK(next({{replica(1), replica(2)}, {}}, {replica(2)}) == "nothing");
  }

  TEST_CASE("who is to listen only leaves its vote, and comes back as a learner") {
    const std::vector<raft::replica_id> both{replica(1), replica(2)};
    CHECK(next({both, {}}, both, 5, {replica(2)}) ==
          raft::to_string(raft::membership_change(raft::remove_replica{replica(2)})));
    CHECK(next({{replica(1)}, {}}, both, 5, {replica(2)}) ==
          raft::to_string(raft::membership_change(raft::add_learner{replica(2)})));
    CHECK(next({{replica(1)}, {replica(2)}}, both, 5, {replica(2)}) == "nothing");
    // Called back.
    CHECK(next({{replica(1)}, {replica(2)}}, both) ==
          raft::to_string(raft::membership_change(raft::promote_learner{replica(2)})));
    // Others vote in its place, and who leads stays.
    CHECK(next({both, {replica(3)}}, {replica(1), replica(2), replica(3)}, 2, {replica(2)}) ==
          raft::to_string(raft::membership_change(raft::remove_replica{replica(2)})));
    CHECK(next({both, {}}, both, 5, {replica(1)}) == "nothing");
  }
}

TEST_SUITE("actors.pending_commands") {
  struct answers {
    std::vector<std::string> list;
    pending_commands::waiter waiter(std::string name) {
      return [this, name](const result<controller_answer>& answer) {
        list.push_back(name + (answer ? "=" + std::to_string(answer->index)
                                      : "!" + std::string(to_string(answer.error().code))));
      };
    }
  };

  controller_answer at(std::uint64_t index) {
    controller_answer answer;
    answer.index = index;
    return answer;
  }

  TEST_CASE("each is answered by its own entry") {
    answers got;
    pending_commands pending;
    pending.add(got.waiter("a"), 100);
    pending.add(got.waiter("b"), 100);
    pending.accepted(5, 2, 2);
    pending.applied(4, 2, at(4));
    CHECK(got.list.empty());
    pending.applied(5, 2, at(5));
    pending.applied(6, 2, unexpected(errc::topic_exists, "there"));
    CHECK(got.list ==
          std::vector<std::string>{"a=5", "b!" + std::string(to_string(errc::topic_exists))});
  }

  TEST_CASE("another term's entry in its place says that the outcome is not known") {
    answers got;
    pending_commands pending;
    pending.add(got.waiter("a"), 100);
    pending.add(got.waiter("b"), 100);
    pending.accepted(5, 2, 2);
    pending.applied(5, 3, at(5));
    CHECK(got.list.size() == 1);
    // A state was taken over that stands for more than the entry of "b".
    pending.applied(9, 3, at(9));
    const auto lost = "!" + std::string(to_string(errc::timed_out));
    CHECK(got.list == std::vector<std::string>{"a" + lost, "b" + lost});
  }

  TEST_CASE("what is refused is what has no place yet, and deadlines hold") {
    answers got;
    pending_commands pending;
    pending.add(got.waiter("a"), 100);
    pending.add(got.waiter("b"), 50);
    pending.add(got.waiter("c"), 100);
    pending.accepted(5, 2, 1);
    pending.refused(1, {errc::not_leader, "no"});
    CHECK(got.list == std::vector<std::string>{"b!" + std::string(to_string(errc::not_leader))});
    pending.expire(99);
    CHECK(got.list.size() == 1);
    pending.expire(100);
    CHECK(got.list.size() == 3);
    pending.applied(5, 2, at(5));
    CHECK(got.list.size() == 3);
  }
}

TEST_SUITE("actors.questions") {
  TEST_CASE("every question comes through as it was asked") {
    std::vector<controller_question_body> bodies;
    broker_record broker{3, "h", 9092, "r"};
    broker.incarnation = 77;
    broker.cluster_host = "c";
    broker.cluster_port = 9093;
    broker.listeners = {{"out", "o", 9192}};
    bodies.emplace_back(register_broker_command{broker});
    bodies.emplace_back(heartbeat_question{3, 77, 1000, 4000});
    protocol::create_topic_request create;
    create.name = "t";
    create.settings.push_back({"retention.ms", "5"});
    bodies.emplace_back(create);
    protocol::alter_topic_request alter;
    alter.name = "t";
    bodies.emplace_back(alter);
    protocol::delete_topic_request removal;
    removal.name = "t";
    bodies.emplace_back(removal);
    bodies.emplace_back(topic_purged_command{cluster_of(1), 3});
    bodies.emplace_back(allocate_producer_ids_command{3, 1000});
    bodies.emplace_back(cancel_move_question{"t", 3, true, true});
    for (const bool relayed : {false, true})
      for (const auto& body : bodies) {
        const controller_question question{relayed, body};
        const auto bytes = encode(question);
        const auto read = decode_controller_question(bytes);
        REQUIRE(read);
        CHECK(read->relayed == relayed);
        CHECK(read->body.index() == body.index());
        CHECK(encode(*read).text() == bytes.text());
        for (std::size_t size = 0; size < bytes.size(); ++size)
          CHECK_FALSE(decode_controller_question(bytes.slice(0, size)));
      }
  }

  TEST_CASE("brokers of before there were listeners are read") {
    broker_record broker{3, "h", 9092, "r"};
    broker.incarnation = 77;
    for (const auto version : {3, 6, 7}) {
      const auto read =
          decode_broker(protocol::encode(broker, static_cast<std::uint16_t>(version)));
      REQUIRE(read);
      CHECK(*read == broker);
    }
    broker.listeners = {{"in", "i", 1}, {"out", "o", 9192}};
    CHECK(*decode_broker(encode_row(broker)) == broker);
  }

  TEST_CASE("a heartbeat of an older node says nothing of its disk") {
    const auto now = std::string(encode({false, heartbeat_question{1, 2, 3, 4}}).text());
    auto before = now.substr(0, now.size() - 2 * sizeof(std::uint64_t));
    before[0] = 6;
    const auto read = decode_controller_question(buffer::copy_of(before));
    REQUIRE(read);
    const auto& heartbeat = std::get<heartbeat_question>(read->body);
    CHECK((heartbeat.node == 1 && heartbeat.incarnation == 2));
    CHECK((heartbeat.disk_free_bytes == 0 && heartbeat.disk_total_bytes == 0));
  }

  TEST_CASE("questions of newer nodes are refused with a sentence") {
    auto text = std::string(encode({false, heartbeat_question{1, 1}}).text());
    for (const auto version : {0, int{state_version} + 1, 127}) {
      text[0] = static_cast<char>(version);
      const auto refused = decode_controller_question(buffer::copy_of(text)).error();
      CHECK(refused.code == errc::unsupported_version);
      CHECK(refused.message.find("not " + std::to_string(version)) != std::string::npos);
    }
    text[0] = static_cast<char>(state_version);
    CHECK(decode_controller_question(buffer::copy_of(text)));
    text[1] = 99;
    CHECK(decode_controller_question(buffer::copy_of(text)).error().message.find("99") !=
          std::string::npos);
  }
}

TEST_SUITE("actors.replica.catch_up_pacer") {
  constexpr std::size_t kb = 1000;

  TEST_CASE("bytes stand in line, and nobody saves up") {
    catch_up_pacer pacer(1'000'000);
    CHECK(pacer.charge(5000, 100 * kb) == 0);
    CHECK(pacer.charge(5000, 100 * kb) == 100);
    CHECK(pacer.charge(5050, 100 * kb) == 150);
    CHECK(pacer.charge(9000, 100 * kb) == 0);
  }

  TEST_CASE("a read is booked as those before it were, and settled as it was") {
    catch_up_pacer pacer(1'000'000);
    auto first = pacer.reserve(0, 1000 * kb);
    CHECK(first.wait_ms == 0);
    CHECK(first.bytes == 65'536);
    CHECK(pacer.reserve(0, 1000 * kb).wait_ms == 65);
    CHECK(pacer.reserve(0, 10 * kb).bytes == 10 * kb);
    pacer.settle(first, 1000 * kb);
    CHECK(pacer.charge(0, 0) == 65 + 10 + 1000);
    const auto larger = pacer.reserve(0, 1000 * kb);
    CHECK(larger.bytes == 65'536 - 8192 + 125 * kb);
    for (int i = 0; i < 100; ++i)
      pacer.settle({0, 10}, 10);
    CHECK(pacer.reserve(0, 1000 * kb).bytes < 100);
  }

  TEST_CASE("what is written may be sent beside it, and is not saved up either") {
    catch_up_pacer pacer(1'000'000);
    CHECK(pacer.charge(0, 300 * kb) == 0);
    pacer.written(100 * kb);
    CHECK(pacer.charge(0, 100 * kb) == 200);
    pacer.written(500'000 * kb);
    CHECK(pacer.charge(1000, 100 * kb) == 0);
    CHECK(pacer.charge(1000, 100 * kb) == 100);
  }

  TEST_CASE("another rate counts from the next on") {
    catch_up_pacer pacer(1'000'000);
    CHECK(pacer.charge(0, 501 * kb) == 0);
    pacer.set_rate(10'000'000);
    CHECK(pacer.charge(0, 1000 * kb) == 501);
    CHECK(pacer.charge(0, 1000 * kb) == 601);
  }
}
