#include "actors/peer/call_table.hpp"

namespace aqueduct::actors {

std::uint32_t call_table::begin(call_number number, std::int64_t deadline_ms) {
  do
    ++last_;
  while (last_ == 0 || open_.contains(last_));
  open_.emplace(last_, open_call{number, deadline_ms});
  deadlines_.emplace(deadline_ms, last_);
  return last_;
}

std::optional<call_number> call_table::finish(std::uint32_t correlation) {
  const auto found = open_.find(correlation);
  if (found == open_.end())
    return std::nullopt;
  const auto number = found->second.number;
  deadlines_.erase({found->second.deadline_ms, correlation});
  open_.erase(found);
  return number;
}

std::vector<call_number> call_table::overdue(std::int64_t now_ms) {
  std::vector<call_number> ended;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms)
    ended.push_back(*finish(deadlines_.begin()->second));
  return ended;
}

std::optional<std::int64_t> call_table::next_deadline_ms() const {
  if (deadlines_.empty())
    return std::nullopt;
  return deadlines_.begin()->first;
}

call_table::admission call_table::admit(std::uint32_t correlation, std::size_t bytes) {
  if (asked_.contains(correlation))
    return admission::repeated;
  const bool has_room = asked_.empty() || asked_bytes_ + bytes <= limits_.asked_bytes_max;
  if (asked_.size() >= limits_.calls_max || !has_room)
    return admission::full;
  asked_.emplace(correlation, bytes);
  asked_bytes_ += bytes;
  return admission::taken;
}

bool call_table::answered(std::uint32_t correlation) {
  const auto found = asked_.find(correlation);
  if (found == asked_.end())
    return false;
  asked_bytes_ -= found->second;
  asked_.erase(found);
  return true;
}

std::vector<call_number> call_table::lose() {
  std::vector<call_number> lost;
  for (const auto& [deadline, correlation] : deadlines_)
    lost.push_back(open_.at(correlation).number);
  open_.clear();
  deadlines_.clear();
  asked_.clear();
  asked_bytes_ = 0;
  return lost;
}

} // namespace aqueduct::actors
