#include "config/topic_config.hpp"

#include "config/topic_model.hpp"

#include <algorithm>

namespace aqueduct::config {

namespace {

using namespace std::chrono_literals;

constexpr auto kafka = number_style::kafka;
constexpr std::chrono::milliseconds day = 24h;

const std::string compaction_refused =
    "compaction by key is not supported; topics keep or delete by time and size";

model<topic_config> build_model() {
  auto cleanup = choice_of<cleanup_policy>();
  cleanup.refused = {{"compact", compaction_refused},
                     {"compact,delete", compaction_refused},
                     {"delete,compact", compaction_refused}};
  model_builder<topic_config> model;
  model
      .add("cleanup.policy", std::move(cleanup), AQUEDUCT_FIELD(cleanup),
           "How old messages go: `delete` removes whole segments by time and size.")
      .add("compression.type", choice_of<topic_compression>(), AQUEDUCT_FIELD(compression),
           "`producer` stores batches as producers compressed them; any other name refuses "
           "batches that are compressed in another way.")
      .add("max.message.bytes", size_kind{1024, 1 << 30, false, kafka},
           AQUEDUCT_FIELD(message_bytes_max), "The largest record batch, as sent, in bytes.")
      .add("message.timestamp.type", choice_of<timestamp_type>(), AQUEDUCT_FIELD(timestamps),
           "Whether a record carries the time at which its producer made it or the time at which "
           "the leader stored it.")
      .add("min.insync.replicas", integer_kind{1, 15}, AQUEDUCT_FIELD(insync_replicas_min),
           "Replicas that must be able to store a message for it to be accepted. A message is "
           "acknowledged by a majority in any case; this demands more.")
      .add("retention.bytes", size_kind{64 << 10, 1ULL << 50, true, kafka},
           AQUEDUCT_FIELD(retention_bytes),
           "How many bytes a partition keeps before its oldest segments go; -1 is unlimited.")
      .add("retention.ms", duration_kind{1s, 36500 * day, true, kafka},
           AQUEDUCT_FIELD(retention_time),
           "How many milliseconds messages are kept; -1 is unlimited.")
      .add("segment.bytes", size_kind{64 << 10, 2ULL << 30, false, kafka},
           AQUEDUCT_FIELD(segment_bytes),
           "The size in bytes at which a partition begins a new segment file.")
      .add("segment.ms", duration_kind{1s, 3650 * day, false, kafka}, AQUEDUCT_FIELD(segment_age),
           "The age in milliseconds at which a partition begins a new segment file.");
  return model.build();
}

std::vector<entry> entries_of(std::span<const topic_override> overrides) {
  std::vector<entry> entries;
  for (const auto& [key, text] : overrides)
    entries.push_back({key, {raw_value::form::plain, text, {}, 0, 0}, {}});
  return entries;
}

struct applied {
  topic_config values;
  origins given;
};

result<applied> apply(const topic_config& defaults, std::span<const topic_override> overrides) {
  applied outcome{defaults, {}};
  problems found;
  topic_model().apply(entries_of(overrides), outcome.values, outcome.given, found);
  const auto& topic = outcome.values;
  if (found.empty() && topic.message_bytes_max > topic.segment_bytes)
    found.push_back("max.message.bytes: " + std::to_string(topic.message_bytes_max) +
                    " must be at most segment.bytes (" + std::to_string(topic.segment_bytes) + ")");
  if (!found.empty())
    return refused(found);
  return outcome;
}

} // namespace

const model<topic_config>& topic_model() {
  static const auto instance = build_model();
  return instance;
}

topic_config topic_defaults(const node_config& node) {
  topic_config topic;
  topic.retention_time = node.retention.time;
  topic.retention_bytes = node.retention.bytes;
  topic.segment_bytes = node.storage.segment_bytes;
  topic.segment_age = node.storage.segment_age;
  topic.message_bytes_max = node.topic.message_bytes_max;
  return topic;
}

result<topic_config> apply_overrides(const topic_config& defaults,
                                     std::span<const topic_override> overrides) {
  auto outcome = apply(defaults, overrides);
  if (!outcome)
    return outcome.propagate();
  return std::move(outcome)->values;
}

result<topic_overrides> canonical_overrides(const topic_config& defaults,
                                            std::span<const topic_override> given) {
  const auto outcome = apply(defaults, given);
  if (!outcome)
    return outcome.propagate();
  topic_overrides canonical;
  for (const auto& row : topic_model().rows())
    if (outcome->given.contains(row.key))
      canonical.emplace_back(row.key, print_value(row.type, row.read(outcome->values)));
  return canonical;
}

result<std::vector<topic_setting_view>> describe_topic(const topic_config& defaults,
                                                       std::span<const topic_override> overrides) {
  const auto outcome = apply(defaults, overrides);
  if (!outcome)
    return outcome.propagate();
  std::vector<topic_setting_view> views;
  for (const auto& row : topic_model().rows())
    views.push_back({row.key, print_value(row.type, row.read(outcome->values)),
                     print_value(row.type, row.read(defaults)), outcome->given.contains(row.key),
                     kind_name(row.type), row.documentation});
  return views;
}

} // namespace aqueduct::config
