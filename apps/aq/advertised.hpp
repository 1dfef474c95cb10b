// Do the addresses that a cluster tells its clients lead to its brokers? A client that was told a
// wrong one connects to the broker it knows, is told the rest, and hangs or talks to a stranger.
#pragma once

#include "apps/aq/broker_introduction.hpp"
#include "apps/aq/doctor.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::aq {

/// What the addresses of a name have in common.
enum class address_scope : std::uint8_t {
  /// The name has none.
  nowhere,
  /// Not an address to connect to: 0.0.0.0 or ::.
  unspecified,
  /// Of the machine that connects, whichever it is: 127.0.0.0/8, ::1.
  loopback,
  /// One at least is of the network.
  network,
};

/// The broker that was asked for the others, at the address that was given.
struct bootstrap_broker {
  config::endpoint address;
  address_scope scope = address_scope::network;
  std::int32_t node = 0;
  uuid cluster;
  /// Name of the listener that was asked; empty: that of `listen`, or not known.
  std::string listener{};
};

/// What came of trying one address that a cluster tells its clients.
struct advertised_probe {
  advertised_broker broker;
  address_scope scope = address_scope::network;
  /// Who answered, or why nobody did.
  result<broker_introduction> answer = broker_introduction{};
};

[[nodiscard]] finding judge_advertised_broker(const bootstrap_broker& asked,
                                              const advertised_probe& probe);

/// Nobody answered at any of `addresses`. That is critical if they were named, since then somebody
/// ought to; else a node may simply not have been started.
[[nodiscard]] finding judge_no_bootstrap(const std::string& addresses, const std::string& problem,
                                         bool is_named);

[[nodiscard]] address_scope scope_of(const config::endpoint& address);

struct bootstrap_options {
  /// Asked in this order until one answers.
  std::vector<config::endpoint> brokers;
  /// Whether somebody named them, or they follow from the configuration.
  bool is_named = false;
  std::chrono::milliseconds patience{2000};
  /// Name of the listener that these are addresses of, if it has one.
  std::string listener{};
};

/// One row for each broker of the cluster, by node. The brokers are tried at the same time, so that
/// it takes as long as the slowest.
[[nodiscard]] std::vector<finding> examine_advertised(const bootstrap_options& options);

} // namespace aqueduct::aq
