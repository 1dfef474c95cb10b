// What tests do with a cluster as its users.
#pragma once

#include "protocol/client/admin.hpp"
#include "protocol/client/cluster.hpp"
#include "protocol/client/producer.hpp"
#include "tests/support/child_process.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace aqueduct::test {

[[nodiscard]] client::cluster open(const std::vector<std::string>& brokers);

client::created_topic create_topic(const client::cluster& on, const std::string& name,
                                   int partitions, std::optional<std::int16_t> replication = {});

/// Asks until `holds` the answer, or the test has no patience left.
template <class Condition>
bool becomes(const client::cluster& on, const Condition& holds) {
  const auto deadline = test_clock::now() + patience;
  while (test_clock::now() < deadline) {
    const auto layout = client::admin(on).describe_cluster(std::chrono::seconds(2));
    if (layout && holds(*layout))
      return true;
    std::this_thread::yield();
  }
  return false;
}

[[nodiscard]] bool has_brokers(const client::cluster& on, std::size_t count);

/// -1 and a failed check: nobody leads it for as long as the test has patience.
[[nodiscard]] int leader_of(const client::cluster& on, const std::string& topic, int partition);

/// Sends them to partition 0 one after the other, each to its own offset.
void send_numbers(client::producer& sender, const std::string& topic, int first, int count);

/// Reads 0, 1, 2 ... `count` - 1 from partition 0 of `topic`, each once and at its own offset.
void expect_numbers(const client::cluster& on, const std::string& topic, int count);

/// Sends 0, 1, 2 ... to the partitions of a topic in turn, a few at a time, until it is told to
/// stop. Whatever happens to the nodes, no record may fail.
class steady_writer {
public:
  steady_writer(const client::cluster& on, std::string topic, int partitions);
  ~steady_writer();
  steady_writer(const steady_writer&) = delete;
  steady_writer& operator=(const steady_writer&) = delete;

  /// Until so many more than now are acknowledged.
  void wait_for_more(int records) const;
  /// Stops, and checks that nothing failed and that each partition has its numbers, each once and
  /// in order.
  void finish();

private:
  void send();

  client::cluster on_;
  std::string topic_;
  int partitions_;
  std::atomic<bool> is_over_ = false;
  std::atomic<int> stored_ = 0;
  std::atomic<int> failed_ = 0;
  std::string failure_;
  std::thread user_;
  /// Calls back until it is gone, so it goes first.
  std::optional<client::producer> sender_;
};

} // namespace aqueduct::test
