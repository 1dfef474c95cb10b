#include "actors/scrub/scrubber.hpp"

#include "storage/log_store.hpp"
#include "storage/log_verify.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>

namespace aqueduct::actors {

namespace {

constexpr std::string_view memory_key = "scrub";

struct scrubber_state {
  scrubber_state() = default;

  void begin(scrubber_actor::pointer actor, scrubber_config given) {
    self = actor;
    config = std::move(given);
    const auto now = config.env->now_ms();
    core.emplace(config.options, remembered(), now);
    remember();
    publish();
    schedule_tick();
    if (auto known = core->damaged(); config.damaged && !known.empty())
      (void)start(std::move(known), false);
  }

  // -- requests ----------------------------------------------------------------------------------

  void handle(scrub_start& request) {
    auto targets = find_targets(request.topic, request.partition);
    request.done(targets ? start(std::move(*targets), request.topic.empty())
                         : result<void>(targets.propagate()));
  }

  void handle(scrub_stop& request) {
    if (core->current() != nullptr) {
      core->stop(config.env->now_ms());
      finished();
    }
    request.done({});
  }

  void handle(scrub_configure& request) {
    core->configure(request.options);
    publish();
  }

  void handle(scrub_forget& news) {
    core->forget(news.group);
    remember();
    publish();
  }

  void handle(scrub_tick&) {
    if (core->is_due(config.env->now_ms()))
      if (auto targets = find_targets({}, -1))
        (void)start(std::move(*targets), true);
    schedule_tick();
  }

  void handle(scrub_step& due) {
    if (due.run != run || core->current() == nullptr)
      return;
    read_some(*core->current());
    if (core->current() == nullptr) {
      finished();
      return;
    }
    publish();
    schedule_step();
  }

  // -- a scrub -----------------------------------------------------------------------------------

  [[nodiscard]] result<std::vector<scrub_target>> find_targets(const std::string& name,
                                                               std::int32_t partition) const {
    std::vector<scrub_target> targets;
    if (name.empty())
      targets.push_back({controller_group, "controller"});
    bool is_known = name.empty();
    for (const auto& topic : config.directory->all()) {
      if (!name.empty() && topic->record.name != name)
        continue;
      is_known = true;
      for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
        const auto number = static_cast<std::int32_t>(i);
        if (topic->partitions[i]->handle && (partition < 0 || partition == number))
          targets.push_back(
              {{topic->record.id, number}, topic->record.name + ":" + std::to_string(number)});
      }
    }
    if (!is_known)
      return unexpected(errc::unknown_topic, "the node knows no topic \"" + name + "\"");
    if (targets.empty() && partition >= 0)
      return unexpected(errc::unknown_partition, "the node holds no partition " +
                                                     std::to_string(partition) + " of topic \"" +
                                                     name + "\"");
    return targets;
  }

  [[nodiscard]] result<void> start(std::vector<scrub_target> targets, bool is_whole) {
    if (auto started = core->start(std::move(targets), is_whole, config.env->now_ms()); !started)
      return started;
    ++run;
    config.log->info("scrub of {} begins", is_whole ? "the node" : "a topic");
    publish();
    if (core->current() != nullptr)
      self->send(self, scrub_request{scrub_step{run}});
    else
      finished();
    return {};
  }

  /// One step into the group; its end, when there is nothing more.
  void read_some(const scrub_target& target) {
    if (!check) {
      check.emplace(*config.disk, storage::group_directory(config.data_dir, target.group),
                    target.group, true);
      if (auto begun = check->begin(); !begun) {
        found(target, begun.error());
        finish_group();
        return;
      }
    }
    const auto before = check->progress();
    const auto done = check->step(core->step_bytes());
    const auto& now = check->progress();
    core->stepped(now.bytes - before.bytes, now.entries - before.entries,
                  now.batches - before.batches, config.env->steady_ms());
    if (!done)
      found(target, done.error());
    else if (*done)
      finish_group();
  }

  void found(const scrub_target& target, const error& what) {
    config.log->error("scrub of {} ({}): {}", target.name, to_string(target.group),
                      to_string(what));
    core->found(what, config.env->now_ms());
    if (what.code == errc::storage_damaged && config.damaged)
      config.damaged(target.group, what);
  }

  void finish_group() {
    check.reset();
    core->finish_group(config.env->now_ms());
  }

  void finished() {
    check.reset();
    const auto report = core->report();
    config.log->info("scrub {}: {} of {} groups, {} bytes, {} damaged places known",
                     report.end == scrub_end::complete ? "complete" : "stopped", report.groups_done,
                     report.groups_total, report.bytes, report.damages.size());
    remember();
    publish();
  }

  void schedule_step() {
    const auto wait = core->wait_ms(config.env->steady_ms());
    self->delayed_send(self, std::chrono::milliseconds(wait), scrub_request{scrub_step{run}});
  }

  void schedule_tick() {
    self->delayed_send(self, std::chrono::milliseconds(config.tick_ms),
                       scrub_request{scrub_tick{}});
  }

  // -- memory ------------------------------------------------------------------------------------

  [[nodiscard]] scrub_core::memory remembered() const {
    const auto row = config.state->get(storage::family::node_meta, memory_key);
    if (!row || !*row)
      return {};
    auto decoded = decode_scrub_memory(std::as_bytes(std::span(**row)));
    if (decoded)
      return std::move(*decoded);
    // It says when to scrub, no more: the next scrub finds everything again.
    config.log->warn("{}", to_string(decoded.error()));
    return {};
  }

  void remember() {
    storage::write_batch batch;
    batch.put(storage::family::node_meta, memory_key, encode(core->remembered()).text());
    if (auto written = config.state->write(batch, storage::durability::relaxed); !written)
      config.log->warn("the result of the scrub is forgotten with the next restart: {}",
                       to_string(written.error()));
  }

  void publish() { config.board->store(std::make_shared<const scrub_report>(core->report())); }

  scrubber_actor::pointer self = nullptr;
  scrubber_config config;
  std::optional<scrub_core> core;
  /// Of the group that is read.
  std::optional<storage::log_verifier> check;
  /// Number of the scrub.
  std::uint64_t run = 0;
};

scrubber_actor::behavior_type scrubber(scrubber_actor::stateful_pointer<scrubber_state> self,
                                       scrubber_config config) {
  self->state.begin(self, std::move(config));
  auto* state = &self->state;
  return {[state](scrub_request& request) {
    std::visit([state](auto& what) { state->handle(what); }, request.what);
  }};
}

} // namespace

scrubber_actor spawn_scrubber(caf::actor_system& system, scrubber_config config) {
  if (config.detached)
    return system.spawn<caf::detached>(scrubber, std::move(config));
  return system.spawn(scrubber, std::move(config));
}

} // namespace aqueduct::actors
