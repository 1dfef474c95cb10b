// Reads of one life of a replica that ask for a freshness, and what they were promised: the shipped
// account of proofs, and the index that each read must not miss.
#pragma once

#include "raft/read_freshness.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::actors::test {

/// What was committed when, over all nodes.
class commit_history {
public:
  void note(std::int64_t now_ms, std::uint64_t index);
  /// The last index that was known to be committed at that time.
  [[nodiscard]] std::uint64_t at(std::int64_t time_ms) const;

private:
  std::vector<std::pair<std::int64_t, std::uint64_t>> known_;
};

class fresh_reads {
public:
  /// Contexts of read indexes are those of this life.
  explicit fresh_reads(std::uint64_t life = 0) : life_(life << 32) {}

  /// Without an age: everything that is committed now.
  void ask(std::optional<std::int64_t> age_ms_max, std::int64_t now_ms,
           const commit_history& history);
  /// The read index that is to be asked for.
  [[nodiscard]] std::optional<std::uint64_t> next_question(std::int64_t now_ms);
  /// True if the answer was for this account, of this life or another.
  bool answered(std::uint64_t context, std::optional<std::uint64_t> index);
  /// What is answered by a state that has applied so much; promises that were broken, as sentences.
  [[nodiscard]] std::vector<std::string> look(std::uint64_t applied, std::int64_t now_ms,
                                              const commit_history& history);
  /// Reads that were answered since the last call.
  [[nodiscard]] std::uint64_t take_count() { return std::exchange(count_, 0); }

private:
  struct waiting {
    raft::read_freshness::round needed = 0;
    /// What it has to see.
    std::uint64_t floor = 0;
  };

  std::uint64_t life_;
  raft::read_freshness freshness_;
  std::vector<waiting> waiting_;
  std::uint64_t count_ = 0;
};

} // namespace aqueduct::actors::test
