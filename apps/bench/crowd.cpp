#include "apps/bench/crowd.hpp"

#include "apps/bench/interrupt.hpp"
#include "protocol/consumer_protocol.hpp"
#include "protocol/kafka/error_code.hpp"
#include "protocol/kafka/group_messages.hpp"
#include "protocol/kafka/offset_messages.hpp"
#include "protocol/native/group_messages.hpp"

#include <algorithm>
#include <thread>

namespace aqueduct::bench {

namespace {

namespace kafka = protocol::kafka;
using clock = poller::clock;
using protocol::api_key;

/// The last versions that are not flexible and do not ask for two joins.
constexpr std::int16_t join_version = 3;
constexpr std::int16_t sync_version = 2;
constexpr std::int16_t beat_version = 2;
constexpr std::int16_t commit_version = 7;
constexpr std::int32_t rebalance_timeout_ms = 60'000;
constexpr auto patience = std::chrono::seconds(60);
constexpr auto poll_time = std::chrono::milliseconds(100);

clock::duration to_duration(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
}

result<void> check(clock::time_point give_up) {
  if (is_interrupted())
    return unexpected(errc::cancelled, "interrupted");
  if (clock::now() > give_up)
    return unexpected(errc::timed_out, "the coordinator does not answer");
  return {};
}

unexpected kafka_error(std::int16_t code) {
  return unexpected(errc::internal, "the coordinator answers with error " + std::to_string(code));
}

bool is_code(std::int16_t code, kafka::error_code wanted) {
  return code == kafka::number_of(wanted);
}

/// The coordinator is being elected, or takes over.
bool is_on_its_way(errc code) {
  return code == errc::coordinator_loading || code == errc::not_coordinator;
}
bool is_on_its_way(std::int16_t code) {
  return is_code(code, kafka::error_code::coordinator_load_in_progress) ||
         is_code(code, kafka::error_code::coordinator_not_available) ||
         is_code(code, kafka::error_code::not_coordinator);
}

/// Waits until every group of the plan has a coordinator; the first question creates their topic.
result<void> await_coordinators(const crowd_plan& plan) {
  auto to = link::connect(plan.port);
  if (!to)
    return to.propagate();
  const auto give_up = clock::now() + patience;
  for (int g = 0; g < plan.groups; ++g) {
    protocol::find_coordinator_request request;
    request.group = plan.name + std::to_string(g);
    while (!to->ask<protocol::find_coordinator_response>(api_key::find_coordinator, request)) {
      if (auto going = check(give_up); !going)
        return going;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  return {};
}

} // namespace

result<crowd> crowd::join(const crowd_plan& plan) {
  if (auto ready = await_coordinators(plan); !ready)
    return ready.propagate();
  auto links = poller::connect(plan.port, plan.groups * plan.members_each, plan.speaks);
  if (!links)
    return links.propagate();
  crowd made(plan, std::move(*links));
  for (int g = 0; g < plan.groups; ++g)
    for (int m = 0; m < plan.members_each; ++m)
      made.members_.push_back({plan.name + std::to_string(g), m, {}, -1, step::joining});
  if (auto settled = made.settle(); !settled)
    return settled.propagate();
  return made;
}

result<void> crowd::flush_all() {
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (auto flushed = links_.flush(i); !flushed)
      return flushed;
  return {};
}

// -- joining --------------------------------------------------------------------------------------

result<void> crowd::settle() {
  for (std::size_t i = 0; i < members_.size(); ++i)
    send_join(i);
  if (auto flushed = flush_all(); !flushed)
    return flushed;
  const auto give_up = clock::now() + patience;
  const auto handle = [this](std::size_t i, const protocol::frame_header& header,
                             const buffer& payload) { return settle(i, header, payload); };
  while (!std::ranges::all_of(members_, [](auto& each) { return each.at == step::stable; })) {
    if (auto polled = links_.poll(clock::now() + poll_time, handle); !polled)
      return polled;
    if (auto going = check(give_up); !going)
      return going;
  }
  return {};
}

result<void> crowd::settle(std::size_t i, const protocol::frame_header& header,
                           const buffer& payload) {
  auto& who = members_[i];
  if (who.at == step::beating) {
    who.at = step::stable;
    // A group of which somebody came late is rebalanced: all of it joins again.
    if (!check_beat(header, payload))
      send_join(i);
    return {};
  }
  auto taken =
      plan_.speaks == wire::kafka ? settle_kafka(i, payload) : settle_native(i, header, payload);
  if (taken && who.at == step::beating)
    send_beat(i, 0);
  return taken;
}

result<void> crowd::settle_native(std::size_t i, const protocol::frame_header& header,
                                  const buffer& payload) {
  auto& who = members_[i];
  if (is_on_its_way(header.status)) {
    send_join(i);
    return {};
  }
  if (header.status != errc::none)
    return unexpected(protocol::decode_error(header, payload));
  auto joined = protocol::decode<protocol::join_group_response>(payload);
  if (!joined)
    return joined.propagate();
  who.id = std::move(joined->member_id);
  who.generation = joined->generation;
  who.at = step::beating;
  return {};
}

result<void> crowd::settle_kafka(std::size_t i, const buffer& payload) {
  auto& who = members_[i];
  if (who.at == step::syncing) {
    const auto synced = read_kafka<kafka::sync_group_response>(payload, sync_version);
    if (!synced)
      return synced.propagate();
    if (is_code(synced->error_code, kafka::error_code::rebalance_in_progress))
      send_join(i);
    else if (synced->error_code != 0)
      return kafka_error(synced->error_code);
    else
      who.at = step::beating;
    return {};
  }
  auto joined = read_kafka<kafka::join_group_response>(payload, join_version);
  if (!joined)
    return joined.propagate();
  if (is_on_its_way(joined->error_code)) {
    send_join(i);
    return {};
  }
  if (joined->error_code != 0)
    return kafka_error(joined->error_code);
  who.id = joined->member_id;
  who.generation = joined->generation_id;
  kafka::sync_group_request sync;
  sync.group_id = who.group;
  sync.generation_id = who.generation;
  sync.member_id = who.id;
  if (joined->leader == who.id)
    for (const auto& each : joined->members)
      sync.assignments.push_back({each.member_id, protocol::encode_assignment({})});
  who.at = step::syncing;
  links_.at(i).queue(kafka::api_key::sync_group, sync_version, 0,
                     kafka::encode(sync, sync_version).flatten());
  return {};
}

void crowd::send_join(std::size_t i) {
  auto& who = members_[i];
  who.at = step::joining;
  if (plan_.speaks == wire::kafka) {
    kafka::join_group_request request;
    request.group_id = who.group;
    request.session_timeout_ms = plan_.session_timeout_ms;
    request.rebalance_timeout_ms = rebalance_timeout_ms;
    request.member_id = who.id;
    request.protocol_type = protocol::consumer_protocol_type;
    protocol::consumer_subscription wish;
    wish.topics = {plan_.topic};
    request.protocols.push_back({"range", protocol::encode_subscription(wish)});
    links_.at(i).queue(kafka::api_key::join_group, join_version, 0,
                       kafka::encode(request, join_version).flatten());
    return;
  }
  protocol::join_group_request request;
  request.group = who.group;
  request.member_id = who.id;
  request.client_id = "aqueduct-bench";
  request.subscription = {plan_.topic};
  request.assignors = {"range"};
  request.session_timeout_ms = plan_.session_timeout_ms;
  request.rebalance_timeout_ms = rebalance_timeout_ms;
  request.generation = who.generation;
  links_.at(i).queue(api_key::join_group, 0, protocol::encode(request));
}

// -- signs of life --------------------------------------------------------------------------------

void crowd::send_beat(std::size_t i, std::uint32_t correlation_id) {
  const auto& who = members_[i];
  if (plan_.speaks == wire::kafka) {
    kafka::heartbeat_request request;
    request.group_id = who.group;
    request.generation_id = who.generation;
    request.member_id = who.id;
    links_.at(i).queue(kafka::api_key::heartbeat, beat_version, correlation_id,
                       kafka::encode(request, beat_version).flatten());
    return;
  }
  protocol::heartbeat_request request;
  request.group = who.group;
  request.member_id = who.id;
  request.generation = who.generation;
  links_.at(i).queue(api_key::heartbeat, correlation_id, protocol::encode(request));
}

result<void> crowd::check_beat(const protocol::frame_header& header, const buffer& payload) const {
  if (plan_.speaks == wire::native) {
    if (header.status != errc::none)
      return unexpected(protocol::decode_error(header, payload));
    return {};
  }
  const auto beat = read_kafka<kafka::heartbeat_response>(payload, beat_version);
  if (!beat)
    return beat.propagate();
  return beat->error_code == 0 ? result<void>() : kafka_error(beat->error_code);
}

result<load_outcome> crowd::beat(double seconds, double interval_seconds) {
  load_outcome outcome;
  std::vector<clock::time_point> sent_at(members_.size());
  const auto handle = [&](std::size_t i, const protocol::frame_header& header,
                          const buffer& payload) -> result<void> {
    if (auto well = check_beat(header, payload); !well)
      return well;
    ++outcome.requests;
    outcome.latency.record(
        static_cast<std::uint64_t>(std::chrono::nanoseconds(clock::now() - sent_at[i]).count()));
    return {};
  };
  const auto begin = clock::now();
  const auto step = to_duration(interval_seconds / static_cast<double>(members_.size()));
  const auto total = static_cast<std::uint64_t>(to_duration(seconds) / step);
  const auto give_up = begin + to_duration(seconds) + patience;
  std::uint64_t sent = 0;
  while (outcome.requests < total) {
    for (; sent < total && begin + step * static_cast<std::int64_t>(sent) <= clock::now(); ++sent) {
      const auto i = static_cast<std::size_t>(sent % members_.size());
      sent_at[i] = clock::now();
      send_beat(i, 0);
      if (auto flushed = links_.flush(i); !flushed)
        return flushed.propagate();
    }
    const auto next =
        sent < total ? begin + step * static_cast<std::int64_t>(sent) : clock::now() + poll_time;
    if (auto polled = links_.poll(next, handle); !polled)
      return polled.propagate();
    if (auto going = check(give_up); !going)
      return going.propagate();
  }
  outcome.seconds = std::chrono::duration<double>(clock::now() - begin).count();
  return outcome;
}

// -- commits --------------------------------------------------------------------------------------

void crowd::send_commit(std::size_t i, std::uint32_t correlation_id, int partitions,
                        std::int64_t offset) {
  const auto& who = members_[i];
  const auto first = who.number * partitions;
  if (plan_.speaks == wire::kafka) {
    kafka::offset_commit_request request;
    request.group_id = who.group;
    request.generation_id_or_member_epoch = who.generation;
    request.member_id = who.id;
    auto& topic = request.topics.emplace_back();
    topic.name = plan_.topic;
    for (int p = 0; p < partitions; ++p)
      topic.partitions.push_back({first + p, offset, -1, std::nullopt});
    links_.at(i).queue(kafka::api_key::offset_commit, commit_version, correlation_id,
                       kafka::encode(request, commit_version).flatten());
    return;
  }
  protocol::commit_offset_request request;
  request.group = who.group;
  request.member_id = who.id;
  request.generation = who.generation;
  auto& topic = request.topics.emplace_back();
  topic.topic = plan_.topic;
  for (int p = 0; p < partitions; ++p)
    topic.partitions.push_back({first + p, offset, -1, {}});
  links_.at(i).queue(api_key::commit_offset, correlation_id, protocol::encode(request));
}

result<void> crowd::check_commit(const protocol::frame_header& header,
                                 const buffer& payload) const {
  if (plan_.speaks == wire::kafka) {
    const auto response = read_kafka<kafka::offset_commit_response>(payload, commit_version);
    if (!response)
      return response.propagate();
    for (const auto& topic : response->topics)
      for (const auto& partition : topic.partitions)
        if (partition.error_code != 0)
          return kafka_error(partition.error_code);
    return {};
  }
  if (header.status != errc::none)
    return unexpected(protocol::decode_error(header, payload));
  const auto response = protocol::decode<protocol::commit_offset_response>(payload);
  if (!response)
    return response.propagate();
  for (const auto& topic : response->topics)
    for (const auto& partition : topic.partitions)
      if (partition.error != errc::none)
        return unexpected(partition.error, "a commit was refused");
  return {};
}

result<load_outcome> crowd::commit(const commit_plan& plan) {
  load_outcome outcome;
  const auto window = static_cast<std::size_t>(plan.window);
  std::vector<clock::time_point> sent_at(members_.size() * window);
  const auto begin = clock::now();
  const auto end = begin + to_duration(plan.seconds);
  std::uint64_t sent = 0;
  // The correlation id is the place in the member's window.
  const auto send = [&](std::size_t i, std::uint32_t place) {
    sent_at[i * window + place] = clock::now();
    ++sent;
    send_commit(i, place, plan.partitions, static_cast<std::int64_t>(sent));
  };
  const auto handle = [&](std::size_t i, const protocol::frame_header& header,
                          const buffer& payload) -> result<void> {
    if (auto well = check_commit(header, payload); !well)
      return well;
    const auto now = clock::now();
    ++outcome.requests;
    outcome.bytes += static_cast<std::uint64_t>(plan.partitions);
    outcome.latency.record(static_cast<std::uint64_t>(
        std::chrono::nanoseconds(now - sent_at[i * window + header.correlation_id]).count()));
    if (now < end)
      send(i, header.correlation_id);
    return {};
  };
  for (std::size_t i = 0; i < members_.size(); ++i)
    for (std::size_t place = 0; place < window; ++place)
      send(i, static_cast<std::uint32_t>(place));
  if (auto flushed = flush_all(); !flushed)
    return flushed.propagate();
  while (outcome.requests < sent) {
    if (auto polled = links_.poll(clock::now() + poll_time, handle); !polled)
      return polled.propagate();
    if (auto going = check(end + patience); !going)
      return going.propagate();
  }
  outcome.seconds = std::chrono::duration<double>(clock::now() - begin).count();
  return outcome;
}

} // namespace aqueduct::bench
