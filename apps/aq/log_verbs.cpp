// aq log dump|verify: segment files, offline.
#include "apps/aq/command_line.hpp"
#include "apps/aq/progress.hpp"
#include "apps/aq/record_printer.hpp"
#include "apps/aq/segment_reader.hpp"
#include "apps/aq/units.hpp"
#include "protocol/record_reader.hpp"
#include "storage/log_verify.hpp"
#include "storage/posix_disk.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

namespace aqueduct::aq {

namespace {

struct dump_options {
  std::string file;
  std::string group;
  bool records = false;
  std::string format;
  std::uint64_t from_index = 0;
  std::uint64_t count = 0;
};

result<group_id> find_group(const std::string& option, const std::string& file) {
  const auto group = option.empty() ? group_of_path(file) : parse_group(option);
  if (group)
    return *group;
  if (!option.empty())
    return unexpected(errc::invalid_request,
                      fmt::format("--group {}: write TOPIC-ID/PARTITION or controller", option));
  return unexpected(errc::invalid_request,
                    fmt::format("{} does not lie in the folder of its group (TOPIC-ID/PARTITION); "
                                "name the group with --group",
                                file));
}

document empty_dump() {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "entries";
  rows.columns = {{"position", "POSITION", kind::number},
                  {"index", "INDEX", kind::number},
                  {"term", "TERM", kind::number},
                  {"kind", "KIND"},
                  {"size_bytes", "BYTES", kind::number},
                  {"base_offset", "BASE", kind::number},
                  {"last_offset", "LAST", kind::number},
                  {"records", "RECORDS", kind::number},
                  {"codec", "CODEC"},
                  {"max_timestamp", "MAX-TIME", kind::time},
                  {"producer_id", "PRODUCER", kind::number, true},
                  {"producer_epoch", "EPOCH", kind::number, true},
                  {"base_sequence", "SEQUENCE", kind::number, true},
                  {"is_control", "CONTROL", kind::text, true},
                  {"durable_index", "DURABLE", kind::number, true},
                  {"crc", "CRC", kind::text, true}};
  return doc;
}

std::vector<value> row_of(const segment_entry& entry) {
  const auto& h = entry.header;
  const auto& b = entry.batch;
  const auto of_batch = [&](auto read) { return b ? value(read(*b)) : value(); };
  return {entry.position,
          h.index,
          h.term,
          to_string(h.kind),
          static_cast<std::int64_t>(h.size_bytes()),
          of_batch([](const auto& x) { return x.base_offset.value; }),
          of_batch([](const auto& x) { return x.last_offset().value; }),
          of_batch([](const auto& x) { return x.record_count; }),
          of_batch([](const auto& x) { return to_string(x.compression()); }),
          of_batch([](const auto& x) { return x.max_timestamp.value; }),
          of_batch([](const auto& x) { return x.producer.value; }),
          of_batch([](const auto& x) { return int{x.producer_epoch}; }),
          of_batch([](const auto& x) { return x.base_sequence; }),
          of_batch([](const auto& x) { return x.is_control(); }),
          h.durable_index,
          fmt::format("{:08x}", h.crc)};
}

std::string_view text_of(byte_span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Prints entries, or the records in them, as it goes through a file of any size.
class dump {
public:
  dump(session& on, const dump_options& options, const group_id& group)
      : on_(on),
        options_(options),
        topic_(aqueduct::to_string(group.topic)),
        partition_(group.partition),
        doc_(empty_dump()) {
    output_ = on.options().output;
    // The document of a stream is a line per entry.
    if (output_.format == output_format::json)
      output_.format = output_format::jsonl;
  }

  result<void> prepare() {
    record_printer::choice choice;
    choice.format = options_.format;
    choice.wants_json = on_.options().is_json();
    choice.on_terminal = on_.out_is_terminal();
    auto printer = record_printer::make(choice);
    if (!printer)
      return printer.propagate();
    printer_ = std::move(*printer);
    return {};
  }

  result<void> run(segment_reader& reader) {
    while (!on_.out().is_closed() && !on_.interrupted()) {
      const auto entry = reader.next();
      if (!entry) {
        static_cast<void>(flush(true));
        return entry.propagate();
      }
      if (!*entry || (options_.count > 0 && shown_ >= options_.count))
        break;
      if ((*entry)->header.index < options_.from_index)
        continue;
      ++shown_;
      if (auto done = options_.records ? print_records(**entry) : print_entry(**entry); !done)
        return done;
    }
    return flush(true);
  }

private:
  static constexpr std::size_t rows_at_once = 1024;

  result<void> print_entry(const segment_entry& entry) {
    doc_.tables.front().rows.push_back(row_of(entry));
    return flush(false);
  }

  result<void> flush(bool is_last) {
    auto& rows = doc_.tables.front().rows;
    if (options_.records || (!is_last && rows.size() < rows_at_once) ||
        (rows.empty() && has_printed_))
      return {};
    const auto text = render(doc_, output_);
    if (!text)
      return text.propagate();
    on_.out().write(*text);
    rows.clear();
    has_printed_ = true;
    // One heading is enough, however many pieces there are.
    output_.has_header = false;
    return {};
  }

  result<void> print_records(const segment_entry& entry) {
    if (!entry.batch || entry.batch->is_control())
      return {};
    batches_.open(protocol::batch_view(entry.body));
    record_text text;
    for (protocol::record_view record; batches_.next(record);) {
      text.topic = topic_;
      text.partition = partition_;
      text.offset = record.offset.value;
      text.timestamp = record.timestamp.value;
      text.key = record.key ? std::optional(text_of(*record.key)) : std::nullopt;
      text.value = record.value ? std::optional(text_of(*record.value)) : std::nullopt;
      text.headers.clear();
      for (const auto& header : record.headers)
        text.headers.push_back(
            {header.key, header.value ? std::optional(text_of(*header.value)) : std::nullopt});
      printer_->append(on_.out().buffer(), text, ++printed_);
      on_.out().settle();
    }
    return batches_.status();
  }

  session& on_;
  const dump_options& options_;
  std::string topic_;
  std::int32_t partition_;
  document doc_;
  render_options output_;
  std::optional<record_printer> printer_;
  protocol::record_reader batches_;
  std::uint64_t shown_ = 0;
  std::uint64_t printed_ = 0;
  bool has_printed_ = false;
};

exit_code dump_file(session& on, const dump_options& options) {
  const auto group = find_group(options.group, options.file);
  if (!group)
    return on.fail(group.error());
  storage::posix_disk files;
  auto reader = segment_reader::open(files, options.file, *group);
  if (!reader)
    return on.fail(reader.error());
  const auto& header = reader->header();
  on.detail(fmt::format("segment of {}: first index {}, base offset {}, created {}",
                        aqueduct::to_string(*group), header.first_index, header.base_offset.value,
                        format_time(header.created)));
  dump dumping(on, options, *group);
  if (auto prepared = dumping.prepare(); !prepared)
    return on.fail(prepared.error());
  if (auto done = dumping.run(*reader); !done)
    return on.fail(done.error(), "the node repairs it from other replicas; do not edit the file");
  const auto written = on.finish();
  return on.interrupted() ? exit_code::interrupted : written;
}

// -- verify ---------------------------------------------------------------------------------------

struct verify_options {
  std::string path;
  std::string group;
  bool closed_only = false;
};

struct verify_row {
  std::string name;
  std::uint64_t entries = 0;
  std::uint64_t batches = 0;
  std::uint64_t bytes = 0;
  std::optional<error> problem{};
};

document verified(std::span<const verify_row> rows) {
  document doc;
  std::int64_t damaged = 0;
  for (const auto& row : rows)
    damaged += row.problem ? 1 : 0;
  auto& table_rows = doc.tables.emplace_back();
  table_rows.key = "logs";
  table_rows.columns = {{"log", "LOG"},
                        {"entries", "ENTRIES", kind::number},
                        {"batches", "BATCHES", kind::number},
                        {"size_bytes", "SIZE", kind::bytes},
                        {"status", "STATUS"},
                        {"problem", "PROBLEM"}};
  for (const auto& row : rows)
    table_rows.rows.push_back({row.name, row.entries, row.batches, row.bytes,
                               row.problem ? to_string(row.problem->code) : std::string_view("ok"),
                               row.problem ? value(row.problem->message) : value()});
  doc.add("damaged", "DAMAGED", damaged, kind::number);
  return doc;
}

bool is_segment_name(const std::string& name) {
  constexpr std::size_t digits = 20;
  return name.size() == digits + 4 && name.ends_with(".log") &&
         std::all_of(name.begin(), name.begin() + digits,
                     [](unsigned char c) { return std::isdigit(c); });
}

/// The folders of groups at or below `root`, ascending.
std::set<std::string> group_directories(const std::string& root) {
  std::set<std::string> found;
  std::error_code problem;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (auto it = std::filesystem::recursive_directory_iterator(root, options, problem);
       !problem && it != std::filesystem::recursive_directory_iterator(); it.increment(problem))
    if (is_segment_name(it->path().filename().string()))
      found.insert(it->path().parent_path().string());
  return found;
}

std::uint64_t bytes_in(const std::set<std::string>& directories) {
  std::uint64_t total = 0;
  std::error_code problem;
  for (const auto& directory : directories)
    for (const auto& each : std::filesystem::directory_iterator(directory, problem))
      if (is_segment_name(each.path().filename().string()))
        total += each.file_size(problem);
  return total;
}

verify_row verify_file(session& on, storage::disk& files, const std::string& path,
                       const group_id& group) {
  verify_row row{path};
  auto reader = segment_reader::open(files, path, group);
  if (!reader) {
    row.problem = reader.error();
    return row;
  }
  progress meter(on, "bytes", reader->size());
  while (true) {
    const auto entry =
        on.interrupted()
            ? result<std::optional<segment_entry>>(unexpected(errc::cancelled, "interrupted"))
            : reader->next();
    if (!entry)
      row.problem = entry.error();
    if (!entry || !*entry)
      break;
    ++row.entries;
    row.batches += (*entry)->batch ? 1 : 0;
    row.bytes = reader->position();
    meter.update(row.bytes);
  }
  return row;
}

/// What is wrong behind the last good entry of the log. Without the node's marks nobody can say
/// whether that is a write that was under way when the power went, or damage: it is told all the
/// same.
std::optional<error> torn_end(storage::disk& files, const std::string& directory,
                              const group_id& group) {
  std::string last;
  std::error_code problem;
  for (const auto& each : std::filesystem::directory_iterator(directory, problem))
    if (is_segment_name(each.path().filename().string()))
      last = std::max(last, each.path().string());
  auto reader = segment_reader::open(files, last, group);
  if (!reader)
    return reader.error();
  while (true) {
    const auto entry = reader->next();
    if (!entry)
      return error{entry.error().code,
                   entry.error().message +
                       "; nothing valid follows: a torn end, if the node was not stopped cleanly"};
    if (!*entry)
      return std::nullopt;
  }
}

verify_row verify_group(session& on, storage::disk& files, const std::string& directory,
                        const group_id& group, bool closed_only, progress& meter,
                        std::uint64_t done_before) {
  verify_row row{directory};
  const auto visit = [&](const storage::verify_progress& so_far) {
    row.entries = so_far.entries;
    row.batches = so_far.batches;
    row.bytes = so_far.bytes;
    meter.update(done_before + so_far.bytes);
    return !on.interrupted();
  };
  const auto checked = storage::verify_log(files, directory, group, closed_only, visit);
  if (!checked) {
    row.problem = checked.error();
    return row;
  }
  visit(*checked);
  if (!closed_only)
    row.problem = torn_end(files, directory, group);
  return row;
}

exit_code report(session& on, std::span<const verify_row> rows) {
  const auto printed = on.print(verified(rows));
  if (on.interrupted())
    return exit_code::interrupted;
  for (const auto& row : rows)
    if (row.problem)
      return exit_code_of(row.problem->code);
  return printed;
}

exit_code verify(session& on, const verify_options& options) {
  storage::posix_disk files;
  std::error_code problem;
  if (!std::filesystem::exists(options.path, problem))
    return on.fail(errc::not_found, fmt::format("{} does not exist", options.path),
                   "name a segment file, the folder of a group, or a data directory");
  if (!std::filesystem::is_directory(options.path, problem)) {
    const auto group = find_group(options.group, options.path);
    if (!group)
      return on.fail(group.error());
    const verify_row row = verify_file(on, files, options.path, *group);
    return report(on, std::span(&row, 1));
  }
  const auto directories = group_directories(options.path);
  if (directories.empty())
    return on.fail(errc::not_found, fmt::format("there are no segment files in {}", options.path),
                   "name a segment file, the folder of a group, or a data directory");
  progress meter(on, "bytes", bytes_in(directories));
  std::uint64_t done = 0;
  std::vector<verify_row> rows;
  for (const auto& directory : directories) {
    if (on.interrupted())
      break;
    const auto group =
        options.group.empty() ? group_of_directory(directory) : parse_group(options.group);
    if (!group) {
      rows.push_back({directory});
      rows.back().problem = error{errc::invalid_request, "not the folder of a group; name the "
                                                         "group with --group"};
      continue;
    }
    rows.push_back(verify_group(on, files, directory, *group, options.closed_only, meter, done));
    done += rows.back().bytes;
  }
  return report(on, rows);
}

} // namespace

void add_log_verbs(command_line& line) {
  auto& group =
      line.add_group(line.root(), "log", "Look into the segment files of a node, offline");

  auto dumped = std::make_shared<dump_options>();
  auto& dump_verb =
      line.add_verb(group, "dump", "Print the entries of a segment file, or the records in them",
                    "aq log dump data/groups/6f1c.../0/00000000000000000001.log\n"
                    "aq log dump 00000000000000000001.log --group 6f1c.../0 --output wide\n"
                    "aq log dump 00000000000000000001.log --records --output json\n",
                    [dumped](session& on) { return dump_file(on, *dumped); });
  dump_verb.add_option("FILE", dumped->file, "Segment file")->required()->type_name("FILE");
  dump_verb.add_option("--group", dumped->group, "Group that the file belongs to")
      ->type_name("TOPIC-ID/PARTITION");
  dump_verb.add_flag("--records", dumped->records, "Print records instead of entries");
  dump_verb
      .add_option("-f,--format", dumped->format, "Pattern for each record; see aq help formats")
      ->type_name("PATTERN");
  dump_verb.add_option("--from-index", dumped->from_index, "First entry to print")->type_name("N");
  dump_verb.add_option("-n,--count", dumped->count, "Print this many entries")->type_name("N");

  auto checked = std::make_shared<verify_options>();
  auto& verify_verb =
      line.add_verb(group, "verify", "Check every byte of segment files",
                    "aq log verify data\n"
                    "aq log verify data/groups/6f1c.../0\n"
                    "aq log verify 00000000000000000001.log --group 6f1c.../0 --output json\n",
                    [checked](session& on) { return verify(on, *checked); });
  verify_verb
      .add_option("PATH", checked->path, "Segment file, folder of a group, or data directory")
      ->required()
      ->type_name("PATH");
  verify_verb.add_option("--group", checked->group, "Group that the files belong to")
      ->type_name("TOPIC-ID/PARTITION");
  verify_verb.add_flag("--closed-only", checked->closed_only,
                       "Leave out the segments that a running node writes to");
}

} // namespace aqueduct::aq
