#include "actors/peer/send_queue.hpp"

#include <utility>

namespace aqueduct::actors {

namespace {

template <class... Kinds>
bool is_any(const raft::message& m) {
  return (std::holds_alternative<Kinds>(m) || ...);
}

/// What a call takes beside what it carries.
constexpr std::size_t call_bytes = 64;

bool is_patient_kind(const raft::message& m) {
  return is_any<raft::heartbeat_request, raft::heartbeat_response>(m);
}

} // namespace

std::size_t call_parcel::bytes() const {
  if (const auto* call = std::get_if<protocol::cluster::call>(&what))
    return call_bytes + call->body.size();
  const auto& answer = std::get<protocol::cluster::call_answer>(what);
  return call_bytes + answer.message.size() + answer.body.size();
}

bool send_queue::supersedes(const raft::message& m) {
  return is_patient_kind(m) ||
         is_any<raft::pre_vote_request, raft::pre_vote_response, raft::vote_request,
                raft::vote_response, raft::snapshot_offer, raft::timeout_now>(m);
}

send_queue::key send_queue::key_of(const raft_parcel& parcel) {
  return {parcel.group, parcel.from, parcel.to, parcel.body.index()};
}

bool send_queue::has_room_for(std::size_t bytes) const {
  const auto limit = window_bytes_ - window_bytes_ / 4;
  // What is larger than the whole window goes alone.
  return this->bytes() + bytes <= limit || this->bytes() == 0;
}

void send_queue::append(raft_parcel parcel, std::size_t bytes) {
  waiting_bytes_ += bytes;
  if (is_patient_kind(parcel.body))
    ++patient_;
  if (supersedes(parcel.body))
    newest_[key_of(parcel)] = first_ + waiting_.size();
  waiting_.push_back({std::move(parcel), bytes});
}

send_queue::outcome send_queue::push(raft_parcel parcel) {
  const auto size = wire_size(parcel.body);
  if (supersedes(parcel.body)) {
    if (const auto older = newest_.find(key_of(parcel)); older != newest_.end()) {
      auto& place = waiting_[older->second - first_];
      waiting_bytes_ += size;
      waiting_bytes_ -= place.bytes;
      place = {std::move(parcel), size};
      return outcome::superseded;
    }
  }
  const bool fits = std::holds_alternative<raft::append_request>(parcel.body)
                        ? has_room_for(size)
                        : bytes() + size <= window_bytes_;
  if (!fits)
    return outcome::dropped;
  append(std::move(parcel), size);
  return outcome::queued;
}

std::vector<raft_parcel> send_queue::take(std::size_t bytes_max) {
  std::vector<raft_parcel> taken;
  std::size_t bytes = 0;
  while (!waiting_.empty() && (taken.empty() || bytes + waiting_.front().bytes <= bytes_max)) {
    auto& front = waiting_.front();
    bytes += front.bytes;
    if (is_patient_kind(front.parcel.body))
      --patient_;
    if (supersedes(front.parcel.body))
      newest_.erase(key_of(front.parcel));
    taken.push_back(std::move(front.parcel));
    waiting_.pop_front();
    ++first_;
  }
  waiting_bytes_ -= bytes;
  taken_bytes_ += bytes;
  return taken;
}

bool send_queue::push_call(call_parcel parcel) {
  const auto size = parcel.bytes();
  if (bytes() + size > window_bytes_)
    return false;
  waiting_bytes_ += size;
  calls_.push_back(std::move(parcel));
  return true;
}

std::optional<call_parcel> send_queue::take_call() {
  if (calls_.empty())
    return std::nullopt;
  auto first = std::move(calls_.front());
  calls_.pop_front();
  waiting_bytes_ -= first.bytes();
  taken_bytes_ += first.bytes();
  return first;
}

std::size_t send_queue::lose() {
  auto former = std::exchange(waiting_, {});
  calls_.clear();
  newest_.clear();
  patient_ = 0;
  waiting_bytes_ = 0;
  taken_bytes_ = 0;
  std::size_t lost = 0;
  for (auto& each : former) {
    if (supersedes(each.parcel.body))
      append(std::move(each.parcel), each.bytes);
    else
      ++lost;
  }
  return lost;
}

} // namespace aqueduct::actors
