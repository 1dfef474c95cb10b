// The four compression codecs of the record batch format, behind one interface. Input is untrusted:
// output grows only with what was really decoded and never past the caller's limit.
//
// Every function is thread-safe. The codecs' contexts (some 100 KiB each) are made once per thread,
// on first use, and kept until the thread ends.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aqueduct::protocol {

/// The numbers are those of bits 0 to 2 of a batch's attributes.
enum class codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

/// "none", "gzip", "snappy", "lz4", "zstd"; "unknown" for other numbers.
[[nodiscard]] std::string_view to_string(codec c);
/// Reads what `to_string` writes, in lower case.
[[nodiscard]] std::optional<codec> parse_codec(std::string_view name);
/// Is it one of the five?
[[nodiscard]] constexpr bool is_known(codec c) {
  return c <= codec::zstd;
}

/// How blocks of snappy are written. Both are read.
enum class snappy_framing : std::uint8_t {
  raw,    ///< one block, as librdkafka, franz-go and sarama write it
  xerial, ///< snappy-java's header and 32 KiB chunks, as Java and kafka-python write it
};

struct compress_options {
  codec type = codec::none;
  /// gzip 1 to 9, lz4 0 to 12, zstd -131072 to 22 (the library's bounds); nothing: the library's
  /// default. The other codecs have no levels and ignore it.
  std::optional<int> level{};
  snappy_framing framing = snappy_framing::raw;
};

/// Inputs and outputs are at most this long: a batch's length is an i32.
inline constexpr std::size_t compression_bytes_max = 0x7fffffff;

/// Errors: unsupported_codec; invalid_config for a level out of range; message_too_large for an
/// input longer than `compression_bytes_max`.
[[nodiscard]] result<std::vector<std::byte>> compress(codec type, byte_span input,
                                                      std::optional<int> level = std::nullopt);
/// Appends the compressed form of `input` to `out`; on error `out` is as it was.
[[nodiscard]] result<void> compress_append(const compress_options& options, byte_span input,
                                           std::vector<std::byte>& out);

/// The whole of `input` decoded; several frames after another count as one stream (gzip, lz4,
/// zstd). Errors: decompression_limit when more than `output_bytes_max` bytes would come out;
/// corrupt_batch for input that is damaged, cut or followed by anything else; unsupported_codec.
[[nodiscard]] result<std::vector<std::byte>> decompress(codec type, byte_span input,
                                                        std::size_t output_bytes_max);
/// Same, into memory that is used again: decodes to the front of `out`, which grows but never
/// shrinks, and returns how many bytes of it hold the output.
[[nodiscard]] result<std::size_t> decompress_into(codec type, byte_span input,
                                                  std::size_t output_bytes_max,
                                                  std::vector<std::byte>& out);

} // namespace aqueduct::protocol
