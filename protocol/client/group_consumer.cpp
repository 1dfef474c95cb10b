#include "protocol/client/group_consumer.hpp"

#include "protocol/client/internal/config_check.hpp"
#include "protocol/client/internal/group_consumer_core.hpp"

#include <algorithm>
#include <regex>

namespace aqueduct::client {

using namespace std::chrono_literals;

result<void> group_consumer_config::validate() const {
  constexpr auto known =
      std::to_array<std::string_view>({"cooperative-sticky", "sticky", "range", "roundrobin"});
  config_check check;
  check.require(!group.empty(), "group is empty")
      .require(group.size() <= 255, "group has more than 255 bytes")
      .require(!topics.empty() || !patterns.empty(), "neither topics nor patterns are named")
      .require(instance_id.size() <= 255, "instance_id has more than 255 bytes")
      .require(!assignors.empty(), "assignors is empty")
      .require(user_data.size() <= 64 * 1024, "user_data has more than 64 KiB")
      .range("session_timeout", session_timeout, 1s, 30min)
      .range("heartbeat_interval", heartbeat_interval, 1ms, session_timeout / 3)
      .range("poll_interval_max", poll_interval_max, 1s, 24h)
      .range("topics_interval", topics_interval, 10ms, 24h)
      .range("auto_commit_interval", auto_commit_interval, 0ms, 1h);
  for (const auto& name : assignors)
    check.require(std::ranges::find(known, name) != known.end(),
                  "assignors are cooperative-sticky, sticky, range and roundrobin, not '" + name +
                      "'");
  for (const auto& pattern : patterns)
    try {
      (void)std::regex(pattern);
    } catch (const std::regex_error& wrong) {
      check.require(false, "the pattern '" + pattern + "' cannot be read: " + wrong.what());
    }
  if (auto outcome = check.done(); !outcome)
    return outcome;
  return reading.validate();
}

result<group_consumer> group_consumer::create(const cluster& on, group_consumer_config config) {
  auto core = group_consumer_core::create(on.core(), std::move(config));
  if (!core)
    return core.propagate();
  return group_consumer(std::move(*core));
}

group_consumer::group_consumer(std::shared_ptr<group_consumer_core> core)
    : core_(std::move(core)) {}
group_consumer::group_consumer(group_consumer&&) noexcept = default;
group_consumer& group_consumer::operator=(group_consumer&&) noexcept = default;
group_consumer::~group_consumer() = default;

result<record_set> group_consumer::poll(milliseconds timeout, poll_limits limits) {
  return core_->poll(timeout, limits);
}

result<void> group_consumer::run(const handler& work, const run_options& options) {
  return core_->run(work, options);
}

void group_consumer::stop() {
  core_->stop();
}

result<void> group_consumer::commit() {
  return core_->commit();
}

result<void> group_consumer::commit(std::span<const offset_commit> offsets) {
  return core_->commit(offsets);
}

std::vector<topic_partition> group_consumer::assigned() const {
  auto partitions = core_->reading().assigned();
  std::ranges::sort(partitions);
  return partitions;
}

result<void> group_consumer::seek(const topic_partition& tp, start_position to) {
  return core_->reading().seek(tp, to);
}

result<void> group_consumer::pause(const topic_partition& tp) {
  return core_->reading().pause(tp, true);
}

result<void> group_consumer::resume(const topic_partition& tp) {
  return core_->reading().pause(tp, false);
}

result<offset_t> group_consumer::position(const topic_partition& tp) const {
  return core_->reading().position(tp);
}

result<std::int64_t> group_consumer::lag(const topic_partition& tp) const {
  return core_->reading().lag(tp);
}

std::optional<topic_partition> group_consumer::failed_partition() const {
  return core_->reading().failed_partition();
}

std::string group_consumer::member_id() const {
  return core_->who().member;
}

std::int32_t group_consumer::generation() const {
  return core_->who().generation;
}

result<void> group_consumer::close() {
  return core_->close(true);
}

} // namespace aqueduct::client
