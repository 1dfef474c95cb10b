// Settings that are each within their range and do not go together.
#include "config/node_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace aqueduct::config {

namespace {

/// Collects problems between pairs of settings.
class conflict_check {
public:
  conflict_check(const node_config& config, const origins& given)
      : config_(config), given_(given) {}

  /// "KEY: VALUE must be RELATION OTHER (OTHER's value, its origin)" unless `holds`.
  void require(bool holds, std::string_view key, std::string_view relation,
               std::string_view other) {
    if (holds)
      return;
    const auto where = origin_of(other);
    found_.push_back(problem_text(origin_of(key), key,
                                  fmt::format("{} must be {} {} ({}, {})", shown(key), relation,
                                              other, shown(other), to_string(where))));
  }

  void refuse(bool wrong, std::string_view key, std::string_view sentence) {
    if (wrong)
      found_.push_back(
          problem_text(origin_of(key), key, fmt::format("'{}' {}", shown(key), sentence)));
  }

  [[nodiscard]] problems take() { return std::move(found_); }

private:
  [[nodiscard]] origin origin_of(std::string_view key) const {
    const auto where = given_.find(key);
    return where == given_.end() ? origin() : where->second;
  }

  [[nodiscard]] std::string shown(std::string_view key) const {
    const auto* row = node_model().find(key);
    AQUEDUCT_INVARIANT(row != nullptr, std::string(key));
    return print_value(row->type, row->read(config_));
  }

  const node_config& config_;
  const origins& given_;
  problems found_;
};

bool is_wildcard(const endpoint& address) {
  return address.host == "0.0.0.0" || address.host == "::";
}

bool collide(const endpoint& a, const endpoint& b) {
  return a.port != 0 && a.port == b.port && (a.host == b.host || is_wildcard(a) || is_wildcard(b));
}

void check_addresses(const node_config& config, conflict_check& check) {
  const std::pair<std::string_view, const endpoint*> services[] = {
      {"listen", &config.listen},
      {"cluster.listen", &config.cluster.listen},
      {"http.listen", &config.http.listen},
      {"admin.listen", &config.admin.listen}};
  for (const auto& later : services)
    for (const auto& earlier : services) {
      if (&earlier == &later)
        break;
      check.require(!collide(*earlier.second, *later.second), later.first, "another address than",
                    earlier.first);
    }
  check.refuse(!config.advertise && is_wildcard(config.listen), "listen",
               "is every address of the machine, which tells clients nothing; set advertise to the "
               "address that they reach");
  check.refuse(config.advertise && is_wildcard(*config.advertise), "advertise",
               "is not an address that a client can connect to");
  check.refuse(!config.cluster.advertise && is_wildcard(config.cluster.listen), "cluster.listen",
               "is every address of the machine, which tells other nodes nothing; set "
               "cluster.advertise to the address that they reach");
  check.refuse(config.cluster.advertise && is_wildcard(*config.cluster.advertise),
               "cluster.advertise", "is not an address that a node can connect to");
}

/// The listeners that have names, against `listen` and each other.
void check_listeners(const node_config& config, conflict_check& check) {
  const auto& [listen, advertise] = config.listeners;
  std::vector<named_endpoint> earlier{{"listen", config.listen},
                                      {"cluster.listen", config.cluster.listen},
                                      {"http.listen", config.http.listen},
                                      {"admin.listen", config.admin.listen}};
  for (const auto& each : listen) {
    for (const auto& other : earlier)
      check.refuse(
          collide(each.address, other.address), "listeners.listen",
          fmt::format("has the address of {} once more: {}", other.name, to_string(other.address)));
    earlier.push_back(each);
    // What is said in listeners.advertise is looked at below.
    check.refuse(&config.advertised(each) == &each.address && is_wildcard(each.address),
                 "listeners.listen",
                 fmt::format("has every address of the machine for {}, which tells clients "
                             "nothing; set its address in listeners.advertise",
                             each.name));
  }
  for (const auto& each : advertise) {
    check.refuse(std::ranges::find(listen, each.name, &named_endpoint::name) == listen.end(),
                 "listeners.advertise",
                 fmt::format("names {}, which is not in listeners.listen", each.name));
    check.refuse(is_wildcard(each.address), "listeners.advertise",
                 fmt::format("has an address for {} that a client cannot connect to", each.name));
  }
}

void check_sizes(const node_config& config, conflict_check& check) {
  const auto& [storage, topic, limits] = std::tie(config.storage, config.topic, config.limits);
  check.require(storage.preallocate_bytes <= storage.segment_bytes, "storage.preallocate-bytes",
                "at most", "storage.segment-bytes");
  check.require(storage.index_interval_bytes <= storage.segment_bytes,
                "storage.index-interval-bytes", "at most", "storage.segment-bytes");
  check.require(topic.message_bytes_max <= storage.segment_bytes, "topic.message-bytes-max",
                "at most", "storage.segment-bytes");
  check.require(topic.message_bytes_max < limits.frame_bytes_max, "topic.message-bytes-max",
                "less than", "limits.frame-bytes-max");
  check.require(topic.message_bytes_max <= limits.decompressed_bytes_max, "topic.message-bytes-max",
                "at most", "limits.decompressed-bytes-max");
  check.require(limits.frame_bytes_max <= limits.request_bytes_in_flight, "limits.frame-bytes-max",
                "at most", "limits.request-bytes-in-flight");
  check.require(limits.request_bytes_in_flight <= limits.request_bytes_total,
                "limits.request-bytes-in-flight", "at most", "limits.request-bytes-total");
  check.require(limits.subscriptions_per_connection <= limits.subscriptions,
                "limits.subscriptions-per-connection", "at most", "limits.subscriptions");
}

void check_discovery(const node_config& config, conflict_check& check) {
  const auto& [kind, seeds, prefix, ttl] = config.discovery;
  check.refuse(kind == discovery_kind::etcd && seeds.empty(), "discovery.kind",
               "needs discovery.seeds: the addresses of members of etcd");
  check.refuse(!prefix.starts_with('/') || prefix.ends_with('/'), "discovery.prefix",
               "must begin with a slash and not end with one");
  check.refuse(ttl % std::chrono::seconds(1) != std::chrono::milliseconds(0), "discovery.ttl",
               "is not a number of whole seconds");
  check.refuse(kind == discovery_kind::memory && !seeds.empty(), "discovery.kind",
               "takes no discovery.seeds: it finds the nodes of its own process");
}

} // namespace

problems conflicts(const node_config& config, const origins& given) {
  conflict_check check(config, given);
  check_addresses(config, check);
  check_listeners(config, check);
  check_sizes(config, check);
  check_discovery(config, check);
  const auto& cluster = config.cluster;
  check.require(cluster.heartbeat * 3 <= cluster.session_timeout, "cluster.heartbeat",
                "at most a third of", "cluster.session-timeout");
  const auto& groups = config.groups;
  check.require(groups.session_timeout_min <= groups.session_timeout_max,
                "groups.session-timeout-min", "at most", "groups.session-timeout-max");
  const auto& raft = config.raft;
  check.require(raft.tick <= raft.heartbeat, "raft.heartbeat", "at least", "raft.tick");
  check.require(raft.heartbeat * 3 <= raft.election_timeout, "raft.heartbeat", "at most a third of",
                "raft.election-timeout");
  return check.take();
}

} // namespace aqueduct::config
