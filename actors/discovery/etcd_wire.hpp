// What Aqueduct asks of etcd and hears from it, in the JSON of etcd's v3 gateway: gRPC messages as
// JSON over HTTP/1.1, 64-bit numbers as text, keys and values in base64
// (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/). Pure. Nothing that comes from outside is
// trusted: what cannot be read is an error, never an exception.
#pragma once

#include "actors/discovery/http_caller.hpp"
#include "config/endpoint.hpp"
#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aqueduct::actors {

// -- requests ------------------------------------------------------------------------------------

/// Asks for a lease.
struct etcd_grant {
  std::int64_t ttl_s = 0;
};
/// Begins the time of a lease anew.
struct etcd_keep_alive {
  std::int64_t lease = 0;
};
/// Reads every key that begins with `prefix`.
struct etcd_range {
  std::string prefix;
};
/// True when the key has this value, or else when it was last changed at this revision; 0: when it
/// does not exist.
struct etcd_compare {
  std::string key;
  std::optional<std::string> value;
  std::int64_t mod_revision = 0;

  friend bool operator==(const etcd_compare&, const etcd_compare&) = default;
};
struct etcd_put {
  std::string key;
  std::string value;
  /// The key goes with it; 0: the key stays.
  std::int64_t lease = 0;

  friend bool operator==(const etcd_put&, const etcd_put&) = default;
};
/// Writes if all comparisons hold, in one step.
struct etcd_txn {
  std::vector<etcd_compare> if_all;
  etcd_put then;
};
using etcd_request = std::variant<etcd_grant, etcd_keep_alive, etcd_range, etcd_txn>;

[[nodiscard]] http_request encode(const etcd_request& request);
/// Asks to be told of every change of keys that begin with `prefix`, from a revision on.
[[nodiscard]] http_request encode_watch(const std::string& prefix, std::int64_t from_revision);

// -- answers -------------------------------------------------------------------------------------

struct etcd_lease {
  std::int64_t id = 0;
  /// 0: there is no such lease any more.
  std::int64_t ttl_s = 0;
};
struct etcd_entry {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;
  std::int64_t lease = 0;

  friend bool operator==(const etcd_entry&, const etcd_entry&) = default;
};
struct etcd_entries {
  /// Of the whole store, when it was read.
  std::int64_t revision = 0;
  std::vector<etcd_entry> entries;
};
struct etcd_txn_done {
  /// Whether the comparisons held and it wrote.
  bool succeeded = false;
};
/// The lease of a put does not exist any more; nothing was written.
struct etcd_lease_lost {};
using etcd_reply = std::variant<etcd_lease, etcd_entries, etcd_txn_done, etcd_lease_lost>;

/// Reads the answer to `request`. Errors: broker_unavailable (what etcd refused, with its own
/// words), invalid_message (not what etcd says).
[[nodiscard]] result<etcd_reply> decode(const etcd_request& request, unsigned status,
                                        std::string_view body);

/// One line of the stream of a watch.
struct etcd_watch_news {
  /// Keys changed; else only a sign of life.
  bool has_changes = false;
  /// The watch is over: what it was to begin at is not kept any more, or the like.
  bool is_over = false;
};
/// Error invalid_message.
[[nodiscard]] result<etcd_watch_news> decode_watch(std::string_view line);

// -- what Aqueduct keeps there -------------------------------------------------------------------

/// The value of `<prefix>/nodes/<id>`.
struct registered_node {
  config::endpoint address;
  std::uint64_t incarnation = 0;
  /// Nil: it belongs to none yet.
  uuid cluster;

  friend bool operator==(const registered_node&, const registered_node&) = default;
};
/// The value of `<prefix>/founder`.
struct registered_founder {
  std::int32_t node = 0;
  std::uint64_t incarnation = 0;

  friend bool operator==(const registered_founder&, const registered_founder&) = default;
};

[[nodiscard]] std::string encode(const registered_node& node);
[[nodiscard]] std::string encode(const registered_founder& founder);
/// Nothing when the text is anything else.
[[nodiscard]] std::optional<registered_node> decode_node(std::string_view text);
[[nodiscard]] std::optional<registered_founder> decode_founder(std::string_view text);

/// RFC 4648, with padding.
[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Nothing when `text` is no base64.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace aqueduct::actors
