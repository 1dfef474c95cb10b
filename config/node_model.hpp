// The settings model of a node.
#pragma once

#include "config/model.hpp"
#include "config/node_config.hpp"

namespace aqueduct::config {

template <>
struct spelling<discovery_kind> {
  static constexpr auto names = std::to_array<std::pair<discovery_kind, std::string_view>>(
      {{discovery_kind::static_list, "static"},
       {discovery_kind::memory, "memory"},
       {discovery_kind::etcd, "etcd"}});
};

template <>
struct spelling<flush_policy> {
  static constexpr auto names = std::to_array<std::pair<flush_policy, std::string_view>>(
      {{flush_policy::commit, "commit"},
       {flush_policy::interval, "interval"},
       {flush_policy::os, "os"}});
};

template <>
struct spelling<log_level> {
  static constexpr auto names =
      std::to_array<std::pair<log_level, std::string_view>>({{log_level::trace, "trace"},
                                                             {log_level::debug, "debug"},
                                                             {log_level::info, "info"},
                                                             {log_level::warning, "warn"},
                                                             {log_level::error, "error"},
                                                             {log_level::off, "off"}});
};

template <>
struct spelling<log_format> {
  static constexpr auto names = std::to_array<std::pair<log_format, std::string_view>>(
      {{log_format::text, "text"}, {log_format::json, "json"}});
};

/// All settings of a node, ordered as they are shown: those without a section first.
[[nodiscard]] const model<node_config>& node_model();

/// What is wrong with settings that are each within their range but do not go together.
[[nodiscard]] problems conflicts(const node_config& config, const origins& given);

} // namespace aqueduct::config
