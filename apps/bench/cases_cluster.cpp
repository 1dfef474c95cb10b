// What replication costs three nodes, busy and idle, and readers while a node catches up.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/rounds.hpp"
#include "apps/bench/three_nodes.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <limits>
#include <thread>

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

constexpr double mib = 1 << 20;
constexpr double gib = 1 << 30;
constexpr std::size_t value_bytes = 1024;
constexpr int clients = 2;
constexpr std::int32_t partitions = 16;
const std::size_t usual_batch_bytes = client::producer_config{}.batch_bytes;
constexpr std::size_t large_batch_bytes = 1'000'000;
const std::string topic = "bench";

double seconds_since(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

/// Runs `work(i)` in so many threads; the first error of any.
template <class Work>
result<void> in_threads(int count, Work work) {
  std::vector<result<void>> outcomes(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back(
        [&outcomes, &work, i] { outcomes[static_cast<std::size_t>(i)] = work(i); });
  for (auto& thread : threads)
    thread.join();
  for (auto& outcome : outcomes)
    if (!outcome)
      return std::move(outcome);
  return {};
}

// -- writing --------------------------------------------------------------------------------------

struct written {
  std::uint64_t bytes = 0;
  double seconds = 0;
};

/// Records of 1 KiB without keys from `clients` producers, until the time is over or so much is
/// stored; what was sent is durable in the end.
result<written> write_records(const std::vector<std::string>& brokers, double seconds,
                              std::uint64_t bytes_max,
                              std::size_t batch_bytes = usual_batch_bytes) {
  std::atomic<std::uint64_t> stored = 0;
  const auto begin = steady_clock::now();
  auto done = in_threads(clients, [&](int) -> result<void> {
    client::cluster_config config;
    config.brokers = brokers;
    auto cluster = client::cluster::open(config);
    if (!cluster)
      return cluster.propagate();
    client::producer_config sending;
    sending.batch_bytes = batch_bytes;
    auto producer = client::producer::create(*cluster, sending);
    if (!producer)
      return producer.propagate();
    const std::string value(value_bytes, 'x');
    client::record record;
    record.topic = topic;
    record.value = value;
    std::uint64_t sent = 0;
    while (seconds_since(begin) < seconds && sent * clients < bytes_max) {
      if (is_interrupted())
        return unexpected(errc::cancelled, "interrupted");
      for (int i = 0; i < 1000; ++i)
        if (auto taken = producer->send(record); !taken)
          return taken;
      sent += 1000 * value_bytes;
    }
    if (auto flushed = producer->flush(); !flushed)
      return flushed;
    stored += producer->stats().bytes_acked;
    return producer->close();
  });
  if (!done)
    return done.propagate();
  return written{stored, seconds_since(begin)};
}

/// Memory that a node uses for the first time costs it once, not for each GiB.
result<void> warm_up(const std::vector<std::string>& brokers, std::size_t batch_bytes) {
  const auto first = write_records(brokers, 600, static_cast<std::uint64_t>(gib / 2), batch_bytes);
  return first ? result<void>() : first.propagate();
}

double rate_of(const written& outcome) {
  return static_cast<double>(outcome.bytes) / mib / outcome.seconds;
}

/// What one node takes with one replica.
result<double> single_rate(const bench_options& options) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  const auto address = "127.0.0.1:" + std::to_string(node->process.port());
  client::cluster_config config;
  config.brokers = {address};
  auto cluster = client::cluster::open(config);
  if (!cluster)
    return cluster.propagate();
  if (auto made = client::admin(*cluster).create_topic({topic, partitions}); !made)
    return made.propagate();
  if (auto warm = warm_up({address}, usual_batch_bytes); !warm)
    return warm.propagate();
  const auto outcome =
      write_records({address}, options.seconds, std::numeric_limits<std::uint64_t>::max());
  if (!outcome)
    return outcome.propagate();
  return rate_of(*outcome);
}

struct replicated {
  double rate = 0;
  /// CPU seconds of the node that leads nothing, per GiB.
  double follower_cpu = 0;
};

result<replicated> replicated_rate(const bench_options& options, std::size_t batch_bytes) {
  warm_memory(static_cast<std::uint64_t>(10 * gib));
  auto nodes = three_nodes::start(options);
  if (!nodes)
    return nodes.propagate();
  if (auto made = nodes->create_topic(topic, partitions); !made)
    return made.propagate();
  if (auto drained = nodes->operate(1, {"broker", "drain", "3"}); !drained)
    return drained.propagate();
  if (auto settled = wait_seconds(3); !settled)
    return settled.propagate();
  if (auto warm = warm_up(nodes->addresses(), batch_bytes); !warm)
    return warm.propagate();
  const auto before = nodes->process(3).usage().cpu_seconds;
  const auto outcome = write_records(nodes->addresses(), options.seconds,
                                     std::numeric_limits<std::uint64_t>::max(), batch_bytes);
  if (!outcome)
    return outcome.propagate();
  const auto used = nodes->process(3).usage().cpu_seconds - before;
  return replicated{rate_of(*outcome), used * gib / static_cast<double>(outcome->bytes)};
}

// -- reading --------------------------------------------------------------------------------------

/// MiB per second that `clients` consumers read together, each some partitions, from the begin on
/// and from there again when they come to the end.
result<double> read_rate(const three_nodes& nodes, double seconds) {
  std::atomic<std::uint64_t> bytes = 0;
  const auto begin = steady_clock::now();
  auto done = in_threads(clients, [&](int self) -> result<void> {
    auto cluster = nodes.connect();
    if (!cluster)
      return cluster.propagate();
    auto consumer = client::consumer::create(*cluster);
    if (!consumer)
      return consumer.propagate();
    std::vector<client::assignment> all;
    for (std::int32_t p = self; p < partitions; p += clients)
      all.push_back({{topic, partition_id{p}}, client::start_position::earliest()});
    if (auto assigned = consumer->assign(all); !assigned)
      return assigned;
    while (seconds_since(begin) < seconds) {
      if (is_interrupted())
        return unexpected(errc::cancelled, "interrupted");
      const auto records = consumer->poll(client::milliseconds(200));
      if (!records)
        return records.propagate();
      bytes += records->payload_bytes();
      for (const auto& each : all)
        if (const auto lag = consumer->lag(each.partition); lag && *lag == 0)
          if (auto again = consumer->seek(each.partition, each.start); !again)
            return again;
    }
    return {};
  });
  if (!done)
    return done.propagate();
  return static_cast<double>(bytes) / mib / seconds_since(begin);
}

/// Bytes that this machine has sent to itself since it started (proc(5), net/dev).
double loopback_bytes() {
  std::ifstream devices("/proc/net/dev");
  for (std::string line; std::getline(devices, line);) {
    const auto at = line.find("lo:");
    if (at != std::string::npos)
      return std::strtod(line.c_str() + at + 3, nullptr);
  }
  return 0;
}

} // namespace

result<void> replication(const bench_options& options, report& found) {
  std::vector<double> ratios;
  std::vector<double> rates;
  std::vector<double> singles;
  std::vector<double> follower_cpus;
  std::vector<double> large_rates;
  std::vector<double> large_cpus;
  for (int round = 0; round < options.rounds; ++round) {
    warm_memory(static_cast<std::uint64_t>(10 * gib));
    const auto single = single_rate(options);
    if (!single)
      return single.propagate();
    settle_disk(options.folder);
    const auto outcome = replicated_rate(options, usual_batch_bytes);
    if (!outcome)
      return outcome.propagate();
    settle_disk(options.folder);
    const auto large = replicated_rate(options, large_batch_bytes);
    if (!large)
      return large.propagate();
    settle_disk(options.folder);
    large_rates.push_back(large->rate);
    large_cpus.push_back(large->follower_cpu);
    singles.push_back(*single);
    rates.push_back(outcome->rate);
    ratios.push_back(3 * outcome->rate / *single);
    follower_cpus.push_back(outcome->follower_cpu);
  }
  row produced;
  produced.name = "three replicas, against a third of one";
  produced.unit = "MiB/s";
  produced.floor = median(singles) / 3;
  produced.node = median(rates);
  produced.ratio = median(ratios);
  produced.target = "ratio >= 0.60";
  produced.is_met = *produced.ratio >= 0.6;
  found.rows.push_back(std::move(produced));
  found.rows.push_back(bounded("cpu of a follower", "s/GiB", median(follower_cpus), 0.6));
  found.rows.push_back(informative("produce, batches of 1 MB", "MiB/s", median(large_rates)));
  found.rows.push_back(
      bounded("cpu of a follower, batches of 1 MB", "s/GiB", median(large_cpus), 0.6));
  return {};
}

result<void> cluster_idle(const bench_options& options, report& found) {
  constexpr std::int32_t groups = 1000;
  constexpr double settle_seconds = 15;
  auto nodes = three_nodes::start(options);
  if (!nodes)
    return nodes.propagate();
  if (auto made = nodes->create_topic(topic, groups); !made)
    return made;
  if (auto settled = wait_seconds(settle_seconds); !settled)
    return settled;
  std::array<double, three_nodes::size> cpu{};
  const auto begin = steady_clock::now();
  const auto sent = loopback_bytes();
  for (int node = 1; node <= three_nodes::size; ++node)
    cpu.at(static_cast<std::size_t>(node - 1)) = nodes->process(node).usage().cpu_seconds;
  if (auto waited = wait_seconds(std::max(10.0, 4 * options.seconds)); !waited)
    return waited;
  const auto seconds = seconds_since(begin);
  double share = 0;
  double memory = 0;
  for (int node = 1; node <= three_nodes::size; ++node) {
    const auto used = nodes->process(node).usage();
    share =
        std::max(share, (used.cpu_seconds - cpu.at(static_cast<std::size_t>(node - 1))) / seconds);
    memory = std::max(memory, static_cast<double>(used.resident_bytes));
  }
  found.rows.push_back(bounded("1,000 idle groups, cpu of a node", "% of a core", 100 * share, 2));
  found.rows.push_back(bounded("1,000 idle groups, all links", "kB/s",
                               (loopback_bytes() - sent) / seconds / 1000, 3 * 20));
  found.rows.push_back(informative("1,000 idle groups, memory of a node", "MiB", memory / mib));
  return {};
}

result<void> catch_up(const bench_options& options, report& found) {
  // The second part takes the node that was away longer than the reading that it disturbs.
  const auto first_bytes = static_cast<std::uint64_t>(gib);
  const auto second_bytes = static_cast<std::uint64_t>(options.seconds * 4 * 32 * mib + gib / 2);
  auto nodes = three_nodes::start(options);
  if (!nodes)
    return nodes.propagate();
  if (auto made = nodes->create_topic(topic, partitions); !made)
    return made;
  if (auto first = write_records(nodes->addresses(), 600, first_bytes); !first)
    return first.propagate();
  std::vector<double> alone;
  std::vector<double> during;
  std::vector<double> ratios;
  for (int round = 0; round < options.rounds; ++round) {
    if (auto healthy = nodes->wait_healthy(); !healthy)
      return healthy;
    if (auto stopped = nodes->process(3).stop(); !stopped)
      return stopped;
    if (auto second = write_records(nodes->addresses(), 600, second_bytes); !second)
      return second.propagate();
    settle_disk(options.folder);
    // Others may take of the machine what they like: it is looked at before and after.
    const auto before = read_rate(*nodes, 2 * options.seconds);
    if (!before)
      return before.propagate();
    if (auto started = nodes->restart(3); !started)
      return started;
    const auto disturbed = read_rate(*nodes, 2 * options.seconds);
    if (!disturbed)
      return disturbed.propagate();
    if (auto healthy = nodes->wait_healthy(); !healthy)
      return healthy;
    const auto after = read_rate(*nodes, 2 * options.seconds);
    if (!after)
      return after.propagate();
    alone.push_back((*before + *after) / 2);
    during.push_back(*disturbed);
    ratios.push_back(during.back() / alone.back());
  }
  row reading;
  reading.name = "reading while a node catches up";
  reading.unit = "MiB/s";
  reading.floor = median(alone);
  reading.node = median(during);
  reading.ratio = median(ratios);
  reading.target = "ratio >= 0.80";
  reading.is_met = *reading.ratio >= 0.8;
  found.rows.push_back(std::move(reading));
  return {};
}

} // namespace aqueduct::bench
