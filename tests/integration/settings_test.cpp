// Settings of a node that change, on SIGHUP and with a restart, and the topics that have others.
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

#include <csignal>

TEST_SUITE_BEGIN("integration.settings");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

/// 2020-01-01: far older than the default retention.
constexpr std::int64_t long_ago_ms = 1'577'836'800'000;

/// `count` batches of one record of a quarter of a MiB each.
void fill(native_client& client, const std::string& topic, int count) {
  for (int i = 0; i < count; ++i)
    append(client, topic, 0, {std::string(256 << 10, static_cast<char>('a' + i))}, long_ago_ms);
}

/// A topic like those that must keep their records, but for retention.
void create_control(native_client& client) {
  create_topic(
      client, "control", 1,
      {{"segment.bytes", "1048576"}, {"retention.ms", "-1"}, {"max.message.bytes", "1048576"}});
  fill(client, "control", 9);
}

/// Lets the node delete what is too old of "control", which shows that it looked.
void delete_control(node_process& node) {
  native_client client(node.client_address());
  protocol::alter_topic_request reset;
  reset.name = "control";
  reset.settings.push_back({"retention.ms", std::nullopt});
  (void)must(client.call(reset));
  // A partition looks at its retention soon after it is opened.
  node.restart();
  client = native_client(node.client_address());
  await(client, "control", [&] { return log_start(client, "control") > 0; });
}

} // namespace

TEST_CASE("a default that changes on SIGHUP takes no setting of a topic with it") {
  const temp_directory folder;
  const auto file = folder.write("node.toml", "[topic]\nmessage-bytes-max = \"1MB\"\n");
  node_process node({folder.path() / "data", {}, {"--config", file.string()}});
  native_client client(node.client_address());
  create_topic(client, "kept", 1, {{"segment.bytes", "1048576"}, {"retention.ms", "-1"}});
  create_topic(client, "plain");
  fill(client, "kept", 9);
  create_control(client);

  (void)folder.write("node.toml", "[topic]\nmessage-bytes-max = \"4MB\"\n");
  node.process().signal(SIGHUP);
  await(client, "plain",
        [&] { return setting_of(topic_info(client, "plain"), "max.message.bytes") == "4000000"; });

  const auto check_settings = [&] {
    const auto info = topic_info(client, "kept");
    CHECK(setting_of(info, "retention.ms") == "-1");
    CHECK(setting_of(info, "segment.bytes") == "1048576");
    // The default gives way to what the topic has.
    CHECK(setting_of(info, "max.message.bytes") == "1048576");
  };
  check_settings();
  const auto large = batch_of({std::string(2 << 20, 'x')});
  CHECK(produce(client, "kept", 0, large).error == errc::message_too_large);
  CHECK(produce(client, "plain", 0, large).error == errc::none);
  alter_topic(client, "kept", {{"segment.ms", "3600000"}});

  delete_control(node);
  client = native_client(node.client_address());
  check_settings();
  CHECK(log_start(client, "kept") == 0);
  CHECK(read_all(client, "kept", 0).size() == 9);
}

TEST_CASE("a default that changes with a restart takes no setting of a topic with it") {
  const temp_directory folder;
  {
    node_process node({folder.path() / "data"});
    native_client client(node.client_address());
    create_topic(client, "kept", 1, {{"max.message.bytes", "4000000"}, {"retention.ms", "-1"}});
    fill(client, "kept", 9);
    create_control(client);
    CHECK(node.stop() == 0);
  }
  node_process node(
      {folder.path() / "data", {"storage.segment-bytes=2MiB", "storage.preallocate-bytes=0B"}});
  delete_control(node);

  native_client client(node.client_address());
  CHECK(log_start(client, "kept") == 0);
  CHECK(read_all(client, "kept", 0).size() == 9);
  const auto info = topic_info(client, "kept");
  CHECK(setting_of(info, "retention.ms") == "-1");
  CHECK(setting_of(info, "max.message.bytes") == "4000000");
  CHECK(setting_of(info, "segment.bytes") == "4000000");
  const auto large = batch_of({std::string(3 << 20, 'x')});
  CHECK(produce(client, "kept", 0, large).error == errc::none);
}

TEST_CASE("settings that cannot be taken over on SIGHUP leave all as they were") {
  const temp_directory folder;
  const auto file = folder.write("node.toml", "[retention]\ntime = \"1h\"\n");
  node_process node({folder.path() / "data", {}, {"--config", file.string()}});
  native_client client(node.client_address());
  create_topic(client, "plain");

  (void)folder.write("node.toml", "[retention]\ntime = \"2h\"\nbytes = \"nonsense\"\n");
  node.process().signal(SIGHUP);
  await(client, "plain",
        [&] { return node.process().errors().find("retention.bytes") != std::string::npos; });
  CHECK(setting_of(topic_info(client, "plain"), "retention.ms") == "3600000");

  (void)folder.write("node.toml", "[retention]\ntime = \"2h\"\n");
  node.process().signal(SIGHUP);
  await(client, "plain",
        [&] { return setting_of(topic_info(client, "plain"), "retention.ms") == "7200000"; });
}

TEST_SUITE_END();
