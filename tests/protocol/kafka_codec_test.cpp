#include "protocol/bytes.hpp"
#include "protocol/kafka/codec.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/kafka/error_code.hpp"
#include "protocol/kafka/group_messages.hpp"
#include "protocol/kafka/metadata_messages.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace aqueduct;
using namespace aqueduct::protocol::kafka;

namespace {

buffer written(const std::function<void(byte_writer&)>& write) {
  std::vector<std::byte> bytes;
  byte_writer writer(bytes);
  write(writer);
  return buffer::from(std::move(bytes));
}

buffer request_frame(std::int16_t key, std::int16_t version,
                     const std::function<void(byte_writer&)>& rest) {
  return written([&](byte_writer& out) {
    out.write<std::int32_t>(0);
    out.write(key);
    out.write(version);
    out.write<std::int32_t>(77);
    rest(out);
  });
}

void write_client_id(byte_writer& out) {
  out.write<std::int16_t>(3);
  out.write_bytes(std::string_view("rdk"));
}

} // namespace

TEST_SUITE("protocol.kafka.codec") {
  TEST_CASE("records are slices of the request and parts of the response") {
    fetch_response response;
    auto& partition = response.responses.emplace_back().partitions.emplace_back();
    const auto records = buffer::from(std::vector<std::byte>(5000));
    partition.records = buffer_chain(records);

    const auto frame = encode_response(response, 11, 5);

    REQUIRE(frame.parts().size() == 2);
    CHECK(frame.parts()[1].data() == records.data());
    const auto whole = frame.flatten();
    CHECK(load_be<std::int32_t>(whole.data()) == static_cast<std::int32_t>(whole.size() - 4));
    CHECK(load_be<std::int32_t>(whole.data() + 4) == 5);
    const auto payload = whole.slice(8, whole.size() - 8);
    const auto decoded = decode<fetch_response>(payload, 11);
    REQUIRE(decoded);
    const auto& read = *decoded->responses[0].partitions[0].records;
    CHECK(read.parts()[0].data() == payload.data() + payload.size() - 5000);
  }

  TEST_CASE("the header of a response has tags if the version is flexible, but for ApiVersions") {
    CHECK(encode_response(heartbeat_response{}, 3, 1).size() == 4 + 4 + 6);
    CHECK(encode_response(heartbeat_response{}, 4, 1).size() == 4 + 5 + 7);
    CHECK(encode_response(api_versions_response{}, 3, 1).size() == 4 + 4 + 2 + 1 + 4 + 1);
  }

  TEST_CASE("what may be null in a later version only is empty before") {
    join_group_response response;
    const auto before = encode(response, 6).flatten();
    const auto now = encode(response, 7).flatten();
    const auto decoded = decode<join_group_response>(before, 6);
    REQUIRE(decoded);
    CHECK(decoded->protocol_name == "");
    CHECK(decode<join_group_response>(now, 7)->protocol_name == std::nullopt);
  }

  TEST_CASE("null where a version does not allow it is refused") {
    const auto null_topics = written([](byte_writer& out) { out.write<std::int32_t>(-1); });
    CHECK_FALSE(decode<metadata_request>(null_topics, 0));
    const auto all = decode<metadata_request>(null_topics, 1);
    REQUIRE(all);
    CHECK_FALSE(all->topics.has_value());
  }

  TEST_CASE("a count that lies does not allocate what it claims") {
    const auto many = written([](byte_writer& out) { out.write<std::int32_t>(0x7fffffff); });
    const auto decoded = decode<metadata_request>(many, 1);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().message.find("from field topics on") != std::string::npos);
  }

  TEST_CASE("many tiny elements stop at sixteen times the size of the message") {
    const auto tiny = written([](byte_writer& out) {
      out.write_varint((1 << 20) + 1);
      out.write_bytes(std::vector<std::byte>(1 << 20, std::byte{1}));
    });
    CHECK_FALSE(decode<describe_groups_request>(tiny, 5));
  }

  TEST_CASE("unknown tags are skipped, known ones have the size that they say") {
    const auto with_tag = [](std::uint64_t tag, std::string_view bytes) {
      return written([&](byte_writer& out) {
        out.write_varint(3);
        out.write_bytes(std::string_view("rd"));
        out.write_varint(1);
        out.write_varint(1);
        out.write_varint(tag);
        out.write_varint(bytes.size());
        out.write_bytes(bytes);
      });
    };
    const auto decoded = decode<api_versions_request>(with_tag(9, "anything"), 3);
    REQUIRE(decoded);
    CHECK(decoded->client_software_name == "rd");

    api_versions_response told;
    told.zk_migration_ready = true;
    auto bytes = encode(told, 3).flatten();
    CHECK(decode<api_versions_response>(bytes, 3)->zk_migration_ready == true);
    std::vector<std::byte> longer(bytes.bytes().begin(), bytes.bytes().end());
    // Two bytes are said to be the value of the tag, which has one.
    longer[longer.size() - 2] = std::byte{2};
    longer.emplace_back();
    CHECK_FALSE(decode<api_versions_response>(buffer::from(longer), 3));
  }

  TEST_CASE("headers of requests are read by the version that they name") {
    const auto old = read_request_header(request_frame(3, 8, write_client_id));
    REQUIRE(old);
    CHECK(old->key == api_key::metadata);
    CHECK(old->version == 8);
    CHECK(old->correlation_id == 77);
    CHECK(old->client_id == "rdk");
    CHECK(old->size == 17);
    const auto flexible = read_request_header(request_frame(3, 9, [](byte_writer& out) {
      out.write<std::int16_t>(-1);
      out.write_varint(1);
      out.write_varint(0);
      out.write_varint(2);
      out.write<std::int16_t>(0);
    }));
    REQUIRE(flexible);
    CHECK(flexible->client_id.empty());
    CHECK(flexible->size == 12 + 2 + 5);
  }

  TEST_CASE("headers that cannot be read are refused, ApiVersions of the future is not") {
    const auto nothing = [](byte_writer&) {};
    CHECK(read_request_header(request_frame(999, 0, write_client_id)).error().code ==
          errc::unsupported_api);
    CHECK(read_request_header(request_frame(1, 99, write_client_id)).error().code ==
          errc::unsupported_version);
    CHECK(read_request_header(request_frame(3, 1, nothing)).error().code == errc::invalid_request);
    CHECK(read_request_header(buffer::copy_of("short")).error().code == errc::invalid_request);
    const auto future = read_request_header(request_frame(18, 9, nothing));
    REQUIRE(future);
    CHECK(future->version == 9);
    CHECK(future->correlation_id == 77);
  }

  TEST_CASE("every error of the table has a code, and only success has that of success") {
    for (const auto& row : error_table())
      CHECK((kafka_error(row.code) == error_code::none) == (row.code == errc::none));
    CHECK(kafka_error(errc::not_leader) == error_code::not_leader_or_follower);
    CHECK(kafka_error(errc::rebalance_in_progress) == error_code::rebalance_in_progress);
    CHECK(kafka_error(errc::unknown_topic) == error_code::unknown_topic_or_partition);
  }

  TEST_CASE("old versions are told of a storage error by a code that they know") {
    CHECK(kafka_error(errc::storage_failed, api_key::produce, 3) ==
          error_code::not_leader_or_follower);
    CHECK(kafka_error(errc::storage_failed, api_key::produce, 4) ==
          error_code::kafka_storage_error);
    CHECK(kafka_error(errc::storage_failed, api_key::fetch, 5) ==
          error_code::not_leader_or_follower);
    CHECK(kafka_error(errc::storage_failed, api_key::fetch, 6) == error_code::kafka_storage_error);
  }

  TEST_CASE("what passes is told in the words for coordinators where one is asked") {
    for (const auto api : {api_key::join_group, api_key::heartbeat, api_key::offset_commit,
                           api_key::offset_fetch, api_key::delete_groups}) {
      for (const auto code : {errc::broker_unavailable, errc::topic_not_ready, errc::timed_out,
                              errc::overloaded, errc::connection_lost})
        CHECK(kafka_error(code, api, 1) == error_code::coordinator_not_available);
      for (const auto code :
           {errc::not_leader, errc::shutting_down, errc::storage_full, errc::not_coordinator})
        CHECK(kafka_error(code, api, 1) == error_code::not_coordinator);
      CHECK(kafka_error(errc::coordinator_loading, api, 1) ==
            error_code::coordinator_load_in_progress);
      CHECK(kafka_error(errc::generation_mismatch, api, 1) == error_code::illegal_generation);
      // Too much at once: of a commit Kafka says so in words of its own.
      CHECK(kafka_error(errc::message_too_large, api, 1) ==
            (api == api_key::offset_commit ? error_code::invalid_commit_offset_size
                                           : error_code::message_too_large));
      CHECK(kafka_error(errc::unknown_topic, api, 1) == error_code::unknown_topic_or_partition);
    }
    for (const auto code : {errc::coordinator_loading, errc::not_coordinator, errc::not_leader,
                            errc::timed_out, errc::broker_unavailable})
      CHECK(kafka_error(code, api_key::find_coordinator, 1) ==
            error_code::coordinator_not_available);
    CHECK(kafka_error(errc::invalid_group, api_key::find_coordinator, 1) ==
          error_code::invalid_group_id);
  }
}
