// How far long work has come, as one line on standard error that is drawn over again. Draws at most
// ten times a second, and nothing where nobody looks (no terminal, --quiet, --no-progress).
#pragma once

#include "apps/aq/session.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace aqueduct::aq {

class progress {
public:
  using clock = std::chrono::steady_clock;

  /// `total` is the amount of work; 0 if it is not known, which shows a rate instead of a bar.
  /// `unit` is "bytes", which is shown as such, or a word like "records".
  progress(session& on, std::string unit, std::uint64_t total);

  /// `done` of the work is done. Cheap when it is not time to draw.
  void update(std::uint64_t done) {
    done_ = done;
    if (is_shown_)
      draw_if_due(clock::now());
  }
  [[nodiscard]] clock::duration elapsed() const { return clock::now() - begin_; }

  /// The line as it would be drawn now, `width` columns wide.
  [[nodiscard]] std::string line(clock::duration elapsed, std::size_t width) const;

private:
  void draw_if_due(clock::time_point now);

  session& session_;
  std::string unit_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  bool is_shown_;
  clock::time_point begin_;
  clock::time_point drawn_;
};

/// A bar of `width` columns that is filled to `share`, in eighths of a column.
[[nodiscard]] std::string bar(double share, std::size_t width);

} // namespace aqueduct::aq
