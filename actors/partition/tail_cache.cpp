#include "actors/partition/tail_cache.hpp"

#include <algorithm>

namespace aqueduct::actors {

void tail_cache::push(std::int64_t base_offset, std::int64_t next_offset, buffer batch) {
  if (!batches_.empty() && batches_.back().next_offset != base_offset)
    clear();
  const auto size = batch.size() + overhead;
  batches_.push_back({base_offset, next_offset, std::move(batch)});
  bytes_ += size;
  budget_->add(static_cast<std::int64_t>(size));
  while (batches_.size() > 1 && budget_->exceeded())
    pop_front();
}

std::optional<tail_cache::found> tail_cache::read(std::int64_t offset,
                                                  std::size_t bytes_max) const {
  if (batches_.empty() || offset < batches_.front().base_offset ||
      offset >= batches_.back().next_offset)
    return std::nullopt;
  auto it = std::ranges::upper_bound(batches_, offset, {}, &cached::next_offset);
  found result;
  do {
    result.batches.append(it->batch);
    result.next_offset = it->next_offset;
    ++it;
  } while (it != batches_.end() && result.batches.size() + it->batch.size() <= bytes_max);
  return result;
}

void tail_cache::drop_before(std::int64_t offset) {
  while (!batches_.empty() && batches_.front().next_offset <= offset)
    pop_front();
}

void tail_cache::shrink() {
  const auto target = bytes_ / 2;
  while (!batches_.empty() && bytes_ > target)
    pop_front();
}

void tail_cache::clear() {
  while (!batches_.empty())
    pop_front();
}

void tail_cache::pop_front() {
  const auto size = batches_.front().batch.size() + overhead;
  bytes_ -= size;
  budget_->add(-static_cast<std::int64_t>(size));
  batches_.pop_front();
}

} // namespace aqueduct::actors
