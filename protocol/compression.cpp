// Names, bounds and the way from one vector to another; each codec has a file of its own.
#include "protocol/compression.hpp"

#include "protocol/codecs.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace aqueduct::protocol {

namespace {

constexpr auto names = std::to_array<std::string_view>({"none", "gzip", "snappy", "lz4", "zstd"});

result<std::size_t> decompress_none(byte_span input, codecs::bounded_output& output) {
  if (!output.reserve(input.size()))
    return output.limit_error();
  std::ranges::copy(input, output.at());
  return input.size();
}

} // namespace

std::string_view to_string(codec c) {
  return is_known(c) ? names[static_cast<std::size_t>(c)] : std::string_view("unknown");
}

std::optional<codec> parse_codec(std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end())
    return std::nullopt;
  return static_cast<codec>(found - names.begin());
}

result<void> compress_append(const compress_options& options, byte_span input,
                             std::vector<std::byte>& out) {
  if (input.size() > compression_bytes_max)
    return unexpected(errc::message_too_large, "cannot compress " + std::to_string(input.size()) +
                                                   " bytes at once; at most " +
                                                   std::to_string(compression_bytes_max));
  switch (options.type) {
  case codec::none:
    out.insert(out.end(), input.begin(), input.end());
    return {};
  case codec::gzip:
    return codecs::compress_gzip(input, options.level, out);
  case codec::snappy:
    return codecs::compress_snappy(input, options.framing, out);
  case codec::lz4:
    return codecs::compress_lz4(input, options.level, out);
  case codec::zstd:
    return codecs::compress_zstd(input, options.level, out);
  }
  return codecs::unknown_codec(options.type);
}

result<std::vector<std::byte>> compress(codec type, byte_span input, std::optional<int> level) {
  std::vector<std::byte> out;
  if (auto done = compress_append({.type = type, .level = level}, input, out); !done)
    return done.propagate();
  return out;
}

result<std::size_t> decompress_into(codec type, byte_span input, std::size_t output_bytes_max,
                                    std::vector<std::byte>& out) {
  if (input.size() > compression_bytes_max)
    return codecs::corrupt(type, "is longer than a batch can be");
  codecs::bounded_output output(out, std::min(output_bytes_max, compression_bytes_max),
                                input.size());
  switch (type) {
  case codec::none:
    return decompress_none(input, output);
  case codec::gzip:
    return codecs::decompress_gzip(input, output);
  case codec::snappy:
    return codecs::decompress_snappy(input, output);
  case codec::lz4:
    return codecs::decompress_lz4(input, output);
  case codec::zstd:
    return codecs::decompress_zstd(input, output);
  }
  return codecs::unknown_codec(type);
}

result<std::vector<std::byte>> decompress(codec type, byte_span input,
                                          std::size_t output_bytes_max) {
  std::vector<std::byte> out;
  const auto size = decompress_into(type, input, output_bytes_max, out);
  if (!size)
    return size.propagate();
  out.resize(*size);
  return out;
}

} // namespace aqueduct::protocol
