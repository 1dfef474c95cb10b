// The I/O thread's side of the consumer: looks up where to start, and reads ahead by long polls.
#include "protocol/client/internal/consumer_core.hpp"

#include <algorithm>

namespace aqueduct::client {

using namespace protocol;

namespace {

std::int64_t time_of(start_position start) {
  switch (start.type()) {
  case start_position::kind::earliest:
    return earliest_timestamp;
  case start_position::kind::timestamp:
    return std::max<std::int64_t>(start.value(), 0);
  default:
    return latest_timestamp;
  }
}

std::int32_t to_i32(std::size_t bytes) {
  return static_cast<std::int32_t>(std::min<std::size_t>(bytes, 0x7fffffff));
}

failure failure_of(errc code, const std::string& message, std::int32_t leader) {
  auto why = failure::of(code, message);
  if (leader >= 0)
    why.leader = node_id(leader);
  return why;
}

/// After a replica that does not lead could not answer.
constexpr milliseconds leader_instead{5'000};

fetch_freshness freshness_of(const read_source& source) {
  switch (source.type()) {
  case read_source::kind::any:
    return fetch_freshness::any;
  case read_source::kind::bounded:
    return fetch_freshness::bounded;
  case read_source::kind::linearizable:
    return fetch_freshness::linearizable;
  case read_source::kind::leader:
    break;
  }
  return fetch_freshness::leader;
}

} // namespace

void consumer_core::start() {
  spread_ = static_cast<std::size_t>(cluster_->random() >> 1);
  listener_ = cluster_->add_listener([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self)
      return;
    if (self->cluster_->is_closed())
      self->end({errc::cancelled, "the cluster object was closed"});
    else
      self->pump();
  });
}

void consumer_core::pump() {
  std::map<node_id, tasks> lookups;
  std::map<node_id, tasks> reads;
  std::vector<consumer_partition::subscription> old;
  std::vector<std::pair<consumer_partition::subscription, std::int64_t>> credits;
  bool is_leaderless = false;
  auto wake_at = never;
  const auto now = clock::now();
  {
    const std::lock_guard lock(mutex_);
    is_pump_posted_ = false;
    old = std::exchange(to_unsubscribe_, {});
    // A broker fills its answer from the front: the front is another one each time.
    ++pump_turn_;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      const auto& each = turns_[(pump_turn_ + i) % turns_.size()];
      if (closed_ || each->failed)
        continue;
      // Half of the window at a time, but the last of it at once: the broker may wait for it.
      if (auto& sub = each->pushed;
          sub && sub->credit_owed > 0 &&
          (each->buffered == 0 || sub->credit_owed >= static_cast<std::int64_t>(push_window() / 2)))
        credits.emplace_back(*sub, std::exchange(sub->credit_owed, 0));
      if (each->is_busy || each->pushed || (each->is_paused && each->position))
        continue;
      if (each->not_before > now) {
        wake_at = std::min(wake_at, each->not_before);
        continue;
      }
      if (each->position && each->buffered >= config_.partition_bytes_max)
        continue;
      cluster_->follow(each->tp.topic);
      const auto leader = cluster_->leader(each->tp);
      const auto source = each->position ? source_of(*each, leader) : leader;
      is_leaderless = is_leaderless || !leader;
      if (!source)
        continue;
      if (!each->position)
        lookups[*source].push_back({each, each->generation, time_of(each->start)});
      else
        reads[*source].push_back(
            {each, each->generation, each->fetch_offset.value, source != leader});
    }
    for (const auto* work : {&lookups, &reads})
      for (const auto& [leader, batch] : *work)
        for (const auto& one : batch)
          one.partition->is_busy = true;
  }
  for (const auto& each : old)
    unsubscribe(each);
  for (const auto& [sub, bytes] : credits)
    if (const auto link = sub.link.lock()) {
      call_options options;
      options.one_way = true;
      link->call(credit_request{sub.number, bytes}, std::move(options), [](const auto&) {});
    }
  for (auto& [leader, batch] : lookups)
    look_up(leader, std::move(batch));
  if (config_.mode == consume_mode::fetch)
    pump_fetches(reads);
  else
    for (const auto& [leader, batch] : reads)
      for (const auto& one : batch)
        subscribe(leader, one);
  if (is_leaderless)
    cluster_->refresh();
  if (wake_at != never)
    arm_timer(wake_at);
}

std::optional<node_id> consumer_core::source_of(const consumer_partition& partition,
                                                std::optional<node_id> leader) const {
  if (config_.read_from == read_source::leader() ||
      (leader && partition.leader_until > clock::now()))
    return leader;
  const auto nearest = cluster_->nearest_replicas(partition.tp);
  if (nearest.empty())
    return leader;
  const auto turn = spread_ + static_cast<std::size_t>(partition.tp.partition.value);
  return nearest[(turn + partition.replica_turn) % nearest.size()];
}

void consumer_core::arm_timer(time_point when) {
  if (when >= armed_for_)
    return;
  armed_for_ = when;
  timer_->expires_at(when);
  timer_->async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
    const auto self = weak.lock();
    if (!self || cancelled)
      return;
    self->armed_for_ = never;
    self->pump();
  });
}

bool consumer_core::is_current(const task& one) const {
  return !closed_ && one.partition->generation == one.generation;
}

// -- where to start -------------------------------------------------------------------------------

void consumer_core::look_up(node_id leader, tasks batch) {
  list_offsets_request request;
  // One topic entry per partition keeps the answers in the order of the request.
  for (const auto& one : batch)
    request.topics.push_back(
        {one.partition->tp.topic, {{one.partition->tp.partition.value, one.value}}});
  const auto link = cluster_->link(leader, lane::direct);
  if (!link)
    return looked_up(batch, {{}, failure::of(errc::broker_unavailable, "no address is known")});
  call_options options;
  options.deadline = after(clock::now(), config_.request_timeout);
  options.if_reachable = true;
  options.stalled_at = after(clock::now(), answer_patience);
  link->call(
      std::move(request), std::move(options),
      [self = shared_from_this(), batch = std::move(batch)](answer<list_offsets_response> reply) {
        self->looked_up(batch, std::move(reply));
      });
}

void consumer_core::looked_up(const tasks& batch, answer<list_offsets_response> reply) {
  {
    locked lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto& partition = *batch[i].partition;
      if (!is_current(batch[i]))
        continue;
      partition.is_busy = false;
      if (!reply) {
        failed(lock, batch[i].partition, reply.fail);
        continue;
      }
      const auto& topics = reply.value->topics;
      if (i >= topics.size() || topics[i].partitions.size() != 1) {
        failed(lock, batch[i].partition,
               failure::of(errc::connection_lost, "the broker left the partition out"));
        continue;
      }
      const auto& got = topics[i].partitions[0];
      if (got.error != errc::none) {
        failed(lock, batch[i].partition, failure_of(got.error, got.message, got.leader));
      } else if (got.offset < 0) {
        // No record is that late: the next one will be.
        partition.start = start_position::latest();
      } else {
        partition.position = partition.fetch_offset = offset_t(got.offset);
        partition.wait.reset();
      }
    }
  }
  pump();
}

// -- long polls -----------------------------------------------------------------------------------

void consumer_core::pump_fetches(const std::map<node_id, tasks>& by_leader) {
  for (const auto& [leader, all] : by_leader) {
    tasks batch;
    std::size_t bytes_max = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto used = buffered_ + reserved_;
      const auto left = config_.prefetch_bytes - std::min(used, config_.prefetch_bytes);
      for (const auto& one : all)
        if (is_current(one)) {
          // Without room there will be a pump when the user has taken something.
          one.partition->is_busy = left > 0;
          if (left > 0)
            batch.push_back(one);
        }
      // A fetch that is parked leaves room for those that come after it.
      bytes_max = std::min({batch.size() * config_.partition_bytes_max,
                            std::max(config_.partition_bytes_max, left / 2),
                            cluster_->config().frame_bytes_max / 2});
      if (!batch.empty())
        reserved_ += bytes_max;
    }
    if (!batch.empty())
      fetch(leader, std::move(batch), bytes_max);
  }
}

void consumer_core::fetch(node_id leader, tasks batch, std::size_t bytes_max) {
  fetch_request request;
  request.max_wait_ms = static_cast<std::int32_t>(config_.fetch_wait_max.count());
  request.min_bytes = to_i32(config_.fetch_bytes_min);
  request.max_bytes = to_i32(bytes_max);
  request.freshness = freshness_of(config_.read_from);
  request.age_ms_max = config_.read_from.age_max().count();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& one : batch) {
      const auto& tp = one.partition->tp;
      if (request.topics.empty() || request.topics.back().name != tp.topic)
        request.topics.push_back({tp.topic, {}});
      request.topics.back().partitions.push_back({tp.partition.value, one.value,
                                                  to_i32(config_.partition_bytes_max),
                                                  one.partition->epoch.value});
    }
  }
  const auto asked = clock::now();
  const auto link = cluster_->link(leader, lane::waiting);
  if (!link)
    return fetched(batch, bytes_max, asked,
                   {{}, failure::of(errc::broker_unavailable, "no address is known")});
  call_options options;
  options.deadline = after(asked, config_.request_timeout + config_.fetch_wait_max);
  options.if_reachable = true;
  options.stalled_at = after(asked, config_.fetch_wait_max + answer_patience);
  link->call(std::move(request), std::move(options),
             [self = shared_from_this(), batch = std::move(batch), bytes_max,
              asked](answer<fetch_response> reply) {
               self->fetched(batch, bytes_max, asked, std::move(reply));
             });
}

void consumer_core::fetched(const tasks& batch, std::size_t reserved, time_point asked,
                            answer<fetch_response> reply) {
  {
    locked lock(mutex_);
    reserved_ -= reserved;
    bool is_any = false;
    std::size_t at = 0;
    const auto take = [&](const std::string& topic, fetch_partition_result& got) {
      const auto& one = batch[at];
      const auto& tp = one.partition->tp;
      if (topic != tp.topic || got.partition != tp.partition.value)
        return;
      ++at;
      is_any = is_any || got.error != errc::none || !got.records.empty();
      if (!is_current(one))
        return;
      auto& partition = *one.partition;
      partition.is_busy = false;
      note_origin(partition, got);
      if (got.error != errc::none && one.asks_follower)
        ask_leader_instead(partition);
      else if (got.error != errc::none)
        failed(lock, one.partition, failure_of(got.error, got.message, got.leader));
      else
        received(partition, got.records.flatten());
      // It is behind what was read elsewhere, or there is no such offset: the leader knows.
      if (one.asks_follower && got.error == errc::none && got.high_watermark < one.value)
        ask_leader_instead(partition);
    };
    if (reply)
      for (auto& topic : reply.value->topics)
        for (auto& got : topic.partitions)
          if (at < batch.size())
            take(topic.name, got);
    auto missing = failure::of(errc::connection_lost, "the broker left the partition out");
    for (; at < batch.size(); ++at)
      if (is_current(batch[at])) {
        batch[at].partition->is_busy = false;
        if (batch[at].asks_follower)
          ask_leader_instead(*batch[at].partition);
        else
          failed(lock, batch[at].partition, reply ? missing : reply.fail);
      }
    // A broker that does not wait although there is nothing would be asked without a pause.
    if (reply && !is_any && clock::now() < after(asked, config_.fetch_wait_max / 4))
      for (const auto& one : batch)
        if (is_current(one))
          retry_later(*one.partition);
  }
  ready_.notify_all();
  pump();
}

// -- what comes in --------------------------------------------------------------------------------

/// What a replica that does not lead says of errors is not the last word. If the leader does not
/// answer either, its failure makes the next replica's turn.
void consumer_core::ask_leader_instead(consumer_partition& partition) {
  partition.leader_until = after(clock::now(), leader_instead);
  ++partition.replica_turn;
  if (!cluster_->leader(partition.tp))
    retry_later(partition);
}

void consumer_core::note_origin(consumer_partition& partition,
                                const protocol::fetch_partition_result& got) {
  // A replica may be behind what another one said before.
  if (got.high_watermark >= 0 && (got.leads || config_.read_from == read_source::leader() ||
                                  got.high_watermark > partition.high_watermark.value))
    partition.high_watermark = offset_t(got.high_watermark);
  if (got.replica >= 0)
    partition.origin =
        answer_origin{node_id(got.replica), got.leads,
                      got.age_ms < 0 ? std::nullopt : std::optional(milliseconds(got.age_ms))};
}

void consumer_core::received(consumer_partition& partition, buffer batches) {
  partition.wait.reset();
  partition.is_redirected = false;
  if (batches.empty())
    return;
  const auto end = find_end(batches.bytes(), partition.fetch_offset);
  if (!end) {
    partition.failed = {end.error().code, to_string(partition.tp) + ": " + end.error().message};
    return;
  }
  partition.buffered += batches.size();
  buffered_ += batches.size();
  partition.ready.push_back({std::move(batches), partition.fetch_offset});
  partition.fetch_offset = end->offset;
  partition.epoch = end->epoch;
}

void consumer_core::failed(locked& lock, const partition_ptr& partition, const failure& why) {
  const auto generation = partition->generation;
  if (why.err.code == errc::offset_out_of_range && config_.on_out_of_range != offset_reset::error) {
    const bool is_first = config_.on_out_of_range == offset_reset::earliest;
    move_to(*partition, is_first ? start_position::earliest() : start_position::latest());
    retry_later(*partition);
    return;
  }
  if (!why.retriable) {
    partition->failed = {why.err.code,
                         to_string(partition->tp) + ": " +
                             (why.err.message.empty() ? std::string(describe(why.err.code).meaning)
                                                      : why.err.message)};
    return;
  }
  retry_later(*partition);
  // Whoever may answer instead of the leader does, while that one is looked for.
  partition->leader_until = {};
  if (!is_about_leader(why.err.code) && !why.leader)
    return;
  // The cluster tells all its listeners, this consumer among them.
  lock.unlock();
  cluster_->leader_failed(partition->tp, why);
  lock.lock();
  // A hint is worth one attempt at once: brokers that point at each other get a pause.
  if (why.leader && partition->generation == generation &&
      !std::exchange(partition->is_redirected, true))
    partition->not_before = {};
}

void consumer_core::retry_later(consumer_partition& partition) {
  partition.not_before = after(clock::now(), partition.wait.next());
  arm_timer(partition.not_before);
}

} // namespace aqueduct::client
