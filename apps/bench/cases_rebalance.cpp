// Whether a member that joins a cooperative group stops the others: every partition gets a record
// at a steady pace, and what is looked at is how long each is stored before its member has it.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/load.hpp"
#include "protocol/client/client.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

constexpr int members = 50;
constexpr int partitions = 100;
constexpr auto pace = std::chrono::milliseconds(50);
constexpr double pause_ms_max = 50;
constexpr auto patience = std::chrono::seconds(60);
const std::string topic = "bench";

/// How long records that are stored wait for their members. What a disk takes to store them is
/// not in it: that is no pause of a member.
class deliveries {
public:
  deliveries() : of_(partitions) {}

  /// The broker has said that it has the record.
  void stored(partition_id partition, offset_t offset) {
    const auto now = steady_clock::now();
    const std::lock_guard lock(mutex_);
    auto& flow = of_.at(static_cast<std::size_t>(partition.value));
    if (offset.value > flow.delivered)
      flow.waiting.push_back({offset.value, now});
  }
  /// A record came, perhaps before that.
  void delivered(partition_id partition, offset_t offset) {
    const auto now = steady_clock::now();
    const std::lock_guard lock(mutex_);
    auto& flow = of_.at(static_cast<std::size_t>(partition.value));
    flow.delivered = std::max(flow.delivered, offset.value);
    ++flow.count;
    for (; !flow.waiting.empty() && flow.waiting.front().offset <= flow.delivered;
         flow.waiting.pop_front())
      flow.longest = std::max(flow.longest, waited(flow.waiting.front(), now));
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
    for (auto& flow : of_) {
      flow.longest = {};
      flow.count = 0;
    }
  }
  /// The longest that a stored record has waited since the begin, of the partitions that did not
  /// move.
  [[nodiscard]] double longest_pause_ms() const {
    const std::lock_guard lock(mutex_);
    const auto now = steady_clock::now();
    steady_clock::duration longest{};
    for (std::size_t p = 0; p < of_.size(); ++p) {
      if (moved_.contains(static_cast<std::int32_t>(p)))
        continue;
      longest = std::max(longest, of_[p].longest);
      if (!of_[p].waiting.empty())
        longest = std::max(longest, waited(of_[p].waiting.front(), now));
    }
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
        std::ranges::count_if(of_, [](const flow& each) { return each.count > 0; }));
  }

private:
  struct stored_record {
    std::int64_t offset = 0;
    steady_clock::time_point since;
  };
  struct flow {
    std::int64_t delivered = -1;
    std::size_t count = 0;
    /// Stored and not delivered, in the order of offsets.
    std::deque<stored_record> waiting;
    steady_clock::duration longest{};
  };

  // Precondition: mutex_ is held.
  [[nodiscard]] steady_clock::duration waited(const stored_record& record,
                                              steady_clock::time_point now) const {
    return now - std::max(record.since, begun_);
  }

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  steady_clock::time_point begun_;
  std::vector<flow> of_;
  std::set<std::int32_t> moved_;
};

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
        into_->delivered(record.partition, record.offset);
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
  steady_producer(client::producer to, std::shared_ptr<deliveries> into)
      : to_(std::move(to)), into_(std::move(into)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

private:
  void work(const std::stop_token& stop) {
    auto due = steady_clock::now();
    while (!stop.stop_requested()) {
      for (int p = 0; p < partitions; ++p) {
        client::record record;
        record.topic = topic;
        record.partition = partition_id{p};
        record.value = "x";
        const auto is_taken =
            to_.send(record, [into = into_](const result<client::record_metadata>& outcome) {
              if (outcome)
                into->stored(outcome->partition, outcome->offset);
            });
        if (!is_taken)
          return;
      }
      due += pace;
      std::this_thread::sleep_until(due);
    }
  }

  client::producer to_;
  std::shared_ptr<deliveries> into_;
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
  const steady_producer flow(std::move(*producer), watched);
  std::vector<double> during;
  std::vector<double> without;
  std::size_t moved = 0;
  for (int i = 0; i < options.rounds; ++i) {
    if (auto flowing = wait_until([&] { return watched->flowing() == partitions; }); !flowing)
      return flowing;
    const auto begun = steady_clock::now();
    watched->begin();
    all.push_back(std::make_unique<working_member>(*cluster, watched));
    if (auto settled = wait_until([&] { return is_shared_out(all); }); !settled)
      return settled;
    if (auto watching = wait_seconds(options.seconds); !watching)
      return watching;
    if (std::ranges::any_of(all, [](auto& each) { return each->has_failed(); }))
      return unexpected(errc::internal, "a member failed");
    during.push_back(watched->longest_pause_ms());
    const std::chrono::duration<double> took = steady_clock::now() - begun;
    moved = std::max(moved, watched->moved_count());
    // As long without one: a longer look finds longer waits.
    watched->begin();
    if (auto watching = wait_seconds(took.count()); !watching)
      return watching;
    without.push_back(watched->longest_pause_ms());
  }
  found.rows.push_back(
      bounded("group-join, longest pause", "ms", std::ranges::max(during), pause_ms_max));
  found.rows.push_back(
      informative("group-join, longest pause without a join", "ms", std::ranges::max(without)));
  found.rows.push_back(
      informative("group-join, partitions that moved", "of 100", static_cast<double>(moved)));
  return {};
}

} // namespace aqueduct::bench
