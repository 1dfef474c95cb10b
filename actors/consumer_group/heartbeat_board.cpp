#include "actors/consumer_group/heartbeat_board.hpp"

#include <utility>

namespace aqueduct::actors {

heartbeat_board::listing& heartbeat_board::listing::operator=(listing&& other) noexcept {
  if (this != &other) {
    withdraw();
    board_ = std::move(other.board_);
    key_ = std::move(other.key_);
    row_ = std::move(other.row_);
  }
  return *this;
}

std::int64_t heartbeat_board::listing::withdraw() {
  if (!row_)
    return 0;
  const std::lock_guard lock(board_->mutex_);
  // The row may be a later listing's by now.
  if (const auto found = board_->rows_.find(key_);
      found != board_->rows_.end() && found->second == row_)
    board_->rows_.erase(found);
  return std::exchange(row_, nullptr)->heard_ms;
}

std::string heartbeat_board::key_of(std::string_view group, std::string_view member) {
  // No group's name and length are the beginning of another's.
  auto key = std::to_string(group.size());
  key.reserve(key.size() + 1 + group.size() + member.size());
  key.append(":").append(group).append(member);
  return key;
}

heartbeat_board::listing heartbeat_board::list(std::string_view group, const group_member_id& who) {
  listing made;
  made.board_ = shared_from_this();
  made.key_ = key_of(group, who.member);
  made.row_ = std::make_shared<row>();
  made.row_->generation = who.generation;
  made.row_->instance = who.instance;
  const std::lock_guard lock(mutex_);
  rows_.insert_or_assign(made.key_, made.row_);
  return made;
}

bool heartbeat_board::beat(std::string_view group, const group_member_id& who,
                           std::int64_t now_ms) {
  const auto key = key_of(group, who.member);
  const std::lock_guard lock(mutex_);
  const auto found = rows_.find(key);
  if (found == rows_.end() || found->second->generation != who.generation ||
      found->second->instance != who.instance)
    return false;
  found->second->heard_ms = now_ms;
  return true;
}

} // namespace aqueduct::actors
