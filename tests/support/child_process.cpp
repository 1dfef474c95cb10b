#include "tests/support/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace aqueduct::test {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// True when `fd` is ready before the deadline.
bool wait_readable(int fd, test_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - test_clock::now());
    pollfd waiting{fd, POLLIN, 0};
    const auto ready =
        ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready >= 0)
      return ready > 0;
    if (errno != EINTR)
      fail("poll");
  }
}

/// What happens in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_program(char* const* arguments, char* const* variables, pid_t parent,
                                 int output, int errors) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(127);
  // A program under test starts with the signals of a program that a shell starts.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::execve(arguments[0], arguments, variables);
  ::_exit(127);
}

} // namespace

child_process::child_process(const std::filesystem::path& program,
                             const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    fail("pipe");
  output_ = ends[0];
  errors_ = ::memfd_create("errors", MFD_CLOEXEC);
  if (errors_ < 0)
    fail("memfd_create");
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  // Settings of whoever runs the tests, and the tests' own variables, are not the program's.
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with("AQUEDUCT_"))
      variables.push_back(*variable);
  variables.push_back(nullptr);
  const auto self = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0)
    fail("fork");
  if (pid_ == 0)
    become_program(pointers.data(), variables.data(), self, ends[1], errors_);
  ::close(ends[1]);
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pid_fd_ < 0)
    fail("pidfd_open");
}

child_process::~child_process() {
  if (pid_ > 0 && !status_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {pid_fd_, output_, errors_})
    if (fd >= 0)
      ::close(fd);
}

std::optional<std::string> child_process::read_line(test_clock::time_point deadline) {
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      auto line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (!wait_readable(output_, deadline))
      return std::nullopt;
    char bytes[4096];
    const auto got = ::read(output_, bytes, sizeof bytes);
    if (got <= 0)
      return std::nullopt;
    unread_.append(bytes, static_cast<std::size_t>(got));
  }
}

std::string child_process::rest_of_output() {
  char bytes[4096];
  for (;;) {
    const auto got = ::read(output_, bytes, sizeof bytes);
    if (got <= 0)
      return std::exchange(unread_, {});
    unread_.append(bytes, static_cast<std::size_t>(got));
  }
}

std::string child_process::errors() const {
  std::string text;
  char bytes[4096];
  // Positioned reads: the child shares the file position.
  for (;;) {
    const auto got = ::pread(errors_, bytes, sizeof bytes, static_cast<off_t>(text.size()));
    if (got <= 0)
      return text;
    text.append(bytes, static_cast<std::size_t>(got));
  }
}

void child_process::signal(int number) const {
  if (!status_)
    ::kill(pid_, number);
}

std::optional<int> child_process::wait_until(test_clock::time_point deadline) {
  if (status_)
    return status_;
  if (!wait_readable(pid_fd_, deadline))
    return std::nullopt;
  int how = 0;
  if (::waitpid(pid_, &how, 0) != pid_)
    fail("waitpid");
  status_ = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
  return status_;
}

bool child_process::is_running() {
  return !wait_until(test_clock::now());
}

namespace {

/// The first two numbers of /proc/PID/statm, in bytes: claimed and resident.
std::pair<std::size_t, std::size_t> memory_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::size_t claimed = 0;
  std::size_t resident = 0;
  file >> claimed >> resident;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return {claimed * page, resident * page};
}

} // namespace

std::size_t child_process::resident_bytes() const {
  return memory_of(pid_).second;
}

std::size_t child_process::claimed_bytes() const {
  return memory_of(pid_).first;
}

} // namespace aqueduct::test
