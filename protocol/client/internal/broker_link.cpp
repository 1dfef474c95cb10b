#include "protocol/client/internal/broker_link.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace aqueduct::client {

using namespace protocol;
namespace asio = boost::asio;

namespace {

/// No broker says that it takes less than this.
constexpr std::size_t broker_frame_bytes_min = 4096;

constexpr std::uint16_t protocol_version = 1;

} // namespace

namespace {

/// Between two alarms of a broker that does not answer.
constexpr milliseconds alarm_interval{1'000};

} // namespace

broker_link::broker_link(asio::io_context& io, link_settings settings, endpoint peer,
                         std::uint64_t seed)
    : io_(io),
      settings_(std::move(settings)),
      peer_(std::move(peer)),
      backoff_(settings_.backoff_min, settings_.backoff_max, seed),
      timer_(io) {}

broker_link::~broker_link() {
  if (connection_)
    connection_->close();
}

// -- requests -------------------------------------------------------------------------------------

void broker_link::submit(std::uint32_t id, pending request) {
  const auto deadline = request.options.deadline;
  auto& added = requests_.emplace(id, std::move(request)).first->second;
  if (state_ == state::shut_down)
    return refuse(id, last_error_.code, last_error_.message);
  if (state_ == state::waiting && added.options.if_reachable)
    return refuse(id, errc::broker_unavailable, last_error_.message);
  last_use_ = clock::now();
  if (state_ == state::ready) {
    transmit(id, added);
  } else {
    unsent_.push_back(id);
    if (state_ == state::idle)
      connect();
  }
  wake_by(settings_.stalled ? std::min(deadline, added.options.stalled_at) : deadline);
}

void broker_link::transmit(std::uint32_t id, pending& request) {
  const auto version = version_of(request.key, request.version_min);
  if (!version)
    return refuse(id, version.error().code, version.error().message);
  frame_header header;
  header.key = request.key;
  header.version = *version;
  header.correlation_id = id;
  auto frame = request.encode(header);
  request.encode = nullptr;
  if (frame.size() - 4 > hello_->frame_bytes_max)
    return refuse(id, errc::message_too_large,
                  "a request of " + std::to_string(frame.size()) + " bytes is over the limit of " +
                      std::to_string(hello_->frame_bytes_max) + " that the broker has");
  if (bytes_in_flight_ > 0 && bytes_in_flight_ + frame.size() > settings_.in_flight_bytes_max)
    return refuse(id, errc::overloaded,
                  "requests of " + std::to_string(bytes_in_flight_) + " bytes are under way to " +
                      to_string(peer_) + "; wait for their answers");
  request.is_sent = true;
  request.bytes = frame.size();
  bytes_in_flight_ += request.bytes;
  if (request.options.on_push)
    pushes_.emplace(id, std::move(request.options.on_push));
  connection_->write(std::move(frame), request.options.one_way ? std::optional(id) : std::nullopt);
}

void broker_link::refuse(std::uint32_t id, errc code, std::string message) {
  asio::post(io_, [self = shared_from_this(), id, code, message = std::move(message)]() mutable {
    raw_answer outcome;
    outcome.fail = failure::of(code, std::move(message));
    self->complete(id, std::move(outcome));
  });
}

void broker_link::complete(std::uint32_t id, raw_answer outcome) {
  const auto found = requests_.find(id);
  if (found == requests_.end())
    return;
  auto request = std::move(found->second);
  requests_.erase(found);
  bytes_in_flight_ -= request.bytes;
  request.done(std::move(outcome));
}

void broker_link::shut_down(error why) {
  const auto self = shared_from_this();
  state_ = state::shut_down;
  state_deadline_ = never;
  last_error_ = why;
  if (connection_)
    std::exchange(connection_, nullptr)->close();
  timer_.cancel();
  fail_all(why);
}

result<std::uint16_t> broker_link::version_of(api_key key, std::uint16_t version_min) const {
  const auto number = static_cast<std::uint16_t>(key);
  const auto range = std::ranges::find(hello_->apis, number, &api_range::key);
  const auto name = std::string(to_string(key));
  if (range == hello_->apis.end())
    return unexpected(errc::unsupported_api, "the broker does not know " + name);
  const auto version_max = find_api(number)->version_max;
  if (range->version_min > version_max || range->version_max < version_min)
    return unexpected(errc::unsupported_version,
                      name + ": the broker speaks versions " + std::to_string(range->version_min) +
                          " to " + std::to_string(range->version_max) + ", this needs " +
                          std::to_string(version_min) + " to " + std::to_string(version_max));
  return std::min(version_max, range->version_max);
}

// -- what comes back ------------------------------------------------------------------------------

void broker_link::received(const frame_header& header, buffer payload) {
  const auto self = shared_from_this();
  last_use_ = clock::now();
  if (header.kind == frame_kind::push)
    return received_push(header, payload);
  if (header.kind != frame_kind::response)
    return distrust({errc::connection_lost, "the broker sent a request"});
  if (state_ == state::hello)
    return received_hello(header, payload);
  received_response(header, std::move(payload));
}

void broker_link::received_response(const frame_header& header, buffer payload) {
  const auto found = requests_.find(header.correlation_id);
  if (found == requests_.end()) {
    // The answer to a request that expired meanwhile; but ids that were never used are garbage.
    if (header.correlation_id == 0 || header.correlation_id >= next_id_)
      distrust({errc::connection_lost, "an answer to correlation id " +
                                           std::to_string(header.correlation_id) +
                                           ", which was never sent"});
    return;
  }
  if (!found->second.is_sent || found->second.key != header.key)
    return distrust({errc::connection_lost, "an answer of " + std::string(to_string(header.key)) +
                                                " to a request of " +
                                                std::string(to_string(found->second.key))});
  raw_answer outcome;
  outcome.version = header.version;
  if (header.status != errc::none) {
    outcome.fail = failure_of(header, payload);
    pushes_.erase(header.correlation_id);
  } else {
    outcome.payload = std::move(payload);
  }
  complete(header.correlation_id, std::move(outcome));
}

void broker_link::received_push(const frame_header& header, const buffer& payload) {
  const auto found = pushes_.find(header.correlation_id);
  if (found == pushes_.end())
    return;
  // The handler may forget itself.
  const auto handler = found->second;
  if (header.status != errc::none) {
    pushes_.erase(found);
    return handler({{}, failure_of(header, payload)});
  }
  auto decoded = decode<delivery>(payload, header.version);
  if (!decoded)
    return distrust(decoded.error());
  handler({std::move(*decoded), {}});
}

failure broker_link::failure_of(const frame_header& header, const buffer& payload) {
  failure fail = failure::of(header.status, {});
  fail.uncertain = header.status == errc::timed_out || header.status == errc::internal;
  auto decoded = decode<error_response>(payload, header.version);
  if (!decoded)
    return fail;
  fail.err.message = std::move(decoded->message);
  fail.retriable = decoded->retriable;
  if (decoded->leader >= 0)
    fail.leader = node_id(decoded->leader);
  fail.leader_address = std::move(decoded->leader_address);
  return fail;
}

void broker_link::written(std::uint32_t id) {
  const auto self = shared_from_this();
  raw_answer outcome;
  outcome.is_one_way = true;
  complete(id, std::move(outcome));
}

// -- the connection -------------------------------------------------------------------------------

void broker_link::connect() {
  state_ = state::connecting;
  state_deadline_ = after(clock::now(), settings_.connect_timeout);
  sink& told = *this;
  connection_ = std::make_shared<connection>(io_, told);
  connection_->open(peer_);
  wake_by(state_deadline_);
}

void broker_link::connected() {
  const auto self = shared_from_this();
  state_ = state::hello;
  greet();
}

void broker_link::greet() {
  hello_request hello;
  hello.protocol_min = protocol_version;
  hello.protocol_max = protocol_version;
  hello.client_id = settings_.client_id;
  hello.software = "aqueduct-client/" AQUEDUCT_CLIENT_VERSION;
  hello.rack = settings_.rack;
  frame_header header;
  header.key = api_key::hello;
  header.correlation_id = hello_id_ = next_id_++;
  buffer_chain first(
      buffer::copy_of(std::string_view(native_preface.data(), native_preface.size())));
  const auto frame = encode_frame(header, hello);
  for (const auto& part : frame.parts())
    first.append(part);
  connection_->write(std::move(first));
}

void broker_link::received_hello(const frame_header& header, const buffer& payload) {
  if (header.correlation_id != hello_id_ || header.key != api_key::hello)
    return distrust({errc::connection_lost, "the broker answered something else than HELLO"});
  if (header.status != errc::none)
    return down(failure_of(header, payload).err, true);
  auto decoded = decode<hello_response>(payload, header.version);
  if (!decoded)
    return distrust(decoded.error());
  if (decoded->protocol != protocol_version)
    return down({errc::unsupported_version,
                 to_string(peer_) + " wants protocol " + std::to_string(decoded->protocol) +
                     "; this library speaks " + std::to_string(protocol_version)},
                true);
  if (decoded->frame_bytes_max < broker_frame_bytes_min)
    return distrust({errc::connection_lost,
                     "a frame limit of " + std::to_string(decoded->frame_bytes_max) + " bytes"});
  hello_ = std::move(*decoded);
  state_ = state::ready;
  state_deadline_ = never;
  ready_since_ = clock::now();
  connection_->frame_bytes_max(settings_.frame_bytes_max);
  for (const auto id : std::exchange(unsent_, {}))
    if (const auto found = requests_.find(id); found != requests_.end())
      transmit(id, found->second);
  if (settings_.idle_timeout.count() > 0)
    wake_by(after(last_use_, settings_.idle_timeout));
}

void broker_link::closed(const error& why) {
  const auto self = shared_from_this();
  connection_ = nullptr;
  if (state_ != state::ready)
    return down({errc::broker_unavailable, why.message}, true);
  // A connection that served for a while may be replaced at once; one that did not gets a pause.
  down(why, clock::now() < after(ready_since_, settings_.backoff_max));
}

void broker_link::distrust(const error& why) {
  down({errc::connection_lost, to_string(peer_) + " sent what makes no sense: " + why.message},
       true);
}

void broker_link::down(error why, bool back_off) {
  if (state_ == state::shut_down)
    return;
  if (connection_)
    std::exchange(connection_, nullptr)->close();
  last_error_ = std::move(why);
  if (state_ == state::ready && clock::now() >= after(ready_since_, settings_.backoff_max))
    backoff_.reset();
  if (back_off) {
    state_ = state::waiting;
    state_deadline_ = after(clock::now(), backoff_.next());
    wake_by(state_deadline_);
  } else {
    state_ = state::idle;
    state_deadline_ = never;
  }
  fail_all(last_error_);
}

void broker_link::fail_all(const error& why) {
  // Handlers may send new requests: those wait for the next attempt and are not of these tables.
  const auto requests = std::exchange(requests_, {});
  const auto pushes = std::exchange(pushes_, {});
  unsent_.clear();
  bytes_in_flight_ = 0;
  std::vector<std::uint32_t> ids;
  ids.reserve(requests.size());
  for (const auto& [id, request] : requests)
    ids.push_back(id);
  // In the order in which they were sent.
  std::ranges::sort(
      ids, [](std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; });
  for (const auto id : ids) {
    const auto& request = requests.at(id);
    raw_answer outcome;
    outcome.fail = failure::of(why.code, why.message);
    outcome.fail->uncertain = request.is_sent;
    request.done(std::move(outcome));
  }
  for (const auto& [id, handler] : pushes)
    handler({{}, failure::of(why.code, why.message)});
}

// -- time -----------------------------------------------------------------------------------------

void broker_link::wake_by(time_point when) {
  if (when >= armed_for_)
    return;
  armed_for_ = when;
  timer_.expires_at(when);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
    if (const auto self = weak.lock(); self && !cancelled)
      self->on_timer();
  });
}

void broker_link::on_timer() {
  armed_for_ = never;
  if (state_ == state::shut_down)
    return;
  const auto now = clock::now();
  if (state_ == state::waiting && now >= state_deadline_) {
    state_ = state::idle;
    state_deadline_ = never;
    if (!unsent_.empty())
      connect();
  } else if ((state_ == state::connecting || state_ == state::hello) && now >= state_deadline_) {
    down({errc::broker_unavailable, to_string(peer_) + ": no answer within " +
                                        std::to_string(settings_.connect_timeout.count()) + " ms"},
         true);
  } else if (state_ == state::ready && requests_.empty() && pushes_.empty() &&
             settings_.idle_timeout.count() > 0 &&
             now >= after(last_use_, settings_.idle_timeout)) {
    down({errc::connection_lost, to_string(peer_) + ": closed after a long time without use"},
         false);
  }
  if (settings_.stalled && now >= next_alarm_ && is_stalled()) {
    next_alarm_ = after(now, alarm_interval);
    settings_.stalled();
  }
  expire_requests(now);
  wake_by(next_wake(now));
}

bool broker_link::is_stalled() const {
  const auto now = clock::now();
  return std::ranges::any_of(requests_, [&](const auto& each) {
    return each.second.is_sent && each.second.options.stalled_at <= now;
  });
}

void broker_link::expire_requests(time_point now) {
  std::vector<std::uint32_t> expired;
  for (const auto& [id, request] : requests_)
    if (request.options.deadline <= now)
      expired.push_back(id);
  bool is_suspect = false;
  for (const auto id : expired) {
    const auto found = requests_.find(id);
    if (found == requests_.end())
      continue;
    const auto was_sent = found->second.is_sent;
    is_suspect = is_suspect || (was_sent && found->second.options.close_on_timeout);
    pushes_.erase(id);
    raw_answer outcome;
    outcome.fail = failure::of(
        errc::timed_out, to_string(peer_) + ": " + std::string(to_string(found->second.key)) +
                             (was_sent ? " was not answered in time"
                                       : " could not be sent in time: " + last_error_.message));
    outcome.fail->uncertain = was_sent;
    complete(id, std::move(outcome));
  }
  if (is_suspect && connection_)
    down({errc::connection_lost, to_string(peer_) + ": a request was not answered in time"}, true);
}

time_point broker_link::next_wake(time_point now) const {
  auto wake = state_deadline_;
  for (const auto& [id, request] : requests_) {
    wake = std::min(wake, request.options.deadline);
    if (settings_.stalled && request.options.stalled_at != never)
      wake = std::min(wake, std::max(request.options.stalled_at, next_alarm_));
  }
  if (state_ == state::ready && settings_.idle_timeout.count() > 0) {
    const auto unused = after(last_use_, settings_.idle_timeout);
    wake = std::min(wake, unused > now ? unused : after(now, settings_.idle_timeout));
  }
  return wake;
}

} // namespace aqueduct::client
