// Bytes that are no frames, or frames that lie: each gets a defined end, none harms the node.
#include "protocol/cluster/messages.hpp"
#include "tests/integration/sturdy_node.hpp"
#include "tests/support/instrumented.hpp"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("integration.bad_frames");

using namespace aqueduct;
using namespace aqueduct::test;
using greeting = native_client::greeting;

namespace {

/// The first 16 bytes of a frame with this length field.
std::vector<std::byte> header_with_length(std::uint32_t length) {
  auto bytes = frame_of(101, 1, 1, {});
  store_be(bytes.data(), length);
  return bytes;
}

/// What the node says before it closes the connection: one frame with an error.
error last_words(native_client& client) {
  const auto frame = client.receive();
  CHECK(frame.header.kind == protocol::frame_kind::response);
  auto why = error_of(frame);
  CHECK(client.read_to_end().empty());
  return why;
}

} // namespace

TEST_CASE("bytes that are no protocol end the connection and nothing else") {
  sturdy_node own;
  // What begins with letters is answered so that people and browsers can read it.
  const std::vector<std::pair<std::string, bool>> openings{
      {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", true},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello", false},
      {"hello, is this the broker?\n", true},
      {std::string(100, '\0'), false},
      {std::string(1000, '\xff'), false},
      {"SSH-2.0-OpenSSH_9.2\r\n", true},
  };
  for (const auto& [opening, is_text] : openings) {
    CAPTURE(opening);
    native_client client(own.node.client_address(), greeting::none);
    client.write(opening);
    client.finish_sending();
    const auto bytes = client.read_to_end();
    const std::string_view answer(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    CHECK(answer.starts_with("HTTP/1.0 400 Bad Request\r\n") == is_text);
    CHECK((answer.find("Aqueduct and Kafka's") != std::string::npos) == is_text);
  }
  sequence_of_numbers numbers(1);
  for (int i = 0; i < 200; ++i) {
    native_client client(own.node.client_address(),
                         i % 2 == 0 ? greeting::none : greeting::preface);
    std::vector<std::byte> noise(1 + numbers.below(2000));
    for (auto& byte : noise)
      byte = static_cast<std::byte>(numbers.next());
    try {
      client.write(noise);
      client.finish_sending();
    } catch (const connection_ended&) {
      // The node had seen enough.
    }
    (void)client.read_to_end();
  }
  own.check_unharmed();
}

TEST_CASE("a preface of another version is refused") {
  sturdy_node own;
  native_client client(own.node.client_address(), greeting::none);
  client.write(std::string_view("AQDT\0\0\0\x09", 8));
  const auto why = last_words(client);
  CHECK(why.code == errc::unsupported_version);
  CHECK(why.message.find("41 51 44 54 00 00 00 01") != std::string::npos);
  own.check_unharmed();
}

TEST_CASE("a node that connects to the port for clients is told so in its own protocol") {
  sturdy_node own;
  native_client client(own.node.client_address(), greeting::none);
  client.write(
      std::string_view(protocol::cluster::preface.data(), protocol::cluster::preface.size()));
  const auto frame = client.receive();
  CHECK(frame.header.key == protocol::cluster::hello_key);
  const auto answer = protocol::decode<protocol::cluster::hello_answer>(frame.payload);
  REQUIRE(answer);
  CHECK(answer->refused == protocol::cluster::refusal::client_port);
  CHECK(answer->message.find("cluster.listen") != std::string::npos);
  CHECK(client.read_to_end().empty());
  own.check_unharmed();
}

TEST_CASE("a frame that says it is too long, too short or negative is refused with a sentence") {
  sturdy_node own({"limits.frame-bytes-max=2MiB"});
  for (const std::uint32_t length :
       {0x7fffffffu, 0x80000000u, 0xffffffffu, 0u, 1u, 11u, (2u << 20) + 1}) {
    CAPTURE(length);
    native_client client(own.node.client_address());
    client.write(header_with_length(length));
    const auto why = last_words(client);
    CHECK((why.code == errc::message_too_large || why.code == errc::invalid_request));
    CHECK(why.message.size() > 10);
  }
  own.check_unharmed();
}

TEST_CASE("before the greeting frames are held to the smaller limit") {
  sturdy_node own;
  native_client client(own.node.client_address(), greeting::preface);
  client.write(header_with_length(protocol::handshake_frame_bytes_max + 1));
  CHECK(last_words(client).code == errc::message_too_large);
  own.check_unharmed();
}

TEST_CASE("a length is not believed: memory is not taken for bytes that never come") {
  sturdy_node own;
  std::vector<native_client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(own.node.client_address());
    clients.back().write(header_with_length(90u << 20));
  }
  own.check_unharmed();
}

TEST_CASE("half a frame waits, and the end of the connection ends it") {
  sturdy_node own;
  const auto whole = frame_of(101, 1, 5, {});
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    native_client client(own.node.client_address());
    client.write(byte_span(whole).first(cut));
    client.finish_sending();
    const auto answer = client.read_to_end();
    CHECK(answer.empty() == (cut < whole.size()));
  }
  own.check_unharmed();
}

TEST_CASE("a client that sends one byte at a time is understood") {
  sturdy_node own;
  native_client client(own.node.client_address(), greeting::none);
  protocol::hello_request hello;
  protocol::frame_header header;
  header.correlation_id = 1;
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write_bytes(std::as_bytes(std::span(protocol::native_preface)));
  out.write_bytes(protocol::encode_frame(header, hello).flatten().bytes());
  header.correlation_id = 2;
  header.key = protocol::api_key::produce;
  const auto request = produce_request_of("witness", 0, batch_of({"slowly"}));
  out.write_bytes(protocol::encode_frame(header, request).flatten().bytes());
  for (const auto& byte : bytes)
    client.write(byte_span(&byte, 1));
  CHECK(client.receive_answer(1).header.status == errc::none);
  const auto answer =
      must(protocol::decode<protocol::produce_response>(client.receive_answer(2).payload));
  CHECK(answer.topics.at(0).partitions.at(0).base_offset == 40);
  CHECK(read_all(own.client, "witness", 0).back().value == "slowly");
}

TEST_CASE("kinds and flags that a client must not send end the connection") {
  sturdy_node own;
  for (const std::size_t place : {std::size_t{4}, std::size_t{5}}) {
    for (const int value : {1, 2, 3, 0xff}) {
      CAPTURE(place);
      CAPTURE(value);
      native_client client(own.node.client_address());
      auto bytes = frame_of(101, 1, 1, {});
      bytes[place] = static_cast<std::byte>(value);
      client.write(bytes);
      const auto why = last_words(client);
      CHECK(why.code == errc::invalid_request);
      CHECK_FALSE(why.message.empty());
    }
  }
  own.check_unharmed();
}

TEST_CASE("unknown requests and versions are refused and the connection lives on") {
  sturdy_node own;
  const auto refusal_of = [&](std::uint16_t key, std::uint16_t version) {
    own.client.write(frame_of(key, version, 77, {}));
    const auto frame = own.client.receive_answer(77);
    CHECK(static_cast<std::uint16_t>(frame.header.key) == key);
    return error_of(frame);
  };
  for (const int key : {0, 6, 99, 105, 999, 65535}) {
    CAPTURE(key);
    const auto why = refusal_of(static_cast<std::uint16_t>(key), 1);
    CHECK(why.code == errc::unsupported_api);
    CHECK(why.message.find(std::to_string(key)) != std::string::npos);
  }
  for (const int version : {0, 2, 999, 65535}) {
    CAPTURE(version);
    const auto why = refusal_of(1, static_cast<std::uint16_t>(version));
    CHECK(why.code == errc::unsupported_version);
    CAPTURE(why.message);
    CHECK(why.message.find("1 to 1") != std::string::npos);
  }
  CHECK(append(own.client, "witness", 0, {"still here"}) == 40);
}

TEST_CASE("without a HELLO nothing but the versions is answered") {
  sturdy_node own;
  native_client client(own.node.client_address(), greeting::preface);
  CHECK(must(client.call(protocol::api_versions_request{})).apis.size() > 10);
  const auto refusal = client.call(protocol::metadata_request{});
  REQUIRE_FALSE(refusal);
  CHECK(refusal.error().code == errc::invalid_request);
  CHECK(refusal.error().message.find("HELLO") != std::string::npos);
  own.check_unharmed();
}

TEST_CASE("a HELLO for other versions of the protocol is refused") {
  sturdy_node own;
  native_client client(own.node.client_address(), greeting::preface);
  protocol::hello_request future;
  future.protocol_min = 2;
  future.protocol_max = 9;
  const auto refusal = client.call(future);
  REQUIRE_FALSE(refusal);
  CHECK(refusal.error().code == errc::unsupported_version);
  CHECK(refusal.error().message.find("version 1") != std::string::npos);
  // The client may offer something else.
  CHECK(must(client.call(protocol::hello_request{})).protocol == 1);
}

TEST_CASE("connections that never introduce themselves are closed, the others are served") {
  sturdy_node own({"network.handshake-timeout=200ms"});
  std::vector<native_client> silent;
  for (int i = 0; i < 50; ++i)
    silent.emplace_back(own.node.client_address(), i % 2 == 0 ? greeting::none : greeting::preface);
  own.check_unharmed();
  for (auto& client : silent)
    (void)client.read_to_end();
  // Whoever was greeted may be silent for much longer.
  CHECK(append(own.client, "witness", 0, {"patient"}) == 41);
}

TEST_CASE("connections above the limit are closed, and room that was made is used") {
  sturdy_node own({"limits.connections=5"});
  std::vector<native_client> friends;
  for (int i = 0; i < 4; ++i)
    friends.emplace_back(own.node.client_address());
  for (int i = 0; i < 10; ++i) {
    native_client refused(own.node.client_address(), greeting::none);
    CHECK(refused.read_to_end().empty());
  }
  friends.clear();
  // Closed connections are counted off once a second.
  await(own.client, "witness", [&] {
    try {
      native_client welcome(own.node.client_address());
      return true;
    } catch (const connection_ended&) {
      return false;
    }
  });
}

TEST_CASE("a header that announces a large frame claims little memory") {
  sturdy_node own;
  const auto before = own.node.process().claimed_bytes();
  constexpr std::uint32_t announced = 100u << 20;
  std::vector<native_client> liars;
  for (int i = 0; i < 100; ++i) {
    liars.emplace_back(own.node.client_address());
    liars.back().write(header_with_length(announced));
    (void)log_end(own.client, "witness");
  }
  own.check_unharmed();
  CHECK(own.node.process().claimed_bytes() < before + memory_bound(std::size_t{500} << 20));
  // A frame that does come is put together from its pieces.
  create_topic(own.client, "large", 1, {{"max.message.bytes", "9000000"}});
  const std::string value(8'000'000, 'v');
  append(own.client, "large", 0, {value});
  CHECK(values_of(read_all(own.client, "large", 0)) == std::vector<std::string>{value});
}

TEST_SUITE_END();
