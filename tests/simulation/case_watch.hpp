// Watches the replicas of simulated nodes: writes down which cases of the catalogue came up, and
// has every call of a core held against what Raft promises. A `case_book` belongs to a group or a
// cluster and outlives its nodes; each life of a node has a `case_watch`.
#pragma once

#include "actors/replica/replica_watch.hpp"
#include "protocol/ids.hpp"
#include "raft/membership.hpp"
#include "tests/simulation/fault_cases.hpp"
#include "tests/simulation/network_weather.hpp"
#include "tests/simulation/replica_safety.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace aqueduct::actors::test {

/// What is known across nodes.
class case_book {
public:
  case_counts counts;
  /// Whatever any replica does is held against it.
  replica_safety safety;
  /// Whether nothing gets from one node to the other.
  std::function<bool(std::int32_t from, std::int32_t to)> is_cut;
  /// What is wrong with the network as a whole; never a clog.
  network_trouble shape = network_trouble::none;
  /// Timers and clocks of the nodes do not run alike.
  bool drifts = false;

  /// Somebody leads a group in a term.
  void leads(const group_id& group, raft::term_id term, raft::replica_id who);
  [[nodiscard]] raft::term_id newest_term(const group_id& group) const;
  /// A transfer was begun in a term.
  void hands_over(const group_id& group, raft::term_id term, raft::replica_id to) {
    handed_over_[{group, term}] = to;
  }

private:
  std::map<group_id, raft::term_id> newest_;
  std::map<std::pair<group_id, raft::term_id>, raft::replica_id> handed_over_;
};

class case_watch final : public replica_watch {
public:
  case_watch(std::shared_ptr<case_book> book, std::int32_t node)
      : book_(std::move(book)), node_(node) {}

  void opened(const group_id& group, const raft::core& core, std::uint64_t state_applied) override;
  void receiving(const group_id& group, const raft::core& core, raft::replica_id from,
                 const raft::message& what) override;
  void written(const group_id& group, const raft::core& core, raft::persist_ticket ticket,
               bool is_durable) override;
  void acted(const group_id& group, const raft::core& core, const raft::effects& effects) override;

  /// The node crashes: what was under way is lost.
  void crashed();
  /// Groups that a replica of this node believes to lead although somebody was elected since.
  [[nodiscard]] std::set<group_id> deposed() const;

private:
  struct write {
    raft::log_index first;
    raft::log_index last;
    /// Entries of it were replaced, and there are others in their place.
    bool is_cut = false;
    bool is_rewritten = false;
  };
  struct replica {
    /// By the number of the ticket.
    std::map<std::uint64_t, write> writes;
    raft::log_index last;
    raft::log_index commit;
    raft::term_id term;
    /// What was durable when this life began, and is still there.
    raft::log_index durable_before;
    bool vote_is_open = false;
    /// Where one stands that may not be committed; 0 is none.
    raft::log_index change;
    /// It leads, is the only voter, and has entries that are not durable.
    bool decides_ahead_of_disk = false;
    bool leads = false;
    bool is_voter = false;
    raft::term_id older_term_seen_in;
    /// Elections that it asked for in vain, and the term in which it began to.
    std::uint32_t asked_in_vain = 0;
    raft::term_id asked_in;
  };

  void look_at_write(replica& of, const raft::effects& effects);
  void look_at_event(const group_id& group, replica& of, const raft::core& core,
                     const raft::event& what);
  void look_at_leader(const group_id& group, replica& of, const raft::core& core);
  void remember(replica& of, const raft::core& core) const;
  void note(fault_case what) const { book_->counts.note(what); }

  std::shared_ptr<case_book> book_;
  std::int32_t node_;
  std::map<group_id, replica> replicas_;
};

} // namespace aqueduct::actors::test
