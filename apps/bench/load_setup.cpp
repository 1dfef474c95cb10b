// Batches, requests and topics of the load generator.
#include "apps/bench/link.hpp"
#include "apps/bench/load.hpp"
#include "protocol/batch_builder.hpp"
#include "protocol/native/messages.hpp"

#include <chrono>
#include <thread>

namespace aqueduct::bench {

namespace {

/// Bytes that no codec or sparse file could make cheaper.
std::vector<std::byte> noise(std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::uint64_t state = 0x9e3779b97f4a7c15;
  for (auto& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::byte>(state >> 32);
  }
  return bytes;
}

protocol::record_to_write record_of(const std::vector<std::byte>& value) {
  protocol::record_to_write record;
  // Of now: what is older than the topic's retention is deleted.
  record.timestamp = timestamp_ms(std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::system_clock::now().time_since_epoch())
                                      .count());
  record.value = value;
  return record;
}

/// Counts partitions that do not serve yet.
result<int> count_unready(link& to, const std::string& topic, int partitions) {
  protocol::metadata_request request;
  request.topics = std::vector<std::string>{topic};
  const auto answer = to.ask<protocol::metadata_response>(protocol::api_key::metadata, request);
  if (!answer)
    return answer.propagate();
  int ready = 0;
  for (const auto& each : answer->topics)
    for (const auto& partition : each.partitions)
      ready += partition.error == errc::none && partition.leader >= 0 ? 1 : 0;
  return partitions - ready;
}

} // namespace

buffer make_batch(int count, std::size_t value_bytes) {
  const auto value = noise(value_bytes);
  protocol::batch_builder builder;
  for (int i = 0; i < count; ++i)
    if (!builder.append(record_of(value)))
      break;
  auto batch = builder.finish();
  return batch ? *batch : buffer();
}

buffer make_full_batch(std::size_t batch_bytes, std::size_t value_bytes) {
  const auto value = noise(value_bytes);
  protocol::batch_builder builder;
  while (builder.size_after(record_of(value)) <= batch_bytes)
    if (!builder.append(record_of(value)))
      break;
  auto batch = builder.finish();
  return batch ? *batch : buffer();
}

result<uuid> find_topic_id(std::uint16_t port, const std::string& topic) {
  auto to = link::connect(port);
  if (!to)
    return to.propagate();
  protocol::metadata_request request;
  request.topics = std::vector<std::string>{topic};
  const auto answer = to->ask<protocol::metadata_response>(protocol::api_key::metadata, request);
  if (!answer)
    return answer.propagate();
  for (const auto& each : answer->topics)
    if (each.error == errc::none)
      return each.id;
  return unexpected(errc::unknown_topic, "there is no topic " + topic);
}

result<void> make_topic(std::uint16_t port, const std::string& topic, int partitions) {
  auto to = link::connect(port);
  if (!to)
    return to.propagate();
  protocol::create_topic_request request;
  request.name = topic;
  request.partitions = partitions;
  request.replication = 1;
  request.timeout_ms = 120'000;
  const auto made =
      to->ask<protocol::create_topic_response>(protocol::api_key::create_topic, request);
  if (!made)
    return made.propagate();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (std::chrono::steady_clock::now() < deadline) {
    const auto unready = count_unready(*to, topic, partitions);
    if (!unready)
      return unready.propagate();
    if (*unready == 0)
      return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return unexpected(errc::timed_out, "the partitions of " + topic + " do not serve");
}

} // namespace aqueduct::bench
