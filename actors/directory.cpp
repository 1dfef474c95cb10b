#include "actors/directory.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace aqueduct::actors {

std::size_t topic_directory::shard_of(std::string_view name) {
  return std::hash<std::string_view>{}(name) % shard_count;
}

std::size_t topic_directory::shard_of(const uuid& id) {
  return std::hash<uuid>{}(id) % shard_count;
}

std::shared_ptr<const topic_route> topic_directory::find(std::string_view name) const {
  const auto topics = shards_[shard_of(name)].load();
  if (!topics)
    return nullptr;
  const auto it = topics->find(name);
  return it == topics->end() ? nullptr : it->second;
}

std::optional<std::string> topic_directory::name_of(const uuid& id) const {
  const auto names = names_[shard_of(id)].load();
  if (!names)
    return std::nullopt;
  const auto it = names->find(id);
  return it == names->end() ? std::nullopt : std::optional(it->second);
}

void topic_directory::put_name(const uuid& id, const std::string& name) {
  auto& slot = names_[shard_of(id)];
  const auto before = slot.load();
  auto after = before ? std::make_shared<id_shard>(*before) : std::make_shared<id_shard>();
  (*after)[id] = name;
  slot.store(std::move(after));
}

void topic_directory::remove_name(const uuid& id) {
  auto& slot = names_[shard_of(id)];
  const auto before = slot.load();
  if (!before || !before->contains(id))
    return;
  auto after = std::make_shared<id_shard>(*before);
  after->erase(id);
  slot.store(std::move(after));
}

void topic_directory::put(std::shared_ptr<const topic_route> topic) {
  const std::lock_guard lock(write_);
  const auto id = topic->record.id;
  put_name(id, topic->record.name);
  auto& slot = shards_[shard_of(topic->record.name)];
  const auto before = slot.load();
  auto after = before ? std::make_shared<shard>(*before) : std::make_shared<shard>();
  const auto former = std::exchange((*after)[topic->record.name], std::move(topic));
  slot.store(std::move(after));
  if (former && former->record.id != id)
    remove_name(former->record.id);
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
  remove_name(id);
  ++version_;
}

std::vector<std::shared_ptr<const topic_route>> topic_directory::all() const {
  std::vector<std::shared_ptr<const topic_route>> topics;
  for (const auto& slot : shards_)
    if (const auto shard = slot.load())
      for (const auto& [name, topic] : *shard)
        topics.push_back(topic);
  std::ranges::sort(topics, {},
                    [](const auto& topic) -> const std::string& { return topic->record.name; });
  return topics;
}

std::optional<broker_record> find_broker(const known_cluster& known, std::int32_t node) {
  if (const auto view = known.load())
    if (const auto found = std::ranges::find(view->registered, node, &broker_record::node);
        found != view->registered.end())
      return *found;
  return std::nullopt;
}

cluster_view view_by_listener(cluster_view view, std::string_view name) {
  view.listener = name;
  for (auto* brokers : {&view.brokers, &view.registered})
    for (auto& broker : *brokers) {
      const auto found = std::ranges::find(broker.listeners, name, &broker_listener::name);
      const bool is_there = found != broker.listeners.end();
      broker.host = is_there ? found->host : std::string();
      broker.port = is_there ? found->port : std::uint16_t{0};
    }
  return view;
}

std::string no_listener(const known_cluster& known, std::int32_t node) {
  const auto view = known.load();
  return "broker " + std::to_string(node) + " has no listener '" +
         (view ? view->listener : std::string()) + "', by which this connection came";
}

std::string client_address(const broker_record& broker) {
  return has_address(broker) ? to_string(config::endpoint{broker.host, broker.port})
                             : std::string();
}

} // namespace aqueduct::actors
