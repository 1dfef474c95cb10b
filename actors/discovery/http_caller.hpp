// HTTP as discovery needs it: a question with its answer, and a stream of lines. Behind it are
// sockets (actors/network/http_client.hpp) or what a test makes of it.
#pragma once

#include "config/endpoint.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace aqueduct::actors {

/// A POST of JSON.
struct http_request {
  std::string path;
  std::string body;

  friend bool operator==(const http_request&, const http_request&) = default;
};

struct http_reply {
  unsigned status = 0;
  std::string body;
};

/// Hears of a stream, from any thread but one call at a time and in order. Must not block.
class http_stream_sink {
public:
  virtual ~http_stream_sink() = default;
  /// A line without its end; never an empty one.
  virtual void line(std::string text) = 0;
  /// The last call, and the only one when the stream could not be opened.
  virtual void closed(const error& why) = 0;
};

/// A stream that was opened. Thread-safe.
class http_stream {
public:
  virtual ~http_stream() = default;
  /// The sink hears `closed`, unless it did.
  virtual void close() = 0;
};

/// Thread-safe, never blocks, not even to look up a name.
class http_caller {
public:
  virtual ~http_caller() = default;
  /// Calls `answered` once, from any thread. Errors: timed_out, connection_lost, broker_unavailable
  /// (the name is unknown), invalid_message (no HTTP), message_too_large.
  virtual void post(const config::endpoint& to, http_request what, std::int64_t timeout_ms,
                    std::function<void(result<http_reply>)> answered) = 0;
  /// The answer is a stream of lines that may go on for ever. `timeout_ms` is for its beginning.
  [[nodiscard]] virtual std::unique_ptr<http_stream>
  open(const config::endpoint& to, http_request what, std::int64_t timeout_ms,
       std::shared_ptr<http_stream_sink> sink) = 0;
};

} // namespace aqueduct::actors
