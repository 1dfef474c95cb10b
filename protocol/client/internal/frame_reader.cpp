#include "protocol/client/internal/frame_reader.hpp"

#include <algorithm>
#include <cstring>

namespace aqueduct::client {

using protocol::frame_header_size;

std::array<std::span<std::byte>, 2> frame_reader::prepare() {
  if (is_filling_)
    return {payload_.bytes().subspan(filled_), std::span(chunk_)};
  if (begin_ > 0) {
    std::memmove(chunk_.data(), chunk_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {std::span(chunk_).subspan(end_), {}};
}

void frame_reader::commit(std::size_t bytes) {
  if (is_filling_) {
    const auto own = std::min(bytes, payload_.size() - filled_);
    filled_ += own;
    bytes -= own;
  }
  end_ += bytes;
}

result<std::optional<frame_reader::frame>> frame_reader::next() {
  if (is_filling_) {
    if (filled_ < payload_.size())
      return std::optional<frame>();
    is_filling_ = false;
    return std::optional(frame{header_, std::exchange(payload_, {}).freeze()});
  }
  const auto available = end_ - begin_;
  if (available < frame_header_size)
    return std::optional<frame>();
  const auto* at = chunk_.data() + begin_;
  auto header = protocol::read_frame_header(at, frame_bytes_max_);
  if (!header)
    return header.propagate();
  const auto size = header->payload_size();
  const auto there = std::min(size, available - frame_header_size);
  mutable_buffer payload(size);
  if (there > 0)
    std::memcpy(payload.data(), at + frame_header_size, there);
  begin_ += frame_header_size + there;
  if (there == size)
    return std::optional(frame{*header, payload.freeze()});
  // Nothing is left in the chunk: all of it belonged to this frame.
  begin_ = end_ = 0;
  is_filling_ = true;
  header_ = *header;
  payload_ = std::move(payload);
  filled_ = there;
  return std::optional<frame>();
}

} // namespace aqueduct::client
