// The ledger of a group and the readers of journals: what is wrong with what members say is
// noticed.
#include "tests/cluster/group_journals.hpp"

#include <doctest/doctest.h>

using namespace aqueduct::test;

namespace {

struct desk {
  group_ledger ledger{"g", 2};
  native_journal a{ledger, "a"};
  native_journal b{ledger, "b"};
  kcat_journal k{ledger, "k"};

  static void tell(group_journal& to, std::initializer_list<const char*> lines) {
    for (const auto* each : lines)
      to.line(each);
  }
  /// Everybody has ended and so much was there to read.
  void finish(std::size_t first, std::size_t second = 0) {
    for (const auto* name : {"a", "b", "k"})
      ledger.ended(name);
    std::vector<std::vector<std::string>> values(2);
    for (std::size_t i = 0; i < first; ++i)
      values[0].push_back("0:" + std::to_string(i));
    for (std::size_t i = 0; i < second; ++i)
      values[1].push_back("1:" + std::to_string(i));
    ledger.finish(values);
  }
  [[nodiscard]] bool notices(const std::string& what) const {
    for (const auto& each : ledger.violations())
      if (each.find(what) != std::string::npos)
        return true;
    return false;
  }
};

const auto* const kcat_joins = "%7|1.1|JOINGROUP|c#consumer-1| [thrd:main]: JoinGroup response: "
                               "GenerationId 4, Protocol range, LeaderId x, my MemberId y, member "
                               "metadata count 0: (no error)";

} // namespace

TEST_SUITE_BEGIN("cluster.group_ledger");

TEST_CASE("what is as it should be is no violation") {
  desk on;
  desk::tell(on.a, {"assigned 1 0 1", "read 0 0 0:0", "read 0 1 0:1", "committed 1 0:1",
                    "trouble NOT_LEADER", "revoked 0 1"});
  desk::tell(on.b, {"assigned 2 0", "read 0 1 0:1", "read 0 2 0:2", "committed 2 0:3", "lost 0"});
  desk::tell(on.k, {kcat_joins, "% Group g rebalanced (memberid y): assigned: t [0], t [1]",
                    "read 0 3 0:3",
                    "%7|1.1|OFFSET|c#consumer-1| [thrd:main]: Topic t [0]: stored offset 4, "
                    "committed offset 3: setting stored offset 4 for commit",
                    "%7|1.1|COMMIT|c#consumer-1| [thrd:main]: GroupCoordinator/1: Committing "
                    "offsets for 1 partition(s) with generation-id 4 in join-state steady: timer",
                    "%7|1.1|COMMIT|c#consumer-1| [thrd:main]: GroupCoordinator/1: OffsetCommit for "
                    "1 partition(s) in join-state steady: timer: returned: Success",
                    "% Group g rebalanced (memberid y): revoked: t [0], t [1]"});
  on.ledger.answered(0, 3);
  on.ledger.answered(0, 4);
  on.finish(4);
  CHECK(on.ledger.violations().empty());
  const auto sum = on.ledger.sum();
  CHECK(sum.deliveries == 5);
  CHECK(sum.repeats == 1);
  CHECK(sum.commits == 3);
  CHECK(sum.generation == 4);
  CHECK(on.ledger.has_committed({4, -1}));
  CHECK_FALSE(on.ledger.has_committed({5, -1}));
}

TEST_CASE("what kcat says of a rebalance is heard although other threads' lines come between") {
  desk on;
  const auto* const fetch = "%7|1.1|FETCH|c#consumer-1| [thrd:n]: Topic t [1] at offset 7";
  const auto between = [&](const std::string& begin, const char* rest) {
    on.k.line(begin + fetch);
    on.k.line(fetch);
    on.k.line(rest);
  };
  on.k.line(kcat_joins);
  between("% Group g rebalanced: incremental assignment of 0 partition(s) (memberid y, "
          "COOPERATIVE rebalance protocol): ",
          "");
  between("% Group g rebalanced: incremental assignment of 2 partition(s) (memberid y, "
          "COOPERATIVE rebalance protocol): t [0]",
          ", t [1]");
  desk::tell(on.k, {"read 0 0 0:0", "read 1 0 1:0",
                    "% Group g rebalanced: incremental revoke of 2 partition(s) (memberid y, "
                    "COOPERATIVE rebalance protocol): t [0], t [1]"});
  on.finish(1, 1);
  CHECK(on.ledger.violations() == std::vector<std::string>());
  CHECK(on.ledger.sum().deliveries == 2);
}

TEST_CASE("a record that nobody read is noticed") {
  desk on;
  desk::tell(on.a, {"assigned 1 0", "read 0 0 0:0"});
  on.finish(2);
  CHECK(on.notices("nobody has read partition 0 @ 1"));
}

TEST_CASE("a record that kcat may have dropped when it was told to end is counted apart") {
  desk on;
  desk::tell(on.k,
             {kcat_joins, "% Group g rebalanced (memberid y): assigned: t [0], t [1]",
              "read 0 0 0:0", "read 1 0 1:0", "% Group g rebalanced (memberid y): revoked: t [1]"});
  on.ledger.drops_what_is_in_hand("k");
  desk::tell(on.k, {"% Group g rebalanced (memberid y): revoked: t [0]",
                    "%7|1.1|REMOVE|c#consumer-1| [thrd:main]: Removing t [0] from assignment "
                    "(started=true, pending=false, queried=false, stored offset=2)",
                    "%7|1.1|COMMIT|c#consumer-1| [thrd:main]: GroupCoordinator/1: Committing "
                    "offsets for 1 partition(s) with generation-id 4 in join-state init: why",
                    "%7|1.1|COMMIT|c#consumer-1| [thrd:main]: GroupCoordinator/1: OffsetCommit for "
                    "1 partition(s) in join-state init: why: returned: Success"});
  CHECK(on.ledger.violations().empty());
  on.finish(3, 2);
  CHECK(on.ledger.sum().in_hand == 1);
  CHECK(on.ledger.sum().commits == 1);
  CHECK(on.notices("nobody has read partition 0 @ 2"));
  CHECK(on.notices("nobody has read partition 1 @ 1"));
  CHECK(on.ledger.violations().size() == 2);
}

TEST_CASE("the record that kcat drops may be the first that it was given of a partition") {
  desk on;
  desk::tell(on.k,
             {kcat_joins, "% Group g rebalanced (memberid y): assigned: t [0]",
              "%7|1.1|CONSUMER|c#consumer-1| [thrd:main]: Start consuming t [0] at offset 0 (v4)"});
  SUBCASE("it was told to end") {
    on.ledger.drops_what_is_in_hand("k");
    on.finish(1);
    CHECK(on.ledger.violations().empty());
    CHECK(on.ledger.sum().in_hand == 1);
  }
  SUBCASE("it was not") {
    on.finish(1);
    CHECK(on.notices("nobody has read partition 0 @ 0"));
  }
}

TEST_CASE("what kcat says of cooperative rebalances is read too") {
  desk on;
  desk::tell(on.k, {kcat_joins,
                    "% Group g rebalanced: incremental assignment of 2 partition(s) (memberid y, "
                    "COOPERATIVE rebalance protocol): t [0], t [1]",
                    "read 0 0 0:0",
                    "% Group g rebalanced: incremental revoke of 1 partition(s) (memberid y, "
                    "assignment lost, COOPERATIVE rebalance protocol): t [1]",
                    "read 0 1 0:1", "read 1 0 1:0"});
  on.finish(2);
  REQUIRE(on.ledger.violations().size() == 1);
  CHECK(on.notices("k reads partition 1 @ 0, which is not its own"));
}

TEST_CASE("a record that a generation committed and is given again is noticed") {
  desk on;
  SUBCASE("by its own reader") {
    desk::tell(on.a,
               {"assigned 1 0", "read 0 0 0:0", "read 0 1 0:1", "committed 1 0:2", "read 0 0 0:0"});
    CHECK(on.notices("instead of offset 2"));
  }
  SUBCASE("by the next generation") {
    desk::tell(on.b, {"assigned 2 0", "read 0 0 0:0"});
    desk::tell(on.a, {"assigned 1 0", "read 0 0 0:0", "committed 1 0:1", "revoked 0"});
    on.finish(1);
    CHECK(on.notices("b was given partition 0 @ 0 in generation 2"));
  }
  SUBCASE("by a later generation, whose first reader committed too") {
    desk::tell(on.a, {"assigned 1 0", "read 0 0 0:0", "committed 1 0:1", "revoked 0"});
    desk::tell(on.b, {"assigned 2 0", "read 0 1 0:1", "committed 2 0:2", "revoked 0"});
    desk::tell(on.a, {"assigned 3 0", "read 0 1 0:1", "revoked 0"});
    on.finish(2);
    CHECK(on.notices("a was given partition 0 @ 1 in generation 3"));
  }
}

TEST_CASE("commits that go back are noticed") {
  desk on;
  SUBCASE("of a member") {
    desk::tell(on.a, {"assigned 1 0", "read 0 0 0:0", "read 0 1 0:1", "committed 1 0:2",
                      "committed 1 0:1"});
    CHECK(on.notices("after 2"));
  }
  SUBCASE("of a later generation") {
    desk::tell(on.a, {"assigned 1 0", "read 0 0 0:0", "read 0 1 0:1", "committed 1 0:2"});
    desk::tell(on.b, {"assigned 2 0", "committed 2 0:1"});
    on.finish(2);
    CHECK(on.notices("generation 2 committed partition 0 @ 1 after 2"));
  }
  SUBCASE("as the coordinator has them") {
    on.ledger.answered(1, 5);
    on.ledger.answered(1, 4);
    on.finish(0);
    CHECK(on.notices("went back from 5 to 4"));
  }
}

namespace {

// What librdkafka says of the commits of partition 0.
std::string keeps(const char* offset) {
  return std::string("%7|1.1|OFFSET|c#consumer-1| [thrd:main]: Topic t [0]: stored offset ") +
         offset + ", committed offset 0: setting stored offset " + offset + " for commit\n";
}
std::string sends(const char* why) {
  return std::string("%7|1.1|COMMIT|c#consumer-1| [thrd:main]: GroupCoordinator/2: Committing "
                     "offsets for 1 partition(s) with generation-id 4 in join-state steady: ") +
         why + "\n";
}
std::string puts_off(const char* why) {
  return std::string("%7|1.1|COMMIT|c#consumer-1| [thrd:main]: Deferring \"") + why +
         "\" offset commit for 1 partition(s) in state wait-coord: no coordinator available\n";
}
std::string hears(const char* why, const char* what) {
  return std::string("%7|1.1|COMMIT|c#consumer-1| [thrd:main]: GroupCoordinator/2: OffsetCommit "
                     "for 1 partition(s) in join-state init: ") +
         why + ": returned: " + what + "\n";
}

/// kcat has read two records, and says all that; then a member of the next generation begins at
/// `begin`.
void commits_and_goes(desk& on, const std::string& said, const char* begin) {
  const auto all = std::string(kcat_joins) +
                   "\n% Group g rebalanced (memberid y): assigned: t [0]\nread 0 0 0:0\n"
                   "read 0 1 0:1\n" +
                   said;
  for (std::size_t at = 0; at < all.size(); at = std::min(all.size(), all.find('\n', at)) + 1)
    on.k.line(std::string_view(all).substr(at, all.find('\n', at) - at));
  const auto read = std::string("read 0 ") + begin + " 0:" + begin;
  desk::tell(on.a, {"assigned 5 0", read.c_str()});
  on.finish(2);
}

} // namespace

TEST_CASE("a commit that librdkafka repeats after a newer one counts, and is told") {
  desk on;
  on.ledger.answered(0, 2);
  on.ledger.answered(0, 1);
  commits_and_goes(on,
                   keeps("1") + sends("timer") + hears("timer", "Local: Operation in progress") +
                       keeps("2") + sends("end") + hears("end", "Success") +
                       hears("timer", "Success"),
                   "1");
  CHECK(on.ledger.violations().empty());
  CHECK(on.ledger.sum().late_commits == 1);
  CHECK(on.ledger.sum().commits == 2);
}

TEST_CASE("of two commits that look alike, one of which was repeated, either may count") {
  desk on;
  const auto both = keeps("1") + sends("timer") + hears("timer", "Local: Operation in progress") +
                    keeps("2") + sends("timer") + hears("timer", "Success");
  SUBCASE("when both are answered") {
    commits_and_goes(on, both + hears("timer", "Success"), "1");
  }
  SUBCASE("when one is") {
    commits_and_goes(on, both, "1");
  }
  CHECK(on.ledger.violations().empty());
}

TEST_CASE("of two commits that look alike, none of which was repeated, the newer one counts") {
  desk on;
  commits_and_goes(on,
                   keeps("1") + sends("timer") + keeps("2") + sends("timer") +
                       hears("timer", "Success") + hears("timer", "Success"),
                   "1");
  CHECK(on.notices("given partition 0 @ 1"));
}

TEST_CASE("a commit that has no offset of some partitions is answered with all of them") {
  desk on;
  const auto two = [](std::string line) {
    return line.replace(line.find("for 1 partition"), 15, "for 2 partition");
  };
  const std::string lists = "%7|1.1|OFFSET|c#consumer-1| [thrd:main]: GroupCoordinator/2: Enqueue "
                            "OffsetCommitRequest(v7, 1/2 partition(s))): end\n";
  const auto refused =
      keeps("2") + sends("end") + lists + two(hears("end", "Broker: Unknown member"));
  SUBCASE("the one that was refused does not count when another one succeeds") {
    commits_and_goes(on, refused + keeps("1") + sends("end") + hears("end", "Success"), "1");
    CHECK(on.ledger.violations().empty());
  }
  SUBCASE("one that succeeds counts") {
    commits_and_goes(on, keeps("2") + sends("end") + lists + two(hears("end", "Success")), "1");
    CHECK(on.notices("given partition 0 @ 1"));
  }
}

TEST_CASE("a commit that waited for a coordinator has the offsets that it had at first") {
  desk on;
  // The second one is put off while the first is.
  const auto waits = keeps("1") + puts_off("timer") + keeps("2") + puts_off("timer");
  SUBCASE("it was put off") {
    commits_and_goes(on, waits + sends("timer") + hears("timer", "Success"), "1");
    CHECK(on.ledger.violations().empty());
  }
  SUBCASE("it was sent to who is no coordinator") {
    commits_and_goes(on,
                     keeps("1") + sends("timer") + hears("timer", "Broker: Not coordinator") +
                         keeps("2") + puts_off("timer") + sends("timer") +
                         hears("timer", "Success"),
                     "1");
    CHECK(on.ledger.violations().empty());
  }
  SUBCASE("both are sent then") {
    commits_and_goes(on,
                     waits + sends("timer") + sends("timer") + hears("timer", "Success") +
                         hears("timer", "Success"),
                     "1");
    CHECK(on.notices("given partition 0 @ 1"));
  }
  SUBCASE("the first is given up") {
    commits_and_goes(on,
                     waits + hears("timer", "Local: Waiting for coordinator") + sends("timer") +
                         hears("timer", "Success"),
                     "1");
    CHECK(on.notices("given partition 0 @ 1"));
  }
}

TEST_CASE(
    "the record that kcat has in hand when librdkafka pauses may be given to it again, once") {
  desk on;
  const auto* const pauses =
      "%7|1.1|PAUSE|c#consumer-1| [thrd:main]: Pause t [0]: at offset 1 (state active, v15)";
  desk::tell(on.k,
             {kcat_joins, "% Group g rebalanced (memberid y): assigned: t [0]", "read 0 0 0:0"});
  SUBCASE("it says so before kcat shows it") {
    desk::tell(on.k, {pauses, "read 0 1 0:1", "read 0 1 0:1", "read 0 2 0:2"});
    on.finish(3);
    CHECK(on.ledger.violations().empty());
    CHECK(on.ledger.sum().given_twice == 1);
  }
  SUBCASE("it says so after kcat has shown it") {
    desk::tell(on.k, {"read 0 1 0:1", pauses, "read 0 1 0:1", "read 0 2 0:2"});
    on.finish(3);
    CHECK(on.ledger.violations().empty());
    CHECK(on.ledger.sum().given_twice == 1);
  }
  SUBCASE("not a third time") {
    desk::tell(on.k, {pauses, "read 0 1 0:1", "read 0 1 0:1", "read 0 1 0:1"});
    CHECK(on.notices("reads partition 0 @ 1 instead of offset 2"));
  }
  SUBCASE("not when it has gone on") {
    desk::tell(on.k, {pauses, "read 0 1 0:1", "read 0 2 0:2", "read 0 1 0:1"});
    CHECK(on.notices("reads partition 0 @ 1 instead of offset 3"));
  }
  SUBCASE("not another one") {
    desk::tell(on.k, {pauses, "read 0 1 0:1", "read 0 0 0:0"});
    CHECK(on.notices("reads partition 0 @ 0 instead of offset 2"));
  }
  SUBCASE("not without a pause") {
    desk::tell(on.k, {"read 0 1 0:1", "read 0 1 0:1"});
    CHECK(on.notices("reads partition 0 @ 1 instead of offset 2"));
  }
}

TEST_CASE("two owners of a partition in a generation are noticed") {
  desk on;
  desk::tell(on.a, {"assigned 4 0"});
  SUBCASE("of the client library") {
    desk::tell(on.b, {"assigned 4 0"});
  }
  SUBCASE("one of which commits") {
    desk::tell(on.b, {"assigned 3 0", "read 0 0 0:0", "committed 4 0:1"});
  }
  SUBCASE("one of which is kcat, which keeps what it had") {
    desk::tell(on.k, {kcat_joins,
                      "%7|1.1|ASSIGNMENT|c#consumer-1| [thrd:main]: Group \"g\": setting group "
                      "assignment to 1 partition(s)",
                      "%7|1.1|GRPASSIGNMENT|c#consumer-1| [thrd:main]: List with 1 partition(s):",
                      "%7|1.1|GRPASSIGNMENT|c#consumer-1| [thrd:main]:  t [0] offset INVALID"});
  }
  CHECK(on.notices("in generation 4"));
}

TEST_CASE("what is not a member's, or makes no sense, is noticed") {
  desk on;
  desk::tell(on.a, {"read 0 0 0:0"});
  CHECK(on.notices("which is not its own"));
  desk::tell(on.a, {"assigned 1 0", "read 0 0 0:0", "committed 1 0:2"});
  CHECK(on.notices("has read to 1"));
  desk::tell(on.a, {"assigned 2 0"});
  CHECK(on.notices("which it has"));
  desk::tell(on.a, {"revoked 1"});
  CHECK(on.notices("which it has not"));
  desk::tell(on.a, {"assigned nothing"});
  CHECK(on.notices("a says: assigned nothing"));
  desk::tell(on.b, {"assigned 5 0", "read 0 0 1:1"});
  CHECK(on.notices("something else"));
  on.finish(1);
  CHECK(on.notices("was not read as it was sent"));
}

TEST_SUITE_END();
