#include "apps/bench/cases.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/rounds.hpp"

namespace aqueduct::bench {

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr double warm_up_seconds = 0.5;
const std::string topic = "bench";

struct produce_case {
  std::string name;
  int partitions = 1;
  int connections = 1;
  int window = 1;
  buffer batch;
  /// Threads of the floor: as many as make it fastest.
  int floor_writers = 1;
};

struct measured {
  both_sides sides;
  row figures;
};

result<measured> measure(const bench_options& options, const produce_case& what, bool by_bytes,
                         report& found) {
  auto floor = start_floor(options, what.partitions, 8 * gib / what.partitions, what.floor_writers);
  if (!floor)
    return floor.propagate();
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  produce_plan plan;
  plan.topic = topic;
  plan.partitions = what.partitions;
  plan.connections = what.connections;
  plan.window = what.window;
  plan.batch = what.batch;
  for (const auto* each : {&*floor, &*node}) {
    if (auto made = make_topic(each->process.port(), topic, what.partitions); !made)
      return made.propagate();
    plan.port = each->process.port();
    plan.seconds = warm_up_seconds;
    if (auto warmed = run_produce(plan); !warmed)
      return warmed.propagate();
  }
  plan.seconds = options.seconds;
  const auto round = [&](const server& on, bool) {
    plan.port = on.process.port();
    return run_produce(plan);
  };
  auto sides =
      run_rounds(options, *floor, *node, round, by_bytes ? mib_per_second : requests_per_second);
  if (!sides)
    return sides.propagate();
  const auto slots = what.connections * what.window;
  found.latencies.push_back({what.name + " floor", sides->floor.total.corrected(slots)});
  found.latencies.push_back({what.name + " node", sides->node.total.corrected(slots)});
  auto figures = sides->to_row(what.name, by_bytes ? "MiB/s" : "acks/s");
  return measured{std::move(*sides), std::move(figures)};
}

result<void> produce_large(const bench_options& options, report& found, produce_case what) {
  what.batch = make_full_batch(std::size_t{256} << 10, 1024);
  auto done = measure(options, what, true, found);
  if (!done)
    return done.propagate();
  auto& figures = done->figures;
  figures.target = "ratio >= 0.70";
  figures.is_met = *figures.ratio >= 0.7;
  found.rows.push_back(figures);
  row cpu;
  cpu.name = what.name + " cpu";
  cpu.unit = "s/GiB";
  cpu.floor = figures.floor_cpu;
  cpu.node = *figures.node_cpu;
  cpu.ratio = *cpu.floor > 0 ? cpu.node / *cpu.floor : 0;
  cpu.target = "ratio <= 2";
  cpu.is_met = *cpu.ratio <= 2;
  found.rows.push_back(std::move(cpu));
  return {};
}

} // namespace

result<void> produce_one_partition(const bench_options& options, report& found) {
  produce_case what;
  what.name = "produce-1";
  what.connections = 4;
  what.window = 8;
  return produce_large(options, found, what);
}

result<void> produce_many_partitions(const bench_options& options, report& found) {
  produce_case what;
  what.name = "produce-16";
  what.partitions = 16;
  what.connections = 4;
  what.window = 16;
  what.floor_writers = 16;
  return produce_large(options, found, what);
}

result<void> produce_small(const bench_options& options, report& found) {
  produce_case what;
  what.name = "produce-small";
  what.connections = 16;
  what.window = 4;
  what.batch = make_batch(1, 100);
  what.floor_writers = 0;
  auto done = measure(options, what, false, found);
  if (!done)
    return done.propagate();
  done->figures.target = "ratio >= 0.70";
  done->figures.is_met = *done->figures.ratio >= 0.7;
  // CPU per GiB of records this small says nothing.
  done->figures.floor_cpu.reset();
  done->figures.node_cpu.reset();
  found.rows.push_back(std::move(done->figures));
  return {};
}

result<void> produce_single(const bench_options& options, report& found) {
  auto floor = start_floor(options, 1, gib, 0);
  if (!floor)
    return floor.propagate();
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  for (const auto* each : {&*floor, &*node})
    if (auto made = make_topic(each->process.port(), topic, 1); !made)
      return made.propagate();
  turns_plan plan;
  plan.ports[0] = floor->process.port();
  plan.ports[1] = node->process.port();
  plan.topic = topic;
  plan.batch = make_batch(1, 100);
  plan.seconds = 2 * options.seconds * options.rounds;
  const auto outcome = run_turns(plan);
  if (!outcome)
    return outcome.propagate();
  found.latencies.push_back({"produce-single floor", outcome->of[0].corrected(1)});
  found.latencies.push_back({"produce-single node", outcome->of[1].corrected(1)});
  struct bound {
    const char* name;
    double quantile;
    double above_us;
  };
  for (const auto& [name, quantile, above_us] : {bound{"p50", 0.5, 100}, bound{"p99", 0.99, 500}}) {
    row figures;
    figures.name = std::string("produce-single ") + name;
    figures.unit = "us";
    figures.floor = static_cast<double>(outcome->of[0].latency.value_at(quantile)) / 1000;
    figures.node = static_cast<double>(outcome->of[1].latency.value_at(quantile)) / 1000;
    figures.ratio = figures.node / *figures.floor;
    figures.target = "floor + " + std::to_string(static_cast<int>(above_us)) + " us";
    figures.is_met = figures.node - *figures.floor <= above_us;
    found.rows.push_back(std::move(figures));
  }
  return {};
}

} // namespace aqueduct::bench
