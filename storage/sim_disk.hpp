// A machine's disk in memory, for the simulator and the tests: it keeps apart what was written and
// what is durable, and at a crash loses, keeps or tears what was not synced, as its seed says. It
// outlives "restarts" of the program that uses it. It knows no time: stalls are the simulator's.
//
// The model. Per file: the durable bytes, and the list of writes, truncations and allocations since
// the last successful sync. Per folder: the durable names, and the list of creations, renames and
// removals since its last `sync_directory`. A crash takes any subset of either list, in order, with
// any write torn; so it also covers reordering, holes and lost sizes. A failed sync is that of
// Linux (Rebello et al., ATC 2020): the dirty data is clean from then on, reads go on showing it,
// and the next crash drops it whatever was synced later.
#pragma once

#include "storage/disk.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace aqueduct::storage {

/// What a crash does with what was not synced. The rates are per mille of the operations; what is
/// left of 1000 after `keep` and `tear` is dropped.
struct crash_policy {
  std::uint64_t seed = 1;
  std::uint32_t keep_per_mille = 0;
  std::uint32_t tear_per_mille = 0;
  /// A torn write keeps a prefix of so many bytes' granularity, or any of its units: 1, 512 or
  /// 4096. 0 lets the seed choose for each.
  std::uint32_t tear_unit = 0;

  /// Nothing that was not synced survives.
  [[nodiscard]] static crash_policy drop_all() { return {}; }
  /// Everything survives, as when only the process dies.
  [[nodiscard]] static crash_policy keep_all() { return {1, 1000, 0, 0}; }
  /// The seed chooses rates and units too.
  [[nodiscard]] static crash_policy random(std::uint64_t seed);
};

/// How often what was called; for tests of what a caller costs.
struct disk_counts {
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;
  std::uint64_t directory_syncs = 0;
  std::uint64_t opens = 0;
  std::uint64_t reads = 0;
  std::uint64_t allocates = 0;
  std::uint64_t truncates = 0;
  /// All calls that change something or make it durable, which `crash_after` counts.
  std::uint64_t changes = 0;
};

/// How often a fault did something, over the life of the disk.
struct disk_faults {
  std::uint64_t failed_syncs = 0;
  /// Calls that found no room.
  std::uint64_t full = 0;
  /// Writes of which a part, not all, reached the file before an error.
  std::uint64_t short_writes = 0;
  /// Writes of which a crash kept a part, not all.
  std::uint64_t torn_writes = 0;
  /// Writes that a crash kept although it took an earlier one of the same file.
  std::uint64_t holes = 0;
  /// Creations, renames and removals that a crash took back.
  std::uint64_t lost_names = 0;
};

/// Thread-safe. Deterministic: the same calls and seeds give the same bytes.
class sim_disk final : public disk {
public:
  /// `capacity_bytes` is what fits before calls fail with storage_full.
  explicit sim_disk(std::uint64_t capacity_bytes = std::uint64_t{1} << 40);
  ~sim_disk() override;
  sim_disk(const sim_disk&) = delete;
  sim_disk& operator=(const sim_disk&) = delete;

  [[nodiscard]] result<std::shared_ptr<file>> open(const std::string& path,
                                                   open_mode mode) override;
  result<void> make_directories(const std::string& path) override;
  result<void> sync_directory(const std::string& path) override;
  result<void> rename(const std::string& from, const std::string& to) override;
  result<void> remove(const std::string& path) override;
  result<void> remove_tree(const std::string& path) override;
  [[nodiscard]] result<std::vector<std::string>> list(const std::string& path) override;
  [[nodiscard]] result<bool> exists(const std::string& path) override;
  [[nodiscard]] result<std::unique_ptr<file_lock>> lock_file(const std::string& path) override;
  [[nodiscard]] result<disk_space> space(const std::string& path) override;

  // -- crashes ---------------------------------------------------------------------------------

  /// Power is lost and comes back: what is visible is what the policy left, all of it durable. Open
  /// files and locks of before are dead; every call on them fails. Faults that wait to happen once
  /// are forgotten, bad sectors stay.
  void crash(const crash_policy& policy);
  /// The `changes`-th changing call from now on is the last that has an effect (which may be torn
  /// or lost as it is not synced); it and every call after it fail until `crash` is called.
  /// 0: nothing from now on succeeds.
  void crash_after(std::uint64_t changes);
  /// True from the moment that `crash_after` has struck until `crash`.
  [[nodiscard]] bool is_powerless() const;
  /// Empties the disk, as when it is replaced. Open files are dead.
  void wipe();

  // -- faults ----------------------------------------------------------------------------------

  /// The next `times` syncs of files whose path contains `part` fail.
  void fail_syncs(const std::string& part, std::uint32_t times = 1);
  /// Writes to files whose path contains `part` fail with EIO, after `bytes` more bytes of them,
  /// once.
  void fail_write(const std::string& part, std::uint64_t bytes);
  /// The next `times` removals of files or folders whose path contains `part` fail, and remove
  /// nothing.
  void fail_removals(const std::string& part, std::uint32_t times = 1);
  /// Reads that touch [from, from + size) of `path` fail until `heal_reads`.
  void fail_reads(const std::string& path, std::uint64_t from, std::uint64_t size);
  void heal_reads();
  void set_capacity(std::uint64_t bytes);

  // -- what is on it, for tests and for damage on purpose ----------------------------------------

  /// Flips one bit, 0 to 7, of what is visible and durable. False if there is no such byte.
  bool flip_bit(const std::string& path, std::uint64_t at, unsigned bit);
  /// Replaces the bytes of a file, durably; makes it (and its folder) if needed.
  void put(const std::string& path, byte_span bytes);
  /// The visible bytes.
  [[nodiscard]] std::optional<std::vector<std::byte>> contents(const std::string& path) const;
  /// All files, ascending.
  [[nodiscard]] std::vector<std::string> files() const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] disk_counts counts() const;
  [[nodiscard]] disk_faults faults() const;
  /// Of all visible names and bytes: equal for equal disks.
  [[nodiscard]] std::uint64_t fingerprint() const;

private:
  struct state;
  class handle;
  class lock;
  std::shared_ptr<state> state_;
};

} // namespace aqueduct::storage
