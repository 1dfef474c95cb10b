// A whole node in virtual time: the shipped actors under CAF's test coordinator, on a simulated
// machine whose disk loses what was not synced. One thread, no clock, no chance but the seed.
#pragma once

#include "actors/controller/controller.hpp"
#include "actors/directory.hpp"
#include "actors/scrub/scrubber.hpp"
#include "actors/storage_pool/storage_worker.hpp"
#include "actors/storage_pool/upkeep.hpp"
#include "tests/simulation/sim_environment.hpp"
#include "tests/simulation/slow_storage.hpp"
#include "tests/support/powered_kv.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors::test {

/// What survives a node: the disk, the store, and the time.
class sim_machine {
public:
  explicit sim_machine(std::uint64_t seed);

  /// Power is lost and comes back.
  void crash(std::uint64_t seed);
  /// Only the processes end: everything that was written stays.
  void keep_all();

  std::shared_ptr<storage::sim_disk> disk;
  std::shared_ptr<storage::memory_kv> store;
  std::shared_ptr<storage::kv> kv;
  std::shared_ptr<environment> env;
  /// Felt by storage that has `spawn_slow_storage` in front of it.
  std::shared_ptr<disk_pace> pace = std::make_shared<disk_pace>();
  void advance(std::int64_t ms);
  /// A millisecond passes for the world. Returns how many pass here: 1, unless the clocks drift.
  std::int64_t pass();
  /// Clocks and timers run at so many thousandths of the true rate.
  void drift(std::int64_t rate_per_mille) { rate_per_mille_ = rate_per_mille; }
  [[nodiscard]] std::int64_t rate_per_mille() const { return rate_per_mille_; }
  /// The wall clock jumps.
  void skew(std::int64_t ms) { time_->skew(ms); }
  /// The disk is replaced by an empty one.
  void wipe();

private:
  std::shared_ptr<virtual_environment> time_;
  std::int64_t rate_per_mille_ = 1000;
  /// Time that has passed for the world and not yet here.
  std::int64_t credit_ = 0;
};

/// What became of a question; empty until it is answered.
template <class Outcome>
using answer = std::shared_ptr<std::optional<Outcome>>;

class sim_node {
public:
  struct options {
    std::uint64_t segment_bytes = 2048;
    std::int32_t workers = 1;
    std::uint64_t reserve_bytes = 0;
    storage::flush_mode flush = storage::flush_mode::commit;
    std::int32_t partitions_max = 10'000;
    scrub_core::options scrub;
    /// As `partition_services`; 0 is never.
    std::int64_t idle_timeout_ms = 0;
    std::int64_t sync_interval_ms = 1000;
  };

  explicit sim_node(sim_machine& machine) : sim_node(machine, options{}) {}
  sim_node(sim_machine& machine, options opts);
  /// Kills the actors as a crash does: whatever they still try fails if the power is off.
  ~sim_node();

  /// Runs until nothing is left to do at this time.
  void settle();
  /// Lets time pass in steps of a millisecond, running everything that becomes due.
  void run_for(std::int64_t ms);
  /// Lets a millisecond pass, and runs so many of the messages that are due, no more.
  void run_part(std::size_t messages);
  /// Actors that live: a partition that sleeps has one less than one that is awake.
  [[nodiscard]] std::size_t actor_count() const;
  [[nodiscard]] bool is_ready() const { return ready_ && ready_->has_value(); }
  /// Stops cleanly; the actors are gone afterwards.
  void stop();

  answer<result<topic_outcome>> create_topic(const std::string& name, std::int32_t partitions);
  answer<result<topic_outcome>> delete_topic(const std::string& name);
  answer<result<topic_outcome>> alter_topic(const std::string& name, const std::string& setting,
                                            const std::string& value);
  answer<result<topic_outcome>> add_partitions(const std::string& name, std::int32_t partitions);
  /// The topic whose partitions coordinate consumer groups; what was answered.
  answer<result<controller_answer>> create_coordinators(std::int32_t partitions);
  /// Questions are only put into mailboxes until the next `settle`, `run_for` or `stop`.
  void hold() { held_ = true; }
  [[nodiscard]] bool is_stopped() const { return stopped_; }
  /// Settings were read again, with these limits and defaults.
  void reconfigure(const controller_core::limits& limits);
  [[nodiscard]] const controller_core::limits& limits() const { return limits_; }
  answer<produce_outcome> produce(const std::string& topic, std::int32_t partition,
                                  const buffer& batch);
  answer<trim_outcome> trim(const std::string& topic, std::int32_t partition,
                            std::int64_t before_offset);
  answer<offset_outcome> find_offset(const std::string& topic, std::int32_t partition,
                                     std::int64_t timestamp_ms);
  answer<describe_outcome> describe(const std::string& topic, std::int32_t partition);
  answer<fetch_outcome> fetch(const std::string& topic, std::int32_t partition, std::int64_t offset,
                              bool wait = false);

  /// Has the first storage worker make everything durable, as operators may ask (admin flush).
  answer<result<void>> sync();
  /// As `scrub_start`; what was answered.
  answer<result<void>> scrub(const std::string& topic = {}, std::int32_t partition = -1);
  void stop_scrub();
  [[nodiscard]] std::shared_ptr<const scrub_report> last_scrub() const { return board_->load(); }

  [[nodiscard]] topic_directory& directory() { return *directory_; }

private:
  /// Sends a change of a topic; its outcome ends up in the answer.
  template <class Call, class Request>
  answer<result<topic_outcome>> change(Request request);
  /// `settle`, unless questions are held.
  void ask();
  [[nodiscard]] partition_actor partition_of(const std::string& topic, std::int32_t partition);

  sim_machine& machine_;
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<topic_directory> directory_ = std::make_shared<topic_directory>();
  std::shared_ptr<const partition_services> services_;
  bool held_ = false;
  bool stopped_ = false;
  controller_core::limits limits_;
  controller_actor controller_;
  scrubber_actor scrubber_;
  upkeep_actor upkeep_;
  std::shared_ptr<scrub_board> board_ =
      std::make_shared<scrub_board>(std::make_shared<const scrub_report>());
  std::shared_ptr<std::optional<result<void>>> ready_ =
      std::make_shared<std::optional<result<void>>>();
};

/// A batch of one record.
[[nodiscard]] buffer make_batch(const std::string& value,
                                std::int64_t timestamp_ms = start_time_ms);
/// A batch of an idempotent producer.
[[nodiscard]] buffer make_batch(const std::string& value, std::int64_t producer,
                                std::int32_t sequence);
/// Values by offset of all batches, each of which must be valid.
[[nodiscard]] result<std::map<std::int64_t, std::string>> values_of(const buffer_chain& records);

} // namespace aqueduct::actors::test
