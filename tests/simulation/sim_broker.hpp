// A node of a simulated cluster: everything that a broker runs but its ports and its RocksDB. The
// machine outlives the node; a life of the node has an actor system of its own, so that it can be
// stopped like a process and its clock can go wrong.
#pragma once

#include "actors/admin_interface.hpp"
#include "actors/consumer_group/group_router.hpp"
#include "actors/controller/controller.hpp"
#include "actors/directory.hpp"
#include "actors/discovery/discovery.hpp"
#include "actors/peer/call_router.hpp"
#include "actors/peer/peer_transport.hpp"
#include "actors/replica/group_registry.hpp"
#include "actors/scrub/scrubber.hpp"
#include "protocol/cluster/election_messages.hpp"
#include "storage/data_directory.hpp"
#include "tests/simulation/case_watch.hpp"
#include "tests/simulation/sim_node.hpp"
#include "tests/simulation/sim_wires.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

/// What is the same for all lives of all nodes of a cluster.
struct broker_settings {
  /// Nodes that are found by their addresses, from 1 on.
  std::int32_t seeds = 3;
  /// Where nodes find each other in place of that; empty: they have addresses.
  std::shared_ptr<memory_registry> process;
  std::uint64_t segment_bytes = 4096;
  std::int64_t idle_timeout_ms = 0;
  storage::flush_mode flush = storage::flush_mode::commit;
  std::uint64_t controller_entries_kept = 50;
  std::int64_t move_timeout_ms = 600'000;
  std::shared_ptr<spdlog::logger> log;
  /// Where it is written down what came up. Must be set.
  std::shared_ptr<case_book> book;
  /// Disks may stall.
  bool disks_stall = false;
};

class sim_broker {
public:
  /// Starts a life of node `number` on a machine. If its disk fails meanwhile, `failure` says so.
  sim_broker(std::int32_t number, sim_machine& machine, std::uint64_t incarnation, sim_wires& wires,
             const broker_settings& settings);
  /// Ends as a crash does: whatever the actors still try fails if the power is off.
  ~sim_broker();
  sim_broker(const sim_broker&) = delete;
  sim_broker& operator=(const sim_broker&) = delete;

  /// Runs what can run now. Returns how many messages that were.
  std::size_t settle();
  /// A millisecond passed.
  void tick();

  /// The node is registered in a cluster and answers clients.
  [[nodiscard]] bool is_ready() const { return ready_->has_value() && (*ready_)->has_value(); }
  /// It may be counted on, or does without that: see `controller_config::settled`.
  [[nodiscard]] const std::optional<result<void>>& settled() const { return *settled_; }
  [[nodiscard]] const std::optional<error>& failure() const { return failure_; }
  [[nodiscard]] const uuid& cluster() const { return data_->identity().cluster; }
  [[nodiscard]] case_watch& watch() { return *watch_; }
  [[nodiscard]] std::uint64_t incarnation() const { return data_->identity().incarnation; }

  void send(controller_call call);
  [[nodiscard]] const controller_actor& controller() const { return controller_; }
  /// Asks whichever node leads the controller's group; the answer may never come.
  void ask_controller(controller_question_body question,
                      std::function<void(result<controller_answer>)> done);
  /// Has a partition led by its preferred replica; unknown ones are not answered.
  void elect(const std::string& topic, std::int32_t partition, std::int64_t wait_ms,
             std::function<void(const protocol::cluster::election_outcome&)> done);
  /// Nothing if the topic or partition is not known here.
  [[nodiscard]] partition_actor partition_of(const std::string& topic,
                                             std::int32_t partition) const;
  /// Of an open group.
  [[nodiscard]] std::optional<replica_report> report(const group_id& group);
  void transfer(const group_id& group, raft::replica_id to);
  /// Reads all closed segments, at once; what is damaged is reported.
  void scrub();
  [[nodiscard]] const topic_directory& directory() const { return *directory_; }
  [[nodiscard]] std::shared_ptr<const cluster_view> view() const { return view_->load(); }
  [[nodiscard]] environment& env() const { return *machine_.env; }
  /// As the node's front ends ask coordinators of consumer groups.
  [[nodiscard]] const group_router& groups() const { return *groups_; }

  /// Begins a clean stop.
  void stop();
  [[nodiscard]] bool is_stopped() const { return *stopped_; }

private:
  void enter_cluster();
  void join(const uuid& cluster);
  void spawn_storage();
  void start_controller();
  void fail(const error& why);

  std::int32_t number_;
  sim_machine& machine_;
  sim_wires& wires_;
  broker_settings settings_;
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  std::optional<storage::data_directory> data_;
  std::shared_ptr<topic_directory> directory_ = std::make_shared<topic_directory>();
  std::shared_ptr<known_cluster> view_ =
      std::make_shared<known_cluster>(std::make_shared<const cluster_view>());
  std::shared_ptr<const partition_services> services_;
  std::shared_ptr<group_registry> registry_;
  std::shared_ptr<call_router> calls_ = std::make_shared<call_router>();
  std::shared_ptr<peer_transport> transport_;
  std::shared_ptr<link_dialler> dialler_;
  /// Among the nodes of one process, if they find each other there.
  std::shared_ptr<memory_registry::seat> seat_;
  discovery_actor discovery_;
  controller_actor controller_;
  std::shared_ptr<const group_router> groups_;
  scrubber_actor scrubber_;
  upkeep_actor upkeep_;
  /// Behind those that the replicas see.
  std::vector<storage_actor> workers_;
  std::shared_ptr<case_watch> watch_;
  bool spawned_ = false;
  std::optional<error> failure_;
  std::shared_ptr<std::optional<survey_outcome>> decided_ =
      std::make_shared<std::optional<survey_outcome>>();
  std::shared_ptr<std::optional<result<void>>> ready_ =
      std::make_shared<std::optional<result<void>>>();
  std::shared_ptr<std::optional<result<void>>> settled_ =
      std::make_shared<std::optional<result<void>>>();
  std::shared_ptr<bool> stopped_ = std::make_shared<bool>(false);
};

} // namespace aqueduct::actors::test
