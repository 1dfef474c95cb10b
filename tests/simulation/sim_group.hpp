// Several nodes that hold replicas of one Raft group, in virtual time: the shipped replica, storage
// and reader actors of each on a simulated machine of its own, the simulated network between them,
// and a state machine that writes down what it was given. Everything that may happen to a node and
// to the network can be made to happen; `check` compares what all of them ever said.
#pragma once

#include "actors/replica/group_registry.hpp"
#include "actors/replica/replica.hpp"
#include "actors/replica/state_server.hpp"
#include "tests/simulation/case_watch.hpp"
#include "tests/simulation/fresh_reads.hpp"
#include "tests/simulation/sim_network.hpp"
#include "tests/simulation/sim_node.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

/// What the simulated state machine knows: a digest of everything that was applied, and the last
/// value of each of a few keys.
struct noted_state {
  std::uint64_t applied = 0;
  std::uint64_t digest = 0;
  std::map<std::string, std::string> rows;

  void apply(std::uint64_t index, std::uint64_t term, const std::string& value);
  [[nodiscard]] std::vector<storage::kv_pair> to_rows() const;
  [[nodiscard]] static noted_state from_rows(const std::vector<storage::kv_pair>& rows,
                                             std::uint64_t applied);
};

/// What one life of a state machine was told, and what it made of it.
struct group_journal {
  noted_state state;
  /// The rows as they were handed over to be written: the next time those that changed are.
  std::map<std::string, std::string> handed_over;
  /// By the index up to which the state had applied.
  std::map<std::uint64_t, std::uint64_t> digests;
  /// Entries that came again although the state had them.
  std::uint64_t skipped = 0;
  /// States of other replicas that took the place of this one's.
  std::uint64_t installs = 0;
  std::uint64_t generation = 0;
  /// The first entry that this life was given does not follow its state.
  bool has_hole = false;
  /// Up to here the entries are in the ledger.
  std::uint64_t collected = 0;
  /// Entries by index, as (term, payload).
  std::map<std::uint64_t, std::pair<std::uint64_t, std::string>> applied;
  std::uint64_t term = 0;
  std::int32_t leader = -1;
  bool leads = false;
  /// Others that keep up, as the replica said last.
  std::vector<std::int32_t> in_sync{};
  /// An entry of its own term is applied: what it proposes can be judged.
  bool is_established = false;
  std::optional<error> failure;
  /// Proposed and not yet known to be accepted, oldest first; then by index with the term.
  std::vector<std::string> proposed;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::string>> accepted;
  /// Committed with the index and the term under which they were accepted.
  std::vector<std::string> acknowledged;
  /// Accepted, and then another leader's entry took the place.
  std::uint64_t replaced = 0;
  /// Proposed and not accepted.
  std::uint64_t refused = 0;
  raft::membership members;
  std::map<std::uint64_t, std::optional<std::uint64_t>> reads;
  /// Those that ask this replica's state, of a freshness.
  fresh_reads fresh;
};

class sim_group : public changeable_network {
public:
  struct options {
    std::uint64_t seed = 1;
    std::int32_t nodes = 3;
    /// Members from the start; the nodes above are there and belong to nothing.
    std::int32_t founders = 3;
    std::uint32_t hibernate_after_ticks = 0;
    std::uint64_t segment_bytes = 4096;
    storage::flush_mode flush = storage::flush_mode::commit;
    /// A request waits up to so long before it reaches the disk.
    std::int64_t disk_delay_ms_max = 0;
    /// Disks may stall, whatever their delay.
    bool disks_stall = false;
    /// Clocks and timers run at a rate between 0.9 and 1.1, as the seed says.
    bool clocks_drift = false;
    /// Of one append request; 1 is an entry at a time.
    std::size_t append_bytes_max = 1024;
    std::uint32_t inflight_requests_max = 64;
    /// A state travels in pieces of about this size.
    std::size_t state_piece_bytes = 300;
    /// Bytes per second that a node reads for others that are behind; 0: as fast as it goes.
    std::uint64_t catch_up_rate = 0;
  };

  explicit sim_group(const options& given);
  ~sim_group() override;

  // -- time ------------------------------------------------------------------------------------

  void run_for(std::int64_t ms);
  /// Until there is a leader that can be asked; its number, or 0 when it takes longer than that.
  std::int32_t wait_for_leader(std::int64_t ms_max = 20'000);
  /// Until all members have applied the same, or the time is over.
  bool wait_until_equal(std::int64_t ms_max = 20'000);

  // -- what may happen ---------------------------------------------------------------------------

  /// Proposes to that node, whatever its role. What is of the same round counts on each other.
  void propose(std::int32_t node, const std::string& value,
               std::optional<std::uint64_t> round = std::nullopt);
  /// Power is lost now; what was not synced is lost, kept or torn.
  void crash(std::int32_t node);
  void start(std::int32_t node);
  /// Power is lost in the middle of one of the next changes of the node's disk.
  void crash_after(std::int32_t node, std::uint64_t changes) {
    machine(node).disk->crash_after(changes);
  }
  /// The same for the next node that asks another one for its state.
  void lie_in_wait(std::optional<std::uint64_t> changes) { ambush_ = changes; }
  /// The next sync of the node's disk fails; what becomes of the data is not known.
  void fail_sync(std::int32_t node) { machine(node).disk->fail_syncs(""); }
  /// The next write of the node's disk ends with an error after so many bytes.
  void cut_write(std::int32_t node, std::uint64_t bytes) {
    machine(node).disk->fail_write("", bytes);
  }
  /// The node's disk does nothing for so long.
  void stall_disk(std::int32_t node, std::int64_t ms);
  /// Power is lost everywhere at once.
  void crash_all();
  /// One node is seen by all others, who do not see each other.
  void bridge(std::int32_t node);
  void heal_network() override;
  void form(network_trouble shape, const std::vector<network_link>& cuts) override;
  void clog(network_link link) override { network_.clog(link.first, link.second); }
  void unclog(network_link link) override { network_.unclog(link.first, link.second); }
  /// The answer is held against what was committed when the question was asked.
  void read(std::int32_t node, std::uint64_t context);
  /// Reads the node's own state as soon as it is known to hold everything that was committed so
  /// long before, or without an age before now. Held against what was.
  void read_fresh(std::int32_t node, std::optional<std::int64_t> age_ms_max);
  void transfer(std::int32_t from, std::int32_t to);
  /// The node's link to another one is said to be lost.
  void lose_contact(std::int32_t node, std::int32_t to);
  /// The node writes down what changed in its state since the last time.
  void persist(std::int32_t node);
  /// The same, and gives up its log up to that entry, or as far as it may.
  void compact(std::int32_t node, std::uint64_t upto);
  /// The outcome comes when the leader judged it.
  std::shared_ptr<std::optional<result<std::uint64_t>>> change(std::int32_t node,
                                                               const raft::membership_change& what);
  sim_network& network() { return network_; }
  sim_machine& machine(std::int32_t node) { return *nodes_.at(at(node)).machine; }

  // -- what is seen -------------------------------------------------------------------------------

  [[nodiscard]] std::int32_t leader() const;
  [[nodiscard]] bool is_up(std::int32_t node) const { return nodes_.at(at(node)).life != nullptr; }
  /// Of the present life, or of the last one.
  [[nodiscard]] const group_journal& journal(std::int32_t node) const {
    return *nodes_.at(at(node)).journal;
  }
  [[nodiscard]] const std::vector<std::string>& acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
  /// What came up of the catalogue until now.
  [[nodiscard]] case_counts cases() const;
  /// States that were taken over, and entries that a state had before they came.
  [[nodiscard]] std::uint64_t installs() const { return installs_; }
  [[nodiscard]] std::uint64_t skipped() const { return skipped_; }
  /// Nodes that were struck while they took over a state.
  [[nodiscard]] std::uint64_t ambushes() const { return ambushes_; }
  /// Lives that began with a state that had been installed, before its log was reset.
  [[nodiscard]] std::uint64_t unfinished_installs() const { return unfinished_installs_; }
  /// Lives that began with a state that was ahead of its log.
  [[nodiscard]] std::uint64_t ahead_of_log() const { return ahead_of_log_; }
  [[nodiscard]] const sim_network& links() const { return network_; }
  /// Reads that were confirmed.
  [[nodiscard]] std::uint64_t reads() const { return reads_; }
  /// Reads of a freshness that were answered.
  [[nodiscard]] std::uint64_t fresh_reads_answered() const { return fresh_reads_; }
  [[nodiscard]] static raft::replica_id replica_of(std::int32_t node) {
    return {raft::node_id(node), raft::incarnation(1)};
  }
  /// Promises that were broken since the last call, as sentences (Raft paper, figure 3): two
  /// leaders of a term, two entries or two states at an index, an acknowledged entry that is not
  /// there.
  [[nodiscard]] std::vector<std::string> check();

private:
  struct node_life {
    storage_actor storage;
    /// In front of it, where the replica sees it.
    storage_actor slow_storage;
    upkeep_actor upkeep;
    ticker_actor ticker;
    reader_actor reader;
    state_machine_actor state_machine;
    replica_actor replica;
    std::shared_ptr<group_registry> registry;
    std::shared_ptr<case_watch> watch;
  };
  struct node {
    std::unique_ptr<sim_machine> machine;
    std::unique_ptr<node_life> life;
    std::shared_ptr<group_journal> journal;
  };

  [[nodiscard]] static std::size_t at(std::int32_t node) {
    return static_cast<std::size_t>(node - 1);
  }
  void settle();
  void collect(node& from);
  void look_at_disk(const node& of);
  void look_at_reads(node& of);

  options options_;
  sim_network network_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::vector<node> nodes_;
  std::int64_t now_ms_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t fresh_reads_ = 0;
  std::uint64_t lives_ = 0;
  std::int64_t acknowledged_ms_ = -1;
  std::shared_ptr<case_book> book_ = std::make_shared<case_book>();
  commit_history history_;
  std::optional<std::uint64_t> ambush_;
  std::uint64_t ambushes_ = 0;
  std::uint64_t installs_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t unfinished_installs_ = 0;
  std::uint64_t ahead_of_log_ = 0;
  std::vector<std::string> acknowledged_;
  /// The last index that was committed when a read was asked, by its context.
  std::map<std::uint64_t, std::uint64_t> read_floors_;
  /// Whatever any node ever applied at an index.
  std::map<std::uint64_t, std::pair<std::uint64_t, std::string>> ledger_;
  /// The digest of every state that any node ever had.
  std::map<std::uint64_t, std::uint64_t> digests_;
  std::map<std::uint64_t, std::int32_t> leader_of_term_;
  std::vector<std::string> broken_;
};

} // namespace aqueduct::actors::test
