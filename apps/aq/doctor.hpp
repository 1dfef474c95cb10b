// Is this machine fit to run a node? Every check is two things: a probe, which asks the system, and
// a judgement, which is a plain function and says what follows from the answer. What a cluster
// tells its clients is judged in advertised.hpp.
#pragma once

#include "apps/aq/document.hpp"
#include "config/node_config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::aq {

enum class severity : std::uint8_t { ok, info, warning, critical };

[[nodiscard]] std::string_view to_string(severity how);

struct finding {
  std::string check;
  std::string required;
  std::string current;
  severity how = severity::ok;
  /// What to do; empty if nothing.
  std::string fix;
};

[[nodiscard]] document doctor_document(const std::vector<finding>& findings);
/// The worst of them.
[[nodiscard]] severity worst(const std::vector<finding>& findings);

// -- judgements: nothing means that the system did not tell ---------------------------------------

[[nodiscard]] finding judge_writable(const std::string& directory, const std::string& problem);
[[nodiscard]] finding judge_file_system(std::optional<std::uint64_t> magic);
[[nodiscard]] finding judge_free_disk(std::optional<std::uint64_t> free_bytes,
                                      std::uint64_t total_bytes, std::uint64_t reserve_bytes);
/// The hard limit: the node raises the soft one to it.
[[nodiscard]] finding judge_open_files(std::uint64_t hard_limit, std::uint64_t wanted);
[[nodiscard]] finding judge_memory(std::optional<std::uint64_t> total_bytes,
                                   std::optional<std::uint64_t> available_bytes);
[[nodiscard]] finding judge_swap(std::optional<std::uint64_t> swap_bytes,
                                 std::optional<std::uint64_t> swappiness);
/// `setting`: the contents of /sys/kernel/mm/transparent_hugepage/enabled.
[[nodiscard]] finding judge_huge_pages(const std::optional<std::string>& setting);
enum class port_state : std::uint8_t { free, taken, not_bindable };
[[nodiscard]] finding judge_port(const std::string& name, const std::string& address,
                                 port_state state, const std::string& problem);
/// `problem`: why the advertised address cannot be used; empty if it answers. `listener`: its name;
/// empty for that of `listen`.
[[nodiscard]] finding judge_advertised(const std::string& address, bool node_runs,
                                       const std::string& problem,
                                       const std::string& listener = {});
/// The setting with what clients of that listener are told, in words.
[[nodiscard]] std::string advertise_setting(const std::string& listener);
[[nodiscard]] finding judge_sync(std::optional<std::chrono::microseconds> p99,
                                 std::chrono::microseconds p50, std::size_t count);

/// The value of a line such as `MemTotal:  24000 kB` of /proc/meminfo, in bytes.
[[nodiscard]] std::optional<std::uint64_t> meminfo_bytes(std::string_view meminfo,
                                                         std::string_view name);

// -- probes ---------------------------------------------------------------------------------------

/// Where this machine reaches what listens at `listen`: the loopback address for a wildcard.
[[nodiscard]] config::endpoint reached_here(const config::endpoint& listen);

struct doctor_options {
  config::node_config config;
  /// How long the disk is probed; 0 leaves it out.
  std::chrono::milliseconds disk_probe{1000};
};

/// All checks, in the order of the report. Writes a file to the data directory and removes it.
[[nodiscard]] std::vector<finding> examine(const doctor_options& options);

} // namespace aqueduct::aq
