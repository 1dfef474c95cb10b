// RocksDB on a disk that is full, a small one of memory, which needs a mount: the test runs itself
// once more where it may make one. What it refuses has no effect, so that it can be written again.
#include "storage/rocksdb_kv.hpp"
#include "tests/storage/support.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

constexpr const char* disk_variable = "AQUEDUCT_FULL_DISK";

/// Bytes that cannot be compressed, other ones for each number.
std::string noise(std::uint64_t number) {
  std::string bytes;
  while (bytes.size() < 4000) {
    number = number * 6364136223846793005ull + 1442695040888963407ull;
    bytes += static_cast<char>(number >> 56);
  }
  return bytes;
}

std::string row_of(int i) {
  return "row " + std::to_string(i);
}

/// What was done and how far it is.
write_batch write_of(family in, int i) {
  write_batch batch;
  batch.put(in, row_of(i), noise(static_cast<std::uint64_t>(i)));
  batch.put(in, "applied", std::to_string(i));
  return batch;
}

std::string value_of(const kv& store, family in, std::string_view key) {
  const auto value = store.get(in, key);
  REQUIRE_OK(value);
  return value->value_or("(none)");
}

/// What RocksDB warns of, from its threads.
class warnings {
public:
  void add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    all_.append(text).append("\n");
  }
  [[nodiscard]] std::string all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

private:
  mutable std::mutex mutex_;
  std::string all_;
};

/// Tells when something happens in a folder.
class folder_watch {
public:
  explicit folder_watch(const std::string& folder) : fd_(::inotify_init1(IN_CLOEXEC)) {
    REQUIRE(::inotify_add_watch(fd_, folder.c_str(), IN_ALL_EVENTS) >= 0);
  }
  folder_watch(const folder_watch&) = delete;
  folder_watch& operator=(const folder_watch&) = delete;
  ~folder_watch() { (void)::close(fd_); }

  /// Until then, or for a while: what follows the last change of a file makes none.
  void await() const {
    pollfd what{fd_, POLLIN, 0};
    if (::poll(&what, 1, 100) > 0) {
      char events[4096];
      CHECK(::read(fd_, events, sizeof events) > 0);
    }
  }

private:
  int fd_;
};

rocksdb_options options_on(const std::string& disk, std::uint64_t write_buffer_bytes,
                           std::uint64_t keep_free_bytes) {
  rocksdb_options options;
  options.directory = disk + "/kv";
  options.write_buffer_bytes = write_buffer_bytes;
  options.keep_free_bytes = keep_free_bytes;
  return options;
}

/// Rows of a family until one is refused even though what is in memory was to be written out just
/// before; returns how many were taken.
int fill(kv& store, family in) {
  int next = 0;
  for (int refused = 0; next < 100'000 && refused < 2;) {
    const auto written = store.write(write_of(in, next), durability::relaxed);
    if (written) {
      ++next;
      refused = 0;
      continue;
    }
    CHECK_FAILS(written, errc::storage_full);
    ++refused;
    (void)store.flush();
  }
  return next;
}

void fill_and_make_room(const std::string& disk, family in) {
  const auto ballast = disk + "/ballast";
  std::ofstream(ballast) << std::string(8 << 20, 'x');
  warnings heard;
  auto options = options_on(disk, 256 << 10, 1 << 20);
  options.warn = [&](std::string_view text) { heard.add(text); };
  auto opened = rocksdb_kv::open(options);
  REQUIRE_OK(opened);
  auto store = std::move(*opened);

  int next = fill(*store, in);
  // It stays refused, whatever it is; nothing of it is seen. Only what is logged may go on by
  // itself, when a compaction has freed something.
  write_batch vote;
  vote.put(family::hard_state, "vote", "1");
  for (int i = 0; i < 20; ++i) {
    const auto again = store->write(write_of(in, next), durability::relaxed);
    if (again && is_logged(in)) {
      ++next;
      continue;
    }
    CHECK_FAILS(again, errc::storage_full);
    if (!is_logged(in)) {
      CHECK_FAILS(store->write(vote, durability::synced), errc::storage_full);
      CHECK_FAILS(store->flush(), errc::storage_full);
    }
  }
  CHECK(value_of(*store, in, row_of(next)) == "(none)");
  CHECK(value_of(*store, in, "applied") == std::to_string(next - 1));
  // RocksDB's own words, which it would have put into a file that it dies of.
  if (!is_logged(in))
    CHECK(heard.all().find("No space left on device") != std::string::npos);

  // RocksDB looks for room every five seconds.
  const folder_watch changes(options.directory);
  std::filesystem::remove(ballast);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  result<void> written;
  do
    changes.await();
  while (!(written = store->write(write_of(in, next), durability::relaxed)) &&
         std::chrono::steady_clock::now() < patience);
  REQUIRE_OK(written);
  REQUIRE_OK(store->write(vote, durability::synced));
  REQUIRE_OK(store->flush());
  store.reset();

  auto again = rocksdb_kv::open(options);
  REQUIRE_OK(again);
  CHECK(value_of(**again, in, "applied") == std::to_string(next));
  for (int i = 0; i <= next; ++i)
    if (value_of(**again, in, row_of(i)) != noise(static_cast<std::uint64_t>(i)))
      FAIL_CHECK(row_of(i) << " of " << next << " is not there");
  for (const auto& entry : std::filesystem::directory_iterator(options.directory))
    CHECK_MESSAGE(!entry.path().filename().string().starts_with("LOG"), "a log file of RocksDB");
}

/// Everything that is free, taken by somebody else.
void take_all(const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  const std::string chunk(64 << 10, 'x');
  while (file.write(chunk.data(), static_cast<std::streamsize>(chunk.size())).flush()) {
  }
}

std::uint64_t free_bytes(const std::string& disk) {
  return std::filesystem::space(disk).available;
}

/// A flush and a start begin another log, which has to have room as the one before had.
void flush_and_restart_nearly_full(const std::string& disk) {
  const auto options = options_on(disk, 2 << 20, 4 << 20);
  auto opened = rocksdb_kv::open(options);
  REQUIRE_OK(opened);
  auto store = std::move(*opened);
  std::ofstream(disk + "/ballast") << std::string(free_bytes(disk) - (3 << 20), 'x');
  REQUIRE(free_bytes(disk) < options.keep_free_bytes);
  write_batch state;
  state.put(family::partition_state, "state", "1");
  int next = 0;
  for (int i = 0; i < 10; ++i) {
    REQUIRE_OK(store->write(write_of(family::hard_state, next++), durability::synced));
    REQUIRE_OK(store->write(state, durability::synced));
  }
  store.reset();
  opened = rocksdb_kv::open(options);
  REQUIRE_OK(opened);
  store = std::move(*opened);
  REQUIRE_OK(store->write(write_of(family::hard_state, next), durability::synced));
  REQUIRE_OK(store->write(state, durability::synced));

  // From here on nothing at all is free.
  take_all(disk + "/others");
  REQUIRE_OK(store->write(write_of(family::hard_state, ++next), durability::synced));
  CHECK(value_of(*store, family::hard_state, "applied") == std::to_string(next));
}

void others_fill_it(const std::string& disk) {
  const auto options = options_on(disk, 2 << 20, 4 << 20);
  auto opened = rocksdb_kv::open(options);
  REQUIRE_OK(opened);
  auto store = std::move(*opened);
  const auto in = family::hard_state;
  REQUIRE_OK(store->write(write_of(in, 0), durability::synced));
  const auto ballast = disk + "/ballast";
  take_all(ballast);

  // What RocksDB has taken already is enough to trim a log or to remove a topic.
  int next = 1;
  result<void> written;
  while (next < 1'000 && (written = store->write(write_of(in, next), durability::synced)))
    ++next;
  CHECK_FAILS(written, errc::storage_full);
  CHECK_MESSAGE(written.error().message.find("are free on its disk") != std::string::npos,
                written.error().message);
  CHECK(next > 100);
  CHECK(value_of(*store, in, "applied") == std::to_string(next - 1));

  // RocksDB was never stopped.
  std::filesystem::remove(ballast);
  REQUIRE_OK(store->write(write_of(in, next), durability::synced));
  store.reset();
  auto again = rocksdb_kv::open(options);
  REQUIRE_OK(again);
  CHECK(value_of(**again, in, "applied") == std::to_string(next));
}

/// Does it where the disk is given; else runs the test once more where there is one.
void on_small_disk(const std::string& test, const std::function<void(const std::string&)>& what) {
  if (const char* disk = std::getenv(disk_variable)) {
    what(disk);
    return;
  }
  const temporary_directory root;
  const auto in_small_disk = [&](const std::string& command) {
    const auto whole = "unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=16m "
                       "tmpfs " +
                       root.path() + " && " + command + "'";
    return std::system(whole.c_str());
  };
  if (in_small_disk("true") != 0) {
    MESSAGE("a store on a full disk is not tested: this system lets nobody mount one of his own");
    return;
  }
  const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  CHECK(in_small_disk(std::string(disk_variable) + "=" + root.path() + " " + self +
                      " --test-suite=storage.full_store --test-case=\"" + test + "\"") == 0);
}

} // namespace

TEST_SUITE("storage.full_store") {
  TEST_CASE("tables find the disk full") {
    on_small_disk("tables find the disk full", [](const std::string& disk) {
      fill_and_make_room(disk, family::partition_state);
    });
  }

  TEST_CASE("logged writes find the disk full") {
    on_small_disk("logged writes find the disk full",
                  [](const std::string& disk) { fill_and_make_room(disk, family::offset_index); });
  }

  TEST_CASE("others fill the disk") {
    on_small_disk("others fill the disk", others_fill_it);
  }

  TEST_CASE("a flush and a start on a nearly full disk") {
    on_small_disk("a flush and a start on a nearly full disk", flush_and_restart_nearly_full);
  }
}
