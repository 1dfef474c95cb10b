// THE STORAGE ACTOR: the one writer of the groups that hash to it. Appends are queued; the first
// one makes the actor send itself a flush, and everything that arrived in between is written and
// synced together (group commit). Reads go to THE READER ACTORS, so they never wait behind a flush.
//
// Both block on the disk: spawn them detached, except in a simulation.
#pragma once

#include "actors/environment.hpp"
#include "actors/messages.hpp"
#include "storage/disk.hpp"
#include "storage/kv.hpp"
#include "storage/log_store.hpp"

#include <caf/fwd.hpp>

#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
}

namespace aqueduct::actors {

struct storage_worker_config {
  std::shared_ptr<storage::disk> disk;
  std::shared_ptr<storage::kv> state;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
  upkeep_actor upkeep;
  storage::store_options store;
  /// Between two syncs in flush mode `interval`.
  std::int64_t sync_interval_ms = 1000;
  std::size_t index_interval_bytes = 64 * 1024;
  std::uint64_t preallocate_bytes = 16ULL << 20;
  std::int64_t tick_ms = 1000;
  /// Of states on their way to other replicas.
  kept_states::limits states;
  /// Of state that the store refuses, until it takes it again; as `unwritten_states`.
  std::size_t unwritten_bytes_max = std::size_t{64} << 20;
  /// Its place in the pool, and how many there are: which groups are its own.
  std::size_t number = 0;
  std::size_t pool_size = 1;
  /// Detached: a thread of its own.
  bool detached = true;
};

/// Whose a group is among `count`: partitions of a topic are dealt out in turn, as a hash of each
/// would crowd some threads and leave others without work.
[[nodiscard]] std::size_t share_of(const group_id& group, std::size_t count);

[[nodiscard]] storage_actor spawn_storage_worker(caf::actor_system& system,
                                                 storage_worker_config config);
[[nodiscard]] reader_actor spawn_reader(caf::actor_system& system, bool detached);

} // namespace aqueduct::actors
