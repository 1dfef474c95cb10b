#include "actors/peer/peer_hello.hpp"

#include "protocol/native/codec.hpp"

#include <algorithm>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;

bool differs(const uuid& ours, const uuid& theirs) {
  return !ours.is_nil() && !theirs.is_nil() && ours != theirs;
}

std::string name(std::int32_t node) {
  return "node " + std::to_string(node);
}

std::string range(std::uint16_t min, std::uint16_t max) {
  return min == max ? std::to_string(min) : std::to_string(min) + " to " + std::to_string(max);
}

hello_refusal refused(wire::refusal why, std::string message) {
  return {why, std::move(message)};
}

} // namespace

wire::hello make_hello(const node_identity& us, raft::node_id target, wire::purpose what) {
  wire::hello hello;
  hello.cluster = us.cluster;
  hello.node = us.self.node.value;
  hello.incarnation = us.self.incarnation.value;
  hello.session = us.session;
  hello.target = target.value;
  hello.connection = what;
  hello.frame_bytes_max = us.frame_bytes_max;
  hello.software = us.software;
  hello.host = us.address.host;
  hello.port = us.address.port;
  return hello;
}

wire::hello_answer make_answer(const node_identity& us, const wire::hello& to) {
  wire::hello_answer answer;
  answer.cluster = us.cluster;
  answer.node = us.self.node.value;
  answer.incarnation = us.self.incarnation.value;
  answer.session = us.session;
  answer.protocol = std::min(wire::protocol_max, to.protocol_max);
  answer.frame_bytes_max = us.frame_bytes_max;
  answer.software = us.software;
  return answer;
}

wire::hello_answer make_refusal(const node_identity& us, const hello_refusal& refused) {
  auto answer = make_answer(us, {});
  answer.refused = refused.why;
  answer.message = refused.message;
  return answer;
}

result<wire::hello> read_hello(const protocol::frame_header& header, const buffer& payload) {
  if (header.kind != protocol::frame_kind::request || header.key != wire::hello_key)
    return unexpected(errc::invalid_request,
                      "the first frame of a connection between nodes is PEER_HELLO (2000)");
  if (header.version != wire::hello_version)
    return unexpected(errc::unsupported_version,
                      "PEER_HELLO has version 1, not " + std::to_string(header.version));
  auto hello = protocol::decode<wire::hello>(payload, header.version);
  if (!hello)
    return hello;
  if (hello->node < 0 || hello->connection > wire::purpose::probe)
    return unexpected(errc::invalid_request,
                      "PeerHello names a negative node or an unknown kind of connection");
  return hello;
}

std::optional<hello_refusal> judge(const node_identity& us, const wire::hello& them) {
  if (differs(us.cluster, them.cluster))
    return refused(wire::refusal::other_cluster,
                   "this is cluster " + to_string(us.cluster) + ", not " + to_string(them.cluster));
  if (them.protocol_min > wire::protocol_max || them.protocol_max < wire::protocol_min)
    return refused(wire::refusal::unknown_version,
                   "this node speaks protocol version " +
                       range(wire::protocol_min, wire::protocol_max) + ", not " +
                       range(them.protocol_min, them.protocol_max));
  if (them.node == us.self.node.value)
    return refused(wire::refusal::own_id, them.session == us.session
                                              ? "this is the node itself"
                                              : "this is another process with id " +
                                                    std::to_string(them.node) +
                                                    "; node.id must be unique in the cluster");
  if (them.target >= 0 && them.target != us.self.node.value)
    return refused(wire::refusal::other_node,
                   "this is " + name(us.self.node.value) + ", not " + name(them.target));
  return std::nullopt;
}

result<wire::hello_answer> decode_answer(const protocol::frame_header& header,
                                         const buffer& payload) {
  if (header.kind != protocol::frame_kind::response || header.key != wire::hello_key ||
      header.version != wire::hello_version)
    return unexpected(errc::invalid_request, "what answered is not the cluster port of a node");
  return protocol::decode<wire::hello_answer>(payload, header.version);
}

result<wire::hello_answer> read_hello_answer(const node_identity& us, raft::node_id expected,
                                             const protocol::frame_header& header,
                                             const buffer& payload) {
  auto answer = decode_answer(header, payload);
  if (!answer)
    return answer;
  if (answer->refused != wire::refusal::none)
    return unexpected(answer->refused == wire::refusal::unknown_version ? errc::unsupported_version
                      : answer->refused == wire::refusal::duplicate     ? errc::conflict
                                                                        : errc::unauthorized,
                      "refused (" + std::string(wire::to_string(answer->refused)) +
                          "): " + answer->message);
  if (differs(us.cluster, answer->cluster))
    return unexpected(errc::unauthorized, "it belongs to cluster " + to_string(answer->cluster) +
                                              ", not to " + to_string(us.cluster));
  if (answer->node != expected.value)
    return unexpected(errc::unauthorized,
                      "it is " + name(answer->node) + ", not " + name(expected.value));
  if (answer->protocol < wire::protocol_min || answer->protocol > wire::protocol_max)
    return unexpected(errc::unsupported_version,
                      "it chose protocol version " + std::to_string(answer->protocol));
  return answer;
}

} // namespace aqueduct::actors
