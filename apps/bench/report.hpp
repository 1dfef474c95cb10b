// What the benchmark found, as tables for people or as JSON.
#pragma once

#include "apps/bench/histogram.hpp"

#include <optional>
#include <string>
#include <vector>

namespace aqueduct::bench {

/// One figure of one case. What does not apply is absent.
struct row {
  std::string name;
  std::string unit;
  std::optional<double> floor;
  double node = 0;
  /// Node to floor: the median of the rounds.
  std::optional<double> ratio;
  /// What is asked for, for people.
  std::string target;
  bool is_met = false;
  /// CPU seconds of the server per GiB of batches.
  std::optional<double> floor_cpu;
  std::optional<double> node_cpu;
  std::optional<double> floor_peak_mib;
  std::optional<double> node_peak_mib;
};

/// A figure that has a bound of its own instead of a floor.
[[nodiscard]] row bounded(std::string name, std::string unit, double value, double bound);
/// A figure that nothing is asked of.
[[nodiscard]] row informative(std::string name, std::string unit, double value);

/// Latencies in nanoseconds.
struct latency_row {
  std::string name;
  histogram latency;
};

struct report {
  std::vector<row> rows;
  std::vector<latency_row> latencies;
};

[[nodiscard]] std::string to_text(const report& found);
[[nodiscard]] std::string to_json(const report& found);

} // namespace aqueduct::bench
