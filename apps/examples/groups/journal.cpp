// A member that keeps a journal: a line on standard output for all that happens to it, in order,
// until Ctrl-C. Whoever reads the journals of all members can tell what became of every record.
//
//     example-groups-journal 127.0.0.1:9092 auditors parcels
//
// MODE: `polls` commits what was written down by itself, `auto` leaves that to the library, and
// `handlers` works on partitions side by side. Then the assignors, the best first.
#include "protocol/client/client.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

namespace client = aqueduct::client;
using namespace std::chrono_literals;

namespace {

int fail(const aqueduct::error& why) {
  std::cerr << "error: " << to_string(why) << "\n";
  return EXIT_FAILURE;
}

/// A line at a time, also from several threads.
void tell(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << line + "\n" << std::flush;
}

void tell(const std::string& what, client::partition_span partitions) {
  std::ostringstream line;
  line << what;
  for (const auto& tp : partitions)
    line << " " << tp.partition.value;
  tell(line.str());
}

void tell(const client::record_view& record) {
  std::ostringstream line;
  line << "read " << record.partition.value << " " << record.offset.value << " "
       << (record.value ? record.value->text() : "");
  tell(line.str());
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');)
    parts.push_back(part);
  return parts;
}

class journal {
public:
  journal(std::string topic, bool commits) : topic_(std::move(topic)), commits_(commits) {}

  void attach(client::group_consumer& member) { member_ = &member; }

  void assigned(client::partition_span added) const {
    tell("assigned " + std::to_string(member_->generation()), added);
  }

  void revoked(client::partition_span taken) {
    // Nobody else has them yet.
    commit();
    forget(taken);
    tell("revoked", taken);
  }

  void lost(client::partition_span taken) {
    forget(taken);
    tell("lost", taken);
  }

  void write_down(const client::record_set& records) {
    for (const auto& record : records) {
      tell(record);
      next_[record.partition.value] = record.offset.value + 1;
    }
  }

  void commit() {
    if (!commits_ || next_.empty())
      return;
    std::vector<client::offset_commit> rows;
    std::ostringstream line;
    for (const auto& [partition, offset] : next_) {
      rows.push_back({{topic_, aqueduct::partition_id(partition)}, aqueduct::offset_t(offset)});
      line << " " << partition << ":" << offset;
    }
    const auto generation = member_->generation();
    const auto outcome = member_->commit(rows);
    // Which generation it was under is known when no rebalance came in between.
    if (!outcome)
      tell("refused " + to_string(outcome.error()));
    else if (member_->generation() == generation)
      tell("committed " + std::to_string(generation) + line.str());
    if (outcome)
      next_.clear();
  }

private:
  void forget(client::partition_span taken) {
    for (const auto& tp : taken)
      next_.erase(tp.partition.value);
  }

  std::string topic_;
  bool commits_;
  client::group_consumer* member_ = nullptr;
  /// By partition, the record after the last one that was written down and is not committed.
  std::map<std::int32_t, std::int64_t> next_;
};

/// What a poll cannot do now it can later, as a rule.
constexpr int failures_max = 600;

aqueduct::result<void> poll(client::group_consumer& member, journal& book,
                            const std::atomic<bool>& is_over) {
  constexpr auto commit_interval = 300ms;
  auto next_commit = std::chrono::steady_clock::now();
  for (int failures = 0; !is_over;) {
    const auto records = member.poll(100ms);
    if (!records) {
      tell("trouble " + to_string(records.error()));
      if (++failures >= failures_max)
        return records.propagate();
      continue;
    }
    failures = 0;
    book.write_down(*records);
    if (const auto now = std::chrono::steady_clock::now(); now >= next_commit) {
      book.commit();
      next_commit = now + commit_interval;
    }
  }
  return {};
}

aqueduct::result<void> handle(client::group_consumer& member, const std::atomic<bool>& is_over) {
  for (int failures = 0; !is_over; ++failures) {
    const auto outcome = member.run(
        [&](const client::record_view& record) -> aqueduct::result<void> {
          failures = 0;
          tell(record);
          return {};
        },
        {.threads = 2});
    if (outcome)
      continue;
    tell("trouble " + to_string(outcome.error()));
    if (failures >= failures_max)
      return outcome;
  }
  return {};
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " BROKERS GROUP TOPIC [MODE [ASSIGNOR...]]\n";
    return EXIT_FAILURE;
  }
  const std::string mode = argc > 4 ? argv[4] : "polls";
  // Signals are for the thread that waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  client::cluster_config where;
  where.brokers = split(argv[1]);
  where.client_id = "journal";
  auto cluster = client::cluster::open(where);
  if (!cluster)
    return fail(cluster.error());

  journal book(argv[3], mode == "polls");
  client::group_consumer_config config;
  config.group = argv[2];
  config.topics = {argv[3]};
  if (argc > 5)
    config.assignors.assign(argv + 5, argv + argc);
  config.session_timeout = 3s;
  config.heartbeat_interval = 500ms;
  config.poll_interval_max = 10s;
  config.auto_commit = mode != "polls";
  config.auto_commit_interval = 300ms;
  config.on_assigned = [&](client::partition_span added) { book.assigned(added); };
  config.on_revoked = [&](client::partition_span taken) { book.revoked(taken); };
  config.on_lost = [&](client::partition_span taken) { book.lost(taken); };
  auto made = client::group_consumer::create(*cluster, config);
  if (!made)
    return fail(made.error());
  auto& member = *made;
  book.attach(member);

  std::atomic<bool> is_over = false;
  std::thread ender([&] {
    int number = 0;
    sigwait(&signals, &number);
    is_over = true;
    member.stop();
  });
  const auto outcome = mode == "handlers" ? handle(member, is_over) : poll(member, book, is_over);
  if (!outcome)
    pthread_kill(ender.native_handle(), SIGTERM);
  ender.join();
  if (!outcome)
    return fail(outcome.error());
  book.commit();
  // Who was put out meanwhile commits nothing any more, and others read it again.
  if (const auto closed = member.close(); !closed)
    tell("refused " + to_string(closed.error()));
  tell("left");
  return EXIT_SUCCESS;
}
