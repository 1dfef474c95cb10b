// The wires between simulated nodes: connections as the peer actors know them, in virtual time.
// Bytes of a connection arrive in order and late; where the network is cut they wait, as with TCP;
// connections break when the seed says so, and when a node dies its peers hear of it late.
#pragma once

#include "actors/environment.hpp"
#include "actors/peer/link.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace aqueduct::actors::test {

/// How bad it is.
struct wire_faults {
  std::int64_t delay_ms_min = 1;
  std::int64_t delay_ms_max = 1;
  /// Of 10,000 writes, so many break their connection.
  std::uint32_t breaks = 0;
};

class sim_wires {
public:
  explicit sim_wires(std::uint64_t seed);
  ~sim_wires();

  [[nodiscard]] static config::endpoint address_of(std::int32_t node);

  /// A life of a node begins; nothing is accepted before `listen`.
  [[nodiscard]] std::shared_ptr<link_dialler> join(std::int32_t node);
  void listen(std::int32_t node, std::shared_ptr<link_acceptor> acceptor);
  /// It ends, and nothing of it is called any more. The others hear that their connections ended
  /// within so many milliseconds.
  void leave(std::int32_t node, std::int64_t told_within_ms);

  void set_faults(const wire_faults& faults) { faults_ = faults; }
  /// Nothing gets from one to the other any more. One way.
  void cut(std::int32_t from, std::int32_t to) { cuts_.insert({from, to}); }
  void isolate(std::int32_t node, std::int32_t nodes);
  /// What is said from one to the other waits from here on, in order.
  void clog(std::int32_t from, std::int32_t to) { clogs_.insert({from, to}); }
  /// All of it arrives at once.
  void unclog(std::int32_t from, std::int32_t to);
  /// Nothing is cut or clogged.
  void heal();
  [[nodiscard]] bool is_cut(std::int32_t from, std::int32_t to) const {
    return cuts_.contains({from, to});
  }
  /// What arrives for a node waits: its process is stopped.
  void freeze(std::int32_t node, bool frozen);

  /// Delivers what is due. Returns how much that was.
  std::size_t advance(std::int64_t now_ms);
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t broken() const { return broken_; }
  /// What had been due and was held by a clogged link until it let go.
  [[nodiscard]] std::uint64_t let_go() const { return let_go_; }

private:
  class end;
  class dialler;

  struct item {
    enum class kind : std::uint8_t { bytes, opened, closed };
    std::int64_t due_ms = 0;
    kind what = kind::bytes;
    buffer bytes;
  };
  /// One direction of a connection, named by who hears it.
  struct stream {
    std::deque<item> items;
    std::size_t bytes = 0;
    /// Nothing comes behind it.
    bool ended = false;
  };
  /// Side 0 dialled.
  struct wire {
    std::array<std::int32_t, 2> nodes{};
    std::array<std::shared_ptr<link_sink>, 2> sinks;
    std::array<stream, 2> to;
    /// This side closed it: it hears nothing more but the end.
    std::array<bool, 2> closed{};
    /// It waits to hear that what it wrote is gone.
    std::array<bool, 2> waits{};
  };

  [[nodiscard]] std::shared_ptr<link> dial(std::int32_t from, const config::endpoint& address,
                                           std::shared_ptr<link_sink> sink);
  [[nodiscard]] bool write(std::uint64_t id, std::size_t side, const buffer_chain& bytes);
  void close(std::uint64_t id, std::size_t side);
  void push(wire& on, std::size_t to, item::kind what, buffer bytes = {});
  void break_off(wire& broken);
  /// False if it has nothing to deliver now.
  bool deliver_one(std::uint64_t id, std::size_t side);
  void open(std::uint64_t id);
  void deliver_bytes(std::uint64_t id, std::size_t side, const buffer& bytes);
  void end_side(std::uint64_t id, std::size_t side, const error& why);
  void tell_sent(std::uint64_t id, std::size_t side);
  [[nodiscard]] std::int64_t delay();
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound) { return chance_->random() % bound; }

  std::shared_ptr<environment> chance_;
  wire_faults faults_;
  std::int64_t now_ms_ = 0;
  std::map<std::int32_t, std::shared_ptr<link_acceptor>> listening_;
  std::set<std::pair<std::int32_t, std::int32_t>> cuts_;
  std::set<std::pair<std::int32_t, std::int32_t>> clogs_;
  std::set<std::int32_t> frozen_;
  std::map<std::uint64_t, wire> wires_;
  std::uint64_t last_wire_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t broken_ = 0;
  std::uint64_t let_go_ = 0;
  /// What ends and diallers hold: empty once the wires are gone.
  std::shared_ptr<sim_wires*> self_ = std::make_shared<sim_wires*>(this);
};

} // namespace aqueduct::actors::test
