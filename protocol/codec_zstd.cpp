// Zstandard (RFC 8878). Frames are decoded whole, straight into the output, which serves as their
// window: the streaming decoder would allocate the window that a frame asks for, up to 128 MiB.
#include "protocol/bytes.hpp"
#include "protocol/codecs.hpp"

#include <zstd.h>
#include <zstd_errors.h>

#include <memory>

namespace aqueduct::protocol::codecs {

namespace {

struct free_compression {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct free_decompression {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using compression_context = std::unique_ptr<ZSTD_CCtx, free_compression>;
using decompression_context = std::unique_ptr<ZSTD_DCtx, free_decompression>;

unexpected no_context() {
  return unexpected(errc::internal, "zstd made no context: no memory");
}

/// Is it a frame of RFC 8878, or one that is to be skipped? The library might also have been built
/// to read formats from before its 1.0, which no client writes.
bool has_known_magic(byte_span input) {
  if (input.size() < sizeof(std::uint32_t))
    return false;
  const auto magic = swap_bytes(load_be<std::uint32_t>(input.data()));
  return magic == ZSTD_MAGICNUMBER ||
         (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

result<void> decompress_frame(ZSTD_DCtx* context, byte_span frame, bounded_output& output) {
  // The claim is only good for refusing early: memory grows as decoding finds that it has to.
  const auto claimed = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (claimed == ZSTD_CONTENTSIZE_ERROR)
    return corrupt(codec::zstd, "is damaged");
  if (claimed != ZSTD_CONTENTSIZE_UNKNOWN && claimed > output.limit() - output.size())
    return output.limit_error();
  (void)output.grow();
  for (;;) {
    const auto size =
        ZSTD_decompressDCtx(context, output.at(), output.room(), frame.data(), frame.size());
    if (!ZSTD_isError(size)) {
      output.advance(size);
      return {};
    }
    if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall)
      return corrupt(codec::zstd, "is damaged");
    if (!output.enlarge())
      return output.limit_error();
  }
}

} // namespace

result<void> compress_zstd(byte_span input, std::optional<int> level, std::vector<std::byte>& out) {
  if (auto valid = check_level(codec::zstd, level, ZSTD_minCLevel(), ZSTD_maxCLevel()); !valid)
    return valid;
  thread_local const compression_context context(ZSTD_createCCtx());
  if (!context)
    return no_context();
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel,
                         level.value_or(ZSTD_defaultCLevel()));
  const auto before = out.size();
  const auto bound = ZSTD_compressBound(input.size());
  out.resize(before + bound);
  const auto size =
      ZSTD_compress2(context.get(), out.data() + before, bound, input.data(), input.size());
  out.resize(before + (ZSTD_isError(size) ? 0 : size));
  if (ZSTD_isError(size))
    return unexpected(errc::internal, std::string("zstd: ") + ZSTD_getErrorName(size));
  return {};
}

result<std::size_t> decompress_zstd(byte_span input, bounded_output& output) {
  thread_local const decompression_context context(ZSTD_createDCtx());
  if (!context)
    return no_context();
  do {
    if (!has_known_magic(input))
      return corrupt(codec::zstd, "does not start with a frame, or is followed by none");
    const auto frame_size = ZSTD_findFrameCompressedSize(input.data(), input.size());
    if (ZSTD_isError(frame_size))
      return corrupt(codec::zstd, "is cut or damaged");
    if (auto done = decompress_frame(context.get(), input.first(frame_size), output); !done)
      return done.propagate();
    input = input.subspan(frame_size);
  } while (!input.empty());
  return output.size();
}

} // namespace aqueduct::protocol::codecs
