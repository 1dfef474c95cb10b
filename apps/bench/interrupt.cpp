#include "apps/bench/interrupt.hpp"

#include <csignal>

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

} // namespace aqueduct::bench
