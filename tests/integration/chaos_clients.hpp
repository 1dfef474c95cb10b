// Producers and readers that work on a node whatever happens to it, each on a thread of its own.
// When the connection breaks they wait for the node's next life and go on.
#pragma once

#include "tests/integration/chaos_ledger.hpp"

#include <condition_variable>
#include <functional>
#include <thread>

namespace aqueduct::test {

/// Where the clients learn of the node's lives and their driver of the clients' progress.
/// Thread-safe.
class chaos_gate {
public:
  // -- the driver --------------------------------------------------------------------------------

  /// A new life began at this address.
  void open(const address& where);
  /// Clients come to an end: what they sent is answered first.
  void finish();
  /// Waits until `clients` of them wait for the next life. False when they do not within
  /// `patience`.
  [[nodiscard]] bool await_parked(std::size_t clients);
  /// Waits until batches were acknowledged `count` times more than now; false as above.
  [[nodiscard]] bool await_acknowledgements(std::int64_t count);

  // -- the clients -------------------------------------------------------------------------------

  /// Waits for a life newer than `seen`; nothing when the end has come.
  [[nodiscard]] std::optional<address> next_life(std::uint64_t& seen);
  [[nodiscard]] bool is_finishing() const;
  void acknowledged();

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  address where_;
  std::uint64_t life_ = 0;
  bool finishing_ = false;
  std::size_t parked_ = 0;
  std::int64_t acknowledged_ = 0;
};

struct chaos_workload {
  std::string topic = "chaos";
  std::int32_t partitions = 4;
  /// These have the numbers from 0 on and repeat a batch until its offset is known.
  std::int32_t idempotent_producers = 3;
  /// These have the numbers after them and never repeat a batch.
  std::int32_t plain_producers = 2;
  /// Batches that a producer has under way per partition.
  std::size_t window = 5;

  [[nodiscard]] std::size_t client_count() const {
    constexpr std::size_t readers = 2;
    constexpr std::size_t operators = 1;
    return static_cast<std::size_t>(idempotent_producers + plain_producers) + readers + operators;
  }
};

/// Topics that come and go, as far as the node said so.
class topic_churn {
public:
  /// Creates and deletes topics until the connection breaks or the end comes.
  void run(native_client& client, const chaos_gate& gate);
  /// Holds the node's topics against what it acknowledged.
  void verify(native_client& client, chaos_ledger& ledger);
  [[nodiscard]] std::int64_t change_count() const { return changes_; }

private:
  enum class presence { unknown, created, filled, gone };
  std::map<std::string, presence> topics_;
  std::int64_t next_ = 0;
  std::int64_t changes_ = 0;
};

/// Starts `workload.client_count()` threads, which end after `gate.finish()`. `churn` belongs to
/// one of them while it does not wait at the gate.
[[nodiscard]] std::vector<std::jthread> start_clients(const chaos_workload& workload,
                                                      chaos_gate& gate, chaos_ledger& ledger,
                                                      topic_churn& churn);

} // namespace aqueduct::test
