// A queue of writes; done ones leave it from the front only.
#include "raft/outbox.hpp"

#include "raft/defects.hpp"
#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace aqueduct::raft {

std::size_t outbox::held_messages() const {
  std::size_t count = 0;
  for (const auto& w : writes_)
    count += w.held.size();
  return count;
}

bool outbox::hard_state_in_flight() const {
  return !writes_.empty() && writes_.front().number <= hard_state_number_;
}

persist_ticket outbox::begin_write(entry_id end, bool with_hard_state,
                                   std::optional<term_id> own_vote) {
  const auto number = ++last_number_;
  if (with_hard_state)
    hard_state_number_ = number;
  write w;
  w.number = number;
  w.end = end;
  w.own_vote = own_vote;
  writes_.push_back(std::move(w));
  written_ = end;
  return {life_, number};
}

void outbox::truncated(log_index from, entry_id new_end) {
  for (auto& w : writes_) {
    if (w.end.index >= from)
      w.end = new_end;
  }
  if (written_.index >= from)
    written_ = new_end;
  if (durable_.index >= from)
    durable_ = new_end;
}

void outbox::reset(entry_id end) {
  for (auto& w : writes_)
    w.counts = false;
  written_ = durable_ = end;
}

void outbox::deliver(std::vector<outgoing>& send) {
  for (auto& p : posted_) {
    if (p.when == after::hard_state && hard_state_in_flight())
      hold(hard_state_number_, std::move(p.message));
    else if (p.when == after::log && !writes_.empty())
      hold(last_number_, std::move(p.message));
    else
      send.push_back(std::move(p.message));
  }
  posted_.clear();
}

void outbox::hold(std::uint64_t number, outgoing m) {
  const auto position = number - writes_.front().number;
  RAFT_INVARIANT(position < writes_.size(), "write " + std::to_string(number));
  writes_[position].held.push_back(std::move(m));
}

outbox::completion outbox::completed(persist_ticket ticket) {
  completion result;
  if (ticket.life != life_ || writes_.empty() || ticket.number < writes_.front().number ||
      ticket.number > last_number_)
    return result;
  if (has_defect(defect::completion_of_all))
    for (auto& w : writes_)
      w.done = true;
  writes_[ticket.number - writes_.front().number].done = true;
  while (!writes_.empty() && writes_.front().done) {
    auto& w = writes_.front();
    if (w.counts)
      durable_ = w.end;
    if (w.own_vote)
      result.own_vote = w.own_vote;
    std::move(w.held.begin(), w.held.end(), std::back_inserter(result.release));
    writes_.pop_front();
    oldest_ticks_ = 0;
    result.any = true;
  }
  return result;
}

void outbox::poison() {
  writes_.clear();
  posted_.clear();
}

void outbox::tick() {
  oldest_ticks_ = writes_.empty() ? 0 : oldest_ticks_ + 1;
}

} // namespace aqueduct::raft
