// Members of a consumer group as clients have to behave: of the native protocol, in which the
// coordinator assigns, and of Kafka's classic one, in which the member that leads does.
#pragma once

#include "actors/consumer_group/group_calls.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::actors::test {

/// The group that all members are in, and what it reads.
inline const std::string sim_group_name = "g";
inline constexpr std::string_view sim_group_topic = "t";
inline constexpr std::int32_t sim_group_partitions = 6;

/// What all members of a group together are held to: a partition has one owner in a generation,
/// what was committed does not go back, and only the present generation commits.
struct group_book {
  /// By generation and partition.
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners;
  /// By partition: the last offset whose commit was answered, and the generation that made it.
  std::map<std::int32_t, std::int64_t> acked;
  std::map<std::int32_t, std::int32_t> acked_in;
  std::size_t commits = 0;
  std::size_t joins = 0;
  /// Assignments that a member made for all.
  std::size_t assignments = 0;
  /// Heartbeats that no coordinator had to be woken for.
  std::size_t board_answers = 0;
  /// Commits of who was not in the present generation any more.
  std::size_t refused_commits = 0;
  /// Promises that were broken, as sentences.
  std::vector<std::string> broken;

  void owned(std::int32_t generation, std::int32_t partition, const std::string& name);
};

enum class sim_member_kind : std::uint8_t {
  /// Joins with what it holds, and is told what to let go of.
  native,
  /// Gives up everything, joins, and syncs: Kafka's eager rebalance.
  classic,
};

/// An answer that may come, or not.
template <class Answer>
using answer_slot = std::shared_ptr<std::optional<Answer>>;

class sim_member {
public:
  struct options {
    std::string name;
    sim_member_kind kind = sim_member_kind::native;
    /// Of a static member; else empty.
    std::string instance;
  };

  sim_member(sim_cluster& cluster, group_book& book, options given)
      : cluster_(cluster), book_(book), options_(std::move(given)) {}

  /// Takes what was answered, and does what is due.
  void act();
  /// Tells the coordinator that it goes. The answer may never come.
  void leave();

  [[nodiscard]] bool is_settled(std::int32_t generation) const {
    return !must_join_ && !joining_ && !syncing_ && !fetching_ && generation_ == generation;
  }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  /// The position by partition.
  [[nodiscard]] const std::map<std::int32_t, std::int64_t>& owned() const { return owned_; }
  [[nodiscard]] const options& settings() const { return options_; }

  /// It does nothing before.
  std::int64_t paused_until = 0;

private:
  template <class Call, class Answer>
  bool send(Call call, const answer_slot<Answer>& to);
  void join();
  void take_join();
  void sync(const join_answer& joined);
  void take_sync();
  void assigned(const buffer& assignment);
  void fetch();
  void take_fetch();
  void beat();
  void take_heartbeat();
  void take_commits();
  void fail(errc why);
  void give_up();
  void forget();
  /// As the book knows it: who comes back as the same instance is the same owner.
  [[nodiscard]] const std::string& owner_name() const {
    return options_.instance.empty() ? options_.name : options_.instance;
  }

  struct sent_commit {
    answer_slot<commit_answer> answer;
    std::map<std::int32_t, std::int64_t> offsets;
    std::int32_t generation = -1;
    /// Generations whose commits had been answered before this one was sent.
    std::map<std::int32_t, std::int32_t> known;
  };

  sim_cluster& cluster_;
  group_book& book_;
  options options_;
  std::string id_;
  std::int32_t generation_ = -1;
  std::int32_t coordinator_ = 1;
  bool must_join_ = true;
  std::map<std::int32_t, std::int64_t> owned_;
  std::set<std::int32_t> news_;
  std::map<std::int32_t, std::int64_t> promised_;
  answer_slot<join_answer> joining_;
  answer_slot<sync_answer> syncing_;
  answer_slot<fetch_offsets_answer> fetching_;
  answer_slot<heartbeat_answer> beating_;
  std::vector<sent_commit> commits_;
  std::int64_t next_beat_ms_ = 0;
  std::int64_t give_up_ms_ = 0;
  /// Ids that it made.
  int ids_ = 0;
};

} // namespace aqueduct::actors::test
