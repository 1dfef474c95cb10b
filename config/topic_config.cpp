#include "config/topic_config.hpp"

#include "config/topic_model.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace aqueduct::config {

namespace {

using namespace std::chrono_literals;

constexpr auto kafka = number_style::kafka;
constexpr std::chrono::milliseconds day = 24h;

constexpr std::string_view cleanup_key = "cleanup.policy";
constexpr std::string_view message_bytes_key = "max.message.bytes";
constexpr std::string_view retention_bytes_key = "retention.bytes";
constexpr std::string_view retention_time_key = "retention.ms";
constexpr std::string_view segment_bytes_key = "segment.bytes";

const std::string compaction_refused =
    "compaction by key is not supported; topics keep or delete by time and size";

model<topic_config> build_model() {
  auto cleanup = choice_of<cleanup_policy>();
  cleanup.refused = {{"compact", compaction_refused},
                     {"compact,delete", compaction_refused},
                     {"delete,compact", compaction_refused}};
  model_builder<topic_config> model;
  model
      .add(std::string(cleanup_key), std::move(cleanup), AQUEDUCT_FIELD(cleanup),
           "How old messages go: `delete` removes whole segments by time and size.")
      .add("compression.type", choice_of<topic_compression>(), AQUEDUCT_FIELD(compression),
           "`producer` stores batches as producers compressed them; any other name refuses "
           "batches that are compressed in another way.")
      .add(std::string(message_bytes_key), size_kind{1024, 1 << 30, false, kafka},
           AQUEDUCT_FIELD(message_bytes_max), "The largest record batch, as sent, in bytes.")
      .add("message.timestamp.type", choice_of<timestamp_type>(), AQUEDUCT_FIELD(timestamps),
           "Whether a record carries the time at which its producer made it or the time at which "
           "the leader stored it.")
      .add("min.insync.replicas", integer_kind{1, 15}, AQUEDUCT_FIELD(insync_replicas_min),
           "Replicas that must be able to store a message for it to be accepted. A message is "
           "acknowledged by a majority in any case; this demands more.")
      .add(std::string(retention_bytes_key), size_kind{64 << 10, 1ULL << 50, true, kafka},
           AQUEDUCT_FIELD(retention_bytes),
           "How many bytes a partition keeps before its oldest segments go; -1 is unlimited.")
      .add(std::string(retention_time_key), duration_kind{1s, 36500 * day, true, kafka},
           AQUEDUCT_FIELD(retention_time),
           "How many milliseconds messages are kept; -1 is unlimited.")
      .add(std::string(segment_bytes_key), size_kind{64 << 10, 2ULL << 30, false, kafka},
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

bool is_contradictory(const topic_config& topic) {
  return topic.message_bytes_max > topic.segment_bytes;
}

std::string contradiction_text(const topic_config& topic) {
  return problem_text({}, message_bytes_key,
                      std::to_string(topic.message_bytes_max) + " must be at most " +
                          std::string(segment_bytes_key) + " (" +
                          std::to_string(topic.segment_bytes) + ")");
}

/// Overrides on top of defaults, before contradictions are resolved.
struct laid_over {
  topic_config values;
  problems unreadable;
  origins given;
};

/// Each override by itself: one that cannot be read takes no other with it.
laid_over lay_over(const topic_config& defaults, std::span<const topic_override> overrides) {
  laid_over outcome{defaults, {}, {}};
  // What the topic wants is not known: nothing goes.
  bool keeps_by_time = false;
  bool keeps_by_size = false;
  for (const auto& one : overrides) {
    problems found;
    topic_model().apply(entries_of({&one, 1}), outcome.values, outcome.given, found);
    if (found.empty())
      continue;
    outcome.unreadable.insert(outcome.unreadable.end(), found.begin(), found.end());
    keeps_by_time = keeps_by_time || one.first == cleanup_key || one.first == retention_time_key;
    keeps_by_size = keeps_by_size || one.first == cleanup_key || one.first == retention_bytes_key;
  }
  if (keeps_by_time)
    outcome.values.retention_time.reset();
  if (keeps_by_size)
    outcome.values.retention_bytes.reset();
  return outcome;
}

struct applied {
  topic_config values;
  origins given;
};

result<applied> apply(const topic_config& defaults, std::span<const topic_override> overrides) {
  applied outcome{defaults, {}};
  problems found;
  topic_model().apply(entries_of(overrides), outcome.values, outcome.given, found);
  if (found.empty() && is_contradictory(outcome.values))
    found.push_back(contradiction_text(outcome.values));
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

result<topic_changes> canonical_changes(const topic_config& defaults,
                                        std::span<const topic_override> current,
                                        std::span<const topic_change> changes) {
  const auto& model = topic_model();
  auto values = defaults;
  origins given;
  problems found;
  std::map<std::string, bool, std::less<>> is_reset;
  for (const auto& [key, text] : changes) {
    if (!is_reset.try_emplace(key, !text).second)
      found.push_back(problem_text({}, key, "is given twice"));
    else if (text)
      model.apply(entries_of(std::to_array<topic_override>({{key, *text}})), values, given, found);
    else if (model.find(key) == nullptr)
      found.push_back(problem_text({}, key, unknown_key_text(key, model.keys())));
  }
  if (!found.empty())
    return refused(found);
  topic_changes canonical;
  for (const auto& row : model.rows())
    if (const auto change = is_reset.find(row.key); change != is_reset.end())
      canonical.emplace_back(row.key, change->second
                                          ? std::nullopt
                                          : std::optional(print_value(row.type, row.read(values))));
  // A contradiction that was there before is not this change's to answer for.
  const auto whole = lay_over(defaults, merge_changes(current, canonical)).values;
  if (is_contradictory(whole) &&
      (is_reset.contains(message_bytes_key) || is_reset.contains(segment_bytes_key)))
    return unexpected(errc::invalid_config, contradiction_text(whole));
  return canonical;
}

topic_overrides merge_changes(std::span<const topic_override> current,
                              std::span<const topic_change> changes) {
  std::map<std::string, std::string> merged(current.begin(), current.end());
  for (const auto& [key, text] : changes) {
    if (text)
      merged.insert_or_assign(key, *text);
    else
      merged.erase(key);
  }
  return {merged.begin(), merged.end()};
}

std::optional<std::string> contradiction(std::span<const topic_override> overrides) {
  const auto [values, unreadable, given] = lay_over({}, overrides);
  if (given.contains(message_bytes_key) && given.contains(segment_bytes_key) &&
      is_contradictory(values))
    return contradiction_text(values);
  return std::nullopt;
}

topic_settings_in_effect in_effect(const topic_config& defaults,
                                   std::span<const topic_override> overrides) {
  auto [values, unreadable, given] = lay_over(defaults, overrides);
  auto& notes = unreadable;
  if (is_contradictory(values)) {
    const auto give_way = [&notes](std::string_view key, std::uint64_t& value, std::uint64_t to,
                                   std::string_view other) {
      notes.push_back(problem_text({}, key,
                                   "the node's default " + std::to_string(value) +
                                       " gives way to " + std::to_string(to) + ", for " +
                                       std::string(other)));
      value = to;
    };
    if (given.contains(message_bytes_key))
      give_way(segment_bytes_key, values.segment_bytes, values.message_bytes_max,
               message_bytes_key);
    else
      give_way(message_bytes_key, values.message_bytes_max, values.segment_bytes,
               segment_bytes_key);
  }
  return {values, std::move(notes)};
}

std::vector<topic_setting_view> describe_topic(const topic_config& defaults,
                                               std::span<const topic_override> overrides) {
  const auto values = in_effect(defaults, overrides).values;
  std::vector<topic_setting_view> views;
  for (const auto& row : topic_model().rows())
    views.push_back(
        {row.key, print_value(row.type, row.read(values)),
         print_value(row.type, row.read(defaults)),
         std::ranges::find(overrides, row.key, &topic_override::first) != overrides.end(),
         kind_name(row.type), row.documentation});
  return views;
}

} // namespace aqueduct::config
