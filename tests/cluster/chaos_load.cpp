#include "tests/cluster/chaos_load.hpp"

#include "protocol/client/consumer.hpp"
#include "tests/cluster/cluster_user.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace aqueduct::test {

using namespace client;
using namespace std::chrono_literals;

namespace {

/// Of one producer and one partition: the order is worth something when several are under way, and
/// the nodes keep time for what happens to them.
constexpr int under_way_max = 8;
constexpr std::size_t violations_max = 20;
constexpr std::int64_t unanswered = -2;
/// Longer than all that is done to a cluster: no record may fail meanwhile.
constexpr milliseconds never_give_up = 10min;

std::optional<numbered> read_numbered(std::string_view text) {
  numbered value;
  const auto* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, value.producer);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':')
    return {};
  const auto second = std::from_chars(first.ptr + 1, end, value.number);
  if (second.ec != std::errc() || second.ptr != end || value.producer < 0 ||
      value.producer >= chaos_load::producers)
    return {};
  return value;
}

std::string place(int partition, std::int64_t offset) {
  return "partition " + std::to_string(partition) + " @ " + std::to_string(offset);
}

} // namespace

std::string to_string(const numbered& value) {
  return std::to_string(value.producer) + ':' + std::to_string(value.number);
}

chaos_load::chaos_load(const cluster& on, std::string topic, int partitions, milliseconds pause)
    : on_(on), topic_(std::move(topic)), partitions_(partitions), pause_(pause) {
  const auto count = static_cast<std::size_t>(partitions);
  lanes_.resize(count * producers);
  acknowledged_.resize(count);
  last_acknowledged_.resize(count, clock::now());
  logs_.resize(count);
  for (int i = 0; i < producers; ++i) {
    producer_config config;
    config.batch_records = 50;
    config.delivery_timeout = never_give_up;
    config.block_max = never_give_up;
    config.request_timeout = 5s;
    auto created = producer::create(on_, config);
    REQUIRE_MESSAGE(created, to_string(created.error()));
    senders_.push_back(std::move(*created));
  }
  for (int i = 0; i < producers; ++i)
    threads_.emplace_back([this, i] { produce(i); });
  reader_ = std::thread([this] { follow(); });
}

chaos_load::~chaos_load() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    is_closed_ = true;
  }
  changed_.notify_all();
  for (auto& each : threads_)
    if (each.joinable())
      each.join();
  if (reader_.joinable())
    reader_.join();
  // They call back until they are gone.
  senders_.clear();
}

chaos_load::lane& chaos_load::at(int producer, int partition) {
  return lanes_[static_cast<std::size_t>(producer * partitions_ + partition)];
}

void chaos_load::produce(int producer) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&](int partition) {
    const auto& on = at(producer, partition);
    return static_cast<int>(on.offsets.size()) - on.answered < under_way_max;
  };
  const auto some_room = [&] {
    for (int partition = 0; partition < partitions_; ++partition)
      if (has_room(partition))
        return true;
    return is_over_;
  };
  while (!is_over_) {
    for (int partition = 0; partition < partitions_; ++partition) {
      if (!has_room(partition))
        continue;
      auto& offsets = at(producer, partition).offsets;
      const int number = static_cast<int>(offsets.size());
      offsets.push_back(unanswered);
      lock.unlock();
      const auto text = to_string(numbered{producer, number});
      const auto sent = senders_[static_cast<std::size_t>(producer)].send(
          {.topic = topic_, .partition = partition_id(partition), .value = text},
          [=, this](const auto& outcome) { acknowledge(producer, partition, number, outcome); });
      lock.lock();
      if (!sent) {
        found_wrong_locked("a send failed: " + to_string(sent.error()));
        return;
      }
    }
    if (pause_ > 0ms)
      (void)changed_.wait_for(lock, pause_, [this] { return is_over_; });
    changed_.wait(lock, some_room);
  }
}

void chaos_load::acknowledge(int producer, int partition, int number,
                             const result<record_metadata>& outcome) {
  const std::lock_guard lock(mutex_);
  auto& lane = at(producer, partition);
  auto& offset = lane.offsets[static_cast<std::size_t>(number)];
  const auto what = to_string(numbered{producer, number});
  if (!outcome) {
    if (!is_closed_)
      found_wrong_locked(what + " was not stored: " + to_string(outcome.error()));
    return;
  }
  if (offset != unanswered)
    found_wrong_locked(what + " was acknowledged twice");
  offset = outcome->offset.value;
  ++lane.answered;
  const auto p = static_cast<std::size_t>(partition);
  ++acknowledged_[p];
  const auto now = clock::now();
  longest_silence_ = std::max(
      longest_silence_, std::chrono::duration_cast<milliseconds>(now - last_acknowledged_[p]));
  last_acknowledged_[p] = now;
  changed_.notify_all();
}

bool chaos_load::progresses(int records, milliseconds within) {
  std::unique_lock lock(mutex_);
  auto goal = acknowledged_;
  for (auto& each : goal)
    each += records;
  return changed_.wait_for(lock, within, [&] {
    return !violations_.empty() || std::ranges::equal(acknowledged_, goal, std::greater_equal<>());
  });
}

void chaos_load::work_for(milliseconds time) {
  std::unique_lock lock(mutex_);
  (void)changed_.wait_for(lock, time, [&] { return !violations_.empty(); });
}

void chaos_load::finish(milliseconds within) {
  const auto deadline = clock::now() + within;
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  for (auto& each : threads_)
    each.join();
  threads_.clear();
  for (auto& each : senders_)
    if (const auto flushed = each.flush(within); !flushed)
      found_wrong("not all is acknowledged: " + to_string(flushed.error()));
  {
    std::unique_lock lock(mutex_);
    std::int64_t total = 0;
    for (const auto each : acknowledged_)
      total += each;
    // Also when something is wrong already: what is on its way must not look lost.
    const auto is_done = [&] { return seen_ >= total; };
    if (!changed_.wait_until(lock, deadline, is_done))
      found_wrong_locked("the consumer got " + std::to_string(seen_) + " of " +
                         std::to_string(total) + " records");
    is_closed_ = true;
  }
  reader_.join();
  compare();
}

void chaos_load::follow() {
  auto reader = consumer::create(on_, {.request_timeout = 5s});
  std::vector<assignment> all;
  for (int partition = 0; partition < partitions_; ++partition)
    all.push_back({{topic_, partition_id(partition)}, start_position::earliest()});
  if (!reader || !reader->assign(all)) {
    found_wrong("there is no consumer");
    return;
  }
  std::vector next(static_cast<std::size_t>(partitions_), std::vector<int>(producers));
  for (;;) {
    const auto got = reader->poll(200ms);
    const std::lock_guard lock(mutex_);
    if (!got)
      found_wrong_locked("the consumer failed: " + to_string(got.error()));
    else
      for (const auto& record : *got)
        saw(record.partition.value, record.offset.value, record.value->text(), next);
    changed_.notify_all();
    if (is_closed_ || !violations_.empty())
      return;
  }
}

void chaos_load::saw(int partition, std::int64_t offset, std::string_view text,
                     std::vector<std::vector<int>>& next) {
  const auto p = static_cast<std::size_t>(partition);
  const auto value = read_numbered(text);
  const auto expected = static_cast<std::int64_t>(logs_[p].size());
  if (!value) {
    found_wrong_locked(place(partition, offset) + " holds " + std::string(text));
    return;
  }
  auto& number = next[p][static_cast<std::size_t>(value->producer)];
  if (offset != expected)
    found_wrong_locked(place(partition, offset) + " was read instead of offset " +
                       std::to_string(expected));
  if (value->number != number)
    found_wrong_locked(place(partition, offset) + " holds " + to_string(*value) + ", not number " +
                       std::to_string(number) + " of its producer");
  number = value->number + 1;
  logs_[p].push_back(*value);
  ++seen_;
}

void chaos_load::compare() {
  const std::lock_guard lock(mutex_);
  for (int partition = 0; partition < partitions_; ++partition) {
    const auto& stored = logs_[static_cast<std::size_t>(partition)];
    std::size_t sent = 0;
    for (int producer = 0; producer < producers; ++producer) {
      const auto& lane = at(producer, partition);
      sent += lane.offsets.size();
      for (std::size_t i = 0; i < lane.offsets.size(); ++i) {
        const numbered value{producer, static_cast<int>(i)};
        const auto offset = lane.offsets[i];
        // A repeat that is too old for the broker to remember its offset: it is stored somewhere.
        if (offset >= 0 && (offset >= static_cast<std::int64_t>(stored.size()) ||
                            stored[static_cast<std::size_t>(offset)] != value))
          found_wrong_locked(to_string(value) + " was acknowledged and is not at " +
                             place(partition, offset));
      }
    }
    if (stored.size() != sent)
      found_wrong_locked("partition " + std::to_string(partition) + " holds " +
                         std::to_string(stored.size()) + " records, not " + std::to_string(sent));
  }
}

void chaos_load::read_again() {
  auto reader = consumer::create(on_, {});
  REQUIRE(reader);
  REQUIRE(reader->assign_topic(topic_, start_position::earliest()));
  std::vector<std::size_t> next(static_cast<std::size_t>(partitions_));
  std::int64_t left = seen_;
  while (left > 0) {
    const auto got = reader->poll(patience);
    if (!got || got->empty()) {
      found_wrong(std::to_string(left) + " records are not read again");
      return;
    }
    for (const auto& record : *got) {
      const auto p = static_cast<std::size_t>(record.partition.value);
      if (record.offset.value != static_cast<std::int64_t>(next[p]) || next[p] >= logs_[p].size() ||
          record.value->text() != to_string(logs_[p][next[p]]))
        found_wrong(place(record.partition.value, record.offset.value) +
                    " is not what it was before");
      ++next[p];
      --left;
    }
    if (!violations().empty())
      return;
  }
}

void chaos_load::found_wrong(const std::string& what) {
  const std::lock_guard lock(mutex_);
  found_wrong_locked(what);
}

void chaos_load::found_wrong_locked(std::string what) {
  if (violations_.size() < violations_max)
    violations_.push_back(std::move(what));
  changed_.notify_all();
}

std::vector<std::string> chaos_load::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

std::int64_t chaos_load::acknowledged() const {
  const std::lock_guard lock(mutex_);
  std::int64_t all = 0;
  for (const auto each : acknowledged_)
    all += each;
  return all;
}

std::vector<std::int64_t> chaos_load::acknowledged_by_partition() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

milliseconds chaos_load::longest_silence() const {
  const std::lock_guard lock(mutex_);
  return longest_silence_;
}

} // namespace aqueduct::test
