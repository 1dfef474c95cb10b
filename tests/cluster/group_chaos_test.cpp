// Groups of consumers of both protocols while nodes and members are killed, frozen and restarted:
// every record is delivered at least once, what a generation committed is never delivered to it
// again, commits do not go back, partitions have one owner, and nothing stands still.
//
// AQUEDUCT_CHAOS_SECONDS: how long; without it, a short while. AQUEDUCT_SEED: what happens when.
// AQUEDUCT_JOURNALS: a folder for all that members say.
#include "protocol/client/group_admin.hpp"
#include "tests/cluster/chaos_load.hpp"
#include "tests/cluster/cluster_user.hpp"
#include "tests/cluster/member_process.hpp"
#include "tests/support/native_client.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <optional>
#include <random>

namespace aqueduct::test {

template <>
struct exchange_of<protocol::find_coordinator_request>
    : exchange_is<protocol::api_key::find_coordinator, protocol::find_coordinator_response> {};

} // namespace aqueduct::test

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr int partitions = 6;
constexpr std::size_t members_min = 2;
constexpr std::size_t members_max = 5;
/// Nobody may stand still for longer once all is well.
constexpr milliseconds stuck_after = 30s;
const std::string topic = "shared";

enum class node_fault { none, kill, freeze, restart };
enum class target { leader, coordinator, controller };

/// A group and its members, and somebody who asks for its offsets all the time.
class chaos_group {
public:
  chaos_group(const cluster& on, const std::string& name, std::vector<std::string> assignors,
              std::string brokers)
      : ledger_(name, partitions),
        assignors_(std::move(assignors)),
        brokers_(std::move(brokers)),
        asker_([this, on] { ask(on); }) {}

  ~chaos_group() {
    end_questions();
    members_.clear();
  }

  void add(member_make make) {
    members_.push_back(
        std::make_unique<member_process>(ledger_, ledger_.group() + "-" + std::to_string(++made_),
                                         member_options{make, brokers_, topic, assignors_}));
    ++(make == member_make::kcat ? kcats_ : natives_);
  }

  /// Something happens to the members; what, is told.
  std::string stir(std::mt19937_64& random, test_clock::time_point now) {
    thaw(now);
    bury();
    const auto makes =
        std::to_array({member_make::polls, member_make::commits_by_itself, member_make::handlers,
                       member_make::kcat, member_make::kcat, member_make::kcat});
    const auto dice = random() % 100;
    if (members_.size() < members_min || (dice < 30 && members_.size() < members_max)) {
      add(makes[random() % makes.size()]);
      return "start " + members_.back()->name();
    }
    auto& whom = *members_[random() % members_.size()];
    const auto name = whom.name();
    if (!whom.has_begun())
      return "";
    if (dice < 50) {
      ++left_;
      whom.leave();
      leaving_.push_back(take(name));
      return "leave " + name;
    }
    if (dice < 75) {
      ++killed_;
      whom.kill();
      (void)take(name);
      return "kill " + name;
    }
    if (whom.is_frozen())
      return "";
    ++frozen_;
    whom.freeze();
    // Some are back before anybody misses them.
    const bool is_missed = random() % 4 != 0;
    thaws_.emplace_back(now + (is_missed ? member_session * 2 : member_session / 2), name);
    return "freeze " + name;
  }

  /// Nobody is frozen any more, and each kind has a member.
  void heal() {
    for (auto& each : members_)
      each->thaw();
    thaws_.clear();
    bury();
    if (std::ranges::none_of(members_, [](const auto& each) { return each->is_kcat(); }))
      add(member_make::kcat);
    if (std::ranges::all_of(members_, [](const auto& each) { return each->is_kcat(); }))
      add(member_make::polls);
  }

  /// Members that ended by themselves, which only kcat does: when it cannot reach any broker.
  void bury() {
    std::erase_if(members_, [this](const auto& each) {
      if (each->is_frozen() || !each->has_ended(test_clock::now()))
        return false;
      ++gave_up_;
      if (!each->is_kcat())
        ledger_.found_wrong("a member gave up: " + each->last_words());
      return true;
    });
    std::erase_if(leaving_, [this](const auto& each) { return has_left(*each, 0ms); });
  }

  /// All leave.
  void disband() {
    for (auto& each : members_) {
      each->leave();
      leaving_.push_back(std::move(each));
    }
    members_.clear();
    for (auto& each : leaving_)
      if (!has_left(*each, stuck_after))
        ledger_.found_wrong(each->name() + " does not leave");
    leaving_.clear();
    end_questions();
  }

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] group_ledger& ledger() { return ledger_; }
  [[nodiscard]] std::string summary() const {
    const auto sum = ledger_.sum();
    return "group " + ledger_.group() + ": " + std::to_string(natives_) + " native members and " +
           std::to_string(kcats_) + " of kcat, of which " + std::to_string(left_) + " left, " +
           std::to_string(killed_) + " were killed and " + std::to_string(gave_up_) +
           " gave up; frozen " + std::to_string(frozen_) + " times; " +
           std::to_string(sum.generation) + " generations, " + std::to_string(sum.deliveries) +
           " deliveries, " + std::to_string(sum.repeats) + " of them repeats, " +
           std::to_string(sum.commits) + " offsets committed, " + std::to_string(sum.late_commits) +
           " of them late by kcat, " + std::to_string(sum.given_twice) +
           " records given twice to kcat, which had them in hand, " + std::to_string(sum.in_hand) +
           " records dropped by kcat when it was told to end, " + std::to_string(answers_) +
           " answers of the coordinator";
  }
  /// The members are killed; what they said last.
  [[nodiscard]] std::string last_words() {
    std::string all;
    for (auto& each : members_) {
      each->kill();
      all += each->last_words() + "\n";
    }
    members_.clear();
    return all;
  }

private:
  std::unique_ptr<member_process> take(const std::string& name) {
    const auto found = std::ranges::find(
        members_, name, [](const auto& each) -> const std::string& { return each->name(); });
    auto taken = std::move(*found);
    members_.erase(found);
    std::erase_if(thaws_, [&](const auto& each) { return each.second == name; });
    return taken;
  }

  bool has_left(member_process& member, milliseconds within) {
    if (!member.has_ended(test_clock::now() + within))
      return false;
    // A signal that comes before the member is ready for it ends it.
    const bool is_early = member.status() == 128 + SIGTERM;
    if (member.status() != 0 && !is_early && !member.is_kcat())
      ledger_.found_wrong("a member could not leave: " + member.last_words());
    return true;
  }

  void thaw(test_clock::time_point now) {
    for (const auto& [when, name] : thaws_)
      for (auto& each : members_)
        if (when <= now && each->name() == name)
          each->thaw();
    std::erase_if(thaws_, [&](const auto& each) { return each.first <= now; });
  }

  void ask(cluster on) {
    group_admin groups(std::move(on));
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, 100ms, [this] { return is_over_; })) {
      lock.unlock();
      const auto offsets = groups.offsets(ledger_.group(), 2s);
      if (offsets)
        for (const auto& each : *offsets)
          ledger_.answered(each.partition.partition.value, each.offset.value);
      lock.lock();
      answers_ += offsets ? 1 : 0;
    }
  }

  void end_questions() {
    if (!asker_.joinable())
      return;
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    asker_.join();
  }

  group_ledger ledger_;
  std::vector<std::string> assignors_;
  std::string brokers_;
  std::vector<std::unique_ptr<member_process>> members_;
  std::vector<std::unique_ptr<member_process>> leaving_;
  std::vector<std::pair<test_clock::time_point, std::string>> thaws_;
  int made_ = 0;
  int natives_ = 0;
  int kcats_ = 0;
  int left_ = 0;
  int killed_ = 0;
  int frozen_ = 0;
  int gave_up_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::int64_t answers_ = 0;
  std::thread asker_;
};

/// Three nodes, their load, and two groups that read it.
class group_chaos {
public:
  explicit group_chaos(std::uint64_t seed)
      : random_(seed),
        nodes_({.settings = {"cluster.session-timeout=1500ms", "groups.partitions=4"}}),
        on_(open(nodes_.addresses())) {
    CHECK(has_brokers(on_, nodes_.size()));
    create_topic(on_, topic, partitions, std::int16_t{3});
    load_.emplace(on_, topic, partitions, 20ms);
    std::string brokers;
    for (const auto& address : nodes_.addresses())
      brokers += (brokers.empty() ? "" : ",") + address;
    groups_.push_back(std::make_unique<chaos_group>(
        on_, "eager", std::vector<std::string>{"range", "roundrobin"}, brokers));
    groups_.push_back(std::make_unique<chaos_group>(
        on_, "cooperative", std::vector<std::string>{"cooperative-sticky"}, brokers));
    for (auto& group : groups_)
      for (const auto make : {member_make::polls, member_make::kcat, member_make::handlers})
        group->add(make);
    settle("at the beginning");
  }

  void round() {
    const auto what = static_cast<node_fault>(random_() % 4);
    const int node = what == node_fault::none ? 0 : choose(static_cast<target>(random_() % 3));
    inflict(what, node);
    for (auto& group : groups_)
      for (auto count = random_() % 3; count > 0; --count)
        tell(group->stir(random_, test_clock::now()));
    load_->work_for(milliseconds(std::uniform_int_distribution<int>(200, 3500)(random_)));
    if (what == node_fault::kill)
      nodes_.start_and_wait(node);
    else if (what == node_fault::freeze)
      nodes_.resume(node);
    if (++rounds_ % 8 == 0)
      settle("after round " + std::to_string(rounds_));
  }

  [[nodiscard]] bool is_sound() const {
    return load_->violations().empty() && std::ranges::all_of(groups_, [](const auto& group) {
             return group->ledger().violations().empty();
           });
  }

  void finish(std::uint64_t seed) {
    if (is_sound())
      settle("before the end");
    load_->finish(60s);
    std::vector<std::vector<std::string>> values;
    for (int partition = 0; partition < partitions; ++partition) {
      values.emplace_back();
      for (const auto& value : load_->log(partition))
        values.back().push_back(to_string(value));
    }
    if (is_sound())
      settle("at the end");
    if (!is_sound())
      tell_more();
    for (auto& group : groups_)
      group->disband();
    for (auto& group : groups_)
      if (group->ledger().violations().empty())
        group->ledger().finish(values);
    for (const auto& violation : load_->violations())
      FAIL_CHECK(violation);
    for (auto& group : groups_)
      for (const auto& violation : group->ledger().violations())
        FAIL_CHECK(violation);
    if (!is_sound())
      MESSAGE(told_);
    MESSAGE("seed ", seed, ": ", rounds_, " rounds; nodes killed ", kills_, ", frozen ", freezes_,
            ", restarted ", restarts_, " times; ", load_->acknowledged(),
            " records acknowledged; longest time to settle ", longest_.count(), " ms");
    for (auto& group : groups_)
      MESSAGE(group->summary());
  }

private:
  void tell(const std::string& what) {
    if (!what.empty())
      told_ += std::to_string(std::chrono::duration_cast<milliseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count()) +
               " ms: " + what + "\n";
  }

  void inflict(node_fault what, int node) {
    switch (what) {
    case node_fault::none:
      return;
    case node_fault::kill:
      tell("kill node " + std::to_string(node));
      nodes_.kill(node);
      ++kills_;
      return;
    case node_fault::freeze:
      tell("freeze node " + std::to_string(node));
      nodes_.pause(node);
      ++freezes_;
      return;
    case node_fault::restart:
      tell("restart node " + std::to_string(node));
      CHECK(nodes_.stop(node) == 0);
      nodes_.start_and_wait(node);
      ++restarts_;
      return;
    }
  }

  int choose(target whom) {
    switch (whom) {
    case target::leader:
      return leader_of(on_, topic, static_cast<int>(random_() % partitions));
    case target::coordinator:
      return coordinator_of(groups_[random_() % groups_.size()]->ledger().group());
    case target::controller:
      break;
    }
    const auto layout = admin(on_).describe_cluster();
    return layout && layout->controller ? layout->controller->value : 1;
  }

  int coordinator_of(const std::string& group) {
    protocol::find_coordinator_request request;
    request.group = group;
    const auto deadline = test_clock::now() + patience;
    while (test_clock::now() < deadline)
      for (int node = 1; node <= nodes_.size(); ++node) {
        const auto where = nodes_.address(node);
        native_client client({"127.0.0.1", static_cast<std::uint16_t>(
                                               std::stoi(where.substr(where.rfind(':') + 1)))});
        if (const auto found = client.call(request))
          return found->node;
      }
    load_->found_wrong("nobody coordinates " + group);
    return 1;
  }

  /// All is well: each group comes to rest, and commits what was acknowledged up to now.
  void settle(const std::string& when) {
    tell("settle " + when);
    for (auto& group : groups_)
      group->heal();
    const auto goal = load_->acknowledged_by_partition();
    const auto begin = test_clock::now();
    std::string why;
    while (is_sound() && !(why = unrest(goal)).empty()) {
      if (test_clock::now() - begin > stuck_after) {
        load_->found_wrong("stuck " + when + ": " + why);
        return;
      }
      load_->work_for(50ms);
    }
    longest_ =
        std::max(longest_, std::chrono::duration_cast<milliseconds>(test_clock::now() - begin));
  }

  /// What is not yet as it should be.
  std::string unrest(const std::vector<std::int64_t>& goal) {
    for (auto& group : groups_) {
      const auto& name = group->ledger().group();
      group->bury();
      const auto is = group_admin(on_).describe(name, 5s);
      if (!is)
        return name + " is not described: " + to_string(is.error());
      std::size_t given = 0;
      for (const auto& member : is->members)
        given += member.assigned.size();
      if (is->state != "Stable" || is->members.size() != group->size() || given != partitions)
        return name + " is " + is->state + " with " + std::to_string(is->members.size()) +
               " members of " + std::to_string(group->size()) + " and " + std::to_string(given) +
               " partitions given out";
      if (!group->ledger().has_committed(goal))
        return name + " has not committed what was there when all was well";
    }
    return "";
  }

  /// What the processes said, which is gone when they are.
  void tell_more() {
    for (int node = 1; node <= nodes_.size(); ++node)
      if (nodes_.is_running(node)) {
        const auto said = nodes_.process(node).errors();
        told_ += "node " + std::to_string(node) + " said last:\n" +
                 said.substr(said.size() - std::min<std::size_t>(said.size(), 20'000)) + "\n";
      }
    for (auto& group : groups_)
      told_ += group->last_words();
  }

  std::mt19937_64 random_;
  test_cluster nodes_;
  cluster on_;
  int rounds_ = 0;
  int kills_ = 0;
  int freezes_ = 0;
  int restarts_ = 0;
  milliseconds longest_{0};
  std::string told_;
  std::optional<chaos_load> load_;
  std::vector<std::unique_ptr<chaos_group>> groups_;
};

/// 0: not set.
std::uint64_t number_from(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

} // namespace

TEST_SUITE_BEGIN("cluster.group_chaos");

TEST_CASE("groups of both protocols lose nothing and repeat nothing that is committed") {
  const auto wanted = number_from("AQUEDUCT_SEED");
  const auto seed = wanted != 0 ? wanted : std::random_device{}();
  INFO("AQUEDUCT_SEED=" << seed);
  group_chaos life(seed);
  const auto seconds = number_from("AQUEDUCT_CHAOS_SECONDS");
  const auto end = test_clock::now() + (seconds > 0 ? std::chrono::seconds(seconds) : 8s);
  while (life.is_sound() && test_clock::now() < end)
    life.round();
  life.finish(seed);
}

TEST_SUITE_END();
