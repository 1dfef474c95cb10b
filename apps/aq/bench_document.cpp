#include "apps/aq/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace aqueduct::aq {

namespace {

struct quantile {
  std::string_view name;
  double share;
};

constexpr auto quantiles = std::to_array<quantile>({
    {"p50", 0.5},
    {"p90", 0.9},
    {"p95", 0.95},
    {"p99", 0.99},
    {"p99.9", 0.999},
    {"p99.99", 0.9999},
    {"max", 1},
});

double ms_at(const bench::histogram& latency, double share) {
  const auto us = share >= 1 ? latency.max() : latency.value_at(share);
  return static_cast<double>(us) / 1000;
}

double per_second(std::uint64_t amount, double seconds) {
  return seconds > 0 ? static_cast<double>(amount) / seconds : 0;
}

} // namespace

void bench_outcome::add(const bench_outcome& other) {
  records += other.records;
  bytes += other.bytes;
  errors += other.errors;
  seconds = std::max(seconds, other.seconds);
  latency.add(other.latency);
}

document bench_document(const bench_outcome& outcome) {
  // What is missed by a hundredth is met: the last records are still under way at the end.
  constexpr double met_share = 0.99;
  document doc;
  const auto rate = per_second(outcome.records, outcome.seconds);
  doc.add("records", "RECORDS", outcome.records, kind::number);
  doc.add("seconds", "SECONDS", outcome.seconds, kind::number);
  doc.add("records_per_second", "RECORDS/S", static_cast<std::int64_t>(rate), kind::number);
  doc.add("bytes_per_second", "BYTES/S",
          static_cast<std::int64_t>(per_second(outcome.bytes, outcome.seconds)), kind::bytes);
  doc.add("errors", "ERRORS", outcome.errors, kind::number);
  if (outcome.target_rate > 0)
    doc.add("target_met", "TARGET MET", rate >= outcome.target_rate * met_share);
  if (outcome.latency.empty())
    return doc;
  doc.add("latency_of", "LATENCY", outcome.latency_of);
  auto& rows = doc.tables.emplace_back();
  rows.key = "latency";
  rows.columns = {{"quantile", "QUANTILE"}, {"ms", "MS", kind::number}};
  for (const auto& each : quantiles)
    rows.rows.push_back({each.name, ms_at(outcome.latency, each.share)});
  return doc;
}

std::string kafka_line(const bench_outcome& outcome) {
  return fmt::format("{} records sent, {:.1f} records/sec ({:.2f} MB/sec), {:.2f} ms max latency, "
                     "{:.0f} ms 50th, {:.0f} ms 95th, {:.0f} ms 99th, {:.0f} ms 99.9th.",
                     outcome.records, per_second(outcome.records, outcome.seconds),
                     per_second(outcome.bytes, outcome.seconds) / (1 << 20),
                     ms_at(outcome.latency, 1), ms_at(outcome.latency, 0.5),
                     ms_at(outcome.latency, 0.95), ms_at(outcome.latency, 0.99),
                     ms_at(outcome.latency, 0.999));
}

} // namespace aqueduct::aq
