// Whether a member that joins a cooperative group stops the others: every partition gets a record
// at a steady pace, and each member notes when those of its partitions come.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/load.hpp"
#include "protocol/client/client.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

constexpr int members = 50;
constexpr int partitions = 100;
constexpr auto pace = std::chrono::milliseconds(20);
constexpr double pause_ms_max = 50;
constexpr auto patience = std::chrono::seconds(60);
const std::string topic = "bench";

/// What came when, of all members.
class deliveries {
public:
  deliveries() : of_(partitions) {}

  /// A record that was due to be sent at `due` came.
  void note(std::int32_t partition, steady_clock::time_point due) {
    const auto now = steady_clock::now();
    const std::lock_guard lock(mutex_);
    auto& flow = of_.at(static_cast<std::size_t>(partition));
    flow.last = now;
    flow.longest = std::max(flow.longest, now - std::max(due, begun_));
  }
  void moved(client::partition_span which) {
    const std::lock_guard lock(mutex_);
    for (const auto& each : which)
      moved_.insert(each.partition.value);
  }
  /// Forgets what happened.
  void begin() {
    const std::lock_guard lock(mutex_);
    begun_ = steady_clock::now();
    moved_.clear();
    std::ranges::fill(of_, flow{});
  }
  /// The longest that a partition had something to deliver and did not since the begin, of those
  /// that did not move.
  [[nodiscard]] double longest_pause_ms() const {
    const std::lock_guard lock(mutex_);
    const auto now = steady_clock::now();
    steady_clock::duration longest{};
    for (std::size_t p = 0; p < of_.size(); ++p)
      if (!moved_.contains(static_cast<std::int32_t>(p)))
        longest =
            std::max({longest, of_[p].longest, now - of_[p].last.value_or(begun_) - 2 * pace});
    return std::chrono::duration<double, std::milli>(longest).count();
  }
  [[nodiscard]] std::size_t moved_count() const {
    const std::lock_guard lock(mutex_);
    return moved_.size();
  }
  /// Partitions that got a record.
  [[nodiscard]] std::size_t flowing() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(of_, [](const flow& each) { return each.last.has_value(); }));
  }

private:
  struct flow {
    std::optional<steady_clock::time_point> last{};
    /// From when a record was due to be sent.
    steady_clock::duration longest{};
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  steady_clock::time_point begun_;
  std::vector<flow> of_;
  std::set<std::int32_t> moved_;
};

/// The time as a record carries it: all run on one machine.
std::string to_text(steady_clock::time_point at) {
  return std::to_string(at.time_since_epoch().count());
}

steady_clock::time_point to_time(std::string_view text) {
  steady_clock::rep count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return steady_clock::time_point(steady_clock::duration(count));
}

/// A member with the thread that polls it.
class working_member {
public:
  working_member(const client::cluster& on, std::shared_ptr<deliveries> into)
      : into_(std::move(into)) {
    thread_ = std::jthread([this, on](const std::stop_token& stop) { work(on, stop); });
  }

  [[nodiscard]] int assigned() const { return assigned_; }
  /// Why it works no more; empty while it does.
  [[nodiscard]] bool has_failed() const { return failed_; }

private:
  void work(const client::cluster& on, const std::stop_token& stop) {
    client::group_consumer_config config;
    config.group = "bench";
    config.topics = {topic};
    config.start = client::group_start::latest;
    config.on_assigned = [this](client::partition_span which) {
      assigned_ += static_cast<int>(which.size());
      into_->moved(which);
    };
    const auto taken = [this](client::partition_span which) {
      assigned_ -= static_cast<int>(which.size());
      into_->moved(which);
    };
    config.on_revoked = taken;
    config.on_lost = taken;
    auto member = client::group_consumer::create(on, config);
    while (member && !stop.stop_requested()) {
      const auto records = member->poll(std::chrono::milliseconds(100));
      if (!records)
        break;
      for (const auto& record : *records)
        into_->note(record.partition.value, to_time(record.value->text()));
    }
    failed_ = !stop.stop_requested();
  }

  std::shared_ptr<deliveries> into_;
  std::atomic<int> assigned_{0};
  std::atomic<bool> failed_{false};
  std::jthread thread_;
};

/// Sends one record to each partition at every step of the pace.
class steady_producer {
public:
  explicit steady_producer(client::producer to) : to_(std::move(to)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

private:
  void work(const std::stop_token& stop) {
    auto due = steady_clock::now();
    while (!stop.stop_requested()) {
      const auto sent_at = to_text(due);
      for (int p = 0; p < partitions; ++p) {
        client::record record;
        record.topic = topic;
        record.partition = partition_id{p};
        record.value = sent_at;
        if (!to_.send(record))
          return;
      }
      due += pace;
      std::this_thread::sleep_until(due);
    }
  }

  client::producer to_;
  std::jthread thread_;
};

template <class Condition>
result<void> wait_until(const Condition& holds) {
  const auto give_up = steady_clock::now() + patience;
  while (!holds()) {
    if (steady_clock::now() > give_up)
      return unexpected(errc::timed_out, "the group does not settle");
    if (auto waited = wait_seconds(0.01); !waited)
      return waited;
  }
  return {};
}

using crew = std::vector<std::unique_ptr<working_member>>;

/// Every partition is somebody's, and everybody has some.
bool is_shared_out(const crew& all) {
  int sum = 0;
  for (const auto& each : all) {
    if (each->assigned() == 0)
      return false;
    sum += each->assigned();
  }
  return sum == partitions;
}

} // namespace

result<void> group_join(const bench_options& options, report& found) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto made = make_topic(node->process.port(), topic, partitions); !made)
    return made;
  client::cluster_config where;
  where.brokers = {"127.0.0.1:" + std::to_string(node->process.port())};
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return cluster.propagate();
  auto producer = client::producer::create(*cluster);
  if (!producer)
    return producer.propagate();
  const auto watched = std::make_shared<deliveries>();
  crew all;
  for (int i = 0; i < members; ++i)
    all.push_back(std::make_unique<working_member>(*cluster, watched));
  if (auto settled = wait_until([&] { return is_shared_out(all); }); !settled)
    return settled;
  const steady_producer flow(std::move(*producer));
  std::vector<double> before;
  std::vector<double> during;
  std::size_t moved = 0;
  for (int i = 0; i < options.rounds; ++i) {
    if (auto flowing = wait_until([&] { return watched->flowing() == partitions; }); !flowing)
      return flowing;
    watched->begin();
    if (auto watching = wait_seconds(options.seconds); !watching)
      return watching;
    before.push_back(watched->longest_pause_ms());
    watched->begin();
    all.push_back(std::make_unique<working_member>(*cluster, watched));
    if (auto settled = wait_until([&] { return is_shared_out(all); }); !settled)
      return settled;
    if (auto watching = wait_seconds(options.seconds); !watching)
      return watching;
    if (std::ranges::any_of(all, [](auto& each) { return each->has_failed(); }))
      return unexpected(errc::internal, "a member failed");
    during.push_back(watched->longest_pause_ms());
    moved = std::max(moved, watched->moved_count());
  }
  found.rows.push_back(
      bounded("group-join, longest pause", "ms", std::ranges::max(during), pause_ms_max));
  found.rows.push_back(
      informative("group-join, longest pause without a join", "ms", std::ranges::max(before)));
  found.rows.push_back(
      informative("group-join, partitions that moved", "of 100", static_cast<double>(moved)));
  return {};
}

} // namespace aqueduct::bench
