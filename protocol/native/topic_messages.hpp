// Messages about topics and the cluster's shape.
#pragma once

#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol {

struct topic_setting {
  std::string name;
  std::optional<std::string> value;

  static constexpr message_info info{"TopicSetting", "A setting of a topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the setting."}, m.name);
    v(field{"value", "The value; absent resets the setting to the cluster's default."}, m.value);
  }
  friend bool operator==(const topic_setting&, const topic_setting&) = default;
};

struct create_topic_request {
  std::string name;
  std::int32_t partitions = -1;
  std::int16_t replication = -1;
  std::vector<topic_setting> settings;
  bool validate_only = false;
  std::int32_t timeout_ms = 30000;

  static constexpr message_info info{"CreateTopicRequest", "The topic to create."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "1 to 249 characters of [a-zA-Z0-9._-], not '.' or '..'."}, m.name);
    v(field{"partitions", "Number of partitions; -1 takes the cluster's default."}, m.partitions);
    v(field{"replication", "Replicas of each partition; -1 takes the cluster's default."},
      m.replication);
    v(field{"settings", "Settings that differ from the cluster's defaults."}, m.settings);
    v(field{"validate_only", "Check everything, create nothing."}, m.validate_only);
    v(field{"timeout_ms", "How long to wait until the topic serves."}, m.timeout_ms);
  }
};

struct create_topic_response {
  uuid id;
  std::int32_t partitions = 0;
  std::int16_t replication = 0;

  static constexpr message_info info{"CreateTopicResponse", "The topic as it was created."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Id of the topic; all zero if it was only validated."}, m.id);
    v(field{"partitions", "Number of partitions."}, m.partitions);
    v(field{"replication", "Replicas of each partition."}, m.replication);
  }
};

struct delete_topic_request {
  std::string name;
  std::int32_t timeout_ms = 30000;

  static constexpr message_info info{"DeleteTopicRequest", "The topic to delete."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"timeout_ms", "How long to wait until the deletion is committed."}, m.timeout_ms);
  }
};

struct delete_topic_response {
  uuid id;

  static constexpr message_info info{"DeleteTopicResponse", "The topic that is gone."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Id that the topic had."}, m.id);
  }
};

struct alter_topic_request {
  std::string name;
  std::vector<topic_setting> settings;
  bool validate_only = false;
  std::int32_t timeout_ms = 30000;
  std::int32_t partitions = -1;

  static constexpr message_info info{"AlterTopicRequest", "What to change."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"settings", "Settings to set or, without a value, to reset. Others stay."}, m.settings);
    v(field{"validate_only", "Check everything, change nothing."}, m.validate_only);
    v(field{"timeout_ms", "How long to wait until the change is committed."}, m.timeout_ms);
    v(field{"partitions",
            "The number of partitions from now on, at least as many as there are; -1 leaves it.",
            2},
      m.partitions);
  }
};

struct alter_topic_response {
  uuid id;
  std::int32_t partitions = 0;

  static constexpr message_info info{"AlterTopicResponse", "The topic as it was changed."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"id", "Id of the topic."}, m.id);
    v(field{"partitions", "Number of partitions.", 2}, m.partitions);
  }
};

struct list_topics_request {
  bool include_internal = false;

  static constexpr message_info info{"ListTopicsRequest", "Which topics to list."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"include_internal", "Also topics whose names begin with two underscores."},
      m.include_internal);
  }
};

struct topic_summary {
  std::string name;
  uuid id;
  std::int32_t partitions = 0;
  std::int16_t replication = 0;
  std::int64_t created_ms = 0;

  static constexpr message_info info{"TopicSummary", "A topic in a list."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"id", "Id of the topic."}, m.id);
    v(field{"partitions", "Number of partitions."}, m.partitions);
    v(field{"replication", "Replicas of each partition."}, m.replication);
    v(field{"created_ms", "When it was created, in ms since the Unix epoch."}, m.created_ms);
  }
};

struct list_topics_response {
  std::vector<topic_summary> topics;

  static constexpr message_info info{"ListTopicsResponse", "All topics, ordered by name."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics", "The topics."}, m.topics);
  }
};

struct get_topic_info_request {
  std::string name;

  static constexpr message_info info{"GetTopicInfoRequest", "The topic to describe."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
  }
};

struct partition_info {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::int32_t leader = -1;
  std::int32_t leader_epoch = 0;
  std::vector<std::int32_t> replicas;
  std::int64_t log_start = 0;
  std::int64_t high_watermark = 0;
  std::int64_t last_stable = 0;
  std::int64_t size_bytes = 0;
  std::int64_t oldest_ms = -1;

  static constexpr message_info info{"PartitionInfo", "A partition as its leader sees it."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why the partition cannot be described."}, m.error);
    v(field{"leader", "Broker that leads, or -1."}, m.leader);
    v(field{"leader_epoch", "Term of the leader."}, m.leader_epoch);
    v(field{"replicas", "Brokers that hold a replica."}, m.replicas);
    v(field{"log_start", "First offset that can be read."}, m.log_start);
    v(field{"high_watermark", "Offset after the last committed record."}, m.high_watermark);
    v(field{"last_stable", "Offset below which no transaction is open."}, m.last_stable);
    v(field{"size_bytes", "Bytes of the log on the leader's disk."}, m.size_bytes);
    v(field{"oldest_ms", "Timestamp of the first record, or -1."}, m.oldest_ms);
  }
};

struct topic_setting_info {
  std::string name;
  std::string value;
  bool is_default = true;

  static constexpr message_info info{"TopicSettingInfo", "A setting and where it comes from."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the setting."}, m.name);
    v(field{"value", "The value in force."}, m.value);
    v(field{"is_default",
            "Whether the topic leaves it to the cluster. A default that contradicts a setting of "
            "the topic gives way to it."},
      m.is_default);
  }
};

struct get_topic_info_response {
  std::string name;
  uuid id;
  std::int16_t replication = 0;
  std::int64_t created_ms = 0;
  std::vector<topic_setting_info> settings;
  std::vector<partition_info> partitions;

  static constexpr message_info info{"GetTopicInfoResponse", "A topic."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"id", "Id of the topic."}, m.id);
    v(field{"replication", "Replicas of each partition."}, m.replication);
    v(field{"created_ms", "When it was created, in ms since the Unix epoch."}, m.created_ms);
    v(field{"settings", "All settings in force."}, m.settings);
    v(field{"partitions", "All partitions, by number."}, m.partitions);
  }
};

struct metadata_request {
  std::optional<std::vector<std::string>> topics;
  bool auto_create = false;

  static constexpr message_info info{"MetadataRequest", "The topics to describe."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topics",
            "Names of the topics; absent means all, empty means none. A name that comes twice is "
            "answered once."},
      m.topics);
    v(field{"auto_create", "Create named topics that do not exist, if the broker allows it."},
      m.auto_create);
  }
};

struct broker_metadata {
  std::int32_t node = 0;
  std::string host;
  std::uint16_t port = 0;
  std::string rack;

  static constexpr message_info info{"BrokerMetadata", "A broker and where clients reach it."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Id of the broker."}, m.node);
    v(field{"host", "Advertised host."}, m.host);
    v(field{"port", "Advertised port."}, m.port);
    v(field{"rack", "Rack of the broker, or empty."}, m.rack);
  }
};

struct partition_metadata {
  std::int32_t partition = 0;
  errc error = errc::none;
  std::int32_t leader = -1;
  std::int32_t leader_epoch = 0;
  std::vector<std::int32_t> replicas;

  static constexpr message_info info{"PartitionMetadata", "A partition and its leader."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"partition", "Number of the partition."}, m.partition);
    v(field{"error", "0, or why the partition is not available."}, m.error);
    v(field{"leader", "Broker that leads, or -1."}, m.leader);
    v(field{"leader_epoch", "Term of the leader."}, m.leader_epoch);
    v(field{"replicas", "Brokers that hold a replica."}, m.replicas);
  }
};

struct topic_metadata {
  std::string name;
  errc error = errc::none;
  uuid id;
  std::vector<partition_metadata> partitions;
  std::string message;

  static constexpr message_info info{"TopicMetadata", "A topic and its partitions."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"name", "Name of the topic."}, m.name);
    v(field{"error",
            "0, UNKNOWN_TOPIC, INVALID_TOPIC, TOPIC_NOT_READY, or why the topic could not be "
            "created."},
      m.error);
    v(field{"id", "Id of the topic."}, m.id);
    v(field{"partitions", "The partitions, by number."}, m.partitions);
    v(field{"message", "Why the topic could not be created, or empty.", 2}, m.message);
  }
};

struct metadata_response {
  uuid cluster;
  std::int32_t controller = -1;
  std::int64_t metadata_version = 0;
  std::vector<broker_metadata> brokers;
  std::vector<topic_metadata> topics;

  static constexpr message_info info{"MetadataResponse", "The cluster as this broker knows it."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"cluster", "Id of the cluster."}, m.cluster);
    v(field{"controller", "Broker that leads the metadata, or -1."}, m.controller);
    v(field{"metadata_version", "Grows with every change of the metadata."}, m.metadata_version);
    v(field{"brokers", "All brokers."}, m.brokers);
    v(field{"topics", "The topics that were asked for."}, m.topics);
  }
};

} // namespace aqueduct::protocol
