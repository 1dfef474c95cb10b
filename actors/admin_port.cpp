#include "actors/admin_port.hpp"

#include "actors/network/listener.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <set>
#include <string>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr auto publish_timeout = std::chrono::seconds(30);

/// CAF binds ports itself; this one of its actors takes a socket that listens already.
class socket_publisher : public caf::io::middleman_actor_impl {
public:
  socket_publisher(caf::actor_config& config, caf::actor broker, caf::io::network::native_socket fd)
      : caf::io::middleman_actor_impl(config, std::move(broker)), fd_(fd) {}

protected:
  caf::expected<caf::io::doorman_ptr> open(std::uint16_t, const char*, bool) override {
    return system().middleman().backend().new_doorman(fd_);
  }

private:
  caf::io::network::native_socket fd_;
};

} // namespace

struct admin_port::impl {
  network::asio::io_context io{1};
  network::tcp::acceptor acceptor{io};
  config::endpoint address;
};

admin_port::admin_port(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

admin_port::~admin_port() = default;

result<std::unique_ptr<admin_port>> admin_port::open(const config::endpoint& address) {
  auto state = std::make_unique<impl>();
  auto bound = network::listen_on(state->io, address, "admin.listen");
  if (!bound)
    return bound.propagate();
  state->acceptor = std::move(*bound);
  state->address = {address.host, state->acceptor.local_endpoint().port()};
  return std::unique_ptr<admin_port>(new admin_port(std::move(state)));
}

const config::endpoint& admin_port::address() const {
  return impl_->address;
}

result<void> admin_port::publish(caf::actor_system& system, const admin_actor& admin) {
  const auto broker = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  const auto publisher = caf::actor_cast<caf::io::middleman_actor>(
      system.spawn<socket_publisher, caf::hidden>(broker, impl_->acceptor.release()));
  result<void> outcome;
  caf::scoped_actor self(system);
  self->request(publisher, publish_timeout, caf::publish_atom_v, impl_->address.port,
                caf::actor_cast<caf::strong_actor_ptr>(admin),
                system.message_types(caf::detail::type_list<admin_actor>{}), std::string(), false)
      .receive([](std::uint16_t) {},
               [&](caf::error& problem) {
                 outcome =
                     unexpected(errc::internal, "cannot serve " + to_string(impl_->address) +
                                                    " (admin.listen): " + system.render(problem));
               });
  caf::anon_send_exit(publisher, caf::exit_reason::user_shutdown);
  return outcome;
}

} // namespace aqueduct::actors
