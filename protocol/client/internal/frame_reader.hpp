// Cuts what a broker sends into frames. Pure: it says where the next bytes are to be read to and is
// told how many came. A frame that does not lie in the read buffer as a whole gets an allocation
// of its own, into which the rest is read directly.
#pragma once

#include "protocol/native/frame.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace aqueduct::client {

class frame_reader {
public:
  explicit frame_reader(std::size_t frame_bytes_max, std::size_t chunk_bytes = 64 * 1024)
      : frame_bytes_max_(frame_bytes_max), chunk_(chunk_bytes) {}

  void frame_bytes_max(std::size_t bytes) { frame_bytes_max_ = bytes; }

  /// Where the next bytes go: the first span is filled before the second. Never empty.
  [[nodiscard]] std::array<std::span<std::byte>, 2> prepare();

  /// Takes over `bytes` that were read to the spans of `prepare`. Then call `next`.
  void commit(std::size_t bytes);

  struct frame {
    protocol::frame_header header;
    buffer payload;
  };
  /// The next whole frame, if there is one. Errors: as protocol::read_frame_header; after one the
  /// reader is of no more use.
  [[nodiscard]] result<std::optional<frame>> next();

private:
  std::size_t frame_bytes_max_;
  std::vector<std::byte> chunk_;
  /// Bytes of `chunk_` that were read and not taken. Invariant: begin_ <= end_ <= chunk_.size().
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  /// The frame that is being read into memory of its own, while `is_filling_`.
  bool is_filling_ = false;
  protocol::frame_header header_;
  mutable_buffer payload_;
  std::size_t filled_ = 0;
};

} // namespace aqueduct::client
