#include "apps/aq/render.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

using namespace aqueduct;
using namespace aqueduct::aq;

TEST_SUITE_BEGIN("aq.render");

namespace {

document sample() {
  document doc;
  doc.add("cluster", "CLUSTER", "dev");
  doc.add("created", "CREATED", std::int64_t{1'769'860'805'250}, kind::time);
  auto& rows = doc.tables.emplace_back();
  rows.key = "topics";
  rows.columns = {{"name", "NAME"},
                  {"partitions", "PARTITIONS", kind::number},
                  {"size_bytes", "SIZE", kind::bytes},
                  {"age_ms", "AGE", kind::duration},
                  {"replicas", "REPLICAS"},
                  {"seen", "SEEN", kind::time, true}};
  rows.rows.push_back({"orders", 12, 221'249'536, 273'600'000, value::list{1, 2, 3}, -1});
  rows.rows.push_back(
      {"\xe6\xbc\xa2\xe5\xad\x97,\"x\"", 3, value(), value(), value::list{}, std::int64_t{0}});
  return doc;
}

std::string rendered(output_format format) {
  render_options options;
  options.format = format;
  const auto text = render(sample(), options);
  REQUIRE(text.has_value());
  return *text;
}

} // namespace

TEST_CASE("a table has aligned columns, right for numbers, and no blanks at line ends") {
  CHECK(rendered(output_format::table) == "CLUSTER  dev\n"
                                          "CREATED  2026-01-31T12:00:05.250Z\n"
                                          "\n"
                                          "NAME      PARTITIONS     SIZE   AGE  REPLICAS\n"
                                          "orders            12  211 MiB  3d4h  1,2,3\n"
                                          "\xe6\xbc\xa2\xe5\xad\x97,\"x\"           3        -"
                                          "     -  -\n");
}

TEST_CASE("wide shows the columns that are otherwise left out") {
  const auto text = rendered(output_format::wide);
  CHECK(text.find("SEEN") != std::string::npos);
  CHECK(text.find("1970-01-01T00:00:00.000Z") != std::string::npos);
  CHECK(rendered(output_format::table).find("SEEN") == std::string::npos);
}

TEST_CASE("JSON is one document with plain numbers, and times in both forms") {
  const auto parsed = nlohmann::json::parse(rendered(output_format::json));
  CHECK(parsed["v"] == 1);
  CHECK(parsed["cluster"] == "dev");
  CHECK(parsed["created"] == "2026-01-31T12:00:05.250Z");
  CHECK(parsed["created_ms"] == 1'769'860'805'250);
  REQUIRE(parsed["topics"].size() == 2);
  const auto& first = parsed["topics"][0];
  CHECK(first["size_bytes"] == 221'249'536);
  CHECK(first["age_ms"] == 273'600'000);
  CHECK(first["replicas"] == nlohmann::json({1, 2, 3}));
  CHECK(first["seen"].is_null());
  CHECK(first["seen_ms"].is_null());
  CHECK(parsed["topics"][1]["size_bytes"].is_null());
  CHECK(parsed["topics"][1]["seen_ms"] == 0);
}

TEST_CASE("JSON lines are the rows of the first table") {
  const auto text = rendered(output_format::jsonl);
  CHECK(text == "{\"name\":\"orders\",\"partitions\":12,\"size_bytes\":221249536,"
                "\"age_ms\":273600000,\"replicas\":[1,2,3],\"seen\":null,\"seen_ms\":null}\n"
                "{\"name\":\"\xe6\xbc\xa2\xe5\xad\x97,\\\"x\\\"\",\"partitions\":3,"
                "\"size_bytes\":null,\"age_ms\":null,\"replicas\":[],"
                "\"seen\":\"1970-01-01T00:00:00.000Z\",\"seen_ms\":0}\n");
}

TEST_CASE("YAML quotes what would be read as something else") {
  document doc;
  doc.add("plain", "PLAIN", "dev-1.a/b");
  doc.add("word", "WORD", "yes");
  doc.add("number", "NUMBER", "12");
  doc.add("colon", "COLON", "a: b");
  doc.add("none", "NONE", value());
  auto& rows = doc.tables.emplace_back();
  rows.key = "rows";
  rows.columns = {{"a", "A"}, {"b", "B", kind::number}};
  rows.rows.push_back({"x", 1});
  rows.rows.push_back({"", 2});
  render_options options;
  options.format = output_format::yaml;
  CHECK(*render(doc, options) == "v: 1\n"
                                 "plain: dev-1.a/b\n"
                                 "word: \"yes\"\n"
                                 "number: \"12\"\n"
                                 "colon: \"a: b\"\n"
                                 "none: null\n"
                                 "rows:\n"
                                 "- a: x\n"
                                 "  b: 1\n"
                                 "- a: \"\"\n"
                                 "  b: 2\n");
}

TEST_CASE("CSV has the rows of the first table, quoted by RFC 4180") {
  CHECK(rendered(output_format::csv) ==
        "name,partitions,size_bytes,age_ms,replicas,seen\n"
        "orders,12,221249536,273600000,\"1,2,3\",\n"
        "\"\xe6\xbc\xa2\xe5\xad\x97,\"\"x\"\"\",3,,,,1970-01-01T00:00:00.000Z\n");
}

TEST_CASE("names are one per line, as they are") {
  CHECK(rendered(output_format::name) == "orders\n\xe6\xbc\xa2\xe5\xad\x97,\"x\"\n");
}

TEST_CASE("columns can be chosen, ordered and sorted by") {
  render_options options;
  options.format = output_format::csv;
  options.columns = {"PARTITIONS", "name"};
  options.sort = "partitions";
  CHECK(*render(sample(), options) ==
        "partitions,name\n3,\"\xe6\xbc\xa2\xe5\xad\x97,\"\"x\"\"\"\n12,orders\n");
  options.sort = "-partitions";
  options.has_header = false;
  CHECK(*render(sample(), options) == "12,orders\n3,\"\xe6\xbc\xa2\xe5\xad\x97,\"\"x\"\"\"\n");
}

TEST_CASE("a column that does not exist is refused with those that do") {
  render_options options;
  options.columns = {"nmae"};
  const auto text = render(sample(), options);
  REQUIRE_FALSE(text.has_value());
  CHECK(text.error().code == errc::invalid_request);
  CHECK(text.error().message.find("name, partitions, size_bytes") != std::string::npos);
  options.columns.clear();
  options.sort = "-nmae";
  CHECK_FALSE(render(sample(), options).has_value());
}

TEST_CASE("a name cannot steer the terminal, but JSON has all of it") {
  document doc;
  doc.add("name", "NAME", "\x1b[2J\xff");
  CHECK(render(doc, {})->find('\x1b') == std::string::npos);
  render_options options;
  options.format = output_format::json;
  CHECK(nlohmann::json::accept(*render(doc, options)));
}

TEST_CASE("an empty list is still a table, and an empty document nothing") {
  document doc;
  CHECK(render(doc, {})->empty());
  doc.tables.push_back({"topics", {{"name", "NAME"}}, {}});
  CHECK(*render(doc, {}) == "NAME\n");
  render_options options;
  options.format = output_format::json;
  CHECK(*render(doc, options) == "{\n  \"v\": 1,\n  \"topics\": []\n}\n");
}

TEST_SUITE_END();
