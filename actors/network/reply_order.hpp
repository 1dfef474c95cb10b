// The answers of a connection whose protocol wants them in the order of the requests.
#pragma once

#include "actors/network/connection.hpp"
#include "protocol/buffer.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace aqueduct::actors::network {

/// Each request opens a place and fills it once, at any time; what was filled leaves when all
/// before it has. What waits counts as queued on the connection.
class reply_order {
public:
  using place = std::uint64_t;

  explicit reply_order(std::weak_ptr<connection> client) : client_(std::move(client)) {}

  /// The place behind all others. Any thread, as everything here.
  [[nodiscard]] place open();
  /// Nothing in `bytes`: there is no answer. Precondition: the place is open and not filled.
  void fill(place where, buffer_chain bytes);
  /// Like `fill` with nothing; the connection ends when everything before it was sent.
  void fill_with_end(place where);

private:
  struct slot {
    std::optional<buffer_chain> bytes;
    bool ends = false;
  };

  void put(place where, slot filled);

  std::weak_ptr<connection> client_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<slot> slots_;
  place first_ = 0;
};

} // namespace aqueduct::actors::network
