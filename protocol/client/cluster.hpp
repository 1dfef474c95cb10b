// A cluster as a client sees it: the brokers, the topics' leaders, and the connections to them.
// Producers, consumers and admins of one program share one cluster object: one I/O thread, one
// connection to each broker for requests that are answered at once and one for those that wait.
#pragma once

#include "protocol/client/types.hpp"

#include <memory>
#include <vector>

namespace aqueduct::client {

class cluster_core;

struct cluster_config {
  /// "host:port" of brokers to start with ("host" alone takes port 9092, IPv6 as "[::1]:9092"); one
  /// that answers is enough. The others of the cluster are learnt from it.
  std::vector<std::string> brokers = {"127.0.0.1:9092"};
  /// Name of the application in the brokers' logs and quotas. At most 249 bytes.
  std::string client_id = "aqueduct-client";
  /// Rack of this client, or empty.
  std::string rack{};
  /// For one attempt: name lookup, connect and hello. 1 ms to 10 minutes.
  milliseconds connect_timeout{5'000};
  /// Until a request without a timeout of its own is answered. 1 ms to 1 hour.
  milliseconds request_timeout{30'000};
  /// Wait before a broker that failed is tried again: doubles from the first to the second, with
  /// up to half of it taken off at random. 1 ms to 10 minutes.
  milliseconds backoff_min{50};
  milliseconds backoff_max{2'000};
  /// Metadata in use is asked for anew at this age. At least 100 ms.
  milliseconds metadata_age_max{300'000};
  /// A connection without requests is closed after this time; 0: never. The next request opens it
  /// again.
  milliseconds idle_timeout{600'000};
  /// Largest frame taken from a broker. 64 KiB to 1 GiB.
  std::size_t frame_bytes_max = std::size_t{128} << 20;
  /// Bytes of requests per connection that are sent and not answered yet; requests beyond it are
  /// refused with `overloaded`. At least 64 KiB.
  std::size_t in_flight_bytes_max = std::size_t{256} << 20;

  /// Names the first setting that is out of range. Error: invalid_config.
  [[nodiscard]] AQUEDUCT_CLIENT_API result<void> validate() const;
};

struct broker_info {
  node_id node;
  std::string host;
  std::uint16_t port = 0;
  std::string rack;
};

struct partition_layout {
  partition_id partition;
  /// `none`, or why the partition is not available.
  errc error = errc::none;
  std::optional<node_id> leader;
  leader_epoch epoch;
  std::vector<node_id> replicas;
};

struct topic_layout {
  std::string name;
  /// `none`, unknown_topic, invalid_topic, topic_not_ready, or why it could not be created.
  errc error = errc::none;
  uuid id;
  std::vector<partition_layout> partitions;
  /// Why it could not be created; may be empty.
  std::string message;
};

struct cluster_layout {
  uuid cluster;
  std::optional<node_id> controller;
  /// Grows with every change of the cluster's metadata.
  std::int64_t version = 0;
  std::vector<broker_info> brokers;
  std::vector<topic_layout> topics;
};

/// Connections and metadata of one cluster. A handle: copies share the same connections, which
/// close with the last copy or with `close`. All functions are thread-safe; those that wait refuse
/// to be called from a callback of the library (invalid_request), which runs on the I/O thread.
class AQUEDUCT_CLIENT_API cluster {
public:
  /// Starts the I/O thread and waits until one broker of the list has answered, or until
  /// `connect_timeout` is over for each. A broker that does not answer delays the try of the next
  /// by a quarter of a second, not by its own timeout. Errors: invalid_config; broker_unavailable,
  /// naming what went wrong with each; unsupported_version.
  [[nodiscard]] static result<cluster> open(cluster_config config = {});

  /// The partitions of a topic, from memory if they are known. Errors: unknown_topic,
  /// invalid_topic, topic_not_ready; timed_out; broker_unavailable.
  [[nodiscard]] result<topic_layout> topic(std::string_view name,
                                           std::optional<milliseconds> timeout = {});

  /// Asks the cluster anew for what it is: all brokers, and the named topics, or all topics.
  [[nodiscard]] result<cluster_layout> describe(std::span<const std::string> topics,
                                                std::optional<milliseconds> timeout = {});
  [[nodiscard]] result<cluster_layout> describe(std::optional<milliseconds> timeout = {});

  /// Closes all connections; requests under way end with `cancelled`. Producers and consumers of
  /// this cluster should be closed before. Waits for the I/O thread unless it is the caller.
  void close();

  /// For the classes of this library.
  [[nodiscard]] const std::shared_ptr<cluster_core>& core() const { return core_; }

private:
  explicit cluster(std::shared_ptr<cluster_core> core) : core_(std::move(core)) {}

  std::shared_ptr<cluster_core> core_;
};

} // namespace aqueduct::client
