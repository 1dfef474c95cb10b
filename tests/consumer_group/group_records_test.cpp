#include "actors/consumer_group/group_table.hpp"
#include "protocol/consumer_protocol.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

group_record sample_group() {
  group_record group;
  group.id = "orders/eu";
  group.protocol_type = "consumer";
  group.generation = 7;
  group.protocol = "range";
  group.leader = "m-1";
  group.is_assigned = true;
  member_record member;
  member.id = "m-1";
  member.instance = "i";
  member.protocols = {{"range", buffer::copy_of(std::string_view("wish"))}};
  member.assignment = buffer::copy_of(std::string_view("mine"));
  member.session_timeout_ms = 10'000;
  group.members.push_back(std::move(member));
  return group;
}

offset_key key_of(std::int32_t partition) {
  offset_key key;
  key.topic.bytes[3] = 9;
  key.partition = partition;
  return key;
}

} // namespace

TEST_SUITE_BEGIN("actors.consumer_group");

TEST_CASE("commands are read as they were written, and nothing else is") {
  const group_command commands[] = {
      put_group_command{sample_group()},
      commit_offsets_command{{{"g", {{key_of(1), {42, 3, "words", 99}}}}}},
      remove_offsets_command{"g", {key_of(1), key_of(2)}},
      delete_group_command{"g"},
  };
  for (const auto& command : commands) {
    const auto bytes = encode(command);
    const auto read = decode_group_command(bytes);
    REQUIRE(read.has_value());
    CHECK(read->index() == command.index());
    CHECK(encode(*read) == bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_group_command(bytes.slice(0, size)).has_value());
  }
  const std::byte unknown[] = {std::byte{1}, std::byte{200}};
  CHECK(decode_group_command(buffer::copy_of(byte_span(unknown))).error().code ==
        errc::storage_damaged);
  const std::byte newer[] = {std::byte{2}, std::byte{0}};
  CHECK(decode_group_command(buffer::copy_of(byte_span(newer))).error().code ==
        errc::storage_damaged);
}

TEST_CASE("a table is what its rows say") {
  group_table table;
  std::map<std::string, buffer> rows;
  const auto apply = [&](const group_command& command) {
    for (const auto& write : table.replay(command)) {
      if (write.value)
        rows[write.key] = *write.value;
      else
        rows.erase(write.key);
    }
  };
  apply(put_group_command{sample_group()});
  apply(commit_offsets_command{
      {{"orders/eu", {{key_of(1), {42, 3, "words", 99}}}},
       {"orders", {{key_of(1), {1, -1, "", 5}}, {key_of(2), {2, -1, "", 5}}}}}});
  apply(commit_offsets_command{{{"orders/eu", {{key_of(1), {43, 3, "", 100}}}}}});
  apply(remove_offsets_command{"orders", {key_of(1), key_of(9)}});
  apply(remove_offsets_command{"nobody", {key_of(1)}});
  apply(delete_group_command{"nobody"});

  group_table restored;
  for (const auto& [key, value] : rows)
    REQUIRE(restored.restore(key, value).has_value());
  REQUIRE(restored.groups().size() == 2);
  CHECK(restored.find("orders/eu")->record == sample_group());
  CHECK(restored.find("orders/eu")->offsets.at(key_of(1)).offset == 43);
  CHECK(restored.find("orders")->offsets.size() == 1);
  CHECK(restored.find("orders")->offsets.at(key_of(2)).offset == 2);

  apply(remove_offsets_command{"orders", {key_of(2)}});
  CHECK(table.find("orders") == nullptr);
  apply(delete_group_command{"orders/eu"});
  CHECK(table.groups().empty());
  CHECK(rows.empty());
}

TEST_CASE("an offset below 0 stands for none") {
  group_table table;
  const auto commit = [&](std::int64_t first, std::int64_t second) {
    return table.replay(commit_offsets_command{
        {{"orders", {{key_of(1), {first, -1, "", 5}}, {key_of(2), {second, -1, "", 5}}}}}});
  };
  (void)commit(7, 8);
  const auto writes = commit(-2, 9);
  REQUIRE(writes.size() == 2);
  CHECK(writes[0].key == offset_row_key("orders", key_of(1)));
  CHECK_FALSE(writes[0].value);
  CHECK(writes[1].value);
  CHECK(table.find("orders")->offsets.size() == 1);
  CHECK(table.find("orders")->offsets.at(key_of(2)).offset == 9);
  (void)commit(-1, -1);
  CHECK(table.find("orders") == nullptr);
}

TEST_CASE("damaged rows are told") {
  group_table table;
  CHECK(table.restore("elsewhere", buffer()).error().code == errc::storage_damaged);
  CHECK(table.restore("offset/short", buffer()).error().code == errc::storage_damaged);
  CHECK(table.restore(group_row_key("g"), buffer()).error().code == errc::storage_damaged);
  CHECK(table.restore(group_row_key("g"), encode_row(sample_group())).error().code ==
        errc::storage_damaged);
  CHECK(table.restore(offset_row_key("g", key_of(1)), buffer::copy_of(std::string_view("\1x")))
            .error()
            .code == errc::storage_damaged);
}

TEST_CASE("the structs of the protocol type consumer are Kafka's") {
  protocol::consumer_subscription wish;
  wish.topics = {"a", "bc"};
  wish.user_data = buffer::copy_of(std::string_view("u"));
  wish.owned = {{"a", {0, 2}}};
  wish.generation = 5;
  wish.rack = "r1";
  const auto bytes = protocol::encode_subscription(wish);
  CHECK(*protocol::decode_subscription(bytes) == wish);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK(protocol::decode_subscription(bytes.slice(0, size)).error().code ==
          errc::invalid_request);

  // Version 0, as librdkafka 2.0 sends it for range: one topic "t", no user data.
  const char old[] = "\0\0\0\0\0\1\0\1t\377\377\377\377";
  const auto read =
      protocol::decode_subscription(buffer::copy_of(std::string_view(old, sizeof old - 1)));
  REQUIRE(read.has_value());
  CHECK(read->topics == std::vector<std::string>{"t"});
  CHECK(read->owned.empty());

  protocol::consumer_assignment given;
  given.partitions = {{"a", {1}}, {"b", {0, 1}}};
  const auto said = protocol::encode_assignment(given);
  CHECK(*protocol::decode_assignment(said) == given);
  CHECK(protocol::decode_assignment(buffer())->partitions.empty());
  for (std::size_t size = 1; size < said.size(); ++size)
    CHECK_FALSE(protocol::decode_assignment(said.slice(0, size)).has_value());
  // A count that lies makes nobody allocate.
  const char lying[] = "\0\1\177\377\377\377";
  CHECK_FALSE(protocol::decode_assignment(buffer::copy_of(std::string_view(lying, 6))).has_value());
}

TEST_SUITE_END();
