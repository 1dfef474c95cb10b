// A cluster of simulated nodes in virtual time: their machines, the wires between them, and clients
// that write numbered values, read them back and change topics. Everything that may happen to a
// node, a disk, a clock or the network can be made to happen; what clients saw and what is on the
// disks is held against what the cluster promises.
#pragma once

#include "storage/log_entry.hpp"
#include "tests/simulation/cluster_ledger.hpp"
#include "tests/simulation/sim_broker.hpp"
#include "tests/simulation/sim_wires.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

class sim_cluster : public changeable_network {
public:
  struct options {
    std::uint64_t seed = 1;
    std::int32_t nodes = 3;
    std::int64_t idle_timeout_ms = 0;
    std::uint64_t segment_bytes = 4096;
    std::uint64_t controller_entries_kept = 50;
    storage::flush_mode flush = storage::flush_mode::commit;
    /// Disks may stall.
    bool disks_stall = false;
    /// Clocks and timers run at a rate between 0.9 and 1.1, as the seed says.
    bool clocks_drift = false;
    /// How long a move waits for a broker that is gone.
    std::int64_t move_timeout_ms = 600'000;
    /// They find each other in the process that they share, not by their addresses.
    bool in_process = false;
    /// One copy of a hard state may be damaged without the other.
    bool copies_decay = false;
  };

  explicit sim_cluster(const options& given);
  ~sim_cluster() override;

  // -- time ------------------------------------------------------------------------------------

  void run_for(std::int64_t ms);
  /// Runs until it holds, or so long. Returns whether it holds.
  bool run_until(const std::function<bool()>& holds, std::int64_t ms_max);
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
  /// Messages that actors handled, and deliveries of the network.
  [[nodiscard]] std::uint64_t events() const { return events_; }

  // -- what may happen to nodes ------------------------------------------------------------------

  [[nodiscard]] std::int32_t size() const { return options_.nodes; }
  void start(std::int32_t node);
  /// Power is lost: what was not synced is lost, kept or torn. The others hear of it late.
  void crash(std::int32_t node);
  /// Power is lost everywhere at once.
  void crash_all();
  /// Only the process dies: what was written stays.
  void kill(std::int32_t node);
  /// Ends cleanly, if it does within a while; else it is killed.
  bool stop(std::int32_t node);
  /// The node comes back with an empty disk.
  void wipe(std::int32_t node);
  void pause(std::int32_t node, bool paused);
  [[nodiscard]] bool is_paused(std::int32_t node) const { return at(node).paused; }
  /// The node's wall clock is off by so much from here on.
  void skew(std::int32_t node, std::int64_t ms);
  /// The node's disk does nothing for so long.
  void stall_disk(std::int32_t node, std::int64_t ms);
  /// The next write of the node's logs ends with an error after so many bytes.
  void cut_write(std::int32_t node, std::uint64_t bytes) {
    machine(node).disk->fail_write("/data/groups", bytes);
  }
  /// One node is seen by all others, who do not see each other.
  void bridge(std::int32_t node);
  void heal_network() override;
  void form(network_trouble shape, const std::vector<network_link>& cuts) override;
  void clog(network_link link) override { wires_.clog(link.first, link.second); }
  void unclog(network_link link) override { wires_.unclog(link.first, link.second); }
  /// Readers and producers turn to a node that leads partitions no more and does not know it.
  void ask_deposed(std::int32_t node);
  [[nodiscard]] bool is_up(std::int32_t node) const { return at(node).broker != nullptr; }
  [[nodiscard]] bool is_ready(std::int32_t node) const {
    return is_up(node) && at(node).broker->is_ready();
  }
  [[nodiscard]] sim_broker& broker(std::int32_t node) { return *at(node).broker; }
  [[nodiscard]] sim_machine& machine(std::int32_t node) { return *at(node).machine; }
  [[nodiscard]] sim_wires& wires() { return wires_; }

  // -- damage ------------------------------------------------------------------------------------

  /// Changes what is on the disk of a node, in a place that some group can do without because all
  /// its other replicas are sound and vote: bytes of a closed segment (a flipped bit, a sector of
  /// another file, a sector of zeros), or both copies of the hard state. Never while damage of
  /// before is not repaired. False if there is no such place.
  bool damage(std::int32_t node, bool is_hard_state);
  /// Damage that was done is not repaired.
  [[nodiscard]] bool is_damaged() const { return damage_.has_value(); }
  /// Damaged replicas that a new one has taken the place of.
  [[nodiscard]] std::uint64_t repairs() const { return repairs_; }

  // -- clients -----------------------------------------------------------------------------------

  /// Asks that node. Nothing is promised of the answer but that it is true.
  void create_topic(std::int32_t node, const std::string& name, std::int32_t partitions,
                    std::int16_t replication);
  void delete_topic(std::int32_t node, const std::string& name);
  /// Has the internal topic of consumer groups created, with three replicas. True when it is there
  /// and everything is at rest, within so long.
  [[nodiscard]] bool create_coordinators(std::int32_t partitions, std::int64_t ms_max);
  void add_partitions(std::int32_t node, const std::string& name, std::int32_t partitions);
  void alter_topic(std::int32_t node, const std::string& name, const std::string& setting,
                   const std::string& value);
  /// Begins to send the next value of a partition's producer, unless one is under way.
  void produce(const std::string& topic, std::int32_t partition);
  /// Reads somewhere, from some offset on; what comes is noted.
  void fetch(std::int32_t node, const std::string& topic, std::int32_t partition,
             std::int64_t offset);
  void trim(std::int32_t node, const std::string& topic, std::int32_t partition,
            std::int64_t before);
  [[nodiscard]] const cluster_ledger& ledger() const { return *ledger_; }
  [[nodiscard]] cluster_ledger& ledger() { return *ledger_; }

  // -- what is seen -------------------------------------------------------------------------------

  /// The topics that the node which knows most knows of.
  [[nodiscard]] std::vector<std::shared_ptr<const topic_route>> topics() const;
  /// A node that says it leads; 0 if none does.
  [[nodiscard]] std::int32_t leader_of(const std::string& topic, std::int32_t partition) const;
  [[nodiscard]] std::int32_t controller() const;
  /// The controller's group has at least three voters.
  [[nodiscard]] bool controller_can_lose_one();
  /// Looks at what all groups say of themselves; broken promises go to the ledger.
  void look();
  /// All nodes are ready and know the same, every partition has a leader and equal replicas, and
  /// nobody waits for an answer. Says what is missing, empty if nothing is.
  [[nodiscard]] std::string unrest();
  /// Stops all nodes and holds their disks against each other, byte for byte: the entries of their
  /// logs, and the rows of state machines that have applied the same.
  void audit();
  /// States that were held against another replica's, and their rows.
  [[nodiscard]] std::uint64_t states_compared() const { return states_compared_; }
  [[nodiscard]] std::uint64_t rows_compared() const { return rows_compared_; }
  /// A line among those of the nodes.
  void note(const std::string& text);
  /// What came up of the catalogue until now.
  [[nodiscard]] case_counts cases() const;
  [[nodiscard]] std::uint64_t leader_changes() const { return terms_seen_.size(); }

private:
  struct node {
    std::unique_ptr<sim_machine> machine;
    std::shared_ptr<spdlog::logger> log;
    std::unique_ptr<sim_broker> broker;
    std::uint64_t incarnation = 1;
    bool paused = false;
  };
  [[nodiscard]] node& at(std::int32_t number) {
    return nodes_.at(static_cast<std::size_t>(number - 1));
  }
  [[nodiscard]] const node& at(std::int32_t number) const {
    return nodes_.at(static_cast<std::size_t>(number - 1));
  }
  void settle();
  void end_life(std::int32_t number, std::int64_t told_within_ms);
  void step_producers();
  void send_value(producer_state& of);
  void judge(std::int32_t number, const replica_report& report);
  struct damage_done {
    std::int32_t node = 0;
    group_id group;
    bool is_hard_state = false;
    /// Of the replicas, when it was done.
    std::int32_t changes = 0;
    std::int64_t next_scrub_ms = 0;
  };
  [[nodiscard]] bool can_lose_a_copy(const topic_record& topic, std::int32_t partition);
  [[nodiscard]] bool spoil_segment(std::int32_t node, const group_id& group);
  /// One copy, or both. False if the disk does not take it.
  [[nodiscard]] bool spoil_hard_state(std::int32_t node, const group_id& group);
  /// What was damaged is whole again; with `only_closed` what is written to is left out.
  [[nodiscard]] bool is_sound(const damage_done& done, bool only_closed);
  /// Empty when damage that was done is gone.
  [[nodiscard]] std::string tend_damage();
  [[nodiscard]] std::string unrest_of(const topic_record& topic, std::int32_t partition);
  void audit_group(const group_id& group, const std::vector<std::int32_t>& nodes);
  /// Replicas that applied the same entries have the same rows in their stores.
  void audit_rows(const group_id& group, const std::vector<std::int32_t>& nodes,
                  const std::map<std::uint64_t, storage::log_entry>& log);

  options options_;
  broker_settings settings_;
  std::shared_ptr<environment> chance_;
  std::shared_ptr<cluster_ledger> ledger_ = std::make_shared<cluster_ledger>();
  sim_wires wires_;
  std::vector<node> nodes_;
  std::int64_t now_ms_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t crashes_ = 0;
  std::int64_t acknowledged_ms_ = -1;
  std::shared_ptr<case_book> book_ = std::make_shared<case_book>();
  std::optional<damage_done> damage_;
  std::uint64_t repairs_ = 0;
  std::uint64_t states_compared_ = 0;
  std::uint64_t rows_compared_ = 0;
  /// Who led a group in a term.
  std::map<std::pair<group_id, std::uint64_t>, raft::replica_id> terms_seen_;
};

} // namespace aqueduct::actors::test
