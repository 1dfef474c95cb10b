// Real nodes that form a cluster: what clients see of it while nodes come, go and die.
#include "protocol/client/admin.hpp"
#include "protocol/client/consumer.hpp"
#include "protocol/client/producer.hpp"
#include "tests/cluster/cluster_user.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace aqueduct::test;
using namespace std::chrono_literals;

namespace {

template <class Condition>
bool becomes_true(const Condition& holds) {
  const auto deadline = test::test_clock::now() + patience;
  while (!holds()) {
    if (test::test_clock::now() > deadline)
      return false;
    std::this_thread::yield();
  }
  return true;
}

/// Of all files below it; they may go while it looks.
std::int64_t folder_bytes(const std::filesystem::path& folder) {
  std::int64_t bytes = 0;
  std::error_code gone;
  for (std::filesystem::recursive_directory_iterator at(folder, gone), end; at != end;
       at.increment(gone)) {
    const auto size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    bytes += gone ? 0 : static_cast<std::int64_t>(size);
  }
  return bytes;
}

} // namespace

TEST_SUITE_BEGIN("cluster");

TEST_CASE("three empty nodes form one cluster, in whatever order they start") {
  for (const auto& order : {std::vector<int>{1, 2, 3}, {3, 2, 1}, {2, 3, 1}}) {
    test_cluster nodes({.start = false});
    for (const int node : order)
      nodes.start(node);
    for (const int node : order)
      nodes.wait_ready(node);
    std::set<std::string> clusters;
    for (int node = 1; node <= 3; ++node) {
      const auto on = open({nodes.address(node)});
      CHECK(has_brokers(on, 3));
      clusters.insert(to_string(admin(on).versions()->cluster));
    }
    CHECK(clusters.size() == 1);
    for (int node = 1; node <= 3; ++node)
      CHECK(nodes.stop(node) == 0);
  }
}

TEST_CASE("nodes that are ready do not need their founder") {
  test_cluster nodes({});
  nodes.kill(1);
  for (const int node : {2, 3})
    CHECK(create_topic(open({nodes.address(node)}), "t" + std::to_string(node), 3).partitions == 3);
}

TEST_CASE("an empty node does not found a cluster without the others, and stops when it is told") {
  test_cluster nodes({.start = false});
  nodes.start(1);
  CHECK_FALSE(nodes.is_ready_until(1, test::test_clock::now() + 1s));
  CHECK(nodes.process(1).is_running());
  CHECK(nodes.stop(1) == 0);
}

TEST_CASE("whatever node is asked, a topic is created, changed and deleted, and its records kept") {
  test_cluster nodes({});
  for (int node = 1; node <= 3; ++node) {
    auto on = open({nodes.address(node)});
    const auto name = "t" + std::to_string(node);
    const auto created = create_topic(on, name, 4);
    CHECK(created.replication == 3);
    // Whoever made it sees it where it was made.
    const auto layout = on.topic(name);
    REQUIRE(layout);
    CHECK(layout->partitions.size() == 4);
    auto sender = producer::create(on, {});
    REQUIRE(sender);
    send_numbers(*sender, name, 0, 20);
    expect_numbers(on, name, 20);
    const auto altered = admin(on).alter_topic(name, topic_change{.partitions = 6});
    REQUIRE_MESSAGE(altered, to_string(altered.error()));
    // The client asks whichever node it likes, and another one may hear of the change later.
    CHECK(becomes(on, [&](const cluster_layout& all) {
      const auto found = std::ranges::find(all.topics, name, &topic_layout::name);
      return found != all.topics.end() && found->partitions.size() == 6;
    }));
    const auto described = admin(on).describe_topic(name);
    REQUIRE_MESSAGE(described, to_string(described.error()));
  }
  const auto last = open({nodes.address(3)});
  CHECK(admin(last).delete_topic("t1"));
  CHECK(admin(last).delete_topic("t1").error().code == errc::unknown_topic);
  CHECK(admin(last).list_topics()->size() == 2);
}

TEST_CASE("whatever node is asked, it tells of all partitions of a topic, held there or not") {
  test_cluster nodes({});
  const auto all = open(nodes.addresses());
  CHECK(has_brokers(all, 3));
  create_topic(all, "spread", 6, std::int16_t{1});
  auto sender = producer::create(all, {});
  REQUIRE(sender);
  for (int partition = 0; partition < 6; ++partition)
    REQUIRE(sender->send_and_wait(
        {.topic = "spread", .partition = partition_id(partition), .value = "text"}));
  for (int node = 1; node <= 3; ++node) {
    const auto topic = admin(open({nodes.address(node)})).describe_topic("spread");
    REQUIRE(topic);
    REQUIRE(topic->partitions.size() == 6);
    for (const auto& each : topic->partitions) {
      CHECK(each.error == errc::none);
      CHECK(each.high_watermark.value == 1);
    }
  }
  nodes.kill(3);
  // What nobody can tell is no error of the others.
  const auto topic = admin(open({nodes.address(1)})).describe_topic("spread");
  REQUIRE(topic);
  CHECK(std::ranges::count(topic->partitions, errc::none, &partition_description::error) == 4);
  CHECK(std::ranges::count(topic->partitions, errc::not_leader, &partition_description::error) ==
        2);
}

/// Sends 0, 1, 2 ... to partition 0 of "numbers" while something happens to the nodes.
class load {
public:
  load(const cluster& on, int count) : count_(count) {
    create_topic(on, "numbers", 1);
    producer_config config;
    config.batch_records = 50;
    auto created = producer::create(on, config);
    REQUIRE(created);
    sender_.emplace(std::move(*created));
    user_ = std::thread([this] { send(); });
  }
  ~load() {
    if (user_.joinable())
      user_.join();
  }

  void wait_for(int stored) {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, patience, [&] { return stored_ >= stored; }));
  }
  /// Everything is sent, and nothing failed.
  void finish() {
    user_.join();
    CHECK(sender_->flush(patience));
    CHECK(failed_ == 0);
  }

private:
  void send() {
    for (int i = 0; i < count_; ++i) {
      const auto text = std::to_string(i);
      const auto sent =
          sender_->send({.topic = "numbers", .value = text}, [this](const auto& outcome) {
            if (!outcome)
              ++failed_;
            const std::lock_guard lock(mutex_);
            ++stored_;
            changed_.notify_all();
          });
      if (!sent)
        ++failed_;
    }
  }

  int count_;
  std::optional<producer> sender_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int stored_ = 0;
  std::atomic<int> failed_ = 0;
  std::thread user_;
};

TEST_CASE("nothing that was acknowledged is lost, doubled or reordered while leaders are killed") {
  constexpr int count = 60'000;
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  load work(on, count);
  for (const int reached : {5'000, 20'000, 40'000}) {
    work.wait_for(reached);
    const int leader = leader_of(on, "numbers", 0);
    REQUIRE(leader > 0);
    nodes.kill(leader);
    nodes.start_and_wait(leader);
  }
  work.finish();
  expect_numbers(on, "numbers", count);
}

TEST_CASE("nothing fails while all nodes are stopped and started again, one after the other") {
  constexpr int count = 60'000;
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  load work(on, count);
  int reached = 0;
  for (int node = 1; node <= 3; ++node) {
    work.wait_for(reached += 10'000);
    CHECK(nodes.stop(node) == 0);
    nodes.start_and_wait(node);
  }
  work.finish();
  expect_numbers(on, "numbers", count);
}

TEST_CASE("a leader that is frozen is replaced, and wakes up as a follower") {
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  create_topic(on, "numbers", 1);
  // As long as a request may take so long, only the others' word helps.
  producer_config config;
  config.request_timeout = 10min;
  config.delivery_timeout = patience;
  auto sender = producer::create(on, config);
  REQUIRE_MESSAGE(sender, to_string(sender.error()));
  send_numbers(*sender, "numbers", 0, 100);
  const int frozen = leader_of(on, "numbers", 0);
  nodes.pause(frozen);
  send_numbers(*sender, "numbers", 100, 100);
  nodes.resume(frozen);
  send_numbers(*sender, "numbers", 200, 100);
  expect_numbers(open({nodes.address(frozen)}), "numbers", 300);
}

TEST_CASE("a node grows to three without a restart, and what it held stays") {
  test_cluster nodes({.found_together = false, .start = false});
  nodes.start_and_wait(1);
  const auto on = open({nodes.address(1)});
  create_topic(on, "alone", 1);
  auto sender = producer::create(on, {});
  REQUIRE(sender);
  send_numbers(*sender, "alone", 0, 100);
  nodes.start_and_wait(2);
  nodes.start_and_wait(3);
  CHECK(has_brokers(on, 3));
  CHECK(create_topic(on, "together", 3).replication == 3);
  send_numbers(*sender, "together", 0, 100);
  expect_numbers(open({nodes.address(2)}), "alone", 100);
  nodes.stop(3);
  send_numbers(*sender, "together", 100, 100);
  expect_numbers(open({nodes.address(2)}), "together", 200);
}

TEST_CASE("leadership returns to the preferred replica when its node is back") {
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  create_topic(on, "numbers", 1);
  auto sender = producer::create(on, {});
  REQUIRE(sender);
  send_numbers(*sender, "numbers", 0, 10);
  const int preferred = leader_of(on, "numbers", 0);
  nodes.kill(preferred);
  send_numbers(*sender, "numbers", 10, 10);
  CHECK(leader_of(on, "numbers", 0) != preferred);
  nodes.start_and_wait(preferred);
  CHECK(becomes(on, [&](const cluster_layout& layout) {
    for (const auto& topic : layout.topics)
      if (topic.name == "numbers" && topic.partitions.front().leader == node_id(preferred))
        return true;
    return false;
  }));
  send_numbers(*sender, "numbers", 20, 10);
  expect_numbers(on, "numbers", 30);
}

TEST_CASE("a node that lost its disk comes back as somebody else and is filled again") {
  test_cluster nodes({});
  const auto on = open(nodes.addresses());
  create_topic(on, "numbers", 1);
  auto sender = producer::create(on, {});
  REQUIRE(sender);
  send_numbers(*sender, "numbers", 0, 200);
  nodes.kill(3);
  nodes.wipe(3);
  send_numbers(*sender, "numbers", 200, 100);
  nodes.start_and_wait(3);
  CHECK(nodes.says({1, 2}, "/0: promote 3."));
  // What is acknowledged behind it proves that the new replica votes: without node 1 it is needed.
  send_numbers(*sender, "numbers", 300, 100);
  nodes.kill(1);
  send_numbers(*sender, "numbers", 400, 100);
  nodes.start_and_wait(1);
  expect_numbers(open({nodes.address(3)}), "numbers", 500);
}

TEST_CASE("a replica that missed more than the log still has takes over the state") {
  // Segments are deleted as a whole, so they are small.
  test_cluster nodes({.settings = {"storage.segment-bytes=1MiB", "storage.preallocate-bytes=64KiB",
                                   "topic.message-bytes-max=512KiB"}});
  const auto on = open(nodes.addresses());
  const auto topic = create_topic(on, "numbers", 1);
  auto sender = producer::create(on, {.batch_records = 100});
  REQUIRE(sender);
  send_numbers(*sender, "numbers", 0, 10);
  nodes.kill(3);
  const std::string padding(20'000, 'x');
  for (int i = 10; i < 410; ++i)
    REQUIRE(sender->send({.topic = "numbers", .partition = partition_id(0), .value = padding}));
  REQUIRE(sender->flush(patience));
  const std::vector<records_deletion> all{{partition_id(0)}};
  const auto deleted = admin(on).delete_records("numbers", all);
  REQUIRE(deleted);
  REQUIRE((*deleted)[0].log_start.value() == offset_t(410));
  // Both others have given up what node 3 lacks before it is back, and all that held records.
  for (const int node : {1, 2}) {
    const auto folder = nodes.data_of(node) / "groups" / to_string(topic.id);
    CHECK(becomes_true([&] { return folder_bytes(folder) < 20'000; }));
  }
  nodes.start_and_wait(3);
  send_numbers(*sender, "numbers", 410, 100);
  CHECK(nodes.says({3}, "took over the state"));
  // Node 3 has to know the rest, and what the state says of the producer, to be of use.
  nodes.kill(1);
  send_numbers(*sender, "numbers", 510, 100);
  const std::vector<offset_query> first{
      {{"numbers", partition_id(0)}, offset_query::kind::earliest}};
  const auto found = admin(on).list_offsets(first);
  REQUIRE(found);
  CHECK(found->front().offset.value() == std::optional(offset_t(410)));
}

TEST_CASE("a node joins a cluster whose metadata has given up its first changes") {
  test_cluster nodes({});
  const auto on = open({nodes.address(1)});
  create_topic(on, "changed", 1);
  nodes.kill(3);
  nodes.wipe(3);
  // More than the controller keeps in its log.
  std::atomic<int> failed = 0;
  std::vector<std::thread> operators;
  for (int i = 0; i < 16; ++i)
    operators.emplace_back([&, i] {
      for (int n = 0; n < 600; ++n) {
        const std::vector<setting> change{
            {"retention.ms", std::to_string(1'000'000 + n + 1000 * i)}};
        if (!admin(on).alter_topic("changed", change))
          ++failed;
      }
    });
  for (auto& each : operators)
    each.join();
  CHECK(failed == 0);
  nodes.start_and_wait(3);
  CHECK(nodes.says({3}, "group controller: took over the state"));
  CHECK(nodes.says({1, 2}, "the controller's group: promote 3."));
  const auto there = open({nodes.address(3)});
  CHECK(admin(there).list_topics()->size() == 1);
  // It counts: with node 1 gone it is needed to change anything.
  nodes.kill(1);
  CHECK(create_topic(open({nodes.address(3)}), "after", 1).replication >= 2);
}

TEST_SUITE_END();
