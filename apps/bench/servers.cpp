#include "apps/bench/servers.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace aqueduct::bench {

namespace {

constexpr auto patience = std::chrono::seconds(120);

result<std::string> new_folder(const bench_options& options, const std::string& name) {
  auto path = options.folder + "/" + name + "-" + std::string(6, 'X');
  if (::mkdtemp(path.data()) == nullptr)
    return unexpected(errc::storage_failed, "cannot make the folder " + path);
  return path;
}

std::vector<std::string> node_command(const bench_options& options, const std::string& folder) {
  std::vector<std::string> command = {options.node_path, "--data-dir", folder,          "--listen",
                                      "127.0.0.1:0",     "--set",      "log.level=warn"};
  for (const char* service : {"admin", "cluster", "http"}) {
    command.emplace_back("--set");
    command.push_back(std::string(service) + ".listen=127.0.0.1:0");
  }
  for (const auto& setting : options.settings) {
    command.emplace_back("--set");
    command.push_back(setting);
  }
  return command;
}

/// What the system could give without swapping, in bytes; 0 if it does not say.
std::uint64_t available_memory() {
  std::ifstream about("/proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  std::string unit;
  while (about >> name >> kib && std::getline(about, unit))
    if (name == "MemAvailable:")
      return kib * 1024;
  return 0;
}

} // namespace

result<server> start_node(const bench_options& options) {
  auto folder = new_folder(options, "node");
  if (!folder)
    return folder.propagate();
  auto started = child_process::start(node_command(options, *folder), patience);
  if (!started)
    return started.propagate();
  return server{std::move(*started), std::move(*folder)};
}

result<child_process> restart_node(const bench_options& options, const std::string& folder) {
  return child_process::start(node_command(options, folder), patience);
}

result<server> start_floor(const bench_options& options, int partitions, std::uint64_t file_bytes,
                           int writers) {
  auto folder = new_folder(options, "floor");
  if (!folder)
    return folder.propagate();
  auto started = child_process::start({own_path(), "--floor", *folder, "--floor-partitions",
                                       std::to_string(partitions), "--floor-file-bytes",
                                       std::to_string(file_bytes), "--floor-writers",
                                       std::to_string(options.floor_writers.value_or(writers))},
                                      patience);
  if (!started)
    return started.propagate();
  return server{std::move(*started), std::move(*folder)};
}

void drop_page_cache(const std::string& folder) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, failed)) {
    if (!entry.is_regular_file(failed))
      continue;
    const auto file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
      continue;
    ::fdatasync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

void remove_folder(const std::string& folder) {
  std::error_code failed;
  std::filesystem::remove_all(folder, failed);
}

void warm_memory(std::uint64_t bytes) {
  const auto size = static_cast<std::size_t>(std::min(bytes, available_memory() / 2));
  auto* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return;
  constexpr std::size_t page = 4096;
  constexpr std::size_t stride = std::size_t{1} << 20;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (std::size_t from = 0; from < size && std::chrono::steady_clock::now() < give_up;
       from += stride)
    for (std::size_t at = from; at < std::min(from + stride, size); at += page)
      static_cast<volatile char*>(memory)[at] = 1;
  ::munmap(memory, size);
}

void settle_disk(const std::string& folder) {
  using clock = std::chrono::steady_clock;
  constexpr int quiet_wanted = 200;
  const auto path = folder + "/settle";
  const auto file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0)
    return;
  ::syncfs(file);
  const auto give_up = clock::now() + std::chrono::seconds(20);
  auto fastest = clock::duration::max();
  for (int quiet = 0; quiet < quiet_wanted && clock::now() < give_up;) {
    const auto begin = clock::now();
    const char byte = 'x';
    if (::pwrite(file, &byte, 1, 0) != 1 || ::fdatasync(file) != 0)
      break;
    const auto taken = clock::now() - begin;
    fastest = std::min(fastest, taken);
    quiet = taken < 100 * fastest ? quiet + 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::close(file);
  ::unlink(path.c_str());
}

} // namespace aqueduct::bench
