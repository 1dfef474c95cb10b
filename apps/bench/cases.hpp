// The cases of the benchmark. Each starts the servers that it needs, measures floor and node in
// turns and adds what it found to the report.
#pragma once

#include "apps/bench/report.hpp"
#include "apps/bench/servers.hpp"
#include "protocol/result.hpp"

#include <span>
#include <string_view>

namespace aqueduct::bench {

struct bench_case {
  std::string_view name;
  std::string_view what;
  result<void> (*run)(const bench_options& options, report& found);
};

/// In the order in which they run.
[[nodiscard]] std::span<const bench_case> all_cases();

// One function per group of cases, each in a file of its own.
[[nodiscard]] result<void> produce_one_partition(const bench_options& options, report& found);
[[nodiscard]] result<void> produce_many_partitions(const bench_options& options, report& found);
[[nodiscard]] result<void> produce_small(const bench_options& options, report& found);
[[nodiscard]] result<void> produce_single(const bench_options& options, report& found);
[[nodiscard]] result<void> consume_tail(const bench_options& options, report& found);
[[nodiscard]] result<void> consume_cold(const bench_options& options, report& found);
[[nodiscard]] result<void> end_to_end(const bench_options& options, report& found);
[[nodiscard]] result<void> sdk_produce(const bench_options& options, report& found);
[[nodiscard]] result<void> kafka_produce(const bench_options& options, report& found);
[[nodiscard]] result<void> kafka_produce_small(const bench_options& options, report& found);
[[nodiscard]] result<void> kafka_fetch(const bench_options& options, report& found);
[[nodiscard]] result<void> kafka_sessions(const bench_options& options, report& found);
[[nodiscard]] result<void> group_heartbeats(const bench_options& options, report& found);
[[nodiscard]] result<void> group_commits(const bench_options& options, report& found);
[[nodiscard]] result<void> group_join(const bench_options& options, report& found);
[[nodiscard]] result<void> ready_empty(const bench_options& options, report& found);
[[nodiscard]] result<void> ready_loaded(const bench_options& options, report& found);
[[nodiscard]] result<void> idle(const bench_options& options, report& found);
[[nodiscard]] result<void> many_partitions(const bench_options& options, report& found);
[[nodiscard]] result<void> failover(const bench_options& options, report& found);
[[nodiscard]] result<void> replication(const bench_options& options, report& found);
[[nodiscard]] result<void> cluster_idle(const bench_options& options, report& found);
[[nodiscard]] result<void> catch_up(const bench_options& options, report& found);

} // namespace aqueduct::bench
