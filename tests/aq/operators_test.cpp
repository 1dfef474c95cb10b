// The verbs that operate a cluster, over a real connection to a node that says what it is told.
#include "tests/aq/fake_node.hpp"
#include "tests/aq/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::aq;
using namespace aqueduct::aq::test;
using json = nlohmann::json;
using words = std::vector<std::string>;

namespace {

admin_done refusal(errc code, const std::string& message) {
  admin_done answer;
  answer.error = static_cast<std::uint16_t>(code);
  answer.message = message;
  return answer;
}

admin_moves plan(const std::vector<admin_move>& moves) {
  admin_moves answer;
  answer.moves = moves;
  return answer;
}

admin_moves refused_plan(errc code, const std::string& message) {
  admin_moves answer;
  answer.error = static_cast<std::uint16_t>(code);
  answer.message = message;
  return answer;
}

/// A node of a cluster of three, of which it leads orders:0.
class bench {
public:
  bench() {
    node.with([](fake_cluster& says) {
      says.brokers.node = 1;
      says.brokers.cluster = "a-cluster";
      for (std::int32_t id = 1; id <= 3; ++id) {
        admin_broker one;
        one.node = id;
        one.address = "broker-" + std::to_string(id) + ":9092";
        one.state = "there";
        one.is_controller = id == 2;
        one.replicas = 4;
        one.link.is_up = id != 1;
        one.link.round_trip_ms = id == 1 ? -1 : 3;
        says.brokers.brokers.push_back(one);
      }
      admin_group group;
      group.topic = "orders";
      group.partition = 0;
      group.role = "leader";
      group.term = 7;
      group.leader = 1;
      group.first = 1;
      group.last = 50;
      group.commit = 49;
      group.applied = 48;
      group.voters = {1, 2};
      group.learners = {3};
      group.followers = {{2, 70, false, "replicate", 50}, {3, 71, true, "snapshot", 20}};
      says.groups.groups.push_back(group);
      says.placed = {1, 2};
    });
  }

  outcome aq(words arguments) {
    arguments.insert(arguments.begin(), {"--admin", node.address()});
    return run_aq(arguments);
  }
  json aq_json(words arguments, exit_code expected = exit_code::done) {
    arguments.insert(arguments.end(), {"--output", "json"});
    const auto ended = aq(std::move(arguments));
    INFO(ended.err);
    CHECK(ended.code == expected);
    return json::parse(ended.out.empty() ? "null" : ended.out);
  }
  /// The orders among what it was asked.
  words asked() {
    return node.with([](fake_cluster& says) {
      auto all = says.asked;
      std::erase_if(all, [](const auto& each) {
        return each == "brokers" || each == "groups" || each == "partitions";
      });
      return all;
    });
  }

  fake_node node;
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE_BEGIN("aq.operators");

TEST_CASE("brokers are listed with their links, and one is described") {
  bench on;
  const auto all = on.aq_json({"broker", "list"})["brokers"];
  REQUIRE(all.size() == 3);
  CHECK(all[0]["node"] == 1);
  CHECK(all[0]["link"].is_null());
  CHECK(all[1]["link"] == "up");
  CHECK(all[1]["round_trip_ms"] == 3);
  CHECK(all[1]["is_controller"] == true);
  CHECK(all[2]["address"] == "broker-3:9092");
  const auto one = on.aq_json({"broker", "describe", "3"});
  CHECK(one["node"] == 3);
  CHECK(one["state"] == "there");
  CHECK(one["seen_from"] == 1);
  const auto none = on.aq({"broker", "describe", "9"});
  CHECK(none.code == exit_code::not_found);
  CHECK(holds(none.err, "no broker 9 is registered"));
}

TEST_CASE("a broker is drained, called back and removed; refusals are told with their reason") {
  bench on;
  CHECK(on.aq_json({"broker", "drain", "2"})["done"] == true);
  CHECK(on.aq_json({"broker", "undrain", "2"})["action"] == "undrain");
  CHECK(on.aq_json({"broker", "remove", "2"})["broker"] == 2);
  CHECK(on.asked() == words{"drain 2", "undrain 2", "remove 2"});
  on.node.with([](auto& says) { says.done = {refusal(errc::conflict, "broker 2 is there")}; });
  const auto refused = on.aq({"broker", "remove", "2"});
  CHECK(refused.code == exit_code::conflict);
  CHECK(holds(refused.err, "broker 2 is there"));
}

TEST_CASE("a dry run changes nothing, and knows who is there") {
  bench on;
  const auto would = on.aq({"broker", "drain", "2", "--dry-run"});
  CHECK(would.code == exit_code::done);
  CHECK(holds(would.err, "would drain broker 2"));
  CHECK(on.aq({"broker", "remove", "9", "--dry-run"}).code == exit_code::not_found);
  on.node.with([](auto& says) { says.plans = {plan({{"orders", 0, {1, 2}, {1, 3}}})}; });
  const auto moves = on.aq_json({"broker", "drain", "2", "--evacuate", "--dry-run"});
  CHECK(moves["done"] == false);
  CHECK(moves["moves"] ==
        json::parse(R"([{"topic":"orders","partition":0,"from":[1,2],"to":[1,3]}])"));
  const auto spread = on.aq_json({"cluster", "rebalance", "--dry-run"});
  CHECK(spread["moves_total"] == 1);
  CHECK(on.asked() == words{"evacuate? 2", "plan?"});
}

TEST_CASE("an evacuation gives replicas up that nobody can take, if it is told to, and says so") {
  bench on;
  on.node.with([](auto& says) {
    says.plans = {plan({{"orders", 0, {1, 2}, {1}}, {"orders", 1, {1, 2}, {1, 3}}})};
  });
  const auto imagined = on.aq({"broker", "drain", "2", "--evacuate", "--shrink", "--dry-run"});
  CHECK(imagined.code == exit_code::done);
  CHECK(holds(imagined.err, "would give up 1 replicas"));
  CHECK(holds(imagined.err, "would move 1 replicas off broker 2"));
  CHECK(on.asked() == words{"shrink? 2"});
  on.node.with([](auto& says) { says.plans = {plan({{"orders", 0, {1, 2}, {1}}})}; });
  CHECK(on.aq_json({"broker", "drain", "2", "--evacuate", "--shrink"})["done"] == true);
  CHECK(on.asked() == words{"shrink? 2", "shrink? 2", "shrink 2"});
  const auto refused = on.aq({"broker", "drain", "2", "--shrink"});
  CHECK(refused.code == exit_code::usage);
  CHECK(holds(refused.err, "--shrink is for --evacuate"));
}

TEST_CASE("an evacuation that cannot be is refused before it is ordered") {
  bench on;
  on.node.with([](auto& says) {
    says.plans = {refused_plan(errc::invalid_replication, "there are too few")};
  });
  const auto refused = on.aq({"broker", "drain", "2", "--evacuate"});
  CHECK(refused.code == exit_code::usage);
  CHECK(holds(refused.err, "there are too few"));
  CHECK(on.asked() == words{"evacuate? 2"});
  CHECK(on.aq({"broker", "drain", "2", "--wait"}).code == exit_code::usage);
}

TEST_CASE("waiting for an evacuation ends when nothing is left, or when it is called off") {
  bench on;
  on.node.with([](auto& says) {
    says.plans = {plan({{"orders", 0, {1, 2}, {1, 3}}})};
    says.brokers.brokers[1].replicas = 0;
    says.brokers.brokers[1].state = "evacuating";
  });
  CHECK(on.aq_json({"broker", "drain", "2", "--evacuate", "--wait"})["done"] == true);
  CHECK(on.asked() == words{"evacuate? 2", "evacuate 2"});
  on.node.with([](auto& says) {
    says.brokers.brokers[1].leaving = 1;
    says.brokers.brokers[1].state = "there";
  });
  const auto stopped = on.aq({"broker", "drain", "2", "--evacuate", "--wait"});
  CHECK(stopped.code == exit_code::interrupted);
  CHECK(holds(stopped.err, "was called off"));
}

TEST_CASE("waiting for a rebalance asks again after an error that can go away by itself") {
  bench on;
  const admin_move move{"orders", 0, {1, 2}, {3, 2}};
  on.node.with([&](auto& says) {
    says.plans = {plan({move}), plan({move}), refused_plan(errc::not_leader, "nobody leads now"),
                  plan({})};
  });
  CHECK(on.aq_json({"cluster", "rebalance", "--wait"})["moves_total"] == 1);
  CHECK(on.asked() == words{"plan", "plan?", "plan?", "plan?"});
  on.node.with([](auto& says) {
    says.plans = {plan({}), refused_plan(errc::unsupported_version, "too old")};
  });
  CHECK(on.aq({"cluster", "rebalance", "--wait"}).code == exit_code::unreachable);
}

TEST_CASE("groups are shown with their followers") {
  bench on;
  on.node.with([](auto& says) {
    admin_group asleep;
    asleep.topic = "orders";
    asleep.partition = 1;
    asleep.role = "asleep";
    says.groups.groups.push_back(asleep);
  });
  const auto all = on.aq_json({"raft", "status"});
  REQUIRE(all["groups"].size() == 2);
  const auto& led = all["groups"][0];
  CHECK(led["group"] == "orders:0");
  CHECK(led["role"] == "leader");
  CHECK(led["term"] == 7);
  CHECK(led["commit"] == 49);
  CHECK(led["voters"] == json({1, 2}));
  CHECK(led["learners"] == json({3}));
  CHECK(all["groups"][1]["term"].is_null());
  REQUIRE(all["followers"].size() == 2);
  CHECK(all["followers"][1]["mode"] == "snapshot");
  CHECK(all["followers"][1]["lag"] == 30);
  CHECK(on.aq_json({"raft", "status", "orders:1"})["groups"].size() == 1);
  CHECK(on.aq({"raft", "status", "orders:7"}).code == exit_code::not_found);
  CHECK(on.aq({"raft", "status", "orders:x"}).code == exit_code::usage);
}

TEST_CASE("the leader hands over, and the verb sees it through") {
  bench on;
  const auto done = on.aq_json({"raft", "transfer", "orders:0", "2"});
  CHECK(done == json::parse(R"({"group":"orders:0","from":1,"to":2,"done":true,"v":1})"));
  CHECK(on.asked() == words{"transfer orders:0 2"});
}

TEST_CASE("a transfer is refused with what has to be done instead") {
  bench on;
  const auto learner = on.aq({"raft", "transfer", "orders:0", "3"});
  CHECK(learner.code == exit_code::usage);
  CHECK(holds(learner.err, "node 3 has no vote in orders:0; its voters are 1,2"));
  CHECK(on.aq({"raft", "transfer", "orders", "2"}).code == exit_code::usage);
  CHECK(on.aq({"raft", "transfer", "controller", "2"}).code == exit_code::not_found);
  CHECK(holds(on.aq({"raft", "transfer", "orders:0", "2", "--dry-run"}).err,
              "would have node 2 lead orders:0"));
  on.node.with([](auto& says) {
    says.groups.groups[0].role = "follower";
    says.groups.groups[0].leader = 2;
  });
  const auto elsewhere = on.aq({"raft", "transfer", "orders:0", "1"});
  CHECK(elsewhere.code == exit_code::try_again);
  CHECK(holds(elsewhere.err, "node 2 leads orders:0"));
  CHECK(holds(elsewhere.err, "the admin address of node 2, which serves clients at broker-2:9092"));
  on.node.with([](auto& says) { says.groups.groups[0].leader = -1; });
  CHECK(holds(on.aq({"raft", "transfer", "orders:0", "1"}).err, "nobody leads orders:0 now"));
  on.node.with([](auto& says) { says.groups.groups[0].role = "asleep"; });
  CHECK(on.aq({"raft", "transfer", "orders:0", "1"}).code == exit_code::conflict);
  on.node.with([](auto& says) { says.groups.groups[0].error = "no answer in time"; });
  CHECK(on.aq({"raft", "transfer", "orders:0", "1"}).code == exit_code::try_again);
  CHECK(on.asked() == words{});
}

TEST_CASE("a snapshot says how far the state has come and where the log begins then") {
  bench on;
  const auto planned = on.aq({"raft", "snapshot", "orders:0", "--dry-run"});
  CHECK(holds(planned.err, "would make the state of orders:0 durable"));
  CHECK(on.asked() == words{});
  const auto done = on.aq_json({"raft", "snapshot", "orders:0"});
  CHECK(done["group"] == "orders:0");
  CHECK(done["first"] == done["applied"].get<int>() + 1);
  CHECK(done["done"] == true);
  CHECK(on.asked() == words{"snapshot orders:0"});
}

TEST_CASE("a snapshot is refused with a sentence") {
  bench on;
  CHECK(on.aq({"raft", "snapshot", "orders"}).code == exit_code::usage);
  CHECK(on.aq({"raft", "snapshot", "controller"}).code == exit_code::not_found);
  on.node.with([](auto& says) { says.groups.groups[0].role = "asleep"; });
  const auto asleep = on.aq({"raft", "snapshot", "orders:0"});
  CHECK(asleep.code == exit_code::conflict);
  CHECK(holds(asleep.err, "orders:0 is asleep: all its state is durable"));
  on.node.with([](auto& says) { says.groups.groups[0].error = "no answer in time"; });
  CHECK(on.aq({"raft", "snapshot", "orders:0"}).code == exit_code::try_again);
  CHECK(on.asked() == words{});
}

TEST_CASE("replicas are added to and taken from those that are there") {
  bench on;
  const auto added = on.aq_json({"raft", "add-replica", "orders:0", "3"});
  CHECK(added["done"] == true);
  CHECK(added["moves"][0]["to"] == json({1, 2, 3}));
  const auto taken = on.aq_json({"raft", "remove-replica", "orders:0", "1", "--dry-run"});
  CHECK(taken["done"] == false);
  CHECK(taken["moves"][0]["to"] == json({2}));
  CHECK(on.asked() ==
        words{"move? orders:0 3", "move orders:0 1,2,3", "move? orders:0 1", "move? orders:0 2"});
}

TEST_CASE("a move is taken back, and refused where nothing moves") {
  bench on;
  admin_moves back;
  back.moves.push_back({"orders", 0, {3, 2}, {1, 2}});
  on.node.with([&](auto& says) { says.plans = {back}; });
  const auto planned = on.aq_json({"raft", "cancel-move", "orders:0", "--dry-run"});
  CHECK(planned["done"] == false);
  const auto done = on.aq_json({"raft", "cancel-move", "orders:0"});
  CHECK(done["done"] == true);
  CHECK(done["moves"][0]["to"] == json({1, 2}));
  CHECK(on.asked() == words{"cancel? orders:0", "cancel orders:0"});
  back.error = static_cast<std::uint16_t>(errc::not_found);
  back.message = "nothing moves";
  on.node.with([&](auto& says) { says.plans = {back}; });
  const auto nothing = on.aq({"raft", "cancel-move", "orders:0"});
  CHECK(nothing.code == exit_code::not_found);
  CHECK(holds(nothing.err, "orders:0: nothing moves"));
  CHECK(on.aq({"raft", "cancel-move", "orders"}).code == exit_code::usage);
}

TEST_CASE("replicas that are there already, or not, or the only one, are refused") {
  bench on;
  const auto twice = on.aq({"raft", "add-replica", "orders:0", "2"});
  CHECK(twice.code == exit_code::conflict);
  CHECK(holds(twice.err, "orders:0: node 2 has a replica already"));
  const auto nothing = on.aq({"raft", "remove-replica", "orders:0", "3"});
  CHECK(nothing.code == exit_code::not_found);
  CHECK(on.aq({"raft", "add-replica", "orders", "3"}).code == exit_code::usage);
  on.node.with([](auto& says) { says.placed = {1}; });
  CHECK(holds(on.aq({"raft", "remove-replica", "orders:0", "1"}).err, "the only replica"));
  on.node.with([](auto& says) { says.done = {refusal(errc::unknown_topic, "no such topic")}; });
  CHECK(on.aq({"raft", "add-replica", "nowhere:0", "3"}).code == exit_code::not_found);
}

TEST_CASE("health is the exit code, with a line for each finding") {
  bench on;
  on.node.with([](auto& says) { says.groups.groups.clear(); });
  const auto well = on.aq_json({"cluster", "health"});
  CHECK(well["state"] == "healthy");
  CHECK(well["brokers_there"] == 3);
  CHECK(well["findings"].empty());
  on.node.with([](auto& says) { says.brokers.brokers[2].state = "gone"; });
  const auto ill = on.aq_json({"cluster", "health", "--wait", "1ms"}, exit_code::failed);
  CHECK(ill["state"] == "unhealthy");
  CHECK(ill["findings"] ==
        json::parse(R"([{"what":"broker 3","problem":"gone, with 4 replicas"}])"));
  CHECK(on.aq({"cluster", "health", "--wait", "soon"}).code == exit_code::usage);
}

TEST_CASE("nobody at the address is an exit code of its own, also after a wait") {
  const words verb{"--admin", "127.0.0.1:1", "cluster", "health"};
  CHECK(run_aq(verb).code == exit_code::unreachable);
  auto waiting = verb;
  waiting.insert(waiting.end(), {"--wait", "150ms"});
  CHECK(run_aq(waiting).code == exit_code::unreachable);
  CHECK(run_aq({"--admin", "nonsense", "cluster", "health", "--wait", "1m"}).code ==
        exit_code::usage);
  CHECK(run_aq({"--admin", "127.0.0.1:1", "broker", "list"}).code == exit_code::unreachable);
  CHECK(run_aq({"--admin", "127.0.0.1:1", "raft", "status"}).code == exit_code::unreachable);
}

TEST_SUITE_END();
