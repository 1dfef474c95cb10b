// The rows of an OffsetFetch answer: made when the question is asked, filled by what the
// coordinator of the group says. Until then they say that it is not available.
#pragma once

#include "actors/consumer_group/group_calls.hpp"
#include "actors/directory.hpp"
#include "actors/network/kafka_call.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace aqueduct::actors::network {

/// The partition in the coordinator's terms; nothing if this node does not know it.
[[nodiscard]] inline std::optional<offset_key> offset_key_of(const topic_route* topic,
                                                             std::int32_t partition) {
  if (topic == nullptr || partition < 0 ||
      static_cast<std::size_t>(partition) >= topic->partitions.size())
    return std::nullopt;
  return offset_key{topic->record.id, partition};
}

/// What is asked of one group, without the rows. `Rows` below is what has the group's topics in the
/// answer: the answer itself, or from version 8 on one of its groups.
class kafka_offset_rows {
public:
  /// Makes rows for the topics that are asked for; nothing: for all that have an offset.
  template <class Asked, class Rows>
  kafka_offset_rows(const topic_directory& directory,
                    const std::optional<std::vector<Asked>>& asked, Rows& rows) {
    rows.error_code = unavailable;
    if (!asked)
      return;
    std::set<offset_key> keys;
    for (const auto& topic : *asked) {
      auto& made = rows.topics.emplace_back();
      made.name = topic.name;
      const auto route = directory.find(topic.name);
      for (const auto partition : topic.partition_indexes) {
        add_row(made, partition).error_code = unavailable;
        if (const auto key = offset_key_of(route.get(), partition))
          keys.insert(*key);
        else
          is_behind_ = is_behind_ || (route && partition >= 0);
      }
    }
    keys_.emplace(keys.begin(), keys.end());
  }

  /// For the coordinator; nothing: all.
  [[nodiscard]] const std::optional<std::vector<offset_key>>& keys() const { return keys_; }

  template <class Rows>
  void fill(const topic_directory& directory, const kafka_answer& to,
            const fetch_offsets_answer& from, Rows& rows) const {
    // A topic that has grown may have offsets that this node could not ask for: that there are none
    // would send a consumer back to the beginning.
    const auto error =
        from.error == errc::none && is_behind_ ? errc::coordinator_loading : from.error;
    rows.error_code = to.error(error);
    if (error == errc::none && !keys_)
      add_found(directory, from.rows, rows.topics);
    // Versions without an error of the group say it in every row.
    for (auto& topic : rows.topics)
      for (auto& partition : topic.partitions)
        partition.error_code = rows.error_code;
    if (error == errc::none && keys_)
      fill_offsets(directory, from.rows, rows.topics);
  }

private:
  static constexpr auto unavailable =
      number_of(protocol::kafka::error_code::coordinator_not_available);

  /// A row without an offset: none was committed.
  template <class TopicRow>
  static auto& add_row(TopicRow& topic, std::int32_t partition) {
    auto& row = topic.partitions.emplace_back();
    row.partition_index = partition;
    row.metadata = "";
    return row;
  }

  /// Rows for all partitions that have an offset, also those that this node does not know of yet.
  template <class TopicRow>
  static void add_found(const topic_directory& directory, const std::vector<offset_row>& found,
                        std::vector<TopicRow>& topics) {
    for (const auto& each : found) {
      const auto name = directory.name_of(each.key.topic);
      if (!name)
        continue;
      if (topics.empty() || topics.back().name != *name)
        topics.emplace_back().name = *name;
      put_offset(add_row(topics.back(), each.key.partition), each.value);
    }
  }

  template <class Row>
  static void put_offset(Row& row, const offset_record& from) {
    row.committed_offset = from.offset;
    row.committed_leader_epoch = from.leader_epoch;
    row.metadata = from.metadata;
  }

  /// Of the partitions that were asked for.

  template <class TopicRow>
  static void fill_offsets(const topic_directory& directory, const std::vector<offset_row>& found,
                           std::vector<TopicRow>& topics) {
    std::map<offset_key, const offset_row*> by_key;
    for (const auto& row : found)
      by_key[row.key] = &row;
    for (auto& topic : topics) {
      const auto route = directory.find(topic.name);
      for (auto& partition : topic.partitions) {
        const auto key = offset_key_of(route.get(), partition.partition_index);
        const auto row = key ? by_key.find(*key) : by_key.end();
        if (row != by_key.end())
          put_offset(partition, row->second->value);
      }
    }
  }

  std::optional<std::vector<offset_key>> keys_;
  /// The topic has fewer partitions here than were asked for.
  bool is_behind_ = false;
};

} // namespace aqueduct::actors::network
