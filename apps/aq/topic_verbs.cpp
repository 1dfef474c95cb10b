// aq topic create|list|describe|alter|delete|offsets|trim
#include "apps/aq/client_session.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/topic_documents.hpp"
#include "apps/aq/units.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace aqueduct::aq {

namespace {

using names = std::vector<std::string>;

/// `key=value`; an option that takes them was checked for the equals sign.
client::setting parse_setting(const std::string& text) {
  const auto equals = text.find('=');
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::string check_setting(const std::string& text) {
  const auto equals = text.find('=');
  return equals == std::string::npos || equals == 0 ? "\"" + text + "\" is not KEY=VALUE"
                                                    : std::string();
}

error about(const std::string& topic, const error& err) {
  if (err.message.find(topic) != std::string::npos)
    return err;
  const auto what = err.message.empty() ? std::string(describe(err.code).meaning) : err.message;
  return {err.code, fmt::format("topic \"{}\": {}", topic, what)};
}

struct create_options {
  names topics;
  std::optional<std::int32_t> partitions;
  std::optional<std::int16_t> replication;
  names settings;
  bool if_not_exists = false;
};

exit_code create(session& on, const create_options& options) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  client::admin admin(*cluster);
  std::vector<created_row> created;
  auto outcome = exit_code::done;
  for (const auto& name : options.topics) {
    client::new_topic topic{name, options.partitions, options.replication};
    for (const auto& text : options.settings)
      topic.settings.push_back(parse_setting(text));
    topic.validate_only = on.options().dry_run;
    const auto made = admin.create_topic(topic, on.options().timeout);
    if (made) {
      created.push_back({name, *made});
    } else if (made.error().code == errc::topic_exists && options.if_not_exists) {
      on.note(fmt::format("topic \"{}\" exists already", name));
    } else {
      const auto code = on.fail(about(name, made.error()));
      outcome = outcome == exit_code::done ? code : outcome;
    }
  }
  if (!created.empty() || outcome == exit_code::done)
    if (const auto printed = on.print(topics_created(created)); printed != exit_code::done)
      return printed;
  if (on.options().dry_run && outcome == exit_code::done)
    on.note("nothing was created (--dry-run)");
  return outcome;
}

exit_code list(session& on, bool internal) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  const auto topics = client::admin(*cluster).list_topics(internal, on.options().timeout);
  return topics ? on.print(topics_listed(*topics)) : on.fail(topics.error());
}

exit_code describe_one(session& on, const std::string& name) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  const auto topic = client::admin(*cluster).describe_topic(name, on.options().timeout);
  return topic ? on.print(topic_described(*topic, on.now())) : on.fail(about(name, topic.error()));
}

struct alter_options {
  std::string topic;
  names set;
  names unset;
  std::optional<std::int32_t> partitions;
};

exit_code alter(session& on, const alter_options& options) {
  if (options.set.empty() && options.unset.empty() && !options.partitions)
    return on.fail(errc::invalid_request, "nothing to change",
                   "use --set KEY=VALUE, --unset KEY or --partitions N");
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  client::admin admin(*cluster);
  client::topic_change change;
  for (const auto& text : options.set)
    change.settings.push_back(parse_setting(text));
  for (const auto& key : options.unset)
    change.settings.push_back({key, std::nullopt});
  change.partitions = options.partitions;
  const bool dry_run = change.validate_only = on.options().dry_run;
  const auto done = admin.alter_topic(options.topic, change, on.options().timeout);
  if (!done)
    return on.fail(about(options.topic, done.error()));
  if (dry_run)
    on.note("nothing was changed (--dry-run)");
  const auto topic = admin.describe_topic(options.topic, on.options().timeout);
  if (!topic)
    return on.fail(about(options.topic, topic.error()));
  auto doc = topic_described(*topic, on.now());
  // Only what was changed is of interest now.
  if (options.set.empty() && options.unset.empty())
    doc.tables.erase(doc.tables.begin() + 1);
  if (!options.partitions)
    doc.tables.erase(doc.tables.begin());
  doc.facts.resize(1);
  return on.print(doc);
}

std::optional<loss_row> loss_of(session& on, client::admin& admin, const std::string& name,
                                exit_code& outcome) {
  const auto topic = admin.describe_topic(name, on.options().timeout);
  if (!topic) {
    outcome = on.fail(about(name, topic.error()));
    return std::nullopt;
  }
  loss_row loss{name, static_cast<std::int32_t>(topic->partitions.size())};
  for (const auto& each : topic->partitions) {
    if (each.error != errc::none) {
      ++loss.silent_partitions;
      continue;
    }
    loss.records += each.high_watermark.value - each.log_start.value;
    loss.size_bytes += each.size_bytes;
  }
  return loss;
}

std::string sentence_of(const loss_row& loss) {
  auto text =
      fmt::format("this deletes topic \"{}\" with {} records ({}) in {} partitions", loss.topic,
                  format_count(static_cast<std::uint64_t>(loss.records)),
                  format_bytes(static_cast<std::uint64_t>(loss.size_bytes)), loss.partitions);
  if (loss.silent_partitions > 0)
    text += fmt::format(", and what is in the {} that do not answer", loss.silent_partitions);
  return text;
}

exit_code remove(session& on, const names& topics, bool if_exists) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  client::admin admin(*cluster);
  std::vector<loss_row> lost;
  for (const auto& name : topics) {
    if (if_exists) {
      const auto known = admin.describe_topic(name, on.options().timeout);
      if (!known && known.error().code == errc::unknown_topic) {
        on.note(fmt::format("topic \"{}\" does not exist", name));
        continue;
      }
    }
    auto outcome = exit_code::done;
    const auto loss = loss_of(on, admin, name, outcome);
    if (!loss)
      return outcome;
    lost.push_back(*loss);
  }
  if (on.options().dry_run) {
    const auto printed = on.print(topics_lost(lost));
    on.note("nothing was deleted (--dry-run)");
    return printed;
  }
  for (const auto& loss : lost) {
    if (const auto answer = on.confirm(sentence_of(loss), loss.topic); answer != exit_code::done)
      return answer;
    if (const auto gone = admin.delete_topic(loss.topic, on.options().timeout); !gone)
      return on.fail(about(loss.topic, gone.error()));
  }
  return on.print(topics_lost(lost));
}

exit_code offsets(session& on, const std::string& topic, const std::string& at) {
  std::optional<position> where;
  if (!at.empty()) {
    const auto parsed = parse_position(at, on.now());
    if (!parsed)
      return on.fail(parsed.error());
    where = *parsed;
  }
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  const auto bounds = partition_bounds_of(*cluster, topic);
  if (!bounds)
    return on.fail(about(topic, bounds.error()));
  std::map<std::int32_t, std::int64_t> found;
  if (where) {
    const auto looked_up = offsets_at(*cluster, topic, *where, *bounds);
    if (!looked_up)
      return on.fail(about(topic, looked_up.error()));
    found = *looked_up;
  }
  return on.print(topic_offsets(topic, *bounds, found));
}

struct trim_options {
  std::string topic;
  std::string before;
  std::string partitions;
};

/// What a trim will do, before it does it.
result<std::vector<trim_row>> plan_trim(session& on, const client::cluster& cluster,
                                        const trim_options& options) {
  const auto where = parse_position(options.before, on.now());
  if (!where)
    return where.propagate();
  auto bounds = partition_bounds_of(cluster, options.topic);
  if (!bounds)
    return bounds.propagate();
  if (auto kept = keep_partitions(*bounds, options.topic, options.partitions); !kept)
    return kept.propagate();
  const auto at = offsets_at(cluster, options.topic, *where, *bounds);
  if (!at)
    return at.propagate();
  std::vector<trim_row> rows;
  for (const auto& [partition, known] : *bounds)
    rows.push_back({partition, known.start, std::min(at->at(partition), known.end), known.end, {}});
  return rows;
}

exit_code trim(session& on, const trim_options& options) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  auto rows = plan_trim(on, *cluster, options);
  if (!rows)
    return on.fail(about(options.topic, rows.error()));
  std::int64_t records = 0;
  std::vector<client::records_deletion> deletions;
  for (const auto& each : *rows) {
    records += each.before - each.log_start;
    if (each.before > each.log_start)
      deletions.push_back({partition_id(each.partition), offset_t(each.before)});
  }
  if (on.options().dry_run || deletions.empty()) {
    const auto printed = on.print(topic_trimmed(options.topic, *rows));
    if (on.options().dry_run)
      on.note("nothing was deleted (--dry-run)");
    return printed;
  }
  const auto what = fmt::format("this deletes {} records of topic \"{}\"",
                                format_count(static_cast<std::uint64_t>(records)), options.topic);
  if (const auto answer = on.confirm(what, options.topic); answer != exit_code::done)
    return answer;
  const auto answers =
      client::admin(*cluster).delete_records(options.topic, deletions, on.options().timeout);
  if (!answers)
    return on.fail(about(options.topic, answers.error()));
  auto outcome = exit_code::done;
  for (const auto& answer : *answers) {
    const auto row = std::ranges::find(*rows, answer.partition.value, &trim_row::partition);
    if (row == rows->end())
      continue;
    if (answer.log_start) {
      row->before = answer.log_start->value;
    } else {
      row->problem = to_string(answer.log_start.error());
      row->before = row->log_start;
      outcome = exit_code_of(answer.log_start.error().code);
    }
  }
  const auto printed = on.print(topic_trimmed(options.topic, *rows));
  return outcome == exit_code::done ? printed : outcome;
}

CLI::Option* add_topic_argument(CLI::App& verb, std::string& topic) {
  return verb.add_option("TOPIC", topic, "Name of the topic")->required()->type_name("TOPIC");
}

void add_changing_verbs(command_line& line, CLI::App& group) {
  auto make = std::make_shared<create_options>();
  auto& create_verb = line.add_verb(group, "create", "Create topics",
                                    "aq topic create orders\n"
                                    "aq topic create orders -p 6 --set retention.ms=86400000\n"
                                    "aq topic create orders --if-not-exists -q\n",
                                    [make](session& on) { return create(on, *make); });
  create_verb.add_option("NAME", make->topics, "Names of the topics")
      ->required()
      ->type_name("NAME");
  create_verb.add_option("-p,--partitions", make->partitions, "Number of partitions")
      ->type_name("N");
  create_verb.add_option("-r,--replication", make->replication, "Replicas of each partition")
      ->type_name("N");
  create_verb.add_option("-c,--set", make->settings, "Setting of the topic")
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_setting, "", ""))
      ->type_name("KEY=VALUE");
  create_verb.add_flag("--if-not-exists", make->if_not_exists,
                       "A topic that exists already is no error");

  auto change = std::make_shared<alter_options>();
  auto& alter_verb = line.add_verb(group, "alter", "Change settings of a topic, add partitions",
                                   "aq topic alter orders --set retention.ms=3600000\n"
                                   "aq topic alter orders --unset retention.ms --dry-run\n"
                                   "aq topic alter orders --partitions 12\n",
                                   [change](session& on) { return alter(on, *change); });
  add_topic_argument(alter_verb, change->topic);
  alter_verb.add_option("-c,--set", change->set, "Setting to change")
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_setting, "", ""))
      ->type_name("KEY=VALUE");
  alter_verb.add_option("--unset", change->unset, "Setting to give the cluster's default")
      ->allow_extra_args(false)
      ->type_name("KEY");
  alter_verb
      .add_option(
          "-p,--partitions", change->partitions,
          "Number of partitions from now on; there can be more, never fewer. Keys may go to "
          "other partitions afterwards")
      ->type_name("N");

  struct delete_options {
    names topics;
    bool if_exists = false;
  };
  auto gone = std::make_shared<delete_options>();
  auto& delete_verb =
      line.add_verb(group, "delete", "Delete topics with all of their records",
                    "aq topic delete orders --dry-run\n"
                    "aq topic delete orders --yes\n",
                    [gone](session& on) { return remove(on, gone->topics, gone->if_exists); });
  delete_verb.add_option("TOPIC", gone->topics, "Names of the topics")
      ->required()
      ->type_name("TOPIC");
  delete_verb.add_flag("--if-exists", gone->if_exists, "A topic that does not exist is no error");

  auto cut = std::make_shared<trim_options>();
  auto& trim_verb = line.add_verb(group, "trim", "Delete the oldest records of a topic",
                                  "aq topic trim orders --before @-7d --dry-run\n"
                                  "aq topic trim orders --before 1000 -p 0 --yes\n"
                                  "aq topic trim orders --before end --yes\n",
                                  [cut](session& on) { return trim(on, *cut); });
  add_topic_argument(trim_verb, cut->topic);
  trim_verb.add_option("--before", cut->before, "All records before this place go")
      ->required()
      ->type_name("POSITION");
  trim_verb.add_option("-p,--partitions", cut->partitions, "Partitions, as in 0,2,5-7")
      ->type_name("LIST");
}

} // namespace

void add_topic_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "topic", "Create, show, change and delete topics");

  auto internal = std::make_shared<bool>(false);
  auto& list_verb = line.add_verb(group, "list", "List topics",
                                  "aq topic list\n"
                                  "aq topic list --output json\n"
                                  "aq topic list --output wide --sort -created\n",
                                  [internal](session& on) { return list(on, *internal); });
  list_verb.add_flag("--internal", *internal, "Also topics whose names begin with __");

  auto described = std::make_shared<std::string>();
  auto& describe_verb =
      line.add_verb(group, "describe", "Show a topic's partitions and settings",
                    "aq topic describe orders\n"
                    "aq topic describe orders --output wide\n",
                    [described](session& on) { return describe_one(on, *described); });
  add_topic_argument(describe_verb, *described);

  struct offsets_options {
    std::string topic;
    std::string at;
  };
  auto places = std::make_shared<offsets_options>();
  auto& offsets_verb =
      line.add_verb(group, "offsets", "Show where partitions begin and end, or are at a time",
                    "aq topic offsets orders\n"
                    "aq topic offsets orders --at @-1h\n"
                    "aq topic offsets orders --at @2026-01-31T12:00:00Z --output json\n",
                    [places](session& on) { return offsets(on, places->topic, places->at); });
  add_topic_argument(offsets_verb, places->topic);
  offsets_verb.add_option("--at", places->at, "A place, as in @-1h or -10")->type_name("POSITION");

  add_changing_verbs(line, group);
}

} // namespace aqueduct::aq
