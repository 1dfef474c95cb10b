#include "actors/directory.hpp"

#include <algorithm>
#include <functional>

namespace aqueduct::actors {

std::size_t topic_directory::shard_of(std::string_view name) {
  return std::hash<std::string_view>{}(name) % shard_count;
}

std::shared_ptr<const topic_route> topic_directory::find(std::string_view name) const {
  const auto topics = shards_[shard_of(name)].load();
  if (!topics)
    return nullptr;
  const auto it = topics->find(name);
  return it == topics->end() ? nullptr : it->second;
}

std::optional<std::string> topic_directory::name_of(const uuid& id) const {
  for (const auto& topic : all())
    if (topic->record.id == id)
      return topic->record.name;
  return std::nullopt;
}

void topic_directory::put(std::shared_ptr<const topic_route> topic) {
  const std::lock_guard lock(write_);
  auto& slot = shards_[shard_of(topic->record.name)];
  const auto before = slot.load();
  auto after = before ? std::make_shared<shard>(*before) : std::make_shared<shard>();
  (*after)[topic->record.name] = std::move(topic);
  slot.store(std::move(after));
  ++version_;
}

void topic_directory::remove(const std::string& name, const uuid& id) {
  const std::lock_guard lock(write_);
  auto& slot = shards_[shard_of(name)];
  const auto before = slot.load();
  if (!before)
    return;
  const auto it = before->find(name);
  if (it == before->end() || it->second->record.id != id)
    return;
  auto after = std::make_shared<shard>(*before);
  after->erase(name);
  slot.store(std::move(after));
  ++version_;
}

std::vector<std::shared_ptr<const topic_route>> topic_directory::all() const {
  std::vector<std::shared_ptr<const topic_route>> topics;
  for (const auto& slot : shards_)
    if (const auto shard = slot.load())
      for (const auto& [name, topic] : *shard)
        topics.push_back(topic);
  std::ranges::sort(topics, {}, [](const auto& topic) { return topic->record.name; });
  return topics;
}

} // namespace aqueduct::actors
