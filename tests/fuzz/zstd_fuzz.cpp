// The zstd decoder: see codec_fuzz.hpp.
#include "tests/fuzz/codec_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  aqueduct::fuzz::fuzz_codec(aqueduct::protocol::codec::zstd, data, size);
  return 0;
}
