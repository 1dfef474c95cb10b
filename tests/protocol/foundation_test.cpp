// Identifiers, errors, results and invariants: what every room builds on.
#include "protocol/error.hpp"
#include "protocol/ids.hpp"
#include "protocol/invariant.hpp"
#include "protocol/result.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <unordered_set>

using namespace aqueduct;

namespace {

uuid sample_uuid() {
  uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<std::uint8_t>(i * 17);
  return id;
}

result<int> half_of(int n) {
  if (n % 2 != 0)
    return unexpected(errc::invalid_request, std::to_string(n) + " is odd");
  return n / 2;
}

result<std::string> quarter_of(int n) {
  const auto half = half_of(n);
  if (!half)
    return half.propagate();
  const auto quarter = half_of(*half);
  if (!quarter)
    return quarter.propagate();
  return std::to_string(*quarter);
}

} // namespace

TEST_SUITE("protocol.ids") {

  TEST_CASE("identifiers order and hash by their number and step to the next") {
    CHECK(offset_t(3) < offset_t(4));
    CHECK(offset_t(3).next() == offset_t(4));
    CHECK(offset_t().value == 0);
    CHECK(std::unordered_set<offset_t>{offset_t(1), offset_t(2), offset_t(1)}.size() == 2);
    static_assert(!std::is_convertible_v<std::int64_t, offset_t>);
    static_assert(!std::is_convertible_v<offset_t, timestamp_ms>);
  }

  TEST_CASE("a uuid is written with hyphens in lower case and read back") {
    const auto id = sample_uuid();
    CHECK(to_string(id) == "00112233-4455-6677-8899-aabbccddeeff");
    uuid read;
    REQUIRE(parse_uuid(to_string(id), read));
    CHECK(read == id);
    CHECK(uuid{}.is_nil());
    CHECK_FALSE(id.is_nil());
  }

  TEST_CASE("what is no uuid is refused and leaves the output alone") {
    for (const auto* text :
         {"", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefff",
          "00112233+4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg",
          "00112233-4455-6677-8899-AABBCCDDEEFF", "0011223344556677-8899-aabb-ccddeeff-"}) {
      auto id = sample_uuid();
      CHECK_FALSE(parse_uuid(text, id));
      CHECK(id == sample_uuid());
    }
  }

  TEST_CASE("a group is named by topic and partition, the controller's by its role") {
    CHECK(to_string(controller_group) == "controller");
    CHECK(to_string(group_id{sample_uuid(), 5}) == "00112233-4455-6677-8899-aabbccddeeff/5");
    const std::unordered_set<group_id> groups{
        controller_group, {sample_uuid(), 5}, {sample_uuid(), 6}, {sample_uuid(), 5}};
    CHECK(groups.size() == 3);
  }

} // TEST_SUITE

TEST_SUITE("protocol.error") {

  TEST_CASE("every error has a row, a name of its own, a sentence and a remedy") {
    std::set<std::string_view> names;
    for (const auto& row : error_table()) {
      CHECK(names.insert(row.name).second);
      CHECK(describe(row.code).code == row.code);
      CHECK(to_string(row.code) == row.name);
      CHECK(is_retriable(row.code) == row.retriable);
      CHECK_FALSE(row.meaning.empty());
      CHECK_FALSE(row.remedy.empty());
    }
  }

  TEST_CASE("a number from a later version reads as an internal error") {
    CHECK(describe(static_cast<errc>(60'000)).code == errc::internal);
    CHECK_FALSE(is_retriable(static_cast<errc>(60'000)));
  }

  TEST_CASE("an error prints its name and its message") {
    CHECK(to_string(error{errc::timed_out, "after 5 ms"}) == "TIMED_OUT: after 5 ms");
    CHECK(to_string(error{errc::timed_out, ""}) == "TIMED_OUT");
  }

} // TEST_SUITE

TEST_SUITE("protocol.result") {

  TEST_CASE("a result holds a value or the error that was propagated into it") {
    CHECK(*half_of(8) == 4);
    CHECK(*quarter_of(8) == "2");
    const auto failed = quarter_of(6);
    REQUIRE_FALSE(failed);
    CHECK(failed.error() == error{errc::invalid_request, "3 is odd"});
  }

  TEST_CASE("reading the side that is not there throws") {
    CHECK_THROWS_AS((void)half_of(3).value(), std::bad_variant_access);
    CHECK_THROWS_AS((void)half_of(4).error(), std::bad_variant_access);
  }

  TEST_CASE("a result moves values that cannot be copied") {
    result<std::unique_ptr<int>> owned = std::make_unique<int>(5);
    REQUIRE(owned);
    const auto taken = *std::move(owned);
    CHECK(*taken == 5);
  }

  TEST_CASE("a result without a value is success unless it holds an error") {
    const result<void> fine;
    CHECK(fine);
    const result<void> failed = unexpected(errc::conflict, "why");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == errc::conflict);
    const result<int> other = failed.propagate();
    CHECK(other.error() == failed.error());
  }

  TEST_CASE("a broken invariant throws with its condition and values, a kept one costs nothing") {
    int built = 0;
    const auto values = [&] {
      ++built;
      return std::string("n = 3");
    };
    AQUEDUCT_INVARIANT(1 + 1 == 2, values());
    CHECK(built == 0);
    std::string message;
    try {
      AQUEDUCT_INVARIANT(1 + 1 == 3, values());
    } catch (const invariant_violation& violation) {
      message = violation.what();
    }
    CHECK(message.find("1 + 1 == 3 does not hold: n = 3") != std::string::npos);
  }

} // TEST_SUITE
