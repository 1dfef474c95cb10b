#include "apps/bench/three_nodes.hpp"

#include "apps/bench/interrupt.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace aqueduct::bench {

namespace {

constexpr auto patience = std::chrono::seconds(60);

std::string local(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

/// A port below those that Linux gives to outgoing connections: nobody takes it while its node is
/// away.
result<std::uint16_t> free_port() {
  static std::uint16_t next = static_cast<std::uint16_t>(20'000 + ::getpid() % 10'000);
  for (int tries = 0; tries < 1000; ++tries) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(next);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free = socket >= 0 && ::bind(socket, reinterpret_cast<const sockaddr*>(&address),
                                               sizeof address) == 0;
    if (socket >= 0)
      ::close(socket);
    const auto found = next++;
    if (is_free)
      return found;
  }
  return unexpected(errc::internal, "no port is free");
}

} // namespace

std::vector<std::string> three_nodes::command(int node) const {
  const auto& self = members_.at(static_cast<std::size_t>(node - 1));
  std::string seeds;
  for (const auto& each : members_)
    seeds += (seeds.empty() ? "" : ",") + local(each.nodes);
  std::vector<std::string> words = {node_path_, "--data-dir",
                                    folder_ + "/node-" + std::to_string(node), "--listen",
                                    local(self.clients)};
  std::vector<std::string> settings = {"node.id=" + std::to_string(node),
                                       "cluster.listen=" + local(self.nodes),
                                       "admin.listen=" + local(self.operators),
                                       "http.listen=127.0.0.1:0",
                                       "discovery.kind=static",
                                       "discovery.seeds=" + seeds,
                                       "log.level=error"};
  settings.insert(settings.end(), settings_.begin(), settings_.end());
  for (auto& setting : settings) {
    words.emplace_back("--set");
    words.push_back(std::move(setting));
  }
  return words;
}

result<three_nodes> three_nodes::start(const bench_options& options,
                                       const std::vector<std::string>& settings) {
  three_nodes made;
  made.node_path_ = options.node_path;
  made.folder_ = options.folder + "/cluster-" + std::string(6, 'X');
  if (::mkdtemp(made.folder_.data()) == nullptr)
    return unexpected(errc::storage_failed, "cannot make a folder in " + options.folder);
  made.settings_ = options.settings;
  made.settings_.insert(made.settings_.end(), settings.begin(), settings.end());
  for (auto& each : made.members_)
    for (auto* port : {&each.clients, &each.nodes, &each.operators}) {
      const auto found = free_port();
      if (!found)
        return found.propagate();
      *port = *found;
    }
  for (int node = 1; node <= size; ++node) {
    auto launched = child_process::launch(made.command(node));
    if (!launched)
      return launched.propagate();
    made.at(node).process = std::move(*launched);
  }
  for (int node = 1; node <= size; ++node)
    if (auto ready = made.process(node).wait_ready(patience); !ready)
      return ready.propagate();
  return made;
}

std::vector<std::string> three_nodes::addresses() const {
  std::vector<std::string> found;
  for (const auto& each : members_)
    found.push_back(local(each.clients));
  return found;
}

result<client::cluster> three_nodes::connect() const {
  client::cluster_config config;
  config.brokers = addresses();
  return client::cluster::open(config);
}

result<void> three_nodes::restart(int node) {
  auto started = child_process::start(command(node), patience);
  if (!started)
    return started.propagate();
  at(node).process = std::move(*started);
  return {};
}

result<void> three_nodes::wait_healthy() {
  return operate(1, {"cluster", "health", "--wait", "60s"});
}

result<void> three_nodes::create_topic(const std::string& name, std::int32_t partitions) {
  auto cluster = connect();
  if (!cluster)
    return cluster.propagate();
  client::new_topic topic{name, partitions, std::int16_t{size}};
  if (auto made = client::admin(*cluster).create_topic(topic); !made)
    return made.propagate();
  return wait_healthy();
}

result<int> three_nodes::leader(const std::string& topic, std::int32_t partition) {
  auto cluster = connect();
  if (!cluster)
    return cluster.propagate();
  client::admin admin(*cluster);
  for (int tries = 0; tries < 100; ++tries) {
    const auto found = admin.describe_topic(topic);
    if (!found)
      return found.propagate();
    const auto& rows = found->partitions;
    const auto at = static_cast<std::size_t>(partition);
    if (at < rows.size() && rows[at].error == errc::none && rows[at].leader)
      return static_cast<int>(rows[at].leader->value);
    if (auto waited = wait_seconds(0.1); !waited)
      return waited.propagate();
  }
  return unexpected(errc::timed_out, "nobody leads " + topic);
}

result<void> three_nodes::operate(int node, std::vector<std::string> words) {
  const auto beside = std::filesystem::path(node_path_).parent_path() / "aq";
  std::vector<std::string> line = {
      beside.string(), "-b", local(at(node).clients), "--admin", local(at(node).operators), "-q"};
  line.insert(line.end(), words.begin(), words.end());
  auto running = child_process::launch(line);
  if (!running)
    return running.propagate();
  if (auto ended = running->wait(); !ended) {
    std::string all;
    for (const auto& word : words)
      all += " " + word;
    return unexpected(errc::internal, "aq" + all + ": " + ended.error().message);
  }
  return {};
}

} // namespace aqueduct::bench
