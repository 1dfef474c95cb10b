#include "actors/consumer_group/group_table.hpp"

#include <utility>

namespace aqueduct::actors {

std::vector<row_write> group_table::replay(const group_command& command) {
  return std::visit([this](const auto& what) { return apply(what); }, command);
}

result<void> group_table::restore(std::string_view key, const buffer& value) {
  const auto name = parse_row_key(key);
  if (!name)
    return name.propagate();
  if (name->is_offset) {
    auto offset = decode_offset_row(value);
    if (!offset)
      return offset.propagate();
    entry_of(name->group).offsets[name->offset] = std::move(*offset);
    return {};
  }
  auto record = decode_group_row(value);
  if (!record)
    return record.propagate();
  if (record->id != name->group)
    return unexpected(errc::storage_damaged, "a row of a consumer group has another group's name");
  entry_of(name->group).record = std::move(*record);
  return {};
}

const group_table::entry* group_table::find(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

group_table::entry& group_table::entry_of(const std::string& group) {
  const auto [at, is_new] = groups_.try_emplace(group);
  if (is_new)
    at->second.record.id = group;
  return at->second;
}

std::vector<row_write> group_table::apply(const put_group_command& command) {
  entry_of(command.group.id).record = command.group;
  return {{group_row_key(command.group.id), encode_row(command.group)}};
}

std::vector<row_write> group_table::apply(const commit_offsets_command& command) {
  std::vector<row_write> writes;
  for (const auto& commit : command.commits) {
    auto& entry = entry_of(commit.group);
    for (const auto& row : commit.offsets) {
      const bool is_forgotten = row.value.offset < 0;
      writes.push_back({offset_row_key(commit.group, row.key),
                        is_forgotten ? std::nullopt : std::optional(encode_row(row.value))});
      if (is_forgotten)
        entry.offsets.erase(row.key);
      else
        entry.offsets[row.key] = row.value;
    }
    drop_if_nothing(commit.group);
  }
  return writes;
}

std::vector<row_write> group_table::apply(const remove_offsets_command& command) {
  std::vector<row_write> writes;
  const auto found = groups_.find(command.group);
  if (found == groups_.end())
    return writes;
  for (const auto& key : command.offsets)
    if (found->second.offsets.erase(key) > 0)
      writes.push_back({offset_row_key(command.group, key), std::nullopt});
  drop_if_nothing(command.group);
  return writes;
}

void group_table::drop_if_nothing(const std::string& group) {
  const auto found = groups_.find(group);
  if (found->second.offsets.empty() && found->second.record.generation == 0)
    groups_.erase(found);
}

std::vector<row_write> group_table::apply(const delete_group_command& command) {
  std::vector<row_write> writes;
  const auto found = groups_.find(command.group);
  if (found == groups_.end())
    return writes;
  for (const auto& [key, offset] : found->second.offsets)
    writes.push_back({offset_row_key(command.group, key), std::nullopt});
  writes.push_back({group_row_key(command.group), std::nullopt});
  groups_.erase(found);
  return writes;
}

} // namespace aqueduct::actors
