// Consumer groups and their offsets as a replicated state machine: what all replicas of a
// coordinator's partition know alike. Pure: `replay` is the only thing that changes it, for live
// commands and when the log is read again. What a coordinator decides, and who is alive, is not
// here but in `group_coordinator`.
#pragma once

#include "actors/consumer_group/group_records.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors {

/// A key of the state and its new value; nullopt removes it.
struct row_write {
  std::string key;
  std::optional<buffer> value;
};

class group_table {
public:
  struct entry {
    group_record record;
    std::map<offset_key, offset_record> offsets;
  };

  /// Applies a committed command and says what it changed in the key-value state.
  std::vector<row_write> replay(const group_command& command);
  /// Puts a key of the stored state back. storage_damaged if it cannot be read.
  [[nodiscard]] result<void> restore(std::string_view key, const buffer& value);

  [[nodiscard]] const std::map<std::string, entry, std::less<>>& groups() const { return groups_; }
  /// nullptr: nothing is known of the group.
  [[nodiscard]] const entry* find(std::string_view group) const;

private:
  std::vector<row_write> apply(const put_group_command& command);
  std::vector<row_write> apply(const commit_offsets_command& command);
  std::vector<row_write> apply(const remove_offsets_command& command);
  std::vector<row_write> apply(const delete_group_command& command);
  entry& entry_of(const std::string& group);
  /// A group that only ever committed is nothing without offsets. Precondition: it is there.
  void drop_if_nothing(const std::string& group);

  /// Invariant: the record has the key as its id.
  std::map<std::string, entry, std::less<>> groups_;
};

} // namespace aqueduct::actors
