#include "actors/consumer_group/group_records.hpp"

#include "protocol/bytes.hpp"
#include "protocol/native/codec_impl.hpp"

#include <array>
#include <span>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Goes up when a command or row changes in a way that older nodes cannot read.
constexpr std::uint8_t format_version = 1;
constexpr std::size_t prefix_bytes = 2;

constexpr std::string_view group_prefix = "group/";
constexpr std::string_view offset_prefix = "offset/";
/// Of a key after the group's name: the id of the topic and the partition.
constexpr std::size_t offset_tail_bytes = 16 + 4;

template <std::size_t Tag>
result<group_command> decode_as(const buffer& body, std::uint16_t version) {
  auto command = protocol::decode<std::variant_alternative_t<Tag, group_command>>(body, version);
  if (!command)
    return unexpected(errc::storage_damaged, command.error().message);
  return group_command(std::in_place_index<Tag>, std::move(*command));
}

using decode_function = result<group_command> (*)(const buffer&, std::uint16_t);

template <std::size_t... Tags>
constexpr auto make_decoders(std::index_sequence<Tags...>) {
  return std::array<decode_function, sizeof...(Tags)>{&decode_as<Tags>...};
}

constexpr auto decoders =
    make_decoders(std::make_index_sequence<std::variant_size_v<group_command>>());

template <class Row>
buffer encode_with_version(const Row& row) {
  std::vector<std::byte> bytes{std::byte{format_version}};
  const auto body = protocol::encode(row, format_version);
  bytes.insert(bytes.end(), body.bytes().begin(), body.bytes().end());
  return buffer::from(std::move(bytes));
}

template <class Row>
result<Row> decode_with_version(const buffer& row) {
  if (row.empty() || static_cast<unsigned>(row.data()[0]) != format_version)
    return unexpected(errc::storage_damaged,
                      "a row of a consumer group is malformed or of a newer version");
  auto read = protocol::decode<Row>(row.slice(1, row.size() - 1), format_version);
  if (!read)
    return unexpected(errc::storage_damaged, read.error().message);
  return read;
}

} // namespace

buffer encode(const group_command& command) {
  std::vector<std::byte> bytes;
  bytes.push_back(std::byte{format_version});
  bytes.push_back(static_cast<std::byte>(command.index()));
  std::visit(
      [&](const auto& what) {
        const auto body = protocol::encode(what, format_version);
        bytes.insert(bytes.end(), body.bytes().begin(), body.bytes().end());
      },
      command);
  return buffer::from(std::move(bytes));
}

result<group_command> decode_group_command(const buffer& bytes) {
  const auto version = bytes.empty() ? 0 : static_cast<unsigned>(bytes.data()[0]);
  if (bytes.size() < prefix_bytes || version != format_version)
    return unexpected(errc::storage_damaged,
                      "a command of a consumer group is malformed or of a newer version");
  const auto tag = static_cast<std::size_t>(bytes.data()[1]);
  if (tag >= decoders.size())
    return unexpected(errc::storage_damaged,
                      "a command of a consumer group has the unknown kind " + std::to_string(tag));
  return decoders[tag](bytes.slice(prefix_bytes, bytes.size() - prefix_bytes),
                       static_cast<std::uint16_t>(version));
}

buffer encode_row(const group_record& group) {
  return encode_with_version(group);
}

buffer encode_row(const offset_record& offset) {
  return encode_with_version(offset);
}

result<group_record> decode_group_row(const buffer& row) {
  return decode_with_version<group_record>(row);
}

result<offset_record> decode_offset_row(const buffer& row) {
  return decode_with_version<offset_record>(row);
}

std::string group_row_key(std::string_view group) {
  return std::string(group_prefix).append(group);
}

std::string offset_row_key(std::string_view group, const offset_key& of) {
  std::vector<std::byte> tail;
  byte_writer writer(tail);
  writer.write_bytes(std::as_bytes(std::span(of.topic.bytes)));
  writer.write(of.partition);
  return std::string(offset_prefix)
      .append(group)
      .append(reinterpret_cast<const char*>(tail.data()), tail.size());
}

result<row_name> parse_row_key(std::string_view key) {
  row_name name;
  if (key.starts_with(group_prefix)) {
    name.group = key.substr(group_prefix.size());
    return name;
  }
  if (!key.starts_with(offset_prefix) || key.size() < offset_prefix.size() + offset_tail_bytes)
    return unexpected(errc::storage_damaged, "a key of consumer groups is malformed");
  name.is_offset = true;
  name.group =
      key.substr(offset_prefix.size(), key.size() - offset_prefix.size() - offset_tail_bytes);
  const auto tail = key.substr(key.size() - offset_tail_bytes);
  byte_reader reader(std::as_bytes(std::span(tail.data(), tail.size())));
  const auto topic = reader.read_bytes(name.offset.topic.bytes.size());
  std::memcpy(name.offset.topic.bytes.data(), topic.data(), topic.size());
  name.offset.partition = reader.read<std::int32_t>();
  return name;
}

} // namespace aqueduct::actors
