#include "apps/aq/consume.hpp"

#include "apps/aq/client_session.hpp"
#include "apps/aq/matcher.hpp"
#include "apps/aq/progress.hpp"
#include "apps/aq/record_printer.hpp"
#include "apps/aq/units.hpp"
#include "protocol/client/group_consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace aqueduct::aq {

namespace {

using client::topic_partition;
using std::chrono::milliseconds;

/// How long a poll may wait before this program looks whether it was interrupted, or nobody reads
/// its output any more.
constexpr milliseconds poll_patience{100};

/// A partition on its way from the first wanted offset to the last.
struct partition_run {
  std::int64_t next = 0;
  /// The first offset that is not wanted; nothing: there is no end.
  std::optional<std::int64_t> end;

  [[nodiscard]] bool is_done() const { return end && next >= *end; }
};

using runs = std::map<topic_partition, partition_run>;

/// Where to begin and to stop in the partitions of one topic.
result<void> add_runs(session& on, const client::cluster& cluster, const std::string& topic,
                      const consume_options& options, const offset_range& range, runs& all) {
  auto bounds = partition_bounds_of(cluster, topic);
  if (!bounds)
    return bounds.propagate();
  if (auto kept = keep_partitions(*bounds, topic, options.partitions); !kept)
    return kept;
  const auto begin = offsets_at(cluster, topic, range.begin, *bounds);
  if (!begin)
    return begin.propagate();
  std::map<std::int32_t, std::int64_t> end;
  if (range.end) {
    const auto found = offsets_at(cluster, topic, *range.end, *bounds);
    if (!found)
      return found.propagate();
    end = *found;
  }
  for (const auto& [partition, known] : *bounds) {
    partition_run run{begin->at(partition), std::nullopt};
    if (range.end)
      run.end = end.at(partition);
    if (options.exit_at_end)
      run.end = std::min(run.end.value_or(known.end), known.end);
    on.detail(fmt::format("{}/{}: from {} to {}, of {} to {}", topic, partition, run.next,
                          run.end ? std::to_string(*run.end) : "no end", known.start, known.end));
    all.emplace(topic_partition{topic, partition_id(partition)}, run);
  }
  return {};
}

/// One run of the verb.
class consuming {
public:
  consuming(session& on, const consume_options& options, client::cluster cluster,
            record_printer printer)
      : on_(on), options_(options), cluster_(std::move(cluster)), printer_(std::move(printer)) {}

  result<void> prepare(const offset_range& range) {
    if (auto ready = prepare_matchers(); !ready)
      return ready;
    if (options_.group.empty())
      for (const auto& topic : options_.topics)
        if (auto added = add_runs(on_, cluster_, topic, options_, range, runs_); !added)
          return added;
    total_ = options_.count > 0 ? options_.count : options_.group.empty() ? offsets_to_read() : 0;
    meter_.emplace(on_, "records", total_);
    return {};
  }

  result<void> prepare_matchers() {
    if (!options_.grep.empty()) {
      auto compiled = matcher::compile(options_.grep);
      if (!compiled)
        return compiled.propagate();
      grep_ = std::move(*compiled);
    }
    if (!options_.grep_key.empty()) {
      auto compiled = matcher::compile(options_.grep_key);
      if (!compiled)
        return compiled.propagate();
      grep_key_ = std::move(*compiled);
    }
    return {};
  }

  /// As a member of a group. What was printed is committed, and nothing else.
  exit_code run_in_group(const client::consumer_config& reading, const offset_range& range) {
    client::group_consumer_config config;
    config.group = options_.group;
    config.topics = options_.topics;
    config.reading = reading;
    config.auto_commit = false;
    if (range.begin == position{position::anchor::end, 0})
      config.start = client::group_start::latest;
    config.on_revoked = [this](client::partition_span) { commit_printed(); };
    config.on_lost = [this](client::partition_span) { printed_to_.clear(); };
    auto made = client::group_consumer::create(cluster_, std::move(config));
    if (!made)
      return on_.fail(made.error());
    member_.emplace(std::move(*made));
    auto outcome = exit_code::done;
    while (!is_enough() && !on_.out().is_closed() && !on_.interrupted() &&
           outcome == exit_code::done) {
      const auto records = member_->poll(poll_patience);
      if (!records) {
        outcome = on_.fail(records.error());
        break;
      }
      for (const auto& record : *records) {
        if (is_enough())
          break;
        print(record);
        printed_to_[{std::string(record.topic), record.partition}] =
            offset_t(record.offset.value + 1);
      }
      if (!on_.out_is_terminal())
        meter_->update(printed_);
      on_.out().flush();
      commit_printed();
      if (records->empty() && options_.exit_at_end && has_read_all())
        break;
      if (records->empty())
        on_.out().notice_closed_reader();
    }
    static_cast<void>(member_->close());
    return finish(on_.interrupted() ? exit_code::interrupted : outcome);
  }

  exit_code run(client::consumer_config config) {
    // What retention removes while we read is said, not skipped in silence.
    config.on_out_of_range = client::offset_reset::error;
    auto made = client::consumer::create(cluster_, config);
    if (!made)
      return on_.fail(made.error());
    client::consumer consumer(std::move(*made));
    std::vector<client::assignment> assigned;
    for (const auto& [partition, run] : runs_)
      if (!run.is_done())
        assigned.push_back({partition, client::start_position::at(offset_t(run.next))});
    open_ = assigned.size();
    if (open_ > 0)
      if (auto done = consumer.assign(std::move(assigned)); !done)
        return on_.fail(done.error());
    while (open_ > 0 && !is_enough() && !on_.out().is_closed() && !on_.interrupted())
      if (const auto stop = poll_once(consumer)) {
        tell_origins(consumer);
        return finish(*stop);
      }
    tell_origins(consumer);
    return finish(on_.interrupted() ? exit_code::interrupted : exit_code::done);
  }

private:
  /// What is refused is printed again by whoever has the partition then.
  void commit_printed() {
    std::vector<client::offset_commit> rows;
    for (const auto& [partition, offset] : printed_to_)
      rows.push_back({partition, offset});
    if (member_->commit(rows))
      printed_to_.clear();
  }

  [[nodiscard]] bool has_read_all() const {
    const auto mine = member_->assigned();
    return !mine.empty() && std::ranges::all_of(mine, [this](const topic_partition& tp) {
      const auto left = member_->lag(tp);
      return left && *left == 0;
    });
  }

  [[nodiscard]] bool is_enough() const { return options_.count > 0 && printed_ >= options_.count; }

  std::optional<exit_code> poll_once(client::consumer& consumer) {
    const auto records = consumer.poll(poll_patience);
    if (!records) {
      if (records.error().code == errc::cancelled && on_.interrupted())
        return exit_code::interrupted;
      return recover(consumer, records.error());
    }
    for (const auto& record : *records) {
      if (is_enough())
        break;
      take(consumer, record);
    }
    // Records that scroll by on the terminal are progress enough.
    if (!on_.out_is_terminal())
      meter_->update(options_.count > 0 || total_ == 0 ? printed_ : passed_);
    on_.out().flush();
    if (records->empty()) {
      notice_silent_ends(consumer);
      on_.out().notice_closed_reader();
    }
    return std::nullopt;
  }

  /// How many offsets there are to go; 0 if that is not known.
  [[nodiscard]] std::uint64_t offsets_to_read() const {
    std::int64_t total = 0;
    for (const auto& [partition, run] : runs_) {
      if (!run.end)
        return 0;
      total += std::max<std::int64_t>(0, *run.end - run.next);
    }
    return static_cast<std::uint64_t>(total);
  }

  void advance(partition_run& run, std::int64_t next) {
    passed_ += static_cast<std::uint64_t>(std::max<std::int64_t>(0, next - run.next));
    run.next = next;
  }

  partition_run& run_of(const client::record_view& record) {
    // Records come in stretches of one partition.
    if (last_run_ == runs_.end() || last_run_->first.partition != record.partition ||
        last_run_->first.topic != record.topic)
      last_run_ = runs_.find({std::string(record.topic), record.partition});
    return last_run_->second;
  }

  void take(client::consumer& consumer, const client::record_view& record) {
    auto& run = run_of(record);
    if (run.is_done())
      return;
    if (!run.end || record.offset.value < *run.end) {
      advance(run, record.offset.value + 1);
      print(record);
    } else {
      advance(run, *run.end);
    }
    if (run.is_done())
      close_run(consumer, last_run_->first);
  }

  void close_run(client::consumer& consumer, const topic_partition& partition) {
    --open_;
    // If it is gone from the assignment nothing of it comes either.
    static_cast<void>(consumer.pause(partition));
  }

  void print(const client::record_view& record) {
    if (grep_ && !(record.value && grep_->matches(record.value->text())))
      return;
    if (grep_key_ && !(record.key && grep_key_->matches(record.key->text())))
      return;
    text_.topic = record.topic;
    text_.partition = record.partition.value;
    text_.offset = record.offset.value;
    text_.timestamp = record.timestamp.value;
    text_.key = record.key ? std::optional(record.key->text()) : std::nullopt;
    text_.value = record.value ? std::optional(record.value->text()) : std::nullopt;
    if (printer_.needs_headers()) {
      text_.headers.clear();
      for (const auto& each : record.headers)
        text_.headers.push_back(
            {each.name, each.value ? std::optional(each.value->text()) : std::nullopt});
    }
    const auto size_before = on_.out().buffer().size();
    printer_.append(on_.out().buffer(), text_, ++printed_);
    bytes_ += on_.out().buffer().size() - size_before;
    on_.out().settle();
  }

  /// A partition can end without a record of its own there: the last offsets belong to transaction
  /// markers, or were removed.
  void notice_silent_ends(client::consumer& consumer) {
    for (auto& [partition, run] : runs_) {
      if (!run.end || run.is_done())
        continue;
      const auto position = consumer.position(partition);
      if (!position || position->value < *run.end)
        continue;
      advance(run, *run.end);
      close_run(consumer, partition);
    }
  }

  /// Goes on after retention has overtaken us; everything else ends the run.
  std::optional<exit_code> recover(client::consumer& consumer, const error& problem) {
    const auto failed = consumer.failed_partition();
    if (problem.code != errc::offset_out_of_range || !failed)
      return on_.fail(problem);
    const auto bounds = partition_bounds_of(cluster_, failed->topic);
    if (!bounds)
      return on_.fail(bounds.error());
    auto& run = runs_.at(*failed);
    const auto known = bounds->find(failed->partition.value);
    if (known == bounds->end() || run.next >= known->second.start)
      return on_.fail(problem);
    on_.warn(fmt::format("{}: offsets {} to {} were deleted before they could be read",
                         to_string(*failed), run.next, known->second.start - 1));
    advance(run, known->second.start);
    if (run.is_done())
      close_run(consumer, *failed);
    else if (auto done = consumer.seek(*failed, client::start_position::at(offset_t(run.next)));
             !done)
      return on_.fail(done.error());
    return std::nullopt;
  }

  /// Who answered, for those who asked for more than the leader.
  void tell_origins(client::consumer& consumer) {
    for (const auto& [partition, run] : runs_) {
      const auto from = consumer.last_answer(partition);
      if (!from)
        continue;
      const auto age = from->age ? fmt::format("{} ms", from->age->count()) : "unknown";
      on_.detail(fmt::format("{}: read last from node {} ({}), age {}", to_string(partition),
                             from->replica.value, from->leads ? "leader" : "follower", age));
    }
  }

  exit_code finish(exit_code outcome) {
    if (printer_.has_encoded())
      on_.note("values that are not text are shown as base64; -f '%v\\n' prints them as they are");
    const auto elapsed = std::chrono::duration_cast<milliseconds>(meter_->elapsed());
    const auto seconds = std::max(0.001, static_cast<double>(elapsed.count()) / 1000);
    const auto text =
        fmt::format("{} records, {} in {}: {} records/s", format_count(printed_),
                    format_bytes(bytes_), format_duration(elapsed),
                    format_count(static_cast<std::uint64_t>(double(printed_) / seconds)));
    // Who pressed Ctrl-C waits for a word; who asked for the end knows.
    if (outcome == exit_code::interrupted)
      on_.note(text);
    else
      on_.detail(text);
    const auto written = on_.finish();
    return outcome == exit_code::done ? written : outcome;
  }

  session& on_;
  const consume_options& options_;
  client::cluster cluster_;
  record_printer printer_;
  std::optional<progress> meter_;
  std::optional<matcher> grep_;
  std::optional<matcher> grep_key_;
  runs runs_;
  runs::iterator last_run_ = runs_.end();
  /// Partitions that are not done.
  std::size_t open_ = 0;
  std::uint64_t printed_ = 0;
  /// Offsets that are behind us, printed or not.
  std::uint64_t passed_ = 0;
  /// Of the progress: records to print or offsets to pass; 0 if there is no end.
  std::uint64_t total_ = 0;
  std::uint64_t bytes_ = 0;
  record_text text_;
  std::optional<client::group_consumer> member_;
  /// Of a member: the next records, that the group was not told of yet.
  std::map<topic_partition, offset_t> printed_to_;
};

} // namespace

exit_code consume(session& on, const consume_options& options) {
  const auto range = parse_offsets(options.offsets, on.now());
  if (!range)
    return on.fail(range.error());
  const bool begins_at_a_place =
      range->begin.number != 0 ||
      (range->begin.from != position::anchor::start && range->begin.from != position::anchor::end);
  if (!options.group.empty() && (begins_at_a_place || range->end || !options.partitions.empty()))
    return on.fail(errc::invalid_request, "a group decides by itself what is read and from where",
                   "with -g use -o start or -o end; aq group seek moves a group");
  const auto format = on.options().output.format;
  if (on.options().has_output && !on.options().is_json() && format != output_format::table)
    return on.fail(errc::invalid_request, "records are printed as json or by a pattern",
                   "use --output json, or -f; aq help formats lists what a pattern can hold");
  record_printer::choice choice;
  choice.format = options.format;
  choice.wants_json = on.options().is_json();
  choice.meta_only = options.meta_only;
  choice.on_terminal = on.out_is_terminal();
  auto printer = record_printer::make(choice);
  if (!printer)
    return on.fail(printer.error());
  const auto settings = make_client_settings(on.options());
  if (!settings)
    return on.fail(settings.error());
  auto config = settings->consumer;
  if (options.follower_read) {
    const auto source = parse_read_source(*options.follower_read);
    if (!source)
      return on.fail(source.error());
    config.read_from = *source;
  }
  auto cluster = client::cluster::open(settings->cluster);
  if (!cluster)
    return on.fail(cluster.error());
  consuming run(on, options, std::move(*cluster), std::move(*printer));
  if (auto prepared = run.prepare(*range); !prepared)
    return on.fail(prepared.error());
  return options.group.empty() ? run.run(config) : run.run_in_group(config, *range);
}

} // namespace aqueduct::aq
