// aq broker list|describe|drain|undrain|remove: the brokers of the cluster, by way of one of them.
#include "apps/aq/admin_session.hpp"
#include "apps/aq/broker_documents.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/wait_for_moves.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace aqueduct::aq {

namespace {

struct broker_options {
  std::int32_t node = -1;
  bool evacuate = false;
  bool shrink = false;
  bool wait = false;
};

result<actors::admin_broker> find_broker(const actors::admin_brokers& all, std::int32_t node) {
  const auto found = std::ranges::find(all.brokers, node, &actors::admin_broker::node);
  if (found == all.brokers.end())
    return unexpected(errc::not_found, fmt::format("no broker {} is registered", node));
  return *found;
}

exit_code list(session& on) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto all = node->brokers();
  return all ? on.print(brokers_described(*all)) : on.fail(all.error());
}

exit_code describe_one(session& on, std::int32_t id) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto all = node->brokers();
  if (!all)
    return on.fail(all.error());
  const auto broker = find_broker(*all, id);
  return broker ? on.print(broker_described(*broker, all->node)) : on.fail(broker.error());
}

// -- changes --------------------------------------------------------------------------------------

document change_document(std::string_view action, std::int32_t broker, bool was_done) {
  document doc;
  doc.add("action", "ACTION", action);
  doc.add("broker", "BROKER", broker, kind::number);
  doc.add("done", "DONE", was_done);
  return doc;
}

/// With --dry-run it only looks whether the broker is there.
exit_code change(session& on, std::string_view action, std::int32_t id) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  if (on.options().dry_run) {
    const auto all = node->brokers();
    if (!all)
      return on.fail(all.error());
    if (const auto broker = find_broker(*all, id); !broker)
      return on.fail(broker.error());
    const auto printed = on.print(change_document(action, id, false));
    on.note(fmt::format("would {} broker {} (--dry-run)", action, id));
    return printed;
  }
  if (const auto done = node->change_broker(id, std::string(action)); !done)
    return on.fail(done.error());
  return on.print(change_document(action, id, true));
}

/// Replicas that an evacuated broker still has, and its vote on the metadata, which it gives up
/// last: then it is missed by nobody. Error cancelled: somebody called it off.
result<std::uint64_t> replicas_left(admin_client& node, std::int32_t id) {
  const auto all = node.brokers();
  if (!all)
    return all.propagate();
  const auto broker = find_broker(*all, id);
  if (!broker)
    return broker.propagate();
  const auto left =
      static_cast<std::uint64_t>(broker->replicas + broker->leaving) + (broker->votes ? 1 : 0);
  if (left > 0 && (broker->state == "there" || broker->state == "draining"))
    return unexpected(errc::cancelled,
                      fmt::format("the evacuation of broker {} was called off", id));
  return left;
}

exit_code evacuate(session& on, const broker_options& options) {
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto moves = node->plan_evacuation(options.node, options.shrink);
  if (!moves)
    return on.fail(moves.error());
  if (on.options().dry_run) {
    const auto printed = on.print(moves_described(*moves, false));
    const auto given_up = std::ranges::count_if(
        *moves, [](const actors::admin_move& move) { return move.to.size() < move.from.size(); });
    if (given_up > 0)
      on.note(fmt::format("would give up {} replicas, which no other broker can take: these "
                          "partitions have fewer from then on",
                          given_up));
    on.note(fmt::format("would move {} replicas off broker {} (--dry-run)",
                        static_cast<std::ptrdiff_t>(moves->size()) - given_up, options.node));
    return printed;
  }
  if (const auto done = node->change_broker(options.node, options.shrink ? "shrink" : "evacuate");
      !done)
    return on.fail(done.error());
  if (options.wait) {
    // The node has answered once it knew of the change itself.
    const auto waited = wait_for_moves(
        on, [&] { return replicas_left(*node, options.node); },
        fmt::format("the evacuation goes on; aq broker undrain {} calls it off", options.node));
    if (waited != exit_code::done)
      return waited;
  }
  return on.print(moves_described(*moves, true));
}

CLI::Option* add_node_argument(CLI::App& verb, std::int32_t& node) {
  return verb.add_option("NODE", node, "Id of the broker")
      ->required()
      ->check(CLI::NonNegativeNumber)
      ->type_name("NODE");
}

} // namespace

void add_broker_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "broker", "The brokers of the cluster");
  line.add_verb(group, "list", "Show the brokers, what they hold, and the links to them",
                "aq broker list\n"
                "aq --admin 10.0.0.7:9095 broker list --output wide\n",
                list);
  auto shown = std::make_shared<broker_options>();
  auto& describe_verb =
      line.add_verb(group, "describe", "Show one broker",
                    "aq broker describe 2\n"
                    "aq broker describe 2 --output json\n",
                    [shown](session& on) { return describe_one(on, shown->node); });
  add_node_argument(describe_verb, shown->node);

  auto drained = std::make_shared<broker_options>();
  auto& drain_verb = line.add_verb(
      group, "drain", "Have a broker lead nothing and get nothing, or hold nothing",
      "aq broker drain 2\n"
      "aq broker drain 2 --evacuate --dry-run\n"
      "aq broker drain 2 --evacuate --wait\n"
      "aq broker drain 2 --evacuate --shrink --dry-run\n",
      [drained](session& on) {
        if (drained->wait && !drained->evacuate)
          return on.fail(errc::invalid_request, "--wait is for --evacuate");
        if (drained->shrink && !drained->evacuate)
          return on.fail(errc::invalid_request, "--shrink is for --evacuate");
        return drained->evacuate ? evacuate(on, *drained) : change(on, "drain", drained->node);
      });
  add_node_argument(drain_verb, drained->node);
  drain_verb.add_flag("--evacuate", drained->evacuate, "Move its replicas to other brokers too");
  drain_verb.add_flag("--shrink", drained->shrink,
                      "Give up replicas that no other broker can take");
  drain_verb.add_flag("--wait", drained->wait,
                      "Look on until it holds nothing and is missed by nobody");

  auto undrained = std::make_shared<broker_options>();
  auto& undrain_verb = line.add_verb(
      group, "undrain", "Have a drained broker take part again", "aq broker undrain 2\n",
      [undrained](session& on) { return change(on, "undrain", undrained->node); });
  add_node_argument(undrain_verb, undrained->node);

  auto removed = std::make_shared<broker_options>();
  auto& remove_verb = line.add_verb(
      group, "remove", "Take a broker that is gone and holds nothing from the cluster",
      "aq broker remove 2\n",
      [removed](session& on) { return change(on, "remove", removed->node); });
  add_node_argument(remove_verb, removed->node);
}

} // namespace aqueduct::aq
