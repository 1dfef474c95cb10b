// The client's walk through the batches of a fetch answer: any bytes, checked or not, give records
// in order within the memory they came in, or a refusal; and small bites give what one gulp gives.
#include "protocol/client/internal/record_cursor.hpp"
#include "protocol/record_batch.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::client;

namespace {

constexpr std::size_t decompressed_bytes_max = 1 << 20;

struct outcome {
  std::vector<std::int64_t> offsets;
  std::vector<std::string> contents;
  errc error = errc::none;
  std::int64_t next = 0;

  friend bool operator==(const outcome&, const outcome&) = default;
};

/// A header that holds what the first checks ask for, so that fuzzed bytes get past them.
void make_plausible(std::vector<std::byte>& bytes) {
  if (bytes.size() < protocol::batch_header_bytes)
    return;
  store_be(bytes.data() + protocol::batch_layout::batch_length,
           static_cast<std::int32_t>(bytes.size() - protocol::batch_prefix_bytes));
  store_be(bytes.data() + protocol::batch_layout::magic, protocol::batch_magic);
  store_be(bytes.data() + protocol::batch_layout::crc, protocol::batch_view(bytes).computed_crc());
}

std::string content_of(const record_view& record) {
  std::string text = std::to_string(record.timestamp.value) + '/';
  if (record.key)
    text += "k" + std::string(record.key->text());
  if (record.value)
    text += "v" + std::string(record.value->text());
  for (const auto& header : record.headers)
    text +=
        "h" + std::string(header.name) + (header.value ? std::string(header.value->text()) : "");
  return text;
}

void take(const record_collector& got, std::int64_t from, outcome& into) {
  std::size_t payload_bytes = 0;
  for (const auto& record : got.records) {
    const auto after = into.offsets.empty() ? from : into.offsets.back() + 1;
    require(record.offset.value >= after, "offsets ascend from the one that was asked for");
    into.offsets.push_back(record.offset.value);
    into.contents.push_back(content_of(record));
    payload_bytes +=
        (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  }
  require(payload_bytes == got.payload_bytes, "the bytes of keys and values are counted");
}

outcome walk(const buffer& batches, offset_t from, bool verify, std::size_t records_max) {
  record_cursor cursor(std::make_shared<const std::string>("t"), partition_id(0), batches, from,
                       {verify, decompressed_bytes_max});
  outcome seen;
  for (bool is_done = false; !is_done;) {
    record_collector got;
    const auto filled = cursor.fill(got, {records_max, 0});
    require(got.records.size() <= records_max, "a fill keeps to its limit");
    require(!filled || *filled || !got.records.empty(), "a fill that is not the last brings some");
    take(got, from.value, seen);
    if (!filled)
      seen.error = filled.error().code;
    is_done = !filled || *filled;
  }
  seen.next = cursor.next_offset().value;
  require(seen.next >= from.value, "the position does not go back");
  return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto how = input.choose();
  const offset_t from(input.choose_two());
  const std::size_t bite = 1 + input.choose() % 7;
  auto bytes = input.rest();
  if ((how & 1) != 0)
    make_plausible(bytes);
  const bool verify = (how & 2) == 0;
  const auto batches = buffer::from(std::move(bytes));
  const auto whole = walk(batches, from, verify, SIZE_MAX);
  const auto bitten = walk(batches, from, verify, bite);
  require(whole == bitten, "bites give what one gulp gives");
  const auto end = find_end(batches.bytes(), from);
  require(!end || end->offset > from, "a fetch answer reaches beyond what was asked for");
  return 0;
}
