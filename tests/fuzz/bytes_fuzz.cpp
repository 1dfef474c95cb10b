// byte_reader: any sequence of reads over any bytes stays within them, and what was read writes
// back to the same value.
#include "protocol/bytes.hpp"
#include "tests/fuzz/fuzz_input.hpp"

#include <cstring>

using namespace aqueduct;
using namespace aqueduct::fuzz;

namespace {

template <class T>
void read_integer(byte_reader& reader) {
  const auto before = reader.remaining();
  const auto* at = reader.position();
  const auto value = reader.read<T>();
  if (reader.failed()) {
    require(before < sizeof(T) && value == 0, "a failed read had too few bytes and yields zero");
    return;
  }
  std::vector<std::byte> again;
  byte_writer(again).write(value);
  require(std::memcmp(again.data(), at, sizeof(T)) == 0, "an integer writes back as it was read");
}

void read_varint(byte_reader& reader) {
  const auto before = reader.remaining();
  const auto value = reader.read_varint();
  if (reader.failed())
    return;
  const auto used = before - reader.remaining();
  require(used <= 10 && varint_size(value) <= used, "a varint takes its size or more, at most 10");
  std::vector<std::byte> again;
  byte_writer(again).write_varint(value);
  require(again.size() == varint_size(value), "a varint has the size that was foretold");
  require(byte_reader(again).read_varint() == value, "a varint reads back");
  require(zigzag(unzigzag(value)) == value, "zigzag is one to one");
}

void read_piece(byte_reader& reader, std::size_t count) {
  if (reader.failed())
    return;
  const auto before = reader.remaining();
  const auto bytes = reader.read_bytes(count);
  require(reader.failed() == (count > before), "bytes are read if they are there");
  require(bytes.size() == (reader.failed() ? 0 : count), "all of them or none");
}

void read_count(byte_reader& reader, std::size_t element_size) {
  const auto count = reader.read_count(element_size);
  require(count * std::max<std::size_t>(element_size, 1) <= reader.remaining(),
          "a count's elements can be there");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto operations = input.choose_two() << 16 | input.choose_two();
  const auto bytes = input.rest();
  byte_reader reader(bytes);
  for (unsigned step = 0; step < 64 && !reader.failed(); ++step) {
    switch (operations >> (step % 8 * 4) & 15) {
    case 0:
      read_integer<std::int8_t>(reader);
      break;
    case 1:
      read_integer<std::uint16_t>(reader);
      break;
    case 2:
      read_integer<std::int32_t>(reader);
      break;
    case 3:
      read_integer<std::uint64_t>(reader);
      break;
    case 4:
      read_count(reader, step % 9);
      break;
    case 5:
      read_piece(reader, static_cast<std::size_t>(reader.read_zigzag()));
      break;
    case 6:
      read_piece(reader, step);
      break;
    default:
      read_varint(reader);
    }
  }
  if (reader.failed()) {
    require(reader.remaining() == 0 && reader.read<std::uint64_t>() == 0 &&
                reader.read_varint() == 0 && reader.read_bytes(1).empty(),
            "after a failure there is nothing more");
  }
  return 0;
}
