#include "actors/scrub/scrub_core.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

constexpr std::int64_t day = 24LL * 3600 * 1000;

const group_id first{uuid{{1}}, 0};
const group_id second{uuid{{1}}, 1};

std::vector<scrub_target> both() {
  return {{first, "t:0"}, {second, "t:1"}};
}

scrub_core make_core(std::int64_t interval_ms = 7 * day, std::uint64_t rate = 1 << 20) {
  return {{interval_ms, rate}, {}, 1000};
}

} // namespace

TEST_SUITE("actors.scrub_core") {
  TEST_CASE("a scrub goes through its groups in order, and one runs at a time") {
    auto core = make_core();
    CHECK(core.current() == nullptr);
    REQUIRE(core.start(both(), true, 2000));
    CHECK(core.current()->name == "t:0");
    const auto again = core.start(both(), true, 2000);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == errc::conflict);
    core.stepped(100, 3, 2, 0);
    core.finish_group(2500);
    CHECK(core.report().current == "t:1");
    CHECK(core.report().groups_done == 1);
    core.finish_group(3000);
    CHECK(core.current() == nullptr);
    const auto report = core.report();
    CHECK_FALSE(report.is_running);
    CHECK(report.end == scrub_end::complete);
    CHECK(report.started_ms == 2000);
    CHECK(report.finished_ms == 3000);
    CHECK(report.groups_done == 2);
    CHECK(report.bytes == 100);
    CHECK(report.entries == 3);
    CHECK(report.batches == 2);
    CHECK(report.last_complete_ms == 3000);
    CHECK(report.next_ms == 3000 + 7 * day);
  }

  TEST_CASE("a scrub of nothing is complete at once") {
    auto core = make_core();
    REQUIRE(core.start({}, true, 5));
    CHECK(core.current() == nullptr);
    CHECK(core.report().end == scrub_end::complete);
  }

  TEST_CASE("what is read is paid for in time") {
    auto core = make_core(0, 1 << 20);
    REQUIRE(core.start(both(), true, 0));
    CHECK(core.wait_ms(500) == 0);
    core.stepped(1 << 19, 1, 1, 500);
    CHECK(core.wait_ms(500) == 500);
    CHECK(core.wait_ms(700) == 300);
    core.stepped(1 << 19, 1, 1, 700);
    CHECK(core.wait_ms(700) == 800);
    // Time in which nothing was read is not saved up.
    core.stepped(1 << 20, 1, 1, 10'000);
    CHECK(core.wait_ms(10'000) == 1000);
    CHECK(core.step_bytes() == (1 << 20) / 8);
    core.configure({0, 1ULL << 40});
    CHECK(core.step_bytes() == 1 << 20);
    core.configure({0, 1});
    CHECK(core.step_bytes() == 4096);
  }

  TEST_CASE("damage is kept until its group is read again or gone") {
    auto core = make_core();
    REQUIRE(core.start(both(), true, 0));
    core.found({errc::storage_damaged, "here"}, 10);
    core.finish_group(20);
    core.found({errc::storage_failed, "there"}, 30);
    core.finish_group(40);
    REQUIRE(core.report().damages.size() == 2);
    CHECK(core.report().damages[0] ==
          scrub_damage{first, "t:0", errc::storage_damaged, "here", 10});

    REQUIRE(core.start({{second, "t:1"}}, false, 50));
    core.finish_group(60);
    REQUIRE(core.report().damages.size() == 1);
    CHECK(core.report().damages[0].name == "t:0");

    REQUIRE(core.start({{second, "t:1"}}, true, 70));
    CHECK(core.report().damages.empty());
  }

  TEST_CASE("damage takes bounded memory") {
    auto core = make_core();
    REQUIRE(core.start(both(), true, 0));
    for (std::size_t i = 0; i < 2 * scrub_core::damages_max; ++i)
      core.found({errc::storage_damaged, "x"}, 1);
    CHECK(core.report().damages.size() == scrub_core::damages_max);
  }

  TEST_CASE("the schedule counts from the last complete scrub of the node") {
    auto core = make_core();
    CHECK(core.report().next_ms == 1000 + 7 * day);
    CHECK_FALSE(core.is_due(7 * day));
    CHECK(core.is_due(1000 + 7 * day));
    REQUIRE(core.start(both(), true, 8 * day));
    CHECK_FALSE(core.is_due(20 * day));
    core.finish_group(8 * day);
    core.finish_group(9 * day);
    CHECK_FALSE(core.is_due(15 * day));
    CHECK(core.is_due(16 * day));

    SUBCASE("one of a single topic changes nothing") {
      REQUIRE(core.start(both(), false, 15 * day));
      core.finish_group(15 * day);
      core.finish_group(15 * day);
      CHECK(core.is_due(16 * day));
    }
    SUBCASE("one that was stopped counts as asked for") {
      REQUIRE(core.start(both(), true, 16 * day));
      core.stop(16 * day);
      CHECK(core.report().end == scrub_end::stopped);
      CHECK(core.report().last_complete_ms == 9 * day);
      CHECK_FALSE(core.is_due(22 * day));
      CHECK(core.is_due(23 * day));
    }
    SUBCASE("an interval of 0 is never") {
      core.configure({0, 1});
      CHECK_FALSE(core.is_due(1000 * day));
      CHECK(core.report().next_ms == -1);
    }
  }

  TEST_CASE("damage that was repaired is forgotten, and what is known names its groups once") {
    scrub_core core({day, 1},
                    {5,
                     7,
                     {{first, "t:0", errc::storage_damaged, "here", 10},
                      {first, "t:0", errc::storage_damaged, "there", 10},
                      {second, "t:1", errc::storage_damaged, "here", 10}}},
                    100);
    REQUIRE(core.damaged().size() == 2);
    CHECK(core.damaged()[0].group == first);
    CHECK(core.damaged()[1].group == second);
    core.forget(first);
    REQUIRE(core.report().damages.size() == 1);
    CHECK(core.report().damages[0].group == second);
  }

  TEST_CASE("what outlives the node is read back as it was, and nothing else is taken for it") {
    scrub_core::memory memory{5, 7, {{first, "t:0", errc::storage_damaged, "here", 10}}};
    const auto bytes = encode(memory);
    const auto read = decode_scrub_memory(bytes.bytes());
    REQUIRE(read);
    CHECK(*read == memory);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_scrub_memory(bytes.bytes().first(size)));
    CHECK(scrub_core({day, 1}, memory, 100).report().last_complete_ms == 7);
    CHECK(scrub_core({day, 1}, memory, 100).report().damages.size() == 1);
  }
}
