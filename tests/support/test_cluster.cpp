#include "tests/support/test_cluster.hpp"

#include "tests/support/paths.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>

namespace aqueduct::test {

namespace {

const std::filesystem::path program = built_program("aqueductd");

/// Below those that Linux gives to outgoing connections, which would be in the way of a restart.
constexpr int port_min = 10'000;
constexpr int block_ports = 1000;
constexpr int blocks = 22;

/// A block of ports that no other test program uses while this process lives: they run side by
/// side. Whose a block is says a socket with its name, which goes with the process.
int claim_block() {
  for (int tries = 0; tries < blocks; ++tries) {
    const int block = (::getpid() + tries) % blocks;
    const auto name = "aqueduct-test-ports-" + std::to_string(block);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // An abstract name: no file, and the first byte is zero.
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const int claim = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (claim < 0)
      break;
    const auto size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    if (::bind(claim, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)) ==
        0)
      return block;
    ::close(claim);
  }
  throw std::runtime_error("too many test programs run at once");
}

} // namespace

std::uint16_t free_port() {
  // One after the other, as nobody listens yet on those that were given out.
  static std::atomic<int> given = 0;
  static const int first = port_min + claim_block() * block_ports;
  for (int tries = 0; tries < block_ports; ++tries) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(first + given++ % block_ports));
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = socket >= 0 && ::bind(socket, reinterpret_cast<const sockaddr*>(&address),
                                             sizeof address) == 0;
    if (socket >= 0)
      ::close(socket);
    if (bound)
      return ntohs(address.sin_port);
  }
  throw std::runtime_error("no port is free");
}

test_cluster::test_cluster(options opts) : options_(std::move(opts)) {
  for (int i = 0; i < options_.nodes; ++i) {
    auto& node = nodes_.emplace_back();
    node.clients = free_port();
    node.nodes = free_port();
    node.operators = free_port();
  }
  if (options_.relayed) {
    std::vector<std::uint16_t> ports;
    for (const auto& each : nodes_)
      ports.push_back(each.nodes);
    network_ = std::make_unique<cluster_network>(std::move(ports));
  }
  if (options_.namespaced)
    namespaces_ = std::make_unique<namespace_network>(size());
  if (!options_.start)
    return;
  for (int node = 1; node <= size(); ++node)
    start(node);
  for (int node = 1; node <= size(); ++node)
    wait_ready(node);
}

std::string test_cluster::seeds_of(int node) const {
  if (options_.seeds)
    return *options_.seeds;
  if (!options_.found_together)
    return node == 1 ? std::string() : cluster_address(1);
  std::string seeds;
  for (int other = 1; other <= size(); ++other)
    seeds += (seeds.empty() ? "" : ",") + cluster_address(other);
  return seeds;
}

void test_cluster::start(int node) {
  std::vector<std::string> settings{"node.id=" + std::to_string(node),
                                    "cluster.listen=" + with_host(node, at(node).nodes),
                                    "cluster.advertise=" + cluster_address(node),
                                    "admin.listen=" + admin_address(node),
                                    "http.listen=" + with_host(node, 0),
                                    "discovery.seeds=" + seeds_of(node)};
  if (options_.racked)
    settings.push_back("node.rack=r" + std::to_string(node));
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  std::vector<std::string> arguments{"--data-dir", data_of(node).string(), "--listen",
                                     address(node)};
  for (const auto& setting : settings)
    arguments.insert(arguments.end(), {"--set", setting});
  auto words = namespaces_ ? namespace_network::prefix_of(node) : std::vector<std::string>();
  words.push_back(program.string());
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::filesystem::path first = words.front();
  words.erase(words.begin());
  at(node).process = std::make_unique<child_process>(first, words);
}

bool test_cluster::is_ready_until(int node, test_clock::time_point deadline) {
  const auto line = process(node).read_line(deadline);
  return line && line->starts_with("ready ");
}

void test_cluster::wait_ready(int node) {
  if (!is_ready_until(node, test_clock::now() + patience))
    throw std::runtime_error("node " + std::to_string(node) + " did not become ready; it said:\n" +
                             process(node).errors());
}

void test_cluster::kill(int node) {
  process(node).signal(SIGKILL);
  if (!process(node).wait_until(test_clock::now() + patience))
    throw std::runtime_error("a node survives SIGKILL");
  at(node).process.reset();
}

int test_cluster::stop(int node) {
  process(node).signal(SIGTERM);
  const auto status = process(node).wait_until(test_clock::now() + patience);
  if (!status)
    throw std::runtime_error("node " + std::to_string(node) + " did not stop; it said:\n" +
                             process(node).errors());
  at(node).process.reset();
  return *status;
}

void test_cluster::pause(int node) {
  process(node).signal(SIGSTOP);
}

void test_cluster::resume(int node) {
  process(node).signal(SIGCONT);
}

void test_cluster::wipe(int node) {
  std::filesystem::remove_all(data_of(node));
}

bool test_cluster::says(const std::vector<int>& nodes, const std::string& words) const {
  const auto deadline = test_clock::now() + patience;
  do {
    for (const int node : nodes)
      if (is_running(node) && at(node).process->errors().find(words) != std::string::npos)
        return true;
    std::this_thread::yield();
  } while (test_clock::now() < deadline);
  return false;
}

std::string test_cluster::address(int node) const {
  return with_host(node, at(node).clients);
}

std::string test_cluster::admin_address(int node) const {
  return with_host(node, at(node).operators);
}

std::string test_cluster::cluster_address(int node) const {
  return network_ ? network_->address(node) : with_host(node, at(node).nodes);
}

std::string test_cluster::with_host(int node, std::uint16_t port) const {
  const auto host = namespaces_ ? namespace_network::host_of(node) : std::string("127.0.0.1");
  return host + ':' + std::to_string(port);
}

std::vector<std::string> test_cluster::addresses() const {
  std::vector<std::string> all;
  for (int node = 1; node <= size(); ++node)
    all.push_back(address(node));
  return all;
}

std::filesystem::path test_cluster::data_of(int node) const {
  return folder_.path() / ("node-" + std::to_string(node));
}

} // namespace aqueduct::test
