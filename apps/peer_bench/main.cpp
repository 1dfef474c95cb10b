// aqueduct-peer-bench: what the link between two nodes costs. Two nodes in this process, connected
// over loopback; the first sends appends of some size and takes the second's answers, with a bound
// on what is in flight, as a leader does. No log, no disk: the link alone.
#include "actors/environment.hpp"
#include "actors/peer/node_links.hpp"

#include <CLI/CLI.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace aqueduct;
using namespace aqueduct::actors;
using steady = std::chrono::steady_clock;

struct arguments {
  std::size_t bytes = 1024;
  std::size_t batch = 1;
  int groups = 16;
  int in_flight = 64;
  double seconds = 3;
};

/// Calls a function with what arrives.
class receiver : public raft_receiver {
public:
  using taker = std::function<void(std::vector<raft_delivery>)>;
  explicit receiver(taker take) : take_(std::move(take)) {}
  void deliver(std::vector<raft_delivery> messages) override { take_(std::move(messages)); }

private:
  taker take_;
};

/// Waits for both nodes to have their link.
class gate {
public:
  void open(bool is_up) {
    const std::lock_guard lock(mutex_);
    count_ += is_up ? 1 : -1;
    changed_.notify_all();
  }
  bool wait_for(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return count_ >= count; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

struct actor_settings : caf::actor_system_config {
  actor_settings() {
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{1});
    set("scheduler.max-throughput", std::size_t{100});
  }
};

class bench_node {
public:
  bench_node(int id, gate& up) : id_(id), up_(up), system_(config_) {
    config::node_config settings;
    settings.cluster.listen = {"127.0.0.1", 0};
    auto opened = node_links::open(settings);
    if (!opened)
      throw std::runtime_error(opened.error().message);
    links_ = std::move(*opened);
  }
  ~bench_node() { halt(); }

  /// Nothing is received from here on.
  void halt() {
    links_->stop_links();
    system_.await_all_actors_done();
    links_->stop();
  }

  void serve(receiver::taker take) {
    node_links::owner owner;
    owner.self = replica();
    owner.software = "bench";
    owner.env = make_system_environment();
    owner.receiver = std::make_shared<receiver>(std::move(take));
    owner.changed = [this](raft::node_id, bool is_up) { up_.open(is_up); };
    transport = links_->serve(system_, std::move(owner));
  }

  [[nodiscard]] raft::replica_id replica() const {
    return {raft::node_id(id_), raft::incarnation(1)};
  }
  [[nodiscard]] const config::endpoint& address() const { return links_->address(); }

  std::shared_ptr<peer_transport> transport;

private:
  int id_;
  gate& up_;
  actor_settings config_;
  std::unique_ptr<node_links> links_;
  caf::actor_system system_;
};

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

raft::message append_of(const arguments& with, const raft::payload& body, std::uint64_t index) {
  raft::append_request request;
  request.term = raft::term_id(1);
  request.previous = {raft::term_id(1), raft::log_index(index)};
  for (std::size_t i = 0; i < with.batch; ++i)
    request.entries.push_back(
        {raft::log_index(index + 1 + i), raft::term_id(1), raft::entry_kind::records, body});
  return request;
}

group_id group(int number) {
  group_id id;
  id.topic.bytes[0] = 1;
  id.partition = number;
  return id;
}

int run(const arguments& with) {
  gate up;
  bench_node leader(1, up);
  bench_node follower(2, up);
  const auto memory = std::vector<std::byte>(with.bytes, std::byte{'x'});
  const auto shared = buffer::copy_of(memory);
  const raft::payload body{shared.owner(), shared.size()};
  std::atomic<std::uint64_t> answered{0};
  std::atomic<bool> stop{false};

  const auto send = [&](const group_id& to, std::uint64_t index) {
    std::vector<raft::outgoing> messages;
    messages.push_back({follower.replica(), append_of(with, body, index)});
    leader.transport->send(to, leader.replica(), std::move(messages));
  };
  leader.serve([&](std::vector<raft_delivery> messages) {
    for (const auto& each : messages) {
      const auto* answer = std::get_if<raft::append_response>(&each.body);
      if (answer == nullptr)
        continue;
      ++answered;
      if (!stop)
        send(each.group, answer->index.value);
    }
  });
  follower.serve([&](std::vector<raft_delivery> messages) {
    for (const auto& each : messages) {
      const auto* request = std::get_if<raft::append_request>(&each.body);
      if (request == nullptr)
        continue;
      std::vector<raft::outgoing> answer;
      answer.push_back(
          {each.from,
           raft::append_response{
               request->term, true, request->previous.index + request->entries.size(), {}}});
      follower.transport->send(each.group, each.to, std::move(answer));
    }
  });
  leader.transport->add_peer(raft::node_id(2), follower.address());
  follower.transport->add_peer(raft::node_id(1), leader.address());
  if (!up.wait_for(2)) {
    std::fputs("aqueduct-peer-bench: the link did not come up within 10 s\n", stderr);
    return 1;
  }
  const auto bulk_is_up = [&] {
    return leader.transport->status()[0].connections[1].phase == connection_phase::established;
  };
  while (!bulk_is_up())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));

  for (int i = 0; i < with.in_flight; ++i)
    send(group(i % with.groups), 0);
  const auto measure = [&](double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  };
  measure(0.5);
  const auto cpu = cpu_seconds();
  const auto from = steady::now();
  const auto before = answered.load();
  measure(with.seconds);
  const auto count = static_cast<double>(answered.load() - before);
  const auto seconds = std::chrono::duration<double>(steady::now() - from).count();
  const auto spent = cpu_seconds() - cpu;
  stop = true;
  const auto gib = count * static_cast<double>(with.bytes * with.batch) / double(1 << 30);
  std::printf("%zu x %zu B, %d groups, %d in flight: %.0f appends/s, %.0f MiB/s, %.2f us CPU per "
              "append, %.2f s CPU per GiB (both nodes)\n",
              with.batch, with.bytes, with.groups, with.in_flight, count / seconds,
              gib * 1024 / seconds, spent / count * 1e6, gib > 0 ? spent / gib : 0.0);
  const auto status = leader.transport->status()[0];
  // What is received uses both.
  leader.halt();
  follower.halt();
  if (status.dropped_full + status.dropped_unconnected > 0)
    std::printf("dropped: %llu\n",
                static_cast<unsigned long long>(status.dropped_full + status.dropped_unconnected));
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  arguments with;
  CLI::App app("What the link between two nodes costs, without log and disk.");
  app.add_option("--bytes", with.bytes, "Bytes of an entry")->check(CLI::Range(0, 8 << 20));
  app.add_option("--batch", with.batch, "Entries in an append")->check(CLI::Range(1, 1000));
  app.add_option("--groups", with.groups, "Groups")->check(CLI::Range(1, 100'000));
  app.add_option("--in-flight", with.in_flight, "Appends that are not answered yet")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--seconds", with.seconds, "How long to measure")->check(CLI::Range(0.1, 600.0));
  CLI11_PARSE(app, argc, argv);
  try {
    return run(with);
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "aqueduct-peer-bench: %s\n", failed.what());
    return 1;
  }
}
