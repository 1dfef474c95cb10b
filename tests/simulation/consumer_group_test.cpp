// Consumer groups on a simulated cluster: the shipped coordinators over replicated logs, with
// members that join, crash and stand still while coordinators are lost.
#include "actors/consumer_group/assignors.hpp"
#include "actors/consumer_group/group_partition.hpp"
#include "actors/consumer_group/heartbeat_board.hpp"
#include "protocol/consumer_protocol.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <type_traits>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE_BEGIN("simulation.consumer_group");

namespace {

constexpr std::int32_t partitions = 6;

/// What all members together are held to.
struct group_book {
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners;
  std::map<std::int32_t, std::int64_t> acked;
  std::size_t commits = 0;
  std::size_t joins = 0;
  /// Heartbeats that no coordinator had to be woken for.
  std::size_t board_answers = 0;
};

/// An answer that may come, or not.
template <class Answer>
using slot = std::shared_ptr<std::optional<Answer>>;

class sim_member {
public:
  sim_member(sim_cluster& cluster, group_book& book, std::string name)
      : cluster_(cluster), book_(book), name_(std::move(name)) {}

  void act() {
    if (cluster_.now_ms() < paused_until)
      return;
    take_join();
    take_fetch();
    take_commits();
    take_heartbeat();
    if (give_up_ms_ > 0 && cluster_.now_ms() >= give_up_ms_)
      forget();
    if (joining_ || fetching_)
      return;
    if (must_join_)
      join();
    else if (cluster_.now_ms() >= next_beat_ms_)
      beat();
  }

  [[nodiscard]] bool is_settled(std::int32_t generation) const {
    return !must_join_ && !joining_ && !fetching_ && generation_ == generation;
  }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  [[nodiscard]] const std::map<std::int32_t, std::int64_t>& owned() const { return owned_; }

  std::int64_t paused_until = 0;

private:
  template <class Call, class Answer>
  bool send(Call call, const slot<Answer>& to) {
    call.group = "g";
    call.done = [to](Answer answer) { *to = std::move(answer); };
    for (std::int32_t tried = 0; tried < cluster_.size(); ++tried) {
      coordinator_ = coordinator_ % cluster_.size() + (tried > 0 || coordinator_ == 0 ? 1 : 0);
      if (coordinator_ == 0)
        coordinator_ = 1;
      if (!cluster_.is_ready(coordinator_))
        continue;
      give_up_ms_ = cluster_.now_ms() + 3000;
      // The front end of a node that stands still answers no heartbeat.
      if (std::is_same_v<Call, heartbeat_call> && cluster_.is_paused(coordinator_))
        return true;
      cluster_.broker(coordinator_).groups().ask("g", {std::move(call)});
      if (std::is_same_v<Call, heartbeat_call> && to->has_value())
        ++book_.board_answers;
      return true;
    }
    return false;
  }

  void join() {
    join_call call;
    call.member = id_;
    call.client_id = name_;
    call.protocol_type = protocol::consumer_protocol_type;
    call.session_timeout_ms = 6000;
    call.rebalance_timeout_ms = 8000;
    call.kind = member_kind::coordinator_assigned;
    protocol::consumer_subscription wish;
    wish.topics = {"t"};
    if (!owned_.empty()) {
      wish.owned.push_back({"t", {}});
      for (const auto& [partition, offset] : owned_)
        wish.owned[0].partitions.push_back(partition);
    }
    call.protocols = {{std::string(cooperative_assignor), protocol::encode_subscription(wish)}};
    auto answer = std::make_shared<std::optional<join_answer>>();
    if (!send(std::move(call), answer))
      return;
    // A rebalance may take its whole time.
    give_up_ms_ = cluster_.now_ms() + 12'000;
    joining_ = std::move(answer);
    must_join_ = false;
  }

  void take_join() {
    if (!joining_ || !*joining_)
      return;
    const auto answer = std::move(**std::exchange(joining_, nullptr));
    give_up_ms_ = 0;
    if (answer.error != errc::none) {
      must_join_ = true;
      fail(answer.error);
      return;
    }
    ++book_.joins;
    id_ = answer.member;
    generation_ = answer.generation;
    std::set<std::int32_t> given;
    const auto assignment = protocol::decode_assignment(answer.assignment);
    for (const auto& topic : assignment->partitions)
      given.insert(topic.partitions.begin(), topic.partitions.end());
    for (const auto partition : given) {
      const auto [at, is_new] = book_.owners.emplace(std::pair(generation_, partition), name_);
      CHECK_MESSAGE(at->second == name_, "partition " << partition << " of generation "
                                                      << generation_ << " has two owners");
    }
    must_join_ =
        std::erase_if(owned_, [&](const auto& each) { return !given.contains(each.first); }) > 0;
    news_.clear();
    for (const auto partition : given)
      if (!owned_.contains(partition))
        news_.insert(partition);
    if (!news_.empty())
      fetch();
  }

  void fetch() {
    auto answer = std::make_shared<std::optional<fetch_offsets_answer>>();
    promised_ = book_.acked;
    if (send(fetch_offsets_call(), answer))
      fetching_ = std::move(answer);
    else
      forget();
  }

  void take_fetch() {
    if (!fetching_ || !*fetching_)
      return;
    const auto answer = std::move(**std::exchange(fetching_, nullptr));
    give_up_ms_ = 0;
    if (answer.error != errc::none) {
      coordinator_ = 0;
      fetch();
      return;
    }
    std::map<std::int32_t, std::int64_t> found;
    for (const auto& row : answer.rows)
      found[row.key.partition] = row.value.offset;
    for (const auto& [partition, offset] : promised_)
      CHECK_MESSAGE(found[partition] >= offset,
                    "a commit of partition " << partition << " is lost");
    for (const auto partition : std::exchange(news_, {}))
      owned_[partition] = found[partition];
  }

  void beat() {
    next_beat_ms_ = cluster_.now_ms() + 500;
    heartbeat_call call;
    call.who = {id_, "", generation_};
    beating_ = std::make_shared<std::optional<heartbeat_answer>>();
    send(std::move(call), beating_);
    commit_call commit;
    commit.who = {id_, "", generation_};
    for (auto& [partition, offset] : owned_)
      commit.rows.push_back({{uuid{}, partition}, ++offset, -1, ""});
    if (commit.rows.empty())
      return;
    sent_commit sent{std::make_shared<std::optional<commit_answer>>(), owned_};
    if (send(std::move(commit), sent.answer))
      commits_.push_back(std::move(sent));
    give_up_ms_ = 0;
  }

  void take_heartbeat() {
    if (!beating_ || !*beating_)
      return;
    const auto answer = std::move(**std::exchange(beating_, nullptr));
    if (answer.error != errc::none)
      fail(answer.error);
  }

  void take_commits() {
    std::erase_if(commits_, [&](sent_commit& sent) {
      if (!*sent.answer)
        return false;
      if ((*sent.answer)->error == errc::none)
        for (const auto& [partition, offset] : sent.offsets) {
          ++book_.commits;
          book_.acked[partition] = std::max(book_.acked[partition], offset);
        }
      return true;
    });
  }

  void fail(errc why) {
    if (why == errc::unknown_member || why == errc::fenced_member)
      forget();
    else if (why == errc::rebalance_in_progress || why == errc::generation_mismatch)
      must_join_ = true;
    else
      coordinator_ = coordinator_ % cluster_.size() + 1;
  }

  void forget() {
    if (fetching_ || (!joining_ && !must_join_)) {
      id_.clear();
      owned_.clear();
    }
    if (joining_ == nullptr)
      id_.clear();
    joining_ = nullptr;
    fetching_ = nullptr;
    news_.clear();
    owned_.clear();
    give_up_ms_ = 0;
    must_join_ = true;
    coordinator_ = coordinator_ % cluster_.size() + 1;
  }

  struct sent_commit {
    slot<commit_answer> answer;
    std::map<std::int32_t, std::int64_t> offsets;
  };

  sim_cluster& cluster_;
  group_book& book_;
  std::string name_;
  std::string id_;
  std::int32_t generation_ = -1;
  std::int32_t coordinator_ = 1;
  bool must_join_ = true;
  std::map<std::int32_t, std::int64_t> owned_;
  std::set<std::int32_t> news_;
  std::map<std::int32_t, std::int64_t> promised_;
  slot<join_answer> joining_;
  slot<fetch_offsets_answer> fetching_;
  slot<heartbeat_answer> beating_;
  std::vector<sent_commit> commits_;
  std::int64_t next_beat_ms_ = 0;
  std::int64_t give_up_ms_ = 0;
};

struct group_cluster {
  explicit group_cluster(std::uint64_t seed) : cluster({.seed = seed}), random(seed) {
    for (std::int32_t node = 1; node <= 3; ++node)
      cluster.start(node);
    REQUIRE(cluster.run_until([&] { return cluster.unrest().empty(); }, 30'000));
    cluster.create_topic(cluster.controller(), "t", partitions, 3);
    REQUIRE(cluster.create_coordinators(2, 30'000));
  }

  void add_member() {
    members.push_back(std::make_unique<sim_member>(cluster, book, "m" + std::to_string(++names)));
  }
  void run_for(std::int64_t ms) {
    for (std::int64_t passed = 0; passed < ms; passed += 50) {
      for (auto& member : members)
        member->act();
      cluster.run_for(50);
    }
  }
  /// Of the coordinator of group "g", as `node` knows it.
  [[nodiscard]] std::shared_ptr<partition_route> route(std::int32_t node) {
    const auto topic = cluster.broker(node).directory().find(group_topic_name);
    return topic->partitions[group_partition_of("g", topic->partitions.size())];
  }
  /// What the coordinator on `node` says to a commit of who is no member.
  commit_answer commit(std::int32_t node, std::int64_t offset) {
    const auto answer = std::make_shared<std::optional<commit_answer>>();
    commit_call call;
    call.group = "g";
    call.rows = {{{uuid{}, 0}, offset, -1, ""}};
    call.done = [answer](commit_answer said) { *answer = std::move(said); };
    caf::anon_send(route(node)->coordinator, group_call{std::move(call)});
    REQUIRE(cluster.run_until([&] { return answer->has_value(); }, 5000));
    return **answer;
  }
  /// Another node that knows itself to be the coordinator; 0: there is none.
  [[nodiscard]] std::int32_t successor_of(std::int32_t former) {
    for (std::int32_t node = 1; node <= 3; ++node)
      if (node != former && route(node)->leader == node)
        return node;
    return 0;
  }
  [[nodiscard]] bool is_shared_out() const {
    std::set<std::int32_t> owned;
    for (const auto& member : members) {
      if (!member->is_settled(members[0]->generation()))
        return false;
      for (const auto& [partition, offset] : member->owned())
        owned.insert(partition);
    }
    return owned.size() == partitions;
  }
  /// Runs until everything is shared out, or so long.
  [[nodiscard]] bool settles_within(std::int64_t ms) {
    for (std::int64_t passed = 0; passed < ms && !is_shared_out(); passed += 50)
      run_for(50);
    return is_shared_out();
  }
  [[nodiscard]] std::int32_t coordinator() {
    return cluster.leader_of(std::string(group_topic_name),
                             static_cast<std::int32_t>(group_partition_of("g", 2)));
  }

  sim_cluster cluster;
  std::mt19937_64 random;
  group_book book;
  std::vector<std::unique_ptr<sim_member>> members;
  int names = 0;
};

} // namespace

TEST_CASE("members go on when their coordinator is lost, with what they had and had committed") {
  group_cluster life(3);
  life.add_member();
  life.add_member();
  REQUIRE(life.settles_within(30'000));
  life.run_for(3000);
  const auto generation = life.members[0]->generation();
  REQUIRE(life.book.commits > 10);

  const auto lost = life.coordinator();
  REQUIRE(lost != 0);
  life.cluster.crash(lost);
  REQUIRE(life.cluster.run_until([&] { return life.coordinator() != 0; }, 20'000));
  life.run_for(3000);
  REQUIRE(life.settles_within(30'000));
  CHECK(life.members[0]->generation() <= generation + 1);
  life.cluster.start(lost);
  CHECK(life.cluster.run_until([&] { return life.cluster.unrest().empty(); }, 60'000));
  CHECK(life.cluster.ledger().is_clean());
}

TEST_CASE("who was just elected is the coordinator, though it may be loading") {
  group_cluster life(5);
  const auto lost = life.coordinator();
  REQUIRE(lost != 0);
  life.cluster.crash(lost);
  REQUIRE(life.cluster.run_until([&] { return life.successor_of(lost) != 0; }, 20'000));
  const auto elected = life.successor_of(lost);
  // What a client asks whom FindCoordinator has sent to this node.
  const auto answer = std::make_shared<std::optional<heartbeat_answer>>();
  heartbeat_call call;
  call.group = "g";
  call.who = {"nobody", "", 1};
  call.done = [answer](heartbeat_answer said) { *answer = std::move(said); };
  caf::anon_send(life.route(elected)->coordinator, group_call{std::move(call)});
  REQUIRE(life.cluster.run_until([&] { return answer->has_value(); }, 5000));
  CHECK((*answer)->error != errc::not_coordinator);
}

TEST_CASE("offsets that are asked for of a coordinator that is deposed meanwhile are refused") {
  group_cluster life(6);
  const auto deposed = life.coordinator();
  REQUIRE(deposed != 0);
  REQUIRE(life.commit(deposed, 1).error == errc::none);

  // It stands still while the others elect another one, which takes the next commit.
  life.cluster.wires().isolate(deposed, 3);
  life.cluster.pause(deposed, true);
  REQUIRE(life.cluster.run_until([&] { return life.successor_of(deposed) != 0; }, 20'000));
  const auto elected = life.successor_of(deposed);
  REQUIRE(
      life.cluster.run_until([&] { return life.commit(elected, 2).error == errc::none; }, 5000));
  life.cluster.pause(deposed, false);

  int answers = 0;
  fetch_offsets_answer read;
  fetch_offsets_call call;
  call.group = "g";
  call.done = [&](fetch_offsets_answer said) {
    ++answers;
    read = std::move(said);
  };
  caf::anon_send(life.route(deposed)->coordinator, group_call{std::move(call)});
  life.cluster.run_for(1);
  // It takes itself for the coordinator, and cannot prove it.
  CHECK(life.route(deposed)->leader == deposed);
  CHECK(answers == 0);
  life.cluster.heal_network();
  REQUIRE(life.cluster.run_until([&] { return answers > 0; }, 5000));
  life.cluster.run_for(1000);
  CHECK(answers == 1);
  CHECK((read.error == errc::not_coordinator || read.error == errc::coordinator_loading));
  CHECK(read.rows.empty());
}

TEST_CASE("a coordinator that is out of service sends everybody to who took over") {
  group_cluster life(7);
  const auto broken = life.coordinator();
  REQUIRE(broken != 0);
  REQUIRE(life.commit(broken, 1).error == errc::none);

  caf::anon_send(life.route(broken)->handle,
                 group_event{group_failed{{errc::internal, "an invariant is broken"}}});
  const auto refused = life.commit(broken, 2);
  CHECK(refused.error == errc::not_coordinator);
  CHECK(refused.message == "an invariant is broken");
  CHECK(refused.coordinator == -1);
  const auto elected = [&] { return life.successor_of(broken); };
  REQUIRE(life.cluster.run_until([&] { return elected() != 0; }, 20'000));
  CHECK(
      life.cluster.run_until([&] { return life.commit(elected(), 3).error == errc::none; }, 5000));
  CHECK(life.commit(broken, 4).error == errc::not_coordinator);
}

TEST_CASE("news that were behind a coordinator's failure do not bring it back") {
  group_cluster life(8);
  const auto broken = life.coordinator();
  REQUIRE(broken != 0);
  const auto route = life.route(broken);
  const auto tell = [&](auto news) { caf::anon_send(route->handle, group_event{std::move(news)}); };
  const auto term = static_cast<std::uint64_t>(route->leader_epoch.load());
  tell(group_failed{{errc::internal, "an invariant is broken"}});
  tell(group_leadership{term + 1, broken, true});
  life.cluster.run_for(1);
  const auto named = route->leader.load();
  CHECK(named > 0);
  CHECK(named != broken);
  SUBCASE("who took over is worth knowing") {
    const auto other = broken % 3 + 1;
    tell(group_leadership{term + 2, other, false});
    life.cluster.run_for(1);
    CHECK(route->leader == other);
    CHECK(route->leader_epoch == static_cast<std::int32_t>(term + 2));
  }
  SUBCASE("that nobody leads is not") {
    tell(group_leadership{term + 2, -1, false});
    life.cluster.run_for(1);
    CHECK(route->leader == named);
  }
}

TEST_CASE("the internal topic keeps no records and says so") {
  group_cluster life(4);
  const auto node = life.cluster.broker(1).directory().find(group_topic_name);
  REQUIRE(node);
  CHECK(node->record.partitions.size() == 2);
  const auto answered = std::make_shared<std::optional<error>>();
  protocol::delete_topic_request removal;
  removal.name = group_topic_name;
  life.cluster.broker(1).ask_controller(
      removal, [answered](const result<controller_answer>& answer) { *answered = answer.error(); });
  REQUIRE(life.cluster.run_until([&] { return answered->has_value(); }, 10'000));
  CHECK((*answered)->code == errc::invalid_topic);
}

TEST_CASE("groups keep their promises in random lives of a cluster") {
  std::uint64_t first = 1;
  std::uint64_t last = 40;
  if (const char* given = std::getenv("GROUP_SEED"))
    first = last = std::strtoull(given, nullptr, 10);
  std::size_t commits = 0;
  std::size_t board_answers = 0;
  for (auto seed = first; seed <= last; ++seed) {
    CAPTURE(seed);
    group_cluster life(seed);
    std::int32_t down = 0;
    for (int round = 0; round < 40; ++round) {
      const auto dice = life.random() % 10;
      if (dice < 3 && life.members.size() < 4) {
        life.add_member();
      } else if (dice < 4 && life.members.size() > 1) {
        life.members.erase(life.members.begin());
      } else if (dice < 5 && !life.members.empty()) {
        life.members[life.random() % life.members.size()]->paused_until =
            life.cluster.now_ms() + static_cast<std::int64_t>(life.random() % 15'000);
      } else if (dice < 7 && down == 0) {
        down = dice == 5 && life.coordinator() != 0
                   ? life.coordinator()
                   : static_cast<std::int32_t>(1 + life.random() % 3);
        life.cluster.crash(down);
      } else if (down != 0) {
        life.cluster.start(std::exchange(down, 0));
      }
      life.run_for(1000);
    }
    if (down != 0)
      life.cluster.start(down);
    for (auto& member : life.members)
      member->paused_until = 0;
    if (life.members.empty())
      life.add_member();
    CHECK(life.settles_within(30'000));
    CHECK(life.book.joins > 0);
    commits += life.book.commits;
    board_answers += life.book.board_answers;
    (void)life.cluster.run_until([&] { return life.cluster.unrest().empty(); }, 60'000);
    CHECK(life.cluster.unrest() == "");
    CHECK(life.cluster.ledger().is_clean());
  }
  CHECK(commits > 50 * (last - first + 1));
  CHECK(board_answers > 20 * (last - first + 1));
}

TEST_SUITE_END();
