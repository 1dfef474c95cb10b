#include "apps/bench/report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace aqueduct::bench {

namespace {

struct quantile {
  const char* name;
  double value;
};

constexpr quantile quantiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

/// About three digits that count.
std::string number(double value) {
  const auto size = std::abs(value);
  const int digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", value == 0 ? 0 : digits, value);
  return text;
}

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : "-";
}

using table = std::vector<std::vector<std::string>>;

/// The first two columns to the left, numbers to the right; the first line is the head.
std::string print(const table& lines, std::size_t left_columns) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) {
      widths.resize(std::max(widths.size(), c + 1));
      widths[c] = std::max(widths[c], line[c].size());
    }
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c) {
      const std::string padding(widths[c] - line[c].size(), ' ');
      text += c == 0 ? "" : "  ";
      text += c < left_columns ? line[c] + padding : padding + line[c];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

double milliseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) * 1e-6;
}

} // namespace

row informative(std::string name, std::string unit, double value) {
  row made;
  made.name = std::move(name);
  made.unit = std::move(unit);
  made.node = value;
  return made;
}

row bounded(std::string name, std::string unit, double value, double bound) {
  auto made = informative(std::move(name), std::move(unit), value);
  char text[32];
  std::snprintf(text, sizeof text, "< %g", bound);
  made.target = text;
  made.is_met = value < bound;
  return made;
}

std::string to_text(const report& found) {
  table figures = {{"case", "unit", "floor", "Aqueduct", "ratio", "target", "met", "cpu floor",
                    "cpu node", "peak floor", "peak node"}};
  for (const auto& r : found.rows)
    figures.push_back({r.name, r.unit, number(r.floor), number(r.node), number(r.ratio), r.target,
                       r.target.empty() ? ""
                       : r.is_met       ? "yes"
                                        : "NO",
                       number(r.floor_cpu), number(r.node_cpu), number(r.floor_peak_mib),
                       number(r.node_peak_mib)});
  auto text = print(figures, 2);
  text += "cpu: seconds of the server per GiB of batches; peak: resident memory in MiB\n";
  if (found.latencies.empty())
    return text;
  table times = {{"latency in ms"}};
  for (const auto& q : quantiles)
    times.front().push_back(q.name);
  times.front().push_back("max");
  times.front().push_back("count");
  for (const auto& r : found.latencies) {
    auto& line = times.emplace_back();
    line.push_back(r.name);
    for (const auto& q : quantiles)
      line.push_back(number(milliseconds(r.latency.value_at(q.value))));
    line.push_back(number(milliseconds(r.latency.max())));
    line.push_back(std::to_string(r.latency.count()));
  }
  return text + "\n" + print(times, 1);
}

std::string to_json(const report& found) {
  using json = nlohmann::ordered_json;
  const auto optional = [](const std::optional<double>& value) {
    return value ? json(*value) : json();
  };
  json rows = json::array();
  for (const auto& r : found.rows)
    rows.push_back({{"case", r.name},
                    {"unit", r.unit},
                    {"floor", optional(r.floor)},
                    {"node", r.node},
                    {"ratio", optional(r.ratio)},
                    {"target", r.target},
                    {"met", r.target.empty() ? json() : json(r.is_met)},
                    {"floor_cpu_seconds_per_gib", optional(r.floor_cpu)},
                    {"node_cpu_seconds_per_gib", optional(r.node_cpu)},
                    {"floor_peak_mib", optional(r.floor_peak_mib)},
                    {"node_peak_mib", optional(r.node_peak_mib)}});
  json latencies = json::array();
  for (const auto& r : found.latencies) {
    json line = {{"name", r.name}, {"count", r.latency.count()}};
    for (const auto& q : quantiles)
      line[std::string(q.name) + "_ns"] = r.latency.value_at(q.value);
    line["max_ns"] = r.latency.max();
    latencies.push_back(std::move(line));
  }
  return json{{"rows", rows}, {"latencies", latencies}}.dump(2) + "\n";
}

} // namespace aqueduct::bench
