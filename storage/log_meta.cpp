// Keys and values of `log_state`. All integers are big-endian; keys order as what they mean.
#include "storage/log_meta.hpp"

#include "protocol/bytes.hpp"
#include "protocol/crc32c.hpp"

#include <algorithm>

namespace aqueduct::storage {

namespace {

constexpr std::size_t group_key_bytes = 20;
constexpr char base_tag = 'b';
constexpr char mark_tag = 'd';
constexpr char membership_tag = 'm';
constexpr char reset_tag = 'r';
constexpr char removal_tag = 'x';
constexpr std::size_t term_run_bytes = 16;

byte_span bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The bytes of a value with their checksum after them.
std::string sealed(std::vector<std::byte> bytes) {
  byte_writer(bytes).write(protocol::crc32c(bytes));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The bytes before the checksum, if it is right.
std::optional<byte_span> unsealed(std::string_view value) {
  if (value.size() < 4)
    return std::nullopt;
  const auto bytes = bytes_of(value.substr(0, value.size() - 4));
  const auto crc = load_be<std::uint32_t>(bytes.data() + bytes.size());
  if (protocol::crc32c(bytes) != crc)
    return std::nullopt;
  return bytes;
}

std::string with_number(const group_id& group, char tag, std::uint64_t number) {
  std::byte bytes[8];
  store_be(bytes, number);
  auto key = group_key(group) + tag;
  key.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  return key;
}

} // namespace

std::string group_key(const group_id& group) {
  std::string key(reinterpret_cast<const char*>(group.topic.bytes.data()), 16);
  std::byte number[4];
  store_be(number, group.partition);
  key.append(reinterpret_cast<const char*>(number), sizeof number);
  return key;
}

std::optional<group_id> group_of_key(std::string_view key) {
  if (key.size() < group_key_bytes)
    return std::nullopt;
  group_id group;
  std::copy_n(key.begin(), 16, group.topic.bytes.begin());
  group.partition = load_be<std::int32_t>(bytes_of(key).data() + 16);
  return group;
}

std::string base_key(const group_id& group) {
  return group_key(group) + base_tag;
}
std::string removal_key(const group_id& group) {
  return group_key(group) + removal_tag;
}
std::string reset_key(const group_id& group) {
  return group_key(group) + reset_tag;
}
std::string mark_key(const group_id& group, std::uint64_t first_index) {
  return with_number(group, mark_tag, first_index);
}
std::string membership_key(const group_id& group, std::uint64_t index) {
  return with_number(group, membership_tag, index);
}

std::string encode_base(const log_base& base) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(base.index);
  out.write(base.term);
  out.write(base.next_offset.value);
  out.write_bytes(base.data.bytes());
  return sealed(std::move(bytes));
}

std::optional<log_base> decode_base(std::string_view value) {
  const auto bytes = unsealed(value);
  if (!bytes)
    return std::nullopt;
  byte_reader in(*bytes);
  log_base base;
  base.index = in.read<std::uint64_t>();
  base.term = in.read<std::uint64_t>();
  base.next_offset = offset_t(in.read<std::int64_t>());
  base.data = buffer::copy_of(in.read_bytes(in.remaining()));
  return in.failed() ? std::nullopt : std::optional(std::move(base));
}

std::string encode_mark(const segment_mark& mark) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(mark.header.first_index);
  out.write(mark.header.prev_term);
  out.write(mark.header.prev_crc);
  out.write(mark.header.base_offset.value);
  out.write(mark.header.created.value);
  out.write(mark.end);
  out.write(mark.last_index);
  out.write(mark.last_position);
  out.write(mark.last_crc);
  out.write(mark.next_offset.value);
  out.write(mark.max_timestamp.value);
  for (const auto& run : mark.terms) {
    out.write(run.first_index);
    out.write(run.term);
  }
  return sealed(std::move(bytes));
}

std::optional<segment_mark> decode_mark(std::string_view value) {
  const auto bytes = unsealed(value);
  if (!bytes)
    return std::nullopt;
  byte_reader in(*bytes);
  segment_mark mark;
  mark.header.first_index = in.read<std::uint64_t>();
  mark.header.prev_term = in.read<std::uint64_t>();
  mark.header.prev_crc = in.read<std::uint32_t>();
  mark.header.base_offset = offset_t(in.read<std::int64_t>());
  mark.header.created = timestamp_ms(in.read<std::int64_t>());
  mark.end = in.read<std::uint64_t>();
  mark.last_index = in.read<std::uint64_t>();
  mark.last_position = in.read<std::uint64_t>();
  mark.last_crc = in.read<std::uint32_t>();
  mark.next_offset = offset_t(in.read<std::int64_t>());
  mark.max_timestamp = timestamp_ms(in.read<std::int64_t>());
  while (in.remaining() >= term_run_bytes) {
    const auto first = in.read<std::uint64_t>();
    mark.terms.push_back({first, in.read<std::uint64_t>()});
  }
  return in.failed() || in.remaining() > 0 ? std::nullopt : std::optional(std::move(mark));
}

std::string encode_membership(const log_entry& entry) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(entry.index);
  out.write(entry.term);
  out.write_bytes(entry.body.bytes());
  return sealed(std::move(bytes));
}

std::optional<log_entry> decode_membership(std::string_view value) {
  const auto bytes = unsealed(value);
  if (!bytes)
    return std::nullopt;
  byte_reader in(*bytes);
  log_entry entry;
  entry.kind = entry_kind::membership;
  entry.index = in.read<std::uint64_t>();
  entry.term = in.read<std::uint64_t>();
  entry.body = buffer::copy_of(in.read_bytes(in.remaining()));
  return in.failed() ? std::nullopt : std::optional(std::move(entry));
}

result<log_meta> load_log_meta(const kv& store, const group_id& group) {
  log_meta meta;
  bool base_damaged = false;
  bool membership_damaged = false;
  const auto prefix = group_key(group);
  const auto visit = [&](std::string_view key, std::string_view value) {
    switch (key.size() > prefix.size() ? key[prefix.size()] : '\0') {
    case base_tag:
      if (auto base = decode_base(value))
        meta.base = std::move(*base);
      else
        base_damaged = true;
      break;
    case mark_tag:
      if (auto mark = decode_mark(value); mark && mark_key(group, mark->header.first_index) == key)
        meta.marks.push_back(std::move(*mark));
      break;
    case membership_tag:
      if (auto entry = decode_membership(value))
        meta.memberships.push_back(std::move(*entry));
      else
        membership_damaged = true;
      break;
    case reset_tag:
      meta.is_being_reset = true;
      break;
    case removal_tag:
      meta.is_being_removed = true;
      break;
    default:
      break;
    }
    return true;
  };
  const auto end = end_of_prefix(prefix);
  if (auto scanned = store.scan(family::log_state, prefix, end, visit); !scanned)
    return scanned.propagate();
  if (base_damaged)
    return unexpected(errc::storage_damaged,
                      "the start of the log of " + to_string(group) +
                          " is damaged in the key-value store: its checksum is wrong");
  if (membership_damaged)
    meta.marks.clear();
  return meta;
}

} // namespace aqueduct::storage
