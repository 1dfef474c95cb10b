// Rounds of a case: floor and node in turns, medians of both.
#pragma once

#include "apps/bench/load.hpp"
#include "apps/bench/report.hpp"
#include "apps/bench/servers.hpp"

#include <functional>
#include <string>
#include <vector>

namespace aqueduct::bench {

/// The middle value, or the mean of the two in the middle; 0 for none.
[[nodiscard]] double median(std::vector<double> values);

/// Figures of one server over all rounds.
struct side {
  /// Of each round, in the unit of the case.
  std::vector<double> figures;
  load_outcome total;
  double cpu_seconds = 0;
  std::uint64_t peak_bytes = 0;

  /// Per GiB of batches.
  [[nodiscard]] double cpu_per_gib() const;
};

/// One round of one server, and what it counts as.
using round_function = std::function<result<load_outcome>(const server& on, bool is_floor)>;
using figure_function = std::function<double(const load_outcome&)>;

[[nodiscard]] double mib_per_second(const load_outcome& outcome);
[[nodiscard]] double requests_per_second(const load_outcome& outcome);

struct both_sides {
  side floor;
  side node;

  /// The median of the rounds' ratios.
  [[nodiscard]] double ratio() const;
  /// A row with everything but the target.
  [[nodiscard]] row to_row(std::string name, std::string unit) const;
};

/// Floor, node, floor, node ... as often as the options say.
[[nodiscard]] result<both_sides> run_rounds(const bench_options& options, const server& floor,
                                            const server& node, const round_function& round,
                                            const figure_function& figure);

} // namespace aqueduct::bench
