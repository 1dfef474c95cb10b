#include "tests/simulation/fresh_reads.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

void commit_history::note(std::int64_t now_ms, std::uint64_t index) {
  if (known_.empty() || index > known_.back().second)
    known_.emplace_back(now_ms, index);
}

std::uint64_t commit_history::at(std::int64_t time_ms) const {
  const auto later =
      std::upper_bound(known_.begin(), known_.end(), time_ms,
                       [](std::int64_t time, const auto& known) { return time < known.first; });
  return later == known_.begin() ? 0 : std::prev(later)->second;
}

void fresh_reads::ask(std::optional<std::int64_t> age_ms_max, std::int64_t now_ms,
                      const commit_history& history) {
  waiting read;
  read.needed = age_ms_max ? freshness_.need_within(now_ms, *age_ms_max) : freshness_.need_latest();
  read.floor = history.at(now_ms - age_ms_max.value_or(0));
  waiting_.push_back(read);
}

std::optional<std::uint64_t> fresh_reads::next_question(std::int64_t now_ms) {
  const auto round = freshness_.begin(now_ms);
  return round ? std::optional(life_ + *round) : std::nullopt;
}

bool fresh_reads::answered(std::uint64_t context, std::optional<std::uint64_t> index) {
  if (context >> 32 == 0)
    return false;
  freshness_.answered(context - life_,
                      index ? std::optional(raft::log_index(*index)) : std::nullopt);
  return true;
}

std::vector<std::string> fresh_reads::look(std::uint64_t applied, std::int64_t now_ms,
                                           const commit_history& history) {
  std::vector<std::string> broken;
  freshness_.applied(raft::log_index(applied));
  std::erase_if(waiting_, [&](const waiting& read) {
    if (!freshness_.is_proven(read.needed))
      return freshness_.is_lost(read.needed);
    ++count_;
    if (applied < read.floor)
      broken.push_back("a read saw the state at index " + std::to_string(applied) +
                       ", and had to see " + std::to_string(read.floor));
    return true;
  });
  if (const auto since = freshness_.proven_since_ms()) {
    const auto age = raft::age_ms(*since, now_ms);
    if (applied < history.at(now_ms - age))
      broken.push_back("a state at index " + std::to_string(applied) + " is said to be " +
                       std::to_string(age) + " ms old, when " +
                       std::to_string(history.at(now_ms - age)) + " was committed");
  }
  return broken;
}

} // namespace aqueduct::actors::test
