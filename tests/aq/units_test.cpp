#include "apps/aq/units.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::aq;
using std::chrono::milliseconds;

TEST_SUITE_BEGIN("aq.units");

TEST_CASE("durations are read in every unit, and in sums of them") {
  const std::vector<std::pair<std::string, std::int64_t>> rows = {
      {"0s", 0},           {"250ms", 250},    {"5s", 5000},         {"1.5s", 1500},
      {"10m", 600'000},    {"2h", 7'200'000}, {"1h30m", 5'400'000}, {"1d", 86'400'000},
      {"1w", 604'800'000}, {"1m5s", 65'000},
  };
  for (const auto& [text, ms] : rows) {
    CAPTURE(text);
    const auto parsed = parse_duration(text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->count() == ms);
  }
}

TEST_CASE("what is no duration is refused") {
  for (const std::string text :
       {"", "5", "s", "5x", "-5s", "1h 30m", "1..5s", "1e3s", "5S", "inf", "99999999999999w"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).has_value());
  }
}

TEST_CASE("sizes tell 1000 from 1024") {
  const std::vector<std::pair<std::string, std::uint64_t>> rows = {
      {"0", 0},          {"100", 100},          {"100B", 100},
      {"4k", 4000},      {"4K", 4000},          {"4KB", 4000},
      {"4Ki", 4096},     {"4KiB", 4096},        {"1.5MB", 1'500'000},
      {"2MiB", 2 << 20}, {"1G", 1'000'000'000}, {"1TiB", 1ULL << 40},
  };
  for (const auto& [text, bytes] : rows) {
    CAPTURE(text);
    const auto parsed = parse_size(text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == bytes);
  }
  for (const std::string text : {"", "B", "-1", "1 MB", "1KIB", "1P", "1e9", "99999999999T"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text).has_value());
  }
}

TEST_CASE("rates are records, or bytes where a B stands") {
  CHECK(*parse_rate("500") == rate{500, false});
  CHECK(*parse_rate("1k/s") == rate{1000, false});
  CHECK(*parse_rate("600/m") == rate{10, false});
  CHECK(*parse_rate("3600/h") == rate{1, false});
  CHECK(*parse_rate("50MB/s") == rate{50e6, true});
  CHECK(*parse_rate("1MiB") == rate{1048576, true});
  for (const std::string text : {"", "0", "0/s", "1/d", "1/", "/s", "fast"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rate(text).has_value());
  }
}

TEST_CASE("times are read in RFC 3339 and its short forms, and as numbers") {
  constexpr std::int64_t midnight = 1'769'817'600'000; // 2026-01-31T00:00:00Z
  const std::vector<std::pair<std::string, std::int64_t>> rows = {
      {"2026-01-31", midnight},
      {"2026-01-31T12:00", midnight + 43'200'000},
      {"2026-01-31 12:00", midnight + 43'200'000},
      {"2026-01-31T12:00:05Z", midnight + 43'205'000},
      {"2026-01-31T12:00:05.25Z", midnight + 43'205'250},
      {"2026-01-31T12:00:05.123456Z", midnight + 43'205'123},
      {"2026-01-31T12:00:00+02:00", midnight + 36'000'000},
      {"2026-01-31T12:00:00-0130", midnight + 48'600'000},
      {"1769817600", midnight},
      {"1769817600000", midnight},
  };
  for (const auto& [text, ms] : rows) {
    CAPTURE(text);
    const auto parsed = parse_time(text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->value == ms);
  }
  for (const std::string text :
       {"", "now", "2026-1-1", "2026-02-30", "2026-01-31T", "2026-01-31T25:00", "2026-01-31T12:60",
        "2026-01-31T12:00:05.", "2026-01-31T12:00:00+2", "12345", "2026-01-31T12:00Zx",
        "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+01:00", "0000-01-01"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text).has_value());
  }
}

TEST_CASE("times are written in RFC 3339 and read back") {
  for (const std::int64_t ms : {0LL, 1LL, 999LL, 1'769'860'805'250LL, 4'102'444'800'000LL}) {
    const auto text = format_time(timestamp_ms(ms));
    CAPTURE(text);
    REQUIRE(parse_time(text).has_value());
    CHECK(parse_time(text)->value == ms);
  }
  CHECK(format_time(timestamp_ms(1'769'860'805'250)) == "2026-01-31T12:00:05.250Z");
}

TEST_CASE("times that RFC 3339 has no year for are written as numbers") {
  CHECK(format_time(timestamp_ms(253'402'300'799'999)) == "9999-12-31T23:59:59.999Z");
  CHECK(format_time(timestamp_ms(253'402'300'800'000)) == "253402300800000");
  CHECK(format_time(timestamp_ms(-62'167'219'200'000)) == "0000-01-01T00:00:00.000Z");
  CHECK(format_time(timestamp_ms(-62'167'219'200'001)) == "-62167219200001");
  CHECK(format_time(timestamp_ms(INT64_MAX)) == "9223372036854775807");
  CHECK(format_time(timestamp_ms(INT64_MIN)) == "-9223372036854775808");
}

TEST_CASE("numbers are shown short") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(4096) == "4.0 KiB");
  CHECK(format_bytes(221'249'536) == "211 MiB");
  CHECK(format_bytes(1'048'575) == "1.0 MiB");
  CHECK(format_duration(milliseconds(250)) == "250ms");
  CHECK(format_duration(milliseconds(-250)) == "-250ms");
  CHECK(format_duration(milliseconds::max()) == "106751991167d7h");
  CHECK(format_duration(milliseconds::min()) == "-106751991167d7h");
  CHECK(format_duration(milliseconds(12'400)) == "12.4s");
  CHECK(format_duration(milliseconds(59'999)) == "1m");
  CHECK(format_duration(milliseconds(200'000)) == "3m20s");
  CHECK(format_duration(milliseconds(8'040'000)) == "2h14m");
  CHECK(format_duration(milliseconds(273'600'000)) == "3d4h");
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1204) == "1,204");
  CHECK(format_count(10'000'000) == "10,000,000");
}

TEST_SUITE_END();
