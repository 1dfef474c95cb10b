// Shapes that a broken network can have beside a node that is cut off, and links that hold what
// they are given. A weather draws them in a life, and heals each a while later.
#pragma once

#include "tests/simulation/sim_environment.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace aqueduct::actors::test {

/// What may be wrong between nodes.
enum class network_trouble : std::uint8_t {
  none,
  /// One node is seen by all others, who do not see each other.
  star,
  /// Two sets of nodes, mostly a majority and a minority, that do not see each other.
  halves,
  /// Two sets, one of which hears nothing of the other.
  one_way_halves,
  /// Each node reaches its two neighbours and nobody else. From four nodes on.
  ring,
  /// One node sees two sets that do not see each other.
  joined_halves,
  /// Links hold what they are given, in order, until they let go of all of it at once.
  clog,
};

/// From whom to whom: one way.
using network_link = std::pair<std::int32_t, std::int32_t>;

/// The links that nothing gets over in that shape, of nodes 1 to `nodes` in a drawn arrangement.
/// Empty where so few nodes cannot have it, and for `none` and `clog`.
[[nodiscard]] std::vector<network_link> cuts_of(network_trouble shape, std::int32_t nodes,
                                                virtual_environment& chance);

/// What a weather does things to.
class changeable_network {
public:
  virtual ~changeable_network() = default;
  /// Nothing gets over these links any more, which gives the network that shape.
  virtual void form(network_trouble shape, const std::vector<network_link>& cuts) = 0;
  virtual void clog(network_link link) = 0;
  /// Lets go of what the link held. Nothing happens if it holds nothing back.
  virtual void unclog(network_link link) = 0;
  /// Everybody hears everybody again, and no link holds anything.
  virtual void heal_network() = 0;
};

class network_weather {
public:
  struct pace {
    /// One step in so many brings something.
    std::uint64_t odds = 1;
    /// A shape lasts so many steps at least and at most.
    std::uint64_t steps_min = 1;
    std::uint64_t steps_max = 1;
    /// A link holds what it is given for up to so many steps.
    std::uint64_t clogged_steps_max = 1;
  };

  network_weather(std::uint64_t seed, std::int32_t nodes, pace given)
      : chance_(seed), nodes_(nodes), pace_(given) {}

  /// A step of the life passes. Returns what begins with it.
  std::optional<network_trouble> step(changeable_network& network);

private:
  [[nodiscard]] std::uint64_t any(std::uint64_t bound) { return chance_.random() % bound; }
  void clear_up(changeable_network& network);
  void clog_some(changeable_network& network);

  struct clogged_link {
    network_link link;
    std::uint64_t steps_left = 0;
  };

  virtual_environment chance_;
  std::int32_t nodes_;
  pace pace_;
  /// Of the present shape; 0: there is none.
  std::uint64_t steps_left_ = 0;
  std::vector<clogged_link> clogged_;
};

} // namespace aqueduct::actors::test
