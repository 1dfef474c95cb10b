// One link to one other node, as a pure state machine: events and the time in, effects out.
//
// A link is two connections. CONTROL carries votes, heartbeats, answers and small appends; BULK
// carries what is large, so that it never delays the former. Either node dials control; it is bulk
// only whose control connection was dialled by the same node. When both dial at once the connection
// of the lower id stays:
//
//   idle --dial--> connecting --opened--> greeting --answer--> established
//    ^                 \_____________________\______ lost _________/
//    '--- back-off, exponential with jitter ---'
//
//   a hello arrives while we are ...     idle, connecting: taken, our dial ends
//     greeting: the lower id's connection stays
//     established, dialled by them: the new one replaces it
//     established, dialled by us: stays if our id is the lower one, unless they began anew
//
// A link is alive as long as pings are answered: one is sent every quarter of the election timeout,
// and half of it without an answer ends the connection. So a dead, frozen or one-way link is known
// on both sides within three quarters of an election timeout.
//
// Messages of all groups are batched: what comes while a connection is busy goes together when it
// no longer is. Heartbeats and their answers wait a moment for company.
//
// Calls of the node and of the other one are told apart by the connection and its correlation ids.
// Every call of this node ends: by an answer, by its deadline, or with its connection.
#pragma once

#include "actors/peer/append_order.hpp"
#include "actors/peer/call_table.hpp"
#include "actors/peer/link.hpp"
#include "actors/peer/node_calls.hpp"
#include "actors/peer/peer_hello.hpp"
#include "actors/peer/send_queue.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aqueduct::actors {

/// Names a connection of one peer_core for its whole life. The core numbers those that it dials
/// from 1, its caller those that it accepts from `first_accepted`.
using connection_id = std::uint64_t;
inline constexpr connection_id first_accepted = connection_id{1} << 63;

struct peer_core_options {
  node_identity us;
  raft::node_id peer;
  std::int64_t election_timeout_ms = 1000;
  /// Bytes that are queued or under way on each connection. What comes beyond them is dropped.
  std::size_t control_window_bytes = std::size_t{4} << 20;
  std::size_t bulk_window_bytes = std::size_t{32} << 20;
  /// Appends with as many bytes go over bulk.
  std::size_t bulk_from_bytes = std::size_t{64} << 10;
  /// How long heartbeats wait for others.
  std::int64_t company_wait_ms = 2;
  /// On each connection.
  call_table::limits calls;
  /// Of the jitter in back-off.
  std::uint64_t seed = 0;
};

enum class connection_phase : std::uint8_t { idle, connecting, greeting, established };

/// One connection of a link, for operators. Times are those of the steady clock, in milliseconds;
/// -1 is never.
struct connection_status {
  connection_phase phase = connection_phase::idle;
  /// This node opened it.
  bool dialled = false;
  std::int64_t since_ms = -1;
  std::int64_t heard_ms = -1;
  /// Of the last ping.
  std::int64_t round_trip_ms = -1;
  /// Of this and all earlier connections.
  std::uint64_t frames_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t bytes_received = 0;
  /// Queued and under way.
  std::uint64_t window_bytes = 0;
  std::uint32_t failures = 0;
  /// Why the last connection or attempt ended; empty when none did.
  std::string last_error;
};

struct peer_status {
  raft::node_id peer;
  /// What the other node said of itself last.
  raft::incarnation incarnation;
  std::string software;
  std::array<connection_status, 2> connections;
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  /// Messages that a newer one made superfluous before they left.
  std::uint64_t superseded = 0;
  /// Messages that did not fit the window.
  std::uint64_t dropped_full = 0;
  /// Messages for which there was no connection, or that were lost with one before they left.
  std::uint64_t dropped_unconnected = 0;
  /// Arrived messages for, or of, another life of a node.
  std::uint64_t dropped_misaddressed = 0;
  /// Calls that left for the other node, and those of them that have no answer yet.
  std::uint64_t calls_sent = 0;
  std::uint64_t calls_open = 0;
  /// Calls of the other node that were taken, and those of them that are not answered yet.
  std::uint64_t calls_received = 0;
  std::uint64_t calls_asked = 0;

  [[nodiscard]] bool is_connected() const {
    return connections[0].phase == connection_phase::established;
  }
};

/// Something for the log.
struct peer_note {
  bool is_warning = false;
  std::string text;
};

/// A call of the other node: where its answer goes.
struct asked_call {
  connection_id connection = 0;
  std::uint32_t correlation = 0;

  friend bool operator==(const asked_call&, const asked_call&) = default;
};

struct peer_effects {
  struct dial {
    connection_id id;
  };
  struct write {
    connection_id id;
    buffer_chain bytes;
  };
  struct establish {
    connection_id id;
  };
  struct close {
    connection_id id;
    bool after_sending = false;
  };
  using step = std::variant<dial, write, establish, close>;

  /// A call of this node ended.
  struct ended_call {
    call_number number = 0;
    result<buffer> answer;
  };
  /// The other node asks; `peer_core::answer` is to be called once.
  struct question {
    asked_call call;
    call_kind what = call_kind::controller;
    buffer body;
  };

  /// To be carried out first.
  std::vector<raft_delivery> deliver;
  std::vector<ended_call> ended;
  std::vector<question> asked;
  /// In this order.
  std::vector<step> steps;
  std::vector<peer_note> notes;
};

class peer_core {
public:
  explicit peer_core(peer_core_options options);

  /// Begins to dial.
  [[nodiscard]] peer_effects start(std::int64_t now_ms);
  /// Messages of a replica of this node to replicas of the other.
  [[nodiscard]] peer_effects send(std::int64_t now_ms, std::vector<raft_parcel> parcels);

  /// Asks the other node. `number` is not of an earlier call.
  [[nodiscard]] peer_effects call(std::int64_t now_ms, call_number number, call_kind what,
                                  buffer question, std::int64_t deadline_ms);
  /// Answers a call of the other node.
  [[nodiscard]] peer_effects answer(std::int64_t now_ms, const asked_call& to, result<buffer> with);

  /// The other node opened a connection and said who it is; `judge` found nothing against it.
  [[nodiscard]] peer_effects accepted(std::int64_t now_ms, connection_id id,
                                      const protocol::cluster::hello& hello);
  [[nodiscard]] peer_effects opened(std::int64_t now_ms, connection_id id);
  [[nodiscard]] peer_effects arrived(std::int64_t now_ms, connection_id id,
                                     std::vector<link_frame> frames);
  /// What was written is with the system.
  [[nodiscard]] peer_effects sent(std::int64_t now_ms, connection_id id);
  [[nodiscard]] peer_effects closed(std::int64_t now_ms, connection_id id, const error& why);
  [[nodiscard]] peer_effects tick(std::int64_t now_ms);

  /// The other node is somewhere else: a connection that is not yet established is dialled anew.
  [[nodiscard]] peer_effects readdressed(std::int64_t now_ms);
  /// This node learned which cluster it belongs to.
  void join(const uuid& cluster) { options_.us.cluster = cluster; }
  /// Closes everything; nothing is dialled or taken any more.
  [[nodiscard]] peer_effects stop();

  /// When `tick` must be called, at the latest.
  [[nodiscard]] std::optional<std::int64_t> next_tick_ms() const;
  [[nodiscard]] peer_status status() const;
  [[nodiscard]] bool is_connected() const {
    return connections_[0].status.phase == connection_phase::established;
  }

private:
  struct connection {
    connection(purpose p, std::size_t window_bytes, call_table::limits bounds)
        : what(p), queue(window_bytes), calls(bounds) {}

    purpose what;
    send_queue queue;
    call_table calls;
    connection_status status;
    /// 0 while idle.
    connection_id id = 0;
    /// Idle: when to dial. Connecting, greeting: when to give up.
    std::optional<std::int64_t> deadline_ms;

    // While established.
    protocol::cluster::hello_answer them;
    /// Something was written of which `sent` has not come.
    bool busy = false;
    std::int64_t progress_ms = 0;
    std::uint64_t frames_left = 0;
    std::uint64_t pings = 0;
    std::optional<std::int64_t> ping_wanted_ms;
    std::optional<std::int64_t> ping_sent_ms;
    std::uint64_t frames_before_ping = 0;
    std::int64_t next_ping_ms = 0;
    std::optional<std::uint64_t> pong_owed;
    std::optional<std::int64_t> patient_until_ms;
  };

  [[nodiscard]] connection& at(purpose what) {
    return connections_[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] connection* find(connection_id id);
  [[nodiscard]] std::int64_t ping_interval_ms() const;
  [[nodiscard]] std::int64_t dial_timeout_ms() const;
  [[nodiscard]] std::optional<std::int64_t> silence_deadline(const connection& c) const;
  [[nodiscard]] std::uint64_t random();

  void dial(connection& c);
  void back_off(connection& c, const error& why);
  void check_deadlines(connection& c);
  template <class M>
  [[nodiscard]] buffer_chain frame_of(const connection& c, protocol::frame_kind kind,
                                      protocol::api_key key, const M& message,
                                      std::uint32_t correlation = 0) const;
  void establish(connection& c, protocol::cluster::hello_answer them, bool dialled);
  /// Ends a connection from this side.
  void drop(connection& c, const error& why);
  /// A connection is gone; what follows from that.
  void lost(connection& c, const error& why);
  void forget_traffic(connection& c, const error& why);
  [[nodiscard]] std::optional<hello_refusal> refuse(const connection& c,
                                                    const protocol::cluster::hello& hello) const;

  void enqueue(raft_parcel parcel);
  void push(connection& c, raft_parcel parcel);
  void arrived_frame(connection& c, link_frame& frame);
  void answered(connection& c, const link_frame& frame);
  void arrived_raft(connection& c, const link_frame& frame);
  void pong(connection& c, std::uint64_t number);
  [[nodiscard]] result<void> begin_call(connection& c, call_number number, call_kind what,
                                        buffer question, std::int64_t deadline_ms);
  void arrived_call(connection& c, const link_frame& frame);
  void arrived_answer(connection& c, const link_frame& frame);
  void queue_answer(connection& c, std::uint32_t correlation, result<buffer> with);
  void end_overdue_calls(connection& c);
  void write_calls(connection& c, buffer_chain& out);
  void flush(connection& c);
  void write_raft(connection& c, buffer_chain& out);
  void flush_all();
  [[nodiscard]] peer_effects take();
  void want_ping(connection& c);
  void note(bool is_warning, const connection& c, const std::string& text);

  peer_core_options options_;
  std::array<connection, 2> connections_;
  append_order order_;
  peer_status counts_;
  std::uint64_t random_state_;
  connection_id last_id_ = 0;
  /// Highest that the other node was ever seen with.
  std::uint64_t incarnation_ = 0;
  bool running_ = false;
  // Of the present call.
  std::int64_t now_ms_ = 0;
  peer_effects effects_;
};

} // namespace aqueduct::actors
