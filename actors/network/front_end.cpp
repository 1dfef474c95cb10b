#include "actors/network/front_end.hpp"

#include "actors/network/io_thread.hpp"
#include "actors/network/listening_port.hpp"
#include "actors/network/native_dialect.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
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
  explicit impl(options given)
      : opts(std::move(given)),
        open(std::make_shared<std::atomic<std::size_t>>(0)),
        total(std::make_shared<byte_budget>(opts.limits.request_bytes_total)),
        connections_max(opts.limits.connections) {
    for (std::int32_t i = 0; i < thread_count(opts.network.threads); ++i)
      threads.push_back(std::make_unique<io_thread>(open));
    port = std::make_unique<listening_port>(threads.front()->context());
  }

  void accept() {
    port->accept([this]() -> asio::io_context& { return threads[next_thread]->context(); },
                 [this](stream socket) { take(std::move(socket)); }, node->log);
  }

  void take(stream socket) {
    const auto thread = next_thread;
    next_thread = (next_thread + 1) % threads.size();
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
  std::unique_ptr<listening_port> port;
  std::size_t next_thread = 0;
  /// Connections refused since the last that was taken.
  std::uint64_t refused = 0;
  std::shared_ptr<const front_services> node;
  bool serving = false;
};

front_end::front_end(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

front_end::~front_end() {
  stop();
}

result<std::unique_ptr<front_end>> front_end::open(options opts) {
  auto state = std::make_unique<impl>(std::move(opts));
  if (auto bound = state->port->bind(state->opts.listen, "listen"); !bound)
    return bound.propagate();
  return std::unique_ptr<front_end>(new front_end(std::move(state)));
}

const config::endpoint& front_end::address() const {
  return impl_->port->address();
}

void front_end::serve(std::shared_ptr<const front_services> node) {
  impl_->node = std::move(node);
  impl_->serving = true;
  impl_->accept();
  for (const auto& thread : impl_->threads)
    thread->run();
}

void front_end::limit_connections(std::int32_t count) {
  impl_->connections_max = count;
}

void front_end::stop_accepting() {
  impl_->port->close();
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
