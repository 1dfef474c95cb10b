#include "tests/cluster/cluster_user.hpp"

#include "protocol/client/consumer.hpp"

#include <algorithm>

namespace aqueduct::test {

using namespace client;

cluster open(const std::vector<std::string>& brokers) {
  auto opened = cluster::open({.brokers = brokers});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  return *opened;
}

created_topic create_topic(const cluster& on, const std::string& name, int partitions,
                           std::optional<std::int16_t> replication) {
  const auto created =
      admin(on).create_topic({.name = name, .partitions = partitions, .replication = replication});
  REQUIRE_MESSAGE(created, to_string(created.error()));
  return *created;
}

bool has_brokers(const cluster& on, std::size_t count) {
  return becomes(on, [&](const cluster_layout& layout) { return layout.brokers.size() == count; });
}

int leader_of(const cluster& on, const std::string& topic, int partition) {
  int leader = -1;
  CHECK(becomes(on, [&](const cluster_layout& layout) {
    const auto found = std::ranges::find(layout.topics, topic, &topic_layout::name);
    if (found == layout.topics.end())
      return false;
    const auto& partitions = found->partitions;
    const auto at =
        std::ranges::find(partitions, partition_id(partition), &partition_layout::partition);
    if (at == partitions.end() || !at->leader)
      return false;
    leader = at->leader->value;
    return true;
  }));
  return leader;
}

void send_numbers(producer& sender, const std::string& topic, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    const auto text = std::to_string(i);
    const auto stored =
        sender.send_and_wait({.topic = topic, .partition = partition_id(0), .value = text});
    REQUIRE_MESSAGE(stored, i << ": " << to_string(stored.error()));
    REQUIRE(stored->offset.value == i);
  }
}

namespace {

/// Reads `first`, `first` + `step` ... from a partition, each once and at its own offset.
void expect_steps(const cluster& on, const std::string& topic, int partition, int first, int step,
                  int count) {
  auto reader = consumer::create(on, {});
  REQUIRE(reader);
  REQUIRE(reader->assign({{{topic, partition_id(partition)}, start_position::earliest()}}));
  for (int next = 0; next < count;) {
    const auto got = reader->poll(patience);
    REQUIRE_MESSAGE(got, to_string(got.error()));
    REQUIRE_FALSE(got->empty());
    for (const auto& record : *got) {
      REQUIRE(record.value->text() == std::to_string(first + next * step));
      REQUIRE(record.offset.value == next++);
    }
  }
}

} // namespace

void expect_numbers(const cluster& on, const std::string& topic, int count) {
  expect_steps(on, topic, 0, 0, 1, count);
}

steady_writer::steady_writer(const cluster& on, std::string topic, int partitions)
    : on_(on), topic_(std::move(topic)), partitions_(partitions) {
  auto created = producer::create(on, {});
  REQUIRE(created);
  sender_.emplace(std::move(*created));
  user_ = std::thread([this] { send(); });
}

steady_writer::~steady_writer() {
  is_over_ = true;
  if (user_.joinable())
    user_.join();
}

void steady_writer::wait_for_more(int records) const {
  const int goal = stored_ + records;
  const auto deadline = test_clock::now() + patience;
  while (stored_ < goal && test_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(stored_ >= goal);
}

void steady_writer::finish() {
  is_over_ = true;
  user_.join();
  CHECK_MESSAGE(failed_ == 0, failure_);
  const int stored = stored_;
  MESSAGE(stored, " records while it happened");
  for (int partition = 0; partition < partitions_; ++partition)
    expect_steps(on_, topic_, partition, partition, partitions_,
                 (stored - partition + partitions_ - 1) / partitions_);
}

void steady_writer::send() {
  // Few enough that the nodes have time for what happens to them.
  constexpr int at_a_time = 20;
  int next = 0;
  while (!is_over_ && failed_ == 0) {
    for (int i = 0; i < at_a_time; ++i, ++next) {
      const auto text = std::to_string(next);
      const auto stored = [this](const auto& outcome) {
        if (outcome) {
          ++stored_;
        } else if (failed_++ == 0) {
          failure_ = to_string(outcome.error());
        }
      };
      const auto sent = sender_->send(
          {.topic = topic_, .partition = partition_id(next % partitions_), .value = text}, stored);
      if (!sent && failed_++ == 0)
        failure_ = to_string(sent.error());
    }
    if (const auto flushed = sender_->flush(patience); !flushed && failed_++ == 0)
      failure_ = to_string(flushed.error());
  }
}

} // namespace aqueduct::test
