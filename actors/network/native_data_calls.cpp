#include "actors/network/native_data_calls.hpp"

#include "actors/network/request_cost.hpp"
#include "actors/network/topic_lookup.hpp"
#include "protocol/record_batch.hpp"
#include "raft/read_freshness.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace aqueduct::actors::network {

namespace {

/// Takes up to `wanted` of what is left; 0 when nothing is.
std::size_t take_from(std::atomic<std::int64_t>& budget, std::size_t wanted) {
  auto left = budget.load();
  std::int64_t taken = 0;
  do {
    if (left <= 0)
      return 0;
    taken = std::min(left, static_cast<std::int64_t>(wanted));
  } while (!budget.compare_exchange_weak(left, left - taken));
  return static_cast<std::size_t>(taken);
}

} // namespace

// -- produce --------------------------------------------------------------------------------------

produce_call::produce_call(native_request request, const protocol::produce_request& message)
    : native_call(std::move(request)), silent_(message.acks == protocol::acks::none), left_(0) {
  for (const auto& topic : message.topics) {
    auto& topic_result = response_.topics.emplace_back();
    topic_result.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& result = topic_result.partitions.emplace_back();
      result.partition = partition.partition;
      result.error = errc::shutting_down;
      result.message = "the partition's actor is gone";
    }
  }
  for (auto& topic : response_.topics)
    for (auto& result : topic.partitions)
      slots_.push_back(&result);
  left_ = slots_.size();
}

produce_call::~produce_call() {
  finish();
}

void produce_call::produced(std::uint32_t slot, produce_outcome outcome) {
  auto& result = *slots_[slot];
  result.error = outcome.error;
  result.message = std::move(outcome.message);
  result.base_offset = outcome.base_offset;
  result.append_time_ms = outcome.append_time_ms;
  result.log_start = outcome.log_start;
  result.end_offset = outcome.end_offset;
  result.leader = outcome.leader;
  if (left_.fetch_sub(1) == 1)
    finish();
}

void produce_call::finish() {
  if (silent_)
    finish_silently(std::ranges::any_of(
        slots_, [](const auto* result) { return result->error != errc::none; }));
  else if (!is_answered())
    respond(response_);
}

// -- fetch ----------------------------------------------------------------------------------------

fetch_call::fetch_call(native_request request, protocol::fetch_request message,
                       const front_services& node)
    : native_call(std::move(request)),
      request_(std::move(message)),
      node_(node.node),
      env_(node.env),
      budget_(std::max(request_.max_bytes, 1)) {}

void fetch_call::start(const topic_directory& directory) {
  std::unique_lock lock(mutex_);
  for (const auto& topic : request_.topics) {
    auto& topic_result = response_.topics.emplace_back();
    topic_result.name = topic.name;
    topic_result.partitions.resize(topic.partitions.size());
  }
  for (std::size_t t = 0; t < request_.topics.size(); ++t) {
    const auto& topic = request_.topics[t];
    topic_lookup lookup(directory, topic.name);
    for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
      const auto& asked = topic.partitions[p];
      auto& result = response_.topics[t].partitions[p];
      result.partition = asked.partition;
      result.replica = node_;
      slot_state slot;
      slot.asked = asked;
      slot.result = &result;
      auto found = lookup.partition(asked.partition);
      slot.route = std::move(found.route);
      if (slot.route) {
        ++unanswered_;
      } else {
        result.error = found.why.code;
        result.message = std::move(found.why.message);
        result.leader = found.leader;
      }
      slot.answered = slot.route == nullptr;
      any_error_ = any_error_ || slot.answered;
      slots_.push_back(std::move(slot));
    }
  }
  const auto count = slots_.size();
  const bool wait = may_wait();
  expect_answer(answer_bytes_of(request_));
  if (unanswered_ == 0) {
    finish_if_done(lock);
    return;
  }
  lock.unlock();
  for (std::uint32_t slot = 0; slot < count; ++slot)
    if (slots_[slot].route)
      ask(slot, wait);
}

void fetch_call::wait_in(const std::shared_ptr<deadline_queue>& deadlines, const void* owner) {
  const std::lock_guard lock(mutex_);
  if (done_ || !may_wait())
    return;
  const auto wait = std::chrono::milliseconds(std::min(request_.max_wait_ms, wait_max_ms));
  deadline_ = deadlines->add(deadline_queue::clock::now() + wait, weak_from_this(), owner);
  deadlines_ = deadlines;
}

void fetch_call::ask(std::uint32_t slot, bool wait) {
  const auto& state = slots_[slot];
  fetch_item item;
  item.sink = shared_from_this();
  item.slot = slot;
  item.offset = state.asked.offset;
  item.bytes_max = state.asked.bytes_max;
  item.bytes_min = slots_.size() == 1 ? std::min(request_.min_bytes, state.asked.bytes_max) : 1;
  item.leader_epoch = state.asked.leader_epoch;
  item.wait = wait;
  item.freshness = request_.freshness;
  item.age_ms_max = request_.age_ms_max;
  item.proof_wait_ms = std::clamp(request_.max_wait_ms, 1000, wait_max_ms);
  caf::anon_send(state.route->handle, partition_call{std::move(item)});
}

void fetch_call::fetched(std::uint32_t slot, fetch_outcome outcome) {
  std::unique_lock lock(mutex_);
  if (done_)
    return;
  auto& state = slots_[slot];
  if (!std::exchange(state.answered, true))
    --unanswered_;
  if (state.waiting && !outcome.waiting)
    --waiting_;
  else if (!state.waiting && outcome.waiting)
    ++waiting_;
  state.waiting = outcome.waiting;
  auto& result = *state.result;
  result.error = outcome.error;
  result.message = std::move(outcome.message);
  result.high_watermark = outcome.high_watermark;
  result.last_stable = outcome.last_stable;
  result.log_start = outcome.log_start;
  result.leader = outcome.leader;
  result.leads = outcome.leads;
  state.complete_at_ms = outcome.complete_at_ms;
  bytes_ += outcome.records.size();
  result.records = std::move(outcome.records);
  any_error_ = any_error_ || result.error != errc::none;
  finish_if_done(lock);
}

void fetch_call::finish_if_done(std::unique_lock<std::mutex>& lock) {
  if (done_ || unanswered_ > 0)
    return;
  const bool enough =
      bytes_ > 0 && bytes_ >= static_cast<std::size_t>(std::max(request_.min_bytes, 1));
  if (!enough && !any_error_ && !expired_ && waiting_ > 0) {
    // What it waits for is in memory anyway when it comes.
    expect_no_more();
    return;
  }
  done_ = true;
  const auto deadlines = std::exchange(deadlines_, nullptr);
  note_ages();
  lock.unlock();
  if (deadlines)
    deadlines->cancel(deadline_);
  for (const auto& slot : slots_)
    if (slot.waiting)
      caf::anon_send(slot.route->handle, partition_call{cancel_fetch{shared_from_this()}});
  respond(response_);
}

void fetch_call::note_ages() {
  const auto now = env_->steady_ms();
  for (const auto& slot : slots_)
    if (slot.complete_at_ms >= 0)
      slot.result->age_ms = raft::age_ms(slot.complete_at_ms, now);
}

std::size_t fetch_call::reserve(std::size_t wanted) {
  return take_from(budget_, wanted);
}

void fetch_call::release(std::size_t unused) {
  budget_ += static_cast<std::int64_t>(unused);
}

void fetch_call::expire() {
  std::unique_lock lock(mutex_);
  if (done_)
    return;
  expired_ = true;
  // A single partition may hold less than min_bytes back: now that is what there is.
  if (slots_.size() == 1 && request_.min_bytes > 1 && slots_[0].waiting && !client()->is_closed()) {
    slots_[0].waiting = false;
    slots_[0].answered = false;
    waiting_ = 0;
    unanswered_ = 1;
    lock.unlock();
    caf::anon_send(slots_[0].route->handle, partition_call{cancel_fetch{shared_from_this()}});
    ask(0, false);
    return;
  }
  finish_if_done(lock);
}

// -- batch fetch ----------------------------------------------------------------------------------

namespace {

/// The front of `records` up to the batch that holds the `count`-th record from `offset` on.
buffer_chain limit_records(buffer_chain records, std::int64_t offset, std::int32_t count) {
  if (count < 0)
    return records;
  const auto whole = records.flatten();
  auto rest = whole.bytes();
  const auto last = offset + count - 1;
  std::size_t keep = 0;
  while (count > 0) {
    const auto batch = protocol::next_batch(rest);
    if (!batch || !*batch)
      break;
    keep += (*batch)->size();
    if ((*batch)->last_offset().value >= last)
      break;
  }
  return keep == 0 ? buffer_chain() : buffer_chain(whole.slice(0, keep));
}

/// Offset after the last batch, or `from` if there is none.
std::int64_t next_offset_of(const buffer_chain& records, std::int64_t from) {
  auto next = from;
  for (const auto& part : records.parts()) {
    auto rest = part.bytes();
    for (auto batch = protocol::next_batch(rest); batch && *batch;
         batch = protocol::next_batch(rest))
      next = (*batch)->next_offset().value;
  }
  return next;
}

} // namespace

batch_fetch_call::batch_fetch_call(std::shared_ptr<connection> client,
                                   const protocol::frame_header& request, std::size_t frame_bytes,
                                   protocol::batch_fetch_request message, std::size_t bytes_max)
    : native_call(std::move(client), request, frame_bytes),
      request_(std::move(message)),
      budget_(static_cast<std::int64_t>(bytes_max)),
      left_(request_.ranges.size()) {
  response_.ranges.resize(request_.ranges.size());
}

void batch_fetch_call::start(const std::shared_ptr<partition_route>& route) {
  if (request_.ranges.empty()) {
    respond(response_);
    return;
  }
  expect_answer(answer_bytes_of(request_, static_cast<std::size_t>(budget_.load())));
  for (std::uint32_t slot = 0; slot < request_.ranges.size(); ++slot) {
    fetch_item item;
    item.sink = shared_from_this();
    item.slot = slot;
    item.offset = request_.ranges[slot].offset;
    item.bytes_max = request_.ranges[slot].bytes_max;
    caf::anon_send(route->handle, partition_call{std::move(item)});
  }
}

void batch_fetch_call::fetched(std::uint32_t slot, fetch_outcome outcome) {
  const std::lock_guard lock(mutex_);
  response_.high_watermark = outcome.high_watermark;
  response_.log_start = outcome.log_start;
  auto& result = response_.ranges[slot];
  const auto& range = request_.ranges[slot];
  result.error = outcome.error;
  result.message = std::move(outcome.message);
  result.records = limit_records(std::move(outcome.records), range.offset, range.records_max);
  result.next_offset = next_offset_of(result.records, range.offset);
  if (--left_ == 0)
    respond(response_);
}

std::size_t batch_fetch_call::reserve(std::size_t wanted) {
  return take_from(budget_, wanted);
}

void batch_fetch_call::release(std::size_t unused) {
  budget_ += static_cast<std::int64_t>(unused);
}

// -- subscriptions --------------------------------------------------------------------------------

native_subscription::native_subscription(std::shared_ptr<native_call> call,
                                         protocol::subscribe_request request,
                                         std::vector<std::shared_ptr<partition_route>> routes)
    : call_(std::move(call)),
      client_(call_->client()),
      request_(std::move(request)),
      routes_(std::move(routes)),
      credit_(request_.credit_bytes),
      unanswered_(request_.partitions.size()) {
  push_header_.kind = protocol::frame_kind::push;
  push_header_.key = protocol::api_key::delivery;
  push_header_.correlation_id = call_->correlation_id();
  response_.partitions.resize(request_.partitions.size());
  for (std::size_t i = 0; i < request_.partitions.size(); ++i)
    response_.partitions[i].partition = request_.partitions[i].partition;
}

native_subscription::~native_subscription() {
  // What was being read when it ended is pushed by nobody.
  settle(taken_);
}

void native_subscription::start() {
  for (std::uint32_t slot = 0; slot < request_.partitions.size(); ++slot) {
    if (!routes_[slot])
      continue;
    subscribe_item item;
    item.sink = shared_from_this();
    item.slot = slot;
    item.partition = request_.partitions[slot].partition;
    item.offset = request_.partitions[slot].offset;
    item.push_bytes_max = request_.push_bytes_max;
    caf::anon_send(routes_[slot]->handle, partition_call{std::move(item)});
  }
}

void native_subscription::refuse(std::uint32_t slot, error why) {
  subscribed(slot, why.code, std::move(why.message), -1);
}

void native_subscription::subscribed(std::uint32_t slot, errc error, std::string message,
                                     std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  auto& result = response_.partitions[slot];
  result.error = error;
  result.message = std::move(message);
  result.offset = offset;
  if (--unanswered_ > 0)
    return;
  std::exchange(call_, nullptr)->respond(response_);
  for (auto& frame : std::exchange(early_, {}))
    client_->reply(std::move(frame));
  settle(std::exchange(early_bytes_, 0));
}

void native_subscription::pushed(std::int32_t partition, push_outcome outcome) {
  protocol::delivery push;
  push.subscription = request_.subscription;
  push.partition = partition;
  push.error = outcome.error;
  push.message = std::move(outcome.message);
  push.high_watermark = outcome.high_watermark;
  push.log_start = outcome.log_start;
  push.records = std::move(outcome.records);
  const auto bytes = static_cast<std::int64_t>(push.records.size());
  auto frame = protocol::encode_frame(push_header_, push);
  {
    const std::lock_guard lock(mutex_);
    if (unanswered_ > 0) {
      // They count as not pushed until the response is out.
      early_.push_back(std::move(frame));
      early_bytes_ += bytes;
      return;
    }
    client_->reply(std::move(frame));
  }
  settle(bytes);
}

std::size_t native_subscription::take_credit(std::size_t wanted) {
  if (const auto taken = take_now(wanted); taken > 0)
    return taken;
  // Marked before the second look: credit that comes in between finds the mark.
  starved_ = true;
  return take_now(wanted);
}

std::size_t native_subscription::take_now(std::size_t wanted) {
  if (client_->is_congested())
    return 0;
  const auto taken = take_from(credit_, wanted);
  settle(-static_cast<std::int64_t>(taken));
  return taken;
}

void native_subscription::settle(std::int64_t bytes) {
  taken_ -= bytes;
  client_->expect_push(-bytes);
}

void native_subscription::relieved() {
  wake_if_starved();
}

void native_subscription::return_credit(std::int64_t unused) {
  credit_ += unused;
  settle(unused);
  if (unused > 0)
    wake_if_starved();
}

void native_subscription::add_credit(std::int64_t bytes) {
  credit_ += bytes;
  wake_if_starved();
}

void native_subscription::wake_if_starved() {
  if (credit_ > 0 && starved_.exchange(false))
    wake_partitions();
}

void native_subscription::wake_partitions() {
  for (const auto& route : routes_)
    if (route)
      caf::anon_send(route->handle, partition_call{credit_subscription{shared_from_this()}});
}

void native_subscription::cancel() {
  for (const auto& route : routes_)
    if (route)
      caf::anon_send(route->handle, partition_call{cancel_subscription{shared_from_this()}});
}

} // namespace aqueduct::actors::network
