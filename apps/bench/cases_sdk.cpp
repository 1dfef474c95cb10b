// The C++ client library against a node.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/rounds.hpp"
#include "protocol/client/client.hpp"

#include <sys/resource.h>

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

constexpr double records_wanted = 1'000'000;
constexpr std::size_t value_bytes = 100;
/// Between two looks at the clock.
constexpr int records_at_once = 10'000;
const std::string topic = "bench";

struct sdk_round {
  double records_per_second = 0;
  /// CPU time of this process and of the node, in cores.
  double client_cores = 0;
  double node_cores = 0;
};

double own_cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

result<sdk_round> send_for(client::producer& to, const child_process& node, double seconds) {
  const std::string value(value_bytes, 'x');
  client::record record;
  record.topic = topic;
  record.value = value;
  const auto own_before = own_cpu_seconds();
  const auto node_before = node.usage().cpu_seconds;
  const auto begin = steady_clock::now();
  std::uint64_t sent = 0;
  while (steady_clock::now() - begin < std::chrono::duration<double>(seconds)) {
    if (is_interrupted())
      return unexpected(errc::cancelled, "interrupted");
    for (int i = 0; i < records_at_once; ++i)
      if (auto taken = to.send(record); !taken)
        return taken.propagate();
    sent += records_at_once;
  }
  // A record counts when it is durable.
  if (auto flushed = to.flush(); !flushed)
    return flushed.propagate();
  const auto taken = std::chrono::duration<double>(steady_clock::now() - begin).count();
  sdk_round round;
  round.records_per_second = static_cast<double>(sent) / taken;
  round.client_cores = (own_cpu_seconds() - own_before) / taken;
  round.node_cores = (node.usage().cpu_seconds - node_before) / taken;
  return round;
}

} // namespace

result<void> sdk_produce(const bench_options& options, report& found) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto made = make_topic(node->process.port(), topic, 1); !made)
    return made;
  client::cluster_config config;
  config.brokers = {"127.0.0.1:" + std::to_string(node->process.port())};
  auto cluster = client::cluster::open(config);
  if (!cluster)
    return cluster.propagate();
  auto producer = client::producer::create(*cluster);
  if (!producer)
    return producer.propagate();
  if (auto warmed = send_for(*producer, node->process, 0.5); !warmed)
    return warmed.propagate();
  std::vector<double> rates;
  std::vector<double> client_cores;
  std::vector<double> node_cores;
  for (int i = 0; i < options.rounds; ++i) {
    const auto round = send_for(*producer, node->process, options.seconds);
    if (!round)
      return round.propagate();
    rates.push_back(round->records_per_second);
    client_cores.push_back(round->client_cores);
    node_cores.push_back(round->node_cores);
  }
  row figures;
  figures.name = "sdk-produce";
  figures.unit = "records/s";
  figures.node = median(rates);
  figures.target = ">= 1000000";
  figures.is_met = figures.node >= records_wanted;
  figures.node_peak_mib = static_cast<double>(node->process.usage().peak_bytes) / (1 << 20);
  found.rows.push_back(std::move(figures));
  found.rows.push_back(informative("sdk-produce cpu of the client", "cores", median(client_cores)));
  found.rows.push_back(informative("sdk-produce cpu of the node", "cores", median(node_cores)));
  return producer->close();
}

} // namespace aqueduct::bench
