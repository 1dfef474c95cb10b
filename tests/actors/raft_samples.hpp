// Raft messages for tests of what carries them.
#pragma once

#include "actors/peer/raft_wire.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace aqueduct::actors::test {

inline group_id sample_group(int number) {
  group_id group;
  group.topic.bytes[15] = 7;
  group.partition = number;
  return group;
}

inline raft::replica_id sample_replica(int node, std::uint64_t incarnation = 1) {
  return {raft::node_id(node), raft::incarnation(incarnation)};
}

inline raft::payload sample_body(std::size_t size, char fill = 'x') {
  if (size == 0)
    return {};
  const auto bytes = buffer::from(std::vector<std::byte>(size, static_cast<std::byte>(fill)));
  return {bytes.owner(), bytes.size()};
}

/// From node 1 to node 2, or the other way round.
inline raft_parcel parcel(int group, raft::message body, int from = 1) {
  return {sample_group(group), sample_replica(from), sample_replica(3 - from), std::move(body)};
}

inline raft::message heartbeat(std::uint64_t round = 0) {
  return raft::heartbeat_request{raft::term_id(1), raft::log_index(0), round, false};
}

inline raft::message vote(std::uint64_t term = 1) {
  return raft::vote_request{raft::term_id(term), {raft::term_id(0), raft::log_index(0)}, false};
}

/// One entry at `index`.
inline raft::message append(std::uint64_t index, std::size_t size = 10) {
  raft::append_request request;
  request.term = raft::term_id(1);
  request.previous = {raft::term_id(index > 1 ? 1 : 0), raft::log_index(index - 1)};
  request.entries.push_back(
      {raft::log_index(index), raft::term_id(1), raft::entry_kind::records, sample_body(size)});
  return request;
}

/// Index of the entry in what `append` made.
inline std::uint64_t index_of(const raft::message& m) {
  return std::get<raft::append_request>(m).entries.at(0).index.value;
}

} // namespace aqueduct::actors::test
