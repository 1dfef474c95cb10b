// A relay between a client and a node that can make answers disappear: the node has done what it
// was asked to, and the client sees its connection end instead.
#pragma once

#include "protocol/native/api.hpp"

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace aqueduct::test {

/// Listens on a free port of the loopback and relays on a thread of its own. `relay_to` and `steal`
/// may be called from any thread.
class answer_thief {
public:
  answer_thief();
  ~answer_thief();
  answer_thief(const answer_thief&) = delete;
  answer_thief& operator=(const answer_thief&) = delete;

  [[nodiscard]] std::string address() const;
  /// Where new connections are relayed to: a port of the loopback.
  void relay_to(std::uint16_t port) { node_port_ = port; }

  /// The next answer to a request of this kind is thrown away and its connection closed.
  void steal(protocol::api_key kind) { wanted_ = static_cast<int>(kind); }
  /// Answers that were thrown away so far.
  [[nodiscard]] int stolen() const { return stolen_; }

private:
  struct relay {
    int client = -1;
    int node = -1;
    /// What the node sent and is not a whole frame yet.
    std::vector<std::byte> answers;
  };

  void run();
  void accept();
  /// False when either side ended, or an answer was stolen.
  [[nodiscard]] bool pass_requests(relay& on);
  [[nodiscard]] bool pass_answers(relay& on);

  int listener_ = -1;
  int wake_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::uint16_t> node_port_ = 0;
  /// -1: none.
  std::atomic<int> wanted_ = -1;
  std::atomic<int> stolen_ = 0;
  std::list<relay> relays_;
  std::thread thread_;
};

} // namespace aqueduct::test
