// A port that is bound first and accepts later.
#pragma once

#include "actors/network/stream.hpp"
#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace spdlog {
class logger;
}

namespace aqueduct::actors::network {

/// Belongs to the thread of its io_context, but for `bind` and `close`.
class listening_port {
public:
  explicit listening_port(asio::io_context& io) : io_(io), acceptor_(io), pause_(io) {}

  /// Errors: those of `listen_on`.
  [[nodiscard]] result<void> bind(const config::endpoint& listen, std::string_view setting);
  /// The address that was bound, with the port that was taken for port 0.
  [[nodiscard]] const config::endpoint& address() const { return address_; }

  /// Accepts from here on: `owner` says which io_context the next connection belongs to, `take`
  /// gets it.
  using owner = std::function<asio::io_context&()>;
  using taker = std::function<void(stream)>;
  void accept(owner next, taker take, std::shared_ptr<spdlog::logger> log);
  /// Any thread. No new connections from here on.
  void close();

private:
  void accept_one();

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  config::endpoint address_;
  owner next_;
  taker take_;
  std::shared_ptr<spdlog::logger> log_;
};

} // namespace aqueduct::actors::network
