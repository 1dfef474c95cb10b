#include "tests/client/fake_cluster.hpp"

#include "protocol/record_batch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

namespace aqueduct::test {

using namespace protocol;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds patience{10};
constexpr std::size_t frame_bytes_max = std::size_t{64} << 20;

} // namespace

struct fake_cluster::session : std::enable_shared_from_this<fake_cluster::session> {
  struct subscription {
    std::uint32_t correlation = 0;
    std::string topic;
    int partition = 0;
    std::int64_t next = 0;
    std::int64_t credit = 0;
    std::size_t push_bytes_max = 0;
  };

  session(fake_cluster& owner, int at, tcp::socket with)
      : cluster(owner), node(at), socket(std::move(with)) {}

  void read_preface() {
    asio::async_read(socket, asio::buffer(preface),
                     [self = shared_from_this()](error_code failed, std::size_t) {
                       if (failed || self->preface != native_preface)
                         return self->close();
                       self->read_header();
                     });
  }
  void read_header() {
    asio::async_read(socket, asio::buffer(head),
                     [self = shared_from_this()](error_code failed, std::size_t) {
                       if (failed == asio::error::eof)
                         self->cluster.ended();
                       auto header = read_frame_header(self->head.data(), frame_bytes_max);
                       if (failed || !header)
                         return self->close();
                       self->read_payload(*header);
                     });
  }
  void read_payload(const frame_header& header) {
    auto payload = std::make_shared<std::vector<std::byte>>(header.payload_size());
    asio::async_read(socket, asio::buffer(*payload),
                     [self = shared_from_this(), header, payload](error_code failed, std::size_t) {
                       if (failed)
                         return self->close();
                       self->cluster.handle(self, header, buffer::copy_of(*payload));
                       if (self->socket.is_open())
                         self->read_header();
                     });
  }
  void write(buffer_chain bytes) {
    auto flat = std::make_shared<buffer>(bytes.flatten());
    queue.push_back(std::move(flat));
    if (queue.size() == 1)
      write_next();
  }
  void write_next() {
    const auto bytes = queue.front();
    asio::async_write(socket, asio::buffer(bytes->data(), bytes->size()),
                      [self = shared_from_this(), bytes](error_code failed, std::size_t) {
                        if (failed)
                          return self->close();
                        self->queue.pop_front();
                        if (!self->queue.empty())
                          self->write_next();
                      });
  }
  void close() {
    error_code ignored;
    socket.close(ignored);
  }

  fake_cluster& cluster;
  int node;
  tcp::socket socket;
  std::array<char, 8> preface{};
  std::array<std::byte, frame_header_size> head{};
  std::deque<std::shared_ptr<buffer>> queue;
  std::map<std::uint32_t, subscription> subscriptions;
};

struct fake_cluster::broker {
  broker(asio::io_context& io, int number) : node(number), acceptor(io) {}

  int node;
  std::uint16_t port = 0;
  tcp::acceptor acceptor;
  std::vector<std::weak_ptr<session>> sessions;
};

struct fake_cluster::parked_fetch {
  parked_fetch(asio::io_context& io, session_ptr by, fake_request what, reaction react)
      : from(std::move(by)), request(std::move(what)), how(react), timer(io) {}

  session_ptr from;
  fake_request request;
  reaction how;
  asio::steady_timer timer;
};

// -- control --------------------------------------------------------------------------------------

fake_cluster::fake_cluster(int brokers) {
  hello.frame_bytes_max = frame_bytes_max;
  hello.software = "fake/1";
  hello.cluster.bytes[0] = 7;
  for (const auto& api : api_table())
    hello.apis.push_back({static_cast<std::uint16_t>(api.key), api.version_min, api.version_max});
  for (int node = 0; node < brokers; ++node) {
    brokers_.push_back(std::make_unique<broker>(io_, node));
    listen(*brokers_.back());
  }
  thread_ = std::thread([this] {
    const auto work = asio::make_work_guard(io_);
    io_.run();
  });
}

fake_cluster::~fake_cluster() {
  io_.stop();
  thread_.join();
}

std::string fake_cluster::address(int node) const {
  return "127.0.0.1:" + std::to_string(brokers_[static_cast<std::size_t>(node)]->port);
}

std::vector<std::string> fake_cluster::addresses() const {
  std::vector<std::string> all;
  for (const auto& each : brokers_)
    all.push_back(address(each->node));
  return all;
}

void fake_cluster::add_topic(const std::string& name, int partitions, int leader) {
  const std::lock_guard lock(mutex_);
  auto& topic = topics[name];
  topic.id.bytes[0] = static_cast<std::uint8_t>(topics.size());
  topic.partitions.resize(static_cast<std::size_t>(partitions));
  for (auto& each : topic.partitions)
    each.leader = leader;
}

void fake_cluster::on(api_key key, script reacts) {
  const std::lock_guard lock(mutex_);
  scripts_[key] = std::move(reacts);
}

void fake_cluster::on_next(api_key key, int times, reaction how) {
  on(key,
     [left = times, how](const fake_request&) mutable { return left-- > 0 ? how : reaction{}; });
}

std::size_t fake_cluster::release(bool reversed) {
  std::vector<std::function<void()>> held;
  {
    const std::lock_guard lock(mutex_);
    held.swap(held_);
  }
  if (reversed)
    std::ranges::reverse(held);
  asio::post(io_, [held] {
    for (const auto& each : held)
      each();
  });
  return held.size();
}

void fake_cluster::listen(broker& on) {
  const tcp::endpoint at(asio::ip::address_v4::loopback(), on.port);
  on.acceptor.open(at.protocol());
  on.acceptor.set_option(tcp::acceptor::reuse_address(true));
  on.acceptor.bind(at);
  on.acceptor.listen();
  on.port = on.acceptor.local_endpoint().port();
  accept(on);
}

void fake_cluster::accept(broker& from) {
  from.acceptor.async_accept([this, &from](error_code failed, tcp::socket socket) {
    if (failed)
      return;
    {
      const std::lock_guard lock(mutex_);
      ++accepted_;
      auto added = std::make_shared<session>(*this, from.node, std::move(socket));
      from.sessions.push_back(added);
      added->read_preface();
    }
    changed_.notify_all();
    accept(from);
  });
}

void fake_cluster::stop(int node) {
  std::promise<void> done;
  asio::post(io_, [&] {
    auto& target = *brokers_[static_cast<std::size_t>(node)];
    target.acceptor.close();
    for (const auto& each : std::exchange(target.sessions, {}))
      if (const auto open = each.lock())
        open->close();
    done.set_value();
  });
  done.get_future().wait();
}

void fake_cluster::start(int node) {
  std::promise<void> done;
  asio::post(io_, [&] {
    listen(*brokers_[static_cast<std::size_t>(node)]);
    done.set_value();
  });
  done.get_future().wait();
}

void fake_cluster::drop_connections() {
  std::promise<void> done;
  asio::post(io_, [&] {
    for (const auto& target : brokers_)
      for (const auto& each : std::exchange(target->sessions, {}))
        if (const auto open = each.lock())
          open->close();
    done.set_value();
  });
  done.get_future().wait();
}

void fake_cluster::move_leader(const std::string& topic, int partition, int to) {
  const std::lock_guard lock(mutex_);
  auto& moved = topics.at(topic).partitions.at(static_cast<std::size_t>(partition));
  moved.leader = to;
  ++moved.epoch;
}

bool fake_cluster::wait(const std::function<bool()>& holds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, holds);
}

int fake_cluster::count(api_key key) {
  const std::lock_guard lock(mutex_);
  return counts_[key];
}

int fake_cluster::connections_accepted() {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

void fake_cluster::ended() {
  {
    const std::lock_guard lock(mutex_);
    ++connections_ended;
  }
  changed_.notify_all();
}

// -- requests -------------------------------------------------------------------------------------

void fake_cluster::handle(const session_ptr& from, const frame_header& header, buffer payload) {
  {
    const std::lock_guard lock(mutex_);
    fake_request request{from->node, header, std::move(payload), counts_[header.key]++};
    log.push_back(request);
    const auto found = scripts_.find(header.key);
    const auto how = found == scripts_.end() ? reaction{} : found->second(request);
    act(from, request, how);
  }
  changed_.notify_all();
}

void fake_cluster::act(const session_ptr& from, const fake_request& request, const reaction& how) {
  switch (how.what) {
  case reaction::kind::ignore:
    return;
  case reaction::kind::close:
    return from->close();
  case reaction::kind::raw:
    return from->write(buffer::copy_of(how.bytes));
  case reaction::kind::fail:
    return fail(from, request, how.code, "as the script says", how);
  default:
    break;
  }
  switch (request.header.key) {
  case api_key::hello:
    hello.node = from->node;
    std::erase_if(hello.apis, [&](const api_range& range) {
      return unknown_apis.contains(static_cast<api_key>(range.key));
    });
    return answer(from, request, hello, how);
  case api_key::metadata:
    return answer(from, request, metadata(request.as<metadata_request>()), how);
  case api_key::init_producer_id: {
    const auto asked = request.as<init_producer_id_request>();
    init_producer_id_response identity;
    const bool is_known = asked.producer_id >= 0;
    identity.producer_id = is_known ? asked.producer_id : next_producer_id++;
    identity.producer_epoch =
        is_known ? static_cast<std::int16_t>(asked.producer_epoch + 1) : std::int16_t{0};
    return answer(from, request, identity, how);
  }
  case api_key::produce: {
    const auto asked = request.as<produce_request>();
    produce_response response;
    for (const auto& topic : asked.topics) {
      produce_topic_result& results = response.topics.emplace_back();
      results.name = topic.name;
      for (const auto& part : topic.partitions) {
        if (how.what == reaction::kind::fail_partitions)
          results.partitions.push_back(
              {part.partition, how.code, "as the script says", -1, -1, -1, -1, how.leader});
        else
          results.partitions.push_back(produce(from->node, topic.name, part));
      }
    }
    wake_fetches();
    push_all();
    if (asked.acks != acks::none)
      answer(from, request, response, how);
    return;
  }
  case api_key::fetch: {
    bool is_any = false;
    auto response = read(request, is_any);
    if (how.what == reaction::kind::fail_partitions)
      for (auto& topic : response.topics)
        for (auto& part : topic.partitions) {
          is_any = true;
          part.error = how.code;
          part.leader = how.leader;
          part.records = {};
        }
    const auto wait_ms = request.as<fetch_request>().max_wait_ms;
    if (!is_any && wait_ms > 0)
      return park(from, request, how, wait_ms);
    return answer(from, request, response, how);
  }
  case api_key::list_offsets: {
    auto response = list_offsets(request);
    if (how.what == reaction::kind::fail_partitions)
      for (auto& topic : response.topics)
        for (auto& part : topic.partitions) {
          part.error = how.code;
          part.leader = how.leader;
        }
    return answer(from, request, response, how);
  }
  case api_key::subscribe:
  case api_key::credit:
  case api_key::unsubscribe:
    return subscribe(from, request, how);
  default:
    return administrate(from, request, how);
  }
}

template <class M>
void fake_cluster::answer(const session_ptr& to, const fake_request& request, const M& message,
                          const reaction& how) {
  frame_header header;
  header.kind = frame_kind::response;
  header.key = request.header.key;
  header.version = request.header.version;
  header.correlation_id = request.header.correlation_id;
  send(to, request, encode_frame(header, message), how);
}

void fake_cluster::fail(const session_ptr& to, const fake_request& request, errc code,
                        std::string message, const reaction& how) {
  frame_header header;
  header.kind = frame_kind::response;
  header.key = request.header.key;
  header.version = request.header.version;
  header.correlation_id = request.header.correlation_id;
  header.status = code;
  error_response body{std::move(message), how.retriable, how.leader, {}};
  if (how.leader >= 0)
    body.leader_address = address(how.leader);
  send(to, request, encode_frame(header, body), how);
}

void fake_cluster::send(const session_ptr& to, const fake_request&, buffer_chain frame,
                        const reaction& how) {
  if (how.what == reaction::kind::act_and_close)
    return to->close();
  if (how.what == reaction::kind::hold) {
    held_.push_back([to, frame = std::move(frame)] { to->write(frame); });
    return;
  }
  to->write(std::move(frame));
}

metadata_response fake_cluster::metadata(const metadata_request& request) {
  metadata_response response;
  response.cluster = hello.cluster;
  response.controller = 0;
  response.metadata_version = 1;
  for (const auto& each : brokers_)
    response.brokers.push_back({each->node, "127.0.0.1", each->port, racks[each->node]});
  std::vector<std::string> names;
  if (request.topics)
    names = *request.topics;
  else
    for (const auto& [name, topic] : topics)
      names.push_back(name);
  for (const auto& name : names) {
    if (request.auto_create && auto_create && !topics.contains(name))
      topics[name].partitions.resize(1);
    topic_metadata& told = response.topics.emplace_back();
    told.name = name;
    const auto found = topics.find(name);
    if (found == topics.end()) {
      told.error = errc::unknown_topic;
      continue;
    }
    told.id = found->second.id;
    std::int32_t number = 0;
    for (const auto& part : found->second.partitions) {
      std::vector<std::int32_t> replicas{part.leader};
      for (const auto& [node, end] : part.followers)
        if (node != part.leader)
          replicas.push_back(node);
      told.partitions.push_back({number++, errc::none, part.leader, part.epoch, replicas});
    }
  }
  return response;
}

errc fake_cluster::check_sequence(fake_partition& in, const produce_partition& part,
                                  std::int64_t& repeat_of) {
  const auto header = batch_view(part.records.flatten().bytes()).header();
  if (!header.is_idempotent())
    return errc::none;
  auto [found, is_new] = in.producers.try_emplace(header.producer.value);
  auto& state = found->second;
  const auto last = header.last_sequence();
  if (!is_new && header.producer_epoch < state.epoch)
    return errc::fenced_epoch;
  if (!is_new && header.producer_epoch == state.epoch) {
    for (const auto& each : state.last_five)
      if (each.first == header.base_sequence && each.last == last) {
        repeat_of = each.base_offset;
        return errc::none;
      }
    const auto expected =
        state.last_five.empty() ? 0 : sequence_after(state.last_five.back().last, 1);
    if (header.base_sequence != expected)
      return errc::out_of_order_sequence;
  } else if (header.base_sequence != 0) {
    // Stricter than Kafka, which takes any number from a producer that it does not know: here a
    // producer that starts wrong is a failed test.
    return errc::out_of_order_sequence;
  } else {
    state.last_five.clear();
  }
  state.epoch = header.producer_epoch;
  state.last_five.push_back({header.base_sequence, last, in.end});
  if (state.last_five.size() > 5)
    state.last_five.pop_front();
  return errc::none;
}

produce_partition_result fake_cluster::produce(int node, const std::string& topic,
                                               const produce_partition& part) {
  produce_partition_result result;
  result.partition = part.partition;
  const auto found = topics.find(topic);
  if (found == topics.end()) {
    result.error = errc::unknown_topic;
    return result;
  }
  auto& in = found->second.partitions.at(static_cast<std::size_t>(part.partition));
  const auto bytes = part.records.flatten();
  const auto valid = validate_batch(bytes.bytes(), {.batch_bytes_max = 1u << 30});
  if (in.leader != node) {
    result.error = errc::not_leader;
    result.leader = in.leader;
  } else if (!valid) {
    result.error = valid.error().code;
    result.message = valid.error().message;
  } else if (bytes.size() > found->second.batch_bytes_max) {
    result.error = errc::message_too_large;
  } else if (part.expected_offset >= 0 && part.expected_offset != in.end) {
    result.error = errc::offset_conflict;
    result.end_offset = in.end;
  } else {
    std::int64_t repeat_of = -1;
    result.error = check_sequence(in, part, repeat_of);
    result.base_offset = repeat_of >= 0 ? repeat_of : in.end;
    if (result.error == errc::none && repeat_of < 0) {
      std::vector<std::byte> copy(bytes.bytes().begin(), bytes.bytes().end());
      stamp_batch(copy.data(), offset_t(in.end), leader_epoch(in.epoch));
      in.batches.push_back(buffer::from(std::move(copy)));
      in.end += valid->record_count;
    }
  }
  return result;
}

// -- reading --------------------------------------------------------------------------------------

buffer fake_cluster::read_batches(const fake_partition& from, std::int64_t offset,
                                  std::size_t bytes_max) {
  buffer_chain all;
  for (const auto& batch : from.batches) {
    if (batch_view(batch.bytes()).next_offset().value <= offset)
      continue;
    if (!all.empty() && all.size() + batch.size() > bytes_max)
      break;
    all.append(batch);
  }
  return all.flatten();
}

fetch_response fake_cluster::read(const fake_request& request, bool& is_any) {
  fetch_response response;
  const auto asked = request.as<fetch_request>();
  for (const auto& topic : asked.topics) {
    fetch_topic_result& results = response.topics.emplace_back();
    results.name = topic.name;
    for (const auto& part : topic.partitions) {
      fetch_partition_result& result = results.partitions.emplace_back();
      result.partition = part.partition;
      const auto found = topics.find(topic.name);
      if (found == topics.end()) {
        result.error = errc::unknown_topic;
        is_any = true;
        continue;
      }
      const auto& in = found->second.partitions.at(static_cast<std::size_t>(part.partition));
      result.high_watermark = in.end;
      result.log_start = in.log_start;
      result.replica = request.node;
      result.leads = in.leader == request.node;
      const auto follower = in.followers.find(request.node);
      if (!result.leads && asked.freshness != fetch_freshness::leader &&
          follower != in.followers.end()) {
        if (follower->second >= 0)
          result.high_watermark = follower->second;
        result.age_ms = 7;
        if (part.offset < result.high_watermark)
          result.records = read_batches(in, part.offset, static_cast<std::size_t>(part.bytes_max));
      } else if (!result.leads) {
        result.error = errc::not_leader;
        result.leader = in.leader;
      } else if (part.offset < in.log_start || part.offset > in.end) {
        result.error = errc::offset_out_of_range;
      } else {
        result.records = read_batches(in, part.offset, static_cast<std::size_t>(part.bytes_max));
      }
      is_any = is_any || result.error != errc::none || !result.records.empty();
    }
  }
  return response;
}

void fake_cluster::park(const session_ptr& from, const fake_request& request, const reaction& how,
                        int wait_ms) {
  auto parked = std::make_shared<parked_fetch>(io_, from, request, how);
  parked_.push_back(parked);
  parked->timer.expires_after(std::chrono::milliseconds(wait_ms));
  parked->timer.async_wait([this, parked](error_code cancelled) {
    if (cancelled)
      return;
    const std::lock_guard lock(mutex_);
    parked_.remove(parked);
    bool is_any = false;
    answer(parked->from, parked->request, read(parked->request, is_any), parked->how);
  });
}

void fake_cluster::wake_fetches() {
  parked_.remove_if([&](const std::shared_ptr<parked_fetch>& parked) {
    bool is_any = false;
    const auto response = read(parked->request, is_any);
    if (!is_any)
      return false;
    parked->timer.cancel();
    answer(parked->from, parked->request, response, parked->how);
    return true;
  });
}

list_offsets_response fake_cluster::list_offsets(const fake_request& request) {
  list_offsets_response response;
  for (const auto& topic : request.as<list_offsets_request>().topics) {
    list_offsets_topic_result& results = response.topics.emplace_back();
    results.name = topic.name;
    for (const auto& part : topic.partitions) {
      list_offsets_partition_result& result = results.partitions.emplace_back();
      result.partition = part.partition;
      const auto found = topics.find(topic.name);
      if (found == topics.end()) {
        result.error = errc::unknown_topic;
        continue;
      }
      const auto& in = found->second.partitions.at(static_cast<std::size_t>(part.partition));
      result.leader_epoch = in.epoch;
      if (in.leader != request.node) {
        result.error = errc::not_leader;
        result.leader = in.leader;
      } else if (part.timestamp_ms == earliest_timestamp) {
        result.offset = in.log_start;
      } else if (part.timestamp_ms == latest_timestamp) {
        result.offset = in.end;
      } else {
        for (const auto& batch : in.batches)
          if (const batch_view view(batch.bytes());
              result.offset < 0 && view.max_timestamp().value >= part.timestamp_ms) {
            result.offset = view.base_offset().value;
            result.timestamp_ms = view.max_timestamp().value;
          }
      }
    }
  }
  return response;
}

void fake_cluster::subscribe(const session_ptr& from, const fake_request& request,
                             const reaction& how) {
  if (request.header.key == api_key::credit) {
    const auto credit = request.as<credit_request>();
    credit_given += credit.bytes;
    from->subscriptions[credit.subscription].credit += credit.bytes;
    return push(from);
  }
  if (request.header.key == api_key::unsubscribe) {
    from->subscriptions.erase(request.as<unsubscribe_request>().subscription);
    --subscriptions_open;
    return answer(from, request, unsubscribe_response{}, how);
  }
  const auto asked = request.as<subscribe_request>();
  const auto& part = asked.partitions.at(0);
  subscribe_response response;
  auto& result = response.partitions.emplace_back();
  result.partition = part.partition;
  const auto& in = topics.at(asked.topic).partitions.at(static_cast<std::size_t>(part.partition));
  if (in.leader != from->node)
    result.error = errc::not_leader;
  else if (part.offset < in.log_start || part.offset > in.end)
    result.error = errc::offset_out_of_range;
  else
    result.offset = part.offset;
  answer(from, request, response, how);
  if (result.error != errc::none)
    return;
  ++subscriptions_open;
  from->subscriptions[asked.subscription] = {request.header.correlation_id,
                                             asked.topic,
                                             part.partition,
                                             part.offset,
                                             asked.credit_bytes,
                                             static_cast<std::size_t>(asked.push_bytes_max)};
  push(from);
}

void fake_cluster::push_all() {
  for (const auto& each : brokers_)
    for (const auto& weak : each->sessions)
      if (const auto open = weak.lock())
        push(open);
}

void fake_cluster::push(const session_ptr& to) {
  for (auto& [number, sub] : to->subscriptions)
    while (sub.credit > 0 && !sub.topic.empty()) {
      const auto& in = topics.at(sub.topic).partitions.at(static_cast<std::size_t>(sub.partition));
      const auto most = std::min(sub.push_bytes_max, static_cast<std::size_t>(sub.credit));
      auto batches = read_batches(in, sub.next, most);
      if (batches.empty())
        break;
      delivery message{number, sub.partition, errc::none, "", in.end, in.log_start, batches};
      auto rest = batches.bytes();
      for (auto batch = next_batch(rest); batch && *batch; batch = next_batch(rest))
        sub.next = (*batch)->next_offset().value;
      sub.credit -= static_cast<std::int64_t>(batches.size());
      bytes_pushed += static_cast<std::int64_t>(batches.size());
      frame_header header;
      header.kind = frame_kind::push;
      header.key = api_key::delivery;
      header.correlation_id = sub.correlation;
      to->write(encode_frame(header, message));
    }
}

// -- topics ---------------------------------------------------------------------------------------

void fake_cluster::administrate(const session_ptr& from, const fake_request& request,
                                const reaction& how) {
  switch (request.header.key) {
  case api_key::api_versions:
    return answer(from, request, api_versions_response{hello.apis}, how);
  case api_key::create_topic: {
    const auto asked = request.as<create_topic_request>();
    if (topics.contains(asked.name))
      return fail(from, request, errc::topic_exists, "there is a topic of that name",
                  {.retriable = false});
    const auto partitions = asked.partitions < 0 ? 1 : asked.partitions;
    if (!asked.validate_only)
      topics[asked.name].partitions.resize(static_cast<std::size_t>(partitions));
    return answer(from, request, create_topic_response{topics[asked.name].id, partitions, 1}, how);
  }
  case api_key::delete_topic:
    if (topics.erase(request.as<delete_topic_request>().name) == 0)
      return fail(from, request, errc::unknown_topic, "there is no such topic", {});
    return answer(from, request, delete_topic_response{}, how);
  case api_key::alter_topic:
    return answer(from, request, alter_topic_response{}, how);
  case api_key::list_topics: {
    list_topics_response response;
    for (const auto& [name, topic] : topics)
      response.topics.push_back(
          {name, topic.id, static_cast<std::int32_t>(topic.partitions.size()), 1, 5});
    return answer(from, request, response, how);
  }
  case api_key::get_topic_info: {
    const auto found = topics.find(request.as<get_topic_info_request>().name);
    if (found == topics.end())
      return fail(from, request, errc::unknown_topic, "there is no such topic", {});
    get_topic_info_response response;
    response.name = found->first;
    response.id = found->second.id;
    std::int32_t number = 0;
    for (const auto& part : found->second.partitions) {
      auto& told = response.partitions.emplace_back();
      told.partition = number++;
      told.leader = part.leader;
      told.high_watermark = part.end;
    }
    return answer(from, request, response, how);
  }
  case api_key::delete_records: {
    const auto asked = request.as<delete_records_request>();
    delete_records_response response;
    for (const auto& part : asked.partitions) {
      auto& in = topics.at(asked.topic).partitions.at(static_cast<std::size_t>(part.partition));
      auto& result = response.partitions.emplace_back();
      result.partition = part.partition;
      if (in.leader != from->node) {
        result.error = errc::not_leader;
        result.leader = in.leader;
        continue;
      }
      in.log_start = part.before_offset < 0 ? in.end : part.before_offset;
      result.log_start = in.log_start;
    }
    return answer(from, request, response, how);
  }
  default:
    return coordinate(from, request, how);
  }
}

void fake_cluster::coordinate(const session_ptr& from, const fake_request& request,
                              const reaction& how) {
  group.port = brokers_.at(static_cast<std::size_t>(group.node))->port;
  group.act(from->node, request.header, request.payload, [&](const auto& outcome) {
    if (outcome)
      answer(from, request, *outcome, how);
    else
      fail(from, request, outcome.error().code, outcome.error().message, {.leader = group.node});
  });
}

} // namespace aqueduct::test
