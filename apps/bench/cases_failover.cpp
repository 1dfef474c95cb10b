// What clients of three nodes wait for when a leader goes, and when it hands over.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/three_nodes.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

const std::string topic = "bench";
constexpr double warm_seconds = 1;
/// From the strike on: longer than what is asked for.
constexpr double watch_seconds = 3;
constexpr std::size_t value_bytes = 100;

/// Sends one record after the other, each when the one before is acknowledged, and keeps the
/// longest wait.
class steady_writer {
public:
  explicit steady_writer(client::producer& to) : thread_([this, &to] { run(to); }) {}
  ~steady_writer() { (void)finish(); }
  steady_writer(const steady_writer&) = delete;
  steady_writer& operator=(const steady_writer&) = delete;

  struct outcome {
    std::chrono::nanoseconds longest{};
    std::uint64_t failed = 0;
  };
  /// Of what was sent so far, the record under way included.
  outcome finish() {
    is_over_ = true;
    if (thread_.joinable())
      thread_.join();
    return seen_;
  }

private:
  void run(client::producer& to) {
    const std::string value(value_bytes, 'x');
    client::record record;
    record.topic = topic;
    record.value = value;
    while (!is_over_) {
      const auto begin = steady_clock::now();
      const auto stored = to.send_and_wait(record);
      seen_.longest = std::max(seen_.longest, steady_clock::now() - begin);
      seen_.failed += stored ? 0 : 1;
    }
  }

  std::atomic<bool> is_over_ = false;
  outcome seen_;
  std::thread thread_;
};

struct strike {
  std::string name;
  /// 0: nothing is asked for.
  double bound_ms = 0;
  /// Does it to the leader.
  std::function<result<void>(three_nodes&, int leader)> hit;
  /// Undoes it.
  std::function<result<void>(three_nodes&, int leader)> mend;
};

result<void> run_strike(three_nodes& nodes, client::producer& to, const strike& what, int rounds,
                        report& found) {
  double longest_ms = 0;
  std::uint64_t failed = 0;
  for (int round = 0; round < rounds; ++round) {
    if (auto healthy = nodes.wait_healthy(); !healthy)
      return healthy;
    const auto leader = nodes.leader(topic, 0);
    if (!leader)
      return leader.propagate();
    steady_writer writer(to);
    if (auto warmed = wait_seconds(warm_seconds); !warmed)
      return warmed;
    if (auto hit = what.hit(nodes, *leader); !hit)
      return hit;
    if (auto watched = wait_seconds(watch_seconds); !watched)
      return watched;
    const auto seen = writer.finish();
    longest_ms =
        std::max(longest_ms, std::chrono::duration<double, std::milli>(seen.longest).count());
    failed += seen.failed;
    if (auto mended = what.mend(nodes, *leader); !mended)
      return mended;
  }
  auto row = what.bound_ms > 0 ? bounded(what.name, "ms", longest_ms, what.bound_ms)
                               : informative(what.name, "ms", longest_ms);
  row.is_met = row.is_met && failed == 0;
  found.rows.push_back(std::move(row));
  found.rows.push_back(
      informative(what.name + ", failed sends", "records", static_cast<double>(failed)));
  return {};
}

result<void> restart(three_nodes& nodes, int node) {
  return nodes.restart(node);
}

strike killed(std::string name, double bound_ms) {
  return {std::move(name), bound_ms,
          [](three_nodes& nodes, int leader) -> result<void> {
            nodes.process(leader).kill();
            return {};
          },
          restart};
}

result<void> strike_all(const bench_options& options, const std::vector<std::string>& settings,
                        const std::vector<strike>& strikes, report& found) {
  auto nodes = three_nodes::start(options, settings);
  if (!nodes)
    return nodes.propagate();
  if (auto made = nodes->create_topic(topic, 1); !made)
    return made;
  auto cluster = nodes->connect();
  if (!cluster)
    return cluster.propagate();
  auto producer = client::producer::create(*cluster);
  if (!producer)
    return producer.propagate();
  for (const auto& each : strikes)
    if (auto done = run_strike(*nodes, *producer, each, 2 * options.rounds, found); !done)
      return done;
  return producer->close();
}

} // namespace

result<void> failover(const bench_options& options, report& found) {
  // How long the disk alone makes somebody wait, in as much time.
  const strike nothing{"nothing happens: longest wait", 0,
                       [](three_nodes&, int) { return result<void>(); },
                       [](three_nodes&, int) { return result<void>(); }};
  const strike frozen{"leader frozen: longest wait", 1500,
                      [](three_nodes& nodes, int leader) -> result<void> {
                        nodes.process(leader).freeze();
                        return {};
                      },
                      [](three_nodes& nodes, int leader) -> result<void> {
                        nodes.process(leader).thaw();
                        return {};
                      }};
  const strike stopped{"leader stopped: longest wait", 50,
                       [](three_nodes& nodes, int leader) { return nodes.process(leader).stop(); },
                       restart};
  const strike handed{
      "leadership handed over: longest wait", 50,
      [](three_nodes& nodes, int leader) {
        const int next = leader % three_nodes::size + 1;
        return nodes.operate(leader, {"raft", "transfer", topic + ":0", std::to_string(next)});
      },
      [](three_nodes&, int) { return result<void>(); }};
  if (auto done = strike_all(
          options, {},
          {nothing, killed("leader killed: longest wait", 1500), frozen, stopped, handed}, found);
      !done)
    return done;
  return strike_all(options,
                    {"raft.tick=10ms", "raft.heartbeat=30ms", "raft.election-timeout=200ms",
                     "cluster.heartbeat=100ms", "cluster.session-timeout=1s"},
                    {killed("leader killed, fast settings: longest wait", 300)}, found);
}

} // namespace aqueduct::bench
