#include "apps/bench/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace aqueduct::bench {

namespace {

using std::chrono::steady_clock;

unexpected failed(const std::string& what) {
  return unexpected(errc::internal, what + ": " + std::strerror(errno));
}

/// The number behind "listen=" up to the end of the word, behind its last colon.
std::uint16_t listen_port(const std::string& line) {
  const auto at = line.find("listen=");
  if (at == std::string::npos)
    return 0;
  const auto word = line.substr(at, line.find_first_of(" \n", at) - at);
  const auto number = word.substr(word.rfind(':') + 1);
  std::uint16_t port = 0;
  std::from_chars(number.data(), number.data() + number.size(), port);
  return port;
}

[[noreturn]] void run_child(const std::vector<std::string>& command, int output) {
  // Whatever ends the benchmark ends its servers.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const auto& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  std::perror(command.front().c_str());
  ::_exit(127);
}

/// The value in kB of a line of /proc/PID/status.
std::uint64_t status_bytes(const std::string& status, std::string_view name) {
  const auto at = status.find(name);
  if (at == std::string::npos)
    return 0;
  return std::strtoull(status.c_str() + at + name.size(), nullptr, 10) * 1024;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

result<child_process> child_process::start(const std::vector<std::string>& command,
                                           std::chrono::milliseconds patience) {
  auto child = launch(command);
  if (!child)
    return child;
  if (auto ready = child->wait_ready(patience); !ready)
    return ready.propagate();
  return child;
}

result<child_process> child_process::launch(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return failed("pipe");
  child_process child;
  child.program_ = command.front();
  child.started_ = steady_clock::now();
  child.pid_ = ::fork();
  if (child.pid_ == 0)
    run_child(command, ends[1]);
  ::close(ends[1]);
  child.output_ = ends[0];
  if (child.pid_ < 0)
    return failed("fork");
  return child;
}

result<void> child_process::wait_ready(std::chrono::milliseconds patience) {
  if (auto ready = await_ready(started_ + patience); !ready)
    return unexpected(ready.error().code, program_ + " " + ready.error().message);
  start_time_ = steady_clock::now() - started_;
  return {};
}

result<void> child_process::await_ready(steady_clock::time_point deadline) {
  std::string text;
  while (text.find('\n') == std::string::npos) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0)
      return unexpected(errc::timed_out, "was not ready in time");
    pollfd waiting{output_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      continue;
    char bytes[512];
    const auto got = ::read(output_, bytes, sizeof bytes);
    if (got <= 0)
      return unexpected(errc::internal, "ended before it was ready");
    text.append(bytes, static_cast<std::size_t>(got));
  }
  port_ = listen_port(text);
  if (port_ == 0)
    return unexpected(errc::internal, "said '" + text + "' instead of where it listens");
  return {};
}

child_process::child_process(child_process&& other) noexcept {
  *this = std::move(other);
}

child_process& child_process::operator=(child_process&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
    output_ = std::exchange(other.output_, -1);
    program_ = std::move(other.program_);
    port_ = other.port_;
    started_ = other.started_;
    start_time_ = other.start_time_;
  }
  return *this;
}

child_process::~child_process() {
  kill();
}

process_usage child_process::usage() const {
  process_usage used;
  const auto folder = "/proc/" + std::to_string(pid_);
  const auto stat = read_file(folder + "/stat");
  // Behind the name, which is in parentheses, the fields are numbers; utime and stime are the 12th
  // and 13th of them (proc(5)).
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string field;
  unsigned long long ticks = 0;
  for (int i = 1; i <= 13 && fields >> field; ++i)
    if (i >= 12)
      ticks += std::strtoull(field.c_str(), nullptr, 10);
  used.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto status = read_file(folder + "/status");
  used.resident_bytes = status_bytes(status, "VmRSS:");
  used.peak_bytes = status_bytes(status, "VmHWM:");
  return used;
}

void child_process::freeze() const {
  if (pid_ >= 0)
    ::kill(pid_, SIGSTOP);
}

void child_process::thaw() const {
  if (pid_ >= 0)
    ::kill(pid_, SIGCONT);
}

result<void> child_process::stop() {
  if (pid_ >= 0)
    ::kill(pid_, SIGTERM);
  return wait();
}

result<void> child_process::wait() {
  if (pid_ < 0)
    return {};
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return unexpected(errc::internal,
                      program_ + " did not end cleanly, status " + std::to_string(status));
  return {};
}

void child_process::kill() {
  if (pid_ >= 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  if (output_ >= 0)
    ::close(std::exchange(output_, -1));
}

std::string own_path() {
  char path[4096];
  const auto size = ::readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string own_folder() {
  const auto path = own_path();
  return path.substr(0, path.rfind('/'));
}

} // namespace aqueduct::bench
