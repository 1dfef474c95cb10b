#include "config/endpoint.hpp"
#include "config/units.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::config;
using namespace std::chrono_literals;

namespace {

bool says(const auto& outcome, const std::string& part) {
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == errc::invalid_config);
  return outcome.error().message.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE("config.units") {
  TEST_CASE("durations are read with every unit") {
    CHECK(*parse_duration("10ms") == 10ms);
    CHECK(*parse_duration("5s") == 5s);
    CHECK(*parse_duration("2m") == 2min);
    CHECK(*parse_duration("1h") == 1h);
    CHECK(*parse_duration("7d") == 168h);
    CHECK(*parse_duration("0") == 0ms);
    CHECK(*parse_duration("9223372036854775807ms") == std::chrono::milliseconds::max());
  }

  TEST_CASE("a duration that is not one is refused with what is wrong about it") {
    CHECK(says(parse_duration("5"), "has no unit"));
    CHECK(says(parse_duration(""), "does not begin with a whole number"));
    CHECK(says(parse_duration("-5s"), "does not begin with a whole number"));
    CHECK(says(parse_duration("s"), "does not begin with a whole number"));
    CHECK(says(parse_duration("1.5s"), "unknown unit '.5s'"));
    CHECK(says(parse_duration("5 s"), "unknown unit ' s'"));
    CHECK(says(parse_duration("5S"), "unknown unit 'S'"));
    CHECK(says(parse_duration("5KB"), "unknown unit 'KB'"));
    CHECK(says(parse_duration("9223372036854775808ms"), "too large"));
    CHECK(says(parse_duration("106751991168d"), "too large"));
    CHECK(says(parse_duration("99999999999999999999999ms"), "too large"));
  }

  TEST_CASE("durations are printed with the largest unit that leaves a whole number") {
    CHECK(format_duration(0ms) == "0ms");
    CHECK(format_duration(1500ms) == "1500ms");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(120s) == "2m");
    CHECK(format_duration(36h) == "36h");
    CHECK(format_duration(48h) == "2d");
  }

  TEST_CASE("sizes are read with decimal and binary units") {
    CHECK(parse_size("512")->count == 512);
    CHECK(parse_size("512B")->count == 512);
    CHECK(parse_size("1KB")->count == 1000);
    CHECK(parse_size("64KiB")->count == 65536);
    CHECK(parse_size("1MB")->count == 1'000'000);
    CHECK(parse_size("1MiB")->count == 1048576);
    CHECK(parse_size("3GB")->count == 3'000'000'000);
    CHECK(parse_size("1GiB")->count == 1073741824);
    CHECK(parse_size("2TB")->count == 2'000'000'000'000);
    CHECK(parse_size("1TiB")->count == 1099511627776);
    CHECK(parse_size("0")->count == 0);
  }

  TEST_CASE("a size that is not one is refused with what is wrong about it") {
    CHECK(says(parse_size("1kb"), "unknown unit 'kb'"));
    CHECK(says(parse_size("1M"), "unknown unit 'M'"));
    CHECK(says(parse_size("-1"), "does not begin with a whole number"));
    CHECK(says(parse_size("8388608TiB"), "too large"));
    CHECK(says(parse_size("99999999999999999999"), "too large"));
  }

  TEST_CASE("sizes are printed with the largest unit, binary before decimal") {
    CHECK(format_size({0}) == "0B");
    CHECK(format_size({1048588}) == "1048588B");
    CHECK(format_size({65536}) == "64KiB");
    CHECK(format_size({1'000'000}) == "1MB");
    CHECK(format_size({1'024'000}) == "1000KiB");
    CHECK(format_size({1ULL << 40}) == "1TiB");
  }

  TEST_CASE("what is printed is read back as the same value") {
    for (std::uint64_t count = 1; count < (1ULL << 62); count = count * 3 + 1) {
      CHECK(parse_size(format_size({count}))->count == count);
      const std::chrono::milliseconds time(static_cast<std::int64_t>(count));
      CHECK(*parse_duration(format_duration(time)) == time);
    }
  }

  TEST_CASE("addresses are read and printed, IPv6 in brackets") {
    for (const auto* text : {"127.0.0.1:9092", "broker-1.example.com:1", "node_2:65535",
                             "localhost:0", "[::1]:9092", "[fe80::1%eth0]:9092"})
      CHECK(to_string(*parse_endpoint(text)) == text);
    CHECK(parse_endpoint("[::1]:9092")->host == "::1");
  }

  TEST_CASE("an address that is not one is refused with what is wrong about it") {
    CHECK(says(parse_endpoint(""), "has no port"));
    CHECK(says(parse_endpoint("localhost"), "has no port"));
    CHECK(says(parse_endpoint("[::1]"), "has no port"));
    CHECK(says(parse_endpoint("[:1"), "has no port"));
    CHECK(says(parse_endpoint(":9092"), "has no host"));
    CHECK(says(parse_endpoint("::1:9092"), "several colons"));
    CHECK(says(parse_endpoint("[x]:1"), "not an IPv6 address"));
    CHECK(says(parse_endpoint("[::1%]:1"), "not an IPv6 address"));
    CHECK(says(parse_endpoint("[::1%a b]:1"), "not an IPv6 address"));
    CHECK(says(parse_endpoint("[]:1"), "not an IPv6 address"));
    CHECK(says(parse_endpoint("a b:1"), "neither a name nor an address"));
    CHECK(says(parse_endpoint("http://a:1"), "several colons"));
    CHECK(says(parse_endpoint("a..b:1"), "neither a name nor an address"));
    CHECK(says(parse_endpoint("a:"), "not a number"));
    CHECK(says(parse_endpoint("a:65536"), "not a number"));
    CHECK(says(parse_endpoint("a:-1"), "not a number"));
    CHECK(says(parse_endpoint("a:1x"), "not a number"));
    CHECK(says(parse_endpoint(std::string(254, 'a') + ":1"), "neither a name nor an address"));
  }
}
