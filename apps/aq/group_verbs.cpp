// aq group list|describe|lag|members|seek|export|import|delete
#include "apps/aq/client_session.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/group_documents.hpp"
#include "protocol/client/group_admin.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <memory>

namespace aqueduct::aq {

namespace {

using client::group_admin;
using client::topic_partition;

error about(const std::string& group, const error& err) {
  if (err.message.find(group) != std::string::npos)
    return err;
  const auto what = err.message.empty() ? std::string(describe(err.code).meaning) : err.message;
  return {err.code, fmt::format("group \"{}\": {}", group, what)};
}

/// Connects and has `work` do something with the groups.
template <class Work>
exit_code with_groups(session& on, const Work& work) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  return work(*cluster, group_admin(*cluster));
}

exit_code list(session& on) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    const auto all = groups.list(on.options().timeout);
    return all ? on.print(groups_listed(*all)) : on.fail(all.error());
  });
}

exit_code describe_one(session& on, const std::string& group) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    const auto described = groups.describe(group, on.options().timeout);
    if (!described)
      return on.fail(about(group, described.error()));
    const auto lag = groups.lag(group, on.options().timeout);
    return lag ? on.print(group_described(*described, *lag)) : on.fail(about(group, lag.error()));
  });
}

exit_code lag(session& on, const std::string& group) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    const auto rows = groups.lag(group, on.options().timeout);
    return rows ? on.print(group_lags(*rows)) : on.fail(about(group, rows.error()));
  });
}

struct members_options {
  std::string group;
  std::vector<std::string> remove;
};

exit_code members(session& on, const members_options& options) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    if (!options.remove.empty() && !on.options().dry_run)
      if (auto gone = groups.remove_members(options.group, options.remove, on.options().timeout);
          !gone)
        return on.fail(about(options.group, gone.error()));
    const auto described = groups.describe(options.group, on.options().timeout);
    return described ? on.print(group_members(*described))
                     : on.fail(about(options.group, described.error()));
  });
}

/// Offsets move only while nobody works with them.
std::optional<exit_code> refuse_members(session& on, group_admin& groups,
                                        const std::string& group) {
  const auto described = groups.describe(group, on.options().timeout);
  if (!described)
    return described.error().code == errc::unknown_group
               ? std::nullopt
               : std::optional(on.fail(about(group, described.error())));
  if (described->members.empty())
    return std::nullopt;
  return on.fail(errc::group_not_empty,
                 fmt::format("group {} is {} with {} members; offsets can only move while it is "
                             "Empty",
                             group, described->state, described->members.size()),
                 "stop its members, or put them out with aq group members --remove");
}

exit_code set_or_show(session& on, group_admin& groups, const std::string& group,
                      const std::vector<client::offset_move>& moves) {
  if (!on.options().dry_run) {
    std::vector<client::offset_commit> rows;
    for (const auto& move : moves)
      rows.push_back({move.partition, move.to});
    if (auto set = groups.set_offsets(group, rows, on.options().timeout); !set)
      return on.fail(about(group, set.error()));
  }
  const auto printed = on.print(offsets_moved(moves));
  if (on.options().dry_run)
    on.note("nothing was changed (--dry-run)");
  return printed;
}

result<std::map<topic_partition, offset_t>> committed_by(session& on, group_admin& groups,
                                                         const std::string& group) {
  const auto known = groups.offsets(group, on.options().timeout);
  if (!known)
    return known.propagate();
  std::map<topic_partition, offset_t> committed;
  for (const auto& row : *known)
    committed[row.partition] = row.offset;
  return committed;
}

struct seek_options {
  std::string group;
  std::vector<std::string> topics;
  std::string to;
  std::optional<std::int64_t> shift;
  std::string partitions;
};

exit_code seek(session& on, const seek_options& options) {
  if (options.to.empty() == !options.shift)
    return on.fail(errc::invalid_request, "where to?", "use either --to POSITION or --shift N");
  const auto place = parse_position(options.to.empty() ? "start" : options.to, on.now());
  if (!place)
    return on.fail(place.error());
  return with_groups(on, [&](const client::cluster& cluster, group_admin groups) {
    if (const auto refused = refuse_members(on, groups, options.group))
      return *refused;
    const auto committed = committed_by(on, groups, options.group);
    if (!committed)
      return on.fail(about(options.group, committed.error()));
    auto topics = options.topics;
    for (const auto& [tp, offset] : *committed)
      if (options.topics.empty() && std::ranges::find(topics, tp.topic) == topics.end())
        topics.push_back(tp.topic);
    if (topics.empty())
      return on.fail(errc::unknown_group,
                     fmt::format("group {} has committed nothing", options.group),
                     "name the topics with --topic");
    std::vector<client::offset_move> moves;
    for (const auto& topic : topics) {
      auto bounds = partition_bounds_of(cluster, topic);
      if (!bounds)
        return on.fail(bounds.error());
      if (auto kept = keep_partitions(*bounds, topic, options.partitions); !kept)
        return on.fail(kept.error());
      const auto found = offsets_at(cluster, topic, *place, *bounds);
      if (!found)
        return on.fail(found.error());
      for (const auto& [partition, known] : *bounds) {
        const topic_partition tp{topic, partition_id(partition)};
        const auto from = committed->find(tp);
        const auto old = from == committed->end() ? std::nullopt : std::optional(from->second);
        const client::offset_target shifted{client::offset_target::kind::shift,
                                            options.shift.value_or(0)};
        moves.push_back({tp, old,
                         options.shift ? client::target_offset(shifted, old, offset_t(known.start),
                                                               offset_t(known.end), {})
                                       : offset_t(found->at(partition))});
      }
    }
    return set_or_show(on, groups, options.group, moves);
  });
}

exit_code export_offsets(session& on, const std::string& group) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    const auto rows = groups.offsets(group, on.options().timeout);
    if (!rows)
      return on.fail(about(group, rows.error()));
    for (const auto& row : *rows)
      on.out().buffer() += fmt::format("{}\t{}\t{}\n", row.partition.topic,
                                       row.partition.partition.value, row.offset.value);
    on.out().flush();
    return on.finish();
  });
}

template <class Number>
bool read_number(std::string_view text, Number& into) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), into);
  return status == std::errc() && end == text.data() + text.size() && into >= 0;
}

result<std::vector<client::offset_move>>
read_offsets(std::istream& in, const std::map<topic_partition, offset_t>& committed) {
  std::vector<client::offset_move> moves;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty())
      continue;
    const auto first = line.find('\t');
    const auto second = first == std::string::npos ? first : line.find('\t', first + 1);
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    if (second == std::string::npos || first == 0 ||
        !read_number(std::string_view(line).substr(first + 1, second - first - 1), partition) ||
        !read_number(std::string_view(line).substr(second + 1), offset))
      return unexpected(errc::invalid_message,
                        fmt::format("line {} is not TOPIC, PARTITION and OFFSET with tabs between "
                                    "them, as aq group export writes them",
                                    number));
    const topic_partition tp{line.substr(0, first), partition_id(partition)};
    const auto from = committed.find(tp);
    moves.push_back({tp, from == committed.end() ? std::nullopt : std::optional(from->second),
                     offset_t(offset)});
  }
  return moves;
}

struct import_options {
  std::string group;
  std::string file = "-";
};

exit_code import_offsets(session& on, const import_options& options) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    if (const auto refused = refuse_members(on, groups, options.group))
      return *refused;
    const auto committed = committed_by(on, groups, options.group);
    if (!committed)
      return on.fail(about(options.group, committed.error()));
    std::ifstream file;
    if (options.file != "-") {
      file.open(options.file);
      if (!file)
        return on.fail(errc::not_found, fmt::format("cannot read {}", options.file));
    }
    const auto moves = read_offsets(options.file == "-" ? std::cin : file, *committed);
    if (!moves)
      return on.fail(moves.error());
    return set_or_show(on, groups, options.group, *moves);
  });
}

exit_code remove(session& on, const std::vector<std::string>& names) {
  return with_groups(on, [&](const client::cluster&, group_admin groups) {
    auto outcome = exit_code::done;
    for (const auto& group : names) {
      const auto rows = groups.offsets(group, on.options().timeout);
      if (!rows)
        return on.fail(about(group, rows.error()));
      const auto what =
          fmt::format("group \"{}\" with its offsets in {} partitions", group, rows->size());
      if (on.options().dry_run) {
        on.note(what + " would go (--dry-run)");
        continue;
      }
      if (const auto answer = on.confirm(what, group); answer != exit_code::done)
        return answer;
      if (auto gone = groups.delete_group(group, on.options().timeout); !gone) {
        const auto code = on.fail(about(group, gone.error()));
        outcome = outcome == exit_code::done ? code : outcome;
      }
    }
    return outcome;
  });
}

void add_group_argument(CLI::App& verb, std::string& group) {
  verb.add_option("GROUP", group, "Name of the group")->required()->type_name("GROUP");
}

void add_offset_verbs(command_line& line, CLI::App& group) {
  auto sought = std::make_shared<seek_options>();
  auto& seek_verb = line.add_verb(group, "seek", "Move the offsets of a group without members",
                                  "aq group seek billing --topic orders --to @-1h --dry-run\n"
                                  "aq group seek billing --to start\n"
                                  "aq group seek billing --shift -100\n",
                                  [sought](session& on) { return seek(on, *sought); });
  add_group_argument(seek_verb, sought->group);
  seek_verb.add_option("--topic", sought->topics, "Topics (default all that it has committed)")
      ->type_name("TOPIC");
  seek_verb.add_option("--to", sought->to, "A place, as in start, end, 100, -10 or @-1h")
      ->type_name("POSITION");
  seek_verb.add_option("--shift", sought->shift, "Records forward, or back if negative")
      ->type_name("N");
  seek_verb.add_option("-p,--partitions", sought->partitions, "Partitions, as in 0,2,5-7")
      ->type_name("LIST");

  auto exported = std::make_shared<std::string>();
  auto& export_verb = line.add_verb(group, "export", "Print the offsets of a group, to keep them",
                                    "aq group export billing > offsets\n", [exported](session& on) {
                                      return export_offsets(on, *exported);
                                    });
  add_group_argument(export_verb, *exported);

  auto imported = std::make_shared<import_options>();
  auto& import_verb =
      line.add_verb(group, "import", "Set the offsets of a group as exported",
                    "aq group import billing offsets\n"
                    "aq group export billing | aq group import copy\n",
                    [imported](session& on) { return import_offsets(on, *imported); });
  add_group_argument(import_verb, imported->group);
  import_verb.add_option("FILE", imported->file, "What aq group export wrote (default stdin)")
      ->type_name("FILE");
}

} // namespace

void add_group_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "group", "Show, move and delete consumer groups");

  line.add_verb(group, "list", "List consumer groups",
                "aq group list\n"
                "aq group list --output json\n",
                [](session& on) { return list(on); });

  auto described = std::make_shared<std::string>();
  auto& describe_verb =
      line.add_verb(group, "describe", "Show a group, its members and how far they are",
                    "aq group describe billing\n",
                    [described](session& on) { return describe_one(on, *described); });
  add_group_argument(describe_verb, *described);

  auto lagging = std::make_shared<std::string>();
  auto& lag_verb =
      line.add_verb(group, "lag", "Show how far a group is behind, in records and time",
                    "aq group lag billing\n"
                    "aq group lag billing --sort -lag\n",
                    [lagging](session& on) { return lag(on, *lagging); });
  add_group_argument(lag_verb, *lagging);

  auto shown = std::make_shared<members_options>();
  auto& members_verb =
      line.add_verb(group, "members", "Show the members of a group, or put some out",
                    "aq group members billing\n"
                    "aq group members billing --remove billing-7\n",
                    [shown](session& on) { return members(on, *shown); });
  add_group_argument(members_verb, shown->group);
  members_verb
      .add_option("--remove", shown->remove, "Members to put out, by member or instance id")
      ->type_name("MEMBER");

  add_offset_verbs(line, group);

  auto gone = std::make_shared<std::vector<std::string>>();
  auto& delete_verb = line.add_verb(group, "delete", "Forget groups without members",
                                    "aq group delete billing --dry-run\n"
                                    "aq group delete billing --yes\n",
                                    [gone](session& on) { return remove(on, *gone); });
  delete_verb.add_option("GROUP", *gone, "Names of the groups")->required()->type_name("GROUP");
}

} // namespace aqueduct::aq
