#include "protocol/client/internal/endpoint.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::client;

TEST_SUITE_BEGIN("client.endpoint");

TEST_CASE("an address is a host and a port, which may be left out") {
  CHECK(parse_endpoint("example.org:9099").value() == endpoint{"example.org", 9099});
  CHECK(parse_endpoint("example.org").value() == endpoint{"example.org", 9092});
  CHECK(parse_endpoint("[::1]:1").value() == endpoint{"::1", 1});
  CHECK(parse_endpoint("[fe80::2]").value() == endpoint{"fe80::2", 9092});
}

TEST_CASE("what is no address is refused with the reason") {
  for (const auto* text : {"", ":1", "a:", "a:0", "a:65536", "a:b", "a:1x", "::1", "[::1", "[::1]x",
                           "[::1]:", "a b:1", "a:1,b:2", "[[$]", "a]:1"}) {
    CAPTURE(text);
    const auto parsed = parse_endpoint(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == errc::invalid_config);
    CHECK(parsed.error().message.find("'" + std::string(text) + "'") != std::string::npos);
  }
}

TEST_CASE("addresses are written as they are read") {
  for (const auto* text : {"a:1", "[::1]:9092"})
    CHECK(to_string(parse_endpoint(text).value()) == text);
}

TEST_SUITE_END();
