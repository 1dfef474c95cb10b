// aq admin status|partitions|log-level|flush|drain|shutdown: one node, over its admin port.
#include "apps/aq/admin_client.hpp"
#include "apps/aq/admin_documents.hpp"
#include "apps/aq/command_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace aqueduct::aq {

namespace {

constexpr std::chrono::milliseconds default_timeout{10'000};

result<admin_client> connect(session& on) {
  return admin_client::connect(on.options().admin, on.options().timeout.value_or(default_timeout));
}

exit_code status(session& on) {
  auto node = connect(on);
  if (!node)
    return on.fail(node.error());
  const auto answer = node->status();
  return answer ? on.print(node_described(*answer, on.now())) : on.fail(answer.error());
}

exit_code partitions(session& on, const std::string& topic) {
  auto node = connect(on);
  if (!node)
    return on.fail(node.error());
  const auto answer = node->partitions(topic);
  if (!answer)
    return on.fail(answer.error());
  if (!topic.empty() && answer->partitions.empty())
    return on.fail(errc::unknown_topic, fmt::format("the node knows no topic \"{}\"", topic));
  return on.print(partitions_described(*answer));
}

document done(std::string_view action, const std::string& address) {
  document doc;
  doc.add("action", "ACTION", action);
  doc.add("node", "NODE", address);
  doc.add("done", "DONE", true);
  return doc;
}

/// Something that a node is told to do; `what` names it for --dry-run.
template <class Tell>
exit_code tell(session& on, std::string_view action, const std::string& what, Tell order) {
  if (on.options().dry_run) {
    on.note(fmt::format("would {} at {} (--dry-run)", what, on.options().admin));
    return exit_code::done;
  }
  auto node = connect(on);
  if (!node)
    return on.fail(node.error());
  if (auto told = order(*node); !told)
    return on.fail(told.error());
  return on.print(done(action, on.options().admin));
}

exit_code shut_down(session& on) {
  if (!on.options().dry_run) {
    auto node = connect(on);
    if (!node)
      return on.fail(node.error());
    const auto now = node->status();
    if (!now)
      return on.fail(now.error());
    const auto what = fmt::format("this stops node {} at {} with {} connections", now->node,
                                  on.options().admin, now->connections);
    if (const auto answer = on.confirm(what, std::to_string(now->node)); answer != exit_code::done)
      return answer;
  }
  return tell(on, "shutdown", "stop the node", [](admin_client& node) { return node.shut_down(); });
}

} // namespace

void add_admin_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "admin", "Operate one node, over its admin port");
  line.add_verb(group, "status", "Show the state of the node",
                "aq admin status\n"
                "aq --admin 10.0.0.7:9095 admin status --output json\n",
                status);

  auto topic = std::make_shared<std::string>();
  auto& partitions_verb =
      line.add_verb(group, "partitions", "Show the partitions that the node holds",
                    "aq admin partitions\n"
                    "aq admin partitions --topic orders --sort -size_bytes\n",
                    [topic](session& on) { return partitions(on, *topic); });
  partitions_verb.add_option("--topic", *topic, "Only of this topic")->type_name("TOPIC");

  struct level_options {
    std::string level;
    std::string component;
  };
  auto change = std::make_shared<level_options>();
  auto& level_verb = line.add_verb(
      group, "log-level", "Change what the node logs, until it is started again",
      "aq admin log-level debug\n"
      "aq admin log-level trace --component raft\n",
      [change](session& on) {
        return tell(on, "log-level", fmt::format("set the log level to {}", change->level),
                    [&](admin_client& node) {
                      return node.change_log_level(change->component, change->level);
                    });
      });
  level_verb.add_option("LEVEL", change->level, "trace, debug, info, warning, error or off")
      ->required()
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      ->type_name("LEVEL");
  level_verb.add_option("--component", change->component, "Only of this component")
      ->type_name("NAME");

  line.add_verb(group, "flush", "Make everything durable that was written", "aq admin flush\n",
                [](session& on) {
                  return tell(on, "flush", "make everything durable",
                              [](admin_client& node) { return node.flush(); });
                });
  line.add_verb(group, "drain", "Take no new connections, before maintenance", "aq admin drain\n",
                [](session& on) {
                  return tell(on, "drain", "take no new connections",
                              [](admin_client& node) { return node.drain(); });
                });
  line.add_verb(group, "shutdown", "Drain the node and stop it",
                "aq admin shutdown\n"
                "aq admin shutdown --yes\n",
                shut_down);
}

} // namespace aqueduct::aq
