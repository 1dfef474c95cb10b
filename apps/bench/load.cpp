// The loops of the load generator.
#include "apps/bench/load.hpp"

#include "apps/bench/interrupt.hpp"
#include "apps/bench/poller.hpp"
#include "protocol/record_batch.hpp"

#include <deque>
#include <vector>

namespace aqueduct::bench {

namespace {

using clock = poller::clock;
using protocol::api_key;

/// How long a server may be silent before a run is given up.
constexpr auto silence_max = std::chrono::seconds(60);

clock::duration to_duration(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
}

double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

std::uint64_t nanoseconds_since(clock::time_point begin) {
  const auto passed = std::chrono::nanoseconds(clock::now() - begin).count();
  return passed > 0 ? static_cast<std::uint64_t>(passed) : 0;
}

result<void> check_silence(clock::time_point last) {
  if (is_interrupted())
    return unexpected(errc::cancelled, "interrupted");
  if (clock::now() - last > silence_max)
    return unexpected(errc::timed_out, "the server does not answer");
  return {};
}

} // namespace

void load_outcome::add(const load_outcome& other) {
  seconds += other.seconds;
  requests += other.requests;
  bytes += other.bytes;
  latency.add(other.latency);
}

histogram load_outcome::corrected(int slots) const {
  if (requests == 0)
    return latency;
  return latency.corrected(
      static_cast<std::uint64_t>(seconds * slots * 1e9 / static_cast<double>(requests)));
}

// -- produce --------------------------------------------------------------------------------------

result<load_outcome> run_produce(const produce_plan& plan) {
  auto links = poller::connect(plan.port, plan.connections, plan.speaks);
  if (!links)
    return links.propagate();
  std::vector<buffer> requests;
  for (int p = 0; p < plan.partitions; ++p)
    requests.push_back(
        encode_produce(plan.speaks, plan.topic, plan.first_partition + p, plan.batch));
  // A slot sends its next request when its last is answered; the correlation id is its number.
  const auto slots = static_cast<std::size_t>(plan.connections * plan.window);
  std::vector<clock::time_point> sent_at(slots);
  const auto begin = clock::now();
  const auto end = begin + to_duration(plan.seconds);
  std::uint64_t sent = 0;
  load_outcome outcome;
  std::uint64_t answered = 0;
  const auto send = [&](std::size_t slot) {
    if (clock::now() >= end || (plan.requests_max > 0 && sent == plan.requests_max))
      return;
    ++sent;
    sent_at[slot] = clock::now();
    queue_produce(links->at(slot % links->size()), static_cast<std::uint32_t>(slot),
                  requests[slot % requests.size()]);
  };
  for (std::size_t slot = 0; slot < slots; ++slot)
    send(slot);
  for (std::size_t i = 0; i < links->size(); ++i)
    if (auto flushed = links->flush(i); !flushed)
      return flushed.propagate();
  auto last = begin;
  const auto handle = [&](std::size_t, const protocol::frame_header& header,
                          const buffer& payload) -> result<void> {
    if (auto stored = check_produced(plan.speaks, header, payload); !stored)
      return stored;
    last = clock::now();
    ++answered;
    outcome.latency.record(nanoseconds_since(sent_at[header.correlation_id]));
    send(header.correlation_id);
    return {};
  };
  while (answered < sent) {
    if (auto polled = links->poll(clock::now() + std::chrono::milliseconds(100), handle); !polled)
      return polled.propagate();
    if (auto alive = check_silence(last); !alive)
      return alive.propagate();
  }
  // What was under way at the end counts with the time that it took.
  outcome.seconds = std::chrono::duration<double>(last - begin).count();
  outcome.requests = answered;
  outcome.bytes = answered * plan.batch.size();
  return outcome;
}

// -- fetch ----------------------------------------------------------------------------------------

std::int64_t record_after(std::int64_t offset, byte_span records) {
  while (true) {
    const auto batch = protocol::next_batch(records);
    if (!batch || !*batch)
      return offset;
    offset = (*batch)->next_offset().value;
  }
}

std::int64_t byte_after(std::int64_t offset, byte_span records) {
  return offset + static_cast<std::int64_t>(records.size());
}

result<load_outcome> run_fetch(const fetch_plan& plan) {
  auto links = poller::connect(plan.port, plan.partitions, plan.speaks);
  if (!links)
    return links.propagate();
  std::vector<std::int64_t> offsets(links->size(), 0);
  std::vector<clock::time_point> sent_at(links->size());
  std::size_t reading = 0;
  const auto begin = clock::now();
  const auto end = begin + to_duration(plan.seconds);
  const auto send = [&](std::size_t i) {
    sent_at[i] = clock::now();
    ++reading;
    queue_fetch(links->at(i), plan.topic, plan.topic_id, static_cast<std::int32_t>(i), offsets[i],
                plan.bytes_max);
  };
  for (std::size_t i = 0; i < links->size(); ++i) {
    send(i);
    if (auto flushed = links->flush(i); !flushed)
      return flushed.propagate();
  }
  load_outcome outcome;
  auto last = begin;
  const auto handle = [&](std::size_t i, const protocol::frame_header& header,
                          const buffer& payload) -> result<void> {
    const auto found = read_fetched(plan.speaks, header, payload);
    if (!found)
      return found.propagate();
    const auto& records = *found;
    if (records.empty())
      return unexpected(errc::internal, "nothing to read at " + std::to_string(offsets[i]));
    last = clock::now();
    --reading;
    ++outcome.requests;
    outcome.bytes += records.size();
    outcome.latency.record(nanoseconds_since(sent_at[i]));
    offsets[i] = plan.next_offset(offsets[i], records.bytes());
    const bool at_end = offsets[i] >= plan.end_offset;
    if (at_end)
      offsets[i] = 0;
    if (plan.once ? !at_end : clock::now() < end)
      send(i);
    return {};
  };
  while (reading > 0) {
    if (auto polled = links->poll(clock::now() + std::chrono::milliseconds(100), handle); !polled)
      return polled.propagate();
    if (auto alive = check_silence(last); !alive)
      return alive.propagate();
  }
  outcome.seconds = std::chrono::duration<double>(last - begin).count();
  return outcome;
}

// -- one at a time --------------------------------------------------------------------------------

result<turns_outcome> run_turns(const turns_plan& plan) {
  std::vector<link> links;
  for (const auto port : plan.ports) {
    auto connected = link::connect(port);
    if (!connected)
      return connected.propagate();
    links.push_back(std::move(*connected));
  }
  const auto request = encode_produce(wire::native, plan.topic, 0, plan.batch);
  turns_outcome outcome;
  const auto begin = clock::now();
  // Who comes first changes every time: a server's answer may leave the machine in a state.
  for (std::uint64_t turn = 0; seconds_since(begin) < plan.seconds; ++turn)
    for (std::size_t k = 0; k < links.size(); ++k) {
      const auto i = (turn + k) % links.size();
      if (is_interrupted())
        return unexpected(errc::cancelled, "interrupted");
      const auto sent = clock::now();
      const auto payload = links[i].exchange(api_key::produce, request);
      const auto taken = nanoseconds_since(sent);
      if (!payload)
        return payload.propagate();
      if (auto stored = check_produced(wire::native, {}, *payload); !stored)
        return stored.propagate();
      outcome.of[i].latency.record(taken);
      outcome.of[i].seconds += static_cast<double>(taken) * 1e-9;
      ++outcome.of[i].requests;
      outcome.of[i].bytes += plan.batch.size();
    }
  return outcome;
}

// -- a stream at a fixed rate ---------------------------------------------------------------------

namespace {

class stream_run {
public:
  explicit stream_run(const stream_plan& plan)
      : plan_(plan), request_(encode_produce(wire::native, plan.topic, 0, plan.batch)) {}

  result<stream_outcome> run() {
    auto links = poller::connect(plan_.port, 2);
    if (!links)
      return links.propagate();
    links_ = &*links;
    if (auto subscribed = subscribe(); !subscribed)
      return subscribed.propagate();
    const auto total = static_cast<std::uint64_t>(plan_.rate * plan_.seconds);
    const auto interval = to_duration(1.0 / plan_.rate);
    begin_ = clock::now() + interval;
    last_ = begin_;
    while (outcome_.acked.requests < total || outcome_.delivered.requests < total) {
      const auto now = clock::now();
      while (sent_ < total && due(sent_, interval) <= now) {
        acks_due_.push_back(due(sent_, interval));
        pushes_due_.push_back(due(sent_, interval));
        links->at(producer).queue(api_key::produce, static_cast<std::uint32_t>(sent_), request_);
        ++sent_;
      }
      if (auto flushed = links->flush(producer); !flushed)
        return flushed.propagate();
      const auto next = sent_ < total ? due(sent_, interval) : now + std::chrono::milliseconds(100);
      if (auto polled = poll(next); !polled)
        return polled.propagate();
      if (auto alive = check_silence(last_); !alive)
        return alive.propagate();
    }
    outcome_.acked.seconds = outcome_.delivered.seconds = seconds_since(begin_);
    return outcome_;
  }

private:
  static constexpr std::size_t producer = 0;
  static constexpr std::size_t subscriber = 1;

  [[nodiscard]] clock::time_point due(std::uint64_t request, clock::duration interval) const {
    return begin_ + interval * static_cast<std::int64_t>(request);
  }

  result<void> subscribe() {
    protocol::subscribe_request request;
    request.topic = plan_.topic;
    request.credit_bytes = std::int64_t{1} << 50;
    request.partitions.push_back({0, -1});
    links_->at(subscriber).queue(api_key::subscribe, 0, protocol::encode(request));
    if (auto flushed = links_->flush(subscriber); !flushed)
      return flushed;
    last_ = clock::now();
    while (!subscribed_) {
      if (auto polled = poll(clock::now() + std::chrono::milliseconds(100)); !polled)
        return polled;
      if (auto alive = check_silence(last_); !alive)
        return alive;
    }
    return {};
  }

  result<void> poll(clock::time_point until) {
    return links_->poll(until,
                        [this](std::size_t i, const protocol::frame_header& header,
                               const buffer& payload) -> result<void> {
                          last_ = clock::now();
                          if (i == producer)
                            return acked(header, payload);
                          if (header.kind == protocol::frame_kind::push)
                            return delivered(header, payload);
                          if (header.status != errc::none)
                            return unexpected(protocol::decode_error(header, payload));
                          subscribed_ = true;
                          return {};
                        });
  }

  result<void> acked(const protocol::frame_header& header, const buffer& payload) {
    if (auto stored = check_produced(wire::native, header, payload); !stored)
      return stored;
    note(outcome_.acked, acks_due_);
    return {};
  }

  /// Batches come in the order in which the one connection sent them.
  result<void> delivered(const protocol::frame_header& header, const buffer& payload) {
    if (header.status != errc::none)
      return unexpected(protocol::decode_error(header, payload));
    const auto push = protocol::decode<protocol::delivery>(payload);
    if (!push)
      return push.propagate();
    if (push->error != errc::none)
      return unexpected(push->error, push->message);
    const auto records = push->records.flatten();
    for (auto left = records.size(); left > 0 && !pushes_due_.empty(); left -= plan_.batch.size())
      note(outcome_.delivered, pushes_due_);
    return {};
  }

  void note(load_outcome& into, std::deque<clock::time_point>& times) {
    into.latency.record(nanoseconds_since(times.front()));
    times.pop_front();
    ++into.requests;
    into.bytes += plan_.batch.size();
  }

  const stream_plan& plan_;
  buffer request_;
  poller* links_ = nullptr;
  bool subscribed_ = false;
  clock::time_point begin_;
  clock::time_point last_;
  std::uint64_t sent_ = 0;
  /// When the requests that are not answered, or not delivered yet, were due.
  std::deque<clock::time_point> acks_due_;
  std::deque<clock::time_point> pushes_due_;
  stream_outcome outcome_;
};

} // namespace

result<stream_outcome> run_stream(const stream_plan& plan) {
  return stream_run(plan).run();
}

} // namespace aqueduct::bench
