// What is wrong with a cluster, judged from what one of its nodes says. Plain functions.
#pragma once

#include "actors/admin_interface.hpp"
#include "apps/aq/document.hpp"

#include <string>
#include <vector>

namespace aqueduct::aq {

/// A follower of an awake group that lacks more entries than this is reported; a batch is an entry.
inline constexpr std::uint64_t lag_reported = 1000;

struct cluster_trouble {
  /// "broker 2", "link 1-2", "orders:0", "controller".
  std::string what;
  std::string problem;

  friend bool operator==(const cluster_trouble&, const cluster_trouble&) = default;
};

/// What one node told.
struct cluster_report {
  actors::admin_brokers brokers;
  /// Those that the node holds, by its own account and by their groups'.
  actors::admin_partitions partitions;
  actors::admin_groups groups;
};

/// Brokers first, then groups in the order in which they were told. What follows from a broker that
/// is gone is not said again for each of its replicas.
[[nodiscard]] std::vector<cluster_trouble> find_trouble(const cluster_report& report);

[[nodiscard]] document health_described(const cluster_report& report,
                                        const std::vector<cluster_trouble>& trouble);

} // namespace aqueduct::aq
