// A connection to another node, as the peer actors see it: an ordered stream of frames each way.
// Behind it are sockets (actors/network/cluster_end.hpp) or the simulated network of a test.
#pragma once

#include "config/node_config.hpp"
#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/native/frame.hpp"

#include <memory>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// A whole frame as it arrived.
struct link_frame {
  protocol::frame_header header;
  buffer payload;
};

struct link_frames {
  std::vector<link_frame> frames;
  /// The frames count against what the connection may have in memory until this is gone.
  std::shared_ptr<const void> charge;
};

/// One end of a connection. Thread-safe, never blocks. The stream ends when the last owner lets go.
class link {
public:
  virtual ~link() = default;
  /// Takes bytes to be sent behind all earlier ones. True: the system has everything. False: the
  /// sink hears `sent` when it has.
  [[nodiscard]] virtual bool write(buffer_chain bytes) = 0;
  /// The greeting is over: from here on large frames may come, and there is no deadline.
  virtual void establish() = 0;
  /// Ends the connection, after everything was sent if `after_sending`.
  virtual void close(bool after_sending) = 0;
  /// The other end, for logs.
  [[nodiscard]] virtual std::string name() const = 0;
};

/// Hears of a connection, from any thread but one call at a time and in order. Must not block.
class link_sink {
public:
  virtual ~link_sink() = default;
  /// A connection that was dialled is there.
  virtual void opened() = 0;
  virtual void arrived(link_frames frames) = 0;
  /// Everything that was written is with the system.
  virtual void sent() = 0;
  /// The last call; comes for every connection that was dialled or accepted.
  virtual void closed(const error& why) = 0;
};

/// Opens connections. Thread-safe, never blocks, not even to look up a name.
class link_dialler {
public:
  virtual ~link_dialler() = default;
  /// Nothing of the result may be used before the sink heard `opened`, but `close`.
  [[nodiscard]] virtual std::shared_ptr<link> dial(const config::endpoint& address,
                                                   std::shared_ptr<link_sink> sink) = 0;
};

/// Takes connections that other nodes opened. Thread-safe.
class link_acceptor {
public:
  virtual ~link_acceptor() = default;
  [[nodiscard]] virtual std::shared_ptr<link_sink> accepted(std::shared_ptr<link> from) = 0;
};

} // namespace aqueduct::actors
