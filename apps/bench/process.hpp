// Programs that the benchmark starts and watches: their `ready` line, their CPU and memory.
#pragma once

#include "protocol/result.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::bench {

/// What a process has used so far, as /proc tells.
struct process_usage {
  /// User and system time of all threads.
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t peak_bytes = 0;
};

/// A child process that tells on its standard output when it serves. Killed by the destructor.
class child_process {
public:
  /// Runs `command` (a path and its arguments) and waits for its line `ready ... listen=HOST:PORT`.
  /// Errors: timed_out after `patience`; internal if it ends before, or cannot be run.
  [[nodiscard]] static result<child_process> start(const std::vector<std::string>& command,
                                                   std::chrono::milliseconds patience);

  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;
  ~child_process();

  /// The port of its `listen`.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// From the start of the process to its ready line.
  [[nodiscard]] std::chrono::nanoseconds start_time() const { return start_time_; }
  [[nodiscard]] process_usage usage() const;

  /// SIGTERM, and waits. Error: internal if it ends with a status other than 0.
  result<void> stop();
  /// SIGKILL, and waits.
  void kill();

private:
  child_process() = default;
  [[nodiscard]] result<void> await_ready(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int output_ = -1;
  std::uint16_t port_ = 0;
  std::chrono::nanoseconds start_time_{};
};

/// The folder of the running program.
[[nodiscard]] std::string own_folder();
/// The path of the running program.
[[nodiscard]] std::string own_path();

} // namespace aqueduct::bench
