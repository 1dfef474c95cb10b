// Taking over a state: what may be read, what is installed with it, and what an opening after a
// crash in the middle makes of it.
#include "storage/group_state.hpp"
#include "tests/storage/support.hpp"

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

struct host {
  machine under;
  std::unique_ptr<log_store> logs;

  host() { start(); }
  void start() {
    store_options options;
    options.directory = "data";
    logs = std::make_unique<log_store>(under.files, under.store, options);
  }
  void crash() {
    under.files.crash_after(0);
    under.store.crash_after(0);
    logs.reset();
    under.files.crash(crash_policy::drop_all());
    under.store.crash();
    start();
  }
  opened_group open() {
    auto opened = logs->open(group_a, small_segments());
    REQUIRE_MESSAGE(opened.has_value(), why(opened));
    return *opened;
  }
  /// Entries of a term, after a hard state of that term.
  void append(std::uint64_t first, std::uint64_t last, std::uint64_t term) {
    append_batch batch;
    batch.group = group_a;
    batch.hard = hard_state{term, std::nullopt};
    for (auto index = first; index <= last; ++index)
      batch.entries.push_back(noop_entry(index, term));
    const auto done = logs->flush({&batch, 1});
    CHECK_OK(done.front().status);
  }
  void apply(std::uint64_t index) {
    write_batch batch;
    batch.put(family::partition_state, group_prefix(group_a) + "a", std::to_string(index));
    put_applied_index(batch, group_a, index);
    REQUIRE_OK(under.store.write(batch, durability::synced));
  }
  std::string value() {
    const auto found = under.store.get(family::partition_state, group_prefix(group_a) + "a");
    REQUIRE_OK(found);
    return found->value_or("");
  }
};

state_place place() {
  return {family::partition_state, group_prefix(group_a)};
}

group_state state_at(std::uint64_t base, std::uint64_t applied, std::uint64_t term) {
  group_state state;
  state.mark.base = {base, term, offset_t(7), buffer::copy_of("members")};
  state.mark.applied_index = applied;
  state.mark.applied_term = term;
  state.rows = {{"a", "installed"}, {"b", "too"}};
  return state;
}

} // namespace

TEST_SUITE("storage.group_state") {
  TEST_CASE("the state of a log that lost entries is read as it is, without storage's own keys") {
    host leader;
    (void)leader.open();
    leader.append(1, 20, 3);
    leader.apply(15);
    CHECK_FAILS(leader.logs->read_state(group_a, place()), errc::conflict);
    CHECK_FAILS(leader.logs->read_state(group_b, place()), errc::not_found);
    CHECK_OK(leader.logs->trim_prefix(group_a, {10, 0, offset_t(-1), buffer::copy_of("m")}));
    const auto state = leader.logs->read_state(group_a, place());
    REQUIRE_OK(state);
    CHECK(state->mark.base.index == 10);
    CHECK(state->mark.base.term == 3);
    CHECK(state->mark.base.data.text() == "m");
    CHECK(state->mark.applied_index == 15);
    CHECK(state->mark.applied_term == 3);
    REQUIRE(state->rows.size() == 1);
    CHECK(state->rows[0].key == "a");
    CHECK(state->rows[0].value == "15");
  }

  TEST_CASE("an installed state takes the place of the old one; its log is reset at the opening") {
    host follower;
    (void)follower.open();
    follower.append(1, 5, 2);
    follower.apply(3);
    append_batch newer;
    newer.group = group_a;
    newer.hard = hard_state{3, std::nullopt};
    const auto done = follower.logs->flush({&newer, 1});
    CHECK_OK(done.front().status);
    CHECK_OK(follower.logs->install_state(group_a, place(), state_at(10, 12, 3)));
    CHECK(follower.value() == "installed");

    follower.crash();
    auto opened = follower.open();
    CHECK(opened.base.index == 10);
    CHECK(opened.base.data.text() == "members");
    CHECK(opened.last_index == 10);
    CHECK(opened.next_offset == offset_t(7));
    CHECK(opened.applied_index == 12);
    CHECK(opened.applied_in_log == 10);

    // Another leader's entries stand where the state is ahead: they are not the ones it knows.
    follower.append(11, 13, 4);
    follower.crash();
    opened = follower.open();
    CHECK(opened.last_index == 13);
    CHECK(opened.applied_in_log == 10);
  }

  TEST_CASE("a log that reaches the end of the state is known up to there") {
    host follower;
    (void)follower.open();
    follower.append(1, 5, 3);
    follower.apply(3);
    CHECK_OK(follower.logs->install_state(group_a, place(), state_at(10, 12, 3)));
    follower.crash();
    (void)follower.open();
    follower.append(11, 11, 3);
    CHECK(follower.open().applied_in_log == 10);
    follower.append(12, 14, 3);
    CHECK(follower.open().applied_in_log == 12);
    follower.crash();
    CHECK(follower.open().applied_in_log == 12);
    follower.apply(14);
    CHECK(follower.open().applied_in_log == 14);
  }

  TEST_CASE("a log that has the base keeps what follows it") {
    host follower;
    (void)follower.open();
    follower.append(1, 14, 3);
    follower.apply(3);
    CHECK_OK(follower.logs->install_state(group_a, place(), state_at(10, 20, 3)));
    follower.crash();
    const auto opened = follower.open();
    CHECK(opened.base.index == 0);
    CHECK(opened.last_index == 14);
    CHECK(opened.applied_in_log == 10);
  }

  TEST_CASE("a state that is not newer, or of a term that is not here, is refused") {
    host follower;
    (void)follower.open();
    follower.append(1, 5, 3);
    follower.apply(5);
    const auto refused = [&](const group_state& state) {
      CHECK_FAILS(follower.logs->install_state(group_a, place(), state), errc::invalid_request);
      CHECK(follower.value() == "5");
    };
    refused(state_at(4, 5, 3));
    refused(state_at(10, 12, 4));
    refused(state_at(0, 12, 3));
    CHECK_FAILS(follower.logs->install_state(group_b, place(), state_at(1, 2, 1)), errc::not_found);
  }

  TEST_CASE("a state that cannot be written takes the group out of service") {
    host follower;
    (void)follower.open();
    follower.append(1, 5, 3);
    follower.under.store.fail_syncs(1);
    CHECK_FAILS(follower.logs->install_state(group_a, place(), state_at(10, 12, 3)),
                errc::storage_failed);
    CHECK_FAILS(follower.logs->install_state(group_a, place(), state_at(10, 12, 3)),
                errc::storage_failed);
  }

  TEST_CASE("a note that is damaged is said") {
    host follower;
    (void)follower.open();
    follower.append(1, 5, 3);
    CHECK_OK(follower.logs->install_state(group_a, place(), state_at(10, 12, 3)));
    CHECK(follower.under.store.flip_bit(family::partition_state,
                                        group_prefix(group_a) + "!installed", 77));
    follower.crash();
    CHECK_FAILS(follower.logs->open(group_a, small_segments()), errc::storage_damaged);
  }
}
