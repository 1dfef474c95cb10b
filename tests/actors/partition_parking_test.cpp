#include "tests/actors/partition_lab.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

TEST_SUITE("actors.partition_parking") {
  TEST_CASE("a batch waits for a leader until its deadline, and is not stored then") {
    lab it;
    it.produce(build_batch(1), -1, 100);
    it.produce(build_batch(2), -1, 9000);
    CHECK_FALSE(it.core.is_quiet());
    it.core.tick(99, 5000, it.effects);
    CHECK(it.producer->outcomes.empty());
    it.core.tick(100, 5000, it.effects);
    REQUIRE(it.producer->outcomes.size() == 1);
    CHECK(it.outcome(0).error == errc::not_leader);
    it.lead();
    it.commit();
    REQUIRE(it.producer->outcomes.size() == 2);
    CHECK(it.outcome(1).error == errc::none);
    CHECK(it.core.high_watermark() == 2);
  }

  TEST_CASE("no more bytes wait for a leader than may be pending") {
    lab it;
    for (int i = 0; i < 100; ++i)
      it.produce(build_batch(1));
    REQUIRE_FALSE(it.producer->outcomes.empty());
    CHECK(it.outcome(0).error == errc::overloaded);
    it.core.tick(100, 5000, it.effects);
    CHECK(it.producer->outcomes.size() == 100);
    // Their room is free again.
    it.produce(build_batch(1), -1, 9000);
    CHECK(it.producer->outcomes.size() == 100);
    it.core.follow(2, 2, it.effects);
    CHECK(it.producer->outcomes.size() == 101);
    CHECK(it.core.is_quiet());
  }

  TEST_CASE("who asks while nobody leads is told so after a while") {
    lab it;
    const auto reader = it.fetch(0, true);
    const auto who = std::make_shared<asked_by>();
    const auto producers = std::make_shared<listed_to>();
    const auto subscriber = std::make_shared<pushed_to>();
    it.core.find_offset({who, 0, protocol::latest_timestamp, std::nullopt}, it.effects);
    it.core.describe({who, 0}, it.effects);
    it.core.trim({who, 0, -1}, it.effects);
    it.core.list_producers({producers, 0});
    subscribe_item item;
    item.sink = subscriber;
    it.core.subscribe(std::move(item), it.effects);
    // The time counts from the first tick on.
    it.core.tick(70'000, 5000, it.effects);
    it.core.tick(74'999, 5000, it.effects);
    CHECK(reader->outcomes.empty());
    CHECK(subscriber->starts.empty());
    it.core.tick(75'000, 5000, it.effects);
    REQUIRE(reader->outcomes.size() == 1);
    CHECK(reader->outcomes[0].error == errc::not_leader);
    REQUIRE(who->offsets.size() == 1);
    CHECK(who->offsets[0].error == errc::not_leader);
    REQUIRE(who->descriptions.size() == 1);
    CHECK(who->descriptions[0].error == errc::not_leader);
    REQUIRE(who->trims.size() == 1);
    CHECK(who->trims[0].error == errc::not_leader);
    REQUIRE(producers->outcomes.size() == 1);
    CHECK(producers->outcomes[0].error == errc::not_leader);
    REQUIRE(subscriber->starts.size() == 1);
    CHECK(subscriber->starts[0].first == errc::not_leader);
    CHECK(it.core.is_quiet());
    it.lead();
    CHECK(reader->outcomes.size() == 1);
  }
}
