// What a state machine proposed to its group's log and what is to happen when each is decided. The
// answers of a Raft replica name no proposal: they come in the order in which proposals were made.
#pragma once

#include "protocol/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// `Completion` is what is given back with the outcome. Pure; its owner's thread.
template <class Completion>
class proposal_queue {
public:
  struct decided {
    Completion what;
    result<void> outcome;
  };

  /// A proposal that is about to be sent.
  void push(Completion what) { pending_.push_back({0, 0, std::move(what)}); }

  /// The oldest `count` proposals without a place in the log got one, from entry `first` on.
  void placed(std::uint64_t first, std::uint64_t term, std::size_t count) {
    const auto skipped = skip_abandoned(count);
    first += skipped;
    count -= skipped;
    for (std::size_t i = 0; i < count && placed_ < pending_.size(); ++i) {
      auto& proposal = pending_[placed_++];
      proposal.index = first + i;
      proposal.term = term;
    }
  }

  /// The oldest `count` proposals without a place will not get one. Empty if all of them were given
  /// up before, so that it says nothing of what is under way now.
  [[nodiscard]] std::vector<Completion> refused(std::size_t count) {
    count -= skip_abandoned(count);
    std::vector<Completion> gone;
    for (std::size_t i = 0; i < count && placed_ < pending_.size(); ++i) {
      const auto at = pending_.begin() + static_cast<std::ptrdiff_t>(placed_);
      gone.push_back(std::move(at->what));
      pending_.erase(at);
    }
    return gone;
  }

  /// Every entry up to this one is in the state. Those that had a place in an entry of another
  /// term, or in one that was handed over as part of a state, may or may not be in it.
  [[nodiscard]] std::vector<decided> applied(std::uint64_t index, std::uint64_t term) {
    std::vector<decided> over;
    while (placed_ > 0 && pending_.front().index <= index) {
      auto proposal = std::move(pending_.front());
      pending_.pop_front();
      --placed_;
      const bool is_in = proposal.index == index && proposal.term == term;
      over.push_back({std::move(proposal.what),
                      is_in ? result<void>()
                            : unexpected(errc::not_coordinator, "another coordinator took over")});
    }
    return over;
  }

  /// All are given up. `unsent`: so many of the youngest were never sent; of the others that have
  /// no place yet answers are still to come, which will be passed over.
  [[nodiscard]] std::vector<Completion> abandon(std::size_t unsent) {
    abandoned_ += pending_.size() - placed_ - unsent;
    placed_ = 0;
    std::vector<Completion> all;
    for (auto& proposal : std::exchange(pending_, {}))
      all.push_back(std::move(proposal.what));
    return all;
  }

private:
  struct proposal {
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    Completion what;
  };

  /// Of `count` answers: how many are to proposals that were given up.
  std::size_t skip_abandoned(std::size_t count) {
    const auto skipped = std::min(abandoned_, count);
    abandoned_ -= skipped;
    return skipped;
  }

  /// Oldest first; the first `placed_` have their index.
  std::deque<proposal> pending_;
  std::size_t placed_ = 0;
  /// Proposals that were given up before it was said whether they get a place; they are the oldest
  /// of those of which it is not.
  std::size_t abandoned_ = 0;
};

} // namespace aqueduct::actors
