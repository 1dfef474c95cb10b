// aq top
#include "apps/aq/client_session.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/top.hpp"
#include "apps/aq/units.hpp"
#include "protocol/client/group_admin.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>

namespace aqueduct::aq {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds interval_min{100};

struct verb_options {
  milliseconds interval{2000};
  bool by_partition = false;
};

result<void> look_at_topics(const client::cluster& cluster, client::admin::timeout_t timeout,
                            cluster_look& look) {
  client::admin admin(cluster);
  const auto layout = admin.describe_cluster(timeout);
  if (!layout)
    return layout.propagate();
  std::vector<client::offset_query> queries;
  for (const auto& topic : layout->topics)
    for (const auto& each : topic.partitions) {
      const client::topic_partition tp{topic.name, each.partition};
      auto& partition = look.partitions[tp];
      if (each.leader) {
        partition.leader = each.leader->value;
        queries.push_back({tp, client::offset_query::kind::latest});
      }
    }
  if (queries.empty())
    return {};
  const auto answers = admin.list_offsets(queries, timeout);
  if (!answers)
    return answers.propagate();
  for (const auto& answer : *answers)
    if (answer.offset && *answer.offset)
      look.partitions[answer.partition].end = (*answer.offset)->value;
  return {};
}

result<void> look_at_groups(const client::cluster& cluster, client::admin::timeout_t timeout,
                            cluster_look& look) {
  client::group_admin groups(cluster);
  const auto all = groups.list(timeout);
  if (!all)
    return all.propagate();
  for (const auto& listed : *all) {
    const auto lags = groups.lag(listed.group, timeout);
    // It can have been deleted since, and its broker can be gone: the others are still shown.
    if (!lags)
      continue;
    auto& group = look.groups[listed.group];
    group.state = listed.state;
    group.members = listed.members;
    for (const auto& row : *lags) {
      auto& progress = group.topics[row.partition.topic];
      if (row.offset)
        progress.committed[row.partition.partition.value] = row.offset->value;
      progress.lag += row.records;
      if (row.time)
        progress.behind = std::max(progress.behind.value_or(milliseconds(0)), *row.time);
    }
  }
  return {};
}

result<cluster_look> look_at(const session& on, const client::cluster& cluster) {
  cluster_look look;
  look.at = steady_clock::now();
  if (auto done = look_at_topics(cluster, on.options().timeout, look); !done)
    return done.propagate();
  if (auto done = look_at_groups(cluster, on.options().timeout, look); !done)
    return done.propagate();
  return look;
}

/// False if that was interrupted.
bool wait_until(const session& on, steady_clock::time_point end) {
  constexpr milliseconds look_up{50};
  while (!on.interrupted() && steady_clock::now() < end)
    std::this_thread::sleep_for(
        std::min<steady_clock::duration>(look_up, end - steady_clock::now()));
  return !on.interrupted();
}

/// Another screen than the one with the user's work, without a cursor and without wrapping, while
/// it lives.
class screen {
public:
  explicit screen(output_stream& out) : out_(out) { send("\x1b[?1049h\x1b[?25l\x1b[?7l"); }
  ~screen() { send("\x1b[?7h\x1b[?25h\x1b[?1049l"); }
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  void show(std::string_view text) {
    winsize size{};
    const bool is_known = ::ioctl(out_.fd(), TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    send(screen_of(text, is_known ? size.ws_row : 24));
  }

private:
  void send(std::string_view text) {
    out_.write(text);
    out_.flush();
  }

  output_stream& out_;
};

bool is_dumb_terminal() {
  const char* term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb";
}

/// Until Ctrl-C. A look that fails is said, and the next may work again.
exit_code watch(session& on, const client::cluster& cluster, const verb_options& options,
                cluster_look before) {
  // What cannot be rendered (a column that is not there) is said where it stays.
  if (const auto first =
          render(top_described(before, before, options.by_partition), on.options().output);
      !first)
    return on.fail(first.error());
  screen shown(on.out());
  shown.show(fmt::format("aq top: measuring for {} ...", format_duration(options.interval)));
  while (wait_until(on, before.at + options.interval) && !on.out().is_closed()) {
    auto now = look_at(on, cluster);
    if (!now) {
      shown.show(fmt::format("aq top: {}; trying again", to_string(now.error())));
      before.at = steady_clock::now();
      continue;
    }
    const auto table =
        render(top_described(before, *now, options.by_partition), on.options().output);
    shown.show(fmt::format("aq top: {}, every {}, Ctrl-C ends it\n\n{}", format_time(on.now()),
                           format_duration(options.interval), *table));
    before = std::move(*now);
  }
  return exit_code::done;
}

exit_code top(session& on, const verb_options& options) {
  const auto cluster = connect(on);
  if (!cluster)
    return on.fail(cluster.error());
  auto before = look_at(on, *cluster);
  if (!before)
    return on.fail(before.error());
  if (on.out_is_terminal() && !on.options().has_output && !is_dumb_terminal())
    return watch(on, *cluster, options, std::move(*before));
  if (!wait_until(on, before->at + options.interval))
    return exit_code::interrupted;
  const auto now = look_at(on, *cluster);
  if (!now)
    return on.fail(now.error());
  return on.print(top_described(*before, *now, options.by_partition));
}

} // namespace

void add_top_verb(command_line& line) {
  auto options = std::make_shared<verb_options>();
  auto& verb = line.add_verb(
      line.root(), "top", "Show rates and lag until Ctrl-C; one sample with --output or in a pipe",
      "aq top\n"
      "aq top --partitions --interval 500ms\n"
      "aq top --output json\n",
      [options](session& on) { return top(on, *options); });
  verb.add_option_function<std::string>(
          "-i,--interval",
          [options](const std::string& text) {
            const auto parsed = parse_duration(text);
            if (!parsed)
              throw CLI::ValidationError("--interval", parsed.error().message);
            if (*parsed < interval_min)
              throw CLI::ValidationError("--interval", "is below 100ms");
            options->interval = *parsed;
          },
          "Time between two looks (default 2s)")
      ->type_name("DURATION");
  verb.add_flag("-p,--partitions", options->by_partition, "A row per partition, not per topic");
}

} // namespace aqueduct::aq
