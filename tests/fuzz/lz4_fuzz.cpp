// The lz4 decoder: see codec_fuzz.hpp.
#include "tests/fuzz/codec_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  aqueduct::fuzz::fuzz_codec(aqueduct::protocol::codec::lz4, data, size);
  return 0;
}
