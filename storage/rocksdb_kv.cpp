// One column family of RocksDB holds everything: the family of a key is its first byte, and its
// class decides whether a write goes through RocksDB's log. README.md says why that is enough, and
// why more would cost without giving anything.
#include "storage/rocksdb_kv.hpp"

#include "protocol/invariant.hpp"
#include "storage/disk.hpp"
#include "storage/posix_disk.hpp"
#include "storage/shared_flush.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/write_batch.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

namespace aqueduct::storage {

namespace {

/// What a new log is given: enough to trim logs and to delete topics on a disk that is full then.
constexpr std::uint64_t reserved_ahead = 1 << 20;

/// Nothing was done because the disk is full. A write that would have to wait for a flush or a
/// compaction that found no room is "incomplete", and what comes while RocksDB itself waits for
/// room finds it "busy".
bool is_full(const rocksdb::Status& status) {
  return status.IsNoSpace() || status.IsIncomplete() || status.IsBusy();
}

unexpected failed(const std::string& what, const rocksdb::Status& status) {
  errc code = errc::storage_failed;
  if (status.IsCorruption())
    code = errc::storage_damaged;
  else if (is_full(status))
    code = errc::storage_full;
  return unexpected(code, "cannot " + what + " the key-value store: " + status.ToString());
}

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

std::string full_key(family in, std::string_view key) {
  std::string full;
  full.reserve(key.size() + 1);
  full += static_cast<char>(in);
  full += key;
  return full;
}

std::string full_end(family in, std::string_view to) {
  return to.empty() ? end_of_prefix(full_key(in, {})) : full_key(in, to);
}

/// RocksDB's own goes into a file, and on a full disk ends the process: in version 7.8 a line that
/// follows one that could not be written is a failed assertion.
class warning_logger final : public rocksdb::Logger {
public:
  explicit warning_logger(std::function<void(std::string_view)> warn)
      : Logger(rocksdb::WARN_LEVEL), warn_(std::move(warn)) {}

  using Logger::Logv;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level > rocksdb::FATAL_LEVEL || !warn_)
      return;
    std::array<char, 1024> line;
    const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
    std::string_view text(line.data(),
                          std::min(line.size() - 1, static_cast<std::size_t>(std::max(length, 0))));
    while (text.ends_with('\n'))
      text.remove_suffix(1);
    warn_(text);
  }

private:
  const std::function<void(std::string_view)> warn_;
};

rocksdb::Options database_options(const rocksdb_options& settings) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(settings.block_cache_bytes, 2);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = settings.write_buffer_bytes;
  options.max_write_buffer_number = 2;
  // The first arena block is what an idle store pays; the default is an eighth of the buffer.
  options.arena_block_size = 64 << 10;
  options.compression = rocksdb::kLZ4Compression;
  options.level_compaction_dynamic_level_bytes = true;
  options.max_background_jobs = static_cast<int>(settings.background_threads);
  options.max_open_files = static_cast<int>(settings.open_files_max);
  options.max_file_opening_threads = 1;
  options.table_cache_numshardbits = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = std::make_shared<warning_logger>(settings.warn);
  options.skip_stats_update_on_db_open = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  return options;
}

} // namespace

struct rocksdb_kv::parts {
  explicit parts(rocksdb_options given) : options(std::move(given)) {}

  const rocksdb_options options;
  std::unique_ptr<rocksdb::DB> db;
  /// A write found the disk full, and RocksDB refuses all others until it is told to go on.
  std::atomic<bool> is_stopped{false};
  /// Something was written since the last flush or sync of the class.
  std::atomic<bool> logged_dirty{false};
  std::atomic<bool> unlogged_dirty{false};
  shared_flush flushes;
  /// Held by whatever may write to RocksDB's log, or begin another, while the disk is nearly full.
  std::mutex nearly_full;

  ~parts() {
    if (!db)
      return;
    // Nobody is there to hear of an error; a crash at this moment would have lost the same.
    (void)flush();
    (void)db->Close();
  }

  /// Only after a full disk: going on after other errors would be going on without the data.
  [[nodiscard]] result<void> resume() {
    if (!is_stopped)
      return {};
    if (const auto status = db->Resume(); !status.ok())
      return unexpected(errc::storage_full,
                        "the key-value store found the disk full: " + status.ToString());
    is_stopped = false;
    return {};
  }

  /// RocksDB's log must not meet a full disk: in version 7.8 the next write to the same file is a
  /// failed assertion, and a log that cannot be made is an error for good. The log takes its space
  /// in large steps; near a full disk a write has to fit into what is taken, and nothing else may
  /// begin another log meanwhile. Owns nothing while the disk is far from full.
  using guard = std::unique_lock<std::mutex>;
  [[nodiscard]] result<guard> guard_if_nearly_full() {
    const auto space = posix_disk().space(options.directory);
    if (!space)
      return space.propagate();
    return space->free_bytes < options.keep_free_bytes ? guard(nearly_full) : guard();
  }

  /// Precondition: the guard is held.
  [[nodiscard]] result<void> check_room_in_log(std::uint64_t bytes) {
    // Seven bytes of header for each part in a block of 32 KiB, what the file system writes about
    // the file, and writes that found more room a moment ago.
    const auto needed = bytes + bytes / 1024 + (128 << 10);
    std::uint64_t in_memory = 0;
    db->GetIntProperty(rocksdb::DB::Properties::kCurSizeActiveMemTable, &in_memory);
    // A full memory table would begin another log.
    if (in_memory + 2 * needed <= options.write_buffer_bytes && reserve_in_log(needed) >= needed)
      return {};
    return unexpected(errc::storage_full,
                      "cannot write the key-value store: less than " +
                          std::to_string(options.keep_free_bytes) +
                          " bytes are free on its disk, and what it had taken is used");
  }

  /// Sees to it that the log's file has so many bytes on disk behind its end, if there is room.
  /// Returns how many it has.
  std::uint64_t reserve_in_log(std::uint64_t bytes) {
    std::unique_ptr<rocksdb::LogFile> log;
    if (!db->GetCurrentWalFile(&log).ok())
      return 0;
    const int file = ::open((options.directory + log->PathName()).c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0)
      return 0;
    auto reserved = reserved_in(file);
    if (struct stat status{}; reserved < bytes && ::fstat(file, &status) == 0) {
      (void)::fallocate(file, FALLOC_FL_KEEP_SIZE, status.st_size, static_cast<off_t>(bytes));
      reserved = reserved_in(file);
    }
    (void)::close(file);
    return reserved;
  }

  [[nodiscard]] static std::uint64_t reserved_in(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0)
      return 0;
    const auto on_disk = static_cast<std::uint64_t>(status.st_blocks) * 512;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    return on_disk > size ? on_disk - size : 0;
  }

  [[nodiscard]] unexpected failed(const std::string& what, const rocksdb::Status& status) {
    if (is_full(status))
      is_stopped = true;
    return storage::failed(what, status);
  }

  [[nodiscard]] result<void> flush() {
    return flushes.run([this] { return flush_alone(); });
  }

  /// Not while another one runs: it clears what tells the other that there is something to do.
  [[nodiscard]] result<void> flush_alone() {
    const auto guarded = guard_if_nearly_full();
    if (!guarded)
      return guarded.propagate();
    if (auto resumed = resume(); !resumed)
      return resumed;
    if (logged_dirty.exchange(false))
      if (const auto status = db->SyncWAL(); !status.ok()) {
        logged_dirty = true;
        return failed("sync", status);
      }
    if (unlogged_dirty.exchange(false))
      if (const auto status = flush_memory(); !status.ok()) {
        unlogged_dirty = true;
        return failed("flush", status);
      }
    return {};
  }

  /// RocksDB 7.8 goes on by itself after a full disk, but does not forget that it had been stopped
  /// (`ErrorHandler::ClearBGError`): from then on `Flush` returns at once, with success and nothing
  /// written. `Resume` then flushes and waits; otherwise it does nothing.
  [[nodiscard]] rocksdb::Status flush_memory() {
    auto status = db->Flush(rocksdb::FlushOptions());
    if (status.ok())
      status = db->Resume();
    // Another log may have begun, which takes nothing before its first write.
    reserve_in_log(reserved_ahead);
    return status;
  }
};

rocksdb_kv::rocksdb_kv(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
rocksdb_kv::~rocksdb_kv() = default;

result<std::unique_ptr<rocksdb_kv>> rocksdb_kv::open(const rocksdb_options& options) {
  if (auto made = posix_disk().make_directories(options.directory); !made)
    return made.propagate();
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::Open(database_options(options), options.directory, &opened);
  if (!status.ok())
    return failed("open", status);
  auto p = std::make_unique<parts>(options);
  p->db.reset(opened);
  p->reserve_in_log(reserved_ahead);
  return std::unique_ptr<rocksdb_kv>(new rocksdb_kv(std::move(p)));
}

result<std::optional<std::string>> rocksdb_kv::get(family in, std::string_view key) const {
  rocksdb::PinnableSlice value;
  const auto status = parts_->db->Get(rocksdb::ReadOptions(), parts_->db->DefaultColumnFamily(),
                                      slice(full_key(in, key)), &value);
  if (status.IsNotFound())
    return std::optional<std::string>();
  if (!status.ok())
    return failed("read", status);
  return std::optional<std::string>(value.ToString());
}

result<void> rocksdb_kv::scan(family in, std::string_view from, std::string_view to,
                              const visitor& visit) const {
  const auto end = full_end(in, to);
  const auto bound = slice(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(parts_->db->NewIterator(options));
  for (it->Seek(slice(full_key(in, from))); it->Valid(); it->Next())
    if (!visit(view(it->key()).substr(1), view(it->value())))
      return {};
  return it->status().ok() ? result<void>() : failed("scan", it->status());
}

result<std::optional<kv_pair>> rocksdb_kv::last_in(family in, std::string_view from,
                                                   std::string_view at_most) const {
  const auto begin = full_key(in, from);
  const auto bound = slice(begin);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(parts_->db->NewIterator(options));
  it->SeekForPrev(slice(full_key(in, at_most)));
  if (it->Valid())
    return std::optional<kv_pair>(
        kv_pair{std::string(view(it->key()).substr(1)), it->value().ToString()});
  if (!it->status().ok())
    return failed("search", it->status());
  return std::optional<kv_pair>();
}

result<void> rocksdb_kv::write(const write_batch& batch, durability how) {
  if (batch.empty())
    return {};
  const bool logged = is_logged(batch.operations().front().in);
  rocksdb::WriteBatch changes;
  for (const auto& op : batch.operations()) {
    AQUEDUCT_INVARIANT(is_logged(op.in) == logged, "a batch holds families of both classes");
    const auto key = full_key(op.in, op.key);
    rocksdb::Status added;
    switch (op.what) {
    case write_batch::operation::kind::put:
      added = changes.Put(slice(key), slice(op.value));
      break;
    case write_batch::operation::kind::remove:
      added = changes.Delete(slice(key));
      break;
    case write_batch::operation::kind::remove_range:
      if (const auto end = full_end(op.in, op.value); key < end)
        added = changes.DeleteRange(slice(key), slice(end));
      break;
    }
    if (!added.ok())
      return failed("write", added);
  }
  auto guarded = parts_->guard_if_nearly_full();
  if (!guarded)
    return guarded.propagate();
  if (auto resumed = parts_->resume(); !resumed)
    return resumed;
  if (logged && guarded->owns_lock())
    if (auto room = parts_->check_room_in_log(changes.GetDataSize()); !room)
      return room;
  rocksdb::WriteOptions options;
  options.disableWAL = !logged;
  options.sync = logged && how == durability::synced;
  const auto status = parts_->db->Write(options, &changes);
  *guarded = {};
  // Afterwards: set before, a flush in between would clear it without having seen the write.
  if (!options.sync)
    (logged ? parts_->logged_dirty : parts_->unlogged_dirty) = true;
  if (!status.ok())
    return parts_->failed("write", status);
  return !logged && how == durability::synced ? flush() : result<void>();
}

result<void> rocksdb_kv::flush() {
  return parts_->flush();
}

} // namespace aqueduct::storage
