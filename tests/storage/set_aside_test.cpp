// Removals that keep the files: those of a damaged replica stay until another one has taken its
// place.
#include "tests/storage/store_node.hpp"

#include <algorithm>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

/// Files of group_a, those that are set aside or the others.
std::vector<std::string> files_of_group(const node& n, bool set_aside) {
  std::vector<std::string> found;
  const auto directory = group_directory("data", group_a) + "/";
  for (const auto& path : n.host.files.files())
    if (path.starts_with(directory) && path.ends_with(".damaged") == set_aside)
      found.push_back(path);
  return found;
}

/// A log of several segments whose state has applied it.
void fill(node& n) {
  begin(n, group_a);
  for (std::uint64_t i = 1; i <= 40; ++i)
    CHECK_OK(n.flush_one(batch_of(group_a, {records_entry(i, 9, static_cast<std::int64_t>(i) - 1)}))
                 .status);
  mark_applied(n, group_a, 40);
  REQUIRE_OK(n.host.store.flush());
}

void check_empty(const opened_group& opened) {
  CHECK(opened.last_index == 0);
  CHECK_FALSE(opened.hard);
  CHECK(opened.applied_index == 0);
}

} // namespace

TEST_SUITE_BEGIN("storage.set_aside");

TEST_CASE("a group whose files are set aside is new, and they stay as they are until discarded") {
  node n;
  fill(n);
  const auto before = files_of_group(n, false);
  REQUIRE(before.size() > 2);
  const auto bytes = n.host.files.contents(before[1]);

  REQUIRE_OK(n.logs->remove(group_a, removal_kind::set_aside));
  CHECK(files_of_group(n, false).empty());
  CHECK(files_of_group(n, true).size() == before.size());
  check_empty(n.open(group_a));
  CHECK_OK(n.flush_one(vote(group_a, 3)).status);
  CHECK_OK(n.flush_one(batch_of(group_a, {records_entry(1, 3, 0)})).status);
  n.crash();
  CHECK(n.open(group_a).last_index == 1);
  CHECK(n.host.files.contents(before[1] + ".damaged") == bytes);

  REQUIRE_OK(n.logs->discard_set_aside(group_a));
  n.crash();
  CHECK(files_of_group(n, true).empty());
  CHECK(n.open(group_a).last_index == 1);
}

TEST_CASE("of two that are set aside one after the other the later one stays") {
  node n;
  fill(n);
  REQUIRE_OK(n.logs->remove(group_a, removal_kind::set_aside));
  begin(n, group_a);
  CHECK_OK(n.flush_one(batch_of(group_a, {records_entry(1, 9, 0)})).status);
  REQUIRE_OK(n.logs->remove(group_a, removal_kind::set_aside));
  CHECK(files_of_group(n, true).size() == 1);
  // Again, without anything new: what is there stays.
  REQUIRE_OK(n.logs->remove(group_a, removal_kind::set_aside));
  CHECK(files_of_group(n, true).size() == 1);
}

TEST_CASE("a removal for ever takes along what was set aside") {
  node n;
  fill(n);
  REQUIRE_OK(n.logs->remove(group_a, removal_kind::set_aside));
  begin(n, group_a);
  REQUIRE_OK(n.logs->remove(group_a));
  CHECK(files_of_group(n, true).empty());
  CHECK(files_of_group(n, false).empty());
}

TEST_CASE("a group that is damaged can be set aside without being opened") {
  node n;
  fill(n);
  REQUIRE_OK(n.logs->close(group_a));
  const auto segments = files_of_group(n, false);
  REQUIRE_OK(n.host.files.remove(segments[1]));
  const auto opened = n.logs->open(group_a, small_segments());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::storage_damaged);
  REQUIRE_OK(n.logs->remove(group_a, removal_kind::set_aside));
  CHECK(files_of_group(n, true).size() == segments.size() - 1);
  check_empty(n.open(group_a));
}

TEST_CASE("a power cut at any change leaves the group whole, or all of its files set aside") {
  for (std::uint64_t at = 0; at < 60; ++at)
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      CAPTURE(at);
      CAPTURE(seed);
      node n;
      fill(n);
      const auto count = files_of_group(n, false).size();
      // The two kinds of changes fail at different moments.
      if (at % 2 == 0)
        n.host.files.crash_after(at / 2);
      else
        n.host.store.crash_after(at / 2 + 1);
      const bool removed = n.logs->remove(group_a, removal_kind::set_aside).has_value();
      n.host.files.crash_after(0);
      n.logs.reset();
      n.host.files.crash(crash_policy::random(seed));
      n.host.store.crash(seed);
      n.restart();
      if (seed % 2 == 0)
        REQUIRE_OK(n.logs->finish_removals([](const group_id& group) { return group == group_a; }));
      else
        REQUIRE_OK(n.logs->finish_removals([](const group_id& group) { return group == group_b; }));
      const auto opened = n.open(group_a);
      if (removed)
        CHECK(opened.last_index == 0);
      if (opened.last_index == 0) {
        check_empty(opened);
        CHECK(files_of_group(n, true).size() == count);
      } else {
        CHECK(opened.last_index == 40);
        CHECK(opened.applied_index == 40);
        CHECK(files_of_group(n, true).empty());
      }
    }
}

TEST_SUITE_END();
