// The messages of the cluster port: what nodes say to each other. Frames are those of the native
// protocol (protocol/native/frame.hpp) with the message numbers below; every frame names the
// version of its message.
//
// The node that dialled sends the preface, then HELLO as a request; the other answers it with a
// response and is heard only then. From there on both send pushes (RAFT) and requests: PING, which
// is answered by a response with the same correlation id and message, and CALL, which is answered
// by a response with its correlation id, in any order. A connection is either for control or for
// bulk. Anything else ends the connection.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/api.hpp"
#include "protocol/native/definition.hpp"
#include "protocol/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aqueduct::protocol::cluster {

/// Sent first by the node that dialled. Differs from the clients' preface in the first four bytes.
inline constexpr std::array<char, 8> preface = {'A', 'Q', 'C', 'L', 0, 0, 0, 1};

/// Numbers of the messages, in the `api_key` field of a frame; never those of clients' requests.
inline constexpr auto hello_key = static_cast<api_key>(2000);
inline constexpr auto raft_key = static_cast<api_key>(2001);
inline constexpr auto ping_key = static_cast<api_key>(2002);
inline constexpr auto call_key = static_cast<api_key>(2003);

/// HELLO and its answer have this version for ever, so that any two nodes can tell each other which
/// protocols they speak. Later versions of them only add fields.
inline constexpr std::uint16_t hello_version = 1;
/// The protocol versions that this build speaks. The version of a connection is the version of all
/// its messages but HELLO.
inline constexpr std::uint16_t protocol_min = 1;
inline constexpr std::uint16_t protocol_max = 2;
/// The first version with CALL.
inline constexpr std::uint16_t protocol_with_calls = 2;

/// Terms and indexes on the wire are at most this: what is computed from them cannot overflow.
inline constexpr std::uint64_t number_max = (std::uint64_t{1} << 62) - 1;

/// What a connection is for.
enum class purpose : std::uint8_t {
  control = 0,
  bulk = 1,
  /// Only to learn who answers: the connection ends with the answer, which refuses nobody.
  probe = 2,
};

/// Why a node does not want a connection. Numbers are for ever.
enum class refusal : std::uint8_t {
  none = 0,
  /// A node of another cluster.
  other_cluster = 1,
  /// No protocol version that both speak.
  unknown_version = 2,
  /// A node that introduces itself with the id of the node it dialled.
  own_id = 3,
  /// A node that looks for another node than the one it reached.
  other_node = 4,
  /// The disk of that node has had a later life.
  older_incarnation = 5,
  /// A node that is not, or not yet, known here.
  unknown_node = 6,
  /// The other connection between the two, dialled from here, is the one that stays.
  duplicate = 7,
  /// Bulk without a control connection of the same dialler.
  no_control = 8,
  shutting_down = 9,
  /// No HELLO, or one that makes no sense.
  malformed = 10,
  /// This is the port for clients.
  client_port = 11,
};

[[nodiscard]] std::string_view to_string(refusal why);
[[nodiscard]] std::string_view to_string(purpose what);

struct hello {
  uuid cluster;
  std::int32_t node = -1;
  std::uint64_t incarnation = 0;
  std::uint64_t session = 0;
  std::int32_t target = -1;
  std::uint16_t protocol_min = cluster::protocol_min;
  std::uint16_t protocol_max = cluster::protocol_max;
  purpose connection = purpose::control;
  std::uint32_t frame_bytes_max = 0;
  std::string software;
  std::string host;
  std::uint16_t port = 0;

  static constexpr message_info info{"PeerHello",
                                     "Who the node is that dialled, and what it speaks."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"cluster", "Id of its cluster; nil while it does not know."}, m.cluster);
    v(field{"node", "Its id."}, m.node);
    v(field{"incarnation", "Which life of its disk this is; a wiped node has a higher one."},
      m.incarnation);
    v(field{"session", "Drawn at random by each run of the process."}, m.session);
    v(field{"target", "The node that it looks for, or -1: whoever is there."}, m.target);
    v(field{"protocol_min", "Lowest protocol version that it speaks."}, m.protocol_min);
    v(field{"protocol_max", "Highest protocol version that it speaks."}, m.protocol_max);
    v(field{"connection", "0 control, 1 bulk, 2 none: it ends with the answer."}, m.connection);
    v(field{"frame_bytes_max", "Largest frame length that it accepts."}, m.frame_bytes_max);
    v(field{"software", "Its name and version."}, m.software);
    v(field{"host", "Where other nodes reach it; empty when it does not say."}, m.host);
    v(field{"port", "The port of that address."}, m.port);
  }
};

struct hello_answer {
  refusal refused = refusal::none;
  std::string message;
  uuid cluster;
  std::int32_t node = -1;
  std::uint64_t incarnation = 0;
  std::uint64_t session = 0;
  std::uint16_t protocol = cluster::protocol_max;
  std::uint32_t frame_bytes_max = 0;
  std::string software;

  static constexpr message_info info{
      "PeerHelloAnswer", "Who was reached, and whether it takes the connection. After a refusal it "
                         "closes the connection."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"refused",
            "0 taken, 1 other cluster, 2 no common version, 3 the dialler has the id of the node "
            "that it reached, 4 another node was meant, 5 the dialler's disk has had a later life, "
            "6 the dialler is not known, 7 another connection stays, 8 bulk before control, 9 "
            "shutting down, 10 malformed, 11 the port is for clients."},
      m.refused);
    v(field{"message", "The refusal as a sentence; empty when taken."}, m.message);
    v(field{"cluster", "Id of its cluster; nil while it does not know."}, m.cluster);
    v(field{"node", "Id of the node that was reached, or -1 when it does not say."}, m.node);
    v(field{"incarnation", "Which life of its disk this is."}, m.incarnation);
    v(field{"session", "Drawn at random by each run of the process."}, m.session);
    v(field{"protocol", "The protocol version of this connection."}, m.protocol);
    v(field{"frame_bytes_max", "Largest frame length that it accepts."}, m.frame_bytes_max);
    v(field{"software", "Its name and version."}, m.software);
  }
};

/// Both ways: the response repeats the request.
struct ping {
  std::uint64_t number = 0;

  static constexpr message_info info{
      "PeerPing", "Asks for a sign of life; the response is the same message. It is answered after "
                  "everything that was sent before it on this connection was handed over."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"number", "Rises with each request of a connection, from 1."}, m.number);
  }
};

/// A request; its correlation id is not 0 and of no other call of the sender that is under way on
/// the connection.
struct call {
  std::uint16_t kind = 0;
  buffer body;

  static constexpr message_info info{
      "PeerCall", "Asks the other node something. Calls are answered in any order."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"kind",
            "Who answers: 1 the controller, 2 the keeper of a group's state, 3 the leaders of "
            "partitions."},
      m.kind);
    v(field{"body", "The question, as its kind defines it."}, m.body);
  }
};

/// The response to a call.
struct call_answer {
  errc code = errc::none;
  std::string message;
  buffer body;

  static constexpr message_info info{"PeerCallAnswer", "Answers a PeerCall."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"code", "0, or why there is no answer: a number of the error table."}, m.code);
    v(field{"message", "The error as a sentence; empty without one."}, m.message);
    v(field{"body", "The answer, as the kind of the call defines it; empty with an error."},
      m.body);
  }
};

// -- Raft -----------------------------------------------------------------------------------------

struct replica {
  std::int32_t node = -1;
  std::uint64_t incarnation = 0;

  static constexpr message_info info{"RaftReplica", "A member of a group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Id of its node."}, m.node);
    v(field{"incarnation", "The life of the node's disk."}, m.incarnation);
  }
};

struct entry_id {
  std::uint64_t term = 0;
  std::uint64_t index = 0;

  static constexpr message_info info{"RaftEntryId", "Names an entry of a log."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the leader that made it; 0 before the first entry."}, m.term);
    v(field{"index", "Its place, from 1; 0 before the first entry."}, m.index);
  }
};

struct entry {
  std::uint64_t term = 0;
  std::uint8_t kind = 0;
  buffer body;

  static constexpr message_info info{"RaftEntry", "An entry of a log."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the leader that made it."}, m.term);
    v(field{"kind", "0 no-op, 1 records, 2 command, 3 membership."}, m.kind);
    v(field{"body", "Its content."}, m.body);
  }
};

struct pre_vote_request {
  std::uint64_t term = 0;
  entry_id last;

  static constexpr message_info info{"PreVoteRequest", "Would you vote for me?"};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "The term that the sender would campaign in."}, m.term);
    v(field{"last", "End of its log."}, m.last);
  }
};

struct pre_vote_response {
  std::uint64_t term = 0;
  bool granted = false;

  static constexpr message_info info{"PreVoteResponse", "Answers a PreVoteRequest."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "The term that was asked for, or if refused that of the sender."}, m.term);
    v(field{"granted", "Whether it would."}, m.granted);
  }
};

struct vote_request {
  std::uint64_t term = 0;
  entry_id last;
  bool transfer = false;

  static constexpr message_info info{"VoteRequest", "Vote for me."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "The term of the election."}, m.term);
    v(field{"last", "End of the sender's log."}, m.last);
    v(field{"transfer", "The leader itself asked for this election."}, m.transfer);
  }
};

struct vote_response {
  std::uint64_t term = 0;
  bool granted = false;

  static constexpr message_info info{"VoteResponse", "Answers a VoteRequest."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the sender."}, m.term);
    v(field{"granted", "Whether it voted for the receiver."}, m.granted);
  }
};

struct append_request {
  std::uint64_t term = 0;
  entry_id previous;
  std::uint64_t commit = 0;
  std::vector<entry> entries;

  static constexpr message_info info{"AppendRequest",
                                     "Entries that follow `previous`, with indexes without holes; "
                                     "without entries: is `previous` there?"};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the leader."}, m.term);
    v(field{"previous", "The entry before the first of these."}, m.previous);
    v(field{"commit", "Commit index of the leader."}, m.commit);
    v(field{"entries", "In order."}, m.entries);
  }
};

struct append_response {
  std::uint64_t term = 0;
  bool accepted = false;
  std::uint64_t index = 0;
  entry_id hint;

  static constexpr message_info info{"AppendResponse", "Answers an AppendRequest."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the sender."}, m.term);
    v(field{"accepted", "Whether its log equals the leader's up to `index`, durably."}, m.accepted);
    v(field{"index", "That index, or if refused the index of the `previous` that is not there."},
      m.index);
    v(field{"hint", "If refused: neither side has a common entry above this one."}, m.hint);
  }
};

struct heartbeat_request {
  std::uint64_t term = 0;
  std::uint64_t commit = 0;
  std::uint64_t read_round = 0;
  bool hibernate = false;

  static constexpr message_info info{"HeartbeatRequest", "A sign of life of a leader."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the leader."}, m.term);
    v(field{"commit", "At most what the receiver has acknowledged in this term."}, m.commit);
    v(field{"read_round", "Number of the newest round that reads wait for."}, m.read_round);
    v(field{"hibernate", "Nothing more is coming: the receiver may sleep."}, m.hibernate);
  }
};

struct heartbeat_response {
  std::uint64_t term = 0;
  std::uint64_t read_round = 0;

  static constexpr message_info info{"HeartbeatResponse", "Answers a HeartbeatRequest."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the sender."}, m.term);
    v(field{"read_round", "The round of the request."}, m.read_round);
  }
};

struct snapshot_offer {
  std::uint64_t term = 0;
  entry_id last;
  std::vector<replica> voters;
  std::vector<replica> learners;

  static constexpr message_info info{
      "SnapshotOffer", "What the receiver lacks is no longer in the log; it fetches the state."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the leader."}, m.term);
    v(field{"last", "The last entry that the state must stand for, at least."}, m.last);
    v(field{"voters", "The voters in force there."}, m.voters);
    v(field{"learners", "The learners in force there."}, m.learners);
  }
};

struct snapshot_response {
  std::uint64_t term = 0;
  bool installed = false;
  std::uint64_t index = 0;

  static constexpr message_info info{"SnapshotResponse", "Answers a SnapshotOffer."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the sender."}, m.term);
    v(field{"installed", "Whether a state was installed."}, m.installed);
    v(field{"index", "Up to where state and log of the sender are durable."}, m.index);
  }
};

struct timeout_now {
  std::uint64_t term = 0;

  static constexpr message_info info{"TimeoutNow", "Campaign now, without a pre-vote."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the leader."}, m.term);
  }
};

struct read_index_request {
  std::uint64_t term = 0;
  std::uint64_t context = 0;

  static constexpr message_info info{"ReadIndexRequest",
                                     "From which index on may a read be answered?"};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the sender."}, m.term);
    v(field{"context", "Repeated in the answer."}, m.context);
  }
};

struct read_index_response {
  std::uint64_t term = 0;
  std::uint64_t context = 0;
  bool confirmed = false;
  std::uint64_t index = 0;

  static constexpr message_info info{"ReadIndexResponse", "Answers a ReadIndexRequest."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"term", "Term of the sender."}, m.term);
    v(field{"context", "That of the request."}, m.context);
    v(field{"confirmed", "Whether the sender is certain to lead; if not, `index` says nothing."},
      m.confirmed);
    v(field{"index", "The index."}, m.index);
  }
};

/// The order is the number on the wire: new ones come last.
using raft_message =
    std::variant<pre_vote_request, pre_vote_response, vote_request, vote_response, append_request,
                 append_response, heartbeat_request, heartbeat_response, snapshot_offer,
                 snapshot_response, timeout_now, read_index_request, read_index_response>;

struct raft_envelope {
  uuid topic;
  std::int32_t partition = 0;
  replica from;
  replica to;
  raft_message message;

  static constexpr message_info info{"RaftEnvelope", "A message between two replicas of a group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Id of the group's topic; nil is the cluster itself."}, m.topic);
    v(field{"partition", "Number of the group's partition."}, m.partition);
    v(field{"from", "The sender."}, m.from);
    v(field{"to", "The receiver. What is for another life of its disk is dropped."}, m.to);
    v(field{"message", "What it says."}, m.message);
  }
};

struct raft_messages {
  std::vector<raft_envelope> messages;

  static constexpr message_info info{"RaftMessages", "Messages of any number of groups."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"messages", "Those of one group in the order in which they were sent."}, m.messages);
  }
};

/// Refuses what no honest node sends: terms and indexes above `number_max` (or that exceed it with
/// the entries that follow), negative node and partition numbers, unknown entry kinds.
[[nodiscard]] result<void> check(const raft_messages& frame);

} // namespace aqueduct::protocol::cluster
