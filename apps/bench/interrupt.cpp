#include "apps/bench/interrupt.hpp"

#include <chrono>
#include <csignal>
#include <thread>

namespace aqueduct::bench {

namespace {

volatile std::sig_atomic_t interrupted = 0;

} // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool is_interrupted() {
  return interrupted != 0;
}

result<void> wait_seconds(double seconds) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::duration<double>(seconds);
  while (steady_clock::now() < end) {
    if (is_interrupted())
      return unexpected(errc::cancelled, "interrupted");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

} // namespace aqueduct::bench
