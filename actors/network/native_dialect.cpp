#include "actors/network/native_dialect.hpp"

#include "actors/network/cluster_dialect.hpp"
#include "actors/network/kafka_dialect.hpp"
#include "actors/network/native_admin_calls.hpp"
#include "actors/network/native_group_calls.hpp"
#include "actors/network/request_cost.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

namespace aqueduct::actors::network {

namespace {

using protocol::api_key;

std::vector<protocol::api_range> api_ranges() {
  std::vector<protocol::api_range> ranges;
  for (const auto& row : protocol::api_table())
    if (row.key != api_key::delivery)
      ranges.push_back({static_cast<std::uint16_t>(row.key), row.version_min, row.version_max});
  return ranges;
}

/// Understood by clients of HTTP, and readable for everybody.
buffer sentence_for_people(const std::string& sentence) {
  return buffer::copy_of(std::string_view(
      "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" +
      sentence + "\n"));
}

/// The first frame of every connection: the preface of the native protocol, or a request of the
/// Kafka protocol, which has none: it begins with its size.
class first_dialect : public dialect {
public:
  first_dialect(std::weak_ptr<connection> client, std::shared_ptr<const front_services> node,
                std::shared_ptr<deadline_queue> deadlines)
      : client_(std::move(client)), node_(std::move(node)), deadlines_(std::move(deadlines)) {}

  [[nodiscard]] std::size_t header_size() const override { return 4; }

  [[nodiscard]] result<std::size_t> frame_size(const std::byte* header) override {
    is_node_ = std::memcmp(header, protocol::cluster::preface.data(), header_size()) == 0;
    if (is_node_)
      return unexpected(errc::invalid_request,
                        "this is the port for clients (listen); nodes connect to `cluster.listen`");
    is_native_ = std::memcmp(header, protocol::native_preface.data(), header_size()) == 0;
    if (is_native_)
      return protocol::native_preface.size();
    const auto size =
        kafka_frame_size(header, static_cast<std::size_t>(node_->limits.frame_bytes_max));
    if (size)
      return *size;
    is_text_ = std::all_of(header, header + header_size(), [](std::byte each) {
      return each >= std::byte{' '} && each <= std::byte{'~'};
    });
    const bool is_tls = header[0] == std::byte{0x16} && header[1] == std::byte{3};
    return unexpected(errc::invalid_request,
                      is_tls ? "this port speaks without TLS; set up the client for plaintext"
                             : "this port speaks the native protocol of Aqueduct and Kafka's, and "
                               "the first bytes are those of neither");
  }

  [[nodiscard]] result<void> frame(const mutable_buffer& bytes, bool whole_allocation) override {
    const auto client = client_.lock();
    if (!is_native_) {
      auto kafka = std::make_unique<kafka_dialect>(client_, node_, deadlines_);
      auto& speaks = *kafka;
      client->become(std::move(kafka));
      return speaks.frame(bytes, whole_allocation);
    }
    client->finish_request(bytes.size());
    if (std::memcmp(bytes.data(), protocol::native_preface.data(), bytes.size()) != 0)
      return unexpected(errc::unsupported_version,
                        "this broker speaks the native protocol with the preface 41 51 44 54 00 "
                        "00 00 01 only");
    client->become(std::make_unique<native_dialect>(client_, node_, deadlines_));
    return {};
  }

  void end_of_chunk() override {}
  void closed() override {}
  void refuse(const error& why) override {
    const auto client = client_.lock();
    if (!client)
      return;
    node_->log->debug("{}: refused: {}", client->peer(), to_string(why));
    if (is_node_)
      client->reply(cluster_refusal_frame(protocol::cluster::refusal::client_port, why.message));
    else if (is_native_)
      native_dialect(client_, node_, deadlines_).refuse(why);
    else if (is_text_)
      client->reply(sentence_for_people(why.message));
  }
  [[nodiscard]] bool is_established() const override { return false; }

private:
  /// It sent the preface of the cluster protocol.
  bool is_node_ = false;
  bool is_native_ = false;
  /// It began with four letters, as browsers do, and people who try a port.
  bool is_text_ = false;
  std::weak_ptr<connection> client_;
  std::shared_ptr<const front_services> node_;
  std::shared_ptr<deadline_queue> deadlines_;
};

} // namespace

std::unique_ptr<dialect> make_first_dialect(std::weak_ptr<connection> client,
                                            std::shared_ptr<const front_services> node,
                                            std::shared_ptr<deadline_queue> deadlines) {
  return std::make_unique<first_dialect>(std::move(client), std::move(node), std::move(deadlines));
}

native_dialect::native_dialect(std::weak_ptr<connection> client,
                               std::shared_ptr<const front_services> node,
                               std::shared_ptr<deadline_queue> deadlines)
    : client_(std::move(client)),
      node_(std::move(node)),
      deadlines_(std::move(deadlines)),
      intake_(node_) {}

result<std::size_t> native_dialect::frame_size(const std::byte* header) {
  const auto limit = greeted_ ? static_cast<std::size_t>(node_->limits.frame_bytes_max)
                              : protocol::handshake_frame_bytes_max;
  const auto read = protocol::read_frame_header(header, limit);
  if (!read)
    return read.propagate();
  if (read->kind != protocol::frame_kind::request)
    return unexpected(errc::invalid_request, "a client sends frames of kind 0 (request) only");
  return read->length + sizeof read->length;
}

result<void> native_dialect::frame(const mutable_buffer& bytes, bool whole_allocation) {
  incoming request;
  request.header = *protocol::read_frame_header(bytes.data(), bytes.size());
  request.frame = bytes;
  request.charged = bytes.size();
  request.payload =
      bytes.freeze().slice(protocol::frame_header_size, bytes.size() - protocol::frame_header_size);
  request.whole_allocation = whole_allocation;
  const auto key = request.header.key;
  native_call call(client(), request.header, 0);
  const auto refuse_request = [&](errc code, std::string message) {
    client()->finish_request(charged(request));
    call.fail({code, std::move(message)});
  };
  const auto* api = protocol::find_api(static_cast<std::uint16_t>(key));
  if (api == nullptr || key == api_key::delivery) {
    refuse_request(errc::unsupported_api,
                   "request " + std::to_string(static_cast<std::uint16_t>(key)) +
                       " is unknown; API_VERSIONS (101) names those that are known");
  } else if (request.header.version < api->version_min ||
             request.header.version > api->version_max) {
    refuse_request(errc::unsupported_version, std::string(api->name) + " has versions " +
                                                  std::to_string(api->version_min) + " to " +
                                                  std::to_string(api->version_max) + ", not " +
                                                  std::to_string(request.header.version));
  } else if (!greeted_ && key != api_key::hello && key != api_key::api_versions) {
    refuse_request(errc::invalid_request, "the first request of a connection is HELLO (100)");
    return unexpected(errc::invalid_request, "no HELLO");
  } else {
    call.finish_silently();
    dispatch(request);
  }
  return {};
}

template <class M>
std::optional<M> native_dialect::take_message(incoming& request) {
  const auto fail = [&](const error& why) {
    native_call(client(), request.header, charged(request)).fail(why);
  };
  auto message = protocol::decode<M>(request.payload, request.header.version);
  if (!message) {
    fail(message.error());
    return std::nullopt;
  }
  const auto items = items_of(*message);
  if (const auto most = items_max(node_->limits.request_bytes_in_flight); items > most) {
    fail({errc::invalid_request, "the request names " + std::to_string(items) +
                                     " topics, partitions or the like; " + std::to_string(most) +
                                     " are the most (limits.request-bytes-in-flight)"});
    return std::nullopt;
  }
  const auto cost = cost_of(*message);
  client()->charge_request(cost);
  request.charged += cost;
  return std::move(*message);
}

template <class M>
void native_dialect::decoded(incoming& request,
                             void (native_dialect::*handle)(const incoming&, M)) {
  if (auto message = take_message<M>(request))
    (this->*handle)(request, std::move(*message));
}

template <class M>
void native_dialect::served(incoming& request) {
  if (auto message = take_message<M>(request))
    serve({client(), request.header, charged(request)}, *node_, std::move(*message));
}

void native_dialect::dispatch(incoming& request) {
  switch (request.header.key) {
  case api_key::produce:
    return decoded(request, &native_dialect::on_produce);
  case api_key::fetch:
    return decoded(request, &native_dialect::on_fetch);
  case api_key::batch_fetch:
    return decoded(request, &native_dialect::on_batch_fetch);
  case api_key::hello:
    return decoded(request, &native_dialect::on_hello);
  case api_key::api_versions:
    return decoded(request, &native_dialect::on_api_versions);
  case api_key::subscribe:
    return decoded(request, &native_dialect::on_subscribe);
  case api_key::credit:
    return decoded(request, &native_dialect::on_credit);
  case api_key::unsubscribe:
    return decoded(request, &native_dialect::on_unsubscribe);
  case api_key::list_topics:
    return served<protocol::list_topics_request>(request);
  case api_key::create_topic:
    return served<protocol::create_topic_request>(request);
  case api_key::delete_topic:
    return served<protocol::delete_topic_request>(request);
  case api_key::get_topic_info:
    return served<protocol::get_topic_info_request>(request);
  case api_key::list_offsets:
    return served<protocol::list_offsets_request>(request);
  case api_key::alter_topic:
    return served<protocol::alter_topic_request>(request);
  case api_key::delete_records:
    return served<protocol::delete_records_request>(request);
  case api_key::init_producer_id:
    return served<protocol::init_producer_id_request>(request);
  case api_key::controller_discover:
    return served<protocol::controller_discover_request>(request);
  case api_key::metadata:
    return served<protocol::metadata_request>(request);
  case api_key::find_coordinator:
    return served<protocol::find_coordinator_request>(request);
  case api_key::join_group:
    return served<protocol::join_group_request>(request);
  case api_key::leave_group:
    return served<protocol::leave_group_request>(request);
  case api_key::heartbeat:
    return served<protocol::heartbeat_request>(request);
  case api_key::fetch_assignment:
    return served<protocol::fetch_assignment_request>(request);
  case api_key::commit_offset:
    return served<protocol::commit_offset_request>(request);
  case api_key::fetch_offset:
    return served<protocol::fetch_offset_request>(request);
  case api_key::delete_offsets:
    return served<protocol::delete_offsets_request>(request);
  case api_key::list_groups:
    return served<protocol::list_groups_request>(request);
  case api_key::describe_group:
    return served<protocol::describe_group_request>(request);
  case api_key::delete_group:
    return served<protocol::delete_group_request>(request);
  case api_key::delivery:
    break;
  }
}

// -- the connection itself ------------------------------------------------------------------------

void native_dialect::on_hello(const incoming& request, protocol::hello_request message) {
  native_call call(client(), request.header, charged(request));
  if (message.protocol_min > 1 || message.protocol_max < 1) {
    call.fail({errc::unsupported_version, "the broker speaks protocol version 1, the client " +
                                              std::to_string(message.protocol_min) + " to " +
                                              std::to_string(message.protocol_max)});
    return;
  }
  greeted_ = true;
  protocol::hello_response response;
  response.protocol = 1;
  response.node = node_->node;
  if (const auto view = node_->view->load())
    response.cluster = view->id;
  response.software = node_->software;
  response.frame_bytes_max = static_cast<std::uint32_t>(node_->limits.frame_bytes_max);
  response.apis = api_ranges();
  call.respond(response);
}

void native_dialect::on_api_versions(const incoming& request, protocol::api_versions_request) {
  native_call(client(), request.header, charged(request))
      .respond(protocol::api_versions_response{api_ranges()});
}

void native_dialect::refuse(const error& why) {
  const auto to = client();
  if (!to)
    return;
  node_->log->debug("{}: closing: {}", to->peer(), to_string(why));
  // Not an answer to any request: correlation id 0 and the key of the greeting.
  native_call(to, {0, protocol::frame_kind::response, api_key::hello, 1, errc::none, 0}, 0)
      .fail(why);
}

void native_dialect::relieved() {
  for (const auto& [number, subscription] : subscriptions_)
    subscription->relieved();
}

void native_dialect::closed() {
  deadlines_->expire_all_of(this);
  for (const auto& [number, subscription] : std::exchange(subscriptions_, {}))
    subscription->cancel();
  return_subscriptions(subscribed_);
}

// -- data -----------------------------------------------------------------------------------------

void native_dialect::on_produce(const incoming& request, protocol::produce_request message) {
  const auto acks = message.acks;
  if (acks != protocol::acks::all && acks != protocol::acks::none &&
      acks != protocol::acks::leader) {
    native_call(client(), request.header, charged(request))
        .fail({errc::invalid_request,
               "acks is -1, 0 or 1, not " + std::to_string(static_cast<int>(acks))});
    return;
  }
  const auto call = std::make_shared<produce_call>(
      native_request{client(), request.header, charged(request)}, message);
  intake_.take(message, {request.frame, request.whole_allocation}, call);
}

void native_dialect::on_fetch(const incoming& request, protocol::fetch_request message) {
  const auto frame_limit = node_->limits.frame_bytes_max;
  if (message.max_bytes <= 0 || static_cast<std::uint64_t>(message.max_bytes) > frame_limit)
    message.max_bytes = static_cast<std::int32_t>(std::min<std::uint64_t>(frame_limit, 0x7fffffff));
  if (message.freshness < protocol::fetch_freshness::leader ||
      message.freshness > protocol::fetch_freshness::linearizable || message.age_ms_max < 0)
    return native_call(client(), request.header, charged(request))
        .fail({errc::invalid_request, "freshness is 0 to 3 and age_ms_max not negative, not " +
                                          std::to_string(static_cast<int>(message.freshness)) +
                                          " and " + std::to_string(message.age_ms_max)});
  const auto call = std::make_shared<fetch_call>(
      native_request{client(), request.header, charged(request)}, std::move(message), *node_);
  call->start(*node_->directory);
  call->wait_in(deadlines_, this);
}

void native_dialect::on_batch_fetch(const incoming& request,
                                    protocol::batch_fetch_request message) {
  const auto found = topic_lookup(*node_->directory, message.topic).partition(message.partition);
  if (!found.route)
    return native_call(client(), request.header, charged(request)).fail(found.why);
  const auto call = std::make_shared<batch_fetch_call>(
      client(), request.header, charged(request), std::move(message),
      static_cast<std::size_t>(node_->limits.frame_bytes_max));
  call->start(found.route);
}

void native_dialect::on_subscribe(const incoming& request, protocol::subscribe_request message) {
  auto call = std::make_shared<native_call>(client(), request.header, charged(request));
  if (subscriptions_.contains(message.subscription))
    return call->fail({errc::conflict, "subscription " + std::to_string(message.subscription) +
                                           " exists on this connection"});
  if (message.partitions.empty() || message.credit_bytes < 0)
    return call->fail(
        {errc::invalid_request,
         "a subscription names at least one partition and has a credit of 0 or more"});
  const auto push_max = std::min<std::uint64_t>(node_->limits.frame_bytes_max, 0x7fffffff);
  message.push_bytes_max = std::min(message.push_bytes_max, static_cast<std::int32_t>(push_max));
  topic_lookup topic(*node_->directory, message.topic);
  if (topic.topic() == nullptr)
    return call->fail(topic.missing());
  const auto count = static_cast<std::int64_t>(message.partitions.size());
  if (const auto room = take_subscriptions(count); !room)
    return call->fail(room.error());
  std::map<std::int32_t, std::size_t> times_named;
  for (const auto& partition : message.partitions)
    ++times_named[partition.partition];
  std::vector<found_partition> found;
  std::vector<std::shared_ptr<partition_route>> routes;
  for (const auto& [partition, offset] : message.partitions) {
    auto& one = found.emplace_back(topic.partition(partition));
    if (one.route && times_named[partition] > 1)
      one = {nullptr, {errc::invalid_request, "the partition is named twice"}, -1};
    routes.push_back(one.route);
  }
  const auto number = message.subscription;
  const auto subscription =
      std::make_shared<native_subscription>(std::move(call), std::move(message), std::move(routes));
  subscriptions_.emplace(number, subscription);
  for (std::uint32_t slot = 0; slot < found.size(); ++slot)
    if (!found[slot].route)
      subscription->refuse(slot, std::move(found[slot].why));
  subscription->start();
}

result<void> native_dialect::take_subscriptions(std::int64_t count) {
  const auto& limits = node_->limits;
  const auto refused = [&](std::string_view limit, std::int32_t most, std::int64_t used) {
    return unexpected(errc::quota_exceeded, std::to_string(count) + " more partitions, with the " +
                                                std::to_string(used) +
                                                " that are subscribed to, are more than " +
                                                std::string(limit) + ", " + std::to_string(most));
  };
  if (subscribed_ + count > limits.subscriptions_per_connection)
    return refused("limits.subscriptions-per-connection", limits.subscriptions_per_connection,
                   subscribed_);
  const auto before = node_->subscribed->fetch_add(count);
  if (before + count > limits.subscriptions) {
    node_->subscribed->fetch_sub(count);
    return refused("limits.subscriptions", limits.subscriptions, before);
  }
  subscribed_ += count;
  return {};
}

void native_dialect::return_subscriptions(std::int64_t count) {
  subscribed_ -= count;
  node_->subscribed->fetch_sub(count);
}

void native_dialect::on_credit(const incoming& request, protocol::credit_request message) {
  native_call call(client(), request.header, charged(request));
  const auto found = subscriptions_.find(message.subscription);
  if (found == subscriptions_.end())
    return call.fail({errc::unknown_subscription,
                      "there is no subscription " + std::to_string(message.subscription)});
  if (message.bytes <= 0)
    return call.fail({errc::invalid_request, "credit is more than 0 bytes"});
  call.finish_silently();
  found->second->add_credit(message.bytes);
}

void native_dialect::on_unsubscribe(const incoming& request,
                                    protocol::unsubscribe_request message) {
  native_call call(client(), request.header, charged(request));
  const auto found = subscriptions_.find(message.subscription);
  if (found == subscriptions_.end())
    return call.fail({errc::unknown_subscription,
                      "there is no subscription " + std::to_string(message.subscription)});
  found->second->cancel();
  return_subscriptions(found->second->partition_count());
  subscriptions_.erase(found);
  call.respond(protocol::unsubscribe_response{});
}

} // namespace aqueduct::actors::network
