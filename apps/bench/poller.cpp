#include "apps/bench/poller.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace aqueduct::bench {

namespace {

constexpr int events_max = 64;

result<void> watch(int epoll, int operation, int descriptor, std::size_t index, bool for_room) {
  epoll_event event{};
  event.events = EPOLLIN | (for_room ? EPOLLOUT : 0u);
  event.data.u64 = index;
  if (::epoll_ctl(epoll, operation, descriptor, &event) != 0)
    return unexpected(errc::internal, std::string("epoll_ctl: ") + std::strerror(errno));
  return {};
}

} // namespace

poller::poller(poller&& other) noexcept
    : epoll_(std::exchange(other.epoll_, -1)),
      links_(std::move(other.links_)),
      wants_room_(std::move(other.wants_room_)) {}

poller::~poller() {
  if (epoll_ >= 0)
    ::close(epoll_);
}

result<poller> poller::connect(std::uint16_t port, int count, wire speaks) {
  poller made(::epoll_create1(EPOLL_CLOEXEC));
  for (int i = 0; i < count; ++i) {
    auto connected = link::connect(port, speaks);
    if (!connected)
      return connected.propagate();
    if (auto started = connected->start(); !started)
      return started.propagate();
    made.links_.push_back(std::move(*connected));
    made.wants_room_.push_back(false);
    if (auto watched = watch(made.epoll_, EPOLL_CTL_ADD, made.links_.back().descriptor(),
                             made.links_.size() - 1, false);
        !watched)
      return watched.propagate();
  }
  return made;
}

result<void> poller::flush(std::size_t i) {
  const auto sent = links_[i].flush();
  if (!sent)
    return sent.propagate();
  if (*sent != wants_room_[i])
    return {};
  wants_room_[i] = !*sent;
  return watch(epoll_, EPOLL_CTL_MOD, links_[i].descriptor(), i, wants_room_[i]);
}

result<void> poller::poll(clock::time_point until, const frame_handler& handle) {
  const auto left = std::max(until - clock::now(), clock::duration::zero());
  const timespec wait{std::chrono::duration_cast<std::chrono::seconds>(left).count(),
                      static_cast<long>(std::chrono::nanoseconds(left).count() % 1'000'000'000)};
  epoll_event events[events_max];
  const auto count = ::epoll_pwait2(epoll_, events, events_max, &wait, nullptr);
  for (int e = 0; e < count; ++e) {
    const auto i = static_cast<std::size_t>(events[e].data.u64);
    if ((events[e].events & ~EPOLLOUT) != 0) {
      const auto given = [&](const protocol::frame_header& header, const buffer& payload) {
        return handle(i, header, payload);
      };
      if (auto read = links_[i].receive(given); !read)
        return read;
    }
    if (auto sent = flush(i); !sent)
      return sent;
  }
  return {};
}

} // namespace aqueduct::bench
