#include "actors/network/http_client.hpp"

#include "actors/network/name_lookup.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr unsigned http_1_1 = 11;

error to_error(const error_code& failed) {
  if (failed == http::error::body_limit)
    return {errc::message_too_large, "the answer is too large"};
  if (failed == http::error::end_of_stream || failed == http::error::partial_message)
    return {errc::connection_lost, "the connection ended before the answer"};
  if (failed.category() == http::make_error_code(http::error::bad_version).category())
    return {errc::invalid_message, "the answer is not HTTP: " + failed.message()};
  return {errc::connection_lost, failed.message()};
}

std::string shown(std::int64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

} // namespace

struct http_client::impl {
  explicit impl(options given) : opts(given), work(asio::make_work_guard(io)) {}

  options opts;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  /// Ends before the context that its answers go to.
  name_lookup names;
  std::thread thread;
};

/// One request and its connection. Everything happens on the client's thread.
class http_client::exchange : public std::enable_shared_from_this<exchange> {
public:
  explicit exchange(impl& client)
      : client_(client), socket_(client.io), deadline_(client.io), timeout_ms_(0) {}
  virtual ~exchange() = default;

  void begin(const config::endpoint& to, http_request what, std::int64_t timeout_ms) {
    request_ = {http::verb::post, what.path, http_1_1, std::move(what.body)};
    request_.set(http::field::host, to_string(to));
    request_.set(http::field::content_type, "application/json");
    request_.set(http::field::connection, "close");
    request_.prepare_payload();
    timeout_ms_ = timeout_ms;
    deadline_.expires_after(std::chrono::milliseconds(timeout_ms));
    deadline_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      if (!cancelled)
        self->finish({errc::timed_out, "no answer within " + shown(self->timeout_ms_)});
    });
    client_.names.find(
        to, [self = shared_from_this()](const result<std::vector<tcp::endpoint>>& found) {
          asio::post(self->client_.io, [self, found] { self->connect(found); });
        });
  }

  /// Ends it with an error, unless it is over.
  void finish(const error& why) {
    if (end())
      failed(why);
  }

protected:
  /// The header is there.
  virtual void read() = 0;
  virtual void failed(const error& why) = 0;

  /// True the first time: nothing happens on the connection from here on.
  bool end() {
    if (std::exchange(is_over_, true))
      return false;
    deadline_.cancel();
    error_code ignored;
    socket_.close(ignored);
    return true;
  }

  [[nodiscard]] bool is_over() const { return is_over_; }

  void limit_body(std::uint64_t bytes_max) { answer_.body_limit(bytes_max); }

  impl& client_;
  stream socket_;
  asio::steady_timer deadline_;
  boost::beast::flat_buffer received_;
  http::response_parser<http::string_body> answer_;

private:
  void connect(const result<std::vector<tcp::endpoint>>& found) {
    if (is_over_)
      return;
    if (!found) {
      finish(found.error());
      return;
    }
    endpoints_ = *found;
    asio::async_connect(
        socket_, endpoints_,
        [self = shared_from_this()](const error_code& failed, const tcp::endpoint&) {
          if (failed)
            self->finish(to_error(failed));
          else if (!self->is_over_)
            self->write();
        });
  }

  void write() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    http::async_write(socket_, request_,
                      [self = shared_from_this()](const error_code& failed, std::size_t) {
                        if (failed)
                          self->finish(to_error(failed));
                        else if (!self->is_over_)
                          self->read_header();
                      });
  }

  void read_header() {
    http::async_read_header(socket_, received_, answer_,
                            [self = shared_from_this()](const error_code& problem, std::size_t) {
                              if (problem)
                                self->finish(to_error(problem));
                              else if (!self->is_over_)
                                self->check_length();
                            });
  }

  /// Beast (1.74) makes room for what is announced, also beyond its limit.
  void check_length() {
    const auto announced = answer_.content_length();
    if (announced && *announced > client_.opts.body_bytes_max)
      finish(to_error(http::error::body_limit));
    else
      read();
  }

  http::request<http::string_body> request_;
  std::vector<tcp::endpoint> endpoints_;
  std::int64_t timeout_ms_;
  bool is_over_ = false;
};

class http_client::single_answer final : public exchange {
public:
  single_answer(impl& client, std::function<void(result<http_reply>)> answered)
      : exchange(client), answered_(std::move(answered)) {
    limit_body(client.opts.body_bytes_max);
  }

private:
  void read() override {
    http::async_read(
        socket_, received_, answer_,
        [self = shared_from_this(), this](const error_code& problem, std::size_t) {
          if (problem)
            finish(to_error(problem));
          else if (end())
            answered_(http_reply{answer_.get().result_int(), std::move(answer_.get().body())});
        });
  }

  void failed(const error& why) override { answered_(unexpected(why)); }

  std::function<void(result<http_reply>)> answered_;
};

class http_client::line_stream final : public exchange {
public:
  line_stream(impl& client, std::shared_ptr<http_stream_sink> sink)
      : exchange(client), sink_(std::move(sink)) {
    limit_body(std::numeric_limits<std::uint64_t>::max());
  }

private:
  void read() override {
    deadline_.cancel();
    if (answer_.get().result() == http::status::ok)
      got({});
    else
      finish({errc::broker_unavailable,
              "it answers with HTTP status " + std::to_string(answer_.get().result_int())});
  }

  void read_some() {
    http::async_read_some(socket_, received_, answer_,
                          [self = shared_from_this(), this](const error_code& problem,
                                                            std::size_t) { got(problem); });
  }

  void got(const error_code& problem) {
    if (is_over())
      return;
    if (problem) {
      finish(to_error(problem));
      return;
    }
    take(answer_.get().body());
    if (answer_.is_done())
      finish({errc::connection_lost, "the stream ended"});
    else if (!is_over())
      read_some();
  }

  /// Empties `bytes`.
  void take(std::string& bytes) {
    unfinished_ += bytes;
    bytes.clear();
    std::size_t begin = 0;
    for (auto at = unfinished_.find('\n'); at != std::string::npos;
         at = unfinished_.find('\n', begin)) {
      if (at > begin)
        sink_->line(unfinished_.substr(begin, at - begin));
      begin = at + 1;
    }
    unfinished_.erase(0, begin);
    if (unfinished_.size() > client_.opts.body_bytes_max)
      finish({errc::message_too_large, "a line of the stream is too large"});
  }

  void failed(const error& why) override { sink_->closed(why); }

  std::shared_ptr<http_stream_sink> sink_;
  std::string unfinished_;
};

class http_client::stream_handle final : public http_stream {
public:
  stream_handle(impl& client, std::weak_ptr<exchange> of) : client_(client), of_(std::move(of)) {}

  void close() override {
    if (const auto stream = of_.lock())
      asio::post(client_.io, [stream] { stream->finish({errc::cancelled, "closed"}); });
  }

private:
  impl& client_;
  std::weak_ptr<exchange> of_;
};

http_client::http_client(options opts) : impl_(std::make_unique<impl>(opts)) {
  impl_->thread = std::thread([state = impl_.get()] { state->io.run(); });
}

http_client::~http_client() {
  stop();
}

void http_client::post(const config::endpoint& to, http_request what, std::int64_t timeout_ms,
                       std::function<void(result<http_reply>)> answered) {
  asio::post(impl_->io, [made = std::make_shared<single_answer>(*impl_, std::move(answered)), to,
                         what = std::move(what),
                         timeout_ms]() mutable { made->begin(to, std::move(what), timeout_ms); });
}

std::unique_ptr<http_stream> http_client::open(const config::endpoint& to, http_request what,
                                               std::int64_t timeout_ms,
                                               std::shared_ptr<http_stream_sink> sink) {
  auto made = std::make_shared<line_stream>(*impl_, std::move(sink));
  asio::post(impl_->io, [made, to, what = std::move(what), timeout_ms]() mutable {
    made->begin(to, std::move(what), timeout_ms);
  });
  return std::make_unique<stream_handle>(*impl_, made);
}

void http_client::stop() {
  if (!impl_->thread.joinable())
    return;
  impl_->io.stop();
  impl_->thread.join();
}

} // namespace aqueduct::actors::network
