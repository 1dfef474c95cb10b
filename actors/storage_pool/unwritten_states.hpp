// State that the store has refused, a full disk as a rule. State machines hand over differences and
// forget them, so what was refused is kept and goes before, or rather with, what follows of the
// same group: all of it in one batch, so that the applied index on the disk never stands above a
// row that is not there. Of what was written to one key the last alone is kept, so a group's share
// is bounded by the keys that it touched meanwhile. Pure; owned by one storage actor, which writes.
#pragma once

#include "actors/messages.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aqueduct::actors {

class unwritten_states {
public:
  /// `bytes_max`: of all groups together, keys and values and what it takes to keep them.
  explicit unwritten_states(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Puts what was refused, or what came after it, behind what waits of its group already. False:
  /// it is too much. Then nothing of that group waits any more, and nothing of it is to be written
  /// until `drop`: its state stays as it is on the disk, and the log that leads on from there is
  /// kept, as it may go only as far as the applied index.
  [[nodiscard]] bool add(const storage_write_state& write);
  /// Whether something of the group waits, or was given up.
  [[nodiscard]] bool contains(const group_id& group) const { return groups_.contains(group); }
  /// Everything that waits of a group as one write; nothing if none does.
  [[nodiscard]] std::optional<storage_write_state> find(const group_id& group) const;
  /// It is written, or of no use any more: the group was closed or took over another state.
  void drop(const group_id& group);

  /// Those of which something waits.
  [[nodiscard]] std::vector<group_id> groups() const;
  /// Nothing waits. What was given up does not.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
  using row_key = std::pair<storage::family, std::string>;
  struct waiting_state {
    std::uint64_t generation = 0;
    std::optional<std::int64_t> trim_before;
    log_client_actor from;
    /// Ranges that were removed. They come first: the rows are those that no later range holds.
    std::map<row_key, std::string> cleared;
    /// Nothing: the row is removed.
    std::map<row_key, std::optional<std::string>> rows;
    std::size_t bytes = 0;
    bool is_given_up = false;

    void put(row_key key, std::optional<std::string> value);
    void clear(row_key from, const std::string& to);
    void forget_rows();
  };

  std::size_t bytes_max_;
  std::unordered_map<group_id, waiting_state> groups_;
  /// Invariant: of all groups together.
  std::size_t bytes_ = 0;
};

} // namespace aqueduct::actors
