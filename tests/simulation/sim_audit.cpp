// The audit: what the disks of all nodes hold in the end, held against each other and against what
// clients saw.
#include "actors/partition/partition_rows.hpp"
#include "protocol/bytes.hpp"
#include "storage/group_state.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_store.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <algorithm>
#include <span>

namespace aqueduct::actors::test {

namespace {

/// Where the controller has its rows.
constexpr std::string_view controller_rows = "state/";

/// What a state machine has written; what storage keeps among it is left out. How far a partition
/// has applied is left out too: entries that change nothing move it.
result<std::map<std::string, std::string>> rows_of(const storage::kv& store,
                                                   const group_id& group) {
  const bool is_controller = group == controller_group;
  const auto prefix = is_controller ? std::string(controller_rows) : storage::group_prefix(group);
  std::map<std::string, std::string> rows;
  const auto take = [&](std::string_view key, std::string_view value) {
    const auto name = key.substr(prefix.size());
    if (is_controller || !storage::is_own_key(name))
      rows.emplace(name, value);
    return true;
  };
  if (auto scanned = store.scan(is_controller ? storage::family::cluster_state
                                              : storage::family::partition_state,
                                prefix, storage::end_of_prefix(prefix), take);
      !scanned)
    return scanned.propagate();
  const auto kept = rows.find(std::string(summary_key));
  if (is_controller || kept == rows.end())
    return rows;
  auto summary = decode_partition_summary(std::as_bytes(std::span(kept->second)));
  if (!summary)
    return summary.propagate();
  summary->applied_index = summary->applied_term = 0;
  kept->second = encode(*summary).text();
  return rows;
}

/// The last entry up to there that a state machine is told of.
std::uint64_t last_change(const std::map<std::uint64_t, storage::log_entry>& log,
                          std::uint64_t upto) {
  const auto is_change = [](storage::entry_kind kind) {
    return kind == storage::entry_kind::records || kind == storage::entry_kind::command;
  };
  for (auto at = log.find(upto); at != log.end() && !is_change(at->second.kind);
       at = log.find(upto))
    --upto;
  return upto;
}

} // namespace

void sim_cluster::audit() {
  const auto all = topics();
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    if (is_up(i) && !stop(i))
      ledger_->broke("node " + std::to_string(i) + " does not stop");
  std::vector<std::int32_t> everybody;
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    everybody.push_back(i);
  audit_group(controller_group, everybody);
  for (const auto& topic : all)
    for (std::size_t p = 0; p < topic->partitions.size(); ++p)
      audit_group({topic->record.id, static_cast<std::int32_t>(p)},
                  topic->record.partitions[p].nodes);
}

void sim_cluster::audit_group(const group_id& group, const std::vector<std::int32_t>& nodes) {
  std::map<std::uint64_t, storage::log_entry> truth;
  std::map<std::int64_t, std::string> values;
  std::int64_t start = -1;
  for (const auto node : nodes) {
    auto& host = machine(node);
    const auto directory = storage::group_directory("/data", group);
    if (const auto there = host.disk->exists(directory); !there || !*there)
      continue;
    const auto cache = std::make_shared<storage::file_cache>(*host.disk, 16);
    auto log = storage::segment_log::open({*host.disk, *host.kv, *cache}, directory, group, {});
    if (!log) {
      ledger_->broke("node " + std::to_string(node) + ": " + to_string(log.error()));
      continue;
    }
    const storage::log_reader reader((*log)->publication(), group, cache, *host.kv, 512);
    const auto first = std::max<std::int64_t>((*log)->start_offset().value, 0);
    start = start < 0 ? first : std::min(start, first);
    for (auto next = (*log)->first_index(); next <= (*log)->last_index();) {
      const auto read = reader.read_entries(next, (*log)->last_index() + 1, 1 << 20);
      if (!read || read->empty()) {
        ledger_->broke("node " + std::to_string(node) + " cannot read entry " +
                       std::to_string(next) + " of " + to_string(group));
        break;
      }
      for (const auto& entry : *read) {
        const auto [known, is_new] = truth.emplace(entry.index, entry);
        if (!is_new && (known->second.term != entry.term || known->second.kind != entry.kind ||
                        known->second.body != entry.body))
          ledger_->broke("node " + std::to_string(node) + " holds another entry " +
                         std::to_string(entry.index) + " of " + to_string(group));
      }
      next = read->back().index + 1;
    }
  }
  audit_rows(group, nodes, truth);
  if (group == controller_group)
    return;
  for (const auto& [index, entry] : truth)
    if (entry.kind == storage::entry_kind::records) {
      const auto found = values_of(buffer_chain(entry.body));
      if (!found)
        ledger_->broke("an entry of " + to_string(group) + " is no batch");
      else
        values.insert(found->begin(), found->end());
    }
  ledger_->close({group.topic, group.partition}, std::max<std::int64_t>(start, 0), values);
}

void sim_cluster::audit_rows(const group_id& group, const std::vector<std::int32_t>& nodes,
                             const std::map<std::uint64_t, storage::log_entry>& log) {
  struct state {
    std::int32_t node = 0;
    std::map<std::string, std::string> rows;
  };
  /// By the last change that it has.
  std::map<std::uint64_t, state> states;
  for (const auto node : nodes) {
    auto& host = machine(node);
    const auto applied = storage::read_applied_index(*host.kv, group);
    auto rows = rows_of(*host.kv, group);
    if (!applied || !rows) {
      ledger_->broke("node " + std::to_string(node) + " cannot read its state of " +
                     to_string(group));
      continue;
    }
    if (*applied == 0)
      continue;
    const auto upto = last_change(log, *applied);
    const auto first = states.find(upto);
    if (first == states.end()) {
      states.emplace(upto, state{node, std::move(*rows)});
      continue;
    }
    ++states_compared_;
    rows_compared_ += first->second.rows.size();
    if (first->second.rows == *rows)
      continue;
    const auto [here, there] = std::ranges::mismatch(*rows, first->second.rows);
    const auto key = here != rows->end() ? here->first : there->first;
    ledger_->broke("nodes " + std::to_string(first->second.node) + " and " + std::to_string(node) +
                   " have applied the same entries of " + to_string(group) + " up to " +
                   std::to_string(upto) + " and differ at row " + key);
  }
}

} // namespace aqueduct::actors::test
