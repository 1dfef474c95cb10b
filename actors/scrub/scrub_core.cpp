#include "actors/scrub/scrub_core.hpp"

#include "protocol/bytes.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::uint8_t memory_version = 1;
constexpr std::uint64_t step_bytes_min = 4 << 10;
constexpr std::uint64_t step_bytes_max = 1 << 20;
/// Steps of a second, so that the disk sees an even load.
constexpr std::uint64_t steps_per_second = 8;

} // namespace

scrub_core::scrub_core(options opts, memory before, std::int64_t now_ms)
    : options_(opts), memory_(std::move(before)) {
  if (memory_.since_ms < 0)
    memory_.since_ms = now_ms;
}

// -- a scrub --------------------------------------------------------------------------------------

result<void> scrub_core::start(std::vector<scrub_target> targets, bool is_whole,
                               std::int64_t now_ms) {
  if (report_.is_running)
    return unexpected(errc::conflict, "a scrub is running; wait for it or stop it");
  targets_ = std::move(targets);
  which_ = 0;
  is_whole_ = is_whole;
  report_ = {};
  report_.is_running = true;
  report_.started_ms = now_ms;
  report_.groups_total = targets_.size();
  if (is_whole)
    // Groups that are gone take what was found in them along.
    std::erase_if(memory_.damages, [&](const scrub_damage& each) {
      return std::ranges::find(targets_, each.group, &scrub_target::group) == targets_.end();
    });
  begin_group(now_ms);
  return {};
}

const scrub_target* scrub_core::current() const {
  return report_.is_running ? &targets_[which_] : nullptr;
}

void scrub_core::begin_group(std::int64_t now_ms) {
  if (which_ == targets_.size()) {
    end(scrub_end::complete, now_ms);
    return;
  }
  std::erase_if(memory_.damages,
                [&](const scrub_damage& each) { return each.group == targets_[which_].group; });
}

std::uint64_t scrub_core::step_bytes() const {
  return std::clamp(options_.rate / steps_per_second, step_bytes_min, step_bytes_max);
}

void scrub_core::stepped(std::uint64_t bytes, std::uint64_t entries, std::uint64_t batches,
                         std::int64_t steady_ms) {
  report_.bytes += bytes;
  report_.entries += entries;
  report_.batches += batches;
  const auto cost_us = static_cast<double>(bytes) * 1e6 / static_cast<double>(options_.rate);
  paid_at_us_ = std::max(paid_at_us_, steady_ms * 1000) + static_cast<std::int64_t>(cost_us);
}

std::int64_t scrub_core::wait_ms(std::int64_t steady_ms) const {
  return std::max<std::int64_t>(0, (paid_at_us_ - steady_ms * 1000 + 999) / 1000);
}

void scrub_core::found(error what, std::int64_t now_ms) {
  if (memory_.damages.size() == damages_max)
    return;
  const auto& target = targets_[which_];
  memory_.damages.push_back(
      {target.group, target.name, what.code, std::move(what.message), now_ms});
}

void scrub_core::finish_group(std::int64_t now_ms) {
  ++which_;
  ++report_.groups_done;
  begin_group(now_ms);
}

void scrub_core::stop(std::int64_t now_ms) {
  if (!report_.is_running)
    return;
  if (is_whole_)
    memory_.since_ms = now_ms;
  end(scrub_end::stopped, now_ms);
}

void scrub_core::end(scrub_end how, std::int64_t now_ms) {
  report_.is_running = false;
  report_.end = how;
  report_.finished_ms = now_ms;
  if (how == scrub_end::complete && is_whole_)
    memory_.last_complete_ms = now_ms;
  targets_.clear();
  which_ = 0;
}

void scrub_core::forget(const group_id& group) {
  std::erase_if(memory_.damages, [&](const scrub_damage& each) { return each.group == group; });
}

std::vector<scrub_target> scrub_core::damaged() const {
  std::vector<scrub_target> targets;
  for (const auto& each : memory_.damages)
    if (std::ranges::find(targets, each.group, &scrub_target::group) == targets.end())
      targets.push_back({each.group, each.name});
  return targets;
}

// -- time and memory ------------------------------------------------------------------------------

std::int64_t scrub_core::next_ms() const {
  if (options_.interval_ms <= 0)
    return -1;
  return std::max(memory_.since_ms, memory_.last_complete_ms) + options_.interval_ms;
}

bool scrub_core::is_due(std::int64_t now_ms) const {
  return !report_.is_running && options_.interval_ms > 0 && now_ms >= next_ms();
}

scrub_report scrub_core::report() const {
  auto report = report_;
  if (const auto* target = current())
    report.current = target->name;
  report.last_complete_ms = memory_.last_complete_ms;
  report.next_ms = next_ms();
  report.damages = memory_.damages;
  return report;
}

namespace {

void write_text(byte_writer& out, const std::string& text) {
  out.write_varint(text.size());
  out.write_bytes(text);
}

std::string read_text(byte_reader& in) {
  const auto bytes = in.read_bytes(in.read_count(1));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace

buffer encode(const scrub_core::memory& remembered) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(memory_version);
  out.write(remembered.since_ms);
  out.write(remembered.last_complete_ms);
  out.write_varint(remembered.damages.size());
  for (const auto& each : remembered.damages) {
    write_text(out, to_string(each.group.topic));
    out.write(each.group.partition);
    write_text(out, each.name);
    out.write(static_cast<std::uint16_t>(each.code));
    write_text(out, each.message);
    out.write(each.found_ms);
  }
  return buffer::from(std::move(bytes));
}

result<scrub_core::memory> decode_scrub_memory(byte_span bytes) {
  byte_reader in(bytes);
  scrub_core::memory remembered;
  const auto version = in.read<std::uint8_t>();
  remembered.since_ms = in.read<std::int64_t>();
  remembered.last_complete_ms = in.read<std::int64_t>();
  bool is_valid = version == memory_version;
  for (auto left = in.read_count(1); is_valid && left > 0 && !in.failed(); --left) {
    scrub_damage damage;
    is_valid = parse_uuid(read_text(in), damage.group.topic);
    damage.group.partition = in.read<std::int32_t>();
    damage.name = read_text(in);
    damage.code = static_cast<errc>(in.read<std::uint16_t>());
    damage.message = read_text(in);
    damage.found_ms = in.read<std::int64_t>();
    remembered.damages.push_back(std::move(damage));
  }
  if (!is_valid || in.failed() || in.remaining() != 0)
    return unexpected(errc::storage_damaged,
                      "what is known of the last scrub is malformed or of a newer version");
  return remembered;
}

} // namespace aqueduct::actors
