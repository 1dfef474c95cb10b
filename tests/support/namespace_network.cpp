#include "tests/support/namespace_network.hpp"

#include "tests/support/child_process.hpp"

#include <cstdlib>
#include <stdexcept>

namespace aqueduct::test {

namespace {

const std::string ip_program = "/usr/sbin/ip";

void ip(const std::vector<std::string>& arguments) {
  child_process command(ip_program, arguments);
  if (command.wait_until(test_clock::now() + patience) != 0)
    throw std::runtime_error("a route cannot be changed: " + command.errors());
}

} // namespace

bool has_namespaces() {
  return std::getenv("AQUEDUCT_NAMESPACES") != nullptr;
}

namespace_network::~namespace_network() {
  try {
    heal();
  } catch (const std::exception&) {
    // The namespaces end with the process.
  }
}

std::string namespace_network::host_of(int node) {
  return "10.9.0." + std::to_string(node);
}

std::vector<std::string> namespace_network::prefix_of(int node) {
  return {ip_program, "netns", "exec", "n" + std::to_string(node)};
}

void namespace_network::cut(int from, int to) {
  if (cuts_.emplace(from, to).second)
    ip({"-netns", "n" + std::to_string(from), "route", "add", "blackhole", host_of(to) + "/32"});
}

void namespace_network::isolate(int node) {
  for (int other = 1; other <= nodes_; ++other)
    if (other != node) {
      cut(node, other);
      cut(other, node);
    }
}

void namespace_network::heal() {
  for (const auto& [from, to] : std::exchange(cuts_, {}))
    ip({"-netns", "n" + std::to_string(from), "route", "delete", "blackhole", host_of(to) + "/32"});
}

} // namespace aqueduct::test
