// What the clients of a simulated cluster sent and saw. A value is "PRODUCER/NUMBER"; a producer
// writes 0, 1, 2 ... to one partition, each until it is acknowledged. Promises that were broken are
// kept as sentences.
#pragma once

#include "actors/calls.hpp"
#include "protocol/ids.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::actors::test {

/// A client that writes to a partition of one life of a topic.
struct producer_state {
  std::string topic;
  uuid id;
  std::int32_t partition = 0;
  std::int64_t producer = 0;
  /// The number under way, or the next one.
  std::int32_t number = 0;
  bool wanted = false;
  /// Asked, and not answered yet.
  std::shared_ptr<std::optional<produce_outcome>> answer;
  std::int64_t deadline_ms = 0;
  std::int32_t asked = 0;
  std::int64_t retry_ms = 0;
  std::int32_t hint = 0;
  /// The answer to some try of this number is not known.
  bool is_unknown = false;
  /// An answer said what only a fault of the cluster could say.
  bool is_done = false;
};

class cluster_ledger {
public:
  using place = std::pair<uuid, std::int32_t>;
  struct log {
    /// What anybody saw, by offset.
    std::map<std::int64_t, std::string> seen;
    /// By offset.
    std::map<std::int64_t, std::string> acknowledged;
    std::int64_t log_start = 0;
  };

  void acknowledge(const place& at, std::int64_t offset, const std::string& value);
  /// A committed record, from any replica or any disk.
  void saw(const place& at, std::int64_t offset, const std::string& value);
  void trimmed(const place& at, std::int64_t before);
  /// What is there in the end, from its first offset on, is complete: whatever was acknowledged
  /// above that is in it, each producer's values are in order and none is there twice.
  void close(const place& at, std::int64_t log_start,
             const std::map<std::int64_t, std::string>& values);

  void broke(std::string sentence);
  [[nodiscard]] std::vector<std::string> take_broken() { return std::exchange(broken_, {}); }
  [[nodiscard]] bool is_clean() const { return broken_.empty(); }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] const std::map<place, log>& logs() const { return logs_; }
  /// Of everything that was acknowledged and seen.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }

  std::map<place, producer_state> producers;
  std::int64_t last_producer = 0;
  std::uint64_t retries = 0;
  std::uint64_t unknown = 0;
  std::uint64_t topics_created = 0;
  std::uint64_t topics_deleted = 0;
  std::uint64_t topics_altered = 0;
  std::uint64_t partitions_added = 0;
  std::uint64_t trims = 0;
  /// Fetches of what a trim had taken, that were told where the log begins.
  std::uint64_t reads_behind_trim = 0;

private:
  void mix(const std::string& text);

  std::map<place, log> logs_;
  std::vector<std::string> broken_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t digest_ = 0xcbf29ce484222325ull;
};

} // namespace aqueduct::actors::test
