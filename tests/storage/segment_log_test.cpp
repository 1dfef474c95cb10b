// Appending, syncing, rolling, truncating and trimming one log, and the full disk.
#include "storage/log_index.hpp"
#include "storage/log_meta.hpp"
#include "storage/log_scan.hpp"
#include "tests/storage/support.hpp"

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

const auto directory = group_directory("data", group_a);

std::unique_ptr<segment_log> open_log(machine& host,
                                      const segment_options& options = small_segments()) {
  auto log = host.open_log(options);
  REQUIRE_OK(log);
  return std::move(*log);
}

void append(segment_log& log, const std::vector<log_entry>& entries) {
  REQUIRE_OK(log.append(entries, timestamp_ms(7)));
}

} // namespace

TEST_SUITE("storage.segment_log") {
  TEST_CASE("what is appended is there, in order, over segments and a restart") {
    machine host;
    const auto entries = records_run(1, 50);
    {
      const auto log = open_log(host);
      append(*log, entries);
      CHECK(log->last_index() == 50);
      CHECK(log->durable_index() < 50);
      CHECK(log->is_dirty());
      REQUIRE_OK(log->sync());
      CHECK(log->durable_index() == 50);
      CHECK(all_entries(host.reader_of(*log)) == entries);
      CHECK(log->segments().size() > 3);
    }
    host.crash(crash_policy::drop_all());
    const auto log = open_log(host);
    CHECK(log->next_offset() == offset_t(50));
    CHECK(all_entries(host.reader_of(*log)) == entries);
  }

  TEST_CASE("an append of many entries is one write per segment") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, records_run(1, 500));
    CHECK(host.files.counts().writes == 1);
    REQUIRE_OK(log->sync());
    CHECK(host.files.counts().syncs == 1);
    REQUIRE_OK(log->sync());
    CHECK(host.files.counts().syncs == 1);
  }

  TEST_CASE("entries of the index go to the store together, and before the mark") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    const auto writes = host.store.write_count();
    const log_index index(host.store, group_a);
    for (std::uint64_t i = 1; i <= 60; ++i)
      append(*log, {records_entry(i, 1, static_cast<std::int64_t>(i) - 1, 1, 300)});
    // One in each append would be due.
    CHECK(host.store.write_count() - writes <= 4);
    const auto named = [&](std::uint64_t at_most) -> std::uint64_t {
      const auto hit = index.find_index(1, at_most);
      REQUIRE_OK(hit);
      return *hit ? (*hit)->index : 0;
    };
    CHECK(named(100) >= 40);
    // A reader finds what is not named yet.
    const auto reader = host.reader_of(*log);
    const auto read = reader.read_records({offset_t(58), 61, 1});
    REQUIRE_OK(read);
    CHECK(read->next_offset == offset_t(59));
    REQUIRE_OK(log->sync());
    REQUIRE_OK(log->mark());
    for (std::uint64_t i = 2; i <= 60; ++i)
      CHECK(named(i) == i);
  }

  TEST_CASE("entries that do not follow the log are refused and change nothing") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 3, 0, 10, 5));
    const auto refused = [&](const log_entry& entry, errc code) {
      const auto before = host.files.fingerprint();
      CHECK_FAILS(log->append({&entry, 1}, timestamp_ms(0)), code);
      CHECK(host.files.fingerprint() == before);
      CHECK_FALSE(log->is_poisoned());
    };
    refused(noop_entry(3, 5), errc::invalid_request);
    refused(noop_entry(5, 5), errc::invalid_request);
    refused(noop_entry(4, 4), errc::invalid_request);
    refused(noop_entry(4, 0), errc::invalid_request);
    refused({4, 5, entry_kind::records, buffer::copy_of("no batch")}, errc::invalid_request);
    refused({4, 5, static_cast<entry_kind>(9), {}}, errc::invalid_request);
    refused(records_entry(4, 5, 2), errc::offset_conflict);
    append(*log, {records_entry(4, 5, 3)});
    // Compaction thins out offsets, so a gap is no error.
    append(*log, {records_entry(5, 5, 10)});
    CHECK(log->next_offset() == offset_t(11));
  }

  TEST_CASE("an entry that is larger than a segment has one of its own") {
    machine host;
    const auto log = open_log(host);
    append(*log, {records_entry(1, 1, 0), records_entry(2, 1, 1, 1, 5000), records_entry(3, 1, 2)});
    const auto segments = log->segments();
    REQUIRE(segments.size() == 3);
    CHECK(segments[1].first_index == 2);
    CHECK(segments[1].last_index == 2);
    CHECK(segments[1].bytes > 5000);
    CHECK(all_entries(host.reader_of(*log)).size() == 3);
  }

  TEST_CASE("segments tell their indexes, offsets, sizes and times") {
    machine host;
    const auto log = open_log(host, small_segments(1 << 20));
    append(*log, {noop_entry(1, 1), records_entry(2, 1, 0, 3, 10, 500)});
    REQUIRE_OK(log->roll());
    append(*log, {records_entry(3, 1, 3, 1, 10, 400)});
    const auto segments = log->segments();
    REQUIRE(segments.size() == 2);
    CHECK(segments[0].first_index == 1);
    CHECK(segments[0].last_index == 2);
    CHECK(segments[0].base_offset == offset_t(0));
    CHECK(segments[0].next_offset == offset_t(3));
    CHECK(segments[0].max_timestamp == timestamp_ms(502));
    CHECK(segments[0].created == timestamp_ms(7));
    CHECK_FALSE(segments[0].is_active);
    CHECK(segments[1].first_index == 3);
    CHECK(segments[1].base_offset == offset_t(3));
    CHECK(segments[1].max_timestamp == timestamp_ms(400));
    CHECK(segments[1].is_active);
    CHECK(log->size_bytes() == segments[0].bytes + segments[1].bytes);
  }

  TEST_CASE("terms are told for every entry and for the one before the first") {
    machine host;
    auto log = open_log(host, small_segments(400));
    std::vector<log_entry> entries;
    for (std::uint64_t i = 1; i <= 30; ++i)
      entries.push_back(noop_entry(i, 1 + i / 7));
    append(*log, entries);
    REQUIRE_OK(log->sync());
    REQUIRE_OK(log->trim_prefix({16, 0, {}, {}}));
    const auto check = [&] {
      for (std::uint64_t i = 16; i <= 30; ++i)
        CHECK(log->term_at(i) == 1 + i / 7);
      CHECK_FALSE(log->term_at(15));
      CHECK_FALSE(log->term_at(31));
      CHECK(log->terms() == std::vector<term_run>{{17, 3}, {21, 4}, {28, 5}});
    };
    check();
    REQUIRE_OK(log->close_file());
    log = open_log(host, small_segments(400));
    check();
  }

  TEST_CASE("a suffix that is truncated is gone for good, and others take its place") {
    machine host;
    auto log = open_log(host);
    const auto entries = records_run(1, 30);
    append(*log, entries);
    REQUIRE_OK(log->sync());
    for (const std::uint64_t from : {28u, 20u, 9u, 1u}) {
      REQUIRE_OK(log->truncate_from(from));
      CHECK(log->last_index() == from - 1);
      CHECK(log->next_offset() == offset_t(static_cast<std::int64_t>(from) - 1));
      CHECK(all_entries(host.reader_of(*log)) ==
            std::vector<log_entry>(entries.begin(),
                                   entries.begin() + static_cast<std::ptrdiff_t>(from) - 1));
      log.reset();
      host.crash(crash_policy::drop_all());
      log = open_log(host);
      CHECK(log->last_index() == from - 1);
    }
    CHECK(host.files.files().empty());
    const auto fresh = records_run(1, 5, 0, 10, 9);
    append(*log, fresh);
    CHECK(all_entries(host.reader_of(*log)) == fresh);
    CHECK_OK(log->truncate_from(6));
  }

  TEST_CASE("truncating at or below the base is refused") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 30));
    REQUIRE_OK(log->trim_prefix({10, 0, {}, {}}));
    CHECK_FAILS(log->truncate_from(10), errc::invalid_request);
    CHECK_FALSE(log->is_poisoned());
    CHECK_OK(log->truncate_from(11));
    CHECK(log->last_index() == 10);
    CHECK(log->last_term() == 1);
    append(*log, records_run(11, 12, 10));
  }

  TEST_CASE("memberships follow appends, truncations, trims and restarts") {
    machine host;
    auto log = open_log(host);
    const auto member = [](std::uint64_t index) {
      return log_entry{index, 1, entry_kind::membership,
                       buffer::copy_of("m" + std::to_string(index))};
    };
    append(*log, {member(1), noop_entry(2, 1), member(3), member(4), member(5)});
    REQUIRE_OK(log->truncate_from(5));
    REQUIRE_OK(log->trim_prefix({1, 0, {}, buffer::copy_of("m1")}));
    CHECK(log->memberships() == std::vector<log_entry>{member(3), member(4)});
    REQUIRE_OK(log->sync());
    for (const bool clean : {true, false}) {
      if (clean)
        REQUIRE_OK(log->close_file());
      log = open_log(host);
      CHECK(log->memberships() == std::vector<log_entry>{member(3), member(4)});
      CHECK(log->base().data == buffer::copy_of("m1"));
    }
  }

  TEST_CASE("a membership that was cut off is not in the store when others took its place") {
    machine host;
    auto log = open_log(host);
    const log_entry kept{1, 1, entry_kind::membership, buffer::copy_of("kept")};
    const log_entry cut{3, 1, entry_kind::membership, buffer::copy_of("cut")};
    append(*log, {kept, noop_entry(2, 1), cut});
    REQUIRE_OK(log->truncate_from(3));
    append(*log, {noop_entry(3, 2), noop_entry(4, 2)});
    // An opening believes the store as far as the mark says.
    REQUIRE_OK(log->close_file());
    log = open_log(host);
    CHECK(log->recovery().scanned_entries == 0);
    CHECK(log->memberships() == std::vector<log_entry>{kept});
  }

  TEST_CASE("a trim moves the beginning exactly and deletes whole segments only") {
    machine host;
    auto log = open_log(host);
    append(*log, records_run(1, 40));
    REQUIRE_OK(log->sync());
    const auto segments = log->segments();
    const auto files = host.files.files().size();
    REQUIRE_OK(log->trim_prefix({segments[1].first_index - 2, 0, {}, {}}));
    CHECK(host.files.files().size() == files);
    CHECK(log->first_index() == segments[1].first_index - 1);
    REQUIRE_OK(log->trim_prefix({segments[2].first_index, 0, {}, buffer::copy_of("x")}));
    CHECK(host.files.files().size() == files - 2);
    const auto first = segments[2].first_index + 1;
    CHECK(log->first_index() == first);
    CHECK(log->start_offset() == offset_t(static_cast<std::int64_t>(first) - 1));
    CHECK(log->base().term == 1);
    // Below what is trimmed already nothing happens.
    REQUIRE_OK(log->trim_prefix({3, 0, {}, {}}));
    CHECK(log->first_index() == first);
    CHECK_FAILS(log->trim_prefix({41, 0, {}, {}}), errc::invalid_request);
    log.reset();
    host.crash(crash_policy::drop_all());
    log = open_log(host);
    CHECK(log->first_index() == first);
    CHECK(log->last_index() == 40);
    CHECK(log->base().data == buffer::copy_of("x"));
    CHECK(all_entries(host.reader_of(*log)).size() == 40 - first + 1);
    REQUIRE_OK(log->trim_prefix({40, 0, {}, {}}));
    CHECK(log->last_index() == 40);
    CHECK(log->next_offset() == offset_t(40));
    append(*log, records_run(41, 41, 40));
  }

  TEST_CASE("a trim of everything leaves no file, and the log goes on where it was") {
    for (const bool is_rolled : {false, true}) {
      machine host;
      auto log = open_log(host);
      append(*log, records_run(1, 40));
      if (is_rolled)
        REQUIRE_OK(log->roll());
      const auto version = log->last_term();
      REQUIRE_OK(log->trim_prefix({40, 0, {}, buffer::copy_of("x")}));
      CHECK(host.files.files().empty());
      CHECK(log->size_bytes() == 0);
      CHECK(log->segments().empty());
      CHECK_FALSE(log->has_open_file());
      SUBCASE("at once") {}
      SUBCASE("after a crash") {
        host.crash(crash_policy::drop_all());
        log = open_log(host);
      }
      CHECK(log->first_index() == 41);
      CHECK(log->last_index() == 40);
      CHECK(log->last_term() == version);
      CHECK(log->term_at(40) == version);
      CHECK(log->next_offset() == offset_t(40));
      CHECK(log->base().data == buffer::copy_of("x"));
      append(*log, records_run(41, 60, 40));
      REQUIRE_OK(log->sync());
      host.crash(crash_policy::drop_all());
      log = open_log(host);
      CHECK(log->first_index() == 41);
      CHECK(log->last_index() == 60);
      CHECK(all_entries(host.reader_of(*log)).size() == 20);
    }
  }

  TEST_CASE("a file that could not be removed goes with the next trim, whatever it is of") {
    machine host;
    auto log = open_log(host);
    append(*log, records_run(1, 40));
    const auto segments = log->segments();
    const auto files = host.files.files().size();
    host.files.fail_removals("", 2);
    const log_base base{segments[2].first_index, 0, {}, {}};
    CHECK(log->trim_prefix(base).error().code == errc::storage_failed);
    CHECK(log->first_index() == base.index + 1);
    CHECK(host.files.files().size() == files);
    SUBCASE("by the same") {
      CHECK(log->trim_prefix(base).error().code == errc::storage_failed);
      CHECK(host.files.files().size() == files);
      REQUIRE_OK(log->trim_prefix(base));
      CHECK(host.files.files().size() == files - 2);
    }
    SUBCASE("by one of everything, which keeps the proof of the last entry to the end") {
      CHECK_FALSE(log->trim_prefix({40, 0, {}, {}}));
      CHECK(host.files.files().size() == files);
      REQUIRE_OK(log->trim_prefix({40, 0, {}, {}}));
      CHECK(host.files.files().empty());
    }
    SUBCASE("by a reset") {
      host.files.fail_removals("", 0);
      REQUIRE_OK(log->reset({1000, 4, offset_t(5000), buffer::copy_of("snapshot")}));
      CHECK(host.files.files().empty());
    }
    SUBCASE("by nothing where it is gone already") {
      host.files.fail_removals("", 0);
      REQUIRE_OK(host.files.remove(host.files.files().front()));
      REQUIRE_OK(log->trim_prefix(base));
      CHECK(host.files.files().size() == files - 2);
    }
    SUBCASE("by the opening after a reset that could not remove it") {
      host.files.fail_removals("", 0);
      host.files.fail_removals(host.files.files().front(), 1);
      const log_base snapshot{1000, 4, offset_t(5000), buffer::copy_of("snapshot")};
      CHECK(log->reset(snapshot).error().code == errc::storage_failed);
      CHECK(log->reset(snapshot).error().code == errc::storage_failed);
      CHECK(host.files.files().size() == 2);
      log.reset();
      log = open_log(host);
      CHECK(log->last_index() == 1000);
      CHECK(log->next_offset() == offset_t(5000));
      CHECK(host.files.files().empty());
    }
  }

  TEST_CASE("a reset empties the log, which goes on where the snapshot ends") {
    machine host;
    auto log = open_log(host);
    append(*log, records_run(1, 30));
    REQUIRE_OK(log->reset({1000, 4, offset_t(5000), buffer::copy_of("snapshot")}));
    CHECK(log->first_index() == 1001);
    CHECK(log->last_index() == 1000);
    CHECK(log->last_term() == 4);
    CHECK(host.files.files().empty());
    host.crash(crash_policy::drop_all());
    log = open_log(host);
    CHECK(log->last_index() == 1000);
    CHECK(log->base().data == buffer::copy_of("snapshot"));
    append(*log, records_run(1001, 1030, 5000, 10, 4));
    REQUIRE_OK(log->sync());
    host.crash(crash_policy::drop_all());
    log = open_log(host);
    CHECK(log->last_index() == 1030);
    CHECK(log->next_offset() == offset_t(5030));
    CHECK(log->start_offset() == offset_t(5000));
  }

  TEST_CASE(
      "a full disk refuses an append, leaves nothing of it, and takes it when there is room") {
    machine host;
    const auto options = small_segments(1 << 20);
    auto log = open_log(host, options);
    const auto entries = records_run(1, 10);
    append(*log, entries);
    REQUIRE_OK(log->sync());
    host.files.set_capacity(host.files.used_bytes());
    const auto size = log->size_bytes();
    const auto more = records_run(11, 40, 10, 5000);
    CHECK_FAILS(log->append(more, timestamp_ms(0)), errc::storage_full);
    CHECK_FALSE(log->is_poisoned());
    CHECK(log->last_index() == 10);
    CHECK(log->size_bytes() == size);
    CHECK(all_entries(host.reader_of(*log)) == entries);
    CHECK_OK(log->sync());
    // Nothing of the refused entries is left to be found by an opening.
    log.reset();
    host.crash(crash_policy::keep_all());
    log = open_log(host, options);
    CHECK(log->last_index() == 10);
    host.files.set_capacity(1 << 30);
    append(*log, more);
    REQUIRE_OK(log->sync());
    CHECK(all_entries(host.reader_of(*log)).size() == 40);
  }

  TEST_CASE("an append over several segments that finds the disk full is undone as a whole") {
    machine host;
    auto log = open_log(host);
    append(*log, records_run(1, 3));
    REQUIRE_OK(log->sync());
    for (std::uint64_t room = 0; room < 6000; room += 97) {
      CAPTURE(room);
      host.files.set_capacity(host.files.used_bytes() + room);
      const auto more = records_run(4, 40, 3);
      if (log->append(more, timestamp_ms(0))) {
        REQUIRE_OK(log->truncate_from(4));
        continue;
      }
      REQUIRE_FALSE(log->is_poisoned());
      REQUIRE(log->last_index() == 3);
      REQUIRE(all_entries(host.reader_of(*log)).size() == 3);
    }
    host.files.set_capacity(1 << 30);
    append(*log, records_run(4, 40, 3));
    REQUIRE_OK(log->sync());
    host.crash(crash_policy::drop_all());
    CHECK(open_log(host)->last_index() == 40);
  }

  TEST_CASE("a log starts on a full disk and serves what it has (S7)") {
    machine host;
    const auto entries = records_run(1, 10);
    append(*open_log(host), entries);
    host.files.set_capacity(0);
    const auto log = open_log(host);
    CHECK(all_entries(host.reader_of(*log)) == entries);
    CHECK_FAILS(log->append(records_run(11, 11, 10), timestamp_ms(0)), errc::storage_full);
    REQUIRE_OK(log->trim_prefix({5, 0, {}, {}}));
  }

  TEST_CASE("a failed write poisons the log: what is on disk is not known") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 3));
    host.files.fail_write(".log", 20);
    CHECK_FAILS(log->append(records_run(4, 4, 3), timestamp_ms(0)), errc::storage_failed);
    CHECK(log->is_poisoned());
    CHECK_FAILS(log->append(records_run(4, 4, 3), timestamp_ms(0)), errc::storage_failed);
    // Reading goes on.
    CHECK(all_entries(host.reader_of(*log)).size() == 3);
  }

  TEST_CASE("space is reserved in growing steps and given back when the file is closed") {
    machine host;
    auto options = small_segments(1 << 20);
    options.preallocate_bytes = 256 << 10;
    const auto log = open_log(host, options);
    append(*log, records_run(1, 1));
    const auto path = directory + "/" + segment_name(1);
    CHECK(host.files.contents(path)->size() > 64 * 1024);
    CHECK(host.files.contents(path)->size() < 66 * 1024);
    for (std::uint64_t i = 2; i <= 1000; ++i)
      append(*log, records_run(i, i, static_cast<std::int64_t>(i) - 1, 400));
    CHECK(host.files.counts().allocates < 8);
    REQUIRE_OK(log->close_file());
    CHECK_FALSE(log->has_open_file());
    CHECK(host.files.contents(path)->size() == log->size_bytes());
    append(*log, records_run(1001, 1001, 1000));
    CHECK(log->has_open_file());
    CHECK(all_entries(host.reader_of(*log)).size() == 1001);
  }

  TEST_CASE("a log without reservation works the same") {
    machine host;
    auto options = small_segments();
    options.preallocate_bytes = 0;
    const auto log = open_log(host, options);
    append(*log, records_run(1, 30));
    CHECK(host.files.counts().allocates == 0);
    CHECK(all_entries(host.reader_of(*log)).size() == 30);
  }

  TEST_CASE("readers of a log that is abandoned are told that it is gone") {
    machine host;
    const auto log = open_log(host);
    append(*log, records_run(1, 3));
    const auto reader = host.reader_of(*log);
    log->abandon();
    CHECK_FAILS(reader.read_entries(1, 4, 100), errc::unknown_partition);
    CHECK_FAILS(reader.read_records({offset_t(0), 4, 100}), errc::unknown_partition);
    CHECK_FAILS(log->append(records_run(4, 4, 3), timestamp_ms(0)), errc::storage_failed);
  }
}
