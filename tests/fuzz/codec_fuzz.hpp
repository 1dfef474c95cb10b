// The one target that the four codecs share. The first byte of the input chooses the limit.
#pragma once

#include "protocol/compression.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace aqueduct::fuzz {

/// Decompresses the input within a limit. What comes out is within it, the same whether memory is
/// used again or not, and survives compression.
inline void fuzz_codec(protocol::codec type, const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto limit = std::size_t{1} << input.choose() % 21;
  const auto bytes = input.rest();
  const auto output = protocol::decompress(type, bytes, limit);
  if (!output) {
    const auto code = output.error().code;
    require(code == errc::corrupt_batch || code == errc::decompression_limit,
            "bad input is damaged or too large");
    return;
  }
  require(output->size() <= limit, "output is within the limit");

  static std::vector<std::byte> reused;
  const auto again = protocol::decompress_into(type, bytes, limit, reused);
  require(again.has_value() && *again == output->size() &&
              std::equal(output->begin(), output->end(), reused.begin()),
          "used memory makes no difference");
  if (!output->empty())
    require(!protocol::decompress(type, bytes, output->size() - 1), "one byte less is too little");

  for (const auto framing : {protocol::snappy_framing::raw, protocol::snappy_framing::xerial}) {
    std::vector<std::byte> packed;
    const auto done =
        protocol::compress_append({.type = type, .framing = framing}, *output, packed);
    require(done.has_value(), "output compresses");
    const auto unpacked = protocol::decompress(type, packed, output->size());
    require(unpacked.has_value() && *unpacked == *output, "and decompresses to the same");
    if (type != protocol::codec::snappy)
      break;
  }
}

} // namespace aqueduct::fuzz
