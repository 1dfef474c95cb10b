#include "apps/aq/produce.hpp"

#include "apps/aq/client_session.hpp"
#include "apps/aq/pacer.hpp"
#include "apps/aq/progress.hpp"
#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

namespace aqueduct::aq {

namespace {

using std::chrono::milliseconds;

/// How long `send` may wait before this program looks whether it was interrupted.
constexpr milliseconds send_patience{200};
/// What is under way when Ctrl-C comes has this long to arrive.
constexpr milliseconds farewell{5'000};

/// A file that is closed when nobody needs it any more.
class input_file {
public:
  input_file(int fd, bool is_owned) : fd_(fd), is_owned_(is_owned) {}
  ~input_file() {
    if (is_owned_ && fd_ >= 0)
      ::close(fd_);
  }
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

private:
  int fd_;
  bool is_owned_;
};

/// Where the records of a partition went.
struct partition_range {
  std::int64_t first = -1;
  std::int64_t last = -1;
  std::uint64_t records = 0;
};

/// What became of the records, as the I/O thread reports it.
class outcomes {
public:
  void stored(const client::record_metadata& where) {
    const std::lock_guard lock(mutex_);
    auto& range = ranges_[where.partition.value];
    const auto offset = where.offset.value;
    if (offset >= 0) {
      range.first = range.first < 0 ? offset : std::min(range.first, offset);
      range.last = std::max(range.last, offset);
    }
    ++range.records;
  }
  void lost(const error& why, std::uint64_t records) {
    const std::lock_guard lock(mutex_);
    failed_ += records;
    if (!first_error_)
      first_error_ = why;
    has_failed_.store(true, std::memory_order_release);
  }
  [[nodiscard]] bool has_failed() const { return has_failed_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  [[nodiscard]] std::optional<error> first_error() const {
    const std::lock_guard lock(mutex_);
    return first_error_;
  }
  [[nodiscard]] std::map<std::int32_t, partition_range> ranges() const {
    const std::lock_guard lock(mutex_);
    return ranges_;
  }

private:
  mutable std::mutex mutex_;
  std::map<std::int32_t, partition_range> ranges_;
  std::uint64_t failed_ = 0;
  std::optional<error> first_error_;
  std::atomic<bool> has_failed_{false};
};

/// Options with everything parsed and checked.
struct plan {
  std::unique_ptr<record_parser> parser;
  std::vector<std::pair<std::string, std::string>> headers;
  client::producer_config producer;
  client::cluster_config cluster;
  std::optional<rate> pace;
  std::optional<timestamp_ms> timestamp;
};

result<plan> make_plan(session& on, const produce_options& options) {
  plan made;
  auto parser = make_input_parser(options);
  if (!parser)
    return parser.propagate();
  made.parser = std::move(*parser);
  for (const auto& text : options.headers) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return unexpected(errc::invalid_request,
                        fmt::format("-H {}: a header is written NAME=VALUE", text));
    made.headers.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  auto settings = make_client_settings(on.options());
  if (!settings)
    return settings.propagate();
  made.producer = settings->producer;
  made.cluster = settings->cluster;
  const auto codec = client::parse_compression(options.codec);
  const auto acks = parse_acks(options.acks);
  if (!codec)
    return unexpected(errc::invalid_request,
                      fmt::format("-z {}: write none, gzip, snappy, lz4 or zstd", options.codec));
  if (!acks)
    return unexpected(errc::invalid_request,
                      fmt::format("--acks {}: write all, leader or none", options.acks));
  made.producer.codec = *codec;
  made.producer.compression_level = options.level;
  made.producer.acks = *acks;
  made.producer.block_max = send_patience;
  if (!options.rate.empty()) {
    const auto pace = parse_rate(options.rate);
    if (!pace)
      return pace.propagate();
    made.pace = *pace;
  }
  if (!options.timestamp.empty()) {
    const auto time = parse_time(options.timestamp);
    if (!time)
      return time.propagate();
    made.timestamp = *time;
  }
  return made;
}

/// One run of the verb.
class producing {
public:
  producing(session& on, const produce_options& options, plan& with)
      : on_(on), options_(options), plan_(with), begin_(pacer::clock::now()) {
    if (with.pace)
      pacer_.emplace(with.pace->per_second, begin_);
    for (const auto& [name, content] : with.headers)
      headers_.push_back({name, client::bytes_view(content)});
    fixed_headers_ = headers_.size();
  }

  exit_code run() {
    if (!on_.options().dry_run)
      if (const auto connected = connect_producer(); connected != exit_code::done)
        return connected;
    const auto files = options_.files.empty() ? std::vector<std::string>{"-"} : options_.files;
    meter_.emplace(on_, "records", 0);
    if (const auto total = total_bytes(files); total > 0)
      bytes_meter_.emplace(on_, "bytes", total);
    for (const auto& name : files) {
      if (const auto done = run_file(name); !done) {
        problem_ = done.error();
        break;
      }
      if (on_.interrupted() || outcomes_.has_failed())
        break;
    }
    return finish();
  }

private:
  exit_code connect_producer() {
    auto cluster = client::cluster::open(plan_.cluster);
    if (!cluster)
      return on_.fail(cluster.error());
    cluster_.emplace(std::move(*cluster));
    // What becomes of records without a callback of their own.
    plan_.producer.on_lost = [this](const client::topic_partition& where, const error& why,
                                    std::size_t records) {
      outcomes_.lost({why.code, fmt::format("{}: {}", to_string(where), why.message)}, records);
    };
    auto made = client::producer::create(*cluster_, plan_.producer);
    if (!made)
      return on_.fail(made.error());
    producer_.emplace(std::move(*made));
    return exit_code::done;
  }

  /// Bytes of all files, or 0 if one of them has no size (a pipe).
  static std::uint64_t total_bytes(const std::vector<std::string>& files) {
    std::uint64_t total = 0;
    for (const auto& name : files) {
      struct stat info {};
      const bool is_known = (name == "-" ? ::fstat(0, &info) : ::stat(name.c_str(), &info)) == 0;
      if (!is_known || !S_ISREG(info.st_mode))
        return 0;
      total += static_cast<std::uint64_t>(info.st_size);
    }
    return total;
  }

  result<void> run_file(const std::string& name) {
    const bool is_standard = name == "-";
    const input_file file(is_standard ? on_.in() : ::open(name.c_str(), O_RDONLY | O_CLOEXEC),
                          !is_standard);
    if (file.fd() < 0)
      return unexpected(errc::not_found,
                        fmt::format("cannot open {}: {}", name, std::strerror(errno)));
    if (is_standard && on_.in_is_terminal())
      on_.note("reading from the terminal: one record per line, Ctrl-D ends");
    record_input input(*plan_.parser, file.fd(), is_standard ? "standard input" : name);
    record_text text;
    while (!on_.interrupted() && !outcomes_.has_failed()) {
      const auto more = input.next(text);
      if (!more)
        return more.propagate();
      if (!*more)
        break;
      if (auto sent = send(text); !sent)
        return sent;
    }
    return {};
  }

  result<void> send(record_text& text) {
    if (options_.empty_is_null) {
      if (text.value && text.value->empty())
        text.value.reset();
      if (text.key && text.key->empty())
        text.key.reset();
    }
    if (!text.key && options_.key)
      text.key = *options_.key;
    const auto size = (text.key ? text.key->size() : 0) + (text.value ? text.value->size() : 0);
    if (pacer_ && !wait_for_turn(plan_.pace->is_bytes ? static_cast<double>(size) : 1.0))
      return {};
    bytes_ += size;
    if (producer_)
      if (auto sent = hand_over(text); !sent)
        return sent;
    ++records_;
    if (bytes_meter_)
      bytes_meter_->update(bytes_);
    else
      meter_->update(records_);
    return {};
  }

  /// False when interrupted.
  bool wait_for_turn(double amount) {
    constexpr auto nap = milliseconds(50);
    const auto turn = pacer_->book(amount, pacer::clock::now());
    for (auto now = pacer::clock::now(); now < turn; now = pacer::clock::now()) {
      if (on_.interrupted() || outcomes_.has_failed())
        return false;
      std::this_thread::sleep_for(std::min<pacer::clock::duration>(turn - now, nap));
    }
    return true;
  }

  client::record make_record(const record_text& text) {
    client::record record;
    record.topic = options_.topic;
    if (options_.partition)
      record.partition = partition_id(*options_.partition);
    else if (options_.keep_partitions && text.partition >= 0)
      record.partition = partition_id(text.partition);
    if (text.key)
      record.key = client::bytes_view(*text.key);
    if (text.value)
      record.value = client::bytes_view(*text.value);
    if (plan_.timestamp)
      record.timestamp = plan_.timestamp;
    else if (text.timestamp >= 0)
      record.timestamp = timestamp_ms(text.timestamp);
    headers_.resize(fixed_headers_);
    for (const auto& each : text.headers)
      headers_.push_back(
          {each.key, each.value ? std::optional(client::bytes_view(*each.value)) : std::nullopt});
    record.headers = headers_;
    return record;
  }

  result<void> hand_over(const record_text& text) {
    // Where each record went costs a call per record: for those who ask, and for the first few.
    const bool reports = on_.options().has_output || records_ < reported_without_asking;
    const auto record = make_record(text);
    while (true) {
      auto sent = reports ? producer_->send(record,
                                            [this](const result<client::record_metadata>& done) {
                                              done ? outcomes_.stored(*done)
                                                   : outcomes_.lost(done.error(), 1);
                                            })
                          : producer_->send(record);
      const bool is_full = !sent && (sent.error().code == errc::overloaded ||
                                     (sent.error().code == errc::timed_out && records_ == 0));
      if (!is_full)
        return sent;
      const bool out_of_time =
          pacer::clock::now() - last_progress() > plan_.producer.delivery_timeout;
      if (on_.interrupted() || outcomes_.has_failed() || out_of_time)
        return on_.interrupted() ? result<void>() : sent;
    }
  }

  /// When records were acknowledged last, as far as this thread has seen.
  pacer::clock::time_point last_progress() {
    const auto acked = producer_->stats().records_acked;
    if (acked != acked_) {
      acked_ = acked;
      acked_at_ = pacer::clock::now();
    }
    return acked_at_;
  }

  exit_code finish() {
    const bool interrupted = on_.interrupted();
    if (producer_) {
      const auto patience = interrupted ? std::optional(farewell) : std::optional<milliseconds>();
      if (const auto closed = producer_->close(patience);
          !closed && !outcomes_.first_error() && !problem_)
        problem_ = closed.error();
    }
    const auto failed = outcomes_.failed();
    auto outcome = interrupted ? exit_code::interrupted : exit_code::done;
    if (const auto lost = outcomes_.first_error())
      problem_ = lost;
    if (problem_) {
      outcome = on_.fail(*problem_);
      if (failed > 1)
        on_.note(fmt::format("{} records were not stored", format_count(failed)));
    }
    const auto printed = report();
    return outcome == exit_code::done ? printed : outcome;
  }

  exit_code report() {
    const auto elapsed = std::chrono::duration_cast<milliseconds>(pacer::clock::now() - begin_);
    const auto stats = producer_ ? producer_->stats() : client::producer_stats{};
    const auto stored = producer_ ? stats.records_acked : records_;
    const auto seconds = std::max(0.001, static_cast<double>(elapsed.count()) / 1000);
    const auto ranges = outcomes_.ranges();
    if (on_.options().has_output)
      return on_.print(summary(stored, elapsed, ranges));
    if (on_.options().dry_run) {
      on_.note(fmt::format("would send {} records, {} (--dry-run)", format_count(records_),
                           format_bytes(bytes_)));
    } else if (stored > 0 && stored <= reported_without_asking && ranges.size() == 1) {
      const auto& [partition, range] = *ranges.begin();
      const auto to = range.last > range.first ? fmt::format("-{}", range.last) : std::string();
      on_.note(range.first < 0
                   ? fmt::format("{}/{}  {}", options_.topic, partition, format_duration(elapsed))
                   : fmt::format("{}/{} @ {}{}  {}", options_.topic, partition, range.first, to,
                                 format_duration(elapsed)));
    } else {
      on_.note(fmt::format("{} records, {} in {}: {} records/s, {}/s", format_count(stored),
                           format_bytes(bytes_), format_duration(elapsed),
                           format_count(static_cast<std::uint64_t>(double(stored) / seconds)),
                           format_bytes(static_cast<std::uint64_t>(double(bytes_) / seconds))));
    }
    return exit_code::done;
  }

  [[nodiscard]] document summary(std::uint64_t stored, milliseconds elapsed,
                                 const std::map<std::int32_t, partition_range>& ranges) const {
    document doc;
    doc.add("topic", "TOPIC", options_.topic);
    doc.add("records", "RECORDS", stored, kind::number);
    doc.add("bytes", "BYTES", bytes_, kind::bytes);
    doc.add("failed", "FAILED", outcomes_.failed(), kind::number);
    doc.add("elapsed_ms", "ELAPSED", elapsed.count(), kind::duration);
    doc.add("dry_run", "DRY-RUN", on_.options().dry_run);
    auto& rows = doc.tables.emplace_back();
    rows.key = "partitions";
    rows.columns = {{"partition", "PARTITION", kind::number},
                    {"first_offset", "FIRST", kind::number},
                    {"last_offset", "LAST", kind::number},
                    {"records", "RECORDS", kind::number}};
    for (const auto& [partition, range] : ranges)
      rows.rows.push_back({partition, range.first < 0 ? value() : value(range.first),
                           range.last < 0 ? value() : value(range.last), range.records});
    return doc;
  }

  static constexpr std::uint64_t reported_without_asking = 64;

  session& on_;
  const produce_options& options_;
  plan& plan_;
  /// Before the producer, whose callbacks use it.
  outcomes outcomes_;
  std::optional<client::cluster> cluster_;
  std::optional<client::producer> producer_;
  std::optional<pacer> pacer_;
  std::optional<progress> meter_;
  std::optional<progress> bytes_meter_;
  std::vector<client::header> headers_;
  std::size_t fixed_headers_ = 0;
  std::optional<error> problem_;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t acked_ = 0;
  pacer::clock::time_point begin_;
  pacer::clock::time_point acked_at_ = begin_;
};

} // namespace

std::optional<client::acks> parse_acks(std::string_view text) {
  if (text == "all" || text == "-1")
    return client::acks::all;
  if (text == "leader" || text == "1")
    return client::acks::leader;
  if (text == "none" || text == "0")
    return client::acks::none;
  return std::nullopt;
}

result<std::string> unescape(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (c == '%')
      pattern += '%';
    pattern += c;
  }
  const auto steps = compile_pattern(pattern);
  if (!steps)
    return steps.propagate();
  return steps->empty() ? std::string() : steps->front().text;
}

result<std::unique_ptr<record_parser>> make_input_parser(const produce_options& options) {
  const int ways =
      !options.format.empty() + (options.record_size > 0) + !options.key_separator.empty();
  if (ways > 1)
    return unexpected(errc::invalid_request,
                      "-f, -K and --record-size exclude each other; with -f write the key into "
                      "the pattern, as in '%k:%v\\n'");
  if (options.key && !options.key_separator.empty())
    return unexpected(errc::invalid_request, "-k and -K exclude each other");
  if (options.record_size > 0)
    return make_block_parser(options.record_size);
  if (!options.format.empty())
    return make_parser(options.format);
  auto separator = unescape(options.key_separator);
  if (!separator)
    return separator.propagate();
  return make_line_parser(std::move(*separator));
}

exit_code produce(session& on, const produce_options& options) {
  auto made = make_plan(on, options);
  if (!made)
    return on.fail(made.error());
  return producing(on, options, *made).run();
}

} // namespace aqueduct::aq
