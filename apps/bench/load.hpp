// The load generator: one thread, one epoll, pre-encoded requests. Every function works the same
// against a node and against the floor server, and in both protocols of a node.
#pragma once

#include "apps/bench/histogram.hpp"
#include "apps/bench/link.hpp"
#include "protocol/buffer.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace aqueduct::bench {

/// What one run did. Latencies are in nanoseconds.
struct load_outcome {
  double seconds = 0;
  std::uint64_t requests = 0;
  /// Of record batches.
  std::uint64_t bytes = 0;
  histogram latency;

  void add(const load_outcome& other);
  /// Latencies of a closed loop of so many slots, each of which waits for its answer before it
  /// sends again, corrected for what it would have sent meanwhile: the mean time between two
  /// requests of a slot is the rate.
  [[nodiscard]] histogram corrected(int slots) const;
};

/// A batch of `count` records with values of `value_bytes`.
[[nodiscard]] buffer make_batch(int count, std::size_t value_bytes);
/// The largest such batch of at most `batch_bytes`.
[[nodiscard]] buffer make_full_batch(std::size_t batch_bytes, std::size_t value_bytes);
/// A produce request of one batch with acks `all`.
[[nodiscard]] buffer encode_produce(wire speaks, const std::string& topic, std::int32_t partition,
                                    const buffer& batch);
void queue_produce(link& to, std::uint32_t correlation_id, const buffer& request);
/// Error unless every batch of the request was stored.
[[nodiscard]] result<void> check_produced(wire speaks, const protocol::frame_header& header,
                                          const buffer& payload);
/// A fetch of one partition that does not wait, with correlation id 0. In Kafka's protocol the
/// topic goes by its id.
void queue_fetch(link& to, const std::string& topic, const uuid& topic_id, std::int32_t partition,
                 std::int64_t offset, std::int32_t bytes_max);
/// The records of its answer.
[[nodiscard]] result<buffer> read_fetched(wire speaks, const protocol::frame_header& header,
                                          const buffer& payload);

/// Creates a topic and returns when all its partitions serve.
[[nodiscard]] result<void> make_topic(std::uint16_t port, const std::string& topic, int partitions);
/// The id of a topic.
[[nodiscard]] result<uuid> find_topic_id(std::uint16_t port, const std::string& topic);

struct produce_plan {
  std::uint16_t port = 0;
  wire speaks = wire::native;
  std::string topic;
  std::int32_t first_partition = 0;
  int partitions = 1;
  int connections = 1;
  /// Requests in flight on each connection.
  int window = 1;
  buffer batch;
  double seconds = 1;
  /// Stops when so many requests are answered, even if time is left; 0: no bound.
  std::uint64_t requests_max = 0;
};
/// Closed loop: each answer is followed by the next request. Latency is from send to answer.
[[nodiscard]] result<load_outcome> run_produce(const produce_plan& plan);

struct fetch_plan {
  std::uint16_t port = 0;
  wire speaks = wire::native;
  std::string topic;
  /// For Kafka's protocol.
  uuid topic_id;
  /// Each has a connection of its own with one request in flight.
  int partitions = 1;
  std::int32_t bytes_max = 1 << 20;
  /// Reading goes from 0 to here and then from 0 again.
  std::int64_t end_offset = 0;
  /// Ends when every partition was read once instead of after `seconds`.
  bool once = false;
  double seconds = 1;
  /// The offset that follows records that were read at `offset`.
  std::function<std::int64_t(std::int64_t offset, byte_span records)> next_offset;
};
[[nodiscard]] result<load_outcome> run_fetch(const fetch_plan& plan);
/// `fetch_plan::next_offset` of a node: behind the last record.
[[nodiscard]] std::int64_t record_after(std::int64_t offset, byte_span records);
/// `fetch_plan::next_offset` of the floor, whose offsets are bytes.
[[nodiscard]] std::int64_t byte_after(std::int64_t offset, byte_span records);

/// One request at a time, in turns to two servers, so that both see the same machine.
struct turns_plan {
  std::uint16_t ports[2] = {0, 0};
  std::string topic;
  buffer batch;
  double seconds = 1;
};
struct turns_outcome {
  load_outcome of[2];
};
[[nodiscard]] result<turns_outcome> run_turns(const turns_plan& plan);

struct stream_plan {
  std::uint16_t port = 0;
  std::string topic;
  buffer batch;
  /// Requests per second, sent when they are due whatever the server does.
  double rate = 1000;
  double seconds = 1;
};
struct stream_outcome {
  /// From the time at which a record should have been sent to its acknowledgement ...
  load_outcome acked;
  /// ... and to its arrival at a subscriber.
  load_outcome delivered;
};
/// Open loop: one connection produces one batch per request, another subscribes.
[[nodiscard]] result<stream_outcome> run_stream(const stream_plan& plan);

} // namespace aqueduct::bench
