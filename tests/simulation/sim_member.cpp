#include "tests/simulation/sim_member.hpp"

#include "actors/consumer_group/assignors.hpp"
#include "protocol/consumer_protocol.hpp"

#include <algorithm>
#include <type_traits>

namespace aqueduct::actors::test {

namespace {

constexpr std::int32_t session_ms = 6000;
constexpr std::int32_t rebalance_ms = 8000;
constexpr std::int64_t patience_ms = 3000;
/// A rebalance may take its whole time.
constexpr std::int64_t join_patience_ms = 12'000;
constexpr std::int64_t heartbeat_interval_ms = 500;

/// As the member that leads shares the topic out among all that joined.
std::vector<member_assignment> assign_for(const std::vector<joined_member>& members) {
  std::vector<assignable_member> wishes;
  for (const auto& each : members)
    if (const auto wish = protocol::decode_subscription(each.metadata))
      wishes.push_back({each.id, each.instance, wish->topics, wish->owned, wish->owned});
  std::vector<member_assignment> made;
  const topic_sizes sizes{{std::string(sim_group_topic), sim_group_partitions}};
  for (const auto& [id, topics] : assign(cooperative_assignor, wishes, sizes))
    made.push_back({id, protocol::encode_assignment({topics, {}})});
  return made;
}

} // namespace

void group_book::owned(std::int32_t generation, std::int32_t partition, const std::string& name) {
  const auto [at, is_new] = owners.emplace(std::pair(generation, partition), name);
  if (at->second != name)
    broken.push_back("partition " + std::to_string(partition) + " of generation " +
                     std::to_string(generation) + " is " + at->second + "'s and " + name + "'s");
}

void sim_member::act() {
  if (cluster_.now_ms() < paused_until)
    return;
  take_join();
  take_sync();
  take_fetch();
  take_commits();
  take_heartbeat();
  const auto is_waiting = [this] { return joining_ || syncing_ || fetching_; };
  // With the node its connections end.
  if ((give_up_ms_ > 0 && cluster_.now_ms() >= give_up_ms_) ||
      (is_waiting() && !cluster_.is_up(coordinator_)))
    give_up();
  if (is_waiting())
    return;
  if (must_join_)
    join();
  else if (cluster_.now_ms() >= next_beat_ms_)
    beat();
}

void sim_member::leave() {
  if (id_.empty())
    return;
  leave_call call;
  call.members = {{id_, options_.instance, -1}};
  (void)send(std::move(call), std::make_shared<std::optional<leave_answer>>());
}

template <class Call, class Answer>
bool sim_member::send(Call call, const answer_slot<Answer>& to) {
  call.group = sim_group_name;
  call.done = [to](Answer answer) { *to = std::move(answer); };
  for (std::int32_t tried = 0; tried < cluster_.size(); ++tried) {
    coordinator_ = coordinator_ % cluster_.size() + (tried > 0 || coordinator_ == 0 ? 1 : 0);
    if (coordinator_ == 0)
      coordinator_ = 1;
    if (!cluster_.is_ready(coordinator_))
      continue;
    give_up_ms_ = cluster_.now_ms() + patience_ms;
    // The front end of a node that stands still answers no heartbeat.
    if (std::is_same_v<Call, heartbeat_call> && cluster_.is_paused(coordinator_))
      return true;
    cluster_.broker(coordinator_).groups().ask(sim_group_name, {std::move(call)});
    if (std::is_same_v<Call, heartbeat_call> && to->has_value())
      ++book_.board_answers;
    return true;
  }
  return false;
}

// -- joining --------------------------------------------------------------------------------------

void sim_member::join() {
  const bool is_native = options_.kind == sim_member_kind::native;
  if (!is_native)
    owned_.clear();
  // Who brings its id is the same new member when it asks again.
  if (is_native && id_.empty())
    id_ = options_.name + "-" + std::to_string(++ids_);
  join_call call;
  call.member = id_;
  call.brings_id = is_native && generation_ < 0;
  call.instance = options_.instance;
  call.client_id = options_.name;
  call.protocol_type = protocol::consumer_protocol_type;
  call.session_timeout_ms = session_ms;
  call.rebalance_timeout_ms = rebalance_ms;
  call.kind = is_native ? member_kind::coordinator_assigned : member_kind::client_assigned;
  call.needs_member_id = !is_native && id_.empty() && options_.instance.empty();
  protocol::consumer_subscription wish;
  wish.topics = {std::string(sim_group_topic)};
  if (!owned_.empty()) {
    wish.owned.push_back({std::string(sim_group_topic), {}});
    for (const auto& [partition, offset] : owned_)
      wish.owned[0].partitions.push_back(partition);
  }
  call.protocols = {{std::string(cooperative_assignor), protocol::encode_subscription(wish)}};
  auto answer = std::make_shared<std::optional<join_answer>>();
  if (!send(std::move(call), answer))
    return;
  give_up_ms_ = cluster_.now_ms() + join_patience_ms;
  joining_ = std::move(answer);
  must_join_ = false;
}

void sim_member::take_join() {
  if (!joining_ || !*joining_)
    return;
  const auto answer = std::move(**std::exchange(joining_, nullptr));
  give_up_ms_ = 0;
  if (answer.error != errc::none) {
    must_join_ = true;
    if (answer.error == errc::member_id_required)
      id_ = answer.member;
    else
      fail(answer.error);
    return;
  }
  ++book_.joins;
  id_ = answer.member;
  generation_ = answer.generation;
  if (options_.kind == sim_member_kind::native)
    assigned(answer.assignment);
  else
    sync(answer);
}

void sim_member::sync(const join_answer& joined) {
  sync_call call;
  call.who = {id_, options_.instance, generation_};
  if (!joined.members.empty()) {
    call.assignments = assign_for(joined.members);
    ++book_.assignments;
  }
  auto answer = std::make_shared<std::optional<sync_answer>>();
  if (send(std::move(call), answer)) {
    give_up_ms_ = cluster_.now_ms() + join_patience_ms;
    syncing_ = std::move(answer);
  } else {
    must_join_ = true;
  }
}

void sim_member::take_sync() {
  if (!syncing_ || !*syncing_)
    return;
  const auto answer = std::move(**std::exchange(syncing_, nullptr));
  give_up_ms_ = 0;
  if (answer.error == errc::none) {
    assigned(answer.assignment);
    return;
  }
  must_join_ = true;
  fail(answer.error);
}

void sim_member::assigned(const buffer& assignment) {
  std::set<std::int32_t> given;
  if (const auto read = protocol::decode_assignment(assignment))
    for (const auto& topic : read->partitions)
      given.insert(topic.partitions.begin(), topic.partitions.end());
  for (const auto partition : given)
    book_.owned(generation_, partition, owner_name());
  must_join_ =
      std::erase_if(owned_, [&](const auto& each) { return !given.contains(each.first); }) > 0;
  news_.clear();
  for (const auto partition : given)
    if (!owned_.contains(partition))
      news_.insert(partition);
  if (!news_.empty())
    fetch();
}

// -- offsets --------------------------------------------------------------------------------------

void sim_member::fetch() {
  auto answer = std::make_shared<std::optional<fetch_offsets_answer>>();
  promised_ = book_.acked;
  if (send(fetch_offsets_call(), answer))
    fetching_ = std::move(answer);
  else
    forget();
}

void sim_member::take_fetch() {
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
    if (found[partition] < offset)
      book_.broken.push_back("offset " + std::to_string(offset) + " of partition " +
                             std::to_string(partition) + " was committed, and is " +
                             std::to_string(found[partition]) + " now");
  for (const auto partition : std::exchange(news_, {}))
    owned_[partition] = found[partition];
}

void sim_member::take_commits() {
  std::erase_if(commits_, [&](sent_commit& sent) {
    if (!*sent.answer)
      return false;
    const auto error = (*sent.answer)->error;
    book_.refused_commits += error == errc::generation_mismatch || error == errc::unknown_member ||
                             error == errc::fenced_member;
    if (error != errc::none)
      return true;
    for (const auto& [partition, offset] : sent.offsets) {
      ++book_.commits;
      book_.acked[partition] = std::max(book_.acked[partition], offset);
      if (sent.known[partition] > sent.generation)
        book_.broken.push_back("a commit of generation " + std::to_string(sent.generation) +
                               " of partition " + std::to_string(partition) +
                               " was taken after one of generation " +
                               std::to_string(sent.known[partition]));
      book_.acked_in[partition] = std::max(book_.acked_in[partition], sent.generation);
    }
    return true;
  });
}

// -- staying --------------------------------------------------------------------------------------

void sim_member::beat() {
  next_beat_ms_ = cluster_.now_ms() + heartbeat_interval_ms;
  heartbeat_call call;
  call.who = {id_, options_.instance, generation_};
  beating_ = std::make_shared<std::optional<heartbeat_answer>>();
  (void)send(std::move(call), beating_);
  commit_call commit;
  commit.who = {id_, options_.instance, generation_};
  for (auto& [partition, offset] : owned_)
    commit.rows.push_back({{uuid{}, partition}, ++offset, -1, ""});
  if (commit.rows.empty())
    return;
  sent_commit sent{std::make_shared<std::optional<commit_answer>>(), owned_, generation_,
                   book_.acked_in};
  if (send(std::move(commit), sent.answer))
    commits_.push_back(std::move(sent));
  give_up_ms_ = 0;
}

void sim_member::take_heartbeat() {
  if (!beating_ || !*beating_)
    return;
  const auto answer = std::move(**std::exchange(beating_, nullptr));
  if (answer.error != errc::none)
    fail(answer.error);
}

void sim_member::fail(errc why) {
  if (why == errc::unknown_member || why == errc::fenced_member)
    forget();
  else if (why == errc::rebalance_in_progress || why == errc::generation_mismatch)
    must_join_ = true;
  else
    coordinator_ = coordinator_ % cluster_.size() + 1;
}

/// Nothing was answered in time. Who waits for a rebalance goes on with the id that it has.
void sim_member::give_up() {
  const auto id = joining_ || syncing_ ? id_ : std::string();
  const auto generation = id.empty() ? -1 : generation_;
  forget();
  id_ = id;
  generation_ = generation;
}

void sim_member::forget() {
  joining_ = nullptr;
  syncing_ = nullptr;
  fetching_ = nullptr;
  id_.clear();
  generation_ = -1;
  news_.clear();
  owned_.clear();
  give_up_ms_ = 0;
  must_join_ = true;
  coordinator_ = coordinator_ % cluster_.size() + 1;
}

} // namespace aqueduct::actors::test
