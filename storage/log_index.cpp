// Keys: group, segment, then 'o' offset or 'i' index (family offset_index) or time (time_index).
// The segment in the key makes its deletion one range, and keeps a timestamp from the far future in
// one segment from blinding the time index of all later ones.
#include "storage/log_index.hpp"

#include "protocol/bytes.hpp"
#include "storage/log_meta.hpp"

namespace aqueduct::storage {

namespace {

constexpr char offset_tag = 'o';
constexpr char index_tag = 'i';
constexpr std::size_t value_bytes = 24;
constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

void append_number(std::string& to, std::uint64_t number) {
  std::byte bytes[8];
  store_be(bytes, number);
  to.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

/// A signed number such that its bytes order as it does.
std::uint64_t ordered(std::int64_t number) {
  return static_cast<std::uint64_t>(number) ^ sign_bit;
}

std::string tagged(std::string prefix, char tag, std::uint64_t number) {
  prefix += tag;
  append_number(prefix, number);
  return prefix;
}

std::string untagged(std::string prefix, std::uint64_t number) {
  append_number(prefix, number);
  return prefix;
}

std::string encode(const index_hit& hit) {
  std::string value;
  value.reserve(value_bytes);
  append_number(value, hit.index);
  append_number(value, hit.position);
  append_number(value, static_cast<std::uint64_t>(hit.offset.value));
  return value;
}

std::optional<index_hit> decode(std::string_view value) {
  if (value.size() != value_bytes)
    return std::nullopt;
  byte_reader in(std::as_bytes(std::span(value.data(), value.size())));
  index_hit hit;
  hit.index = in.read<std::uint64_t>();
  hit.position = in.read<std::uint64_t>();
  hit.offset = offset_t(in.read<std::int64_t>());
  return hit;
}

result<std::optional<index_hit>> find(const kv& store, family in, const std::string& from,
                                      const std::string& at_most) {
  auto found = store.last_in(in, from, at_most);
  if (!found)
    return found.propagate();
  if (!*found)
    return std::optional<index_hit>();
  return decode((*found)->value);
}

} // namespace

log_index::log_index(kv& store, const group_id& group) : store_(store), group_(group_key(group)) {}

std::string log_index::prefix(std::uint64_t first_index) const {
  return untagged(group_, first_index);
}

void log_index::add(write_batch& batch, std::uint64_t first_index, const index_hit& hit,
                    std::optional<timestamp_ms> max_timestamp) const {
  const auto segment = prefix(first_index);
  const auto value = encode(hit);
  batch.put(family::offset_index, tagged(segment, offset_tag, ordered(hit.offset.value)), value);
  batch.put(family::offset_index, tagged(segment, index_tag, hit.index), value);
  if (max_timestamp)
    batch.put(family::time_index, untagged(segment, ordered(max_timestamp->value)), value);
}

result<std::optional<index_hit>> log_index::find_offset(std::uint64_t first_index,
                                                        offset_t at_most) const {
  const auto segment = prefix(first_index);
  return find(store_, family::offset_index, segment + offset_tag,
              tagged(segment, offset_tag, ordered(at_most.value)));
}

result<std::optional<index_hit>> log_index::find_index(std::uint64_t first_index,
                                                       std::uint64_t at_most) const {
  const auto segment = prefix(first_index);
  return find(store_, family::offset_index, segment + index_tag,
              tagged(segment, index_tag, at_most));
}

result<std::optional<index_hit>> log_index::find_time(std::uint64_t first_index,
                                                      timestamp_ms timestamp) const {
  const auto segment = prefix(first_index);
  const auto wanted = ordered(timestamp.value);
  if (wanted == 0)
    return std::optional<index_hit>();
  return find(store_, family::time_index, segment, untagged(segment, wanted - 1));
}

void log_index::truncate(write_batch& batch, std::uint64_t first_index, std::uint64_t index,
                         offset_t offset, timestamp_ms max_timestamp) const {
  const auto segment = prefix(first_index);
  batch.remove_range(family::offset_index, tagged(segment, index_tag, index),
                     end_of_prefix(segment + index_tag));
  // Commands before `index` may be named by the same offset; a scan from further back finds them.
  batch.remove_range(family::offset_index, tagged(segment, offset_tag, ordered(offset.value)),
                     end_of_prefix(segment + offset_tag));
  batch.remove_range(family::time_index, untagged(segment, ordered(max_timestamp.value)),
                     end_of_prefix(segment));
}

void log_index::remove_segment(write_batch& batch, std::uint64_t first_index) const {
  const auto segment = prefix(first_index);
  batch.remove_range(family::offset_index, segment, end_of_prefix(segment));
  batch.remove_range(family::time_index, segment, end_of_prefix(segment));
}

void log_index::remove_all(write_batch& batch) const {
  batch.remove_range(family::offset_index, group_, end_of_prefix(group_));
  batch.remove_range(family::time_index, group_, end_of_prefix(group_));
}

} // namespace aqueduct::storage
