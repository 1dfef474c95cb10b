#include "tests/cluster/group_ledger.hpp"

#include <algorithm>
#include <functional>

namespace aqueduct::test {

namespace {

constexpr std::size_t violations_max = 30;

std::string place(int partition, std::int64_t offset) {
  return "partition " + std::to_string(partition) + " @ " + std::to_string(offset);
}

} // namespace

group_ledger::group_ledger(std::string group, int partitions)
    : group_(std::move(group)), pages_(static_cast<std::size_t>(partitions)) {}

group_ledger::partition_page* group_ledger::page(int partition) {
  const auto at = static_cast<std::size_t>(partition);
  if (at < pages_.size())
    return &pages_[at];
  wrong("there is no partition " + std::to_string(partition));
  return nullptr;
}

void group_ledger::wrong(std::string what) {
  if (violations_.size() < violations_max)
    violations_.push_back(group_ + ": " + std::move(what));
}

void group_ledger::found_wrong(const std::string& what) {
  const std::lock_guard lock(mutex_);
  wrong(what);
}

// -- what members say -----------------------------------------------------------------------------

void group_ledger::own(const std::string& member, int generation, int partition) {
  auto* of = page(partition);
  if (of == nullptr || generation < 0)
    return;
  sum_.generation = std::max(sum_.generation, generation);
  const auto [at, is_new] = of->owners.try_emplace(generation, member);
  if (!is_new && at->second != member)
    wrong("partition " + std::to_string(partition) + " is both " + at->second + "'s and " + member +
          "'s in generation " + std::to_string(generation));
}

void group_ledger::assigned(const std::string& member, int generation,
                            const std::vector<int>& partitions) {
  const std::lock_guard lock(mutex_);
  for (const int partition : partitions) {
    own(member, generation, partition);
    const auto [at, is_new] = holds_.try_emplace({member, partition});
    if (!is_new && at->second.is_open) {
      wrong(member + " is given partition " + std::to_string(partition) + ", which it has");
      continue;
    }
    at->second = {.generation = generation};
  }
}

void group_ledger::owns(const std::string& member, int generation,
                        const std::vector<int>& partitions) {
  const std::lock_guard lock(mutex_);
  for (const int partition : partitions)
    own(member, generation, partition);
}

void group_ledger::close(const std::string& member, int partition, hold& held) {
  held.is_open = false;
  held.is_last = droppers_.contains(member);
  if (auto* of = page(partition); of != nullptr && held.first >= 0)
    of->begins.emplace(held.generation, std::pair(member, held.first));
}

void group_ledger::gave_up(const std::string& member, const std::vector<int>& partitions) {
  const std::lock_guard lock(mutex_);
  for (const int partition : partitions) {
    const auto found = holds_.find({member, partition});
    if (found == holds_.end() || !found->second.is_open)
      wrong(member + " gives up partition " + std::to_string(partition) + ", which it has not");
    else
      close(member, partition, found->second);
  }
}

void group_ledger::begins(const std::string& member, int partition, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  if (const auto found = holds_.find({member, partition});
      found != holds_.end() && found->second.next < 0)
    found->second.begins_at = offset;
}

void group_ledger::read(const std::string& member, int partition, std::int64_t offset,
                        std::string_view value) {
  const std::lock_guard lock(mutex_);
  auto* of = page(partition);
  if (of == nullptr)
    return;
  const auto found = holds_.find({member, partition});
  if (found == holds_.end() || !found->second.is_open) {
    wrong(member + " reads " + place(partition, offset) + ", which is not its own");
    return;
  }
  auto& held = found->second;
  const bool is_given_twice = offset == held.set_back_to && offset + 1 == held.next;
  if (is_given_twice) {
    held.set_back_to = -1;
    ++sum_.given_twice;
  }
  if (held.next >= 0 && offset != held.next && !is_given_twice)
    wrong(member + " reads " + place(partition, offset) + " instead of offset " +
          std::to_string(held.next) + " in generation " + std::to_string(held.generation));
  if (held.first < 0)
    held.first = offset;
  held.next = offset + 1;
  const auto index = static_cast<std::size_t>(offset);
  if (offset < 0 || index > of->counts.size() + 10'000'000) {
    wrong(member + " reads " + place(partition, offset));
    return;
  }
  if (index >= of->counts.size()) {
    of->counts.resize(index + 1);
    of->hashes.resize(index + 1);
  }
  const auto hash = std::hash<std::string_view>{}(value);
  ++sum_.deliveries;
  if (of->counts[index]++ > 0) {
    ++sum_.repeats;
    if (of->hashes[index] != hash)
      wrong(member + " reads something else at " + place(partition, offset) + " than others");
  }
  of->hashes[index] = hash;
}

void group_ledger::set_back(const std::string& member, int partition, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  if (const auto found = holds_.find({member, partition}); found != holds_.end())
    found->second.set_back_to = offset;
}

void group_ledger::committed(const std::string& member, int generation, int partition,
                             std::int64_t offset, bool may_be_late) {
  const std::lock_guard lock(mutex_);
  auto* of = page(partition);
  if (of == nullptr)
    return;
  own(member, generation, partition);
  const auto found = holds_.find({member, partition});
  if (found == holds_.end()) {
    wrong(member + " committed partition " + std::to_string(partition) + ", which it never had");
    return;
  }
  auto& held = found->second;
  ++sum_.commits;
  if (offset < held.committed && may_be_late) {
    ++sum_.late_commits;
    of->late.insert(offset);
  } else if (offset < held.committed) {
    wrong(member + " committed " + place(partition, offset) + " after " +
          std::to_string(held.committed));
  }
  if (held.next >= 0 && offset > held.next + (droppers_.contains(member) ? 1 : 0))
    wrong(member + " committed " + place(partition, offset) + " and has read to " +
          std::to_string(held.next));
  held.committed = offset;
  const auto [at, is_new] = of->commits.try_emplace(generation, span{offset, offset});
  at->second.lowest = std::min(at->second.lowest, offset);
  at->second.last = offset;
}

void group_ledger::drops_what_is_in_hand(const std::string& member) {
  const std::lock_guard lock(mutex_);
  droppers_.insert(member);
}

void group_ledger::ended(const std::string& member) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, held] : holds_) {
    if (key.first != member)
      continue;
    if (held.is_open)
      close(member, key.second, held);
    const auto in_hand = held.next >= 0 ? held.next : held.begins_at;
    if (auto* of = page(key.second); held.is_last && of != nullptr && in_hand >= 0)
      of->in_hand.insert(in_hand);
  }
}

// -- what the coordinator says --------------------------------------------------------------------

void group_ledger::answered(int partition, std::int64_t committed) {
  const std::lock_guard lock(mutex_);
  auto* of = page(partition);
  if (of == nullptr)
    return;
  if (committed < of->answered)
    of->set_back.emplace_back(committed, of->answered);
  of->answered = committed;
}

// -- what came of it ------------------------------------------------------------------------------

bool group_ledger::has_committed(const std::vector<std::int64_t>& offsets) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::equal(pages_, offsets, [](const partition_page& page, std::int64_t offset) {
    return page.answered >= offset;
  });
}

/// Nobody begins below what generations before it committed, and no generation commits less.
void group_ledger::compare_generations(int partition, const partition_page& page) {
  std::int64_t floor = -1;
  auto commit = page.commits.begin();
  const auto raise = [&](int generation) {
    for (; commit != page.commits.end() && commit->first < generation; ++commit) {
      if (commit->second.lowest < floor)
        wrong("generation " + std::to_string(commit->first) + " committed " +
              place(partition, commit->second.lowest) + " after " + std::to_string(floor));
      floor = std::max(floor, commit->second.last);
    }
  };
  for (const auto& [generation, begin] : page.begins) {
    raise(generation);
    if (begin.second < floor)
      wrong(begin.first + " was given " + place(partition, begin.second) + " in generation " +
            std::to_string(generation) + ", and " + std::to_string(floor) +
            " had been committed before");
  }
  raise(sum_.generation + 1);
}

/// The coordinator's answers went back where a late commit was answered, and nowhere else.
void group_ledger::compare_answers(int partition, const partition_page& page) {
  for (const auto& [to, from] : page.set_back)
    if (!page.late.contains(to))
      wrong("the committed offset of partition " + std::to_string(partition) + " went back from " +
            std::to_string(from) + " to " + std::to_string(to));
}

void group_ledger::finish(const std::vector<std::vector<std::string>>& values) {
  const std::lock_guard lock(mutex_);
  for (std::size_t p = 0; p < pages_.size(); ++p) {
    const int partition = static_cast<int>(p);
    auto& of = pages_[p];
    compare_generations(partition, of);
    compare_answers(partition, of);
    const auto& expected = values.at(p);
    if (of.counts.size() > expected.size())
      wrong("partition " + std::to_string(partition) + " was read to " +
            std::to_string(of.counts.size()) + " and ends at " + std::to_string(expected.size()));
    of.counts.resize(expected.size());
    of.hashes.resize(expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto offset = static_cast<std::int64_t>(i);
      if (of.counts[i] == 0 && of.in_hand.contains(offset))
        ++sum_.in_hand;
      else if (of.counts[i] == 0)
        wrong("nobody has read " + place(partition, offset));
      else if (of.hashes[i] != std::hash<std::string_view>{}(expected[i]))
        wrong(place(partition, offset) + " was not read as it was sent");
    }
  }
}

std::vector<std::string> group_ledger::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

group_ledger::totals group_ledger::sum() const {
  const std::lock_guard lock(mutex_);
  return sum_;
}

} // namespace aqueduct::test
