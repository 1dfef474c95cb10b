#include "apps/bench/floor_server.hpp"

#include "apps/bench/floor_peer.hpp"
#include "apps/bench/floor_store.hpp"
#include "protocol/bytes.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unordered_map>

namespace aqueduct::bench {

namespace {

using protocol::api_key;
using peer_ptr = std::shared_ptr<floor_peer>;

constexpr int events_max = 64;
/// A batch below this size is in memory that is used again at once.
constexpr std::size_t lasting_bytes = 8 * 1024;

/// The front of a PRODUCE of one batch.
struct produce_front {
  int partition = 0;
  std::size_t records_at = 0;
};

produce_front read_front(const buffer& payload) {
  byte_reader in(payload.bytes());
  (void)in.read_bytes(1 + 4 + 1);
  (void)in.read_bytes(in.read_count(1));
  (void)in.read_varint();
  produce_front front;
  front.partition = in.read<std::int32_t>();
  (void)in.read<std::int64_t>();
  (void)in.read_varint();
  front.records_at = in.failed() ? payload.size() : payload.size() - in.remaining();
  return front;
}

class floor_server {
public:
  floor_server(floor_store& store, const floor_options& options, int listener, int epoll)
      : store_(store), options_(options), listener_(listener), epoll_(epoll) {}

  void run() {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
    epoll_event events[events_max];
    while (true) {
      const auto count = ::epoll_wait(epoll_, events, events_max, -1);
      for (int e = 0; e < count; ++e)
        handle(events[e]);
      store_.commit();
    }
  }

private:
  void handle(const epoll_event& event) {
    if (event.data.ptr == nullptr)
      return accept();
    const auto found = peers_.find(static_cast<floor_peer*>(event.data.ptr));
    if (found == peers_.end())
      return;
    const auto from = found->second;
    if ((event.events & EPOLLOUT) != 0)
      from->send_rest();
    if ((event.events & ~EPOLLOUT) == 0)
      return;
    const bool alive = from->receive([&](const protocol::frame_header& header,
                                         const buffer& payload) { serve(from, header, payload); });
    if (!alive)
      peers_.erase(found);
  }

  void accept() {
    const auto made = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (made < 0)
      return;
    const int on = 1;
    ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto added = std::make_shared<floor_peer>(made, epoll_);
    peers_.emplace(added.get(), added);
  }

  void serve(const peer_ptr& from, const protocol::frame_header& header, const buffer& payload) {
    switch (header.key) {
    case api_key::produce:
      return produce(from, header, payload);
    case api_key::fetch:
      return fetch(from, header, payload);
    case api_key::hello:
      return respond(from, header, protocol::hello_response());
    case api_key::create_topic:
      return create_topic(from, header, payload);
    case api_key::metadata:
      return respond(from, header, metadata());
    case api_key::subscribe:
      return subscribe(from, header, payload);
    default:
      return refuse(from, header);
    }
  }

  void produce(const peer_ptr& from, const protocol::frame_header& header, const buffer& payload) {
    const auto front = read_front(payload);
    if (!store_.has(front.partition))
      return refuse(from, header);
    const auto records = payload.slice(front.records_at, payload.size() - front.records_at);
    store_.append(front.partition, records, payload.size() >= lasting_bytes, from,
                  header.correlation_id);
  }

  void fetch(const peer_ptr& from, const protocol::frame_header& header, const buffer& payload) {
    const auto request = protocol::decode<protocol::fetch_request>(payload);
    if (!request || request->topics.empty() || request->topics[0].partitions.empty() ||
        !store_.has(request->topics[0].partitions[0].partition) ||
        request->topics[0].partitions[0].bytes_max <= 0)
      return refuse(from, header);
    const auto& asked = request->topics[0].partitions[0];
    protocol::fetch_response response;
    auto& topic = response.topics.emplace_back();
    topic.name = request->topics[0].name;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = asked.partition;
    // Records are the end of the frame: the varint of their size takes the place of that of 0,
    // which is the last byte, and they are read behind it.
    const auto front = protocol::encode_frame(response_header(header), response).flatten();
    const auto size = static_cast<std::size_t>(asked.bytes_max);
    const auto begin = front.size() - 1 + varint_size(size);
    auto& out = spare_;
    out.resize(begin + size);
    std::memcpy(out.data(), front.data(), front.size());
    store_varint(out.data() + front.size() - 1, size);
    store_be<std::uint32_t>(out.data(), static_cast<std::uint32_t>(out.size() - 4));
    const auto got = store_.read(asked.partition, static_cast<std::uint64_t>(asked.offset),
                                 std::span(out).subspan(begin));
    if (got != size)
      return refuse(from, header);
    from->reply(out);
  }

  void create_topic(const peer_ptr& from, const protocol::frame_header& header,
                    const buffer& payload) {
    const auto request = protocol::decode<protocol::create_topic_request>(payload);
    if (!request)
      return refuse(from, header);
    topic_ = request->name;
    store_.prepare_responses(topic_);
    respond(from, header, protocol::create_topic_response());
  }

  void subscribe(const peer_ptr& from, const protocol::frame_header& header,
                 const buffer& payload) {
    const auto request = protocol::decode<protocol::subscribe_request>(payload);
    if (!request || request->partitions.empty() || !store_.has(request->partitions[0].partition))
      return refuse(from, header);
    store_.subscribe(request->partitions[0].partition, from, request->subscription);
    respond(from, header, protocol::subscribe_response());
  }

  [[nodiscard]] protocol::metadata_response metadata() const {
    protocol::metadata_response response;
    auto& topic = response.topics.emplace_back();
    topic.name = topic_;
    for (int p = 0; p < options_.partitions; ++p) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition = p;
      partition.leader = 0;
    }
    return response;
  }

  [[nodiscard]] static protocol::frame_header
  response_header(const protocol::frame_header& request) {
    auto header = request;
    header.kind = protocol::frame_kind::response;
    return header;
  }

  template <protocol::defined M>
  static void respond(const peer_ptr& to, const protocol::frame_header& request, const M& message) {
    const auto whole = protocol::encode_frame(response_header(request), message).flatten();
    std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
    to->reply(bytes);
  }

  static void refuse(const peer_ptr& to, const protocol::frame_header& request) {
    auto header = response_header(request);
    header.status = errc::invalid_request;
    protocol::error_response response;
    response.message = "the floor server does not serve this";
    const auto whole = protocol::encode_frame(header, response).flatten();
    std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
    to->reply(bytes);
  }

  floor_store& store_;
  const floor_options& options_;
  int listener_;
  int epoll_;
  std::string topic_;
  /// Memory of the last fetch.
  std::vector<std::byte> spare_;
  std::unordered_map<floor_peer*, peer_ptr> peers_;
};

result<int> listen_on_loopback(std::uint16_t& port) {
  const auto listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 1024) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return unexpected(errc::internal, std::string("listen: ") + std::strerror(errno));
  port = ntohs(address.sin_port);
  return listener;
}

} // namespace

result<void> serve_floor(const floor_options& options) {
  // Memory of large frames is used again instead of being given back and zeroed each time.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  auto store = floor_store::open(options);
  if (!store)
    return store.propagate();
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(port);
  if (!listener)
    return listener.propagate();
  const auto epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0)
    return unexpected(errc::internal, std::string("epoll: ") + std::strerror(errno));
  std::printf("ready listen=127.0.0.1:%d\n", port);
  std::fflush(stdout);
  floor_server(**store, options, *listener, epoll).run();
  return {};
}

} // namespace aqueduct::bench
