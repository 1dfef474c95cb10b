#include "actors/network/io_thread.hpp"

#include <chrono>
#include <utility>

namespace aqueduct::actors::network {

namespace {

constexpr auto idle_check_interval = std::chrono::seconds(1);

} // namespace

void io_thread::run() {
  check_idle();
  thread_ = std::thread([this] { io_.run(); });
}

void io_thread::adopt(stream socket, const connection_limits& limits,
                      const std::shared_ptr<byte_budget>& total, dialect_maker make,
                      listener started) {
  open_->fetch_add(1);
  const auto adopted = std::make_shared<connection>(std::move(socket), limits, total, chunk_);
  asio::post(io_, [this, adopted, make = std::move(make), started = std::move(started)] {
    connections_.insert(adopted);
    adopted->start(make(adopted), open_);
    if (started)
      started(adopted);
  });
}

void io_thread::stop() {
  asio::post(io_, [this] {
    for (const auto& each : connections_)
      each->close_now();
    connections_.clear();
    deadlines_->stop();
    boost::system::error_code ignored;
    idle_.cancel(ignored);
    work_.reset();
    io_.stop();
  });
  if (thread_.joinable())
    thread_.join();
}

void io_thread::check_idle() {
  idle_.expires_after(idle_check_interval);
  idle_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled)
      return;
    const auto now = connection::clock::now();
    for (const auto& each : connections_)
      each->check_idle(now);
    std::erase_if(connections_, [](const auto& each) { return each->is_closed(); });
    check_idle();
  });
}

} // namespace aqueduct::actors::network
