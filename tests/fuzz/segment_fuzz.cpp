// Segment files as a crash, a bad disk or somebody else left them: opening a log over arbitrary
// bytes, and over a good log with arbitrary damage, of which only a prefix may come out.
#include "apps/aq/segment_reader.hpp"
#include "protocol/batch_builder.hpp"
#include "storage/log_meta.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_scan.hpp"
#include "storage/log_verify.hpp"
#include "storage/memory_kv.hpp"
#include "storage/segment_log.hpp"
#include "storage/sim_disk.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::fuzz;
using namespace aqueduct::storage;

namespace {

const group_id group{uuid{{1, 2, 3}}, 4};
const std::string directory = "data/log";

segment_options options() {
  segment_options small;
  small.segment_bytes = 600;
  small.preallocate_bytes = 0;
  small.index_interval_bytes = 128;
  return small;
}

buffer batch_at(std::int64_t offset) {
  protocol::batch_builder builder;
  const std::string value(20, 'v');
  protocol::record_to_write record;
  record.timestamp = timestamp_ms(offset);
  record.value = std::as_bytes(std::span(value));
  require(builder.append(record), "a record fits");
  protocol::batch_options batch;
  batch.base_offset = offset_t(offset);
  auto made = builder.finish(batch);
  require(made.has_value(), "a batch is made");
  return *made;
}

std::vector<log_entry> good_entries() {
  std::vector<log_entry> entries;
  for (std::uint64_t i = 1; i <= 12; ++i) {
    const auto kind = i % 4 == 0 ? entry_kind::command : entry_kind::records;
    const auto offset = static_cast<std::int64_t>(i - 1 - i / 4);
    entries.push_back({i, 1 + i / 5, kind,
                       kind == entry_kind::records ? batch_at(offset) : buffer::copy_of("do")});
  }
  return entries;
}

/// The files of a good log, written once.
const std::vector<std::pair<std::string, std::vector<std::byte>>>& good_files() {
  static const auto files = [] {
    sim_disk disk;
    memory_kv store;
    file_cache cache(disk, 4);
    auto log = segment_log::open({disk, store, cache}, directory, group, options());
    require(log.has_value(), "an empty log opens");
    for (const auto& entry : good_entries()) {
      require((*log)->append({&entry, 1}, timestamp_ms(0)).has_value(), "an entry is appended");
      require((*log)->sync().has_value(), "a log syncs");
    }
    std::vector<std::pair<std::string, std::vector<std::byte>>> made;
    for (const auto& path : disk.files())
      made.emplace_back(path, *disk.contents(path));
    return made;
  }();
  return files;
}

/// Opens what is on the disk and reads all of it; nothing if it is refused.
std::optional<std::vector<log_entry>> open_and_read(sim_disk& disk) {
  memory_kv store;
  const auto cache = std::make_shared<file_cache>(disk, 4);
  (void)verify_log(disk, directory, group, false, {});
  const auto log = segment_log::open({disk, store, *cache}, directory, group, options());
  if (!log)
    return std::nullopt;
  const log_reader reader((*log)->publication(), group, cache, store, 128);
  std::vector<log_entry> entries;
  const auto end = reader.last_index() + 1;
  for (auto at = reader.first_index(); at < end;) {
    const auto some = reader.read_entries(at, end, 256);
    require(some.has_value() && !some->empty(), "what was recovered can be read");
    entries.insert(entries.end(), some->begin(), some->end());
    at = entries.back().index + 1;
  }
  const auto records = reader.read_records({reader.start_offset(), end, 1 << 16});
  require(records.has_value(), "records that were recovered can be read");
  require(reader.find_time(timestamp_ms(3), end).has_value(), "time can be searched");
  const log_entry next{end, (*log)->last_term() + 1, entry_kind::noop, {}};
  require((*log)->append({&next, 1}, timestamp_ms(0)).has_value(), "a recovered log goes on");
  require((*log)->sync().has_value(), "a recovered log syncs");
  return entries;
}

/// What the operators' reader says to a file: entry after entry up to the end or to damage.
void read_for_operators(disk& files, const std::string& path) {
  auto reader = aq::segment_reader::open(files, path, group);
  while (reader) {
    const auto before = reader->position();
    const auto entry = reader->next();
    if (!entry || !*entry)
      return;
    require(reader->position() > before && reader->position() <= reader->size(),
            "an entry lies within the file");
  }
}

void open_arbitrary(byte_span bytes) {
  sim_disk disk;
  const auto path = directory + "/" + segment_name(1);
  disk.put(path, bytes);
  read_for_operators(disk, path);
  (void)open_and_read(disk);
}

/// A header that passes, then arbitrary entries whose checksums are made right.
void open_plausible(byte_span bytes) {
  std::vector<std::byte> file(segment_header_bytes);
  encode_segment_header(file.data(), group, {1, 0, 0, offset_t(0), timestamp_ms(0)});
  std::uint32_t prev_crc = 0;
  byte_reader in(bytes);
  while (in.remaining() > 4 && file.size() < 4096) {
    log_entry entry;
    entry.kind = static_cast<entry_kind>(in.read<std::uint8_t>() & 3);
    entry.index = in.read<std::uint8_t>();
    entry.term = in.read<std::uint8_t>();
    const auto durable = in.read<std::uint8_t>();
    const auto size = std::min<std::size_t>(in.read<std::uint8_t>(), in.remaining());
    entry.body = buffer::copy_of(in.read_bytes(size));
    const auto at = file.size();
    file.resize(at + entry_header_bytes);
    prev_crc = encode_entry_header(file.data() + at, entry, {entry_seed(group), prev_crc, durable});
    file.insert(file.end(), entry.body.bytes().begin(), entry.body.bytes().end());
  }
  open_arbitrary(file);
}

void open_damaged(byte_span bytes) {
  sim_disk disk;
  byte_reader in(bytes);
  auto files = good_files();
  while (in.remaining() >= 5) {
    auto& file = files[in.read<std::uint8_t>() % files.size()].second;
    const auto how = in.read<std::uint8_t>();
    const std::size_t at = in.read<std::uint16_t>() % (file.size() + 1);
    const auto value = static_cast<std::byte>(in.read<std::uint8_t>());
    if (how % 8 == 0)
      file.resize(at);
    else if (how % 8 == 1)
      file.insert(file.end(), at, value);
    else if (how % 8 == 2)
      std::swap(file, files[static_cast<std::size_t>(value) % files.size()].second);
    else if (at < file.size())
      file[at] ^= value;
  }
  for (const auto& [path, contents] : files)
    disk.put(path, contents);
  const auto entries = open_and_read(disk);
  if (!entries)
    return;
  const auto good = good_entries();
  require(entries->size() <= good.size(), "no entry is made up");
  for (std::size_t i = 0; i < entries->size(); ++i)
    require((*entries)[i] == good[i], "an entry that comes out is one that went in");
}

void decode_values(byte_span bytes) {
  const std::string_view value(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto mark = decode_mark(value))
    require(encode_mark(*mark) == value, "a mark has one encoding");
  if (const auto base = decode_base(value))
    require(encode_base(*base) == value, "a base has one encoding");
  if (const auto member = decode_membership(value))
    require(encode_membership(*member) == value, "a membership has one encoding");
  (void)decode_segment_header(bytes, group);
  if (const auto header = decode_entry_header(bytes);
      header && header->size_bytes() == bytes.size())
    (void)verify_entry(bytes, entry_seed(group));
  (void)records_of(bytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 8192)
    return 0;
  const byte_span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 4) {
  case 0:
    open_arbitrary(bytes);
    break;
  case 1:
    open_plausible(bytes);
    break;
  case 2:
    open_damaged(bytes);
    break;
  default:
    decode_values(bytes);
    break;
  }
  return 0;
}
