// The floor: the least that any server must do to receive batches over TCP, make them durable and
// send them again. It speaks enough of the native protocol for the load generator to treat it like
// a node, and does nothing else: no checks, no checksums, no index, no consensus.
#pragma once

#include "protocol/result.hpp"

#include <cstdint>
#include <string>

namespace aqueduct::bench {

struct floor_options {
  std::string directory;
  /// Each is one preallocated file.
  int partitions = 1;
  /// When a file is full, writing goes on at its begin.
  std::uint64_t file_bytes = std::uint64_t{1} << 30;
  /// Threads that write and sync, each its share of the files; 0: the thread that reads the sockets
  /// does it, which saves a hop and overlaps nothing.
  int writers = 1;
};

/// Serves on a free port of loopback, which it prints as a node does, until the process is killed.
[[nodiscard]] result<void> serve_floor(const floor_options& options);

} // namespace aqueduct::bench
