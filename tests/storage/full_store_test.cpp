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

/// A state machine's write: what it did and how far it is.
write_batch write_of(int i) {
  write_batch batch;
  batch.put(family::partition_state, row_of(i), noise(static_cast<std::uint64_t>(i)));
  batch.put(family::partition_state, "applied", std::to_string(i));
  return batch;
}

std::string value_of(const kv& store, std::string_view key) {
  const auto value = store.get(family::partition_state, key);
  REQUIRE_OK(value);
  return value->value_or("(none)");
}

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

void fill_and_make_room(const std::string& disk) {
  const auto ballast = disk + "/ballast";
  std::ofstream(ballast) << std::string(8 << 20, 'x');
  rocksdb_options options;
  options.directory = disk + "/kv";
  options.write_buffer_bytes = 256 << 10;
  auto opened = rocksdb_kv::open(options);
  REQUIRE_OK(opened);
  auto store = std::move(*opened);

  int next = 0;
  result<void> written;
  // A write may be refused while there is still room to write out memory.
  for (bool is_full = false; next < 100'000 && !is_full;) {
    written = store->write(write_of(next), durability::relaxed);
    next += written ? 1 : 0;
    if (!written) {
      CHECK_FAILS(written, errc::storage_full);
      is_full = !store->flush();
    }
  }
  // It stays refused, whatever it is; nothing of it is seen.
  write_batch vote;
  vote.put(family::hard_state, "vote", "1");
  for (int i = 0; i < 20; ++i) {
    CHECK_FAILS(store->write(write_of(next), durability::relaxed), errc::storage_full);
    CHECK_FAILS(store->write(vote, durability::synced), errc::storage_full);
    CHECK_FAILS(store->flush(), errc::storage_full);
  }
  CHECK(value_of(*store, row_of(next)) == "(none)");
  CHECK(value_of(*store, "applied") == std::to_string(next - 1));

  // RocksDB looks for room every five seconds.
  const folder_watch changes(options.directory);
  std::filesystem::remove(ballast);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  do
    changes.await();
  while (!(written = store->write(write_of(next), durability::relaxed)) &&
         std::chrono::steady_clock::now() < patience);
  REQUIRE_OK(written);
  REQUIRE_OK(store->write(vote, durability::synced));
  REQUIRE_OK(store->flush());
  store.reset();

  auto again = rocksdb_kv::open(options);
  REQUIRE_OK(again);
  CHECK(value_of(**again, "applied") == std::to_string(next));
  for (int i = 0; i <= next; ++i)
    if (value_of(**again, row_of(i)) != noise(static_cast<std::uint64_t>(i)))
      FAIL_CHECK(row_of(i) << " of " << next << " is not there");
}

} // namespace

TEST_SUITE("storage.full_store") {
  TEST_CASE("RocksDB on a full disk refuses without effect and goes on when there is room") {
    if (const char* disk = std::getenv(disk_variable)) {
      fill_and_make_room(disk);
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
      MESSAGE("skipped: this system lets nobody mount a disk of his own");
      return;
    }
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    CHECK(in_small_disk(std::string(disk_variable) + "=" + root.path() + " " + self +
                        " --test-suite=storage.full_store") == 0);
  }
}
