#include "protocol/client/internal/metadata_cache.hpp"

#include <algorithm>
#include <iterator>

namespace aqueduct::client {

namespace {

std::optional<node_id> node_or_none(std::int32_t node) {
  return node < 0 ? std::nullopt : std::optional(node_id(node));
}

std::vector<node_id> nodes(const std::vector<std::int32_t>& numbers) {
  std::vector<node_id> ids;
  ids.reserve(numbers.size());
  for (const auto number : numbers)
    ids.emplace_back(number);
  return ids;
}

const partition_layout* find(const topic_layout& topic, partition_id partition) {
  const auto found = std::ranges::find(topic.partitions, partition, &partition_layout::partition);
  return found == topic.partitions.end() ? nullptr : &*found;
}

/// `news`, with what `known` knows better.
std::shared_ptr<const topic_layout> merge(const topic_layout& known, const topic_layout& news) {
  auto merged = std::make_shared<topic_layout>(news);
  if (known.id != news.id)
    return merged;
  for (auto& partition : merged->partitions)
    if (const auto* before = find(known, partition.partition);
        before && before->leader && before->epoch > partition.epoch) {
      partition.leader = before->leader;
      partition.epoch = before->epoch;
    }
  return merged;
}

} // namespace

cluster_layout layout_of(protocol::metadata_response response) {
  cluster_layout layout;
  layout.cluster = response.cluster;
  layout.controller = node_or_none(response.controller);
  layout.version = response.metadata_version;
  for (auto& broker : response.brokers)
    layout.brokers.push_back(
        {node_id(broker.node), std::move(broker.host), broker.port, std::move(broker.rack)});
  for (auto& from : response.topics) {
    topic_layout topic{std::move(from.name), from.error, from.id, {}, std::move(from.message)};
    for (const auto& p : from.partitions)
      topic.partitions.push_back({partition_id(p.partition), p.error, node_or_none(p.leader),
                                  leader_epoch(p.leader_epoch), nodes(p.replicas)});
    std::ranges::sort(topic.partitions, {}, &partition_layout::partition);
    layout.topics.push_back(std::move(topic));
  }
  return layout;
}

void metadata_cache::apply(const cluster_layout& news) {
  brokers_.clear();
  racks_.clear();
  for (const auto& broker : news.brokers) {
    brokers_[broker.node] = {broker.host, broker.port};
    racks_[broker.node] = broker.rack;
  }
  for (const auto& topic : news.topics) {
    const auto known = topics_.find(topic.name);
    if (topic.error == errc::unknown_topic) {
      if (known != topics_.end())
        topics_.erase(known);
    } else if (topic.error == errc::none && known == topics_.end()) {
      topics_.emplace(topic.name, std::make_shared<topic_layout>(topic));
    } else if (topic.error == errc::none) {
      known->second = merge(*known->second, topic);
    }
  }
}

void metadata_cache::hint(const topic_partition& tp, node_id leader) {
  const auto known = topics_.find(tp.topic);
  if (known == topics_.end() || !find(*known->second, tp.partition))
    return;
  auto changed = std::make_shared<topic_layout>(*known->second);
  std::ranges::find(changed->partitions, tp.partition, &partition_layout::partition)->leader =
      leader;
  known->second = std::move(changed);
}

void metadata_cache::learn(node_id node, const endpoint& address) {
  brokers_[node] = address;
}

std::shared_ptr<const topic_layout> metadata_cache::topic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second;
}

bool metadata_cache::leads(node_id node) const {
  return std::ranges::any_of(topics_, [&](const auto& topic) {
    return std::ranges::find(topic.second->partitions, std::optional(node),
                             &partition_layout::leader) != topic.second->partitions.end();
  });
}

std::optional<node_id> metadata_cache::leader(const topic_partition& tp) const {
  const auto found = topics_.find(tp.topic);
  if (found == topics_.end())
    return {};
  const auto* partition = find(*found->second, tp.partition);
  return partition ? partition->leader : std::nullopt;
}

std::vector<node_id> metadata_cache::nearest_replicas(const topic_partition& tp,
                                                      std::string_view rack) const {
  const auto topic = topics_.find(tp.topic);
  const auto* partition = topic == topics_.end() ? nullptr : find(*topic->second, tp.partition);
  if (partition == nullptr)
    return {};
  std::vector<node_id> known;
  std::ranges::copy_if(partition->replicas, std::back_inserter(known),
                       [&](node_id node) { return brokers_.contains(node); });
  // Whose turn it is is counted in the same order by everybody.
  std::ranges::sort(known);
  const auto keep = [&](auto wanted) {
    std::vector<node_id> kept;
    std::ranges::copy_if(known, std::back_inserter(kept), wanted);
    return kept;
  };
  if (!rack.empty()) {
    auto near = keep([&](node_id node) {
      const auto found = racks_.find(node);
      return found != racks_.end() && found->second == rack;
    });
    if (!near.empty())
      return near;
  }
  auto followers = keep([&](node_id node) { return partition->leader != node; });
  return followers.empty() ? known : followers;
}

std::optional<endpoint> metadata_cache::address(node_id node) const {
  const auto found = brokers_.find(node);
  return found == brokers_.end() ? std::nullopt : std::optional(found->second);
}

} // namespace aqueduct::client
