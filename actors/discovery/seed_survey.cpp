#include "actors/discovery/seed_survey.hpp"

#include <algorithm>
#include <set>

namespace aqueduct::actors {

seed_survey::seed_survey(std::vector<config::endpoint> seeds, std::int32_t node,
                         std::uint64_t session)
    : seeds_(std::move(seeds)), node_(node), session_(session), voices_(seeds_.size()) {}

void seed_survey::begin() {
  voices_.assign(seeds_.size(), {});
}

void seed_survey::answered(std::size_t seed, const protocol::cluster::hello_answer& answer) {
  voices_[seed].asked = true;
  voices_[seed].answer = answer;
}

void seed_survey::failed(std::size_t seed, const error& why) {
  voices_[seed].asked = true;
  voices_[seed].why = why;
}

bool seed_survey::is_complete() const {
  return std::ranges::all_of(voices_, [](const voice& v) { return v.asked; });
}

std::optional<result<survey_outcome>> seed_survey::outcome() const {
  if (seeds_.empty())
    return survey_outcome{};
  std::set<uuid> clusters;
  std::set<std::int32_t> nodes;
  bool all_answered = true;
  bool is_listed = false;
  for (std::size_t i = 0; i < voices_.size(); ++i) {
    const auto& answer = voices_[i].answer;
    if (!answer) {
      all_answered = false;
      continue;
    }
    is_listed = is_listed || is_self(*answer);
    if (answer->node == node_ && answer->session != session_)
      return unexpected(errc::conflict, "the node at " + to_string(seeds_[i]) + " has the id " +
                                            std::to_string(node_) +
                                            " too; node.id must be unique in the cluster");
    nodes.insert(answer->node);
    if (!answer->cluster.is_nil())
      clusters.insert(answer->cluster);
  }
  if (clusters.size() > 1)
    return unexpected(errc::conflict, "the nodes of discovery.seeds belong to different clusters, "
                                      "among them " +
                                          to_string(*clusters.begin()) + " and " +
                                          to_string(*clusters.rbegin()));
  if (!clusters.empty())
    return survey_outcome{*clusters.begin()};
  if (all_answered && is_listed && *nodes.begin() == node_)
    return survey_outcome{{}, nodes.size()};
  return std::nullopt;
}

std::string seed_survey::state() const {
  std::string missing;
  bool is_listed = false;
  std::int32_t lowest = node_;
  for (std::size_t i = 0; i < voices_.size(); ++i) {
    const auto& [asked, answer, why] = voices_[i];
    if (answer) {
      is_listed = is_listed || is_self(*answer);
      lowest = std::min(lowest, answer->node);
    } else {
      missing += (missing.empty() ? "" : "; ") + to_string(seeds_[i]);
      if (!why.message.empty())
        missing += " (" + why.message + ")";
    }
  }
  if (!missing.empty())
    return "waiting for the nodes at " + missing;
  if (!is_listed)
    return "none of discovery.seeds belongs to a cluster, and this node is not among them, so that "
           "it only joins: waiting for one of them to found a cluster";
  return "waiting for node " + std::to_string(lowest) + " to found the cluster";
}

} // namespace aqueduct::actors
