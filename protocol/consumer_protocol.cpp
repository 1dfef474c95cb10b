#include "protocol/consumer_protocol.hpp"

#include "protocol/bytes.hpp"

namespace aqueduct::protocol {

namespace {

constexpr std::int16_t subscription_version = 3;
constexpr std::int16_t assignment_version = 1;

void write_string(byte_writer& out, std::string_view text) {
  out.write(static_cast<std::int16_t>(text.size()));
  out.write_bytes(text);
}

void write_bytes(byte_writer& out, const buffer& bytes) {
  // None at all is what most clients send.
  out.write(bytes.empty() ? std::int32_t{-1} : static_cast<std::int32_t>(bytes.size()));
  out.write_bytes(bytes.bytes());
}

void write_partitions(byte_writer& out, const std::vector<topic_partitions>& topics) {
  out.write(static_cast<std::int32_t>(topics.size()));
  for (const auto& topic : topics) {
    write_string(out, topic.topic);
    out.write(static_cast<std::int32_t>(topic.partitions.size()));
    for (const auto partition : topic.partitions)
      out.write(partition);
  }
}

std::string read_string(byte_reader& in) {
  const auto size = in.read<std::int16_t>();
  // -1 stands for none.
  if (size < 0)
    return {};
  const auto bytes = in.read_bytes(static_cast<std::size_t>(size));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

buffer read_bytes(byte_reader& in) {
  const auto size = in.read<std::int32_t>();
  return size <= 0 ? buffer() : buffer::copy_of(in.read_bytes(static_cast<std::size_t>(size)));
}

/// A count of elements of at least `size_min` bytes each; -1 stands for none.
std::size_t read_count(byte_reader& in, std::size_t size_min) {
  const auto count = in.read<std::int32_t>();
  if (count <= 0)
    return 0;
  if (static_cast<std::size_t>(count) > in.remaining() / size_min)
    in.fail();
  return in.failed() ? 0 : static_cast<std::size_t>(count);
}

std::vector<topic_partitions> read_partitions(byte_reader& in) {
  std::vector<topic_partitions> topics(read_count(in, 6));
  for (auto& topic : topics) {
    topic.topic = read_string(in);
    topic.partitions.resize(read_count(in, 4));
    for (auto& partition : topic.partitions)
      partition = in.read<std::int32_t>();
  }
  return topics;
}

} // namespace

buffer encode_subscription(const consumer_subscription& subscription) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(subscription_version);
  out.write(static_cast<std::int32_t>(subscription.topics.size()));
  for (const auto& topic : subscription.topics)
    write_string(out, topic);
  write_bytes(out, subscription.user_data);
  write_partitions(out, subscription.owned);
  out.write(subscription.generation);
  if (subscription.rack.empty())
    out.write(std::int16_t{-1});
  else
    write_string(out, subscription.rack);
  return buffer::from(std::move(bytes));
}

buffer encode_assignment(const consumer_assignment& assignment) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(assignment_version);
  write_partitions(out, assignment.partitions);
  write_bytes(out, assignment.user_data);
  return buffer::from(std::move(bytes));
}

result<consumer_subscription> decode_subscription(const buffer& bytes) {
  byte_reader in(bytes.bytes());
  consumer_subscription subscription;
  const auto version = in.read<std::int16_t>();
  subscription.topics.resize(read_count(in, 2));
  for (auto& topic : subscription.topics)
    topic = read_string(in);
  subscription.user_data = read_bytes(in);
  if (version >= 1)
    subscription.owned = read_partitions(in);
  if (version >= 2)
    subscription.generation = in.read<std::int32_t>();
  if (version >= 3)
    subscription.rack = read_string(in);
  if (in.failed() || version < 0)
    return unexpected(errc::invalid_request, "the subscription of a member is cut short");
  return subscription;
}

result<consumer_assignment> decode_assignment(const buffer& bytes) {
  consumer_assignment assignment;
  if (bytes.empty())
    return assignment;
  byte_reader in(bytes.bytes());
  const auto version = in.read<std::int16_t>();
  assignment.partitions = read_partitions(in);
  assignment.user_data = read_bytes(in);
  if (in.failed() || version < 0)
    return unexpected(errc::invalid_request, "the assignment of a member is cut short");
  return assignment;
}

} // namespace aqueduct::protocol
