// The vocabulary of the consensus core: terms, indexes, replicas, entries, hard state. Plain values
// without behaviour of their own; what the bytes of a payload mean is not known here.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::raft {

/// An integer with a meaning. Ordered, hashable, explicit in both directions.
template <class Tag, class Rep>
struct number {
  using rep = Rep;

  Rep value{};

  constexpr number() = default;
  constexpr explicit number(Rep v) : value(v) {}

  friend constexpr auto operator<=>(number, number) = default;
  friend constexpr number operator+(number a, Rep n) { return number(a.value + n); }
  friend constexpr number operator-(number a, Rep n) { return number(a.value - n); }

  /// The number that follows this one.
  [[nodiscard]] constexpr number next() const { return number(value + 1); }
};

/// A term of office. 0 is before the first election.
using term_id = number<struct term_tag, std::uint64_t>;
/// Position of an entry in the log, from 1. 0 is the position before the first entry.
using log_index = number<struct log_index_tag, std::uint64_t>;
/// A broker, 0 to 2^31 - 1.
using node_id = number<struct node_tag, std::int32_t>;
/// Which life of a node's disk this is: a node that lost its disk returns with a higher one.
using incarnation = number<struct incarnation_tag, std::uint64_t>;

/// Who votes. The same node with another incarnation is somebody else, who remembers nothing of
/// what the former promised: it is never counted for it.
struct replica_id {
  node_id node;
  raft::incarnation incarnation;

  friend constexpr auto operator<=>(const replica_id&, const replica_id&) = default;
};

/// What an entry is for. Numbers are part of the disk format.
enum class entry_kind : std::uint8_t {
  /// The first entry of a leader, which lets it commit what its predecessors left.
  noop = 0,
  records = 1,
  command = 2,
  /// Written by the core: an encoded `membership`. The first entry of every group is one.
  membership = 3,
};

/// Immutable bytes that are shared, never copied. Empty payloads have no data.
struct payload {
  std::shared_ptr<const std::byte> data;
  std::size_t size = 0;
};

/// Identity of an entry: no two entries ever have the same (Raft paper 5.3, log matching). Ordered
/// as 5.4.1 orders the ends of logs: by term, then by index.
struct entry_id {
  term_id term;
  log_index index;

  friend constexpr auto operator<=>(const entry_id&, const entry_id&) = default;
};

struct entry {
  log_index index;
  term_id term;
  entry_kind kind = entry_kind::noop;
  payload body;

  [[nodiscard]] constexpr entry_id id() const { return {term, index}; }
};

/// What an entry counts against every limit in bytes: its payload and this much for itself.
inline constexpr std::size_t entry_overhead_bytes = 64;
[[nodiscard]] inline std::size_t charge(const entry& e) {
  return e.body.size + entry_overhead_bytes;
}

/// A piece of the log of the leader of `term`, as it arrives from outside.
struct log_slice {
  term_id term;
  /// The entry right before the first of `entries`.
  entry_id previous;
  std::vector<entry> entries;

  /// Index of the last entry, or of `previous` when there are none.
  [[nodiscard]] log_index last_index() const { return previous.index + entries.size(); }

  /// True if this can be a piece of a log of a leader of `term`:
  /// 1. `previous` and every entry have a term of at most `term`;
  /// 2. indexes follow each other without a hole;
  /// 3. terms never decrease;
  /// 4. index 0 has term 0, every other index has a term above 0.
  [[nodiscard]] bool valid() const;
};

/// What must survive a crash before anything that depends on it leaves the replica.
struct hard_state {
  term_id term;
  /// Who got this replica's vote in `term`.
  std::optional<replica_id> voted_for;

  friend bool operator==(const hard_state&, const hard_state&) = default;
};

/// Where a run of entries of one term begins.
struct term_run {
  term_id term;
  log_index first;

  friend bool operator==(const term_run&, const term_run&) = default;
};

enum class role_kind : std::uint8_t { follower, pre_candidate, candidate, leader };

[[nodiscard]] std::string_view to_string(entry_kind kind);
[[nodiscard]] std::string_view to_string(role_kind role);
/// "node" for incarnation 0, else "node.incarnation".
[[nodiscard]] std::string to_string(const replica_id& id);
/// "index@term".
[[nodiscard]] std::string to_string(const entry_id& id);

} // namespace aqueduct::raft

template <class Tag, class Rep>
struct std::hash<aqueduct::raft::number<Tag, Rep>> {
  std::size_t operator()(aqueduct::raft::number<Tag, Rep> n) const noexcept {
    return std::hash<Rep>{}(n.value);
  }
};
