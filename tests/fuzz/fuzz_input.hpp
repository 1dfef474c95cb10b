// What fuzz targets share: reading their input as choices and bytes, and saying what must hold.
#pragma once

#include "protocol/buffer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// libFuzzer's entry point; the regression program gives each target's a name of its own.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace aqueduct::fuzz {

/// A finding, unless `condition` holds: libFuzzer stops at the exception, the regression test
/// reports it.
inline void require(bool condition, const char* what) {
  if (!condition)
    throw std::logic_error(std::string("must hold: ") + what);
}

/// The fuzzer's bytes: a few choices from the front, the rest as the decoder's input. The rest is
/// copied to memory of exactly its size, so that AddressSanitizer sees every read behind its end.
class fuzz_input {
public:
  fuzz_input(const std::uint8_t* data, std::size_t size)
      : at_(reinterpret_cast<const std::byte*>(data)), end_(at_ + size) {}

  /// From 0 to 255; 0 when the input is used up.
  unsigned choose() { return at_ == end_ ? 0 : static_cast<unsigned>(*at_++); }
  /// From 0 to 65535.
  unsigned choose_two() {
    const auto high = choose();
    return high << 8 | choose();
  }
  [[nodiscard]] bool is_empty() const { return at_ == end_; }
  [[nodiscard]] std::vector<std::byte> rest() const { return {at_, end_}; }

private:
  const std::byte* at_;
  const std::byte* end_;
};

} // namespace aqueduct::fuzz
