#include "actors/network/kafka_data_calls.hpp"

#include "actors/network/native_admin_calls.hpp"
#include "actors/network/native_data_calls.hpp"
#include "actors/network/request_cost.hpp"
#include "actors/network/topic_lookup.hpp"
#include "protocol/record_batch.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

/// Translates an answer of the native protocol. Rows of `response` for what was refused before it
/// was asked natively are there from the start; `asked` are the others, in the order of the native
/// request.
template <class Native, class Kafka, class Row>
class translator : public answer_translator {
public:
  using native_row =
      typename std::decay_t<decltype(std::declval<Native>().topics[0].partitions)>::value_type;
  using convert = void (*)(const kafka_answer& to, const native_row& from, Row& row);

  translator(kafka_answer to, convert how) : answer_(std::move(to)), convert_(how) {}

  void respond(const shared_answer& given) override {
    std::size_t next = 0;
    for (const auto& topic : std::get<const Native*>(given)->topics)
      for (const auto& partition : topic.partitions) {
        convert_(answer_, partition, *asked[next]);
        judge(next, partition, *asked[next]);
        ++next;
      }
    send();
  }
  void fail(const error& why) override {
    for (auto* row : asked)
      row->error_code = answer_.error(why.code);
    send();
  }
  void finish_silently(bool failed) override {
    // There is no answer to say it: the end of the connection makes the client look for the cause.
    if (failed || refused)
      answer_.end_connection();
    else
      answer_.send_nothing();
  }

  Kafka response;
  std::vector<Row*> asked;
  /// A row of the response says an error from the start.
  bool refused = false;
  /// Has the last word on the response, if it is set.
  std::function<void(Kafka&)> complete;

protected:
  /// What the answer to the question of that number in `asked` means beside what it says.
  virtual void judge(std::size_t, const native_row&, Row&) const {}

private:
  void send() {
    if (complete)
      complete(response);
    answer_.send(response);
  }

  kafka_answer answer_;
  convert convert_;
};

// -- produce --------------------------------------------------------------------------------------

using produce_topic = kafka::produce_response::topic_entry;
using produce_row = produce_topic::partition_entry;

/// Whether a second batch comes behind the first. Sent again it would be no better, as one that was
/// damaged on its way might be.
bool is_followed_by_another(byte_span bytes) {
  const auto length = protocol::batch_view(bytes).batch_length();
  if (length < 0 || bytes.size() - protocol::batch_prefix_bytes <= static_cast<std::size_t>(length))
    return false;
  const auto rest = bytes.subspan(protocol::batch_prefix_bytes + static_cast<std::size_t>(length));
  return rest.size() >= protocol::batch_header_bytes &&
         protocol::batch_view(rest).magic() == protocol::batch_magic;
}

/// What is wrong with a batch that the native protocol does not look for. There are no
/// transactions.
error_code refuse_records(const std::optional<buffer_chain>& records, std::int16_t version) {
  constexpr std::int16_t zstd_since = 7;
  if (!records || records->empty())
    return error_code::invalid_record;
  const auto bytes = records->parts().front().bytes();
  if (bytes.size() < protocol::batch_header_bytes ||
      protocol::batch_view(bytes).magic() != protocol::batch_magic)
    return error_code::none;
  const protocol::batch_view batch(bytes);
  if (is_followed_by_another(bytes))
    return error_code::invalid_record;
  if (version < zstd_since && batch.compression() == protocol::codec::zstd)
    return error_code::unsupported_compression_type;
  return batch.is_transactional() ? error_code::invalid_txn_state : error_code::none;
}

void convert_produced(const kafka_answer& to, const protocol::produce_partition_result& from,
                      produce_row& row) {
  row.error_code = to.error(from.error);
  row.base_offset = from.base_offset;
  row.log_append_time_ms = from.append_time_ms;
  row.log_start_offset = from.log_start;
  if (from.error != errc::none && !from.message.empty())
    row.error_message = cut_sentence(from.message);
  if (from.error == errc::not_leader && from.leader >= 0)
    row.current_leader = produce_row::current_leader_entry{from.leader, -1};
}

// -- fetch ----------------------------------------------------------------------------------------

using fetch_topic = kafka::fetch_response::topic_entry;
using fetch_row = fetch_topic::partition_entry;

void convert_fetched(const kafka_answer& to, const protocol::fetch_partition_result& from,
                     fetch_row& row) {
  // Who leads and refuses as if it did not was asked with a newer epoch than its own.
  row.error_code = from.error == errc::not_leader && from.leads
                       ? number_of(error_code::unknown_leader_epoch)
                       : to.error(from.error);
  row.high_watermark = from.high_watermark;
  row.last_stable_offset = from.last_stable;
  row.log_start_offset = from.log_start;
  if (from.error != errc::none)
    row.preferred_read_replica = -1;
  // Who is sent elsewhere reads there.
  if (row.preferred_read_replica < 0)
    row.records = from.records;
}

/// A follower that was asked for what it does not have yet, and that did not come while the request
/// waited: the client asks the leader again (KIP-392), which may know a better one. What does not
/// exist the leader alone can tell.
class fetch_translator
    : public translator<protocol::fetch_response, kafka::fetch_response, fetch_row> {
public:
  explicit fetch_translator(kafka_answer to) : translator(std::move(to), convert_fetched) {}

  /// As in `asked`.
  std::vector<std::int64_t> offsets;

private:
  void judge(std::size_t number, const native_row& from, fetch_row& row) const override {
    if (from.error == errc::none && !from.leads && offsets[number] > from.high_watermark)
      row.error_code = number_of(error_code::offset_not_available);
  }
};

/// The replica to read a partition from that is led here, for a client in `rack`; -1: this one. It
/// is one that keeps up, so that nobody waits for it.
std::int32_t replica_in(std::string_view rack, const topic_route* topic, std::int32_t partition,
                        const front_services& node, const cluster_view* view) {
  if (rack.empty() || topic == nullptr || view == nullptr || partition < 0 ||
      static_cast<std::size_t>(partition) >= topic->partitions.size())
    return -1;
  const auto number = static_cast<std::size_t>(partition);
  if (topic->partitions[number]->leader != node.node)
    return -1;
  const auto in_sync = topic->partitions[number]->in_sync.load();
  std::int32_t found = -1;
  for (const auto& broker : view->brokers) {
    if (broker.rack != rack || !has_address(broker) ||
        std::ranges::count(topic->record.partitions[number].nodes, broker.node) == 0)
      continue;
    if (broker.node == node.node)
      return -1;
    if (in_sync && std::ranges::binary_search(*in_sync, broker.node))
      found = broker.node;
  }
  return found;
}

/// What the epoch that the client knows says against answering.
error_code check_epoch(std::int32_t asked, const topic_route* topic, std::int32_t partition) {
  if (asked < 0 || topic == nullptr || partition < 0 ||
      static_cast<std::size_t>(partition) >= topic->partitions.size())
    return error_code::none;
  const auto& route = *topic->partitions[static_cast<std::size_t>(partition)];
  // An epoch above is for the partition to judge: it may be asleep, and know a newer one when it
  // is woken.
  return route.handle && asked < route.leader_epoch ? error_code::fenced_leader_epoch
                                                    : error_code::none;
}

// -- offsets --------------------------------------------------------------------------------------

using offset_row = kafka::list_offsets_response::topic_entry::partition_entry;

/// Where the log begins that is on the broker, and where it ends that is in remote storage.
constexpr std::int64_t earliest_local_timestamp = -4;
constexpr std::int64_t last_tiered_timestamp = -5;

/// Whether a request of `version` may ask for `timestamp`.
bool may_ask(std::int64_t timestamp, std::int16_t version) {
  constexpr std::int16_t newest_since = 7;
  constexpr std::int16_t earliest_local_since = 8;
  constexpr std::int16_t last_tiered_since = 9;
  switch (timestamp) {
  case protocol::newest_timestamp:
    return version >= newest_since;
  case earliest_local_timestamp:
    return version >= earliest_local_since;
  case last_tiered_timestamp:
    return version >= last_tiered_since;
  default:
    return timestamp >= protocol::earliest_timestamp;
  }
}

void convert_offset(const kafka_answer& to, const protocol::list_offsets_partition_result& from,
                    offset_row& row) {
  row.error_code = to.error(from.error);
  row.offset = from.offset;
  row.timestamp = from.timestamp_ms;
  row.leader_epoch = from.leader_epoch;
}

// -- metadata -------------------------------------------------------------------------------------

class metadata_translator : public answer_translator {
public:
  metadata_translator(kafka_answer to, const front_services& node)
      : answer_(std::move(to)), node_(node.node), view_(node.view->load()) {}

  void respond(const shared_answer& given) override {
    const auto& from = *std::get<const protocol::metadata_response*>(given);
    std::set<std::int32_t> alive;
    for (const auto& broker : from.brokers) {
      alive.insert(broker.node);
      auto& row = response.brokers.emplace_back();
      row.node_id = broker.node;
      row.host = broker.host;
      row.port = broker.port;
      if (!broker.rack.empty())
        row.rack = broker.rack;
    }
    response.cluster_id = to_string(from.cluster);
    // Whoever is asked passes on what is for the controller.
    response.controller_id = alive.contains(from.controller) ? from.controller : node_;
    for (const auto& topic : from.topics)
      add_topic(topic, alive);
    answer_.send(response);
  }
  void fail(const error& why) override {
    response.error_code = answer_.error(why.code);
    answer_.send(response);
  }
  void finish_silently(bool) override { answer_.send_nothing(); }

  /// Has the rows of topics that were asked for by an unknown id from the start.
  kafka::metadata_response response;

private:
  void add_topic(const protocol::topic_metadata& from, const std::set<std::int32_t>& alive) {
    auto& topic = response.topics.emplace_back();
    topic.error_code = answer_.error(from.error);
    topic.name = from.name;
    topic.topic_id = from.id;
    topic.is_internal = from.name.starts_with("__");
    topic.topic_authorized_operations = kafka::operations_unknown;
    for (const auto& partition : from.partitions) {
      auto& row = topic.partitions.emplace_back();
      row.partition_index = partition.partition;
      const bool is_elsewhere = has_no_listener(partition.leader);
      row.leader_id = is_elsewhere ? -1 : leader_of(partition, alive);
      row.leader_epoch = partition.leader_epoch;
      if (is_elsewhere && answer_.version >= listener_error_since)
        row.error_code = number_of(error_code::listener_not_found);
      else if (row.leader_id < 0)
        row.error_code = number_of(error_code::leader_not_available);
      else if (row.leader_id == partition.leader)
        row.error_code = answer_.error(partition.error);
      row.replica_nodes = partition.replicas;
      for (const auto replica : partition.replicas)
        (alive.contains(replica) ? row.isr_nodes : row.offline_replicas).push_back(replica);
    }
  }

  /// The broker is there, but not where the client came in.
  [[nodiscard]] bool has_no_listener(std::int32_t node) const {
    if (!view_ || view_->listener.empty())
      return false;
    const auto broker = std::ranges::find(view_->brokers, node, &broker_record::node);
    return broker != view_->brokers.end() && !has_address(*broker);
  }

  /// Who has not heard who leads names a replica that is there: it knows, or will in a moment. In
  /// Kafka a partition has a leader as long as one of its replicas is there, and clients count on
  /// it: kafka-go gives up what it writes when there is none.
  static std::int32_t leader_of(const protocol::partition_metadata& partition,
                                const std::set<std::int32_t>& alive) {
    if (alive.contains(partition.leader))
      return partition.leader;
    const auto other = std::ranges::find_if(
        partition.replicas, [&](std::int32_t node) { return alive.contains(node); });
    return other == partition.replicas.end() ? -1 : *other;
  }

  /// Before it, such a partition has no leader that is available.
  static constexpr std::int16_t listener_error_since = 6;

  kafka_answer answer_;
  std::int32_t node_;
  std::shared_ptr<const cluster_view> view_;
};

// -- producer ids ---------------------------------------------------------------------------------

class producer_id_translator : public answer_translator {
public:
  explicit producer_id_translator(kafka_answer to) : answer_(std::move(to)) {}

  void respond(const shared_answer& given) override {
    const auto& from = *std::get<const protocol::init_producer_id_response*>(given);
    kafka::init_producer_id_response response;
    response.producer_id = from.producer_id;
    response.producer_epoch = from.producer_epoch;
    answer_.send(response);
  }
  void fail(const error& why) override {
    kafka::init_producer_id_response response;
    response.error_code = answer_.error(why.code);
    answer_.send(response);
  }
  void finish_silently(bool) override { answer_.send_nothing(); }

private:
  kafka_answer answer_;
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::metadata_request message) {
  auto translation = std::make_shared<metadata_translator>(request.answer, node);
  protocol::metadata_request native;
  native.auto_create = message.allow_auto_topic_creation;
  // Version 0 has no null: it asks for all with no name.
  const bool all = !message.topics || (request.version() == 0 && message.topics->empty());
  if (!all) {
    native.topics.emplace();
    for (auto& topic : *message.topics) {
      // Who asks by id may send an empty name with it.
      const bool by_id = !topic.name || topic.topic_id != uuid{};
      if (!by_id) {
        native.topics->push_back(std::move(*topic.name));
      } else if (auto name = node.directory->name_of(topic.topic_id)) {
        native.topics->push_back(std::move(*name));
      } else {
        auto& row = translation->response.topics.emplace_back();
        row.error_code = number_of(error_code::unknown_topic_id);
        row.topic_id = topic.topic_id;
        row.topic_authorized_operations = kafka::operations_unknown;
      }
    }
  }
  serve(request.as_native(std::move(translation)), node, std::move(native));
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::list_offsets_request message) {
  auto translation = std::make_shared<
      translator<protocol::list_offsets_response, kafka::list_offsets_response, offset_row>>(
      request.answer, convert_offset);
  protocol::list_offsets_request native;
  auto& response = translation->response;
  response.topics.resize(message.topics.size());
  for (std::size_t t = 0; t < message.topics.size(); ++t) {
    auto& topic = message.topics[t];
    auto& rows = response.topics[t].partitions;
    response.topics[t].name = topic.name;
    rows.resize(topic.partitions.size());
    auto& asked = native.topics.emplace_back();
    asked.name = topic.name;
    const auto route = node.directory->find(topic.name);
    topic_lookup lookup(*node.directory, topic.name);
    for (std::size_t p = 0; p < rows.size(); ++p) {
      const auto& partition = topic.partitions[p];
      rows[p].partition_index = partition.partition_index;
      rows[p].offset = rows[p].timestamp = rows[p].leader_epoch = -1;
      auto code =
          check_epoch(partition.current_leader_epoch, route.get(), partition.partition_index);
      if (!may_ask(partition.timestamp, request.version()))
        code = error_code::unsupported_version;
      rows[p].error_code = number_of(code);
      if (code != error_code::none)
        continue;
      if (partition.timestamp == last_tiered_timestamp) {
        // Nothing is in remote storage; but this has to be who would know.
        if (const auto found = lookup.partition(partition.partition_index); !found.route)
          rows[p].error_code = request.answer.error(found.why.code);
        continue;
      }
      asked.partitions.push_back(
          {partition.partition_index, partition.timestamp == earliest_local_timestamp
                                          ? protocol::earliest_timestamp
                                          : partition.timestamp});
      translation->asked.push_back(&rows[p]);
    }
  }
  serve(request.as_native(std::move(translation)), node, std::move(native));
}

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::init_producer_id_request message) {
  if (message.transactional_id) {
    kafka::init_producer_id_response refused;
    refused.error_code = number_of(error_code::unsupported_version);
    request.respond(refused);
    return;
  }
  // A producer that comes back gets a new id: its former one cannot be used by anybody else then.
  serve(request.as_native(std::make_shared<producer_id_translator>(request.answer)), node,
        protocol::init_producer_id_request{});
}

void produce_kafka(const kafka_request& request, produce_intake& intake,
                   kafka::produce_request message) {
  auto translation = std::make_shared<
      translator<protocol::produce_response, kafka::produce_response, produce_row>>(
      request.answer, convert_produced);
  protocol::produce_request native;
  native.acks = static_cast<protocol::acks>(message.acks);
  native.timeout_ms = message.timeout_ms;
  auto refused = error_code::none;
  if (message.acks < -1 || message.acks > 1)
    refused = error_code::invalid_required_acks;
  else if (message.transactional_id)
    refused = error_code::invalid_request;
  auto& response = translation->response;
  response.responses.resize(message.topic_data.size());
  for (std::size_t t = 0; t < message.topic_data.size(); ++t) {
    auto& topic = message.topic_data[t];
    auto& rows = response.responses[t].partition_responses;
    response.responses[t].name = topic.name;
    rows.resize(topic.partition_data.size());
    auto& batches = native.topics.emplace_back();
    batches.name = topic.name;
    for (std::size_t p = 0; p < rows.size(); ++p) {
      auto& partition = topic.partition_data[p];
      const auto code = refused != error_code::none
                            ? refused
                            : refuse_records(partition.records, request.version());
      rows[p].index = partition.index;
      rows[p].error_code = number_of(code);
      if (code != error_code::none) {
        translation->refused = true;
        continue;
      }
      batches.partitions.push_back({partition.index, -1, std::move(*partition.records)});
      translation->asked.push_back(&rows[p]);
    }
  }
  const auto call =
      std::make_shared<produce_call>(request.as_native(std::move(translation)), native);
  intake.take(native, {request.frame, request.whole_allocation}, call);
}

void fetch_kafka(kafka_request& request, const front_services& node, kafka::fetch_request message,
                 const std::shared_ptr<deadline_queue>& deadlines, const void* owner) {
  const auto named = items_of(message);
  auto turn = node.fetch_sessions->begin(message, request.version(), owner, node.env->steady_ms(),
                                         node.env->random());
  if (turn.refused != error_code::none) {
    kafka::fetch_response refused;
    refused.error_code = number_of(turn.refused);
    request.respond(refused);
    return;
  }
  // What the session names for the client costs what it would if the client named it.
  if (const auto all = items_of(message); all > named)
    request.charge(item_cost_bytes * (all - named));
  auto translation = std::make_shared<fetch_translator>(request.answer);
  translation->complete = [turn = std::move(turn)](kafka::fetch_response& response) {
    fetch_session_cache::finish(turn, response);
  };
  protocol::fetch_request native;
  native.max_wait_ms = message.max_wait_ms;
  native.min_bytes = message.min_bytes;
  const auto frame_max = std::min<std::uint64_t>(node.limits.frame_bytes_max,
                                                 std::numeric_limits<std::int32_t>::max());
  native.max_bytes = message.max_bytes > 0
                         ? std::min(message.max_bytes, static_cast<std::int32_t>(frame_max))
                         : static_cast<std::int32_t>(frame_max);
  // Who says where it is may be sent to a replica near it, which answers with what it knows.
  if (!message.rack_id.empty())
    native.freshness = protocol::fetch_freshness::any;
  const auto view = node.view->load();
  auto& response = translation->response;
  response.responses.resize(message.topics.size());
  for (std::size_t t = 0; t < message.topics.size(); ++t) {
    auto& topic = message.topics[t];
    auto& rows = response.responses[t].partitions;
    rows.resize(topic.partitions.size());
    auto refused = error_code::none;
    constexpr std::int16_t by_id_since = 13;
    if (request.version() >= by_id_since) {
      response.responses[t].topic_id = topic.topic_id;
      if (auto name = node.directory->name_of(topic.topic_id))
        topic.topic = std::move(*name);
      else
        refused = error_code::unknown_topic_id;
    }
    response.responses[t].topic = topic.topic;
    const auto route = node.directory->find(topic.topic);
    auto& asked = native.topics.emplace_back();
    asked.name = topic.topic;
    for (std::size_t p = 0; p < rows.size(); ++p) {
      const auto& partition = topic.partitions[p];
      auto& row = rows[p];
      row.partition_index = partition.partition;
      row.records.emplace();
      const auto code = refused != error_code::none ? refused
                                                    : check_epoch(partition.current_leader_epoch,
                                                                  route.get(), partition.partition);
      row.error_code = number_of(code);
      if (code != error_code::none) {
        native.max_wait_ms = 0;
        continue;
      }
      row.preferred_read_replica =
          replica_in(message.rack_id, route.get(), partition.partition, node, view.get());
      const bool is_sent_on = row.preferred_read_replica >= 0;
      if (is_sent_on)
        native.max_wait_ms = 0;
      asked.partitions.push_back({partition.partition, partition.fetch_offset,
                                  is_sent_on ? 1 : partition.partition_max_bytes,
                                  partition.current_leader_epoch});
      translation->asked.push_back(&row);
      translation->offsets.push_back(partition.fetch_offset);
    }
  }
  const auto call = std::make_shared<fetch_call>(request.as_native(std::move(translation)),
                                                 std::move(native), node);
  call->start(*node.directory);
  call->wait_in(deadlines, owner);
}

} // namespace aqueduct::actors::network
