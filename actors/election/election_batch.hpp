// Gathers what came of several elections.
#pragma once

#include "actors/partition/partition_elections.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace aqueduct::actors {

class election_batch final : public election_sink {
public:
  using outcome = protocol::cluster::election_outcome;

  /// `done` is called once, from any thread: when each of the `size` outcomes has come, or those
  /// that are missing never will.
  election_batch(std::size_t size, std::function<void(std::vector<outcome>)> done)
      : outcomes_(size, {protocol::cluster::election_verdict::elsewhere, -1,
                         "the replica that was asked is closed"}),
        left_(size),
        done_(std::move(done)) {}
  ~election_batch() override {
    if (done_)
      done_(std::move(outcomes_));
  }
  election_batch(const election_batch&) = delete;
  election_batch& operator=(const election_batch&) = delete;

  /// Each slot once at most.
  void decided(std::uint32_t slot, outcome what) override {
    outcomes_[slot] = std::move(what);
    if (left_.fetch_sub(1) == 1)
      std::exchange(done_, nullptr)(std::move(outcomes_));
  }

private:
  std::vector<outcome> outcomes_;
  std::atomic<std::size_t> left_;
  std::function<void(std::vector<outcome>)> done_;
};

} // namespace aqueduct::actors
