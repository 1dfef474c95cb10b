// Walks through the batches of one fetch answer and makes views of their records. Pure; used by one
// thread at a time.
#pragma once

#include "protocol/client/consumer.hpp"
#include "protocol/record_reader.hpp"

#include <memory>
#include <optional>

namespace aqueduct::client {

/// What `record_cursor::fill` adds to. The parts of a record_set, before it is one.
struct record_collector {
  std::vector<record_view> records;
  std::vector<std::vector<header>> headers;
  std::vector<buffer> memory;
  std::vector<std::shared_ptr<const std::string>> topics;
  std::size_t payload_bytes = 0;

  /// Forgets what was added after the collector had this size.
  void truncate(std::size_t records_left);
};

class record_cursor {
public:
  struct settings {
    bool verify_checksums = true;
    std::size_t decompressed_bytes_max = 0;
  };
  struct limits {
    std::size_t records_max = 0;
    /// Of keys and values in the collector; the first record comes even if it is larger.
    std::size_t bytes_max = 0;
  };

  /// `batches`: whole batches, as a fetch returns them. Records before `from` are skipped.
  record_cursor(std::shared_ptr<const std::string> topic, partition_id partition, buffer batches,
                offset_t from, settings how)
      : topic_(std::move(topic)),
        partition_(partition),
        batches_(std::move(batches)),
        rest_(batches_.bytes()),
        next_(from),
        how_(how),
        reader_(how.decompressed_bytes_max) {}

  record_cursor(const record_cursor&) = delete;
  record_cursor& operator=(const record_cursor&) = delete;

  /// Adds records until a limit is reached (false) or all are read (true). Errors: corrupt_batch,
  /// invalid_message, decompression_limit, unsupported_codec; what was added before stands.
  [[nodiscard]] result<bool> fill(record_collector& into, const limits& until);

  /// Offset of the next record that `fill` will add, as far as is known.
  [[nodiscard]] offset_t next_offset() const { return next_; }
  /// Epoch of the last batch that was opened.
  [[nodiscard]] leader_epoch epoch() const { return epoch_; }
  [[nodiscard]] std::size_t size() const { return batches_.size(); }

private:
  /// Opens the next batch that has wanted records. False at the end.
  [[nodiscard]] result<bool> open_batch();
  void add(record_collector& into, const protocol::record_view& record);

  std::shared_ptr<const std::string> topic_;
  partition_id partition_;
  buffer batches_;
  byte_span rest_;
  offset_t next_;
  leader_epoch epoch_{-1};
  settings how_;
  protocol::record_reader reader_;
  /// The records of the open batch, and the offset after it.
  buffer records_;
  offset_t batch_end_;
  bool is_open_ = false;
  /// The open batch's memory is in the collector that is being filled.
  bool is_kept_ = false;
};

/// Where a sequence of batches ends.
struct batches_end {
  /// After the last whole batch.
  offset_t offset;
  leader_epoch epoch;
};

/// Errors: corrupt_batch if there is no whole batch, if they are not in order, or if they do not
/// reach beyond `from`.
[[nodiscard]] result<batches_end> find_end(byte_span batches, offset_t from);

} // namespace aqueduct::client
