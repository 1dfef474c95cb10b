// A process that is a member of a group, and the thread that reads what it prints.
#pragma once

#include "tests/cluster/group_journals.hpp"
#include "tests/support/child_process.hpp"

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace aqueduct::test {

/// How a member is made.
enum class member_make : std::uint8_t {
  /// The client library's, which commits after polls, by itself, or works with handlers.
  polls,
  commits_by_itself,
  handlers,
  kcat,
};

struct member_options {
  member_make make = member_make::polls;
  /// "HOST:PORT,..." of all nodes.
  std::string brokers;
  std::string topic;
  /// The best first; the same for both kinds, so that they find a common one.
  std::vector<std::string> assignors;
};

/// Silence after which a member counts as gone.
inline constexpr std::chrono::seconds member_session{3};

/// For the thread that made it. Killed when this goes.
class member_process {
public:
  member_process(group_ledger& ledger, std::string name, const member_options& options);
  ~member_process();
  member_process(const member_process&) = delete;
  member_process& operator=(const member_process&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_kcat() const { return is_kcat_; }
  [[nodiscard]] bool is_frozen() const { return is_frozen_; }
  /// Whether it has had time to become the program that it is to be.
  [[nodiscard]] bool has_begun() const {
    return test_clock::now() - begin_ > std::chrono::seconds(1);
  }

  /// SIGTERM: it commits and leaves.
  void leave();
  /// SIGKILL, and waits for the end.
  void kill();
  void freeze();
  void thaw();
  /// Whether it has ended, or ends until then; then everything it said is in the ledger.
  [[nodiscard]] bool has_ended(test_clock::time_point deadline);
  /// Precondition: it has ended.
  [[nodiscard]] int status() const { return *status_; }
  /// What it said of errors, for whoever looks for the reason of something.
  [[nodiscard]] std::string last_words() const;

private:
  void listen();
  /// It is about to be told to.
  void ends();

  const std::string name_;
  const bool is_kcat_;
  group_ledger& ledger_;
  std::unique_ptr<group_journal> journal_;
  child_process process_;
  const test_clock::time_point begin_ = test_clock::now();
  bool is_frozen_ = false;
  std::optional<int> status_;
  std::atomic<bool> has_process_ended_ = false;
  /// Lines that are no records, the last ones. For the thread, and for others when it has ended.
  std::vector<std::string> recent_;
  /// All lines, with the milliseconds since the epoch at which they came.
  std::ofstream kept_;
  std::thread reader_;
};

} // namespace aqueduct::test
