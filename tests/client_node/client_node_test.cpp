// The client library against a real node, which is killed and started again under load.
#include "protocol/client/client.hpp"
#include "tests/client_node/answer_thief.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using test::patience;

namespace {

/// A node that comes back on the port that it got first.
class lasting_node {
public:
  /// `settings`: more arguments.
  explicit lasting_node(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    start();
  }

  void start() {
    std::vector<std::string> arguments{
        "--data-dir", (folder_.path() / "data").string(), "--listen", address(),
        "--set",      "cluster.listen=127.0.0.1:0",       "--set",    "http.listen=127.0.0.1:0",
        "--set",      "admin.listen=127.0.0.1:0"};
    arguments.insert(arguments.end(), settings_.begin(), settings_.end());
    const auto program = test::built_program("aqueductd");
    process_ = std::make_unique<test::child_process>(program, arguments);
    const auto line = process_->read_line(test::test_clock::now() + patience);
    const auto at = line ? line->find("listen=127.0.0.1:") : std::string::npos;
    if (at == std::string::npos)
      throw std::runtime_error("the node did not become ready: " + process_->errors());
    port_ = std::stoi(line->substr(at + std::string_view("listen=127.0.0.1:").size()));
  }
  void kill_and_start() {
    process_->signal(SIGKILL);
    REQUIRE(process_->wait_until(test::test_clock::now() + patience));
    start();
  }
  void stop_and_start() {
    process_->signal(SIGTERM);
    REQUIRE(process_->wait_until(test::test_clock::now() + patience) == 0);
    start();
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint16_t port() const { return static_cast<std::uint16_t>(port_); }

private:
  std::vector<std::string> settings_;
  test::temp_directory folder_;
  std::unique_ptr<test::child_process> process_;
  int port_ = 0;
};

cluster open(const lasting_node& node) {
  auto opened = cluster::open({.brokers = {node.address()}});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  return *opened;
}

void create_topic(const cluster& on, const std::string& name, int partitions) {
  const auto created = admin(on).create_topic({.name = name, .partitions = partitions});
  REQUIRE_MESSAGE(created, to_string(created.error()));
}

/// Counts up and wakes those who wait for a number.
class counter {
public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++value_;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait_for(int value) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return value_ >= value; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int value_ = 0;
};

/// Reads 0, 1, 2 ... `count` - 1 from partition 0 of `topic`, each once and at its own offset.
void expect_numbers(consumer& from, int first, int count) {
  for (int next = first; next < first + count;) {
    const auto got = from.poll(patience);
    REQUIRE_MESSAGE(got, to_string(got.error()));
    REQUIRE_FALSE(got->empty());
    for (const auto& record : *got) {
      REQUIRE(record.value->text() == std::to_string(next));
      REQUIRE(record.offset.value == next++);
    }
  }
}

} // namespace

TEST_SUITE_BEGIN("client_node");

TEST_CASE("what is sent while the node is killed again and again is stored once and in order") {
  constexpr int count = 60'000;
  lasting_node node;
  const auto on = open(node);
  create_topic(on, "numbers", 1);
  producer_config config;
  config.batch_records = 50;
  auto sender = producer::create(on, config);
  REQUIRE(sender);
  counter stored;
  std::atomic<int> failed = 0;
  std::thread user([&] {
    for (int i = 0; i < count; ++i) {
      const auto text = std::to_string(i);
      const auto sent = sender->send({.topic = "numbers", .value = text}, [&](const auto& outcome) {
        if (!outcome)
          ++failed;
        stored.add();
      });
      if (!sent)
        ++failed;
    }
  });

  for (const int reached : {5'000, 20'000, 40'000}) {
    CHECK(stored.wait_for(reached));
    node.kill_and_start();
  }
  user.join();

  CHECK(sender->flush(patience));
  CHECK(failed == 0);
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    auto reader = consumer::create(on, {.mode = mode});
    REQUIRE(reader->assign_topic("numbers", start_position::earliest()));
    expect_numbers(*reader, 0, count);
    CHECK(reader->poll(10ms).value().empty());
  }
}

TEST_CASE("a consumer goes on where it was when the node comes back") {
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    lasting_node node;
    const auto on = open(node);
    create_topic(on, "numbers", 1);
    auto sender = producer::create(on, {});
    auto reader = consumer::create(on, {.mode = mode});
    REQUIRE(reader->assign_topic("numbers", start_position::latest()));
    CHECK(reader->poll(0ms));
    REQUIRE(reader->seek({"numbers", partition_id(0)}, start_position::at(offset_t(0))));
    for (int i = 0; i < 40; ++i) {
      if (i == 10)
        node.stop_and_start();
      if (i == 30)
        node.kill_and_start();
      const auto text = std::to_string(i);
      const auto stored = sender->send_and_wait({.topic = "numbers", .value = text});
      REQUIRE_MESSAGE(stored, to_string(stored.error()));
      expect_numbers(*reader, i, 1);
    }
    CHECK(reader->lag({"numbers", partition_id(0)}).value() == 0);
  }
}

TEST_CASE("every codec, key, header and time arrives as it was sent") {
  lasting_node node;
  const auto on = open(node);
  create_topic(on, "t", 4);
  const std::vector<header> headers{{"a", "1"}, {"a", std::nullopt}, {"", ""}};
  for (const auto codec : {compression::none, compression::gzip, compression::snappy,
                           compression::lz4, compression::zstd}) {
    auto sender = producer::create(on, {.codec = codec});
    const auto stored = sender->send_and_wait({.topic = "t",
                                               .partition = partition_id(2),
                                               .key = "",
                                               .headers = headers,
                                               .timestamp = timestamp_ms(1234)});
    REQUIRE_MESSAGE(stored, to_string(stored.error()));
    auto reader = consumer::create(on, {});
    REQUIRE(reader->assign({{{"t", partition_id(2)}, start_position::at(stored->offset)}}));
    const auto got = reader->poll(patience);
    REQUIRE_MESSAGE(got, to_string(got.error()));
    const auto& record = (*got)[0];
    CHECK(record.key->empty());
    CHECK_FALSE(record.value);
    CHECK(record.timestamp == timestamp_ms(1234));
    REQUIRE(record.headers.size() == 3);
    CHECK(record.headers[0].value->text() == "1");
    CHECK_FALSE(record.headers[1].value);
    CHECK(record.headers[2].value->empty());
  }
}

TEST_CASE("conditional appends of two writers never both succeed at one offset") {
  lasting_node node;
  const auto on = open(node);
  create_topic(on, "t", 1);
  const topic_partition tp{"t", partition_id(0)};
  std::vector<std::thread> writers;
  std::atomic<int> successes = 0;
  for (int writer = 0; writer < 2; ++writer)
    writers.emplace_back([&] {
      auto sender = producer::create(on, {});
      offset_t expected;
      const std::vector<record> one{{.topic = "", .value = "x"}};
      for (int tries = 0; tries < 50; ++tries) {
        offset_t end;
        const auto outcome = sender->append_at(tp, expected, one, &end);
        if (outcome) {
          CHECK(outcome->offset == expected);
          ++successes;
          expected = expected.next();
        } else {
          REQUIRE(outcome.error().code == errc::offset_conflict);
          CHECK(end > expected);
          expected = end;
        }
      }
    });
  for (auto& each : writers)
    each.join();
  const std::vector<offset_query> ends{{tp, offset_query::kind::latest}};
  const auto end = admin(on).list_offsets(ends);
  REQUIRE(end);
  CHECK((*end)[0].offset.value() == offset_t(successes));
}

TEST_CASE("a conditional append whose answer is lost is stored once and gets its offset") {
  test::answer_thief thief;
  // Clients find the node by way of the thief only.
  lasting_node node({"--set", "advertise=" + thief.address()});
  thief.relay_to(node.port());
  const auto opened = cluster::open({.brokers = {thief.address()}});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  create_topic(*opened, "t", 1);
  const topic_partition to{"t", partition_id(0)};
  auto sender = producer::create(*opened, {});
  REQUIRE(sender);
  const std::vector<record> one{{.topic = "", .value = "0"}};
  const std::vector<record> two{{.topic = "", .value = "1"}, {.topic = "", .value = "2"}};
  CHECK(sender->append_at(to, offset_t(0), one)->offset == offset_t(0));

  // The repeat comes when the end is 3, which is not what it expects: it is known as a repeat
  // first.
  thief.steal(protocol::api_key::produce);
  const auto repeated = sender->append_at(to, offset_t(1), two);
  REQUIRE_MESSAGE(repeated, to_string(repeated.error()));
  CHECK(thief.stolen() == 1);
  CHECK(repeated->offset == offset_t(1));

  const std::vector<record> last{{.topic = "", .value = "3"}};
  CHECK(sender->append_at(to, offset_t(1), last).error().code == errc::offset_conflict);
  CHECK(sender->append_at(to, offset_t(3), last)->offset == offset_t(3));
  auto reader = consumer::create(*opened, {});
  REQUIRE(reader);
  REQUIRE(reader->assign({{to, start_position::earliest()}}));
  expect_numbers(*reader, 0, 4);
}

namespace {

/// A file of `count` lines of 99 characters, each the number of its line.
void write_numbered_lines(const std::filesystem::path& path, int count) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < count; ++i) {
    const auto number = std::to_string(i);
    file << std::string(99 - number.size(), '0') << number << '\n';
  }
}

} // namespace

// `./dev soak` runs it with ten million.
TEST_CASE("records from a file come back byte for byte, in order, from offset 0") {
  const auto* wanted = std::getenv("AQUEDUCT_SLOW_RECORDS");
  const int count = wanted != nullptr ? std::atoi(wanted) : 100'000;
  test::temp_directory folder;
  const auto source = folder.path() / "lines";
  write_numbered_lines(source, count);
  lasting_node node;
  const auto on = open(node);
  create_topic(on, "volume", 1);
  auto sender = producer::create(on, {});
  REQUIRE(sender);
  std::string line;
  for (std::ifstream file(source, std::ios::binary); std::getline(file, line);)
    REQUIRE(sender->send({.topic = "volume", .value = line}));
  const auto stored = sender->flush(std::chrono::minutes(10));
  REQUIRE_MESSAGE(stored, to_string(stored.error()));

  auto reader = consumer::create(on, {});
  REQUIRE(reader);
  REQUIRE(reader->assign_topic("volume", start_position::earliest()));
  std::ifstream file(source, std::ios::binary);
  std::int64_t next = 0;
  while (next < count) {
    const auto got = reader->poll(patience);
    REQUIRE_MESSAGE(got, to_string(got.error()));
    REQUIRE_FALSE(got->empty());
    for (const auto& record : *got) {
      std::getline(file, line);
      const bool same = record.offset.value == next && record.value->text() == line;
      if (!same)
        FAIL("offset " << record.offset.value << " holds " << record.value->text() << ", not "
                       << line);
      ++next;
    }
  }
  CHECK(next == count);
  CHECK(reader->poll(10ms).value().empty());
}

TEST_CASE("topics are managed, and their errors are those of the table") {
  lasting_node node;
  const auto on = open(node);
  admin tools(on);
  create_topic(on, "t", 3);
  CHECK(tools.create_topic({.name = "t"}).error().code == errc::topic_exists);
  CHECK(tools.create_topic({.name = "a/b"}).error().code == errc::invalid_topic);
  CHECK(tools.create_topic({.name = "u", .partitions = 0}).error().code ==
        errc::invalid_partitions);
  CHECK(tools.describe_topic("t")->partitions.size() == 3);
  CHECK(tools.list_topics()->size() == 1);
  CHECK(tools.describe_cluster()->brokers.size() == 1);
  CHECK(tools.versions()->apis.size() > 10);
  auto sender = producer::create(on, {.auto_create = false});
  for (int i = 0; i < 10; ++i)
    REQUIRE(sender->send_and_wait({.topic = "t", .partition = partition_id(1), .value = "x"}));
  const std::vector<records_deletion> deletions{{partition_id(1), offset_t(4)}};
  CHECK(tools.delete_records("t", deletions)->front().log_start.value() == offset_t(4));
  auto reader = consumer::create(on, {.on_out_of_range = offset_reset::error});
  REQUIRE(reader->assign({{{"t", partition_id(1)}, start_position::at(offset_t(1))}}));
  CHECK(reader->poll(patience).error().code == errc::offset_out_of_range);
  REQUIRE(tools.delete_topic("t"));
  CHECK(tools.describe_topic("t").error().code == errc::unknown_topic);
  CHECK(sender->send_and_wait({.topic = "v", .value = "x"}).error().code == errc::unknown_topic);
}

TEST_CASE("a producer uses partitions that are added while it sends") {
  lasting_node node;
  const auto on = cluster::open({.brokers = {node.address()}, .metadata_age_max = 100ms});
  REQUIRE(on);
  create_topic(*on, "grown", 1);
  auto sender = producer::create(*on);
  const auto send_to = [&](std::int32_t partition) {
    return sender->send_and_wait(
        {.topic = "grown", .partition = partition_id(partition), .value = "x"});
  };
  REQUIRE(send_to(0));
  CHECK(send_to(2).error().code == errc::unknown_partition);

  REQUIRE(admin(*on).alter_topic("grown", topic_change{.partitions = 3}));

  const auto deadline = test::test_clock::now() + patience;
  auto stored = send_to(2);
  while (!stored && test::test_clock::now() < deadline) {
    CHECK(stored.error().code == errc::unknown_partition);
    REQUIRE(send_to(0));
    stored = send_to(2);
  }
  REQUIRE(stored);
  CHECK(stored->offset == offset_t(0));
  CHECK(send_to(1));
}

TEST_CASE("a producer is told why its topic could not be created") {
  const test::temp_directory folder;
  test::node_process node({folder.path() / "data", {"limits.partitions=1"}});
  const auto address = "127.0.0.1:" + std::to_string(node.client_address().port);
  const auto on = cluster::open({.brokers = {address}});
  REQUIRE(on);
  create_topic(*on, "full", 1);
  auto sender = producer::create(*on);
  const auto refused = sender->send_and_wait({.topic = "wish", .value = "x"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_partitions);
  CHECK(refused.error().message.find("limits.partitions") != std::string::npos);
}

TEST_SUITE_END();
