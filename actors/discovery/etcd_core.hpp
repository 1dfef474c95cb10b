// How a node finds its cluster through etcd: pure, from answers of etcd and the time.
//
//   <prefix>/nodes/<id>   where the node is, its incarnation and its cluster; bound to a lease
//   <prefix>/founder      who may found the cluster; stays
//   <prefix>/cluster      the id of the cluster; stays
//
// Everything is derived from the newest picture of these keys: what differs from what should be
// there is mended by one transaction, and then they are read again.
//
//   reading --> registering --> (a node of a cluster) writing its cluster's id if none is there
//                          \--> (a node without) joining what <prefix>/cluster says, or claiming
//                               <prefix>/founder if neither exists, or waiting for who claimed it
//
// Only one node can make <prefix>/founder, and none does when <prefix>/cluster exists; a node
// founds only while the key is its own. An id is registered by one life of a node at a time, and
// the key of a founder passes only to the life that is registered under its id.
//
// A watch tells of changes at once. It is only an alarm: whatever it misses is found by reading now
// and then. One request is under way at a time; after a failure the next member of etcd is asked,
// and once all failed, a while passes that grows.
#pragma once

#include "actors/discovery/etcd_wire.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors {

class etcd_core {
public:
  struct options {
    /// Without a slash at its end.
    std::string prefix;
    std::int64_t ttl_ms = 10'000;
    /// At least one; the names are for sentences.
    std::vector<std::string> members;
    std::int32_t node = 0;
    std::uint64_t incarnation = 0;
    /// Where other nodes reach this one.
    config::endpoint address;
    /// Nil: it belongs to none yet.
    uuid cluster;
    /// The node has to be told which cluster to join, or to found one.
    bool decides = false;
    /// For the length of pauses.
    std::uint64_t seed = 0;
  };

  enum class severity { info, warning, failure };
  struct note {
    severity how = severity::info;
    std::string text;
  };

  /// What is to be done, in this order.
  struct effects {
    struct request {
      std::uint64_t number = 0;
      /// Index in `options::members`.
      std::size_t member = 0;
      etcd_request what;
      std::int64_t timeout_ms = 0;
    };
    struct watch {
      std::uint64_t number = 0;
      std::size_t member = 0;
      std::int64_t from_revision = 0;
      std::int64_t timeout_ms = 0;
    };
    struct acquaintance {
      std::int32_t node = 0;
      config::endpoint address;
    };

    std::vector<note> notes;
    /// Nodes that belong together with this one, and where they are.
    std::vector<acquaintance> meet;
    /// The watch that is open is to be closed.
    bool closes_watch = false;
    std::optional<watch> opens_watch;
    std::optional<request> asks;
    /// Once: the cluster to join; nil: found one.
    std::optional<uuid> decided;
  };

  explicit etcd_core(options given);

  // Times are milliseconds of one clock that never goes back.
  /// To be called at `wake_at`, or earlier.
  [[nodiscard]] effects tick(std::int64_t now_ms);
  /// The answer to a request; every request has one, at the latest when its time is over.
  [[nodiscard]] effects answered(std::uint64_t number, const result<etcd_reply>& reply,
                                 std::int64_t now_ms);
  [[nodiscard]] effects watch_said(std::uint64_t number, const result<etcd_watch_news>& news,
                                   std::int64_t now_ms);
  /// The watch ended, or could not be opened.
  [[nodiscard]] effects watch_closed(std::uint64_t number, std::int64_t now_ms);
  /// The node belongs to this cluster from here on.
  [[nodiscard]] effects joined(const uuid& cluster, std::int64_t now_ms);

  [[nodiscard]] std::int64_t wake_at() const { return wake_at_ms_; }
  /// What a node waits for that has not been told what to do, as a sentence.
  [[nodiscard]] std::string state() const;

private:
  /// The keys as they were read last.
  struct picture {
    std::int64_t revision = 0;
    std::vector<etcd_entry> entries;
    std::map<std::int32_t, registered_node> nodes;
    /// Of this node, readable or not.
    std::optional<etcd_entry> own;
    std::optional<std::string> founder_text;
    std::optional<registered_founder> founder;
    std::optional<std::string> cluster_text;
    /// Nil: none, or unreadable.
    uuid cluster;
  };

  [[nodiscard]] std::string key_of(std::string_view name) const {
    return opts_.prefix + "/" + std::string(name);
  }
  [[nodiscard]] std::string own_key() const;
  [[nodiscard]] std::string own_value() const;
  [[nodiscard]] std::string own_claim() const;
  [[nodiscard]] picture read(const etcd_entries& found) const;

  [[nodiscard]] effects advance();
  void act();
  void decide();
  void ask(etcd_request what);
  void write(std::vector<etcd_compare> if_all, etcd_put then);
  void open_watch();
  void failed(const error& why);
  void replied(const etcd_reply& reply);
  void see(const etcd_entries& found);
  void meet_nodes();
  void expect_news();
  [[nodiscard]] std::optional<note> problem() const;
  void tell_problem();
  [[nodiscard]] std::string members() const;
  [[nodiscard]] std::int64_t next_reading_ms() const;
  [[nodiscard]] std::int64_t timeout_ms() const;
  [[nodiscard]] std::int64_t jittered(std::int64_t ms);

  options opts_;
  effects out_;
  std::int64_t now_ms_ = 0;
  std::int64_t wake_at_ms_ = 0;

  // -- asking etcd --
  std::size_t member_ = 0;
  std::uint64_t last_number_ = 0;
  /// The request that is under way; 0: none.
  std::uint64_t asking_ = 0;
  /// When what is under way was asked: a lease lives from there.
  std::int64_t asked_at_ms_ = 0;
  /// In a row.
  std::size_t failures_ = 0;
  std::vector<std::string> reasons_;
  std::int64_t not_before_ms_ = 0;
  bool told_outage_ = false;
  /// Transactions since there was last nothing to do.
  int writes_ = 0;

  // -- what was read --
  std::optional<picture> seen_;
  /// The keys may be others by now.
  bool is_stale_ = true;
  /// Somebody said so: this node wrote, or the watch told.
  bool was_told_ = true;
  std::int64_t read_at_ms_ = 0;
  std::map<std::int32_t, config::endpoint> met_;
  std::string told_problem_;

  // -- the lease; 0: none --
  std::int64_t lease_ = 0;
  std::int64_t renew_at_ms_ = 0;

  // -- the watch; 0: none --
  std::uint64_t watch_ = 0;
  std::int64_t watch_at_ms_ = 0;
};

} // namespace aqueduct::actors
