// Primitive codecs. Integers are big-endian (network order), varints are LEB128, zigzag varints are
// those of the Kafka record format. A reader never looks past its bytes: the first read that would
// makes it `failed`, and from then on it yields zeros.
#pragma once

#include "protocol/buffer.hpp"

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct {

template <std::integral T>
[[nodiscard]] constexpr T swap_bytes(T value) {
  if constexpr (sizeof(T) == 1)
    return value;
  else if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  else if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  else
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
}

/// Reads a big-endian integer. Precondition: `sizeof(T)` bytes are there.
template <std::integral T>
[[nodiscard]] inline T load_be(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::little)
    value = swap_bytes(value);
  return value;
}

/// Writes a big-endian integer. Precondition: `sizeof(T)` bytes of room.
template <std::integral T>
inline void store_be(std::byte* at, T value) {
  if constexpr (std::endian::native == std::endian::little)
    value = swap_bytes(value);
  std::memcpy(at, &value, sizeof value);
}

[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}
/// Bytes that `v` takes as a varint: 1 to 10.
[[nodiscard]] constexpr std::size_t varint_size(std::uint64_t v) {
  return static_cast<std::size_t>(std::bit_width(v | 1) + 6) / 7;
}
/// Writes `v` as a varint and returns the end. Precondition: `varint_size(v)` bytes of room.
inline std::byte* store_varint(std::byte* at, std::uint64_t v) {
  while (v >= 0x80) {
    *at++ = static_cast<std::byte>(v | 0x80);
    v >>= 7;
  }
  *at++ = static_cast<std::byte>(v);
  return at;
}

/// Takes values off the front of a span that it does not own.
class byte_reader {
public:
  explicit byte_reader(byte_span bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] const std::byte* position() const { return at_; }
  /// Makes every later read yield zeros.
  void fail() {
    failed_ = true;
    at_ = end_;
  }

  template <std::integral T>
  T read() {
    if (remaining() < sizeof(T)) {
      fail();
      return T{};
    }
    const T value = load_be<T>(at_);
    at_ += sizeof(T);
    return value;
  }

  /// At most 10 bytes; an overlong or overflowing varint fails.
  std::uint64_t read_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_)
        break;
      const auto byte = static_cast<std::uint8_t>(*at_++);
      if (shift == 63 && byte > 1)
        break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80)
        return value;
    }
    fail();
    return 0;
  }

  std::int64_t read_zigzag() { return unzigzag(read_varint()); }

  /// The next `count` bytes, in place.
  byte_span read_bytes(std::size_t count) {
    if (remaining() < count) {
      fail();
      return {};
    }
    const byte_span bytes(at_, count);
    at_ += count;
    return bytes;
  }

  /// A count or length as a varint, no larger than the bytes that are left divided by the smallest
  /// size that an element can have: a lying count never makes anyone allocate.
  std::size_t read_count(std::size_t element_size_min) {
    const auto count = read_varint();
    if (count > remaining() / (element_size_min == 0 ? 1 : element_size_min)) {
      fail();
      return 0;
    }
    return static_cast<std::size_t>(count);
  }

private:
  const std::byte* at_;
  const std::byte* end_;
  bool failed_ = false;
};

/// Appends values to a vector that it does not own.
class byte_writer {
public:
  explicit byte_writer(std::vector<std::byte>& out) : out_(out) {}

  [[nodiscard]] std::size_t size() const { return out_.size(); }

  template <std::integral T>
  void write(T value) {
    std::byte bytes[sizeof(T)];
    store_be(bytes, value);
    out_.insert(out_.end(), bytes, bytes + sizeof(T));
  }

  void write_varint(std::uint64_t value) {
    std::byte bytes[10];
    out_.insert(out_.end(), bytes, store_varint(bytes, value));
  }

  void write_zigzag(std::int64_t value) { write_varint(zigzag(value)); }

  void write_bytes(byte_span bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  void write_bytes(std::string_view text) {
    write_bytes(std::as_bytes(std::span(text.data(), text.size())));
  }

private:
  std::vector<std::byte>& out_;
};

} // namespace aqueduct
