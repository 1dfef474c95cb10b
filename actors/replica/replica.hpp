// THE RAFT REPLICA actor: drives the Raft core of one group replica. Storage is on one side, the
// state machine (a partition or the controller) on the other, the other members behind the
// transport. It decides nothing itself: it turns messages into calls of the core and the core's
// effects into messages (raft/README.md, the driving loop).
//
//   opening --replica_opened--> running --replica_stop--> closing --replica_closed--> gone
//      \________ damaged ________/ \__ write failed, invariant broken __> failed
#pragma once

#include "actors/environment.hpp"
#include "actors/logging.hpp"
#include "actors/messages.hpp"
#include "actors/peer/node_calls.hpp"
#include "actors/peer/transport.hpp"
#include "actors/replica/catch_up_pacer.hpp"
#include "actors/replica/replica_watch.hpp"
#include "raft/options.hpp"

#include <caf/fwd.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace aqueduct::actors {

struct replica_config {
  group_id group;
  raft::core_options core;
  storage_actor storage;
  reader_actor reader;
  /// Nothing: the group has no other members, and what it would tell them is lost.
  std::shared_ptr<raft_transport> transport;
  /// Fetches the state of another replica when entries that are missing here are gone there.
  /// Nothing: the replica stays behind then.
  std::shared_ptr<node_caller> calls;
  /// Paces what others that are behind are sent from the disk. Nothing: as fast as it goes.
  std::shared_ptr<catch_up_pacer> pacer;
  state_machine_actor state_machine;
  std::shared_ptr<environment> env;
  std::shared_ptr<spdlog::logger> log;
  /// Where the state machine keeps what it knows.
  storage::family state_family = storage::family::partition_state;
  std::string state_prefix;
  std::uint64_t segment_bytes = 0;
  std::int64_t segment_age_ms = 0;
  /// Of the node: gives the steps of the core's clock.
  ticker_actor ticker;
  /// The members of a group that has no log yet.
  raft::membership founders;
  /// It takes the place of a damaged one, whose files are to stay.
  bool keeps_set_aside = false;
  /// Whether this replica stands for election at once when the group begins.
  bool prefers_to_lead = false;
  /// Nothing: nobody watches.
  std::shared_ptr<replica_watch> watch;
};

[[nodiscard]] replica_actor spawn_replica(caf::actor_system& system, replica_config config);

} // namespace aqueduct::actors
