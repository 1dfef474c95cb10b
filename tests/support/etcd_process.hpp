// A real etcd of one member, on ports of its own that it keeps, with its data in a temporary
// folder.
#pragma once

#include "tests/support/child_process.hpp"
#include "tests/support/temp_directory.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace aqueduct::test {

/// Not thread-safe.
class etcd_process {
public:
  /// Whether the program is there (Debian's package etcd-server).
  [[nodiscard]] static bool is_installed();

  /// Starts it and waits until it answers. Every failure throws std::runtime_error.
  etcd_process();

  void start();
  /// SIGKILL, and waits for the end.
  void kill();
  /// Removes its data. Precondition: it does not run.
  void wipe();

  /// "127.0.0.1:PORT" for its clients.
  [[nodiscard]] std::string address() const;
  /// Whether a key exists.
  [[nodiscard]] bool has(const std::string& key) const;
  /// Waits until a key exists, or no longer does; false when the patience of the test is over.
  [[nodiscard]] bool becomes(const std::string& key, bool exists) const;

private:
  /// The answer with its header; empty when there is none.
  [[nodiscard]] std::string post(const std::string& path, const std::string& body) const;

  temp_directory folder_;
  std::uint16_t clients_;
  std::uint16_t peers_;
  std::unique_ptr<child_process> process_;
};

} // namespace aqueduct::test
