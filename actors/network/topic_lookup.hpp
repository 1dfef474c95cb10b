// Which topic and which partitions a request means, and the sentence for those that are not there.
// Every request that names a partition looks it up here.
#pragma once

#include "actors/directory.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aqueduct::actors::network {

/// Why there is no topic `name`: unknown_topic, or invalid_topic if there cannot be one. A name
/// that is longer than a topic's is not repeated in the sentence.
[[nodiscard]] error no_such_topic(std::string_view name);

/// A partition that this node can answer for, or why it cannot.
struct found_partition {
  /// Null when `why` says something.
  std::shared_ptr<partition_route> route;
  error why;
  /// With not_leader: who leads, or -1.
  std::int32_t leader = -1;
};

/// One topic of a request, looked up once for all of its partitions. The topic's name is in the
/// sentence of the first partition that is not there and in no other: an answer does not grow by
/// the length of a name times the number of partitions.
class topic_lookup {
public:
  topic_lookup(const topic_directory& directory, std::string_view name);

  /// Null if there is no such topic.
  [[nodiscard]] const topic_route* topic() const { return topic_.get(); }
  [[nodiscard]] found_partition partition(std::int32_t number);
  /// Why there is no topic. Precondition: there is none.
  [[nodiscard]] error missing();

private:
  std::shared_ptr<const topic_route> topic_;
  std::string_view name_;
  bool named_ = false;
};

} // namespace aqueduct::actors::network
