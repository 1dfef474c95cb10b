// What is known of the cluster: brokers, topics, leaders. Pure values, no I/O, no clock; whoever
// owns it guards it.
#pragma once

#include "protocol/client/cluster.hpp"
#include "protocol/client/internal/endpoint.hpp"
#include "protocol/native/topic_messages.hpp"

#include <map>
#include <memory>
#include <string>

namespace aqueduct::client {

/// The layout that a metadata response describes.
[[nodiscard]] cluster_layout layout_of(protocol::metadata_response response);

class metadata_cache {
public:
  /// Takes over the answer to a request. Topics with an error of their own stay as they were known,
  /// except unknown ones, which are forgotten. A leader with an older epoch than the known one is
  /// stale news and ignored, as long as the topic is the same.
  void apply(const cluster_layout& news);

  /// An answer named another leader. Nothing happens if the partition is not known.
  void hint(const topic_partition& tp, node_id leader);
  /// An answer named a broker's address.
  void learn(node_id node, const endpoint& address);

  [[nodiscard]] std::shared_ptr<const topic_layout> topic(std::string_view name) const;
  [[nodiscard]] std::optional<node_id> leader(const topic_partition& tp) const;
  /// Whom to read from who need not lead: of the replicas whose address is known, those in `rack`
  /// if it is not empty and there are some, else those that do not lead, else the leader.
  [[nodiscard]] std::vector<node_id> nearest_replicas(const topic_partition& tp,
                                                      std::string_view rack) const;
  /// Whether the node leads any partition of the topics that are known.
  [[nodiscard]] bool leads(node_id node) const;
  [[nodiscard]] std::optional<endpoint> address(node_id node) const;
  [[nodiscard]] const std::map<node_id, endpoint>& brokers() const { return brokers_; }

private:
  std::map<node_id, endpoint> brokers_;
  std::map<node_id, std::string> racks_;
  std::map<std::string, std::shared_ptr<const topic_layout>, std::less<>> topics_;
};

} // namespace aqueduct::client
