#include "protocol/bytes.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::protocol;

namespace {

produce_request sample_produce(std::size_t payload_size) {
  std::vector<std::byte> bytes(payload_size);
  for (std::size_t i = 0; i < payload_size; ++i)
    bytes[i] = static_cast<std::byte>(i * 7);
  produce_request request;
  request.acks = acks::leader;
  request.topics.push_back({"orders", {{3, 42, buffer::from(bytes)}, {4, -1, {}}}});
  return request;
}

buffer payload_of(const buffer& frame) {
  return frame.slice(frame_header_size, frame.size() - frame_header_size);
}

} // namespace

TEST_SUITE("protocol.native.codec") {
  TEST_CASE("a message comes back from its frame as it was, its payload shared") {
    const auto request = sample_produce(5000);
    const frame_header header{0, frame_kind::request, api_key::produce, 1, errc::none, 77};

    const auto chain = encode_frame(header, request);
    const auto frame = chain.flatten();
    const auto decoded_header = read_frame_header(frame.data(), 1 << 20);

    CHECK(chain.parts().size() == 3);
    REQUIRE(decoded_header);
    CHECK(decoded_header->length == frame.size() - 4);
    CHECK(decoded_header->correlation_id == 77);
    const auto decoded = decode<produce_request>(payload_of(frame));
    REQUIRE(decoded);
    CHECK(decoded->acks == acks::leader);
    REQUIRE(decoded->topics.size() == 1);
    REQUIRE(decoded->topics[0].partitions.size() == 2);
    CHECK(decoded->topics[0].partitions[0].expected_offset == 42);
    CHECK(decoded->topics[0].partitions[0].records == request.topics[0].partitions[0].records);
    CHECK(decoded->topics[0].partitions[1].records.empty());
  }

  TEST_CASE("a message cut at any byte is refused and names the message") {
    const auto whole = encode(sample_produce(50));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto decoded = decode<produce_request>(whole.slice(0, size));
      REQUIRE_FALSE(decoded);
      CHECK(decoded.error().code == errc::invalid_request);
      CHECK(decoded.error().message.find("ProduceRequest") == 0);
    }
  }

  TEST_CASE("bytes after a message are refused") {
    std::vector<std::byte> bytes(1);
    const auto decoded = decode<api_versions_request>(buffer::from(bytes));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().message.find("1 bytes that do not belong") != std::string::npos);
  }

  TEST_CASE("a count that lies does not allocate what it claims") {
    std::vector<std::byte> bytes;
    byte_writer writer(bytes);
    writer.write<std::uint8_t>(1);
    writer.write_varint(0x7fffffff);
    const auto decoded = decode<metadata_request>(buffer::from(bytes));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().message.find("topics") != std::string::npos);
  }

  TEST_CASE("many tiny elements stop at eight times the size of the message") {
    const std::size_t count = 1 << 20;
    std::vector<std::byte> bytes;
    byte_writer writer(bytes);
    writer.write<std::uint8_t>(1);
    writer.write_varint(count);
    bytes.resize(bytes.size() + count + 1);
    const auto decoded = decode<metadata_request>(buffer::from(std::move(bytes)));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().message.find("more elements") != std::string::npos);
  }

  TEST_CASE("an optional list tells absent from empty") {
    metadata_request all;
    metadata_request none;
    none.topics.emplace();
    CHECK_FALSE(decode<metadata_request>(encode(all))->topics.has_value());
    const auto decoded = decode<metadata_request>(encode(none));
    REQUIRE(decoded->topics.has_value());
    CHECK(decoded->topics->empty());
  }

  TEST_CASE("a message prints every field by name") {
    CHECK(print(sample_produce(9)) ==
          "ProduceRequest{acks: 1, timeout_ms: 30000, topics: [ProduceTopic{name: \"orders\", "
          "partitions: [ProducePartition{partition: 3, expected_offset: 42, records: <9 bytes>}, "
          "ProducePartition{partition: 4, expected_offset: -1, records: <0 bytes>}]}]}");
  }

  TEST_CASE("the reference names the message first and then the structs within it") {
    const auto messages = reference<produce_request>();
    REQUIRE(messages.size() == 3);
    CHECK(messages[0].info.name == "ProduceRequest");
    CHECK(messages[0].fields[2].type == "array of ProduceTopic");
    CHECK(messages[1].info.name == "ProduceTopic");
    CHECK(messages[2].fields[2].type == "bytes");
  }

  TEST_CASE("every struct of every message documents every field") {
    for (const auto& message : reference<get_topic_info_response>()) {
      CHECK_FALSE(message.info.doc.empty());
      for (const auto& row : message.fields)
        CHECK_FALSE(row.definition.doc.empty());
    }
  }
}

TEST_SUITE("protocol.native.frame") {
  TEST_CASE("a frame header is what was written") {
    std::byte bytes[frame_header_size];
    const frame_header header{100, frame_kind::push, api_key::delivery, 3, errc::timed_out, 9};
    write_frame_header(bytes, header);
    const auto read = read_frame_header(bytes, 1000);
    REQUIRE(read);
    CHECK(*read == header);
    CHECK(read->payload_size() == 88);
  }

  TEST_CASE("lengths that are negative, tiny or over the limit are refused with the limit") {
    std::byte bytes[frame_header_size]{};
    for (const std::uint32_t length : {0u, 11u, 1001u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      store_be(bytes, length);
      const auto read = read_frame_header(bytes, 1000);
      REQUIRE_FALSE(read);
      CHECK((read.error().message.find("at least 12") != std::string::npos ||
             read.error().message.find("limit of 1000") != std::string::npos));
    }
  }

  TEST_CASE("unknown kinds and flags are refused") {
    std::byte bytes[frame_header_size];
    write_frame_header(bytes, {12, frame_kind::request, api_key::fetch, 1, errc::none, 1});
    bytes[4] = std::byte{3};
    CHECK_FALSE(read_frame_header(bytes, 1000));
    bytes[4] = std::byte{0};
    bytes[5] = std::byte{1};
    CHECK_FALSE(read_frame_header(bytes, 1000));
  }

  TEST_CASE("every request number is found in the table and nothing else is") {
    for (const auto& row : api_table())
      CHECK(find_api(static_cast<std::uint16_t>(row.key)) == &row);
    CHECK(find_api(0) == nullptr);
    CHECK(find_api(65535) == nullptr);
    CHECK(to_string(api_key::metadata) == "METADATA");
  }

  TEST_CASE("requests keep the numbers that they have had from the beginning") {
    // Those of the design that this protocol goes back to. None is ever used for another request.
    const std::vector<std::pair<std::uint16_t, std::string_view>> numbers{
        {1, "PRODUCE"},         {2, "FETCH"},
        {3, "LIST_TOPICS"},     {4, "CREATE_TOPIC"},
        {5, "DELETE_TOPIC"},    {10, "JOIN_GROUP"},
        {11, "LEAVE_GROUP"},    {12, "HEARTBEAT"},
        {13, "COMMIT_OFFSET"},  {14, "FETCH_OFFSET"},
        {15, "GET_TOPIC_INFO"}, {16, "FETCH_ASSIGNMENT"},
        {17, "BATCH_FETCH"},    {30, "LIST_GROUPS"},
        {31, "DESCRIBE_GROUP"}, {1000, "CONTROLLER_DISCOVER"},
        {1002, "METADATA"},
    };
    for (const auto& [number, name] : numbers) {
      CAPTURE(number);
      const auto* api = find_api(number);
      REQUIRE(api != nullptr);
      CHECK(api->name == name);
    }
  }
}
