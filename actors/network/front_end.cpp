#include "actors/network/front_end.hpp"

#include "actors/network/io_thread.hpp"
#include "actors/network/listening_port.hpp"
#include "actors/network/native_dialect.hpp"
#include "protocol/invariant.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

namespace aqueduct::actors::network {

namespace {

std::int32_t thread_count(std::int32_t configured) {
  if (configured > 0)
    return configured;
  return std::max(1, static_cast<std::int32_t>(std::thread::hardware_concurrency()) / 2);
}

} // namespace

struct front_end::impl {
  /// A port and what its connections are served with.
  struct door {
    explicit door(asio::io_context& io) : port(io) {}

    listening_port port;
    std::shared_ptr<const front_services> node;
    /// The I/O thread that the next connection belongs to: it is known when the port begins to wait
    /// for it, so no other port may change it meanwhile.
    std::size_t next_thread = 0;
  };

  explicit impl(options given)
      : opts(std::move(given)),
        open(std::make_shared<std::atomic<std::size_t>>(0)),
        total(std::make_shared<byte_budget>(opts.limits.request_bytes_total)),
        connections_max(opts.limits.connections) {
    for (std::int32_t i = 0; i < thread_count(opts.network.threads); ++i)
      threads.push_back(std::make_unique<io_thread>(open));
    for (std::size_t i = 0; i <= opts.listeners.size(); ++i)
      doors.emplace_back(threads.front()->context());
  }

  [[nodiscard]] result<void> bind() {
    if (auto bound = doors.front().port.bind(opts.listen, "listen"); !bound)
      return bound;
    for (std::size_t i = 0; i < opts.listeners.size(); ++i)
      if (auto bound = doors[i + 1].port.bind(opts.listeners[i].address, "listeners.listen");
          !bound)
        return bound;
    return {};
  }

  void accept(door& at) {
    at.port.accept(
        [this, &at]() -> asio::io_context& { return threads[at.next_thread]->context(); },
        [this, &at](stream socket) { take(std::move(socket), at); }, at.node->log);
  }

  void take(stream socket, door& at) {
    const auto& node = at.node;
    const auto thread = at.next_thread;
    at.next_thread = (thread + 1) % threads.size();
    if (open->load() >= static_cast<std::size_t>(connections_max.load())) {
      // One line for all that follow: a client that tries again and again does not fill the log.
      if (refused++ == 0)
        node->log->warn("connections are refused: limits.connections is {}",
                        connections_max.load());
      return;
    }
    if (refused > 0)
      node->log->info("connections are taken again; {} were refused", std::exchange(refused, 0));
    connection_limits limits;
    limits.request_bytes_max = opts.limits.request_bytes_in_flight;
    limits.send_bytes_max = opts.network.send_buffer_bytes;
    limits.handshake_timeout = opts.network.handshake_timeout;
    limits.idle_timeout = opts.network.idle_timeout;
    threads[thread]->adopt(std::move(socket), limits, total,
                           [served = node, deadlines = threads[thread]->deadlines()](
                               const std::shared_ptr<connection>& client) {
                             return make_first_dialect(client, served, deadlines);
                           });
  }

  options opts;
  std::shared_ptr<std::atomic<std::size_t>> open;
  std::shared_ptr<byte_budget> total;
  std::atomic<std::int32_t> connections_max;
  std::vector<std::unique_ptr<io_thread>> threads;
  /// The one of `listen` first. All of them accept on the first thread. Never moved.
  std::deque<door> doors;
  /// Connections refused since the last that was taken.
  std::uint64_t refused = 0;
  bool serving = false;
};

front_end::front_end(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

front_end::~front_end() {
  stop();
}

result<std::unique_ptr<front_end>> front_end::open(options opts) {
  auto state = std::make_unique<impl>(std::move(opts));
  if (auto bound = state->bind(); !bound)
    return bound.propagate();
  return std::unique_ptr<front_end>(new front_end(std::move(state)));
}

const config::endpoint& front_end::address() const {
  return impl_->doors.front().port.address();
}

std::vector<config::named_endpoint> front_end::listeners() const {
  auto bound = impl_->opts.listeners;
  for (std::size_t i = 0; i < bound.size(); ++i)
    bound[i].address = impl_->doors[i + 1].port.address();
  return bound;
}

void front_end::serve(std::shared_ptr<const front_services> node,
                      std::vector<std::shared_ptr<const front_services>> of_listeners) {
  AQUEDUCT_INVARIANT(of_listeners.size() == impl_->opts.listeners.size(), "one for each listener");
  impl_->doors.front().node = std::move(node);
  for (std::size_t i = 0; i < of_listeners.size(); ++i)
    impl_->doors[i + 1].node = std::move(of_listeners[i]);
  impl_->serving = true;
  for (auto& each : impl_->doors)
    impl_->accept(each);
  for (const auto& thread : impl_->threads)
    thread->run();
}

void front_end::limit_connections(std::int32_t count) {
  impl_->connections_max = count;
}

void front_end::stop_accepting() {
  for (auto& each : impl_->doors)
    each.port.close();
}

void front_end::stop() {
  if (!impl_ || !std::exchange(impl_->serving, false))
    return;
  stop_accepting();
  for (const auto& thread : impl_->threads)
    thread->stop();
}

std::size_t front_end::connection_count() const {
  return impl_->open->load();
}

} // namespace aqueduct::actors::network
