// Requests of consumer groups that the client library has no use for, or uses in one way only.
#include "protocol/native/group_messages.hpp"
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

namespace aqueduct::test {

template <>
struct exchange_of<protocol::join_group_request>
    : exchange_is<protocol::api_key::join_group, protocol::join_group_response> {};
template <>
struct exchange_of<protocol::fetch_assignment_request>
    : exchange_is<protocol::api_key::fetch_assignment, protocol::fetch_assignment_response> {};

} // namespace aqueduct::test

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

protocol::join_group_request join_of(const std::string& member) {
  protocol::join_group_request join;
  join.group = "g";
  join.member_id = member;
  join.subscription = {"orders"};
  join.assignors = {"range"};
  return join;
}

/// Joins as soon as the group has a coordinator, which is made for the first group.
protocol::join_group_response join(native_client& client, const std::string& member) {
  const auto deadline = test_clock::now() + patience;
  for (;;) {
    const auto joined = client.call(join_of(member));
    if (joined)
      return *joined;
    const auto code = joined.error().code;
    REQUIRE_MESSAGE((code == errc::coordinator_loading || code == errc::not_coordinator),
                    to_string(joined.error()));
    REQUIRE(test_clock::now() < deadline);
  }
}

} // namespace

TEST_SUITE("integration.group_requests") {
  TEST_CASE("a member may ask again what is its own, and nobody else may") {
    own_node own;
    create_topic(own.client, "orders", 3);
    const auto joined = join(own.client, "");
    REQUIRE(joined.assignment.size() == 1);
    REQUIRE(joined.assignment[0].partitions == std::vector<std::int32_t>{0, 1, 2});

    protocol::fetch_assignment_request ask;
    ask.group = "g";
    ask.member_id = joined.member_id;
    ask.generation = joined.generation;
    const auto found = must(own.client.call(ask));
    CHECK(found.assignor == "range");
    REQUIRE(found.assignment.size() == 1);
    CHECK(found.assignment[0].topic == "orders");
    CHECK(found.assignment[0].partitions == joined.assignment[0].partitions);

    const auto refusal = [&](auto change) {
      auto asked = ask;
      change(asked);
      const auto answer = own.client.call(asked);
      REQUIRE_FALSE(answer);
      CHECK_FALSE(answer.error().message.empty());
      return answer.error().code;
    };
    CHECK(refusal([](auto& it) { it.member_id = "nobody"; }) == errc::unknown_member);
    CHECK(refusal([](auto& it) { it.instance_id = "i"; }) == errc::unknown_member);
    CHECK(refusal([](auto& it) { ++it.generation; }) == errc::generation_mismatch);
    CHECK(refusal([](auto& it) { it.group = "another"; }) == errc::unknown_member);
  }
}
