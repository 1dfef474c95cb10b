#include "actors/controller/commands.hpp"

#include "protocol/native/codec_impl.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Goes up when a command changes in a way that older nodes cannot read. Version 2 made the changes
/// of a topic differences and put the limits of the leader into the commands, version 3 knows lives
/// of nodes, version 4 numbers the decisions about replicas and repairs them, version 5 remembers
/// where replicas were that move, version 6 cancels what was cancelled, version 7 knows listeners
/// of brokers and has brokers tell of their disks, version 8 gives replicas up that no other broker
/// can take.
constexpr std::uint8_t format_version = state_version;
/// Of rows of the state: those of version 2 are as those of 1, which say nothing of lives, and
/// those of 5 as those of 6.
constexpr std::array<std::uint16_t, 6> row_versions{state_version, 7, 6, 4, 3, 1};
constexpr std::size_t prefix_bytes = 2;

template <std::size_t Tag>
result<controller_command> decode_as(const buffer& body, std::uint16_t version) {
  auto command =
      protocol::decode<std::variant_alternative_t<Tag, controller_command>>(body, version);
  if (!command)
    return unexpected(errc::storage_damaged, command.error().message);
  return controller_command(std::in_place_index<Tag>, std::move(*command));
}

using decode_function = result<controller_command> (*)(const buffer&, std::uint16_t);

template <std::size_t... Tags>
constexpr auto make_decoders(std::index_sequence<Tags...>) {
  return std::array<decode_function, sizeof...(Tags)>{&decode_as<Tags>...};
}

constexpr auto decoders =
    make_decoders(std::make_index_sequence<std::variant_size_v<controller_command>>());

template <class Record>
result<Record> decode_row(const buffer& row) {
  auto record = protocol::decode<Record>(row, row_versions.front());
  for (std::size_t i = 1; !record && i < row_versions.size(); ++i)
    record = protocol::decode<Record>(row, row_versions[i]);
  return record;
}

} // namespace

buffer encode_row(const topic_record& topic) {
  return protocol::encode(topic, state_version);
}

buffer encode_row(const broker_record& broker) {
  return protocol::encode(broker, state_version);
}

result<topic_record> decode_topic(const buffer& row) {
  return decode_row<topic_record>(row);
}

result<broker_record> decode_broker(const buffer& row) {
  return decode_row<broker_record>(row);
}

bool replica_set::is_on(std::int32_t node) const {
  return std::ranges::find(nodes, node) != nodes.end() ||
         std::ranges::find(leaving, node) != leaving.end();
}

bool replica_set::is_elsewhere_than(std::int32_t node) const {
  const auto is_other = [node](std::int32_t each) { return each != node; };
  return std::ranges::any_of(nodes, is_other) || std::ranges::any_of(leaving, is_other);
}

std::optional<repair_stage> replica_set::repair_of(std::int32_t node) const {
  const auto found = std::ranges::find(repairs, node, &replica_repair::node);
  return found == repairs.end() ? std::nullopt : std::optional(found->stage);
}

std::vector<std::int32_t> replica_set::adding() const {
  std::vector<std::int32_t> added;
  if (!origin.empty())
    std::ranges::copy_if(nodes, std::back_inserter(added), [this](std::int32_t node) {
      return std::ranges::find(origin, node) == origin.end();
    });
  return added;
}

std::vector<std::int32_t> replica_set::way_back() const {
  std::vector<std::int32_t> back;
  std::ranges::copy_if(origin, std::back_inserter(back), [this](std::int32_t node) {
    return std::ranges::find(nodes, node) == nodes.end();
  });
  return back;
}

bool replica_set::is_changing() const {
  return is_moving() || std::ranges::any_of(repairs, [](const replica_repair& each) {
           return each.stage != repair_stage::left;
         });
}

std::string_view to_string(repair_stage stage) {
  switch (stage) {
  case repair_stage::leaving:
    return "leaving";
  case repair_stage::left:
    return "left";
  case repair_stage::returning:
    return "returning";
  }
  return "unknown";
}

config::topic_overrides overrides_of(const topic_record& topic) {
  config::topic_overrides overrides;
  for (const auto& setting : topic.overrides)
    if (setting.value)
      overrides.emplace_back(setting.name, *setting.value);
  return overrides;
}

buffer encode(const controller_command& command) {
  std::vector<std::byte> bytes;
  bytes.push_back(std::byte{format_version});
  bytes.push_back(static_cast<std::byte>(command.index()));
  std::visit(
      [&](const auto& what) {
        const auto body = protocol::encode(what, format_version);
        bytes.insert(bytes.end(), body.bytes().begin(), body.bytes().end());
      },
      command);
  return buffer::from(std::move(bytes));
}

result<controller_command> decode_controller_command(const buffer& bytes) {
  const auto version = bytes.empty() ? 0 : static_cast<unsigned>(bytes.data()[0]);
  if (bytes.size() < prefix_bytes || version < 1 || version > format_version)
    return unexpected(errc::storage_damaged,
                      "a command of the controller's log is malformed or of a newer version");
  const auto tag = static_cast<std::size_t>(bytes.data()[1]);
  if (tag >= decoders.size())
    return unexpected(errc::storage_damaged, "a command of the controller's log has the unknown "
                                             "kind " +
                                                 std::to_string(tag));
  return decoders[tag](bytes.slice(prefix_bytes, bytes.size() - prefix_bytes),
                       static_cast<std::uint16_t>(version));
}

std::string print(const controller_command& command) {
  return std::visit([](const auto& what) { return protocol::print(what); }, command);
}

std::string summary(const controller_command& command) {
  if (const auto* create = std::get_if<create_topic_command>(&command)) {
    auto brief = *create;
    brief.topic.partitions.clear();
    return std::to_string(create->topic.partitions.size()) +
           " partitions: " + protocol::print(brief);
  }
  if (const auto* alter = std::get_if<alter_topic_command>(&command)) {
    auto brief = *alter;
    brief.added.clear();
    return protocol::print(brief);
  }
  return print(command);
}

} // namespace aqueduct::actors

AQUEDUCT_INSTANTIATE_CODEC(aqueduct::actors::topic_record)
AQUEDUCT_INSTANTIATE_CODEC(aqueduct::actors::broker_record)
