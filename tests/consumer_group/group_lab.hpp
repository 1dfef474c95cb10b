// A coordinator of consumer groups with a log that commits when the test says so.
#pragma once

#include "tests/consumer_group/group_house.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

/// An answer that may not be there yet.
template <class Answer>
class awaited {
public:
  [[nodiscard]] std::function<void(Answer)> taker() const {
    return [to = answer_](Answer answer) {
      ++to->count;
      to->value = std::move(answer);
    };
  }
  [[nodiscard]] bool is_there() const { return answer_->count == 1; }
  [[nodiscard]] int count() const { return answer_->count; }
  const Answer& operator*() const { return answer_->value; }
  const Answer* operator->() const { return &answer_->value; }

private:
  struct slot {
    int count = 0;
    Answer value;
  };
  std::shared_ptr<slot> answer_ = std::make_shared<slot>();
};

class group_lab {
public:
  group_lab() : group_lab(group_limits{.initial_delay_ms = 0}) {}
  explicit group_lab(group_limits bounds) : bounds_(bounds) { begin(); }

  /// The leader is gone, with what was not committed; another one takes over.
  void fail_over() {
    coordinator->follow(-1);
    coordinator->deliver();
    in_flight_.clear();
    ++term_;
    begin();
  }

  /// Takes proposals into the log.
  void collect() {
    auto commands = coordinator->take_proposals();
    if (commands.empty())
      return;
    coordinator->proposed(next_index_, term_, commands.size());
    for (auto& command : commands)
      in_flight_.push_back({next_index_++, std::move(command)});
  }
  /// Commits the oldest proposal; false if there is none.
  bool commit_one() {
    collect();
    if (in_flight_.empty())
      return false;
    auto [index, command] = std::move(in_flight_.front());
    in_flight_.pop_front();
    apply(command);
    coordinator->applied(index, term_, now);
    return true;
  }
  void commit_all() {
    while (commit_one()) {
    }
  }
  /// The log takes none of what is proposed now.
  void refuse_all(errc why) {
    const auto commands = coordinator->take_proposals();
    coordinator->refused(commands.size(), {why, "refused"}, now);
  }
  void advance(std::int64_t ms, std::int64_t step_ms = 100) {
    for (const auto end = now.steady_ms + ms; now.steady_ms < end;) {
      now.steady_ms += step_ms;
      now.wall_ms += step_ms;
      coordinator->tick(now);
      if (commits)
        commit_all();
    }
  }

  // -- requests ----------------------------------------------------------------------------------

  [[nodiscard]] static join_call native_join(const std::string& member,
                                             const std::vector<std::string>& topics,
                                             std::vector<topic_partitions> owned = {}) {
    join_call call;
    call.group = "g";
    call.member = member;
    call.client_id = "c";
    call.protocol_type = "consumer";
    call.session_timeout_ms = 10'000;
    call.rebalance_timeout_ms = 20'000;
    call.kind = member_kind::coordinator_assigned;
    protocol::consumer_subscription wish;
    wish.topics = topics;
    wish.owned = std::move(owned);
    call.protocols = {{std::string(cooperative_assignor), protocol::encode_subscription(wish)}};
    return call;
  }
  [[nodiscard]] static join_call classic_join(const std::string& member) {
    auto call = native_join(member, {"t"});
    call.kind = member_kind::client_assigned;
    call.protocols = {{"range", buffer::copy_of(std::string_view("meta"))}};
    return call;
  }
  awaited<join_answer> join(join_call call) {
    awaited<join_answer> answer;
    call.done = answer.taker();
    coordinator->handle(std::move(call), now);
    after();
    return answer;
  }
  awaited<sync_answer> sync(const std::string& member, std::int32_t generation,
                            std::vector<member_assignment> assignments = {},
                            const std::string& instance = "") {
    awaited<sync_answer> answer;
    coordinator->handle(
        sync_call{
            "g", {member, instance, generation}, "", "", std::move(assignments), answer.taker()},
        now);
    after();
    return answer;
  }
  heartbeat_answer heartbeat(const std::string& member, std::int32_t generation,
                             const std::string& instance = "") {
    const group_member_id who{member, instance, generation};
    if (board->beat("g", who, now.steady_ms)) {
      ++board_answers;
      const auto group = describe();
      CHECK(group.phase == group_phase::stable);
      CHECK(group.group.generation == generation);
      CHECK(std::ranges::any_of(group.group.members, [&](const auto& each) {
        return each.id == member && each.instance == instance;
      }));
      return {};
    }
    awaited<heartbeat_answer> answer;
    coordinator->handle(heartbeat_call{"g", who, answer.taker()}, now);
    after();
    return *answer;
  }
  leave_answer leave(std::vector<group_member_id> members) {
    awaited<leave_answer> answer;
    coordinator->handle(leave_call{"g", std::move(members), answer.taker()}, now);
    after();
    return *answer;
  }
  awaited<commit_answer> commit(const group_member_id& who, std::int64_t offset,
                                std::int32_t partition = 0, const std::string& group = "g") {
    awaited<commit_answer> answer;
    coordinator->handle(
        commit_call{group, who, {{key(partition), offset, -1, "words"}}, answer.taker()}, now);
    after();
    return answer;
  }
  fetch_offsets_answer offsets(const std::string& group = "g") {
    awaited<fetch_offsets_answer> answer;
    coordinator->handle(fetch_offsets_call{group, std::nullopt, answer.taker()}, now);
    return *answer;
  }
  /// -1: none.
  std::int64_t offset_of(std::int32_t partition = 0) {
    for (const auto& row : offsets().rows)
      if (row.key.partition == partition)
        return row.value.offset;
    return -1;
  }
  describe_group_answer describe(const std::string& group = "g") {
    awaited<describe_group_answer> answer;
    coordinator->handle(describe_group_call{group, answer.taker()}, now);
    return *answer;
  }
  errc remove(const std::string& group = "g") {
    awaited<delete_group_answer> answer;
    coordinator->handle(delete_group_call{group, answer.taker()}, now);
    after();
    return answer->error;
  }

  [[nodiscard]] static offset_key key(std::int32_t partition) {
    offset_key of;
    of.topic.bytes[0] = 7;
    of.partition = partition;
    return of;
  }

  /// Whether everything is committed at once.
  bool commits = true;
  group_time now{1000, 1'000'000};
  topic_sizes topics{{"t", 4}};
  bool is_gone = false;
  std::map<std::string, buffer> rows;
  group_table table;
  std::shared_ptr<heartbeat_board> board = std::make_shared<heartbeat_board>();
  /// Heartbeats that did not come to the coordinator.
  std::size_t board_answers = 0;
  std::optional<group_house> coordinator;

private:
  void begin() {
    group_coordinator::options options;
    options.node = 1;
    options.bounds = bounds_;
    options.board = board;
    options.is_gone = [this](const uuid&) { return is_gone; };
    group_core::options groups;
    groups.bounds = bounds_;
    groups.topic_size = [this](std::string_view name) -> std::optional<std::int32_t> {
      const auto found = topics.find(name);
      return found == topics.end() ? std::nullopt : std::optional(found->second);
    };
    groups.new_member_id = [this](std::string_view client) {
      return std::string(client) + "-" + std::to_string(++member_ids_);
    };
    // Who takes over knows what the rows say.
    table = group_table();
    for (const auto& [name, value] : rows)
      (void)table.restore(name, value);
    coordinator.emplace(table, std::move(options), std::move(groups));
    coordinator->lead(now);
  }
  void apply(const group_command& command) {
    for (auto& write : table.replay(*decode_group_command(encode(command)))) {
      if (write.value)
        rows[write.key] = *write.value;
      else
        rows.erase(write.key);
    }
  }
  void after() {
    if (commits)
      commit_all();
  }

  group_limits bounds_;
  std::uint64_t next_index_ = 1;
  std::uint64_t term_ = 1;
  int member_ids_ = 0;
  std::deque<std::pair<std::uint64_t, group_command>> in_flight_;
};

inline std::vector<topic_partitions> parts_of(const buffer& assignment) {
  return protocol::decode_assignment(assignment)->partitions;
}

} // namespace aqueduct::actors::test
