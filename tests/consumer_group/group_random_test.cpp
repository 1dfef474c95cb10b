// Random lives of groups: members of both kinds join, leave, crash and stand still while
// coordinators are lost and the log takes its time. GROUP_SEED=n runs one life.
#include "tests/consumer_group/group_lab.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

/// What every member of a life is held to.
struct ledger {
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners;
  std::map<std::pair<std::int32_t, std::int32_t>, std::set<std::string>> holders;
  /// By partition: the last offset whose commit was answered.
  std::map<std::int32_t, std::int64_t> acked;
  std::map<std::int32_t, std::int64_t> stored;
  std::size_t rebalances = 0;
  std::size_t commits = 0;

  void owned(std::int32_t generation, std::int32_t partition, const std::string& member) {
    const auto [at, is_new] = owners.emplace(std::pair(generation, partition), member);
    CHECK_MESSAGE(at->second == member, "partition " << partition << " of generation " << generation
                                                     << " has two owners");
  }
  /// The member still held it when the generation began: nobody else may be given it in that one.
  void held(std::int32_t generation, std::int32_t partition, const std::string& member) {
    holders[{generation, partition}].insert(member);
    check_hand_over(generation, partition);
  }
  void check_hand_over(std::int32_t generation, std::int32_t partition) {
    const auto owner = owners.find({generation, partition});
    if (owner == owners.end())
      return;
    for (const auto& holder : holders[{generation, partition}])
      CHECK_MESSAGE(holder == owner->second, "partition " << partition << " of generation "
                                                          << generation
                                                          << " was given away while it was held");
  }
  void look_at(group_lab& lab) {
    const auto* group = lab.table.find("g");
    if (group == nullptr)
      return;
    for (const auto& [key, offset] : group->offsets) {
      CHECK(offset.offset >= stored[key.partition]);
      stored[key.partition] = offset.offset;
    }
    for (const auto& [partition, offset] : acked)
      CHECK(stored[partition] >= offset);
  }
};

/// A client as it has to behave.
class model_member {
public:
  model_member(group_lab& lab, ledger& book, bool native, std::string instance)
      : lab_(lab), book_(book), native_(native), instance_(std::move(instance)) {}

  void act(std::mt19937& random) {
    if (is_paused_until > lab_.now.steady_ms)
      return;
    take_answers();
    if (joining_ || syncing_)
      return;
    if (generation_ < 0 || must_join_) {
      join();
      return;
    }
    if (random() % 3 == 0)
      commit();
    if (lab_.now.steady_ms >= next_heartbeat_ms_)
      heartbeat();
  }

  void leave() {
    if (!id_.empty())
      (void)lab_.leave({{id_, instance_, -1}});
  }

  [[nodiscard]] std::int32_t generation() const { return must_join_ ? -1 : generation_; }
  [[nodiscard]] const std::set<std::int32_t>& owned() const { return owned_; }

  std::int64_t is_paused_until = 0;

private:
  void join() {
    // Members of Kafka's eager protocol give up everything first.
    if (!native_)
      owned_.clear();
    claims_ = owned_;
    auto call = group_lab::native_join(id_, {"t"}, parts());
    call.instance = instance_;
    call.needs_member_id = !native_ && id_.empty();
    if (!native_)
      call.kind = member_kind::client_assigned;
    joining_ = lab_.join(std::move(call));
    must_join_ = false;
    take_answers();
  }

  void take_answers() {
    if (joining_ && joining_->is_there()) {
      const auto answer = **std::exchange(joining_, std::nullopt);
      if (!answer.member.empty())
        id_ = answer.member;
      if (answer.error != errc::none)
        fail(answer.error);
      else
        joined(answer);
    }
    if (syncing_ && syncing_->is_there()) {
      const auto answer = **std::exchange(syncing_, std::nullopt);
      if (answer.error != errc::none)
        fail(answer.error);
      else
        assigned(answer.assignment);
    }
  }

  void joined(const join_answer& answer) {
    generation_ = answer.generation;
    ++book_.rebalances;
    if (native_) {
      assigned(answer.assignment);
      return;
    }
    std::vector<member_assignment> assignments;
    if (!answer.members.empty()) {
      std::vector<assignable_member> members;
      for (const auto& each : answer.members) {
        const auto wish = protocol::decode_subscription(each.metadata);
        members.push_back({each.id, each.instance, wish->topics, wish->owned, wish->owned});
      }
      for (const auto& [id, topics] : assign(cooperative_assignor, members, lab_.topics))
        assignments.push_back({id, protocol::encode_assignment({topics, {}})});
    }
    syncing_ = lab_.sync(id_, generation_, std::move(assignments), instance_);
    take_answers();
  }

  void assigned(const buffer& bytes) {
    std::set<std::int32_t> given;
    for (const auto& topic : parts_of(bytes))
      given.insert(topic.partitions.begin(), topic.partitions.end());
    const auto& name = instance_.empty() ? id_ : instance_;
    for (const auto partition : given)
      book_.owned(generation_, partition, name);
    for (const auto partition : std::exchange(claims_, {}))
      book_.held(generation_, partition, name);
    bool loses = false;
    for (const auto partition : owned_)
      loses = loses || !given.contains(partition);
    for (const auto partition : given)
      if (!owned_.contains(partition)) {
        const auto offset = std::max<std::int64_t>(lab_.offset_of(partition), 0);
        if (lab_.coordinator->leads() && book_.acked.contains(partition))
          CHECK(offset >= book_.acked.at(partition));
        position_[partition] = offset;
      }
    owned_ = std::move(given);
    must_join_ = loses && native_;
  }

  void commit() {
    std::erase_if(commits_, [&](auto& each) {
      if (!each.answer.is_there())
        return false;
      if (each.answer->error == errc::none) {
        auto& last = book_.acked[each.partition];
        last = std::max(last, each.offset);
        ++book_.commits;
      }
      return true;
    });
    for (const auto partition : owned_) {
      const auto offset = ++position_[partition];
      commits_.push_back(
          {lab_.commit({id_, instance_, generation_}, offset, partition), partition, offset});
    }
  }

  void heartbeat() {
    next_heartbeat_ms_ = lab_.now.steady_ms + 1000;
    const auto answer = lab_.heartbeat(id_, generation_, instance_);
    if (answer.error != errc::none)
      fail(answer.error);
  }

  void fail(errc why) {
    switch (why) {
    case errc::unknown_member:
    case errc::fenced_member:
      id_.clear();
      owned_.clear();
      generation_ = -1;
      break;
    case errc::generation_mismatch:
    case errc::rebalance_in_progress:
    case errc::member_id_required:
      must_join_ = true;
      break;
    default:
      // The coordinator is not there: once more, later.
      if (generation_ < 0 || joining_)
        must_join_ = true;
      break;
    }
  }

  [[nodiscard]] std::vector<topic_partitions> parts() const {
    if (owned_.empty())
      return {};
    return {{"t", {owned_.begin(), owned_.end()}}};
  }

  struct sent_commit {
    awaited<commit_answer> answer;
    std::int32_t partition;
    std::int64_t offset;
  };

  group_lab& lab_;
  ledger& book_;
  bool native_;
  std::string instance_;
  std::string id_;
  std::int32_t generation_ = -1;
  bool must_join_ = true;
  std::set<std::int32_t> owned_;
  /// What it said that it holds when it joined.
  std::set<std::int32_t> claims_;
  std::map<std::int32_t, std::int64_t> position_;
  std::vector<sent_commit> commits_;
  std::optional<awaited<join_answer>> joining_;
  std::optional<awaited<sync_answer>> syncing_;
  std::int64_t next_heartbeat_ms_ = 0;
};

enum class mix { native, classic, both };

class random_group_life {
public:
  random_group_life(unsigned seed, mix kinds) : random_(seed), kinds_(kinds) {
    lab_.commits = false;
    lab_.topics["t"] = static_cast<std::int32_t>(1 + random_() % 8);
  }

  void run() {
    for (int step = 0; step < 3000; ++step) {
      disturb();
      advance();
    }
    heal();
  }

  ledger book;

private:
  void advance() {
    for (auto& member : members_)
      member->act(random_);
    // Of what groups have said the coordinator has heard a part.
    if (is_slow_)
      for (auto left = random_() % 4; left > 0 && lab_.coordinator->deliver_one();)
        --left;
    for (auto left = random_() % 4; left > 0 && lab_.commit_one(); --left)
      book.look_at(lab_);
    lab_.advance(100);
  }

  void disturb() {
    const auto dice = random_() % 1000;
    if (dice < 10 && members_.size() < 6) {
      const bool native = kinds_ == mix::native || (kinds_ == mix::both && random_() % 2 == 0);
      std::string instance;
      if (random_() % 4 == 0)
        instance = "i" + std::to_string(++instances_);
      members_.push_back(std::make_unique<model_member>(lab_, book, native, instance));
    } else if (dice < 14 && !members_.empty()) {
      remove(random_() % members_.size(), true);
    } else if (dice < 18 && !members_.empty()) {
      remove(random_() % members_.size(), false);
    } else if (dice < 26 && !members_.empty()) {
      members_[random_() % members_.size()]->is_paused_until =
          lab_.now.steady_ms + static_cast<std::int64_t>(random_() % 40'000);
    } else if (dice < 34) {
      lab_.fail_over();
      if (is_slow_)
        lab_.coordinator->hold_reports();
    } else if (dice < 38) {
      lab_.refuse_all(errc::overloaded);
    } else if (dice < 40) {
      ++lab_.topics["t"];
    } else if (dice < 60) {
      is_slow_ = !is_slow_;
      if (is_slow_)
        lab_.coordinator->hold_reports();
      else
        lab_.coordinator->deliver();
    }
  }

  void remove(std::size_t number, bool properly) {
    if (properly)
      members_[number]->leave();
    members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(number));
  }

  /// Nothing happens any more: half a minute later all is shared out, and it stays so.
  void heal() {
    is_slow_ = false;
    lab_.coordinator->deliver();
    for (auto& member : members_)
      member->is_paused_until = 0;
    wait(30'000);
    if (members_.empty())
      return;
    check_shared_out();
    const auto generation = members_[0]->generation();
    wait(60'000);
    check_shared_out();
    CHECK(members_[0]->generation() == generation);
    CHECK(lab_.board_answers > 100);
  }

  void wait(std::int64_t ms) {
    for (std::int64_t passed = 0; passed < ms; passed += 100)
      advance();
    lab_.commit_all();
    book.look_at(lab_);
  }

  void check_shared_out() {
    std::set<std::int32_t> owned;
    for (const auto& member : members_) {
      CHECK(member->generation() == members_[0]->generation());
      CHECK(member->generation() > 0);
      for (const auto partition : member->owned())
        CHECK(owned.insert(partition).second);
    }
    // Members of Kafka's protocol do not look at how many partitions there are in this model.
    if (kinds_ == mix::native)
      CHECK(owned.size() == static_cast<std::size_t>(lab_.topics["t"]));
  }

  std::mt19937 random_;
  mix kinds_;
  group_lab lab_;
  std::vector<std::unique_ptr<model_member>> members_;
  int instances_ = 0;
  /// Between groups and their coordinator.
  bool is_slow_ = false;
};

void run_lives(mix kinds) {
  unsigned first = 1;
  unsigned last = 60;
  if (const char* given = std::getenv("GROUP_SEED"))
    first = last = static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  std::size_t commits = 0;
  std::size_t rebalances = 0;
  for (unsigned seed = first; seed <= last; ++seed) {
    CAPTURE(seed);
    random_group_life life(seed, kinds);
    life.run();
    commits += life.book.commits;
    rebalances += life.book.rebalances;
  }
  // They did live.
  CHECK(commits > 1000 * (last - first + 1) / 10);
  CHECK(rebalances > 10 * (last - first + 1));
}

} // namespace

TEST_SUITE_BEGIN("actors.consumer_group.random");

TEST_CASE("groups of the coordinator's members keep their promises in random lives") {
  run_lives(mix::native);
}

TEST_CASE("groups of Kafka's members keep their promises in random lives") {
  run_lives(mix::classic);
}

TEST_CASE("groups of both kinds of members keep their promises in random lives") {
  run_lives(mix::both);
}

TEST_SUITE_END();
