// Requests that are well framed and wrong inside.
#include "tests/integration/sturdy_node.hpp"

#include <doctest/doctest.h>

#include <limits>

TEST_SUITE_BEGIN("integration.bad_requests");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

template <class Request>
error refusal_of(native_client& client, const Request& request) {
  const auto answer = client.call(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().message.size() > 5);
  return answer.error();
}

protocol::create_topic_request creation_of(const std::string& name) {
  protocol::create_topic_request request;
  request.name = name;
  request.partitions = 1;
  return request;
}

std::uint16_t newest_version(protocol::api_key key) {
  return protocol::find_api(static_cast<std::uint16_t>(key))->version_max;
}

/// Every request of the protocol with a payload that decodes, as a place to start spoiling.
std::vector<std::pair<protocol::api_key, buffer>> good_requests() {
  using protocol::encode;
  const auto batch = batch_of({"x"});
  protocol::metadata_request metadata;
  metadata.topics = {"witness"};
  protocol::subscribe_request subscribe;
  subscribe.topic = "witness";
  subscribe.partitions = {{0, 0}};
  protocol::batch_fetch_request ranges;
  ranges.topic = "witness";
  ranges.ranges = {{0, 100, 1}};
  protocol::list_offsets_request offsets;
  offsets.topics = {{"witness", {{0, -1}}}};
  protocol::delete_records_request deletion;
  deletion.topic = "spare";
  deletion.partitions = {{0, 0}};
  protocol::alter_topic_request change;
  change.name = "spare";
  change.settings = settings_of({{"retention.ms", "5000"}});
  using key = protocol::api_key;
  return {
      {key::produce, encode(produce_request_of("spare", 0, batch))},
      {key::fetch, encode(fetch_request_of("witness", 0, 0))},
      {key::batch_fetch, encode(ranges)},
      {key::subscribe, encode(subscribe)},
      {key::list_offsets, encode(offsets)},
      {key::delete_records, encode(deletion)},
      {key::metadata, encode(metadata)},
      {key::create_topic, encode(creation_of("witness"))},
      {key::alter_topic, encode(change, newest_version(key::alter_topic))},
      {key::get_topic_info, encode(protocol::get_topic_info_request{"witness"})},
      {key::hello, encode(protocol::hello_request{})},
      {key::api_versions, encode(protocol::api_versions_request{})},
      {key::controller_discover, encode(protocol::controller_discover_request{})},
      {key::list_topics, encode(protocol::list_topics_request{})},
      {key::delete_topic, encode(protocol::delete_topic_request{"nothing"})},
  };
}

} // namespace

TEST_CASE("counts and lengths that promise more than there is are refused before memory is taken") {
  sturdy_node own;
  create_topic(own.client, "spare");
  // 2^63, 2^31 and 2^28 as varints, wherever the request has a byte.
  const std::vector<std::vector<std::uint8_t>> promises{
      {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
      {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
      {0x80, 0x80, 0x80, 0x80, 0x08},
      {0x80, 0x80, 0x80, 0x80, 0x01}};
  for (const auto& [key, payload] : good_requests()) {
    CAPTURE(protocol::to_string(key));
    for (std::size_t at = 0; at < payload.size(); ++at) {
      for (const auto& promise : promises) {
        std::vector<std::byte> bytes(payload.bytes().begin(),
                                     payload.bytes().begin() + static_cast<std::ptrdiff_t>(at));
        for (const auto byte : promise)
          bytes.push_back(static_cast<std::byte>(byte));
        own.client.write(frame_of(static_cast<std::uint16_t>(key), newest_version(key), 9, bytes));
        // Where the bytes still make a request it may be served; an answer comes in any case.
        const auto frame = own.client.receive_answer(9);
        if (frame.header.status != errc::none)
          CHECK_FALSE(error_of(frame).message.empty());
      }
    }
  }
  own.check_unharmed();
}

TEST_CASE("a request that is cut anywhere, or has a byte too many, is refused") {
  sturdy_node own;
  create_topic(own.client, "spare");
  for (const auto& [key, payload] : good_requests()) {
    CAPTURE(protocol::to_string(key));
    const auto refusal = [&](byte_span bytes) {
      own.client.write(frame_of(static_cast<std::uint16_t>(key), newest_version(key), 9, bytes));
      const auto why = error_of(own.client.receive_answer(9));
      CHECK(why.code == errc::invalid_request);
      CHECK(why.message.size() > 5);
    };
    for (std::size_t size = 0; size < payload.size(); ++size)
      refusal(payload.bytes().first(size));
    std::vector<std::byte> longer(payload.bytes().begin(), payload.bytes().end());
    longer.push_back(std::byte{0});
    refusal(longer);
  }
  own.check_unharmed();
}

TEST_CASE("random payloads under every request are answered and do no harm") {
  sturdy_node own;
  sequence_of_numbers numbers(4);
  std::vector<protocol::api_key> keys;
  for (const auto& row : protocol::api_table())
    keys.push_back(row.key);
  std::uint32_t sent = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto key = keys[numbers.below(keys.size())];
    // A credit that is right has no answer.
    if (key == protocol::api_key::credit)
      continue;
    std::vector<std::byte> payload(1 + numbers.below(64));
    for (auto& byte : payload)
      byte = static_cast<std::byte>(numbers.below(4) == 0 ? numbers.next() : numbers.below(3));
    // Neither has a produce that asks for none.
    if (key == protocol::api_key::produce && payload[0] == std::byte{0})
      payload[0] = std::byte{1};
    own.client.write(
        frame_of(static_cast<std::uint16_t>(key), newest_version(key), 1000 + sent++, payload));
  }
  for (std::uint32_t i = 0; i < sent; ++i)
    (void)own.client.receive_answer(1000 + i);
  own.check_unharmed();
}

TEST_CASE("topic names outside the rule are refused wherever they would create something") {
  sturdy_node own;
  const std::vector<std::string> bad{"",
                                     ".",
                                     "..",
                                     std::string(250, 'a'),
                                     "with space",
                                     "sla/sh",
                                     "back\\slash",
                                     "../../etc/passwd",
                                     "colon:",
                                     "star*",
                                     "new\nline",
                                     "tab\t",
                                     std::string("nul\0byte", 8),
                                     "umlaut-\xc3\xa4",
                                     "\xff\xfe",
                                     "percent%20",
                                     "__internal"};
  for (const auto& name : bad) {
    CAPTURE(name);
    CHECK(refusal_of(own.client, creation_of(name)).code == errc::invalid_topic);
    protocol::metadata_request wish;
    wish.topics = {name};
    wish.auto_create = true;
    const auto answer = must(own.client.call(wish));
    CHECK(answer.topics.at(0).error != errc::none);
  }
  CHECK(must(own.client.call(protocol::list_topics_request{true})).topics.size() == 1);
  for (const auto& name : {std::string(249, 'a'), std::string("a"), std::string("_"),
                           std::string("..."), std::string("A.b_c-9")})
    create_topic(own.client, name);
  own.restart();
  CHECK(must(own.client.call(protocol::list_topics_request{true})).topics.size() == 6);
}

TEST_CASE("a topic that exists is not created again and a topic that does not is not changed") {
  sturdy_node own;
  CHECK(refusal_of(own.client, creation_of("witness")).code == errc::topic_exists);
  CHECK(refusal_of(own.client, protocol::delete_topic_request{"absent"}).code ==
        errc::unknown_topic);
  protocol::alter_topic_request change;
  change.name = "absent";
  CHECK(refusal_of(own.client, change).code == errc::unknown_topic);
  CHECK(refusal_of(own.client, protocol::get_topic_info_request{"absent"}).code ==
        errc::unknown_topic);
  own.check_unharmed();
}

TEST_CASE("numbers of partitions and replicas out of range name the range") {
  sturdy_node own({"limits.partitions=50"});
  for (const std::int32_t count : {0, -2, 51, std::numeric_limits<std::int32_t>::max(),
                                   std::numeric_limits<std::int32_t>::min()}) {
    CAPTURE(count);
    auto request = creation_of("many");
    request.partitions = count;
    const auto why = refusal_of(own.client, request);
    CHECK(why.code == errc::invalid_partitions);
    CHECK(why.message.find("50") != std::string::npos);
  }
  auto no_room = creation_of("many");
  no_room.partitions = 50;
  CHECK(refusal_of(own.client, no_room).code == errc::invalid_partitions);
  for (const std::int16_t count : {std::int16_t{0}, std::int16_t{2}, std::int16_t{-7},
                                   std::numeric_limits<std::int16_t>::max()}) {
    CAPTURE(count);
    auto request = creation_of("replicated");
    request.replication = count;
    const auto why = refusal_of(own.client, request);
    CHECK(why.code == errc::invalid_replication);
    CHECK(why.message.find("1 to 1") != std::string::npos);
  }
  own.check_unharmed();
}

TEST_CASE("settings that are unknown, malformed or out of range are refused by name") {
  sturdy_node own;
  const setting_list bad{{"retention.mss", "5000"},
                         {"", "x"},
                         {"retention.ms", "soon"},
                         {"retention.ms", "-2"},
                         {"retention.ms", "0"},
                         {"segment.bytes", "1"},
                         {"segment.bytes", "99999999999999999999"},
                         {"max.message.bytes", "0"},
                         {"max.message.bytes", "12 apples"},
                         {"cleanup.policy", "compact,delete,frame"},
                         {"compression.type", "rar"},
                         {"message.timestamp.type", "Never"},
                         {"min.insync.replicas", "0"},
                         {"retention.bytes", "-5"}};
  for (const auto& [name, value] : bad) {
    CAPTURE(name);
    CAPTURE(value);
    auto creation = creation_of("configured");
    creation.settings = settings_of({{name, value}});
    const auto why = refusal_of(own.client, creation);
    CHECK(why.code == errc::invalid_config);
    CHECK(why.message.find(name) != std::string::npos);
    protocol::alter_topic_request change;
    change.name = "witness";
    change.settings = settings_of({{name, value}});
    CHECK(refusal_of(own.client, change).code == errc::invalid_config);
  }
  protocol::alter_topic_request reset;
  reset.name = "witness";
  reset.settings.push_back({"retention.mss", std::nullopt});
  CHECK(refusal_of(own.client, reset).code == errc::invalid_config);
  // One bad setting spoils the change as a whole.
  protocol::alter_topic_request both;
  both.name = "witness";
  both.settings = settings_of({{"retention.ms", "5000"}, {"segment.bytes", "1"}});
  CHECK(refusal_of(own.client, both).code == errc::invalid_config);
  CHECK(setting_of(topic_info(own.client, "witness"), "retention.ms") == "604800000");
  own.check_unharmed();
}

TEST_CASE("reading what is not there says what is") {
  sturdy_node own;
  for (const std::int64_t offset :
       {std::int64_t{-1}, std::int64_t{41}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    CAPTURE(offset);
    const auto got = fetch(own.client, "witness", 0, offset);
    CHECK(got.error == errc::offset_out_of_range);
    CHECK(got.message.find("0 to 40") != std::string::npos);
    CHECK(got.log_start == 0);
    CHECK(got.high_watermark == 40);
  }
  for (const std::int32_t partition : {-1, 1, std::numeric_limits<std::int32_t>::max(),
                                       std::numeric_limits<std::int32_t>::min()}) {
    CAPTURE(partition);
    CHECK(fetch(own.client, "witness", partition, 0).error == errc::unknown_partition);
    CHECK(produce(own.client, "witness", partition, batch_of({"x"})).error ==
          errc::unknown_partition);
    CHECK(offset_at(own.client, "witness", partition, -1).error == errc::unknown_partition);
    CHECK(delete_records(own.client, "witness", partition, 0).error == errc::unknown_partition);
  }
  CHECK(fetch(own.client, "absent", 0, 0).error == errc::unknown_topic);
  CHECK(produce(own.client, "absent", 0, batch_of({"x"})).error == errc::unknown_topic);
  // A reader from a newer epoch than the leader's has been elsewhere.
  auto ahead = fetch_request_of("witness", 0, 0);
  ahead.topics[0].partitions[0].leader_epoch = 1000;
  CHECK(must(own.client.call(ahead)).topics[0].partitions[0].error == errc::not_leader);
  own.check_unharmed();
}

TEST_CASE("limits of a fetch that make no sense still answer") {
  sturdy_node own;
  for (const std::int32_t strange : {0, -1, std::numeric_limits<std::int32_t>::min(),
                                     std::numeric_limits<std::int32_t>::max()}) {
    CAPTURE(strange);
    auto request = fetch_request_of("witness", 0, 0);
    request.max_bytes = strange;
    request.min_bytes = strange;
    request.topics[0].partitions[0].bytes_max = strange;
    const auto answer = must(own.client.call(request));
    CHECK(answer.topics[0].partitions[0].error == errc::none);
    CHECK_FALSE(answer.topics[0].partitions[0].records.empty());
  }
  auto wait = fetch_request_of("witness", 0, 40, std::numeric_limits<std::int32_t>::min());
  CHECK(must(own.client.call(wait)).topics[0].partitions[0].records.empty());
  // The same partition a thousand times in one request.
  auto greedy = fetch_request_of("witness", 0, 0);
  greedy.topics[0].partitions.assign(1000, greedy.topics[0].partitions[0]);
  greedy.max_bytes = 1 << 16;
  std::size_t bytes = 0;
  const auto answer = must(own.client.call(greedy));
  for (const auto& part : answer.topics[0].partitions)
    bytes += part.records.size();
  CHECK(bytes > 0);
  CHECK(bytes < (1u << 17));
  own.check_unharmed();
}

TEST_CASE("acks that do not exist and timeouts of no time are answered") {
  sturdy_node own;
  auto request = produce_request_of("witness", 0, batch_of({"x"}));
  request.acks = static_cast<protocol::acks>(5);
  CHECK(refusal_of(own.client, request).code == errc::invalid_request);
  for (const std::int32_t timeout : {0, -1, std::numeric_limits<std::int32_t>::min(),
                                     std::numeric_limits<std::int32_t>::max()}) {
    CAPTURE(timeout);
    auto hurried = produce_request_of("witness", 0, batch_of({"x"}));
    hurried.timeout_ms = timeout;
    const auto answer = must(own.client.call(hurried));
    const auto code = answer.topics.at(0).partitions.at(0).error;
    CHECK((code == errc::none || code == errc::timed_out));
  }
  REQUIRE(own.node.process().is_running());
}

TEST_SUITE_END();
