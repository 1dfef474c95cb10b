#include "actors/consumer_group/assignors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

using namespace aqueduct::actors;

namespace {

using part = std::pair<std::string, std::int32_t>;

std::set<part> parts_of(const std::vector<topic_partitions>& topics) {
  std::set<part> parts;
  for (const auto& topic : topics)
    for (const auto partition : topic.partitions)
      parts.insert({topic.topic, partition});
  return parts;
}

std::size_t count_of(const std::vector<topic_partitions>& topics) {
  std::size_t count = 0;
  for (const auto& topic : topics)
    count += topic.partitions.size();
  return count;
}

assignable_member member(std::string id, std::vector<std::string> topics,
                         std::vector<topic_partitions> owned = {}) {
  assignable_member each;
  each.id = std::move(id);
  each.topics = std::move(topics);
  each.owned = owned;
  each.assigned = std::move(owned);
  return each;
}

/// Everything that somebody wants is given once, to somebody who wants it.
void check_complete(const assignment_map& map, const std::vector<assignable_member>& members,
                    const topic_sizes& topics) {
  REQUIRE(map.size() == members.size());
  std::set<part> given;
  for (const auto& each : members)
    for (const auto& what : parts_of(map.at(each.id))) {
      CHECK(given.insert(what).second);
      CHECK(std::ranges::find(each.topics, what.first) != each.topics.end());
      CHECK(what.second < topics.at(what.first));
    }
  std::size_t wanted = 0;
  for (const auto& [topic, count] : topics)
    if (std::ranges::any_of(members, [&](const auto& each) {
          return std::ranges::find(each.topics, topic) != each.topics.end();
        }))
      wanted += static_cast<std::size_t>(count);
  CHECK(given.size() == wanted);
}

void check_balanced(const assignment_map& map, const std::vector<assignable_member>& members) {
  for (const auto& poor : members)
    for (const auto& rich : members)
      for (const auto& what : parts_of(map.at(rich.id)))
        if (std::ranges::find(poor.topics, what.first) != poor.topics.end())
          CHECK(count_of(map.at(rich.id)) <= count_of(map.at(poor.id)) + 1);
}

struct random_case {
  std::vector<assignable_member> members;
  topic_sizes topics;
};

random_case make_case(std::mt19937& random, bool uniform) {
  const auto pick = [&](int most) { return static_cast<int>(random() % (most + 1)); };
  random_case made;
  const int topics = 1 + pick(4);
  for (int i = 0; i < topics; ++i)
    made.topics["t" + std::to_string(i)] = pick(9);
  const int members = 1 + pick(7);
  for (int i = 0; i < members; ++i) {
    std::vector<std::string> wish;
    for (int t = 0; t < topics; ++t)
      if (uniform || pick(2) > 0)
        wish.push_back("t" + std::to_string(t));
    // Nobody may ask for what is not there, but it may have been.
    if (pick(5) == 0)
      wish.push_back("gone");
    made.members.push_back(member("m" + std::to_string(i), wish));
    if (pick(3) == 0)
      made.members.back().instance = "i" + std::to_string(pick(1000) * 10 + i);
  }
  return made;
}

} // namespace

TEST_SUITE_BEGIN("actors.consumer_group.assignors");

TEST_CASE("range gives neighbours, topic by topic") {
  const auto map =
      assign_range({member("b", {"t", "u"}), member("a", {"t", "u"})}, {{"t", 3}, {"u", 3}});
  CHECK(map.at("a") == std::vector<topic_partitions>{{"t", {0, 1}}, {"u", {0, 1}}});
  CHECK(map.at("b") == std::vector<topic_partitions>{{"t", {2}}, {"u", {2}}});
}

TEST_CASE("round robin goes on where the last topic ended") {
  const auto map =
      assign_round_robin({member("a", {"t", "u"}), member("b", {"t", "u"})}, {{"t", 3}, {"u", 3}});
  CHECK(map.at("a") == std::vector<topic_partitions>{{"t", {0, 2}}, {"u", {1}}});
  CHECK(map.at("b") == std::vector<topic_partitions>{{"t", {1}}, {"u", {0, 2}}});
}

TEST_CASE("static members keep their place whatever they are called") {
  auto first = member("z", {"t"});
  first.instance = "i1";
  const auto map = assign_range({member("a", {"t"}), first}, {{"t", 2}});
  CHECK(map.at("z") == std::vector<topic_partitions>{{"t", {0}}});
}

TEST_CASE("cooperative first takes, then gives") {
  auto members = std::vector{member("a", {"t"}, {{"t", {0, 1, 2, 3}}}), member("b", {"t"})};
  const auto first = assign(cooperative_assignor, members, {{"t", 4}});
  CHECK(first.at("a") == std::vector<topic_partitions>{{"t", {0, 1}}});
  CHECK(first.at("b").empty());

  members[0] = member("a", {"t"}, first.at("a"));
  const auto second = assign(cooperative_assignor, members, {{"t", 4}});
  CHECK(second.at("a") == first.at("a"));
  CHECK(second.at("b") == std::vector<topic_partitions>{{"t", {2, 3}}});
}

TEST_CASE("who fell out of the group takes nothing from its owner by claiming it") {
  auto members = std::vector{member("a", {"t"}, {{"t", {0, 1}}}), member("z", {"t"})};
  members[1].owned = {{"t", {0, 1}}};
  members[1].assigned.clear();
  const auto map = assign(cooperative_assignor, members, {{"t", 2}});
  CHECK(map.at("a") == std::vector<topic_partitions>{{"t", {0}}});
  CHECK(map.at("z").empty());
}

TEST_CASE("every assignor gives everything out once, whatever the groups are like") {
  std::mt19937 random(4);
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    auto made = make_case(random, round % 2 == 0);
    auto& members = made.members;
    for (const auto name : {range_assignor, round_robin_assignor, sticky_assignor}) {
      const auto map = assign(name, members, made.topics);
      check_complete(map, members, made.topics);
      auto shuffled = members;
      std::ranges::shuffle(shuffled, random);
      CHECK(assign(name, shuffled, made.topics) == map);
    }
    check_balanced(assign_sticky(members, made.topics), members);
  }
}

TEST_CASE("sticky moves no more than it has to") {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    auto made = make_case(random, true);
    auto& members = made.members;
    const auto before = assign_sticky(members, made.topics);
    for (auto& each : members)
      each.owned = each.assigned = before.at(each.id);
    // Nothing changed: nothing moves.
    CHECK(assign_sticky(members, made.topics) == before);
    // One comes: it is given what it gets, and nobody else gets anything.
    members.push_back(member("new", members[0].topics));
    const auto after = assign_sticky(members, made.topics);
    check_complete(after, members, made.topics);
    check_balanced(after, members);
    for (const auto& [id, topics] : before) {
      const auto had = parts_of(topics);
      for (const auto& what : parts_of(after.at(id)))
        CHECK(had.contains(what));
    }
    // One leaves: everybody keeps what it has.
    members.pop_back();
    if (members.size() == 1)
      continue;
    members.erase(members.begin());
    const auto rest = assign_sticky(members, made.topics);
    check_complete(rest, members, made.topics);
    for (const auto& each : members)
      for (const auto& what : parts_of(before.at(each.id)))
        CHECK(parts_of(rest.at(each.id)).contains(what));
  }
}

TEST_CASE("cooperative reaches the balance, and no partition is ever two members' at once") {
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    auto made = make_case(random, round % 2 == 0);
    auto& members = made.members;
    // Whatever they hold now.
    for (const auto& [topic, count] : made.topics)
      for (std::int32_t i = 0; i < count; ++i)
        if (random() % 3 > 0) {
          auto& who = members[random() % members.size()];
          if (who.owned.empty() || who.owned.back().topic != topic)
            who.owned.push_back({topic, {}});
          who.owned.back().partitions.push_back(i);
        }
    for (auto& each : members)
      each.assigned = each.owned;
    for (int generation = 0; generation < 3; ++generation) {
      std::set<part> held;
      for (const auto& each : members)
        for (const auto& what : parts_of(each.owned))
          held.insert(what);
      const auto map = assign(cooperative_assignor, members, made.topics);
      for (auto& each : members) {
        const auto had = parts_of(each.owned);
        for (const auto& what : parts_of(map.at(each.id)))
          CHECK((had.contains(what) || !held.contains(what)));
        each.owned = each.assigned = map.at(each.id);
      }
    }
    const auto last = assign(cooperative_assignor, members, made.topics);
    check_complete(last, members, made.topics);
    check_balanced(last, members);
  }
}

TEST_SUITE_END();
