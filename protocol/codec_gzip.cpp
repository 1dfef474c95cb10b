// gzip (RFC 1952) through zlib.
#include "protocol/codecs.hpp"

#include <zlib.h>

#include <memory>

namespace aqueduct::protocol::codecs {

namespace {

// 15: the largest window, of 32 KiB; 16 more: a gzip header, not zlib's own.
constexpr int gzip_window_bits = 15 + 16;
constexpr int default_memory_level = 8;

class deflater {
public:
  deflater() {
    is_ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window_bits,
                             default_memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~deflater() { deflateEnd(&stream_); }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;

  [[nodiscard]] bool reset(int level) {
    return is_ready_ && deflateReset(&stream_) == Z_OK &&
           deflateParams(&stream_, level, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  z_stream& stream() { return stream_; }

private:
  z_stream stream_{};
  bool is_ready_ = false;
};

class inflater {
public:
  inflater() { is_ready_ = inflateInit2(&stream_, gzip_window_bits) == Z_OK; }
  ~inflater() { inflateEnd(&stream_); }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;

  [[nodiscard]] bool reset() { return is_ready_ && inflateReset(&stream_) == Z_OK; }
  z_stream& stream() { return stream_; }

private:
  z_stream stream_{};
  bool is_ready_ = false;
};

unexpected no_context() {
  return unexpected(errc::internal, "zlib made no context: no memory");
}

Bytef* as_input(byte_span input) {
  // zlib declares its input as not const unless ZLIB_CONST is defined everywhere; it only reads it.
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input.data()));
}

} // namespace

result<void> compress_gzip(byte_span input, std::optional<int> level, std::vector<std::byte>& out) {
  if (auto valid = check_level(codec::gzip, level, Z_BEST_SPEED, Z_BEST_COMPRESSION); !valid)
    return valid;
  thread_local deflater context;
  if (!context.reset(level.value_or(Z_DEFAULT_COMPRESSION)))
    return no_context();
  auto& stream = context.stream();
  const auto before = out.size();
  const auto bound = deflateBound(&stream, input.size());
  out.resize(before + bound);
  stream.next_in = as_input(input);
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
  stream.avail_out = static_cast<uInt>(bound);
  const auto status = deflate(&stream, Z_FINISH);
  out.resize(before + (status == Z_STREAM_END ? bound - stream.avail_out : 0));
  if (status != Z_STREAM_END)
    return unexpected(errc::internal, "zlib did not finish: status " + std::to_string(status));
  return {};
}

result<std::size_t> decompress_gzip(byte_span input, bounded_output& output) {
  thread_local inflater context;
  if (!context.reset())
    return no_context();
  auto& stream = context.stream();
  stream.next_in = as_input(input);
  stream.avail_in = static_cast<uInt>(input.size());
  for (;;) {
    // At the limit one byte more is offered: whether it gets used tells the end from too much.
    Bytef spill = 0;
    const bool is_full = !output.grow();
    const auto room = is_full ? uInt{1} : static_cast<uInt>(output.room());
    stream.next_out = is_full ? &spill : reinterpret_cast<Bytef*>(output.at());
    stream.avail_out = room;
    const auto status = inflate(&stream, Z_NO_FLUSH);
    const auto produced = room - stream.avail_out;
    if (is_full && produced > 0)
      return output.limit_error();
    output.advance(produced);
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0)
        return output.size();
      if (!context.reset())
        return no_context();
    } else if (status != Z_OK) {
      return corrupt(codec::gzip, status == Z_BUF_ERROR ? "is cut" : "is damaged");
    }
  }
}

} // namespace aqueduct::protocol::codecs
