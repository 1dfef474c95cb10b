#include "apps/aq/progress.hpp"

#include "apps/aq/text_width.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace aqueduct::aq {

namespace {

constexpr auto draw_interval = std::chrono::milliseconds(100);
constexpr std::size_t default_width = 80;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(2, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return default_width;
  return size.ws_col;
}

} // namespace

std::string bar(double share, std::size_t width) {
  constexpr auto eighths = std::to_array<std::string_view>({"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"});
  const auto filled =
      static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * 8.0 * double(width)));
  std::string text = "▕";
  for (std::size_t i = 0; i < filled / 8; ++i)
    text += "█";
  if (filled % 8 != 0)
    text += eighths[filled % 8];
  for (std::size_t i = (filled + 7) / 8; i < width; ++i)
    text += "░";
  return text + "▏";
}

progress::progress(session& on, std::string unit, std::uint64_t total)
    : session_(on),
      unit_(std::move(unit)),
      total_(total),
      is_shown_(on.shows_progress()),
      begin_(clock::now()),
      drawn_(begin_) {}

std::string progress::line(clock::duration elapsed, std::size_t width) const {
  const auto seconds = std::max(1e-3, std::chrono::duration<double>(elapsed).count());
  const bool is_bytes = unit_ == "bytes";
  const auto per_second = static_cast<std::uint64_t>(static_cast<double>(done_) / seconds);
  const auto amount = [&](std::uint64_t n) { return is_bytes ? format_bytes(n) : format_count(n); };
  const auto speed = is_bytes ? fmt::format("{}/s", format_bytes(per_second))
                              : fmt::format("{} {}/s", format_count(per_second), unit_);
  if (total_ == 0)
    return fmt::format("{}{}  {}", amount(done_), is_bytes ? "" : " " + unit_, speed);
  const auto share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const auto left = std::chrono::milliseconds(
      static_cast<std::int64_t>(share > 0 ? seconds * 1000 * (1 - share) / share : 0));
  const auto text = fmt::format(" {:3.0f}%  {}  {} left", share * 100, speed,
                                share > 0 ? format_duration(left) : "?");
  const auto taken = display_width(text) + 2;
  return width > taken + 8 ? bar(share, std::min<std::size_t>(width - taken - 1, 40)) + text
                           : text.substr(1);
}

void progress::draw_if_due(clock::time_point now) {
  if (now - drawn_ < draw_interval)
    return;
  drawn_ = now;
  session_.draw_status(line(now - begin_, terminal_width()));
}

} // namespace aqueduct::aq
