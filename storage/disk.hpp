// The disk as storage sees it: the interface behind which the POSIX system calls and the
// simulator's crash model live. Everything here is about names and bytes; what the bytes mean is
// said elsewhere.
//
// Durability is explicit. Written bytes survive a power cut once `file::sync` returned success, the
// name of a file (its creation, renaming, removal) once `disk::sync_directory` of its folder did.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace aqueduct::storage {

enum class open_mode : std::uint8_t {
  /// Must exist; writes fail.
  read,
  /// Must exist.
  write,
  /// Made empty if it does not exist. The name is durable after `sync_directory` only.
  create,
  /// As `create`, but a file that exists is an error `conflict`.
  create_new,
};

/// An open file. Reads may run in parallel with each other and with one writer; the calls that
/// change the file belong to one thread at a time. Closed by the destructor.
///
/// Errors of all calls: storage_full (no space, quota), storage_failed (everything else); the
/// message names the path and the reason.
class file {
public:
  virtual ~file() = default;

  /// Writes all parts one after another from `position` on. On an error any piece of them may have
  /// been written.
  virtual result<void> write_at(std::uint64_t position, std::span<const byte_span> parts) = 0;
  result<void> write_at(std::uint64_t position, byte_span bytes) {
    return write_at(position, std::span<const byte_span>(&bytes, 1));
  }
  /// Fills `into` from `position` on. Returns how much was read: less than asked for only at the
  /// end of the file.
  [[nodiscard]] virtual result<std::size_t> read_at(std::uint64_t position,
                                                    std::span<std::byte> into) const = 0;
  /// Everything that was written is durable after success. After an error nothing is known of any
  /// write since the last success, and a second call proves nothing (Rebello et al., ATC 2020).
  virtual result<void> sync() = 0;
  /// Reserves space for [from, from + size) and makes the file at least that long. What was never
  /// written reads as zeros; what was written stays.
  virtual result<void> allocate(std::uint64_t from, std::uint64_t size) = 0;
  /// Makes the file `size` bytes long; durable after `sync`.
  virtual result<void> truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual result<std::uint64_t> size() const = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
};

/// Held as long as the object lives.
class file_lock {
public:
  virtual ~file_lock() = default;
};

struct disk_space {
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};

/// A file system. Paths are absolute or relative to the process; thread-safe, except that two
/// threads must not change the same name at the same time.
///
/// Errors: not_found where a name is missing, storage_full, else storage_failed.
class disk {
public:
  virtual ~disk() = default;

  [[nodiscard]] virtual result<std::shared_ptr<file>> open(const std::string& path,
                                                           open_mode mode) = 0;
  /// Makes `path` and the folders above it as needed. Durable on return.
  virtual result<void> make_directories(const std::string& path) = 0;
  /// Makes durable which names are in the folder.
  virtual result<void> sync_directory(const std::string& path) = 0;
  /// Replaces `to`. Atomic; durable after `sync_directory`. Both in one folder.
  virtual result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file. Durable after `sync_directory`; files that are open stay readable.
  virtual result<void> remove(const std::string& path) = 0;
  /// Removes a folder with all that is in it; a missing one is success. Not atomic.
  virtual result<void> remove_tree(const std::string& path) = 0;
  /// Names in the folder, without "." and "..", ascending.
  [[nodiscard]] virtual result<std::vector<std::string>> list(const std::string& path) = 0;
  [[nodiscard]] virtual result<bool> exists(const std::string& path) = 0;
  /// Locks the file for this process, making it if needed. Error conflict when somebody else, also
  /// in this process, holds it.
  [[nodiscard]] virtual result<std::unique_ptr<file_lock>> lock_file(const std::string& path) = 0;
  /// Of the file system that `path` is in.
  [[nodiscard]] virtual result<disk_space> space(const std::string& path) = 0;
};

/// The folder part of a path: "." when it has none.
[[nodiscard]] std::string parent_path(const std::string& path);

} // namespace aqueduct::storage
