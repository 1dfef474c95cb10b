// Brokers for tests of the client: they listen on free ports of the loopback, speak the native
// protocol, keep their topics in memory and check what a real broker checks (leader, checksum,
// sequence, size). A script per request makes them late, wrong, silent or gone. All of them run on
// one thread.
#pragma once

#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "tests/client/fake_coordinator.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace aqueduct::test {

/// A request as a broker got it.
struct fake_request {
  int node = 0;
  protocol::frame_header header;
  buffer payload;
  /// How many of its kind came before, to any broker.
  int number = 0;

  template <class M>
  [[nodiscard]] M as() const {
    return protocol::decode<M>(payload, header.version).value();
  }
};

/// What a script makes of a request.
struct reaction {
  enum class kind {
    /// As a broker should.
    normal,
    /// As it should, but the answer waits for `release`.
    hold,
    /// Nothing at all happens.
    ignore,
    /// The connection is closed, before the request is acted on.
    close,
    /// The request is acted on, then the connection is closed instead of an answer.
    act_and_close,
    /// `bytes` are sent as they are.
    raw,
    /// A response with a status.
    fail,
    /// PRODUCE, FETCH and LIST_OFFSETS: every partition fails with `code`.
    fail_partitions,
  };
  kind what = kind::normal;
  errc code = errc::none;
  int leader = -1;
  std::string bytes{};
  bool retriable = true;
};

struct fake_producer {
  std::int16_t epoch = -1;
  struct entry {
    std::int32_t first;
    std::int32_t last;
    std::int64_t base_offset;
  };
  std::deque<entry> last_five;
};

struct fake_partition {
  int leader = 0;
  /// Brokers with a replica besides the leader, and the offset up to which each knows the log;
  /// -1: all.
  std::map<int, std::int64_t> followers;
  int epoch = 1;
  std::vector<buffer> batches;
  std::int64_t log_start = 0;
  std::int64_t end = 0;
  std::map<std::int64_t, fake_producer> producers;
};

struct fake_topic {
  uuid id;
  std::vector<fake_partition> partitions;
  std::size_t batch_bytes_max = 1 << 30;
};

/// Thread-safe. Ends its thread and closes all sockets when it goes away.
class fake_cluster {
public:
  explicit fake_cluster(int brokers = 1);
  ~fake_cluster();

  [[nodiscard]] std::string address(int node) const;
  [[nodiscard]] std::vector<std::string> addresses() const;
  void add_topic(const std::string& name, int partitions, int leader = 0);

  using script = std::function<reaction(const fake_request&)>;
  /// Asked, with the state locked, for each request of this kind.
  void on(protocol::api_key key, script reacts);
  /// The next `times` requests of this kind, then normal again.
  void on_next(protocol::api_key key, int times, reaction how);
  /// Sends the answers that are held, last come first served if `reversed`. Returns how many.
  std::size_t release(bool reversed = false);

  /// The broker stops listening and closes its connections, or listens again on its port.
  void stop(int node);
  void start(int node);
  /// Closes the connections of all brokers.
  void drop_connections();
  void move_leader(const std::string& topic, int partition, int to);

  /// Waits until `holds` is true of the state. False after ten seconds, which is a failed test.
  [[nodiscard]] bool wait(const std::function<bool()>& holds);
  /// Requests of this kind so far.
  [[nodiscard]] int count(protocol::api_key key);
  [[nodiscard]] int connections_accepted();
  /// Looks at, or changes, the state.
  template <class F>
  auto with(F&& use) {
    const std::lock_guard lock(mutex_);
    return use(*this);
  }

  // The state, for `with` and `wait`.
  std::map<std::string, fake_topic> topics;
  fake_coordinator group;
  std::vector<fake_request> log;
  std::size_t held_count() const { return held_.size(); }
  /// Of the brokers.
  std::map<int, std::string> racks;
  /// What HELLO says.
  protocol::hello_response hello;
  std::set<protocol::api_key> unknown_apis;
  bool auto_create = false;
  std::int64_t next_producer_id = 100;
  /// Credit given by CREDIT requests, and bytes pushed, of all subscriptions.
  std::int64_t credit_given = 0;
  std::int64_t bytes_pushed = 0;
  std::size_t subscriptions_open = 0;
  /// Connections that clients ended.
  int connections_ended = 0;

private:
  struct session;
  struct broker;
  struct parked_fetch;
  friend struct session;
  using session_ptr = std::shared_ptr<session>;

  void accept(broker& from);
  void ended();
  void listen(broker& on);
  void handle(const session_ptr& from, const protocol::frame_header& header, buffer payload);
  void act(const session_ptr& from, const fake_request& request, const reaction& how);
  template <class M>
  void answer(const session_ptr& to, const fake_request& request, const M& message,
              const reaction& how);
  void send(const session_ptr& to, const fake_request& request, buffer_chain frame,
            const reaction& how);
  void fail(const session_ptr& to, const fake_request& request, errc code, std::string message,
            const reaction& how);

  [[nodiscard]] protocol::metadata_response metadata(const protocol::metadata_request& request);
  [[nodiscard]] protocol::produce_partition_result produce(int node, const std::string& topic,
                                                           const protocol::produce_partition& part);
  [[nodiscard]] errc check_sequence(fake_partition& in, const protocol::produce_partition& part,
                                    std::int64_t& repeat_of);
  [[nodiscard]] protocol::fetch_response read(const fake_request& request, bool& is_any);
  [[nodiscard]] buffer read_batches(const fake_partition& from, std::int64_t offset,
                                    std::size_t bytes_max);
  [[nodiscard]] protocol::list_offsets_response list_offsets(const fake_request& request);
  void administrate(const session_ptr& from, const fake_request& request, const reaction& how);
  void coordinate(const session_ptr& from, const fake_request& request, const reaction& how);
  void subscribe(const session_ptr& from, const fake_request& request, const reaction& how);
  void push_all();
  void push(const session_ptr& to);
  void wake_fetches();
  void park(const session_ptr& from, const fake_request& request, const reaction& how, int wait_ms);

  std::mutex mutex_;
  std::condition_variable changed_;
  boost::asio::io_context io_;
  std::vector<std::unique_ptr<broker>> brokers_;
  std::map<protocol::api_key, script> scripts_;
  std::map<protocol::api_key, int> counts_;
  std::vector<std::function<void()>> held_;
  std::list<std::shared_ptr<parked_fetch>> parked_;
  int accepted_ = 0;
  std::thread thread_;
};

} // namespace aqueduct::test
