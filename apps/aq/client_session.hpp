// From the command line to the SDK: connecting, the settings of `-X`, and questions that several
// verbs ask of the cluster.
#pragma once

#include "apps/aq/offsets.hpp"
#include "apps/aq/session.hpp"
#include "protocol/client/admin.hpp"
#include "protocol/client/consumer.hpp"
#include "protocol/client/producer.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::aq {

struct client_settings {
  client::cluster_config cluster;
  client::producer_config producer;
  client::consumer_config consumer;
};

/// The global options and `-X` settings as configurations of the SDK. Errors: invalid_request with
/// the nearest known key.
[[nodiscard]] result<client_settings> make_client_settings(const global_options& options);

/// `leader`, `any`, `linearizable`, or `bounded:` and a duration, as in `bounded:500ms`.
[[nodiscard]] result<client::read_source> parse_read_source(std::string_view text);

/// The keys of `-X` with what they mean, one per line, for the help.
[[nodiscard]] std::string client_settings_help();

/// Connects as the global options say.
[[nodiscard]] result<client::cluster> connect(session& on);

/// Both ends of every partition of a topic, by number. Partitions that cannot answer are an error.
[[nodiscard]] result<std::map<std::int32_t, partition_bounds>>
partition_bounds_of(const client::cluster& cluster, const std::string& topic);

/// The offset that `where` means in each of `partitions`.
[[nodiscard]] result<std::map<std::int32_t, std::int64_t>>
offsets_at(const client::cluster& cluster, const std::string& topic, const position& where,
           const std::map<std::int32_t, partition_bounds>& partitions);

/// `0,2,5-7` as numbers, ascending and each once.
[[nodiscard]] result<std::vector<std::int32_t>> parse_partitions(std::string_view text);

/// Leaves those partitions of `topic` that `list` names, as parse_partitions reads it; empty leaves
/// all. Naming one that does not exist is unknown_partition.
[[nodiscard]] result<void> keep_partitions(std::map<std::int32_t, partition_bounds>& all,
                                           const std::string& topic, const std::string& list);

} // namespace aqueduct::aq
