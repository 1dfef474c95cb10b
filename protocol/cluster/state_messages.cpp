#include "protocol/cluster/state_messages.hpp"

#include "protocol/native/codec_impl.hpp"

namespace aqueduct::protocol::cluster {

namespace {

bool in_range(const entry_id& id) {
  return id.term <= number_max && id.index <= number_max;
}

} // namespace

result<void> check(const state_question& question) {
  if (question.partition < 0 || question.from.node < 0 || question.to.node < 0)
    return unexpected(errc::invalid_request, "a negative node or partition asks for a state");
  return {};
}

result<void> check(const state_answer& answer) {
  const bool sane = in_range(answer.base) && in_range(answer.applied) && answer.base.index > 0 &&
                    answer.base.term > 0 && answer.base.index <= answer.applied.index &&
                    answer.base.term <= answer.applied.term && answer.next_offset >= -1 &&
                    answer.is_last == (answer.next == 0);
  if (!sane)
    return unexpected(errc::invalid_request,
                      "a term, an index or a position of a state is out of range");
  return {};
}

} // namespace aqueduct::protocol::cluster

namespace aqueduct::protocol {

AQUEDUCT_INSTANTIATE_CODEC(cluster::state_question)
AQUEDUCT_INSTANTIATE_CODEC(cluster::state_answer)

} // namespace aqueduct::protocol
