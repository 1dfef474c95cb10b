// A store of many groups on a machine that can lose power, for the tests of the store.
#pragma once

#include "storage/hard_state.hpp"
#include "tests/storage/support.hpp"

#include <memory>
#include <vector>

namespace aqueduct::storage::test {

inline store_options options_with(flush_mode mode = flush_mode::commit) {
  store_options options;
  options.directory = "data";
  options.flush = mode;
  options.reserve_bytes = 1000;
  options.mark_bytes = 2000;
  options.idle_close_ms = 1000;
  return options;
}

/// A store on a machine, started again after each crash.
struct node {
  machine host;
  store_options options = options_with();
  std::unique_ptr<log_store> logs = std::make_unique<log_store>(host.files, host.store, options);

  void restart() {
    logs.reset();
    logs = std::make_unique<log_store>(host.files, host.store, options);
  }
  void crash(const crash_policy& policy = crash_policy::drop_all()) {
    // Without power the store's destructor cannot make anything durable.
    host.files.crash_after(0);
    host.store.crash_after(0);
    logs.reset();
    host.files.crash(policy);
    host.store.crash();
    logs = std::make_unique<log_store>(host.files, host.store, options);
  }
  opened_group open(const group_id& group, const segment_options& segments = small_segments()) {
    auto opened = logs->open(group, segments);
    REQUIRE_MESSAGE(opened.has_value(), why(opened));
    return *opened;
  }
  [[nodiscard]] std::vector<append_outcome> flush(const std::vector<append_batch>& batches) {
    return logs->flush(batches);
  }
  append_outcome flush_one(const append_batch& batch) { return logs->flush({&batch, 1}).front(); }
};

inline append_batch batch_of(const group_id& group, std::vector<log_entry> entries,
                             std::uint64_t ticket = 0) {
  append_batch batch;
  batch.group = group;
  batch.ticket = ticket;
  batch.entries = std::move(entries);
  return batch;
}

inline append_batch vote(const group_id& group, std::uint64_t term, std::int32_t for_node = 1) {
  append_batch batch;
  batch.group = group;
  batch.hard = hard_state{term, voted_replica{node_id(for_node), 1}};
  return batch;
}

/// Opens a group and gives it a hard state of term 9.
inline opened_group begin(node& n, const group_id& group) {
  auto opened = n.open(group);
  CHECK_OK(n.flush_one(vote(group, 9)).status);
  return opened;
}

inline void mark_applied(node& n, const group_id& group, std::uint64_t index) {
  write_batch batch;
  put_applied_index(batch, group, index);
  REQUIRE_OK(n.host.store.write(batch, durability::relaxed));
}

} // namespace aqueduct::storage::test
