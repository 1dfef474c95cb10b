// The formats of `aq produce` and `aq consume`: any pattern compiles or is refused with a place; a
// pattern, or JSON, reads any input record by record or says what is wrong; and it does not matter
// where the window on the input ends.
#include "apps/aq/record_input.hpp"
#include "apps/aq/record_pattern.hpp"
#include "apps/aq/record_printer.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace aqueduct;
using namespace aqueduct::aq;
using namespace aqueduct::fuzz;

namespace {

/// What was read, in memory of its own.
struct reading {
  std::vector<std::string> records;
  bool failed = false;

  friend bool operator==(const reading&, const reading&) = default;
};

std::string json_of(const record_text& record) {
  std::string json;
  append_record_json(json, record, true);
  return json;
}

/// Shows the parser `step` bytes more whenever it asks for more.
reading read_all(record_parser& parser, std::string_view input, std::size_t step) {
  reading seen;
  record_text record;
  record.topic = "t";
  std::size_t shown = std::min(step, input.size());
  while (!input.empty()) {
    const bool at_end = shown == input.size();
    auto window = input.substr(0, shown);
    const auto before = window.size();
    record.headers.clear();
    const auto status = parser.next(window, at_end, record);
    if (status == parse_status::failed) {
      require(!parser.failure().empty(), "a failure is described");
      seen.failed = true;
      return seen;
    }
    if (status == parse_status::need_more) {
      require(!at_end, "nothing more is asked for at the end");
      shown = std::min(shown + step, input.size());
      continue;
    }
    if (window.size() == before)
      return seen;
    seen.records.push_back(json_of(record));
    input.remove_prefix(before - window.size());
    shown = std::max(window.size(), std::min(step, input.size()));
  }
  return seen;
}

void check_parser(record_parser& parser, std::string_view input, std::size_t step) {
  require(read_all(parser, input, step) == read_all(parser, input, SIZE_MAX),
          "where a window ends makes no difference");
}

/// What is printed as JSON reads as it was.
void check_json(std::string_view input) {
  const auto parser = make_json_parser();
  for (const auto& line : read_all(*parser, input, SIZE_MAX).records) {
    const auto again = read_all(*parser, line, SIZE_MAX);
    require(again.records == std::vector{line}, "a record survives JSON");
  }
}

void print_samples(const std::vector<pattern_step>& steps, std::string_view bytes) {
  record_text record;
  record.topic = "topic";
  record.partition = 3;
  record.offset = INT64_MAX;
  record.timestamp = bytes.size() % 2 == 0 ? INT64_MAX : INT64_MIN;
  record.key = bytes;
  record.headers = {{bytes, std::nullopt}, {"name", bytes}};
  std::string out;
  append_record(out, steps, record, 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096)
    return 0;
  fuzz_input input(data, size);
  const std::size_t step = 1 + input.choose() % 16;
  const auto format_size = input.choose();
  const auto bytes = input.rest();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto format = text.substr(0, format_size);
  const auto rest = text.substr(format.size());
  if (format.empty()) {
    check_json(rest);
    check_parser(*make_json_parser(), rest, step);
    check_parser(*make_line_parser(":"), rest, step);
    check_parser(*make_block_parser(step), rest, step);
    return 0;
  }
  const auto steps = compile_pattern(format);
  if (!steps) {
    require(steps.error().code == errc::invalid_request && !steps.error().message.empty(),
            "a wrong pattern is described");
    return 0;
  }
  print_samples(*steps, rest);
  if (const auto parser = make_pattern_parser(*steps))
    check_parser(**parser, rest, step);
  return 0;
}
