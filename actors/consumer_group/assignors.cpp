#include "actors/consumer_group/assignors.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

namespace aqueduct::actors {

namespace {

using partition_key = std::pair<std::string_view, std::int32_t>;
using members_in_order = std::vector<const assignable_member*>;

/// Static members by instance, before the others by id.
members_in_order in_order(const std::vector<assignable_member>& members) {
  members_in_order sorted;
  for (const auto& member : members)
    sorted.push_back(&member);
  std::ranges::sort(sorted, {}, [](const assignable_member* member) {
    return std::tuple(member->instance.empty(), std::string_view(member->instance),
                      std::string_view(member->id));
  });
  return sorted;
}

bool wants(const assignable_member& member, std::string_view topic) {
  return std::ranges::find(member.topics, topic) != member.topics.end();
}

class assignment_builder {
public:
  explicit assignment_builder(const std::vector<assignable_member>& members) {
    for (const auto& member : members)
      parts_[member.id];
  }
  void give(const std::string& member, partition_key what) { parts_[member].insert(what); }
  [[nodiscard]] assignment_map finish() const {
    assignment_map map;
    for (const auto& [member, parts] : parts_) {
      auto& topics = map[member];
      for (const auto& [topic, partition] : parts) {
        if (topics.empty() || topics.back().topic != topic)
          topics.push_back({std::string(topic), {}});
        topics.back().partitions.push_back(partition);
      }
    }
    return map;
  }

private:
  std::map<std::string, std::set<partition_key>> parts_;
};

/// A member and what it has so far, while a sticky assignment is worked out.
struct holder {
  const assignable_member* member;
  std::set<std::string_view> topics;
  std::set<partition_key> parts;
};

/// Shares out evenly with as few moves as possible.
class sticky_table {
public:
  sticky_table(const std::vector<assignable_member>& members, const topic_sizes& topics)
      : topics_(topics) {
    for (const auto* member : in_order(members))
      holders_.push_back({member, {member->topics.begin(), member->topics.end()}, {}});
    keep_claims();
    find_free();
  }

  void balance() {
    if (is_uniform())
      trim_to_quota();
    give_free();
    // Every move makes the sum of the squares of the loads smaller, so this ends.
    while (move_some()) {
    }
  }

  void put(assignment_builder& out) const {
    for (const auto& each : holders_)
      for (const auto& part : each.parts)
        out.give(each.member->id, part);
  }

private:
  [[nodiscard]] bool may_have(const holder& who, partition_key part) const {
    const auto topic = topics_.find(part.first);
    return topic != topics_.end() && part.second >= 0 && part.second < topic->second &&
           who.topics.contains(part.first);
  }

  /// What a member holds stays with it; of two that hold the same the one that was given it.
  void keep_claims() {
    std::map<partition_key, std::size_t> taken;
    for (std::size_t i = 0; i < holders_.size(); ++i) {
      const auto& member = *holders_[i].member;
      const bool holds_something = !member.owned.empty();
      for (const auto& topic : holds_something ? member.owned : member.assigned)
        for (const auto partition : topic.partitions)
          claim(taken, i, {topic.topic, partition});
    }
    for (const auto& [part, who] : taken)
      holders_[who].parts.insert(part);
  }

  void claim(std::map<partition_key, std::size_t>& taken, std::size_t who, partition_key part) {
    if (!may_have(holders_[who], part))
      return;
    const auto [at, is_first] = taken.emplace(part, who);
    if (!is_first && was_given(*holders_[who].member, part) &&
        !was_given(*holders_[at->second].member, part))
      at->second = who;
  }

  [[nodiscard]] static bool was_given(const assignable_member& member, partition_key part) {
    for (const auto& topic : member.assigned)
      if (topic.topic == part.first)
        return std::ranges::find(topic.partitions, part.second) != topic.partitions.end();
    return false;
  }

  void find_free() {
    std::set<partition_key> held;
    for (const auto& each : holders_)
      held.insert(each.parts.begin(), each.parts.end());
    for (const auto& [topic, count] : topics_) {
      const bool is_wanted = std::ranges::any_of(
          holders_, [&](const holder& each) { return each.topics.contains(topic); });
      for (std::int32_t i = 0; is_wanted && i < count; ++i)
        if (!held.contains({topic, i}))
          free_.emplace_back(topic, i);
    }
  }

  [[nodiscard]] bool is_uniform() const {
    return std::ranges::all_of(
        holders_, [this](const holder& each) { return each.topics == holders_[0].topics; });
  }

  /// Everybody wants the same: nobody needs more than its share, and what is beyond it is free.
  void trim_to_quota() {
    if (holders_.empty())
      return;
    std::size_t total = free_.size();
    for (const auto& each : holders_)
      total += each.parts.size();
    const auto least = total / holders_.size();
    auto with_one_more = total % holders_.size();
    for (auto& each : holders_) {
      auto quota = least;
      if (each.parts.size() > least && with_one_more > 0) {
        ++quota;
        --with_one_more;
      }
      while (each.parts.size() > quota) {
        const auto last = std::prev(each.parts.end());
        free_.push_back(*last);
        each.parts.erase(last);
      }
    }
    std::ranges::sort(free_);
  }

  [[nodiscard]] holder* least_loaded(std::string_view topic) {
    holder* best = nullptr;
    for (auto& each : holders_)
      if (each.topics.contains(topic) &&
          (best == nullptr || each.parts.size() < best->parts.size()))
        best = &each;
    return best;
  }

  void give_free() {
    for (const auto& part : std::exchange(free_, {}))
      if (auto* to = least_loaded(part.first))
        to->parts.insert(part);
  }

  /// Always from who has most: else one that gave too much away would have to be given something
  /// back by others.
  [[nodiscard]] bool move_some() {
    std::vector<holder*> richest_first;
    for (auto& each : holders_)
      richest_first.push_back(&each);
    std::ranges::stable_sort(richest_first, std::greater(),
                             [](const holder* each) { return each->parts.size(); });
    std::map<std::string_view, holder*> poorest;
    for (const auto& [topic, count] : topics_)
      poorest[topic] = least_loaded(topic);
    for (auto* from : richest_first)
      for (auto part = from->parts.rbegin(); part != from->parts.rend(); ++part) {
        auto* to = poorest.at(part->first);
        if (to == nullptr || to->parts.size() + 2 > from->parts.size())
          continue;
        to->parts.insert(*part);
        from->parts.erase(std::next(part).base());
        return true;
      }
    return false;
  }

  const topic_sizes& topics_;
  std::vector<holder> holders_;
  std::vector<partition_key> free_;
};

} // namespace

bool is_assignor(std::string_view name) {
  return name == range_assignor || name == round_robin_assignor || name == sticky_assignor ||
         name == cooperative_assignor;
}

assignment_map assign_range(const std::vector<assignable_member>& members,
                            const topic_sizes& topics) {
  assignment_builder out(members);
  const auto sorted = in_order(members);
  for (const auto& [topic, count] : topics) {
    members_in_order takers;
    for (const auto* member : sorted)
      if (wants(*member, topic))
        takers.push_back(member);
    if (takers.empty())
      continue;
    const auto share = count / static_cast<std::int32_t>(takers.size());
    auto with_one_more = count % static_cast<std::int32_t>(takers.size());
    std::int32_t next = 0;
    for (const auto* member : takers) {
      auto left = share + (with_one_more-- > 0 ? 1 : 0);
      for (; left > 0; --left)
        out.give(member->id, {topic, next++});
    }
  }
  return out.finish();
}

assignment_map assign_round_robin(const std::vector<assignable_member>& members,
                                  const topic_sizes& topics) {
  assignment_builder out(members);
  const auto sorted = in_order(members);
  std::size_t turn = 0;
  for (const auto& [topic, count] : topics) {
    if (std::ranges::none_of(sorted, [&](const auto* member) { return wants(*member, topic); }))
      continue;
    for (std::int32_t partition = 0; partition < count; ++partition) {
      while (!wants(*sorted[turn % sorted.size()], topic))
        ++turn;
      out.give(sorted[turn % sorted.size()]->id, {topic, partition});
      ++turn;
    }
  }
  return out.finish();
}

assignment_map assign_sticky(const std::vector<assignable_member>& members,
                             const topic_sizes& topics) {
  sticky_table table(members, topics);
  table.balance();
  assignment_builder out(members);
  table.put(out);
  return out.finish();
}

assignment_map withhold_moving(assignment_map target,
                               const std::vector<assignable_member>& members) {
  std::map<partition_key, std::vector<const assignable_member*>> holders;
  std::map<partition_key, const assignable_member*> given;
  for (const auto& member : members) {
    for (const auto& topic : member.owned)
      for (const auto partition : topic.partitions)
        holders[{topic.topic, partition}].push_back(&member);
    for (const auto& topic : member.assigned)
      for (const auto partition : topic.partitions)
        given.emplace(partition_key{topic.topic, partition}, &member);
  }
  const auto is_held_elsewhere = [&](const std::string& member, partition_key part) {
    const auto held = holders.find(part);
    if (held == holders.end())
      return false;
    const auto owner = given.find(part);
    // Who says so without having been given it fell out of the group; it is about to learn that.
    const bool holds_itself = std::ranges::any_of(
        held->second, [&](const assignable_member* who) { return who->id == member; });
    if (holds_itself && owner != given.end() && owner->second->id == member)
      return false;
    return std::ranges::any_of(held->second,
                               [&](const assignable_member* who) { return who->id != member; });
  };
  for (auto& [member, topics] : target) {
    for (auto& topic : topics)
      std::erase_if(topic.partitions, [&](std::int32_t partition) {
        return is_held_elsewhere(member, {topic.topic, partition});
      });
    std::erase_if(topics, [](const topic_partitions& topic) { return topic.partitions.empty(); });
  }
  return target;
}

assignment_map assign(std::string_view name, const std::vector<assignable_member>& members,
                      const topic_sizes& topics) {
  if (name == range_assignor)
    return assign_range(members, topics);
  if (name == round_robin_assignor)
    return assign_round_robin(members, topics);
  if (name == sticky_assignor)
    return assign_sticky(members, topics);
  return withhold_moving(assign_sticky(members, topics), members);
}

} // namespace aqueduct::actors
