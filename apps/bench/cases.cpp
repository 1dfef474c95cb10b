#include "apps/bench/cases.hpp"

namespace aqueduct::bench {

namespace {

constexpr bench_case cases[] = {
    {"produce-1", "1 KiB records in 256 KiB batches, 1 partition", produce_one_partition},
    {"produce-16", "1 KiB records in 256 KiB batches, 16 partitions", produce_many_partitions},
    {"produce-small", "one 100 B record per request, 64 in flight over 16 connections",
     produce_small},
    {"produce-single", "one 100 B record at a time to an idle node", produce_single},
    {"consume-tail", "1 MiB fetches of what was just written", consume_tail},
    {"consume-cold", "1 MiB fetches from the disk", consume_cold},
    {"end-to-end", "1 KiB records at 5,000/s to a subscriber", end_to_end},
    {"sdk-produce", "100 B records through the client library, one producer", sdk_produce},
    {"kafka-produce", "the batches of produce-1 in Kafka's protocol, beside the native one",
     kafka_produce},
    {"kafka-small", "the same in batches of 16 KiB", kafka_produce_small},
    {"kafka-fetch", "fetches of 1 MiB and 256 KiB in Kafka's protocol, beside the native one",
     kafka_fetch},
    {"kafka-sessions", "waiting for 200 idle partitions, without a fetch session and with one",
     kafka_sessions},
    {"group-heartbeats", "200 consumer groups with 1,000 members", group_heartbeats},
    {"group-commits", "commits of 100 consumers", group_commits},
    {"group-join", "a member joins a cooperative group of 50", group_join},
    {"ready-empty", "start without data", ready_empty},
    {"ready-loaded", "start with 1,000 partitions and 4 GiB", ready_loaded},
    {"idle", "memory and CPU of a node that nobody uses", idle},
    {"partitions", "10,000 partitions on one node", many_partitions},
    {"failover", "waits for an acknowledgement while leaders of three nodes go", failover},
    {"replication", "1 KiB records through the client library, three replicas", replication},
    {"cluster-idle", "1,000 partitions of three nodes that nobody uses", cluster_idle},
    {"catch-up", "reading from three nodes of which one was away", catch_up},
};

} // namespace

std::span<const bench_case> all_cases() {
  return cases;
}

} // namespace aqueduct::bench
