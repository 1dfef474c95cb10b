// What a node needs when nothing, or very much, is on it.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/rounds.hpp"

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

constexpr double mib = 1 << 20;
constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr double settle_seconds = 3;
const std::string topic = "bench";

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

struct idle_use {
  double resident_bytes = 0;
  /// Of one core.
  double cpu_share = 0;
};

result<idle_use> watch_idle(const child_process& node, double seconds) {
  if (auto settled = wait_seconds(settle_seconds); !settled)
    return settled.propagate();
  const auto before = node.usage();
  const auto begin = steady_clock::now();
  if (auto waited = wait_seconds(seconds); !waited)
    return waited.propagate();
  const auto after = node.usage();
  const auto passed = std::chrono::duration<double>(steady_clock::now() - begin).count();
  return idle_use{static_cast<double>(after.resident_bytes),
                  (after.cpu_seconds - before.cpu_seconds) / passed};
}

} // namespace

result<void> ready_empty(const bench_options& options, report& found) {
  std::vector<double> times;
  for (int i = 0; i < 2 * options.rounds + 1; ++i) {
    auto node = start_node(options);
    if (!node)
      return node.propagate();
    times.push_back(milliseconds(node->process.start_time()));
    if (auto stopped = node->process.stop(); !stopped)
      return stopped;
  }
  found.rows.push_back(bounded("ready-empty", "ms", median(times), 100));
  return {};
}

result<void> ready_loaded(const bench_options& options, report& found) {
  constexpr int partitions = 1000;
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
  plan.window = partitions / 4;
  plan.batch = make_full_batch(256 << 10, 1024);
  plan.seconds = 3600;
  plan.requests_max = 4 * gib / plan.batch.size();
  if (auto written = run_produce(plan); !written)
    return written.propagate();
  const auto begin = steady_clock::now();
  if (auto stopped = node->process.stop(); !stopped)
    return stopped;
  auto stopping = informative("stop-loaded", "ms", milliseconds(steady_clock::now() - begin));
  std::vector<double> clean;
  std::vector<double> crashed;
  for (int i = 0; i < options.rounds; ++i) {
    auto started = restart_node(options, node->folder);
    if (!started)
      return started.propagate();
    clean.push_back(milliseconds(started->start_time()));
    if (auto stopped = started->stop(); !stopped)
      return stopped;
  }
  for (int i = 0; i < options.rounds; ++i) {
    auto started = restart_node(options, node->folder);
    if (!started)
      return started.propagate();
    if (i > 0)
      crashed.push_back(milliseconds(started->start_time()));
    started->kill();
  }
  found.rows.push_back(bounded("ready-loaded", "ms", median(clean), 1000));
  if (!crashed.empty())
    found.rows.push_back(bounded("ready-loaded after SIGKILL", "ms", median(crashed), 1000));
  found.rows.push_back(std::move(stopping));
  return {};
}

result<void> idle(const bench_options& options, report& found) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  const auto use = watch_idle(node->process, 4 * options.seconds);
  if (!use)
    return use.propagate();
  found.rows.push_back(bounded("idle memory", "MiB", use->resident_bytes / mib, 50));
  found.rows.push_back(bounded("idle cpu", "% of a core", use->cpu_share * 100, 0.5));
  return {};
}

result<void> many_partitions(const bench_options& options, report& found) {
  constexpr int topics = 10;
  constexpr int partitions_each = 1000;
  constexpr double partitions = topics * partitions_each;
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto settled = wait_seconds(settle_seconds); !settled)
    return settled;
  const auto before = static_cast<double>(node->process.usage().resident_bytes);
  const auto begin = steady_clock::now();
  for (int i = 0; i < topics; ++i)
    if (auto made = make_topic(node->process.port(), topic + std::to_string(i), partitions_each);
        !made)
      return made;
  const auto taken = milliseconds(steady_clock::now() - begin) / 1000;
  found.rows.push_back(bounded("partitions created", "s", taken, 60));
  const auto fresh = watch_idle(node->process, 1);
  if (!fresh)
    return fresh.propagate();
  found.rows.push_back(bounded("partitions memory, never used", "KiB each",
                               (fresh->resident_bytes - before) / partitions / 1024, 20));
  const auto first_write = steady_clock::now();
  for (int i = 0; i < topics; ++i) {
    produce_plan plan;
    plan.port = node->process.port();
    plan.topic = topic + std::to_string(i);
    plan.partitions = partitions_each;
    plan.window = partitions_each;
    plan.batch = make_batch(1, 100);
    plan.seconds = 600;
    plan.requests_max = partitions_each;
    if (auto written = run_produce(plan); !written)
      return written.propagate();
  }
  found.rows.push_back(informative("partitions, a first record into each", "s",
                                   milliseconds(steady_clock::now() - first_write) / 1000));
  const auto use = watch_idle(node->process, 2 * options.seconds);
  if (!use)
    return use.propagate();
  found.rows.push_back(bounded("partitions memory, written to", "KiB each",
                               (use->resident_bytes - before) / partitions / 1024, 20));
  found.rows.push_back(informative("partitions idle cpu", "% of a core", use->cpu_share * 100));
  return {};
}

} // namespace aqueduct::bench
