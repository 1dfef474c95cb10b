// The two servers under test, each in a process and a data directory of its own.
#pragma once

#include "apps/bench/process.hpp"
#include "protocol/result.hpp"

#include <optional>
#include <string>
#include <vector>

namespace aqueduct::bench {

struct bench_options {
  /// Path of aqueductd.
  std::string node_path;
  /// Exists, belongs to this run, and is on the file system to measure.
  std::string folder;
  /// Of each round of each server.
  double seconds = 3;
  int rounds = 3;
  /// Settings of every node as key=value.
  std::vector<std::string> settings;
  /// Replaces the number of writers that a case gives to the floor, to see whether another is
  /// faster.
  std::optional<int> floor_writers;
};

struct server {
  child_process process;
  /// What it writes.
  std::string folder;
};

[[nodiscard]] result<server> start_node(const bench_options& options);
/// The same on the data of an earlier one that has ended.
[[nodiscard]] result<child_process> restart_node(const bench_options& options,
                                                 const std::string& folder);
[[nodiscard]] result<server> start_floor(const bench_options& options, int partitions,
                                         std::uint64_t file_bytes, int writers);

/// Makes the kernel forget the contents of all files below `folder`, once they are on disk.
void drop_page_cache(const std::string& folder);
/// Touches so many bytes of memory and gives them back. On a virtual machine the first use of a
/// page costs many times what a later one does; whoever is measured first would pay for all. Ends
/// after ten seconds: at times it costs so much that a run would never come to an end.
void warm_memory(std::uint64_t bytes);
/// Removes `folder` and everything in it.
void remove_folder(const std::string& folder);
/// Waits until what earlier cases left to the disk, deletions above all, no longer slows down
/// others: until syncs take about as long as the fastest of them.
void settle_disk(const std::string& folder);

} // namespace aqueduct::bench
