#include "actors/network/kafka_offset_rows.hpp"
#include "protocol/kafka/offset_messages.hpp"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("actors.kafka_offset_rows");

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::network;
using protocol::kafka::error_code;
using protocol::kafka::number_of;
using protocol::kafka::offset_fetch_request;
using protocol::kafka::offset_fetch_response;

namespace {

constexpr std::int16_t first_version = 1;
constexpr std::int16_t with_group_error = 7;

uuid id_of(std::uint8_t number) {
  uuid id;
  id.bytes[0] = number;
  return id;
}

/// A node that knows of "t" with two partitions.
struct lab {
  lab() {
    auto topic = std::make_shared<topic_route>();
    topic->record.name = "t";
    topic->record.id = id_of(7);
    topic->partitions.resize(2);
    directory.put(topic);
  }

  kafka_offset_rows ask(const std::string& topic, std::vector<std::int32_t> partitions) {
    offset_fetch_request request;
    auto& asked = request.topics.emplace().emplace_back();
    asked.name = topic;
    asked.partition_indexes = std::move(partitions);
    return kafka_offset_rows(directory, request.topics, response);
  }
  kafka_offset_rows ask_all() {
    return kafka_offset_rows(directory, offset_fetch_request().topics, response);
  }
  void fill(const kafka_offset_rows& rows, const fetch_offsets_answer& from,
            std::int16_t version = with_group_error) {
    kafka_answer to;
    to.api = protocol::kafka::api_key::offset_fetch;
    to.version = version;
    rows.fill(directory, to, from, response);
  }
  [[nodiscard]] const auto& row(std::size_t at) const { return response.topics[0].partitions[at]; }

  topic_directory directory;
  offset_fetch_response response;
};

fetch_offsets_answer found(std::int32_t partition, std::int64_t offset) {
  fetch_offsets_answer answer;
  answer.rows = {{{id_of(7), partition}, {offset, 3, "words", 0}}};
  return answer;
}

fetch_offsets_answer refused(errc why) {
  fetch_offsets_answer answer;
  answer.error = why;
  return answer;
}

constexpr auto unavailable = number_of(error_code::coordinator_not_available);
constexpr auto loading = number_of(error_code::coordinator_load_in_progress);

} // namespace

TEST_CASE("rows that no coordinator filled say that it is not available") {
  lab it;
  (void)it.ask("t", {0, 1, 9});
  CHECK(it.response.error_code == unavailable);
  for (const std::size_t at : {0, 1, 2}) {
    CHECK(it.row(at).error_code == unavailable);
    CHECK(it.row(at).committed_offset == -1);
  }
}

TEST_CASE("what the coordinator found is in the rows, and what it did not find is not an error") {
  lab it;
  const auto rows = it.ask("t", {0, 1, -1});
  REQUIRE(rows.keys());
  CHECK(*rows.keys() == std::vector<offset_key>{{id_of(7), 0}, {id_of(7), 1}});
  it.fill(rows, found(1, 42));
  CHECK(it.response.error_code == 0);
  CHECK(it.row(0).error_code == 0);
  CHECK(it.row(0).committed_offset == -1);
  CHECK(it.row(1).error_code == 0);
  CHECK(it.row(1).committed_offset == 42);
  CHECK(it.row(1).committed_leader_epoch == 3);
  CHECK(it.row(1).metadata == "words");
  CHECK(it.row(2).error_code == 0);
  CHECK(it.row(2).committed_offset == -1);
}

TEST_CASE("a refusal is said of the group and in every row") {
  lab it;
  const auto rows = it.ask("t", {0, 1});
  it.fill(rows, refused(errc::not_coordinator), first_version);
  CHECK(it.response.error_code == number_of(error_code::not_coordinator));
  for (const std::size_t at : {0, 1})
    CHECK(it.row(at).error_code == number_of(error_code::not_coordinator));
}

TEST_CASE("a partition that this node does not know of yet may have an offset") {
  lab it;
  const auto rows = it.ask("t", {0, 2});
  CHECK(*rows.keys() == std::vector<offset_key>{{id_of(7), 0}});
  SUBCASE("it is to be asked for again") {
    it.fill(rows, found(0, 5), first_version);
    CHECK(it.response.error_code == loading);
    for (const std::size_t at : {0, 1}) {
      CHECK(it.row(at).error_code == loading);
      CHECK(it.row(at).committed_offset == -1);
    }
  }
  SUBCASE("unless another node is to be asked") {
    it.fill(rows, refused(errc::not_coordinator));
    CHECK(it.response.error_code == number_of(error_code::not_coordinator));
  }
}

TEST_CASE("of a topic that is not there nothing was committed") {
  lab it;
  const auto rows = it.ask("nowhere", {0});
  CHECK(rows.keys()->empty());
  it.fill(rows, fetch_offsets_answer());
  CHECK(it.response.error_code == 0);
  CHECK(it.row(0).error_code == 0);
  CHECK(it.row(0).committed_offset == -1);
}

TEST_CASE("who asks for all is told what there is") {
  lab it;
  const auto rows = it.ask_all();
  CHECK_FALSE(rows.keys());
  CHECK(it.response.error_code == unavailable);
  it.fill(rows, found(1, 42));
  CHECK(it.response.error_code == 0);
  REQUIRE(it.response.topics.size() == 1);
  CHECK(it.response.topics[0].name == "t");
  REQUIRE(it.response.topics[0].partitions.size() == 1);
  CHECK(it.row(0).partition_index == 1);
  CHECK(it.row(0).error_code == 0);
  CHECK(it.row(0).committed_offset == 42);
  CHECK(it.row(0).committed_leader_epoch == 3);
  CHECK(it.row(0).metadata == "words");
}

TEST_CASE("who asks for all is told of partitions that this node does not know of yet") {
  lab it;
  const auto rows = it.ask_all();
  auto answer = found(1, 42);
  answer.rows.push_back({{id_of(7), 2}, {43, 4, "more", 0}});
  // Of a topic that is not there.
  answer.rows.push_back({{id_of(9), 0}, {44, 5, "", 0}});
  it.fill(rows, answer);
  CHECK(it.response.error_code == 0);
  REQUIRE(it.response.topics.size() == 1);
  REQUIRE(it.response.topics[0].partitions.size() == 2);
  CHECK(it.row(0).committed_offset == 42);
  CHECK(it.row(1).partition_index == 2);
  CHECK(it.row(1).error_code == 0);
  CHECK(it.row(1).committed_offset == 43);
  CHECK(it.row(1).committed_leader_epoch == 4);
  CHECK(it.row(1).metadata == "more");
}

TEST_SUITE_END();
