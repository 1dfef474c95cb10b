// The coordinator of one consumer group of a `fake_cluster`: it shares out what the test tells it
// to, keeps offsets, and fences as a real one does. Rebalances are what the test makes of them.
#pragma once

#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::test {

/// Its state is for `fake_cluster::with` and `wait`.
class fake_coordinator {
public:
  using partition_list = std::vector<protocol::named_partitions>;

  // What the test decides.
  /// The broker that coordinates; others answer not_coordinator.
  int node = 0;
  /// Its port, which the cluster knows.
  std::uint16_t port = 0;
  /// What the next joins are answered with, one after the other, each in a generation of its own;
  /// the last one stays.
  std::deque<partition_list> assignments;
  std::string assignor = "cooperative-sticky";
  /// Heartbeats are told to join again, until somebody does.
  bool is_rebalancing = false;
  /// Rows of a commit; one that has more is too large.
  std::size_t commit_rows_max = 1'000'000;
  /// The coordinator has forgotten its members: they went, or it took them for gone.
  void expel() { members.clear(); }

  // What came of it.
  std::int32_t generation = 0;
  std::set<std::string> members;
  std::vector<protocol::join_group_request> joins;
  std::vector<protocol::leave_group_request> leaves;
  std::vector<protocol::commit_offset_request> commits;
  /// By topic and partition.
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> offsets;
  /// Partitions whose offsets the coordinator's node cannot look up: it does not know of them.
  std::set<std::pair<std::string, std::int32_t>> unknown;

  /// Acts on a request that `asked` got; `reply` is called with a result of its response.
  template <class Reply>
  void act(int asked, const protocol::frame_header& header, const buffer& payload,
           const Reply& reply) {
    using protocol::api_key;
    using protocol::decode;
    const auto ask = [&]<class Request>(Request request) {
      using outcome = decltype(answer(request));
      if (asked != node)
        return reply(outcome(unexpected(errc::not_coordinator, "another node coordinates it")));
      reply(answer(std::move(request)));
    };
    switch (header.key) {
    case api_key::find_coordinator:
      return reply(result<protocol::find_coordinator_response>({node, "127.0.0.1", port}));
    case api_key::join_group:
      return ask(decode<protocol::join_group_request>(payload, header.version).value());
    case api_key::heartbeat:
      return ask(decode<protocol::heartbeat_request>(payload, header.version).value());
    case api_key::leave_group:
      return ask(decode<protocol::leave_group_request>(payload, header.version).value());
    case api_key::commit_offset:
      return ask(decode<protocol::commit_offset_request>(payload, header.version).value());
    case api_key::fetch_offset:
      return ask(decode<protocol::fetch_offset_request>(payload, header.version).value());
    default:
      return reply(
          result<protocol::heartbeat_response>(unexpected(errc::unsupported_api, "not here")));
    }
  }

private:
  using join_outcome = result<protocol::join_group_response>;
  using fetch_outcome = result<protocol::fetch_offset_response>;

  [[nodiscard]] join_outcome answer(protocol::join_group_request request);
  [[nodiscard]] result<protocol::heartbeat_response>
  answer(const protocol::heartbeat_request& request) const;
  [[nodiscard]] result<protocol::leave_group_response>
  answer(protocol::leave_group_request request);
  [[nodiscard]] result<protocol::commit_offset_response>
  answer(protocol::commit_offset_request request);
  [[nodiscard]] fetch_outcome answer(const protocol::fetch_offset_request& request) const;
  [[nodiscard]] result<void> check(const std::string& member, std::int32_t of) const;
};

} // namespace aqueduct::test
