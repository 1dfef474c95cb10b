// The store of many groups: group commit, hard state, removal, upkeep.
#include "storage/hard_state.hpp"
#include "storage/log_meta.hpp"
#include "tests/storage/store_node.hpp"

#include <map>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

TEST_SUITE("storage.log_store") {
  TEST_CASE(
      "a flush of many groups is one synced write of hard states and a write and sync per file") {
    node n;
    const std::vector<group_id> groups{group_a, group_b, group_c};
    for (const auto& group : groups)
      begin(n, group);
    // The files are begun, so that only appending is counted.
    std::vector<append_batch> first;
    for (const auto& group : groups)
      first.push_back(batch_of(group, {noop_entry(1, 9)}));
    for (const auto& outcome : n.flush(first))
      CHECK_OK(outcome.status);
    const auto disk_before = n.host.files.counts();
    const auto syncs_before = n.host.store.sync_count();

    std::vector<append_batch> batches;
    for (std::uint64_t i = 0; i < 10; ++i)
      for (const auto& group : groups) {
        auto batch =
            batch_of(group, {records_entry(i + 2, 10, static_cast<std::int64_t>(i))}, i + 100);
        if (i == 0)
          batch.hard = hard_state{10, {}};
        batches.push_back(std::move(batch));
      }
    const auto outcomes = n.flush(batches);

    const auto disk_after = n.host.files.counts();
    CHECK(disk_after.writes - disk_before.writes <= 2 * groups.size());
    CHECK(disk_after.syncs - disk_before.syncs <= 3 * groups.size());
    CHECK(n.host.store.sync_count() - syncs_before == 1);
    REQUIRE(outcomes.size() == 30);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      CHECK_OK(outcomes[i].status);
      CHECK(outcomes[i].ticket == i / 3 + 100);
      CHECK(outcomes[i].group == groups[i % 3]);
      CHECK(outcomes[i].last_index == i / 3 + 2);
      CHECK(outcomes[i].last_term == 10);
    }
    n.crash();
    for (const auto& group : groups) {
      const auto opened = n.open(group);
      CHECK(opened.last_index == 11);
      CHECK(opened.hard == hard_state{10, {}});
    }
  }

  TEST_CASE("appends to one segment are one write and one sync however many batches they come in") {
    node n;
    n.open(group_a, small_segments(1 << 20));
    CHECK_OK(n.flush_one(vote(group_a, 9)).status);
    CHECK_OK(n.flush_one(batch_of(group_a, {noop_entry(1, 9)})).status);
    const auto before = n.host.files.counts();
    std::vector<append_batch> batches;
    for (std::uint64_t i = 2; i <= 200; ++i)
      batches.push_back(
          batch_of(group_a, {records_entry(i, 9, static_cast<std::int64_t>(i) - 2)}, i));
    for (const auto& outcome : n.flush(batches)) {
      CHECK_OK(outcome.status);
      CHECK(outcome.last_index == outcome.ticket);
    }
    CHECK(n.host.files.counts().writes == before.writes + 1);
    CHECK(n.host.files.counts().syncs == before.syncs + 1);
  }

  TEST_CASE("a group is told as it was when it is opened again") {
    node n;
    begin(n, group_a);
    std::vector<log_entry> entries{noop_entry(1, 3),
                                   {2, 3, entry_kind::membership, buffer::copy_of("members")},
                                   records_entry(3, 4, 0, 5)};
    CHECK_OK(n.flush_one(batch_of(group_a, entries)).status);
    mark_applied(n, group_a, 2);
    const auto check = [&](const opened_group& opened) {
      CHECK(opened.hard == hard_state{9, voted_replica{node_id(1), 1}});
      CHECK(opened.base == log_base{});
      CHECK(opened.terms == std::vector<term_run>{{1, 3}, {3, 4}});
      CHECK(opened.last_index == 3);
      CHECK(opened.last_term == 4);
      CHECK(opened.memberships == std::vector<log_entry>{entries[1]});
      CHECK(opened.start_offset == offset_t(0));
      CHECK(opened.next_offset == offset_t(5));
      CHECK(opened.applied_index == 2);
      CHECK(all_entries(*opened.reader) == entries);
    };
    check(n.open(group_a));
    REQUIRE_OK(n.logs->close(group_a));
    CHECK_FALSE(n.logs->is_open(group_a));
    check(n.open(group_a));
    REQUIRE_OK(n.host.store.flush());
    n.crash();
    check(n.open(group_a));
  }

  TEST_CASE("a vote is never changed within its term, and terms never go back") {
    node n;
    n.open(group_a);
    CHECK_OK(n.flush_one(vote(group_a, 5, 1)).status);
    CHECK_OK(n.flush_one(vote(group_a, 5, 1)).status);
    CHECK_FAILS(n.flush_one(vote(group_a, 5, 2)).status, errc::invalid_request);
    CHECK_FAILS(n.flush_one(vote(group_a, 4, 1)).status, errc::invalid_request);
    // Two votes in one flush are seen too.
    const auto outcomes = n.flush({vote(group_a, 6, 1), vote(group_a, 6, 2)});
    CHECK_OK(outcomes[0].status);
    CHECK_FAILS(outcomes[1].status, errc::invalid_request);
    n.crash();
    CHECK(n.open(group_a).hard == hard_state{6, voted_replica{node_id(1), 1}});
  }

  TEST_CASE("an entry is refused whose term no hard state covers") {
    node n;
    n.open(group_a);
    CHECK_FAILS(n.flush_one(batch_of(group_a, {noop_entry(1, 1)})).status, errc::invalid_request);
    auto together = batch_of(group_a, {noop_entry(1, 1)});
    together.hard = hard_state{1, {}};
    CHECK_OK(n.flush_one(together).status);
    CHECK_FAILS(n.flush_one(batch_of(group_a, {noop_entry(2, 2)})).status, errc::invalid_request);
  }

  TEST_CASE("hard state is durable before the entries that depend on it") {
    // The sync of the entries fails, so that they are lost; the term must be there all the same.
    node n;
    n.open(group_a);
    n.host.files.fail_syncs(".log");
    auto batch = batch_of(group_a, {noop_entry(1, 3)});
    batch.hard = hard_state{3, voted_replica{node_id(2), 7}};
    CHECK_FAILS(n.flush_one(batch).status, errc::storage_failed);
    n.crash();
    const auto opened = n.open(group_a);
    CHECK(opened.hard == hard_state{3, voted_replica{node_id(2), 7}});
    CHECK(opened.last_index == 0);
  }

  TEST_CASE("hard state is read from either copy, and refused when both are damaged (S3)") {
    node n;
    begin(n, group_a);
    const auto copy = [&](char which) { return which + group_key(group_a); };
    REQUIRE(n.host.store.flip_bit(family::hard_state, copy('a'), 9));
    n.restart();
    CHECK(n.open(group_a).hard == hard_state{9, voted_replica{node_id(1), 1}});
    REQUIRE(n.host.store.flip_bit(family::hard_state, copy('b'), 77));
    n.restart();
    CHECK_FAILS(n.logs->open(group_a, small_segments()), errc::storage_damaged);
    CHECK_OK(n.logs->open(group_b, small_segments()));
  }

  TEST_CASE("a log without its hard state, or with an older one, is damage") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, {noop_entry(1, 9)})).status);
    write_batch batch;
    SUBCASE("lost") {
      remove_hard_state(batch, group_a);
    }
    SUBCASE("older") {
      put_hard_state(batch, group_a, {8, {}});
    }
    REQUIRE_OK(n.host.store.write(batch, durability::synced));
    n.restart();
    CHECK_FAILS(n.logs->open(group_a, small_segments()), errc::storage_damaged);
  }

  TEST_CASE("one group's failed sync takes that group out of service and no other") {
    node n;
    begin(n, group_a);
    begin(n, group_b);
    n.host.files.fail_syncs("/0/");
    auto outcomes =
        n.flush({batch_of(group_a, {noop_entry(1, 9)}, 1), batch_of(group_b, {noop_entry(1, 9)}, 2),
                 batch_of(group_a, {noop_entry(2, 9)}, 3)});
    CHECK_FAILS(outcomes[0].status, errc::storage_failed);
    CHECK_OK(outcomes[1].status);
    CHECK_FAILS(outcomes[2].status, errc::storage_failed);
    // No vote either: what the group promised before is no longer known.
    outcomes = n.flush({vote(group_a, 10), batch_of(group_b, {noop_entry(2, 9)})});
    CHECK_FAILS(outcomes[0].status, errc::storage_failed);
    CHECK_OK(outcomes[1].status);
    CHECK(n.logs->statistics().poisoned_groups == 1);
    CHECK(load_hard_state(n.host.store, group_a)->value().term == 9);
  }

  TEST_CASE("a store that cannot write hard states takes the groups out of service") {
    node n;
    begin(n, group_a);
    begin(n, group_b);
    n.host.store.fail_syncs(1);
    const auto outcomes = n.flush({vote(group_a, 10), batch_of(group_b, {noop_entry(1, 9)})});
    CHECK_FAILS(outcomes[0].status, errc::storage_failed);
    CHECK_OK(outcomes[1].status);
    CHECK_FAILS(n.flush_one(vote(group_a, 11)).status, errc::storage_failed);
  }

  TEST_CASE("a batch that does not fit fails with those after it, those before it stand") {
    node n;
    begin(n, group_a);
    const auto outcomes =
        n.flush({batch_of(group_a, {noop_entry(1, 9)}, 1), batch_of(group_a, {noop_entry(5, 9)}, 2),
                 batch_of(group_a, {noop_entry(2, 9)}, 3)});
    CHECK_OK(outcomes[0].status);
    CHECK(outcomes[0].last_index == 1);
    CHECK_FAILS(outcomes[1].status, errc::invalid_request);
    CHECK_FAILS(outcomes[2].status, errc::invalid_request);
    CHECK_OK(n.flush_one(batch_of(group_a, {noop_entry(2, 9)})).status);
  }

  TEST_CASE("a group that is not open is not found") {
    node n;
    CHECK_FAILS(n.flush_one(batch_of(group_a, {noop_entry(1, 1)})).status, errc::not_found);
    CHECK_FAILS(n.logs->trim_prefix(group_a, {1, 0, {}, {}}), errc::not_found);
    CHECK(n.logs->segments(group_a).empty());
    CHECK(n.logs->size_bytes(group_a) == 0);
    CHECK_OK(n.logs->close(group_a));
  }

  TEST_CASE("a conflicting suffix is replaced within one flush") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 10, 0, 10, 5))).status);
    auto replace = batch_of(group_a, records_run(7, 8, 6, 10, 6));
    replace.truncate_from = 7;
    auto more = batch_of(group_a, records_run(9, 9, 8, 10, 6));
    const auto outcomes = n.flush({replace, more});
    CHECK_OK(outcomes[0].status);
    CHECK_OK(outcomes[1].status);
    CHECK(outcomes[0].last_index == 8);
    CHECK(outcomes[1].last_index == 9);
    n.crash();
    const auto opened = n.open(group_a);
    CHECK(opened.last_index == 9);
    CHECK(opened.terms == std::vector<term_run>{{1, 5}, {7, 6}});
  }

  TEST_CASE("a snapshot resets the log and entries follow it in the same batch") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 10))).status);
    auto batch = batch_of(group_a, records_run(51, 52, 70, 10, 8));
    batch.reset = log_base{50, 7, offset_t(70), buffer::copy_of("members")};
    const auto outcome = n.flush_one(batch);
    CHECK_OK(outcome.status);
    CHECK(outcome.last_index == 52);
    n.crash();
    const auto opened = n.open(group_a);
    CHECK(opened.base == log_base{50, 7, offset_t(70), buffer::copy_of("members")});
    CHECK(opened.last_index == 52);
    CHECK(opened.start_offset == offset_t(70));
    CHECK(opened.next_offset == offset_t(72));
  }

  TEST_CASE("in mode interval a flush writes, sync_dirty makes durable, and a crash shows which") {
    node n;
    n.options = options_with(flush_mode::interval);
    n.restart();
    begin(n, group_a);
    begin(n, group_b);
    CHECK_OK(n.flush_one(batch_of(group_a, {noop_entry(1, 9)})).status);
    const auto synced = n.logs->sync_dirty();
    REQUIRE(synced.size() == 1);
    CHECK(synced[0].group == group_a);
    CHECK(synced[0].last_index == 1);
    CHECK_OK(synced[0].status);
    CHECK(n.logs->sync_dirty().empty());
    CHECK_OK(n.flush_one(batch_of(group_a, {noop_entry(2, 9)})).status);
    CHECK_OK(n.flush_one(batch_of(group_b, {noop_entry(1, 9)})).status);
    n.host.files.fail_syncs("/0/");
    for (const auto& outcome : n.logs->sync_dirty())
      CHECK(outcome.status.has_value() == (outcome.group == group_b));
    n.crash();
    CHECK(n.open(group_a).last_index == 1);
    CHECK(n.open(group_b).last_index == 1);
  }

  TEST_CASE("a hard state that is durable although the disk is full is said to be (S7)") {
    node n;
    begin(n, group_a);
    n.host.files.set_capacity(n.host.files.used_bytes());
    std::vector<append_batch> both{batch_of(group_a, {records_entry(1, 9, 0, 1, 9000)}),
                                   batch_of(group_a, {})};
    both[0].hard = hard_state{10, {}};
    both[1].hard = hard_state{11, {}};
    for (const auto& outcome : n.logs->flush(both)) {
      CHECK_FAILS(outcome.status, errc::storage_full);
      CHECK(outcome.hard_is_durable);
    }
    n.host.files.set_capacity(1 << 20);
    // As they were, the first one would take back what the second one said.
    const auto again = n.logs->flush(both);
    CHECK_FAILS(again[0].status, errc::invalid_request);
    for (auto& batch : both)
      batch.hard.reset();
    for (const auto& outcome : n.logs->flush(both))
      CHECK_OK(outcome.status);
  }

  TEST_CASE("a full disk refuses produce and recovers by itself when there is room (S7)") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, {noop_entry(1, 9)})).status);
    CHECK(n.logs->accepts_writes());
    n.host.files.set_capacity(n.host.files.used_bytes() + 900);
    CHECK_FALSE(n.logs->maintain(timestamp_ms(1)).accepts_writes);
    n.host.files.set_capacity(n.host.files.used_bytes());
    const auto large = records_run(2, 2, 0, 100'000, 9);
    CHECK_FAILS(n.flush_one(batch_of(group_a, large)).status, errc::storage_full);
    CHECK_FALSE(n.logs->accepts_writes());
    CHECK(n.logs->statistics().full_refusals == 1);
    CHECK(n.logs->statistics().poisoned_groups == 0);
    CHECK(all_entries(*n.open(group_a).reader).size() == 1);
    n.host.files.set_capacity(1 << 30);
    CHECK(n.logs->maintain(timestamp_ms(2)).accepts_writes);
    CHECK(n.logs->accepts_writes());
    CHECK_OK(n.flush_one(batch_of(group_a, large)).status);
  }

  TEST_CASE("a batch that found no room is as it was, and can be flushed again") {
    node n;
    begin(n, group_a);
    n.host.files.set_capacity(n.host.files.used_bytes());
    const std::vector<append_batch> batches{batch_of(group_a, records_run(1, 1, 0, 100'000, 9), 1),
                                            batch_of(group_a, records_run(2, 2, 1, 100'000, 9), 2)};
    for (const auto& outcome : n.flush(batches))
      CHECK_FAILS(outcome.status, errc::storage_full);
    n.host.files.set_capacity(1 << 30);
    for (const auto& outcome : n.flush(batches))
      CHECK_OK(outcome.status);
    CHECK(all_entries(*n.open(group_a).reader).size() == 2);
  }

  TEST_CASE("a reader outlives the store that made it") {
    node n;
    begin(n, group_a);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 30))).status);
    const auto reader = n.open(group_a).reader;
    n.logs.reset();
    CHECK(all_entries(*reader).size() == 30);
  }

  TEST_CASE("what is written since the last look counts against the free space") {
    node n;
    begin(n, group_a);
    n.host.files.set_capacity(n.host.files.used_bytes() + 100'000);
    n.logs->maintain(timestamp_ms(0));
    CHECK(n.logs->accepts_writes());
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 1, 0, 99'200))).status);
    CHECK_FALSE(n.logs->accepts_writes());
  }

  TEST_CASE("upkeep of many idle groups is spread, so that appends do not wait for all of it") {
    node n;
    n.logs->maintain(timestamp_ms(1));
    for (std::int32_t i = 0; i < 100; ++i) {
      const group_id group{uuid{{1, 2, 3}}, i};
      begin(n, group);
      CHECK_OK(n.flush_one(batch_of(group, records_run(1, 1))).status);
    }
    std::uint32_t closed = 0;
    for (int i = 0; i < 10; ++i) {
      const auto report = n.logs->maintain(timestamp_ms(5000 + i));
      CHECK(report.closed <= 32);
      closed += report.closed;
    }
    CHECK(closed == 100);
    CHECK(n.logs->statistics().open_write_files == 0);
  }

  TEST_CASE("a log that is old when it is opened again goes on in a new segment") {
    node n;
    auto segments = small_segments(1 << 20);
    segments.segment_age_ms = 5000;
    n.logs->maintain(timestamp_ms(10'000));
    n.open(group_a, segments);
    CHECK_OK(n.flush_one(vote(group_a, 9)).status);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 2))).status);
    CHECK_OK(n.logs->close(group_a));
    n.logs->maintain(timestamp_ms(14'999));
    n.open(group_a, segments);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(3, 3, 2))).status);
    CHECK(n.logs->segments(group_a).size() == 1);
    CHECK_OK(n.logs->close(group_a));
    n.logs->maintain(timestamp_ms(15'000));
    n.open(group_a, segments);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(4, 4, 3))).status);
    CHECK(n.logs->segments(group_a).size() == 2);
  }

  TEST_CASE("a group without traces never wrote anything, whatever is left of others") {
    node n;
    CHECK_FALSE(*n.logs->has_traces(group_a));
    begin(n, group_a);
    CHECK(*n.logs->has_traces(group_a));
    CHECK_OK(n.logs->close(group_a));
    CHECK(*n.logs->has_traces(group_a));
    CHECK_FALSE(*n.logs->has_traces(group_b));
    SUBCASE("the hard state alone is one") {
      REQUIRE_OK(n.host.files.remove_tree(group_directory("data", group_a)));
      CHECK(*n.logs->has_traces(group_a));
    }
    SUBCASE("a removal leaves none") {
      REQUIRE_OK(n.logs->remove(group_a));
      CHECK_FALSE(*n.logs->has_traces(group_a));
    }
  }

  TEST_CASE("upkeep rolls by age, marks what grew and closes what is idle") {
    node n;
    auto segments = small_segments(1 << 20);
    segments.segment_age_ms = 5000;
    n.logs->maintain(timestamp_ms(10'000));
    n.open(group_a, segments);
    CHECK_OK(n.flush_one(vote(group_a, 9)).status);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 30, 0, 100))).status);
    auto report = n.logs->maintain(timestamp_ms(10'001));
    CHECK(report.marked == 1);
    CHECK(report.closed == 0);
    CHECK(n.logs->maintain(timestamp_ms(10'002)).marked == 0);
    report = n.logs->maintain(timestamp_ms(11'000));
    CHECK(report.closed == 1);
    CHECK(n.logs->statistics().open_write_files == 0);
    // Opening the file again is nobody's business but the store's.
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(31, 31, 30))).status);
    CHECK(n.logs->statistics().open_write_files == 1);
    CHECK(n.logs->maintain(timestamp_ms(14'999)).rolled == 0);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(32, 32, 31))).status);
    CHECK(n.logs->maintain(timestamp_ms(15'000)).rolled == 1);
    CHECK(n.logs->maintain(timestamp_ms(15'001)).rolled == 0);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(33, 33, 32))).status);
    CHECK(n.logs->segments(group_a).size() == 2);
    CHECK(n.logs->segments(group_a).back().created == timestamp_ms(15'001));
  }

  TEST_CASE("a mark bounds what is read after a crash") {
    node n;
    begin(n, group_a);
    n.logs->configure(group_a, small_segments(1 << 20));
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 100, 0, 100))).status);
    CHECK(n.logs->maintain(timestamp_ms(1)).marked == 1);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(101, 103, 100))).status);
    // The process dies, the machine does not.
    n.host.files.crash_after(0);
    n.logs.reset();
    n.host.files.crash(crash_policy::keep_all());
    n.logs = std::make_unique<log_store>(n.host.files, n.host.store, n.options);
    const auto opened = n.open(group_a);
    CHECK(opened.last_index == 103);
    CHECK(opened.recovery.scanned_entries == 3);
  }

  TEST_CASE("a group that is removed and comes back starts at the beginning") {
    node n;
    begin(n, group_a);
    begin(n, group_b);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 50))).status);
    CHECK_OK(n.flush_one(batch_of(group_b, records_run(1, 5))).status);
    mark_applied(n, group_a, 40);
    mark_applied(n, group_b, 4);
    const auto reader = n.open(group_a).reader;
    REQUIRE_OK(n.logs->remove(group_a));
    CHECK_FALSE(n.logs->is_open(group_a));
    CHECK_FAILS(reader->read_records({offset_t(0), 50, 100}), errc::unknown_partition);
    CHECK_FALSE(*n.host.files.exists(group_directory("data", group_a)));
    CHECK(*n.host.files.exists(group_directory("data", group_b)));
    REQUIRE_OK(n.logs->remove(group_a));

    const auto check_fresh = [&] {
      const auto opened = n.open(group_a);
      CHECK_FALSE(opened.hard);
      CHECK(opened.last_index == 0);
      CHECK(opened.next_offset == offset_t(0));
      CHECK(opened.applied_index == 0);
      CHECK(opened.terms.empty());
    };
    check_fresh();
    n.crash();
    check_fresh();
    CHECK_OK(n.flush_one(vote(group_a, 1)).status);
    CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 3))).status);
    CHECK(all_entries(*n.open(group_a).reader) == records_run(1, 3));
    CHECK(n.open(group_b).last_index == 5);
    REQUIRE_OK(n.logs->remove(group_b));
    REQUIRE_OK(n.logs->remove(group_a));
    // The topic's folder goes with its last partition.
    CHECK(n.host.files.list("data/groups")->empty());
  }

  TEST_CASE("a removal that loses power at any moment is finished, or never began") {
    for (std::uint64_t at = 1; at < 60; ++at)
      for (std::uint64_t seed = 0; seed < 5; ++seed) {
        CAPTURE(at);
        CAPTURE(seed);
        node n;
        begin(n, group_a);
        CHECK_OK(n.flush_one(batch_of(group_a, records_run(1, 40))).status);
        mark_applied(n, group_a, 40);
        REQUIRE_OK(n.host.store.flush());
        // The two kinds of changes fail at different moments.
        if (at % 2 == 0)
          n.host.files.crash_after(at / 2);
        else
          n.host.store.crash_after(at / 2 + 1);
        const bool removed = n.logs->remove(group_a).has_value();
        n.host.files.crash_after(0);
        n.logs.reset();
        n.host.files.crash(crash_policy::random(seed));
        n.host.store.crash(seed);
        n.logs = std::make_unique<log_store>(n.host.files, n.host.store, n.options);
        if (seed % 2 == 0)
          REQUIRE_OK(n.logs->finish_removals([](const group_id&) { return true; }));
        const auto opened = n.open(group_a);
        if (removed)
          CHECK(opened.last_index == 0);
        if (opened.last_index == 0) {
          CHECK_FALSE(opened.hard);
          CHECK(opened.applied_index == 0);
        } else {
          CHECK(opened.last_index == 40);
          CHECK(opened.applied_index == 40);
          CHECK(opened.hard);
        }
      }
  }

  TEST_CASE("ten thousand groups cost nothing until they are written to") {
    node n;
    const auto group = [](int i) { return group_id{uuid{{7, 7}}, i}; };
    for (int i = 0; i < 10'000; ++i)
      n.open(group(i));
    CHECK(n.host.files.counts().opens == 0);
    CHECK(n.host.files.files().empty());
    CHECK(n.logs->statistics().open_groups == 10'000);
    CHECK(n.logs->statistics().open_write_files == 0);
    CHECK_OK(n.flush_one(vote(group(777), 1)).status);
    CHECK_OK(n.flush_one(batch_of(group(777), {noop_entry(1, 1)})).status);
    CHECK(n.logs->statistics().open_write_files == 1);
    CHECK(n.host.files.files().size() == 1);
    n.logs->maintain(timestamp_ms(5000));
    CHECK(n.logs->statistics().open_write_files == 0);
  }

  TEST_CASE("the store loses nothing that it answered for, whenever the power fails") {
    const std::vector<group_id> groups{group_a, group_b, group_c};
    std::uint64_t states = 0;
    for (std::uint64_t script = 1; script <= 4; ++script)
      for (std::uint64_t at = 1; at < 90; ++at) {
        CAPTURE(script);
        CAPTURE(at);
        node n;
        generator random(script);
        std::map<group_id, std::uint64_t> answered;
        std::map<group_id, std::uint64_t> tried;
        std::map<group_id, std::uint64_t> answered_term;
        for (const auto& group : {group_a, group_b, group_c})
          n.open(group);
        n.host.files.crash_after(at);
        if (at % 3 == 0)
          n.host.store.crash_after(at / 3);
        for (int round = 0; round < 25; ++round) {
          std::vector<append_batch> batches;
          auto next = tried;
          const auto term = static_cast<std::uint64_t>(1 + round / 5);
          for (std::uint64_t i = 0; i < 1 + random.below(5); ++i) {
            const auto& group = groups[random.below(groups.size())];
            const auto index = ++next[group];
            auto batch =
                batch_of(group, {records_entry(index, term, static_cast<std::int64_t>(index) - 1, 1,
                                               random.below(300))});
            batch.hard = hard_state{term, voted_replica{node_id(1), 1}};
            batches.push_back(std::move(batch));
          }
          tried = next;
          bool failed = false;
          for (const auto& outcome : n.flush(batches)) {
            failed = failed || !outcome.status;
            if (outcome.status) {
              answered[outcome.group] = outcome.last_index;
              answered_term[outcome.group] = term;
            }
          }
          if (failed)
            break;
        }
        n.crash(crash_policy::random(script * 1000 + at));
        for (const auto& group : {group_a, group_b, group_c}) {
          const auto opened = n.open(group);
          CHECK(opened.last_index >= answered[group]);
          CHECK(opened.last_index <= tried[group]);
          CHECK((opened.hard ? opened.hard->term : 0) >= answered_term[group]);
          CHECK(all_entries(*opened.reader).size() == opened.last_index);
        }
        ++states;
      }
    CHECK(states == 356);
  }
}
