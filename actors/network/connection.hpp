// A connection, of a client or of another node: bytes in, frames to the dialect; replies from any
// thread, gathered writes out. What the bytes mean is the dialect's business, who may be asked the
// services'.
//
// Owned by the I/O thread of its io_context; `reply`, `finish_request` and `close` may be called
// from any thread. Whoever replies also writes to the socket, under a mutex: an acknowledgement
// does not wait for the I/O thread to wake up. Only when the socket is full the I/O thread takes
// over. Memory is bounded: request bytes by two budgets, replies by a limit above which no more
// requests are read.
#pragma once

#include "actors/network/byte_budget.hpp"
#include "actors/network/stream.hpp"
#include "actors/reply_scope.hpp"
#include "protocol/buffer.hpp"
#include "protocol/result.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

class connection;

/// What the bytes of a connection mean. Called by the connection's I/O thread only.
class dialect {
public:
  virtual ~dialect() = default;
  /// Bytes at the front of a frame that `frame_size` needs to see.
  [[nodiscard]] virtual std::size_t header_size() const = 0;
  /// Size of the frame that begins with these `header_size()` bytes, header included. An error ends
  /// the connection.
  [[nodiscard]] virtual result<std::size_t> frame_size(const std::byte* header) = 0;
  /// A whole frame. Its bytes may be written to by whoever gets a slice of it; they stay valid as
  /// long as a slice lives. `whole_allocation` is false when the frame shares its memory with
  /// others, so that a slice that is kept for long keeps more than itself.
  /// Returns an error to end the connection after what is queued has been sent.
  [[nodiscard]] virtual result<void> frame(const mutable_buffer& bytes, bool whole_allocation) = 0;
  /// All frames of a read were given: send on what was gathered.
  virtual void end_of_chunk() = 0;
  /// The system has everything of which `connection::send` said that it had not.
  virtual void all_sent() {}
  /// The connection is gone.
  virtual void closed() = 0;
  /// The connection was congested and is not any more.
  virtual void relieved() {}
  /// Memory for requests is short: what only waits for time need not wait any more.
  virtual void hurry() {}
  /// Last words before the connection ends because of `why`; may reply.
  virtual void refuse(const error& why) = 0;
  /// False until the client has introduced itself.
  [[nodiscard]] virtual bool is_established() const = 0;
};

struct connection_limits {
  std::size_t request_bytes_max = 0;
  std::size_t send_bytes_max = 0;
  std::chrono::milliseconds handshake_timeout{};
  std::chrono::milliseconds idle_timeout{};
};

/// Memory for reads that an I/O thread shares between its connections.
class read_chunk {
public:
  static constexpr std::size_t size = 128 * 1024;

  /// A chunk nobody else holds a slice of.
  [[nodiscard]] mutable_buffer& fresh();

private:
  mutable_buffer chunk_;
};

class connection : public reply_queue, public std::enable_shared_from_this<connection> {
public:
  using clock = std::chrono::steady_clock;

  connection(stream socket, connection_limits limits, std::shared_ptr<byte_budget> total,
             std::shared_ptr<read_chunk> chunk);
  ~connection() override;

  /// Starts reading. The dialect is owned from here on; `open` goes down by one when the connection
  /// is closed, before the client can see that it is.
  void start(std::unique_ptr<dialect> speaks, std::shared_ptr<std::atomic<std::size_t>> open);
  /// Replaces the dialect, from within a call of the present one (after a preface). The present one
  /// lives until the call returns.
  void become(std::unique_ptr<dialect> speaks);

  // -- any thread --------------------------------------------------------------------------------

  /// Queues bytes behind all earlier replies and sends them, now or at the end of the scope.
  void reply(buffer_chain bytes);
  void flush_replies() override;
  /// Queues bytes behind all earlier ones and sends what the system takes. True: it has taken
  /// everything. False: the dialect hears `all_sent` when it has.
  [[nodiscard]] bool send(const buffer_chain& bytes);
  /// Reads no more, and closes when everything that is queued has been sent.
  void finish();
  /// A request costs `bytes` more than were read for it.
  void charge_request(std::size_t bytes);
  /// A request of `bytes`, or for which so many were charged, was answered or needs no answer.
  void finish_request(std::size_t bytes);
  /// Until `answer_came` there may be as many more bytes to send: they count as queued.
  void expect_answer(std::size_t bytes) { expected_bytes_ += bytes; }
  void answer_came(std::size_t bytes);
  /// More is queued, or under way to be pushed, than a connection may have: nobody should push. If
  /// so, the dialect is told when it is over.
  [[nodiscard]] bool is_congested();
  /// So many bytes are being read to be pushed, in addition to those told before; negative: less.
  void expect_push(std::int64_t bytes);
  void close();
  [[nodiscard]] bool is_closed() const { return closed_.load(std::memory_order_relaxed); }
  template <class F>
  void post(F&& work) {
    asio::post(socket_.get_executor(), std::forward<F>(work));
  }

  // -- I/O thread --------------------------------------------------------------------------------

  /// Closes the connection if it has been silent for too long.
  void check_idle(clock::time_point now);
  void close_now() { do_close(); }
  [[nodiscard]] const std::string& peer() const { return peer_; }

private:
  void wait_readable();
  [[nodiscard]] bool has_room_for_pushes() const;
  [[nodiscard]] bool may_read() const;
  /// There is memory for another request, when `unused` bytes were read that are none yet.
  [[nodiscard]] bool may_begin(std::size_t unused) const;
  /// The same for the memory of requests alone.
  [[nodiscard]] bool may_charge(std::size_t unused) const;
  /// Bytes that were read and are no request yet.
  [[nodiscard]] std::size_t unused_bytes() const {
    return held_.size() + (partial_.empty() ? 0 : partial_filled_);
  }
  /// Has the I/O thread look again if reading stopped.
  void wake_reader();
  void look_again();
  void read_some();
  /// Gives the dialect what was read, and goes on.
  void take(const mutable_buffer& bytes);
  void take_held();
  /// Takes what was read: first the rest of the frame that was begun, then whole frames. False when
  /// the connection ended.
  [[nodiscard]] bool consume(const mutable_buffer& bytes);
  /// Completes partial_ from the front of `bytes`; returns how much of them it took.
  [[nodiscard]] result<std::size_t> grow_partial(const mutable_buffer& bytes);
  [[nodiscard]] result<void> take_frames(const mutable_buffer& bytes);
  /// Of the frame that begins with `header`, by which the next read goes; an error: no frame does.
  [[nodiscard]] result<std::size_t> next_frame_size(const mutable_buffer& header);
  /// Keeps the front of a frame whose rest has not come yet.
  [[nodiscard]] result<void> begin_partial(const mutable_buffer& rest);
  /// Writes until the queue is empty or the socket full. Precondition: write_mutex_ is held.
  void write_queued();
  [[nodiscard]] std::size_t gather(std::span<struct iovec> into) const;
  void drop_sent(std::size_t sent);
  void wait_writable();
  /// I/O thread: what follows from a shorter queue.
  void after_write();
  /// The client has not taken anything for too long.
  [[nodiscard]] bool is_deaf(clock::time_point now);
  void end(const error& why);
  void do_close();

  stream socket_;
  connection_limits limits_;
  std::shared_ptr<byte_budget> total_;
  std::shared_ptr<std::atomic<std::size_t>> open_;
  byte_budget own_;
  std::shared_ptr<read_chunk> chunk_;
  std::unique_ptr<dialect> dialect_;
  /// Was replaced by `become` and may still be on the stack.
  std::unique_ptr<dialect> former_dialect_;
  std::string peer_;
  asio::steady_timer retry_;

  /// The frame, or the header of the frame, that is not all here yet; empty: none.
  mutable_buffer partial_;
  std::size_t partial_filled_ = 0;
  /// Size of the whole frame; 0 while only its header is known. partial_ grows to it with what
  /// comes: a header alone claims no memory.
  std::size_t partial_whole_ = 0;
  clock::time_point partial_since_;
  /// Of the last frame that began.
  std::size_t last_frame_bytes_ = 0;

  bool reading_ = false;
  /// No more reads; closes when everything queued has been sent.
  std::atomic<bool> ending_{false};
  clock::time_point last_read_;
  clock::time_point opened_;
  clock::time_point ending_since_;

  std::mutex write_mutex_;
  // Guarded by write_mutex_, as is every use of the socket for writing and closing.
  std::deque<buffer> queue_;
  /// When the client last took something of the queue, or the queue began.
  clock::time_point last_taken_;
  /// Bytes of the first buffer that are sent.
  std::size_t sent_of_first_ = 0;
  /// The I/O thread waits until the socket takes more.
  bool write_waiting_ = false;
  bool broken_ = false;
  /// A scope will flush.
  bool flush_deferred_ = false;
  /// The dialect waits for `all_sent`.
  bool tell_when_sent_ = false;

  /// Frames that were read and may not begin yet, in memory of their own.
  mutable_buffer held_;
  /// What is consumed comes from such memory.
  bool from_held_ = false;

  std::atomic<std::size_t> unsent_bytes_{0};
  std::atomic<std::size_t> expected_bytes_{0};
  std::atomic<std::int64_t> pushing_bytes_{0};
  std::atomic<bool> closed_{false};
  /// Reading stopped for want of memory.
  std::atomic<bool> stalled_{false};
  std::atomic<bool> look_posted_{false};
  /// Somebody waits for `relieved`.
  std::atomic<bool> congested_{false};
};

} // namespace aqueduct::actors::network
