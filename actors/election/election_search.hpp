// Which node to ask next for the leader of a partition: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace aqueduct::actors {

class election_search {
public:
  /// `replicas` are the nodes that have one, and `leader` the one that leads as far as is known, or
  /// -1.
  explicit election_search(std::vector<std::int32_t> replicas, std::int32_t leader = -1)
      : unasked_(std::move(replicas)), told_(leader) {}

  /// The one that was asked last does not lead: `leader` does, if it is not -1.
  void told(std::int32_t leader) { told_ = leader; }
  /// Who is named to lead, else the first that was not asked yet. Nothing: all were, or leadership
  /// moves from one to the next so fast that it is not worth following.
  [[nodiscard]] std::optional<std::int32_t> next();

private:
  static constexpr std::size_t asked_max = 12;

  std::vector<std::int32_t> unasked_;
  std::int32_t told_;
  std::size_t asked_ = 0;
};

} // namespace aqueduct::actors
