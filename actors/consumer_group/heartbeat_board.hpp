// Where coordinators list the members of stable groups, so that whoever reads a heartbeat answers
// it without waking the coordinator: of a thousand idle members that is most of what they cost. A
// heartbeat which says anything but "I am still here, in the generation that stands" finds no row
// and goes to the coordinator, as does every one while a group rebalances.
#pragma once

#include "actors/consumer_group/group_calls.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace aqueduct::actors {

/// One for each coordinator. Thread-safe.
class heartbeat_board : public std::enable_shared_from_this<heartbeat_board> {
  struct row {
    std::int32_t generation = 0;
    std::string instance;
    std::atomic<std::int64_t> heard_ms{0};
  };

public:
  /// A member's row, which goes with this. The coordinator's.
  class listing {
  public:
    listing() = default;
    listing(listing&& other) noexcept = default;
    listing& operator=(listing&& other) noexcept;
    ~listing() { withdraw(); }

    [[nodiscard]] explicit operator bool() const { return row_ != nullptr; }
    /// When the member was heard last, on the clock of `beat`; 0: not since it was listed.
    [[nodiscard]] std::int64_t heard_ms() const { return row_ ? row_->heard_ms.load() : 0; }
    /// From here on its heartbeats go to the coordinator. Returns when it was heard last, as
    /// `heard_ms` does: nothing is noted after that.
    std::int64_t withdraw();

  private:
    friend heartbeat_board;
    std::shared_ptr<heartbeat_board> board_;
    std::string key_;
    std::shared_ptr<row> row_;
  };

  /// Lists a member in the generation that stands; a row that another listing has of it is
  /// replaced.
  [[nodiscard]] listing list(std::string_view group, const group_member_id& who);
  /// A heartbeat. True: noted, and answered by "yes".
  [[nodiscard]] bool beat(std::string_view group, const group_member_id& who, std::int64_t now_ms);

private:
  static std::string key_of(std::string_view group, std::string_view member);

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<row>> rows_;
};

} // namespace aqueduct::actors
