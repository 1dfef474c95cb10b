// What a node tells operators of the cluster, and what it passes on to its controller and replicas.
#include "actors/admin_cluster.hpp"
#include "tests/simulation/sim_environment.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

/// What the actors of the node were asked, and what they answer; from several threads.
struct node_script {
  std::mutex mutex;
  result<replica_report> report = unexpected(errc::storage_failed, "the disk failed");
  result<controller_answer> answer = controller_answer{};
  /// Drops what it is asked, as an actor does that is stopping.
  bool forgets = false;
  std::vector<controller_question_body> questions;
  std::vector<raft::replica_id> transfers;
  /// The first entry that is kept, of each order to forget those before it.
  std::vector<std::uint64_t> compactions;
  int flushes = 0;
  result<void> flushed;
};
using script_pointer = std::shared_ptr<node_script>;

controller_actor::behavior_type act_controller(const script_pointer& script) {
  return {[script](const controller_call& call) {
            auto job = std::get<controller_job>(call.what);
            const std::lock_guard lock(script->mutex);
            script->questions.push_back(job.question.body);
            if (!script->forgets)
              job.done(script->answer);
          },
          [](const group_event&) {}};
}

replica_actor::behavior_type act_replica(const script_pointer& script) {
  return {[script](const replica_request& request) {
            const std::lock_guard lock(script->mutex);
            if (const auto* asked = std::get_if<replica_describe>(&request.what))
              asked->done(script->report);
            else if (const auto* order = std::get_if<replica_compact>(&request.what))
              script->compactions.push_back(order->first_kept);
            else
              script->transfers.push_back(std::get<replica_transfer>(request.what).to);
          },
          [](const storage_event&) {}};
}

partition_actor::behavior_type act_partition() {
  return {[](const produce_message&) {}, [](const partition_call&) {}, [](const log_answer&) {},
          [](const partition_control&) {}, [](const group_event&) {}};
}

broker_record broker(std::int32_t node, std::string rack = {}) {
  broker_record one;
  one.node = node;
  one.host = "host-" + std::to_string(node);
  one.port = 9092;
  one.rack = std::move(rack);
  one.incarnation = 70 + static_cast<std::uint64_t>(node);
  one.cluster_host = one.host;
  one.cluster_port = 9093;
  return one;
}

raft::replica_id life(std::int32_t node) {
  return {raft::node_id(node), raft::incarnation(70 + static_cast<std::uint64_t>(node))};
}

/// Node 1 of four brokers. It holds orders:0, on 1 and 2, and not orders:1, on 3 and 2.
class admin_cluster_bench {
public:
  admin_cluster_bench() {
    node.node = 1;
    node.directory = std::make_shared<topic_directory>();
    node.groups = std::make_shared<group_registry>(life(1));
    node.env = std::make_shared<actors::test::virtual_environment>(1);
    node.controller =
        system.spawn([s = script](controller_actor::pointer) { return act_controller(s); });
    replica = system.spawn([s = script](replica_actor::pointer) { return act_replica(s); });
    partition = system.spawn([](partition_actor::pointer) { return act_partition(); });
    node.flush = [s = script] {
      ++s->flushes;
      return s->flushed;
    };
    auto view = std::make_shared<cluster_view>();
    view->controller = 2;
    view->registered = {broker(1, "a"), broker(2), broker(3), broker(4)};
    view->registered[1].draining = true;
    view->registered[2].draining = view->registered[2].evacuating = true;
    view->registered[3].fenced = true;
    node.view = std::make_shared<known_cluster>(view);
    node.links = [] {
      peer_status up;
      up.peer = raft::node_id(2);
      up.connections[0].phase = connection_phase::established;
      up.connections[0].round_trip_ms = 4;
      up.connections[0].bytes_sent = 10;
      up.connections[1].bytes_sent = 5;
      up.dropped_full = 1;
      up.dropped_unconnected = 2;
      peer_status down;
      down.peer = raft::node_id(3);
      down.connections[0].last_error = "refused";
      peer_status stranger;
      stranger.peer = raft::node_id(8);
      return std::vector<peer_status>{up, down, stranger};
    };
    auto topic = std::make_shared<topic_route>();
    topic->record.id = orders;
    topic->record.name = "orders";
    topic->record.partitions = {{.nodes = {1, 2}, .leaving = {3}}, {.nodes = {3, 2}}};
    for (int i = 0; i < 2; ++i)
      topic->partitions.push_back(std::make_shared<partition_route>());
    topic->partitions[0]->handle = partition;
    node.directory->put(topic);
    node.groups->add({orders, 0}, [] {});
    node.groups->add(controller_group, [] {});
  }
  ~admin_cluster_bench() {
    caf::anon_send_exit(node.controller, caf::exit_reason::kill);
    caf::anon_send_exit(replica, caf::exit_reason::kill);
    caf::anon_send_exit(partition, caf::exit_reason::kill);
  }

  /// The group is open, and its replica has this to say.
  void opens(raft::role_kind role, std::optional<raft::replica_id> leader) {
    replica_report report;
    report.role = role;
    report.term = 9;
    report.leader = leader;
    report.first = 1;
    report.last = 30;
    report.commit = 29;
    report.applied = 28;
    report.members = {{life(1), life(2)}, {life(3)}};
    report.followers = {{life(2), 30, raft::progress_mode::replicate, true},
                        {life(3), 12, raft::progress_mode::snapshot, true}};
    script->report = report;
    node.groups->opened({orders, 0}, replica);
    node.groups->opened(controller_group, replica);
  }
  [[nodiscard]] result<void> transfer(std::string topic, std::int32_t partition_number,
                                      std::int32_t to) const {
    admin_transfer_request request;
    request.topic = std::move(topic);
    request.partition = partition_number;
    request.to = to;
    return transfer_leadership(node, request);
  }
  [[nodiscard]] result<void> snapshot(std::string topic, std::int32_t partition_number) const {
    admin_snapshot_request request;
    request.topic = std::move(topic);
    request.partition = partition_number;
    return take_snapshot(node, request);
  }
  [[nodiscard]] result<void> change(std::int32_t which, std::string what) const {
    admin_broker_change_request request;
    request.node = which;
    request.change = std::move(what);
    return change_broker(node, request);
  }
  /// The last question to the controller.
  template <class Question>
  Question asked() {
    const std::lock_guard lock(script->mutex);
    REQUIRE_FALSE(script->questions.empty());
    return std::get<Question>(script->questions.back());
  }

  script_pointer script = std::make_shared<node_script>();
  const uuid orders{{1}};
  caf::actor_system_config settings;
  caf::actor_system system{settings};
  admin_services node;
  replica_actor replica;
  partition_actor partition;
};

admin_groups_request only(std::string topic, std::int32_t partition = -1) {
  admin_groups_request request;
  request.topic = std::move(topic);
  request.partition = partition;
  return request;
}

} // namespace

TEST_SUITE("actors.admin_cluster") {
  TEST_CASE("brokers are told with their states, what they hold, and the links to them") {
    const admin_cluster_bench bench;
    const auto all = describe_brokers(bench.node);
    CHECK(all.node == 1);
    REQUIRE(all.brokers.size() == 4);
    const auto& self = all.brokers[0];
    CHECK(self.node == 1);
    CHECK(self.address == "host-1:9092");
    CHECK(self.cluster_address == "host-1:9093");
    CHECK(self.rack == "a");
    CHECK(self.incarnation == 71);
    CHECK(self.state == "there");
    CHECK_FALSE(self.is_controller);
    CHECK(self.replicas == 1);
    CHECK(self.preferred == 1);
    CHECK_FALSE(self.link.is_up);
    const auto& second = all.brokers[1];
    CHECK(second.state == "draining");
    CHECK(second.is_controller);
    CHECK(second.replicas == 2);
    CHECK(second.preferred == 0);
    CHECK(second.link.is_up);
    CHECK(second.link.round_trip_ms == 4);
    CHECK(second.link.bytes_sent == 15);
    CHECK(second.link.dropped == 3);
    const auto& third = all.brokers[2];
    CHECK(third.state == "evacuating");
    CHECK(third.leaving == 1);
    CHECK(third.preferred == 1);
    CHECK_FALSE(third.link.is_up);
    CHECK(third.link.last_error == "refused");
    CHECK(all.brokers[3].state == "gone");
  }

  TEST_CASE("a broker that is placed somewhere and not registered has its id and no state") {
    const admin_cluster_bench bench;
    bench.node.view->store(nullptr);
    const auto all = describe_brokers(bench.node);
    REQUIRE(all.brokers.size() == 3);
    CHECK(all.brokers[2].node == 3);
    CHECK(all.brokers[2].state.empty());
    CHECK(all.brokers[2].leaving == 1);
  }

  TEST_CASE("groups are those that the node holds, the controller's first") {
    admin_cluster_bench bench;
    auto all = describe_groups(bench.node, {}).groups;
    REQUIRE(all.size() == 2);
    CHECK(all[0].topic.empty());
    CHECK(all[0].partition == -1);
    CHECK(all[1].topic == "orders");
    CHECK(all[1].partition == 0);
    CHECK(all[1].role == "asleep");
    CHECK(describe_groups(bench.node, only("controller")).groups.size() == 1);
    CHECK(describe_groups(bench.node, only("orders")).groups.size() == 1);
    CHECK(describe_groups(bench.node, only("orders", 0)).groups.size() == 1);
    CHECK(describe_groups(bench.node, only("orders", 1)).groups.empty());
    CHECK(describe_groups(bench.node, only("nowhere")).groups.empty());

    bench.opens(raft::role_kind::leader, life(1));
    all = describe_groups(bench.node, only("orders", 0)).groups;
    REQUIRE(all.size() == 1);
    CHECK(all[0].error.empty());
    CHECK(all[0].role == "leader");
    CHECK(all[0].term == 9);
    CHECK(all[0].leader == 1);
    CHECK(all[0].last == 30);
    CHECK(all[0].commit == 29);
    CHECK(all[0].applied == 28);
    CHECK(all[0].voters == std::vector<std::int32_t>{1, 2});
    CHECK(all[0].learners == std::vector<std::int32_t>{3});
    REQUIRE(all[0].followers.size() == 2);
    CHECK_FALSE(all[0].followers[0].is_learner);
    CHECK(all[0].followers[0].mode == "replicate");
    CHECK(all[0].followers[1].is_learner);
    CHECK(all[0].followers[1].mode == "snapshot");
    CHECK(all[0].followers[1].match == 12);
    CHECK(all[0].followers[1].incarnation == 73);

    bench.script->report = unexpected(errc::storage_failed, "the disk failed");
    CHECK(describe_groups(bench.node, only("orders", 0)).groups[0].error == "the disk failed");
  }

  TEST_CASE("the leader is told to hand over, to a voter") {
    admin_cluster_bench bench;
    bench.opens(raft::role_kind::leader, life(1));
    CHECK(bench.transfer("orders", 0, 2));
    // The replica answers the next question after it took the order.
    CHECK(bench.transfer("orders", 0, 1));
    CHECK(bench.script->transfers == std::vector<raft::replica_id>{life(2)});
    const auto learner = bench.transfer("orders", 0, 3);
    REQUIRE_FALSE(learner);
    CHECK(learner.error().code == errc::invalid_request);
    CHECK(learner.error().message == "node 3 has no vote in the group");
  }

  TEST_CASE("a transfer is refused by those who do not lead, and for what is not there") {
    admin_cluster_bench bench;
    CHECK(bench.transfer("nowhere", 0, 2).error().code == errc::unknown_topic);
    CHECK(bench.transfer("orders", 2, 2).error().code == errc::unknown_partition);
    CHECK(bench.transfer("orders", -1, 2).error().code == errc::unknown_partition);
    CHECK(bench.transfer("orders", 0, 2).error().code == errc::not_found);
    CHECK(bench.transfer("controller", -1, 2).error().code == errc::not_found);
    bench.opens(raft::role_kind::follower, life(2));
    CHECK(bench.transfer("orders", 0, 2).error().message == "node 2 leads the group; ask that one");
    bench.opens(raft::role_kind::candidate, std::nullopt);
    const auto nobody = bench.transfer("orders", 0, 2);
    CHECK(nobody.error().code == errc::not_leader);
    CHECK(nobody.error().message == "nobody leads the group now");
    bench.script->report = unexpected(errc::storage_failed, "the disk failed");
    CHECK(bench.transfer("orders", 0, 2).error().code == errc::storage_failed);
    CHECK(bench.script->transfers.empty());
  }

  TEST_CASE("a snapshot makes the state durable, and shortens the log of the controller alone") {
    admin_cluster_bench bench;
    bench.opens(raft::role_kind::follower, life(2));
    CHECK(bench.snapshot("orders", 0));
    CHECK(bench.script->flushes == 1);
    CHECK(bench.snapshot("controller", 0));
    CHECK(bench.script->flushes == 2);
    // The replica answers the next question after it took the order.
    CHECK_FALSE(bench.transfer("orders", 0, 2));
    CHECK(bench.script->compactions == std::vector<std::uint64_t>{29});
  }

  TEST_CASE("what is not durable shortens no log, and what is not there has no snapshot") {
    admin_cluster_bench bench;
    CHECK(bench.snapshot("nowhere", 0).error().code == errc::unknown_topic);
    CHECK(bench.snapshot("orders", 2).error().code == errc::unknown_partition);
    CHECK(bench.snapshot("orders", 0).error().code == errc::not_found);
    bench.opens(raft::role_kind::leader, life(1));
    bench.script->flushed = unexpected(errc::storage_full, "no space");
    CHECK(bench.snapshot("controller", 0).error().code == errc::storage_full);
    CHECK(bench.transfer("orders", 0, 1));
    CHECK(bench.script->compactions.empty());
  }

  TEST_CASE("changes of brokers are passed on to the controller") {
    admin_cluster_bench bench;
    CHECK(bench.change(3, "drain"));
    auto drain = bench.asked<drain_broker_command>();
    CHECK((drain.node == 3 && drain.draining && !drain.evacuating));
    CHECK(bench.change(3, "evacuate"));
    drain = bench.asked<drain_broker_command>();
    CHECK((drain.draining && drain.evacuating));
    CHECK_FALSE(drain.shrinking);
    CHECK(bench.change(3, "shrink"));
    drain = bench.asked<drain_broker_command>();
    CHECK((drain.node == 3 && drain.draining && drain.evacuating && drain.shrinking));
    CHECK(bench.change(3, "undrain"));
    drain = bench.asked<drain_broker_command>();
    CHECK((!drain.draining && !drain.evacuating));
    CHECK(bench.change(4, "remove"));
    CHECK(bench.asked<remove_broker_command>().node == 4);
    bench.script->answer = unexpected(errc::conflict, "broker 4 holds replicas");
    CHECK(bench.change(4, "remove").error().message == "broker 4 holds replicas");
    const auto unknown = bench.change(4, "explode");
    CHECK(unknown.error().code == errc::invalid_request);
    CHECK(unknown.error().message == "'explode' is no change of a broker; it is drain, evacuate, "
                                     "shrink, undrain or remove");
    CHECK(bench.script->questions.size() == 6);
  }

  TEST_CASE("a controller that forgets what it was asked is an error, not a wait") {
    admin_cluster_bench bench;
    bench.script->forgets = true;
    CHECK(bench.change(3, "drain").error().code == errc::shutting_down);
  }

  TEST_CASE("moves and plans are passed on, and the moves come back") {
    admin_cluster_bench bench;
    admin_move_request move;
    move.topic = "orders";
    move.partition = 1;
    move.to = {2, 4};
    move.dry_run = true;
    controller_answer planned;
    planned.moves = {{"orders", 1, {3, 2}, {2, 4}}};
    bench.script->answer = planned;
    const auto moved = move_replicas(bench.node, move);
    CHECK(moved.error == 0);
    REQUIRE(moved.moves.size() == 1);
    CHECK(moved.moves[0].from == std::vector<std::int32_t>{3, 2});
    CHECK(moved.moves[0].to == std::vector<std::int32_t>{2, 4});
    const auto question = bench.asked<move_question>();
    CHECK((question.topic == "orders" && question.partition == 1 && question.dry_run));
    CHECK(question.to == move.to);

    admin_plan_request spread;
    CHECK(plan_moves(bench.node, spread).moves.size() == 1);
    CHECK_FALSE(bench.asked<plan_question>().dry_run);
    admin_plan_request evacuate;
    evacuate.evacuate = 3;
    evacuate.dry_run = true;
    CHECK(plan_moves(bench.node, evacuate).error == 0);
    auto asked = bench.asked<plan_question>();
    CHECK((asked.evacuate == 3 && asked.dry_run && !asked.shrink));
    evacuate.shrink = true;
    CHECK(plan_moves(bench.node, evacuate).error == 0);
    CHECK(bench.asked<plan_question>().shrink);

    evacuate.dry_run = false;
    const auto refused = plan_moves(bench.node, evacuate);
    CHECK(refused.error == static_cast<std::uint16_t>(errc::invalid_request));
    CHECK(refused.message.find("the change 'evacuate'") != std::string::npos);
    CHECK(bench.script->questions.size() == 4);

    admin_cancel_move_request cancel;
    cancel.topic = "orders";
    cancel.partition = 1;
    CHECK(cancel_move(bench.node, cancel).moves.size() == 1);
    const auto cancelled = bench.asked<cancel_move_question>();
    CHECK((cancelled.topic == "orders" && cancelled.partition == 1 && !cancelled.dry_run));
    bench.script->answer = unexpected(errc::unknown_topic, "there is no topic 'orders'");
    CHECK(move_replicas(bench.node, move).message == "there is no topic 'orders'");
  }
}
