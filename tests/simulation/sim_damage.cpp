// Damage to the disks of a simulated cluster: where it may be done, and whether it is repaired.
#include "storage/hard_state.hpp"
#include "storage/log_scan.hpp"
#include "storage/log_store.hpp"
#include "storage/log_verify.hpp"
#include "tests/simulation/sim_cluster.hpp"

#include <algorithm>

namespace aqueduct::actors::test {

namespace {

constexpr std::size_t sector_bytes = 512;
/// Between two looks for damage that nobody has come across yet.
constexpr std::int64_t scrub_ms = 2000;

} // namespace

/// All its replicas are voters in the present lives of their disks, and nothing of it changes.
bool sim_cluster::can_lose_a_copy(const topic_record& topic, std::int32_t partition) {
  const auto& placed = topic.partitions[static_cast<std::size_t>(partition)];
  if (placed.nodes.size() < 3 || placed.is_changing() || !placed.repairs.empty())
    return false;
  const auto leads = leader_of(topic.name, partition);
  if (leads == 0 || is_paused(leads))
    return false;
  const auto report = broker(leads).report({topic.id, partition});
  return report && report->role == raft::role_kind::leader && report->commit == report->last &&
         report->members.learners.empty() && report->members.voters.size() == placed.nodes.size() &&
         std::ranges::all_of(report->members.voters, [this](raft::replica_id who) {
           return at(who.node.value).incarnation == who.incarnation.value;
         });
}

bool sim_cluster::spoil_segment(std::int32_t node, const group_id& group) {
  auto& disk = *machine(node).disk;
  const auto directory = storage::group_directory("/data", group);
  std::vector<std::string> closed;
  for (const auto& path : disk.files())
    if (path.starts_with(directory + "/") &&
        storage::parse_segment_name(path.substr(directory.size() + 1)))
      closed.push_back(path);
  if (closed.size() < 2)
    return false;
  closed.pop_back();
  const auto& path = closed[chance_->random() % closed.size()];
  auto bytes = *disk.contents(path);
  if (bytes.size() < sector_bytes)
    return false;
  const auto position = chance_->random() % bytes.size();
  const auto kind = chance_->random() % 3;
  note("node " + std::to_string(node) + ": " + path + " is damaged at " + std::to_string(position) +
       ", in way " + std::to_string(kind));
  if (kind == 0) {
    const bool is_flipped =
        disk.flip_bit(path, position, static_cast<unsigned>(chance_->random() % 8));
    book_->counts.note(fault_case::segment_decayed, is_flipped ? 1 : 0);
    return is_flipped;
  }
  // A write that went elsewhere, or one of another file that came here.
  const auto begin = position / sector_bytes * sector_bytes;
  const auto size = std::min(sector_bytes, bytes.size() - begin);
  std::vector<std::byte> other(size);
  if (kind == 2) {
    const auto all = disk.files();
    const auto source = disk.contents(all[chance_->random() % all.size()]);
    std::copy_n(source->begin(), std::min(size, source->size()), other.begin());
  }
  const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
  if (std::equal(other.begin(), other.end(), place))
    return false;
  std::ranges::copy(other, place);
  disk.put(path, bytes);
  book_->counts.note(kind == 1 ? fault_case::segment_decayed : fault_case::segment_misdirected);
  return true;
}

bool sim_cluster::spoil_hard_state(std::int32_t node, const group_id& group) {
  const auto key = storage::group_prefix(group);
  const auto which = options_.copies_decay ? chance_->random() % 3 : 2;
  storage::write_batch batch;
  if (which != 1)
    batch.put(storage::family::hard_state, "a" + key, "rotten");
  if (which != 0)
    batch.put(storage::family::hard_state, "b" + key, "rotten");
  return machine(node).kv->write(batch, storage::durability::synced).has_value();
}

bool sim_cluster::damage(std::int32_t node, bool is_hard_state) {
  if (damage_ && !tend_damage().empty())
    return false;
  for (const auto& topic : topics())
    for (std::size_t p = 0; p < topic->partitions.size(); ++p) {
      const auto& placed = topic->record.partitions[p];
      const group_id group{topic->record.id, static_cast<std::int32_t>(p)};
      if (std::ranges::find(placed.nodes, node) == placed.nodes.end() ||
          !can_lose_a_copy(topic->record, group.partition))
        continue;
      if (is_hard_state) {
        // Open, it is in memory and written again.
        if (is_up(node))
          return false;
        if (!spoil_hard_state(node, group))
          return false;
        // The other copy does: nothing has to be repaired.
        if (storage::load_hard_state(*machine(node).kv, group)) {
          book_->counts.note(fault_case::hard_state_copy_damaged);
          return true;
        }
        book_->counts.note(fault_case::hard_state_damaged);
      } else if (!spoil_segment(node, group)) {
        continue;
      }
      damage_ = {node, group, is_hard_state, placed.changes, 0};
      return true;
    }
  return false;
}

bool sim_cluster::is_sound(const damage_done& done, bool only_closed) {
  auto& host = machine(done.node);
  if (done.is_hard_state)
    return storage::load_hard_state(*host.kv, done.group).has_value();
  storage::log_verifier check(*host.disk, storage::group_directory("/data", done.group), done.group,
                              only_closed);
  if (!check.begin())
    return false;
  for (;;) {
    const auto complete = check.step(1 << 20);
    if (!complete || *complete)
      return complete.has_value();
  }
}

std::string sim_cluster::tend_damage() {
  if (!damage_)
    return {};
  const auto truth = topics();
  const auto topic = std::ranges::find_if(
      truth, [&](const auto& each) { return each->record.id == damage_->group.topic; });
  const replica_set* placed = nullptr;
  if (topic != truth.end())
    placed = &(*topic)->record.partitions[static_cast<std::size_t>(damage_->group.partition)];
  const bool is_healthy = is_sound(*damage_, false);
  if (is_healthy && (placed == nullptr || (placed->repairs.empty() && !placed->is_changing()))) {
    repairs_ += placed != nullptr && placed->changes >= damage_->changes + 3 ? 1 : 0;
    damage_.reset();
    return {};
  }
  const auto node = damage_->node;
  if (is_ready(node) && !is_paused(node) && now_ms_ >= damage_->next_scrub_ms) {
    damage_->next_scrub_ms = now_ms_ + scrub_ms;
    // A log that was cut in the damaged segment has it open again: who starts looks there.
    if (!is_healthy && is_sound(*damage_, true)) {
      kill(node);
      start(node);
    } else {
      broker(node).scrub();
    }
  }
  return "node " + std::to_string(node) + " has damage that is not repaired";
}

} // namespace aqueduct::actors::test
