// The claim on a data directory: who it belongs to, in which format it is, and that nobody else
// uses it at the same time.
#pragma once

#include "protocol/ids.hpp"
#include "storage/disk.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace aqueduct::storage {

/// Version of everything below the data directory.
inline constexpr std::uint32_t data_format_version = 1;

/// What `node.meta` says.
struct node_identity {
  /// Nil until the node has joined or founded a cluster.
  uuid cluster;
  node_id node{};
  /// Which life of this node's disk it is: higher than that of every disk it had before.
  std::uint64_t incarnation = 1;
  timestamp_ms created{};

  friend bool operator==(const node_identity&, const node_identity&) = default;
};

/// What the node thinks it is when it starts.
struct claim_request {
  std::string path;
  node_id node{};
  /// If set, a directory of another cluster is refused.
  std::optional<uuid> cluster;
  /// For a directory that is new.
  std::uint64_t incarnation = 1;
  timestamp_ms now{};
};

/// Holds the lock as long as it lives. Owned by one thread.
class data_directory {
public:
  /// Makes the directory if it is not there, locks it, reads or writes `node.meta`.
  /// Errors: conflict (another process uses it, or it belongs to another node or cluster),
  /// unsupported_version (written by a newer Aqueduct), storage_damaged (node.meta is not readable,
  /// or is missing while there is data), storage_full, storage_failed.
  [[nodiscard]] static result<data_directory> claim(disk& files, const claim_request& request);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const node_identity& identity() const { return identity_; }
  /// True if `claim` made `node.meta`.
  [[nodiscard]] bool is_new() const { return is_new_; }
  /// Where the key-value store belongs.
  [[nodiscard]] std::string kv_path() const { return path_ + "/kv"; }

  /// Replaces `node.meta`, durably and atomically: after joining a cluster, or with the incarnation
  /// that it assigned.
  result<void> change_identity(const node_identity& identity);

private:
  data_directory(disk& files, std::string path, std::unique_ptr<file_lock> lock);

  disk* files_;
  std::string path_;
  std::unique_ptr<file_lock> lock_;
  node_identity identity_;
  bool is_new_ = false;
};

} // namespace aqueduct::storage
