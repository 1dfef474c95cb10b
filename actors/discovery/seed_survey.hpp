// How a node without data finds its cluster, or founds it: pure, from what the nodes at the seed
// addresses say of themselves.
//
// - One of them belongs to a cluster: that is the one to join.
// - All of them answered within one survey, none belongs to a cluster, this node is among them and
//   has the lowest id: it founds the cluster. Only one node can come to that conclusion from one
//   list, and a node that lost its disk cannot found a second cluster while another node that knows
//   the first one answers or is missing.
// - Otherwise: wait.
//
// A list without this node can only be joined from. Without seeds a node founds at once.
#pragma once

#include "config/endpoint.hpp"
#include "protocol/cluster/messages.hpp"
#include "protocol/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::actors {

/// What a node without data is to do.
struct survey_outcome {
  /// Nil: found a cluster.
  uuid cluster;
  /// How many nodes, this one among them, the cluster that it founds is meant to begin with.
  std::size_t nodes = 1;

  friend bool operator==(const survey_outcome&, const survey_outcome&) = default;
};

class seed_survey {
public:
  /// `session` tells this process from others with the same node id.
  seed_survey(std::vector<config::endpoint> seeds, std::int32_t node, std::uint64_t session);

  [[nodiscard]] const std::vector<config::endpoint>& seeds() const { return seeds_; }

  /// Forgets what was said: every seed is to be asked again.
  void begin();
  /// What the node at a seed said of itself.
  void answered(std::size_t seed, const protocol::cluster::hello_answer& answer);
  void failed(std::size_t seed, const error& why);

  /// Nothing while answers are missing, or as long as waiting may help. conflict: the seeds
  /// contradict each other or the settings of this node, which a person has to mend.
  [[nodiscard]] std::optional<result<survey_outcome>> outcome() const;
  /// Every seed answered or failed.
  [[nodiscard]] bool is_complete() const;
  /// What is being waited for, as a sentence.
  [[nodiscard]] std::string state() const;

private:
  struct voice {
    bool asked = false;
    std::optional<protocol::cluster::hello_answer> answer;
    error why{errc::none, ""};
  };

  [[nodiscard]] bool is_self(const protocol::cluster::hello_answer& answer) const {
    return answer.node == node_ && answer.session == session_;
  }

  std::vector<config::endpoint> seeds_;
  std::int32_t node_;
  std::uint64_t session_;
  /// By seed.
  std::vector<voice> voices_;
};

} // namespace aqueduct::actors
