// The key-value store of a node, on RocksDB. RocksDB's headers stay in rocksdb_kv.cpp.
#pragma once

#include "storage/kv.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace aqueduct::storage {

struct rocksdb_options {
  std::string directory;
  /// Cache of uncompressed blocks.
  std::uint64_t block_cache_bytes = std::uint64_t{8} << 20;
  /// Of a memory table, of which there are two: when one is full it is written out in the
  /// background.
  std::uint64_t write_buffer_bytes = std::uint64_t{4} << 20;
  std::uint32_t open_files_max = 128;
  std::uint32_t background_threads = 2;
  /// With less free space than this, only that is written to RocksDB's log for which it has taken
  /// the space already. More than it takes at once, which is a little over `write_buffer_bytes`.
  std::uint64_t keep_free_bytes = std::uint64_t{16} << 20;
  /// Takes what RocksDB warns of, a line without its end, at most 1 KiB. Called from any thread and
  /// with RocksDB's locks held: it must not use the store. None: nobody is told.
  std::function<void(std::string_view)> warn;
};

class rocksdb_kv final : public kv {
public:
  /// Opens the store, making it if the directory is empty. Errors: storage_damaged, storage_full,
  /// storage_failed (also when another process holds it).
  [[nodiscard]] static result<std::unique_ptr<rocksdb_kv>> open(const rocksdb_options& options);
  /// Flushes what can be flushed.
  ~rocksdb_kv() override;

  [[nodiscard]] result<std::optional<std::string>> get(family in,
                                                       std::string_view key) const override;
  result<void> scan(family in, std::string_view from, std::string_view to,
                    const visitor& visit) const override;
  [[nodiscard]] result<std::optional<kv_pair>> last_in(family in, std::string_view from,
                                                       std::string_view at_most) const override;
  result<void> write(const write_batch& batch, durability how) override;
  result<void> flush() override;

private:
  struct parts;
  explicit rocksdb_kv(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace aqueduct::storage
