#include "tests/cluster/member_process.hpp"

#include "tests/support/paths.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace aqueduct::test {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t recent_max = 400;

std::string mode_of(member_make make) {
  switch (make) {
  case member_make::polls:
    return "polls";
  case member_make::commits_by_itself:
    return "auto";
  case member_make::handlers:
    return "handlers";
  case member_make::kcat:
    break;
  }
  return "kcat";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const auto& part : parts)
    all += (all.empty() ? "" : ",") + part;
  return all;
}

/// Both of its streams as one, a line at a time, so that the order of what it says is known.
std::string kcat_line(const std::string& group, const member_options& options) {
  std::string line = "exec stdbuf -oL -eL kcat -b " + options.brokers + " -G " + group;
  for (const auto& setting :
       {std::string("auto.offset.reset=earliest"), std::string("auto.commit.interval.ms=300"),
        "session.timeout.ms=" + std::to_string(std::chrono::milliseconds(member_session).count()),
        std::string("heartbeat.interval.ms=500"), std::string("max.poll.interval.ms=10000"),
        "partition.assignment.strategy=" + joined(options.assignors)})
    line += " -X " + setting;
  return line + " -d cgrp,topic -f 'read %p %o %s\\n' " + options.topic + " 2>&1";
}

std::filesystem::path program_of(const member_options& options) {
  if (options.make == member_make::kcat)
    return "/bin/sh";
  return built_program("example-groups-journal");
}

std::vector<std::string> arguments_of(const std::string& group, const member_options& options) {
  if (options.make == member_make::kcat)
    return {"-c", kcat_line(group, options)};
  std::vector<std::string> arguments = {options.brokers, group, options.topic,
                                        mode_of(options.make)};
  arguments.insert(arguments.end(), options.assignors.begin(), options.assignors.end());
  return arguments;
}

std::unique_ptr<group_journal> journal_of(group_ledger& ledger, const std::string& name,
                                          bool is_kcat) {
  if (is_kcat)
    return std::make_unique<kcat_journal>(ledger, name);
  return std::make_unique<native_journal>(ledger, name);
}

/// Writes nothing unless journals are to be kept.
std::ofstream keeper_of(const std::string& member) {
  const char* folder = std::getenv("AQUEDUCT_JOURNALS");
  return folder == nullptr ? std::ofstream()
                           : std::ofstream(std::filesystem::path(folder) / (member + ".txt"));
}

} // namespace

member_process::member_process(group_ledger& ledger, std::string name,
                               const member_options& options)
    : name_(std::move(name) + "-" + mode_of(options.make)),
      is_kcat_(options.make == member_make::kcat),
      ledger_(ledger),
      journal_(journal_of(ledger, name_, is_kcat_)),
      process_(program_of(options), arguments_of(ledger.group(), options)),
      kept_(keeper_of(name_)),
      reader_([this] { listen(); }) {}

member_process::~member_process() {
  if (!status_)
    kill();
}

void member_process::listen() {
  for (;;) {
    // Asked first: what comes after the end of the process was written before it.
    const bool is_last = has_process_ended_;
    const auto text = process_.read_line(test_clock::now() + 200ms);
    if (text) {
      if (kept_.is_open())
        kept_ << std::chrono::duration_cast<std::chrono::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count()
              << ' ' << *text << '\n';
      journal_->line(*text);
      if (!text->starts_with("read ")) {
        if (recent_.size() >= recent_max)
          recent_.erase(recent_.begin(), recent_.begin() + recent_max / 2);
        recent_.push_back(*text);
      }
    } else if (is_last) {
      return;
    } else {
      // Its output may have ended before the process did.
      std::this_thread::yield();
    }
  }
}

void member_process::leave() {
  ends();
  thaw();
  process_.signal(SIGTERM);
}

void member_process::ends() {
  // kcat counts a record as consumed before it prints it, and does not print it any more then.
  if (is_kcat_)
    ledger_.drops_what_is_in_hand(name_);
}

void member_process::kill() {
  ends();
  process_.signal(SIGKILL);
  (void)has_ended(test_clock::now() + patience);
}

void member_process::freeze() {
  is_frozen_ = true;
  process_.signal(SIGSTOP);
}

void member_process::thaw() {
  if (std::exchange(is_frozen_, false))
    process_.signal(SIGCONT);
}

bool member_process::has_ended(test_clock::time_point deadline) {
  if (status_)
    return true;
  status_ = process_.wait_until(deadline);
  if (!status_)
    return false;
  has_process_ended_ = true;
  reader_.join();
  ledger_.ended(name_);
  return true;
}

std::string member_process::last_words() const {
  std::string all = name_ + " ended with " + std::to_string(status_.value_or(-1)) + "\n";
  for (const auto& line : recent_)
    all += line + "\n";
  return all + process_.errors();
}

} // namespace aqueduct::test
