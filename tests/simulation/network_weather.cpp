#include "tests/simulation/network_weather.hpp"

#include <numeric>

namespace aqueduct::actors::test {

namespace {

using nodes_in_order = std::vector<std::int32_t>;

/// The nodes in a drawn order.
nodes_in_order arrange(std::int32_t nodes, virtual_environment& chance) {
  nodes_in_order order(static_cast<std::size_t>(nodes));
  std::iota(order.begin(), order.end(), 1);
  for (auto left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[chance.random() % left]);
  return order;
}

/// What those up to `middle` say to those behind it from `behind` on; with `both_ways` also the
/// other way round.
std::vector<network_link> between(const nodes_in_order& order, std::size_t middle,
                                  std::size_t behind, bool both_ways) {
  std::vector<network_link> cuts;
  for (std::size_t a = 0; a < middle; ++a)
    for (std::size_t b = behind; b < order.size(); ++b) {
      cuts.emplace_back(order[a], order[b]);
      if (both_ways)
        cuts.emplace_back(order[b], order[a]);
    }
  return cuts;
}

/// All links but those that `is_kept` has, by the places of their ends.
template <class Kept>
std::vector<network_link> all_but(const nodes_in_order& order, Kept is_kept) {
  std::vector<network_link> cuts;
  for (std::size_t a = 0; a < order.size(); ++a)
    for (std::size_t b = 0; b < order.size(); ++b)
      if (a != b && !is_kept(a, b))
        cuts.emplace_back(order[a], order[b]);
  return cuts;
}

} // namespace

std::vector<network_link> cuts_of(network_trouble shape, std::int32_t nodes,
                                  virtual_environment& chance) {
  const auto order = arrange(nodes, chance);
  const auto count = order.size();
  switch (shape) {
  case network_trouble::star:
    return all_but(order, [](std::size_t a, std::size_t b) { return a == 0 || b == 0; });
  case network_trouble::halves:
  case network_trouble::one_way_halves:
    if (count < 2)
      return {};
    {
      const auto middle = 1 + chance.random() % (count - 1);
      return between(order, middle, middle, shape == network_trouble::halves);
    }
  case network_trouble::ring:
    return all_but(order, [count](std::size_t a, std::size_t b) {
      return (a + 1) % count == b || (b + 1) % count == a;
    });
  case network_trouble::joined_halves:
    if (count < 3)
      return {};
    {
      // The one that sees both stands between them.
      const auto middle = 1 + chance.random() % (count - 2);
      return between(order, middle, middle + 1, true);
    }
  case network_trouble::none:
  case network_trouble::clog:
    break;
  }
  return {};
}

std::optional<network_trouble> network_weather::step(changeable_network& network) {
  clear_up(network);
  if (any(pace_.odds) != 0)
    return std::nullopt;
  const auto first = static_cast<std::uint64_t>(network_trouble::halves);
  const auto last = static_cast<std::uint64_t>(network_trouble::clog);
  const auto what = static_cast<network_trouble>(first + any(last - first + 1));
  if (what == network_trouble::clog) {
    if (nodes_ < 2)
      return std::nullopt;
    clog_some(network);
    return what;
  }
  const auto cuts = cuts_of(what, nodes_, chance_);
  if (cuts.empty())
    return std::nullopt;
  network.form(what, cuts);
  steps_left_ = pace_.steps_min + any(pace_.steps_max - pace_.steps_min + 1);
  return what;
}

void network_weather::clear_up(changeable_network& network) {
  // Links are clogged and let go one by one, so that what they hold comes in another order.
  std::erase_if(clogged_, [&](clogged_link& each) {
    if (--each.steps_left > 0)
      return false;
    network.unclog(each.link);
    return true;
  });
  if (steps_left_ > 0 && --steps_left_ == 0)
    network.heal_network();
}

void network_weather::clog_some(changeable_network& network) {
  const auto nodes = static_cast<std::uint64_t>(nodes_);
  for (auto left = 1 + any(nodes); left > 0; --left) {
    const auto from = 1 + static_cast<std::int32_t>(any(nodes));
    const auto to = 1 + static_cast<std::int32_t>(any(nodes));
    if (from == to)
      continue;
    network.clog({from, to});
    clogged_.push_back({{from, to}, 1 + any(pace_.clogged_steps_max)});
  }
}

} // namespace aqueduct::actors::test
