// The settings of one topic: typed values, and the list of (key, value) strings that clients send
// and the cluster metadata stores. Keys are Kafka's where Kafka has one. Only what differs from the
// node's defaults is stored: a list of overrides.
#pragma once

#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aqueduct::config {

enum class cleanup_policy : std::uint8_t { remove };
/// `producer`: batches are stored as they come; else batches with another codec are refused.
enum class topic_compression : std::uint8_t { producer, none, gzip, snappy, lz4, zstd };
enum class timestamp_type : std::uint8_t { create_time, log_append_time };

struct topic_config {
  /// retention.ms; nullopt is unlimited.
  std::optional<std::chrono::milliseconds> retention_time = std::chrono::hours(24 * 7);
  /// retention.bytes, per partition; nullopt is unlimited.
  std::optional<std::uint64_t> retention_bytes;
  /// segment.bytes
  std::uint64_t segment_bytes = 256ULL << 20;
  /// segment.ms
  std::chrono::milliseconds segment_age = std::chrono::hours(24 * 7);
  /// max.message.bytes, of one record batch as sent.
  std::uint64_t message_bytes_max = (1ULL << 20) + 12;
  /// cleanup.policy
  cleanup_policy cleanup = cleanup_policy::remove;
  /// compression.type
  topic_compression compression = topic_compression::producer;
  /// message.timestamp.type
  timestamp_type timestamps = timestamp_type::create_time;
  /// min.insync.replicas
  std::int32_t insync_replicas_min = 1;

  friend bool operator==(const topic_config&, const topic_config&) = default;
};

using topic_override = std::pair<std::string, std::string>;
using topic_overrides = std::vector<topic_override>;

/// What a topic without overrides has on a node with these settings.
[[nodiscard]] topic_config topic_defaults(const node_config& node);

/// `defaults` with `overrides` on top. `invalid_config` with one line per problem: unknown key
/// (with the nearest known one), key given twice, bad value, value out of range.
[[nodiscard]] result<topic_config> apply_overrides(const topic_config& defaults,
                                                   std::span<const topic_override> overrides);

/// The same overrides, checked like by `apply_overrides`, in canonical spelling and ordered by key:
/// what is worth storing.
[[nodiscard]] result<topic_overrides> canonical_overrides(const topic_config& defaults,
                                                          std::span<const topic_override> given);

/// A change of a topic's settings; nullopt takes the override away.
using topic_change = std::pair<std::string, std::optional<std::string>>;
using topic_changes = std::vector<topic_change>;

/// `changes` of a topic that has `current`, in canonical spelling and ordered by key.
/// `invalid_config` with one line per problem of a change by itself, and if a setting that is
/// changed would contradict another.
[[nodiscard]] result<topic_changes> canonical_changes(const topic_config& defaults,
                                                      std::span<const topic_override> current,
                                                      std::span<const topic_change> changes);

/// `current` with canonical `changes` on top, ordered by key.
[[nodiscard]] topic_overrides merge_changes(std::span<const topic_override> current,
                                            std::span<const topic_change> changes);

/// Why two of the overrides contradict each other, whatever a node's defaults are.
[[nodiscard]] std::optional<std::string> contradiction(std::span<const topic_override> overrides);

/// What a topic has of a list of overrides that was checked when it was stored, on a node whose
/// defaults, or whose version, may be others by now.
struct topic_settings_in_effect {
  topic_config values;
  /// One line per override that could not be read and per default that had to give way.
  std::vector<std::string> notes;
};

/// Never fails, for the topic has data and must be served. Each override that is valid by itself is
/// in effect, whatever becomes of the others. Where the values contradict each other, the one that
/// the topic leaves to the node gives way; an override never does. An override of a setting that
/// decides what is deleted, which cannot be read, keeps everything.
[[nodiscard]] topic_settings_in_effect in_effect(const topic_config& defaults,
                                                 std::span<const topic_override> overrides);

/// A setting of a topic as shown to people and to Kafka's DescribeConfigs.
struct topic_setting_view {
  std::string key;
  std::string value;
  std::string default_value;
  /// False: `value` is the node's default, brought within the topic's overrides.
  bool overridden = false;
  /// "integer", "choice", ...
  std::string type;
  std::string documentation;
};

/// Every setting of a topic as it is in effect, ordered by key.
[[nodiscard]] std::vector<topic_setting_view>
describe_topic(const topic_config& defaults, std::span<const topic_override> overrides);

} // namespace aqueduct::config
