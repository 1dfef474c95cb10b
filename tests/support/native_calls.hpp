// What tests ask a node for, in one line each. Everything throws `refused` when the node says no,
// unless it returns the node's own result.
#pragma once

#include "protocol/batch_builder.hpp"
#include "tests/support/native_client.hpp"

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::test {

using setting_list = std::vector<std::pair<std::string, std::string>>;

/// A record as a reader sees it.
struct read_record {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::string key;
  std::string value;

  friend bool operator==(const read_record&, const read_record&) = default;
};

[[nodiscard]] std::vector<protocol::topic_setting> settings_of(const setting_list& settings);

protocol::create_topic_response create_topic(native_client& client, const std::string& name,
                                             std::int32_t partitions = 1,
                                             const setting_list& settings = {});
uuid delete_topic(native_client& client, const std::string& name);
void alter_topic(native_client& client, const std::string& name, const setting_list& settings);
[[nodiscard]] protocol::get_topic_info_response topic_info(native_client& client,
                                                           const std::string& name);
/// The value in force of a topic's setting; empty if there is none of that name.
[[nodiscard]] std::string setting_of(const protocol::get_topic_info_response& info,
                                     const std::string& name);

/// The wall clock in ms: the timestamp of records that retention by time must leave alone.
[[nodiscard]] std::int64_t now_ms();

/// A batch of records without keys, all with this timestamp.
[[nodiscard]] buffer batch_of(const std::vector<std::string>& values,
                              std::int64_t timestamp = now_ms(),
                              const protocol::batch_options& options = {});

[[nodiscard]] protocol::produce_request
produce_request_of(const std::string& topic, std::int32_t partition, const buffer& batch,
                   std::int64_t expected_offset = -1, protocol::acks acks = protocol::acks::all);
/// Produces one batch and returns what became of it.
protocol::produce_partition_result produce(native_client& client, const std::string& topic,
                                           std::int32_t partition, const buffer& batch,
                                           std::int64_t expected_offset = -1,
                                           protocol::acks acks = protocol::acks::all);
/// Produces one batch of `values`, which must be accepted, and returns its first offset.
std::int64_t append(native_client& client, const std::string& topic, std::int32_t partition,
                    const std::vector<std::string>& values, std::int64_t timestamp = now_ms());

/// The answer to a FETCH, in the version that it was asked for in.
[[nodiscard]] protocol::fetch_response fetched(const received_frame& frame);

[[nodiscard]] protocol::fetch_request fetch_request_of(const std::string& topic,
                                                       std::int32_t partition, std::int64_t offset,
                                                       std::int32_t max_wait_ms = 0,
                                                       std::int32_t min_bytes = 1,
                                                       std::int32_t bytes_max = 1 << 20);
[[nodiscard]] protocol::fetch_partition_result fetch(native_client& client,
                                                     const std::string& topic,
                                                     std::int32_t partition, std::int64_t offset,
                                                     std::int32_t max_wait_ms = 0);

/// The records in `batches`, every batch checked as a replica would check it (sizes, CRC, counts).
/// Throws std::runtime_error at the first byte that is wrong.
[[nodiscard]] std::vector<read_record> records_in(const buffer_chain& batches);
/// All records from `from` (-1: the log start) to the high watermark, without a hole; throws
/// std::runtime_error where an offset is missing or comes twice.
[[nodiscard]] std::vector<read_record> read_all(native_client& client, const std::string& topic,
                                                std::int32_t partition, std::int64_t from = -1);
[[nodiscard]] std::vector<std::string> values_of(const std::vector<read_record>& records);

[[nodiscard]] protocol::list_offsets_partition_result offset_at(native_client& client,
                                                                const std::string& topic,
                                                                std::int32_t partition,
                                                                std::int64_t timestamp_ms);
[[nodiscard]] std::int64_t log_start(native_client& client, const std::string& topic,
                                     std::int32_t partition = 0);
[[nodiscard]] std::int64_t log_end(native_client& client, const std::string& topic,
                                   std::int32_t partition = 0);
protocol::delete_records_partition_result delete_records(native_client& client,
                                                         const std::string& topic,
                                                         std::int32_t partition,
                                                         std::int64_t before);

/// The identity of a new idempotent producer, and the options of its batches.
[[nodiscard]] protocol::init_producer_id_response new_producer(native_client& client);
[[nodiscard]] protocol::batch_options
sequence_options(const protocol::init_producer_id_response& producer, std::int32_t sequence);

/// Waits until `holds()`, asking again each time that a long poll at the end of `topic` ran out.
/// Throws nothing_came after `patience`.
template <class Condition>
void await(native_client& client, const std::string& topic, Condition holds) {
  const auto deadline = test_clock::now() + patience;
  while (!holds()) {
    if (test_clock::now() > deadline)
      throw nothing_came("what the test waits for did not happen");
    constexpr std::int32_t pause_ms = 50;
    (void)fetch(client, topic, 0, log_end(client, topic), pause_ms);
  }
}

} // namespace aqueduct::test
