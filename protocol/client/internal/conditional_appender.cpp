#include "protocol/client/internal/conditional_appender.hpp"

#include <algorithm>

namespace aqueduct::client {

using namespace protocol;

namespace {

timestamp_ms wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return timestamp_ms(std::chrono::duration_cast<milliseconds>(now).count());
}

result<buffer> build(const producer_config& config, std::span<const record> records,
                     const std::optional<producer_identity>& identity, std::int32_t sequence) {
  batch_builder builder(compression_bytes_max);
  std::vector<record_header> headers;
  for (const auto& rec : records) {
    headers.clear();
    for (const auto& each : rec.headers)
      headers.push_back(
          {each.name, each.value ? std::optional<byte_span>(*each.value) : std::nullopt});
    const record_to_write wire{rec.timestamp ? *rec.timestamp : wall_clock(),
                               rec.key ? std::optional<byte_span>(*rec.key) : std::nullopt,
                               rec.value ? std::optional<byte_span>(*rec.value) : std::nullopt,
                               headers};
    if (!builder.append(wire))
      return unexpected(errc::message_too_large, "no batch can hold the records");
  }
  batch_options how;
  how.compression = static_cast<codec>(config.codec);
  how.level = config.compression_level;
  if (identity) {
    how.producer = identity->id;
    how.producer_epoch = identity->epoch;
    how.base_sequence = sequence;
  }
  return builder.finish(how);
}

} // namespace

conditional_appender::lane& conditional_appender::lane_of(const topic_partition& to) {
  const std::lock_guard lock(mutex_);
  auto& entry = lanes_[to];
  if (!entry)
    entry = std::make_unique<lane>();
  return *entry;
}

result<void> conditional_appender::identify(lane& in, time_point deadline) {
  if (!is_idempotent_ || in.identity)
    return {};
  auto reply = cluster_->ask_any(init_producer_id_request{}, deadline, true);
  if (!reply)
    return reply.propagate();
  in.identity = producer_identity{producer_id(reply->producer_id), reply->producer_epoch};
  in.next_sequence = 0;
  return {};
}

conditional_appender::attempt conditional_appender::try_once(const topic_partition& to,
                                                             offset_t expected, const buffer& batch,
                                                             time_point deadline) {
  auto topic = cluster_->wait_for_topic(to.topic, deadline, true);
  if (!topic)
    return {{}, failure{topic.error(), false}};
  const auto& all = (*topic)->partitions;
  const auto found = std::ranges::find(all, to.partition, &partition_layout::partition);
  if (found == all.end())
    return {
        {},
        failure{{errc::unknown_partition, to_string(to) + ": there is no such partition"}, false}};
  if (!found->leader)
    return {{}, failure::of(errc::broker_unavailable, to_string(to) + ": there is no leader")};
  const auto until = std::min(deadline, after(clock::now(), config_.request_timeout));
  produce_request request;
  request.acks = static_cast<protocol::acks>(config_.acks);
  request.timeout_ms = static_cast<std::int32_t>(std::max<std::int64_t>(
      1, std::chrono::duration_cast<milliseconds>(until - clock::now()).count()));
  request.topics.push_back({to.topic, {{to.partition.value, expected.value, batch}}});
  auto reply = cluster_->ask(found->leader, std::move(request), until);
  if (!reply)
    return {{}, std::move(reply.fail)};
  if (reply.value->topics.size() != 1 || reply.value->topics[0].partitions.size() != 1)
    return {{}, failure{{errc::internal, "the broker answered for other partitions"}, false, true}};
  return {std::move(reply.value->topics[0].partitions[0]), {}};
}

result<record_metadata> conditional_appender::append(const topic_partition& to, offset_t expected,
                                                     std::span<const record> records,
                                                     offset_t* end_offset) {
  const auto deadline = after(clock::now(), config_.delivery_timeout);
  if (config_.acks == client::acks::none)
    return unexpected(errc::invalid_request, "append_at needs an answer: acks leader or all");
  if (expected.value < 0)
    return unexpected(errc::invalid_request, "the expected offset is negative");
  if (cluster_->is_io_thread())
    return unexpected(errc::invalid_request,
                      "this function waits and cannot be called from a callback");
  auto& in = lane_of(to);
  const std::lock_guard one_at_a_time(in.mutex);
  if (auto known = identify(in, deadline); !known)
    return known.propagate();
  const auto batch = build(config_, records, in.identity, in.next_sequence);
  if (!batch)
    return batch.propagate();
  backoff wait(config_.backoff_min, config_.backoff_max,
               static_cast<std::uint64_t>(deadline.time_since_epoch().count()));
  bool is_uncertain = false;
  for (;;) {
    auto tried = try_once(to, expected, *batch, deadline);
    auto why = std::move(tried.fail);
    if (tried.answer) {
      const auto& got = *tried.answer;
      if (got.error == errc::none || got.error == errc::duplicate_sequence) {
        in.next_sequence =
            sequence_after(in.next_sequence, static_cast<std::int32_t>(records.size()));
        const auto own = batch_view(batch->bytes()).base_timestamp();
        return record_metadata{to.partition, offset_t(got.base_offset),
                               got.append_time_ms >= 0 ? timestamp_ms(got.append_time_ms) : own};
      }
      if (got.error == errc::offset_conflict && end_offset)
        *end_offset = offset_t(got.end_offset);
      why = failure::of(got.error, got.message);
      why.uncertain = got.error == errc::timed_out;
      if (got.leader >= 0)
        why.leader = node_id(got.leader);
    }
    is_uncertain = is_uncertain || why.uncertain;
    cluster_->post([core = cluster_, to, why] { core->leader_failed(to, why); });
    // Without a sequence number a repeat might meet the first attempt's own record as a conflict.
    const bool again = why.retriable && (in.identity || !why.uncertain);
    const auto pause = wait.next();
    if (again && after(clock::now(), pause) < deadline && cluster_->pause(pause))
      continue;
    // Whether the number was used is not known, or the broker wants another: start afresh.
    if (is_uncertain || why.err.code == errc::out_of_order_sequence ||
        why.err.code == errc::fenced_epoch)
      in.identity.reset();
    return unexpected(why.err.code, to_string(to) + ": " + why.err.message);
  }
}

} // namespace aqueduct::client
