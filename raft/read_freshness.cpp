#include "raft/read_freshness.hpp"

#include "raft/defects.hpp"

#include <algorithm>

namespace aqueduct::raft {

read_freshness::round read_freshness::need_latest() {
  wanted_ = last_ + 1;
  return wanted_;
}

read_freshness::round read_freshness::need_within(std::int64_t now_ms, std::int64_t age_ms_max) {
  const auto is_young = [&](const proof& each) {
    return age_ms(each.begun_ms, now_ms) <= age_ms_max || has_defect(defect::proof_never_ages);
  };
  if (proven_.number > 0 && is_young(proven_))
    return 0;
  const auto found = std::find_if(ahead_.begin(), ahead_.end(), is_young);
  if (found != ahead_.end())
    return found->number;
  if (under_way_ && is_young(*under_way_))
    return under_way_->number;
  return need_latest();
}

std::optional<read_freshness::round> read_freshness::begin(std::int64_t now_ms) {
  if (under_way_ || wanted_ <= last_)
    return std::nullopt;
  last_ = wanted_;
  under_way_ = proof{last_, now_ms, {}};
  return last_;
}

void read_freshness::answered(round which, std::optional<log_index> index) {
  if (!under_way_ || under_way_->number != which)
    return;
  auto done = *under_way_;
  under_way_.reset();
  if (!index) {
    failed_ = which;
    return;
  }
  answered_ = which;
  done.index = *index;
  ahead_.push_back(done);
  applied(applied_);
}

void read_freshness::applied(log_index upto) {
  applied_ = std::max(applied_, upto);
  while (!ahead_.empty() && ahead_.front().index <= applied_) {
    proven_ = ahead_.front();
    ahead_.pop_front();
  }
}

std::optional<std::int64_t> read_freshness::proven_since_ms() const {
  return proven_.number > 0 ? std::optional(proven_.begun_ms) : std::nullopt;
}

} // namespace aqueduct::raft
