// aq bench: load on a running cluster, through the client library, as an application would put it
// there. (aqueduct-bench measures a node of its own against the floor of the machine.)
#pragma once

#include "apps/aq/session.hpp"
#include "apps/aq/units.hpp"
#include "apps/bench/histogram.hpp"
#include "protocol/client/producer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace aqueduct::aq {

struct bench_options {
  std::string topic = "aq-bench";
  /// Of a topic that is made for the run.
  std::int32_t partitions = 4;
  std::uint64_t record_bytes = 100;
  /// All clients together; nothing: as fast as the cluster takes them.
  std::optional<rate> pace;
  std::chrono::milliseconds warmup{2'000};
  std::chrono::milliseconds duration{10'000};
  std::int32_t clients = 1;
  std::string codec = "none";
  std::string acks = "all";
  /// The line of kafka-producer-perf-test as well.
  bool kafka_style = false;
};

/// What a run found out. Latencies in microseconds.
struct bench_outcome {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  double seconds = 0;
  bench::histogram latency;
  /// What the latency is of: "from intended send time", because a sender that is held up must not
  /// hide it (coordinated omission).
  std::string latency_of;
  /// Wanted records per second; 0: as many as possible.
  double target_rate = 0;

  void add(const bench_outcome& other);
};

[[nodiscard]] document bench_document(const bench_outcome& outcome);
/// "N records sent, ... ms 99.9th.", for scripts that read that.
[[nodiscard]] std::string kafka_line(const bench_outcome& outcome);

exit_code bench_produce(session& on, const bench_options& options);
exit_code bench_consume(session& on, const bench_options& options);
exit_code bench_e2e(session& on, const bench_options& options);

} // namespace aqueduct::aq
