// The actor that finds nodes through etcd, with HTTP that a test answers, and real links.
#include "actors/discovery/etcd_discovery.hpp"
#include "tests/actors/link_node.hpp"

#include <caf/send.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <future>
#include <utility>

using namespace aqueduct;
using namespace aqueduct::actors;
using actors::test::link_node;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

uuid some_cluster() {
  uuid id;
  id.bytes[0] = 7;
  return id;
}

/// An etcd for one node, which grants whatever is asked and answers at once.
class fake_etcd final : public http_caller {
public:
  void post(const config::endpoint&, http_request what, std::int64_t,
            std::function<void(result<http_reply>)> answered) override {
    std::unique_lock lock(mutex_);
    ++requests_;
    const auto reply = broken_ ? http_reply{500, "<html>"} : http_reply{200, answer(what)};
    changed_.notify_all();
    lock.unlock();
    answered(reply);
  }

  std::unique_ptr<http_stream> open(const config::endpoint&, http_request, std::int64_t,
                                    std::shared_ptr<http_stream_sink> sink) override {
    const std::lock_guard lock(mutex_);
    watch_ = std::move(sink);
    changed_.notify_all();
    return std::make_unique<stream>(*this);
  }

  void put(const std::string& key, const std::string& value) {
    const std::lock_guard lock(mutex_);
    keys_[to_base64(key)] = {{"value", to_base64(value)}};
  }
  void break_down(bool is_broken) {
    const std::lock_guard lock(mutex_);
    broken_ = is_broken;
  }
  /// Waits until a key has a value, and returns it.
  std::string wait_for(const std::string& key) {
    std::string value;
    wait([&] {
      const auto found = keys_.find(to_base64(key));
      if (found != keys_.end())
        value = from_base64(found->second.at("value").get<std::string>()).value();
      return found != keys_.end();
    });
    return value;
  }
  void wait_for_requests(int more) {
    wait([this, until = requests_ + more] { return requests_ >= until; });
  }
  std::shared_ptr<http_stream_sink> wait_for_watch() {
    wait([this] { return watch_ != nullptr; });
    const std::lock_guard lock(mutex_);
    return std::exchange(watch_, nullptr);
  }
  void wait_for_close() {
    wait([this] { return closed_ > 0; });
  }

private:
  class stream final : public http_stream {
  public:
    explicit stream(fake_etcd& of) : of_(of) {}
    void close() override {
      const std::lock_guard lock(of_.mutex_);
      ++of_.closed_;
      of_.changed_.notify_all();
    }

  private:
    fake_etcd& of_;
  };

  std::string answer(const http_request& what) {
    const auto body = json::parse(what.body);
    json said{{"header", {{"revision", "5"}}}};
    if (what.path == "/v3/lease/grant") {
      said["ID"] = "77";
      said["TTL"] = body.at("TTL");
    } else if (what.path == "/v3/lease/keepalive") {
      said["result"] = {{"ID", "77"}, {"TTL", "9"}};
    } else if (what.path == "/v3/kv/txn") {
      const auto& put = body.at("success").at(0).at("request_put");
      keys_[put.at("key")] = put;
      said["succeeded"] = true;
    } else {
      said["kvs"] = json::array();
      for (auto [key, entry] : keys_) {
        entry["key"] = key;
        said["kvs"].push_back(entry);
      }
    }
    return said.dump();
  }

  void wait(const std::function<bool()>& until) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 30s, until))
      throw std::runtime_error("it did not happen within 30 s");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, json> keys_;
  std::shared_ptr<http_stream_sink> watch_;
  bool broken_ = false;
  int requests_ = 0;
  int closed_ = 0;
};

/// Node 1 with a discovery, which ends before its links.
class searching_node {
public:
  explicit searching_node(const std::shared_ptr<fake_etcd>& etcd) {
    etcd_discovery_config finding;
    finding.prefix = "/p";
    finding.members = {{"etcd", 2379}};
    finding.http = etcd;
    finding.transport = node.transport;
    finding.env = make_system_environment();
    finding.log = component_logger("discovery");
    finding.decided = [this](const survey_outcome& found) { promise_.set_value(found); };
    actor_ = spawn_etcd_discovery(system_, std::move(finding));
  }
  ~searching_node() {
    tell(discovery_stop{});
    actor_ = nullptr;
    system_.await_all_actors_done();
  }

  template <class Event>
  void tell(Event what) {
    caf::anon_send(actor_, etcd_event{std::move(what)});
  }
  bool is_decided() { return decided_.wait_for(0s) == std::future_status::ready; }
  uuid decided() {
    if (decided_.wait_for(30s) != std::future_status::ready)
      throw std::runtime_error("nothing was decided");
    return decided_.get().cluster;
  }
  /// Waits until the node has a link to `other`, up or not.
  bool meets(int other) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < deadline) {
      for (const auto& peer : node.transport->status())
        if (peer.peer.value == other)
          return true;
      std::this_thread::yield();
    }
    return false;
  }

  link_node node{1};

private:
  std::promise<survey_outcome> promise_;
  std::future<survey_outcome> decided_ = promise_.get_future();
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
  etcd_discovery_actor actor_;
};

} // namespace

TEST_SUITE("actors.etcd_discovery") {
  TEST_CASE("the node registers, claims, is told to found, and tells what it founded") {
    const auto etcd = std::make_shared<fake_etcd>();
    searching_node one(etcd);
    CHECK(one.decided().is_nil());
    CHECK(decode_founder(etcd->wait_for("/p/founder")) == registered_founder{1, 1});
    CHECK(etcd->wait_for("/p/nodes/1").find("\"incarnation\":1") != std::string::npos);
    one.tell(cluster_joined{some_cluster()});
    CHECK(etcd->wait_for("/p/cluster") == to_string(some_cluster()));
  }

  TEST_CASE("a node that the watch tells of gets a link, and the watch is closed at the end") {
    const auto etcd = std::make_shared<fake_etcd>();
    {
      searching_node one(etcd);
      CHECK(one.decided().is_nil());
      const auto watch = etcd->wait_for_watch();
      etcd->put("/p/nodes/2", encode(registered_node{{"127.0.0.1", 1}, 1, {}}));
      watch->line(R"({"result":{"events":[{"kv":{}}]}})");
      CHECK(one.meets(2));
      // One that is over is opened again.
      watch->closed({errc::connection_lost, "x"});
      (void)etcd->wait_for_watch();
    }
    etcd->wait_for_close();
  }

  TEST_CASE("an etcd that answers with nonsense is asked again until it does not") {
    const auto etcd = std::make_shared<fake_etcd>();
    etcd->break_down(true);
    searching_node one(etcd);
    etcd->wait_for_requests(3);
    CHECK_FALSE(one.is_decided());
    etcd->break_down(false);
    CHECK(one.decided().is_nil());
  }

  TEST_CASE("an empty node joins the cluster that etcd names") {
    const auto etcd = std::make_shared<fake_etcd>();
    etcd->put("/p/cluster", to_string(some_cluster()));
    searching_node one(etcd);
    CHECK(one.decided() == some_cluster());
  }

  TEST_CASE("a node that introduces itself gets a link") {
    const auto etcd = std::make_shared<fake_etcd>();
    searching_node one(etcd);
    protocol::cluster::hello hello;
    hello.node = 3;
    hello.host = "127.0.0.1";
    hello.port = 1;
    one.tell(stranger_seen{hello});
    CHECK(one.meets(3));
  }
}
