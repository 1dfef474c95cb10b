#include "actors/node_cluster.hpp"

#include "actors/logging.hpp"
#include "actors/replica/state_server.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <future>
#include <utility>

namespace aqueduct::actors {

namespace {

/// How soon a node that waits for others notices that it is to stop.
constexpr std::chrono::milliseconds look_interval{20};

} // namespace

result<std::unique_ptr<node_cluster>> node_cluster::open(const config::node_config& settings,
                                                         std::shared_ptr<memory_registry> process) {
  auto links = node_links::open(settings);
  if (!links)
    return links.propagate();
  if (!process)
    process = memory_registry::make();
  return std::unique_ptr<node_cluster>(
      new node_cluster(settings, std::move(*links), std::move(process)));
}

config::endpoint node_cluster::advertised() const {
  auto address = settings_.advertised_cluster();
  if (address.port == 0)
    address.port = links_->address().port;
  return address;
}

void node_cluster::serve(caf::actor_system& system, const storage::data_directory& data,
                         const std::string& software, std::shared_ptr<environment> env) {
  system_ = &system;
  env_ = env;
  node_links::owner owner;
  owner.cluster = data.identity().cluster;
  owner.self = {raft::node_id(settings_.node.id), raft::incarnation(data.identity().incarnation)};
  owner.software = software;
  owner.address = advertised();
  owner.env = std::move(env);
  registry_ = std::make_shared<group_registry>(owner.self);
  owner.receiver = registry_;
  calls_->route(call_kind::fetch_state, std::make_shared<state_server>(owner.self, registry_));
  owner.calls = calls_;
  owner.changed = [groups = registry_](raft::node_id node, bool is_up) {
    if (!is_up)
      groups->lost_contact(node);
  };
  owner.stranger = [to = discovery_](const protocol::cluster::hello& hello) {
    const std::lock_guard lock(to->mutex);
    if (to->stranger)
      to->stranger(hello);
  };
  transport_ = links_->serve(system, std::move(owner));
}

result<survey_outcome> node_cluster::find(bool knows, const std::function<bool()>& interrupted) {
  const auto promised = std::make_shared<std::promise<survey_outcome>>();
  auto outcome = promised->get_future();
  if (settings_.discovery.kind == config::discovery_kind::memory)
    if (auto entered = enter_process(knows); !entered)
      return entered.propagate();
  discovered decided;
  if (!knows)
    decided = [promised](const survey_outcome& found) { promised->set_value(found); };
  if (settings_.discovery.kind == config::discovery_kind::etcd)
    look_in_etcd(std::move(decided));
  else
    look_by_seeds(std::move(decided));
  if (knows)
    return survey_outcome{};
  while (outcome.wait_for(look_interval) != std::future_status::ready)
    if (interrupted && interrupted())
      return unexpected(errc::shutting_down, "stopped before the node belonged to a cluster");
  return outcome.get();
}

result<void> node_cluster::enter_process(bool knows) {
  seat_ = process_->enter(settings_.node.id, advertised());
  const auto cluster = transport_->identity().cluster;
  if (!cluster.is_nil())
    seat_->belongs_to(cluster);
  else if (knows && !seat_->may_found())
    return unexpected(errc::conflict, "this node began to found a cluster, and the nodes of its "
                                      "process have another one; empty its data directory to have "
                                      "it join them");
  return {};
}

void node_cluster::look_by_seeds(discovered decided) {
  discovery_config finding;
  finding.seeds = seat_ ? seat_->addresses() : settings_.discovery.seeds;
  finding.seat = seat_;
  finding.dialler = links_->dialler();
  finding.transport = transport_;
  finding.env = env_;
  finding.log = component_logger("discovery");
  finding.decided = std::move(decided);
  const auto actor = spawn_discovery(*system_, std::move(finding));
  const std::lock_guard lock(discovery_->mutex);
  discovery_->stranger = [actor](const protocol::cluster::hello& hello) {
    caf::anon_send(actor, discovery_event{stranger_seen{hello}});
  };
  discovery_->stop = [actor] { caf::anon_send(actor, discovery_event{discovery_stop{}}); };
}

void node_cluster::look_in_etcd(discovered decided) {
  http_ = std::make_shared<network::http_client>(network::http_client::options{});
  etcd_discovery_config finding;
  finding.prefix = settings_.discovery.prefix;
  finding.ttl_ms = settings_.discovery.ttl.count();
  finding.members = settings_.discovery.seeds;
  finding.http = http_;
  finding.transport = transport_;
  finding.env = env_;
  finding.log = component_logger("discovery");
  finding.decided = std::move(decided);
  const auto actor = spawn_etcd_discovery(*system_, std::move(finding));
  const std::lock_guard lock(discovery_->mutex);
  discovery_->stranger = [actor](const protocol::cluster::hello& hello) {
    caf::anon_send(actor, etcd_event{stranger_seen{hello}});
  };
  discovery_->joined = [actor](const uuid& cluster) {
    caf::anon_send(actor, etcd_event{cluster_joined{cluster}});
  };
  discovery_->stop = [actor] { caf::anon_send(actor, etcd_event{discovery_stop{}}); };
}

void node_cluster::join(const uuid& cluster) {
  transport_->join(cluster);
  if (seat_)
    seat_->belongs_to(cluster);
  const std::lock_guard lock(discovery_->mutex);
  if (discovery_->joined)
    discovery_->joined(cluster);
}

std::function<std::vector<raft::node_id>()> node_cluster::contacts() const {
  return [to = transport_] {
    std::vector<raft::node_id> nodes;
    for (const auto& peer : to->status())
      if (peer.is_connected())
        nodes.push_back(peer.peer);
    return nodes;
  };
}

void node_cluster::stop() {
  {
    const std::lock_guard lock(discovery_->mutex);
    if (discovery_->stop)
      discovery_->stop();
    discovery_->stop = nullptr;
    discovery_->joined = nullptr;
    discovery_->stranger = nullptr;
  }
  calls_->route(call_kind::controller, nullptr);
  calls_->route(call_kind::fetch_state, nullptr);
  calls_->route(call_kind::elect, nullptr);
  if (seat_)
    seat_->leave();
  links_->stop_links();
}

void node_cluster::close() {
  links_->stop();
  if (http_)
    http_->stop();
}

} // namespace aqueduct::actors
