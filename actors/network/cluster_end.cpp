#include "actors/network/cluster_end.hpp"

#include "actors/network/cluster_dialect.hpp"
#include "actors/network/io_thread.hpp"
#include "actors/network/listening_port.hpp"
#include "actors/network/name_lookup.hpp"
#include "protocol/cluster/messages.hpp"

#include <boost/asio/connect.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <utility>

namespace aqueduct::actors::network {

namespace {

/// Two for each other node are needed; the rest bounds what strangers can hold open.
constexpr std::size_t connections_max = 1000;
/// Read ahead of a peer actor, on one connection.
constexpr std::uint64_t received_bytes_min = std::uint64_t{16} << 20;

} // namespace

struct cluster_end::impl {
  explicit impl(options given)
      : opts(std::move(given)),
        open(std::make_shared<std::atomic<std::size_t>>(0)),
        total(std::make_shared<byte_budget>(opts.received_bytes_total)),
        thread(open),
        port(thread.context()) {}

  [[nodiscard]] connection_limits limits() const {
    connection_limits limits;
    // A whole frame must fit, or it would never be read to its end.
    limits.request_bytes_max = std::max(2 * opts.frame_bytes_max, received_bytes_min);
    // Bounded by who writes; a node that waited to write before it reads would wait for ever.
    limits.send_bytes_max = std::numeric_limits<std::ptrdiff_t>::max();
    limits.handshake_timeout = opts.handshake_timeout;
    limits.idle_timeout = opts.idle_timeout;
    return limits;
  }

  [[nodiscard]] std::shared_ptr<cluster_stream> new_stream(bool dialled) const {
    auto stream = std::make_shared<cluster_stream>();
    stream->frame_bytes_max = opts.frame_bytes_max;
    stream->dialled = dialled;
    return stream;
  }

  void take(stream socket) {
    if (open->load() >= connections_max) {
      opts.log->warn("connection to the cluster port refused: {} are open", connections_max);
      return;
    }
    thread.adopt(std::move(socket), limits(), total,
                 [this](const std::shared_ptr<connection>& from) {
                   return make_accepting_dialect(from, new_stream(false), acceptor);
                 });
  }

  options opts;
  std::shared_ptr<std::atomic<std::size_t>> open;
  std::shared_ptr<byte_budget> total;
  io_thread thread;
  listening_port port;
  std::shared_ptr<link_acceptor> acceptor;
  name_lookup names;
  bool serving = false;
};

/// From the dial to the connection. Everything but the calls of `link` happens on the I/O thread.
class cluster_end::dialled_link : public link, public std::enable_shared_from_this<dialled_link> {
public:
  dialled_link(impl& end, std::shared_ptr<link_sink> sink)
      : end_(end), sink_(std::move(sink)), socket_(end.thread.context()) {}

  void look_up(const config::endpoint& address) {
    end_.names.find(
        address, [self = shared_from_this()](const result<std::vector<tcp::endpoint>>& found) {
          asio::post(self->end_.thread.context(), [self, found] { self->connect(found); });
        });
  }

  // -- link --------------------------------------------------------------------------------------

  [[nodiscard]] bool write(buffer_chain bytes) override {
    const auto over = present();
    return over && over->write(std::move(bytes));
  }

  void establish() override {
    if (const auto over = present())
      over->establish();
  }

  void close(bool after_sending) override {
    if (const auto over = present()) {
      over->close(after_sending);
      return;
    }
    asio::post(end_.thread.context(), [self = shared_from_this(), after_sending] {
      if (const auto over = self->present())
        over->close(after_sending);
      else
        self->give_up({errc::cancelled, "given up"});
    });
  }

  [[nodiscard]] std::string name() const override {
    const auto over = present();
    return over ? over->name() : "not connected";
  }

private:
  [[nodiscard]] std::shared_ptr<link> present() const {
    const std::lock_guard lock(mutex_);
    return over_;
  }

  void give_up(const error& why) {
    boost::system::error_code ignored;
    socket_.close(ignored);
    if (const auto sink = std::exchange(sink_, nullptr))
      sink->closed(why);
  }

  void connect(const result<std::vector<tcp::endpoint>>& found) {
    if (!sink_)
      return;
    if (!found) {
      give_up(found.error());
      return;
    }
    endpoints_ = *found;
    asio::async_connect(
        socket_, endpoints_,
        [self = shared_from_this()](const boost::system::error_code& failed, const tcp::endpoint&) {
          if (failed)
            self->give_up({errc::connection_lost, failed.message()});
          else
            self->begin();
        });
  }

  void begin() {
    if (!sink_)
      return;
    const auto stream = end_.new_stream(true);
    end_.thread.adopt(
        std::move(socket_), end_.limits(), end_.total,
        [self = shared_from_this(), stream](const std::shared_ptr<connection>& to) {
          return std::make_unique<cluster_dialect>(to, stream, self->sink_);
        },
        [self = shared_from_this(), stream](const std::shared_ptr<connection>& to) {
          self->started(to, stream);
        });
  }

  void started(const std::shared_ptr<connection>& to,
               const std::shared_ptr<cluster_stream>& stream) {
    const auto sink = std::exchange(sink_, nullptr);
    if (!sink) {
      to->close_now();
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      over_ = make_link(to, stream);
    }
    const auto& preface = protocol::cluster::preface;
    (void)to->send(buffer::copy_of(std::string_view(preface.data(), preface.size())));
    sink->opened();
  }

  impl& end_;
  /// Until the connection has a dialect that owns it, or there will be none.
  std::shared_ptr<link_sink> sink_;
  stream socket_;
  std::vector<tcp::endpoint> endpoints_;
  mutable std::mutex mutex_;
  std::shared_ptr<link> over_;
};

cluster_end::cluster_end(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

cluster_end::~cluster_end() {
  stop();
}

result<std::shared_ptr<cluster_end>> cluster_end::open(options opts) {
  auto state = std::make_unique<impl>(std::move(opts));
  if (auto bound = state->port.bind(state->opts.listen, "cluster.listen"); !bound)
    return bound.propagate();
  return std::shared_ptr<cluster_end>(new cluster_end(std::move(state)));
}

const config::endpoint& cluster_end::address() const {
  return impl_->port.address();
}

void cluster_end::serve(std::shared_ptr<link_acceptor> to) {
  impl_->acceptor = std::move(to);
  impl_->serving = true;
  impl_->port.accept(
      [state = impl_.get()]() -> asio::io_context& { return state->thread.context(); },
      [state = impl_.get()](stream socket) { state->take(std::move(socket)); }, impl_->opts.log);
  impl_->thread.run();
}

void cluster_end::stop() {
  if (std::exchange(impl_->serving, false)) {
    impl_->port.close();
    impl_->thread.stop();
    // It may own this.
    impl_->acceptor.reset();
  }
}

std::size_t cluster_end::connection_count() const {
  return impl_->open->load();
}

std::shared_ptr<link> cluster_end::dial(const config::endpoint& address,
                                        std::shared_ptr<link_sink> sink) {
  auto dialled = std::make_shared<dialled_link>(*impl_, std::move(sink));
  asio::post(impl_->thread.context(), [dialled, address] { dialled->look_up(address); });
  return dialled;
}

} // namespace aqueduct::actors::network
