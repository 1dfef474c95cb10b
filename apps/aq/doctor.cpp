#include "apps/aq/doctor.hpp"

#include "apps/aq/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace aqueduct::aq {

namespace {

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

struct file_system {
  std::uint64_t magic;
  std::string_view name;
  severity how;
  std::string_view why;
};

// Magic numbers of statfs(2).
constexpr auto file_systems = std::to_array<file_system>({
    {0xef53, "ext4", severity::ok, ""},
    {0x58465342, "xfs", severity::ok, ""},
    {0x9123683e, "btrfs", severity::warning,
     "copy-on-write makes small synced appends slow; chattr +C the data directory, or use xfs"},
    {0x2fc12fc1, "zfs", severity::warning, "small synced appends need a log device; or use xfs"},
    {0x01021994, "tmpfs", severity::critical,
     "everything is lost when the machine stops; choose a directory on a disk"},
    {0x794c7630, "overlayfs", severity::warning,
     "this is the layer of a container; mount a volume for the data directory"},
    {0x6969, "nfs", severity::critical, "a network file system may lie about fsync; use a disk"},
    {0xff534d42, "cifs", severity::critical,
     "a network file system may lie about fsync; use a disk"},
    {0xfe534d42, "smb2", severity::critical,
     "a network file system may lie about fsync; use a disk"},
    {0x65735546, "fuse", severity::warning, "make sure that this file system honours fsync"},
});

std::string unknown() {
  return "unknown";
}

} // namespace

std::string_view to_string(severity how) {
  switch (how) {
  case severity::ok:
    return "ok";
  case severity::info:
    return "info";
  case severity::warning:
    return "warning";
  case severity::critical:
    return "critical";
  }
  return "unknown";
}

document doctor_document(const std::vector<finding>& findings) {
  document doc;
  auto& rows = doc.tables.emplace_back();
  rows.key = "checks";
  rows.columns = {{"check", "CHECK"},
                  {"required", "REQUIRED"},
                  {"current", "CURRENT"},
                  {"severity", "SEVERITY"},
                  {"fix", "FIX"}};
  for (const auto& each : findings)
    rows.rows.push_back({each.check, each.required, each.current, to_string(each.how), each.fix});
  return doc;
}

severity worst(const std::vector<finding>& findings) {
  auto how = severity::ok;
  for (const auto& each : findings)
    how = std::max(how, each.how);
  return how;
}

finding judge_writable(const std::string& directory, const std::string& problem) {
  finding found{"data directory", "writable", directory, severity::ok, {}};
  if (!problem.empty()) {
    found.current = fmt::format("{}: {}", directory, problem);
    found.how = severity::critical;
    found.fix = "create it, and give it to the user that runs aqueductd";
  }
  return found;
}

finding judge_file_system(std::optional<std::uint64_t> magic) {
  finding found{"file system", "xfs or ext4", unknown(), severity::info, {}};
  if (!magic)
    return found;
  const auto known = std::ranges::find(file_systems, *magic, &file_system::magic);
  if (known == file_systems.end()) {
    found.current = fmt::format("type {:#x}", *magic);
    found.fix = "not one that is tested; make sure that it honours fsync";
    return found;
  }
  found.current = known->name;
  found.how = known->how;
  found.fix = known->why;
  return found;
}

finding judge_free_disk(std::optional<std::uint64_t> free_bytes, std::uint64_t total_bytes,
                        std::uint64_t reserve_bytes) {
  finding found{"free disk",
                fmt::format("over 20 % and {}", format_bytes(reserve_bytes)),
                unknown(),
                severity::info,
                {}};
  if (!free_bytes || total_bytes == 0)
    return found;
  const auto percent = 100.0 * double(*free_bytes) / double(total_bytes);
  found.current = fmt::format("{} ({:.0f} %)", format_bytes(*free_bytes), percent);
  found.how = severity::ok;
  if (*free_bytes <= reserve_bytes) {
    found.how = severity::critical;
    found.fix = "below storage.reserve-bytes produce is refused; free space, or shorten retention";
  } else if (percent < 20) {
    found.how = severity::warning;
    found.fix = "free space, or shorten retention";
  }
  return found;
}

finding judge_open_files(std::uint64_t hard_limit, std::uint64_t wanted) {
  finding found{"open files",
                fmt::format("at least {}", wanted),
                std::to_string(hard_limit),
                severity::ok,
                {}};
  if (hard_limit >= wanted)
    return found;
  found.how = severity::warning;
  found.fix = fmt::format("ulimit -H -n {}, LimitNOFILE= in the unit, or "
                          "/etc/security/limits.conf",
                          wanted);
  return found;
}

finding judge_memory(std::optional<std::uint64_t> total_bytes,
                     std::optional<std::uint64_t> available_bytes) {
  finding found{"memory", "2.0 GiB, 1.0 GiB available", unknown(), severity::info, {}};
  if (!total_bytes || !available_bytes)
    return found;
  found.current =
      fmt::format("{}, {} available", format_bytes(*total_bytes), format_bytes(*available_bytes));
  const bool is_enough = *total_bytes >= 2 * gibibyte && *available_bytes >= gibibyte;
  found.how = is_enough ? severity::ok : severity::warning;
  if (!is_enough)
    found.fix = "give the node more memory, or lower storage.tail-cache-bytes";
  return found;
}

finding judge_swap(std::optional<std::uint64_t> swap_bytes,
                   std::optional<std::uint64_t> swappiness) {
  constexpr std::uint64_t swappiness_max = 10;
  finding found{"swap", "none, or swappiness 10 at most", unknown(), severity::info, {}};
  if (!swap_bytes)
    return found;
  found.how = severity::ok;
  found.current = "none";
  if (*swap_bytes == 0)
    return found;
  found.current = fmt::format("{}, swappiness {}", format_bytes(*swap_bytes),
                              swappiness ? std::to_string(*swappiness) : unknown());
  if (swappiness && *swappiness > swappiness_max) {
    found.how = severity::warning;
    found.fix = "sysctl vm.swappiness=1: a node that swaps looks like one that failed";
  }
  return found;
}

finding judge_huge_pages(const std::optional<std::string>& setting) {
  finding found{"transparent huge pages", "madvise or never", unknown(), severity::info, {}};
  if (!setting)
    return found;
  const auto open = setting->find('[');
  const auto close = setting->find(']');
  if (open == std::string::npos || close == std::string::npos || close < open)
    return found;
  found.current = setting->substr(open + 1, close - open - 1);
  found.how = severity::ok;
  if (found.current == "always") {
    found.how = severity::warning;
    found.fix = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled: compaction of pages "
                "stalls the node";
  }
  return found;
}

finding judge_port(const std::string& name, const std::string& address, port_state state,
                   const std::string& problem) {
  finding found{name, "free, or this node's", address, severity::ok, {}};
  switch (state) {
  case port_state::free:
    found.current += ": free";
    break;
  case port_state::taken:
    found.current += ": in use";
    found.how = severity::info;
    found.fix = "fine if the node runs; else stop the other program (ss -ltnp) or change the port";
    break;
  case port_state::not_bindable:
    found.current += ": " + problem;
    found.how = severity::critical;
    found.fix = "choose an address of this machine and a port that the user may open";
    break;
  }
  return found;
}

std::string advertise_setting(const std::string& listener) {
  return listener.empty() ? "`advertise`" : fmt::format("{} in `listeners.advertise`", listener);
}

finding judge_advertised(const std::string& address, bool node_runs, const std::string& problem,
                         const std::string& listener) {
  finding found{listener.empty() ? "advertised address"
                                 : fmt::format("advertised address of {}", listener),
                "reachable",
                address,
                severity::ok,
                {}};
  if (problem.empty())
    return found;
  found.current = fmt::format("{}: {}", address, problem);
  if (node_runs) {
    found.how = severity::critical;
    found.fix = fmt::format("clients are told to connect to {}; set {} to an address that reaches "
                            "this node",
                            address, advertise_setting(listener));
  } else {
    found.how = severity::info;
    found.fix = "start the node and run aq doctor again";
  }
  return found;
}

finding judge_sync(std::optional<std::chrono::microseconds> p99, std::chrono::microseconds p50,
                   std::size_t count) {
  using namespace std::chrono_literals;
  finding found{"disk fsync p99", "below 20 ms", "not measured", severity::info, {}};
  if (!p99)
    return found;
  const auto ms = [](std::chrono::microseconds t) { return double(t.count()) / 1000; };
  found.current = fmt::format("{:.2f} ms (p50 {:.2f} ms, {} syncs)", ms(*p99), ms(p50), count);
  found.how = severity::ok;
  // A sync that never reaches a disk takes some ten microseconds.
  if (p50 < 20us) {
    found.how = severity::info;
    found.fix = "too fast for a disk without a protected cache: make sure that it honours fsync";
  } else if (*p99 >= 100ms) {
    found.how = severity::critical;
    found.fix = "every acknowledged record waits for this; use a faster disk";
  } else if (*p99 >= 20ms) {
    found.how = severity::warning;
    found.fix = "every acknowledged record waits for this; an SSD takes 1 ms";
  }
  return found;
}

std::optional<std::uint64_t> meminfo_bytes(std::string_view meminfo, std::string_view name) {
  while (!meminfo.empty()) {
    const auto end = std::min(meminfo.find('\n'), meminfo.size());
    auto line = meminfo.substr(0, end);
    meminfo.remove_prefix(std::min(end + 1, meminfo.size()));
    if (!line.starts_with(name) || line.substr(name.size(), 1) != ":")
      continue;
    line.remove_prefix(name.size() + 1);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::uint64_t kibibytes = 0;
    const auto [at, code] = std::from_chars(line.data(), line.data() + line.size(), kibibytes);
    if (code != std::errc{} || kibibytes > UINT64_MAX / 1024)
      return std::nullopt;
    return kibibytes * 1024;
  }
  return std::nullopt;
}

} // namespace aqueduct::aq
