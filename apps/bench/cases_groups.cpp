// What consumer groups cost a node, and how many commits it takes.
#include "apps/bench/cases.hpp"
#include "apps/bench/crowd.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/rounds.hpp"

#include <algorithm>

namespace aqueduct::bench {

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
const std::string topic = "bench";
const std::string in_either_protocol[] = {"native", "Kafka"};

} // namespace

result<void> group_heartbeats(const bench_options& options, report& found) {
  constexpr int groups = 200;
  constexpr int members_each = 5;
  constexpr double interval_seconds = 3;
  constexpr double share_percent_max = 5;
  for (const auto speaks : {wire::native, wire::kafka}) {
    auto node = start_node(options);
    if (!node)
      return node.propagate();
    if (auto made = make_topic(node->process.port(), topic, members_each); !made)
      return made;
    auto members = crowd::join({.port = node->process.port(),
                                .speaks = speaks,
                                .name = "group-",
                                .groups = groups,
                                .members_each = members_each,
                                .topic = topic});
    if (!members)
      return members.propagate();
    // What joining left to do is done when everybody was heard once.
    if (auto beaten = members->beat(interval_seconds, interval_seconds); !beaten)
      return beaten.propagate();
    const auto before = node->process.usage();
    const auto beaten =
        members->beat(std::max(10.0, options.seconds * options.rounds), interval_seconds);
    if (!beaten)
      return beaten.propagate();
    const auto after = node->process.usage();
    const auto share = (after.cpu_seconds - before.cpu_seconds) / beaten->seconds;
    const auto& name = in_either_protocol[speaks == wire::kafka ? 1 : 0];
    auto cpu =
        bounded("group-heartbeats cpu, " + name, "% of a core", share * 100, share_percent_max);
    cpu.node_peak_mib = static_cast<double>(after.peak_bytes) / (1 << 20);
    found.rows.push_back(std::move(cpu));
    found.latencies.push_back({"group-heartbeats " + name, beaten->latency});
  }
  return {};
}

result<void> group_commits(const bench_options& options, report& found) {
  constexpr int groups = 10;
  constexpr int members_each = 10;
  constexpr int consumers = groups * members_each;
  constexpr int partitions_each = 10;
  constexpr double warm_up_seconds = 0.5;
  constexpr double wanted = 50'000;
  auto floor = start_floor(options, 1, 4 * gib, 0);
  if (!floor)
    return floor.propagate();
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto made = make_topic(floor->process.port(), topic, 1); !made)
    return made;
  if (auto made = make_topic(node->process.port(), topic, members_each * partitions_each); !made)
    return made;
  crowd_plan plan{.port = node->process.port(),
                  .name = "native-",
                  .groups = groups,
                  .members_each = members_each,
                  .topic = topic,
                  // Who commits says nothing else.
                  .session_timeout_ms = 600'000};
  auto native = crowd::join(plan);
  if (!native)
    return native.propagate();
  plan.speaks = wire::kafka;
  plan.name = "kafka-";
  auto in_kafkas = crowd::join(plan);
  if (!in_kafkas)
    return in_kafkas.propagate();
  struct variant {
    const char* name;
    crowd* by;
    int window;
    int partitions;
    bool is_wanted;
  };
  for (const auto& each :
       {variant{"1 in flight each", &*native, 1, 1, true},
        {"4 in flight each", &*native, 4, 1, true},
        {"16 in flight each", &*native, 16, 1, true},
        {"1 in flight each, of 10 partitions", &*native, 1, partitions_each, true},
        {"1 in flight each, Kafka", &*in_kafkas, 1, 1, true},
        {"4 in flight each, Kafka", &*in_kafkas, 4, 1, true}}) {
    commit_plan commits{.window = each.window, .partitions = each.partitions};
    produce_plan writes;
    writes.port = floor->process.port();
    writes.topic = topic;
    writes.connections = consumers;
    writes.window = each.window;
    writes.batch = make_batch(1, 100);
    const auto run = [&](bool is_floor, double seconds) {
      commits.seconds = writes.seconds = seconds;
      return is_floor ? run_produce(writes) : each.by->commit(commits);
    };
    for (const bool is_floor : {true, false})
      if (auto warmed = run(is_floor, warm_up_seconds); !warmed)
        return warmed.propagate();
    const auto sides = run_rounds(
        options, *floor, *node,
        [&](const server&, bool is_floor) { return run(is_floor, options.seconds); },
        requests_per_second);
    if (!sides)
      return sides.propagate();
    const auto name = std::string("group-commits, ") + each.name;
    auto figures = sides->to_row(name, "commits/s");
    figures.floor_cpu.reset();
    figures.node_cpu.reset();
    // A commit of several partitions is as many offsets.
    figures.node *= each.partitions;
    if (each.partitions > 1) {
      figures.unit = "offsets/s";
      figures.floor.reset();
      figures.ratio.reset();
    }
    if (each.is_wanted) {
      figures.target = ">= 50000";
      figures.is_met = figures.node >= wanted;
    }
    found.rows.push_back(std::move(figures));
    auto cost = informative(
        name + ", cpu", "us of the node",
        sides->node.cpu_seconds * 1e6 /
            static_cast<double>(std::max<std::uint64_t>(1, sides->node.total.requests)));
    found.rows.push_back(std::move(cost));
    found.latencies.push_back({name, sides->node.total.latency});
  }
  return {};
}

} // namespace aqueduct::bench
