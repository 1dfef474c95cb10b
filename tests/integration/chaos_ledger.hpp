// The truth that a node under kills is held to: what producers were promised and what readers saw,
// by partition and offset. The first thing that contradicts something known is a violation.
//
// The checks are those of Jepsen's queue workload that a single node can break: lost write,
// inconsistent offset, duplicate, order, and records that were seen and are gone.
#pragma once

#include "tests/support/native_calls.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::test {

/// Which record of which producer. A producer numbers its records per partition, from 0.
struct record_tag {
  std::int32_t producer = 0;
  std::int32_t partition = 0;
  std::int64_t number = 0;

  friend bool operator==(const record_tag&, const record_tag&) = default;
};

/// The only value that a record with this tag can have.
[[nodiscard]] std::string value_of(const record_tag& tag);
/// The tag, if `value` is exactly `value_of` it.
[[nodiscard]] std::optional<record_tag> tag_of(std::string_view value);

/// Thread-safe.
class chaos_ledger {
public:
  chaos_ledger(std::int32_t partitions, std::int32_t idempotent_producers);

  /// The node acknowledged `count` records of which the first has this tag.
  void acknowledged(const record_tag& first, std::int32_t count, std::int64_t base_offset);
  /// Somebody read this.
  void seen(std::int32_t partition, const read_record& record, std::string_view reader);
  /// Somebody was told that the partition ends here, so far.
  void seen_end(std::int32_t partition, std::int64_t high_watermark, std::string_view reader);
  void violation(std::string what);

  /// Reads what a restarted node has, from where the last call ended or from the start, and holds
  /// it against everything known.
  void verify(native_client& client, const std::string& topic, bool from_start);

  [[nodiscard]] std::vector<std::string> violations() const;
  [[nodiscard]] std::int64_t acknowledged_count() const;
  [[nodiscard]] std::int64_t stored_count() const;

private:
  struct partition_truth {
    /// By offset; nothing where nobody was promised and nobody saw anything yet.
    std::vector<std::optional<record_tag>> records;
    /// Offset after the last that is known to be readable.
    std::int64_t end = 0;
    std::int64_t verified = 0;
    /// Number of the next record of each producer, as the log has them up to `verified`.
    std::map<std::int32_t, std::int64_t> next_number;
  };

  void learn(std::int32_t partition, std::int64_t offset, const record_tag& tag,
             std::string_view reader);
  void check_order(partition_truth& truth, std::int64_t offset, const record_tag& tag);
  void verify_partition(native_client& client, const std::string& topic, std::int32_t partition,
                        bool from_start);
  void add_violation(std::string what);

  mutable std::mutex mutex_;
  std::int32_t idempotent_producers_;
  std::vector<partition_truth> partitions_;
  std::int64_t acknowledged_ = 0;
  std::vector<std::string> violations_;
};

} // namespace aqueduct::test
