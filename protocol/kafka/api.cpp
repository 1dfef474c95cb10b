#include "protocol/kafka/api.hpp"

#include "protocol/invariant.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace aqueduct::protocol::kafka {

namespace {

constexpr auto never = std::numeric_limits<std::int16_t>::max();

constexpr auto table = std::to_array<api_info>({
    {api_key::produce, "Produce", 3, 11, 9},
    {api_key::fetch, "Fetch", 4, 17, 12},
    {api_key::list_offsets, "ListOffsets", 1, 10, 6},
    {api_key::metadata, "Metadata", 0, 13, 9},
    {api_key::offset_commit, "OffsetCommit", 0, 9, 8},
    {api_key::offset_fetch, "OffsetFetch", 1, 9, 6},
    {api_key::find_coordinator, "FindCoordinator", 0, 4, 3},
    {api_key::join_group, "JoinGroup", 0, 9, 6},
    {api_key::heartbeat, "Heartbeat", 0, 4, 4},
    {api_key::leave_group, "LeaveGroup", 0, 5, 4},
    {api_key::sync_group, "SyncGroup", 0, 5, 4},
    {api_key::describe_groups, "DescribeGroups", 0, 6, 5},
    {api_key::list_groups, "ListGroups", 0, 5, 3},
    {api_key::api_versions, "ApiVersions", 0, 4, 3},
    {api_key::create_topics, "CreateTopics", 2, 7, 5},
    {api_key::delete_topics, "DeleteTopics", 1, 6, 4},
    {api_key::delete_records, "DeleteRecords", 0, 2, 2},
    {api_key::init_producer_id, "InitProducerId", 0, 4, 2},
    {api_key::offset_for_leader_epoch, "OffsetForLeaderEpoch", 2, 4, 4},
    {api_key::add_partitions_to_txn, "AddPartitionsToTxn", 0, 3, 3},
    {api_key::add_offsets_to_txn, "AddOffsetsToTxn", 0, 3, 3},
    {api_key::end_txn, "EndTxn", 0, 3, 3},
    {api_key::txn_offset_commit, "TxnOffsetCommit", 0, 3, 3},
    {api_key::describe_configs, "DescribeConfigs", 1, 4, 4},
    {api_key::alter_configs, "AlterConfigs", 0, 2, 2},
    {api_key::describe_log_dirs, "DescribeLogDirs", 1, 4, 2},
    {api_key::create_partitions, "CreatePartitions", 0, 3, 2},
    {api_key::delete_groups, "DeleteGroups", 0, 2, 2},
    {api_key::elect_leaders, "ElectLeaders", 0, 2, 2},
    {api_key::incremental_alter_configs, "IncrementalAlterConfigs", 0, 1, 1},
    {api_key::alter_partition_reassignments, "AlterPartitionReassignments", 0, 1, 0},
    {api_key::list_partition_reassignments, "ListPartitionReassignments", 0, 0, 0},
    {api_key::offset_delete, "OffsetDelete", 0, 0, never},
    {api_key::describe_client_quotas, "DescribeClientQuotas", 0, 1, 1},
    {api_key::alter_client_quotas, "AlterClientQuotas", 0, 1, 1},
    {api_key::describe_cluster, "DescribeCluster", 0, 2, 0},
    {api_key::describe_producers, "DescribeProducers", 0, 0, 0},
    {api_key::describe_transactions, "DescribeTransactions", 0, 0, 0},
    {api_key::list_transactions, "ListTransactions", 0, 2, 0},
});

static_assert(std::ranges::is_sorted(table, {}, &api_info::key), "the table is searched by key");

} // namespace

std::span<const api_info> api_table() {
  return table;
}

const api_info* find_api(std::int16_t key) {
  const auto row = std::ranges::lower_bound(table, static_cast<api_key>(key), {}, &api_info::key);
  return row != table.end() && row->key == static_cast<api_key>(key) ? &*row : nullptr;
}

const api_info& describe(api_key key) {
  const auto* row = find_api(static_cast<std::int16_t>(key));
  AQUEDUCT_INVARIANT(row != nullptr, std::to_string(static_cast<int>(key)));
  return *row;
}

} // namespace aqueduct::protocol::kafka
