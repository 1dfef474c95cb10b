#include "actors/peer/node_links.hpp"

#include "actors/logging.hpp"

#include <utility>

namespace aqueduct::actors {

namespace {

/// What a message between nodes takes beside a record batch that a client could just send.
constexpr std::uint64_t envelope_bytes_max = 64 * 1024;

} // namespace

node_links::node_links(const config::node_config& settings,
                       std::shared_ptr<network::cluster_end> end)
    : election_timeout_ms_(settings.raft.election_timeout.count()),
      send_window_bytes_(settings.cluster.send_window_bytes),
      frame_bytes_max_(
          static_cast<std::uint32_t>(settings.limits.frame_bytes_max + envelope_bytes_max)),
      end_(std::move(end)) {}

node_links::~node_links() {
  stop_links();
  stop();
}

result<std::unique_ptr<node_links>> node_links::open(const config::node_config& settings) {
  network::cluster_end::options port;
  port.listen = settings.cluster.listen;
  port.handshake_timeout = settings.network.handshake_timeout;
  port.idle_timeout = settings.network.idle_timeout;
  port.frame_bytes_max = settings.limits.frame_bytes_max + envelope_bytes_max;
  port.received_bytes_total = settings.limits.request_bytes_total;
  port.log = component_logger("peer");
  auto end = network::cluster_end::open(std::move(port));
  if (!end)
    return end.propagate();
  return std::unique_ptr<node_links>(new node_links(settings, std::move(*end)));
}

std::shared_ptr<peer_transport> node_links::serve(caf::actor_system& system, owner node) {
  peer_transport_options options;
  options.us.cluster = node.cluster;
  options.us.self = node.self;
  options.us.software = std::move(node.software);
  options.us.frame_bytes_max = frame_bytes_max_;
  options.us.address = std::move(node.address);
  options.election_timeout_ms = election_timeout_ms_;
  options.send_window_bytes = send_window_bytes_;
  options.env = std::move(node.env);
  options.dialler = end_;
  options.receiver = std::move(node.receiver);
  options.calls = std::move(node.calls);
  options.log = component_logger("peer");
  options.changed = std::move(node.changed);
  options.stranger = std::move(node.stranger);
  transport_ = std::make_shared<peer_transport>(system, std::move(options));
  end_->serve(transport_);
  return transport_;
}

void node_links::stop_links() {
  if (transport_)
    transport_->stop();
}

void node_links::stop() {
  end_->stop();
}

} // namespace aqueduct::actors
