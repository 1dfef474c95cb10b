// The network between simulated nodes: messages of replicas in virtual time, lost, repeated,
// delayed and overtaken as the seed says, between nodes that are cut off from each other or not;
// and calls, which are delayed or lose their question or answer, and always end.
#pragma once

#include "actors/environment.hpp"
#include "actors/peer/node_calls.hpp"
#include "actors/peer/transport.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace aqueduct::actors::test {

/// How bad it is. Chances are out of 1000.
struct network_faults {
  std::uint32_t loss = 0;
  std::uint32_t repeat = 0;
  std::int64_t delay_ms_min = 0;
  std::int64_t delay_ms_max = 1;
};

class sim_network {
public:
  explicit sim_network(std::uint64_t seed);
  ~sim_network();

  void set_faults(const network_faults& faults) { faults_ = faults; }

  /// A life of a node: what it sends, and who takes what is sent to it. Ends with `leave`: what it
  /// sends later is lost, as is what is under way to it.
  [[nodiscard]] std::shared_ptr<raft_transport> join(std::int32_t node,
                                                     std::shared_ptr<raft_receiver> receiver,
                                                     std::shared_ptr<call_handler> handler = {});
  /// Of the present life of a node that joined.
  [[nodiscard]] std::shared_ptr<node_caller> caller(std::int32_t node);
  void leave(std::int32_t node);

  /// Messages from one to the other no longer arrive. One way.
  void cut(std::int32_t from, std::int32_t to) { cuts_.insert({from, to}); }
  /// `node` and the others no longer hear each other.
  void isolate(std::int32_t node);
  /// What is said from one to the other waits from here on, in order.
  void clog(std::int32_t from, std::int32_t to) { (void)held_[{from, to}]; }
  /// All of it arrives at once.
  void unclog(std::int32_t from, std::int32_t to);
  /// Nothing is cut or clogged.
  void heal();
  /// Answers to calls wait until they are let go.
  void hold_answers(bool held);
  [[nodiscard]] bool is_cut(std::int32_t from, std::int32_t to) const {
    return cuts_.contains({from, to});
  }

  /// Delivers what is due.
  void advance(std::int64_t now_ms);
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  /// What had been due and was held by a clogged link until it let go.
  [[nodiscard]] std::uint64_t let_go() const { return let_go_; }
  /// Offers of a state that arrived.
  [[nodiscard]] std::uint64_t offers() const { return offers_; }
  /// Calls that ended with an answer of the other node, and all that were made.
  [[nodiscard]] std::uint64_t calls_answered() const { return calls_answered_; }
  [[nodiscard]] std::uint64_t calls_made() const { return calls_made_; }
  /// Whether a call of this node is under way.
  [[nodiscard]] bool is_calling(std::int32_t node) const;

private:
  class life;

  struct member {
    std::shared_ptr<life> self;
    std::shared_ptr<raft_receiver> receiver;
    std::shared_ptr<call_handler> handler;
  };
  struct open_call {
    std::int32_t from = 0;
    std::int32_t to = 0;
    call_kind what = call_kind::controller;
    buffer question;
    std::function<void(result<buffer>)> answered;
  };

  void take(std::int32_t from, std::vector<raft_delivery> messages);
  void deliver(raft_delivery message);
  /// False if the link is not clogged; else it keeps `arrive` for later.
  bool hold(std::int32_t from, std::int32_t to, std::function<void()> arrive);
  void begin_call(open_call call, std::int64_t timeout_ms);
  void deliver_question(std::uint64_t number);
  void take_answer(std::uint64_t number, result<buffer> answer);
  void break_call(std::uint64_t number);
  void end_call(std::uint64_t number, result<buffer> answer);
  [[nodiscard]] bool is_lost(std::int32_t from, std::int32_t to);
  [[nodiscard]] std::int64_t due();
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound);

  std::shared_ptr<environment> chance_;
  network_faults faults_;
  std::int64_t now_ms_ = 0;
  std::map<std::int32_t, member> nodes_;
  std::set<std::pair<std::int32_t, std::int32_t>> cuts_;
  /// By clogged link, what it holds.
  std::map<std::pair<std::int32_t, std::int32_t>, std::vector<std::function<void()>>> held_;
  /// What they let go of since the last time.
  std::vector<std::function<void()>> released_;
  /// Under way, by when they are due; equal times in the order of sending.
  std::multimap<std::int64_t, raft_delivery> under_way_;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t let_go_ = 0;
  std::uint64_t offers_ = 0;
  /// By number.
  std::map<std::uint64_t, open_call> calls_;
  /// What is to happen to calls, by when.
  std::multimap<std::int64_t, std::function<void()>> call_events_;
  bool holds_answers_ = false;
  std::vector<std::function<void()>> held_answers_;
  std::uint64_t calls_made_ = 0;
  std::uint64_t calls_answered_ = 0;
};

} // namespace aqueduct::actors::test
