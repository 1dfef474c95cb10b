// The bodies of calls of kind 3 (messages.hpp): partitions are to be led by their preferred
// replicas.
#pragma once

#include "protocol/cluster/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::protocol::cluster {

/// The replica on a node is to lead a partition.
struct election_wish {
  uuid topic;
  std::int32_t partition = 0;
  std::int32_t to = 0;

  static constexpr message_info info{"ElectionWish", "Who is to lead a partition."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"topic", "Id of the topic."}, m.topic);
    v(field{"partition", "The partition."}, m.partition);
    v(field{"to", "The node of the preferred replica."}, m.to);
  }
};

struct election_question {
  /// Wishes of one question; more are asked in several.
  static constexpr std::size_t wishes_max = 500;
  static constexpr std::int64_t wait_ms_max = 300'000;

  std::int64_t wait_ms = 0;
  std::vector<election_wish> wishes;

  static constexpr message_info info{
      "ElectionQuestion", "Body of a call of kind 3: hand these partitions over if you lead them."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"wait_ms", "Milliseconds until the answer is given whatever has come of it."},
      m.wait_ms);
    v(field{"wishes", "At most 500."}, m.wishes);
  }
};

/// What came of a wish. Numbers are for ever.
enum class election_verdict : std::uint8_t {
  /// The replica leads since it was asked for.
  elected = 0,
  /// It led already.
  not_needed = 1,
  /// Whoever was asked does not lead.
  elsewhere = 2,
  /// It cannot lead now.
  refused = 3,
  timed_out = 4,
};

struct election_outcome {
  election_verdict verdict = election_verdict::elsewhere;
  std::int32_t leader = -1;
  std::string message;

  static constexpr message_info info{"ElectionOutcome", "What came of a wish."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"verdict",
            "0 it leads now, 1 it did before, 2 the asked node does not lead, 3 it cannot "
            "lead now, 4 not decided in time."},
      m.verdict);
    v(field{"leader", "With 2: the node that leads, or -1."}, m.leader);
    v(field{"message", "Why, in a sentence."}, m.message);
  }
};

struct election_answer {
  std::vector<election_outcome> outcomes;

  static constexpr message_info info{"ElectionAnswer", "What came of the wishes."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"outcomes", "In the order of the wishes."}, m.outcomes);
  }
};

/// Refuses numbers that no honest node sends; see `check(raft_messages)`.
[[nodiscard]] result<void> check(const election_question& question);
[[nodiscard]] result<void> check(const election_answer& answer);

} // namespace aqueduct::protocol::cluster
