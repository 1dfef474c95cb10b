// Every message of the native protocol. Add a field at the end of a struct, with the API version
// that introduces it; never change the meaning of a field that exists.
#pragma once

#include "protocol/buffer.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/data_messages.hpp"
#include "protocol/native/group_messages.hpp"
#include "protocol/native/topic_messages.hpp"

namespace aqueduct::protocol {

/// Payload of every response and push whose status is not 0.
struct error_response {
  std::string message;
  bool retriable = false;
  std::int32_t leader = -1;
  std::string leader_address;

  static constexpr message_info info{"ErrorResponse",
                                     "Payload of every response whose status is not 0."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"message", "What was wrong and what would be right."}, m.message);
    v(field{"retriable", "Whether the same request can succeed later or elsewhere."}, m.retriable);
    v(field{"leader", "Broker to try instead, or -1."}, m.leader);
    v(field{"leader_address", "Its host:port, or empty."}, m.leader_address);
  }
};

struct hello_request {
  std::uint16_t protocol_min = 1;
  std::uint16_t protocol_max = 1;
  std::string client_id;
  std::string software;
  std::string rack;

  static constexpr message_info info{"HelloRequest", "Who the client is and what it speaks."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"protocol_min", "Lowest protocol version that the client speaks."}, m.protocol_min);
    v(field{"protocol_max", "Highest protocol version that the client speaks."}, m.protocol_max);
    v(field{"client_id", "Name of the application, for logs and quotas."}, m.client_id);
    v(field{"software", "Name and version of the client library."}, m.software);
    v(field{"rack", "Rack of the client, or empty."}, m.rack);
  }
};

struct api_range {
  std::uint16_t key = 0;
  std::uint16_t version_min = 0;
  std::uint16_t version_max = 0;

  static constexpr message_info info{"ApiRange", "The versions of one request."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"key", "Number of the request."}, m.key);
    v(field{"version_min", "Lowest version."}, m.version_min);
    v(field{"version_max", "Highest version."}, m.version_max);
  }
};

struct hello_response {
  std::uint16_t protocol = 1;
  std::int32_t node = 0;
  uuid cluster;
  std::string software;
  std::uint32_t frame_bytes_max = 0;
  std::vector<api_range> apis;

  static constexpr message_info info{"HelloResponse", "Who the broker is and what it speaks."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"protocol", "The protocol version of this connection."}, m.protocol);
    v(field{"node", "Id of the broker."}, m.node);
    v(field{"cluster", "Id of the cluster."}, m.cluster);
    v(field{"software", "Name and version of the broker."}, m.software);
    v(field{"frame_bytes_max", "Largest frame length that the broker accepts."}, m.frame_bytes_max);
    v(field{"apis", "The requests that the broker knows."}, m.apis);
  }
};

struct api_versions_request {
  static constexpr message_info info{"ApiVersionsRequest", "Has no fields."};
  template <class M, class V>
  static void fields(M&, V&) {}
};

struct api_versions_response {
  std::vector<api_range> apis;

  static constexpr message_info info{"ApiVersionsResponse", "What the broker speaks."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"apis", "The requests that the broker knows."}, m.apis);
  }
};

struct controller_discover_request {
  static constexpr message_info info{"ControllerDiscoverRequest", "Has no fields."};
  template <class M, class V>
  static void fields(M&, V&) {}
};

struct controller_discover_response {
  std::int32_t node = -1;
  std::string address;

  static constexpr message_info info{"ControllerDiscoverResponse",
                                     "The broker that leads the cluster's metadata."};
  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"node", "Id of the broker, or -1 while there is none."}, m.node);
    v(field{"address", "Its host:port, or empty."}, m.address);
  }
};

} // namespace aqueduct::protocol
