#include "apps/aq/top.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace aqueduct::aq {

namespace {

/// Per second with one decimal: more is noise.
std::optional<double> rate_of(std::optional<std::int64_t> before, std::optional<std::int64_t> now,
                              double seconds) {
  if (!before || !now || *now < *before || seconds <= 0)
    return std::nullopt;
  return std::round(static_cast<double>(*now - *before) / seconds * 10) / 10;
}

/// Of several; not known if one is not.
std::optional<std::int64_t> sum(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

struct topic_sum {
  std::int64_t partitions = 0;
  std::int64_t leaderless = 0;
  std::optional<std::int64_t> before = 0;
  std::optional<std::int64_t> now = 0;
};

struct ranked_row {
  double rank = 0;
  std::vector<value> cells;
};

/// Keeps the order of rows that are as busy.
void add_ranked(table& to, std::vector<ranked_row> rows) {
  std::ranges::stable_sort(rows, std::ranges::greater(), &ranked_row::rank);
  for (auto& row : rows)
    to.rows.push_back(std::move(row.cells));
}

std::optional<std::int64_t> end_of(const cluster_look& look, const client::topic_partition& of) {
  const auto found = look.partitions.find(of);
  return found == look.partitions.end() ? std::nullopt : found->second.end;
}

void add_topics(document& doc, const cluster_look& before, const cluster_look& now,
                double seconds) {
  std::map<std::string, topic_sum> topics;
  for (const auto& [tp, look] : now.partitions) {
    auto& topic = topics[tp.topic];
    ++topic.partitions;
    topic.leaderless += look.leader ? 0 : 1;
    topic.before = sum(topic.before, end_of(before, tp));
    topic.now = sum(topic.now, look.end);
  }
  auto& rows = doc.tables.emplace_back();
  rows.key = "topics";
  rows.columns = {{"topic", "TOPIC"},
                  {"partitions", "PARTITIONS", kind::number},
                  {"leaderless", "LEADERLESS", kind::number},
                  {"records_per_second", "RECORDS/S", kind::number},
                  {"end", "RECORDS EVER", kind::number}};
  std::vector<ranked_row> ranked;
  for (const auto& [name, topic] : topics) {
    const auto rate = rate_of(topic.before, topic.now, seconds);
    ranked.push_back(
        {rate.value_or(0), {name, topic.partitions, topic.leaderless, rate, topic.now}});
  }
  add_ranked(rows, std::move(ranked));
}

void add_partitions(document& doc, const cluster_look& before, const cluster_look& now,
                    double seconds) {
  auto& rows = doc.tables.emplace_back();
  rows.key = "partitions";
  rows.columns = {{"topic", "TOPIC"},
                  {"partition", "PARTITION", kind::number},
                  {"leader", "LEADER", kind::number},
                  {"records_per_second", "RECORDS/S", kind::number},
                  {"end", "END", kind::number}};
  std::vector<ranked_row> ranked;
  for (const auto& [tp, look] : now.partitions) {
    const auto rate = rate_of(end_of(before, tp), look.end, seconds);
    ranked.push_back(
        {rate.value_or(0), {tp.topic, tp.partition.value, look.leader, rate, look.end}});
  }
  add_ranked(rows, std::move(ranked));
}

const progress_look* progress_of(const cluster_look& look, const std::string& group,
                                 const std::string& topic) {
  const auto known = look.groups.find(group);
  if (known == look.groups.end())
    return nullptr;
  const auto found = known->second.topics.find(topic);
  return found == known->second.topics.end() ? nullptr : &found->second;
}

/// Over the partitions that had an offset at both looks: a first commit is no distance.
std::optional<double> rate_of(const progress_look* before, const progress_look& now,
                              double seconds) {
  std::optional<std::int64_t> from;
  std::int64_t to = 0;
  for (const auto& [partition, offset] : now.committed) {
    if (before == nullptr || !before->committed.contains(partition))
      continue;
    from = from.value_or(0) + before->committed.at(partition);
    to += offset;
  }
  return rate_of(from, to, seconds);
}

void add_groups(document& doc, const cluster_look& before, const cluster_look& now,
                double seconds) {
  auto& rows = doc.tables.emplace_back();
  rows.key = "groups";
  rows.columns = {{"group", "GROUP"},
                  {"topic", "TOPIC"},
                  {"state", "STATE"},
                  {"members", "MEMBERS", kind::number},
                  {"records_per_second", "CONSUMED/S", kind::number},
                  {"lag", "LAG", kind::number},
                  {"lag_ms", "BEHIND", kind::duration}};
  std::vector<ranked_row> ranked;
  for (const auto& [name, group] : now.groups) {
    if (group.topics.empty())
      ranked.push_back({0, {name, value(), group.state, group.members, value(), value(), value()}});
    for (const auto& [topic, progress] : group.topics) {
      const auto rate = rate_of(progress_of(before, name, topic), progress, seconds);
      const auto behind = progress.lag == 0 ? value(0)
                          : progress.behind ? value(std::int64_t{progress.behind->count()})
                                            : value();
      ranked.push_back({rate.value_or(0),
                        {name, topic, group.state, group.members, rate, progress.lag, behind}});
    }
  }
  add_ranked(rows, std::move(ranked));
}

} // namespace

document top_described(const cluster_look& before, const cluster_look& now, bool by_partition) {
  const auto seconds = std::chrono::duration<double>(now.at - before.at).count();
  document doc;
  if (by_partition)
    add_partitions(doc, before, now, seconds);
  else
    add_topics(doc, before, now, seconds);
  add_groups(doc, before, now, seconds);
  return doc;
}

std::string screen_of(std::string_view text, std::size_t lines) {
  std::string screen = "\x1b[H";
  for (std::size_t line = 0; line < lines && !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    if (line > 0)
      screen += "\r\n";
    screen += text.substr(0, end);
    screen += "\x1b[K";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return screen + "\x1b[J";
}

} // namespace aqueduct::aq
