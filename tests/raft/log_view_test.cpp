#include "raft/invariant.hpp"
#include "raft/log_view.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace aqueduct::raft {

namespace {

constexpr auto everything = std::numeric_limits<std::size_t>::max();

entry_id at(std::uint64_t index, std::uint64_t term) {
  return {term_id(term), log_index(index)};
}

entry make(std::uint64_t index, std::uint64_t term, std::size_t bytes = 0) {
  return {log_index(index), term_id(term), entry_kind::records, {nullptr, bytes}};
}

/// Terms 1 1 1 4 4 5 5 6 6 6 at 1 to 10: the leader of figure 7 of the Raft paper.
log_view figure_7() {
  log_view log({}, {}, {});
  const std::uint64_t terms[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  for (std::uint64_t i = 0; i < 10; ++i)
    log.append(make(i + 1, terms[i]));
  return log;
}

} // namespace

TEST_SUITE("raft.log_view") {
  TEST_CASE("a log knows the term of every entry without its payload") {
    const log_view log(at(4, 2), {{term_id(2), log_index(5)}, {term_id(7), log_index(8)}},
                       log_index(9));
    CHECK(log.last() == at(9, 7));
    CHECK(log.tail_begin() == log_index(10));
    CHECK_FALSE(log.term_at(log_index(3)));
    CHECK(log.term_at(log_index(4)) == term_id(2));
    CHECK(log.term_at(log_index(7)) == term_id(2));
    CHECK(log.term_at(log_index(8)) == term_id(7));
    CHECK_FALSE(log.term_at(log_index(10)));
  }

  TEST_CASE("the last common candidate skips a whole term at once") {
    const auto log = figure_7();
    CHECK(log.last_common_candidate(at(9, 6)) == at(9, 6));
    CHECK(log.last_common_candidate(at(20, 6)) == at(10, 6));
    // The logs (e) and (f) of the figure end in terms that this log has less of, or not at all.
    CHECK(log.last_common_candidate(at(7, 4)) == at(5, 4));
    CHECK(log.last_common_candidate(at(11, 3)) == at(3, 1));
    CHECK(log.last_common_candidate(at(2, 3)) == at(2, 1));
    CHECK(log.last_common_candidate({}) == entry_id{});
  }

  TEST_CASE("the last common candidate below the compaction point is unknown") {
    auto log = figure_7();
    log.compact(log_index(5));
    CHECK(log.last_common_candidate(at(8, 4)) == at(5, 4));
    CHECK(log.last_common_candidate(at(8, 3)) == entry_id{});
    CHECK(log.last_common_candidate(at(4, 4)) == entry_id{});
    // In the middle of a term, too.
    log.compact(log_index(9));
    CHECK(log.last_common_candidate(at(8, 6)) == entry_id{});
    CHECK(log.last_common_candidate(at(9, 6)) == at(9, 6));
    CHECK(log.terms().front() == term_run{term_id(6), log_index(10)});
  }

  TEST_CASE("truncation takes terms, payloads and their bytes along") {
    auto log = figure_7();
    log.truncate_from(log_index(5));
    CHECK(log.last() == at(4, 4));
    CHECK(log.tail_bytes() == 4 * entry_overhead_bytes);
    CHECK(log.bytes_above_applied() == 4 * entry_overhead_bytes);
    log.append(make(5, 9));
    CHECK(log.terms().back() == term_run{term_id(9), log_index(5)});
    log.truncate_from(log_index(1));
    CHECK(log.last() == entry_id{});
    CHECK(log.terms().empty());
    CHECK(log.tail_bytes() == 0);
  }

  TEST_CASE("truncation reaches below what is in memory") {
    auto log = figure_7();
    log.forget(log_index(8), 0);
    log.truncate_from(log_index(6));
    CHECK(log.last() == at(5, 4));
    CHECK(log.tail_begin() == log_index(6));
    CHECK(log.tail_bytes() == 0);
  }

  TEST_CASE("compaction keeps the term of the last entry that it takes") {
    for (std::uint64_t upto = 1; upto <= 10; ++upto) {
      CAPTURE(upto);
      auto log = figure_7();
      const auto term = *log.term_at(log_index(upto));
      log.compact(log_index(upto));
      CHECK(log.base() == entry_id{term, log_index(upto)});
      CHECK(log.last() == at(10, 6));
      CHECK(log.term_at(log_index(10)) == term_id(6));
      for (auto i = upto + 1; i <= 10; ++i)
        CHECK(log.term_at(log_index(i)) == figure_7().term_at(log_index(i)));
      CHECK(log.tail_begin() == log_index(upto + 1));
      log.append(make(11, 8));
      CHECK(log.term_at(log_index(11)) == term_id(8));
    }
  }

  TEST_CASE("payloads are forgotten from the front, up to a bound in bytes and an index") {
    log_view log({}, {}, {});
    for (std::uint64_t i = 1; i <= 6; ++i)
      log.append(make(i, 1, 100 - entry_overhead_bytes));
    log.forget(log_index(4), 350);
    CHECK(log.tail_begin() == log_index(4));
    log.forget(log_index(4), 0);
    CHECK(log.tail_begin() == log_index(5));
    CHECK(log.tail_bytes() == 200);
    CHECK(log.term_at(log_index(2)) == term_id(1));
    CHECK_THROWS_AS((void)log.at(log_index(4)), invariant_violation);
  }

  TEST_CASE("what is not applied is counted, whatever is forgotten, truncated or compacted") {
    log_view log({}, {}, {});
    for (std::uint64_t i = 1; i <= 6; ++i)
      log.append(make(i, 1, 100 - entry_overhead_bytes));
    log.applied(log_index(2));
    CHECK(log.bytes_above_applied() == 400);
    log.forget(log_index(3), 0);
    CHECK(log.bytes_above_applied() == 300);
    log.applied(log_index(4));
    CHECK(log.bytes_above_applied() == 200);
    log.truncate_from(log_index(6));
    CHECK(log.bytes_above_applied() == 100);
    log.compact(log_index(4));
    CHECK(log.bytes_above_applied() == 100);
    log.applied(log_index(5));
    CHECK(log.bytes_above_applied() == 0);
  }

  TEST_CASE("a copy stops at its limit but has at least one entry") {
    log_view log({}, {}, {});
    for (std::uint64_t i = 1; i <= 6; ++i)
      log.append(make(i, 1, 100 - entry_overhead_bytes));
    CHECK(log.copy(log_index(2), log_index(7), everything).size() == 5);
    CHECK(log.copy(log_index(2), log_index(7), 250).size() == 2);
    CHECK(log.copy(log_index(2), log_index(7), 300).size() == 3);
    CHECK(log.copy(log_index(2), log_index(7), 1).size() == 1);
    CHECK(log.copy(log_index(2), log_index(3), everything).size() == 1);
  }

  TEST_CASE("an entry out of order is a broken invariant") {
    auto log = figure_7();
    CHECK_THROWS_AS(log.append(make(12, 6)), invariant_violation);
    CHECK_THROWS_AS(log.append(make(11, 5)), invariant_violation);
    CHECK_THROWS_AS(log.compact(log_index(11)), invariant_violation);
    log.applied(log_index(3));
    CHECK_THROWS_AS(log.truncate_from(log_index(3)), invariant_violation);
  }

  TEST_CASE("a slice of a log is valid only without holes, in order, and not beyond its leader") {
    const auto slice = [](entry_id previous, std::vector<entry> entries) {
      return log_slice{term_id(5), previous, std::move(entries)}.valid();
    };
    CHECK(slice({}, {}));
    CHECK(slice({}, {make(1, 1), make(2, 5)}));
    CHECK(slice(at(7, 4), {make(8, 4)}));
    CHECK_FALSE(slice(at(7, 6), {}));
    CHECK_FALSE(slice(at(7, 0), {}));
    CHECK_FALSE(slice(at(0, 1), {}));
    CHECK_FALSE(slice(at(7, 4), {make(9, 4)}));
    CHECK_FALSE(slice(at(7, 4), {make(7, 4)}));
    CHECK_FALSE(slice(at(7, 4), {make(8, 3)}));
    CHECK_FALSE(slice(at(7, 4), {make(8, 6)}));
    CHECK_FALSE(slice({}, {make(1, 0)}));
    CHECK_FALSE(slice(at(7, 4), {make(8, 5), make(9, 4)}));
  }
}

} // namespace aqueduct::raft
