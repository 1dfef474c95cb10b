#include "apps/aq/admin_session.hpp"

#include <fmt/format.h>

#include <charconv>

namespace aqueduct::aq {

namespace {

constexpr std::chrono::milliseconds default_timeout{15'000};

} // namespace

result<admin_client> connect_admin(const session& on) {
  return admin_client::connect(on.options().admin, on.options().timeout.value_or(default_timeout));
}

document order_document(std::string_view action, const std::string& address, bool was_done) {
  document doc;
  doc.add("action", "ACTION", action);
  doc.add("node", "NODE", address);
  doc.add("done", "DONE", was_done);
  return doc;
}

exit_code tell_admin(session& on, std::string_view action, const std::string& what,
                     const std::function<result<void>(admin_client&)>& order) {
  if (on.options().dry_run) {
    const auto printed = on.print(order_document(action, on.options().admin, false));
    on.note(fmt::format("would {} at {} (--dry-run)", what, on.options().admin));
    return printed;
  }
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  if (auto told = order(*node); !told)
    return on.fail(told.error());
  return on.print(order_document(action, on.options().admin, true));
}

result<group_name> parse_group_name(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos)
    return group_name{text};
  std::int32_t partition = -1;
  const auto* begin = text.data() + colon + 1;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(begin, end, partition);
  if (parsed.ec != std::errc() || parsed.ptr != end || partition < 0 || colon == 0)
    return unexpected(errc::invalid_request,
                      fmt::format("\"{}\" is neither TOPIC nor TOPIC:PARTITION", text));
  return group_name{text.substr(0, colon), partition};
}

result<group_name> parse_partition_name(const std::string& text) {
  auto name = parse_group_name(text);
  if (name && name->partition < 0)
    return unexpected(errc::invalid_request, fmt::format("\"{}\" is not TOPIC:PARTITION", text));
  return name;
}

std::string to_string(const group_name& name) {
  return name.partition < 0 ? name.topic : fmt::format("{}:{}", name.topic, name.partition);
}

} // namespace aqueduct::aq
