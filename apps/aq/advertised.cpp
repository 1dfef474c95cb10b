#include "apps/aq/advertised.hpp"

#include "apps/aq/address_list.hpp"

#include <fmt/format.h>

#include <netinet/in.h>

#include <algorithm>
#include <future>

namespace aqueduct::aq {

namespace {

address_scope scope_of_ipv4(const in_addr& address) {
  const auto number = ntohl(address.s_addr);
  if (number == INADDR_ANY)
    return address_scope::unspecified;
  return number >> 24 == IN_LOOPBACKNET ? address_scope::loopback : address_scope::network;
}

address_scope scope_of_ipv6(const in6_addr& address) {
  if (IN6_IS_ADDR_UNSPECIFIED(&address))
    return address_scope::unspecified;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr inner{};
    std::copy_n(address.s6_addr + 12, 4, reinterpret_cast<std::uint8_t*>(&inner.s_addr));
    return scope_of_ipv4(inner);
  }
  return IN6_IS_ADDR_LOOPBACK(&address) ? address_scope::loopback : address_scope::network;
}

} // namespace

address_scope scope_of(const config::endpoint& address) {
  const address_list addresses(address, false);
  auto widest = address_scope::nowhere;
  for (const auto* each = addresses.first; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET)
      widest = std::max(
          widest, scope_of_ipv4(reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr));
    else if (each->ai_family == AF_INET6)
      widest = std::max(
          widest, scope_of_ipv6(reinterpret_cast<const sockaddr_in6*>(each->ai_addr)->sin6_addr));
  }
  return widest;
}

namespace {

/// What is wrong with an address, in words that follow "ADDRESS: "; empty if nothing is.
std::string problem_of(const bootstrap_broker& asked, const advertised_probe& probe) {
  if (probe.scope == address_scope::unspecified)
    return "not an address that can be connected to";
  if (probe.scope == address_scope::loopback && asked.scope != address_scope::loopback)
    return "leads each client to its own machine";
  if (!probe.answer)
    return probe.answer.error().message;
  if (probe.answer->cluster != asked.cluster)
    return fmt::format("broker {} of another cluster answers ({})", probe.answer->node,
                       to_string(probe.answer->cluster));
  if (probe.answer->node != probe.broker.node)
    return fmt::format("broker {} answers", probe.answer->node);
  return {};
}

/// What to do, which begins with what to make sure of first.
std::string fix_of(const bootstrap_broker& asked, const advertised_probe& probe) {
  const auto node = probe.broker.node;
  const auto setting = advertise_setting(asked.listener);
  if (node == asked.node && asked.scope == address_scope::loopback)
    return fmt::format("set {} of broker {} to an address that all its clients reach; on this "
                       "machine {} does",
                       setting, node, to_string(asked.address));
  if (node == asked.node)
    return fmt::format("set {} of broker {} to {}, at which it answers", setting, node,
                       to_string(asked.address));
  const bool may_be_down = probe.scope == address_scope::network && !probe.answer;
  return fmt::format("{}set {} of broker {} to the host and port at which clients reach it",
                     may_be_down ? "start it if it is down, else " : "", setting, node);
}

advertised_probe probe(const advertised_broker& broker, const bootstrap_broker& asked,
                       std::chrono::milliseconds patience) {
  advertised_probe made{broker, scope_of(broker.address)};
  const bool is_tried =
      made.scope != address_scope::unspecified &&
      (made.scope != address_scope::loopback || asked.scope == address_scope::loopback);
  if (is_tried)
    made.answer = ask_broker(broker.address, patience, false);
  return made;
}

} // namespace

finding judge_advertised_broker(const bootstrap_broker& asked, const advertised_probe& probe) {
  finding found{fmt::format("broker {} address{}", probe.broker.node,
                            asked.listener.empty() ? "" : " of " + asked.listener),
                fmt::format("broker {} answers", probe.broker.node),
                to_string(probe.broker.address),
                severity::ok,
                {}};
  const auto problem = problem_of(asked, probe);
  if (problem.empty())
    return found;
  found.current += ": " + problem;
  found.how = severity::critical;
  found.fix = fix_of(asked, probe);
  return found;
}

finding judge_no_bootstrap(const std::string& addresses, const std::string& problem,
                           bool is_named) {
  finding found{"broker addresses", "each broker answers",
                addresses.empty() ? "no broker to ask" : fmt::format("{}: {}", addresses, problem),
                is_named ? severity::critical : severity::info,
                "to check what clients are told, start the node, or name a broker with --broker"};
  if (is_named)
    found.fix = "name a broker that runs, at an address that reaches it from here";
  return found;
}

std::vector<finding> examine_advertised(const bootstrap_options& options) {
  std::string tried;
  std::string problem;
  for (const auto& address : options.brokers) {
    const auto told = ask_broker(address, options.patience, true);
    if (!told) {
      tried = to_string(address);
      problem = told.error().message;
      continue;
    }
    const bootstrap_broker asked{address, scope_of(address), told->node, told->cluster,
                                 options.listener};
    auto brokers = told->brokers;
    std::ranges::sort(brokers, {}, &advertised_broker::node);
    std::vector<std::future<advertised_probe>> probes;
    for (const auto& each : brokers)
      probes.push_back(std::async(std::launch::async,
                                  [&, each] { return probe(each, asked, options.patience); }));
    std::vector<finding> findings;
    for (auto& each : probes)
      findings.push_back(judge_advertised_broker(asked, each.get()));
    return findings;
  }
  return {judge_no_bootstrap(tried, problem, options.is_named)};
}

} // namespace aqueduct::aq
