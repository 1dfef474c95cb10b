// What the load generator says and hears in either protocol.
#include "apps/bench/load.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/native/messages.hpp"

namespace aqueduct::bench {

namespace {

namespace kafka = protocol::kafka;

// What clients of today speak: a fetch names topics by their ids.
constexpr std::int16_t produce_version = 11;
constexpr std::int16_t fetch_version = 17;
constexpr std::int32_t timeout_ms = 30'000;

unexpected kafka_error(std::int16_t code) {
  return unexpected(errc::internal, "the node answers with error " + std::to_string(code));
}

result<void> check_native_produced(const protocol::frame_header& header, const buffer& payload) {
  if (header.status != errc::none)
    return unexpected(protocol::decode_error(header, payload));
  const auto response = protocol::decode<protocol::produce_response>(payload);
  if (!response)
    return response.propagate();
  for (const auto& topic : response->topics)
    for (const auto& partition : topic.partitions)
      if (partition.error != errc::none)
        return unexpected(partition.error, partition.message);
  return {};
}

result<buffer> read_native_fetched(const protocol::frame_header& header, const buffer& payload) {
  if (header.status != errc::none)
    return unexpected(protocol::decode_error(header, payload));
  const auto response = protocol::decode<protocol::fetch_response>(payload);
  if (!response)
    return response.propagate();
  const auto& found = response->topics.at(0).partitions.at(0);
  if (found.error != errc::none)
    return unexpected(found.error, found.message);
  return found.records.flatten();
}

} // namespace

buffer encode_produce(wire speaks, const std::string& topic, std::int32_t partition,
                      const buffer& batch) {
  if (speaks == wire::kafka) {
    kafka::produce_request request;
    request.acks = -1;
    request.timeout_ms = timeout_ms;
    auto& to = request.topic_data.emplace_back();
    to.name = topic;
    to.partition_data.push_back({partition, buffer_chain(batch)});
    return kafka::encode(request, produce_version).flatten();
  }
  protocol::produce_request request;
  auto& to = request.topics.emplace_back();
  to.name = topic;
  auto& part = to.partitions.emplace_back();
  part.partition = partition;
  part.records = batch;
  return protocol::encode(request);
}

void queue_produce(link& to, std::uint32_t correlation_id, const buffer& request) {
  if (to.speaks() == wire::kafka)
    to.queue(kafka::api_key::produce, produce_version, correlation_id, request);
  else
    to.queue(protocol::api_key::produce, correlation_id, request);
}

result<void> check_produced(wire speaks, const protocol::frame_header& header,
                            const buffer& payload) {
  if (speaks == wire::native)
    return check_native_produced(header, payload);
  const auto response = read_kafka<kafka::produce_response>(payload, produce_version);
  if (!response)
    return response.propagate();
  for (const auto& topic : response->responses)
    for (const auto& partition : topic.partition_responses)
      if (partition.error_code != 0)
        return kafka_error(partition.error_code);
  return {};
}

void queue_fetch(link& to, const std::string& topic, const uuid& topic_id, std::int32_t partition,
                 std::int64_t offset, std::int32_t bytes_max) {
  if (to.speaks() == wire::kafka) {
    kafka::fetch_request request;
    request.max_bytes = bytes_max;
    auto& from = request.topics.emplace_back();
    from.topic_id = topic_id;
    auto& part = from.partitions.emplace_back();
    part.partition = partition;
    part.fetch_offset = offset;
    part.partition_max_bytes = bytes_max;
    to.queue(kafka::api_key::fetch, fetch_version, 0,
             kafka::encode(request, fetch_version).flatten());
    return;
  }
  protocol::fetch_request request;
  request.max_wait_ms = 0;
  request.max_bytes = bytes_max;
  auto& from = request.topics.emplace_back();
  from.name = topic;
  auto& part = from.partitions.emplace_back();
  part.partition = partition;
  part.offset = offset;
  part.bytes_max = bytes_max;
  to.queue(protocol::api_key::fetch, 0, protocol::encode(request));
}

result<buffer> read_fetched(wire speaks, const protocol::frame_header& header,
                            const buffer& payload) {
  if (speaks == wire::native)
    return read_native_fetched(header, payload);
  const auto response = read_kafka<kafka::fetch_response>(payload, fetch_version);
  if (!response)
    return response.propagate();
  if (response->error_code != 0)
    return kafka_error(response->error_code);
  const auto& found = response->responses.at(0).partitions.at(0);
  if (found.error_code != 0)
    return kafka_error(found.error_code);
  return found.records ? found.records->flatten() : buffer();
}

} // namespace aqueduct::bench
