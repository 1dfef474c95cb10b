#include "apps/aq/wait_for_moves.hpp"

#include "apps/aq/progress.hpp"

#include <optional>
#include <thread>

namespace aqueduct::aq {

exit_code wait_for_moves(session& on, const moves_left& left, std::string_view how_to_stop) {
  constexpr std::chrono::milliseconds look_again{100};
  std::uint64_t total = 0;
  std::optional<progress> meter;
  while (true) {
    const auto now = left();
    if (now && *now == 0)
      return exit_code::done;
    if (!now && !describe(now.error().code).retriable)
      return on.fail(now.error());
    if (!now) {
      on.detail(now.error().message);
    } else {
      // More is planned as brokers and topics come and go.
      if (!meter || *now > total) {
        total = *now;
        meter.emplace(on, "moves", total);
      }
      meter->update(total - *now);
    }
    if (on.interrupted()) {
      on.note(how_to_stop);
      return exit_code::interrupted;
    }
    std::this_thread::sleep_for(look_again);
  }
}

} // namespace aqueduct::aq
