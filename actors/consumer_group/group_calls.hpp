// What a front end asks of the coordinator of consumer groups, and how it is answered. Both
// dialects end in these types; they name topics by id. `done` is called at most once, from the
// coordinator's thread or, where the answer is known at once, before asking returns; a question
// that is dropped is not answered, so that what `done` holds has to answer for itself when it is
// destroyed.
#pragma once

#include "actors/consumer_group/group_records.hpp"
#include "protocol/error.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace aqueduct::actors {

/// What every answer says: whether it went well, and where to ask instead.
struct group_answer {
  errc error = errc::none;
  std::string message;
  /// With not_coordinator: the node that coordinates the group, or -1.
  std::int32_t coordinator = -1;
};

/// Who asks, if it is a member of the group.
struct group_member_id {
  std::string member;
  /// Of a static member; else empty.
  std::string instance;
  /// -1: not a member, or its leaving does not hang on a generation.
  std::int32_t generation = -1;
};

// -- membership -----------------------------------------------------------------------------------

struct joined_member {
  std::string id;
  std::string instance;
  buffer metadata;
};
struct join_answer : group_answer {
  /// What the member is called from now on, also with member_id_required.
  std::string member;
  std::int32_t generation = -1;
  std::string protocol_type;
  std::string protocol;
  std::string leader;
  /// The member leads and is told of the others, but they know what is theirs already.
  bool skips_assignment = false;
  /// For the member that leads.
  std::vector<joined_member> members;
  /// If the coordinator assigns.
  buffer assignment;
};
/// Joins a group, or takes part in its next rebalance. Answered when that is through.
struct join_call {
  std::string group;
  /// Empty: a new member.
  std::string member;
  std::string instance;
  std::string client_id;
  std::string client_host;
  std::string protocol_type;
  /// The best first.
  std::vector<member_protocol> protocols;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = 0;
  member_kind kind = member_kind::client_assigned;
  /// The member made its id itself, which nobody else has: unknown, it is a new member's, so that
  /// who asks again after a lost answer does not leave a member behind that nobody is.
  bool brings_id = false;
  /// A new member that is not static is first told its id, and joins again with it.
  bool needs_member_id = false;
  /// The member understands `skips_assignment`; who does not is told that another one leads.
  bool knows_skipping = false;
  std::function<void(join_answer)> done;
};

struct member_assignment {
  std::string member;
  buffer assignment;
};
struct sync_answer : group_answer {
  std::string protocol_type;
  std::string protocol;
  buffer assignment;
};
/// Asks for the member's assignment; the member that leads brings those of all.
struct sync_call {
  std::string group;
  group_member_id who;
  /// Empty: not said.
  std::string protocol_type;
  std::string protocol;
  std::vector<member_assignment> assignments;
  std::function<void(sync_answer)> done;
};

struct heartbeat_answer : group_answer {};
struct heartbeat_call {
  std::string group;
  group_member_id who;
  std::function<void(heartbeat_answer)> done;
};

struct leave_answer : group_answer {
  /// Of each member that was named.
  std::vector<errc> members;
};
/// Members leave, or are put out: a member id or, of a static one, the instance alone.
struct leave_call {
  std::string group;
  std::vector<group_member_id> members;
  std::function<void(leave_answer)> done;
};

// -- offsets --------------------------------------------------------------------------------------

struct commit_row {
  offset_key key;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string metadata;
};
struct commit_answer : group_answer {
  /// Of each row, if the commit as a whole was taken.
  std::vector<errc> rows;
};
/// Commits offsets; durable when it is answered. Who is no member of the group may while it is
/// empty: so offsets are reset.
struct commit_call {
  std::string group;
  group_member_id who;
  std::vector<commit_row> rows;
  std::function<void(commit_answer)> done;
};

struct fetch_offsets_answer : group_answer {
  /// Those that are there, in ascending order.
  std::vector<offset_row> rows;
};
/// Reads committed offsets: everything that was answered before is in them.
struct fetch_offsets_call {
  std::string group;
  /// Nothing: all.
  std::optional<std::vector<offset_key>> keys;
  std::function<void(fetch_offsets_answer)> done;
};

struct delete_offsets_answer : group_answer {
  std::vector<errc> rows;
};
struct delete_offsets_call {
  struct row {
    offset_key key;
    /// Members that subscribe to it keep their offsets.
    std::string topic;
  };
  std::string group;
  std::vector<row> rows;
  std::function<void(delete_offsets_answer)> done;
};

// -- finding the coordinator ----------------------------------------------------------------------

/// Which node coordinates the groups of a partition; answered as soon as a replica there knows.
struct find_coordinator_call {
  /// On the node's steady clock; at the first look after it the answer is coordinator_loading.
  std::int64_t deadline_ms = 0;
  std::function<void(result<std::int32_t>)> done;
};

// -- looking at groups ----------------------------------------------------------------------------

/// As Kafka's clients print it.
enum class group_phase : std::uint8_t { empty, preparing, completing, stable, dead };
[[nodiscard]] std::string_view to_string(group_phase phase);

struct group_summary {
  std::string id;
  std::string protocol_type;
  group_phase phase = group_phase::empty;
  std::int32_t members = 0;
};
struct list_groups_answer : group_answer {
  std::vector<group_summary> groups;
};
/// The groups that this coordinator has.
struct list_groups_call {
  std::function<void(list_groups_answer)> done;
};

struct describe_group_answer : group_answer {
  group_phase phase = group_phase::dead;
  /// With the members as they are now.
  group_record group;
};
/// Error unknown_group with phase dead: there is none.
struct describe_group_call {
  std::string group;
  std::function<void(describe_group_answer)> done;
};

struct delete_group_answer : group_answer {};
struct delete_group_call {
  std::string group;
  std::function<void(delete_group_answer)> done;
};

/// An answer that only says why not.
template <class Answer>
[[nodiscard]] Answer refusal(group_answer why) {
  Answer answer;
  static_cast<group_answer&>(answer) = std::move(why);
  return answer;
}
template <class Answer>
[[nodiscard]] Answer failure(const error& why) {
  return refusal<Answer>({why.code, why.message, -1});
}

/// Answers any of these calls with an error.
template <class Call>
void refuse(Call& call, group_answer why) {
  const auto answer_to = [&]<class Answer>(const std::function<void(Answer)>& done) {
    auto answer = refusal<Answer>(std::move(why));
    if constexpr (std::is_same_v<Call, join_call>)
      answer.member = call.member;
    done(std::move(answer));
  };
  answer_to(call.done);
}

} // namespace aqueduct::actors
