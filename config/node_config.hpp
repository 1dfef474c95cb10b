// The settings of a node as typed values: what the rest of the code reads. The names mirror the
// keys of config/node_model.cpp (`storage.flush-interval` is `storage.flush_interval`), where every
// setting has its range and its documentation. The initialisers here are the defaults, and nothing
// else is. A plain value: load it once, copy it to whoever needs it.
#pragma once

#include "config/endpoint.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::config {

/// How a node finds the other nodes.
enum class discovery_kind : std::uint8_t { static_list, memory, etcd };

/// When an append is durable on this node, and so when it is acknowledged.
enum class flush_policy : std::uint8_t {
  /// After an fsync (shared by all appends that wait for one).
  commit,
  /// After the write; an fsync follows every `flush_interval`.
  interval,
  /// After the write; the operating system syncs when it likes.
  os,
};

enum class log_level : std::uint8_t { trace, debug, info, warning, error, off };
enum class log_format : std::uint8_t { text, json };

struct node_settings {
  /// 0 to 2^31 - 1, unique in the cluster.
  std::int32_t id = 1;
  /// Empty: none.
  std::string rack;

  friend bool operator==(const node_settings&, const node_settings&) = default;
};

struct data_settings {
  std::filesystem::path dir = "./data";

  friend bool operator==(const data_settings&, const data_settings&) = default;
};

/// A listening address of one of the node's services; port 0 takes a free one.
struct service_settings {
  endpoint listen;

  friend bool operator==(const service_settings&, const service_settings&) = default;
};

/// How the node talks to other nodes.
struct cluster_settings {
  endpoint listen{"127.0.0.1", 9093};
  /// What other nodes are told to connect to; see `advertised_cluster`.
  std::optional<endpoint> advertise;
  /// Between two signs of life of a broker to the controller.
  std::chrono::milliseconds heartbeat{500};
  /// Silence after which the controller takes a broker for gone.
  std::chrono::milliseconds session_timeout{5000};
  /// How long a move of replicas waits for a broker that is gone before it is taken back.
  std::chrono::milliseconds move_timeout = std::chrono::minutes(10);
  /// Per other node.
  std::uint64_t send_window_bytes = 32ULL << 20;
  /// Bytes per second that this node reads for replicas that are behind.
  std::uint64_t catch_up_rate = 32ULL << 20;

  friend bool operator==(const cluster_settings&, const cluster_settings&) = default;
};

struct discovery_settings {
  discovery_kind kind = discovery_kind::static_list;
  /// static_list: cluster addresses of the nodes; etcd: addresses of the etcd members.
  std::vector<endpoint> seeds;
  /// etcd: the keys of the cluster begin with it and a slash.
  std::string prefix = "/aqueduct";
  /// etcd: how long the registration of a node outlives it.
  std::chrono::milliseconds ttl = std::chrono::seconds(10);

  friend bool operator==(const discovery_settings&, const discovery_settings&) = default;
};

struct storage_settings {
  flush_policy flush = flush_policy::commit;
  std::chrono::milliseconds flush_interval{1000};
  std::int32_t threads = 16;
  std::int32_t reader_threads = 2;
  std::uint64_t segment_bytes = 256ULL << 20;
  std::chrono::milliseconds segment_age = std::chrono::hours(24 * 7);
  std::uint64_t preallocate_bytes = 16ULL << 20;
  bool direct_writes = true;
  std::uint64_t index_interval_bytes = 64ULL << 10;
  /// Of all partitions of the node together.
  std::uint64_t tail_cache_bytes = 256ULL << 20;
  /// Free space below which produce is refused.
  std::uint64_t reserve_bytes = 512ULL << 20;
  std::int32_t open_files = 512;
  /// 0: never.
  std::chrono::milliseconds scrub_interval = std::chrono::hours(24 * 7);
  /// Bytes per second.
  std::uint64_t scrub_rate = 16ULL << 20;

  friend bool operator==(const storage_settings&, const storage_settings&) = default;
};

/// Retention of topics that do not say otherwise; `nullopt` is unlimited.
struct retention_settings {
  std::optional<std::chrono::milliseconds> time = std::chrono::hours(24 * 7);
  /// Per partition.
  std::optional<std::uint64_t> bytes;

  friend bool operator==(const retention_settings&, const retention_settings&) = default;
};

struct partition_settings {
  /// 0: never.
  std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
  /// Whether replicas that do not lead answer fetches that allow it.
  bool follower_reads = true;

  friend bool operator==(const partition_settings&, const partition_settings&) = default;
};

struct topic_settings {
  std::int32_t partitions_default = 1;
  /// As far as there are brokers.
  std::int32_t replication_default = 3;
  bool auto_create = true;
  /// Of one record batch as sent: 1 MiB and the 12 bytes of Kafka's log overhead.
  std::uint64_t message_bytes_max = (1ULL << 20) + 12;

  friend bool operator==(const topic_settings&, const topic_settings&) = default;
};

/// Consumer groups.
struct group_settings {
  /// Of the internal topic that has them; chosen when it is created.
  std::int32_t partitions = 16;
  /// As far as there are brokers.
  std::int32_t replication = 3;
  /// Bounds of what members may ask for.
  std::chrono::milliseconds session_timeout_min{1000};
  std::chrono::milliseconds session_timeout_max = std::chrono::minutes(30);
  /// How long the first rebalance of a group waits for more members.
  std::chrono::milliseconds initial_delay{200};
  std::int32_t members_max = 5000;
  /// How long the offsets of a group without members are kept.
  std::chrono::milliseconds offset_retention = std::chrono::hours(24 * 7);

  friend bool operator==(const group_settings&, const group_settings&) = default;
};

struct limit_settings {
  /// Of one request or reply, without its length field.
  std::uint64_t frame_bytes_max = 100ULL << 20;
  std::int32_t connections = 10'000;
  /// Per connection.
  std::uint64_t request_bytes_in_flight = 100ULL << 20;
  /// All connections together.
  std::uint64_t request_bytes_total = 512ULL << 20;
  /// Of one record batch.
  std::uint64_t decompressed_bytes_max = 64ULL << 20;
  /// Partition replicas on this node.
  std::int32_t partitions = 10'000;
  /// Partitions that one connection subscribes to, and all together.
  std::int32_t subscriptions_per_connection = 10'000;
  std::int32_t subscriptions = 200'000;

  friend bool operator==(const limit_settings&, const limit_settings&) = default;
};

struct network_settings {
  /// 0: chosen from the number of cores.
  std::int32_t threads = 0;
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds idle_timeout = std::chrono::minutes(10);
  /// Replies queued for one connection before its requests wait.
  std::uint64_t send_buffer_bytes = 16ULL << 20;

  friend bool operator==(const network_settings&, const network_settings&) = default;
};

struct actor_settings {
  /// 0: chosen from the number of cores.
  std::int32_t threads = 0;

  friend bool operator==(const actor_settings&, const actor_settings&) = default;
};

/// The components that log, each on its own: the names that `log.levels` and `aq admin log-level`
/// take.
inline constexpr auto log_components =
    std::to_array<std::string_view>({"node", "network", "partition", "raft", "storage",
                                     "controller", "discovery", "peer", "admin"});

struct log_settings {
  log_level level = log_level::info;
  log_format format = log_format::text;
  /// Component name to the level that replaces `level` for it.
  std::map<std::string, log_level> levels;

  friend bool operator==(const log_settings&, const log_settings&) = default;
};

struct shutdown_settings {
  std::chrono::milliseconds timeout = std::chrono::seconds(30);

  friend bool operator==(const shutdown_settings&, const shutdown_settings&) = default;
};

struct raft_settings {
  std::chrono::milliseconds tick{50};
  /// The shortest time; each node adds up to as much again at random.
  std::chrono::milliseconds election_timeout{1000};
  std::chrono::milliseconds heartbeat{150};

  friend bool operator==(const raft_settings&, const raft_settings&) = default;
};

/// Ports for clients besides `listen`, for those that reach the node by another address.
struct listener_settings {
  std::vector<named_endpoint> listen;
  /// What clients of the listener of that name are told to connect to.
  std::vector<named_endpoint> advertise;

  friend bool operator==(const listener_settings&, const listener_settings&) = default;
};

struct node_config {
  node_settings node;
  data_settings data;
  endpoint listen{"127.0.0.1", 9092};
  /// What clients are told to connect to; see `advertised`.
  std::optional<endpoint> advertise;
  listener_settings listeners;
  cluster_settings cluster;
  service_settings admin{{"127.0.0.1", 9095}};
  service_settings http{{"127.0.0.1", 9094}};
  discovery_settings discovery;
  storage_settings storage;
  retention_settings retention;
  partition_settings partition;
  group_settings groups;
  topic_settings topic;
  limit_settings limits;
  network_settings network;
  actor_settings actors;
  log_settings log;
  shutdown_settings shutdown;
  raft_settings raft;

  /// `advertise`, or `listen` when it is not set.
  [[nodiscard]] const endpoint& advertised() const { return advertise ? *advertise : listen; }
  /// The entry of `listeners.advertise` for this one of `listeners.listen`, or its own address.
  [[nodiscard]] const endpoint& advertised(const named_endpoint& listener) const {
    for (const auto& each : listeners.advertise)
      if (each.name == listener.name)
        return each.address;
    return listener.address;
  }
  /// `cluster.advertise`, or `cluster.listen` when it is not set.
  [[nodiscard]] const endpoint& advertised_cluster() const {
    return cluster.advertise ? *cluster.advertise : cluster.listen;
  }

  friend bool operator==(const node_config&, const node_config&) = default;
};

} // namespace aqueduct::config
