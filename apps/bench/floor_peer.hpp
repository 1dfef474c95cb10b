// A connection of the floor server: frames in, replies out.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/native/frame.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace aqueduct::bench {

/// Read by the I/O thread; replies may come from any.
class floor_peer {
public:
  /// `epoll` watches the connection with a pointer to this as data.
  floor_peer(int descriptor, int epoll);
  floor_peer(const floor_peer&) = delete;
  floor_peer& operator=(const floor_peer&) = delete;
  ~floor_peer();

  /// A frame that is all here. `payload` is memory of its own if it is large, otherwise valid
  /// during the call only.
  using frame_handler = std::function<void(const protocol::frame_header&, const buffer& payload)>;
  /// Reads until nothing is there or about a megabyte came. False at the end of the connection.
  [[nodiscard]] bool receive(const frame_handler& handle);

  /// Sends, and keeps what the socket does not take; `bytes` is left with memory to use again.
  void reply(std::vector<std::byte>& bytes);
  /// The socket takes more.
  void send_rest();

private:
  [[nodiscard]] bool take_frames(const frame_handler& handle);
  void watch(bool for_room);
  /// Returns how much was sent.
  [[nodiscard]] std::size_t send_some(const std::byte* data, std::size_t size) const;

  int descriptor_;
  int epoll_;
  bool preface_seen_ = false;
  /// Small frames, and the begin of large ones.
  std::vector<std::byte> chunk_;
  std::size_t chunk_filled_ = 0;
  /// A large frame whose rest is read straight to its place; empty: none.
  mutable_buffer large_;
  std::size_t large_filled_ = 0;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<std::byte> out_;
  std::size_t out_sent_ = 0;
};

} // namespace aqueduct::bench
