#include "actors/partition/partition_command.hpp"

#include "protocol/bytes.hpp"

namespace aqueduct::actors {

namespace {

enum class command_tag : std::uint8_t { trim = 1, expire_producers = 2, check_producers = 3 };

constexpr std::uint8_t summary_version = 1;

} // namespace

buffer encode(const partition_command& command) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  if (const auto* trim = std::get_if<trim_command>(&command)) {
    out.write(static_cast<std::uint8_t>(command_tag::trim));
    out.write(trim->log_start);
  } else if (const auto* check = std::get_if<check_producers_command>(&command)) {
    out.write(static_cast<std::uint8_t>(command_tag::check_producers));
    out.write(check->now_ms);
    out.write(check->before_ms);
  } else {
    out.write(static_cast<std::uint8_t>(command_tag::expire_producers));
    out.write(std::get<expire_producers_command>(command).before_ms);
  }
  return buffer::from(std::move(bytes));
}

result<partition_command> decode_partition_command(byte_span bytes) {
  byte_reader in(bytes);
  const auto tag = static_cast<command_tag>(in.read<std::uint8_t>());
  std::optional<partition_command> command;
  if (tag == command_tag::trim) {
    command = trim_command{in.read<std::int64_t>()};
  } else if (tag == command_tag::expire_producers) {
    command = expire_producers_command{in.read<std::int64_t>()};
  } else if (tag == command_tag::check_producers) {
    check_producers_command check;
    check.now_ms = in.read<std::int64_t>();
    check.before_ms = in.read<std::int64_t>();
    command = check;
  }
  if (command && !in.failed() && in.remaining() == 0)
    return *command;
  return unexpected(errc::storage_damaged,
                    "a command of the partition's log is malformed or of a newer version");
}

buffer encode(const partition_summary& summary) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  out.write(summary_version);
  out.write(summary.applied_index);
  out.write(summary.applied_term);
  out.write(summary.log_start);
  out.write(summary.high_watermark);
  return buffer::from(std::move(bytes));
}

result<partition_summary> decode_partition_summary(byte_span bytes) {
  byte_reader in(bytes);
  partition_summary summary;
  const auto version = in.read<std::uint8_t>();
  summary.applied_index = in.read<std::uint64_t>();
  summary.applied_term = in.read<std::uint64_t>();
  summary.log_start = in.read<std::int64_t>();
  summary.high_watermark = in.read<std::int64_t>();
  if (in.failed() || in.remaining() > 0 || version != summary_version)
    return unexpected(errc::storage_damaged, "the stored state of the partition is malformed");
  return summary;
}

} // namespace aqueduct::actors
