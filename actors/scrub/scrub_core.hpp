// What a scrub does when: which groups, in which order, how fast, and what is known of it
// afterwards. Pure: it is told what was read and the time. Owned by the `scrubber` actor, which
// reads.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// A group to be scrubbed and how people call it: "orders:3".
struct scrub_target {
  group_id group;
  std::string name;
};

/// A place that could not be read or was not what was written.
struct scrub_damage {
  group_id group;
  std::string name;
  errc code = errc::storage_damaged;
  /// With path, position and index.
  std::string message;
  std::int64_t found_ms = 0;

  friend bool operator==(const scrub_damage&, const scrub_damage&) = default;
};

/// How a scrub ended.
enum class scrub_end : std::uint8_t { none, complete, stopped };

/// What is known of the scrub that runs, or of the last one.
struct scrub_report {
  bool is_running = false;
  /// The group that is read right now.
  std::string current;
  scrub_end end = scrub_end::none;
  /// -1: never.
  std::int64_t started_ms = -1;
  std::int64_t finished_ms = -1;
  std::uint64_t groups_total = 0;
  std::uint64_t groups_done = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t batches = 0;
  /// When all groups of the node were last scrubbed, and when they will be again; -1: never.
  std::int64_t last_complete_ms = -1;
  std::int64_t next_ms = -1;
  /// Of each group what its last scrub found, oldest first.
  std::vector<scrub_damage> damages;
};

class scrub_core {
public:
  /// Places that are remembered; further ones are logged only.
  static constexpr std::size_t damages_max = 256;

  struct options {
    /// Between two scrubs of the whole node; 0 is never.
    std::int64_t interval_ms = 0;
    /// Bytes per second. Above 0.
    std::uint64_t rate = 16ULL << 20;
  };

  /// What outlives the node.
  struct memory {
    /// From when on the interval counts when there was no complete scrub since.
    std::int64_t since_ms = -1;
    std::int64_t last_complete_ms = -1;
    std::vector<scrub_damage> damages;

    friend bool operator==(const memory&, const memory&) = default;
  };

  scrub_core(options opts, memory before, std::int64_t now_ms);

  /// Begins. `is_whole`: the targets are all groups of the node. Error conflict while one runs.
  [[nodiscard]] result<void> start(std::vector<scrub_target> targets, bool is_whole,
                                   std::int64_t now_ms);
  /// The group to be read; nullptr when none is.
  [[nodiscard]] const scrub_target* current() const;
  /// How much to read in one step.
  [[nodiscard]] std::uint64_t step_bytes() const;
  /// So much of the group was read.
  void stepped(std::uint64_t bytes, std::uint64_t entries, std::uint64_t batches,
               std::int64_t steady_ms);
  void found(error what, std::int64_t now_ms);
  /// The group was read to its end.
  void finish_group(std::int64_t now_ms);
  /// Ends it early. The next one on schedule comes a whole interval later.
  void stop(std::int64_t now_ms);
  /// Milliseconds until the next step may be made.
  [[nodiscard]] std::int64_t wait_ms(std::int64_t steady_ms) const;

  /// Whether a scrub of the whole node should begin by itself.
  [[nodiscard]] bool is_due(std::int64_t now_ms) const;
  void configure(options opts) { options_ = opts; }
  /// What was found in the group is there no more.
  void forget(const group_id& group);
  /// The groups in which damage is known.
  [[nodiscard]] std::vector<scrub_target> damaged() const;

  [[nodiscard]] scrub_report report() const;
  [[nodiscard]] const memory& remembered() const { return memory_; }

private:
  void begin_group(std::int64_t now_ms);
  void end(scrub_end how, std::int64_t now_ms);
  [[nodiscard]] std::int64_t next_ms() const;

  options options_;
  memory memory_;
  std::vector<scrub_target> targets_;
  /// Invariant: at most the number of targets; less while a scrub runs.
  std::size_t which_ = 0;
  bool is_whole_ = false;
  /// Of this scrub or the last one, without what is derived.
  scrub_report report_;
  /// Steady time, in microseconds, at which what was read is paid for.
  std::int64_t paid_at_us_ = 0;
};

/// The bytes of what outlives the node.
[[nodiscard]] buffer encode(const scrub_core::memory& remembered);
[[nodiscard]] result<scrub_core::memory> decode_scrub_memory(byte_span bytes);

} // namespace aqueduct::actors
