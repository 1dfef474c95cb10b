#include "tests/simulation/group_cluster.hpp"

#include "actors/consumer_group/group_partition.hpp"
#include "actors/consumer_group/heartbeat_board.hpp"

#include <caf/send.hpp>

#include <set>

namespace aqueduct::actors::test {

namespace {

constexpr std::int32_t nodes = 3;
constexpr std::int32_t coordinators = 2;
constexpr std::int64_t act_interval_ms = 50;
constexpr std::int64_t start_ms_max = 30'000;
constexpr std::int64_t settle_ms_max = 30'000;
constexpr std::int64_t rest_ms_max = 60'000;
constexpr std::size_t members_max = 4;

} // namespace

group_cluster::group_cluster(std::uint64_t seed) : cluster({.seed = seed}) {
  for (std::int32_t node = 1; node <= nodes; ++node)
    cluster.start(node);
  if (!cluster.run_until([&] { return cluster.unrest().empty(); }, start_ms_max))
    return;
  cluster.create_topic(cluster.controller(), std::string(sim_group_topic), sim_group_partitions,
                       nodes);
  is_there_ = cluster.create_coordinators(coordinators, start_ms_max);
}

sim_member& group_cluster::add_member(sim_member_kind kind, const std::string& instance) {
  sim_member::options made{"m" + std::to_string(++names_), kind, instance};
  return *members.emplace_back(std::make_unique<sim_member>(cluster, book, std::move(made)));
}

void group_cluster::pass_ms() {
  if (cluster.now_ms() % act_interval_ms == 0)
    for (auto& member : members)
      member->act();
  cluster.run_for(1);
}

void group_cluster::run_for(std::int64_t ms) {
  for (; ms > 0; --ms)
    pass_ms();
}

std::shared_ptr<partition_route> group_cluster::route(std::int32_t node) {
  const auto topic = cluster.broker(node).directory().find(group_topic_name);
  return topic->partitions[group_partition_of(sim_group_name, topic->partitions.size())];
}

std::int32_t group_cluster::coordinator() {
  return cluster.leader_of(
      std::string(group_topic_name),
      static_cast<std::int32_t>(group_partition_of(sim_group_name, coordinators)));
}

std::int32_t group_cluster::successor_of(std::int32_t former) {
  for (std::int32_t node = 1; node <= nodes; ++node)
    if (node != former && cluster.is_ready(node) && route(node)->leader == node)
      return node;
  return 0;
}

bool group_cluster::is_shared_out() const {
  std::set<std::int32_t> owned;
  for (const auto& member : members) {
    if (!member->is_settled(members[0]->generation()))
      return false;
    for (const auto& [partition, offset] : member->owned())
      owned.insert(partition);
  }
  return owned.size() == sim_group_partitions;
}

bool group_cluster::settles_within(std::int64_t ms) {
  for (; ms > 0 && !is_shared_out(); --ms)
    pass_ms();
  return is_shared_out();
}

std::int32_t group_cluster::run_until_phase(group_phase wanted, std::int64_t ms_max) {
  for (; ms_max > 0; --ms_max) {
    const auto node = coordinator();
    const auto seen = std::make_shared<std::optional<group_phase>>();
    if (node != 0 && !cluster.is_paused(node)) {
      describe_group_call call;
      call.group = sim_group_name;
      call.done = [seen](describe_group_answer answer) {
        if (answer.error == errc::none)
          *seen = answer.phase;
      };
      caf::anon_send(route(node)->coordinator, group_call{std::move(call)});
    }
    pass_ms();
    if (*seen == wanted && cluster.is_up(node))
      return node;
  }
  return 0;
}

bool group_cluster::check_offsets() {
  const auto node = coordinator();
  if (node == 0)
    return false;
  const auto promised = book.acked;
  const auto answer = std::make_shared<std::optional<fetch_offsets_answer>>();
  fetch_offsets_call call;
  call.group = sim_group_name;
  call.done = [answer](fetch_offsets_answer said) { *answer = std::move(said); };
  caf::anon_send(route(node)->coordinator, group_call{std::move(call)});
  if (!cluster.run_until([&] { return answer->has_value(); }, rest_ms_max) ||
      (*answer)->error != errc::none)
    return false;
  std::map<std::int32_t, std::int64_t> found;
  for (const auto& row : (*answer)->rows)
    found[row.key.partition] = row.value.offset;
  for (const auto& [partition, offset] : promised)
    if (found[partition] < offset)
      book.broken.push_back("offset " + std::to_string(offset) + " of partition " +
                            std::to_string(partition) + " was committed and is lost");
  return true;
}

// -- random lives ---------------------------------------------------------------------------------

group_life::group_life(std::uint64_t seed)
    : random_(seed), mix_(static_cast<group_mix>(seed % 3)), group_(seed) {}

std::vector<std::string> group_life::run(int rounds) {
  if (!group_.is_there())
    return {"the cluster does not start"};
  const auto is_clean = [&] {
    return group_.book.broken.empty() && group_.cluster.ledger().is_clean();
  };
  for (int i = 0; i < rounds && is_clean(); ++i) {
    step();
    group_.run_for(1000);
  }
  if (is_clean())
    heal();
  auto broken = std::move(broken_);
  for (auto& sentence : std::exchange(group_.book.broken, {}))
    broken.push_back(std::move(sentence));
  for (auto& sentence : group_.cluster.ledger().take_broken())
    broken.push_back(std::move(sentence));
  return broken;
}

void group_life::step() {
  const auto dice = draw(14);
  if (dice < 3 && group_.members.size() < members_max)
    add_member();
  else if (dice < 4 && group_.members.size() > 1)
    remove(0);
  else if (dice < 5 && group_.members.size() > 1) {
    group_.members.back()->leave();
    remove(group_.members.size() - 1);
  } else if (dice < 6 && !group_.members.empty())
    group_.members[draw(group_.members.size())]->paused_until =
        group_.cluster.now_ms() + static_cast<std::int64_t>(draw(15'000));
  else if (dice < 8)
    bring_back();
  else if (dice < 10 && down_ == 0)
    lose_node();
  else if (dice < 12 && down_ == 0)
    lose_coordinator_in_rebalance();
  else if (down_ != 0)
    group_.cluster.start(std::exchange(down_, 0));
}

void group_life::add_member() {
  auto kind = mix_ == group_mix::classic ? sim_member_kind::classic : sim_member_kind::native;
  if (mix_ == group_mix::both && draw(2) == 0)
    kind = sim_member_kind::classic;
  group_.add_member(kind, draw(3) == 0 ? "i" + std::to_string(++instances_) : "");
}

void group_life::remove(std::size_t member) {
  group_.members.erase(group_.members.begin() + static_cast<std::ptrdiff_t>(member));
}

/// The process of a static member is replaced by another one.
void group_life::bring_back() {
  for (std::size_t i = 0; i < group_.members.size(); ++i) {
    const auto known = group_.members[i]->settings();
    if (known.instance.empty())
      continue;
    remove(i);
    group_.add_member(known.kind, known.instance);
    counts_.note(fault_case::static_member_replaced);
    return;
  }
}

void group_life::lose_node() {
  const auto coordinator = group_.coordinator();
  down_ =
      draw(2) == 0 && coordinator != 0 ? coordinator : static_cast<std::int32_t>(1 + draw(nodes));
  group_.cluster.crash(down_);
}

void group_life::lose_coordinator_in_rebalance() {
  if (group_.members.size() < members_max)
    add_member();
  else
    remove(0);
  const bool is_completing = draw(2) == 0;
  const auto wanted = is_completing ? group_phase::completing : group_phase::preparing;
  down_ = group_.run_until_phase(wanted, 3000);
  if (down_ == 0)
    return;
  counts_.note(is_completing ? fault_case::coordinator_lost_completing
                             : fault_case::coordinator_lost_preparing);
  group_.cluster.crash(down_);
}

/// Nothing happens any more: half a minute later all is shared out.
void group_life::heal() {
  if (down_ != 0)
    group_.cluster.start(std::exchange(down_, 0));
  for (auto& member : group_.members)
    member->paused_until = 0;
  if (group_.members.empty())
    add_member();
  if (!group_.settles_within(settle_ms_max))
    broken_.emplace_back("the group is not shared out half a minute after everything was healed");
  std::string why;
  if (!group_.cluster.run_until([&] { return (why = group_.cluster.unrest()).empty(); },
                                rest_ms_max))
    broken_.push_back("the cluster does not come to rest: " + why);
  if (!group_.check_offsets())
    broken_.emplace_back("the coordinator does not say what was committed");
  if (broken_.empty())
    group_.cluster.audit();
}

case_counts group_life::cases() const {
  auto all = counts_;
  all.note(fault_case::old_commit_refused, group_.book.refused_commits);
  return all;
}

std::string group_life::trace() const {
  std::string text = std::to_string(events()) + "|" + std::to_string(simulated_ms()) + "|" +
                     std::to_string(group_.book.joins) + "|" + std::to_string(group_.book.commits);
  for (const auto& [place, name] : group_.book.owners)
    text += "|" + std::to_string(place.first) + "/" + std::to_string(place.second) + name;
  for (const auto& [partition, offset] : group_.book.acked)
    text += "," + std::to_string(offset);
  return text;
}

} // namespace aqueduct::actors::test
