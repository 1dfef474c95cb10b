// The copies have keys far apart, so that they lie in different blocks of the store's files.
#include "storage/hard_state.hpp"

#include "protocol/bytes.hpp"
#include "protocol/crc32c.hpp"
#include "storage/log_meta.hpp"

#include <array>
#include <vector>

namespace aqueduct::storage {

namespace {

constexpr std::array<char, 2> copies{'a', 'b'};

byte_span bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The checksum covers the group too: a copy of another group is not a copy.
std::uint32_t checksum(const std::string& group, byte_span bytes) {
  return protocol::crc32c(bytes, protocol::crc32c(bytes_of(group)));
}

std::string encode(const std::string& group, const hard_state& state) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(state.term);
  out.write(std::uint8_t(state.vote ? 1 : 0));
  out.write(state.vote ? state.vote->node.value : std::int32_t{-1});
  out.write(state.vote ? state.vote->incarnation : std::uint64_t{0});
  const auto crc = checksum(group, bytes);
  out.write(crc);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<hard_state> decode(const std::string& group, std::string_view value) {
  byte_reader in(bytes_of(value));
  hard_state state;
  state.term = in.read<std::uint64_t>();
  const bool voted = in.read<std::uint8_t>() != 0;
  voted_replica vote;
  vote.node = node_id(in.read<std::int32_t>());
  vote.incarnation = in.read<std::uint64_t>();
  const auto crc = in.read<std::uint32_t>();
  if (in.failed() || in.remaining() > 0 ||
      crc != checksum(group, bytes_of(value.substr(0, value.size() - 4))))
    return std::nullopt;
  if (voted)
    state.vote = vote;
  return state;
}

} // namespace

void put_hard_state(write_batch& batch, const group_id& group, const hard_state& state) {
  const auto name = group_key(group);
  const auto value = encode(name, state);
  for (const char copy : copies)
    batch.put(family::hard_state, copy + name, value);
}

void remove_hard_state(write_batch& batch, const group_id& group) {
  for (const char copy : copies)
    batch.remove(family::hard_state, copy + group_key(group));
}

result<std::optional<hard_state>> load_hard_state(const kv& store, const group_id& group) {
  const auto name = group_key(group);
  std::optional<hard_state> newest;
  bool found = false;
  for (const char copy : copies) {
    const auto value = store.get(family::hard_state, copy + name);
    if (!value && value.error().code != errc::storage_damaged)
      return value.propagate();
    found = found || !value || value->has_value();
    if (!value || !*value)
      continue;
    if (const auto state = decode(name, **value))
      if (!newest || state->term > newest->term)
        newest = state;
  }
  if (found && !newest)
    return unexpected(errc::storage_damaged,
                      "term and vote of " + to_string(group) + " are damaged in both copies");
  return newest;
}

} // namespace aqueduct::storage
