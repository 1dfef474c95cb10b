#include "tests/integration/chaos_ledger.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace aqueduct::test {

namespace {

constexpr std::size_t violations_max = 20;

std::string print(const record_tag& tag) {
  return "record " + std::to_string(tag.number) + " of producer " + std::to_string(tag.producer);
}

std::string place(std::int32_t partition, std::int64_t offset) {
  return "partition " + std::to_string(partition) + ", offset " + std::to_string(offset);
}

/// Takes the number in front of the next '/' off `text`.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr == text.data() + text.size() || *read.ptr != '/')
    return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()) + 1);
  return true;
}

} // namespace

std::string value_of(const record_tag& tag) {
  auto value = std::to_string(tag.producer) + "/" + std::to_string(tag.partition) + "/" +
               std::to_string(tag.number) + "/";
  // One of eight is so large that its batch is written past the page cache, and its file from then
  // on; four of them together are within `max.message.bytes` of the topic.
  const bool is_large = tag.number % 8 == 5;
  const auto filler = static_cast<std::size_t>(is_large ? 16'384 + tag.number * 97 % 16'384
                                                        : tag.number * 37 % 700);
  value.append(filler, static_cast<char>('a' + tag.number % 26));
  return value;
}

std::optional<record_tag> tag_of(std::string_view value) {
  record_tag tag;
  auto rest = value;
  if (!take_number(rest, tag.producer) || !take_number(rest, tag.partition) ||
      !take_number(rest, tag.number) || value != value_of(tag))
    return std::nullopt;
  return tag;
}

chaos_ledger::chaos_ledger(std::int32_t partitions, std::int32_t idempotent_producers)
    : idempotent_producers_(idempotent_producers),
      partitions_(static_cast<std::size_t>(partitions)) {}

void chaos_ledger::acknowledged(const record_tag& first, std::int32_t count,
                                std::int64_t base_offset) {
  const std::lock_guard lock(mutex_);
  for (std::int32_t i = 0; i < count; ++i)
    learn(first.partition, base_offset + i, {first.producer, first.partition, first.number + i},
          "the producer");
  auto& truth = partitions_.at(static_cast<std::size_t>(first.partition));
  truth.end = std::max(truth.end, base_offset + count);
  acknowledged_ += count;
}

void chaos_ledger::seen(std::int32_t partition, const read_record& record,
                        std::string_view reader) {
  const auto tag = tag_of(record.value);
  const std::lock_guard lock(mutex_);
  if (!tag || tag->partition != partition) {
    add_violation(place(partition, record.offset) + ": " + std::string(reader) +
                  " read what nobody wrote there: '" + record.value.substr(0, 40) + "'");
    return;
  }
  learn(partition, record.offset, *tag, reader);
  auto& truth = partitions_.at(static_cast<std::size_t>(partition));
  truth.end = std::max(truth.end, record.offset + 1);
}

void chaos_ledger::seen_end(std::int32_t partition, std::int64_t high_watermark, std::string_view) {
  const std::lock_guard lock(mutex_);
  auto& truth = partitions_.at(static_cast<std::size_t>(partition));
  truth.end = std::max(truth.end, high_watermark);
}

void chaos_ledger::learn(std::int32_t partition, std::int64_t offset, const record_tag& tag,
                         std::string_view reader) {
  auto& records = partitions_.at(static_cast<std::size_t>(partition)).records;
  const auto at = static_cast<std::size_t>(offset);
  if (offset < 0 || offset > 100'000'000) {
    add_violation(place(partition, offset) + " makes no sense");
    return;
  }
  if (records.size() <= at)
    records.resize(at + 1);
  if (records[at] && *records[at] != tag)
    add_violation(place(partition, offset) + ": was " + print(*records[at]) + ", " +
                  std::string(reader) + " has " + print(tag));
  records[at] = tag;
}

void chaos_ledger::check_order(partition_truth& truth, std::int64_t offset, const record_tag& tag) {
  auto& next = truth.next_number[tag.producer];
  // An idempotent producer repeats until it is told the offset, so nothing of it may be left out; a
  // plain one gives a batch up when it does not know what became of it.
  const bool in_order =
      tag.producer < idempotent_producers_ ? tag.number == next : tag.number >= next;
  if (!in_order)
    add_violation(place(tag.partition, offset) + ": " + print(tag) + " comes where number " +
                  std::to_string(next) + " is due");
  next = tag.number + 1;
}

void chaos_ledger::verify(native_client& client, const std::string& topic, bool from_start) {
  for (std::size_t i = 0; i < partitions_.size(); ++i)
    verify_partition(client, topic, static_cast<std::int32_t>(i), from_start);
}

void chaos_ledger::verify_partition(native_client& client, const std::string& topic,
                                    std::int32_t partition, bool from_start) {
  std::int64_t from = 0;
  {
    const std::lock_guard lock(mutex_);
    auto& truth = partitions_[static_cast<std::size_t>(partition)];
    if (from_start) {
      truth.verified = 0;
      truth.next_number.clear();
    }
    from = truth.verified;
  }
  std::vector<read_record> records;
  try {
    if (log_end(client, topic, partition) >= from)
      records = read_all(client, topic, partition, from);
  } catch (const std::exception& failure) {
    violation("partition " + std::to_string(partition) + ": " + failure.what());
    return;
  }
  for (const auto& record : records)
    seen(partition, record, "the final reader");
  const std::lock_guard lock(mutex_);
  auto& truth = partitions_[static_cast<std::size_t>(partition)];
  for (const auto& record : records)
    if (const auto tag = tag_of(record.value))
      check_order(truth, record.offset, *tag);
  truth.verified = from + static_cast<std::int64_t>(records.size());
  if (truth.verified < truth.end)
    add_violation("partition " + std::to_string(partition) + " ends at offset " +
                  std::to_string(truth.verified) + ", but was known up to " +
                  std::to_string(truth.end) + ": records were lost");
}

void chaos_ledger::violation(std::string what) {
  const std::lock_guard lock(mutex_);
  add_violation(std::move(what));
}

void chaos_ledger::add_violation(std::string what) {
  if (violations_.size() < violations_max)
    violations_.push_back(std::move(what));
}

std::vector<std::string> chaos_ledger::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

std::int64_t chaos_ledger::acknowledged_count() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

std::int64_t chaos_ledger::stored_count() const {
  const std::lock_guard lock(mutex_);
  std::int64_t count = 0;
  for (const auto& truth : partitions_)
    count += truth.verified;
  return count;
}

} // namespace aqueduct::test
