// The interface for operators: what the `admin` actor answers to CAF remote actors. Every message
// begins with the version of the interface; the names here are registered with the same ids on both
// sides. `aq admin` is its client.
//
// CAF's protocol has no authentication: the port is bound to loopback unless told otherwise.
#pragma once

#include <caf/atom.hpp>
#include <caf/fwd.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/replies_to.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// Goes up when a message changes; a node refuses other versions with a sentence.
inline constexpr std::uint16_t admin_version = 2;

#define AQUEDUCT_ADMIN_FIELDS(type, ...)                                                           \
  template <class Inspector>                                                                       \
  typename Inspector::result_type inspect(Inspector& f, type& x) {                                 \
    return f(caf::meta::type_name(#type), __VA_ARGS__);                                            \
  }

struct admin_status_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_status_request, x.version)

struct admin_status {
  std::uint16_t version = admin_version;
  std::int32_t node = 0;
  std::string cluster;
  std::string software;
  /// "running", "draining".
  std::string state;
  std::string address;
  std::string data_dir;
  std::int64_t started_ms = 0;
  std::int32_t controller = -1;
  std::int64_t topics = 0;
  std::int64_t partitions = 0;
  std::int64_t connections = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_total_bytes = 0;
  std::uint64_t cache_bytes = 0;
  /// Whether a scrub runs; when all groups were last scrubbed and when they will be next, -1 never;
  /// places that scrubs found damaged.
  bool is_scrubbing = false;
  std::int64_t scrub_last_ms = -1;
  std::int64_t scrub_next_ms = -1;
  std::uint64_t damaged = 0;
};
AQUEDUCT_ADMIN_FIELDS(admin_status, x.version, x.node, x.cluster, x.software, x.state, x.address,
                      x.data_dir, x.started_ms, x.controller, x.topics, x.partitions, x.connections,
                      x.resident_bytes, x.disk_free_bytes, x.disk_total_bytes, x.cache_bytes,
                      x.is_scrubbing, x.scrub_last_ms, x.scrub_next_ms, x.damaged)

struct admin_partitions_request {
  std::uint16_t version = admin_version;
  /// Empty: all topics.
  std::string topic;
};
AQUEDUCT_ADMIN_FIELDS(admin_partitions_request, x.version, x.topic)

struct admin_partition {
  std::string topic;
  std::string topic_id;
  std::int32_t partition = 0;
  std::int32_t leader = -1;
  std::int32_t epoch = 0;
  std::vector<std::int32_t> replicas;
  /// Why it is out of service, or empty.
  std::string error;
  std::int64_t log_start = 0;
  std::int64_t high_watermark = 0;
  std::int64_t size_bytes = 0;
  /// The first damaged place that its last scrub found, or empty: it serves all others.
  std::string damage;
};
AQUEDUCT_ADMIN_FIELDS(admin_partition, x.topic, x.topic_id, x.partition, x.leader, x.epoch,
                      x.replicas, x.error, x.log_start, x.high_watermark, x.size_bytes, x.damage)

struct admin_partitions {
  std::uint16_t version = admin_version;
  std::vector<admin_partition> partitions;
};
AQUEDUCT_ADMIN_FIELDS(admin_partitions, x.version, x.partitions)

struct admin_log_level_request {
  std::uint16_t version = admin_version;
  /// Empty: all components.
  std::string component;
  /// trace, debug, info, warn, error or off.
  std::string level;
};
AQUEDUCT_ADMIN_FIELDS(admin_log_level_request, x.version, x.component, x.level)

/// Makes everything that was written durable, whatever `storage.flush` says.
struct admin_flush_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_flush_request, x.version)

/// Takes no new connections and, on a cluster, gives its leaderships away.
struct admin_drain_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_drain_request, x.version)

/// Drains, then stops the node.
struct admin_shutdown_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_shutdown_request, x.version)

/// Begins a scrub of everything, of a topic or of a partition.
struct admin_scrub_request {
  std::uint16_t version = admin_version;
  /// Empty: everything on the node.
  std::string topic;
  /// -1: all of the topic.
  std::int32_t partition = -1;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_request, x.version, x.topic, x.partition)

/// Ends the scrub that runs, if one does.
struct admin_scrub_stop_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_stop_request, x.version)

struct admin_scrub_status_request {
  std::uint16_t version = admin_version;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_status_request, x.version)

struct admin_damage {
  /// "topic:partition", or "controller".
  std::string name;
  /// Folder of the group below `groups/`.
  std::string group;
  /// Number of the error table.
  std::uint16_t error = 0;
  std::string message;
  std::int64_t found_ms = 0;
};
AQUEDUCT_ADMIN_FIELDS(admin_damage, x.name, x.group, x.error, x.message, x.found_ms)

/// The scrub that runs, or the last one; and all damage that is known.
struct admin_scrub_status {
  std::uint16_t version = admin_version;
  bool is_running = false;
  std::string current;
  /// How the last one ended: "complete", "stopped", or empty.
  std::string end;
  std::int64_t started_ms = -1;
  std::int64_t finished_ms = -1;
  std::uint64_t groups_total = 0;
  std::uint64_t groups_done = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t batches = 0;
  std::int64_t last_complete_ms = -1;
  std::int64_t next_ms = -1;
  std::vector<admin_damage> damages;
};
AQUEDUCT_ADMIN_FIELDS(admin_scrub_status, x.version, x.is_running, x.current, x.end, x.started_ms,
                      x.finished_ms, x.groups_total, x.groups_done, x.bytes, x.entries, x.batches,
                      x.last_complete_ms, x.next_ms, x.damages)

struct admin_done {
  std::uint16_t version = admin_version;
  /// Number of the error table; 0 is success.
  std::uint16_t error = 0;
  std::string message;
};
AQUEDUCT_ADMIN_FIELDS(admin_done, x.version, x.error, x.message)

#undef AQUEDUCT_ADMIN_FIELDS

using admin_actor =
    caf::typed_actor<caf::replies_to<admin_status_request>::with<admin_status>,
                     caf::replies_to<admin_partitions_request>::with<admin_partitions>,
                     caf::replies_to<admin_log_level_request>::with<admin_done>,
                     caf::replies_to<admin_flush_request>::with<admin_done>,
                     caf::replies_to<admin_drain_request>::with<admin_done>,
                     caf::replies_to<admin_shutdown_request>::with<admin_done>,
                     caf::replies_to<admin_scrub_request>::with<admin_done>,
                     caf::replies_to<admin_scrub_stop_request>::with<admin_done>,
                     caf::replies_to<admin_scrub_status_request>::with<admin_scrub_status>>;

} // namespace aqueduct::actors

CAF_BEGIN_TYPE_ID_BLOCK(aqueduct_admin, first_custom_type_id)
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_status_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_status))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_partitions_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_partition))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_partitions))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_log_level_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_flush_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_drain_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_shutdown_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_done))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_stop_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_status_request))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_damage))
CAF_ADD_TYPE_ID(aqueduct_admin, (aqueduct::actors::admin_scrub_status))
CAF_END_TYPE_ID_BLOCK(aqueduct_admin)
