// Crash enumeration in the manner of ALICE (Pillai et al., OSDI 2014): a scripted life of a log is
// cut off at every operation that changes the disk or the key-value store, what was not synced is
// kept, dropped or torn in many ways, and the log that opens afterwards must be one that the
// promises allow: everything that was synced is there, and nothing that was never written.
#include "storage/log_verify.hpp"
#include "tests/storage/support.hpp"
#include "tests/support/powered_kv.hpp"

#include <algorithm>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

/// A log under test with what it must and may hold.
class life {
public:
  explicit life(std::uint64_t seed) : random_(seed), store_(host_.files, host_.store) {}

  /// Runs until the script ends or something fails. True if nothing failed.
  bool run(int steps) {
    auto opened = open();
    if (!opened) {
      CHECK_MESSAGE(host_.files.is_powerless(), why(opened));
      return false;
    }
    log_ = std::move(*opened);
    for (int i = 0; i < steps; ++i)
      if (auto done = step(); !done) {
        CHECK_MESSAGE(host_.files.is_powerless(), to_string(done.error()));
        return false;
      }
    return true;
  }

  void crash_after(std::uint64_t changes) { host_.files.crash_after(changes); }
  [[nodiscard]] std::uint64_t changes() const { return host_.files.counts().changes; }
  [[nodiscard]] bool is_powerless() const { return host_.files.is_powerless(); }

  /// Power fails, comes back, and the log must be a legal one.
  void crash_and_check(std::uint64_t seed) {
    log_.reset();
    host_.crash(seed % 8 == 0   ? crash_policy::drop_all()
                : seed % 8 == 1 ? crash_policy::keep_all()
                                : crash_policy::random(seed));
    check_reopened();
    if (log_)
      write_on_and_check();
  }

private:
  [[nodiscard]] result<std::unique_ptr<segment_log>> open() {
    return segment_log::open({host_.files, store_, *host_.cache}, group_directory("data", group_a),
                             group_a, small_segments(900));
  }

  result<void> step() {
    switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return append();
    case 4:
    case 5:
    case 6:
      return sync();
    case 7:
      return truncate();
    case 8:
      return random_.below(2) == 0 ? log_->roll() : log_->close_file();
    case 9:
      return log_->mark();
    case 10:
      return random_.below(3) == 0 ? trim() : sync();
    default:
      return random_.below(6) == 0 ? reset() : append();
    }
  }

  log_entry make_entry(std::uint64_t index) {
    const auto kind = random_.below(8);
    if (kind == 0)
      return noop_entry(index, term_);
    if (kind == 1)
      return command_entry(index, term_, std::string(random_.below(300), 'c'));
    if (kind == 2)
      return {index, term_, entry_kind::membership,
              buffer::copy_of("members " + std::to_string(random_.below(1000)))};
    const auto count = 1 + static_cast<int>(random_.below(3));
    auto entry = records_entry(index, term_, next_offset_, count, random_.below(200),
                               1000 + static_cast<std::int64_t>(random_.below(500)));
    next_offset_ += count;
    return entry;
  }

  result<void> append() {
    if (random_.below(5) == 0)
      ++term_;
    std::vector<log_entry> entries;
    const auto count = 1 + random_.below(4);
    for (std::uint64_t i = 0; i < count; ++i)
      entries.push_back(make_entry(end() + 1 + i));
    // They may be there from now on, whether the call succeeds or not.
    may_hold_.insert(may_hold_.end(), entries.begin(), entries.end());
    auto done = log_->append(entries, timestamp_ms(0));
    // A roll syncs on the way.
    must_reach_ = std::max(must_reach_, log_->durable_index());
    return done;
  }

  result<void> sync() {
    auto done = log_->sync();
    if (done)
      must_reach_ = end();
    return done;
  }

  result<void> truncate() {
    if (end() <= base_index_ + 1)
      return {};
    const auto from = std::max(base_index_ + 1, end() - std::min(end(), random_.below(9)));
    must_reach_ = std::min(must_reach_, from - 1);
    auto done = log_->truncate_from(from);
    if (!done)
      return done;
    may_hold_.resize(from - first_held_);
    next_offset_ = log_->next_offset().value;
    ++term_;
    return done;
  }

  result<void> trim() {
    if (must_reach_ <= base_index_)
      return {};
    const auto to = base_index_ + 1 + random_.below(must_reach_ - base_index_);
    trimming_to_ = to;
    log_base base;
    base.index = to;
    base.data = buffer::copy_of("base");
    auto done = log_->trim_prefix(base);
    if (done)
      base_index_ = to;
    return done;
  }

  result<void> reset() {
    log_base base{end() + 5, term_, offset_t(next_offset_ + 100), buffer::copy_of("reset")};
    reset_to_ = base;
    auto done = log_->reset(base);
    if (!done)
      return done;
    base_index_ = must_reach_ = base.index;
    trimming_to_ = 0;
    first_held_ = base.index + 1;
    may_hold_.clear();
    next_offset_ = base.next_offset.value;
    reset_to_.reset();
    return done;
  }

  [[nodiscard]] std::uint64_t end() const { return first_held_ + may_hold_.size() - 1; }

  void check_reopened() {
    auto opened = open();
    REQUIRE_MESSAGE(opened.has_value(), why(opened));
    log_ = std::move(*opened);
    if (reset_to_ && log_->base().index == reset_to_->index) {
      CHECK(log_->last_index() == reset_to_->index);
      CHECK(log_->next_offset() == reset_to_->next_offset);
      first_held_ = reset_to_->index + 1;
      may_hold_.clear();
      base_index_ = must_reach_ = reset_to_->index;
      return;
    }
    const auto base = log_->base().index;
    CHECK((base == base_index_ || base == trimming_to_));
    CHECK(log_->last_index() >= std::max(must_reach_, base));
    REQUIRE(log_->last_index() <= end());
    may_hold_.resize(log_->last_index() + 1 - first_held_);
    base_index_ = base;
    check_contents();
  }

  void check_contents() {
    const auto reader = host_.reader_of(*log_);
    std::vector<log_entry> expected;
    std::vector<log_entry> members;
    auto start_offset = offset_t(-1);
    for (const auto& entry : may_hold_) {
      if (entry.index <= log_->base().index)
        continue;
      expected.push_back(entry);
      if (entry.kind == entry_kind::membership)
        members.push_back(entry);
      if (entry.kind == entry_kind::records && start_offset.value < 0)
        start_offset = records_of(entry.body.bytes())->base_offset;
      CHECK(log_->term_at(entry.index) == entry.term);
    }
    CHECK(all_entries(reader) == expected);
    CHECK(log_->memberships() == members);
    if (start_offset.value >= 0)
      CHECK(log_->start_offset() == start_offset);
    const auto verified =
        verify_log(host_.files, group_directory("data", group_a), group_a, false, {});
    CHECK_MESSAGE(verified.has_value(), why(verified));
  }

  /// What was recovered is a log like any other: it goes on, and loses nothing that is synced.
  void write_on_and_check() {
    term_ = std::max(term_, log_->last_term()) + 1;
    next_offset_ = log_->next_offset().value;
    REQUIRE_OK(append());
    REQUIRE_OK(append());
    REQUIRE_OK(sync());
    log_.reset();
    host_.crash(crash_policy::drop_all());
    reset_to_.reset();
    trimming_to_ = base_index_;
    check_reopened();
  }

  generator random_;
  machine host_;
  powered_kv store_;
  std::unique_ptr<segment_log> log_;
  std::uint64_t term_ = 1;
  std::int64_t next_offset_ = 0;
  /// Everything appended and not truncated since index `first_held_`.
  std::vector<log_entry> may_hold_;
  std::uint64_t first_held_ = 1;
  /// Up to here the log must reach.
  std::uint64_t must_reach_ = 0;
  std::uint64_t base_index_ = 0;
  std::uint64_t trimming_to_ = 0;
  std::optional<log_base> reset_to_;
};

} // namespace

TEST_SUITE("storage.crash") {
  TEST_CASE("a log that loses power at any operation opens with everything that was synced") {
    constexpr int steps = 40;
    std::uint64_t states = 0;
    for (std::uint64_t script = 1; script <= 12; ++script) {
      life whole(script);
      REQUIRE(whole.run(steps));
      const auto changes = whole.changes();
      for (std::uint64_t at = 1; at <= changes; ++at)
        for (std::uint64_t policy = 0; policy < 6; ++policy) {
          CAPTURE(script);
          CAPTURE(at);
          CAPTURE(policy);
          life cut(script);
          cut.crash_after(at);
          // The log may survive the failure of a write that only speeds up its opening.
          (void)cut.run(steps);
          REQUIRE(cut.is_powerless());
          cut.crash_and_check((script * 1000003 + at) * 8 + policy);
          ++states;
        }
    }
    MESSAGE("crash states checked: ", states);
    CHECK(states > 3000);
  }
}
