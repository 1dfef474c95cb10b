// aq cluster info|health|rebalance
#include "apps/aq/admin_session.hpp"
#include "apps/aq/broker_documents.hpp"
#include "apps/aq/client_session.hpp"
#include "apps/aq/cluster_document.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/health.hpp"
#include "apps/aq/units.hpp"
#include "apps/aq/wait_for_moves.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <thread>

namespace aqueduct::aq {

namespace {

exit_code info(session& on) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  client::admin admin(*cluster);
  const auto layout = admin.describe_cluster(on.options().timeout);
  if (!layout)
    return on.fail(layout.error());
  const auto versions = admin.versions(on.options().timeout);
  if (!versions)
    return on.fail(versions.error());
  return on.print(cluster_described(*layout, versions->software));
}

// -- health ---------------------------------------------------------------------------------------

result<cluster_report> ask_report(admin_client& node) {
  auto brokers = node.brokers();
  if (!brokers)
    return brokers.propagate();
  auto partitions = node.partitions({});
  if (!partitions)
    return partitions.propagate();
  auto groups = node.groups({}, -1);
  if (!groups)
    return groups.propagate();
  return cluster_report{std::move(*brokers), std::move(*partitions), std::move(*groups)};
}

/// Over `node`, which is connected first if it is not, and again after an error.
result<cluster_report> ask_report(const session& on, std::optional<admin_client>& node) {
  if (!node) {
    auto connected = connect_admin(on);
    if (!connected)
      return connected.propagate();
    node.emplace(std::move(*connected));
  }
  auto report = ask_report(*node);
  if (!report)
    node.reset();
  return report;
}

/// Connects and looks until all is well, at least once, for as long as `patience`.
exit_code health(session& on, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds look_again{100};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::optional<admin_client> node;
  while (true) {
    const bool is_last = std::chrono::steady_clock::now() >= deadline || on.interrupted();
    const auto report = ask_report(on, node);
    if (!report && (is_last || exit_code_of(report.error().code) == exit_code::usage))
      return on.fail(report.error());
    const auto trouble = report ? find_trouble(*report) : std::vector<cluster_trouble>();
    if (report && (trouble.empty() || is_last)) {
      const auto printed = on.print(health_described(*report, trouble));
      return printed == exit_code::done && !trouble.empty() ? exit_code::failed : printed;
    }
    std::this_thread::sleep_for(look_again);
  }
}

// -- rebalance ------------------------------------------------------------------------------------

/// Moves that a plan would still make, and replicas that have yet to be given up.
result<std::uint64_t> moves_to_go(admin_client& node) {
  const auto planned = node.rebalance(true);
  if (!planned)
    return planned.propagate();
  const auto all = node.brokers();
  if (!all)
    return all.propagate();
  std::uint64_t left = planned->size();
  for (const auto& each : all->brokers)
    left += static_cast<std::uint64_t>(each.leaving);
  return left;
}

exit_code rebalance(session& on, bool wait) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const bool dry_run = on.options().dry_run;
  const auto moves = node->rebalance(dry_run);
  if (!moves)
    return on.fail(moves.error());
  if (wait && !dry_run) {
    const auto waited = wait_for_moves(
        on, [&] { return moves_to_go(*node); }, "the moves go on; aq cluster health shows them");
    if (waited != exit_code::done)
      return waited;
  }
  const auto printed = on.print(moves_described(*moves, !dry_run));
  if (dry_run)
    on.note(fmt::format("would move the replicas of {} partitions (--dry-run)", moves->size()));
  return printed;
}

} // namespace

void add_cluster_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "cluster", "Look at the cluster, and balance it");
  line.add_verb(group, "info", "Brokers, controller, and what they hold",
                "aq cluster info\n"
                "aq -b broker-1:9092,broker-2:9092 cluster info --output json\n",
                info);

  auto patience = std::make_shared<std::chrono::milliseconds>(0);
  auto& health_verb =
      line.add_verb(group, "health", "Say what is wrong, as a node sees it; exit code 1 if it is",
                    "aq cluster health\n"
                    "aq --admin 10.0.0.7:9095 cluster health --wait 30s\n",
                    [patience](session& on) { return health(on, *patience); });
  health_verb
      .add_option_function<std::string>(
          "--wait",
          [patience](const std::string& text) {
            const auto parsed = parse_duration(text);
            if (!parsed)
              throw CLI::ValidationError("--wait", parsed.error().message);
            *patience = *parsed;
          },
          "Look again until all is well, as long as that")
      ->type_name("DURATION");

  auto wait = std::make_shared<bool>(false);
  auto& rebalance_verb =
      line.add_verb(group, "rebalance", "Spread replicas and leaders evenly over the brokers",
                    "aq cluster rebalance --dry-run\n"
                    "aq cluster rebalance --wait\n",
                    [wait](session& on) { return rebalance(on, *wait); });
  rebalance_verb.add_flag("--wait", *wait, "Look on until nothing moves");
}

} // namespace aqueduct::aq
