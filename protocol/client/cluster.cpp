#include "protocol/client/cluster.hpp"

#include "protocol/client/internal/cluster_core.hpp"
#include "protocol/client/internal/config_check.hpp"

namespace aqueduct::client {

using namespace std::chrono_literals;

result<void> cluster_config::validate() const {
  constexpr std::size_t gib = std::size_t{1} << 30;
  config_check check;
  check.require(!brokers.empty(), "brokers is empty; name at least one as host:port")
      .require(client_id.size() <= 249, "client_id has more than 249 bytes")
      .require(rack.size() <= 249, "rack has more than 249 bytes")
      .range("connect_timeout", connect_timeout, 1ms, 10min)
      .range("request_timeout", request_timeout, 1ms, 1h)
      .range("backoff_min", backoff_min, 1ms, 10min)
      .range("backoff_max", backoff_max, backoff_min, 10min)
      .range("metadata_age_max", metadata_age_max, 100ms, 24h * 365)
      .range("idle_timeout", idle_timeout, 0ms, 24h * 365)
      .range("frame_bytes_max", frame_bytes_max, std::size_t{64} << 10, gib, " bytes")
      .range("in_flight_bytes_max", in_flight_bytes_max, std::size_t{64} << 10, 64 * gib, " bytes");
  if (auto outcome = check.done(); !outcome)
    return outcome;
  for (const auto& text : brokers)
    if (auto parsed = parse_endpoint(text); !parsed)
      return parsed.propagate();
  return {};
}

result<cluster> cluster::open(cluster_config config) {
  auto core = cluster_core::open(std::move(config));
  if (!core)
    return core.propagate();
  return cluster(std::move(*core));
}

namespace {

time_point deadline_of(const cluster_core& core, std::optional<milliseconds> timeout) {
  return after(clock::now(), timeout.value_or(core.config().request_timeout));
}

result<cluster_layout> describe_topics(cluster_core& core,
                                       std::optional<std::vector<std::string>> topics,
                                       std::optional<milliseconds> timeout) {
  protocol::metadata_request request;
  request.topics = std::move(topics);
  auto reply = core.ask_any(request, deadline_of(core, timeout), true);
  if (!reply)
    return reply.propagate();
  return layout_of(std::move(*reply));
}

} // namespace

result<topic_layout> cluster::topic(std::string_view name, std::optional<milliseconds> timeout) {
  auto known = core_->wait_for_topic(std::string(name), deadline_of(*core_, timeout), false);
  if (!known)
    return known.propagate();
  return **known;
}

result<cluster_layout> cluster::describe(std::span<const std::string> topics,
                                         std::optional<milliseconds> timeout) {
  return describe_topics(*core_, std::vector(topics.begin(), topics.end()), timeout);
}

result<cluster_layout> cluster::describe(std::optional<milliseconds> timeout) {
  return describe_topics(*core_, std::nullopt, timeout);
}

void cluster::close() {
  core_->close();
}

} // namespace aqueduct::client
