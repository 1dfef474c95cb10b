// aq raft status|transfer|snapshot|add-replica|remove-replica|cancel-move: the Raft groups of one
// node.
#include "apps/aq/admin_session.hpp"
#include "apps/aq/broker_documents.hpp"
#include "apps/aq/command_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace aqueduct::aq {

namespace {

struct group_options {
  /// A topic, a partition or the controller.
  std::string what;
  std::int32_t node = -1;
};

/// The groups that are named, as the node knows them. Error not_found: it has none of them.
result<actors::admin_groups> groups_of(admin_client& node, const group_name& name) {
  auto groups = node.groups(name.topic, name.partition);
  if (groups && groups->groups.empty() && !name.topic.empty())
    return unexpected(errc::not_found, fmt::format("the node has no replica of {}; aq topic "
                                                   "describe shows which nodes do",
                                                   to_string(name)));
  return groups;
}

exit_code status(session& on, const std::string& what) {
  const auto name = parse_group_name(what);
  if (!name)
    return on.fail(name.error());
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto groups = groups_of(*node, *name);
  return groups ? on.print(groups_described(*groups)) : on.fail(groups.error());
}

// -- transfer -------------------------------------------------------------------------------------

/// TOPIC:PARTITION or the controller.
result<group_name> parse_led(const std::string& text) {
  if (text == controller_group_name)
    return group_name{text};
  auto name = parse_partition_name(text);
  if (!name)
    return unexpected(errc::invalid_request,
                      fmt::format("\"{}\" is neither TOPIC:PARTITION nor controller", text));
  return name;
}

/// Says which node has to be asked instead: admin addresses of others are not known to it.
exit_code refuse_transfer(session& on, admin_client& node, const group_name& name,
                          std::int32_t leader) {
  if (leader < 0)
    return on.fail(errc::not_leader, fmt::format("nobody leads {} now", to_string(name)));
  std::string where = fmt::format("node {}", leader);
  if (const auto all = node.brokers())
    for (const auto& each : all->brokers)
      if (each.node == leader)
        where += fmt::format(", which serves clients at {}", each.address);
  return on.fail(errc::not_leader,
                 fmt::format("node {} leads {}, not the one at {}", leader, to_string(name),
                             on.options().admin),
                 fmt::format("give --admin the admin address of {}", where));
}

document transfer_document(const group_name& name, std::int32_t from, std::int32_t to,
                           bool was_done) {
  document doc;
  doc.add("group", "GROUP", to_string(name));
  doc.add("from", "FROM", from, kind::number);
  doc.add("to", "TO", to, kind::number);
  doc.add("done", "DONE", was_done);
  return doc;
}

/// Until the node has heard that `to` leads. Error timed_out: it leads still, or somebody else
/// does.
result<void> await_leader(session& on, admin_client& node, const group_name& name,
                          std::int32_t to) {
  constexpr std::chrono::milliseconds look_again{10};
  constexpr std::chrono::milliseconds patience{10'000};
  const auto deadline = std::chrono::steady_clock::now() + on.options().timeout.value_or(patience);
  while (true) {
    const auto groups = groups_of(node, name);
    if (!groups)
      return groups.propagate();
    const auto leader = groups->groups.front().leader;
    if (leader == to)
      return {};
    if (std::chrono::steady_clock::now() > deadline)
      return unexpected(errc::timed_out,
                        leader < 0 ? fmt::format("nobody leads {} now", to_string(name))
                                   : fmt::format("node {} has not taken over: node {} leads {}", to,
                                                 leader, to_string(name)));
    if (on.interrupted())
      return unexpected(errc::cancelled, "the transfer has begun");
    std::this_thread::sleep_for(look_again);
  }
}

exit_code transfer(session& on, const group_options& options) {
  const auto name = parse_led(options.what);
  if (!name)
    return on.fail(name.error());
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const auto groups = groups_of(*node, *name);
  if (!groups)
    return on.fail(groups.error());
  const auto& group = groups->groups.front();
  if (!group.error.empty())
    return on.fail(errc::timed_out, fmt::format("{}: {}", to_string(*name), group.error));
  if (group.role == "asleep")
    return on.fail(
        errc::conflict,
        fmt::format("{} is asleep: nobody uses it, and nobody leads it", to_string(*name)),
        "a record that is sent to it wakes it");
  if (group.role != "leader")
    return refuse_transfer(on, *node, *name, group.leader);
  if (std::ranges::find(group.voters, options.node) == group.voters.end())
    return on.fail(errc::invalid_request,
                   fmt::format("node {} has no vote in {}; its voters are {}", options.node,
                               to_string(*name), fmt::join(group.voters, ",")));
  const auto from = group.leader;
  if (on.options().dry_run) {
    const auto printed = on.print(transfer_document(*name, from, options.node, false));
    on.note(fmt::format("would have node {} lead {} (--dry-run)", options.node, to_string(*name)));
    return printed;
  }
  if (const auto begun = node->transfer(name->topic, name->partition, options.node); !begun)
    return on.fail(begun.error());
  if (const auto done = await_leader(on, *node, *name, options.node); !done)
    return on.fail(done.error());
  return on.print(transfer_document(*name, from, options.node, true));
}

// -- snapshot -------------------------------------------------------------------------------------

document snapshot_document(const group_name& name, const actors::admin_group& group,
                           bool was_done) {
  document doc;
  doc.add("group", "GROUP", to_string(name));
  doc.add("applied", "APPLIED", group.applied, kind::number);
  doc.add("first", "FIRST", group.first, kind::number);
  doc.add("last", "LAST", group.last, kind::number);
  doc.add("done", "DONE", was_done);
  return doc;
}

/// The group as the node has it now. Errors: as `groups_of`; conflict: it is asleep; timed_out.
result<actors::admin_group> open_group(admin_client& node, const group_name& name) {
  auto groups = groups_of(node, name);
  if (!groups)
    return groups.propagate();
  auto& group = groups->groups.front();
  if (!group.error.empty())
    return unexpected(errc::timed_out, fmt::format("{}: {}", to_string(name), group.error));
  if (group.role == "asleep")
    return unexpected(errc::conflict, fmt::format("{} is asleep: all its state is durable since it "
                                                  "was closed",
                                                  to_string(name)));
  return std::move(group);
}

exit_code snapshot(session& on, const std::string& what) {
  const auto name = parse_led(what);
  if (!name)
    return on.fail(name.error());
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  auto group = open_group(*node, *name);
  if (!group)
    return on.fail(group.error());
  if (on.options().dry_run) {
    const auto printed = on.print(snapshot_document(*name, *group, false));
    on.note(fmt::format("would make the state of {} durable (--dry-run)", to_string(*name)));
    return printed;
  }
  if (const auto done = node->snapshot(name->topic, name->partition); !done)
    return on.fail(done.error());
  group = open_group(*node, *name);
  return group ? on.print(snapshot_document(*name, *group, true)) : on.fail(group.error());
}

// -- replicas -------------------------------------------------------------------------------------

/// Where the replicas are to be, from where they are.
using replica_change =
    std::function<result<std::vector<std::int32_t>>(std::vector<std::int32_t>, std::int32_t)>;

result<std::vector<std::int32_t>> with_replica(std::vector<std::int32_t> present,
                                               std::int32_t node) {
  if (std::ranges::find(present, node) != present.end())
    return unexpected(errc::conflict, fmt::format("node {} has a replica already", node));
  present.push_back(node);
  return present;
}

result<std::vector<std::int32_t>> without_replica(std::vector<std::int32_t> present,
                                                  std::int32_t node) {
  if (std::erase(present, node) == 0)
    return unexpected(errc::not_found, fmt::format("node {} has no replica", node));
  if (present.empty())
    return unexpected(errc::invalid_replication, fmt::format("node {} has the only replica", node));
  return present;
}

exit_code change_replicas(session& on, const group_options& options, const replica_change& change) {
  const auto name = parse_partition_name(options.what);
  if (!name)
    return on.fail(name.error());
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  // A move that is only planned tells where the replicas are, from any node.
  const auto present = node->move(name->topic, name->partition, {options.node}, true);
  if (!present)
    return on.fail(present.error());
  auto move = present->front();
  auto wanted = change(move.from, options.node);
  if (!wanted)
    return on.fail(wanted.error().code,
                   fmt::format("{}: {}", to_string(*name), wanted.error().message));
  move.to = std::move(*wanted);
  const bool dry_run = on.options().dry_run;
  if (const auto moved = node->move(move.topic, move.partition, move.to, dry_run); !moved)
    return on.fail(moved.error());
  const auto printed = on.print(moves_described({move}, !dry_run));
  on.note(dry_run ? "would move these replicas (--dry-run)"
                  : fmt::format("begun; aq raft status {} on its leader shows how far it has come",
                                to_string(*name)));
  return printed;
}

exit_code cancel_move(session& on, const std::string& what) {
  const auto name = parse_partition_name(what);
  if (!name)
    return on.fail(name.error());
  auto node = connect_admin(on);
  if (!node)
    return on.fail(node.error());
  const bool dry_run = on.options().dry_run;
  const auto moves = node->cancel_move(name->topic, name->partition, dry_run);
  if (!moves)
    return on.fail(moves.error().code,
                   fmt::format("{}: {}", to_string(*name), moves.error().message));
  const auto printed = on.print(moves_described(*moves, !dry_run));
  on.note(dry_run ? "would take these replicas back (--dry-run)"
                  : fmt::format("begun; aq raft status {} on its leader shows how far it has come",
                                to_string(*name)));
  return printed;
}

CLI::Option* add_node_argument(CLI::App& verb, std::int32_t& node, const std::string& what) {
  return verb.add_option("NODE", node, what)
      ->required()
      ->check(CLI::NonNegativeNumber)
      ->type_name("NODE");
}

void add_replica_verb(command_line& line, CLI::App& group, const std::string& name,
                      const std::string& description, const std::string& node,
                      const replica_change& change) {
  auto options = std::make_shared<group_options>();
  auto& verb = line.add_verb(
      group, name, description,
      fmt::format("aq raft {0} orders:0 4 --dry-run\naq raft {0} orders:0 4\n", name),
      [options, change](session& on) { return change_replicas(on, *options, change); });
  verb.add_option("WHAT", options->what, "The partition")->required()->type_name("TOPIC:PARTITION");
  add_node_argument(verb, options->node, node);
}

} // namespace

void add_raft_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "raft", "The Raft groups of one node");
  auto shown = std::make_shared<group_options>();
  auto& status_verb = line.add_verb(group, "status", "Show what the node knows of its groups",
                                    "aq raft status\n"
                                    "aq raft status orders\n"
                                    "aq raft status orders:0\n"
                                    "aq raft status controller --output json\n",
                                    [shown](session& on) { return status(on, shown->what); });
  status_verb.add_option("WHAT", shown->what, "Only this topic, partition, or the controller")
      ->type_name("TOPIC[:PARTITION]|controller");

  auto handed = std::make_shared<group_options>();
  auto& transfer_verb =
      line.add_verb(group, "transfer", "Have the leader, which the node is, hand over to another",
                    "aq raft transfer orders:0 2\n"
                    "aq --admin 10.0.0.7:9095 raft transfer controller 3\n",
                    [handed](session& on) { return transfer(on, *handed); });
  transfer_verb.add_option("WHAT", handed->what, "The partition, or the controller")
      ->required()
      ->type_name("TOPIC:PARTITION|controller");
  add_node_argument(transfer_verb, handed->node, "Who is to lead");

  auto kept = std::make_shared<group_options>();
  auto& snapshot_verb = line.add_verb(
      group, "snapshot",
      "Make the state of the node's replica durable; the controller's log then begins after it",
      "aq raft snapshot controller\n"
      "aq raft snapshot orders:0\n",
      [kept](session& on) { return snapshot(on, kept->what); });
  snapshot_verb.add_option("WHAT", kept->what, "The partition, or the controller")
      ->required()
      ->type_name("TOPIC:PARTITION|controller");

  add_replica_verb(line, group, "add-replica", "Give a partition one more replica",
                   "Where it is to be", with_replica);
  add_replica_verb(line, group, "remove-replica", "Take a replica from a partition",
                   "Where it is now", without_replica);

  auto cancelled = std::make_shared<group_options>();
  auto& cancel_verb =
      line.add_verb(group, "cancel-move", "Take the replicas of a partition that move back",
                    "aq raft cancel-move orders:0 --dry-run\n"
                    "aq raft cancel-move orders:0\n",
                    [cancelled](session& on) { return cancel_move(on, cancelled->what); });
  cancel_verb.add_option("WHAT", cancelled->what, "The partition")
      ->required()
      ->type_name("TOPIC:PARTITION");
}

} // namespace aqueduct::aq
