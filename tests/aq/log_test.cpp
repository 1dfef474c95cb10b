#include "protocol/batch_builder.hpp"
#include "storage/log_entry.hpp"
#include "tests/aq/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::aq;
using test::run_aq;

TEST_SUITE_BEGIN("aq.log");

namespace {

const std::string topic_id = "6f1c2d3e-0000-4000-8000-000000000001";

group_id sample_group() {
  group_id group;
  REQUIRE(parse_uuid(topic_id, group.topic));
  group.partition = 3;
  return group;
}

byte_span bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// Writes segments by the format's own functions, entry by entry.
class segment_maker {
public:
  explicit segment_maker(const group_id& group) : group_(group), seed_(storage::entry_seed(group)) {
    bytes_.resize(storage::segment_header_bytes);
    storage::encode_segment_header(bytes_.data(), group_, {1, 0, 0, offset_t(0), timestamp_ms(1)});
  }

  void add(storage::entry_kind kind, buffer body) {
    const storage::log_entry entry{++index_, 2, kind, std::move(body)};
    positions_.push_back(bytes_.size());
    bytes_.resize(bytes_.size() + storage::entry_header_bytes);
    crc_ = storage::encode_entry_header(bytes_.data() + positions_.back(), entry,
                                        {seed_, crc_, index_ - 1});
    bytes_.insert(bytes_.end(), entry.body.bytes().begin(), entry.body.bytes().end());
  }

  void add_records(int count) {
    protocol::batch_builder builder;
    for (int i = 0; i < count; ++i) {
      const auto value = "value-" + std::to_string(offset_ + i);
      REQUIRE(builder.append({timestamp_ms(1000 + i), bytes_of("key"), bytes_of(value), {}}));
    }
    protocol::batch_options options;
    options.base_offset = offset_t(offset_);
    options.epoch = leader_epoch(2);
    const auto batch = builder.finish(options);
    REQUIRE(batch.has_value());
    add(storage::entry_kind::records, *batch);
    offset_ += count;
  }

  void add_reserve(std::size_t count) { bytes_.resize(bytes_.size() + count); }

  [[nodiscard]] std::string text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  [[nodiscard]] std::size_t position(std::size_t entry) const { return positions_[entry]; }

private:
  group_id group_;
  std::uint32_t seed_;
  std::vector<std::byte> bytes_;
  std::vector<std::size_t> positions_;
  std::uint64_t index_ = 0;
  std::uint32_t crc_ = 0;
  std::int64_t offset_ = 0;
};

segment_maker sample_segment() {
  segment_maker made(sample_group());
  made.add(storage::entry_kind::noop, {});
  made.add_records(3);
  made.add(storage::entry_kind::command, buffer::copy_of("command"));
  made.add_records(2);
  made.add_reserve(1000);
  return made;
}

const std::string segment_path = "groups/" + topic_id + "/3/00000000000000000001.log";

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(nlohmann::json::parse(line));
  return lines;
}

} // namespace

TEST_CASE("dump shows every entry with its batch") {
  const test::scratch_directory data;
  const auto file = data.write(segment_path, sample_segment().text());
  const auto shown = run_aq({"log", "dump", file, "--output", "json"});
  CHECK(shown.code == exit_code::done);
  CHECK(shown.err.empty());
  const auto lines = json_lines(shown.out);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0]["kind"] == "noop");
  CHECK(lines[0]["position"] == 80);
  CHECK(lines[0]["base_offset"].is_null());
  CHECK(lines[1]["kind"] == "records");
  CHECK(lines[1]["index"] == 2);
  CHECK(lines[1]["term"] == 2);
  CHECK(lines[1]["base_offset"] == 0);
  CHECK(lines[1]["last_offset"] == 2);
  CHECK(lines[1]["records"] == 3);
  CHECK(lines[1]["codec"] == "none");
  CHECK(lines[2]["kind"] == "command");
  CHECK(lines[3]["base_offset"] == 3);
  const auto table = run_aq({"log", "dump", file});
  CHECK(table.out.find("POSITION") != std::string::npos);
  CHECK(run_aq({"log", "dump", file, "--from-index", "2", "-n", "1", "--output", "name"}).out ==
        std::to_string(sample_segment().position(1)) + "\n");
}

TEST_CASE("dump shows the records in the batches") {
  const test::scratch_directory data;
  const auto file = data.write(segment_path, sample_segment().text());
  const auto shown = run_aq({"log", "dump", file, "--records", "-f", "%p %o %d %k=%v\\n"});
  CHECK(shown.code == exit_code::done);
  CHECK(shown.out == "3 0 1000 key=value-0\n3 1 1001 key=value-1\n3 2 1002 key=value-2\n"
                     "3 3 1000 key=value-3\n3 4 1001 key=value-4\n");
  CHECK(json_lines(run_aq({"log", "dump", file, "--records", "--output", "json"}).out).size() == 5);
}

TEST_CASE("a file away from its folder needs the name of its group") {
  const test::scratch_directory data;
  const auto file = data.write("copy.log", sample_segment().text());
  const auto asked = run_aq({"log", "dump", file});
  CHECK(asked.code == exit_code::usage);
  CHECK(asked.err.find("--group") != std::string::npos);
  CHECK(run_aq({"log", "dump", file, "--group", topic_id + "/3"}).code == exit_code::done);
  CHECK(run_aq({"log", "dump", file, "--group", topic_id + "/4"}).code == exit_code::conflict);
  CHECK(run_aq({"log", "dump", file, "--group", "nonsense"}).code == exit_code::usage);
  CHECK(run_aq({"log", "dump", data.path() + "/none.log", "--group", topic_id + "/3"}).code ==
        exit_code::not_found);
}

TEST_CASE("a flipped bit is found in whichever entry it is, with its position") {
  const test::scratch_directory data;
  const auto made = sample_segment();
  const auto good = made.text();
  for (std::size_t entry = 0; entry < 4; ++entry) {
    const auto end = entry + 1 < 4 ? made.position(entry + 1) : good.size() - 1000;
    for (auto at = made.position(entry); at < end; at += 5) {
      CAPTURE(at);
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 4);
      const auto file = data.write(segment_path, bad);
      const auto ended = run_aq({"log", "verify", file, "--output", "json"});
      CHECK(ended.code == exit_code::bad_data);
      const auto parsed = nlohmann::json::parse(ended.out);
      CHECK(parsed["damaged"] == 1);
      const auto problem = parsed["logs"][0]["problem"].get<std::string>();
      CHECK(problem.find("position " + std::to_string(made.position(entry)) + ",") !=
            std::string::npos);
    }
  }
}

TEST_CASE("a segment that is cut within an entry is damaged there, between entries it is whole") {
  const test::scratch_directory data;
  const auto made = sample_segment();
  const auto good = made.text().substr(0, made.text().size() - 1000);
  for (auto size = made.position(1); size < good.size(); ++size) {
    CAPTURE(size);
    const auto file = data.write(segment_path, good.substr(0, size));
    // Up to three zeros may also be space that was reserved: sizes begin with them.
    const auto entry = size < made.position(2) ? 1 : size < made.position(3) ? 2 : 3;
    const bool is_between =
        good.substr(0, size).find_first_not_of('\0', made.position(entry)) == std::string::npos;
    CHECK(run_aq({"log", "verify", file}).code ==
          (is_between ? exit_code::done : exit_code::bad_data));
  }
}

TEST_CASE("dump prints what is good before the damage, then says where it is") {
  const test::scratch_directory data;
  const auto made = sample_segment();
  auto bad = made.text();
  bad[made.position(3) + 50] ^= 1;
  const auto file = data.write(segment_path, bad);
  const auto shown = run_aq({"log", "dump", file, "--output", "name"});
  CHECK(shown.code == exit_code::bad_data);
  CHECK(std::count(shown.out.begin(), shown.out.end(), '\n') == 3);
  CHECK(shown.err.find("position " + std::to_string(made.position(3)) + ", index 4") !=
        std::string::npos);
}

TEST_CASE("the folder of the cluster's metadata is known by its name") {
  const test::scratch_directory data;
  segment_maker made(controller_group);
  made.add(storage::entry_kind::command, buffer::copy_of("command"));
  const auto file = data.write("groups/controller/00000000000000000001.log", made.text());
  CHECK(run_aq({"log", "dump", file}).code == exit_code::done);
  CHECK(run_aq({"log", "verify", data.path()}).code == exit_code::done);
}

TEST_CASE("verify of a data directory goes through all groups") {
  const test::scratch_directory data;
  data.write(segment_path, sample_segment().text());
  const auto good = run_aq({"log", "verify", data.path(), "--output", "json"});
  CHECK(good.code == exit_code::done);
  const auto parsed = nlohmann::json::parse(good.out);
  REQUIRE(parsed["logs"].size() == 1);
  CHECK(parsed["logs"][0]["status"] == "ok");
  CHECK(parsed["logs"][0]["entries"] == 4);
  CHECK(parsed["logs"][0]["batches"] == 2);
  auto bad = sample_segment().text();
  bad[200] ^= 1;
  data.write(segment_path, bad);
  CHECK(run_aq({"log", "verify", data.path()}).code == exit_code::bad_data);
  auto torn = sample_segment().text();
  torn[sample_segment().position(3) + 45] ^= 1;
  data.write(segment_path, torn);
  const auto end = run_aq({"log", "verify", data.path()});
  CHECK(end.code == exit_code::bad_data);
  CHECK(end.out.find("a torn end, if") != std::string::npos);
  const test::scratch_directory empty;
  CHECK(run_aq({"log", "verify", empty.path()}).code == exit_code::not_found);
  CHECK(run_aq({"log", "verify", empty.path() + "/none"}).code == exit_code::not_found);
}

TEST_SUITE_END();
