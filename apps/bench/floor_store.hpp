// The floor server's disk: one file per partition, group commit.
#pragma once

#include "apps/bench/floor_peer.hpp"
#include "apps/bench/floor_server.hpp"
#include "protocol/native/messages.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace aqueduct::bench {

class floor_store {
public:
  [[nodiscard]] static result<std::unique_ptr<floor_store>> open(const floor_options& options);
  floor_store(const floor_store&) = delete;
  floor_store& operator=(const floor_store&) = delete;
  ~floor_store();

  /// Queues a batch; its answer goes to `from` when it is durable. `is_lasting`: `records` may be
  /// kept without a copy.
  void append(int partition, const buffer& records, bool is_lasting,
              const std::shared_ptr<floor_peer>& from, std::uint32_t correlation_id);
  /// Writes what was queued since the last call, or lets the writers know.
  void commit();
  /// Batches of a partition are pushed to `to` when they are durable.
  void subscribe(int partition, const std::shared_ptr<floor_peer>& to, std::uint32_t number);

  /// Reads up to `into.size()` bytes of a partition's file from `position` on; returns how many.
  [[nodiscard]] std::size_t read(int partition, std::uint64_t position,
                                 std::span<std::byte> into) const;
  [[nodiscard]] bool has(int partition) const {
    return partition >= 0 && static_cast<std::size_t>(partition) < files_.size();
  }
  /// The response to a produce, for correlation id 0.
  void prepare_responses(const std::string& topic);

private:
  struct ack {
    std::shared_ptr<floor_peer> to;
    std::uint32_t correlation_id;
  };
  struct pending {
    std::vector<std::byte> small;
    std::vector<buffer> large;
    std::vector<ack> acks;
  };
  struct subscription {
    /// Gone when its connection is: whoever kept it would keep a closed one in epoll.
    std::weak_ptr<floor_peer> to;
    std::uint32_t number;
  };
  struct file {
    int descriptor = -1;
    std::uint64_t end = 0;
    std::vector<std::byte> response;
    std::vector<subscription> subscribers;
    /// Guarded by the mutex of its writer.
    pending queued;
  };
  struct writer {
    std::mutex mutex;
    std::condition_variable wake;
    // Guarded by mutex.
    /// Partitions with something queued.
    std::vector<int> dirty;
    bool is_stopping = false;
    std::thread thread;
  };

  explicit floor_store(const floor_options& options) : options_(options) {}
  [[nodiscard]] writer& writer_of(int partition) {
    return writers_[static_cast<std::size_t>(partition) % writers_.size()];
  }
  void run(writer& me);
  void write_dirty(writer& me, std::unique_lock<std::mutex>& lock);
  void write(file& to, const pending& what) const;
  static void answer(const file& from, const pending& what);
  static void push(const file& from, int partition, const pending& what);

  floor_options options_;
  std::deque<file> files_;
  std::deque<writer> writers_;
};

} // namespace aqueduct::bench
