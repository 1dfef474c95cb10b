// Records that go: deleted by a client, by age, by size.
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("integration.trim");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

/// Small segments, and nothing reserved ahead of what is written.
const std::vector<std::string> small_segments{"storage.preallocate-bytes=0B"};
const setting_list segments_of_64k{
    {"segment.bytes", "65536"}, {"max.message.bytes", "16384"}, {"retention.ms", "-1"}};

/// `count` batches of one record of 8 KiB each.
void fill(native_client& client, const std::string& topic, int count, std::int64_t timestamp) {
  for (int i = 0; i < count; ++i)
    append(client, topic, 0, {std::string(8192, static_cast<char>('a' + i % 26))}, timestamp);
}

std::size_t segment_count(const own_node& own, const uuid& topic) {
  std::size_t count = 0;
  for (const auto& file : files_with(own.node.options().data_dir, to_string(topic)))
    count += file.extension() == ".log" ? 1 : 0;
  return count;
}

} // namespace

TEST_CASE("deleted records are gone for good and their segments with them") {
  own_node own(small_segments);
  const auto id = create_topic(own.client, "trimmed", 1, segments_of_64k).id;
  fill(own.client, "trimmed", 60, wall_ms());
  const auto segments = segment_count(own, id);
  REQUIRE(segments >= 6);

  const auto outcome = delete_records(own.client, "trimmed", 0, 45);

  CHECK(outcome.error == errc::none);
  CHECK(outcome.log_start == 45);
  const auto check = [&] {
    CHECK(log_start(own.client, "trimmed") == 45);
    const auto below = fetch(own.client, "trimmed", 0, 44);
    CHECK(below.error == errc::offset_out_of_range);
    CHECK(below.message.find("45 to 60") != std::string::npos);
    CHECK(below.log_start == 45);
    CHECK(below.high_watermark == 60);
    const auto rest = read_all(own.client, "trimmed", 0);
    REQUIRE(rest.size() == 15);
    CHECK(rest.front().offset == 45);
    CHECK(rest.front().value == std::string(8192, static_cast<char>('a' + 45 % 26)));
  };
  check();
  await(own.client, "trimmed", [&] { return segment_count(own, id) <= segments - 4; });
  SUBCASE("after a clean stop") {
    own.restart();
  }
  SUBCASE("after a kill") {
    own.kill_and_start();
  }
  check();
  CHECK(append(own.client, "trimmed", 0, {"next"}) == 60);
}

TEST_CASE("deleting all records leaves an empty log that goes on at its end") {
  own_node own;
  create_topic(own.client, "emptied");
  append(own.client, "emptied", 0, {"a", "b", "c"});
  CHECK(delete_records(own.client, "emptied", 0, -1).log_start == 3);
  CHECK(read_all(own.client, "emptied", 0).empty());
  own.restart();
  CHECK(log_start(own.client, "emptied") == 3);
  CHECK(append(own.client, "emptied", 0, {"d"}) == 3);
  CHECK(values_of(read_all(own.client, "emptied", 0)) == std::vector<std::string>{"d"});
  CHECK(offset_at(own.client, "emptied", 0, 0).offset == 3);
}

TEST_CASE("a deletion in the middle of a batch hides the records before it") {
  own_node own;
  create_topic(own.client, "middle");
  append(own.client, "middle", 0, {"a", "b", "c", "d"});
  CHECK(delete_records(own.client, "middle", 0, 2).log_start == 2);
  CHECK(values_of(read_all(own.client, "middle", 0)) == std::vector<std::string>{"c", "d"});
  CHECK(fetch(own.client, "middle", 0, 1).error == errc::offset_out_of_range);
  // A deletion that is behind changes nothing; one beyond the end is refused.
  CHECK(delete_records(own.client, "middle", 0, 1).log_start == 2);
  const auto beyond = delete_records(own.client, "middle", 0, 5);
  CHECK(beyond.error == errc::offset_out_of_range);
  CHECK(beyond.message.find("2 to 4") != std::string::npos);
  CHECK(delete_records(own.client, "middle", 0, -2).error == errc::offset_out_of_range);
  CHECK(delete_records(own.client, "middle", 7, 0).error == errc::unknown_partition);
}

TEST_CASE("retention by size keeps the newest segments") {
  own_node own(small_segments);
  const auto id = create_topic(own.client, "sized", 1, segments_of_64k).id;
  fill(own.client, "sized", 80, wall_ms());
  const auto segments = segment_count(own, id);
  alter_topic(own.client, "sized", {{"retention.bytes", "131072"}});
  // A partition looks at its retention soon after it is opened.
  own.restart();
  await(own.client, "sized", [&] { return log_start(own.client, "sized") > 0; });
  const auto start = log_start(own.client, "sized");
  // At least what is asked for is kept, and not a segment more.
  CHECK(start <= 80 - 131072 / 8300);
  CHECK(start >= 80 - (131072 + 2 * 65536) / 8192);
  await(own.client, "sized", [&] { return segment_count(own, id) < segments - 4; });
  CHECK(read_all(own.client, "sized", 0).size() == static_cast<std::size_t>(80 - start));
}

TEST_CASE("retention by time removes segments whose records are all too old") {
  own_node own(small_segments);
  const auto id = create_topic(own.client, "aged", 1, segments_of_64k).id;
  const auto now = wall_ms();
  constexpr std::int64_t hour = 3'600'000;
  fill(own.client, "aged", 30, now - 2 * hour);
  fill(own.client, "aged", 30, now);
  const auto segments = segment_count(own, id);
  alter_topic(own.client, "aged", {{"retention.ms", std::to_string(hour)}});
  own.restart();
  await(own.client, "aged", [&] { return log_start(own.client, "aged") > 0; });
  const auto rest = read_all(own.client, "aged", 0);
  // All young records are there; of the old ones only those that share a segment with them.
  REQUIRE(rest.size() >= 30);
  CHECK(rest.size() < 30 + 8);
  CHECK(rest.back().offset == 59);
  await(own.client, "aged", [&] { return segment_count(own, id) < segments; });
  // Nothing young went, also after another look.
  own.restart();
  CHECK(read_all(own.client, "aged", 0).size() <= rest.size());
  CHECK(read_all(own.client, "aged", 0).size() >= 30);
}

TEST_CASE("a reader that is behind learns of the new start and never gets other bytes") {
  own_node own(small_segments);
  create_topic(own.client, "behind", 1, segments_of_64k);
  fill(own.client, "behind", 40, wall_ms());
  native_client reader(own.node.client_address());
  protocol::subscribe_request wish;
  wish.subscription = 1;
  wish.topic = "behind";
  wish.partitions = {{0, 0}};
  wish.credit_bytes = 1;
  (void)must(reader.call(wish));
  // One credit byte lets one batch through; the next waits for credit while its records go.
  const auto first = must(protocol::decode<protocol::delivery>(reader.receive().payload));
  CHECK(records_in(first.records).front().offset == 0);
  CHECK(delete_records(own.client, "behind", 0, 30).log_start == 30);
  (void)reader.send(protocol::credit_request{1, 1 << 20});
  const auto last = must(protocol::decode<protocol::delivery>(reader.receive().payload));
  CHECK(last.error == errc::offset_out_of_range);
  CHECK(last.log_start == 30);
  CHECK(last.message.find("30 to 40") != std::string::npos);
}

TEST_SUITE_END();
