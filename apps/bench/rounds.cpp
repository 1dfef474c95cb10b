#include "apps/bench/rounds.hpp"

#include <algorithm>

namespace aqueduct::bench {

namespace {

constexpr double mib = 1 << 20;
constexpr double gib = 1 << 30;
/// More than either server writes in a second.
constexpr double warm_bytes_per_second = 2 * gib;

result<void> run_round(const server& on, bool is_floor, side& into, const round_function& round,
                       const figure_function& figure) {
  const auto before = on.process.usage();
  const auto outcome = round(on, is_floor);
  if (!outcome)
    return unexpected(outcome.error().code, std::string(is_floor ? "the floor: " : "the node: ") +
                                                outcome.error().message);
  const auto after = on.process.usage();
  into.figures.push_back(figure(*outcome));
  into.total.add(*outcome);
  into.cpu_seconds += after.cpu_seconds - before.cpu_seconds;
  into.peak_bytes = after.peak_bytes;
  return {};
}

} // namespace

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double side::cpu_per_gib() const {
  return total.bytes == 0 ? 0 : cpu_seconds * gib / static_cast<double>(total.bytes);
}

double mib_per_second(const load_outcome& outcome) {
  return outcome.seconds > 0 ? static_cast<double>(outcome.bytes) / mib / outcome.seconds : 0;
}

double requests_per_second(const load_outcome& outcome) {
  return outcome.seconds > 0 ? static_cast<double>(outcome.requests) / outcome.seconds : 0;
}

double both_sides::ratio() const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(floor.figures.size(), node.figures.size()); ++i)
    if (floor.figures[i] > 0)
      ratios.push_back(node.figures[i] / floor.figures[i]);
  return median(ratios);
}

row both_sides::to_row(std::string name, std::string unit) const {
  row made;
  made.name = std::move(name);
  made.unit = std::move(unit);
  made.floor = median(floor.figures);
  made.node = median(node.figures);
  made.ratio = ratio();
  made.floor_cpu = floor.cpu_per_gib();
  made.node_cpu = node.cpu_per_gib();
  made.floor_peak_mib = static_cast<double>(floor.peak_bytes) / mib;
  made.node_peak_mib = static_cast<double>(node.peak_bytes) / mib;
  return made;
}

result<both_sides> run_rounds(const bench_options& options, const server& floor, const server& node,
                              const round_function& round, const figure_function& figure) {
  both_sides found;
  for (int i = 0; i < options.rounds; ++i) {
    for (const bool is_floor : {i % 2 == 0, i % 2 != 0}) {
      warm_memory(static_cast<std::uint64_t>(options.seconds * warm_bytes_per_second));
      if (auto done = run_round(is_floor ? floor : node, is_floor,
                                is_floor ? found.floor : found.node, round, figure);
          !done)
        return done.propagate();
    }
  }
  return found;
}

} // namespace aqueduct::bench
