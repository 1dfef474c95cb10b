// LZ4 in its frame format (lz4_Frame_format.md), written with independent blocks of 64 KiB and
// without a content checksum: the only kind that Kafka's Java client reads.
#include "protocol/codecs.hpp"

#include <lz4frame.h>

#include <memory>

namespace aqueduct::protocol::codecs {

namespace {

struct free_compression {
  void operator()(LZ4F_cctx* context) const { LZ4F_freeCompressionContext(context); }
};
struct free_decompression {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
using compression_context = std::unique_ptr<LZ4F_cctx, free_compression>;
using decompression_context = std::unique_ptr<LZ4F_dctx, free_decompression>;

compression_context make_compression_context() {
  LZ4F_cctx* context = nullptr;
  LZ4F_createCompressionContext(&context, LZ4F_VERSION);
  return compression_context(context);
}

decompression_context make_decompression_context() {
  LZ4F_dctx* context = nullptr;
  LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
  return decompression_context(context);
}

unexpected no_context() {
  return unexpected(errc::internal, "lz4 made no context: no memory");
}

LZ4F_preferences_t preferences(std::optional<int> level) {
  LZ4F_preferences_t wanted = LZ4F_INIT_PREFERENCES;
  wanted.frameInfo.blockSizeID = LZ4F_max64KB;
  wanted.frameInfo.blockMode = LZ4F_blockIndependent;
  wanted.compressionLevel = level.value_or(0);
  // Nothing is kept back between calls, so that the context needs no buffer of its own.
  wanted.autoFlush = 1;
  return wanted;
}

/// Header, blocks and end mark. The number of bytes, or an error for LZ4F_isError.
std::size_t write_frame(LZ4F_cctx* context, byte_span input, const LZ4F_preferences_t& wanted,
                        std::span<std::byte> room) {
  const auto header = LZ4F_compressBegin(context, room.data(), room.size(), &wanted);
  if (LZ4F_isError(header))
    return header;
  room = room.subspan(header);
  const auto blocks =
      LZ4F_compressUpdate(context, room.data(), room.size(), input.data(), input.size(), nullptr);
  if (LZ4F_isError(blocks))
    return blocks;
  room = room.subspan(blocks);
  const auto end = LZ4F_compressEnd(context, room.data(), room.size(), nullptr);
  return LZ4F_isError(end) ? end : header + blocks + end;
}

} // namespace

result<void> compress_lz4(byte_span input, std::optional<int> level, std::vector<std::byte>& out) {
  if (auto valid = check_level(codec::lz4, level, 0, LZ4F_compressionLevel_max()); !valid)
    return valid;
  thread_local const auto context = make_compression_context();
  if (!context)
    return no_context();
  const auto wanted = preferences(level);
  const auto before = out.size();
  out.resize(before + LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(input.size(), &wanted));
  const auto size = write_frame(context.get(), input, wanted, std::span(out).subspan(before));
  out.resize(before + (LZ4F_isError(size) ? 0 : size));
  if (LZ4F_isError(size))
    return unexpected(errc::internal, std::string("lz4: ") + LZ4F_getErrorName(size));
  return {};
}

result<std::size_t> decompress_lz4(byte_span input, bounded_output& output) {
  thread_local const auto context = make_decompression_context();
  if (!context)
    return no_context();
  LZ4F_resetDecompressionContext(context.get());
  for (;;) {
    // At the limit one byte more is offered: whether it gets used tells the end from too much.
    std::byte spill{};
    const bool is_full = !output.grow();
    auto produced = is_full ? std::size_t{1} : output.room();
    auto consumed = input.size();
    const auto hint = LZ4F_decompress(context.get(), is_full ? &spill : output.at(), &produced,
                                      input.data(), &consumed, nullptr);
    if (LZ4F_isError(hint))
      return corrupt(codec::lz4, "is damaged");
    if (is_full && produced > 0)
      return output.limit_error();
    output.advance(produced);
    input = input.subspan(consumed);
    if (hint == 0 && input.empty())
      return output.size();
    if (produced == 0 && consumed == 0)
      return corrupt(codec::lz4, "is cut");
  }
}

} // namespace aqueduct::protocol::codecs
