#include "tests/simulation/cluster_life.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

constexpr std::int32_t topics_max = 3;
constexpr std::int32_t partitions_max = 3;
constexpr std::int64_t rest_ms_max = 120'000;
/// In lives that heal softly, after everything else: nothing that comes later frees what stands.
constexpr int hand_overs_at_rest = 2;
/// After so long a silent link is surely lost.
constexpr std::int64_t link_lost_ms = 2000;

/// One to seven, mostly three.
std::int32_t nodes_of(std::uint64_t seed, known_faults faults) {
  if (is_large_life(seed, faults))
    return 6 + static_cast<std::int32_t>(seed / large_lives % 2);
  constexpr std::array<std::int32_t, 8> sizes{3, 3, 3, 5, 3, 2, 3, 1};
  return sizes[seed % sizes.size()];
}

/// Damage is done to disks in these.
bool decays(std::uint64_t seed, known_faults faults) {
  return faults != known_faults::first && nodes_of(seed, faults) >= 3 && seed % 5 == 2;
}

bool heals_softly(std::uint64_t seed, known_faults faults) {
  return faults != known_faults::first && nodes_of(seed, faults) >= 3 && seed % 3 == 2 &&
         !decays(seed, faults);
}

sim_cluster::options options_of(std::uint64_t seed, storage::flush_mode flush,
                                known_faults faults) {
  sim_cluster::options made;
  made.disks_stall = faults != known_faults::first;
  made.clocks_drift = faults != known_faults::first && seed / 4 % 2 == 0;
  made.copies_decay = faults > known_faults::both_copies;
  made.seed = seed;
  made.nodes = nodes_of(seed, faults);
  made.flush = flush;
  made.idle_timeout_ms = seed / 8 % 3 == 0 ? 5000 : 0;
  made.segment_bytes = seed / 16 % 2 == 0 ? 4096 : 16'384;
  // Many closed segments, which is where damage is done.
  if (decays(seed, faults))
    made.segment_bytes = 1024;
  made.controller_entries_kept = seed / 32 % 2 == 0 ? 8 : 50;
  return made;
}

/// The key-value stores refuse a write now and then in these, until they are healed.
bool has_short_stores(std::uint64_t seed, known_faults faults) {
  return faults != known_faults::first && seed % 4 == 1;
}

/// The network takes shapes in these, and links hold what they are given.
bool has_weather(std::uint64_t seed, known_faults faults) {
  return faults > known_faults::few_shapes && seed / 2 % 2 == 0;
}

std::string topic_name(std::uint64_t number) {
  return "topic-" + std::to_string(number);
}

} // namespace

std::string_view to_string(cluster_event what) {
  constexpr std::string_view names[] = {"power cut",
                                        "power cut of all nodes",
                                        "power cut in a write",
                                        "kill",
                                        "clean stop",
                                        "restart",
                                        "wiped disk",
                                        "pause",
                                        "resumption",
                                        "failed sync",
                                        "full disk",
                                        "room again",
                                        "isolation",
                                        "one-way cut",
                                        "bridge",
                                        "healing",
                                        "slow network",
                                        "breaking connections",
                                        "clock jump",
                                        "topic created",
                                        "topic deleted",
                                        "topic altered",
                                        "partitions added",
                                        "move",
                                        "drain",
                                        "undrain",
                                        "transfer",
                                        "trim",
                                        "fetch",
                                        "produce",
                                        "stalled disk",
                                        "write error",
                                        "full disk of a leader",
                                        "network in halves",
                                        "half a network deaf",
                                        "network as a ring",
                                        "halves that one node joins",
                                        "clogged links",
                                        "failed hand-over",
                                        "damaged segment",
                                        "damaged hard state",
                                        "repaired replica"};
  static_assert(std::size(names) == static_cast<std::size_t>(cluster_event::count_));
  return names[static_cast<std::size_t>(what)];
}

cluster_life::cluster_life(std::uint64_t seed, storage::flush_mode flush, known_faults faults)
    : chance_(seed),
      other_chance_(seed * 13 + 7),
      faults_(faults),
      nodes_(nodes_of(seed, faults)),
      cluster_(options_of(seed, flush, faults)),
      decay_(seed + 77),
      has_decay_(decays(seed, faults)),
      heals_softly_(heals_softly(seed, faults)),
      hand_overs_(seed * 31 + 5) {
  // Each life has about half of the kinds of trouble: together they hide each other's effects.
  mood_ = chance_.random();
  if (has_short_stores(seed, faults))
    for (std::int32_t node = 1; node <= nodes_; ++node)
      cluster_.machine(node).store->refuse_writes(6, seed * 17 + static_cast<unsigned>(node));
  may_lose_a_disk_ = nodes_ >= 3 && draw(3) == 0;
  if (has_weather(seed, faults))
    weather_.emplace(seed * 19 + 11, nodes_,
                     network_weather::pace{
                         .odds = 40, .steps_min = 10, .steps_max = 40, .clogged_steps_max = 12});
}

std::int32_t cluster_life::any_node() {
  return 1 + static_cast<std::int32_t>(draw(static_cast<std::uint64_t>(nodes_)));
}

std::int32_t cluster_life::any_ready() {
  const auto first = any_node();
  for (std::int32_t i = 0; i < nodes_; ++i) {
    const auto node = 1 + (first + i) % nodes_;
    if (cluster_.is_ready(node) && !cluster_.is_paused(node))
      return node;
  }
  return 0;
}

std::shared_ptr<const topic_route> cluster_life::any_topic() {
  const auto all = cluster_.topics();
  return all.empty() ? nullptr : all[draw(all.size())];
}

std::vector<std::string> cluster_life::run(int steps) {
  // In any order, not all at once.
  std::vector<std::int32_t> order;
  for (std::int32_t i = 1; i <= nodes_; ++i)
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(draw(order.size() + 1)), i);
  for (const auto node : order) {
    cluster_.start(node);
    cluster_.run_for(static_cast<std::int64_t>(draw(300)));
  }
  // There is something to hand over from the start.
  const auto all_are_ready = [this] {
    for (std::int32_t node = 1; node <= nodes_; ++node)
      if (!cluster_.is_ready(node))
        return false;
    return true;
  };
  if (heals_softly_ && cluster_.run_until(all_are_ready, rest_ms_max))
    cluster_.create_topic(1, topic_name(0), 2, 3);
  for (int i = 0; i < steps && cluster_.ledger().is_clean(); ++i) {
    step();
    if (faults_ != known_faults::first)
      step_beside();
    if (has_decay_)
      do_damage();
    if (weather_)
      change_weather();
    if (heals_softly_ && hand_overs_.random() % 8 == 0)
      (void)fail_hand_over(loss::kill);
    cluster_.run_for(static_cast<std::int64_t>(draw(200)));
    cluster_.look();
  }
  heal();
  bool rests = comes_to_rest();
  for (int i = 0; i < hand_overs_at_rest && heals_softly_ && rests; ++i)
    rests = !fail_hand_over(i == 0 ? loss::isolation : loss::kill) || comes_to_rest();
  counts_[static_cast<std::size_t>(cluster_event::repair)] = cluster_.repairs();
  if (rests)
    cluster_.audit();
  return cluster_.ledger().take_broken();
}

/// With all nodes that there are. What does not is a promise broken.
bool cluster_life::comes_to_rest() {
  for (std::int32_t node = 1; node <= nodes_; ++node)
    if (!cluster_.is_up(node))
      cluster_.start(node);
  cluster_.heal_network();
  std::string why = "not looked";
  if (cluster_.run_until([&] { return (why = cluster_.unrest()).empty(); }, rest_ms_max))
    return true;
  cluster_.ledger().broke("the cluster does not come to rest: " + why);
  return false;
}

std::string cluster_life::trace() const {
  std::string text = std::to_string(cluster_.events()) + "|" +
                     std::to_string(cluster_.ledger().digest()) + "|" +
                     std::to_string(cluster_.now_ms());
  for (const auto count : counts_)
    text += "," + std::to_string(count);
  return text;
}

void cluster_life::step() {
  const auto draw_from = [this](cluster_event first, cluster_event behind) {
    const auto from = static_cast<std::uint64_t>(first);
    return static_cast<cluster_event>(from + draw(static_cast<std::uint64_t>(behind) - from));
  };
  auto what = cluster_event::produce;
  switch (draw(8)) {
  case 0:
  case 1:
    what = draw_from(cluster_event::power_cut, cluster_event::create_topic);
    if ((mood_ >> static_cast<unsigned>(what) & 1) == 0)
      what = cluster_event::restart;
    break;
  case 2:
    what = draw_from(cluster_event::create_topic, cluster_event::fetch);
    break;
  case 3:
    what = cluster_event::fetch;
    break;
  default:
    break;
  }
  cluster_.note(std::string(to_string(what)));
  if (happen(what))
    ++counts_[static_cast<std::size_t>(what)];
}

void cluster_life::step_beside() {
  // Clients that have not heard of the new leader, and one that reads from the start.
  const auto node =
      1 + static_cast<std::int32_t>(other_chance_.random() % static_cast<std::uint64_t>(nodes_));
  if (cluster_.is_ready(node) && !cluster_.is_paused(node)) {
    cluster_.ask_deposed(node);
    const auto topics = cluster_.topics();
    if (!topics.empty() && other_chance_.random() % 8 == 0)
      cluster_.fetch(node, topics[other_chance_.random() % topics.size()]->record.name, 0, 0);
  }
  if (other_chance_.random() % 48 != 0)
    return;
  const auto first = static_cast<std::uint64_t>(cluster_event::stalled_disk);
  const auto count = static_cast<std::uint64_t>(cluster_event::halves) - first;
  const auto what = static_cast<cluster_event>(first + other_chance_.random() % count);
  cluster_.note(std::string(to_string(what)));
  if (happen_beside(what))
    ++counts_[static_cast<std::size_t>(what)];
}

void cluster_life::change_weather() {
  const auto begun = weather_->step(cluster_);
  if (!begun)
    return;
  // They stand in the same order.
  const auto what = static_cast<cluster_event>(static_cast<int>(cluster_event::halves) +
                                               static_cast<int>(*begun) -
                                               static_cast<int>(network_trouble::halves));
  cluster_.note(std::string(to_string(what)));
  ++counts_[static_cast<std::size_t>(what)];
}

bool cluster_life::happen_beside(cluster_event what) {
  const auto any = [this](std::uint64_t bound) { return other_chance_.random() % bound; };
  auto node = 1 + static_cast<std::int32_t>(any(static_cast<std::uint64_t>(nodes_)));
  // Often one that leads something: what happens to the others is less of a test.
  const auto topics = cluster_.topics();
  if (!topics.empty() && any(2) == 0)
    if (const auto leads = cluster_.leader_of(topics[any(topics.size())]->record.name, 0);
        leads != 0)
      node = leads;
  auto& disk = *cluster_.machine(node).disk;
  switch (what) {
  case cluster_event::stalled_disk:
    // From a tenth of a second to ten.
    cluster_.stall_disk(node, static_cast<std::int64_t>(100 << any(7)));
    return true;
  case cluster_event::write_error:
    spoiled_.insert(node);
    if (cluster_.is_up(node))
      cluster_.cut_write(node, any(600));
    return cluster_.is_up(node);
  case cluster_event::full_disk_of_leader:
    spoiled_.insert(node);
    disk.set_capacity(disk.used_bytes() + any(2000));
    return true;
  default:
    return false;
  }
}

/// One disk goes bad now and then. Some of it is looked for at once.
void cluster_life::do_damage() {
  for (int i = 0; i < 3; ++i)
    (void)ask(cluster_event::produce);
  if (decay_.random() % 3 != 0)
    return;
  auto node = 1 + static_cast<std::int32_t>(decay_.random() % static_cast<std::uint64_t>(nodes_));
  for (std::int32_t i = 1; i <= nodes_; ++i)
    if (!cluster_.is_up(i))
      node = i;
  const bool is_hard_state = !cluster_.is_up(node) && decay_.random() % 2 == 0;
  const auto what =
      is_hard_state ? cluster_event::damaged_hard_state : cluster_event::damaged_segment;
  if (cluster_.damage(node, is_hard_state))
    ++counts_[static_cast<std::size_t>(what)];
  if (decay_.random() % 2 == 0 && cluster_.is_damaged() && cluster_.is_ready(node) &&
      !cluster_.is_paused(node))
    cluster_.broker(node).scrub();
}

/// False if it could not happen now.
bool cluster_life::happen(cluster_event what) {
  if (what < cluster_event::isolation)
    return happen_to_node(what);
  if (what < cluster_event::create_topic)
    return happen_to_network(what);
  if (what < cluster_event::fetch)
    return operate(what);
  return ask(what);
}

bool cluster_life::happen_to_node(cluster_event what) {
  const auto node = any_node();
  const bool is_up = cluster_.is_up(node);
  switch (what) {
  case cluster_event::power_cut:
    if (is_up)
      cluster_.crash(node);
    return is_up;
  case cluster_event::power_cut_of_all:
    cluster_.crash_all();
    for (std::int32_t i = 1; i <= nodes_; ++i)
      cluster_.start(i);
    return true;
  case cluster_event::power_cut_in_write:
    spoiled_.insert(node);
    if (is_up)
      cluster_.machine(node).disk->crash_after(draw(30));
    return is_up;
  case cluster_event::kill:
    if (is_up)
      cluster_.kill(node);
    return is_up;
  case cluster_event::clean_stop:
    return is_up && cluster_.is_ready(node) && cluster_.stop(node);
  case cluster_event::restart:
    // A node that gave up is started again by its operator.
    if (is_up && (cluster_.broker(node).failure() || draw(8) == 0))
      cluster_.kill(node);
    if (cluster_.is_up(node))
      return false;
    cluster_.start(node);
    return true;
  case cluster_event::wipe:
    // More than one disk may be more than there are copies.
    // More than one disk may be more than there are copies, and two of two voters are needed.
    // Nor may there be damage on another.
    if (!may_lose_a_disk_ || cluster_.is_damaged() || !cluster_.controller_can_lose_one())
      return false;
    may_lose_a_disk_ = false;
    cluster_.wipe(node);
    return true;
  case cluster_event::pause:
    if (is_up)
      cluster_.pause(node, true);
    return is_up;
  case cluster_event::resume:
    if (!cluster_.is_paused(node))
      return false;
    cluster_.pause(node, false);
    return true;
  case cluster_event::failed_sync:
    spoiled_.insert(node);
    if (is_up)
      cluster_.machine(node).disk->fail_syncs("/data/groups");
    return is_up;
  case cluster_event::full_disk: {
    spoiled_.insert(node);
    auto& disk = *cluster_.machine(node).disk;
    disk.set_capacity(disk.used_bytes() + draw(2000));
    return true;
  }
  case cluster_event::room_again:
    cluster_.machine(node).disk->set_capacity(std::uint64_t{1} << 40);
    return true;
  default:
    return false;
  }
}

bool cluster_life::happen_to_network(cluster_event what) {
  const auto node = any_node();
  switch (what) {
  case cluster_event::isolation:
    cluster_.wires().isolate(node, nodes_);
    return nodes_ > 1;
  case cluster_event::one_way_cut:
    cluster_.wires().cut(node, any_node());
    return nodes_ > 1;
  case cluster_event::bridge:
    cluster_.bridge(node);
    return nodes_ > 2;
  case cluster_event::heal:
    cluster_.heal_network();
    return true;
  case cluster_event::slow_network: {
    const auto least = static_cast<std::int64_t>(draw(30)) + 1;
    cluster_.wires().set_faults({least, least + static_cast<std::int64_t>(draw(100)), 0});
    return true;
  }
  case cluster_event::breaking_connections:
    cluster_.wires().set_faults({1, 5, static_cast<std::uint32_t>(draw(50)) + 1});
    return nodes_ > 1;
  case cluster_event::clock_jump:
    cluster_.skew(node, static_cast<std::int64_t>(draw(7'200'000)) - 3'600'000);
    return true;
  default:
    return false;
  }
}

bool cluster_life::operate(cluster_event what) {
  const auto node = any_ready();
  if (node == 0)
    return false;
  if (what == cluster_event::create_topic) {
    const auto replication = static_cast<std::int16_t>(nodes_ >= 3 ? 3 : nodes_);
    cluster_.create_topic(node, topic_name(draw(topics_max)),
                          1 + static_cast<std::int32_t>(draw(2)), replication);
    return true;
  }
  const auto topic = any_topic();
  if (!topic)
    return false;
  const auto& name = topic->record.name;
  const auto partitions = static_cast<std::int32_t>(topic->partitions.size());
  switch (what) {
  case cluster_event::delete_topic:
    if (draw(3) != 0)
      return false;
    cluster_.delete_topic(node, name);
    return true;
  case cluster_event::alter_topic:
    cluster_.alter_topic(node, name, "retention.bytes", std::to_string(65'536 + 1024 * draw(64)));
    return true;
  case cluster_event::add_partitions:
    if (partitions >= partitions_max)
      return false;
    cluster_.add_partitions(node, name, partitions + 1);
    return true;
  case cluster_event::move_replicas:
    return move_replicas();
  case cluster_event::drain:
  case cluster_event::undrain: {
    drain_broker_command order;
    order.node = any_node();
    order.draining = what == cluster_event::drain;
    order.evacuating = order.draining && nodes_ > 3 && draw(2) == 0;
    cluster_.broker(node).ask_controller(order, [](const result<controller_answer>&) {});
    return true;
  }
  case cluster_event::transfer:
    return transfer_somewhere();
  case cluster_event::trim: {
    const auto partition = static_cast<std::int32_t>(draw(static_cast<std::uint64_t>(partitions)));
    const auto leads = cluster_.leader_of(name, partition);
    if (leads == 0 || draw(3) != 0)
      return false;
    const auto& logs = cluster_.ledger().logs();
    const auto known = logs.find({topic->record.id, partition});
    if (known == logs.end() || known->second.acknowledged.empty())
      return false;
    cluster_.trim(leads, name, partition,
                  static_cast<std::int64_t>(draw(
                      static_cast<std::uint64_t>(known->second.acknowledged.rbegin()->first) + 2)));
    return true;
  }
  default:
    return false;
  }
}

bool cluster_life::move_replicas() {
  const auto node = any_ready();
  const auto topic = any_topic();
  if (node == 0 || !topic || nodes_ < 2)
    return false;
  const auto partitions = topic->record.partitions.size();
  move_question order;
  order.topic = topic->record.name;
  order.partition = static_cast<std::int32_t>(draw(partitions));
  const auto& placed = topic->record.partitions[static_cast<std::size_t>(order.partition)];
  const auto count = placed.nodes.size();
  const auto first = any_node();
  // Another move would be refused.
  if (placed.is_moving()) {
    cluster_.broker(node).ask_controller(cancel_move_question{order.topic, order.partition, false},
                                         [](const result<controller_answer>&) {});
    return true;
  }
  for (std::size_t i = 0; i < count; ++i)
    order.to.push_back(1 + (first + static_cast<std::int32_t>(i)) % nodes_);
  cluster_.broker(node).ask_controller(order, [](const result<controller_answer>&) {});
  return true;
}

bool cluster_life::transfer_somewhere() {
  const auto topic = any_topic();
  if (!topic)
    return false;
  const auto partition = static_cast<std::int32_t>(draw(topic->record.partitions.size()));
  const auto leads = draw(4) == 0 ? 0 : cluster_.leader_of(topic->record.name, partition);
  const auto from = leads == 0 ? cluster_.controller() : leads;
  const auto to = any_node();
  if (from == 0 || !cluster_.is_ready(to))
    return false;
  const auto group = leads == 0 ? controller_group : group_id{topic->record.id, partition};
  cluster_.broker(from).transfer(
      group, {raft::node_id(to), raft::incarnation(cluster_.broker(to).incarnation())});
  return true;
}

/// False if there is nothing to hand over. The one that is to lead is lost while leadership is
/// handed to it under load.
bool cluster_life::fail_hand_over(loss how) {
  const auto any = [this](std::uint64_t bound) { return hand_overs_.random() % bound; };
  const auto topics = cluster_.topics();
  if (topics.empty())
    return false;
  const auto& topic = topics[any(topics.size())]->record;
  const auto partition = static_cast<std::int32_t>(any(topic.partitions.size()));
  const auto leads = cluster_.leader_of(topic.name, partition);
  const auto& nodes = topic.partitions[static_cast<std::size_t>(partition)].nodes;
  const auto first = any(nodes.size());
  auto to = leads;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (const auto node = nodes[(first + i) % nodes.size()];
        node != leads && cluster_.is_ready(node) && !cluster_.is_paused(node))
      to = node;
  if (leads == 0 || to == leads)
    return false;
  ++counts_[static_cast<std::size_t>(cluster_event::failed_hand_over)];
  cluster_.note("failed hand-over to " + std::to_string(to));
  const auto name = topic.name;
  // Whatever is said to it from now on is lost, if the link is given up before it is whole again.
  if (how == loss::isolation)
    cluster_.wires().isolate(to, nodes_);
  cluster_.broker(leads).transfer(
      {topic.id, partition},
      {raft::node_id(to), raft::incarnation(cluster_.broker(to).incarnation())});
  cluster_.run_for(static_cast<std::int64_t>(any(3)));
  // It may have lost its power meanwhile.
  if (how == loss::kill && cluster_.is_up(to))
    cluster_.kill(to);
  for (int i = 0; i < 6; ++i) {
    cluster_.produce(name, partition);
    cluster_.run_for(static_cast<std::int64_t>(any(20)));
  }
  if (how == loss::isolation)
    cluster_.run_for(link_lost_ms);
  return true;
}

bool cluster_life::ask(cluster_event what) {
  const auto topic = any_topic();
  if (!topic)
    return false;
  const auto partition = static_cast<std::int32_t>(draw(topic->record.partitions.size()));
  if (what == cluster_event::fetch) {
    const auto node = any_ready();
    if (node == 0)
      return false;
    cluster_.fetch(node, topic->record.name, partition, static_cast<std::int64_t>(draw(40)));
    return true;
  }
  for (std::int32_t p = 0; p <= partition; ++p)
    cluster_.produce(topic->record.name, p);
  return true;
}

void cluster_life::heal() {
  cluster_.heal_network();
  cluster_.wires().set_faults({});
  for (std::int32_t node = 1; node <= nodes_; ++node) {
    cluster_.stall_disk(node, 0);
    cluster_.machine(node).disk->set_capacity(std::uint64_t{1} << 40);
    cluster_.machine(node).store->refuse_writes(0);
    if (heals_softly_ && cluster_.is_ready(node) && !cluster_.broker(node).failure() &&
        !spoiled_.contains(node)) {
      cluster_.pause(node, false);
      continue;
    }
    // What was planned for its disk is not to happen any more.
    if (cluster_.is_up(node))
      cluster_.kill(node);
    cluster_.start(node);
  }
  const auto undrain = [this] {
    const auto node = cluster_.controller();
    if (node == 0)
      return false;
    for (std::int32_t each = 1; each <= nodes_; ++each) {
      drain_broker_command order;
      order.node = each;
      order.draining = false;
      cluster_.broker(node).ask_controller(order, [](const result<controller_answer>&) {});
    }
    return true;
  };
  (void)cluster_.run_until(undrain, rest_ms_max);
}

} // namespace aqueduct::actors::test
