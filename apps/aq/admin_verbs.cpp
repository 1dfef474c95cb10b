// aq admin status|partitions|log-level|flush|scrub|drain|shutdown: one node, over its admin port.
#include "apps/aq/admin_client.hpp"
#include "apps/aq/admin_documents.hpp"
#include "apps/aq/admin_session.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/progress.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>
#include <thread>

namespace aqueduct::aq {

namespace {

exit_code status(session& on) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto answer = node->status();
  return answer ? on.print(node_described(*answer, on.now())) : on.fail(answer.error());
}

exit_code partitions(session& on, const std::string& topic) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto answer = node->partitions(topic);
  if (!answer)
    return on.fail(answer.error());
  if (!topic.empty() && answer->partitions.empty())
    return on.fail(errc::unknown_topic,
                   fmt::format("the node holds no partition of a topic \"{}\"", topic));
  return on.print(partitions_described(*answer));
}

exit_code shut_down(session& on) {
  if (!on.options().dry_run) {
    auto node = connect_admin(on);
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
  return tell_admin(on, "shutdown", "stop the node",
                    [](admin_client& node) { return node.shut_down(); });
}

// -- scrub ----------------------------------------------------------------------------------------

struct scrub_options {
  /// TOPIC or TOPIC:PARTITION; empty is everything.
  std::string what;
  bool stop = false;
  bool status = false;
  bool no_wait = false;
};

/// Prints what is known of the scrub; damage is the exit code, as with `aq log verify`.
exit_code print_scrub(session& on, const actors::admin_scrub_status& scrub) {
  const auto printed = on.print(scrub_described(scrub));
  return printed == exit_code::done && !scrub.damages.empty()
             ? exit_code_of(static_cast<errc>(scrub.damages.front().error))
             : printed;
}

/// Leaves out the damage of others than the topic or partition `what`.
void keep_only(actors::admin_scrub_status& scrub, const std::string& what) {
  std::erase_if(scrub.damages, [&](const actors::admin_damage& each) {
    return !what.empty() && each.name != what && !each.name.starts_with(what + ":");
  });
}

/// Looks on until the scrub has ended.
exit_code watch_scrub(session& on, admin_client& node, const std::string& what) {
  constexpr std::chrono::milliseconds look_again{100};
  progress meter(on, "bytes", 0);
  while (true) {
    auto scrub = node.scrub_status();
    if (!scrub)
      return on.fail(scrub.error());
    if (!scrub->is_running) {
      keep_only(*scrub, what);
      return print_scrub(on, *scrub);
    }
    meter.update(scrub->bytes);
    if (on.interrupted()) {
      on.note("the scrub goes on; aq admin scrub --stop ends it");
      return exit_code::interrupted;
    }
    std::this_thread::sleep_for(look_again);
  }
}

exit_code scrub(session& on, const scrub_options& options) {
  if (options.no_wait + options.status + options.stop > 1)
    return on.fail(errc::invalid_request, "--no-wait, --status and --stop exclude each other");
  const auto what = parse_group_name(options.what);
  if (!what)
    return on.fail(what.error());
  if (on.options().dry_run) {
    on.note(fmt::format("would {} at {} (--dry-run)",
                        options.stop ? "stop the scrub" : "check the closed segments",
                        on.options().admin));
    return exit_code::done;
  }
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  if (options.stop)
    if (auto stopped = node->stop_scrub(); !stopped)
      return on.fail(stopped.error());
  if (!options.stop && !options.status)
    if (auto started = node->scrub(what->topic, what->partition); !started)
      return on.fail(started.error());
  if (!options.stop && !options.status && !options.no_wait)
    return watch_scrub(on, *node, options.what);
  auto now = node->scrub_status();
  if (!now)
    return on.fail(now.error());
  keep_only(*now, options.what);
  return print_scrub(on, *now);
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
        return tell_admin(on, "log-level", fmt::format("set the log level to {}", change->level),
                          [&](admin_client& node) {
                            return node.change_log_level(change->component, change->level);
                          });
      });
  level_verb.add_option("LEVEL", change->level, "trace, debug, info, warn, error or off")
      ->required()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->type_name("LEVEL");
  level_verb.add_option("--component", change->component, "Only of this component")
      ->type_name("NAME");

  line.add_verb(group, "flush", "Make everything durable that was written", "aq admin flush\n",
                [](session& on) {
                  return tell_admin(on, "flush", "make everything durable",
                                    [](admin_client& node) { return node.flush(); });
                });
  auto scrubbed = std::make_shared<scrub_options>();
  auto& scrub_verb =
      line.add_verb(group, "scrub", "Check every byte of the closed segments, while the node runs",
                    "aq admin scrub\n"
                    "aq admin scrub orders:3\n"
                    "aq admin scrub --status --output json\n",
                    [scrubbed](session& on) { return scrub(on, *scrubbed); });
  scrub_verb.add_option("WHAT", scrubbed->what, "Only this topic or partition")
      ->type_name("TOPIC[:PARTITION]");
  scrub_verb.add_flag("--no-wait", scrubbed->no_wait, "Begin it, and look no more");
  scrub_verb.add_flag("--status", scrubbed->status, "Show the one that runs, or the last one");
  scrub_verb.add_flag("--stop", scrubbed->stop, "End the one that runs");

  line.add_verb(group, "drain", "Take no new connections, before maintenance", "aq admin drain\n",
                [](session& on) {
                  return tell_admin(on, "drain", "take no new connections",
                                    [](admin_client& node) { return node.drain(); });
                });
  line.add_verb(group, "shutdown", "Drain the node and stop it",
                "aq admin shutdown\n"
                "aq admin shutdown --yes\n",
                shut_down);
}

} // namespace aqueduct::aq
