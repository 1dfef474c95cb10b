#include "protocol/client/internal/backoff.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace aqueduct::client;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("client.backoff");

TEST_CASE("waits double up to the most, less at most half of them") {
  backoff wait(10ms, 100ms, 1);
  for (const auto full : {10ms, 20ms, 40ms, 80ms, 100ms, 100ms}) {
    const auto next = wait.next();
    CHECK(next <= full);
    CHECK(next >= full / 2);
  }
  wait.reset();
  CHECK(wait.next() <= 10ms);
}

TEST_CASE("clients that failed together do not come back together") {
  std::set<long> waits;
  for (unsigned seed = 0; seed < 100; ++seed)
    waits.insert(backoff(1000ms, 1000ms, seed).next().count());
  CHECK(waits.size() > 80);
}

TEST_CASE("a wait of one millisecond is not rounded to none") {
  backoff wait(1ms, 1ms, 3);
  for (int i = 0; i < 10; ++i)
    CHECK(wait.next() == 1ms);
}

TEST_SUITE_END();
