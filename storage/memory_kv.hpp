// The key-value store of the simulator: a map with RocksDB's crash behaviour. It outlives restarts
// of the program that uses it, as a disk does.
#pragma once

#include "storage/kv.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>

namespace aqueduct::storage {

/// Thread-safe.
class memory_kv final : public kv {
public:
  [[nodiscard]] result<std::optional<std::string>> get(family in,
                                                       std::string_view key) const override;
  result<void> scan(family in, std::string_view from, std::string_view to,
                    const visitor& visit) const override;
  [[nodiscard]] result<std::optional<kv_pair>> last_in(family in, std::string_view from,
                                                       std::string_view at_most) const override;
  result<void> write(const write_batch& batch, durability how) override;
  result<void> flush() override;

  /// Power is lost: each class falls back to what was durable.
  void crash();
  /// Same, but of the writes that were not durable a prefix per class survives, as the seed says:
  /// RocksDB may have flushed at any moment, and the system may have written pages back.
  void crash(std::uint64_t seed);
  /// The process died: logged families keep everything, unlogged ones fall back as in
  /// `crash(seed)`.
  void kill(std::uint64_t seed);
  void wipe();

  /// From the `writes`-th next write or flush on, that one included, nothing has an effect and
  /// everything fails, until `crash`.
  void crash_after(std::uint64_t writes);
  /// The next `times` synced writes and flushes fail without effect on durability.
  void fail_syncs(std::uint32_t times);
  /// From now on one in `one_in` relaxed writes, by chance, finds no room: it has no effect, and
  /// the next one may succeed. 0: none. Lasts over crashes.
  void refuse_writes(std::uint32_t one_in, std::uint64_t seed = 0);
  /// Flips a bit of a value, durably. False if there is no such key or the value is empty.
  bool flip_bit(family in, std::string_view key, std::size_t bit);

  /// Synced writes and flushes so far.
  [[nodiscard]] std::uint64_t sync_count() const;
  [[nodiscard]] std::uint64_t write_count() const;
  /// Writes that found no room.
  [[nodiscard]] std::uint64_t refused_count() const;
  /// Of all visible pairs: equal for equal stores.
  [[nodiscard]] std::uint64_t fingerprint() const;

private:
  using map = std::map<std::string, std::string, std::less<>>;

  /// One class of families. Invariant: `visible` is `durable` with `pending` applied in order.
  struct half {
    map visible;
    map durable;
    std::deque<write_batch> pending;

    void settle();
    void fall_back(std::size_t kept);
  };

  [[nodiscard]] half& half_of(family in) { return is_logged(in) ? logged_ : unlogged_; }
  [[nodiscard]] const half& half_of(family in) const { return is_logged(in) ? logged_ : unlogged_; }
  [[nodiscard]] result<void> take_fault(bool sync);

  mutable std::mutex mutex_;
  half logged_;
  half unlogged_;
  std::uint64_t syncs_ = 0;
  std::uint64_t writes_ = 0;
  std::uint32_t failing_syncs_ = 0;
  std::uint32_t refused_one_in_ = 0;
  std::uint64_t refusal_chance_ = 0;
  std::uint64_t refused_ = 0;
  std::optional<std::uint64_t> writes_left_;
};

} // namespace aqueduct::storage
