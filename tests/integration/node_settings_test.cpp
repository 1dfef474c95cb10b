// Settings that a whole node has to obey: read again on SIGHUP, idle connections, the space that is
// kept free, the form of the log.
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

#include <signal.h>

#include <algorithm>
#include <sstream>

TEST_SUITE_BEGIN("integration.node_settings");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

/// A node with a configuration file that a test writes again.
struct configured_node {
  explicit configured_node(const std::string& text)
      : file(folder.write("node.toml", text)),
        node({folder.path() / "data", {}, {"--config", file.string()}}),
        client(node.client_address()) {
    create_topic(client, "t");
  }

  /// Writes the file, tells the node, and waits until its log says `words`.
  void reload(const std::string& text, const std::string& words) {
    folder.write("node.toml", text);
    node.process().signal(SIGHUP);
    INFO(words);
    await(client, "t", [&] { return says(words); });
  }

  [[nodiscard]] bool says(const std::string& words) {
    return node.process().errors().find(words) != std::string::npos;
  }

  /// What asking for a topic that is not there, and may be created, leads to.
  errc wish(const std::string& topic) {
    protocol::metadata_request request;
    request.topics = {topic};
    request.auto_create = true;
    return must(client.call(request)).topics.at(0).error;
  }

  temp_directory folder;
  std::filesystem::path file;
  node_process node;
  native_client client;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

} // namespace

TEST_CASE("SIGHUP takes over what may change and names what waits for a restart") {
  configured_node own("[topic]\nauto-create = true\n[storage]\nthreads = 1\n");
  CHECK(own.wish("before") == errc::none);

  own.reload("[topic]\nauto-create = false\n[storage]\nthreads = 2\n[log]\nlevel = \"debug\"\n",
             "log.level: info -> debug");

  CHECK(own.says("topic.auto-create: true -> false"));
  CHECK(own.says("storage.threads: 1 -> 2 (takes effect after a restart)"));
  await(own.client, "t", [&] {
    static int count = 0;
    return own.wish("after-" + std::to_string(count++)) == errc::unknown_topic;
  });
  // The new level is in force: a refused frame is only worth a debug line.
  native_client stranger(own.node.client_address(), native_client::greeting::none);
  stranger.write("GET / HTTP/1.1\r\n\r\n");
  (void)stranger.read_to_end();
  await(own.client, "t", [&] { return own.says(" refused: "); });
  CHECK(own.node.stop() == 0);
}

TEST_CASE("a SIGHUP with wrong settings changes nothing, and the log says so in its own form") {
  configured_node own("[log]\nformat = \"json\"\n[topic]\nauto-create = false\n");

  own.reload("[log]\nformat = \"json\"\n[topic]\nauto-create = \"so so\"\nnonsense = 1\n",
             "topic.nonsense");

  CHECK(own.says("the settings are not taken over; those from before stay in effect"));
  CHECK(own.says("topic.auto-create"));
  CHECK(own.wish("wished") == errc::unknown_topic);
  // A range that only the settings that stay make wrong is refused as well.
  own.reload("[log]\nformat = \"json\"\n[topic]\nauto-create = true\nmessage-bytes-max = \"1GiB\"\n"
             "[storage]\nsegment-bytes = \"2GB\"\n[limits]\nframe-bytes-max = \"1500MiB\"\n"
             "request-bytes-in-flight = \"1500MiB\"\nrequest-bytes-total = \"2GiB\"\n"
             "decompressed-bytes-max = \"1GiB\"\n",
             "must be at most storage.segment-bytes");
  CHECK(own.wish("wished") == errc::unknown_topic);
  own.reload("[log]\nformat = \"json\"\n[topic]\nauto-create = true\n", "false -> true");
  await(own.client, "t", [&] { return own.wish("wished") == errc::none; });
  CHECK(own.node.stop() == 0);

  const auto lines = lines_of(own.node.process().errors());
  CHECK(lines.size() > 5);
  for (const auto& line : lines) {
    const bool is_object = line.starts_with("{\"ts\":\"") && line.ends_with("\"}");
    CHECK_MESSAGE(is_object, line);
  }
}

TEST_CASE("connections that fall silent are closed with a reason, those that work are not") {
  own_node own({"network.idle-timeout=1s"});
  create_topic(own.client, "t");
  native_client silent(own.node.client_address());
  native_client halfway(own.node.client_address());
  const char length[] = "\0\0\0\x40";
  halfway.write(std::string_view(length, 4));

  bool silent_ended = false;
  bool halfway_ended = false;
  const auto ended = [&](native_client& client, bool& before, const std::string& words) {
    if (!before)
      try {
        const auto frame = client.receive(test_clock::now());
        CHECK(frame.header.status == errc::timed_out);
        CHECK(protocol::decode_error(frame.header, frame.payload).message == words);
        CHECK(client.read_to_end().empty());
        before = true;
      } catch (const nothing_came&) {
      }
    return before;
  };
  await(own.client, "t", [&] {
    const bool first = ended(silent, silent_ended, "nothing came within network.idle-timeout");
    return ended(halfway, halfway_ended, "a frame was not completed within network.idle-timeout") &&
           first;
  });
  CHECK(append(own.client, "t", 0, {"x"}) == 0);
}

TEST_CASE("the room of a closed connection is free as soon as its client sees the end") {
  own_node own({"limits.connections=2", "network.threads=1"});
  for (int i = 0; i < 10; ++i) {
    native_client other(own.node.client_address());
    other.finish_sending();
    CHECK(other.read_to_end().empty());
  }
}

TEST_CASE("without the space that is kept free produce is refused and all else goes on") {
  own_node own;
  create_topic(own.client, "t");
  create_topic(own.client, "gone");
  append(own.client, "t", 0, {"a", "b"});
  REQUIRE(own.node.stop() == 0);
  auto options = own.node.options();
  options.settings.push_back("storage.reserve-bytes=16TiB");
  {
    node_process full(options);
    native_client client(full.client_address());
    const auto refusal = produce(client, "t", 0, batch_of({"c"}));
    CHECK(refusal.error == errc::storage_full);
    CHECK(describe(refusal.error).retriable);
    CHECK(values_of(read_all(client, "t", 0)) == std::vector<std::string>{"a", "b"});
    CHECK(delete_records(client, "t", 0, 1).error == errc::none);
    delete_topic(client, "gone");
    create_topic(client, "new");
    CHECK(full.stop() == 0);
  }

  own.node.start();
  own.client = native_client(own.node.client_address());
  CHECK(append(own.client, "t", 0, {"c"}) == 2);
  CHECK(log_start(own.client, "t", 0) == 1);
}

TEST_SUITE_END();
