// What a node finds of its own when it starts: node.meta, term and vote, the state of its logs and
// their indexes. Any bytes are read back as what they say or refused; nothing is made up.
#include "protocol/bytes.hpp"
#include "protocol/crc32c.hpp"
#include "storage/data_directory.hpp"
#include "storage/group_state.hpp"
#include "storage/hard_state.hpp"
#include "storage/log_index.hpp"
#include "storage/log_meta.hpp"
#include "storage/log_store.hpp"
#include "storage/memory_kv.hpp"
#include "storage/sim_disk.hpp"
#include "tests/fuzz/fuzz_input.hpp"

#include <optional>

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::storage;

namespace {

const group_id group{uuid{{1, 2, 3}}, 4};

std::string text_of(byte_span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Makes a checksum at the end right, so that what is before it is looked at.
void seal(std::vector<std::byte>& bytes, std::uint32_t seed) {
  if (bytes.size() < 4)
    return;
  const auto covered = byte_span(bytes).first(bytes.size() - 4);
  store_be(bytes.data() + covered.size(), protocol::crc32c(covered, seed));
}

void check_claim(std::vector<std::byte> bytes, bool sealed) {
  if (sealed)
    seal(bytes, 0);
  sim_disk disk;
  require(disk.make_directories("data").has_value(), "a folder can be made");
  disk.put("data/node.meta", bytes);
  claim_request request;
  request.path = "data";
  request.node = node_id(1);
  const auto claimed = data_directory::claim(disk, request);
  if (claimed) {
    require(claimed->identity().node == node_id(1) && !claimed->is_new(), "the node is this one");
    return;
  }
  const auto code = claimed.error().code;
  require(code == errc::storage_damaged || code == errc::unsupported_version ||
              code == errc::conflict,
          "node.meta is damaged, newer or another node's");
}

void put(kv& store, family in, const std::string& key, const std::string& value) {
  write_batch batch;
  batch.put(in, key, value);
  require(store.write(batch, durability::relaxed).has_value(), "a row can be written");
}

void check_hard_state(std::vector<std::byte> bytes, bool sealed) {
  const auto name = group_key(group);
  if (sealed)
    seal(bytes, protocol::crc32c(std::as_bytes(std::span(name.data(), name.size()))));
  memory_kv store;
  put(store, family::hard_state, 'a' + name, text_of(bytes));
  const auto loaded = load_hard_state(store, group);
  if (!loaded) {
    require(loaded.error().code == errc::storage_damaged, "a damaged vote is not a missing one");
    return;
  }
  require(loaded->has_value(), "a vote that is there is found");
  memory_kv again;
  write_batch batch;
  put_hard_state(batch, group, **loaded);
  require(again.write(batch, durability::relaxed).has_value(), "a vote can be written");
  const auto reloaded = load_hard_state(again, group);
  require(reloaded.has_value() && *reloaded == *loaded, "and reads as it was");
}

void check_log_meta(byte_span bytes) {
  memory_kv store;
  byte_reader in(bytes);
  while (in.remaining() >= 3) {
    const auto kind = in.read<std::uint8_t>() % 5;
    const auto number = in.read<std::uint8_t>();
    const auto length = std::min<std::size_t>(in.read<std::uint8_t>(), in.remaining());
    auto row = in.read_bytes(length);
    std::vector<std::byte> value(row.begin(), row.end());
    if ((number & 1) != 0)
      seal(value, 0);
    const auto key = kind == 0   ? base_key(group)
                     : kind == 1 ? mark_key(group, number)
                     : kind == 2 ? membership_key(group, number)
                     : kind == 3 ? removal_key(group)
                                 : reset_key(group);
    put(store, family::log_state, key, text_of(value));
  }
  const auto meta = load_log_meta(store, group);
  if (!meta) {
    require(meta.error().code == errc::storage_damaged, "only a damaged base is an error");
    return;
  }
  for (const auto& mark : meta->marks)
    require(decode_mark(encode_mark(mark)) == mark, "a mark survives its encoding");
  for (const auto& entry : meta->memberships)
    require(decode_membership(encode_membership(entry)) == entry,
            "a membership survives its encoding");
  require(decode_base(encode_base(meta->base)) == meta->base, "a base survives its encoding");
}

/// An index is a shortcut: rows that are no place in a log are none.
void check_index(byte_span bytes) {
  memory_kv store;
  log_index index(store, group);
  write_batch batch;
  index.add(batch, 1, {5, 100, offset_t(7)}, timestamp_ms(9));
  for (const auto& row : batch.operations())
    put(store, row.in, row.key, text_of(bytes));
  const auto by_offset = index.find_offset(1, offset_t(8));
  const auto by_index = index.find_index(1, 6);
  const auto by_time = index.find_time(1, timestamp_ms(10));
  require(by_offset && by_index && by_time, "a row that is damaged is not an error");
  require(by_offset->has_value() == (bytes.size() == 24), "a place has 24 bytes");
  require(by_index->has_value() == by_time->has_value(), "in all indexes");
}

void check_installed(byte_span bytes) {
  memory_kv store;
  put(store, family::partition_state, group_prefix(group) + "!installed", text_of(bytes));
  const auto mark = read_installed(store, group);
  require(mark ? mark->has_value() : mark.error().code == errc::storage_damaged,
          "a note that is there is read, or damaged");
}

void check_key(byte_span bytes) {
  const auto key = text_of(bytes);
  if (const auto found = group_of_key(key))
    require(key.starts_with(group_key(*found)), "a key names its group");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = input.choose();
  auto bytes = input.rest();
  const bool sealed = (choice & 0x80) != 0;
  if ((choice & 0x40) != 0) {
    check_installed(bytes);
    return 0;
  }
  switch (choice % 5) {
  case 0:
    check_claim(std::move(bytes), sealed);
    break;
  case 1:
    check_hard_state(std::move(bytes), sealed);
    break;
  case 2:
    check_log_meta(bytes);
    break;
  case 3:
    check_index(bytes);
    break;
  default:
    check_key(bytes);
    break;
  }
  return 0;
}
