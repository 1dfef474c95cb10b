// How much a group may be told: the part of `group_coordinator` that keeps the log's entries small.
#include "actors/consumer_group/group_coordinator.hpp"

namespace aqueduct::actors {

namespace {

/// What it takes to write down a committed offset, a partition, a member, a way to assign, at most,
/// but for what clients say in words.
constexpr std::size_t offset_bytes = 48;
constexpr std::size_t key_bytes = 20;
constexpr std::size_t member_bytes = 128;
constexpr std::size_t protocol_bytes = 16;

std::size_t bytes_of(const std::vector<member_protocol>& protocols) {
  std::size_t bytes = 0;
  for (const auto& each : protocols)
    bytes += protocol_bytes + each.name.size() + each.metadata.size();
  return bytes;
}

std::size_t bytes_of(const member_record& member) {
  return member_bytes + member.id.size() + member.instance.size() + member.client_id.size() +
         member.client_host.size() + bytes_of(member.protocols);
}

std::size_t bytes_of(const join_call& call) {
  return member_bytes + call.group.size() + call.member.size() + call.instance.size() +
         call.client_id.size() + call.client_host.size() + call.protocol_type.size() +
         bytes_of(call.protocols);
}

/// "WHAT take BYTES bytes, more than the BYTES_MAX that they may".
group_answer too_large(errc code, const char* what, std::size_t bytes, std::size_t bytes_max) {
  return {code,
          std::string(what) + " take " + std::to_string(bytes) + " bytes, more than the " +
              std::to_string(bytes_max) + " that they may",
          -1};
}

} // namespace

std::size_t group_coordinator::bytes_of(const group_offsets& commit) {
  auto bytes = offset_bytes + commit.group.size();
  for (const auto& row : commit.offsets)
    bytes += offset_bytes + row.value.metadata.size();
  return bytes;
}

std::size_t group_coordinator::bytes_of(const remove_offsets_command& removal) {
  return removal.group.size() + removal.offsets.size() * key_bytes;
}

group_answer group_coordinator::check_offsets(std::size_t bytes) const {
  const auto bytes_max = options_.bounds.offsets_bytes_max;
  return bytes <= bytes_max
             ? group_answer()
             : too_large(errc::message_too_large, "the offsets of the request", bytes, bytes_max);
}

group_answer group_coordinator::check_assigned(std::size_t bytes) const {
  const auto bytes_max = options_.bounds.assignments_bytes_max;
  return bytes <= bytes_max
             ? group_answer()
             : too_large(errc::message_too_large, "the assignments of the group", bytes, bytes_max);
}

group_answer group_coordinator::check_said(const join_call& call) const {
  const auto& bounds = options_.bounds;
  auto bytes = actors::bytes_of(call);
  if (bytes > bounds.member_bytes_max)
    return {errc::invalid_request,
            "a member says at most " + std::to_string(bounds.member_bytes_max) +
                " bytes about itself",
            -1};
  if (const auto group = live_.find(call.group); group != live_.end()) {
    const auto& self = joining_as(group->second, call);
    for (const auto& [id, member] : group->second.members)
      bytes += id == self ? 0 : actors::bytes_of(member.record);
  }
  return bytes <= bounds.members_bytes_max
             ? group_answer()
             : too_large(errc::group_full, "the members of the group and their subscriptions",
                         bytes, bounds.members_bytes_max);
}

const std::string& group_coordinator::joining_as(const live_group& group, const join_call& call) {
  const auto known = group.instances.find(call.instance);
  return known == group.instances.end() ? call.member : known->second;
}

} // namespace aqueduct::actors
