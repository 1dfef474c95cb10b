#include "protocol/client/internal/group_consumer_core.hpp"

#include <algorithm>
#include <exception>
#include <thread>

namespace aqueduct::client {

using namespace std::chrono_literals;

namespace {

/// How long a poll sleeps before it looks for news of the group.
constexpr auto nap = 20ms;
/// Of a request that commits, about, and of a row in it without topic and metadata.
constexpr std::size_t request_bytes_max = std::size_t{256} << 10;
constexpr std::size_t row_bytes = 32;

std::vector<topic_partition> without(const std::vector<topic_partition>& all,
                                     const std::vector<topic_partition>& some) {
  std::vector<topic_partition> rest;
  std::ranges::set_difference(all, some, std::back_inserter(rest));
  return rest;
}

/// What a callback threw, once everything that must not be missed is done.
void rethrow(const std::exception_ptr& thrown) {
  if (thrown)
    std::rethrow_exception(thrown);
}

/// How many of these rows a request has at most: it stays well below what a frame may take.
std::size_t rows_of_one_request(std::span<const offset_commit> rows) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < rows.size() && (count == 0 || bytes < request_bytes_max)) {
    const auto& row = rows[count++];
    bytes += row_bytes + row.partition.topic.size() + row.metadata.size();
  }
  return count;
}

/// The records of one partition, and how far the handler came.
struct partition_work {
  topic_partition tp;
  std::vector<const record_view*> records;
  std::optional<offset_t> failed_at{};
};

void work_off(partition_work& part, const group_consumer::handler& work,
              const std::atomic<bool>& is_stopped) {
  for (const auto* record : part.records) {
    if (is_stopped) {
      part.failed_at = record->offset;
      return;
    }
    try {
      if (!work(*record))
        part.failed_at = record->offset;
    } catch (const std::exception&) {
      part.failed_at = record->offset;
    }
    if (part.failed_at)
      return;
  }
}

} // namespace

result<std::shared_ptr<group_consumer_core>>
group_consumer_core::create(std::shared_ptr<cluster_core> on, group_consumer_config config) {
  if (auto valid = config.validate(); !valid)
    return valid.propagate();
  auto reading = consumer_core::create(on, config.reading);
  if (!reading)
    return reading.propagate();
  return std::shared_ptr<group_consumer_core>(
      new group_consumer_core(std::move(on), std::move(config), std::move(*reading)));
}

group_consumer_core::group_consumer_core(std::shared_ptr<cluster_core> on,
                                         group_consumer_config config,
                                         std::shared_ptr<consumer_core> reading)
    : cluster_(std::move(on)),
      config_(std::move(config)),
      reading_(std::move(reading)),
      caller_(cluster_, config_.group),
      session_(std::make_unique<group_session>(cluster_, config_, [] {})),
      look_up_backoff_(config_.reading.backoff_min, config_.reading.backoff_max,
                       std::hash<std::string>{}(config_.group)),
      next_commit_(after(clock::now(), config_.auto_commit_interval)) {}

group_consumer_core::~group_consumer_core() {
  try {
    (void)close(false);
  } catch (...) {
    // The user's, who left without asking what comes of it.
  }
}

// -- poll -----------------------------------------------------------------------------------------

result<record_set> group_consumer_core::poll(milliseconds timeout, poll_limits limits) {
  if (is_calling_back_)
    return unexpected(errc::invalid_request, "poll cannot be called from a callback of the group");
  if (is_closed_)
    return unexpected(errc::cancelled, "the consumer is closed");
  session_->polled();
  if (!runs_handlers_)
    finish_all();
  commit_if_due();
  return poll_until(after(clock::now(), timeout), limits);
}

result<record_set> group_consumer_core::poll_until(time_point deadline, poll_limits limits) {
  for (;;) {
    if (auto acted = act_on_news(); !acted)
      return acted.propagate();
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now());
    auto records = reading_->poll(std::clamp<milliseconds>(left, 0ms, nap), limits);
    if (!records || !records->empty() || clock::now() >= deadline)
      return records;
    session_->polled();
  }
}

result<void> group_consumer_core::act_on_news() {
  while (auto news = session_->take_news()) {
    // What was given before is not to be waited for any more.
    if (news->what != group_session::news::kind::refused && std::exchange(unfinished_, {}))
      session_->done(owned_);
    switch (news->what) {
    case group_session::news::kind::assigned:
      complain_at_ = after(clock::now(), config_.reading.request_timeout);
      look_up_backoff_.reset();
      if (auto taken = take_over(news->partitions); !taken)
        return taken;
      break;
    case group_session::news::kind::give_up:
    case group_session::news::kind::lost: {
      const auto thrown = give_up(owned_, news->what == group_session::news::kind::lost);
      session_->done({});
      rethrow(thrown);
      break;
    }
    case group_session::news::kind::refused:
      return unexpected(news->why);
    }
  }
  return unfinished_ ? go_on_taking_over() : result<void>();
}

result<void> group_consumer_core::go_on_taking_over() {
  // The next assignment knows better: the topic may be gone for good.
  if (session_->wants_to_join()) {
    unfinished_.reset();
    session_->done(owned_);
    return {};
  }
  return clock::now() < try_again_at_ ? result<void>() : take_over(*unfinished_);
}

/// What was taken first, then what is new. Where a partition begins that cannot be looked up is not
/// known, which is not the same as that nothing was committed: it waits.
result<void> group_consumer_core::take_over(const std::vector<topic_partition>& given) {
  unfinished_ = given;
  // If it throws, the next poll goes on, or the next assignment.
  rethrow(give_up(without(owned_, given), false));
  auto found = starts_of(without(given, owned_));
  if (!found)
    return found.propagate();
  std::vector<topic_partition> added;
  for (const auto& start : found->starts)
    added.push_back(start.partition);
  for (const auto& kept : owned_)
    found->starts.push_back({kept});
  if (auto assigned = reading_->assign(std::move(found->starts), true); !assigned)
    return assigned;
  std::vector<topic_partition> held;
  std::ranges::set_union(owned_, added, std::back_inserter(held));
  owned_ = std::move(held);
  if (found->missing)
    try_again_at_ = after(clock::now(), look_up_backoff_.next());
  else
    unfinished_.reset();
  const auto thrown = added.empty() ? nullptr : call_back(config_.on_assigned, added);
  if (!found->missing)
    session_->done(owned_);
  rethrow(thrown);
  if (found->missing && clock::now() >= complain_at_)
    return unexpected(*found->missing);
  return {};
}

std::exception_ptr group_consumer_core::give_up(const std::vector<topic_partition>& taken,
                                                bool is_lost) {
  if (taken.empty())
    return nullptr;
  const auto all = taken;
  if (!is_lost && config_.auto_commit)
    (void)commit_finished();
  auto thrown = call_back(is_lost ? config_.on_lost : config_.on_revoked, all);
  owned_ = without(owned_, all);
  std::vector<assignment> kept;
  for (const auto& tp : owned_)
    kept.push_back({tp});
  (void)reading_->assign(std::move(kept), true);
  for (const auto& tp : all) {
    finished_.erase(tp);
    committed_.erase(tp);
    retries_.erase(tp);
  }
  return thrown;
}

std::exception_ptr group_consumer_core::call_back(const std::function<void(partition_span)>& told,
                                                  partition_span partitions) {
  if (!told)
    return nullptr;
  std::exception_ptr thrown;
  is_calling_back_ = true;
  try {
    told(partitions);
  } catch (...) {
    thrown = std::current_exception();
  }
  is_calling_back_ = false;
  return thrown;
}

result<group_consumer_core::known_starts>
group_consumer_core::starts_of(const std::vector<topic_partition>& partitions) {
  known_starts found;
  if (partitions.empty())
    return found;
  protocol::fetch_offset_request request;
  request.group = config_.group;
  for (const auto& tp : partitions)
    request.topics.push_back({tp.topic, {tp.partition.value}});
  const auto answer = caller_.ask(request, after(clock::now(), config_.reading.request_timeout));
  if (!answer)
    return answer.propagate();
  const auto fresh =
      config_.start == group_start::latest ? start_position::latest() : start_position::earliest();
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    protocol::committed_offset row;
    row.error = errc::internal;
    if (i < answer->topics.size() && !answer->topics[i].partitions.empty())
      row = answer->topics[i].partitions.front();
    if (row.error != errc::none) {
      found.missing = error{row.error, "where the group is in " + to_string(partitions[i]) +
                                           " cannot be looked up"};
      continue;
    }
    const offset_t offset(row.offset);
    found.starts.push_back({partitions[i], offset.value < 0 ? fresh : start_position::at(offset)});
    if (offset.value >= 0)
      committed_[partitions[i]] = offset;
  }
  return found;
}

// -- commits --------------------------------------------------------------------------------------

void group_consumer_core::finish_all() {
  for (const auto& tp : owned_)
    if (const auto position = reading_->position(tp))
      finished_[tp] = *position;
}

void group_consumer_core::commit_if_due() {
  if (!config_.auto_commit || clock::now() < next_commit_)
    return;
  next_commit_ = after(clock::now(), config_.auto_commit_interval);
  // What is refused now is tried again, or is another member's by then.
  (void)commit_finished();
}

result<void> group_consumer_core::commit_finished() {
  std::vector<offset_commit> rows;
  for (const auto& [tp, offset] : finished_)
    if (const auto known = committed_.find(tp);
        known == committed_.end() || known->second != offset)
      rows.push_back({tp, offset});
  return commit_offsets(rows);
}

result<void> group_consumer_core::commit() {
  if (!runs_handlers_)
    finish_all();
  return commit_finished();
}

result<void> group_consumer_core::commit(std::span<const offset_commit> offsets) {
  return commit_offsets(offsets);
}

/// In requests that are small enough for the coordinator, which says so of those that are not.
result<void> group_consumer_core::commit_offsets(std::span<const offset_commit> rows) {
  const auto deadline = after(clock::now(), config_.reading.request_timeout);
  auto self = session_->who();
  if (!rows.empty() && self.member.empty())
    return unexpected(errc::unknown_member, "the consumer is in no group at the moment");
  result<void> outcome;
  auto rows_max = rows.size();
  while (!rows.empty()) {
    const auto some = rows.first(std::min(rows_max, rows_of_one_request(rows)));
    const auto committed = commit_some(self, some, outcome);
    if (!committed && committed.error().code == errc::message_too_large && some.size() > 1) {
      rows_max = some.size() / 2;
      continue;
    }
    if (!committed && has_moved_on(self, committed.error(), deadline))
      continue;
    if (!committed)
      return outcome ? committed : outcome;
    rows = rows.subspan(some.size());
  }
  return outcome;
}

/// Whether it was the member itself that went to another generation while it committed in `self`,
/// which is the new one then. What it holds is its own as long as it has not acted on what came
/// with that: nobody else is given it before.
bool group_consumer_core::has_moved_on(group_session::identity& self, const error& refused,
                                       time_point deadline) {
  if (refused.code != errc::generation_mismatch)
    return false;
  auto now = session_->who_after_join(deadline);
  if (now.member != self.member || now.generation <= self.generation)
    return false;
  self = std::move(now);
  return true;
}

/// The first row that is refused decides about `outcome`, unless that is an error already.
result<void> group_consumer_core::commit_some(const group_session::identity& self,
                                              std::span<const offset_commit> rows,
                                              result<void>& outcome) {
  protocol::commit_offset_request request;
  request.group = config_.group;
  request.member_id = self.member;
  request.instance_id = config_.instance_id;
  request.generation = self.generation;
  for (const auto& row : rows)
    request.topics.push_back(
        {row.partition.topic,
         {{row.partition.partition.value, row.offset.value, -1, row.metadata}}});
  const auto answer = caller_.ask(request, after(clock::now(), config_.reading.request_timeout));
  if (!answer)
    return answer.propagate();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto code = errc::internal;
    if (i < answer->topics.size() && !answer->topics[i].partitions.empty())
      code = answer->topics[i].partitions.front().error;
    if (code == errc::none)
      committed_[rows[i].partition] = rows[i].offset;
    else if (outcome)
      outcome = unexpected(code, to_string(rows[i].partition) + ": " +
                                     std::string(describe(code).meaning));
  }
  return {};
}

// -- handlers -------------------------------------------------------------------------------------

result<void> group_consumer_core::run(const group_consumer::handler& work,
                                      const run_options& options) {
  if (options.threads < 1)
    return unexpected(errc::invalid_config, "threads is 0");
  finish_all();
  runs_handlers_ = true;
  result<void> outcome;
  std::exception_ptr thrown;
  while (!is_stopped_ && outcome && !thrown) {
    resume_retries();
    try {
      const auto records = poll(100ms, {});
      if (records)
        work_on(*records, work, options);
      else
        outcome = records.propagate();
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  if (config_.auto_commit && (outcome || !is_closed_)) {
    const auto committed = commit_finished();
    if (outcome)
      outcome = committed;
  }
  runs_handlers_ = false;
  is_stopped_ = false;
  // What waits to be tried again is for whoever polls next.
  for (const auto& [tp, when] : retries_)
    (void)reading_->pause(tp, false);
  retries_.clear();
  // A later poll must not take what was not worked on for finished.
  for (const auto& [tp, offset] : finished_)
    if (const auto position = reading_->position(tp); position && *position != offset)
      (void)reading_->seek(tp, start_position::at(offset));
  rethrow(thrown);
  return outcome;
}

void group_consumer_core::work_on(const record_set& records, const group_consumer::handler& work,
                                  const run_options& options) {
  std::map<topic_partition, partition_work> by_partition;
  for (const auto& record : records) {
    const topic_partition tp{std::string(record.topic), record.partition};
    auto& part = by_partition[tp];
    part.tp = tp;
    part.records.push_back(&record);
  }
  std::vector<partition_work*> parts;
  for (auto& [tp, part] : by_partition)
    parts.push_back(&part);
  std::atomic<std::size_t> next{0};
  const auto take_turns = [&] {
    for (std::size_t i = next++; i < parts.size(); i = next++)
      work_off(*parts[i], work, is_stopped_);
  };
  std::vector<std::thread> helpers;
  for (std::size_t i = 1; i < std::min(options.threads, parts.size()); ++i)
    helpers.emplace_back(take_turns);
  take_turns();
  for (auto& helper : helpers)
    helper.join();
  for (const auto* part : parts) {
    finished_[part->tp] =
        part->failed_at ? *part->failed_at : offset_t(part->records.back()->offset.value + 1);
    if (!part->failed_at)
      continue;
    (void)reading_->seek(part->tp, start_position::at(*part->failed_at));
    (void)reading_->pause(part->tp, true);
    retries_[part->tp] = after(clock::now(), options.retry_after);
  }
}

void group_consumer_core::resume_retries() {
  std::erase_if(retries_, [&](const auto& each) {
    if (each.second > clock::now())
      return false;
    (void)reading_->pause(each.first, false);
    return true;
  });
}

// -- the end --------------------------------------------------------------------------------------

result<void> group_consumer_core::close(bool commits_all) {
  if (std::exchange(is_closed_, true))
    return {};
  result<void> outcome;
  if (commits_all && !runs_handlers_)
    finish_all();
  if (config_.auto_commit && !owned_.empty())
    outcome = commit_finished();
  const auto thrown = owned_.empty() ? nullptr : call_back(config_.on_revoked, owned_);
  owned_.clear();
  session_->leave();
  reading_->close();
  rethrow(thrown);
  return outcome;
}

} // namespace aqueduct::client
