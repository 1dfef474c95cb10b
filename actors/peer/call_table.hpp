// The calls of one connection that have no answer yet: those of this node, each with its deadline,
// and those of the other node. Both are bounded. Knows numbers only, not what is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// Names a call of this node to another one, for the whole life of a peer_core.
using call_number = std::uint64_t;

class call_table {
public:
  struct limits {
    /// Of each direction.
    std::size_t calls_max = 256;
    /// Of the other node's questions together. One alone may be larger.
    std::size_t asked_bytes_max = std::size_t{4} << 20;
  };

  explicit call_table(limits bounds) : limits_(bounds) {}

  // -- asked by this node ------------------------------------------------------------------------

  [[nodiscard]] bool is_full() const { return open_.size() >= limits_.calls_max; }
  /// Returns the correlation id, which is never 0. Precondition: not full.
  [[nodiscard]] std::uint32_t begin(call_number number, std::int64_t deadline_ms);
  /// The call with this correlation id has an answer. Nothing when there is none, or no more.
  [[nodiscard]] std::optional<call_number> finish(std::uint32_t correlation);
  /// Ends those whose deadline is at `now_ms` or before.
  [[nodiscard]] std::vector<call_number> overdue(std::int64_t now_ms);
  [[nodiscard]] std::optional<std::int64_t> next_deadline_ms() const;
  [[nodiscard]] std::size_t open() const { return open_.size(); }

  // -- asked by the other node -------------------------------------------------------------------

  enum class admission : std::uint8_t { taken, full, repeated };

  /// A question of so many bytes came.
  [[nodiscard]] admission admit(std::uint32_t correlation, std::size_t bytes);
  /// It is about to be answered. False: nobody waits for it (any more).
  [[nodiscard]] bool answered(std::uint32_t correlation);
  [[nodiscard]] std::size_t asked() const { return asked_.size(); }

  /// The connection is gone. Returns this node's calls, in the order of their deadlines.
  [[nodiscard]] std::vector<call_number> lose();

private:
  struct open_call {
    call_number number = 0;
    std::int64_t deadline_ms = 0;
  };

  limits limits_;
  std::uint32_t last_ = 0;
  /// By correlation id.
  std::unordered_map<std::uint32_t, open_call> open_;
  /// Deadline and correlation id of each in open_.
  std::set<std::pair<std::int64_t, std::uint32_t>> deadlines_;
  /// Bytes by correlation id.
  std::unordered_map<std::uint32_t, std::size_t> asked_;
  std::size_t asked_bytes_ = 0;
};

} // namespace aqueduct::actors
