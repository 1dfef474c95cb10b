// What Kafka's protocol costs a node beside the native one: the same node and batches, the two
// protocols in turns. And what its fetch sessions save.
#include "apps/bench/cases.hpp"
#include "apps/bench/interrupt.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/poller.hpp"
#include "apps/bench/rounds.hpp"
#include "protocol/kafka/data_messages.hpp"

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

// -- waiting for idle partitions ------------------------------------------------------------------

namespace {

namespace kafka = protocol::kafka;

constexpr int idle_partitions = 200;
constexpr int idle_clients = 20;
constexpr std::int32_t idle_wait_ms = 100;
constexpr std::int16_t idle_version = 12;

/// Clients that wait for all partitions of the topic, of which none gets a record.
class idle_polling {
public:
  idle_polling(poller links, bool in_sessions)
      : links_(std::move(links)), in_sessions_(in_sessions), turns_(links_.size()) {
    auto& from = whole_.topics.emplace_back();
    from.topic = topic;
    for (int p = 0; p < idle_partitions; ++p) {
      auto& part = from.partitions.emplace_back();
      part.partition = p;
      part.partition_max_bytes = 1 << 20;
    }
    whole_.max_wait_ms = idle_wait_ms;
    whole_.min_bytes = 1;
  }

  result<load_outcome> run(double seconds) {
    using clock = poller::clock;
    const auto begin = clock::now();
    const auto end = begin + std::chrono::duration<double>(seconds);
    load_outcome outcome;
    std::size_t waiting = links_.size();
    for (std::size_t i = 0; i < links_.size(); ++i) {
      send(i);
      if (auto flushed = links_.flush(i); !flushed)
        return flushed.propagate();
    }
    const auto handle = [&](std::size_t i, const protocol::frame_header&,
                            const buffer& payload) -> result<void> {
      const auto response = read_kafka<kafka::fetch_response>(payload, idle_version);
      if (!response)
        return response.propagate();
      if (response->error_code != 0 || (in_sessions_ && response->session_id == 0))
        return unexpected(errc::internal, "a fetch was refused");
      turns_[i].session_id = response->session_id;
      ++turns_[i].epoch;
      ++outcome.requests;
      if (clock::now() < end)
        send(i);
      else
        --waiting;
      return {};
    };
    while (waiting > 0) {
      if (auto polled = links_.poll(clock::now() + std::chrono::milliseconds(100), handle); !polled)
        return polled.propagate();
      if (is_interrupted())
        return unexpected(errc::cancelled, "interrupted");
    }
    outcome.seconds = std::chrono::duration<double>(clock::now() - begin).count();
    return outcome;
  }

private:
  struct turn {
    std::int32_t session_id = 0;
    std::int32_t epoch = 0;
  };

  void send(std::size_t i) {
    kafka::fetch_request request;
    if (!in_sessions_ || turns_[i].session_id == 0)
      request = whole_;
    request.max_wait_ms = idle_wait_ms;
    request.min_bytes = 1;
    request.session_id = in_sessions_ ? turns_[i].session_id : 0;
    request.session_epoch = in_sessions_ ? turns_[i].epoch : -1;
    links_.at(i).queue(kafka::api_key::fetch, idle_version, 0,
                       kafka::encode(request, idle_version).flatten());
  }

  poller links_;
  bool in_sessions_;
  std::vector<turn> turns_;
  kafka::fetch_request whole_;
};

} // namespace

result<void> kafka_sessions(const bench_options& options, report& found) {
  auto node = start_node(options);
  if (!node)
    return node.propagate();
  if (auto made = make_topic(node->process.port(), topic, idle_partitions); !made)
    return made;
  const auto connect = [&] {
    return poller::connect(node->process.port(), idle_clients, wire::kafka);
  };
  auto alone = connect();
  if (!alone)
    return alone.propagate();
  auto together = connect();
  if (!together)
    return together.propagate();
  idle_polling without(std::move(*alone), false);
  idle_polling in_sessions(std::move(*together), true);
  for (auto* each : {&without, &in_sessions})
    if (auto warmed = each->run(warm_up_seconds); !warmed)
      return warmed.propagate();
  const auto sides = run_rounds(
      options, *node, *node,
      [&](const server&, bool is_floor) {
        return (is_floor ? without : in_sessions).run(options.seconds);
      },
      requests_per_second);
  if (!sides)
    return sides.propagate();
  const auto cost = [](const side& of) {
    return of.total.requests == 0 ? 0
                                  : of.cpu_seconds * 1e6 / static_cast<double>(of.total.requests);
  };
  row cpu;
  cpu.name = "kafka-sessions, 200 idle partitions, without and with";
  cpu.unit = "us of CPU per poll";
  cpu.floor = cost(sides->floor);
  cpu.node = cost(sides->node);
  cpu.ratio = *cpu.floor > 0 ? cpu.node / *cpu.floor : 0;
  found.rows.push_back(std::move(cpu));
  return {};
}

} // namespace aqueduct::bench
