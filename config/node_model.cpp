// One row per setting of a node: key, kind with its range, field, documentation. The defaults are
// in node_config.hpp.
#include "config/node_model.hpp"

#include <chrono>
#include <limits>

namespace aqueduct::config {

namespace {

using namespace std::chrono_literals;
using builder = model_builder<node_config>;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;
constexpr std::uint64_t tib = 1024 * gib;
constexpr std::chrono::milliseconds day = 24h;

constexpr endpoint_kind listening{.port_may_be_zero = true};

void add_addresses(builder& model) {
  model
      .add("listen", listening, AQUEDUCT_FIELD(listen),
           "Where clients connect, with the native and the Kafka protocol. Loopback by default, as "
           "connections are not authenticated. Port 0 takes a free one.")
      .add("advertise", endpoint_kind{.may_be_empty = true}, AQUEDUCT_FIELD(advertise),
           "The address that clients are told to connect to. Empty is the address of `listen`, "
           "which is right unless that is 0.0.0.0, or clients reach this node by another name.")
      .add("listeners.listen", named_endpoint_list_kind{.port_may_be_zero = true},
           AQUEDUCT_FIELD(listeners.listen),
           "Further ports for clients, each with a name, for those that reach the brokers by "
           "another address: containers, another network, the other side of a tunnel. A client is "
           "told the addresses that all brokers have for the listener of the same name as the one "
           "that it came in on. So give a listener the same name on every broker.")
      .add("listeners.advertise", named_endpoint_list_kind{}, AQUEDUCT_FIELD(listeners.advertise),
           "The addresses that clients of these listeners are told to connect to, each under the "
           "name of its listener. Without one it is the address in `listeners.listen`.")
      .add("node.id", integer_kind{0, std::numeric_limits<std::int32_t>::max()},
           AQUEDUCT_FIELD(node.id),
           "The number of this node, unique in the cluster and the same for ever: replicas are "
           "placed by it.")
      .add("node.rack", text_kind{}, AQUEDUCT_FIELD(node.rack),
           "The rack, zone or room of this node; empty is none. Replicas of a partition are spread "
           "over racks, and consumers that name a rack read from it.")
      .add("data.dir", text_kind{.size_min = 1, .size_max = 4095}, AQUEDUCT_FIELD(data.dir),
           "The folder of everything that this node keeps; created when missing. A relative path "
           "starts at the working directory. One node per folder.")
      .add("cluster.listen", listening, AQUEDUCT_FIELD(cluster.listen),
           "Where the other nodes of the cluster connect. Loopback by default, as connections are "
           "not authenticated. Port 0 takes a free one.")
      .add("cluster.advertise", endpoint_kind{.may_be_empty = true},
           AQUEDUCT_FIELD(cluster.advertise),
           "The address that other nodes are told to connect to. Empty is the address of "
           "`cluster.listen`, which is right unless that is 0.0.0.0, or the nodes reach each other "
           "by another name.")
      .add("cluster.heartbeat", duration_kind{.min = 10ms, .max = 1min},
           AQUEDUCT_FIELD(cluster.heartbeat),
           "The time between two signs of life of a broker to the controller.")
      .add(
          "cluster.session-timeout", duration_kind{.min = 100ms, .max = 10min},
          AQUEDUCT_FIELD(cluster.session_timeout),
          "Silence after which the controller takes a broker for gone: it gets no new replicas and "
          "clients are no longer told of it, until it is heard again. At least three heartbeats. "
          "Who leads a partition does not depend on it: that is decided by the replicas of the "
          "partition (`raft.election-timeout`).")
      .add("cluster.move-timeout", duration_kind{.min = 1s, .max = 30 * day},
           AQUEDUCT_FIELD(cluster.move_timeout),
           "How long replicas that move wait for a broker that is to get one and counts as gone, "
           "before the controller takes the move back: the replicas stay where they were. It does "
           "not if a broker that they would go back to is gone too.")
      .add("cluster.send-window-bytes", size_kind{.min = 1 * mib, .max = 1 * gib},
           AQUEDUCT_FIELD(cluster.send_window_bytes),
           "Messages that wait for one other node, on the connection for large ones; an eighth of "
           "it, and at least 1 MiB, on the one for votes and heartbeats. What comes beyond it is "
           "dropped and sent again when the node keeps up.")
      .add(
          "cluster.catch-up-rate", size_kind{.min = 1 * mib, .max = 1 * tib},
          AQUEDUCT_FIELD(cluster.catch_up_rate),
          "Bytes per second that this node reads from its disk for replicas that are behind: those "
          "that move here, that were away, or that lost their disk. All of them share it, so that "
          "clients keep the rest. What clients write meanwhile comes on top of it, so that a "
          "replica comes nearer at this rate however much that is.",
          reload::yes)
      .add("http.listen", listening, AQUEDUCT_FIELD(http.listen),
           "Where metrics, health and the console are served. This version does not open it yet.")
      .add("admin.listen", listening, AQUEDUCT_FIELD(admin.listen),
           "Where `aq admin` connects. Its protocol has no authentication of its own: whoever "
           "reaches this address rules the node, so keep it on loopback.")
      .add("discovery.kind", choice_of<discovery_kind>(), AQUEDUCT_FIELD(discovery.kind),
           "How nodes find each other: `static` takes the list of `discovery.seeds`, `memory` "
           "finds the nodes that a program runs in one process, `etcd` registers the node in etcd "
           "(3.4 or later) and finds those that are registered there. With `memory` the first node "
           "founds the cluster and the others join it; `aqueductd` runs one node in its process, "
           "which is then a cluster by itself. etcd is needed to find nodes and to found the "
           "cluster, not to run it.")
      .add("discovery.seeds", endpoint_list_kind{}, AQUEDUCT_FIELD(discovery.seeds),
           "With `static`, the cluster addresses of some nodes. A node without data asks them: if "
           "one of them belongs to a cluster, it joins that. If all are without data, this one "
           "among them, the one with the lowest `node.id` founds the cluster when all are there, "
           "and the others join it; so give nodes that start a cluster together the same list. A "
           "list without this node means: join. An empty list means: this node is a cluster by "
           "itself, which others may join. With `etcd`, the addresses where members of etcd serve "
           "their clients, by HTTP without TLS; when one fails the next is asked.")
      .add("discovery.prefix", text_kind{.size_min = 2, .size_max = 255},
           AQUEDUCT_FIELD(discovery.prefix),
           "With `etcd`, the beginning of the cluster's keys there: `nodes/`, `founder` and "
           "`cluster` below it. The same on all nodes of a cluster, and another one for each "
           "cluster. Begins with a slash and does not end with one.")
      .add("discovery.ttl", duration_kind{.min = 1s, .max = 10min}, AQUEDUCT_FIELD(discovery.ttl),
           "With `etcd`, how long a node stays registered after its last sign of life, in whole "
           "seconds; it gives one every third of it. The cluster itself notices a lost node much "
           "sooner.");
}

void add_storage(builder& model) {
  model
      .add("storage.flush", choice_of<flush_policy>(), AQUEDUCT_FIELD(storage.flush),
           "When a message counts as stored on this node. `commit`: after an fsync, shared by all "
           "messages that wait for one; nothing acknowledged is lost by a crash of the process, "
           "the system or the power. `interval`: after the write, with an fsync every "
           "`storage.flush-interval`; a crash of the process loses nothing, a crash of the system "
           "or the power loses up to one interval of acknowledged messages on this node, and on "
           "the cluster when a majority crashes within it. `os`: after the write, synced when the "
           "operating system likes, usually within 30 seconds; loses that much in the same cases.")
      .add("storage.flush-interval", duration_kind{.min = 1ms, .max = 1min},
           AQUEDUCT_FIELD(storage.flush_interval),
           "The time between two fsyncs with `storage.flush = \"interval\"`; without effect "
           "otherwise.")
      .add("storage.threads", integer_kind{1, 64}, AQUEDUCT_FIELD(storage.threads),
           "Threads that write. Each owns a share of the partitions, writes and syncs on its own; "
           "partitions of a topic are dealt out in turn. Most disks take many syncs at a time.")
      .add("storage.reader-threads", integer_kind{1, 64}, AQUEDUCT_FIELD(storage.reader_threads),
           "Threads that read what is no longer in memory. Reads never wait behind a flush.")
      .add("storage.segment-bytes", size_kind{.min = 64 * kib, .max = 2 * gib},
           AQUEDUCT_FIELD(storage.segment_bytes),
           "The size at which a partition begins a new segment file; a topic's `segment.bytes` "
           "replaces it. Retention removes whole segments.")
      .add("storage.segment-age", duration_kind{.min = 1s, .max = 3650 * day},
           AQUEDUCT_FIELD(storage.segment_age),
           "The age at which a partition begins a new segment file, full or not; a topic's "
           "`segment.ms` replaces it.")
      .add("storage.preallocate-bytes", size_kind{.max = 2 * gib},
           AQUEDUCT_FIELD(storage.preallocate_bytes),
           "Disk space that a segment takes ahead of its messages, so that syncs need not record "
           "a new file size; 0 takes none. What is unused is given back when the segment is "
           "closed.")
      .add("storage.direct-writes", bool_kind{}, AQUEDUCT_FIELD(storage.direct_writes),
           "Segments are written past the page cache of the operating system (`O_DIRECT`), where "
           "the file system can: less CPU, and no memory beside the tail cache. Without it a "
           "consumer that is behind by more than `storage.tail-cache-bytes` finds in the page "
           "cache what was written lately, if there is memory for it.")
      .add("storage.index-interval-bytes", size_kind{.min = 1 * kib, .max = 64 * mib},
           AQUEDUCT_FIELD(storage.index_interval_bytes),
           "Bytes of messages between two entries of the offset and time indexes. Smaller finds "
           "faster, larger takes less memory and disk.")
      .add("storage.tail-cache-bytes", size_kind{.min = 1 * mib, .max = 1 * tib},
           AQUEDUCT_FIELD(storage.tail_cache_bytes),
           "Memory for the newest messages of all partitions together. Consumers within it never "
           "touch the disk.")
      .add("storage.reserve-bytes", size_kind{.max = 16 * tib},
           AQUEDUCT_FIELD(storage.reserve_bytes),
           "Free disk space that is kept: below it produce is refused with a retriable error, "
           "while reads, deletes and retention go on.")
      .add("storage.open-files", integer_kind{16, 1'000'000}, AQUEDUCT_FIELD(storage.open_files),
           "Segment files that are kept open for reading at a time; must fit into the process's "
           "limit of descriptors, which the node raises to its hard limit.")
      .add("storage.scrub-interval", duration_kind{.max = 3650 * day},
           AQUEDUCT_FIELD(storage.scrub_interval),
           "The time between two scrubs, in which the node reads every closed segment from end to "
           "end and checks it, so that damage is found before somebody needs what is damaged; 0 "
           "never scrubs by itself. `aq admin scrub` does so at once.",
           reload::yes)
      .add("storage.scrub-rate", size_kind{.min = 64 * kib, .max = 1 * tib},
           AQUEDUCT_FIELD(storage.scrub_rate), "Bytes per second that a scrub reads at most.",
           reload::yes)
      .add("retention.time", duration_kind{.min = 1s, .max = 36500 * day, .may_be_unlimited = true},
           AQUEDUCT_FIELD(retention.time),
           "How long messages are kept; a topic's `retention.ms` replaces it.", reload::yes)
      .add("retention.bytes",
           size_kind{.min = 64 * kib, .max = 1024 * tib, .may_be_unlimited = true},
           AQUEDUCT_FIELD(retention.bytes),
           "How much a partition keeps; a topic's `retention.bytes` replaces it.", reload::yes);
}

void add_topics_and_limits(builder& model) {
  model
      .add(
          "partition.idle-timeout", duration_kind{.max = 7 * day},
          AQUEDUCT_FIELD(partition.idle_timeout),
          "A partition that nobody writes, reads or subscribes to for so long closes its files and "
          "frees its memory for others (the allocator keeps it: the process does not shrink); the "
          "next request opens it again. Describing it is no use. 0 keeps every partition open that "
          "was ever used.")
      .add(
          "partition.follower-reads", bool_kind{}, AQUEDUCT_FIELD(partition.follower_reads),
          "Whether this node answers fetches for partitions of which it has a replica and does not "
          "lead, where the reader allows it. If not, it refers readers to the leader.")
      .add("topic.partitions-default", integer_kind{1, 10'000},
           AQUEDUCT_FIELD(topic.partitions_default),
           "Partitions of a topic that is created without saying how many.", reload::yes)
      .add("topic.replication-default", integer_kind{1, 7},
           AQUEDUCT_FIELD(topic.replication_default),
           "Replicas of each partition of a topic that is created without saying how many; as many "
           "as there are brokers when those are fewer.",
           reload::yes)
      .add("topic.auto-create", bool_kind{}, AQUEDUCT_FIELD(topic.auto_create),
           "Whether producing to a topic that does not exist creates it. Turn it off where a "
           "mistyped name must not become a topic.",
           reload::yes)
      .add("topic.message-bytes-max", size_kind{.min = 1 * kib, .max = 1 * gib},
           AQUEDUCT_FIELD(topic.message_bytes_max),
           "The largest record batch, as sent; a topic's `max.message.bytes` replaces it.",
           reload::yes)
      .add("groups.partitions", integer_kind{1, 1000}, AQUEDUCT_FIELD(groups.partitions),
           "Partitions of the internal topic `__consumer_groups`, each the coordinator of the "
           "consumer groups whose ids hash to it. Counts when the first group of the cluster is "
           "used; later it does not change any more.")
      .add("groups.replication", integer_kind{1, 7}, AQUEDUCT_FIELD(groups.replication),
           "Replicas of each of these partitions; as many as there are brokers when those are "
           "fewer.")
      .add("groups.session-timeout-min", duration_kind{.min = 100ms, .max = 60min},
           AQUEDUCT_FIELD(groups.session_timeout_min),
           "The shortest session timeout that a member may ask for.")
      .add("groups.session-timeout-max", duration_kind{.min = 1s, .max = 1 * day},
           AQUEDUCT_FIELD(groups.session_timeout_max),
           "The longest session timeout that a member may ask for.")
      .add("groups.initial-delay", duration_kind{.max = 1min}, AQUEDUCT_FIELD(groups.initial_delay),
           "How long the first rebalance of a group waits for further members, which saves a "
           "rebalance for each of them. Begins anew with each that comes.")
      .add("groups.members", integer_kind{1, 100'000}, AQUEDUCT_FIELD(groups.members_max),
           "Members of one group.")
      .add("groups.offset-retention", duration_kind{.min = 1min, .max = 36500 * day},
           AQUEDUCT_FIELD(groups.offset_retention),
           "How long the committed offsets of a group are kept after its last member left. Those "
           "of a group that has members are kept as long as their topics are.")
      .add("limits.frame-bytes-max", size_kind{.min = 64 * kib, .max = 2 * gib - 1},
           AQUEDUCT_FIELD(limits.frame_bytes_max),
           "The largest request or reply. A connection that announces a larger one is closed "
           "before a byte of it is stored.")
      .add("limits.connections", integer_kind{1, 1'000'000}, AQUEDUCT_FIELD(limits.connections),
           "Client connections at a time; further ones are closed at once.", reload::yes)
      .add("limits.request-bytes-in-flight", size_kind{.min = 64 * kib, .max = 64 * gib},
           AQUEDUCT_FIELD(limits.request_bytes_in_flight),
           "Bytes of unanswered requests of one connection, with what they take in memory beyond "
           "their size: 1 KiB each and 512 bytes for each topic, partition or the like that they "
           "name. The node begins no request of a connection that has more, and refuses one that "
           "alone would.")
      .add("limits.request-bytes-total", size_kind{.min = 1 * mib, .max = 1 * tib},
           AQUEDUCT_FIELD(limits.request_bytes_total),
           "Bytes of unanswered requests of all connections together.")
      .add("limits.decompressed-bytes-max", size_kind{.min = 64 * kib, .max = 2 * gib - 1},
           AQUEDUCT_FIELD(limits.decompressed_bytes_max),
           "What a compressed batch may decompress to. Checked before memory is taken, so that a "
           "small batch cannot claim a large machine.")
      .add("limits.partitions", integer_kind{1, 1'000'000}, AQUEDUCT_FIELD(limits.partitions),
           "Partition replicas on this node. Creating topics beyond it is refused.")
      .add("limits.subscriptions-per-connection", integer_kind{1, 10'000'000},
           AQUEDUCT_FIELD(limits.subscriptions_per_connection),
           "Partitions that one connection subscribes to. A subscription beyond it is refused.")
      .add("limits.subscriptions", integer_kind{1, 10'000'000},
           AQUEDUCT_FIELD(limits.subscriptions),
           "Partitions that all connections together subscribe to, one that two of them subscribe "
           "to counted twice. Each takes half a kilobyte. A subscription beyond it is refused.");
}

void add_runtime(builder& model) {
  model
      .add("network.threads", integer_kind{0, 256}, AQUEDUCT_FIELD(network.threads),
           "Threads that own the client connections; 0 chooses by the number of cores.")
      .add("network.handshake-timeout", duration_kind{.min = 100ms, .max = 10min},
           AQUEDUCT_FIELD(network.handshake_timeout),
           "How long a new connection may take to say what it is.")
      .add("network.idle-timeout", duration_kind{.min = 1s, .max = 7 * day},
           AQUEDUCT_FIELD(network.idle_timeout),
           "How long a connection may stay silent, leave a request unfinished or take none of its "
           "replies before it is closed.")
      .add("network.send-buffer-bytes", size_kind{.min = 64 * kib, .max = 1 * gib},
           AQUEDUCT_FIELD(network.send_buffer_bytes),
           "Replies that wait for a slow client, with those that its requests may still have. No "
           "request of a connection with more is begun, and nothing is pushed to it, until it has "
           "taken them.")
      .add(
          "actors.threads", integer_kind{0, 256}, AQUEDUCT_FIELD(actors.threads),
          "Threads that run the actors; 0 is one for two cores, and at least one. More make single "
          "requests slower: every wake-up of another thread costs more than what it does.")
      .add("log.level", choice_of<log_level>(), AQUEDUCT_FIELD(log.level),
           "The least severe messages that are logged.", reload::yes)
      .add("log.format", choice_of<log_format>(), AQUEDUCT_FIELD(log.format),
           "`text` for people, `json` for log collectors: one object per line.")
      .add("log.levels",
           choice_by_name_kind{{log_components.begin(), log_components.end()},
                               choice_of<log_level>().names},
           AQUEDUCT_FIELD(log.levels),
           "Levels of single components that replace `log.level` for them, such as "
           "[\"raft=debug\", \"network=warn\"].",
           reload::yes)
      .add("shutdown.timeout", duration_kind{.min = 0ms, .max = 1h},
           AQUEDUCT_FIELD(shutdown.timeout),
           "How long a node that was asked to stop may take to hand over what it leads and to "
           "answer what it was asked; then it stops at once.",
           reload::yes)
      .add("raft.tick", duration_kind{.min = 1ms, .max = 1s}, AQUEDUCT_FIELD(raft.tick),
           "The step of Raft's clock; the other times of this section are rounded up to it.")
      .add("raft.election-timeout", duration_kind{.min = 10ms, .max = 5min},
           AQUEDUCT_FIELD(raft.election_timeout),
           "Silence of a leader after which a follower stands for election; each waits up to as "
           "long again, at random. Shorter notices a dead leader sooner and mistakes a slow one "
           "for dead more often. The same on all nodes.")
      .add("raft.heartbeat", duration_kind{.min = 1ms, .max = 1min}, AQUEDUCT_FIELD(raft.heartbeat),
           "The time between two signs of life of a leader: at most a third of the election "
           "timeout.");
}

} // namespace

const model<node_config>& node_model() {
  static const auto instance = [] {
    builder model;
    add_addresses(model);
    add_storage(model);
    add_topics_and_limits(model);
    add_runtime(model);
    return model.build();
  }();
  return instance;
}

} // namespace aqueduct::config
