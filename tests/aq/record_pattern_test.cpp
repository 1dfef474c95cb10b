#include "apps/aq/record_input.hpp"
#include "apps/aq/record_printer.hpp"
#include "tests/aq/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <random>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::aq;

TEST_SUITE_BEGIN("aq.record_pattern");

namespace {

record_text sample() {
  record_text record;
  record.topic = "orders";
  record.partition = 2;
  record.offset = 258;
  record.timestamp = 1'769'860'805'250;
  record.key = "k1";
  record.value = "v\xff";
  record.headers = {{"a", "1"}, {"b", std::nullopt}};
  return record;
}

std::string printed(std::string_view pattern) {
  const auto steps = compile_pattern(pattern);
  REQUIRE(steps.has_value());
  std::string out;
  append_record(out, *steps, sample(), 7);
  return out;
}

/// A record with its own memory.
struct owned {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
  std::int32_t partition = -1;
  std::int64_t timestamp = -1;

  friend bool operator==(const owned&, const owned&) = default;
};

struct reading {
  std::vector<owned> records;
  std::string problem;
};

reading read_all(record_parser& parser, std::string_view input) {
  const test::memory_file file(input);
  record_input in(parser, file.fd(), "input");
  reading result;
  record_text text;
  while (true) {
    const auto more = in.next(text);
    if (!more) {
      result.problem = more.error().message;
      return result;
    }
    if (!*more)
      return result;
    owned record{text.key ? std::optional(std::string(*text.key)) : std::nullopt,
                 text.value ? std::optional(std::string(*text.value)) : std::nullopt};
    for (const auto& header : text.headers)
      record.headers.emplace_back(std::string(header.key),
                                  header.value ? std::optional(std::string(*header.value))
                                               : std::nullopt);
    record.partition = text.partition;
    record.timestamp = text.timestamp;
    result.records.push_back(std::move(record));
  }
}

reading read_by(std::string_view format, std::string_view input) {
  auto parser = make_parser(format);
  REQUIRE(parser.has_value());
  return read_all(**parser, input);
}

std::string why_not(std::string_view format) {
  const auto parser = make_parser(format);
  REQUIRE_FALSE(parser.has_value());
  CHECK(parser.error().code == errc::invalid_request);
  return parser.error().message;
}

} // namespace

TEST_CASE("every field is printed in every encoding") {
  const std::pair<std::string, std::string> rows[] = {
      {"%t/%p @ %o", "orders/2 @ 258"},
      {"%d", "1769860805250"},
      {"%d{rfc3339}", "2026-01-31T12:00:05.250Z"},
      {"%d{strftime[%F %T]}", "2026-01-31 12:00:05"},
      {"%d{strftime[{%Y}]}", "{2026}"},
      {"%i", "7"},
      {"%k=%v", "k1=v\xff"},
      {"%T %K %V %H", "6 2 2 2"},
      {"%v{hex}", "76ff"},
      {"%v{base64}", "dv8="},
      {"%v{json}", "\"dv8=\""},
      {"%k{json}", "\"k1\""},
      {"%o{hex}", "102"},
      {"%o{big16}", std::string("\x01\x02", 2)},
      {"%o{little16}", std::string("\x02\x01", 2)},
      {"%o{big32}", std::string("\0\0\x01\x02", 4)},
      {"%o{little32}", std::string("\x02\x01\0\0", 4)},
      {"%o{big64}", std::string("\0\0\0\0\0\0\x01\x02", 8)},
      {"%o{little64}", std::string("\x02\x01\0\0\0\0\0\0", 8)},
      {"%o{byte}", "\x02"},
      {"%h{%k=%v;}", "a=1;b=;"},
      {"%h{%k{hex}:%V,}", "61:1,62:0,"},
      {"%h{%{%v%}}", "{1}{}"},
      {"100%% %{%}", "100% {}"},
      {"a\\tb\\n\\r\\\\\\x41\\0", std::string("a\tb\n\r\\A\0", 8)},
      {"", ""},
  };
  for (const auto& [pattern, text] : rows) {
    CAPTURE(pattern);
    CHECK(printed(pattern) == text);
  }
}

TEST_CASE("null prints as nothing, and as null in JSON") {
  record_text record;
  std::string out;
  append_record(out, *compile_pattern("[%k|%v{hex}|%v{json}|%V]"), record, 1);
  CHECK(out == "[||null|0]");
}

TEST_CASE("a pattern that cannot be understood is refused at the right character") {
  const std::pair<std::string, std::string> rows[] = {
      {"abc%", "character 4"}, {"%q", "character 1"},      {"%v{", "not closed"},
      {"%v{gzip}", "{gzip}"},  {"%o{base64}", "{base64}"}, {"%d{strftime}", "{strftime}"},
      {"a\\q", "\\q"},         {"a\\", "backslash"},       {"\\x4", "hexadecimal"},
      {"%h", "%h{%k=%v;}"},    {"%h{%o}", "not %o"},       {"%h{%h{%k}}", "not %h"},
      {"%v{0}", "{0}"},
  };
  for (const auto& [pattern, part] : rows) {
    CAPTURE(pattern);
    const auto steps = compile_pattern(pattern);
    REQUIRE_FALSE(steps.has_value());
    CHECK(steps.error().code == errc::invalid_request);
    CAPTURE(steps.error().message);
    CHECK(steps.error().message.find(part) != std::string::npos);
  }
}

TEST_CASE("records are read by the pattern that printed them") {
  CHECK(read_by("%v\\n", "a\nb\n").records == std::vector<owned>{{{}, "a"}, {{}, "b"}});
  CHECK(read_by("%k:%v\\n", "k:v:w\n").records == std::vector<owned>{{"k", "v:w"}});
  CHECK(read_by("%p %d %k %v\\n", "3 1000 k v\n").records ==
        std::vector<owned>{{"k", "v", {}, 3, 1000}});
  CHECK(read_by("%d{rfc3339} %v\\n", "1970-01-01T00:00:01Z x\n").records ==
        std::vector<owned>{{{}, "x", {}, -1, 1000}});
  CHECK(read_by("%v{hex},", "6162,63,").records == std::vector<owned>{{{}, "ab"}, {{}, "c"}});
  CHECK(read_by("%k{base64} %v{base64}\\n", "Zm9v YmFy\n").records ==
        std::vector<owned>{{"foo", "bar"}});
  CHECK(read_by("%v{3}", "abcdef").records == std::vector<owned>{{{}, "abc"}, {{}, "def"}});
  CHECK(read_by("%V{byte}%v", std::string("\x01"
                                          "a\x00\x02"
                                          "bc",
                                          6))
            .records == std::vector<owned>{{{}, "a"}, {{}, ""}, {{}, "bc"}});
  CHECK(read_by("%V %v", "3 abc0 ").records == std::vector<owned>{{{}, "abc"}, {{}, ""}});
  CHECK(read_by("%H %h{%k=%v;}%v\\n", "2 a=1;b=;x\n0 y\n").records ==
        std::vector<owned>{{{}, "x", {{"a", "1"}, {"b", ""}}}, {{}, "y"}});
  CHECK(read_by("%v", "all\nof it").records == std::vector<owned>{{{}, "all\nof it"}});
}

TEST_CASE("the end of the last line may be missing, and an empty line is an empty value") {
  CHECK(read_by("%v\\n", "a\n\nb").records == std::vector<owned>{{{}, "a"}, {{}, ""}, {{}, "b"}});
  CHECK(read_by("%v\\n", "").records.empty());
}

TEST_CASE("a pattern without an end for each text cannot be read by") {
  CHECK(why_not("%k%v\\n").find("text after it") != std::string::npos);
  CHECK(why_not("%p%v\\n").find("text after it") != std::string::npos);
  CHECK(why_not("%o %v\\n").find("only for printing") != std::string::npos);
  CHECK(why_not("%d{strftime[%F]} %v\\n").find("strftime") != std::string::npos);
  CHECK(why_not("%h{%k=%v;}%v\\n").find("%H") != std::string::npos);
  CHECK(why_not("%H %h{%k}%v\\n").find("text after it") != std::string::npos);
  CHECK(why_not("").find("empty") != std::string::npos);
}

TEST_CASE("input that does not follow the pattern is refused with the number of the record") {
  CHECK(read_by("%k:%v\\n", "a:b\nc\n").problem.find("record 2") != std::string::npos);
  CHECK(read_by("%V{big32}%v", std::string("\0\0\0\x05"
                                           "abc",
                                           7))
            .problem.find("record 1") != std::string::npos);
  CHECK(read_by("%V{big32}%v", std::string("\xff\xff\xff\xff", 4)).problem.find("beyond reason") !=
        std::string::npos);
  CHECK(read_by("%v{hex}\\n", "zz\n").problem.find("hexadecimal") != std::string::npos);
  CHECK(read_by("%p %v\\n", "x y\n").problem.find("not a number") != std::string::npos);
  CHECK(read_by("%p %v\\n", "99999999999 y\n").problem.find("out of range") != std::string::npos);
  CHECK(read_by("%H{big64}%h{%k=}%v\\n", "\x7f"
                                         "aaaaaaax=")
            .problem.find("beyond reason") != std::string::npos);
}

TEST_CASE("lines split at the separator, at its first place only") {
  auto parser = make_line_parser("::");
  CHECK(read_all(*parser, "a::b::c\nplain\n::v\n").records ==
        std::vector<owned>{{"a", "b::c"}, {{}, "plain"}, {"", "v"}});
}

TEST_CASE("blocks have one size, but for the last") {
  auto parser = make_block_parser(4);
  CHECK(read_all(*parser, "abcdefghij").records ==
        std::vector<owned>{{{}, "abcd"}, {{}, "efgh"}, {{}, "ij"}});
  auto whole = make_block_parser(0);
  CHECK(read_all(*whole, "abc\ndef").records == std::vector<owned>{{{}, "abc\ndef"}});
}

TEST_CASE("JSON lines take strings, encoded bytes, nulls and other JSON as values") {
  const auto result = read_by("json", R"({"key":"k","value":"v","partition":3,"timestamp_ms":5}
{"value":"AP8=","value_encoding":"base64","key":null}
{"value":{"a":[1,2]},"headers":{"h":"1","n":null}}
{"headers":[{"key":"a","value":"1"},{"key":"a","value":"AA==","value_encoding":"base64"}]}
{"value":"61","value_encoding":"hex","timestamp":"1970-01-01T00:00:01Z"}
)");
  CHECK(result.problem.empty());
  CHECK(result.records ==
        std::vector<owned>{{"k", "v", {}, 3, 5},
                           {{}, std::string("\0\xff", 2)},
                           {{}, "{\"a\":[1,2]}", {{"h", "1"}, {"n", std::nullopt}}},
                           {{}, {}, {{"a", "1"}, {"a", std::string("\0", 1)}}},
                           {{}, "a", {}, -1, 1000}});
}

TEST_CASE("lines that are no JSON object are refused") {
  for (const std::string line :
       {"nonsense", "[1]", "\"text\"", "{\"value\":\"*\",\"value_encoding\":\"base64\"}",
        "{\"value\":\"x\",\"value_encoding\":\"rot13\"}", "{\"headers\":5}", "{\"headers\":[5]}",
        "{\"timestamp\":\"yesterday\"}", "{\"value\":\"\xff\"}"}) {
    CAPTURE(line);
    CHECK(read_by("json", line + "\n").problem.find("record 1") != std::string::npos);
  }
}

TEST_CASE("numbers in JSON lines that fit no partition and no time are refused") {
  for (const std::string line :
       {R"({"partition":4294967296})", R"({"partition":2147483648})", R"({"partition":-2})",
        R"({"partition":"3"})", R"({"partition":1.5})", R"({"timestamp_ms":9223372036854775808})",
        R"({"timestamp_ms":1e30})", R"({"timestamp_ms":"5"})"}) {
    CAPTURE(line);
    const auto problem = read_by("json", line + "\n").problem;
    CHECK(problem.find("is not a number from 0 to") != std::string::npos);
  }
  const auto result = read_by("json", R"({"partition":2147483647,"timestamp_ms":9223372036854775807}
{"partition":-1,"timestamp_ms":-1}
{"partition":null,"timestamp_ms":null}
)");
  CHECK(result.problem.empty());
  CHECK(result.records == std::vector<owned>{{{}, {}, {}, INT32_MAX, INT64_MAX}, {}, {}});
}

TEST_CASE("JSON of any depth is read or refused") {
  const auto nested = [](std::size_t depth) {
    return "{\"value\":" + std::string(depth, '[') + std::string(depth, ']') + "}\n";
  };
  CHECK(read_by("json", nested(999)).records.size() == 1);
  for (const std::size_t depth : {1000, 10'000'000}) {
    const auto problem = read_by("json", nested(depth)).problem;
    CHECK(problem.find("nested more than 1000 levels deep") != std::string::npos);
  }
  // Brackets in a text nest nothing.
  const auto text = "{\"value\":\"\\\"" + std::string(5000, '[') + "\"}\n";
  CHECK(read_by("json", text).records.size() == 1);
}

TEST_CASE("records of any bytes survive JSON lines and framed patterns") {
  std::mt19937 random(3);
  const auto bytes = [&](std::size_t size_max) {
    std::string text;
    for (auto size = random() % (size_max + 1); size > 0; --size)
      text += static_cast<char>(random());
    return text;
  };
  std::vector<owned> records;
  std::string as_json;
  std::string as_frames;
  const std::string frame = "%p{big32}%d{little64}%K{big16}%k%V{big32}%v%H{byte}"
                            "%h{%K{byte}%k%V{byte}%v}";
  const auto steps = compile_pattern(frame);
  REQUIRE(steps.has_value());
  for (int i = 0; i < 500; ++i) {
    owned record{bytes(20), bytes(300), {}, static_cast<std::int32_t>(random() % 10), i};
    record_text text;
    text.topic = "t";
    text.partition = record.partition;
    text.timestamp = record.timestamp;
    for (auto left = random() % 3; left > 0; --left)
      record.headers.emplace_back(bytes(10), bytes(10));
    text.key = *record.key;
    text.value = *record.value;
    for (const auto& [key, value] : record.headers)
      text.headers.push_back({key, *value});
    append_record_json(as_json, text, true);
    append_record(as_frames, *steps, text, 1);
    records.push_back(std::move(record));
  }
  const auto from_json = read_by("json", as_json);
  CHECK(from_json.problem.empty());
  // JSON has names in base64 too; only their values matter for the comparison of bytes.
  REQUIRE(from_json.records.size() == records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    CHECK(from_json.records[i].key == records[i].key);
    CHECK(from_json.records[i].value == records[i].value);
    CHECK(from_json.records[i].headers == records[i].headers);
  }
  const auto from_frames = read_by(frame, as_frames);
  CHECK(from_frames.problem.empty());
  CHECK(from_frames.records == records);
}

TEST_CASE("a record may be larger than what is read at once") {
  const std::string large(5 << 20, 'x');
  auto parser = make_line_parser("");
  const auto result = read_all(*parser, "small\n" + large + "\nlast\n");
  REQUIRE(result.records.size() == 3);
  CHECK(result.records[1].value == large);
  CHECK(result.records[2].value == "last");
}

TEST_CASE("JSON lines of a record say what was encoded") {
  std::string out;
  append_record_json(out, sample(), true);
  const auto parsed = nlohmann::json::parse(out);
  CHECK(parsed["topic"] == "orders");
  CHECK(parsed["partition"] == 2);
  CHECK(parsed["offset"] == 258);
  CHECK(parsed["timestamp"] == "2026-01-31T12:00:05.250Z");
  CHECK(parsed["timestamp_ms"] == 1'769'860'805'250);
  CHECK(parsed["key"] == "k1");
  CHECK_FALSE(parsed.contains("key_encoding"));
  CHECK(parsed["value"] == "dv8=");
  CHECK(parsed["value_encoding"] == "base64");
  CHECK(parsed["headers"][1]["value"].is_null());
  out.clear();
  append_record_json(out, sample(), false);
  const auto meta = nlohmann::json::parse(out);
  CHECK(meta["value_bytes"] == 2);
  CHECK(meta["header_count"] == 2);
  CHECK_FALSE(meta.contains("value"));
}

TEST_CASE("values for a terminal are text, or base64 that says so") {
  record_printer::choice choice;
  choice.on_terminal = true;
  auto printer = record_printer::make(choice);
  REQUIRE(printer.has_value());
  std::string out;
  printer->append(out, sample(), 1);
  CHECK(out == "base64:dv8=\n");
  CHECK(printer->has_encoded());
  choice.on_terminal = false;
  out.clear();
  record_printer::make(choice)->append(out, sample(), 1);
  CHECK(out == "v\xff\n");
}

TEST_SUITE_END();
