// What compression.cpp and the files of the single codecs share. Not for others.
#pragma once

#include "protocol/compression.hpp"

#include <algorithm>
#include <string>

namespace aqueduct::protocol::codecs {

/// Memory that decoders write to: doubles until its limit and keeps what it has for the next batch.
/// Growth follows what was decoded, never what a header claims.
class bounded_output {
public:
  /// `input_bytes` decides the size of the first step.
  bounded_output(std::vector<std::byte>& bytes, std::size_t limit, std::size_t input_bytes)
      : bytes_(bytes), limit_(limit), first_step_(std::max(input_bytes * 4, std::size_t{4096})) {}

  /// Bytes decoded so far.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Bytes that may come in all.
  [[nodiscard]] std::size_t limit() const { return limit_; }
  [[nodiscard]] std::byte* at() { return bytes_.data() + size_; }
  /// Bytes that may be written at `at`.
  [[nodiscard]] std::size_t room() const { return std::min(bytes_.size(), limit_) - size_; }
  void advance(std::size_t count) { size_ += count; }

  /// Makes sure that there is room; false when the limit is reached.
  [[nodiscard]] bool grow() { return room() > 0 || enlarge(); }
  /// More room than there is now; false when the limit is reached.
  [[nodiscard]] bool enlarge() {
    if (bytes_.size() >= limit_)
      return false;
    bytes_.resize(std::min(std::max(bytes_.size() * 2, first_step_), limit_));
    return true;
  }
  /// Room for `count` more bytes, which the caller has reason to expect; false past the limit.
  [[nodiscard]] bool reserve(std::size_t count) {
    if (count > limit_ - size_)
      return false;
    if (bytes_.size() < size_ + count)
      bytes_.resize(size_ + count);
    return true;
  }

  [[nodiscard]] unexpected limit_error() const {
    return unexpected(errc::decompression_limit,
                      "the data decompresses to more than " + std::to_string(limit_) + " bytes");
  }

private:
  std::vector<std::byte>& bytes_;
  std::size_t limit_;
  std::size_t first_step_;
  std::size_t size_ = 0;
};

[[nodiscard]] inline unexpected corrupt(codec type, std::string_view what) {
  return unexpected(errc::corrupt_batch,
                    std::string(to_string(type)) + " data " + std::string(what));
}

[[nodiscard]] inline unexpected unknown_codec(codec type) {
  return unexpected(errc::unsupported_codec, "codec " + std::to_string(static_cast<int>(type)) +
                                                 " is not known; 0 to 4 are");
}

/// Success if `level` lies within [min, max] or is not given.
[[nodiscard]] inline result<void> check_level(codec type, std::optional<int> level, int min,
                                              int max) {
  if (!level || (*level >= min && *level <= max))
    return {};
  return unexpected(errc::invalid_config, "level " + std::to_string(*level) + " of " +
                                              std::string(to_string(type)) + " is not within " +
                                              std::to_string(min) + " to " + std::to_string(max));
}

[[nodiscard]] result<void> compress_gzip(byte_span, std::optional<int> level,
                                         std::vector<std::byte>& out);
[[nodiscard]] result<void> compress_snappy(byte_span, snappy_framing, std::vector<std::byte>& out);
[[nodiscard]] result<void> compress_lz4(byte_span, std::optional<int> level,
                                        std::vector<std::byte>& out);
[[nodiscard]] result<void> compress_zstd(byte_span, std::optional<int> level,
                                         std::vector<std::byte>& out);

[[nodiscard]] result<std::size_t> decompress_gzip(byte_span, bounded_output&);
[[nodiscard]] result<std::size_t> decompress_snappy(byte_span, bounded_output&);
[[nodiscard]] result<std::size_t> decompress_lz4(byte_span, bounded_output&);
[[nodiscard]] result<std::size_t> decompress_zstd(byte_span, bounded_output&);

} // namespace aqueduct::protocol::codecs
