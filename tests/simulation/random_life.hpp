// A random life of a group of replicas: the seed decides how many there are and what happens when.
// Then everything is healed, and the group has to work again.
#pragma once

#include "tests/simulation/sim_group.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aqueduct::actors::test {

/// What may happen in one step. The names are those of the coverage table.
enum class life_event : std::uint8_t {
  crash,
  crash_in_write,
  failed_sync,
  restart,
  isolation,
  one_way_cut,
  heal,
  bad_network,
  transfer,
  lost_contact,
  member_change,
  read,
  persist,
  compact,
  crash_in_takeover,
  propose,
  // Drawn beside the others, in lives that have them.
  bridge,
  stalled_disk,
  full_disk,
  room_again,
  write_error,
  power_cut_of_all,
  /// The leader, with entries that are on their way to a disk that stands still.
  stalled_and_cut_off,
  // In lives with a weather; each is healed a while later.
  halves,
  one_way_halves,
  ring,
  joined_halves,
  clog,
  count_,
};
[[nodiscard]] std::string_view to_string(life_event what);

using life_counts = std::array<std::uint64_t, static_cast<std::size_t>(life_event::count_)>;

class random_life {
public:
  explicit random_life(std::uint64_t seed, storage::flush_mode flush = storage::flush_mode::commit,
                       known_faults faults = known_faults::all);

  /// Lives `steps` steps, heals, and returns the promises that were broken.
  [[nodiscard]] std::vector<std::string> run(int steps);

  [[nodiscard]] const sim_group& group() const { return group_; }
  /// How often each thing really happened.
  [[nodiscard]] const life_counts& counts() const { return counts_; }
  /// Writes that found no room in a node's key-value store.
  [[nodiscard]] std::uint64_t refused_writes();
  /// Everything that was applied anywhere; equal for equal seeds.
  [[nodiscard]] std::string trace() const;

private:
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound) { return chance_.random() % bound; }
  [[nodiscard]] std::int32_t any_node();
  [[nodiscard]] bool happen(life_event what);
  [[nodiscard]] bool happen_beside(life_event what);
  [[nodiscard]] bool change_members();
  [[nodiscard]] bool read_somewhere();
  [[nodiscard]] bool propose_some();
  void step();
  void step_beside();
  void change_weather();
  void heal();

  virtual_environment chance_;
  /// Of what is drawn beside.
  virtual_environment other_chance_;
  known_faults faults_;
  /// Beside everything else, in lives that have one.
  std::optional<network_weather> weather_;
  /// Steps until who was cut off with a disk that stands still is heard again.
  int cut_off_steps_ = 0;
  std::int32_t nodes_;
  sim_group group_;
  life_counts counts_{};
  std::uint64_t next_value_ = 0;
  std::uint64_t next_read_ = 0;
};

} // namespace aqueduct::actors::test
