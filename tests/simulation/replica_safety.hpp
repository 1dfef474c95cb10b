// What Raft promises, held against the core of every replica after every call of it, across all
// nodes of a group or a cluster: what a replica says may come late or never, what its core holds
// is there at once.
#pragma once

#include "protocol/ids.hpp"
#include "raft/effects.hpp"
#include "raft/messages.hpp"
#include "raft/types.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::raft {
class core;
}

namespace aqueduct::actors::test {

class replica_safety {
public:
  /// A life of a replica begins, with what is on its disk.
  void opened(const group_id& group, const raft::core& core);
  /// The core was called, and wants that done. Promises:
  /// - a term has one leader, and a replica one vote in it, in all its lives;
  /// - terms and commit indexes do not go back while a replica lives;
  /// - applied <= handed out <= committed <= the log's end;
  /// - what is committed at an index is the same everywhere and for ever, and is not cut off;
  /// - who is elected has everything that was committed in terms before (Raft paper, 5.4.3);
  /// - a leader counts as committed what is durable on a majority of its voters, and no more;
  /// - nobody acknowledges entries to the leader of its term, or grants a vote, before that is
  ///   durable.
  void acted(const group_id& group, const raft::core& core, const raft::effects& effects);

  /// Calls that were looked at.
  [[nodiscard]] std::uint64_t looks() const { return looks_; }
  /// Promises that were broken since the last call, as sentences.
  [[nodiscard]] std::vector<std::string> take_broken() { return std::exchange(broken_, {}); }
  [[nodiscard]] bool is_clean() const { return broken_.empty(); }

private:
  /// As of the last call.
  struct replica {
    raft::term_id term;
    raft::log_index commit;
    /// In the present life, or when the last one ended.
    raft::log_index durable;
    bool leads = false;
  };
  struct group {
    std::map<raft::term_id, raft::replica_id> leaders;
    /// By who voted in which term.
    std::map<std::pair<raft::replica_id, raft::term_id>, raft::replica_id> votes;
    /// The term of what is committed, by index.
    std::map<raft::log_index, raft::term_id> committed;
    std::map<raft::replica_id, replica> replicas;
  };

  void look_at_commits(const group_id& id, group& of, const raft::core& core,
                       raft::log_index after);
  void look_at_leader(const group_id& id, group& of, const raft::core& core, const replica& before);
  void look_at_messages(const group_id& id, group& of, const raft::core& core,
                        const raft::effects& effects);
  void voted(const group_id& id, group& of, raft::replica_id who, raft::term_id term,
             raft::replica_id whom);
  void broke(std::string sentence);

  std::map<group_id, group> groups_;
  std::vector<std::string> broken_;
  std::uint64_t looks_ = 0;
};

} // namespace aqueduct::actors::test
