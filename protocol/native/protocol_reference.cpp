#include "protocol/native/protocol_reference.hpp"

#include "protocol/cluster/election_messages.hpp"
#include "protocol/cluster/messages.hpp"
#include "protocol/cluster/state_messages.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"

#include <string_view>

namespace aqueduct::protocol {

namespace {

constexpr std::string_view introduction =
    R"(# The native protocol

*Generated from the definitions in `protocol/native/` by `./dev docs`; a test keeps it true.*

A client opens a TCP connection and sends the 8-byte preface `41 51 44 54 00 00 00 01` ("AQDT", 0,
0, 0, 1). Its first request is HELLO, in a frame of at most 64 KiB. From then on it may send any
number of requests without waiting. Responses come in any order and are matched by correlation id;
requests of one connection to one partition take effect in the order in which they were sent.

## Frames

| offset | size | field | meaning |
|---|---|---|---|
| 0 | 4 | length | bytes after this field: 12 to `frame_bytes_max` of the HELLO response |
| 4 | 1 | kind | 0 request, 1 response, 2 push |
| 5 | 1 | flags | 0 |
| 6 | 2 | api_key | number of the request |
| 8 | 2 | version | version of the message; a response has the version of its request |
| 10 | 2 | status | 0, or the code of the error table; then the payload is an ErrorResponse |
| 12 | 4 | correlation_id | chosen by the client, repeated in the response or push |
| 16 | | payload | the message |

Integers are big-endian. `bool` is one byte, 0 or 1. `string` and `bytes` are a varint (LEB128)
length and the content. `uuid` is 16 bytes. `optional X` is a `bool` and, if it is 1, the value.
`array of X` is a varint count and the elements. A struct is its fields in order, without padding.
Fields that a later version adds come at the end; a response has the fields of its
request's version.

What a broker cannot read it answers with an error that says what was wrong. A frame whose length or
kind is wrong, or a first request that is not HELLO, ends the connection after a response with
correlation id 0 that says why. So does a preface of another version. A connection that begins with
neither this preface nor a request of Kafka's protocol is closed; if it begins with four letters, as
HTTP does, after a `400 Bad Request` with a sentence. Record batches have the layout of Kafka's
RecordBatch v2.

An answer stays in proportion to its request. The sentence of an error quotes at most 1000 bytes,
and where many partitions of a topic are refused, only the first sentence has the topic's name.

)";

constexpr std::string_view cluster_introduction =
    R"(## The cluster protocol

*Generated from the definitions in `protocol/cluster/`.*

How nodes talk to each other, on the port `cluster.listen`. Frames and types are those above;
`one of` is a byte with the number of the alternative, and its value. The node that dialled sends
the 8-byte preface `41 51 43 4c 00 00 00 01` ("AQCL", 0, 0, 0, 1) and PEER_HELLO (api_key 2000), a
request in a frame of at most 64 KiB, within `network.handshake-timeout`. The other node answers
with a response; after a refusal it closes the connection, and before an answer that takes it the
dialler sends nothing more. Two nodes keep two connections, both ways each: one for control (votes,
heartbeats, small appends) and one for bulk. When both dial at once, the connection of the node
with the lower id stays.

PEER_HELLO always has version 1; all other frames have the version that the answer names. RAFT
(2001) is a push. PEER_PING (2002) is a request whose response repeats it. PEER_CALL (2003, since
version 2) is a request that is answered by a response with its correlation id, which is not 0 and
not that of another call of the sender that is under way on the connection; all other correlation
ids are 0. A call that is not answered before its connection ends never is. Terms and indexes are
at most 2^62 - 1. A frame that is none of these, or is malformed, ends the connection.

A client that connects here gets a response of the native protocol that says so; a node that
connects to the port for clients gets a PeerHelloAnswer with refusal 11.

)";

std::string kind_name(const field_reference& row) {
  return row.definition.since > 1
             ? row.type + " (since version " + std::to_string(row.definition.since) + ")"
             : row.type;
}

void add_message(std::string& out, const message_reference& message, std::string_view heading) {
  out.append(heading).append(" ").append(message.info.name).append("\n\n");
  out.append(message.info.doc).append("\n\n");
  if (message.fields.empty())
    return;
  out.append("| field | type | meaning |\n|---|---|---|\n");
  for (const auto& row : message.fields)
    out.append("| `")
        .append(row.definition.name)
        .append("` | ")
        .append(kind_name(row))
        .append(" | ")
        .append(row.definition.doc)
        .append(" |\n");
  out.append("\n");
}

template <defined M>
void add_all(std::string& out) {
  for (const auto& message : reference<M>())
    add_message(out, message, "###");
}

template <defined Request, defined... Others>
void add_api(std::string& out, api_key key) {
  const auto& api = *find_api(static_cast<std::uint16_t>(key));
  out.append("## ").append(api.name).append(" (").append(std::to_string(static_cast<int>(key)));
  out.append(")\n\n").append(api.doc).append(" Versions ");
  out.append(std::to_string(api.version_min))
      .append(" to ")
      .append(std::to_string(api.version_max));
  out.append(".\n\n");
  add_all<Request>(out);
  (add_all<Others>(out), ...);
}

void add_cluster(std::string& out) {
  out.append(cluster_introduction);
  add_all<cluster::hello>(out);
  add_all<cluster::hello_answer>(out);
  add_all<cluster::raft_messages>(out);
  add_all<cluster::ping>(out);
  add_all<cluster::call>(out);
  add_all<cluster::call_answer>(out);
  add_all<cluster::state_question>(out);
  add_all<cluster::state_answer>(out);
  add_all<cluster::election_question>(out);
  add_all<cluster::election_answer>(out);
}

void add_errors(std::string& out) {
  out.append("## Errors\n\n| code | name | retriable | meaning | what to do |\n"
             "|---|---|---|---|---|\n");
  for (const auto& row : error_table())
    out.append("| ")
        .append(std::to_string(static_cast<int>(row.code)))
        .append(" | `")
        .append(row.name)
        .append("` | ")
        .append(row.retriable ? "yes" : "no")
        .append(" | ")
        .append(row.meaning)
        .append(" | ")
        .append(row.remedy)
        .append(" |\n");
}

} // namespace

std::string protocol_reference() {
  std::string out(introduction);
  add_all<error_response>(out);
  add_api<hello_request, hello_response>(out, api_key::hello);
  add_api<api_versions_request, api_versions_response>(out, api_key::api_versions);
  add_api<metadata_request, metadata_response>(out, api_key::metadata);
  add_api<controller_discover_request, controller_discover_response>(out,
                                                                     api_key::controller_discover);
  add_api<produce_request, produce_response>(out, api_key::produce);
  add_api<init_producer_id_request, init_producer_id_response>(out, api_key::init_producer_id);
  add_api<fetch_request, fetch_response>(out, api_key::fetch);
  add_api<batch_fetch_request, batch_fetch_response>(out, api_key::batch_fetch);
  add_api<subscribe_request, subscribe_response>(out, api_key::subscribe);
  add_api<delivery>(out, api_key::delivery);
  add_api<credit_request>(out, api_key::credit);
  add_api<unsubscribe_request, unsubscribe_response>(out, api_key::unsubscribe);
  add_api<list_offsets_request, list_offsets_response>(out, api_key::list_offsets);
  add_api<delete_records_request, delete_records_response>(out, api_key::delete_records);
  add_api<create_topic_request, create_topic_response>(out, api_key::create_topic);
  add_api<alter_topic_request, alter_topic_response>(out, api_key::alter_topic);
  add_api<delete_topic_request, delete_topic_response>(out, api_key::delete_topic);
  add_api<list_topics_request, list_topics_response>(out, api_key::list_topics);
  add_api<get_topic_info_request, get_topic_info_response>(out, api_key::get_topic_info);
  add_api<find_coordinator_request, find_coordinator_response>(out, api_key::find_coordinator);
  add_api<join_group_request, join_group_response>(out, api_key::join_group);
  add_api<heartbeat_request, heartbeat_response>(out, api_key::heartbeat);
  add_api<fetch_assignment_request, fetch_assignment_response>(out, api_key::fetch_assignment);
  add_api<leave_group_request, leave_group_response>(out, api_key::leave_group);
  add_api<commit_offset_request, commit_offset_response>(out, api_key::commit_offset);
  add_api<fetch_offset_request, fetch_offset_response>(out, api_key::fetch_offset);
  add_api<delete_offsets_request, delete_offsets_response>(out, api_key::delete_offsets);
  add_api<list_groups_request, list_groups_response>(out, api_key::list_groups);
  add_api<describe_group_request, describe_group_response>(out, api_key::describe_group);
  add_api<delete_group_request, delete_group_response>(out, api_key::delete_group);
  add_errors(out);
  out.append("\n");
  add_cluster(out);
  return out;
}

} // namespace aqueduct::protocol
