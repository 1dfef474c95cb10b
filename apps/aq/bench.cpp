#include "apps/aq/bench.hpp"

#include "apps/aq/client_session.hpp"
#include "apps/aq/pacer.hpp"
#include "apps/aq/produce.hpp"
#include "apps/aq/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace aqueduct::aq {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds patience{100};

/// The stretch of time that counts.
struct schedule {
  clock::time_point begin;
  clock::time_point end;

  [[nodiscard]] bool counts(clock::time_point at) const { return at >= begin && at < end; }
};

schedule make_schedule(const bench_options& options) {
  const auto begin = clock::now() + options.warmup;
  return {begin, begin + options.duration};
}

std::uint64_t microseconds_between(clock::time_point from, clock::time_point to) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<microseconds>(to - from).count()));
}

/// Lets threads stop each other and the main thread stop them all.
struct control {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> records{0};
  std::mutex mutex;
  std::optional<error> first_error;

  void fail(const error& why) {
    const std::lock_guard lock(mutex);
    if (!first_error)
      first_error = why;
    stop.store(true);
  }
};

result<client_settings> settings_of(session& on, const bench_options& options) {
  auto made = make_client_settings(on.options());
  if (!made)
    return made;
  const auto codec = client::parse_compression(options.codec);
  const auto acks = parse_acks(options.acks);
  if (!codec || !acks)
    return unexpected(
        errc::invalid_request,
        codec ? fmt::format("--acks {}: write all, leader or none", options.acks)
              : fmt::format("-z {}: write none, gzip, snappy, lz4 or zstd", options.codec));
  made->producer.codec = *codec;
  made->producer.acks = *acks;
  made->producer.block_max = patience;
  return made;
}

/// The topic of the run, made if it is not there.
result<void> prepare_topic(const client::cluster_config& config, const bench_options& options) {
  const auto cluster = client::cluster::open(config);
  if (!cluster)
    return cluster.propagate();
  client::new_topic topic{options.topic, options.partitions};
  const auto made = client::admin(*cluster).create_topic(topic);
  if (!made && made.error().code != errc::topic_exists)
    return made.propagate();
  return {};
}

/// One client that produces, on a thread and connections of its own.
class sender {
public:
  sender(const bench_options& options, const client_settings& settings, const schedule& when,
         control& shared)
      : options_(options), settings_(settings), when_(when), control_(shared) {}

  void run() {
    auto cluster = client::cluster::open(settings_.cluster);
    if (!cluster)
      return control_.fail(cluster.error());
    auto producer = client::producer::create(*cluster, settings_.producer);
    if (!producer)
      return control_.fail(producer.error());
    if (auto sent = send_all(*producer); !sent)
      control_.fail(sent.error());
    const auto closed = producer->close(milliseconds(10'000));
    if (!closed && closed.error().code == errc::timed_out)
      control_.fail(closed.error());
  }

  /// After `run`.
  [[nodiscard]] const bench_outcome& outcome() const { return outcome_; }

private:
  result<void> send_all(client::producer& producer) {
    std::string value(std::max<std::size_t>(options_.record_bytes, sizeof(std::int64_t)), 'x');
    client::record record;
    record.topic = options_.topic;
    std::optional<pacer> pace;
    if (options_.pace) {
      const auto share = options_.pace->per_second / options_.clients;
      const auto size = static_cast<double>(value.size());
      pace.emplace(options_.pace->is_bytes ? share / size : share, clock::now());
    }
    while (!control_.stop.load(std::memory_order_relaxed)) {
      auto intended = clock::now();
      if (intended >= when_.end)
        break;
      if (pace) {
        intended = pace->book(1, intended);
        std::this_thread::sleep_until(intended);
      }
      // The end-to-end run reads from the record when it should have been sent.
      const auto stamp = intended.time_since_epoch().count();
      std::memcpy(value.data(), &stamp, sizeof stamp);
      record.value = client::bytes_view(value);
      if (auto sent = send(producer, record, intended, value.size()); !sent)
        return sent;
    }
    return {};
  }

  result<void> send(client::producer& producer, const client::record& record,
                    clock::time_point intended, std::size_t size) {
    while (true) {
      auto sent = producer.send(
          record, [this, intended, size](const result<client::record_metadata>& done) {
            finished(intended, size, done);
          });
      // No memory: the cluster sets the pace. The time goes on from when it should have been sent.
      if (sent || sent.error().code != errc::overloaded || control_.stop.load())
        return sent;
    }
  }

  /// On the I/O thread.
  void finished(clock::time_point intended, std::size_t size,
                const result<client::record_metadata>& done) {
    const auto now = clock::now();
    if (!done) {
      ++outcome_.errors;
      if (!is_retriable(done.error().code))
        control_.fail(done.error());
      return;
    }
    control_.records.fetch_add(1, std::memory_order_relaxed);
    if (!when_.counts(now))
      return;
    ++outcome_.records;
    outcome_.bytes += size;
    outcome_.latency.record(microseconds_between(intended, now));
  }

  const bench_options& options_;
  const client_settings& settings_;
  const schedule& when_;
  control& control_;
  /// Changed by callbacks only, which have ended when `run` has.
  bench_outcome outcome_;
};

/// One client that consumes.
class receiver {
public:
  receiver(const client_settings& settings, const schedule& when, control& shared, bool has_stamps)
      : settings_(settings), when_(when), control_(shared), has_stamps_(has_stamps) {}

  void run(std::vector<client::assignment> partitions) {
    auto cluster = client::cluster::open(settings_.cluster);
    if (!cluster)
      return control_.fail(cluster.error());
    auto consumer = client::consumer::create(*cluster, settings_.consumer);
    if (!consumer)
      return control_.fail(consumer.error());
    if (auto assigned = consumer->assign(std::move(partitions)); !assigned)
      return control_.fail(assigned.error());
    while (!control_.stop.load(std::memory_order_relaxed) && clock::now() < when_.end) {
      const auto records = consumer->poll(patience);
      if (!records)
        return control_.fail(records.error());
      take(*records);
    }
  }

  [[nodiscard]] const bench_outcome& outcome() const { return outcome_; }

private:
  void take(const client::record_set& records) {
    const auto now = clock::now();
    control_.records.fetch_add(records.size(), std::memory_order_relaxed);
    if (!when_.counts(now))
      return;
    outcome_.records += records.size();
    outcome_.bytes += records.payload_bytes();
    if (has_stamps_)
      for (const auto& record : records)
        take_stamp(record, now);
  }

  void take_stamp(const client::record_view& record, clock::time_point now) {
    clock::rep stamp = 0;
    if (!record.value || record.value->size() < sizeof stamp)
      return;
    std::memcpy(&stamp, record.value->data(), sizeof stamp);
    const clock::time_point intended{clock::duration(stamp)};
    // Older records are those of another run.
    if (intended <= now && intended >= when_.begin - std::chrono::minutes(1))
      outcome_.latency.record(microseconds_between(intended, now));
  }

  const client_settings& settings_;
  const schedule& when_;
  control& control_;
  bool has_stamps_;
  bench_outcome outcome_;
};

/// Waits for the end of the run, shows how it goes, and stops everybody on Ctrl-C.
void watch(session& on, const schedule& when, control& shared) {
  progress meter(on, "records", 0);
  while (!shared.stop.load() && clock::now() < when.end) {
    if (on.interrupted())
      shared.stop.store(true);
    meter.update(shared.records.load(std::memory_order_relaxed));
    std::this_thread::sleep_for(patience);
  }
}

double counted_seconds(const schedule& when) {
  const auto until = std::min(clock::now(), when.end);
  return std::max(0.0, std::chrono::duration<double>(until - when.begin).count());
}

exit_code report(session& on, const bench_options& options, control& shared,
                 const bench_outcome& outcome) {
  if (shared.first_error)
    return on.fail(*shared.first_error);
  if (options.kafka_style) {
    on.out().write(kafka_line(outcome) + "\n");
    return on.finish();
  }
  const auto printed = on.print(bench_document(outcome));
  return on.interrupted() ? exit_code::interrupted : printed;
}

double target_of(const bench_options& options) {
  if (!options.pace)
    return 0;
  return options.pace->is_bytes
             ? options.pace->per_second / static_cast<double>(options.record_bytes)
             : options.pace->per_second;
}

/// All partitions of the topic, dealt to the clients.
result<std::vector<std::vector<client::assignment>>>
deal(const client_settings& settings, const bench_options& options, client::start_position from) {
  auto cluster = client::cluster::open(settings.cluster);
  if (!cluster)
    return cluster.propagate();
  const auto layout = cluster->topic(options.topic);
  if (!layout)
    return layout.propagate();
  std::vector<std::vector<client::assignment>> hands(static_cast<std::size_t>(options.clients));
  for (std::size_t i = 0; i < layout->partitions.size(); ++i)
    hands[i % hands.size()].push_back({{options.topic, layout->partitions[i].partition}, from});
  std::erase_if(hands, [](const auto& hand) { return hand.empty(); });
  return hands;
}

/// The clients of one measurement, each on a thread of its own.
struct crew {
  explicit crew(const bench_options& options) : when(make_schedule(options)) {}

  void send(const bench_options& options, const client_settings& settings) {
    for (std::int32_t i = 0; i < options.clients; ++i) {
      senders.push_back(std::make_unique<sender>(options, settings, when, shared));
      threads.emplace_back([one = senders.back().get()] { one->run(); });
    }
  }

  /// `has_stamps`: the records say when they were sent.
  void receive(std::vector<std::vector<client::assignment>> hands, const client_settings& settings,
               bool has_stamps) {
    for (auto& hand : hands) {
      receivers.push_back(std::make_unique<receiver>(settings, when, shared, has_stamps));
      threads.emplace_back(
          [one = receivers.back().get(), mine = std::move(hand)] { one->run(mine); });
    }
  }

  /// Waits for all of them; what each did is still to be added.
  bench_outcome work(session& on) {
    watch(on, when, shared);
    bench_outcome total;
    total.seconds = counted_seconds(when);
    threads.clear();
    return total;
  }

  control shared;
  const schedule when;
  std::vector<std::unique_ptr<sender>> senders;
  std::vector<std::unique_ptr<receiver>> receivers;
  /// Last: they end before what they use.
  std::vector<std::jthread> threads;
};

} // namespace

exit_code bench_produce(session& on, const bench_options& options) {
  const auto settings = settings_of(on, options);
  if (!settings)
    return on.fail(settings.error());
  if (auto ready = prepare_topic(settings->cluster, options); !ready)
    return on.fail(ready.error());
  crew clients(options);
  clients.send(options, *settings);
  auto total = clients.work(on);
  for (const auto& each : clients.senders)
    total.add(each->outcome());
  total.latency_of = options.pace ? "from intended send time to answer" : "from send to answer";
  total.target_rate = target_of(options);
  return report(on, options, clients.shared, total);
}

exit_code bench_consume(session& on, const bench_options& options) {
  const auto settings = settings_of(on, options);
  if (!settings)
    return on.fail(settings.error());
  auto hands = deal(*settings, options, client::start_position::earliest());
  if (!hands)
    return on.fail(hands.error());
  crew clients(options);
  clients.receive(std::move(*hands), *settings, false);
  auto total = clients.work(on);
  for (const auto& each : clients.receivers)
    total.add(each->outcome());
  return report(on, options, clients.shared, total);
}

exit_code bench_e2e(session& on, const bench_options& options) {
  const auto settings = settings_of(on, options);
  if (!settings)
    return on.fail(settings.error());
  if (auto ready = prepare_topic(settings->cluster, options); !ready)
    return on.fail(ready.error());
  auto hands = deal(*settings, options, client::start_position::latest());
  if (!hands)
    return on.fail(hands.error());
  crew clients(options);
  clients.receive(std::move(*hands), *settings, true);
  clients.send(options, *settings);
  auto total = clients.work(on);
  for (const auto& each : clients.receivers)
    total.add(each->outcome());
  for (const auto& each : clients.senders)
    total.errors += each->outcome().errors;
  total.latency_of = "from intended send time to receipt";
  total.target_rate = target_of(options);
  return report(on, options, clients.shared, total);
}

} // namespace aqueduct::aq
