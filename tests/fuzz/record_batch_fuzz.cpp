// Record batches as they come from a socket: iterate, validate, read, rebuild, split, stamp.
#include "protocol/batch_builder.hpp"
#include "protocol/control_batch.hpp"
#include "protocol/record_batch.hpp"
#include "protocol/record_reader.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::protocol;

namespace {

constexpr std::size_t records_bytes_max = 1 << 20;

using bytes_of_batch = std::vector<std::byte>;

bool same_field(const std::optional<byte_span>& a, const std::optional<byte_span>& b) {
  return a.has_value() == b.has_value() && (!a || std::ranges::equal(*a, *b));
}

bool same_record(const record_view& a, const record_view& b) {
  if (a.timestamp != b.timestamp || !same_field(a.key, b.key) || !same_field(a.value, b.value) ||
      a.headers.size() != b.headers.size())
    return false;
  auto other = b.headers.begin();
  for (const auto& header : a.headers) {
    if (header.key != other->key || !same_field(header.value, other->value))
      return false;
    ++other;
  }
  return true;
}

// Fuzzed bytes rarely have a true CRC; with one they get past the first checks.
void make_plausible(bytes_of_batch& bytes) {
  if (bytes.size() < batch_header_bytes)
    return;
  store_be(bytes.data() + batch_layout::batch_length,
           static_cast<std::int32_t>(bytes.size() - batch_prefix_bytes));
  store_be(bytes.data() + batch_layout::magic, batch_magic);
  store_be(bytes.data() + batch_layout::crc, batch_view(bytes).computed_crc());
}

void iterate(byte_span rest) {
  for (;;) {
    const auto before = rest.size();
    const auto batch = next_batch(rest);
    if (!batch || !*batch) {
      require(rest.size() == before, "nothing is taken when no batch comes out");
      return;
    }
    require((*batch)->size() + rest.size() == before, "a batch is taken off the front");
    (void)validate_batch((*batch)->bytes(), {.origin = batch_origin::log});
  }
}

buffer rebuild(batch_view batch, const batch_options& options) {
  batch_builder builder(compression_bytes_max);
  record_reader reader(records_bytes_max);
  reader.open(batch);
  std::vector<record_header> headers;
  for (record_view record; reader.next(record);) {
    headers.clear();
    for (const auto& header : record.headers)
      headers.push_back(header);
    require(headers.size() == record.headers.size(), "all headers can be walked through");
    require(builder.append({record.timestamp, record.key, record.value, headers}),
            "a record that was read can be written");
  }
  require(reader.status().has_value(), "a validated batch reads to its end");
  auto rebuilt = builder.finish(options);
  require(rebuilt.has_value(), "a batch that was read can be written");
  return *std::move(rebuilt);
}

void compare(batch_view a, batch_view b, std::int32_t count) {
  record_reader reader_a(records_bytes_max);
  record_reader reader_b(records_bytes_max);
  reader_a.open(a);
  reader_b.open(b);
  record_view record_a;
  record_view record_b;
  for (; count > 0; --count)
    require(reader_a.next(record_a) && reader_b.next(record_b) && same_record(record_a, record_b),
            "a batch is the same after reading and writing");
}

void check_client_batch(const bytes_of_batch& bytes, const batch_header& header,
                        std::uint8_t choice) {
  const batch_view batch(bytes);
  const auto summary = validate_records(batch, {.records_bytes_max = records_bytes_max});
  if (!summary)
    return;
  require(summary->records_bytes <= records_bytes_max, "records are within their limit");
  require(summary->min_timestamp <= summary->max_timestamp, "timestamps have an order");
  const auto rebuilt =
      rebuild(batch, {.compression = static_cast<codec>(choice % 5), .epoch = leader_epoch(3)});
  require(validate_batch(rebuilt.bytes(), {.batch_bytes_max = SIZE_MAX}).has_value(),
          "what the builder writes is valid");
  compare(batch, batch_view(rebuilt.bytes()), header.record_count);
  const auto halves = split_batch(bytes, records_bytes_max);
  require(halves.has_value() == (header.record_count > 1), "only one record cannot be split");
  if (halves)
    require(batch_view(halves->first.bytes()).record_count() +
                    batch_view(halves->second.bytes()).record_count() ==
                header.record_count,
            "halves hold all records");
}

void check_compaction(batch_view batch, std::uint8_t choice) {
  int asked = 0;
  const auto keep = [&](const record_view&) { return (choice >> (asked++ % 8) & 1) != 0; };
  const auto left = retain_records(batch, keep, records_bytes_max);
  if (!left)
    return;
  const auto header = validate_batch(left->bytes(), {.origin = batch_origin::log});
  require(header.has_value(), "compaction keeps a batch valid");
  require(header->next_offset() == batch.next_offset(), "and its range of offsets");
  require(validate_records(batch_view(left->bytes()),
                           {.records_bytes_max = records_bytes_max, .origin = batch_origin::log})
              .has_value(),
          "and its records");
}

void check_stamps(bytes_of_batch bytes) {
  stamp_append_time(bytes, timestamp_ms(77));
  stamp_batch(bytes.data(), offset_t(5), leader_epoch(6));
  const auto header = validate_batch(bytes, {.origin = batch_origin::log});
  require(header.has_value(), "stamping keeps a batch valid");
  require(header->max_timestamp.value == 77 && header->base_offset.value == 5, "stamps are there");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_input input(data, size);
  const auto choice = static_cast<std::uint8_t>(input.choose());
  auto bytes = input.rest();
  iterate(bytes);
  make_plausible(bytes);
  iterate(bytes);

  if (validate_batch(bytes))
    (void)validate_records(batch_view(bytes), {.records_bytes_max = records_bytes_max});
  if (const auto header = validate_batch(bytes, {.origin = batch_origin::log})) {
    const batch_view batch(bytes);
    (void)validate_records(batch,
                           {.records_bytes_max = records_bytes_max, .origin = batch_origin::log});
    if (header->is_control())
      (void)read_marker(batch);
    check_compaction(batch, choice);
    check_stamps(bytes);
  }
  if (const auto header = validate_batch(bytes, {.batch_bytes_max = SIZE_MAX})) {
    require(!header->is_control() && !header->is_append_time(), "clients cannot set these bits");
    check_client_batch(bytes, *header, choice);
  }
  return 0;
}
