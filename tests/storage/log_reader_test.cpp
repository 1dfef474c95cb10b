// Reading by offset, index and time, also while the log is written and trimmed.
#include "storage/log_meta.hpp"
#include "storage/log_scan.hpp"
#include "tests/storage/support.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <atomic>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

const auto directory = group_directory("data", group_a);
constexpr std::uint64_t no_end = ~std::uint64_t{0};

std::unique_ptr<segment_log> open_log(machine& host,
                                      const segment_options& options = small_segments()) {
  auto log = host.open_log(options);
  REQUIRE_OK(log);
  return std::move(*log);
}

void append(segment_log& log, const std::vector<log_entry>& entries) {
  REQUIRE_OK(log.append(entries, timestamp_ms(7)));
}

records_read read(const log_reader& reader, std::int64_t from, std::uint64_t end_index = no_end,
                  std::size_t bytes_max = 1 << 20, bool at_least_one = true) {
  auto done = reader.read_records({offset_t(from), end_index, bytes_max, at_least_one});
  REQUIRE_MESSAGE(done.has_value(), why(done));
  return *done;
}

/// Base offsets of the batches in a reply.
std::vector<std::int64_t> offsets_in(const records_read& reply) {
  std::vector<std::int64_t> offsets;
  const auto bytes = reply.batches.flatten();
  auto rest = bytes.bytes();
  while (!rest.empty()) {
    const auto batch = protocol::next_batch(rest);
    REQUIRE_OK(batch);
    REQUIRE(*batch);
    CHECK((*batch)->computed_crc() == (*batch)->crc());
    offsets.push_back((*batch)->base_offset().value);
  }
  CHECK(offsets.size() == reply.batch_count);
  return offsets;
}

using offsets = std::vector<std::int64_t>;

std::int64_t offset_since(const log_reader& reader, std::int64_t timestamp,
                          std::uint64_t end_index = no_end) {
  const auto found = reader.find_time(timestamp_ms(timestamp), end_index);
  REQUIRE_OK(found);
  return *found ? (*found)->offset.value : -1;
}

/// (offset, timestamp) of the newest record.
using offset_and_time = std::pair<std::int64_t, std::int64_t>;

offset_and_time newest(const log_reader& reader, std::uint64_t end_index = no_end,
                       std::int64_t start = 0) {
  const auto found = reader.find_newest(end_index, offset_t(start));
  REQUIRE_OK(found);
  return *found ? offset_and_time((*found)->offset.value, (*found)->timestamp.value)
                : offset_and_time(-1, -1);
}

/// (term, offset) of the end of a term.
using term_and_offset = std::pair<std::uint64_t, std::int64_t>;

term_and_offset end_of(const log_reader& reader, std::uint64_t term,
                       std::uint64_t end_index = no_end) {
  const auto found = reader.find_term_end(term, end_index);
  REQUIRE_OK(found);
  return {found->term, found->offset.value};
}

} // namespace

TEST_SUITE("storage.log_reader") {
  TEST_CASE("records are read from any offset to the end, over all segments") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 60));
    const auto reader = host.reader_of(*log);
    CHECK(reader.start_offset() == offset_t(0));
    CHECK(reader.next_offset() == offset_t(60));
    for (std::int64_t from = 0; from <= 60; ++from) {
      std::int64_t at = from;
      while (at < 60) {
        const auto reply = read(reader, at);
        const auto got = offsets_in(reply);
        REQUIRE_FALSE(got.empty());
        for (const auto offset : got)
          CHECK(offset == at++);
        CHECK(reply.next_offset == offset_t(at));
        CHECK(reply.last_index == static_cast<std::uint64_t>(at));
      }
      CHECK(read(reader, at).batches.empty());
    }
  }

  TEST_CASE("a batch is returned for every offset in it") {
    machine host;
    const auto log = open_log(host);
    append(*log, {noop_entry(1, 1), records_entry(2, 1, 0, 5), command_entry(3, 1, "c"),
                  records_entry(4, 1, 5, 3)});
    const auto reader = host.reader_of(*log);
    for (std::int64_t from = 0; from < 5; ++from)
      CHECK(offsets_in(read(reader, from)) == offsets{0, 5});
    for (std::int64_t from = 5; from < 8; ++from)
      CHECK(offsets_in(read(reader, from)) == offsets{5});
  }

  TEST_CASE("nothing at or behind the end index is read") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 20));
    const auto reader = host.reader_of(*log);
    CHECK(read(reader, 0, 1).batches.empty());
    CHECK(read(reader, 0, 0).batches.empty());
    CHECK(offsets_in(read(reader, 0, 2)) == offsets{0});
    CHECK(offsets_in(read(reader, 2, 5)) == offsets{2, 3});
    CHECK(read(reader, 4, 5).batches.empty());
    CHECK(read(reader, 4, 5).next_offset == offset_t(4));
  }

  TEST_CASE("bytes_max is kept, but for the first batch when one is asked for") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 10, 0, 1000));
    const auto reader = host.reader_of(*log);
    const auto size = make_batch(0, 1, 1000).size();
    CHECK(offsets_in(read(reader, 0, no_end, size * 3)) == offsets{0, 1, 2});
    CHECK(offsets_in(read(reader, 3, no_end, size * 3 - 1)) == offsets{3, 4});
    CHECK(offsets_in(read(reader, 0, no_end, 1)) == offsets{0});
    CHECK(offsets_in(read(reader, 5, no_end, 0)) == offsets{5});
    CHECK(read(reader, 5, no_end, size - 1, false).batches.empty());
    CHECK(offsets_in(read(reader, 5, no_end, size, false)) == offsets{5});
    const auto reply = read(reader, 0, no_end, size * 4);
    CHECK(reply.batches.size() <= size * 4);
  }

  TEST_CASE("a reply of small batches is one part, a large batch is not moved") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 100));
    append(*log, {records_entry(101, 1, 100, 1, 100'000), records_entry(102, 1, 101, 1, 100'000)});
    append(*log, records_run(103, 120, 102));
    const auto reader = host.reader_of(*log);
    CHECK(read(reader, 0, 101).batches.parts().size() == 1);
    const auto reply = read(reader, 0);
    CHECK(reply.batches.parts().size() == 3);
    CHECK(offsets_in(reply).size() == 120);
  }

  TEST_CASE("an offset outside of the log is out of range, and the message says the range") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 40));
    REQUIRE_OK(log->trim_prefix({20, 0, {}, {}}));
    const auto reader = host.reader_of(*log);
    const auto below = reader.read_records({offset_t(19), no_end, 100});
    REQUIRE_FALSE(below);
    CHECK(below.error().code == errc::offset_out_of_range);
    CHECK(below.error().message.find("[20, 40]") != std::string::npos);
    CHECK_FAILS(reader.read_records({offset_t(41), no_end, 100}), errc::offset_out_of_range);
    CHECK_FAILS(reader.read_records({offset_t(-1), no_end, 100}), errc::offset_out_of_range);
    CHECK(offsets_in(read(reader, 20, 23)) == offsets{20, 21});
    CHECK_FAILS(reader.read_entries(20, no_end, 100), errc::offset_out_of_range);
    CHECK_FAILS(reader.read_entries(42, no_end, 100), errc::offset_out_of_range);
    CHECK(reader.read_entries(41, no_end, 100)->empty());
  }

  TEST_CASE("a reading at a known place is one read of the disk") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 1000, 0, 100));
    const auto reader = host.reader_of(*log);
    auto reply = read(reader, 500, no_end, 10'000);
    for (int i = 0; i < 5; ++i) {
      const auto before = host.files.counts().reads;
      reply = read(reader, reply.next_offset.value, no_end, 10'000);
      CHECK(reply.batch_count > 30);
      CHECK(host.files.counts().reads == before + 1);
    }
  }

  TEST_CASE("a batch that is larger than what was asked for takes two reads, not many") {
    machine host;
    const auto log = open_log(host, small_segments(8 << 20));
    append(*log, {records_entry(1, 1, 0, 1, 1 << 20), records_entry(2, 1, 1)});
    const auto reader = host.reader_of(*log);
    CHECK(offsets_in(read(reader, 0, no_end, 1000)) == offsets{0});
    const auto before = host.files.counts().reads;
    CHECK(offsets_in(read(reader, 0, no_end, 1000)) == offsets{0});
    CHECK(host.files.counts().reads <= before + 4);
  }

  TEST_CASE("an outline tells the size of a log and how old it is, without the disk") {
    machine host;
    const auto log = open_log(host, small_segments());
    const auto reader = host.reader_of(*log);
    CHECK(reader.outline().size_bytes == 0);
    CHECK_FALSE(reader.outline().active_since_ms);
    REQUIRE_OK(log->append(records_run(1, 2), timestamp_ms(500)));
    CHECK(reader.outline().active_since_ms == 500);
    CHECK(reader.outline().active_newest_ms == 1010);
    CHECK_FALSE(reader.outline().oldest_closed_ms);
    CHECK(reader.outline().size_bytes == log->size_bytes());
    REQUIRE_OK(log->append(records_run(3, 40, 2), timestamp_ms(900)));
    const auto segments = log->segments();
    REQUIRE(segments.size() > 2);
    const auto reads = host.files.counts().reads;
    const auto outline = reader.outline();
    CHECK(host.files.counts().reads == reads);
    CHECK(outline.size_bytes == log->size_bytes());
    // No younger than the segment behind it, whatever its producer said.
    CHECK(outline.oldest_closed_ms == 900);
    CHECK(outline.oldest_closed_bytes == segments.front().bytes);
    CHECK(outline.active_since_ms == 900);
    CHECK(outline.active_newest_ms == segments.back().max_timestamp.value);
  }

  TEST_CASE("damage on the way is reported with its place, the rest stays readable") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 20));
    const auto reader = host.reader_of(*log);
    const auto path = directory + "/" + segment_name(1);
    const auto entry_bytes = (log->size_bytes() - segment_header_bytes) / 20;
    REQUIRE(host.files.flip_bit(path, segment_header_bytes + 10 * entry_bytes + 70, 1));
    CHECK(offsets_in(read(reader, 0, no_end)).size() == 10);
    const auto broken = reader.read_records({offset_t(10), no_end, 1 << 20});
    REQUIRE_FALSE(broken);
    CHECK(broken.error().code == errc::storage_damaged);
    CHECK(broken.error().message.find(path) != std::string::npos);
    CHECK(broken.error().message.find("(entry 11)") != std::string::npos);
    CHECK(offsets_in(read(reader, 0, 11)).size() == 10);
    CHECK_FAILS(reader.read_entries(11, 12, 100), errc::storage_damaged);
    host.files.fail_reads(path, 0, 1 << 20);
    CHECK_FAILS(reader.read_records({offset_t(0), 11, 100}), errc::storage_failed);
  }

  TEST_CASE("index entries that are missing are put back, those that are wrong do no harm") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 400, 0, 100));
    const log_index index(host.store, group_a);
    write_batch batch;
    SUBCASE("missing") {
      index.remove_all(batch);
    }
    SUBCASE("pointing nowhere") {
      for (std::uint64_t i = 2; i < 400; ++i)
        index.add(batch, 1, {i, 17 * i, offset_t(static_cast<std::int64_t>(i))}, std::nullopt);
    }
    SUBCASE("pointing behind the end") {
      for (std::uint64_t i = 2; i < 400; ++i)
        index.add(batch, 1, {i, 1 << 24, offset_t(static_cast<std::int64_t>(i))}, std::nullopt);
    }
    SUBCASE("pointing at the wrong entry") {
      for (std::uint64_t i = 2; i < 400; ++i)
        index.add(batch, 1, {i, segment_header_bytes, offset_t(static_cast<std::int64_t>(i))},
                  std::nullopt);
    }
    REQUIRE_OK(host.store.write(batch, durability::relaxed));
    for (int round = 0; round < 2; ++round)
      for (std::int64_t from = 399; from > 0; from -= 13) {
        const auto reader = host.reader_of(*log);
        CHECK(offsets_in(read(reader, from, no_end, 1)) == offsets{from});
        const auto nth = static_cast<std::uint64_t>(from) + 1;
        CHECK(reader.read_entries(nth, nth + 1, 1)->front().index == nth);
      }
    const auto healed = index.find_offset(1, offset_t(390));
    REQUIRE_OK(healed);
    REQUIRE(*healed);
    CHECK((*healed)->offset > offset_t(300));
  }

  TEST_CASE("a time finds the first record that is not older, within a batch too") {
    machine host;
    const auto log = open_log(host);
    std::vector<log_entry> entries{noop_entry(1, 1)};
    // Batches of 5 records, 10 ms apart: offset n has time 1000 + 10 n.
    for (std::uint64_t i = 0; i < 30; ++i) {
      const auto base = static_cast<std::int64_t>(i) * 5;
      entries.push_back(
          {i + 2, 1, entry_kind::records, make_batch(base, 5, 20, 1000 + 10 * base, 10)});
    }
    append(*log, entries);
    const auto check = [&](const log_reader& reader) {
      CHECK(offset_since(reader, 0) == 0);
      CHECK(offset_since(reader, -5) == 0);
      for (std::int64_t offset = 0; offset < 150; ++offset) {
        CHECK(offset_since(reader, 1000 + 10 * offset) == offset);
        CHECK(offset_since(reader, 1000 + 10 * offset - 9) == offset);
      }
      CHECK(offset_since(reader, 2491) == -1);
      // Bounded by the commit index.
      CHECK(offset_since(reader, 1250, 7) == -1);
      CHECK(offset_since(reader, 1240, 7) == 24);
    };
    check(host.reader_of(*log));
    write_batch batch;
    batch.remove_range(family::time_index, "", "");
    REQUIRE_OK(host.store.write(batch, durability::relaxed));
    check(host.reader_of(*log));
    REQUIRE_OK(log->trim_prefix({15, 0, {}, {}}));
    CHECK(offset_since(host.reader_of(*log), 0) == 70);
    CHECK(host.reader_of(*log).start_offset() == offset_t(70));
  }

  TEST_CASE("times out of order, and one from the far future, do not hide records") {
    machine host;
    const auto log = open_log(host, small_segments(600));
    std::vector<log_entry> entries;
    const std::vector<std::int64_t> times{500, 100, 900000, 300, 400, 950, 200, 960, 970, 150};
    for (std::size_t i = 0; i < times.size(); ++i)
      entries.push_back(records_entry(i + 1, 1, static_cast<std::int64_t>(i), 1, 100, times[i]));
    append(*log, entries);
    const auto reader = host.reader_of(*log);
    CHECK(offset_since(reader, 100) == 0);
    CHECK(offset_since(reader, 501) == 2);
    CHECK(offset_since(reader, 900001) == -1);
    REQUIRE_OK(log->sync());
    REQUIRE_OK(log->trim_prefix({3, 0, {}, {}}));
    const auto after = host.reader_of(*log);
    CHECK(offset_since(after, 501) == 5);
    CHECK(offset_since(after, 961) == 8);
  }

  TEST_CASE("a time is looked for behind what was deleted, whether the log still has it or not") {
    machine host;
    const auto log = open_log(host);
    append(*log, {{1, 1, entry_kind::records, make_batch(0, 4, 20, 1000, 10)},
                  records_entry(2, 1, 4, 1, 100, 500)});
    const auto reader = host.reader_of(*log);
    const auto found = reader.find_time(timestamp_ms(1000), no_end, offset_t(2));
    REQUIRE_OK(found);
    REQUIRE(*found);
    CHECK((*found)->offset == offset_t(2));
    CHECK((*found)->timestamp == timestamp_ms(1020));
    const auto none = reader.find_time(timestamp_ms(1000), no_end, offset_t(4));
    REQUIRE_OK(none);
    CHECK_FALSE(*none);
  }

  TEST_CASE("the newest record is the first with the largest timestamp, in whatever segment") {
    machine host;
    const auto log = open_log(host, small_segments(600));
    CHECK(newest(host.reader_of(*log)) == offset_and_time(-1, -1));
    append(*log, {noop_entry(1, 1)});
    CHECK(newest(host.reader_of(*log)) == offset_and_time(-1, -1));
    const std::vector<std::int64_t> times{500, 100, 970, 300, 400, 970, 200, 960, 970, 150};
    std::vector<log_entry> entries;
    for (std::size_t i = 0; i < times.size(); ++i)
      entries.push_back(records_entry(i + 2, 1, static_cast<std::int64_t>(i), 1, 100, times[i]));
    append(*log, entries);
    REQUIRE(log->segment_count() > 2);
    const auto reader = host.reader_of(*log);
    CHECK(newest(reader) == offset_and_time(2, 970));
    CHECK(newest(reader, 2) == offset_and_time(-1, -1));
    CHECK(newest(reader, 4) == offset_and_time(0, 500));
    CHECK(newest(reader, no_end, 3) == offset_and_time(5, 970));
    CHECK(newest(reader, no_end, 6) == offset_and_time(8, 970));
    CHECK(newest(reader, 10, 6) == offset_and_time(7, 960));
    CHECK(newest(reader, no_end, 9) == offset_and_time(9, 150));
    CHECK(newest(reader, no_end, 10) == offset_and_time(-1, -1));
    REQUIRE_OK(log->sync());
    REQUIRE_OK(log->trim_prefix({7, 0, {}, {}}));
    CHECK(newest(host.reader_of(*log)) == offset_and_time(8, 970));
  }

  TEST_CASE("the newest record is found within a batch, also one that is deleted in part") {
    machine host;
    const auto log = open_log(host);
    // Of falling times: 1000 at offset 0 to 970 at offset 3.
    append(*log, {{1, 1, entry_kind::records, make_batch(0, 4, 20, 1000, -10)},
                  records_entry(2, 1, 4, 1, 100, 975)});
    const auto reader = host.reader_of(*log);
    CHECK(newest(reader) == offset_and_time(0, 1000));
    CHECK(newest(reader, no_end, 1) == offset_and_time(1, 990));
    CHECK(newest(reader, no_end, 3) == offset_and_time(4, 975));
    CHECK(newest(reader, 2, 3) == offset_and_time(3, 970));
  }

  TEST_CASE("the offset of an entry is that of the first record at or after it") {
    machine host;
    const auto log = open_log(host);
    append(*log, {noop_entry(1, 1), records_entry(2, 1, 0, 3), command_entry(3, 1, "x"),
                  records_entry(4, 1, 3, 2), noop_entry(5, 1)});
    const auto reader = host.reader_of(*log);
    const std::vector<std::int64_t> expected{0, 0, 3, 3, 5, 5, 5};
    for (std::uint64_t index = 1; index <= 7; ++index)
      CHECK(*reader.offset_at(index) == offset_t(expected[index - 1]));
  }

  TEST_CASE("the end of a term is the first record of a larger one, in whatever segment") {
    machine host;
    const auto log = open_log(host);
    CHECK(end_of(host.reader_of(*log), 3) == term_and_offset(3, 0));
    // Terms 2, 5 and 9, each with a no-op and 20 batches of 3 records; 9 leads without records too.
    std::vector<log_entry> entries;
    std::int64_t offset = 0;
    for (const std::uint64_t term : {2, 5, 9}) {
      entries.push_back(noop_entry(entries.size() + 1, term));
      for (int i = 0; i < 20; ++i, offset += 3)
        entries.push_back(records_entry(entries.size() + 1, term, offset, 3, 50));
    }
    append(*log, entries);
    REQUIRE(log->segment_count() > 3);
    const auto check = [&](const log_reader& reader) {
      CHECK(end_of(reader, 1) == term_and_offset(1, 0));
      CHECK(end_of(reader, 2) == term_and_offset(2, 60));
      CHECK(end_of(reader, 4) == term_and_offset(2, 60));
      CHECK(end_of(reader, 5) == term_and_offset(5, 120));
      CHECK(end_of(reader, 8) == term_and_offset(5, 120));
      CHECK(end_of(reader, 9) == term_and_offset(9, 180));
      CHECK(end_of(reader, 100) == term_and_offset(9, 180));
      // Bounded by the commit index: the no-op of term 9 is entry 43.
      CHECK(end_of(reader, 100, 43) == term_and_offset(5, 120));
      CHECK(end_of(reader, 100, 44) == term_and_offset(9, 120));
      CHECK(end_of(reader, 5, 30) == term_and_offset(5, 81));
    };
    check(host.reader_of(*log));
    write_batch batch;
    batch.remove_range(family::offset_index, "", "");
    REQUIRE_OK(host.store.write(batch, durability::relaxed));
    check(host.reader_of(*log));
    REQUIRE_OK(log->sync());
    REQUIRE_OK(log->trim_prefix({30, 0, {}, {}}));
    const auto after = host.reader_of(*log);
    CHECK(end_of(after, 2).second == 84);
    CHECK(end_of(after, 5) == term_and_offset(5, 120));
  }

  TEST_CASE("the end of a term is found in one large segment by its index") {
    machine host;
    segment_options options;
    options.index_interval_bytes = 512;
    const auto log = open_log(host, options);
    std::vector<log_entry> entries;
    for (std::uint64_t i = 0; i < 500; ++i)
      entries.push_back(records_entry(i + 1, 1 + i / 7, static_cast<std::int64_t>(i), 1, 100));
    append(*log, entries);
    REQUIRE(log->segment_count() == 1);
    const auto reader = host.reader_of(*log);
    for (std::uint64_t term = 1; term <= 71; ++term)
      CHECK(end_of(reader, term) == term_and_offset(term, static_cast<std::int64_t>(term) * 7));
    CHECK(end_of(reader, 72) == term_and_offset(72, 500));
  }

  TEST_CASE("a truncated suffix is not read from a remembered place") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 20));
    const auto reader = host.reader_of(*log);
    CHECK(read(reader, 0, 16, 1000).batch_count > 5);
    const auto next = read(reader, 0, 16).next_offset;
    CHECK(next == offset_t(15));
    REQUIRE_OK(log->truncate_from(11));
    append(*log, {command_entry(11, 2, std::string(37, 'c')), records_entry(12, 2, 10, 9, 3)});
    CHECK(offsets_in(read(reader, 15)) == offsets{10});
    CHECK(offsets_in(read(reader, 9)) == offsets{9, 10});
  }

  TEST_CASE("files of closed segments that are open are bounded") {
    machine host;
    host.cache = std::make_shared<file_cache>(host.files, 3);
    const auto log = open_log(host, small_segments(400));
    append(*log, records_run(1, 100));
    REQUIRE(log->segments().size() > 20);
    const auto reader = host.reader_of(*log);
    for (std::int64_t from = 0; from < 100; ++from)
      CHECK_FALSE(read(reader, from, no_end, 1).batches.empty());
    CHECK(host.cache->size() == 3);
    REQUIRE_OK(log->sync());
    REQUIRE_OK(log->trim_prefix({100, 0, {}, {}}));
    CHECK(host.cache->size() <= 1);
  }

  TEST_CASE("readers run against a writer that appends, rolls, truncates and trims (S12)") {
    const temporary_directory root;
    posix_disk files;
    memory_kv store;
    const auto cache = std::make_shared<file_cache>(files, 4);
    auto opened = segment_log::open({files, store, *cache}, root.path() + "/log", group_a,
                                    small_segments(4096));
    REQUIRE_OK(opened);
    auto& log = **opened;
    const log_reader reader(log.publication(), group_a, cache, store, 256);
    std::atomic<std::uint64_t> committed{0};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> batches_read{0};
    std::atomic<std::uint64_t> failures{0};
    const auto follow = [&](std::size_t bytes_max) {
      offset_t at = reader.start_offset();
      while (!done || at < reader.next_offset()) {
        const auto got = reader.read_records({at, committed + 1, bytes_max});
        if (!got && got.error().code == errc::offset_out_of_range) {
          at = reader.start_offset();
          continue;
        }
        if (!got) {
          ++failures;
          return;
        }
        const auto bytes = got->batches.flatten();
        auto rest = bytes.bytes();
        while (!rest.empty()) {
          const auto batch = protocol::next_batch(rest);
          if (!batch || !*batch || (*batch)->base_offset() != at ||
              (*batch)->computed_crc() != (*batch)->crc()) {
            ++failures;
            return;
          }
          at = (*batch)->next_offset();
          ++batches_read;
        }
        if (!reader.find_time(timestamp_ms(1000 + at.value), committed + 1))
          ++failures;
      }
    };
    std::vector<std::thread> threads;
    for (const std::size_t bytes_max : {1u, 700u, 20000u})
      threads.emplace_back(follow, bytes_max);

    std::uint64_t index = 0;
    std::int64_t offset = 0;
    std::uint64_t term = 1;
    bool written = true;
    for (int round = 0; round < 400 && written; ++round) {
      std::vector<log_entry> entries;
      for (int i = 0; i < 5; ++i) {
        entries.push_back(records_entry(++index, term, offset, 1, 100, 1001 + offset));
        ++offset;
      }
      written = log.append(entries, timestamp_ms(0)).has_value();
      if (round % 7 == 3) {
        // Entries that were never committed are replaced.
        written = written && log.truncate_from(index - 1).has_value();
        ++term;
        index -= 2;
        offset -= 2;
      }
      written = written && log.sync().has_value();
      committed = index;
      if (round % 40 == 39)
        written = written && log.trim_prefix({index - 30, 0, {}, {}}).has_value();
    }
    done = true;
    for (auto& thread : threads)
      thread.join();
    CHECK(written);
    CHECK(failures == 0);
    CHECK(batches_read > 100);
  }
}
