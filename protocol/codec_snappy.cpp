// Snappy, as one raw block and in the framing of snappy-java (xerial):
//
//   82 "SNAPPY" 00 | version i32 = 1 | compatible i32 = 1 | { length i32, raw block of that length
//   }*
#include "protocol/bytes.hpp"
#include "protocol/codecs.hpp"

#include <snappy.h>

#include <array>

namespace aqueduct::protocol::codecs {

namespace {

constexpr auto xerial_magic = std::to_array<std::uint8_t>({0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0});
constexpr std::int32_t xerial_version = 1;
constexpr std::size_t xerial_chunk_bytes = 32 * 1024;

// The densest element of the format is a copy of 64 bytes in three bytes (format_description.txt of
// snappy, 2.2.2), so that a block that claims to hold more than this is lying.
constexpr std::size_t expansion_max = 22;

const char* chars(byte_span bytes) {
  return reinterpret_cast<const char*>(bytes.data());
}

void append_block(byte_span input, std::vector<std::byte>& out) {
  const auto before = out.size();
  out.resize(before + snappy::MaxCompressedLength(input.size()));
  std::size_t size = 0;
  snappy::RawCompress(chars(input), input.size(), reinterpret_cast<char*>(out.data() + before),
                      &size);
  out.resize(before + size);
}

void append_xerial(byte_span input, std::vector<std::byte>& out) {
  byte_writer writer(out);
  writer.write_bytes(std::as_bytes(std::span(xerial_magic)));
  writer.write(xerial_version);
  writer.write(xerial_version);
  while (!input.empty()) {
    const auto chunk = input.first(std::min(input.size(), xerial_chunk_bytes));
    const auto length_at = out.size();
    writer.write(std::int32_t{0});
    append_block(chunk, out);
    const auto length = out.size() - length_at - sizeof(std::int32_t);
    store_be(out.data() + length_at, static_cast<std::int32_t>(length));
    input = input.subspan(chunk.size());
  }
}

result<void> decompress_block(byte_span block, bounded_output& output) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(chars(block), block.size(), &size) ||
      size > block.size() * expansion_max)
    return corrupt(codec::snappy, "has a wrong length");
  if (!output.reserve(size))
    return output.limit_error();
  // An empty output may have no memory at all, which snappy is not made for.
  const bool is_good = size == 0 ? snappy::IsValidCompressedBuffer(chars(block), block.size())
                                 : snappy::RawUncompress(chars(block), block.size(),
                                                         reinterpret_cast<char*>(output.at()));
  if (!is_good)
    return corrupt(codec::snappy, "is damaged");
  output.advance(size);
  return {};
}

result<std::size_t> decompress_xerial(byte_span input, bounded_output& output) {
  byte_reader reader(input);
  reader.read_bytes(xerial_magic.size());
  const auto version = reader.read<std::int32_t>();
  const auto compatible = reader.read<std::int32_t>();
  if (reader.failed() || version < xerial_version || compatible > xerial_version)
    return corrupt(codec::snappy, "has a framing header of another version");
  while (reader.remaining() > 0) {
    // A negative length becomes one that is larger than anything left.
    const auto length = static_cast<std::uint32_t>(reader.read<std::int32_t>());
    const auto block = reader.read_bytes(length);
    if (reader.failed())
      return corrupt(codec::snappy, "is cut");
    if (auto done = decompress_block(block, output); !done)
      return done.propagate();
  }
  return output.size();
}

} // namespace

result<void> compress_snappy(byte_span input, snappy_framing framing, std::vector<std::byte>& out) {
  if (framing == snappy_framing::xerial)
    append_xerial(input, out);
  else
    append_block(input, out);
  return {};
}

result<std::size_t> decompress_snappy(byte_span input, bounded_output& output) {
  // No raw block starts with these bytes: read as one, its first element copies what is not there.
  if (input.size() >= xerial_magic.size() &&
      std::memcmp(input.data(), xerial_magic.data(), xerial_magic.size()) == 0)
    return decompress_xerial(input, output);
  if (auto done = decompress_block(input, output); !done)
    return done.propagate();
  return output.size();
}

} // namespace aqueduct::protocol::codecs
