#include "actors/network/fetch_session.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

TEST_SUITE_BEGIN("actors.fetch_session");

using namespace aqueduct;
using namespace aqueduct::actors::network;
using protocol::kafka::error_code;
using protocol::kafka::fetch_request;
using protocol::kafka::fetch_response;

namespace {

constexpr std::int16_t by_name = 12;
constexpr std::int16_t by_id = 13;

fetch_request fetch(std::int32_t session, std::int32_t epoch,
                    const std::vector<std::int32_t>& partitions = {}, std::int64_t offset = 0) {
  fetch_request request;
  request.session_id = session;
  request.session_epoch = epoch;
  if (partitions.empty())
    return request;
  auto& topic = request.topics.emplace_back();
  topic.topic = "t";
  for (const auto partition : partitions) {
    auto& asked = topic.partitions.emplace_back();
    asked.partition = partition;
    asked.fetch_offset = offset;
  }
  return request;
}

std::vector<std::int32_t> partitions_of(const fetch_request& request) {
  std::vector<std::int32_t> found;
  for (const auto& topic : request.topics)
    for (const auto& each : topic.partitions)
      found.push_back(each.partition);
  return found;
}

std::vector<std::int32_t> partitions_of(const fetch_response& response) {
  std::vector<std::int32_t> found;
  for (const auto& topic : response.responses)
    for (const auto& each : topic.partitions)
      found.push_back(each.partition_index);
  return found;
}

using row = fetch_session::answered_partition;

row quiet(std::int32_t partition, std::int64_t end = 10) {
  row made;
  made.partition_index = partition;
  made.high_watermark = made.last_stable_offset = end;
  made.log_start_offset = 0;
  made.records.emplace();
  return made;
}

row with_records(std::int32_t partition, std::int64_t end = 10) {
  auto made = quiet(partition, end);
  made.records = buffer_chain(buffer::copy_of("records"));
  return made;
}

/// A node with one client.
struct session_lab {
  explicit session_lab(fetch_session_cache::limits bounds = {}) : cache(bounds) {}

  fetch_turn begin(fetch_request& request, std::int16_t version = by_name,
                   const void* owner = nullptr) {
    return cache.begin(request, version, owner, now_ms, ++random);
  }
  /// The answer to a request whose partitions say `rows`.
  static fetch_response finish(const fetch_turn& turn, std::vector<row> rows) {
    fetch_response response;
    auto& topic = response.responses.emplace_back();
    topic.topic = "t";
    topic.partitions = std::move(rows);
    fetch_session_cache::finish(turn, response);
    return response;
  }
  /// The id of a new session of these partitions, all of which are known to be quiet.
  std::int32_t open(const std::vector<std::int32_t>& partitions, const void* owner = nullptr) {
    auto request = fetch(0, 0, partitions);
    const auto turn = begin(request, by_name, owner);
    std::vector<row> rows;
    for (const auto partition : partitions)
      rows.push_back(quiet(partition));
    return finish(turn, rows).session_id;
  }
  error_code code_of(std::int32_t session, std::int32_t epoch, std::int16_t version = by_name,
                     const void* owner = nullptr) {
    auto request = fetch(session, epoch);
    return begin(request, version, owner).refused;
  }

  fetch_session_cache cache;
  std::int64_t now_ms = 0;
  std::uint64_t random = 100;
};

} // namespace

TEST_CASE("a fetch without a session is answered in full and remembered by nobody") {
  session_lab lab;
  auto request = fetch(0, -1, {0, 1});
  const auto turn = lab.begin(request);
  CHECK(turn.refused == error_code::none);
  const auto response = lab.finish(turn, {quiet(0), quiet(1)});
  CHECK(response.session_id == 0);
  CHECK(partitions_of(response) == std::vector<std::int32_t>{0, 1});
  CHECK(lab.cache.size() == 0);
}

TEST_CASE("a new session is answered in full") {
  session_lab lab;
  auto request = fetch(0, 0, {0, 1});
  const auto response = lab.finish(lab.begin(request), {quiet(0), quiet(1)});
  CHECK(response.session_id > 0);
  CHECK(partitions_of(response) == std::vector<std::int32_t>{0, 1});
  CHECK(lab.cache.size() == 1);
  CHECK(lab.cache.partitions() == 2);
}

TEST_CASE("a session asks for all its partitions and tells of those with news") {
  session_lab lab;
  const auto id = lab.open({0, 1, 2, 3});
  auto request = fetch(id, 1);
  const auto turn = lab.begin(request);
  CHECK(partitions_of(request) == std::vector<std::int32_t>{0, 1, 2, 3});
  auto trimmed = quiet(3);
  trimmed.log_start_offset = 5;
  const auto response = lab.finish(turn, {quiet(0), with_records(1), quiet(2, 11), trimmed});
  CHECK(response.session_id == id);
  CHECK(partitions_of(response) == std::vector<std::int32_t>{1, 2, 3});

  SUBCASE("and of nothing when there are none") {
    auto next = fetch(id, 2);
    const auto quietly = lab.begin(next);
    const auto answer = lab.finish(quietly, {quiet(0), quiet(1), quiet(2, 11), trimmed});
    CHECK(answer.session_id == id);
    CHECK(answer.responses.empty());
  }
}

TEST_CASE("what the client says replaces what it said, and what it forgets is gone") {
  session_lab lab;
  const auto id = lab.open({0, 1, 2});
  auto request = fetch(id, 1, {1, 5}, 7);
  auto& forgotten = request.forgotten_topics_data.emplace_back();
  forgotten.topic = "t";
  forgotten.partitions = {0, 99};
  const auto turn = lab.begin(request);
  CHECK(partitions_of(request) == std::vector<std::int32_t>{1, 2, 5});
  CHECK(request.topics[0].partitions[0].fetch_offset == 7);
  CHECK(request.topics[0].partitions[1].fetch_offset == 0);
  CHECK(lab.cache.partitions() == 3);
  // The client knows nothing of a partition that is new.
  CHECK(partitions_of(lab.finish(turn, {quiet(1), quiet(2), quiet(5)})) ==
        std::vector<std::int32_t>{5});
}

TEST_CASE("a partition that gave records comes last the next time") {
  session_lab lab;
  const auto id = lab.open({0, 1, 2});
  auto request = fetch(id, 1);
  (void)lab.finish(lab.begin(request), {with_records(0), quiet(1), with_records(2)});
  auto next = fetch(id, 2);
  (void)lab.begin(next);
  CHECK(partitions_of(next) == std::vector<std::int32_t>{1, 0, 2});
}

TEST_CASE("an error is told as long as it lasts, and that it is over") {
  session_lab lab;
  const auto id = lab.open({0});
  auto broken = quiet(0);
  broken.error_code = protocol::kafka::number_of(error_code::not_leader_or_follower);
  for (std::int32_t epoch = 1; epoch < 3; ++epoch) {
    auto request = fetch(id, epoch);
    CHECK(partitions_of(lab.finish(lab.begin(request), {broken})).size() == 1);
  }
  auto mended = fetch(id, 3);
  CHECK(partitions_of(lab.finish(lab.begin(mended), {quiet(0)})).size() == 1);
  auto after = fetch(id, 4);
  CHECK(partitions_of(lab.finish(lab.begin(after), {quiet(0)})).empty());
}

TEST_CASE("who is to read elsewhere is told so each time") {
  session_lab lab;
  const auto id = lab.open({0});
  auto elsewhere = quiet(0);
  elsewhere.preferred_read_replica = 2;
  for (std::int32_t epoch = 1; epoch < 3; ++epoch) {
    auto request = fetch(id, epoch);
    CHECK(partitions_of(lab.finish(lab.begin(request), {elsewhere})).size() == 1);
  }
}

TEST_CASE("a session that is not known, of another client, or at another epoch is refused") {
  session_lab lab;
  const int other_client = 0;
  const auto id = lab.open({0});
  CHECK(lab.code_of(id + 1, 1) == error_code::fetch_session_id_not_found);
  CHECK(lab.code_of(0, 1) == error_code::fetch_session_id_not_found);
  CHECK(lab.code_of(id, 1, by_name, &other_client) == error_code::fetch_session_id_not_found);
  CHECK(lab.code_of(id, 2) == error_code::invalid_fetch_session_epoch);
  CHECK(lab.code_of(id, 1, by_id) == error_code::fetch_session_topic_id_error);
  // None of that changed it.
  CHECK(lab.code_of(id, 1) == error_code::none);
  CHECK(lab.code_of(id, 1) == error_code::invalid_fetch_session_epoch);
}

TEST_CASE("topics go by their ids") {
  session_lab lab;
  auto request = fetch(0, 0, {0});
  request.topics[0].topic.clear();
  request.topics[0].topic_id.bytes.fill(7);
  const auto topic_id = request.topics[0].topic_id;
  const auto answer_to = [&](const fetch_turn& turn) {
    fetch_response response;
    auto& topic = response.responses.emplace_back();
    // The answer has the name too, for whoever writes it.
    topic.topic = "t";
    topic.topic_id = topic_id;
    topic.partitions = {quiet(0)};
    fetch_session_cache::finish(turn, response);
    return response;
  };
  const auto id = answer_to(lab.begin(request, by_id)).session_id;
  auto next = fetch(id, 1);
  const auto turn = lab.begin(next, by_id);
  REQUIRE(next.topics.size() == 1);
  CHECK(next.topics[0].topic_id == topic_id);
  CHECK(answer_to(turn).responses.empty());
}

TEST_CASE("a session ends when the client says so, begins another or is gone") {
  session_lab lab;
  const int client = 0;
  const auto id = lab.open({0}, &client);
  SUBCASE("says so") {
    auto request = fetch(id, -1, {0});
    CHECK(lab.finish(lab.begin(request, by_name, &client), {quiet(0)}).session_id == 0);
  }
  SUBCASE("begins another") {
    auto request = fetch(id, 0, {0});
    const auto next = lab.finish(lab.begin(request, by_name, &client), {quiet(0)}).session_id;
    CHECK(next > 0);
    CHECK(next != id);
    CHECK(lab.cache.size() == 1);
  }
  SUBCASE("is gone") {
    lab.cache.drop_all_of(&client);
    CHECK(lab.cache.size() == 0);
    CHECK(lab.cache.partitions() == 0);
  }
  SUBCASE("has nothing left in it") {
    auto request = fetch(id, 1);
    auto& forgotten = request.forgotten_topics_data.emplace_back();
    forgotten.topic = "t";
    forgotten.partitions = {0};
    CHECK(lab.finish(lab.begin(request, by_name, &client), {}).session_id == 0);
  }
  CHECK(lab.code_of(id, 1, by_name, &client) == error_code::fetch_session_id_not_found);
}

TEST_CASE("nobody ends a session of another client") {
  session_lab lab;
  const int other_client = 0;
  const auto id = lab.open({0});
  auto request = fetch(id, -1, {0});
  (void)lab.begin(request, by_name, &other_client);
  CHECK(lab.code_of(id, 1) == error_code::none);
}

TEST_CASE("no more sessions are kept than there may be") {
  session_lab lab({.sessions_max = 2, .partitions_max = 100, .evict_after_ms = 1000});
  const auto first = lab.open({0});
  lab.now_ms = 10;
  const auto second = lab.open({0, 1});
  REQUIRE(first > 0);
  REQUIRE(second > 0);
  CHECK(lab.open({0, 1, 2}) == 0);

  SUBCASE("one that is idle for long gives way") {
    lab.now_ms = 900;
    CHECK(lab.code_of(second, 1) == error_code::none);
    lab.now_ms = 1001;
    CHECK(lab.open({0}) > 0);
    CHECK(lab.code_of(first, 1) == error_code::fetch_session_id_not_found);
    CHECK(lab.code_of(second, 2) == error_code::none);
  }
  SUBCASE("one that is old gives way to a larger one") {
    lab.now_ms = 900;
    CHECK(lab.code_of(first, 1) == error_code::none);
    CHECK(lab.code_of(second, 1) == error_code::none);
    lab.now_ms = 1001;
    CHECK(lab.open({0}) == 0);
    CHECK(lab.open({0, 1, 2}) > 0);
    CHECK(lab.code_of(first, 2) == error_code::fetch_session_id_not_found);
    CHECK(lab.code_of(second, 2) == error_code::none);
  }
}

TEST_CASE("no more partitions are remembered than may be") {
  session_lab lab({.sessions_max = 10, .partitions_max = 3, .evict_after_ms = 1000});
  CHECK(lab.open({0, 1, 2, 3}) == 0);
  const auto id = lab.open({0, 1});
  REQUIRE(id > 0);
  CHECK(lab.open({0, 1}) == 0);
  CHECK(lab.cache.partitions() == 2);
  // One that outgrows the bound is answered once more, and ends with that.
  auto request = fetch(id, 1, {5, 6});
  const auto turn = lab.begin(request);
  CHECK(turn.refused == error_code::none);
  CHECK(partitions_of(request) == std::vector<std::int32_t>{0, 1, 5, 6});
  const auto response = lab.finish(turn, {quiet(0), quiet(1), quiet(5), quiet(6)});
  CHECK(response.session_id == 0);
  CHECK(partitions_of(response) == std::vector<std::int32_t>{5, 6});
  CHECK(lab.cache.partitions() == 0);
}

TEST_CASE("a session that gave way while it was being answered is answered") {
  session_lab lab({.sessions_max = 1, .partitions_max = 100, .evict_after_ms = 1000});
  const auto id = lab.open({0});
  auto request = fetch(id, 1);
  const auto turn = lab.begin(request);
  lab.now_ms = 5000;
  CHECK(lab.open({0, 1}) > 0);
  CHECK(partitions_of(lab.finish(turn, {with_records(0)})).size() == 1);
  CHECK(lab.code_of(id, 2) == error_code::fetch_session_id_not_found);
}

TEST_CASE("ids are positive and unique whatever is drawn") {
  session_lab lab;
  lab.random = std::numeric_limits<std::uint64_t>::max() - 1;
  const auto largest = lab.open({0});
  CHECK(largest == std::numeric_limits<std::int32_t>::max());
  lab.random = std::numeric_limits<std::uint64_t>::max() - 1;
  CHECK(lab.open({0}) == 1);
  lab.random = std::numeric_limits<std::uint64_t>::max();
  CHECK(lab.open({0}) == 2);
}

TEST_SUITE_END();
