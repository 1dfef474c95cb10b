// What a store deletes from the beginning of its logs: trims and retention.
#include "storage/log_meta.hpp"
#include "tests/storage/store_node.hpp"

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

TEST_SUITE("storage.retention") {
  TEST_CASE("the log is not trimmed above what the state machine has durably applied (S9)") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 40))).status);
    CHECK_FAILS(n.logs->trim_prefix(group_a, {20, 0, {}, {}}), errc::invalid_request);
    mark_applied(n, group_a, 20);
    CHECK_FAILS(n.logs->trim_prefix(group_a, {21, 0, {}, {}}), errc::invalid_request);
    CHECK_OK(n.logs->trim_prefix(group_a, {20, 0, {}, buffer::copy_of("m")}));
    // The files went, so the state must have been flushed before.
    n.crash();
    const auto opened = n.open(group_a);
    CHECK(opened.base.index == 20);
    CHECK(opened.applied_index == 20);
    CHECK(opened.start_offset == offset_t(20));
  }

  TEST_CASE("a trim needs no flush of its own when the state is known to be durable") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 40))).status);
    mark_applied(n, group_a, 30);
    REQUIRE_OK(n.host.store.flush());
    n.logs->note_durable_state(group_a, 20);
    // The base is synced, no more.
    auto syncs = n.host.store.sync_count();
    CHECK_OK(n.logs->trim_prefix(group_a, {20, 0, {}, {}}));
    CHECK(n.host.store.sync_count() == syncs + 1);
    // Above what is known to be durable it flushes as before.
    mark_applied(n, group_a, 35);
    syncs = n.host.store.sync_count();
    CHECK_OK(n.logs->trim_prefix(group_a, {30, 0, {}, {}}));
    CHECK(n.host.store.sync_count() == syncs + 2);
    n.crash();
    CHECK(n.open(group_a).applied_index == 35);
  }

  TEST_CASE("what a trim deletes is handed over open, so that its space goes elsewhere") {
    std::vector<std::shared_ptr<file>> deleted;
    node n;
    n.options.release = [&](std::shared_ptr<file> gone) { deleted.push_back(std::move(gone)); };
    n.restart();
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 40))).status);
    mark_applied(n, group_a, 40);
    const auto before = n.host.files.files();
    CHECK_OK(n.logs->trim_prefix(group_a, {30, 0, {}, {}}));
    const auto after = n.host.files.files();
    REQUIRE(after.size() < before.size());
    CHECK(deleted.size() == before.size() - after.size());
    for (const auto& each : deleted) {
      CHECK(std::find(after.begin(), after.end(), each->path()) == after.end());
      const auto size = each->size();
      REQUIRE_OK(size);
      CHECK(*size > 0);
    }
  }

  TEST_CASE("retention by bytes and by time takes a prefix of the segments, at most all") {
    node n;
    begin(n, group_a);
    n.logs->maintain(timestamp_ms(100'000));
    std::vector<log_entry> entries;
    for (std::uint64_t i = 1; i <= 30; ++i)
      entries.push_back(records_entry(i, 9, static_cast<std::int64_t>(i) - 1, 1, 100,
                                      static_cast<std::int64_t>(i) * 100));
    CHECK_OK(n.flush_one(batch_of(group_a, entries)).status);
    const auto segments = n.logs->segments(group_a);
    REQUIRE(segments.size() > 4);
    const auto total = static_cast<std::int64_t>(n.logs->size_bytes(group_a));
    const auto at = [&](std::int64_t now, std::int64_t ms, std::int64_t bytes) -> std::int64_t {
      const auto point = n.logs->retention(group_a, timestamp_ms(now), {ms, bytes});
      return point ? static_cast<std::int64_t>(point->first_index) : 0;
    };
    const auto first_of = [&](std::size_t i) {
      return static_cast<std::int64_t>(segments[i].first_index);
    };
    CHECK(at(1'000'000, -1, -1) == 0);
    CHECK(at(1'000'000, -1, total) == 0);
    CHECK(at(1'000'000, -1, total - static_cast<std::int64_t>(segments[0].bytes)) == first_of(1));
    CHECK(at(3000, 10'000, -1) == 0);
    const auto newest = segments[1].max_timestamp.value;
    CHECK(at(newest + 501, 500, -1) == first_of(2));
    CHECK(at(newest + 500, 500, -1) == first_of(1));
    CHECK(at(segments.back().max_timestamp.value + 500, 500, -1) == first_of(segments.size() - 1));
    CHECK(n.logs->segments(group_a).back().is_active);
    CHECK(at(segments.back().max_timestamp.value + 501, 500, -1) == 31);
    const auto all = n.logs->retention(group_a, timestamp_ms(1'000'000), {0, -1});
    REQUIRE(all);
    CHECK(all->first_offset == offset_t(30));
    // What is written next is not among what is to go.
    CHECK_FALSE(n.logs->segments(group_a).back().is_active);
    CHECK_OK(n.flush_one(batch_of(group_a, {records_entry(31, 9, 30, 1, 100, 3100)})).status);
    CHECK(n.logs->segments(group_a).back().first_index == 31);
    CHECK(at(1'000'000, -1, 0) == 32);
  }

  TEST_CASE("retention leaves a last segment that holds no records alone") {
    node n;
    begin(n, group_a);
    n.logs->maintain(timestamp_ms(1000));
    CHECK_OK(n.flush_one(batch_of(group_a, {records_entry(1, 9, 0, 1, 900, 1000)})).status);
    const auto point = n.logs->retention(group_a, timestamp_ms(10'000), {1000, -1});
    REQUIRE(point);
    CHECK(point->first_index == 2);
    CHECK_OK(n.flush_one(batch_of(group_a, {command_entry(2, 9, "trim")})).status);
    CHECK(n.logs->retention(group_a, timestamp_ms(10'000), {1000, -1})->first_index == 2);
    CHECK(n.logs->segments(group_a).back().is_active);
  }

  TEST_CASE("a record from the far future does not keep its segment for ever") {
    node n;
    begin(n, group_a);
    n.logs->maintain(timestamp_ms(1000));
    CHECK_OK(
        n.flush_one(batch_of(group_a, {records_entry(1, 9, 0, 1, 900, 1'000'000'000)})).status);
    n.logs->maintain(timestamp_ms(2000));
    CHECK_OK(n.flush_one(batch_of(group_a, {records_entry(2, 9, 1, 1, 900, 2000)})).status);
    CHECK_FALSE(n.logs->retention(group_a, timestamp_ms(2500), {600, -1}));
    const auto point = n.logs->retention(group_a, timestamp_ms(2600), {600, -1});
    CHECK_FALSE(point);
    const auto later = n.logs->retention(group_a, timestamp_ms(2601), {600, -1});
    REQUIRE(later);
    // The second one is as old, and the segment that is written to goes too.
    CHECK(later->first_index == 3);
  }

  TEST_CASE("a record from the far future does not keep the last segment either") {
    node n;
    begin(n, group_a);
    auto options = small_segments();
    options.segment_age_ms = 5000;
    n.logs->configure(group_a, options);
    n.logs->maintain(timestamp_ms(1000));
    CHECK_OK(
        n.flush_one(batch_of(group_a, {records_entry(1, 9, 0, 1, 900, 1'000'000'000)})).status);
    CHECK_FALSE(n.logs->retention(group_a, timestamp_ms(6600), {600, -1}));
    CHECK(n.logs->retention(group_a, timestamp_ms(6601), {600, -1}));
  }
}
