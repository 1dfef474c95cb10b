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
  /// Runs `command` and does not wait for it: `wait_ready` does. Error: internal if it cannot be
  /// run.
  [[nodiscard]] static result<child_process> launch(const std::vector<std::string>& command);
  /// Waits for the line of a process that was launched. Errors: as `start`.
  result<void> wait_ready(std::chrono::milliseconds patience);

  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;
  ~child_process();

  /// The port of its `listen`.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// From the start of the process to its ready line.
  [[nodiscard]] std::chrono::nanoseconds start_time() const { return start_time_; }
  [[nodiscard]] process_usage usage() const;

  [[nodiscard]] bool is_running() const { return pid_ >= 0; }
  /// SIGSTOP, and SIGCONT.
  void freeze() const;
  void thaw() const;
  /// SIGTERM, and waits. Error: internal if it ends with a status other than 0.
  result<void> stop();
  /// Waits for a process to end by itself. Error: internal if its status is not 0.
  result<void> wait();
  /// SIGKILL, and waits.
  void kill();

private:
  child_process() = default;
  [[nodiscard]] result<void> await_ready(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int output_ = -1;
  std::string program_;
  std::uint16_t port_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::chrono::nanoseconds start_time_{};
};

/// The folder of the running program.
[[nodiscard]] std::string own_folder();
/// The path of the running program.
[[nodiscard]] std::string own_path();

} // namespace aqueduct::bench
