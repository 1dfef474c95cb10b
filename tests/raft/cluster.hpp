// Several replicas and the network between them, for tests: every message, write, tick and crash
// happens when the test says so. Checks what no replica can know alone, after every call.
#pragma once

#include "raft/generator.hpp"
#include "tests/raft/replica.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::raft::test {

struct envelope {
  replica_id from;
  outgoing message;
};

class cluster {
public:
  /// Nodes 1 to `voters` found the group; those up to `voters` + `outsiders` may join it.
  cluster(int voters, int outsiders, const core_options& common, std::uint64_t seed = 1);

  [[nodiscard]] replica& at(int node) { return *replicas_.at(node); }
  [[nodiscard]] std::map<int, std::unique_ptr<replica>>& replicas() { return replicas_; }
  [[nodiscard]] std::vector<envelope>& network() { return network_; }
  [[nodiscard]] const ledger& committed() const { return ledger_; }

  /// Takes what a replica sent into the network and checks the promises of the whole group. To be
  /// called after every input to `node`.
  void observe(int node);
  /// Delivers the n-th message; `keep` leaves a copy in the network.
  void deliver(std::size_t n, bool keep = false);
  void drop(std::size_t n);
  void tick(int node);

  /// Messages from `from` to `to` are lost from now on.
  void cut(int from, int to) { cuts_.insert({from, to}); }
  /// Both ways, between `node` and all others.
  void isolate(int node);
  void heal() { cuts_.clear(); }

  /// Lets disks, state machines and the network work until nothing moves any more. No time passes.
  void settle();
  /// One unit of time at every node that is awake, then `settle`.
  void pass_time(int ticks = 1);
  /// Has `node` elected, from a settled state.
  void elect(int node);
  /// The node that leads in the highest term, or 0.
  [[nodiscard]] int leader() const;
  /// Proposes at the leader and settles. True if it is committed with the term it was accepted in.
  bool commit(const std::string& text);
  /// Lets time pass until the group has a leader, everything is committed and every live member has
  /// applied it. False if that does not happen in `ticks`.
  bool converge(int ticks);
  /// A line per replica, for a test that fails.
  [[nodiscard]] std::string describe() const;

private:
  void check_leaders(const replica& r);
  void check_votes(const replica& r, const outgoing& m);
  [[nodiscard]] bool has_converged() const;

  ledger ledger_;
  std::map<int, std::unique_ptr<replica>> replicas_;
  std::vector<envelope> network_;
  std::set<std::pair<int, int>> cuts_;
  std::map<term_id, replica_id> leaders_;
  std::map<std::pair<replica_id, term_id>, replica_id> votes_;
};

} // namespace aqueduct::raft::test
