// State that the store refused: what becomes one write of it, and what is too much.
#include "actors/storage_pool/unwritten_states.hpp"
#include "storage/memory_kv.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using storage::family;

TEST_SUITE_BEGIN("actors.unwritten_states");

namespace {

constexpr group_id group_a{uuid{{1}}, 0};
constexpr group_id group_b{uuid{{2}}, 0};

storage_write_state write_of(const group_id& group) {
  storage_write_state write;
  write.group = group;
  write.generation = 3;
  return write;
}

storage_write_state put_of(const group_id& group, const std::string& key,
                           const std::string& value) {
  auto write = write_of(group);
  write.batch.put(family::partition_state, key, value);
  return write;
}

} // namespace

TEST_CASE("what waits of a group has the effect of its writes in order") {
  std::vector<storage_write_state> writes;
  writes.push_back(put_of(group_a, "a", "1"));
  writes.back().batch.put(family::partition_state, "b", "1");
  writes.back().batch.put(family::cluster_state, "b", "of another family");
  writes.push_back(put_of(group_a, "c", "1"));
  writes.back().batch.remove(family::partition_state, "a");
  writes.push_back(write_of(group_a));
  writes.back().batch.remove_range(family::partition_state, "b", "d");
  writes.back().batch.put(family::partition_state, "ca", "2");
  writes.push_back(put_of(group_a, "ca", "3"));
  writes.back().batch.put(family::partition_state, "z", "3");
  writes.back().batch.remove_range(family::partition_state, "y", "");
  writes.push_back(put_of(group_a, "a", "4"));

  // What was there before.
  storage::write_batch old;
  for (const auto* key : {"a", "b", "bb", "c", "ca", "d", "y", "z"})
    old.put(family::partition_state, key, "old");
  storage::memory_kv in_order;
  storage::memory_kv at_once;
  unwritten_states waiting(1 << 20);
  for (auto* store : {&in_order, &at_once})
    REQUIRE(store->write(old, storage::durability::relaxed));
  for (const auto& write : writes) {
    REQUIRE(in_order.write(write.batch, storage::durability::relaxed));
    CHECK(waiting.add(write));
  }
  const auto merged = waiting.find(group_a);
  REQUIRE(merged);
  CHECK(merged->group == group_a);
  CHECK(merged->generation == 3);
  REQUIRE(at_once.write(merged->batch, storage::durability::relaxed));
  CHECK(at_once.fingerprint() == in_order.fingerprint());
}

TEST_CASE("rows that are written again and again take the room of one") {
  unwritten_states waiting(1000);
  for (int i = 0; i < 1000; ++i)
    CHECK(waiting.add(put_of(group_a, "key", std::to_string(i))));
  CHECK(waiting.find(group_a)->batch.operations().size() == 1);
  CHECK(waiting.find(group_a)->batch.operations().front().value == "999");
  CHECK(waiting.bytes() > 0);
  CHECK(waiting.bytes() < 300);
  waiting.drop(group_a);
  CHECK(waiting.bytes() == 0);
  CHECK(waiting.empty());
}

TEST_CASE("the last wish to trim the log stays with what waits") {
  unwritten_states waiting(1 << 20);
  auto first = put_of(group_a, "a", "1");
  first.trim_before = 17;
  CHECK(waiting.add(first));
  CHECK(waiting.add(put_of(group_a, "b", "1")));
  CHECK(waiting.find(group_a)->trim_before == 17);
  first.trim_before = 18;
  CHECK(waiting.add(first));
  CHECK(waiting.find(group_a)->trim_before == 18);
}

TEST_CASE("a group of which too much waits is given up until it is dropped") {
  unwritten_states waiting(1000);
  CHECK(waiting.add(put_of(group_a, "a", std::string(300, 'v'))));
  CHECK(waiting.add(put_of(group_b, "a", "1")));
  CHECK_FALSE(waiting.add(put_of(group_a, "b", std::string(600, 'v'))));

  // Nothing of it may be written: rows are missing.
  CHECK(waiting.contains(group_a));
  CHECK_FALSE(waiting.find(group_a));
  CHECK(waiting.add(put_of(group_a, "c", "1")));
  CHECK_FALSE(waiting.find(group_a));
  CHECK(waiting.groups() == std::vector{group_b});
  CHECK(waiting.bytes() < 300);
  CHECK_FALSE(waiting.empty());
  waiting.drop(group_b);
  // What failures of others there will be is said again.
  CHECK(waiting.empty());

  waiting.drop(group_a);
  CHECK_FALSE(waiting.contains(group_a));
  CHECK(waiting.add(put_of(group_a, "c", "1")));
  CHECK(waiting.find(group_a));
}

TEST_SUITE_END();
