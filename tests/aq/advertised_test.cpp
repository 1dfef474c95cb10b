// Whether the addresses that a cluster tells its clients lead to its brokers.
#include "apps/aq/advertised.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "tests/aq/support.hpp"
#include "tests/support/raw_socket.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::aq;
using namespace std::chrono_literals;

namespace {

const uuid our_cluster{{1}};
const uuid their_cluster{{2}};

bootstrap_broker bootstrap(const std::string& host = "10.0.0.1",
                           address_scope scope = address_scope::network) {
  return {{host, 9092}, scope, 1, our_cluster};
}

advertised_probe probe(std::int32_t node, const std::string& host,
                       result<broker_introduction> answer,
                       address_scope scope = address_scope::network) {
  return {{node, {host, 9092}}, scope, std::move(answer)};
}

unexpected refused() {
  return unexpected(errc::broker_unavailable, "Connection refused");
}

/// Serves one connection after the other, in a thread of its own, until it is destroyed.
class stub_server {
public:
  using conversation = std::function<void(aqueduct::test::raw_socket&)>;

  explicit stub_server(conversation talk) : talk_(std::move(talk)), thread_([this] { serve(); }) {}
  ~stub_server() {
    stops_ = true;
    const auto wakes = aqueduct::test::raw_socket::connected_to(listener_.port());
    thread_.join();
  }
  stub_server(const stub_server&) = delete;
  stub_server& operator=(const stub_server&) = delete;

  [[nodiscard]] config::endpoint address() const { return {"127.0.0.1", listener_.port()}; }

private:
  void serve() {
    while (true) {
      auto client = listener_.accept();
      if (stops_)
        return;
      talk_(client);
    }
  }

  aqueduct::test::raw_listener listener_;
  std::atomic<bool> stops_ = false;
  conversation talk_;
  std::thread thread_;
};

template <class Message>
void answer(aqueduct::test::raw_socket& client, const protocol::frame_header& to,
            const Message& message) {
  auto header = to;
  header.kind = protocol::frame_kind::response;
  client.write(protocol::encode_frame(header, message).flatten());
}

/// A broker that says who it is, and who the others are.
stub_server::conversation broker(std::int32_t node, const uuid& cluster,
                                 const std::function<std::vector<advertised_broker>()>& brokers) {
  return [=](aqueduct::test::raw_socket& client) {
    std::vector<std::byte> preface(protocol::native_preface.size());
    if (!client.read_exactly(preface))
      return;
    while (const auto frame = client.read_frame()) {
      if (frame->header.key == protocol::api_key::hello) {
        protocol::hello_response hello;
        hello.node = node;
        hello.cluster = cluster;
        answer(client, frame->header, hello);
      } else {
        protocol::metadata_response metadata;
        metadata.cluster = cluster;
        for (const auto& each : brokers())
          metadata.brokers.push_back({each.node, each.address.host, each.address.port, {}});
        answer(client, frame->header, metadata);
      }
    }
  };
}

stub_server::conversation alone(std::int32_t node, const uuid& cluster) {
  return broker(node, cluster, [] { return std::vector<advertised_broker>(); });
}

/// A port of this machine at which nobody listens any more.
config::endpoint left_port() {
  const aqueduct::test::raw_listener listener;
  return {"127.0.0.1", listener.port()};
}

} // namespace

TEST_SUITE_BEGIN("aq.advertised");

TEST_CASE("an address at which its broker answers is fine") {
  const auto found = judge_advertised_broker(
      bootstrap(), probe(2, "10.0.0.2", broker_introduction{2, our_cluster, {}}));
  CHECK(found.check == "broker 2 address");
  CHECK(found.current == "10.0.0.2:9092");
  CHECK(found.how == severity::ok);
  CHECK(found.fix.empty());
}

TEST_CASE("an address that cannot be reached names the setting and the address that works") {
  const auto own = judge_advertised_broker(bootstrap(), probe(1, "10.9.9.9", refused()));
  CHECK(own.how == severity::critical);
  CHECK(own.current == "10.9.9.9:9092: Connection refused");
  CHECK(own.fix == "set `advertise` of broker 1 to 10.0.0.1:9092, at which it answers");
  const auto other = judge_advertised_broker(bootstrap(), probe(2, "10.9.9.9", refused()));
  CHECK(other.how == severity::critical);
  CHECK(other.fix == "start it if it is down, else set `advertise` of broker 2 to the host and "
                     "port at which clients reach it");
  // What reaches the broker from its own machine does not reach it from others.
  const auto local = judge_advertised_broker(bootstrap("127.0.0.1", address_scope::loopback),
                                             probe(1, "10.9.9.9", refused()));
  CHECK(local.fix == "set `advertise` of broker 1 to an address that all its clients reach; on "
                     "this machine 127.0.0.1:9092 does");
}

TEST_CASE("what clients of a listener with a name are told names the listener") {
  auto asked = bootstrap();
  asked.listener = "out";
  const auto found = judge_advertised_broker(asked, probe(1, "10.9.9.9", refused()));
  CHECK(found.check == "broker 1 address of out");
  CHECK(found.fix ==
        "set out in `listeners.advertise` of broker 1 to 10.0.0.1:9092, at which it answers");
}

TEST_CASE("a loopback address is fine for a broker that was asked at one, and for no other") {
  const auto answer = broker_introduction{1, our_cluster, {}};
  const auto at_loopback = probe(1, "localhost", answer, address_scope::loopback);
  CHECK(judge_advertised_broker(bootstrap("127.0.0.1", address_scope::loopback), at_loopback).how ==
        severity::ok);
  const auto found = judge_advertised_broker(bootstrap(), at_loopback);
  CHECK(found.how == severity::critical);
  CHECK(found.current == "localhost:9092: leads each client to its own machine");
  CHECK(found.fix == "set `advertise` of broker 1 to 10.0.0.1:9092, at which it answers");
  const auto other =
      judge_advertised_broker(bootstrap(), probe(2, "localhost", answer, address_scope::loopback));
  CHECK(other.fix == "set `advertise` of broker 2 to the host and port at which clients reach it");
}

TEST_CASE("an unspecified address is never fine") {
  for (const auto asked : {address_scope::network, address_scope::loopback}) {
    const auto found = judge_advertised_broker(
        bootstrap("10.0.0.1", asked),
        probe(1, "0.0.0.0", broker_introduction{1, our_cluster, {}}, address_scope::unspecified));
    CHECK(found.how == severity::critical);
    CHECK(found.current == "0.0.0.0:9092: not an address that can be connected to");
  }
}

TEST_CASE("an address at which somebody else answers says who") {
  const auto node = judge_advertised_broker(
      bootstrap(), probe(2, "10.0.0.3", broker_introduction{3, our_cluster, {}}));
  CHECK(node.how == severity::critical);
  CHECK(node.current == "10.0.0.3:9092: broker 3 answers");
  const auto cluster = judge_advertised_broker(
      bootstrap(), probe(2, "10.0.0.2", broker_introduction{2, their_cluster, {}}));
  CHECK(cluster.how == severity::critical);
  CHECK(cluster.current ==
        "10.0.0.2:9092: broker 2 of another cluster answers (" + to_string(their_cluster) + ")");
}

TEST_CASE("nobody to ask is critical if somebody was named") {
  CHECK(judge_no_bootstrap("a:1", "Connection refused", true).how == severity::critical);
  const auto found = judge_no_bootstrap("a:1", "Connection refused", false);
  CHECK(found.how == severity::info);
  CHECK(found.current == "a:1: Connection refused");
  CHECK(judge_no_bootstrap("", "", false).current == "no broker to ask");
}

TEST_CASE("addresses are told apart by where they lead") {
  CHECK(scope_of({"127.0.0.1", 1}) == address_scope::loopback);
  CHECK(scope_of({"127.9.9.9", 1}) == address_scope::loopback);
  CHECK(scope_of({"::1", 1}) == address_scope::loopback);
  CHECK(scope_of({"::ffff:127.0.0.1", 1}) == address_scope::loopback);
  CHECK(scope_of({"::ffff:10.0.0.1", 1}) == address_scope::network);
  CHECK(scope_of({"0.0.0.0", 1}) == address_scope::unspecified);
  CHECK(scope_of({"::", 1}) == address_scope::unspecified);
  CHECK(scope_of({"192.0.2.1", 1}) == address_scope::network);
  CHECK(scope_of({"2001:db8::1", 1}) == address_scope::network);
  CHECK(scope_of({"a host.invalid", 1}) == address_scope::nowhere);
}

TEST_CASE("every broker of the cluster is tried at the address that clients are told") {
  const stub_server stranger(alone(2, their_cluster));
  const stub_server third(alone(3, our_cluster));
  const auto nobody = left_port();
  std::vector<advertised_broker> told;
  const stub_server first(broker(1, our_cluster, [&] { return told; }));
  told = {{5, {"a host.invalid", 9092}}, {4, third.address()}, {3, third.address()},
          {2, stranger.address()},       {1, nobody},          {6, {"0.0.0.0", 9092}}};
  const auto found = examine_advertised({{left_port(), first.address()}, true, 30s});
  REQUIRE(found.size() == 6);
  const auto shows = [&](std::size_t row, const std::string& text) {
    CAPTURE(found[row].current);
    CHECK(found[row].check == fmt::format("broker {} address", row + 1));
    CHECK(found[row].how == severity::critical);
    CHECK(found[row].current.find(text) != std::string::npos);
  };
  shows(0, to_string(nobody) + ": Connection refused");
  CHECK(found[0].fix.find(to_string(first.address()) + " does") != std::string::npos);
  shows(1, "broker 2 of another cluster answers");
  CHECK(found[2].how == severity::ok);
  shows(3, "broker 3 answers");
  shows(4, "a host.invalid:9092: ");
  shows(5, "not an address");
}

TEST_CASE("what listens and is no broker is told from nobody") {
  const auto problem = [](const config::endpoint& at, std::chrono::milliseconds patience) {
    const auto told = ask_broker(at, patience, true);
    REQUIRE_FALSE(told);
    return told.error().message;
  };
  const stub_server silent([](auto& client) { client.read_to_end(); });
  CHECK(problem(silent.address(), 20ms) == "takes the connection and does not answer");
  const stub_server closes([](auto& client) {
    std::vector<std::byte> some(protocol::native_preface.size() + protocol::frame_header_size);
    static_cast<void>(client.read_exactly(some));
    client.finish_sending();
    client.read_to_end();
  });
  CHECK(problem(closes.address(), 30s) == "closes the connection");
  const stub_server web([](auto& client) {
    client.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    client.read_to_end();
  });
  CHECK(problem(web.address(), 30s).find("what listens there is no broker: frame length") == 0);
}

TEST_CASE("a doctor who is sent to nobody says so and fails") {
  const aq::test::scratch_directory data;
  const auto nobody = to_string(left_port());
  const auto shown = aq::test::run_aq(
      {"-b", nobody, "doctor", "--no-disk-probe", "--data-dir", data.path(), "--output", "json"});
  CHECK(shown.code == exit_code::failed);
  const auto parsed = nlohmann::json::parse(shown.out);
  const auto& last = parsed["checks"].back();
  CHECK(last["check"] == "broker addresses");
  CHECK(last["current"] == nobody + ": Connection refused");
  CHECK(last["severity"] == "critical");
  CHECK(aq::test::run_aq({"-b", "a:b:c", "doctor", "--no-disk-probe"}).code == exit_code::usage);
}

TEST_CASE("a wrong address is a row of the doctor's report, and fails it") {
  const auto nobody = left_port();
  const stub_server only(broker(1, our_cluster, [&] {
    return std::vector<advertised_broker>{{1, nobody}};
  }));
  const auto shown =
      aq::test::run_aq({"-b", to_string(only.address()), "doctor", "--no-disk-probe"});
  CHECK(shown.code == exit_code::failed);
  CHECK(shown.out.find("broker 1 address") != std::string::npos);
  CHECK(shown.out.find("set `advertise` of broker 1") != std::string::npos);
}

TEST_SUITE_END();
