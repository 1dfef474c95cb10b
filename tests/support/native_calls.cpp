#include "tests/support/native_calls.hpp"

#include <chrono>

namespace aqueduct::test {

namespace {

std::string text_of(const std::optional<byte_span>& bytes) {
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size())
               : std::string();
}

/// The only result of a response about one partition; throws when there is another number.
template <class Response>
auto& only_partition(Response& response) {
  if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1)
    throw std::runtime_error("an answer about one partition was expected: " +
                             protocol::print(response));
  return response.topics[0].partitions[0];
}

} // namespace

std::vector<protocol::topic_setting> settings_of(const setting_list& settings) {
  std::vector<protocol::topic_setting> list;
  for (const auto& [name, value] : settings)
    list.push_back({name, value});
  return list;
}

protocol::create_topic_response create_topic(native_client& client, const std::string& name,
                                             std::int32_t partitions,
                                             const setting_list& settings) {
  protocol::create_topic_request request;
  request.name = name;
  request.partitions = partitions;
  request.settings = settings_of(settings);
  return must(client.call(request));
}

uuid delete_topic(native_client& client, const std::string& name) {
  protocol::delete_topic_request request;
  request.name = name;
  return must(client.call(request)).id;
}

void alter_topic(native_client& client, const std::string& name, const setting_list& settings) {
  protocol::alter_topic_request request;
  request.name = name;
  request.settings = settings_of(settings);
  (void)must(client.call(request));
}

protocol::get_topic_info_response topic_info(native_client& client, const std::string& name) {
  return must(client.call(protocol::get_topic_info_request{name}));
}

std::string setting_of(const protocol::get_topic_info_response& info, const std::string& name) {
  for (const auto& setting : info.settings)
    if (setting.name == name)
      return setting.value;
  return {};
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

buffer batch_of(const std::vector<std::string>& values, std::int64_t timestamp,
                const protocol::batch_options& options) {
  protocol::batch_builder builder;
  for (const auto& value : values) {
    protocol::record_to_write record;
    record.timestamp = timestamp_ms(timestamp);
    record.value = std::as_bytes(std::span(value));
    if (!builder.append(record))
      throw std::runtime_error("the records do not fit a batch");
  }
  return must(builder.finish(options));
}

protocol::produce_request produce_request_of(const std::string& topic, std::int32_t partition,
                                             const buffer& batch, std::int64_t expected_offset,
                                             protocol::acks acks) {
  protocol::produce_request request;
  request.acks = acks;
  request.topics.push_back({topic, {{partition, expected_offset, buffer_chain(batch)}}});
  return request;
}

protocol::produce_partition_result produce(native_client& client, const std::string& topic,
                                           std::int32_t partition, const buffer& batch,
                                           std::int64_t expected_offset, protocol::acks acks) {
  auto response =
      must(client.call(produce_request_of(topic, partition, batch, expected_offset, acks)));
  return only_partition(response);
}

std::int64_t append(native_client& client, const std::string& topic, std::int32_t partition,
                    const std::vector<std::string>& values, std::int64_t timestamp) {
  const auto outcome = produce(client, topic, partition, batch_of(values, timestamp));
  if (outcome.error != errc::none)
    throw refused({outcome.error, outcome.message});
  return outcome.base_offset;
}

protocol::fetch_response fetched(const received_frame& frame) {
  return must(protocol::decode<protocol::fetch_response>(frame.payload, frame.header.version));
}

protocol::fetch_request fetch_request_of(const std::string& topic, std::int32_t partition,
                                         std::int64_t offset, std::int32_t max_wait_ms,
                                         std::int32_t min_bytes, std::int32_t bytes_max) {
  protocol::fetch_request request;
  request.max_wait_ms = max_wait_ms;
  request.min_bytes = min_bytes;
  request.topics.push_back({topic, {{partition, offset, bytes_max, -1}}});
  return request;
}

protocol::fetch_partition_result fetch(native_client& client, const std::string& topic,
                                       std::int32_t partition, std::int64_t offset,
                                       std::int32_t max_wait_ms) {
  auto response = must(client.call(fetch_request_of(topic, partition, offset, max_wait_ms)));
  return only_partition(response);
}

std::vector<read_record> records_in(const buffer_chain& batches) {
  std::vector<read_record> records;
  const auto bytes = batches.flatten();
  auto rest = bytes.bytes();
  protocol::record_reader reader;
  while (!rest.empty()) {
    const auto batch = must(protocol::next_batch(rest));
    if (!batch)
      throw std::runtime_error("a batch is cut off");
    (void)must(protocol::validate_batch(batch->bytes(), {.origin = protocol::batch_origin::log}));
    reader.open(*batch);
    for (protocol::record_view record; reader.next(record);)
      records.push_back({record.offset.value, record.timestamp.value, text_of(record.key),
                         text_of(record.value)});
    if (const auto done = reader.status(); !done)
      throw refused(done.error());
  }
  return records;
}

std::vector<read_record> read_all(native_client& client, const std::string& topic,
                                  std::int32_t partition, std::int64_t from) {
  auto next = from < 0 ? log_start(client, topic, partition) : from;
  std::vector<read_record> all;
  for (;;) {
    const auto got = fetch(client, topic, partition, next);
    if (got.error != errc::none)
      throw refused({got.error, got.message});
    for (auto& record : records_in(got.records)) {
      if (record.offset < next)
        continue;
      if (record.offset != next)
        throw std::runtime_error("offset " + std::to_string(next) + " of " + topic + "/" +
                                 std::to_string(partition) + " is missing, " +
                                 std::to_string(record.offset) + " comes instead");
      all.push_back(std::move(record));
      ++next;
    }
    if (next >= got.high_watermark)
      return all;
    if (got.records.empty())
      throw std::runtime_error("nothing comes at offset " + std::to_string(next) + " below " +
                               std::to_string(got.high_watermark));
  }
}

std::vector<std::string> values_of(const std::vector<read_record>& records) {
  std::vector<std::string> values;
  for (const auto& record : records)
    values.push_back(record.value);
  return values;
}

protocol::list_offsets_partition_result offset_at(native_client& client, const std::string& topic,
                                                  std::int32_t partition,
                                                  std::int64_t timestamp_ms) {
  protocol::list_offsets_request request;
  request.topics.push_back({topic, {{partition, timestamp_ms}}});
  auto response = must(client.call(request));
  return only_partition(response);
}

namespace {

std::int64_t offset_or_throw(const protocol::list_offsets_partition_result& found) {
  if (found.error != errc::none)
    throw refused({found.error, found.message});
  return found.offset;
}

} // namespace

std::int64_t log_start(native_client& client, const std::string& topic, std::int32_t partition) {
  return offset_or_throw(offset_at(client, topic, partition, protocol::earliest_timestamp));
}

std::int64_t log_end(native_client& client, const std::string& topic, std::int32_t partition) {
  return offset_or_throw(offset_at(client, topic, partition, protocol::latest_timestamp));
}

protocol::delete_records_partition_result delete_records(native_client& client,
                                                         const std::string& topic,
                                                         std::int32_t partition,
                                                         std::int64_t before) {
  protocol::delete_records_request request;
  request.topic = topic;
  request.partitions.push_back({partition, before});
  const auto response = must(client.call(request));
  if (response.partitions.size() != 1)
    throw std::runtime_error("an answer about one partition was expected");
  return response.partitions[0];
}

protocol::init_producer_id_response new_producer(native_client& client) {
  return must(client.call(protocol::init_producer_id_request{}));
}

protocol::batch_options sequence_options(const protocol::init_producer_id_response& producer,
                                         std::int32_t sequence) {
  protocol::batch_options options;
  options.producer = producer_id(producer.producer_id);
  options.producer_epoch = producer.producer_epoch;
  options.base_sequence = sequence;
  return options;
}

} // namespace aqueduct::test
