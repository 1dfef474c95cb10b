// Host names to addresses without waiting: each name is looked up by a thread of its own, so that
// one that takes long delays no other. Numeric addresses need no thread.
#pragma once

#include "actors/network/stream.hpp"
#include "config/node_config.hpp"
#include "protocol/result.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace aqueduct::actors::network {

/// Thread-safe.
class name_lookup {
public:
  using answer = std::function<void(const result<std::vector<tcp::endpoint>>&)>;

  name_lookup() = default;
  name_lookup(const name_lookup&) = delete;
  name_lookup& operator=(const name_lookup&) = delete;
  /// From here on nobody is called.
  ~name_lookup();

  /// Calls `then` once, from this or another thread, or never when this object ends before. Who
  /// asks for a name that is being looked up waits for that answer. `then` must not call back.
  void find(const config::endpoint& of, answer then);

private:
  struct pending {
    std::mutex mutex;
    std::map<std::string, std::vector<answer>> waiting;
  };

  std::shared_ptr<pending> pending_ = std::make_shared<pending>();
};

} // namespace aqueduct::actors::network
