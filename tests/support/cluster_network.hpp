// The network between the nodes of a test, as a relay that can be broken: nodes are told each
// other's addresses on it, and every connection between two of them goes through it. Who dialled is
// read from the first message of a connection, so that each direction between two nodes fails
// alone.
#pragma once

#include "protocol/bytes.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace aqueduct::test {

/// Relays on a thread of its own. Thread-safe. Nodes have the ids 1, 2, ...
class cluster_network {
public:
  /// `ports`: where the nodes listen on the loopback. Throws std::runtime_error without sockets.
  explicit cluster_network(std::vector<std::uint16_t> ports);
  ~cluster_network();
  cluster_network(const cluster_network&) = delete;
  cluster_network& operator=(const cluster_network&) = delete;

  /// Where the other nodes reach this one: "127.0.0.1:PORT".
  [[nodiscard]] std::string address(int node) const;

  /// What `from` sends to `to` is taken and vanishes; so does the end of its connections.
  void cut(int from, int to);
  /// Cuts the node off from all others, both ways.
  void isolate(int node);
  /// All that the node sends and is sent arrives so much later.
  void delay(int node, std::chrono::milliseconds by);
  /// Ends all connections of the node, with what is under way on them.
  void reset(int node);
  /// Takes all cuts and delays back. Connections that lost something end.
  void heal();

private:
  using clock = std::chrono::steady_clock;

  struct chunk {
    clock::time_point due;
    std::vector<std::byte> bytes;
    std::size_t sent = 0;
  };
  struct side {
    /// -1: closed, and the other side does not know because of a cut.
    int fd = -1;
    /// -1: not known yet.
    int node = -1;
    /// What this side is to get, oldest first.
    std::deque<chunk> queue;
    std::size_t queued_bytes = 0;
    bool is_blocked = false;
    /// It sends nothing more; the connection ends when the other side has got everything.
    bool has_ended = false;
  };
  struct connection {
    /// The one that dialled, and the one that was reached.
    std::array<side, 2> sides;
    std::size_t preface_passed = 0;
    /// The first message of the dialler, until it is whole.
    std::vector<std::byte> greeting;
    bool is_known = false;
    bool has_lost = false;
    bool is_over = false;
  };

  void run();
  void wake() const;
  void accept(std::size_t node);
  /// Milliseconds until something is due; -1: nothing is.
  [[nodiscard]] int wait_ms() const;
  void serve(connection& on, std::size_t from, short events);
  void read(connection& on, std::size_t from);
  void greet(connection& on, byte_span bytes);
  void pass(connection& on, std::size_t from, byte_span bytes);
  void ended(connection& on, std::size_t from);
  void write_due(connection& on, std::size_t to, clock::time_point now);
  [[nodiscard]] bool is_cut(const connection& on, std::size_t from) const;

  std::vector<std::uint16_t> node_ports_;
  std::vector<int> listeners_;
  std::vector<std::uint16_t> ports_;
  int wake_ = -1;
  mutable std::mutex mutex_;
  bool is_over_ = false;
  std::set<std::pair<int, int>> cuts_;
  std::map<int, std::chrono::milliseconds> delays_;
  std::list<connection> connections_;
  std::thread thread_;
};

} // namespace aqueduct::test
