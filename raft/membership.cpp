// Changes of membership and the bytes of one. Nothing here knows a log or a leader.
#include "raft/membership.hpp"

#include <algorithm>
#include <cstdint>

namespace aqueduct::raft {

namespace {

constexpr std::uint8_t codec_version = 1;
constexpr std::size_t replica_bytes = 4 + 8;

bool has(const std::vector<replica_id>& list, replica_id id) {
  return std::binary_search(list.begin(), list.end(), id);
}

void insert(std::vector<replica_id>& list, replica_id id) {
  list.insert(std::lower_bound(list.begin(), list.end(), id), id);
}

void erase(std::vector<replica_id>& list, replica_id id) {
  std::erase(list, id);
}

template <class T>
void put(std::vector<std::byte>& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::byte>(value >> shift));
}

/// Takes integers off the front; a read beyond the end makes it fail.
struct cursor {
  std::span<const std::byte> rest;
  bool failed = false;

  template <class T>
  T take() {
    if (rest.size() < sizeof(T)) {
      failed = true;
      return T{};
    }
    T value{};
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>((std::uint64_t{value} << 8) | std::to_integer<std::uint8_t>(rest[i]));
    rest = rest.subspan(sizeof(T));
    return value;
  }
};

void put_list(std::vector<std::byte>& out, const std::vector<replica_id>& list) {
  put(out, static_cast<std::uint32_t>(list.size()));
  for (const auto& id : list) {
    put(out, static_cast<std::uint32_t>(id.node.value));
    put(out, id.incarnation.value);
  }
}

bool take_list(cursor& in, std::vector<replica_id>& list) {
  const auto count = in.take<std::uint32_t>();
  if (in.failed || count > in.rest.size() / replica_bytes)
    return false;
  list.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const node_id node(static_cast<std::int32_t>(in.take<std::uint32_t>()));
    list.push_back({node, incarnation(in.take<std::uint64_t>())});
  }
  return !in.failed;
}

bool strictly_ascending_nodes(const std::vector<replica_id>& list) {
  const auto not_below = [](const replica_id& a, const replica_id& b) { return a.node >= b.node; };
  return std::adjacent_find(list.begin(), list.end(), not_below) == list.end();
}

std::optional<membership> change_members(membership m, const add_learner& change) {
  if (m.contains(change.who))
    return std::nullopt;
  if (const auto former = m.find(change.who.node)) {
    erase(m.voters, *former);
    erase(m.learners, *former);
  }
  insert(m.learners, change.who);
  return m;
}

std::optional<membership> change_members(membership m, const promote_learner& change) {
  if (!m.is_learner(change.who))
    return std::nullopt;
  erase(m.learners, change.who);
  insert(m.voters, change.who);
  return m;
}

std::optional<membership> change_members(membership m, const remove_replica& change) {
  if (!m.contains(change.who))
    return std::nullopt;
  erase(m.voters, change.who);
  erase(m.learners, change.who);
  return m;
}

} // namespace

bool membership::is_voter(replica_id id) const {
  return has(voters, id);
}

bool membership::is_learner(replica_id id) const {
  return has(learners, id);
}

std::optional<replica_id> membership::find(node_id node) const {
  for (const auto* list : {&voters, &learners}) {
    const auto same_node = [node](const replica_id& id) { return id.node == node; };
    if (const auto at = std::find_if(list->begin(), list->end(), same_node); at != list->end())
      return *at;
  }
  return std::nullopt;
}

bool membership::valid() const {
  if (!strictly_ascending_nodes(voters) || !strictly_ascending_nodes(learners))
    return false;
  if (voters.empty())
    return learners.empty();
  const auto votes_too = [this](const replica_id& learner) {
    return std::any_of(voters.begin(), voters.end(),
                       [&](const replica_id& voter) { return voter.node == learner.node; });
  };
  return std::none_of(learners.begin(), learners.end(), votes_too);
}

std::optional<membership> apply_change(const membership& now, const membership_change& change) {
  auto next = std::visit([&](const auto& c) { return change_members(now, c); }, change);
  if (next && next->voters.empty())
    return std::nullopt;
  return next;
}

std::vector<std::byte> encode(const membership& m) {
  std::vector<std::byte> out;
  out.reserve(1 + 8 + replica_bytes * (m.voters.size() + m.learners.size()));
  put(out, codec_version);
  put_list(out, m.voters);
  put_list(out, m.learners);
  return out;
}

std::optional<membership> decode_membership(std::span<const std::byte> bytes) {
  cursor in{bytes};
  if (in.take<std::uint8_t>() != codec_version)
    return std::nullopt;
  membership m;
  if (!take_list(in, m.voters) || !take_list(in, m.learners) || !in.rest.empty() || !m.valid())
    return std::nullopt;
  return m;
}

std::string to_string(const membership& m) {
  std::string text;
  const auto add = [&text](const std::string& word) {
    if (!text.empty())
      text += " ";
    text += word;
  };
  for (const auto& id : m.voters)
    add(to_string(id));
  if (m.voters.empty())
    add("nobody");
  if (!m.learners.empty())
    add("learners");
  for (const auto& id : m.learners)
    add(to_string(id));
  return text;
}

std::string to_string(const membership_change& change) {
  struct printer {
    std::string operator()(const add_learner& c) const { return "add-learner " + to_string(c.who); }
    std::string operator()(const promote_learner& c) const { return "promote " + to_string(c.who); }
    std::string operator()(const remove_replica& c) const { return "remove " + to_string(c.who); }
  };
  return std::visit(printer{}, change);
}

} // namespace aqueduct::raft
