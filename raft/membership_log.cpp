// A sorted list whose first element is what the compacted part of the log amounts to.
#include "raft/membership_log.hpp"

#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace aqueduct::raft {

membership_log::membership_log(log_index base_index, membership base,
                               std::vector<membership_entry> entries) {
  entries_.reserve(entries.size() + 1);
  entries_.push_back({base_index, std::move(base)});
  std::move(entries.begin(), entries.end(), std::back_inserter(entries_));
}

std::vector<membership_entry>::const_iterator membership_log::entry_at(log_index index) const {
  RAFT_INVARIANT(index >= entries_.front().index, std::to_string(index.value) + " below " +
                                                      std::to_string(entries_.front().index.value));
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), index,
                       [](log_index i, const membership_entry& e) { return i < e.index; });
  return std::prev(after);
}

const membership& membership_log::at(log_index index) const {
  return entry_at(index)->membership;
}

bool membership_log::has_voter_since(log_index index, replica_id who) const {
  return std::any_of(entry_at(index), entries_.end(),
                     [who](const membership_entry& e) { return e.membership.is_voter(who); });
}

bool membership_log::has_member_since(log_index index, replica_id who) const {
  return std::any_of(entry_at(index), entries_.end(),
                     [who](const membership_entry& e) { return e.membership.contains(who); });
}

void membership_log::append(log_index index, membership m) {
  RAFT_INVARIANT(index > latest_index(),
                 std::to_string(index.value) + " after " + std::to_string(latest_index().value));
  entries_.push_back({index, std::move(m)});
}

bool membership_log::truncate_from(log_index from) {
  RAFT_INVARIANT(from > entries_.front().index, std::to_string(from.value));
  const auto before = entries_.size();
  while (entries_.back().index >= from)
    entries_.pop_back();
  return entries_.size() != before;
}

void membership_log::compact(log_index upto) {
  auto in_force = at(upto);
  std::erase_if(entries_, [upto](const membership_entry& e) { return e.index <= upto; });
  entries_.insert(entries_.begin(), {upto, std::move(in_force)});
}

void membership_log::reset(log_index index, membership m) {
  entries_.assign(1, {index, std::move(m)});
}

} // namespace aqueduct::raft
