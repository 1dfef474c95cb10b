// A client of HTTP/1.1 without TLS: one connection per request, closed afterwards. One thread for
// all of them; nothing on it waits. For a few small requests in a second, not for traffic.
#pragma once

#include "actors/discovery/http_caller.hpp"

#include <cstddef>
#include <memory>

namespace aqueduct::actors::network {

class http_client final : public http_caller {
public:
  struct options {
    /// Of an answer, or of a line of a stream.
    std::size_t body_bytes_max = std::size_t{1} << 20;
  };

  /// Starts the thread.
  explicit http_client(options opts);
  ~http_client() override;

  void post(const config::endpoint& to, http_request what, std::int64_t timeout_ms,
            std::function<void(result<http_reply>)> answered) override;
  [[nodiscard]] std::unique_ptr<http_stream> open(const config::endpoint& to, http_request what,
                                                  std::int64_t timeout_ms,
                                                  std::shared_ptr<http_stream_sink> sink) override;

  /// Ends the thread. What is under way ends without an answer. From one thread.
  void stop();

private:
  struct impl;
  class exchange;
  class single_answer;
  class line_stream;
  class stream_handle;
  std::unique_ptr<impl> impl_;
};

} // namespace aqueduct::actors::network
