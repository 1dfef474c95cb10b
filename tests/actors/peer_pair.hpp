// Two peer cores, connected by a network in memory with virtual time: frames arrive in the order
// in which they were sent, when the test lets them.
#pragma once

#include "actors/peer/peer_core.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

inline constexpr std::int64_t election_timeout_ms = 1000;

class peer_pair {
public:
  struct end {
    std::unique_ptr<peer_core> core;
    std::vector<raft_delivery> delivered;
    std::vector<std::string> notes;
    /// Calls of this node that ended.
    std::map<call_number, result<buffer>> ended;
    /// Calls of the other node that wait for an answer.
    std::vector<peer_effects::question> asked;
    /// Nothing that this node does or hears happens: its process is stopped.
    bool frozen = false;
    /// What it sends is lost on the way, the end of connections too.
    bool mute = false;
    /// The same for its bulk connection only.
    bool mute_bulk = false;
    /// Nobody can connect to it.
    bool unreachable = false;
    /// Its sockets are full: what it writes stays.
    bool clogged = false;
  };

  /// Nodes 1 and 2.
  peer_pair();
  /// Replaces the core of a node, as if its process began anew.
  void restart(int node, const peer_core_options& options);
  [[nodiscard]] static peer_core_options options_of(int node);

  void start(int node) { perform(node, core(node).start(now_ms)); }
  void send(int node, std::vector<raft_parcel> parcels) {
    perform(node, core(node).send(now_ms, std::move(parcels)));
  }
  /// A call with this number from `node` to the other one.
  void call(int node, call_number number, call_kind what, buffer question,
            std::int64_t timeout_ms = 5000) {
    perform(node, core(node).call(now_ms, number, what, std::move(question), now_ms + timeout_ms));
  }
  void answer(int node, const asked_call& to, result<buffer> with) {
    perform(node, core(node).answer(now_ms, to, std::move(with)));
  }
  /// Carries out everything that can happen now.
  void settle();
  /// Only dials that wait; what was sent stays on the way.
  void connect();
  /// Lets time pass in steps to the next deadline, and settles at each.
  void run(std::int64_t ms);
  /// Ends all connections at both ends.
  void cut();
  /// The sockets of a node take bytes again.
  void unclog(int node);
  /// They take what was written, and no more than that.
  void drain_once(int node);
  /// Frames as if the other node had sent them on `node`'s connection.
  void inject(int node, purpose what, link_frame frame);

  [[nodiscard]] peer_core& core(int node) { return *ends[node].core; }
  [[nodiscard]] bool connected() { return core(1).is_connected() && core(2).is_connected(); }
  [[nodiscard]] connection_status status(int node, purpose what) {
    return core(node).status().connections[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] bool is_up(int node, purpose what) {
    return status(node, what).phase == connection_phase::established;
  }
  [[nodiscard]] std::size_t open_wires() const;

  std::int64_t now_ms = 1000;
  std::map<int, end> ends;
  /// Kinds of the Raft messages in each frame that was written, by any node.
  std::vector<std::vector<std::size_t>> frames;
  /// Dials that were begun, by any node.
  int dials = 0;

private:
  struct wire {
    /// Of the dialler and of the other node; 0: not there (any more).
    connection_id dialler_id = 0;
    connection_id other_id = 0;
    int dialler = 0;
    bool open = false;
    bool greeted = false;
    purpose what = purpose::control;
    std::deque<link_frame> to_other;
    std::deque<link_frame> to_dialler;
  };

  void perform(int node, peer_effects effects);
  void step(int node, const peer_effects::step& what);
  void write(int node, wire& w, const buffer_chain& bytes);
  bool deliver_one(wire& w);
  void hang_up(wire& w, int by);
  [[nodiscard]] wire* find(int node, connection_id id);

  std::deque<wire> wires_;
  connection_id accepted_ = first_accepted;
};

} // namespace aqueduct::actors::test
