// What each codec writes is what the library that clients use reads, and the other way round.
#include "protocol/bytes.hpp"
#include "protocol/compression.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

using namespace aqueduct;
using namespace aqueduct::protocol;
using namespace aqueduct::testing;

namespace {

constexpr std::size_t plenty = std::size_t{64} << 20;

byte_vector lz4_frame(byte_span input, const LZ4F_preferences_t& wanted) {
  byte_vector out(LZ4F_compressFrameBound(input.size(), &wanted));
  const auto size = LZ4F_compressFrame(out.data(), out.size(), input.data(), input.size(), &wanted);
  REQUIRE_FALSE(LZ4F_isError(size));
  out.resize(size);
  return out;
}

byte_vector zstd_stream(byte_span input, int window_log) {
  auto* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  byte_vector out(ZSTD_compressBound(input.size()) + 1000);
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  // In two calls, so that the frame cannot know its content's size.
  ZSTD_inBuffer front{input.data(), input.size() / 2, 0};
  while (front.pos < front.size)
    ZSTD_compressStream2(context, &output, &front, ZSTD_e_continue);
  ZSTD_inBuffer back{input.data() + input.size() / 2, input.size() - input.size() / 2, 0};
  REQUIRE(ZSTD_compressStream2(context, &output, &back, ZSTD_e_end) == 0);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

} // namespace

TEST_SUITE("protocol.codec_formats") {

  TEST_CASE("gzip data has a gzip header and is read by zlib") {
    sample_generator samples(20);
    const auto input = samples.text(50'000);
    const auto packed = *compress(codec::gzip, input);
    CHECK(to_hex(byte_span(packed).first(3)) == "1f8b08");

    byte_vector out(input.size() + 1);
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    CHECK(out == input);
  }

  TEST_CASE("zlib's own framing and bare deflate data are not gzip") {
    const auto input = as_bytes("some text");
    byte_vector out(100);
    uLongf size = out.size();
    REQUIRE(compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                      reinterpret_cast<const Bytef*>(input.data()), input.size(), 6) == Z_OK);
    out.resize(size);
    CHECK(decompress(codec::gzip, out, plenty).error().code == errc::corrupt_batch);
    CHECK(decompress(codec::gzip, byte_span(out).subspan(2), plenty).error().code ==
          errc::corrupt_batch);
  }

  TEST_CASE("snappy data is one raw block unless asked otherwise") {
    sample_generator samples(21);
    const auto input = samples.text(100'000);
    const auto packed = *compress(codec::snappy, input);
    std::string out;
    REQUIRE(snappy::Uncompress(reinterpret_cast<const char*>(packed.data()), packed.size(), &out));
    CHECK(out == as_text(input));
  }

  TEST_CASE("xerial framing has its header and chunks of 32 KiB, each a raw block") {
    sample_generator samples(22);
    const auto input = samples.text(70'000);
    byte_vector packed;
    REQUIRE(
        compress_append({.type = codec::snappy, .framing = snappy_framing::xerial}, input, packed));
    CHECK(to_hex(byte_span(packed).first(16)) == "82534e41505059000000000100000001");

    byte_reader reader(byte_span(packed).subspan(16));
    std::string whole;
    std::vector<std::size_t> chunks;
    while (reader.remaining() > 0) {
      const auto block = reader.read_bytes(static_cast<std::size_t>(reader.read<std::int32_t>()));
      std::string out;
      REQUIRE(snappy::Uncompress(reinterpret_cast<const char*>(block.data()), block.size(), &out));
      chunks.push_back(out.size());
      whole += out;
    }
    CHECK(whole == as_text(input));
    CHECK(chunks == std::vector<std::size_t>{32768, 32768, 4464});
  }

  TEST_CASE("a snappy block that claims more than its bytes can hold is refused unallocated") {
    byte_vector lying;
    byte_writer writer(lying);
    writer.write_varint(50'000'000);
    writer.write_bytes(as_bytes(std::string_view("\x00x", 2)));
    byte_vector out;
    CHECK(decompress_into(codec::snappy, lying, plenty, out).error().code == errc::corrupt_batch);
    CHECK(out.size() < 10'000);
  }

  TEST_CASE("xerial chunks with lengths that are negative or too large are refused") {
    const std::string header = "82534e41505059000000000100000001";
    for (const auto* chunk : {"ffffffff", "80000000", "7fffffff00", "0000000500", "000000"})
      CHECK(decompress(codec::snappy, from_hex(header + chunk), plenty).error().code ==
            errc::corrupt_batch);
    CHECK(decompress(codec::snappy, from_hex("82534e41505059000000000000000000"), plenty)
              .error()
              .code == errc::corrupt_batch);
    CHECK(decompress(codec::snappy, from_hex("82534e41505059000000000200000002"), plenty)
              .error()
              .code == errc::corrupt_batch);
  }

  TEST_CASE("lz4 frames have independent blocks of 64 KiB and no content checksum") {
    sample_generator samples(23);
    const auto input = samples.text(200'000);
    const auto packed = *compress(codec::lz4, input);
    CHECK(to_hex(byte_span(packed).first(6)) == "04224d186040");

    byte_vector out(input.size());
    LZ4F_dctx* context = nullptr;
    REQUIRE_FALSE(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
    auto produced = out.size();
    auto consumed = packed.size();
    CHECK(LZ4F_decompress(context, out.data(), &produced, packed.data(), &consumed, nullptr) == 0);
    LZ4F_freeDecompressionContext(context);
    CHECK(produced == input.size());
    CHECK(consumed == packed.size());
    CHECK(out == input);
  }

  TEST_CASE("lz4 frames of every kind are read") {
    sample_generator samples(24);
    const auto input = samples.text(300'000);
    for (const auto mode : {LZ4F_blockLinked, LZ4F_blockIndependent})
      for (const auto block : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB})
        for (const auto checksum : {LZ4F_noContentChecksum, LZ4F_contentChecksumEnabled})
          for (const bool has_size : {false, true}) {
            LZ4F_preferences_t wanted = LZ4F_INIT_PREFERENCES;
            wanted.frameInfo.blockMode = mode;
            wanted.frameInfo.blockSizeID = block;
            wanted.frameInfo.contentChecksumFlag = checksum;
            wanted.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
            wanted.frameInfo.contentSize = has_size ? input.size() : 0;
            const auto done = decompress(codec::lz4, lz4_frame(input, wanted), plenty);
            REQUIRE(done);
            CHECK(*done == input);
          }
  }

  TEST_CASE("an lz4 frame with a wrong content checksum or size is refused") {
    const auto input = as_bytes("the content of a frame, which has a checksum");
    LZ4F_preferences_t wanted = LZ4F_INIT_PREFERENCES;
    wanted.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    auto packed = lz4_frame(input, wanted);
    REQUIRE(decompress(codec::lz4, packed, plenty));
    packed.back() ^= std::byte{1};
    CHECK(decompress(codec::lz4, packed, plenty).error().code == errc::corrupt_batch);
  }

  TEST_CASE("zstd frames are read by the library, with the content's size in them") {
    sample_generator samples(25);
    const auto input = samples.text(200'000);
    const auto packed = *compress(codec::zstd, input);
    CHECK(to_hex(byte_span(packed).first(4)) == "28b52ffd");
    CHECK(ZSTD_getFrameContentSize(packed.data(), packed.size()) == input.size());
    byte_vector out(input.size());
    CHECK(ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size()) == input.size());
    CHECK(out == input);
  }

  TEST_CASE("zstd streams without a content size, with windows of up to 128 MiB, are read") {
    sample_generator samples(26);
    const auto input = samples.text(3'000'000);
    for (const int window_log : {10, 20, 27}) {
      const auto packed = zstd_stream(input, window_log);
      CHECK(ZSTD_getFrameContentSize(packed.data(), packed.size()) == ZSTD_CONTENTSIZE_UNKNOWN);
      const auto done = decompress(codec::zstd, packed, input.size());
      REQUIRE(done);
      CHECK(*done == input);
      CHECK(decompress(codec::zstd, packed, input.size() - 1).error().code ==
            errc::decompression_limit);
    }
  }

  TEST_CASE("a zstd frame that claims a huge content is refused unallocated") {
    // Magic, a single segment with an 8-byte content size, one empty last block.
    for (const auto* size : {"0000004000000000", "ffffffffffffff7f", "fdffffffffffffff"}) {
      byte_vector out;
      const auto done = decompress_into(
          codec::zstd, from_hex(std::string("28b52ffde0") + size + "010000"), plenty * 100, out);
      REQUIRE_FALSE(done);
      CHECK(out.size() < 100'000);
    }
  }

  TEST_CASE("a skippable zstd frame counts as nothing, and formats older than 1.0 are refused") {
    const auto packed = *compress(codec::zstd, as_bytes("text"));
    auto with_skippable = from_hex("502a4d1803000000aabbcc");
    with_skippable.insert(with_skippable.end(), packed.begin(), packed.end());
    CHECK(as_text(*decompress(codec::zstd, with_skippable, plenty)) == "text");
    CHECK(decompress(codec::zstd, from_hex("27b52ffd00"), plenty).error().code ==
          errc::corrupt_batch);
  }

} // TEST_SUITE
