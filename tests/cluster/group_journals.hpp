// Reads what members of groups print, line by line, into a ledger: the example `groups/journal`,
// and kcat with its debug output on the same stream.
#pragma once

#include "tests/cluster/group_ledger.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::test {

/// Of one process. For one thread at a time.
class group_journal {
public:
  group_journal(group_ledger& to, std::string member) : to_(to), member_(std::move(member)) {}
  virtual ~group_journal() = default;
  group_journal(const group_journal&) = delete;
  group_journal& operator=(const group_journal&) = delete;

  virtual void line(std::string_view text) = 0;

protected:
  group_ledger& to_;
  const std::string member_;
};

/// `example-groups-journal`.
class native_journal final : public group_journal {
public:
  using group_journal::group_journal;
  void line(std::string_view text) override;

private:
  /// What the line says cannot be read.
  void unreadable(std::string_view text);
};

/// kcat -G with `-d cgrp,topic -f 'read %p %o %s\n'`.
class kcat_journal final : public group_journal {
public:
  using group_journal::group_journal;
  void line(std::string_view text) override;

private:
  /// A partition and its offset, for each that is committed.
  using offsets = std::vector<std::pair<int, std::int64_t>>;
  struct commit {
    int generation = 0;
    /// What librdkafka says of it: of how many partitions it has an offset, and why it is sent.
    int partitions = 0;
    std::string reason;
    offsets rows = {};
    /// How many partitions it lists; so many are named in the answer.
    int listed = 0;
    /// It was sent again.
    bool is_repeated = false;
    /// Others of the same kind that are answered with success, or this one is: nobody says which.
    std::vector<std::pair<int, offsets>> mistakable = {};

    [[nodiscard]] bool is_like(int count, std::string_view why) const {
      return listed == count && reason == why;
    }
  };

  /// A line that kcat prints in pieces, or a piece of one.
  void piece(std::string_view text);
  void rebalanced(std::string_view text);
  void debug(std::string_view text);
  void sent_or_put_off(std::string_view text);
  void answered(std::string_view text);
  void succeeded(std::deque<commit>::iterator one);
  void counts(int generation, const offsets& rows);

  /// Pieces of a line that another thread's line came between.
  std::string begun_;
  int generation_ = -1;
  /// Offsets that the next commit will have.
  offsets next_commit_;
  /// Under way, the oldest first.
  std::deque<commit> commits_;
  /// Those that wait for a coordinator.
  std::deque<commit> put_off_;
  /// Whether the assignment of a generation is being listed.
  bool lists_ = false;
};

} // namespace aqueduct::test
