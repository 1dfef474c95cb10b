#include "actors/network/front_end.hpp"

#include "actors/network/connection.hpp"
#include "actors/network/listener.hpp"
#include "actors/network/native_dialect.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <unordered_set>
#include <vector>

namespace aqueduct::actors::network {

namespace {

constexpr auto idle_check_interval = std::chrono::seconds(1);
constexpr auto accept_pause = std::chrono::milliseconds(100);

/// One thread and the connections that it owns.
class io_thread {
public:
  explicit io_thread(const std::shared_ptr<std::atomic<std::size_t>>& open)
      : work_(asio::make_work_guard(io_)),
        chunk_(std::make_shared<read_chunk>()),
        deadlines_(std::make_shared<deadline_queue>(io_)),
        idle_(io_),
        open_(open) {}

  void run() {
    check_idle();
    thread_ = std::thread([this] { io_.run(); });
  }

  /// Any thread.
  void adopt(stream socket, const connection_limits& limits,
             const std::shared_ptr<byte_budget>& total,
             const std::shared_ptr<const front_services>& node) {
    const auto client = std::make_shared<connection>(std::move(socket), limits, total, chunk_);
    asio::post(io_, [this, client, node] {
      connections_.insert(client);
      client->start(make_first_dialect(client, node, deadlines_), open_);
    });
  }

  void stop() {
    asio::post(io_, [this] {
      for (const auto& client : connections_)
        client->close_now();
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

  [[nodiscard]] asio::io_context& context() { return io_; }

private:
  void check_idle() {
    idle_.expires_after(idle_check_interval);
    idle_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled)
        return;
      const auto now = connection::clock::now();
      for (const auto& client : connections_)
        client->check_idle(now);
      std::erase_if(connections_, [](const auto& client) { return client->is_closed(); });
      check_idle();
    });
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::shared_ptr<read_chunk> chunk_;
  std::shared_ptr<deadline_queue> deadlines_;
  asio::steady_timer idle_;
  std::shared_ptr<std::atomic<std::size_t>> open_;
  std::unordered_set<std::shared_ptr<connection>> connections_;
  std::thread thread_;
};

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
    acceptor = std::make_unique<tcp::acceptor>(threads.front()->context());
    pause = std::make_unique<asio::steady_timer>(threads.front()->context());
  }

  [[nodiscard]] result<void> bind() {
    auto bound = listen_on(threads.front()->context(), opts.listen, "listen");
    if (!bound)
      return bound.propagate();
    *acceptor = std::move(*bound);
    address = {opts.listen.host, acceptor->local_endpoint().port()};
    return {};
  }

  void accept() {
    acceptor->async_accept(threads[next_thread]->context(),
                           [this](const boost::system::error_code& failed, stream socket) {
                             if (failed == asio::error::operation_aborted)
                               return;
                             if (failed) {
                               // Out of file descriptors, most likely: waiting is better than
                               // spinning.
                               node->log->warn("accept: {}", failed.message());
                               pause->expires_after(accept_pause);
                               pause->async_wait(
                                   [this](const boost::system::error_code& cancelled) {
                                     if (!cancelled)
                                       accept();
                                   });
                               return;
                             }
                             take(std::move(socket));
                             accept();
                           });
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
    open->fetch_add(1);
    connection_limits limits;
    limits.request_bytes_max = opts.limits.request_bytes_in_flight;
    limits.send_bytes_max = opts.network.send_buffer_bytes;
    limits.handshake_timeout = opts.network.handshake_timeout;
    limits.idle_timeout = opts.network.idle_timeout;
    threads[thread]->adopt(std::move(socket), limits, total, node);
  }

  options opts;
  std::shared_ptr<std::atomic<std::size_t>> open;
  std::shared_ptr<byte_budget> total;
  std::atomic<std::int32_t> connections_max;
  std::vector<std::unique_ptr<io_thread>> threads;
  std::unique_ptr<tcp::acceptor> acceptor;
  std::unique_ptr<asio::steady_timer> pause;
  std::size_t next_thread = 0;
  /// Connections refused since the last that was taken.
  std::uint64_t refused = 0;
  config::endpoint address;
  std::shared_ptr<const front_services> node;
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
  return impl_->address;
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
  asio::post(impl_->threads.front()->context(), [state = impl_.get()] {
    boost::system::error_code ignored;
    state->acceptor->close(ignored);
    state->pause->cancel(ignored);
  });
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
