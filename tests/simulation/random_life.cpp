#include "tests/simulation/random_life.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

std::int32_t founders_of(std::uint64_t seed, known_faults faults) {
  if (is_large_life(seed, faults))
    return 6 + static_cast<std::int32_t>(seed / large_lives % 2);
  return 1 + static_cast<std::int32_t>(seed % 5);
}

/// In every other life there is a node that may join.
std::int32_t nodes_of(std::uint64_t seed, known_faults faults) {
  return std::min(founders_of(seed, faults) + static_cast<std::int32_t>(seed / 5 % 2), 7);
}

sim_group::options options_of(std::uint64_t seed, storage::flush_mode flush, known_faults faults) {
  sim_group::options made;
  made.disks_stall = faults != known_faults::first;
  made.clocks_drift = faults != known_faults::first && seed / 4 % 2 == 0;
  made.seed = seed;
  made.nodes = nodes_of(seed, faults);
  made.founders = founders_of(seed, faults);
  made.hibernate_after_ticks = seed % 3 == 0 ? 20 : 0;
  made.flush = flush;
  made.disk_delay_ms_max = seed / 2 % 2 == 0 ? 0 : 1 + static_cast<std::int64_t>(seed % 29);
  if (seed / 3 % 2 == 0)
    made.append_bytes_max = 1;
  if (seed / 7 % 2 == 0)
    made.inflight_requests_max = 1 + static_cast<std::uint32_t>(seed % 3);
  return made;
}

/// The network takes shapes in these, and links hold what they are given.
bool has_weather(std::uint64_t seed, known_faults faults) {
  return faults > known_faults::few_shapes && seed / 2 % 2 == 0;
}

/// The key-value store refuses a write now and then in these, until they are healed.
bool has_short_store(std::uint64_t seed, known_faults faults) {
  return faults != known_faults::first && seed % 4 == 1;
}

} // namespace

std::string_view to_string(life_event what) {
  constexpr std::string_view names[] = {"crash",
                                        "crash in a write",
                                        "failed sync",
                                        "restart",
                                        "isolation",
                                        "one-way cut",
                                        "healing",
                                        "bad network",
                                        "transfer",
                                        "lost contact",
                                        "member change",
                                        "read",
                                        "state written",
                                        "compaction",
                                        "crash while a state is taken over",
                                        "proposals",
                                        "bridge",
                                        "stalled disk",
                                        "full disk",
                                        "room again",
                                        "write error",
                                        "power cut of all nodes",
                                        "leader cut off with a stalled disk",
                                        "network in halves",
                                        "half a network deaf",
                                        "network as a ring",
                                        "halves that one node joins",
                                        "clogged links"};
  static_assert(std::size(names) == static_cast<std::size_t>(life_event::count_));
  return names[static_cast<std::size_t>(what)];
}

random_life::random_life(std::uint64_t seed, storage::flush_mode flush, known_faults faults)
    : chance_(seed),
      other_chance_(seed * 13 + 7),
      faults_(faults),
      nodes_(nodes_of(seed, faults)),
      group_(options_of(seed, flush, faults)) {
  if (has_weather(seed, faults))
    weather_.emplace(seed * 19 + 11, nodes_,
                     network_weather::pace{
                         .odds = 15, .steps_min = 6, .steps_max = 25, .clogged_steps_max = 10});
  if (has_short_store(seed, faults))
    for (std::int32_t node = 1; node <= nodes_; ++node)
      group_.machine(node).store->refuse_writes(4, seed * 17 + static_cast<unsigned>(node));
}

std::vector<std::string> random_life::run(int steps) {
  const auto cut_off_at = static_cast<int>(other_chance_.random() % 30);
  for (int i = 0; i < steps; ++i) {
    step();
    if (faults_ != known_faults::first)
      step_beside();
    if (weather_)
      change_weather();
    // Rare by chance: writes of a leader that is deposed before they end.
    if (faults_ != known_faults::first && i == cut_off_at &&
        happen_beside(life_event::stalled_and_cut_off))
      ++counts_[static_cast<std::size_t>(life_event::stalled_and_cut_off)];
    group_.run_for(static_cast<std::int64_t>(draw(40)));
  }
  heal();
  std::vector<std::string> broken;
  const auto leader = group_.wait_for_leader();
  if (leader == 0)
    broken.emplace_back("no leader after everything was healed");
  else
    group_.propose(leader, "last");
  if (!group_.wait_until_equal())
    broken.emplace_back("the replicas do not become equal");
  for (auto& sentence : group_.check())
    broken.push_back(std::move(sentence));
  return broken;
}

std::uint64_t random_life::refused_writes() {
  std::uint64_t sum = 0;
  for (std::int32_t node = 1; node <= nodes_; ++node)
    sum += group_.machine(node).store->refused_count();
  return sum;
}

std::string random_life::trace() const {
  std::string text = std::to_string(group_.events());
  for (std::int32_t node = 1; node <= nodes_; ++node)
    for (const auto& [index, entry] : group_.journal(node).applied)
      text += "|" + std::to_string(index) + "@" + std::to_string(entry.first) + entry.second;
  return text;
}

std::int32_t random_life::any_node() {
  return 1 + static_cast<std::int32_t>(draw(static_cast<std::uint64_t>(nodes_)));
}

void random_life::step() {
  // Half of the steps are work, the others trouble.
  const auto trouble = static_cast<std::uint64_t>(life_event::propose);
  const auto drawn = draw(2 * trouble);
  const auto what = drawn < trouble ? static_cast<life_event>(drawn) : life_event::propose;
  if (happen(what))
    ++counts_[static_cast<std::size_t>(what)];
}

/// False if it could not happen now.
bool random_life::happen(life_event what) {
  const auto node = any_node();
  const bool is_up = group_.is_up(node);
  const auto leader = group_.leader();
  switch (what) {
  case life_event::crash:
    if (is_up)
      group_.crash(node);
    return is_up;
  case life_event::crash_in_write:
    if (is_up)
      group_.crash_after(node, draw(6));
    return is_up;
  case life_event::failed_sync:
    if (is_up)
      group_.fail_sync(node);
    return is_up;
  case life_event::restart:
    // A node that gave up is started again by its operator.
    if (is_up && group_.journal(node).failure)
      group_.crash(node);
    else if (is_up)
      return false;
    group_.start(node);
    return true;
  case life_event::isolation:
    group_.network().isolate(node);
    return nodes_ > 1;
  case life_event::one_way_cut:
    group_.network().cut(node, any_node());
    return nodes_ > 1;
  case life_event::heal:
    group_.heal_network();
    return true;
  case life_event::bad_network:
    group_.network().set_faults({static_cast<std::uint32_t>(draw(300)),
                                 static_cast<std::uint32_t>(draw(200)), 0,
                                 static_cast<std::int64_t>(draw(60)) + 1});
    return true;
  case life_event::transfer:
    if (leader != 0)
      group_.transfer(leader, node);
    return leader != 0;
  case life_event::lost_contact:
    if (is_up)
      group_.lose_contact(node, any_node());
    return is_up && nodes_ > 1;
  case life_event::member_change:
    return change_members();
  case life_event::read:
    return read_somewhere();
  case life_event::persist:
    if (is_up)
      group_.persist(node);
    return is_up;
  case life_event::compact:
    // Often by the leader, all there is: then whoever is behind has to take over its state.
    if (leader != 0 && draw(2) == 0)
      group_.compact(leader, group_.journal(leader).state.applied);
    else if (is_up)
      group_.compact(node, draw(group_.journal(node).state.applied + 1));
    return is_up || leader != 0;
  case life_event::crash_in_takeover:
    group_.lie_in_wait(draw(6));
    return true;
  case life_event::propose:
    return propose_some();
  default:
    return false;
  }
}

void random_life::step_beside() {
  if (cut_off_steps_ > 0 && --cut_off_steps_ == 0)
    group_.heal_network();
  if (other_chance_.random() % 12 != 0)
    return;
  const auto first = static_cast<std::uint64_t>(life_event::bridge);
  const auto count = static_cast<std::uint64_t>(life_event::halves) - first;
  const auto what = static_cast<life_event>(first + other_chance_.random() % count);
  if (happen_beside(what))
    ++counts_[static_cast<std::size_t>(what)];
}

void random_life::change_weather() {
  // They stand in the same order.
  if (const auto begun = weather_->step(group_))
    ++counts_[static_cast<std::size_t>(life_event::halves) + static_cast<std::size_t>(*begun) -
              static_cast<std::size_t>(network_trouble::halves)];
}

bool random_life::happen_beside(life_event what) {
  const auto any = [this](std::uint64_t bound) { return other_chance_.random() % bound; };
  // Often the one that leads: what happens to the others is less of a test.
  auto node = 1 + static_cast<std::int32_t>(any(static_cast<std::uint64_t>(nodes_)));
  if (group_.leader() != 0 && any(2) == 0)
    node = group_.leader();
  auto& disk = *group_.machine(node).disk;
  switch (what) {
  case life_event::bridge:
    if (nodes_ > 2)
      group_.bridge(node);
    return nodes_ > 2;
  case life_event::stalled_disk:
    // From a fraction of an election timeout to a dozen of them.
    group_.stall_disk(node, static_cast<std::int64_t>(20 << any(6)));
    return true;
  case life_event::full_disk:
    disk.set_capacity(disk.used_bytes() + any(4000));
    return true;
  case life_event::room_again:
    for (std::int32_t each = 1; each <= nodes_; ++each)
      group_.machine(each).disk->set_capacity(std::uint64_t{1} << 40);
    return true;
  case life_event::write_error:
    if (group_.is_up(node))
      group_.cut_write(node, any(600));
    return group_.is_up(node);
  case life_event::power_cut_of_all:
    group_.crash_all();
    for (std::int32_t each = 1; each <= nodes_; ++each)
      group_.start(each);
    return true;
  case life_event::stalled_and_cut_off:
    node = group_.leader();
    if (node == 0 || nodes_ < 3)
      return false;
    group_.stall_disk(node, 400 + static_cast<std::int64_t>(any(400)));
    for (int i = 0; i < 3; ++i)
      group_.propose(node, "value " + std::to_string(next_value_++));
    group_.network().isolate(node);
    cut_off_steps_ = 10 + static_cast<int>(any(10));
    return true;
  default:
    return false;
  }
}

bool random_life::change_members() {
  const auto leader = group_.leader();
  if (leader == 0 || nodes_ == 2)
    return false;
  const auto who = sim_group::replica_of(any_node());
  const auto& members = group_.journal(leader).members;
  raft::membership_change change = raft::add_learner{who};
  if (members.is_learner(who))
    change = raft::promote_learner{who};
  else if (members.is_voter(who))
    change = raft::remove_replica{who};
  const auto answer = group_.change(leader, change);
  return answer->has_value() && (*answer)->has_value();
}

/// Asks whoever believes to lead, the last one that does not know better among them.
bool random_life::read_somewhere() {
  bool any = false;
  for (std::int32_t node = 1; node <= nodes_; ++node)
    if (group_.is_up(node) && (group_.journal(node).leads || draw(4) == 0)) {
      group_.read(node, ++next_read_);
      any = true;
    }
  // Whoever is there answers reads of a freshness.
  for (std::int32_t node = 1; node <= nodes_; ++node)
    if (group_.is_up(node))
      group_.read_fresh(node, next_read_ % 3 == 0
                                  ? std::nullopt
                                  : std::optional(static_cast<std::int64_t>(draw(200))));
  return any;
}

bool random_life::propose_some() {
  bool any = false;
  for (auto count = draw(8); count > 0; --count) {
    const auto at = draw(4) == 0 ? any_node() : group_.leader();
    if (at == 0 || !group_.is_up(at))
      continue;
    group_.propose(at, "value " + std::to_string(next_value_++) + std::string(draw(300), '.'));
    any = true;
  }
  return any;
}

void random_life::heal() {
  group_.heal_network();
  group_.network().set_faults({});
  group_.lie_in_wait(std::nullopt);
  for (std::int32_t node = 1; node <= nodes_; ++node) {
    group_.machine(node).disk->set_capacity(std::uint64_t{1} << 40);
    group_.machine(node).store->refuse_writes(0);
    group_.stall_disk(node, 0);
    // What was planned for its disk is not to happen any more.
    if (group_.is_up(node))
      group_.crash(node);
    group_.start(node);
  }
}

} // namespace aqueduct::actors::test
