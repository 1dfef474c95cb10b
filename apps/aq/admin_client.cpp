#include "apps/aq/admin_client.hpp"

#include "apps/aq/dial.hpp"
#include "config/endpoint.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/sec.hpp>
#include <fmt/format.h>

#include <optional>
#include <set>

namespace aqueduct::aq {

namespace {

struct caf_settings : caf::actor_system_config {
  caf_settings() {
    load<caf::io::middleman>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{1});
    set("middleman.workers", std::size_t{1});
    add_message_types<caf::id_block::aqueduct_admin>();
  }
};

error from_caf(const caf::actor_system& system, const caf::error& problem,
               const std::string& address) {
  const auto text = system.render(problem);
  if (problem == caf::sec::request_timeout)
    return {errc::timed_out, fmt::format("the node at {} did not answer in time", address)};
  if (problem == caf::sec::request_receiver_down || problem == caf::sec::remote_linking_failed)
    return {errc::connection_lost, fmt::format("the node at {} went away: {}", address, text)};
  if (problem == caf::sec::incompatible_versions)
    return {errc::unsupported_version, fmt::format("the node at {}: {}", address, text)};
  return {errc::broker_unavailable, fmt::format("no node answers at {}: {}", address, text)};
}

} // namespace

struct admin_client::connection {
  connection(std::string to, std::chrono::milliseconds patience)
      : address(std::move(to)), timeout(patience), system(settings), self(system) {}

  result<void> open(const config::endpoint& node) {
    std::optional<caf::strong_actor_ptr> found;
    std::optional<caf::error> problem;
    std::set<std::string> offered;
    // remote_actor() would wait for ever for somebody who accepts and says nothing.
    self->request(system.middleman().actor_handle(), timeout, caf::connect_atom_v, node.host,
                  node.port)
        .receive(
            [&](const caf::node_id&, caf::strong_actor_ptr& actor, std::set<std::string>& ifs) {
              found = std::move(actor);
              offered = std::move(ifs);
            },
            [&](caf::error& e) { problem = std::move(e); });
    if (problem)
      return unexpected(from_caf(system, *problem, address));
    const auto wanted = system.message_types(caf::detail::type_list<actors::admin_actor>{});
    if (!*found || !system.assignable(offered, wanted))
      return unexpected(errc::unsupported_version,
                        fmt::format("what listens at {} is not the admin port of an Aqueduct node "
                                    "of this version",
                                    address));
    admin = caf::actor_cast<actors::admin_actor>(*found);
    return {};
  }

  template <class Response, class Request>
  result<Response> ask(Request request) {
    std::optional<Response> answer;
    std::optional<caf::error> problem;
    self->request(admin, timeout, std::move(request))
        .receive([&](Response& response) { answer = std::move(response); },
                 [&](caf::error& e) { problem = std::move(e); });
    if (problem)
      return unexpected(from_caf(system, *problem, address));
    return std::move(*answer);
  }

  template <class Request>
  result<void> tell(Request request) {
    const auto answer = ask<actors::admin_done>(std::move(request));
    if (!answer)
      return answer.propagate();
    if (answer->error != 0)
      return unexpected(static_cast<errc>(answer->error), answer->message);
    return {};
  }

  template <class Request>
  result<std::vector<actors::admin_move>> ask_moves(Request request) {
    auto answer = ask<actors::admin_moves>(std::move(request));
    if (!answer)
      return answer.propagate();
    if (answer->error != 0)
      return unexpected(static_cast<errc>(answer->error), std::move(answer->message));
    return std::move(answer->moves);
  }

  std::string address;
  std::chrono::milliseconds timeout;
  caf_settings settings;
  caf::actor_system system;
  caf::scoped_actor self;
  actors::admin_actor admin;
};

admin_client::admin_client(std::unique_ptr<connection> to) : connection_(std::move(to)) {}
admin_client::~admin_client() = default;
admin_client::admin_client(admin_client&&) noexcept = default;
admin_client& admin_client::operator=(admin_client&&) noexcept = default;

result<admin_client> admin_client::connect(const std::string& address,
                                           std::chrono::milliseconds timeout) {
  const auto node = config::parse_endpoint(address);
  if (!node)
    return unexpected(errc::invalid_request, fmt::format("--admin {}", node.error().message));
  // CAF's own attempt cannot be given up; this one can, and finds out the same.
  if (const auto problem = try_connect(*node, timeout); !problem.empty())
    return unexpected(errc::broker_unavailable,
                      fmt::format("no node answers at {}: {}", address, problem));
  auto to = std::make_unique<connection>(address, timeout);
  if (auto opened = to->open(*node); !opened)
    return opened.propagate();
  return admin_client(std::move(to));
}

result<actors::admin_status> admin_client::status() {
  return connection_->ask<actors::admin_status>(actors::admin_status_request{});
}

result<actors::admin_partitions> admin_client::partitions(const std::string& topic) {
  actors::admin_partitions_request request;
  request.topic = topic;
  return connection_->ask<actors::admin_partitions>(std::move(request));
}

result<void> admin_client::change_log_level(const std::string& component,
                                            const std::string& level) {
  actors::admin_log_level_request request;
  request.component = component;
  request.level = level;
  return connection_->tell(std::move(request));
}

result<void> admin_client::flush() {
  return connection_->tell(actors::admin_flush_request{});
}

result<void> admin_client::drain() {
  return connection_->tell(actors::admin_drain_request{});
}

result<void> admin_client::shut_down() {
  return connection_->tell(actors::admin_shutdown_request{});
}

result<void> admin_client::scrub(const std::string& topic, std::int32_t partition) {
  actors::admin_scrub_request request;
  request.topic = topic;
  request.partition = partition;
  return connection_->tell(std::move(request));
}

result<void> admin_client::stop_scrub() {
  return connection_->tell(actors::admin_scrub_stop_request{});
}

result<actors::admin_scrub_status> admin_client::scrub_status() {
  return connection_->ask<actors::admin_scrub_status>(actors::admin_scrub_status_request{});
}

result<actors::admin_brokers> admin_client::brokers() {
  return connection_->ask<actors::admin_brokers>(actors::admin_brokers_request{});
}

result<actors::admin_groups> admin_client::groups(const std::string& topic,
                                                  std::int32_t partition) {
  actors::admin_groups_request request;
  request.topic = topic;
  request.partition = partition;
  return connection_->ask<actors::admin_groups>(std::move(request));
}

result<void> admin_client::transfer(const std::string& topic, std::int32_t partition,
                                    std::int32_t to) {
  actors::admin_transfer_request request;
  request.topic = topic;
  request.partition = partition;
  request.to = to;
  return connection_->tell(std::move(request));
}

result<void> admin_client::snapshot(const std::string& topic, std::int32_t partition) {
  actors::admin_snapshot_request request;
  request.topic = topic;
  request.partition = partition;
  return connection_->tell(std::move(request));
}

result<void> admin_client::change_broker(std::int32_t node, const std::string& change) {
  actors::admin_broker_change_request request;
  request.node = node;
  request.change = change;
  return connection_->tell(std::move(request));
}

result<std::vector<actors::admin_move>> admin_client::move(const std::string& topic,
                                                           std::int32_t partition,
                                                           const std::vector<std::int32_t>& to,
                                                           bool dry_run) {
  actors::admin_move_request request;
  request.topic = topic;
  request.partition = partition;
  request.to = to;
  request.dry_run = dry_run;
  return connection_->ask_moves(std::move(request));
}

result<std::vector<actors::admin_move>>
admin_client::cancel_move(const std::string& topic, std::int32_t partition, bool dry_run) {
  actors::admin_cancel_move_request request;
  request.topic = topic;
  request.partition = partition;
  request.dry_run = dry_run;
  return connection_->ask_moves(std::move(request));
}

result<std::vector<actors::admin_move>> admin_client::rebalance(bool dry_run) {
  actors::admin_plan_request request;
  request.dry_run = dry_run;
  return connection_->ask_moves(std::move(request));
}

result<std::vector<actors::admin_move>> admin_client::plan_evacuation(std::int32_t node,
                                                                      bool shrink) {
  actors::admin_plan_request request;
  request.evacuate = node;
  request.dry_run = true;
  request.shrink = shrink;
  return connection_->ask_moves(std::move(request));
}

} // namespace aqueduct::aq
