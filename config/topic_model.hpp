// The settings model of a topic.
#pragma once

#include "config/model.hpp"
#include "config/topic_config.hpp"

namespace aqueduct::config {

template <>
struct spelling<cleanup_policy> {
  static constexpr auto names = std::to_array<std::pair<cleanup_policy, std::string_view>>(
      {{cleanup_policy::remove, "delete"}});
};

template <>
struct spelling<topic_compression> {
  static constexpr auto names = std::to_array<std::pair<topic_compression, std::string_view>>(
      {{topic_compression::producer, "producer"},
       {topic_compression::none, "none"},
       {topic_compression::gzip, "gzip"},
       {topic_compression::snappy, "snappy"},
       {topic_compression::lz4, "lz4"},
       {topic_compression::zstd, "zstd"}});
};

template <>
struct spelling<timestamp_type> {
  static constexpr auto names = std::to_array<std::pair<timestamp_type, std::string_view>>(
      {{timestamp_type::create_time, "CreateTime"},
       {timestamp_type::log_append_time, "LogAppendTime"}});
};

/// All settings of a topic, ordered by key.
[[nodiscard]] const model<topic_config>& topic_model();

} // namespace aqueduct::config
