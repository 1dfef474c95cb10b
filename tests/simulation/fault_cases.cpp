#include "tests/simulation/fault_cases.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

enum class where : std::uint8_t { groups, clusters, both, consumers };

struct row {
  std::string_view id;
  std::string_view name;
  where in;
};

constexpr row rows[] = {
    {"R1", "vote lost in a crash", where::groups},
    {"R2", "power lost after an acknowledgement", where::both},
    {"R3", "sole voter crashed before a sync", where::both},
    {"R4", "old write ended after a rewrite", where::groups},
    {"R5", "proposal replaced", where::groups},
    {"R6", "older term on a majority", where::both},
    {"R7", "commit over a foreign suffix", where::both},
    {"R8", "stale append", where::both},
    {"R8", "stale rejection", where::groups},
    {"R8", "let go by a clogged link", where::both},
    {"R9", "entries of an earlier life replaced", where::both},
    {"R10", "elected across a bridge", where::both},
    {"R10", "elected in a network of two halves", where::both},
    {"R10", "elected with one half deaf", where::both},
    {"R10", "elected in a ring", where::both},
    {"R10", "elected between two halves", where::both},
    {"R11", "returned in its term", where::both},
    {"R12", "resigned by a one-way cut", where::both},
    {"R13", "elected with an open change", where::both},
    {"R14", "change truncated", where::groups},
    {"R14", "crashed with an open change", where::both},
    {"R15", "lost disk rejoined", where::clusters},
    {"R16", "state over open entries", where::groups},
    {"R16", "crashed in a takeover", where::groups},
    {"R17", "deposed leader asked", where::both},
    {"R18", "clock jumped", where::clusters},
    {"R18", "elected with drift", where::both},
    {"R19", "resigned by a stalled disk", where::both},
    {"R20", "handed over", where::both},
    {"R20", "all killed under load", where::both},
    {"S2", "segment decayed", where::clusters},
    {"S13", "sector of another file", where::clusters},
    {"S3", "copy of a hard state damaged", where::clusters},
    {"S3", "hard state damaged", where::clusters},
    {"S1", "write torn", where::both},
    {"S4", "name lost", where::both},
    {"S5", "hole left", where::both},
    {"S6", "sync failed", where::both},
    {"S7", "disk full", where::both},
    {"S8", "write cut short", where::both},
    {"S9", "state behind its log", where::both},
    {"S9", "state ahead of its log", where::groups},
    {"S11", "derived state cut", where::both},
    {"S12", "reader behind a trim", where::clusters},
    {"S12", "follower behind a trim", where::both},
    {"B13", "old commit refused", where::consumers},
    {"B13", "static member replaced", where::consumers},
    {"B14", "coordinator lost while preparing", where::consumers},
    {"B14", "coordinator lost while completing", where::consumers},
};
static_assert(std::size(rows) == static_cast<std::size_t>(fault_case::count_));

const row& row_of(fault_case what) {
  return rows[static_cast<std::size_t>(what)];
}

} // namespace

std::string_view to_string(fault_case what) {
  return row_of(what).name;
}

std::string_view id_of(fault_case what) {
  return row_of(what).id;
}

bool is_expected(fault_case what, life_kind in) {
  const auto place = row_of(what).in;
  switch (in) {
  case life_kind::group:
    return place == where::groups || place == where::both;
  case life_kind::cluster:
    return place == where::clusters || place == where::both;
  case life_kind::consumers:
    return place == where::consumers;
  }
  return false;
}

void case_counts::note(const storage::disk_faults& faults) {
  note(fault_case::write_torn, faults.torn_writes);
  note(fault_case::name_lost, faults.lost_names);
  note(fault_case::hole_left, faults.holes);
  note(fault_case::sync_failed, faults.failed_syncs);
  note(fault_case::disk_full, faults.full);
  note(fault_case::write_cut_short, faults.short_writes);
}

void case_counts::add(const case_counts& other) {
  std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus<>());
}

std::vector<std::string> case_counts::missing(life_kind in) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < counts_.size(); ++i)
    if (const auto what = static_cast<fault_case>(i); counts_[i] == 0 && is_expected(what, in))
      names.push_back(std::string(id_of(what)) + " " + std::string(to_string(what)));
  return names;
}

std::string case_counts::table(life_kind in) const {
  std::string text;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const auto what = static_cast<fault_case>(i);
    if (counts_[i] == 0 && !is_expected(what, in))
      continue;
    auto line = "  " + std::string(id_of(what));
    line.resize(7, ' ');
    line += to_string(what);
    line.resize(44, ' ');
    text += line + std::to_string(counts_[i]) + "\n";
  }
  return text;
}

} // namespace aqueduct::actors::test
