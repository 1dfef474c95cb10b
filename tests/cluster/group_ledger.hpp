// What the members of one consumer group said happened to them, held against what groups promise:
// every record is delivered at least once, nothing that a generation committed is delivered to it
// again or to a later one, commits never go back, and a partition has one owner in a generation.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::test {

/// Each member's words come in the order in which it said them, those of different members in any.
/// Members are named by the test, each process anew. Thread-safe.
class group_ledger {
public:
  group_ledger(std::string group, int partitions);

  [[nodiscard]] const std::string& group() const { return group_; }

  // -- what members say --------------------------------------------------------------------------

  /// It works on these from now on, besides those that it had.
  void assigned(const std::string& member, int generation, const std::vector<int>& partitions);
  /// They are the member's in that generation, whether new or not.
  void owns(const std::string& member, int generation, const std::vector<int>& partitions);
  /// Gave up, or lost, these.
  void gave_up(const std::string& member, const std::vector<int>& partitions);
  /// The record with which it begins to read one that it was given.
  void begins(const std::string& member, int partition, std::int64_t offset);
  void read(const std::string& member, int partition, std::int64_t offset, std::string_view value);
  /// The member's client set the partition back to here while a rebalance went on: the record of
  /// that offset, if the member has it in hand, is given to it a second time.
  void set_back(const std::string& member, int partition, std::int64_t offset);
  /// A commit was answered with success. `may_be_late`: it may have been repeated after newer ones
  /// of the same generation were answered, and then counts instead of them.
  void committed(const std::string& member, int generation, int partition, std::int64_t offset,
                 bool may_be_late = false);
  /// The member's process is told to end, and may drop, and count as done, the record of each
  /// partition that it has in hand. Said before it is told.
  void drops_what_is_in_hand(const std::string& member);
  /// The member's process has ended.
  void ended(const std::string& member);
  /// What cannot be is said.
  void found_wrong(const std::string& what);

  // -- what the coordinator says -----------------------------------------------------------------

  /// One answer after the other.
  void answered(int partition, std::int64_t committed);

  // -- what came of it ---------------------------------------------------------------------------

  /// Whether the coordinator said that the group has committed at least these, by partition.
  [[nodiscard]] bool has_committed(const std::vector<std::int64_t>& offsets) const;
  /// All members have ended: the values by partition and offset are what should have been read.
  void finish(const std::vector<std::vector<std::string>>& values);

  [[nodiscard]] std::vector<std::string> violations() const;
  struct totals {
    std::int64_t deliveries = 0;
    /// Deliveries of records that had been delivered before.
    std::int64_t repeats = 0;
    /// Partitions' offsets in commits that members saw succeed.
    std::int64_t commits = 0;
    /// Of these, those that a member repeated after newer ones.
    int late_commits = 0;
    int generation = 0;
    /// Deliveries of the record that a member had in hand when its client set the partition back.
    int given_twice = 0;
    /// Records that nobody said to have read, of members that dropped what they had in hand.
    int in_hand = 0;
  };
  [[nodiscard]] totals sum() const;

private:
  /// A partition that a member works on, or worked on last.
  struct hold {
    int generation = 0;
    bool is_open = true;
    /// Whether it was the member's when that was told to end.
    bool is_last = false;
    /// -1: it read nothing.
    std::int64_t first = -1;
    std::int64_t next = -1;
    std::int64_t committed = -1;
    std::int64_t set_back_to = -1;
    /// -1: not said.
    std::int64_t begins_at = -1;
  };
  struct span {
    std::int64_t lowest = 0;
    std::int64_t last = 0;
  };
  struct partition_page {
    std::map<int, std::string> owners;
    std::map<int, span> commits;
    /// By generation, where the holds that began in it began to read.
    std::multimap<int, std::pair<std::string, std::int64_t>> begins;
    /// By offset: how often it was delivered, and the hash of what was.
    std::vector<std::uint32_t> counts;
    std::vector<std::size_t> hashes;
    std::set<std::int64_t> in_hand;
    std::int64_t answered = -1;
    /// Late commits; and what the coordinator's answers went back to, and from.
    std::set<std::int64_t> late;
    std::vector<std::pair<std::int64_t, std::int64_t>> set_back;
  };

  void wrong(std::string what);
  [[nodiscard]] partition_page* page(int partition);
  void own(const std::string& member, int generation, int partition);
  void close(const std::string& member, int partition, hold& held);
  void compare_generations(int partition, const partition_page& page);
  void compare_answers(int partition, const partition_page& page);

  const std::string group_;
  mutable std::mutex mutex_;
  std::vector<partition_page> pages_;
  std::map<std::pair<std::string, int>, hold> holds_;
  std::set<std::string> droppers_;
  std::vector<std::string> violations_;
  totals sum_;
};

} // namespace aqueduct::test
