// Who answers at one address, asked over a connection to that address and no other. The client
// library follows the addresses that brokers advertise; this does not, so that it can judge them.
#pragma once

#include "config/endpoint.hpp"
#include "protocol/ids.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace aqueduct::aq {

/// A broker and where clients are told to connect to it.
struct advertised_broker {
  std::int32_t node = 0;
  config::endpoint address;

  friend bool operator==(const advertised_broker&, const advertised_broker&) = default;
};

struct broker_introduction {
  std::int32_t node = 0;
  uuid cluster;
  /// All brokers of its cluster, if they were asked for.
  std::vector<advertised_broker> brokers;
};

/// Says hello and, if `with_brokers`, asks for the cluster's brokers. `patience` is for each
/// address that the name has, and once for the answers. Errors, in words that follow "ADDRESS: ":
/// broker_unavailable if no connection can be made; timed_out, connection_lost and invalid_request
/// if what listens does not answer as a broker; what the broker refused with.
[[nodiscard]] result<broker_introduction>
ask_broker(const config::endpoint& at, std::chrono::milliseconds patience, bool with_brokers);

} // namespace aqueduct::aq
