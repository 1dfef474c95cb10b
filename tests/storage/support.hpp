// What the tests of storage share: groups, batches and entries made from small numbers, a machine
// of a simulated disk and key-value store, and a comparison of a log with what it should hold.
#pragma once

#include "protocol/batch_builder.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_store.hpp"
#include "storage/memory_kv.hpp"
#include "storage/segment_log.hpp"
#include "storage/sim_disk.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::storage::test {

inline const group_id group_a{uuid{{1, 2, 3}}, 0};
inline const group_id group_b{uuid{{1, 2, 3}}, 1};
inline const group_id group_c{uuid{{9}}, 7};

/// SplitMix64: the same numbers on every machine.
class generator {
public:
  explicit generator(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

private:
  std::uint64_t state_;
};

inline byte_span bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A batch of `count` records whose values have `value_bytes` bytes, with ascending timestamps.
inline buffer make_batch(std::int64_t base_offset, int count = 1, std::size_t value_bytes = 10,
                         std::int64_t timestamp = 1000, std::int64_t timestamp_step = 1) {
  protocol::batch_builder builder;
  for (int i = 0; i < count; ++i) {
    std::string value(value_bytes, static_cast<char>('a' + (base_offset + i) % 26));
    protocol::record_to_write record;
    record.timestamp = timestamp_ms(timestamp + i * timestamp_step);
    record.value = bytes_of(value);
    REQUIRE(builder.append(record));
  }
  protocol::batch_options options;
  options.base_offset = offset_t(base_offset);
  options.epoch = leader_epoch(1);
  auto batch = builder.finish(options);
  REQUIRE(batch);
  return *batch;
}

inline log_entry records_entry(std::uint64_t index, std::uint64_t term, std::int64_t base_offset,
                               int count = 1, std::size_t value_bytes = 10,
                               std::int64_t timestamp = 1000) {
  return {index, term, entry_kind::records, make_batch(base_offset, count, value_bytes, timestamp)};
}

inline log_entry command_entry(std::uint64_t index, std::uint64_t term, std::string_view text) {
  return {index, term, entry_kind::command, buffer::copy_of(text)};
}

inline log_entry noop_entry(std::uint64_t index, std::uint64_t term) {
  return {index, term, entry_kind::noop, {}};
}

/// Records entries `first` to `last`, one record each, with offsets from `first_offset` on.
inline std::vector<log_entry> records_run(std::uint64_t first, std::uint64_t last,
                                          std::int64_t first_offset = 0,
                                          std::size_t value_bytes = 10, std::uint64_t term = 1) {
  std::vector<log_entry> entries;
  for (auto index = first; index <= last; ++index) {
    const auto nth = static_cast<std::int64_t>(index - first);
    entries.push_back(
        records_entry(index, term, first_offset + nth, 1, value_bytes, 1000 + 10 * nth));
  }
  return entries;
}

/// A machine: its disk and key-value store live on when the program on it is restarted.
struct machine {
  sim_disk files;
  memory_kv store;
  std::shared_ptr<file_cache> cache = std::make_shared<file_cache>(files, 16);

  [[nodiscard]] result<std::unique_ptr<segment_log>> open_log(const segment_options& options,
                                                              const group_id& group = group_a) {
    return segment_log::open({files, store, *cache}, group_directory("data", group), group,
                             options);
  }
  [[nodiscard]] log_reader reader_of(const segment_log& log, const group_id& group = group_a) {
    return {log.publication(), group, cache, store, log.options().index_interval_bytes};
  }
  void crash(const crash_policy& policy) {
    files.crash(policy);
    store.crash(policy.seed);
    cache = std::make_shared<file_cache>(files, 16);
  }
};

/// Small enough for many segments in a test.
inline segment_options small_segments(std::uint64_t segment_bytes = 1024) {
  segment_options options;
  options.segment_bytes = segment_bytes;
  options.segment_age_ms = -1;
  options.preallocate_bytes = 4096;
  options.index_interval_bytes = 256;
  return options;
}

/// Everything in the log, read back through a reader.
inline std::vector<log_entry> all_entries(const log_reader& reader) {
  std::vector<log_entry> entries;
  auto from = reader.first_index();
  while (true) {
    const auto read = reader.read_entries(from, reader.last_index() + 1, 512);
    REQUIRE_MESSAGE(read.has_value(), (read ? std::string() : to_string(read.error())));
    if (read->empty())
      return entries;
    entries.insert(entries.end(), read->begin(), read->end());
    from = entries.back().index + 1;
  }
}

template <class T>
std::string why(const result<T>& outcome) {
  return outcome ? "success" : to_string(outcome.error());
}

} // namespace aqueduct::storage::test

/// A result that must be there.
#define REQUIRE_OK(expression)                                                                     \
  do {                                                                                             \
    const auto& outcome_ = (expression);                                                           \
    REQUIRE_MESSAGE(outcome_.has_value(), aqueduct::storage::test::why(outcome_));                 \
  } while (false)
#define CHECK_OK(expression)                                                                       \
  do {                                                                                             \
    const auto& outcome_ = (expression);                                                           \
    CHECK_MESSAGE(outcome_.has_value(), aqueduct::storage::test::why(outcome_));                   \
  } while (false)
/// A result that must be this error.
#define CHECK_FAILS(expression, expected)                                                          \
  do {                                                                                             \
    const auto& outcome_ = (expression);                                                           \
    CHECK_FALSE(outcome_.has_value());                                                             \
    if (!outcome_.has_value())                                                                     \
      CHECK_MESSAGE(outcome_.error().code == (expected), to_string(outcome_.error()));             \
  } while (false)
