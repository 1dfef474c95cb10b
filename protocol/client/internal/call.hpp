// A request to a broker and what comes back: the vocabulary between broker_link and those who use
// it. No behaviour.
#pragma once

#include "protocol/client/internal/clock.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"

#include <functional>
#include <optional>
#include <string>

namespace aqueduct::client {

/// Why a request has no answer.
struct failure {
  error err;
  /// Whether the same request can succeed later or elsewhere.
  bool retriable = false;
  /// Whether the broker may have acted on the request all the same.
  bool uncertain = false;
  /// Broker to try instead, where the answer named one.
  std::optional<node_id> leader{};
  std::string leader_address{};

  [[nodiscard]] static failure of(errc code, std::string message) {
    return {{code, std::move(message)}, is_retriable(code)};
  }
};

/// The answer to a request, or why there is none.
template <class T>
struct answer {
  std::optional<T> value;
  failure fail;

  explicit operator bool() const { return value.has_value(); }
};

template <class T>
using answer_handler = std::function<void(answer<T>)>;

/// A push of a subscription, or why there will be none any more.
using push_handler = std::function<void(answer<protocol::delivery>)>;

/// How long an answer that needs nothing but the broker may take before it is asked for elsewhere
/// who leads.
inline constexpr milliseconds answer_patience{1'000};

struct call_options {
  time_point deadline = never;
  /// No answer in time makes the whole connection suspect: it is closed.
  bool close_on_timeout = true;
  /// Refuse it at once while the broker cannot be reached, instead of waiting for the next attempt:
  /// somebody else may be the one to ask by now.
  bool if_reachable = false;
  /// When an answer is so late that somebody should ask whether the broker is still the right one.
  time_point stalled_at = never;
  /// The request has no response; the handler is called when it is with the kernel.
  bool one_way = false;
  /// Receives the pushes that carry the request's correlation id.
  push_handler on_push{};
};

/// The request number and the response of a message.
template <class Request>
struct api_of;

#define AQUEDUCT_API_OF(name)                                                                      \
  template <>                                                                                      \
  struct api_of<protocol::name##_request> {                                                        \
    static constexpr auto key = protocol::api_key::name;                                           \
    using response = protocol::name##_response;                                                    \
  }

AQUEDUCT_API_OF(hello);
AQUEDUCT_API_OF(api_versions);
AQUEDUCT_API_OF(produce);
AQUEDUCT_API_OF(fetch);
AQUEDUCT_API_OF(list_offsets);
AQUEDUCT_API_OF(list_topics);
AQUEDUCT_API_OF(create_topic);
AQUEDUCT_API_OF(delete_topic);
AQUEDUCT_API_OF(alter_topic);
AQUEDUCT_API_OF(get_topic_info);
AQUEDUCT_API_OF(delete_records);
AQUEDUCT_API_OF(init_producer_id);
AQUEDUCT_API_OF(subscribe);
AQUEDUCT_API_OF(unsubscribe);
AQUEDUCT_API_OF(controller_discover);
AQUEDUCT_API_OF(metadata);
AQUEDUCT_API_OF(find_coordinator);
AQUEDUCT_API_OF(join_group);
AQUEDUCT_API_OF(leave_group);
AQUEDUCT_API_OF(heartbeat);
AQUEDUCT_API_OF(fetch_assignment);
AQUEDUCT_API_OF(commit_offset);
AQUEDUCT_API_OF(fetch_offset);
AQUEDUCT_API_OF(delete_offsets);
AQUEDUCT_API_OF(list_groups);
AQUEDUCT_API_OF(describe_group);
AQUEDUCT_API_OF(delete_group);

#undef AQUEDUCT_API_OF

/// CREDIT has no response.
template <>
struct api_of<protocol::credit_request> {
  static constexpr auto key = protocol::api_key::credit;
  using response = protocol::unsubscribe_response;
};

/// The oldest version of a request that can carry what `message` says.
template <class Request>
[[nodiscard]] std::uint16_t version_needed(const Request&) {
  return 1;
}
[[nodiscard]] inline std::uint16_t version_needed(const protocol::fetch_request& message) {
  return message.freshness == protocol::fetch_freshness::leader ? 1 : 2;
}
[[nodiscard]] inline std::uint16_t version_needed(const protocol::alter_topic_request& message) {
  return message.partitions == -1 ? 1 : 2;
}

template <class Request>
using response_of = typename api_of<Request>::response;

} // namespace aqueduct::client
