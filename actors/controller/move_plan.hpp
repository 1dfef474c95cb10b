// Which replicas should move where: pure and deterministic. It plans only; the moves are made one
// by one by whoever has the plan carried out.
#pragma once

#include "actors/controller/disk_room.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::actors {

class move_plan {
public:
  struct broker {
    std::int32_t node = 0;
    std::string rack;
    /// Alive and not draining: it may get replicas and lead.
    bool takes = true;
    disk_room disk{};
    /// It counts as gone.
    bool is_gone = false;
    /// It is to lead nothing and to get nothing, gone or not.
    bool is_draining = false;
  };
  struct move {
    /// Number of the partition in the order of `add`.
    std::size_t partition = 0;
    std::vector<std::int32_t> to;

    friend bool operator==(const move&, const move&) = default;
  };

  void add(broker b);
  /// The nodes of a partition, the preferred leader first. With `fixed` they only count. `ailing`
  /// is the one whose replica is under repair.
  void add(std::vector<std::int32_t> nodes, bool fixed, std::int32_t ailing = -1);

  /// Takes every replica off `node`: each goes to the broker with the fewest for the room on its
  /// disk (`disk_room`) that has none of the partition, in a rack that has none if there is one,
  /// and to one whose disk is full only if there is no other.
  ///
  /// With `shrink`, a replica that no other broker can take is given up, if the partition can do
  /// without: others remain, most of them on brokers that are there and in good health, and no
  /// broker that is gone now could take it when it is back. So a group keeps a majority that can
  /// commit that it is smaller, and nothing is given up for an outage.
  ///
  /// Error invalid_replication: some partition has no place to go, or cannot do without.
  [[nodiscard]] result<std::vector<move>> evacuate(std::int32_t node, bool shrink = false);
  /// Moves replicas from the brokers with the most to those with the fewest until they differ by at
  /// most one, then reorders nodes until the same holds for preferred leaders. It goes by numbers,
  /// so that it comes to an end whatever the disks do meanwhile; brokers whose disk is full get
  /// nothing.
  [[nodiscard]] std::vector<move> rebalance();

private:
  struct place {
    broker what;
    std::int64_t replicas = 0;
    std::int64_t preferred = 0;
  };
  struct partition {
    std::vector<std::int32_t> nodes;
    bool fixed = false;
    std::int32_t ailing = -1;
  };

  [[nodiscard]] place* find(std::int32_t node);
  [[nodiscard]] bool has_rack(const partition& p, const std::string& rack, std::int32_t except);
  [[nodiscard]] bool is_better(const partition& p, std::int32_t leaving, const place& one,
                               const place& other);
  [[nodiscard]] place* replacement(const partition& p, std::int32_t leaving);
  void replace(partition& p, std::int32_t from, std::int32_t to);
  [[nodiscard]] result<void> check_loss(const partition& p, std::int32_t node);
  void give_up(partition& p, std::int32_t node);
  bool even_out_replicas();
  bool even_out_leaders();
  [[nodiscard]] std::vector<move> changes(const std::vector<partition>& before) const;

  std::vector<place> brokers_;
  std::vector<partition> partitions_;
};

} // namespace aqueduct::actors
