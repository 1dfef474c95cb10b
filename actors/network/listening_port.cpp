#include "actors/network/listening_port.hpp"

#include "actors/network/listener.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace aqueduct::actors::network {

namespace {

constexpr auto accept_pause = std::chrono::milliseconds(100);

} // namespace

result<void> listening_port::bind(const config::endpoint& listen, std::string_view setting) {
  auto bound = listen_on(io_, listen, setting);
  if (!bound)
    return bound.propagate();
  acceptor_ = std::move(*bound);
  address_ = {listen.host, acceptor_.local_endpoint().port()};
  return {};
}

void listening_port::accept(owner next, taker take, std::shared_ptr<spdlog::logger> log) {
  next_ = std::move(next);
  take_ = std::move(take);
  log_ = std::move(log);
  accept_one();
}

void listening_port::accept_one() {
  acceptor_.async_accept(next_(), [this](const boost::system::error_code& failed, stream socket) {
    if (failed == asio::error::operation_aborted)
      return;
    if (failed) {
      // Out of file descriptors, most likely: waiting is better than spinning.
      log_->warn("accept: {}", failed.message());
      pause_.expires_after(accept_pause);
      pause_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled)
          accept_one();
      });
      return;
    }
    take_(std::move(socket));
    accept_one();
  });
}

void listening_port::close() {
  asio::post(acceptor_.get_executor(), [this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel(ignored);
  });
}

} // namespace aqueduct::actors::network
