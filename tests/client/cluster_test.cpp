#include "protocol/client/client.hpp"
#include "protocol/client/internal/cluster_core.hpp"
#include "tests/client/fake_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using protocol::api_key;
using test::fake_cluster;
using test::reaction;
using kind = test::reaction::kind;

namespace {

cluster_config quick(std::vector<std::string> brokers) {
  cluster_config config;
  config.brokers = std::move(brokers);
  config.backoff_min = 1ms;
  config.backoff_max = 10ms;
  config.connect_timeout = 2s;
  return config;
}

cluster open(const cluster_config& config) {
  auto opened = cluster::open(config);
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  return *opened;
}

/// An address at which nobody listens.
std::string dead_address() {
  fake_cluster gone;
  return gone.address(0);
}

} // namespace

TEST_SUITE_BEGIN("client.cluster");

TEST_CASE("one broker of the list is enough, wherever it stands") {
  fake_cluster brokers;
  const auto on = open(quick({dead_address(), dead_address(), brokers.address(0)}));
  CHECK(cluster(on).describe()->brokers.size() == 1);
}

TEST_CASE("a broker that accepts and says nothing does not keep the next one waiting") {
  fake_cluster silent;
  silent.on(api_key::hello, [](const auto&) { return reaction{.what = kind::ignore}; });
  fake_cluster brokers;
  auto config = quick({silent.address(0), brokers.address(0)});
  config.connect_timeout = 1min;
  CHECK(open(config).describe());
}

TEST_CASE("without any broker the error names all of them and why") {
  const auto first = dead_address();
  const auto second = dead_address();
  const auto opened = cluster::open(quick({first, second}));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::broker_unavailable);
  CHECK(opened.error().message.find(first) != std::string::npos);
  CHECK(opened.error().message.find(second) != std::string::npos);
  CHECK(opened.error().message.find("Connection refused") != std::string::npos);
}

TEST_CASE("a broker that does not answer in time is one that is not there") {
  fake_cluster silent;
  silent.on(api_key::hello, [](const auto&) { return reaction{.what = kind::ignore}; });
  auto config = quick({silent.address(0)});
  config.connect_timeout = 30ms;
  const auto opened = cluster::open(config);
  CHECK(opened.error().code == errc::broker_unavailable);
  CHECK(opened.error().message.find("30 ms") != std::string::npos);
}

TEST_CASE("a host that cannot be looked up is named") {
  const auto opened = cluster::open(quick({"no-such-host.invalid:1"}));
  CHECK(opened.error().code == errc::broker_unavailable);
  CHECK(opened.error().message.find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("protocols and requests that the broker does not speak are told apart") {
  SUBCASE("protocol") {
    fake_cluster brokers;
    brokers.with([](fake_cluster& state) { state.hello.protocol = 9; });
    CHECK(cluster::open(quick(brokers.addresses())).error().code == errc::unsupported_version);
  }
  SUBCASE("refusal") {
    fake_cluster brokers;
    brokers.on(api_key::hello, [](const auto&) {
      return reaction{.what = kind::fail, .code = errc::unsupported_version};
    });
    CHECK_FALSE(cluster::open(quick(brokers.addresses())));
  }
  SUBCASE("request") {
    fake_cluster brokers;
    brokers.with([](fake_cluster& state) { state.unknown_apis = {api_key::list_topics}; });
    admin tools(open(quick(brokers.addresses())));
    CHECK(tools.list_topics().error().code == errc::unsupported_api);
  }
  SUBCASE("version") {
    fake_cluster brokers;
    brokers.with([](fake_cluster& state) {
      for (auto& api : state.hello.apis)
        if (api.key == static_cast<std::uint16_t>(api_key::list_topics))
          api.version_min = api.version_max = 2;
    });
    admin tools(open(quick(brokers.addresses())));
    CHECK(tools.list_topics().error().code == errc::unsupported_version);
  }
}

TEST_CASE("garbage closes the connection; the next request opens another") {
  const std::string oversize("\x7f\xff\xff\xff\x01\0\0\x01\0\x01\0\0\0\0\0\x01", 16);
  const std::string unknown_answer("\0\0\0\x0c\x01\0\0\x03\0\x01\0\0\x0f\xff\xff\xff", 16);
  const std::string half_frame("\0\0\0\x20\x01\0\0\x03", 8);
  for (const auto& bytes :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), oversize, unknown_answer}) {
    fake_cluster brokers;
    brokers.add_topic("t", 1);
    admin tools(open(quick(brokers.addresses())));
    brokers.on_next(api_key::list_topics, 1, {.what = kind::raw, .bytes = bytes});

    // The request is repeated on a new connection: listing twice changes nothing.
    const auto topics = tools.list_topics();

    REQUIRE_MESSAGE(topics, to_string(topics.error()));
    CHECK(topics->size() == 1);
    CHECK(brokers.connections_accepted() == 2);
  }
  fake_cluster brokers;
  admin tools(open(quick(brokers.addresses())));
  brokers.on_next(api_key::list_topics, 1, {.what = kind::raw, .bytes = half_frame});
  CHECK(tools.list_topics(false, 50ms).error().code == errc::timed_out);
}

TEST_CASE("an answer whose message is cut short is an error, and trusted no further") {
  fake_cluster brokers;
  admin tools(open(quick(brokers.addresses())));
  // A LIST_TOPICS response with one topic announced and none there; correlation id by its script.
  brokers.on(api_key::list_topics, [](const test::fake_request& request) -> reaction {
    if (request.number > 0)
      return {};
    std::string bytes("\0\0\0\x0d\x01\0\0\x03\0\x01\0\0", 12);
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(request.header.correlation_id >> shift));
    return {.what = kind::raw, .bytes = bytes + '\x01'};
  });
  CHECK(tools.list_topics());
  CHECK(brokers.connections_accepted() == 2);
}

TEST_CASE("a deadline passes without closing the connection of others") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  admin tools(open(quick(brokers.addresses())));
  brokers.on_next(api_key::list_topics, 1, {.what = kind::hold});
  CHECK(tools.list_topics(false, 20ms).error().code == errc::timed_out);
  brokers.release();
  CHECK(tools.list_topics()->size() == 1);
  CHECK(brokers.connections_accepted() == 1);
}

TEST_CASE("many threads share one connection and get their own answers, in any order") {
  fake_cluster brokers;
  for (int i = 0; i < 8; ++i)
    brokers.add_topic("t" + std::to_string(i), i + 1);
  const auto on = open(quick(brokers.addresses()));
  brokers.on_next(api_key::get_topic_info, 8, {.what = kind::hold});
  std::vector<std::future<result<topic_description>>> answers;
  for (int i = 0; i < 8; ++i)
    answers.push_back(std::async(std::launch::async, [&on, i] {
      return admin(on).describe_topic("t" + std::to_string(i));
    }));
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 8; }));
  brokers.release(true);
  for (int i = 0; i < 8; ++i) {
    const auto got = answers[static_cast<std::size_t>(i)].get();
    REQUIRE(got);
    CHECK(got->name == "t" + std::to_string(i));
    CHECK(got->partitions.size() == static_cast<std::size_t>(i + 1));
  }
  CHECK(brokers.connections_accepted() == 1);
}

TEST_CASE("what is refused while a broker restarts succeeds when it is back") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  admin tools(open(quick(brokers.addresses())));
  brokers.stop(0);
  auto listed = std::async(std::launch::async, [&] { return tools.list_topics(); });
  brokers.start(0);
  CHECK(listed.get());
}

TEST_CASE("a connection that nobody uses is closed and opened again when needed") {
  fake_cluster brokers;
  auto config = quick(brokers.addresses());
  config.idle_timeout = 10ms;
  admin tools(open(config));
  CHECK(brokers.wait([&] { return brokers.connections_ended == 1; }));

  CHECK(tools.list_topics());

  CHECK(brokers.connections_accepted() == 2);
}

TEST_CASE("metadata in use is asked for anew at its age, and new partitions are found") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  auto config = quick(brokers.addresses());
  config.metadata_age_max = 100ms;
  const auto on = open(config);
  auto sender = producer::create(on);
  REQUIRE(sender->send_and_wait({.topic = "t", .value = "x"}));
  const record to_new{.topic = "t", .partition = partition_id(2), .value = "x"};
  CHECK(sender->send(to_new).error().code == errc::unknown_partition);
  const auto before = brokers.with([](fake_cluster& state) {
    state.topics.at("t").partitions.resize(3);
    return state.log.size();
  });
  const auto refreshes = [&] {
    return std::count_if(
        brokers.log.begin() + static_cast<std::ptrdiff_t>(before), brokers.log.end(),
        [](const test::fake_request& request) { return request.header.key == api_key::metadata; });
  };
  // When the second refresh is asked for, the first was taken over.
  REQUIRE(brokers.wait([&] { return refreshes() >= 2; }));
  CHECK(sender->send_and_wait(to_new));
}

TEST_CASE("requests beyond the bytes in flight are refused, and producers wait for answers") {
  fake_cluster brokers;
  brokers.add_topic("t", 2);
  auto config = quick(brokers.addresses());
  config.in_flight_bytes_max = 64 << 10;
  const auto on = open(config);
  auto sender = producer::create(on, {.linger = 0ms, .backoff_min = 1ms});
  brokers.on_next(api_key::produce, 1, {.what = kind::hold});
  const std::string large(40'000, 'x');
  auto first = sender->send_future({.topic = "t", .partition = partition_id(0), .value = large});
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 1; }));
  auto second = sender->send_future({.topic = "t", .partition = partition_id(1), .value = large});
  // A small request finds room, and shows that the second large one did not get ahead of it.
  CHECK(admin(on).list_topics());
  CHECK(brokers.count(api_key::produce) == 1);

  brokers.release();

  CHECK(first.get());
  CHECK(second.get());
  CHECK(sender->stats().batches_retried > 0);
}

TEST_CASE("a partition without a leader is waited for") {
  fake_cluster brokers;
  brokers.add_topic("t", 1, -1);
  const auto on = open(quick(brokers.addresses()));
  auto sender = producer::create(on, {.linger = 0ms});
  auto outcome = sender->send_future({.topic = "t", .value = "x"});
  const auto before = brokers.count(api_key::metadata);
  REQUIRE(brokers.wait([&] {
    return std::ranges::count(brokers.log, api_key::metadata,
                              [](const auto& request) { return request.header.key; }) > before + 2;
  }));
  brokers.move_leader("t", 0, 0);
  CHECK(outcome.get());
}

TEST_CASE("metadata is asked for once, however many wait for it") {
  fake_cluster brokers;
  brokers.add_topic("t", 3);
  auto on = open(quick(brokers.addresses()));
  std::vector<std::future<result<topic_layout>>> waiting;
  const auto before = brokers.count(api_key::metadata);
  brokers.on_next(api_key::metadata, 1, {.what = kind::hold});
  for (int i = 0; i < 5; ++i)
    waiting.push_back(std::async(std::launch::async, [&] { return on.topic("t"); }));
  REQUIRE(brokers.wait([&] { return brokers.held_count() == 1; }));
  brokers.release();
  for (auto& each : waiting)
    CHECK(each.get()->partitions.size() == 3);
  CHECK(brokers.count(api_key::metadata) <= before + 2);
  CHECK(on.topic("t"));
}

TEST_CASE("a topic that does not exist, and one that is being made") {
  fake_cluster brokers;
  auto on = open(quick(brokers.addresses()));
  CHECK(on.topic("nowhere").error().code == errc::unknown_topic);

  // It appears while somebody waits: the second answer has it.
  brokers.on(api_key::metadata, [&](const auto&) {
    if (!brokers.topics.contains("soon"))
      brokers.topics["soon"].partitions.resize(2);
    return reaction{};
  });
  CHECK(on.topic("soon")->partitions.size() == 2);
}

TEST_CASE("functions that wait refuse to be called from a callback") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  auto on = open(quick(brokers.addresses()));
  std::promise<errc> code;
  REQUIRE(on.core()->post([&] { code.set_value(admin(on).list_topics().error().code); }));
  CHECK(code.get_future().get() == errc::invalid_request);
}

TEST_CASE("closing ends what is under way, also from a callback, and may be repeated") {
  fake_cluster brokers;
  auto on = open(quick(brokers.addresses()));
  brokers.on(api_key::list_topics, [](const auto&) { return reaction{.what = kind::ignore}; });
  auto listed = std::async(std::launch::async, [&] { return admin(on).list_topics(); });
  REQUIRE(brokers.wait([&] { return brokers.log.back().header.key == api_key::list_topics; }));
  SUBCASE("from outside") {
    on.close();
  }
  SUBCASE("from within") {
    REQUIRE(on.core()->post([&] { on.close(); }));
  }
  CHECK(listed.get().error().code == errc::cancelled);
  on.close();
  CHECK(admin(on).list_topics().error().code == errc::cancelled);
  CHECK(on.describe().error().code == errc::cancelled);
}

TEST_CASE("the last handle may go away on the library's own thread") {
  fake_cluster brokers;
  auto on = std::make_unique<cluster>(open(quick(brokers.addresses())));
  std::promise<void> gone;
  auto* core = on->core().get();
  REQUIRE(core->post([&] {
    on.reset();
    gone.set_value();
  }));
  gone.get_future().wait();
  CHECK_FALSE(on);
}

TEST_CASE("settings of a cluster that are out of range are refused by name") {
  CHECK(cluster_config().validate());
  CHECK(cluster::open({.brokers = {}}).error().code == errc::invalid_config);
  CHECK(cluster::open({.brokers = {"a:b"}}).error().code == errc::invalid_config);
  cluster_config config;
  config.connect_timeout = 0ms;
  CHECK(config.validate().error().message.find("connect_timeout is 0 ms") == 0);
  config = {};
  config.backoff_max = 1ms;
  CHECK(config.validate().error().message.find("backoff_max") == 0);
}

TEST_SUITE_END();
