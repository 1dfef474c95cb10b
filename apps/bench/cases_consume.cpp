#include "apps/bench/cases.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/rounds.hpp"

namespace aqueduct::bench {

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr int partitions = 4;
constexpr double end_to_end_rate = 5000;
const std::string topic = "bench";

struct filled {
  buffer batch;
  std::uint64_t batches_per_partition = 0;
};

/// Writes about `bytes` to every partition, a little to each in turns, so that what is at the end
/// of each was written last.
result<filled> fill(const server& on, std::uint64_t bytes) {
  filled done;
  done.batch = make_full_batch(256 << 10, 1024);
  constexpr std::uint64_t turn_batches = 64;
  const auto turns = bytes / (turn_batches * done.batch.size()) + 1;
  for (std::uint64_t turn = 0; turn < turns; ++turn)
    for (int p = 0; p < partitions; ++p) {
      produce_plan plan;
      plan.port = on.process.port();
      plan.topic = topic;
      plan.first_partition = p;
      plan.connections = 4;
      plan.window = 8;
      plan.batch = done.batch;
      plan.seconds = 600;
      plan.requests_max = turn_batches;
      if (auto written = run_produce(plan); !written)
        return written.propagate();
    }
  done.batches_per_partition = turns * turn_batches;
  return done;
}

struct consume_case {
  std::string name;
  /// Written to each partition, and read of it from the begin on.
  std::uint64_t written_bytes = 0;
  std::uint64_t read_bytes = 0;
  bool is_cold = false;
};

result<void> consume(const bench_options& options, const consume_case& what, report& found) {
  auto floor = start_floor(options, partitions, 2 * what.written_bytes, 4);
  if (!floor)
    return floor.propagate();
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  filled done;
  for (const auto* each : {&*floor, &*node}) {
    if (auto made = make_topic(each->process.port(), topic, partitions); !made)
      return made.propagate();
    auto written = fill(*each, what.written_bytes);
    if (!written)
      return written.propagate();
    done = std::move(*written);
  }
  const auto record_count =
      static_cast<std::int64_t>(record_after(0, done.batch.bytes()) *
                                static_cast<std::int64_t>(what.read_bytes / done.batch.size()));
  const auto round = [&](const server& on, bool is_floor) {
    fetch_plan plan;
    plan.port = on.process.port();
    plan.topic = topic;
    plan.partitions = partitions;
    plan.bytes_max = 1 << 20;
    plan.end_offset = is_floor ? static_cast<std::int64_t>(what.read_bytes) : record_count;
    plan.next_offset = is_floor ? byte_after : record_after;
    plan.seconds = options.seconds;
    plan.once = what.is_cold;
    if (what.is_cold)
      drop_page_cache(on.folder);
    return run_fetch(plan);
  };
  // Once without counting: the floor has memory of the page cache from its writes, which the system
  // need not get from the host of a virtual machine any more; a node that writes past it has none.
  if (what.is_cold)
    for (const bool is_floor : {true, false})
      if (const auto read = round(is_floor ? *floor : *node, is_floor); !read)
        return read.propagate();
  const auto sides = run_rounds(options, *floor, *node, round, mib_per_second);
  if (!sides)
    return sides.propagate();
  auto figures = sides->to_row(what.name, "MiB/s");
  figures.target = "ratio >= 0.70";
  figures.is_met = *figures.ratio >= 0.7;
  found.rows.push_back(std::move(figures));
  found.latencies.push_back({what.name + " floor", sides->floor.total.corrected(partitions)});
  found.latencies.push_back({what.name + " node", sides->node.total.corrected(partitions)});
  return {};
}

} // namespace

result<void> consume_tail(const bench_options& options, report& found) {
  return consume(options, {"consume-tail", 32 * mib, 32 * mib, false}, found);
}

result<void> consume_cold(const bench_options& options, report& found) {
  // The last 64 MiB of each partition may be in the node's tail cache.
  return consume(options, {"consume-cold", 256 * mib, 160 * mib, true}, found);
}

result<void> end_to_end(const bench_options& options, report& found) {
  auto floor = start_floor(options, 1, 2048 * mib, 1);
  if (!floor)
    return floor.propagate();
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  histogram floor_acked;
  histogram floor_delivered;
  histogram node_acked;
  histogram node_delivered;
  stream_plan plan;
  plan.topic = topic;
  plan.batch = make_batch(1, 1024);
  plan.rate = end_to_end_rate;
  for (const auto* each : {&*floor, &*node})
    if (auto made = make_topic(each->process.port(), topic, 1); !made)
      return made;
  for (int i = 0; i < options.rounds; ++i)
    for (const bool is_floor : {true, false}) {
      plan.port = (is_floor ? floor : node)->process.port();
      plan.seconds = options.seconds;
      const auto outcome = run_stream(plan);
      if (!outcome)
        return outcome.propagate();
      (is_floor ? floor_acked : node_acked).add(outcome->acked.latency);
      (is_floor ? floor_delivered : node_delivered).add(outcome->delivered.latency);
    }
  for (const auto& [name, quantile, above_ms] : {std::tuple("p50", 0.5, 1.0), {"p99", 0.99, 5.0}}) {
    row figures;
    figures.name = std::string("end-to-end ") + name;
    figures.unit = "ms";
    figures.floor = static_cast<double>(floor_acked.value_at(quantile)) * 1e-6;
    figures.node = static_cast<double>(node_delivered.value_at(quantile)) * 1e-6;
    figures.ratio = figures.node / *figures.floor;
    figures.target = "floor + " + std::to_string(static_cast<int>(above_ms)) + " ms";
    figures.is_met = figures.node - *figures.floor <= above_ms;
    found.rows.push_back(std::move(figures));
  }
  found.latencies.push_back({"end-to-end floor acked", floor_acked});
  found.latencies.push_back({"end-to-end floor delivered", floor_delivered});
  found.latencies.push_back({"end-to-end node acked", node_acked});
  found.latencies.push_back({"end-to-end node delivered", node_delivered});
  return {};
}

} // namespace aqueduct::bench
