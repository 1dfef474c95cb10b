// Torn or damaged: what an opening does with every kind of broken log. The cases are those of
// FORMAT.md.
#include "storage/log_meta.hpp"
#include "storage/log_scan.hpp"
#include "storage/log_verify.hpp"
#include "tests/storage/support.hpp"

#include <algorithm>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

const auto directory = group_directory("data", group_a);

std::string segment_path(std::uint64_t first_index) {
  return directory + "/" + segment_name(first_index);
}

/// Opens, appends `entries` one by one with a sync after each, and leaves without closing.
void write_synced(machine& host, const std::vector<log_entry>& entries,
                  const segment_options& options = small_segments()) {
  auto log = host.open_log(options);
  REQUIRE_OK(log);
  for (const auto& entry : entries) {
    REQUIRE_OK((*log)->append({&entry, 1}, timestamp_ms(0)));
    REQUIRE_OK((*log)->sync());
  }
}

/// The marks go: an opening has only the files to judge by.
void forget_marks(machine& host) {
  write_batch batch;
  batch.remove_range(family::log_state, mark_key(group_a, 0), mark_key(group_a, ~0ull));
  REQUIRE_OK(host.store.write(batch, durability::synced));
}

/// Position of an entry in its segment.
std::uint64_t position_of(machine& host, std::uint64_t first_index, std::uint64_t index) {
  auto source = host.files.open(segment_path(first_index), open_mode::read);
  REQUIRE_OK(source);
  entry_scanner scanner(**source, segment_header_bytes, *(*source)->size());
  while (true) {
    const auto entry = scanner.next();
    REQUIRE_OK(entry);
    REQUIRE(*entry);
    if ((*entry)->header.index == index)
      return (*entry)->position;
  }
}

void overwrite(machine& host, const std::string& path, std::uint64_t at, byte_span bytes) {
  auto target = host.files.open(path, open_mode::write);
  REQUIRE_OK(target);
  REQUIRE_OK((*target)->write_at(at, bytes));
  REQUIRE_OK((*target)->sync());
}

void check_damaged(machine& host, const std::string& path, std::uint64_t index) {
  const auto before = host.files.fingerprint();
  const auto log = host.open_log(small_segments());
  REQUIRE_FALSE(log);
  CHECK(log.error().code == errc::storage_damaged);
  CHECK_MESSAGE(log.error().message.find(path) != std::string::npos, log.error().message);
  CHECK_MESSAGE(log.error().message.find("entry " + std::to_string(index) + ")") !=
                    std::string::npos,
                log.error().message);
  // Damage is never cut.
  CHECK(host.files.fingerprint() == before);
}

void check_opens_with(machine& host, std::uint64_t last_index) {
  auto log = host.open_log(small_segments());
  REQUIRE_OK(log);
  CHECK((*log)->last_index() == last_index);
  CHECK(all_entries(host.reader_of(**log)).size() == last_index);
}

} // namespace

TEST_SUITE("storage.recovery") {
  TEST_CASE("a group that was never written has no directory, and an empty log") {
    machine host;
    auto log = host.open_log(small_segments());
    REQUIRE_OK(log);
    CHECK((*log)->first_index() == 1);
    CHECK((*log)->last_index() == 0);
    CHECK((*log)->next_offset() == offset_t(0));
    CHECK_FALSE((*log)->has_open_file());
    CHECK(host.files.files().empty());
    CHECK_FALSE(*host.files.exists("data"));
  }

  TEST_CASE("an entry that was torn at the end is cut at every length, the synced ones stay") {
    machine source;
    write_synced(source, records_run(1, 3));
    const auto torn_at = position_of(source, 1, 3);
    const auto bytes = *source.files.contents(segment_path(1));
    for (std::uint64_t size = torn_at; size < torn_at + 100; ++size) {
      machine host;
      host.files.put(segment_path(1), byte_span(bytes).first(size));
      check_opens_with(host, 2);
      CHECK(host.files.contents(segment_path(1))->size() == torn_at);
    }
  }

  TEST_CASE("zeros behind the last entry are reserved space, the log ends before them") {
    machine host;
    write_synced(host, records_run(1, 3));
    CHECK(host.files.contents(segment_path(1))->size() > 1000);
    forget_marks(host);
    check_opens_with(host, 3);
  }

  TEST_CASE("a hole before entries that were never durable is the end of the log (S5)") {
    machine host;
    auto log = host.open_log(small_segments(1 << 20));
    REQUIRE_OK(log);
    const auto entries = records_run(1, 6);
    REQUIRE_OK((*log)->append({entries.data(), 2}, timestamp_ms(0)));
    REQUIRE_OK((*log)->sync());
    REQUIRE_OK((*log)->append({entries.data() + 2, 4}, timestamp_ms(0)));
    const auto hole = position_of(host, 1, 4);
    overwrite(host, segment_path(1), hole, bytes_of(std::string(60, '\0')));

    SUBCASE("without a mark") {
      forget_marks(host);
    }
    SUBCASE("with a mark below it") {}

    auto again = host.open_log(small_segments(1 << 20));
    REQUIRE_OK(again);
    CHECK((*again)->last_index() == 3);
    CHECK((*again)->recovery().cut_bytes > 0);
    // What was behind the hole must not come back when the log grows over it.
    const auto other = records_run(4, 4, 3, 10, 2);
    REQUIRE_OK((*again)->append(other, timestamp_ms(0)));
    REQUIRE_OK((*again)->sync());
    forget_marks(host);
    auto third = host.open_log(small_segments(1 << 20));
    REQUIRE_OK(third);
    CHECK((*third)->last_index() == 4);
    CHECK((*third)->last_term() == 2);
  }

  TEST_CASE("a damaged entry that a later one proves durable is damage, never cut (S2)") {
    machine host;
    write_synced(host, records_run(1, 5));
    forget_marks(host);
    REQUIRE(host.files.flip_bit(segment_path(1), position_of(host, 1, 3) + 60, 2));
    check_damaged(host, segment_path(1), 3);
  }

  TEST_CASE("a sector of a durable entry that reads as zeros is damage (S2)") {
    machine host;
    write_synced(host, records_run(1, 5));
    forget_marks(host);
    overwrite(host, segment_path(1), position_of(host, 1, 2), bytes_of(std::string(64, '\0')));
    check_damaged(host, segment_path(1), 2);
  }

  TEST_CASE("the last entry, damaged with nothing behind it, is cut unless a mark names it") {
    machine host;
    write_synced(host, records_run(1, 5));
    {
      auto log = host.open_log(small_segments());
      REQUIRE_OK(log);
      REQUIRE_OK((*log)->mark());
    }
    const auto last = position_of(host, 1, 5);

    SUBCASE("no mark: nothing tells it from a torn write") {
      forget_marks(host);
      REQUIRE(host.files.flip_bit(segment_path(1), last + 60, 0));
      check_opens_with(host, 4);
    }
    SUBCASE("a mark, and the header is damaged") {
      REQUIRE(host.files.flip_bit(segment_path(1), last + 17, 0));
      check_damaged(host, segment_path(1), 5);
    }
    SUBCASE("a mark, and the file ends before it") {
      auto target = host.files.open(segment_path(1), open_mode::write);
      REQUIRE_OK((*target)->truncate(last));
      REQUIRE_OK((*target)->sync());
      check_damaged(host, segment_path(1), 1);
    }
  }

  TEST_CASE("a segment that is missing is damage, wherever it was (S4)") {
    machine host;
    write_synced(host, records_run(1, 40));
    const auto files = host.files.files();
    REQUIRE(files.size() >= 4);
    const auto first_of = [&](std::size_t which) {
      return *parse_segment_name(files[which].substr(directory.size() + 1));
    };
    const auto remove = [&](std::size_t which) {
      REQUIRE_OK(host.files.remove(files[which]));
      REQUIRE_OK(host.files.sync_directory(directory));
    };
    bool marked = false;
    SUBCASE("with marks") {
      marked = true;
    }
    SUBCASE("without marks") {
      forget_marks(host);
    }

    SUBCASE("the first") {
      remove(0);
      check_damaged(host, directory, 1);
    }
    SUBCASE("one in the middle") {
      remove(2);
      check_damaged(host, directory, first_of(2));
    }
    SUBCASE("the last: only a mark can tell") {
      const auto last = files.size() - 1;
      {
        auto log = host.open_log(small_segments());
        REQUIRE_OK(log);
        REQUIRE_OK((*log)->mark());
      }
      if (!marked)
        forget_marks(host);
      remove(last);
      if (marked)
        check_damaged(host, directory, first_of(last));
      else
        check_opens_with(host, first_of(last) - 1);
    }
  }

  TEST_CASE("the end of a closed segment that is missing is damage: the next one proves it") {
    machine host;
    write_synced(host, records_run(1, 20));
    forget_marks(host);
    const auto first = host.files.files().front();
    auto target = host.files.open(first, open_mode::write);
    REQUIRE_OK((*target)->truncate(*(*target)->size() - 1));
    REQUIRE_OK((*target)->sync());
    const auto second = *parse_segment_name(host.files.files()[1].substr(directory.size() + 1));
    check_damaged(host, first, second - 1);
  }

  TEST_CASE("a segment that was begun and never became durable is removed") {
    machine host;
    write_synced(host, records_run(1, 20));
    auto log = host.open_log(small_segments());
    REQUIRE_OK(log);
    REQUIRE_OK((*log)->roll());
    log->reset();
    const auto path = segment_path(21);
    SUBCASE("empty") {
      host.files.put(path, {});
    }
    SUBCASE("zeros") {
      host.files.put(path, bytes_of(std::string(500, '\0')));
    }
    SUBCASE("half a header") {
      std::vector<std::byte> header(segment_header_bytes);
      encode_segment_header(header.data(), group_a, {21, 1, 1, offset_t(20), timestamp_ms(0)});
      host.files.put(path, byte_span(header).first(40));
    }
    SUBCASE("rubbish") {
      host.files.put(path, bytes_of(std::string(500, '\xa5')));
    }
    check_opens_with(host, 20);
    CHECK_FALSE(*host.files.exists(path));
  }

  TEST_CASE("a header that is damaged is damage when entries behind it prove the segment durable") {
    machine host;
    write_synced(host, records_run(1, 3));
    forget_marks(host);
    REQUIRE(host.files.flip_bit(segment_path(1), 50, 1));
    check_damaged(host, segment_path(1), 1);
  }

  TEST_CASE("entries of an old generation behind the end are not taken up again (S1)") {
    machine host;
    const auto options = small_segments(1 << 20);
    auto log = host.open_log(options);
    REQUIRE_OK(log);
    const auto old = records_run(1, 6);
    REQUIRE_OK((*log)->append(old, timestamp_ms(0)));
    REQUIRE_OK((*log)->sync());
    const auto old_bytes = *host.files.contents(segment_path(1));
    REQUIRE_OK((*log)->truncate_from(3));
    const auto fresh = records_run(3, 3, 2, 10, 2);
    REQUIRE_OK((*log)->append(fresh, timestamp_ms(0)));
    REQUIRE_OK((*log)->sync());
    // A disk that brings old sectors back (S13): entries 4 to 6 of term 1 behind entry 3 of term 2.
    const auto end = (*log)->size_bytes();
    overwrite(host, segment_path(1), end, byte_span(old_bytes).subspan(end));
    forget_marks(host);

    auto again = host.open_log(options);
    REQUIRE_OK(again);
    CHECK((*again)->last_index() == 3);
    CHECK((*again)->last_term() == 2);
  }

  TEST_CASE("a file of another group in the place of a segment is damage") {
    machine host;
    write_synced(host, records_run(1, 3));
    auto other = host.open_log(small_segments(), group_b);
    REQUIRE_OK(other);
    const auto entries = records_run(1, 3);
    REQUIRE_OK((*other)->append(entries, timestamp_ms(0)));
    REQUIRE_OK((*other)->sync());
    forget_marks(host);
    const auto foreign =
        *host.files.contents(group_directory("data", group_b) + "/" + segment_name(1));
    host.files.put(segment_path(1), foreign);
    check_damaged(host, segment_path(1), 1);
  }

  TEST_CASE("after a failed sync the log refuses everything, and nothing unsynced counts (S6)") {
    machine host;
    const auto options = small_segments(1 << 20);
    const auto entries = records_run(1, 6);
    {
      auto log = host.open_log(options);
      REQUIRE_OK(log);
      REQUIRE_OK((*log)->append({entries.data(), 2}, timestamp_ms(0)));
      REQUIRE_OK((*log)->sync());
      REQUIRE_OK((*log)->append({entries.data() + 2, 2}, timestamp_ms(0)));
      host.files.fail_syncs(".log");
      CHECK_FAILS((*log)->sync(), errc::storage_failed);
      CHECK((*log)->is_poisoned());
      CHECK((*log)->durable_index() == 2);
      CHECK_FAILS((*log)->sync(), errc::storage_failed);
      CHECK_FAILS((*log)->append({entries.data() + 4, 1}, timestamp_ms(0)), errc::storage_failed);
      CHECK_FAILS((*log)->truncate_from(3), errc::storage_failed);
      CHECK_FAILS((*log)->close_file(), errc::storage_failed);
      CHECK_FAILS((*log)->roll(), errc::storage_failed);
    }
    SUBCASE("the machine loses power") {
      host.crash(crash_policy::keep_all());
      auto log = host.open_log(options);
      REQUIRE_OK(log);
      CHECK((*log)->last_index() == 2);
    }
    SUBCASE(
        "only the process restarts: what the page cache shows is made durable before it counts") {
      {
        auto log = host.open_log(options);
        REQUIRE_OK(log);
        CHECK((*log)->last_index() == 4);
        CHECK((*log)->durable_index() == 4);
      }
      host.crash(crash_policy::drop_all());
      auto log = host.open_log(options);
      REQUIRE_OK(log);
      CHECK((*log)->last_index() == 4);
      CHECK(all_entries(host.reader_of(**log)) ==
            std::vector<log_entry>(entries.begin(), entries.begin() + 4));
    }
  }

  TEST_CASE("a log that was closed opens without reading its entries") {
    machine host;
    const auto options = small_segments(64 << 10);
    {
      auto log = host.open_log(options);
      REQUIRE_OK(log);
      const auto entries = records_run(1, 500, 0, 1000);
      REQUIRE_OK((*log)->append(entries, timestamp_ms(0)));
      REQUIRE_OK((*log)->close_file());
    }
    auto log = host.open_log(options);
    REQUIRE_OK(log);
    CHECK((*log)->last_index() == 500);
    CHECK((*log)->recovery().scanned_bytes == 0);
    CHECK((*log)->recovery().segments > 5);
    CHECK(all_entries(host.reader_of(**log)).size() == 500);
  }

  TEST_CASE("without the key-value state, everything derived is rebuilt from the files") {
    machine host;
    auto entries = records_run(1, 30);
    entries[7] = {8, 1, entry_kind::membership, buffer::copy_of("members")};
    entries[20].term = 1;
    write_synced(host, entries);
    host.store.wipe();

    auto log = host.open_log(small_segments());
    REQUIRE_OK(log);
    CHECK((*log)->last_index() == 30);
    CHECK(all_entries(host.reader_of(**log)) == entries);
    CHECK((*log)->memberships() == std::vector<log_entry>{entries[7]});
    CHECK((*log)->terms() == std::vector<term_run>{{1, 1}});
    const auto hit = log_index(host.store, group_a).find_offset(1, offset_t(5));
    REQUIRE_OK(hit);
    CHECK(*hit);
  }

  TEST_CASE("a damaged membership entry in the store is read from the log instead") {
    machine host;
    auto entries = records_run(1, 6);
    entries[3] = {4, 1, entry_kind::membership, buffer::copy_of("members")};
    write_synced(host, entries);
    {
      auto log = host.open_log(small_segments());
      REQUIRE_OK(log);
      REQUIRE_OK((*log)->close_file());
    }
    REQUIRE(host.store.flip_bit(family::log_state, membership_key(group_a, 4), 100));
    auto log = host.open_log(small_segments());
    REQUIRE_OK(log);
    CHECK((*log)->memberships() == std::vector<log_entry>{entries[3]});
    CHECK((*log)->recovery().scanned_entries == 6);
  }

  TEST_CASE("a membership entry that a crash took from the log does not live on in the store") {
    machine host;
    auto log = host.open_log(small_segments());
    REQUIRE_OK(log);
    const auto entries = records_run(1, 2);
    REQUIRE_OK((*log)->append(entries, timestamp_ms(0)));
    REQUIRE_OK((*log)->sync());
    const log_entry member{3, 1, entry_kind::membership, buffer::copy_of("lost")};
    REQUIRE_OK((*log)->append({&member, 1}, timestamp_ms(0)));
    host.files.crash(crash_policy::drop_all());
    REQUIRE(host.store.get(family::log_state, membership_key(group_a, 3))->has_value());

    auto again = host.open_log(small_segments());
    REQUIRE_OK(again);
    CHECK((*again)->last_index() == 2);
    CHECK((*again)->memberships().empty());
    const auto other = command_entry(3, 2, "something else");
    REQUIRE_OK((*again)->append({&other, 1}, timestamp_ms(0)));
    REQUIRE_OK((*again)->close_file());
    auto third = host.open_log(small_segments());
    REQUIRE_OK(third);
    CHECK((*third)->last_index() == 3);
    CHECK((*third)->memberships().empty());
  }

  TEST_CASE("a file that a trim removed does not come back behind a reset") {
    // Whether the reset was done when power went, or is finished by the next opening.
    for (const bool is_finished : {true, false}) {
      CAPTURE(is_finished);
      const log_base base{13, 2, offset_t(20), {}};
      machine host;
      write_synced(host, records_run(1, 1));
      {
        auto log = host.open_log(small_segments());
        REQUIRE_OK(log);
        REQUIRE_OK((*log)->trim_prefix({1, 0, {}, {}}));
        if (is_finished)
          REQUIRE_OK((*log)->reset(base));
      }
      if (!is_finished) {
        write_batch begun;
        begun.put(family::log_state, base_key(group_a), encode_base(base));
        begun.put(family::log_state, reset_key(group_a), "1");
        REQUIRE_OK(host.store.write(begun, durability::synced));
        REQUIRE_OK(host.open_log(small_segments()));
      }
      host.crash(crash_policy::drop_all());
      const auto log = host.open_log(small_segments());
      REQUIRE_OK(log);
      CHECK((*log)->last_index() == 13);
      CHECK((*log)->first_index() == 14);
    }
  }

  TEST_CASE("a damaged base is reported, not guessed") {
    machine host;
    write_synced(host, records_run(1, 30));
    {
      auto log = host.open_log(small_segments());
      REQUIRE_OK(log);
      REQUIRE_OK((*log)->trim_prefix({12, 0, {}, {}}));
    }
    REQUIRE(host.store.flip_bit(family::log_state, base_key(group_a), 3));
    CHECK_FAILS(host.open_log(small_segments()), errc::storage_damaged);
  }

  TEST_CASE("a check of the whole log finds what an opening has no reason to look at") {
    machine host;
    write_synced(host, records_run(1, 40));
    {
      auto log = host.open_log(small_segments());
      REQUIRE_OK(log);
      REQUIRE_OK((*log)->close_file());
    }
    const auto clean = verify_log(host.files, directory, group_a, false, {});
    REQUIRE_OK(clean);
    CHECK(clean->entries == 40);
    CHECK(clean->batches == 40);
    CHECK(clean->bytes == clean->bytes_total);

    REQUIRE(host.files.flip_bit(segment_path(1), position_of(host, 1, 2) + 70, 4));
    CHECK_OK(host.open_log(small_segments()));
    const auto found = verify_log(host.files, directory, group_a, false, {});
    REQUIRE_FALSE(found);
    CHECK(found.error().code == errc::storage_damaged);
    CHECK(found.error().message.find("(entry 2)") != std::string::npos);
    CHECK_FAILS(verify_log(host.files, directory, group_b, false, {}), errc::storage_damaged);
    CHECK_FAILS(verify_log(host.files, directory, group_a, true, {}), errc::storage_damaged);
    CHECK_OK(verify_log(host.files, "data/groups/none", group_a, false, {}));
  }

  TEST_CASE("a check of closed segments goes on in steps behind what is damaged") {
    machine host;
    write_synced(host, records_run(1, 40));
    log_verifier clean(host.files, directory, group_a, true);
    REQUIRE_OK(clean.begin());
    int steps = 0;
    for (bool done = false; !done; ++steps) {
      const auto step = clean.step(1);
      REQUIRE_OK(step);
      done = *step;
    }
    CHECK(steps > 20);
    CHECK(clean.progress().bytes == clean.progress().bytes_total);

    REQUIRE(host.files.flip_bit(segment_path(1), position_of(host, 1, 2) + 70, 4));
    log_verifier check(host.files, directory, group_a, true);
    REQUIRE_OK(check.begin());
    const auto found = check.step(1 << 20);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == errc::storage_damaged);
    CHECK(found.error().message.find("(entry 2)") != std::string::npos);
    const auto rest = check.step(1 << 20);
    REQUIRE_OK(rest);
    CHECK(*rest);
    CHECK(check.progress().bytes == check.progress().bytes_total);
    CHECK(check.progress().entries > 10);
  }

  TEST_CASE("segments that go while closed segments are checked are no damage") {
    machine host;
    auto log = host.open_log(small_segments());
    REQUIRE_OK(log);
    REQUIRE_OK((*log)->append(records_run(1, 40), timestamp_ms(0)));
    REQUIRE_OK((*log)->sync());
    log_verifier check(host.files, directory, group_a, true);
    SUBCASE("all of them, before the first step") {
      REQUIRE_OK(check.begin());
      REQUIRE_OK((*log)->trim_prefix({39, 0, {}, {}}));
    }
    SUBCASE("some of them, on the way") {
      REQUIRE_OK(check.begin());
      REQUIRE_OK(check.step(1));
      REQUIRE_OK((*log)->trim_prefix({20, 0, {}, {}}));
    }
    SUBCASE("the end, cut off in a closed segment") {
      REQUIRE_OK(check.begin());
      REQUIRE_OK(check.step(1));
      REQUIRE_OK((*log)->truncate_from(5));
    }
    SUBCASE("the folder, with the group") {
      REQUIRE_OK(check.begin());
      REQUIRE_OK(host.files.remove_tree(directory));
    }
    const auto done = check.step(1 << 20);
    REQUIRE_OK(done);
    CHECK(*done);
  }

  TEST_CASE("a check can be watched and stopped") {
    machine host;
    write_synced(host, records_run(1, 10));
    CHECK_FAILS(verify_log(host.files, directory, group_a, false,
                           [](const verify_progress&) { return false; }),
                errc::cancelled);
  }

  TEST_CASE("a read error while opening is an error, not an empty log") {
    machine host;
    write_synced(host, records_run(1, 5));
    forget_marks(host);
    host.files.fail_reads(segment_path(1), 100, 1);
    const auto before = host.files.fingerprint();
    CHECK_FAILS(host.open_log(small_segments()), errc::storage_failed);
    CHECK(host.files.fingerprint() == before);
    host.files.heal_reads();
    check_opens_with(host, 5);
  }
}
