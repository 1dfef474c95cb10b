// aq cluster info
#include "apps/aq/client_session.hpp"
#include "apps/aq/cluster_document.hpp"
#include "apps/aq/command_line.hpp"

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

} // namespace

void add_cluster_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "cluster", "Look at the cluster");
  line.add_verb(group, "info", "Brokers, controller, and what they hold",
                "aq cluster info\n"
                "aq -b broker-1:9092,broker-2:9092 cluster info --output json\n",
                info);
}

} // namespace aqueduct::aq
