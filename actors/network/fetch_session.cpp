#include "actors/network/fetch_session.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace aqueduct::actors::network {

namespace kafka = protocol::kafka;
using kafka::error_code;

// -- one session ----------------------------------------------------------------------------------

void fetch_session::update(const std::vector<asked_topic>& topics,
                           const std::vector<forgotten_topic>& gone) {
  for (const auto& topic : topics) {
    if (topic.partitions.empty())
      continue;
    auto& [key, places] = *topics_.try_emplace(key_of(topic)).first;
    for (const auto& partition : topic.partitions) {
      const auto [at, is_new] = places.try_emplace(partition.partition);
      if (is_new)
        at->second = order_.insert(order_.end(), remembered{&key, {}});
      at->second->asked = partition;
    }
  }
  for (const auto& topic : gone) {
    const auto known = topics_.find(key_of(topic));
    if (known == topics_.end())
      continue;
    for (const auto partition : topic.partitions)
      if (const auto at = known->second.find(partition); at != known->second.end()) {
        order_.erase(at->second);
        known->second.erase(at);
      }
    if (known->second.empty())
      topics_.erase(known);
  }
}

std::vector<fetch_session::asked_topic> fetch_session::asked() const {
  std::vector<asked_topic> topics;
  const topic_key* last = nullptr;
  for (const auto& each : order_) {
    if (each.topic != last) {
      last = each.topic;
      auto& topic = topics.emplace_back();
      topic.topic = last->name;
      topic.topic_id = last->id;
    }
    topics.back().partitions.push_back(each.asked);
  }
  return topics;
}

bool fetch_session::note(remembered& known, const answered_partition& row) {
  const bool has_error = row.error_code != kafka::number_of(error_code::none);
  const bool is_news = has_error || (row.records && !row.records->empty()) ||
                       row.preferred_read_replica >= 0 || row.diverging_epoch ||
                       row.high_watermark != known.high_watermark ||
                       row.last_stable_offset != known.last_stable_offset ||
                       row.log_start_offset != known.log_start_offset;
  // That an error is over is news.
  known.high_watermark = has_error ? -1 : row.high_watermark;
  known.last_stable_offset = row.last_stable_offset;
  known.log_start_offset = row.log_start_offset;
  return is_news;
}

void fetch_session::answer(std::vector<answered_topic>& topics, bool whole) {
  for (auto& topic : topics) {
    const auto known = topics_.find(key_of(topic));
    if (known == topics_.end())
      continue;
    auto& places = known->second;
    std::erase_if(topic.partitions, [&](const answered_partition& row) {
      const auto at = places.find(row.partition_index);
      if (at == places.end())
        return false;
      if (row.records && !row.records->empty())
        order_.splice(order_.end(), order_, at->second);
      return !note(*at->second, row) && !whole;
    });
  }
  if (!whole)
    std::erase_if(topics, [](const answered_topic& topic) { return topic.partitions.empty(); });
}

// -- the cache ------------------------------------------------------------------------------------

struct fetch_turn::entry {
  entry(bool by_id, const void* owned_by, std::int64_t now_ms)
      : owner(owned_by), created_ms(now_ms), used_ms(now_ms), session(by_id) {}

  const void* const owner;
  const std::int64_t created_ms;
  // Guarded by the mutex of the cache.
  std::int64_t used_ms;
  /// Of the next request.
  std::int32_t epoch = 1;
  std::size_t size = 0;
  std::mutex mutex;
  /// Guarded by mutex, which is taken after that of the cache.
  fetch_session session;
};

fetch_turn fetch_session_cache::begin(kafka::fetch_request& request, std::int16_t version,
                                      const void* owner, std::int64_t now_ms,
                                      std::uint64_t random) {
  constexpr std::int32_t first_epoch = 0;
  constexpr std::int32_t last_epoch = -1;
  constexpr std::int16_t by_id_since = 13;
  const bool by_id = version >= by_id_since;
  const std::lock_guard lock(mutex_);
  if (request.session_epoch == first_epoch || request.session_epoch == last_epoch) {
    remove_of(request.session_id, owner);
    return request.session_epoch == first_epoch ? create(request, by_id, owner, now_ms, random)
                                                : fetch_turn();
  }
  fetch_turn turn;
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end() || found->second->owner != owner) {
    turn.refused = error_code::fetch_session_id_not_found;
    return turn;
  }
  auto& entry = *found->second;
  const std::lock_guard session_lock(entry.mutex);
  if (entry.session.by_id() != by_id)
    turn.refused = error_code::fetch_session_topic_id_error;
  else if (entry.epoch != request.session_epoch)
    turn.refused = error_code::invalid_fetch_session_epoch;
  if (turn.refused != error_code::none)
    return turn;
  entry.session.update(request.topics, request.forgotten_topics_data);
  entry.epoch = entry.epoch == std::numeric_limits<std::int32_t>::max() ? 1 : entry.epoch + 1;
  entry.used_ms = now_ms;
  partitions_ = partitions_ - entry.size + entry.session.size();
  entry.size = entry.session.size();
  request.topics = entry.session.asked();
  turn.whole = false;
  turn.session_ = found->second;
  // One that outgrew the cache, or has nothing left, ends with this answer.
  if (entry.size > 0 && partitions_ <= bounds_.partitions_max)
    turn.id = request.session_id;
  else
    remove(found);
  return turn;
}

fetch_turn fetch_session_cache::create(const kafka::fetch_request& request, bool by_id,
                                       const void* owner, std::int64_t now_ms,
                                       std::uint64_t random) {
  fetch_turn turn;
  const auto made = std::make_shared<fetch_turn::entry>(by_id, owner, now_ms);
  made->session.update(request.topics, {});
  made->size = made->session.size();
  if (made->size == 0 || !make_room(made->size, now_ms))
    return turn;
  auto id = static_cast<std::int32_t>(random & 0x7fffffff);
  while (id == 0 || sessions_.contains(id))
    id = id == std::numeric_limits<std::int32_t>::max() ? 1 : id + 1;
  sessions_.emplace(id, made);
  partitions_ += made->size;
  turn.id = id;
  turn.session_ = made;
  return turn;
}

bool fetch_session_cache::make_room(std::size_t size, std::int64_t now_ms) {
  if (size > bounds_.partitions_max)
    return false;
  while (sessions_.size() >= bounds_.sessions_max || partitions_ + size > bounds_.partitions_max) {
    const auto victim = choose_victim(size, now_ms);
    if (victim == sessions_.end())
      return false;
    remove(victim);
  }
  return true;
}

fetch_session_cache::entries::iterator fetch_session_cache::choose_victim(std::size_t size,
                                                                          std::int64_t now_ms) {
  const auto idle = std::ranges::min_element(sessions_, {},
                                             [](const auto& each) { return each.second->used_ms; });
  if (idle != sessions_.end() && now_ms - idle->second->used_ms > bounds_.evict_after_ms)
    return idle;
  auto smallest = sessions_.end();
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at)
    if (now_ms - at->second->created_ms > bounds_.evict_after_ms && at->second->size < size &&
        (smallest == sessions_.end() || at->second->size < smallest->second->size))
      smallest = at;
  return smallest;
}

void fetch_session_cache::finish(const fetch_turn& turn, kafka::fetch_response& response) {
  response.session_id = turn.id;
  if (!turn.session_)
    return;
  const std::lock_guard lock(turn.session_->mutex);
  turn.session_->session.answer(response.responses, turn.whole);
}

void fetch_session_cache::remove(entries::iterator which) {
  partitions_ -= which->second->size;
  sessions_.erase(which);
}

void fetch_session_cache::remove_of(std::int32_t id, const void* owner) {
  if (const auto found = sessions_.find(id);
      found != sessions_.end() && found->second->owner == owner)
    remove(found);
}

void fetch_session_cache::drop_all_of(const void* owner) {
  const std::lock_guard lock(mutex_);
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto next = std::next(at);
    if (at->second->owner == owner)
      remove(at);
    at = next;
  }
}

std::size_t fetch_session_cache::size() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

std::size_t fetch_session_cache::partitions() const {
  const std::lock_guard lock(mutex_);
  return partitions_;
}

} // namespace aqueduct::actors::network
