#include "actors/replica/state_server.hpp"

#include "protocol/cluster/state_messages.hpp"
#include "protocol/native/codec.hpp"

#include <caf/send.hpp>

#include <utility>

namespace aqueduct::actors {

namespace wire = protocol::cluster;

void state_server::asked(raft::node_id from, call_kind what, buffer question,
                         std::function<void(result<buffer>)> answer) {
  if (what != call_kind::fetch_state) {
    answer(unexpected(errc::unsupported_api, "only states of groups are asked for here"));
    return;
  }
  const auto asked = protocol::decode<wire::state_question>(question);
  if (!asked) {
    answer(asked.propagate());
    return;
  }
  if (const auto sane = wire::check(*asked); !sane) {
    answer(sane.propagate());
    return;
  }
  const group_id group{asked->topic, asked->partition};
  const raft::replica_id to{raft::node_id(asked->to.node),
                            raft::incarnation(asked->to.incarnation)};
  if (asked->from.node != from.value || to != self_) {
    answer(unexpected(errc::not_found, "replica " + raft::to_string(to) + " of " +
                                           to_string(group) + " is not here"));
    return;
  }
  auto [where, replica] = groups_->find_or_wake(group);
  if (where == group_registry::presence::open)
    caf::anon_send(replica,
                   replica_request{replica_share_state{std::move(question), std::move(answer)}});
  else if (where == group_registry::presence::closed)
    answer(unexpected(errc::topic_not_ready, to_string(group) + " is not open; it is being woken"));
  else
    answer(unexpected(errc::not_found, to_string(group) + " does not belong to this node"));
}

} // namespace aqueduct::actors
