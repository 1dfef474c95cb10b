// What `aq doctor` asks the system.
#include "apps/aq/address_list.hpp"
#include "apps/aq/dial.hpp"
#include "apps/aq/doctor.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace aqueduct::aq {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds connect_patience{1000};

std::optional<std::string> read_text(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::optional<std::uint64_t> read_number(const char* path) {
  const auto text = read_text(path);
  std::uint64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

/// The folder itself, or the nearest above it that exists: there the node would make it.
std::string nearest_existing(std::filesystem::path path) {
  std::error_code problem;
  path = std::filesystem::absolute(path, problem);
  while (!std::filesystem::exists(path, problem) && path.has_relative_path())
    path = path.parent_path();
  return path.string();
}

/// A file without a name that goes away when it is closed.
class probe_file {
public:
  explicit probe_file(const std::string& directory)
      : fd_(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    if (fd_ >= 0)
      return;
    // Not every file system knows files without names.
    auto name = directory + "/.aq-doctor-" + std::string(6, 'X');
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    problem_ = errno;
    if (fd_ >= 0)
      ::unlink(name.c_str());
  }
  ~probe_file() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  probe_file(const probe_file&) = delete;
  probe_file& operator=(const probe_file&) = delete;

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::string problem() const { return std::strerror(problem_); }

private:
  int fd_;
  int problem_ = 0;
};

finding probe_sync(const std::string& directory, milliseconds length) {
  const probe_file file(directory);
  if (!file.is_open() || length.count() == 0)
    return judge_sync(std::nullopt, {}, 0);
  const std::array<char, 4096> block{};
  std::vector<microseconds> times;
  const auto until = steady_clock::now() + length;
  for (off_t position = 0; steady_clock::now() < until; position += block.size()) {
    const auto begin = steady_clock::now();
    if (::pwrite(file.fd(), block.data(), block.size(), position) !=
            static_cast<ssize_t>(block.size()) ||
        ::fdatasync(file.fd()) != 0)
      break;
    times.push_back(std::chrono::duration_cast<microseconds>(steady_clock::now() - begin));
  }
  if (times.empty())
    return judge_sync(std::nullopt, {}, 0);
  std::ranges::sort(times);
  return judge_sync(times[times.size() * 99 / 100], times[times.size() / 2], times.size());
}

finding probe_port(const std::string& name, const config::endpoint& listen) {
  const auto shown = to_string(listen);
  if (listen.port == 0)
    return judge_port(name, shown, port_state::free, {});
  const address_list addresses(listen, true);
  std::string problem = addresses.problem;
  for (auto* each = addresses.first; each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
      continue;
    // As the node does: a port in TIME_WAIT is free.
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const int code = ::bind(fd, each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    ::close(fd);
    if (code == 0)
      return judge_port(name, shown, port_state::free, {});
    if (code == EADDRINUSE)
      return judge_port(name, shown, port_state::taken, {});
    problem = std::strerror(code);
  }
  return judge_port(name, shown, port_state::not_bindable, problem);
}

finding probe_advertised(const config::endpoint& listen, const config::endpoint& advertised,
                         const std::string& listener) {
  const auto local = reached_here(listen);
  const bool node_runs = local.port != 0 && try_connect(local, connect_patience).empty();
  return judge_advertised(to_string(advertised), node_runs,
                          try_connect(advertised, connect_patience), listener);
}

void examine_addresses(const config::node_config& config, std::vector<finding>& findings) {
  const auto& listeners = config.listeners.listen;
  findings.push_back(probe_port("client port", config.listen));
  for (const auto& each : listeners)
    findings.push_back(probe_port("client port of " + each.name, each.address));
  findings.push_back(probe_port("cluster port", config.cluster.listen));
  findings.push_back(probe_port("http port", config.http.listen));
  findings.push_back(probe_port("admin port", config.admin.listen));
  findings.push_back(probe_advertised(config.listen, config.advertised(), {}));
  for (const auto& each : listeners)
    findings.push_back(probe_advertised(each.address, config.advertised(each), each.name));
}

void examine_disk(const doctor_options& options, std::vector<finding>& findings) {
  const auto directory = nearest_existing(options.config.data.dir);
  {
    const probe_file file(directory);
    findings.push_back(judge_writable(options.config.data.dir.string(),
                                      file.is_open() ? std::string() : file.problem()));
  }
  struct statfs type {};
  const bool has_type = ::statfs(directory.c_str(), &type) == 0;
  findings.push_back(judge_file_system(
      has_type ? std::optional(static_cast<std::uint64_t>(type.f_type) & 0xffffffff)
               : std::nullopt));
  struct statvfs space {};
  const bool has_space = ::statvfs(directory.c_str(), &space) == 0;
  findings.push_back(judge_free_disk(
      has_space ? std::optional<std::uint64_t>(space.f_bavail * space.f_frsize) : std::nullopt,
      has_space ? space.f_blocks * space.f_frsize : 0, options.config.storage.reserve_bytes));
  findings.push_back(probe_sync(directory, options.disk_probe));
}

void examine_system(const doctor_options& options, std::vector<finding>& findings) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const auto wanted = static_cast<std::uint64_t>(options.config.limits.connections) +
                      static_cast<std::uint64_t>(options.config.storage.open_files) + 1024;
  findings.push_back(judge_open_files(files.rlim_max, wanted));
  const auto meminfo = read_text("/proc/meminfo").value_or(std::string());
  findings.push_back(
      judge_memory(meminfo_bytes(meminfo, "MemTotal"), meminfo_bytes(meminfo, "MemAvailable")));
  findings.push_back(
      judge_swap(meminfo_bytes(meminfo, "SwapTotal"), read_number("/proc/sys/vm/swappiness")));
  findings.push_back(judge_huge_pages(read_text("/sys/kernel/mm/transparent_hugepage/enabled")));
}

} // namespace

config::endpoint reached_here(const config::endpoint& listen) {
  if (listen.host == "0.0.0.0")
    return {"127.0.0.1", listen.port};
  if (listen.host == "::")
    return {"::1", listen.port};
  return listen;
}

std::vector<finding> examine(const doctor_options& options) {
  std::vector<finding> findings;
  examine_disk(options, findings);
  examine_system(options, findings);
  examine_addresses(options.config, findings);
  return findings;
}

} // namespace aqueduct::aq
