// When the log of the leader no longer reaches back to what a follower lacks. The state itself goes
// from driver to driver; the core only says who needs one, and what it means to have it.
#include "raft/core.hpp"
#include "raft/invariant.hpp"

#include <algorithm>
#include <utility>

namespace aqueduct::raft {

void core::on(replica_id from, const snapshot_offer& m) {
  if (!follow(from))
    return;
  if (!m.meta.membership.valid() || m.meta.last.index.value == 0 || m.meta.last.term > m.term) {
    refuse(from, m.term, refusal::malformed);
    return;
  }
  if (m.meta.last.index <= commit_ || log_.has(m.meta.last)) {
    // It is here already; what the leader has compacted is committed.
    commit_to(std::max(commit_, m.meta.last.index));
    answer_installed(from);
    return;
  }
  if (fetching_)
    return; // an offer that is repeated; the state that is on its way will be answered
  fetching_ = snapshot_fetch{from, m.meta};
  out_.fetch = fetching_;
}

effects core::snapshot_installed(snapshot_meta meta) {
  RAFT_INVARIANT(meta.membership.valid() && meta.last.index.value != 0, to_string(meta.last));
  if (poisoned_)
    return finish();
  fetching_.reset();
  if (meta.last.index > commit_)
    replace_log(std::move(meta));
  if (const auto to = leader(); to && !is_leader())
    answer_installed(*to);
  return finish();
}

effects core::snapshot_failed() {
  if (const auto failed = std::exchange(fetching_, std::nullopt); failed && !poisoned_)
    send(failed->from, snapshot_response{hard_.term, false, {}}, outbox::after::hard_state);
  return finish();
}

void core::answer_installed(replica_id to) {
  send(to, snapshot_response{hard_.term, true, commit_}, outbox::after::log);
}

/// The state has applied more than was committed here. Entries after it stay if they continue it;
/// otherwise none can be trusted (Raft paper, figure 13, R16).
void core::replace_log(snapshot_meta meta) {
  const auto last = meta.last;
  const bool continues = log_.has(last) && last.index <= outbox_.durable_index();
  // A log that ends elsewhere is not the one that votes were given to, and no leader's. What goes
  // with it was never acknowledged by this replica, for it is not durable here.
  if (hard_.term < last.term)
    become_follower(last.term, std::nullopt);
  else if (!continues && role() != role_kind::follower)
    become_follower(hard_.term, std::nullopt);
  commit_ = applied_ = handed_out_ = last.index;
  apply_load_.reset();
  if (continues) {
    log_.applied(last.index);
    compact_log(last.index);
  } else {
    log_.reset(last);
    log_.applied(last.index);
    outbox_.reset(last);
    members_.reset(last.index, meta.membership);
    draft().reset = std::move(meta);
    emit(membership_changed{last.index, members()});
  }
  emit(snapshot_restored{last});
}

} // namespace aqueduct::raft
