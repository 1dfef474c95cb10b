// What every front end knows of the cluster without asking an actor: the topics, where their
// partitions are, the brokers. Written by the actors that own the truth, read by the I/O threads.
#pragma once

#include "actors/controller/commands.hpp"
#include "actors/messages.hpp"
#include "config/topic_config.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

class heartbeat_board;

/// A partition as a front end sees it. Shared with its `partition` actor, which keeps leader and
/// epoch up to date.
struct partition_route {
  partition_actor handle;
  /// The same actor, if it is a partition of the topic of consumer groups.
  group_partition_actor coordinator;
  /// Of that actor: what it lets others answer.
  std::shared_ptr<heartbeat_board> board;
  std::atomic<std::int32_t> leader{-1};
  std::atomic<std::int32_t> leader_epoch{0};
  /// While the leader is here: other nodes whose replica keeps up (`group_followers`). Null: none.
  std::atomic<std::shared_ptr<const std::vector<std::int32_t>>> in_sync;
};

/// A topic as a front end sees it. Immutable but for the partitions' leaders.
struct topic_route {
  topic_record record;
  config::topic_config config;
  /// By partition number.
  std::vector<std::shared_ptr<partition_route>> partitions;
};

/// Topics by name, and names by id. Readers take a snapshot of one shard and never wait for
/// writers.
class topic_directory {
public:
  [[nodiscard]] std::shared_ptr<const topic_route> find(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> name_of(const uuid& id) const;
  void put(std::shared_ptr<const topic_route> topic);
  void remove(const std::string& name, const uuid& id);
  /// All topics, ordered by name.
  [[nodiscard]] std::vector<std::shared_ptr<const topic_route>> all() const;
  /// Grows with every change.
  [[nodiscard]] std::int64_t version() const { return version_.load(); }

private:
  using shard = std::map<std::string, std::shared_ptr<const topic_route>, std::less<>>;
  using id_shard = std::map<uuid, std::string>;
  static constexpr std::size_t shard_count = 64;

  [[nodiscard]] static std::size_t shard_of(std::string_view name);
  [[nodiscard]] static std::size_t shard_of(const uuid& id);
  // Precondition of these: write_ is held.
  void put_name(const uuid& id, const std::string& name);
  void remove_name(const uuid& id);

  std::array<std::atomic<std::shared_ptr<const shard>>, shard_count> shards_;
  /// Written before a topic is in shards_, and after it is gone from there.
  std::array<std::atomic<std::shared_ptr<const id_shard>>, shard_count> names_;
  std::mutex write_;
  std::atomic<std::int64_t> version_{0};
};

/// The cluster around the topics, with the addresses of brokers that the clients of one listener
/// reach. A broker that has no such listener has no host there.
struct cluster_view {
  uuid id;
  /// Name of the listener; empty: the one of `listen`.
  std::string listener{};
  std::int32_t controller = -1;
  /// Those that are there.
  std::vector<broker_record> brokers;
  /// All.
  std::vector<broker_record> registered;
};
/// As the controller last said it; empty before it did.
using known_cluster = std::atomic<std::shared_ptr<const cluster_view>>;

/// A broker that is registered, whether it is there or not.
[[nodiscard]] std::optional<broker_record> find_broker(const known_cluster& known,
                                                       std::int32_t node);

/// Of a view of the clients of `listen`, what those of the listener `name` are to see.
[[nodiscard]] cluster_view view_by_listener(cluster_view view, std::string_view name);

/// Whether the clients of the view's listener can connect to it.
[[nodiscard]] inline bool has_address(const broker_record& broker) {
  return !broker.host.empty();
}
/// Why clients of the view's listener are not told where `node` is: a sentence.
[[nodiscard]] std::string no_listener(const known_cluster& known, std::int32_t node);
/// host:port; empty without an address.
[[nodiscard]] std::string client_address(const broker_record& broker);

} // namespace aqueduct::actors
