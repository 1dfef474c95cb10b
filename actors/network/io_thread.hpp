// One thread and the connections that it owns: those of clients, or those of other nodes.
#pragma once

#include "actors/network/connection.hpp"
#include "actors/network/deadline_queue.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_set>

namespace aqueduct::actors::network {

class io_thread {
public:
  /// Counts its connections in `open`, which it may share with others.
  explicit io_thread(const std::shared_ptr<std::atomic<std::size_t>>& open)
      : work_(asio::make_work_guard(io_)),
        chunk_(std::make_shared<read_chunk>()),
        deadlines_(std::make_shared<deadline_queue>(io_)),
        idle_(io_),
        open_(open) {}

  void run();
  /// Closes all connections and ends the thread.
  void stop();

  /// Makes a connection of a socket, and starts it with the dialect that `make` gives and, once it
  /// reads, calls `started`; both on this thread. Counts it.
  using dialect_maker = std::function<std::unique_ptr<dialect>(const std::shared_ptr<connection>&)>;
  using listener = std::function<void(const std::shared_ptr<connection>&)>;
  void adopt(stream socket, const connection_limits& limits,
             const std::shared_ptr<byte_budget>& total, dialect_maker make, listener started = {});

  [[nodiscard]] asio::io_context& context() { return io_; }
  [[nodiscard]] const std::shared_ptr<deadline_queue>& deadlines() const { return deadlines_; }

private:
  void check_idle();

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::shared_ptr<read_chunk> chunk_;
  std::shared_ptr<deadline_queue> deadlines_;
  asio::steady_timer idle_;
  std::shared_ptr<std::atomic<std::size_t>> open_;
  std::unordered_set<std::shared_ptr<connection>> connections_;
  std::thread thread_;
};

} // namespace aqueduct::actors::network
