// What etcd does with the requests of discovery, as a plain value: keys, revisions, leases that run
// out when the test says what time it is, and watches that are asked what they would have told.
#pragma once

#include "actors/discovery/etcd_wire.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace aqueduct::actors::test {

class model_etcd {
public:
  [[nodiscard]] etcd_reply execute(const etcd_request& request, std::int64_t now_ms) {
    advance(now_ms);
    return std::visit([&](const auto& what) { return carry_out(what); }, request);
  }

  /// Leases that are over by now take their keys with them.
  void advance(std::int64_t now_ms) {
    now_ms_ = now_ms;
    for (auto at = leases_.begin(); at != leases_.end();) {
      const auto lease = at->first;
      const bool is_over = at->second.ends_at_ms <= now_ms;
      at = is_over ? leases_.erase(at) : std::next(at);
      if (is_over && std::erase_if(keys_, [&](const auto& k) { return k.second.lease == lease; }))
        ++revision_;
    }
  }

  void put(const std::string& key, const std::string& value, std::int64_t lease = 0) {
    keys_[key] = {key, value, ++revision_, lease};
  }
  void end_lease(std::int64_t lease) {
    leases_.erase(lease);
    if (std::erase_if(keys_, [&](const auto& k) { return k.second.lease == lease; }) > 0)
      ++revision_;
  }
  /// Comes back without data. Revisions and leases begin anew.
  void wipe() { *this = model_etcd(); }

  [[nodiscard]] std::string value_of(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? "" : found->second.value;
  }
  [[nodiscard]] std::int64_t lease_of(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? 0 : found->second.lease;
  }
  [[nodiscard]] std::int64_t revision() const { return revision_; }

private:
  struct lease {
    std::int64_t ttl_s = 0;
    std::int64_t ends_at_ms = 0;
  };

  [[nodiscard]] etcd_reply carry_out(const etcd_grant& request) {
    leases_[++last_lease_] = {request.ttl_s, now_ms_ + request.ttl_s * 1000};
    return etcd_lease{last_lease_, request.ttl_s};
  }

  [[nodiscard]] etcd_reply carry_out(const etcd_keep_alive& request) {
    const auto found = leases_.find(request.lease);
    if (found == leases_.end())
      return etcd_lease{request.lease, 0};
    found->second.ends_at_ms = now_ms_ + found->second.ttl_s * 1000;
    return etcd_lease{request.lease, found->second.ttl_s};
  }

  [[nodiscard]] etcd_reply carry_out(const etcd_range& request) const {
    etcd_entries read{revision_, {}};
    for (const auto& [key, entry] : keys_)
      if (key.starts_with(request.prefix))
        read.entries.push_back(entry);
    return read;
  }

  [[nodiscard]] etcd_reply carry_out(const etcd_txn& request) {
    if (!std::ranges::all_of(request.if_all, [&](const auto& c) { return holds(c); }))
      return etcd_txn_done{false};
    if (request.then.lease != 0 && !leases_.contains(request.then.lease))
      return etcd_lease_lost{};
    put(request.then.key, request.then.value, request.then.lease);
    return etcd_txn_done{true};
  }

  [[nodiscard]] bool holds(const etcd_compare& compare) const {
    const auto found = keys_.find(compare.key);
    if (compare.value)
      return found != keys_.end() && found->second.value == *compare.value;
    return (found == keys_.end() ? 0 : found->second.mod_revision) == compare.mod_revision;
  }

  std::int64_t now_ms_ = 0;
  std::int64_t revision_ = 1;
  std::int64_t last_lease_ = 0;
  std::map<std::string, etcd_entry> keys_;
  std::map<std::int64_t, lease> leases_;
};

} // namespace aqueduct::actors::test
