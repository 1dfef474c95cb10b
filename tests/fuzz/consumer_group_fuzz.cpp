// What coordinators of consumer groups read: the commands of their log, their rows and the keys of
// these, and what members say of themselves and are assigned.
#include "actors/consumer_group/group_records.hpp"
#include "protocol/consumer_protocol.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::fuzz;

namespace {

void require_damaged(const error& why) {
  require(why.code == errc::storage_damaged && !why.message.empty(), "bad bytes are damage");
}

void check_command(const buffer& bytes) {
  const auto command = decode_group_command(bytes);
  if (!command)
    return require_damaged(command.error());
  // Fuzzed varints may be longer than they have to be, so that only the second encoding is final.
  const auto encoded = encode(*command);
  const auto again = decode_group_command(encoded);
  require(again.has_value() && encode(*again) == encoded, "a command survives its encoding");
}

template <class Decode>
void check_row(const buffer& bytes, Decode decode) {
  const auto row = decode(bytes);
  if (!row)
    return require_damaged(row.error());
  const auto again = decode(encode_row(*row));
  require(again.has_value() && *again == *row, "a row survives its encoding");
}

void check_key(const buffer& bytes) {
  const auto name = parse_row_key(bytes.text());
  if (!name)
    return require_damaged(name.error());
  const auto key =
      name->is_offset ? offset_row_key(name->group, name->offset) : group_row_key(name->group);
  require(key == bytes.text(), "a key has one spelling");
}

template <class Decode, class Encode>
void check_words(const buffer& bytes, Decode decode, Encode encode) {
  const auto words = decode(bytes);
  if (!words) {
    require(words.error().code == errc::invalid_request, "bad bytes are an invalid request");
    return;
  }
  const auto again = decode(encode(*words));
  require(again.has_value() && *again == *words, "what a member says survives its encoding");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose() % 6;
  const auto bytes = buffer::from(input.rest());
  switch (choice) {
  case 0:
    check_command(bytes);
    break;
  case 1:
    check_row(bytes, decode_group_row);
    break;
  case 2:
    check_row(bytes, decode_offset_row);
    break;
  case 3:
    check_key(bytes);
    break;
  case 4:
    check_words(bytes, protocol::decode_subscription, protocol::encode_subscription);
    break;
  default:
    check_words(bytes, protocol::decode_assignment, protocol::encode_assignment);
    break;
  }
  return 0;
}
