// The client's frame reader: however a broker's bytes are cut into reads, the frames that come out
// are those that one pass over all of the bytes finds.
#include "protocol/client/internal/frame_reader.hpp"
#include "tests/fuzz/fuzz_input.hpp"

#include <cstring>

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::protocol;
using aqueduct::client::frame_reader;

namespace {

struct frames {
  std::vector<frame_header> headers;
  std::vector<std::vector<std::byte>> payloads;
  bool is_refused = false;

  void add(const frame_header& header, byte_span payload) {
    headers.push_back(header);
    payloads.emplace_back(payload.begin(), payload.end());
  }
};

frames read_at_once(byte_span bytes, std::size_t frame_bytes_max) {
  frames found;
  while (bytes.size() >= frame_header_size) {
    const auto header = read_frame_header(bytes.data(), frame_bytes_max);
    if (!header) {
      found.is_refused = true;
      break;
    }
    if (bytes.size() < frame_header_size + header->payload_size())
      break;
    found.add(*header, bytes.subspan(frame_header_size, header->payload_size()));
    bytes = bytes.subspan(frame_header_size + header->payload_size());
  }
  return found;
}

/// Copies up to `count` bytes to where the reader wants them; how many.
std::size_t feed(frame_reader& reader, byte_span bytes, std::size_t count) {
  std::size_t taken = 0;
  bool has_space = false;
  for (const auto& space : reader.prepare()) {
    const auto size = std::min({space.size(), bytes.size() - taken, count - taken});
    if (size > 0)
      std::memcpy(space.data(), bytes.data() + taken, size);
    taken += size;
    has_space = has_space || !space.empty();
  }
  require(has_space, "there is always space to read to");
  reader.commit(taken);
  return taken;
}

/// Every read brings between 1 and `step_max` bytes, and all frames are taken after it.
frames read_in_steps(byte_span bytes, std::size_t frame_bytes_max, std::size_t chunk_bytes,
                     std::size_t step_max) {
  frames found;
  frame_reader reader(frame_bytes_max, chunk_bytes);
  for (std::size_t step = 1; !bytes.empty(); step = step % step_max + 1) {
    bytes = bytes.subspan(feed(reader, bytes, step));
    for (;;) {
      const auto next = reader.next();
      if (!next) {
        found.is_refused = true;
        return found;
      }
      if (!*next)
        break;
      found.add((*next)->header, (*next)->payload.bytes());
    }
  }
  return found;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto frame_bytes_max = std::size_t{16} << input.choose() % 13;
  const auto chunk_bytes = frame_header_size + input.choose();
  const auto step_max = std::size_t{1} + input.choose();
  const auto bytes = input.rest();
  const auto whole = read_at_once(bytes, frame_bytes_max);
  const auto cut = read_in_steps(bytes, frame_bytes_max, chunk_bytes, step_max);
  require(cut.headers == whole.headers, "the same frames come out");
  require(cut.payloads == whole.payloads, "with the same payloads");
  require(cut.is_refused == whole.is_refused, "and the same bytes are no frame");
  return 0;
}
