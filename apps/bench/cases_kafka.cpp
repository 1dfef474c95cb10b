// What Kafka's protocol costs a node beside the native one: the same node and batches, the two
// protocols in turns.
#include "apps/bench/cases.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/rounds.hpp"

namespace aqueduct::bench {

namespace {

constexpr std::size_t kib = 1024;
constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr int partitions = 4;
constexpr int other_topics = 500;
constexpr double warm_up_seconds = 0.5;
constexpr double cost_max = 1.1;
const std::string topic = "bench";

/// Rows of both figures: the native protocol stands where the floor does.
void add_rows(const both_sides& sides, const std::string& name, report& found) {
  auto rate = sides.to_row(name + ", native and Kafka", "MiB/s");
  row cpu;
  cpu.name = name + " cpu, native and Kafka";
  cpu.unit = "s/GiB";
  cpu.floor = sides.floor.cpu_per_gib();
  cpu.node = sides.node.cpu_per_gib();
  cpu.ratio = *cpu.floor > 0 ? cpu.node / *cpu.floor : 0;
  cpu.target = "ratio <= 1.10";
  cpu.is_met = *cpu.ratio <= cost_max;
  found.rows.push_back(std::move(rate));
  found.rows.push_back(std::move(cpu));
}

result<void> produce(const bench_options& options, std::size_t batch_bytes, const std::string& name,
                     report& found) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto made = make_topic(node->process.port(), topic, partitions); !made)
    return made;
  produce_plan plan;
  plan.port = node->process.port();
  plan.topic = topic;
  plan.partitions = partitions;
  plan.connections = 4;
  plan.window = 8;
  plan.batch = make_full_batch(batch_bytes, kib);
  plan.seconds = warm_up_seconds;
  for (const auto speaks : {wire::native, wire::kafka}) {
    plan.speaks = speaks;
    if (auto warmed = run_produce(plan); !warmed)
      return warmed.propagate();
  }
  plan.seconds = options.seconds;
  const auto round = [&](const server&, bool is_floor) {
    plan.speaks = is_floor ? wire::native : wire::kafka;
    return run_produce(plan);
  };
  const auto sides = run_rounds(options, *node, *node, round, mib_per_second);
  if (!sides)
    return sides.propagate();
  add_rows(*sides, name, found);
  return {};
}

} // namespace

result<void> kafka_produce(const bench_options& options, report& found) {
  return produce(options, 256 * kib, "kafka-produce", found);
}

result<void> kafka_produce_small(const bench_options& options, report& found) {
  return produce(options, 16 * kib, "kafka-produce 16 KiB", found);
}

result<void> kafka_fetch(const bench_options& options, report& found) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto made = make_topic(node->process.port(), topic, partitions); !made)
    return made;
  produce_plan fill;
  fill.port = node->process.port();
  fill.topic = topic;
  fill.partitions = partitions;
  fill.connections = partitions;
  fill.window = 1;
  fill.batch = make_full_batch(256 * kib, kib);
  fill.seconds = 600;
  fill.requests_max = 32 * mib * partitions / fill.batch.size();
  if (auto written = run_produce(fill); !written)
    return written.propagate();
  // Among others, as topics are.
  for (int i = 0; i < other_topics; ++i)
    if (auto made = make_topic(node->process.port(), "other-" + std::to_string(i), 1); !made)
      return made;
  const auto topic_id = find_topic_id(node->process.port(), topic);
  if (!topic_id)
    return topic_id.propagate();
  fetch_plan plan;
  plan.port = node->process.port();
  plan.topic = topic;
  plan.topic_id = *topic_id;
  plan.partitions = partitions;
  plan.next_offset = record_after;
  // A partition that is faster than others gets more of the batches.
  plan.end_offset =
      record_after(0, fill.batch.bytes()) * static_cast<std::int64_t>(16 * mib / fill.batch.size());
  plan.seconds = options.seconds;
  for (const auto& [bytes, name] :
       {std::pair(1024 * kib, "kafka-fetch 1 MiB"), {256 * kib, "kafka-fetch 256 KiB"}}) {
    plan.bytes_max = static_cast<std::int32_t>(bytes);
    const auto round = [&](const server&, bool is_floor) {
      plan.speaks = is_floor ? wire::native : wire::kafka;
      return run_fetch(plan);
    };
    const auto sides = run_rounds(options, *node, *node, round, mib_per_second);
    if (!sides)
      return sides.propagate();
    add_rows(*sides, name, found);
  }
  return {};
}

} // namespace aqueduct::bench
