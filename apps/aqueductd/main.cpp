// The broker node as a program: settings, signals, the `ready` line. What a node is made of is in
// actors/node.hpp.
#include "actors/logging.hpp"
#include "actors/node.hpp"
#include "config/command_line.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

extern char** environ;

namespace {

using namespace aqueduct;

constexpr const char* version = AQUEDUCT_VERSION;
constexpr int exit_unavailable = 69;
constexpr int exit_software = 70;
constexpr int exit_conflict = 73;
constexpr int exit_io = 74;

int exit_code_of(errc code) {
  switch (code) {
  case errc::invalid_config:
    return config::exit_config;
  case errc::conflict:
  case errc::unsupported_version:
    return exit_conflict;
  case errc::storage_full:
  case errc::storage_failed:
  case errc::storage_damaged:
    return exit_io;
  default:
    return exit_software;
  }
}

/// The signals that the node waits for, blocked in every thread.
sigset_t block_signals() {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return awaited;
}

/// A connection holds a descriptor, a partition that is written to up to two, and most shells allow
/// 1,024: takes as many as may be had. Where the limit cannot be raised the old one stays.
void raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
    return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

int end_program(const config::program_exit& how) {
  std::fputs(how.output.c_str(), stdout);
  std::fputs(how.errors.c_str(), stderr);
  return how.status;
}

/// Reads the settings again and takes over what may change while the node runs.
void reload(actors::node& node, int argc, char** argv) {
  auto settings = config::configure(argc, argv, environ, version);
  if (const auto* refused = std::get_if<config::program_exit>(&settings))
    node.reload(unexpected(errc::invalid_config, refused->errors));
  else
    node.reload(std::get<config::loaded_config>(settings).values);
}

int run(const config::node_config& settings, const sigset_t& awaited, int argc, char** argv) {
  actors::set_up_logging(settings.log);
  actors::node::options options;
  options.config = settings;
  options.software = std::string("aqueduct ") + version;
  options.shutdown_requested = [] { ::kill(::getpid(), SIGTERM); };
  options.interrupted = [&awaited] {
    const timespec at_once{};
    int signal = 0;
    do
      signal = sigtimedwait(&awaited, nullptr, &at_once);
    while (signal == SIGHUP);
    return signal > 0;
  };
  auto started = actors::node::start(std::move(options));
  if (!started && started.error().code == errc::shutting_down)
    return 0;
  if (!started) {
    std::fprintf(stderr, "aqueductd: %s\n", started.error().message.c_str());
    return exit_code_of(started.error().code);
  }
  auto& node = **started;
  std::printf("ready node=%d listen=%s admin=%s cluster=%s\n", settings.node.id,
              config::to_string(node.client_address()).c_str(),
              config::to_string(node.admin_address()).c_str(),
              config::to_string(node.cluster_address()).c_str());
  std::fflush(stdout);
  int signal = 0;
  while (sigwait(&awaited, &signal) == 0 && signal == SIGHUP)
    reload(node, argc, argv);
  if (!node.stop())
    std::_Exit(exit_unavailable);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  auto settings = config::configure(argc, argv, environ, version);
  if (const auto* done = std::get_if<config::program_exit>(&settings))
    return end_program(*done);
  raise_descriptor_limit();
  const auto awaited = block_signals();
  return run(std::get<config::loaded_config>(settings).values, awaited, argc, argv);
}
