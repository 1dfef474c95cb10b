#include "protocol/client/partitioner.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::client;

TEST_SUITE_BEGIN("client.partitioner");

TEST_CASE("murmur2 gives the numbers of Kafka's own test (UtilsTest.testMurmur2)") {
  CHECK(murmur2(bytes_view("21")) == -973932308);
  CHECK(murmur2(bytes_view("foobar")) == -790332482);
  CHECK(murmur2(bytes_view("a-little-bit-long-string")) == -985981536);
  CHECK(murmur2(bytes_view("a-little-bit-longer-string")) == -1486304829);
  CHECK(murmur2(bytes_view("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")) == -58897971);
  CHECK(murmur2(bytes_view("abc")) == 479470107);
}

TEST_CASE("every one of a million keys gets a partition in range, always the same") {
  std::vector<int> hits(7);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto key = "key-" + std::to_string(i);
    const auto partition = partition_for_key(bytes_view(key), 7);
    REQUIRE(partition >= 0);
    REQUIRE(partition < 7);
    ++hits[static_cast<std::size_t>(partition)];
  }
  for (const auto count : hits)
    CHECK(count > 100'000);
  CHECK(partition_for_key(bytes_view("key-1"), 7) == partition_for_key(bytes_view("key-1"), 7));
}

TEST_CASE("keys of every length up to a word and beyond are hashed, also the empty one") {
  const std::string text = "0123456789abcdef";
  for (std::size_t size = 0; size <= text.size(); ++size)
    CHECK(partition_for_key(bytes_view(std::string_view(text).substr(0, size)), 1) == 0);
}

TEST_SUITE_END();
