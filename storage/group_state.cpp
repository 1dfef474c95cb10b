#include "storage/group_state.hpp"

#include "protocol/bytes.hpp"
#include "protocol/crc32c.hpp"
#include "storage/log_store.hpp"

namespace aqueduct::storage {

namespace {

/// What begins with this is storage's own.
constexpr char own_tag = '!';
constexpr std::string_view installed_name = "!installed";

std::string installed_key(const group_id& group) {
  return group_prefix(group) + std::string(installed_name);
}

/// The mark, then a checksum. The base has one of its own.
std::string encode(const state_mark& mark) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(mark.applied_index);
  out.write(mark.applied_term);
  const auto base = encode_base(mark.base);
  out.write_bytes(std::as_bytes(std::span(base)));
  out.write(protocol::crc32c(bytes));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<state_mark> decode(std::string_view value) {
  const auto bytes = std::as_bytes(std::span(value));
  if (bytes.size() < 4)
    return std::nullopt;
  const auto body = bytes.first(bytes.size() - 4);
  if (protocol::crc32c(body) != load_be<std::uint32_t>(body.data() + body.size()))
    return std::nullopt;
  byte_reader in(body);
  state_mark mark;
  mark.applied_index = in.read<std::uint64_t>();
  mark.applied_term = in.read<std::uint64_t>();
  const auto rest = in.read_bytes(in.remaining());
  auto base = decode_base({reinterpret_cast<const char*>(rest.data()), rest.size()});
  if (in.failed() || !base || base->index > mark.applied_index)
    return std::nullopt;
  mark.base = *std::move(base);
  return mark;
}

} // namespace

result<std::optional<state_mark>> read_installed(const kv& store, const group_id& group) {
  const auto value = store.get(family::partition_state, installed_key(group));
  if (!value)
    return value.propagate();
  if (!*value)
    return std::optional<state_mark>();
  auto mark = decode(**value);
  if (!mark)
    return unexpected(errc::storage_damaged, "the note of the state that was installed for " +
                                                 to_string(group) + " is damaged");
  return mark;
}

bool is_own_key(std::string_view row_key) {
  return !row_key.empty() && row_key.front() == own_tag;
}

write_batch installation_of(const group_id& group, const state_place& place,
                            const group_state& state) {
  write_batch batch;
  batch.remove_range(place.in, place.prefix, end_of_prefix(place.prefix));
  for (const auto& row : state.rows)
    batch.put(place.in, place.prefix + row.key, row.value);
  put_applied_index(batch, group, state.mark.applied_index);
  batch.put(family::partition_state, installed_key(group), encode(state.mark));
  return batch;
}

} // namespace aqueduct::storage
