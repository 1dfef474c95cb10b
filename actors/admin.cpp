#include "actors/admin.hpp"

#include "actors/admin_cluster.hpp"
#include "actors/logging.hpp"
#include "config/node_model.hpp"
#include "storage/disk.hpp"

#include <caf/actor_system.hpp>
#include <caf/error.hpp>
#include <caf/result.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/logger.h>

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>

namespace aqueduct::actors {

namespace {

constexpr auto describe_timeout = std::chrono::seconds(10);

std::uint64_t resident_bytes() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (auto* statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%lu %lu", &total, &resident) != 2)
      resident = 0;
    std::fclose(statm);
  }
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<config::log_level> parse_level(std::string_view text) {
  for (const auto& [level, name] : config::spelling<config::log_level>::names)
    if (text == name)
      return level;
  return std::nullopt;
}

admin_done done(const result<void>& outcome) {
  admin_done answer;
  if (!outcome) {
    answer.error = static_cast<std::uint16_t>(outcome.error().code);
    answer.message = outcome.error().message;
  }
  return answer;
}

result<void> check_version(std::uint16_t version) {
  if (version == admin_version)
    return {};
  return unexpected(errc::unsupported_version,
                    "the node speaks version " + std::to_string(admin_version) +
                        " of the admin interface, the client version " + std::to_string(version));
}

/// Collects the descriptions of many partitions for a thread that waits for them.
class description : public query_sink {
public:
  explicit description(std::vector<admin_partition> rows) : rows_(std::move(rows)) {}

  void described(std::uint32_t slot, describe_outcome outcome) override {
    const std::lock_guard lock(mutex_);
    auto& row = rows_[slot];
    row.error = outcome.error == errc::none ? std::string() : std::move(outcome.message);
    row.leader = outcome.leader;
    row.epoch = outcome.leader_epoch;
    row.log_start = outcome.log_start;
    row.high_watermark = outcome.high_watermark;
    row.size_bytes = outcome.size_bytes;
    ++described_;
    changed_.notify_one();
  }
  void found_offset(std::uint32_t, offset_outcome) override {}
  void trimmed(std::uint32_t, trim_outcome) override {}

  /// What is there when all have answered, or when the time is over.
  [[nodiscard]] std::vector<admin_partition> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, describe_timeout, [&] { return described_ >= count; });
    return rows_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<admin_partition> rows_;
  std::size_t described_ = 0;
};

/// Empty if no replica is under repair.
std::string repair_text(const replica_set& placed) {
  if (placed.repairs.empty())
    return {};
  const auto& repair = placed.repairs.front();
  const auto text =
      "the replica on node " + std::to_string(repair.node) + " is damaged and under repair: ";
  switch (repair.stage) {
  case repair_stage::leaving:
    return text + "the group goes on without it";
  case repair_stage::left:
    return text + "it has left the group, and its node sets it aside";
  case repair_stage::returning:
    break;
  }
  return text + "a new one takes everything from the others";
}

admin_partitions describe_partitions(const admin_services& node, const std::string& only) {
  std::vector<admin_partition> rows;
  std::vector<std::shared_ptr<partition_route>> routes;
  for (const auto& topic : node.directory->all()) {
    if (!only.empty() && topic->record.name != only)
      continue;
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      if (!topic->partitions[i]->handle)
        continue;
      admin_partition row;
      row.topic = topic->record.name;
      row.topic_id = to_string(topic->record.id);
      row.partition = static_cast<std::int32_t>(i);
      row.replicas = topic->record.partitions[i].nodes;
      row.error = "no answer";
      row.damage = repair_text(topic->record.partitions[i]);
      rows.push_back(std::move(row));
      routes.push_back(topic->partitions[i]);
    }
  }
  for (const auto& damage : node.scrubs->load()->damages)
    for (auto& row : rows)
      if (row.damage.empty() && row.partition == damage.group.partition &&
          row.topic_id == to_string(damage.group.topic))
        row.damage = damage.message;
  const auto sink = std::make_shared<description>(std::move(rows));
  for (std::uint32_t slot = 0; slot < routes.size(); ++slot)
    caf::anon_send(routes[slot]->handle, partition_call{describe_item{sink, slot}});
  admin_partitions answer;
  answer.partitions = sink->wait(routes.size());
  return answer;
}

admin_status describe_node(const admin_services& node) {
  admin_status status;
  status.node = node.node;
  status.software = node.software;
  status.state = node.is_draining() ? "draining" : "running";
  status.address = node.address;
  status.data_dir = node.data_dir;
  status.started_ms = node.started_ms;
  if (const auto view = node.view->load()) {
    status.cluster = to_string(view->id);
    status.controller = view->controller;
  }
  for (const auto& topic : node.directory->all()) {
    ++status.topics;
    status.partitions += static_cast<std::int64_t>(topic->partitions.size());
    status.repairs +=
        std::ranges::count_if(topic->record.partitions, [&](const replica_set& placed) {
          return placed.repair_of(node.node).has_value();
        });
  }
  status.connections = static_cast<std::int64_t>(node.connections());
  status.resident_bytes = resident_bytes();
  if (const auto space = node.disk->space(node.data_dir)) {
    status.disk_free_bytes = space->free_bytes;
    status.disk_total_bytes = space->total_bytes;
  }
  status.cache_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(node.cache->used(), 0));
  const auto scrub = node.scrubs->load();
  status.is_scrubbing = scrub->is_running;
  status.scrub_last_ms = scrub->last_complete_ms;
  status.scrub_next_ms = scrub->next_ms;
  status.damaged = scrub->damages.size();
  return status;
}

admin_scrub_status describe_scrub(const scrub_report& scrub) {
  admin_scrub_status status;
  status.is_running = scrub.is_running;
  status.current = scrub.current;
  if (scrub.end != scrub_end::none)
    status.end = scrub.end == scrub_end::complete ? "complete" : "stopped";
  status.started_ms = scrub.started_ms;
  status.finished_ms = scrub.finished_ms;
  status.groups_total = scrub.groups_total;
  status.groups_done = scrub.groups_done;
  status.bytes = scrub.bytes;
  status.entries = scrub.entries;
  status.batches = scrub.batches;
  status.last_complete_ms = scrub.last_complete_ms;
  status.next_ms = scrub.next_ms;
  for (const auto& each : scrub.damages)
    status.damages.push_back({each.name, to_string(each.group),
                              static_cast<std::uint16_t>(each.code), each.message, each.found_ms});
  return status;
}

result<void> change_level(const admin_log_level_request& request) {
  const auto level = parse_level(request.level);
  if (!level)
    return unexpected(errc::invalid_config, "'" + request.level +
                                                "' is not a log level; a level is " +
                                                kind_range(config::choice_of<config::log_level>()));
  return change_log_level(request.component, *level);
}

/// Answers a question of this version; the answer to any other has no field for a sentence, so it
/// is an error of CAF's with one.
template <class Answer, class Describe>
caf::result<Answer> answer(std::uint16_t version, Describe describe) {
  if (const auto valid = check_version(version); !valid)
    return caf::make_error(caf::sec::incompatible_versions, valid.error().message);
  return describe();
}

admin_actor::behavior_type admin(admin_actor::pointer, admin_services given) {
  const auto node = std::make_shared<const admin_services>(std::move(given));
  /// Does what an operator orders; the log says so.
  const auto checked = [node](std::uint16_t version, const char* order,
                              const std::function<result<void>()>& work) {
    const auto valid = check_version(version);
    const auto outcome = valid ? work() : valid;
    if (outcome)
      node->log->info("{}", order);
    else
      node->log->warn("{}: {}", order, to_string(outcome.error()));
    return done(outcome);
  };
  return {
      [=](const admin_status_request& request) {
        return answer<admin_status>(request.version, [&] { return describe_node(*node); });
      },
      [=](const admin_partitions_request& request) {
        return answer<admin_partitions>(request.version,
                                        [&] { return describe_partitions(*node, request.topic); });
      },
      [=](const admin_log_level_request& request) {
        return checked(request.version, "log-level", [&] { return change_level(request); });
      },
      [=](const admin_flush_request& request) {
        return checked(request.version, "flush", node->flush);
      },
      [=](const admin_drain_request& request) {
        return checked(request.version, "drain", [&]() -> result<void> {
          node->drain();
          return {};
        });
      },
      [=](const admin_shutdown_request& request) {
        return checked(request.version, "shutdown", [&]() -> result<void> {
          node->shut_down();
          return {};
        });
      },
      [=](const admin_scrub_request& request) {
        return checked(request.version, "scrub",
                       [&] { return node->scrub(request.topic, request.partition); });
      },
      [=](const admin_scrub_stop_request& request) {
        return checked(request.version, "stop scrub", node->stop_scrub);
      },
      [=](const admin_scrub_status_request& request) {
        return answer<admin_scrub_status>(request.version,
                                          [&] { return describe_scrub(*node->scrubs->load()); });
      },
      [=](const admin_brokers_request& request) {
        return answer<admin_brokers>(request.version, [&] { return describe_brokers(*node); });
      },
      [=](const admin_groups_request& request) {
        return answer<admin_groups>(request.version,
                                    [&] { return describe_groups(*node, request); });
      },
      [=](const admin_transfer_request& request) {
        return checked(request.version, "transfer",
                       [&] { return transfer_leadership(*node, request); });
      },
      [=](const admin_snapshot_request& request) {
        return checked(request.version, "snapshot", [&] { return take_snapshot(*node, request); });
      },
      [=](const admin_broker_change_request& request) {
        return checked(request.version, "change of a broker",
                       [&] { return change_broker(*node, request); });
      },
      [=](const admin_move_request& request) {
        return answer<admin_moves>(request.version, [&] { return move_replicas(*node, request); });
      },
      [=](const admin_plan_request& request) {
        return answer<admin_moves>(request.version, [&] { return plan_moves(*node, request); });
      },
      [=](const admin_cancel_move_request& request) {
        return answer<admin_moves>(request.version, [&] { return cancel_move(*node, request); });
      },
  };
}

} // namespace

admin_actor spawn_admin(caf::actor_system& system, admin_services services) {
  return system.spawn<caf::detached>(admin, std::move(services));
}

} // namespace aqueduct::actors
