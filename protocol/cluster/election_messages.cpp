#include "protocol/cluster/election_messages.hpp"

#include "protocol/native/codec_impl.hpp"

#include <algorithm>

namespace aqueduct::protocol::cluster {

result<void> check(const election_question& question) {
  const bool sane = question.wishes.size() <= election_question::wishes_max &&
                    question.wait_ms >= 0 && question.wait_ms <= election_question::wait_ms_max &&
                    std::ranges::all_of(question.wishes, [](const election_wish& wish) {
                      return wish.partition >= 0 && wish.to >= 0;
                    });
  if (!sane)
    return unexpected(errc::invalid_request,
                      "a node, a partition, a time or the number of elections is out of range");
  return {};
}

result<void> check(const election_answer& answer) {
  const bool sane = std::ranges::all_of(answer.outcomes, [](const election_outcome& outcome) {
    return outcome.verdict <= election_verdict::timed_out && outcome.leader >= -1;
  });
  if (!sane)
    return unexpected(errc::invalid_request, "the outcome of an election is none that is known");
  return {};
}

} // namespace aqueduct::protocol::cluster

namespace aqueduct::protocol {

AQUEDUCT_INSTANTIATE_CODEC(cluster::election_question)
AQUEDUCT_INSTANTIATE_CODEC(cluster::election_answer)

} // namespace aqueduct::protocol
