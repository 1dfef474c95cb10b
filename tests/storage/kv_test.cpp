// What every key-value store must do, for both implementations; their crash behaviour.
#include "protocol/invariant.hpp"
#include "storage/rocksdb_kv.hpp"
#include "tests/storage/support.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

void put(kv& store, family in, std::string_view key, std::string_view value,
         durability how = durability::relaxed) {
  write_batch batch;
  batch.put(in, key, value);
  REQUIRE_OK(store.write(batch, how));
}

std::string value_of(const kv& store, family in, std::string_view key) {
  const auto value = store.get(in, key);
  REQUIRE_OK(value);
  return value->value_or("(none)");
}

std::string keys_in(const kv& store, family in, std::string_view from, std::string_view to) {
  std::string keys;
  REQUIRE_OK(store.scan(in, from, to, [&](std::string_view key, std::string_view value) {
    keys += std::string(key) + "=" + std::string(value) + " ";
    return true;
  }));
  return keys;
}

std::string last_key(const kv& store, family in, std::string_view from, std::string_view at_most) {
  const auto found = store.last_in(in, from, at_most);
  REQUIRE_OK(found);
  return *found ? (*found)->key : "(none)";
}

/// The files of a folder and their sizes, as far as they stay while one looks.
std::map<std::string, std::uintmax_t> files_of(const std::string& folder) {
  std::map<std::string, std::uintmax_t> files;
  for (const auto& each : std::filesystem::directory_iterator(folder)) {
    std::error_code gone;
    files[each.path().filename()] = each.file_size(gone);
  }
  return files;
}

/// What the files of a store hold at one moment. It writes and removes some on its own: a copy that
/// it came between is no moment's, and is made anew.
void copy_at_rest(const std::string& live, const std::string& copy) {
  for (;;) {
    std::filesystem::remove_all(copy);
    const auto before = files_of(live);
    std::error_code failed;
    std::filesystem::copy(live, copy, std::filesystem::copy_options::recursive, failed);
    if (!failed && files_of(live) == before)
      return;
  }
}

void check_store(kv& store) {
  constexpr auto in = family::partition_state;
  CHECK(value_of(store, in, "a") == "(none)");
  put(store, in, "a", "1");
  put(store, in, "c", "3");
  put(store, in, std::string("\xff\x00z", 3), "high");
  put(store, in, "b", "2");
  put(store, in, "", "empty");
  put(store, family::cluster_state, "b", "other family");
  put(store, family::hard_state, "b", "third family", durability::synced);
  CHECK(value_of(store, in, "b") == "2");
  CHECK(value_of(store, in, "") == "empty");
  CHECK(value_of(store, family::cluster_state, "b") == "other family");
  CHECK(value_of(store, family::hard_state, "b") == "third family");

  // Ranges stay within their family, ends are not included.
  CHECK(keys_in(store, in, "a", "c") == "a=1 b=2 ");
  CHECK(keys_in(store, in, "b", "") == "b=2 c=3 " + std::string("\xff\x00z=high ", 9));
  CHECK(keys_in(store, in, "d", "e").empty());
  CHECK(keys_in(store, in, "c", "a").empty());
  CHECK(keys_in(store, family::cluster_state, "", "") == "b=other family ");
  int visited = 0;
  REQUIRE_OK(
      store.scan(in, "a", "", [&](std::string_view, std::string_view) { return ++visited < 2; }));
  CHECK(visited == 2);

  // The last key of a range, both ends included.
  CHECK(last_key(store, in, "a", "b") == "b");
  CHECK(last_key(store, in, "a", "bb") == "b");
  CHECK(last_key(store, in, "bb", "bz") == "(none)");
  CHECK(last_key(store, in, "", "\xff\xff") == std::string("\xff\x00z", 3));
  CHECK(last_key(store, family::cluster_state, "", "a") == "(none)");

  // Operations of a batch happen in order.
  write_batch batch;
  batch.put(in, "d", "gone");
  batch.remove_range(in, "b", "e");
  batch.put(in, "c", "new");
  batch.remove(in, "a");
  batch.remove(in, "never there");
  batch.remove_range(in, "z", "y");
  REQUIRE_OK(store.write(batch, durability::relaxed));
  CHECK(keys_in(store, in, "a", "f") == "c=new ");
  CHECK(value_of(store, family::cluster_state, "b") == "other family");
  write_batch all;
  all.remove_range(in, "", "");
  REQUIRE_OK(store.write(all, durability::relaxed));
  CHECK(keys_in(store, in, "", "").empty());
  CHECK(value_of(store, family::cluster_state, "b") == "other family");
  CHECK_OK(store.flush());
  CHECK_OK(store.flush());
  CHECK_OK(store.write({}, durability::synced));

  write_batch mixed;
  mixed.put(family::hard_state, "k", "v");
  mixed.put(family::partition_state, "k", "v");
  CHECK_THROWS_AS((void)store.write(mixed, durability::relaxed), invariant_violation);
}

std::unique_ptr<rocksdb_kv> open_rocksdb(const std::string& directory) {
  rocksdb_options options;
  options.directory = directory;
  auto opened = rocksdb_kv::open(options);
  REQUIRE_OK(opened);
  return std::move(*opened);
}

std::int64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:"))
      return std::stoll(line.substr(6));
  return 0;
}

} // namespace

TEST_SUITE("storage.kv") {
  TEST_CASE("the store in memory keeps its contract") {
    memory_kv store;
    check_store(store);
  }

  TEST_CASE("the store on RocksDB keeps its contract") {
    const temporary_directory root;
    const auto store = open_rocksdb(root.path() + "/kv");
    check_store(*store);
  }

  TEST_CASE("the end of a prefix is the next string of its length, if there is one") {
    CHECK(end_of_prefix("a") == "b");
    CHECK(end_of_prefix("a\xff") == "b");
    CHECK(end_of_prefix("\xff\xff").empty());
    CHECK(end_of_prefix("").empty());
  }

  TEST_CASE("a crash of the store in memory leaves a prefix per class, from what was durable on") {
    std::set<std::string> logged_seen;
    std::set<std::string> unlogged_seen;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      memory_kv store;
      put(store, family::hard_state, "l", "0", durability::synced);
      put(store, family::partition_state, "u", "0");
      REQUIRE_OK(store.flush());
      for (int i = 1; i <= 3; ++i) {
        put(store, family::log_state, "l", std::to_string(i));
        write_batch both;
        both.put(family::partition_state, "u", std::to_string(i));
        both.put(family::cluster_state, "u", std::to_string(i));
        REQUIRE_OK(store.write(both, durability::relaxed));
      }
      store.crash(seed);
      CHECK(value_of(store, family::hard_state, "l") == "0");
      logged_seen.insert(value_of(store, family::log_state, "l"));
      const auto state = value_of(store, family::partition_state, "u");
      unlogged_seen.insert(state);
      CHECK(value_of(store, family::cluster_state, "u") == (state == "0" ? "(none)" : state));
    }
    CHECK(logged_seen == std::set<std::string>{"(none)", "1", "2", "3"});
    CHECK(unlogged_seen == std::set<std::string>{"0", "1", "2", "3"});
  }

  TEST_CASE("a synced write of one class makes nothing of the other durable") {
    memory_kv store;
    put(store, family::partition_state, "u", "1");
    put(store, family::log_state, "l", "1");
    put(store, family::hard_state, "h", "1", durability::synced);
    store.crash();
    CHECK(value_of(store, family::hard_state, "h") == "1");
    CHECK(value_of(store, family::log_state, "l") == "1");
    CHECK(value_of(store, family::partition_state, "u") == "(none)");
  }

  TEST_CASE("the store in memory fails on demand and falls back at a crash") {
    memory_kv store;
    put(store, family::hard_state, "h", "1", durability::synced);
    write_batch batch;
    batch.put(family::hard_state, "h", "2");
    store.fail_syncs(1);
    CHECK_FAILS(store.write(batch, durability::synced), errc::storage_failed);
    CHECK(value_of(store, family::hard_state, "h") == "1");
    store.crash_after(2);
    CHECK_OK(store.write(batch, durability::relaxed));
    CHECK_FAILS(store.write(batch, durability::relaxed), errc::storage_failed);
    CHECK_FAILS(store.flush(), errc::storage_failed);
    store.crash();
    CHECK(value_of(store, family::hard_state, "h") == "1");
    CHECK_OK(store.write(batch, durability::synced));
    CHECK(value_of(store, family::hard_state, "h") == "2");
  }

  TEST_CASE("the store in memory refuses some relaxed writes and goes on") {
    memory_kv store;
    store.refuse_writes(4, 7);
    std::map<std::string, bool> taken;
    for (int i = 0; i < 200; ++i) {
      write_batch batch;
      batch.put(family::partition_state, std::to_string(i), "1");
      const auto written = store.write(batch, durability::relaxed);
      if (!written)
        CHECK_FAILS(written, errc::storage_full);
      taken[std::to_string(i)] = written.has_value();
    }
    CHECK(store.refused_count() > 20);
    CHECK(store.refused_count() < 100);
    for (const auto& [key, is_there] : taken)
      CHECK(value_of(store, family::partition_state, key) == (is_there ? "1" : "(none)"));

    store.refuse_writes(1);
    write_batch batch;
    batch.put(family::hard_state, "h", "1");
    CHECK_FAILS(store.write(batch, durability::relaxed), errc::storage_full);
    CHECK_OK(store.write(batch, durability::synced));
    store.refuse_writes(0);
    CHECK_OK(store.write(batch, durability::relaxed));
  }

  TEST_CASE("RocksDB keeps everything over a clean restart") {
    const temporary_directory root;
    {
      const auto store = open_rocksdb(root.path() + "/kv");
      put(*store, family::hard_state, "h", "1", durability::synced);
      put(*store, family::log_state, "l", "2");
      put(*store, family::partition_state, "u", "3");
    }
    const auto store = open_rocksdb(root.path() + "/kv");
    CHECK(value_of(*store, family::hard_state, "h") == "1");
    CHECK(value_of(*store, family::log_state, "l") == "2");
    CHECK(value_of(*store, family::partition_state, "u") == "3");
  }

  TEST_CASE("RocksDB, killed, keeps logged writes and unlogged ones up to the last flush") {
    const temporary_directory root;
    const auto live = root.path() + "/live";
    const auto copy = root.path() + "/copy";
    const auto store = open_rocksdb(live);
    put(*store, family::partition_state, "flushed", "1");
    REQUIRE_OK(store->flush());
    put(*store, family::partition_state, "unflushed", "1");
    put(*store, family::offset_index, "logged", "1");
    put(*store, family::hard_state, "synced", "1", durability::synced);
    put(*store, family::partition_state, "unflushed too", "1");
    put(*store, family::hard_state, "later", "1");

    // What the files hold now is what a killed process leaves.
    copy_at_rest(live, copy);
    const auto left = open_rocksdb(copy);

    CHECK(value_of(*left, family::partition_state, "flushed") == "1");
    CHECK(value_of(*left, family::partition_state, "unflushed") == "(none)");
    CHECK(value_of(*left, family::partition_state, "unflushed too") == "(none)");
    CHECK(value_of(*left, family::offset_index, "logged") == "1");
    CHECK(value_of(*left, family::hard_state, "synced") == "1");
    CHECK(value_of(*left, family::hard_state, "later") == "1");
  }

  TEST_CASE("RocksDB's unlogged class is a consistent prefix when it flushes on its own") {
    const temporary_directory root;
    const auto live = root.path() + "/live";
    rocksdb_options options;
    options.directory = live;
    options.write_buffer_bytes = 256 << 10;
    auto store = rocksdb_kv::open(options);
    REQUIRE_OK(store);
    for (int i = 0; i < 2000; ++i) {
      write_batch batch;
      batch.put(family::partition_state, "n", std::to_string(i));
      batch.put(family::cluster_state, "n", std::to_string(i));
      batch.put(family::partition_state, "fill" + std::to_string(i), std::string(1000, 'x'));
      REQUIRE_OK((*store)->write(batch, durability::relaxed));
      if (i % 500 == 499) {
        const auto copy = root.path() + "/copy" + std::to_string(i);
        copy_at_rest(live, copy);
        const auto left = open_rocksdb(copy);
        const auto n = value_of(*left, family::partition_state, "n");
        CHECK(value_of(*left, family::cluster_state, "n") == n);
        if (n != "(none)") {
          CHECK(value_of(*left, family::partition_state, "fill" + n) != "(none)");
          CHECK(value_of(*left, family::partition_state,
                         "fill" + std::to_string(std::stoi(n) + 1)) == "(none)");
        }
      }
    }
  }

  TEST_CASE("a second store on the same directory is refused") {
    const temporary_directory root;
    const auto store = open_rocksdb(root.path());
    rocksdb_options options;
    options.directory = root.path();
    CHECK_FAILS(rocksdb_kv::open(options), errc::storage_failed);
  }

  TEST_CASE("an idle RocksDB store is small and opens fast") {
    const temporary_directory root;
    const auto before = resident_kib();
    const auto begun = std::chrono::steady_clock::now();
    const auto store = open_rocksdb(root.path());
    const auto took =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun);
    put(*store, family::hard_state, "h", "1", durability::synced);
    const auto grown = resident_kib() - before;
    MESSAGE("opened in ", took.count(), " ms, resident memory grew by ", grown, " KiB");
    // The sanitizers' shadow memory counts as resident.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(grown < 16 * 1024);
#endif
    CHECK(took.count() < 1000);
  }
}
