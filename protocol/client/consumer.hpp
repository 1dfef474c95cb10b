// Reading records from assigned partitions. Fetches (or pushes) run ahead on the I/O thread while
// the user works on what the last poll returned; records are decoded in `poll`, on the user's
// thread, and lie in the memory into which they were read from the network.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/types.hpp"

#include <memory>
#include <vector>

namespace aqueduct::client {

/// Where reading starts.
class start_position {
public:
  enum class kind : std::uint8_t { offset, earliest, latest, timestamp };

  /// At this offset.
  [[nodiscard]] static start_position at(offset_t offset) { return {kind::offset, offset.value}; }
  /// At the first record that is there.
  [[nodiscard]] static start_position earliest() { return {kind::earliest, 0}; }
  /// After the last record that is there when the position is looked up.
  [[nodiscard]] static start_position latest() { return {kind::latest, 0}; }
  /// At the first record with this timestamp or a later one, else at the end.
  [[nodiscard]] static start_position at_time(timestamp_ms time) {
    return {kind::timestamp, time.value};
  }

  [[nodiscard]] kind type() const { return type_; }
  /// The offset or the timestamp.
  [[nodiscard]] std::int64_t value() const { return value_; }
  friend bool operator==(const start_position&, const start_position&) = default;

private:
  start_position(kind type, std::int64_t value) : type_(type), value_(value) {}

  kind type_;
  std::int64_t value_;
};

struct assignment {
  topic_partition partition;
  start_position start = start_position::earliest();
};

/// What to do when the position is not within the partition's log, because retention removed it or
/// the log is shorter.
enum class offset_reset : std::uint8_t {
  earliest,
  latest,
  /// `poll` fails with offset_out_of_range; the partition waits for a `seek`.
  error,
};

enum class consume_mode : std::uint8_t {
  /// Long-poll fetches.
  fetch,
  /// The broker pushes what is committed, against credits.
  push,
};

/// Who answers fetches, and how fresh its data has to be. Only what is committed is ever read.
/// Anything but `leader` reads from replicas that do not lead where there are some, those in the
/// rack of `cluster_config::rack` before others, and from the leader when they cannot answer.
class read_source {
public:
  enum class kind : std::uint8_t { leader, any, bounded, linearizable };

  /// The leader.
  [[nodiscard]] static read_source leader() { return {kind::leader, milliseconds(0)}; }
  /// Any replica, however far it is behind.
  [[nodiscard]] static read_source any() { return {kind::any, milliseconds(0)}; }
  /// Any that proves to know of everything that was committed so long before the request reached
  /// it. Not negative.
  [[nodiscard]] static read_source within(milliseconds age) { return {kind::bounded, age}; }
  /// Any that proves to know of everything that was committed before the request reached it.
  [[nodiscard]] static read_source linearizable() { return {kind::linearizable, milliseconds(0)}; }

  [[nodiscard]] kind type() const { return type_; }
  /// With `bounded`.
  [[nodiscard]] milliseconds age_max() const { return age_max_; }
  friend bool operator==(const read_source&, const read_source&) = default;

private:
  read_source(kind type, milliseconds age) : type_(type), age_max_(age) {}

  kind type_;
  milliseconds age_max_;
};

/// Where the last answer about a partition came from.
struct answer_origin {
  node_id replica;
  bool leads = false;
  /// The answer knew of everything that was committed so long before it was sent. Nothing: that was
  /// not proven, as always with `read_source::leader()`.
  std::optional<milliseconds> age;
};

struct consumer_config {
  consume_mode mode = consume_mode::fetch;
  /// Pushes come from the leader only.
  read_source read_from = read_source::leader();
  offset_reset on_out_of_range = offset_reset::earliest;
  /// Most bytes of one partition in one fetch, or pushed ahead of the user: 1 KiB to 256 MiB. A
  /// batch that is larger comes all the same.
  std::size_t partition_bytes_max = std::size_t{1} << 20;
  /// Bytes read ahead of the user over all partitions. At least `partition_bytes_max`.
  std::size_t prefetch_bytes = std::size_t{32} << 20;
  /// A fetch is answered when this many bytes are there ...
  std::size_t fetch_bytes_min = 1;
  /// ... or after this time. At most 1 minute.
  milliseconds fetch_wait_max{500};
  /// For one request, the wait on top. At least 1 ms.
  milliseconds request_timeout{30'000};
  /// Wait before a retry: doubles from the first to the second, with up to half taken off at
  /// random.
  milliseconds backoff_min{20};
  milliseconds backoff_max{1'000};
  /// Records that one `poll` returns at most, unless it is told otherwise. At least 1.
  std::size_t poll_records_max = 10'000;
  /// Whether the checksum of each batch is compared with its bytes.
  bool verify_checksums = true;
  /// Bound on the size of one batch's records when decompressed. At least 1 KiB.
  std::size_t decompressed_bytes_max = std::size_t{64} << 20;

  /// Names the first setting that is out of range. Error: invalid_config.
  [[nodiscard]] AQUEDUCT_CLIENT_API result<void> validate() const;
};

/// A record that was read. Views into the `record_set` that it came with.
struct record_view {
  std::string_view topic;
  partition_id partition;
  /// Epoch of the leader that stored the record.
  leader_epoch epoch;
  offset_t offset;
  /// When it was created, or appended if the topic works with that.
  timestamp_ms timestamp;
  /// Nothing is not the same as empty.
  std::optional<bytes_view> key;
  /// Nothing is a tombstone in a compacted topic.
  std::optional<bytes_view> value;
  std::span<const header> headers;
};

class consumer_core;

/// The records of one poll, those of a partition in order. Owns the memory that they lie in, also
/// after the consumer is gone. Not thread-safe for writing, but may be read by many threads.
class AQUEDUCT_CLIENT_API record_set {
public:
  record_set() = default;

  [[nodiscard]] bool empty() const { return records_.empty(); }
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] const record_view& operator[](std::size_t i) const { return records_[i]; }
  [[nodiscard]] std::vector<record_view>::const_iterator begin() const { return records_.begin(); }
  [[nodiscard]] std::vector<record_view>::const_iterator end() const { return records_.end(); }
  /// Bytes of the keys and values.
  [[nodiscard]] std::size_t payload_bytes() const { return payload_bytes_; }

  record_set(record_set&&) noexcept = default;
  record_set& operator=(record_set&&) noexcept = default;
  record_set(const record_set&) = delete;
  record_set& operator=(const record_set&) = delete;

private:
  friend class consumer_core;

  std::vector<record_view> records_;
  /// Invariant: reserved in one piece before spans into it are handed out.
  std::vector<std::vector<header>> headers_;
  std::vector<buffer> memory_;
  std::vector<std::shared_ptr<const std::string>> topics_;
  std::size_t payload_bytes_ = 0;
};

struct poll_limits {
  /// 0: as the configuration says.
  std::size_t records_max = 0;
  /// Keys and values; the first record comes even if it is larger. 0: no limit.
  std::size_t bytes_max = 0;
};

/// Reads assigned partitions. `poll` is for one thread at a time; everything else is thread-safe,
/// also during a poll.
class AQUEDUCT_CLIENT_API consumer {
public:
  /// Errors: invalid_config.
  [[nodiscard]] static result<consumer> create(const cluster& on, consumer_config config = {});

  consumer(consumer&&) noexcept;
  consumer& operator=(consumer&&) noexcept;
  ~consumer();

  /// Replaces the assignment. A partition named twice, a bad topic name or a negative number is
  /// refused (invalid_request, invalid_topic, unknown_partition) and changes nothing. Whether the
  /// partitions exist shows when they are read.
  [[nodiscard]] result<void> assign(std::vector<assignment> partitions);
  /// Assigns all partitions that the topic has now. Errors: as `cluster::topic`.
  [[nodiscard]] result<void> assign_topic(std::string_view topic, start_position start);
  [[nodiscard]] std::vector<topic_partition> assigned() const;

  /// Goes on reading elsewhere; what was read ahead is dropped, and an error of the partition
  /// forgotten. Error: not_found if the partition is not assigned.
  [[nodiscard]] result<void> seek(const topic_partition& tp, start_position to);
  /// Records of the partition are no longer returned, nor fetched beyond what was read ahead.
  [[nodiscard]] result<void> pause(const topic_partition& tp);
  [[nodiscard]] result<void> resume(const topic_partition& tp);

  /// Returns as soon as there is a record, after `timeout` with none. What can be retried is,
  /// silently. An error that concerns one partition (offset_out_of_range, corrupt_batch,
  /// decompression_limit, unauthorized ...) is returned once, names the partition and leaves it
  /// stopped until `seek` or `assign`; the next poll goes on with the others. Errors of use:
  /// cancelled (closed), invalid_request (called from a callback).
  [[nodiscard]] result<record_set> poll(milliseconds timeout, poll_limits limits = {});
  /// The partition that the last error of `poll` was about.
  [[nodiscard]] std::optional<topic_partition> failed_partition() const;

  /// Offset of the next record that `poll` will return. Errors: not_found if not assigned;
  /// topic_not_ready while a start by time, earliest or latest is being looked up.
  [[nodiscard]] result<offset_t> position(const topic_partition& tp) const;
  /// Offset after the last committed record, as the last answer had it. Errors: as `position`.
  [[nodiscard]] result<offset_t> high_watermark(const topic_partition& tp) const;
  /// Who answered the last fetch of the partition. Errors: not_found if not assigned;
  /// topic_not_ready before there was an answer that says so, which pushes never do.
  [[nodiscard]] result<answer_origin> last_answer(const topic_partition& tp) const;
  /// Records between the position and the high watermark. Errors: as `position`.
  [[nodiscard]] result<std::int64_t> lag(const topic_partition& tp) const;

  /// Ends polls under way with `cancelled`. Safe to call twice.
  void close();

private:
  explicit consumer(std::shared_ptr<consumer_core> core);

  std::shared_ptr<consumer_core> core_;
};

} // namespace aqueduct::client
