// The bodies of calls of kind 2 (messages.hpp): taking over the state of a group in place of
// entries that the asked replica no longer has. It comes in pieces, of one moment of the state.
#pragma once

#include "protocol/cluster/messages.hpp"

#include <cstdint>
#include <vector>

namespace aqueduct::protocol::cluster {

struct state_question {
  uuid topic;
  std::int32_t partition = 0;
  replica from;
  replica to;
  std::uint64_t snapshot = 0;
  std::uint64_t position = 0;

  static constexpr message_info info{
      "StateQuestion", "Body of a call of kind 2: the next piece of a group's state."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Id of the group's topic; nil is the cluster itself."}, m.topic);
    v(field{"partition", "Number of the group's partition."}, m.partition);
    v(field{"from", "The replica that asks."}, m.from);
    v(field{"to", "The replica that is asked."}, m.to);
    v(field{"snapshot", "0 begins; else what the first answer named."}, m.snapshot);
    v(field{"position", "What the answer before named as next; 0 at the beginning."}, m.position);
  }
};

struct state_row {
  buffer key;
  buffer value;

  static constexpr message_info info{"StateRow", "A pair of the state machine."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"key", "Without what all keys of the group begin with."}, m.key);
    v(field{"value", "Its value."}, m.value);
  }
};

struct state_answer {
  entry_id base;
  std::int64_t next_offset = 0;
  buffer membership;
  entry_id applied;
  std::uint64_t snapshot = 0;
  bool is_last = false;
  std::uint64_t next = 0;
  std::vector<state_row> rows;

  static constexpr message_info info{"StateAnswer", "A piece of the state of a group."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"base", "The last entry that is not in the log of the asked replica."}, m.base);
    v(field{"next_offset", "Offset of the first record after it."}, m.next_offset);
    v(field{"membership", "The membership in force there, as in an entry of kind 3."},
      m.membership);
    v(field{"applied", "The last entry that is in the state; not before `base`."}, m.applied);
    v(field{"snapshot", "Names the moment; the same in all pieces."}, m.snapshot);
    v(field{"is_last", "Nothing follows."}, m.is_last);
    v(field{"next", "Position of the next piece; 0 after the last one."}, m.next);
    v(field{"rows", "Ascending by key."}, m.rows);
  }
};

/// Refuses numbers that no honest node sends; see `check(raft_messages)`.
[[nodiscard]] result<void> check(const state_question& question);
[[nodiscard]] result<void> check(const state_answer& answer);

} // namespace aqueduct::protocol::cluster
