// The key-value state of a node: what is derived from the logs, and the little that is not. An
// interface, because the simulator runs the same code over memory with the crash behaviour that
// RocksDB has. Logs and their bytes are not in here.
//
// Two classes of families, by what protects them (README.md gives the reasoning):
//
//   logged    hard_state, log_state, offset_index, time_index, node_meta
//             Written through the store's own write-ahead log. A relaxed write survives the end of
//             the process, not a power cut; a crash leaves a prefix of these writes that has at
//             least everything up to the last synced one.
//   unlogged  partition_state, cluster_state
//             State machines, whose write-ahead log is the Raft log. A crash leaves a prefix of
//             these writes that has at least everything up to the last `flush`.
//
// A batch belongs to one class. Between the two classes nothing is ordered.
#pragma once

#include "protocol/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::storage {

/// Numbers are part of the disk format.
enum class family : std::uint8_t {
  /// Terms and votes of Raft groups.
  hard_state = 1,
  /// What storage knows of each log: durable marks, segments, start, membership entries.
  log_state = 2,
  offset_index = 3,
  time_index = 4,
  /// Of the node itself.
  node_meta = 5,
  /// State machines of partitions, consumer groups, transactions, delivery; by group id.
  partition_state = 16,
  /// The state machine of the cluster's metadata.
  cluster_state = 17,
};

[[nodiscard]] constexpr bool is_logged(family f) {
  return static_cast<std::uint8_t>(f) < 16;
}

enum class durability : std::uint8_t {
  /// Soon: see the classes above.
  relaxed,
  /// When the call returns. For an unlogged family this is a `flush`, so not for hot paths.
  synced,
};

/// Changes that happen together or not at all. Not thread-safe.
class write_batch {
public:
  struct operation {
    enum class kind : std::uint8_t { put, remove, remove_range };
    kind what;
    family in;
    std::string key;
    /// put: the value. remove_range: the end, not included; empty is the end of the family.
    std::string value;
  };

  void put(family in, std::string_view key, std::string_view value) {
    operations_.push_back({operation::kind::put, in, std::string(key), std::string(value)});
  }
  void remove(family in, std::string_view key) {
    operations_.push_back({operation::kind::remove, in, std::string(key), {}});
  }
  /// All keys in [from, to); an empty `to` is the end of the family.
  void remove_range(family in, std::string_view from, std::string_view to) {
    operations_.push_back({operation::kind::remove_range, in, std::string(from), std::string(to)});
  }

  [[nodiscard]] bool empty() const { return operations_.empty(); }
  [[nodiscard]] const std::vector<operation>& operations() const { return operations_; }
  void clear() { operations_.clear(); }

private:
  std::vector<operation> operations_;
};

struct kv_pair {
  std::string key;
  std::string value;
};

/// Keys are ordered as unsigned bytes. Thread-safe: writes are atomic and ordered, a scan sees one
/// moment. Errors of all calls: storage_damaged (a checksum is wrong), storage_full,
/// storage_failed.
class kv {
public:
  /// Called for each pair in order; false ends the scan. Must not write to the store.
  using visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~kv() = default;

  [[nodiscard]] virtual result<std::optional<std::string>> get(family in,
                                                               std::string_view key) const = 0;
  /// Pairs with keys in [from, to), ascending; an empty `to` is the end of the family.
  virtual result<void> scan(family in, std::string_view from, std::string_view to,
                            const visitor& visit) const = 0;
  /// The pair with the largest key in [from, at_most], both included.
  [[nodiscard]] virtual result<std::optional<kv_pair>> last_in(family in, std::string_view from,
                                                               std::string_view at_most) const = 0;
  /// Precondition: all families of the batch are of one class.
  virtual result<void> write(const write_batch& batch, durability how) = 0;
  /// Everything that was written before the call, of both classes, is durable after it. Cheap when
  /// nothing was written since the last one.
  virtual result<void> flush() = 0;
};

/// The smallest string that is greater than every string beginning with `prefix`; empty when there
/// is none.
[[nodiscard]] std::string end_of_prefix(std::string_view prefix);

} // namespace aqueduct::storage
