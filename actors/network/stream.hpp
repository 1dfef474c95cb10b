// The byte stream under a connection. The one place that knows it is plain TCP: TLS takes its place
// here, with the same calls.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <utility> // Asio 1.74 uses std::exchange without including it

namespace aqueduct::actors::network {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using stream = tcp::socket;

} // namespace aqueduct::actors::network
