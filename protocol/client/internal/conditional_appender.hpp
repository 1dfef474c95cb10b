// Appends that depend on the partition's end offset: one batch, one request at a time, waited for
// on the user's thread. It has producer ids of its own, so that a refused batch leaves no gap in
// the numbering of the batches under way.
#pragma once

#include "protocol/client/internal/cluster_core.hpp"
#include "protocol/client/internal/partition_pipeline.hpp"

#include <map>
#include <mutex>

namespace aqueduct::client {

/// Thread-safe; appends to one partition follow one another.
class conditional_appender {
public:
  conditional_appender(std::shared_ptr<cluster_core> on, const producer_config& config,
                       bool is_idempotent)
      : cluster_(std::move(on)), config_(config), is_idempotent_(is_idempotent) {}

  /// As producer::append_at.
  [[nodiscard]] result<record_metadata> append(const topic_partition& to, offset_t expected,
                                               std::span<const record> records,
                                               offset_t* end_offset);

private:
  struct lane {
    std::mutex mutex;
    /// Nothing: asked for before the next append.
    std::optional<producer_identity> identity;
    std::int32_t next_sequence = 0;
  };
  struct attempt {
    std::optional<protocol::produce_partition_result> answer;
    failure fail;
  };

  [[nodiscard]] lane& lane_of(const topic_partition& to);
  [[nodiscard]] result<void> identify(lane& in, time_point deadline);
  [[nodiscard]] attempt try_once(const topic_partition& to, offset_t expected, const buffer& batch,
                                 time_point deadline);

  const std::shared_ptr<cluster_core> cluster_;
  const producer_config& config_;
  const bool is_idempotent_;
  std::mutex mutex_;
  std::map<topic_partition, std::unique_ptr<lane>> lanes_;
};

} // namespace aqueduct::client
