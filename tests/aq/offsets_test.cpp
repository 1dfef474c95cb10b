#include "apps/aq/offsets.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::aq;

TEST_SUITE_BEGIN("aq.offsets");

namespace {

using anchor = position::anchor;

// 2026-06-01T12:00:00Z
constexpr timestamp_ms now{1'780'315'200'000};
constexpr std::int64_t hour = 3'600'000;
// 2026-01-01T00:00:00Z
constexpr std::int64_t new_year = 1'767'225'600'000;

struct row {
  std::string text;
  position begin;
  std::optional<position> end{};
};

} // namespace

TEST_CASE("every form of the grammar means what the help says") {
  const position start{anchor::start, 0};
  const position end{anchor::end, 0};
  const auto at = [](std::int64_t n) { return position{anchor::absolute, n}; };
  const auto time = [](std::int64_t ms) { return position{anchor::time, ms}; };
  const std::vector<row> rows = {
      {"start", start},
      {"oldest", start},
      {"end", end},
      {"newest", end},
      {":end", start, end},
      {"start:end", start, end},
      {"47", at(47)},
      {"0", at(0)},
      {"+5", {anchor::start, 5}},
      {"-10", {anchor::end, 10}},
      {"10:20", at(10), at(20)},
      {"7:7", at(7), at(7)},
      {":20", start, at(20)},
      {"10:", at(10)},
      {"10:end", at(10), end},
      {"-10:end", {anchor::end, 10}, end},
      {"-10:-5", {anchor::end, 10}, position{anchor::end, 5}},
      {"+5:+8", {anchor::start, 5}, position{anchor::start, 8}},
      {"@-1h", time(now.value - hour)},
      {"@-1h:end", time(now.value - hour), end},
      {"@-48h:-24h", time(now.value - 48 * hour), time(now.value - 24 * hour)},
      {"@2026-01-01", time(new_year)},
      {"@2026-01-01:1h", time(new_year), time(new_year + hour)},
      {"@2026-01-01:2026-01-02", time(new_year), time(new_year + 24 * hour)},
      {"@2026-01-01T01:00:00Z", time(new_year + hour)},
      {"@2026-01-01T01:00", time(new_year + hour)},
      {"@2026-01-01T01:00:00Z:1h", time(new_year + hour), time(new_year + 2 * hour)},
      {"@2026-01-01T00:00:00Z:2026-01-01T02:00:00Z", time(new_year), time(new_year + 2 * hour)},
      {"@2026-01-01:@2026-01-02", time(new_year), time(new_year + 24 * hour)},
      {"@1767225600000", time(new_year)},
      {"@1767225600", time(new_year)},
      {"@:-1h", start, time(now.value - hour)},
      {":@-1h", start, time(now.value - hour)},
  };
  for (const auto& each : rows) {
    CAPTURE(each.text);
    const auto parsed = parse_offsets(each.text, now);
    REQUIRE(parsed.has_value());
    CHECK(parsed->begin == each.begin);
    CHECK(parsed->end == each.end);
  }
}

TEST_CASE("what is not an offset is refused with the text and the forms that are") {
  for (const std::string text :
       {"", ":", "abc", "1:2:3", "+", "-", "1.5", "+-5", "@", "@@-1h", "@tomorrow", "@-1y", "10:x",
        "5:+", "@2026-13-01", "99999999999999999999", "0x10", " 5"}) {
    CAPTURE(text);
    const auto parsed = parse_offsets(text, now);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == errc::invalid_request);
    CHECK(parsed.error().message.find("\"" + text + "\"") != std::string::npos);
  }
}

TEST_CASE("a range that ends before it begins is refused") {
  for (const std::string text : {"20:10", "@-1h:-2h", "+5:+3"}) {
    CAPTURE(text);
    const auto parsed = parse_offsets(text, now);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().message.find("ends before") != std::string::npos);
  }
}

TEST_CASE("a position becomes an offset within the partition") {
  const partition_bounds bounds{100, 200};
  CHECK(resolve({anchor::start, 0}, bounds) == 100);
  CHECK(resolve({anchor::start, 5}, bounds) == 105);
  CHECK(resolve({anchor::start, 1000}, bounds) == 200);
  CHECK(resolve({anchor::end, 0}, bounds) == 200);
  CHECK(resolve({anchor::end, 10}, bounds) == 190);
  CHECK(resolve({anchor::end, INT64_MAX}, bounds) == 100);
  CHECK(resolve({anchor::absolute, 150}, bounds) == 150);
  CHECK(resolve({anchor::absolute, 5}, bounds) == 100);
  // Beyond the end: the broker says what is wrong with it, or it comes later.
  CHECK(resolve({anchor::absolute, 500}, bounds) == 500);
  CHECK_FALSE(resolve({anchor::time, 5}, bounds).has_value());
}

TEST_SUITE_END();
