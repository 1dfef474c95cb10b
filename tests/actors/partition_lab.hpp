// A partition without actors: a log that commits what it is told to, and sinks that write down.
#pragma once

#include "actors/partition/partition_core.hpp"
#include "protocol/batch_builder.hpp"

#include <doctest/doctest.h>

#include <cstring>

namespace aqueduct::actors::test {

inline buffer build_batch(int records, const protocol::batch_options& options = {}) {
  protocol::batch_builder builder;
  const std::string value = "value";
  for (int i = 0; i < records; ++i) {
    protocol::record_to_write record;
    record.timestamp = timestamp_ms(1000 + i);
    record.value = std::as_bytes(std::span(value));
    REQUIRE(builder.append(record));
  }
  return *builder.finish(options);
}

struct produced_to : produce_sink {
  void produced(std::uint32_t slot, produce_outcome outcome) override {
    outcomes.emplace_back(slot, std::move(outcome));
  }
  std::vector<std::pair<std::uint32_t, produce_outcome>> outcomes;
};

struct fetched_to : fetch_sink {
  void fetched(std::uint32_t, fetch_outcome outcome) override {
    outcomes.push_back(std::move(outcome));
  }
  std::size_t reserve(std::size_t wanted) override {
    const auto taken = std::min(wanted, budget);
    budget -= taken;
    return taken;
  }
  void release(std::size_t unused) override { budget += unused; }
  std::vector<fetch_outcome> outcomes;
  std::size_t budget = 1 << 20;
};

struct pushed_to : push_sink {
  std::size_t take_credit(std::size_t wanted) override {
    const auto taken = std::min<std::int64_t>(static_cast<std::int64_t>(wanted),
                                              std::max<std::int64_t>(credit, 0));
    credit -= taken;
    return static_cast<std::size_t>(taken);
  }
  void return_credit(std::int64_t unused) override { credit += unused; }
  void subscribed(std::uint32_t, errc error, std::string, std::int64_t offset) override {
    starts.emplace_back(error, offset);
  }
  void pushed(std::int32_t, push_outcome outcome) override {
    outcomes.push_back(std::move(outcome));
  }
  std::int64_t credit = 0;
  std::vector<std::pair<errc, std::int64_t>> starts;
  std::vector<push_outcome> outcomes;
};

struct asked_by : query_sink {
  void found_offset(std::uint32_t, offset_outcome outcome) override {
    offsets.push_back(std::move(outcome));
  }
  void described(std::uint32_t, describe_outcome outcome) override {
    descriptions.push_back(std::move(outcome));
  }
  void trimmed(std::uint32_t, trim_outcome outcome) override {
    trims.push_back(std::move(outcome));
  }
  std::vector<offset_outcome> offsets;
  std::vector<describe_outcome> descriptions;
  std::vector<trim_outcome> trims;
};

struct listed_to : producers_sink {
  void listed(std::uint32_t, producers_outcome outcome) override {
    outcomes.push_back(std::move(outcome));
  }
  std::vector<producers_outcome> outcomes;
};

/// A partition with a log that commits what it is told to.
class lab {
public:
  explicit lab(const config::topic_config& topic = {}, std::size_t cache_bytes = 1 << 20)
      : lab(options_of(topic, cache_bytes)) {}
  explicit lab(partition_core::options options) : core(std::move(options), {}) {}

  static partition_core::options options_of(const config::topic_config& topic,
                                            std::size_t cache_bytes) {
    partition_core::options options;
    options.node = 1;
    options.topic = topic;
    options.cache = std::make_shared<cache_budget>(cache_bytes);
    options.pending_bytes_max = 4096;
    return options;
  }

  void lead(std::uint64_t term = 1) {
    core.lead(term);
    current_term = term;
    commit_entry(raft::entry_kind::noop, {});
  }

  void commit_entry(raft::entry_kind kind, const buffer& body) {
    ++last_index;
    core.applied({{raft::log_index(last_index),
                   raft::term_id(current_term),
                   kind,
                   {body.owner(), body.size()}}},
                 5000, effects);
  }

  void produce(const buffer& batch, std::int64_t expected = -1, std::int64_t deadline = 100) {
    produce_item item;
    item.sink = producer;
    item.slot = next_slot++;
    item.expected_offset = expected;
    item.deadline_ms = deadline;
    item.batch = mutable_buffer(batch.size());
    std::memcpy(item.batch.data(), batch.data(), batch.size());
    item.header = protocol::batch_view(batch.bytes()).header();
    std::vector<produce_item> items;
    items.push_back(std::move(item));
    core.produce(std::move(items), 5000, 0, effects);
  }

  /// The Raft group accepts everything that was proposed so far.
  void accept() {
    const auto first = last_index + accepted.size() + 1;
    if (!effects.propose.empty())
      core.proposed(first, current_term, effects.propose.size());
    for (auto& entry : std::exchange(effects.propose, {}))
      accepted.push_back(std::move(entry));
  }

  void commit() {
    accept();
    for (auto& entry : std::exchange(accepted, {}))
      commit_entry(entry.kind, entry.body);
  }

  /// The group confirms that it leads, or does not, for every round that is asked for.
  void answer_rounds(bool leads = true) {
    while (const auto round = std::exchange(effects.read_index, std::nullopt))
      core.read_index_found(*round, leads ? std::optional(last_index) : std::nullopt, 0, effects);
  }

  std::shared_ptr<fetched_to> fetch(std::int64_t offset, bool wait = false, int bytes_min = 1) {
    auto sink = std::make_shared<fetched_to>();
    fetch_item item;
    item.sink = sink;
    item.offset = offset;
    item.bytes_max = 1 << 16;
    item.bytes_min = bytes_min;
    item.wait = wait;
    core.fetch(std::move(item), 0, effects);
    return sink;
  }

  [[nodiscard]] const produce_outcome& outcome(std::size_t i) const {
    return producer->outcomes.at(i).second;
  }

  partition_core core;
  partition_effects effects;
  std::shared_ptr<produced_to> producer = std::make_shared<produced_to>();
  std::vector<proposed_entry> accepted;
  std::uint64_t last_index = 0;
  std::uint64_t current_term = 0;
  std::uint32_t next_slot = 0;
};

inline protocol::batch_options idempotent(std::int32_t sequence, std::int16_t epoch = 0) {
  protocol::batch_options options;
  options.producer = producer_id(77);
  options.producer_epoch = epoch;
  options.base_sequence = sequence;
  return options;
}

} // namespace aqueduct::actors::test
