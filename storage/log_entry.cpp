// Encoding and checking of entries and segment headers.
#include "storage/log_entry.hpp"

#include "protocol/bytes.hpp"
#include "protocol/crc32c.hpp"
#include "protocol/invariant.hpp"
#include "protocol/record_batch.hpp"

#include <algorithm>
#include <array>

namespace aqueduct::storage {

namespace {

using protocol::crc32c;
using protocol::crc32c_combine;

// Fields of an entry.
constexpr std::size_t length_at = 0;
constexpr std::size_t crc_at = 4;
constexpr std::size_t prev_crc_at = 8;
constexpr std::size_t kind_at = 12;
constexpr std::size_t index_at = 16;
constexpr std::size_t term_at = 24;
constexpr std::size_t durable_index_at = 32;

// Fields of a segment header.
constexpr std::array<char, 8> magic{'A', 'Q', 'S', 'E', 'G', 'M', 'N', 'T'};
constexpr std::size_t version_at = 8;
constexpr std::size_t segment_crc_at = 12;
constexpr std::size_t topic_at = 16;
constexpr std::size_t partition_at = 32;
constexpr std::size_t segment_prev_crc_at = 36;
constexpr std::size_t first_index_at = 40;
constexpr std::size_t prev_term_at = 48;
constexpr std::size_t base_offset_at = 56;
constexpr std::size_t created_at = 64;
constexpr std::size_t reserved_at = 72;

/// Below this, reading the body costs less than combining checksums.
constexpr std::size_t combine_bytes_min = 2048;

/// The checksum of a header, length included, as the start of that of the entry.
std::uint32_t header_crc(const std::byte* header, std::uint32_t seed) {
  const auto crc = crc32c({header + length_at, crc_at - length_at}, seed);
  return crc32c({header + prev_crc_at, entry_header_bytes - prev_crc_at}, crc);
}

std::uint32_t segment_crc(const std::byte* header) {
  const auto crc = crc32c({header, segment_crc_at});
  return crc32c({header + topic_at, segment_header_bytes - topic_at}, crc);
}

} // namespace

std::uint32_t entry_seed(const group_id& group) {
  std::array<std::byte, 20> bytes{};
  std::copy_n(reinterpret_cast<const std::byte*>(group.topic.bytes.data()), 16, bytes.begin());
  store_be(bytes.data() + 16, group.partition);
  return crc32c(bytes);
}

std::uint32_t encode_entry_header(std::byte* out, const log_entry& entry,
                                  const entry_context& context) {
  const auto size = entry.body.size();
  AQUEDUCT_INVARIANT(size <= entry_body_bytes_max, std::to_string(size));
  store_be(out + length_at, static_cast<std::uint32_t>(entry_length_overhead + size));
  store_be(out + prev_crc_at, context.prev_crc);
  store_be(out + kind_at, static_cast<std::uint32_t>(entry.kind) << 24);
  store_be(out + index_at, entry.index);
  store_be(out + term_at, entry.term);
  store_be(out + durable_index_at, context.durable_index);

  auto crc = header_crc(out, context.seed);
  const auto body = entry.body.bytes();
  if (entry.kind == entry_kind::records && size >= combine_bytes_min) {
    // The batch carries the checksum of all but its first fields.
    constexpr auto covered_from = protocol::batch_layout::attributes;
    crc = crc32c(body.first(covered_from), crc);
    crc = crc32c_combine(crc, protocol::batch_view(body).crc(), size - covered_from);
  } else {
    crc = crc32c(body, crc);
  }
  store_be(out + crc_at, crc);
  return crc;
}

std::optional<entry_header> decode_entry_header(byte_span bytes) {
  if (bytes.size() < entry_header_bytes)
    return std::nullopt;
  const auto* at = bytes.data();
  const std::size_t length = load_be<std::uint32_t>(at + length_at);
  if (length < entry_length_overhead || length > entry_length_overhead + entry_body_bytes_max)
    return std::nullopt;
  const auto kind = load_be<std::uint32_t>(at + kind_at);
  if ((kind & 0xffffff) != 0 || (kind >> 24) > static_cast<unsigned>(entry_kind::membership))
    return std::nullopt;
  entry_header header;
  header.crc = load_be<std::uint32_t>(at + crc_at);
  header.prev_crc = load_be<std::uint32_t>(at + prev_crc_at);
  header.kind = static_cast<entry_kind>(kind >> 24);
  header.index = load_be<std::uint64_t>(at + index_at);
  header.term = load_be<std::uint64_t>(at + term_at);
  header.durable_index = load_be<std::uint64_t>(at + durable_index_at);
  header.body_bytes = length - entry_length_overhead;
  // An entry is never durable before it is written.
  if (header.index == 0 || header.term == 0 || header.durable_index >= header.index)
    return std::nullopt;
  return header;
}

bool verify_entry(byte_span bytes, std::uint32_t seed) {
  const auto crc = crc32c(bytes.subspan(entry_header_bytes), header_crc(bytes.data(), seed));
  return crc == load_be<std::uint32_t>(bytes.data() + crc_at);
}

std::optional<records_range> records_of(byte_span body) {
  if (body.size() < protocol::batch_header_bytes)
    return std::nullopt;
  const protocol::batch_view batch(body);
  if (batch.magic() != protocol::batch_magic || batch.batch_length() < 0 ||
      static_cast<std::size_t>(batch.batch_length()) + protocol::batch_prefix_bytes != body.size())
    return std::nullopt;
  const auto base = batch.base_offset().value;
  constexpr auto offset_max = std::int64_t{1} << 62;
  if (base < 0 || base > offset_max || batch.last_offset_delta() < 0)
    return std::nullopt;
  return records_range{batch.base_offset(), batch.next_offset(), batch.max_timestamp()};
}

void encode_segment_header(std::byte* out, const group_id& group, const segment_header& header) {
  std::copy_n(reinterpret_cast<const std::byte*>(magic.data()), magic.size(), out);
  store_be(out + version_at, segment_version);
  std::copy_n(reinterpret_cast<const std::byte*>(group.topic.bytes.data()), 16, out + topic_at);
  store_be(out + partition_at, group.partition);
  store_be(out + segment_prev_crc_at, header.prev_crc);
  store_be(out + first_index_at, header.first_index);
  store_be(out + prev_term_at, header.prev_term);
  store_be(out + base_offset_at, header.base_offset.value);
  store_be(out + created_at, header.created.value);
  store_be(out + reserved_at, std::uint64_t{0});
  store_be(out + segment_crc_at, segment_crc(out));
}

result<segment_header> decode_segment_header(byte_span bytes, const group_id& group) {
  const auto damaged = [](const char* why) {
    return unexpected(errc::storage_damaged, std::string("the header of the segment ") + why);
  };
  if (bytes.size() < segment_header_bytes)
    return damaged("is cut off");
  const auto* at = bytes.data();
  if (!std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(at)))
    return damaged("does not begin as a segment does");
  if (load_be<std::uint32_t>(at + segment_crc_at) != segment_crc(at))
    return damaged("has a wrong checksum");
  if (const auto version = load_be<std::uint32_t>(at + version_at); version != segment_version)
    return unexpected(errc::unsupported_version,
                      "the segment has format version " + std::to_string(version) +
                          ", this program knows version " + std::to_string(segment_version));
  group_id owner;
  std::copy_n(reinterpret_cast<const std::uint8_t*>(at + topic_at), 16, owner.topic.bytes.begin());
  owner.partition = load_be<std::int32_t>(at + partition_at);
  if (owner != group)
    return unexpected(errc::conflict, "the segment belongs to group " + to_string(owner));
  segment_header header;
  header.prev_crc = load_be<std::uint32_t>(at + segment_prev_crc_at);
  header.first_index = load_be<std::uint64_t>(at + first_index_at);
  header.prev_term = load_be<std::uint64_t>(at + prev_term_at);
  header.base_offset = offset_t(load_be<std::int64_t>(at + base_offset_at));
  header.created = timestamp_ms(load_be<std::int64_t>(at + created_at));
  return header;
}

} // namespace aqueduct::storage
