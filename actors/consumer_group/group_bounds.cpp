#include "actors/consumer_group/group_bounds.hpp"

#include <string>

namespace aqueduct::actors {

namespace {

/// What it takes to write down a committed offset, a partition, a member, a way to assign, at most,
/// but for what clients say in words.
constexpr std::size_t offset_bytes = 48;
constexpr std::size_t key_bytes = 20;
constexpr std::size_t member_bytes = 128;
constexpr std::size_t protocol_bytes = 16;

std::size_t bytes_of_all(const std::vector<member_protocol>& protocols) {
  std::size_t bytes = 0;
  for (const auto& each : protocols)
    bytes += protocol_bytes + each.name.size() + each.metadata.size();
  return bytes;
}

/// "WHAT take BYTES bytes, more than the BYTES_MAX that they may".
group_answer too_large(errc code, const char* what, std::size_t bytes, std::size_t bytes_max) {
  return {code,
          std::string(what) + " take " + std::to_string(bytes) + " bytes, more than the " +
              std::to_string(bytes_max) + " that they may",
          -1};
}

} // namespace

std::size_t bytes_of(const member_record& member) {
  return member_bytes + member.id.size() + member.instance.size() + member.client_id.size() +
         member.client_host.size() + bytes_of_all(member.protocols);
}

std::size_t bytes_of(const join_call& call) {
  return member_bytes + call.group.size() + call.member.size() + call.instance.size() +
         call.client_id.size() + call.client_host.size() + call.protocol_type.size() +
         bytes_of_all(call.protocols);
}

std::size_t bytes_of(const group_offsets& commit) {
  auto bytes = offset_bytes + commit.group.size();
  for (const auto& row : commit.offsets)
    bytes += offset_bytes + row.value.metadata.size();
  return bytes;
}

std::size_t bytes_of(const remove_offsets_command& removal) {
  return removal.group.size() + removal.offsets.size() * key_bytes;
}

group_answer check_offsets(const group_limits& bounds, std::size_t bytes) {
  return bytes <= bounds.offsets_bytes_max
             ? group_answer()
             : too_large(errc::message_too_large, "the offsets of the request", bytes,
                         bounds.offsets_bytes_max);
}

group_answer check_assigned(const group_limits& bounds, std::size_t bytes) {
  return bytes <= bounds.assignments_bytes_max
             ? group_answer()
             : too_large(errc::message_too_large, "the assignments of the group", bytes,
                         bounds.assignments_bytes_max);
}

group_answer check_said(const group_limits& bounds, const join_call& call,
                        std::size_t others_bytes) {
  const auto bytes = bytes_of(call);
  if (bytes > bounds.member_bytes_max)
    return {errc::invalid_request,
            "a member says at most " + std::to_string(bounds.member_bytes_max) +
                " bytes about itself",
            -1};
  return bytes + others_bytes <= bounds.members_bytes_max
             ? group_answer()
             : too_large(errc::group_full, "the members of the group and their subscriptions",
                         bytes + others_bytes, bounds.members_bytes_max);
}

} // namespace aqueduct::actors
