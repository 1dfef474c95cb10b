// The I/O thread: everything of a cluster object that touches a socket or a timer runs on it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace aqueduct::client {

/// Thread-safe, but for `context`, which is for the I/O thread.
class io_loop {
public:
  io_loop();
  /// Stops. From another thread it waits for the I/O thread to end.
  ~io_loop();

  io_loop(const io_loop&) = delete;
  io_loop& operator=(const io_loop&) = delete;

  /// Runs `task` on the I/O thread; in the order of the calls. False, and nothing happens, once
  /// `stop` was called.
  bool post(std::function<void()> task);

  /// Runs `last` on the I/O thread after everything that was posted before, then ends the thread.
  /// Called on the I/O thread it runs `last` at once. Only the first call counts.
  void stop(std::function<void()> last);

  [[nodiscard]] bool is_current() const;
  [[nodiscard]] boost::asio::io_context& context() { return state_->io; }

private:
  /// Outlives the loop if the loop ends on its own thread.
  struct shared {
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        io.get_executor()};
  };

  void join();

  std::shared_ptr<shared> state_;
  std::mutex mutex_;
  bool is_stopped_ = false;
  std::thread thread_;
  std::thread::id id_;
};

} // namespace aqueduct::client
