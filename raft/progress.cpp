// The transitions of the drawing in progress.hpp.
#include "raft/progress.hpp"

#include <algorithm>

namespace aqueduct::raft {

bool progress::is_paused(std::uint32_t requests_max, std::size_t bytes_max) const {
  if (load)
    return true;
  switch (mode_) {
  case progress_mode::probe:
    return probing_;
  case progress_mode::replicate:
    return inflight_.size() >= requests_max || inflight_bytes_ >= bytes_max;
  case progress_mode::snapshot:
    return true;
  }
  return true;
}

void progress::sent(std::uint64_t count, std::size_t bytes) {
  if (mode_ == progress_mode::probe) {
    probing_ = true;
    return;
  }
  if (count == 0)
    return;
  next_ = next_ + count;
  inflight_.push_back({next_ - 1, bytes});
  inflight_bytes_ += bytes;
}

bool progress::acknowledged(log_index index) {
  if (index < match_)
    return false;
  const bool news = index > match_;
  match_ = index;
  advanced_ = advanced_ || news;
  next_ = std::max(next_, match_.next());
  while (!inflight_.empty() && inflight_.front().last <= index) {
    inflight_bytes_ -= inflight_.front().bytes;
    inflight_.pop_front();
  }
  const bool has_state = mode_ == progress_mode::snapshot && match_ >= offered_;
  if (mode_ == progress_mode::probe || has_state) {
    // The logs are known to agree up to match; what was sent beyond it as a probe is sent again.
    mode_ = progress_mode::replicate;
    next_ = match_.next();
    clear_window();
  }
  return news;
}

bool progress::rejected(log_index refused, log_index common) {
  switch (mode_) {
  case progress_mode::probe:
    if (next_ != refused.next())
      return false;
    next_ = std::max(std::min(refused, common.next()), match_.next());
    probing_ = false;
    return true;
  case progress_mode::replicate:
    if (refused <= match_)
      return false;
    restart();
    return true;
  case progress_mode::snapshot:
    return false;
  }
  return false;
}

bool progress::heard() {
  spoke();
  probing_ = false;
  return !std::exchange(advanced_, false);
}

void progress::becomes_snapshot(log_index offered) {
  restart();
  mode_ = progress_mode::snapshot;
  offered_ = offered;
  snapshot_ticks = 0;
}

void progress::restart() {
  mode_ = progress_mode::probe;
  next_ = match_.next();
  clear_window();
}

void progress::clear_window() {
  probing_ = false;
  inflight_.clear();
  inflight_bytes_ = 0;
}

} // namespace aqueduct::raft
