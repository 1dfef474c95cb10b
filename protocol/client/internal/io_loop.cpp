#include "protocol/client/internal/io_loop.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>

namespace aqueduct::client {

io_loop::io_loop() : state_(std::make_shared<shared>()) {
  thread_ = std::thread([state = state_] { state->io.run(); });
  id_ = thread_.get_id();
  ::pthread_setname_np(thread_.native_handle(), "aq-client-io");
}

io_loop::~io_loop() {
  stop([] {});
  join();
}

bool io_loop::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (is_stopped_)
    return false;
  boost::asio::post(state_->io, std::move(task));
  return true;
}

void io_loop::stop(std::function<void()> last) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_)
      return;
    is_stopped_ = true;
  }
  auto finish = [state = state_, last = std::move(last)] {
    last();
    state->io.stop();
  };
  if (is_current())
    return finish();
  boost::asio::post(state_->io, std::move(finish));
  join();
}

void io_loop::join() {
  // The lock is not held while joining: the I/O thread may be waiting for it in `post`.
  std::thread ending;
  {
    const std::lock_guard lock(mutex_);
    ending.swap(thread_);
  }
  if (!ending.joinable())
    return;
  if (is_current())
    ending.detach();
  else
    ending.join();
}

bool io_loop::is_current() const {
  return std::this_thread::get_id() == id_;
}

} // namespace aqueduct::client
