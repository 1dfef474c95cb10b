// A program that a test runs: started with its output in hand, waited for with a deadline, killed
// when the test ends in whatever way, also when the test itself is killed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::test {

using test_clock = std::chrono::steady_clock;

/// No wait of a test is longer; a machine that is busy with other tests needs some of it.
inline constexpr std::chrono::seconds patience{30};

/// Not thread-safe, but that one thread may read the output while another one does the rest. Every
/// failure of the machine (no fork, no pipe) throws std::runtime_error.
class child_process {
public:
  /// Starts `program`, without the variables AQUEDUCT_*. The child dies with the thread that made
  /// it.
  child_process(const std::filesystem::path& program, const std::vector<std::string>& arguments);
  /// Kills the child if it still runs.
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// The next line on standard output, without its end; nothing when the output ended or the
  /// deadline passed.
  [[nodiscard]] std::optional<std::string> read_line(test_clock::time_point deadline);
  /// Standard output that `read_line` did not take, up to its end. Precondition: the child ended.
  [[nodiscard]] std::string rest_of_output();
  /// Everything on standard error so far.
  [[nodiscard]] std::string errors() const;

  void signal(int number) const;
  /// The exit status, 128 + N if signal N ended it; nothing when it still runs at the deadline.
  [[nodiscard]] std::optional<int> wait_until(test_clock::time_point deadline);
  [[nodiscard]] bool is_running();

  /// Resident memory in bytes; 0 when it does not run.
  [[nodiscard]] std::size_t resident_bytes() const;
  /// Memory that it has claimed, used or not; 0 when it does not run.
  [[nodiscard]] std::size_t claimed_bytes() const;

private:
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int output_ = -1;
  /// Anonymous file that receives standard error.
  int errors_ = -1;
  std::string unread_;
  std::optional<int> status_;
};

} // namespace aqueduct::test
