// Transaction markers: the control batches by which a coordinator ends a transaction in a
// partition.
//
// One uncompressed record, attributes transactional and control, the producer's id and epoch in the
// header. Key: version i16 = 0, type i16. Value: version i16 = 0, coordinator epoch i32.
#pragma once

#include "protocol/record_batch.hpp"

namespace aqueduct::protocol {

enum class marker_type : std::int16_t { abort = 0, commit = 1 };

/// Ends the transaction that `producer` has open in a partition.
struct transaction_marker {
  marker_type type = marker_type::abort;
  producer_id producer{};
  std::int16_t producer_epoch = 0;
  std::int32_t coordinator_epoch = 0;

  friend bool operator==(const transaction_marker&, const transaction_marker&) = default;
};

/// The marker as a batch with base offset 0 and epoch -1; `stamp_batch` sets both.
[[nodiscard]] mutable_buffer write_marker(const transaction_marker& marker, timestamp_ms timestamp);

/// The marker in a batch that passed `validate_batch`. Nothing for other control records (types 2
/// and up), which readers skip. Error invalid_message for what is no control
/// batch or a malformed one.
[[nodiscard]] result<std::optional<transaction_marker>> read_marker(batch_view batch);

} // namespace aqueduct::protocol
