#include "actors/replica/state_fetch.hpp"

#include "protocol/cluster/state_messages.hpp"
#include "protocol/native/codec.hpp"

#include <utility>

namespace aqueduct::actors {

namespace {

namespace wire = protocol::cluster;

wire::replica to_wire(const raft::replica_id& id) {
  return {id.node.value, id.incarnation.value};
}

storage::state_mark mark_of(const wire::state_answer& answer) {
  storage::state_mark mark;
  mark.base.index = answer.base.index;
  mark.base.term = answer.base.term;
  mark.base.next_offset = offset_t(answer.next_offset);
  mark.base.data = buffer::copy_of(answer.membership.bytes());
  mark.applied_index = answer.applied.index;
  mark.applied_term = answer.applied.term;
  return mark;
}

unexpected useless(const std::string& why) {
  return unexpected(errc::invalid_request, "the state that came is of no use: " + why);
}

} // namespace

buffer state_fetch::question() const {
  wire::state_question question;
  question.topic = group_.topic;
  question.partition = group_.partition;
  question.from = to_wire(self_);
  question.to = to_wire(what_.from);
  question.snapshot = snapshot_;
  question.position = position_;
  return protocol::encode(question);
}

result<bool> state_fetch::take(const buffer& bytes, raft::term_id term) {
  auto answer = protocol::decode<wire::state_answer>(bytes);
  if (!answer)
    return answer.propagate();
  if (const auto sane = wire::check(*answer); !sane)
    return sane.propagate();
  auto mark = mark_of(*answer);
  const auto membership = raft::decode_membership(mark.base.data.bytes());
  if (!membership || !membership->valid())
    return useless("its membership is malformed");
  if (mark.base.index < what_.meta.last.index.value)
    return useless("its log begins after entry " + std::to_string(mark.base.index) +
                   ", before what was offered: " + raft::to_string(what_.meta.last));
  if (mark.applied_term > term.value)
    return useless("it is of term " + std::to_string(mark.applied_term) + ", this replica of " +
                   std::to_string(term.value));
  const bool is_first = snapshot_ == 0;
  if (is_first ? answer->snapshot == 0 : answer->snapshot != snapshot_ || mark != state_.mark)
    return useless("its pieces are of different moments");
  if (!answer->is_last && answer->next <= position_)
    return useless("its pieces do not follow each other");
  for (const auto& row : answer->rows) {
    bytes_ += row.key.size() + row.value.size();
    if (bytes_ > storage::group_state_bytes_max || storage::is_own_key(row.key.text()))
      return useless("it is too large, or has a key that is not the state machine's");
    state_.rows.push_back({std::string(row.key.text()), std::string(row.value.text())});
  }
  snapshot_ = answer->snapshot;
  position_ = answer->next;
  meta_ = {{raft::term_id(mark.base.term), raft::log_index(mark.base.index)}, *membership};
  state_.mark = std::move(mark);
  return answer->is_last;
}

buffer encode(const state_piece& piece) {
  wire::state_answer answer;
  answer.base = {piece.mark.base.term, piece.mark.base.index};
  answer.next_offset = piece.mark.base.next_offset.value;
  answer.membership = piece.mark.base.data;
  answer.applied = {piece.mark.applied_term, piece.mark.applied_index};
  answer.snapshot = piece.snapshot;
  answer.is_last = piece.next == 0;
  answer.next = piece.next;
  answer.rows.reserve(piece.rows.size());
  for (const auto& row : piece.rows)
    answer.rows.push_back({buffer::copy_of(row.key), buffer::copy_of(row.value)});
  return protocol::encode(answer);
}

} // namespace aqueduct::actors
