// The layering of the house as data. THINK HARD BEFORE CHANGING A LINE OF THESE TABLES: an include
// that is forbidden here is a dependency that the design rules out, not an oversight of the table.
#include "tests/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace aqueduct::tidy {

namespace {

using names = std::vector<std::string_view>;

struct room {
  std::string_view name;
  /// Rooms that its files may include, itself among them.
  names may_include;
};

const room rooms[] = {
    {"protocol", {"protocol"}},
    {"raft", {"raft"}},
    {"storage", {"storage", "protocol"}},
    {"config", {"config", "protocol"}},
    {"actors", {"actors", "storage", "raft", "config", "protocol"}},
    {"apps", {"apps", "actors", "storage", "raft", "config", "protocol"}},
    {"tests", {"protocol", "raft", "storage", "config", "actors", "apps", "tests"}},
};

struct library {
  /// A header starts with one of these.
  names headers;
  /// Where it may be included: prefixes of paths. The tests of a room may include what the room
  /// may.
  names places;
  std::string_view advice;
};

const library libraries[] = {
    {{"caf/"}, {"actors/", "apps/"}, "only actors and apps know CAF"},
    {{"rocksdb/"}, {"storage/"}, "only storage knows RocksDB"},
    {{"boost/asio", "boost/beast", "openssl/"},
     {"actors/network/", "protocol/client/", "apps/"},
     "sockets and TLS belong to actors/network, protocol/client and apps"},
    {{"boost/"}, {"actors/", "protocol/client/", "apps/"}, "Boost is for actors, the SDK and apps"},
    {{"toml++/", "yaml-cpp/"}, {"config/", "apps/"}, "read settings through config/"},
    {{"CLI/"}, {"config/", "apps/"}, "command lines are parsed in config/ and apps/"},
    {{"isa-l", "lz4", "zstd", "zlib.h", "snappy"},
     {"protocol/"},
     "compress and checksum through protocol/"},
    {{"spdlog/"}, {"actors/", "apps/"}, "cores return events; the shell logs them"},
    {{"fmt/"}, {"config/", "actors/", "apps/"}, "the bottom rooms use the standard library"},
    {{"nlohmann/"}, {"actors/", "apps/"}, "JSON is for actors and apps"},
    {{"curl/", "prometheus/"}, {"actors/", "apps/"}, "HTTP is for actors and apps"},
    {{"doctest/"}, {"tests/"}, "tests live in tests/"},
    {{"aqueduct/"},
     {"apps/", "tests/client_installed/"},
     "users' programs include the SDK by that name"},
};

constexpr auto raft_forbidden = std::to_array<std::string_view>(
    {"thread", "mutex", "shared_mutex", "condition_variable", "atomic", "future", "chrono", "ctime",
     "random", "iostream", "fstream", "filesystem"});

/// Folders of system headers that libraries do not have.
constexpr auto system_folders = std::to_array<std::string_view>(
    {"sys/", "arpa/", "netinet/", "net/", "linux/", "asm/", "experimental/"});

bool starts_with_any(std::string_view text, const auto& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view p) { return text.starts_with(p); });
}

const room* room_named(std::string_view name) {
  const auto* found = std::ranges::find(rooms, name, &room::name);
  return found == std::end(rooms) ? nullptr : found;
}

/// The path that decides what a file may include: tests/storage/x.cpp counts as storage/x.cpp, as
/// its program links that room only; the other tests may include everything.
struct viewpoint {
  std::string path;
  const room* owner = nullptr;
  bool is_test = false;
  bool may_all = false;
};

viewpoint viewpoint_of(const std::string& path) {
  viewpoint view{path, room_named(path.substr(0, path.find('/'))), path.starts_with("tests/")};
  if (!view.is_test)
    return view;
  const auto rest = path.substr(std::string_view("tests/").size());
  const auto* tested = room_named(rest.substr(0, rest.find('/')));
  view.may_all = tested == nullptr || tested->name == "actors" || tested->name == "apps";
  if (tested) {
    view.path = rest;
    view.owner = tested;
  }
  return view;
}

std::string check_own(const viewpoint& view, std::string_view header) {
  const auto target = header.substr(0, header.find('/'));
  if (!room_named(target) || header.find('/') == std::string_view::npos)
    return "includes \"" + std::string(header) + "\"; write it from the top, as \"room/file.hpp\"";
  const auto& allowed = view.owner->may_include;
  const bool test_helper = view.is_test && target == "tests";
  if (!view.may_all && !test_helper && std::ranges::find(allowed, target) == allowed.end())
    return std::string(view.owner->name) + " must not include " + std::string(target) +
           "; move the shared part down, or the caller up";
  if (header.starts_with("protocol/client/") && !view.may_all && view.owner->name != "apps" &&
      !view.path.starts_with("protocol/client/"))
    return "includes the client SDK below apps; share what both need through protocol/";
  return {};
}

std::string check_foreign(const viewpoint& view, std::string_view header) {
  if (header == "caf/all.hpp")
    return "includes the widest CAF header, seconds per file; include the narrow ones";
  if (header.starts_with("rocksdb/") && is_header(view.path))
    return "includes RocksDB in a header; hide it in the .cpp";
  for (const auto& entry : libraries) {
    if (!starts_with_any(header, entry.headers))
      continue;
    const bool test_library = view.is_test && header.starts_with("doctest/");
    if (view.may_all || test_library || starts_with_any(view.path, entry.places))
      return {};
    return "must not include <" + std::string(header) + ">: " + std::string(entry.advice);
  }
  if (header.find('/') != std::string_view::npos && !starts_with_any(header, system_folders))
    return "includes <" + std::string(header) +
           ">, of a library that tests/tidy/layers.cpp does not know; say there who may use it";
  const bool system_header = header.ends_with(".h") || header.find('/') != std::string_view::npos;
  if (view.owner->name == "raft" && !view.is_test &&
      (system_header || std::ranges::find(raft_forbidden, header) != raft_forbidden.end()))
    return "must not include <" + std::string(header) +
           ">: raft is a pure state machine without clock, thread, chance or I/O";
  return {};
}

} // namespace

findings check_includes(const source_file& file) {
  const auto view = viewpoint_of(file.path);
  if (!is_cpp(file.path) || !view.owner)
    return {};
  findings found;
  std::size_t line_number = 0;
  std::string_view rest = file.text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++line_number;
    if (!line.starts_with("#include "))
      continue;
    const auto open = line.find_first_of("\"<");
    const auto close = line.find_last_of("\">");
    if (open == std::string_view::npos || close <= open)
      continue;
    const auto header = line.substr(open + 1, close - open - 1);
    auto message = line[open] == '"' ? check_own(view, header) : check_foreign(view, header);
    if (!message.empty())
      found.push_back({file.path, line_number, std::move(message)});
  }
  return found;
}

} // namespace aqueduct::tidy
