// Terms as runs, payloads as a suffix; every change keeps the two and the counters together.
#include "raft/log_view.hpp"

#include "raft/invariant.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace aqueduct::raft {

namespace {

std::string show(entry_id base, entry_id last, log_index index) {
  return "log (" + to_string(base) + ", " + to_string(last) + "], index " +
         std::to_string(index.value);
}

} // namespace

log_view::log_view(entry_id base, std::vector<term_run> terms, log_index last)
    : base_(base),
      last_{terms.empty() ? base.term : terms.back().term, last},
      runs_(terms.begin(), terms.end()) {}

std::optional<term_id> log_view::term_at(log_index index) const {
  if (index == base_.index)
    return base_.term;
  if (index < base_.index || index > last_.index)
    return std::nullopt;
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), index,
                       [](log_index i, const term_run& run) { return i < run.first; });
  return std::prev(after)->term;
}

entry_id log_view::last_common_candidate(entry_id id) const {
  auto index = std::min(id.index, last_.index);
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->first > index)
      continue;
    if (run->term <= id.term)
      return {run->term, index};
    index = run->first - 1;
  }
  if (base_.index <= index && base_.term <= id.term)
    return base_;
  return {};
}

const entry& log_view::at(log_index index) const {
  RAFT_INVARIANT(index >= tail_begin() && index <= last_.index, show(base_, last_, index));
  return tail_[index.value - tail_begin().value];
}

std::vector<entry> log_view::copy(log_index begin, log_index end, std::size_t bytes_max) const {
  RAFT_INVARIANT(begin >= tail_begin() && begin < end && end <= last_.index.next(),
                 show(base_, last_, begin));
  const auto from = tail_.begin() + static_cast<std::ptrdiff_t>(begin.value - tail_begin().value);
  auto to = from + 1;
  const auto limit = from + static_cast<std::ptrdiff_t>(end.value - begin.value);
  for (auto bytes = charge(*from); to != limit; ++to) {
    bytes += charge(*to);
    if (bytes > bytes_max)
      break;
  }
  return {from, to};
}

void log_view::append(entry e) {
  RAFT_INVARIANT(e.index == last_.index.next() && e.term >= last_.term,
                 show(base_, last_, e.index) + ", term " + std::to_string(e.term.value));
  if (runs_.empty() || runs_.back().term != e.term)
    runs_.push_back({e.term, e.index});
  last_ = e.id();
  tail_bytes_ += charge(e);
  if (e.index > applied_)
    bytes_above_applied_ += charge(e);
  tail_.push_back(std::move(e));
}

void log_view::truncate_from(log_index from) {
  RAFT_INVARIANT(from > base_.index && from > applied_, show(base_, last_, from));
  while (!tail_.empty() && tail_.back().index >= from) {
    tail_bytes_ -= charge(tail_.back());
    bytes_above_applied_ -= charge(tail_.back());
    tail_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= from)
    runs_.pop_back();
  if (from <= last_.index)
    last_ = {runs_.empty() ? base_.term : runs_.back().term, from - 1};
}

void log_view::compact(log_index upto) {
  const auto term = term_at(upto);
  RAFT_INVARIANT(term.has_value(), show(base_, last_, upto));
  base_ = {*term, upto};
  while (!tail_.empty() && tail_.front().index <= upto)
    forget_first();
  while (runs_.size() > 1 && runs_[1].first <= upto.next())
    runs_.pop_front();
  if (upto == last_.index)
    runs_.clear();
  else
    runs_.front().first = std::max(runs_.front().first, upto.next());
}

void log_view::reset(entry_id base) {
  base_ = last_ = base;
  runs_.clear();
  tail_.clear();
  tail_bytes_ = bytes_above_applied_ = 0;
}

void log_view::applied(log_index upto) {
  const auto end = std::min(upto, last_.index);
  for (auto i = std::max(applied_.next(), tail_begin()); i <= end; i = i.next())
    bytes_above_applied_ -= charge(at(i));
  applied_ = std::max(applied_, upto);
}

void log_view::forget(log_index upto, std::size_t bytes_max) {
  while (!tail_.empty() && tail_.front().index <= upto && tail_bytes_ > bytes_max)
    forget_first();
}

void log_view::forget_first() {
  const auto bytes = charge(tail_.front());
  tail_bytes_ -= bytes;
  if (tail_.front().index > applied_)
    bytes_above_applied_ -= bytes;
  tail_.pop_front();
}

} // namespace aqueduct::raft
