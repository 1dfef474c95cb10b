#include "actors/network/kafka_dialect.hpp"

#include "actors/network/kafka_config_calls.hpp"
#include "actors/network/kafka_data_calls.hpp"
#include "actors/network/kafka_group_calls.hpp"
#include "actors/network/kafka_placement_calls.hpp"
#include "actors/network/kafka_quota_calls.hpp"
#include "actors/network/kafka_topic_calls.hpp"
#include "actors/network/request_cost.hpp"
#include "protocol/bytes.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::api_key;

/// A request that is served, and in which versions: what API_VERSIONS lists, in order of the keys.
struct served_api {
  api_key key;
  std::int16_t version_min;
  std::int16_t version_max;
  /// What is listed as the least; clients look for it to decide what else a broker can do.
  std::int16_t listed_min;
};

constexpr auto served_apis = std::to_array<served_api>({
    {api_key::produce, 3, 11, 0},
    {api_key::fetch, 4, 17, 4},
    {api_key::list_offsets, 1, 10, 1},
    {api_key::metadata, 0, 13, 0},
    {api_key::offset_commit, 0, 9, 0},
    {api_key::offset_fetch, 1, 9, 1},
    {api_key::find_coordinator, 0, 4, 0},
    {api_key::join_group, 0, 9, 0},
    {api_key::heartbeat, 0, 4, 0},
    {api_key::leave_group, 0, 5, 0},
    {api_key::sync_group, 0, 5, 0},
    {api_key::describe_groups, 0, 6, 0},
    {api_key::list_groups, 0, 5, 0},
    {api_key::api_versions, 0, 4, 0},
    {api_key::create_topics, 2, 7, 2},
    {api_key::delete_topics, 1, 6, 1},
    {api_key::delete_records, 0, 2, 0},
    {api_key::init_producer_id, 0, 4, 0},
    {api_key::offset_for_leader_epoch, 2, 4, 2},
    {api_key::describe_configs, 1, 4, 1},
    {api_key::alter_configs, 0, 2, 0},
    {api_key::describe_log_dirs, 1, 4, 1},
    {api_key::create_partitions, 0, 3, 0},
    {api_key::delete_groups, 0, 2, 0},
    {api_key::elect_leaders, 0, 2, 0},
    {api_key::incremental_alter_configs, 0, 1, 0},
    {api_key::alter_partition_reassignments, 0, 1, 0},
    {api_key::list_partition_reassignments, 0, 0, 0},
    {api_key::offset_delete, 0, 0, 0},
    {api_key::describe_client_quotas, 0, 1, 0},
    {api_key::alter_client_quotas, 0, 1, 0},
    {api_key::describe_cluster, 0, 2, 0},
    {api_key::describe_producers, 0, 0, 0},
});

const served_api* find_served(api_key key) {
  const auto* row = std::ranges::find(served_apis, key, &served_api::key);
  return row == served_apis.end() ? nullptr : row;
}

void answer_api_versions(const kafka_request& request) {
  kafka::api_versions_response response;
  const auto list = [&](const served_api& api) {
    response.api_keys.push_back(
        {static_cast<std::int16_t>(api.key), api.listed_min, api.version_max});
  };
  const auto& own = *find_served(api_key::api_versions);
  if (request.version() > own.version_max) {
    // In the oldest form, which every client can read, with what to ask in next.
    response.error_code = number_of(kafka::error_code::unsupported_version);
    list(own);
    auto oldest = request;
    oldest.answer.version = 0;
    oldest.respond(response);
    return;
  }
  std::ranges::for_each(served_apis, list);
  request.respond(response);
}

/// Counts the elements of all arrays of a message.
class item_counter {
public:
  template <class T>
  void operator()(const kafka::field&, const T& value) {
    count(value);
  }
  [[nodiscard]] std::size_t items() const { return items_; }

private:
  template <class T>
  void count(const T&) {}
  template <class T>
  requires requires { &T::template fields<const T, item_counter>; }
  void count(const T& value) { T::fields(value, *this); }
  template <class T>
  void count(const std::optional<T>& value) {
    if (value)
      count(*value);
  }
  template <class T>
  void count(const std::vector<T>& values) {
    items_ += values.size();
    for (const auto& value : values)
      count(value);
  }

  std::size_t items_ = 0;
};

} // namespace

result<std::size_t> kafka_frame_size(const std::byte* prefix, std::size_t bytes_max) {
  const auto size = load_be<std::int32_t>(prefix);
  constexpr auto least = kafka::request_bytes_min - kafka::frame_prefix_bytes;
  if (size < static_cast<std::int32_t>(least) || static_cast<std::size_t>(size) > bytes_max)
    return unexpected(errc::invalid_request, "a request has " + std::to_string(least) + " to " +
                                                 std::to_string(bytes_max) + " bytes, not " +
                                                 std::to_string(size));
  return static_cast<std::size_t>(size) + kafka::frame_prefix_bytes;
}

kafka_dialect::kafka_dialect(std::weak_ptr<connection> client,
                             std::shared_ptr<const front_services> node,
                             std::shared_ptr<deadline_queue> deadlines)
    : client_(client),
      node_(std::move(node)),
      deadlines_(std::move(deadlines)),
      replies_(std::make_shared<reply_order>(std::move(client))),
      intake_(node_) {}

std::size_t kafka_dialect::header_size() const {
  return kafka::frame_prefix_bytes;
}

result<std::size_t> kafka_dialect::frame_size(const std::byte* header) {
  return kafka_frame_size(header, static_cast<std::size_t>(node_->limits.frame_bytes_max));
}

result<void> kafka_dialect::frame(const mutable_buffer& bytes, bool whole_allocation) {
  const auto whole = bytes.freeze();
  auto header = kafka::read_request_header(whole);
  if (!header)
    return header.propagate();
  const auto* api = find_served(header->key);
  const bool asks_for_versions = header->key == api_key::api_versions;
  if (api == nullptr || header->version < api->version_min ||
      (header->version > api->version_max && !asks_for_versions))
    return unexpected(errc::unsupported_version,
                      std::string(kafka::describe(header->key).name) + " of version " +
                          std::to_string(header->version) + " is not served");
  kafka_request request;
  request.client = client_.lock();
  request.client_id = std::move(header->client_id);
  request.frame = bytes;
  request.whole_allocation = whole_allocation;
  request.payload = whole.slice(header->size, whole.size() - header->size);
  request.charged = bytes.size();
  request.answer = {replies_, replies_->open(), header->key, header->version,
                    header->correlation_id};
  return dispatch(request);
}

void kafka_dialect::closed() {
  deadlines_->expire_all_of(this);
  node_->fetch_sessions->drop_all_of(this);
}

template <class M>
result<M> kafka_dialect::take_message(kafka_request& request) {
  auto message = kafka::decode<M>(request.payload, request.version());
  if (!message)
    return message;
  item_counter counter;
  M::fields(std::as_const(*message), counter);
  if (const auto most = items_max(node_->limits.request_bytes_in_flight); counter.items() > most)
    return unexpected(errc::invalid_request,
                      "the request names " + std::to_string(counter.items()) +
                          " topics, partitions or the like; " + std::to_string(most) +
                          " are the most (limits.request-bytes-in-flight)");
  request.charge(request_cost_bytes + item_cost_bytes * counter.items());
  return message;
}

template <class M>
result<void> kafka_dialect::served(kafka_request& request) {
  auto message = take_message<M>(request);
  if (!message)
    return message.propagate();
  serve_kafka(request, *node_, std::move(*message));
  return {};
}

result<void> kafka_dialect::dispatch(kafka_request& request) {
  switch (request.answer.api) {
  case api_key::api_versions:
    answer_api_versions(request);
    return {};
  case api_key::metadata:
    return served<kafka::metadata_request>(request);
  case api_key::list_offsets:
    return served<kafka::list_offsets_request>(request);
  case api_key::offset_for_leader_epoch:
    return served<kafka::offset_for_leader_epoch_request>(request);
  case api_key::describe_producers:
    return served<kafka::describe_producers_request>(request);
  case api_key::init_producer_id:
    return served<kafka::init_producer_id_request>(request);
  case api_key::create_topics:
    return served<kafka::create_topics_request>(request);
  case api_key::delete_topics:
    return served<kafka::delete_topics_request>(request);
  case api_key::create_partitions:
    return served<kafka::create_partitions_request>(request);
  case api_key::delete_records:
    return served<kafka::delete_records_request>(request);
  case api_key::describe_log_dirs:
    return served<kafka::describe_log_dirs_request>(request);
  case api_key::describe_cluster:
    return served<kafka::describe_cluster_request>(request);
  case api_key::describe_configs:
    return served<kafka::describe_configs_request>(request);
  case api_key::alter_configs:
    return served<kafka::alter_configs_request>(request);
  case api_key::incremental_alter_configs:
    return served<kafka::incremental_alter_configs_request>(request);
  case api_key::describe_client_quotas:
    return served<kafka::describe_client_quotas_request>(request);
  case api_key::alter_client_quotas:
    return served<kafka::alter_client_quotas_request>(request);
  case api_key::elect_leaders:
    return served<kafka::elect_leaders_request>(request);
  case api_key::alter_partition_reassignments:
    return served<kafka::alter_partition_reassignments_request>(request);
  case api_key::list_partition_reassignments:
    return served<kafka::list_partition_reassignments_request>(request);
  case api_key::find_coordinator:
    return served<kafka::find_coordinator_request>(request);
  case api_key::join_group:
    return served<kafka::join_group_request>(request);
  case api_key::sync_group:
    return served<kafka::sync_group_request>(request);
  case api_key::heartbeat:
    return served<kafka::heartbeat_request>(request);
  case api_key::leave_group:
    return served<kafka::leave_group_request>(request);
  case api_key::offset_commit:
    return served<kafka::offset_commit_request>(request);
  case api_key::offset_fetch:
    return served<kafka::offset_fetch_request>(request);
  case api_key::offset_delete:
    return served<kafka::offset_delete_request>(request);
  case api_key::describe_groups:
    return served<kafka::describe_groups_request>(request);
  case api_key::list_groups:
    return served<kafka::list_groups_request>(request);
  case api_key::delete_groups:
    return served<kafka::delete_groups_request>(request);
  case api_key::produce: {
    auto message = take_message<kafka::produce_request>(request);
    if (!message)
      return message.propagate();
    produce_kafka(request, intake_, std::move(*message));
    return {};
  }
  case api_key::fetch: {
    auto message = take_message<kafka::fetch_request>(request);
    if (!message)
      return message.propagate();
    fetch_kafka(request, *node_, std::move(*message), deadlines_, this);
    return {};
  }
  default:
    return unexpected(errc::unsupported_api, "the request is not served");
  }
}

void kafka_dialect::refuse(const error& why) {
  if (const auto to = client_.lock())
    node_->log->debug("{}: closing: {}", to->peer(), to_string(why));
}

} // namespace aqueduct::actors::network
