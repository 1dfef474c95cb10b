// Nodes in network namespaces of the kernel (namespaces.sh), and the routes between them: what a
// black hole takes vanishes without a word, and so do the acknowledgements of TCP.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::test {

/// Whether this process runs under namespaces.sh.
[[nodiscard]] bool has_namespaces();

/// Not thread-safe. Nodes have the ids 1, 2, ... Throws std::runtime_error when a command fails.
class namespace_network {
public:
  explicit namespace_network(int nodes) : nodes_(nodes) {}
  ~namespace_network();
  namespace_network(const namespace_network&) = delete;
  namespace_network& operator=(const namespace_network&) = delete;

  /// The address of the node, without a port.
  [[nodiscard]] static std::string host_of(int node);
  /// What comes before a program and its arguments, to run it where the node is.
  [[nodiscard]] static std::vector<std::string> prefix_of(int node);

  /// Nothing gets from the node to any other, nor back. Clients are not cut off.
  void isolate(int node);
  void heal();

private:
  void cut(int from, int to);

  int nodes_;
  std::set<std::pair<int, int>> cuts_;
};

} // namespace aqueduct::test
