#include "actors/network/listener.hpp"

#include "actors/network/port_owner.hpp"

namespace aqueduct::actors::network {

namespace {

constexpr int backlog = 1024;

unexpected port_taken(const std::string& what, std::string_view setting,
                      const tcp::endpoint& endpoint) {
  const auto owner = port_owner(endpoint);
  return unexpected(errc::conflict, what + ": the port is in use by " +
                                        (owner.empty() ? "another process" : owner) +
                                        "; stop it, or set " + std::string(setting) +
                                        " to another address");
}

} // namespace

result<tcp::acceptor> listen_on(asio::io_context& io, const config::endpoint& address,
                                std::string_view setting) {
  const auto what = "cannot listen on " + to_string(address) + " (" + std::string(setting) + ")";
  boost::system::error_code failed;
  const auto found = tcp::resolver(io).resolve(address.host, std::to_string(address.port),
                                               tcp::resolver::passive, failed);
  if (failed || found.empty())
    return unexpected(errc::invalid_config,
                      what + ": cannot resolve '" + address.host + "': " + failed.message());
  const auto endpoint = found.begin()->endpoint();
  tcp::acceptor acceptor(io);
  acceptor.open(endpoint.protocol(), failed);
  if (!failed)
    acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
  if (!failed)
    acceptor.bind(endpoint, failed);
  if (!failed)
    acceptor.listen(backlog, failed);
  if (failed == asio::error::address_in_use)
    return port_taken(what, setting, endpoint);
  const bool is_setting =
      failed == boost::system::errc::address_not_available || failed == asio::error::access_denied;
  if (failed)
    return unexpected(is_setting ? errc::invalid_config : errc::internal,
                      what + ": " + failed.message());
  return acceptor;
}

} // namespace aqueduct::actors::network
