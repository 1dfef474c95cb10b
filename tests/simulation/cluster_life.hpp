// A random life of a whole cluster: the seed decides how many nodes there are, which kinds of
// trouble this life has and when they come. Then everything is healed, the cluster has to come to
// rest, and its disks are held against each other and against what clients saw.
#pragma once

#include "tests/simulation/sim_cluster.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors::test {

/// What may happen in one step. The names are those of the coverage table.
enum class cluster_event : std::uint8_t {
  // Trouble.
  power_cut,
  power_cut_of_all,
  power_cut_in_write,
  kill,
  clean_stop,
  restart,
  wipe,
  pause,
  resume,
  failed_sync,
  full_disk,
  room_again,
  isolation,
  one_way_cut,
  bridge,
  heal,
  slow_network,
  breaking_connections,
  clock_jump,
  // Operators.
  create_topic,
  delete_topic,
  alter_topic,
  add_partitions,
  move_replicas,
  drain,
  undrain,
  transfer,
  trim,
  // Clients.
  fetch,
  produce,
  // Drawn beside the others, in lives that have them.
  stalled_disk,
  write_error,
  full_disk_of_leader,
  // In lives with a weather; each is healed a while later.
  halves,
  one_way_halves,
  ring,
  joined_halves,
  clog,
  // In lives that heal softly.
  failed_hand_over,
  // Damage to one disk.
  damaged_segment,
  damaged_hard_state,
  repair,
  count_,
};
[[nodiscard]] std::string_view to_string(cluster_event what);

using cluster_counts = std::array<std::uint64_t, static_cast<std::size_t>(cluster_event::count_)>;

class cluster_life {
public:
  explicit cluster_life(std::uint64_t seed, storage::flush_mode flush = storage::flush_mode::commit,
                        known_faults faults = known_faults::all);

  /// Lives `steps` steps, heals, and returns the promises that were broken.
  [[nodiscard]] std::vector<std::string> run(int steps);

  [[nodiscard]] sim_cluster& cluster() { return cluster_; }
  /// How often each thing really happened.
  [[nodiscard]] const cluster_counts& counts() const { return counts_; }
  /// Equal for equal seeds: everything that was seen, and how much was done.
  [[nodiscard]] std::string trace() const;

private:
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound) { return chance_.random() % bound; }
  [[nodiscard]] std::int32_t any_node();
  /// A node that can be asked; 0 if there is none.
  [[nodiscard]] std::int32_t any_ready();
  [[nodiscard]] std::shared_ptr<const topic_route> any_topic();
  void step();
  void step_beside();
  [[nodiscard]] bool happen(cluster_event what);
  [[nodiscard]] bool happen_beside(cluster_event what);
  [[nodiscard]] bool happen_to_node(cluster_event what);
  [[nodiscard]] bool happen_to_network(cluster_event what);
  [[nodiscard]] bool operate(cluster_event what);
  [[nodiscard]] bool ask(cluster_event what);
  [[nodiscard]] bool move_replicas();
  [[nodiscard]] bool transfer_somewhere();
  /// The leader hears of a kill at once, and of an isolation when the link has been silent.
  enum class loss : std::uint8_t { kill, isolation };
  [[nodiscard]] bool fail_hand_over(loss how);
  void do_damage();
  void change_weather();
  void heal();
  [[nodiscard]] bool comes_to_rest();

  virtual_environment chance_;
  /// Of what is drawn beside.
  virtual_environment other_chance_;
  known_faults faults_;
  std::int32_t nodes_;
  sim_cluster cluster_;
  cluster_counts counts_{};
  /// Bit n: event n may happen in this life.
  std::uint64_t mood_;
  bool may_lose_a_disk_;
  /// Draws damage: other lives are as they would be without.
  virtual_environment decay_;
  bool has_decay_;
  /// At the end only what needs it is started again: what stands still is not freed by that.
  bool heals_softly_;
  virtual_environment hand_overs_;
  /// Beside everything else, in lives that have one.
  std::optional<network_weather> weather_;
  /// Nodes whose disks were made to fail once: some of their groups may have given up.
  std::set<std::int32_t> spoiled_;
};

} // namespace aqueduct::actors::test
