#include "apps/bench/floor_peer.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aqueduct::bench {

namespace {

constexpr std::size_t chunk_bytes = 16 * 1024;
/// Larger frames are received into memory of their own, so that at most a chunk of them is copied.
constexpr std::size_t large_bytes = 8 * 1024;
constexpr std::size_t frame_bytes_max = std::size_t{64} << 20;
constexpr std::size_t read_at_once = std::size_t{1} << 20;

} // namespace

floor_peer::floor_peer(int descriptor, int epoll)
    : descriptor_(descriptor), epoll_(epoll), chunk_(chunk_bytes) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor_, &event);
}

floor_peer::~floor_peer() {
  ::close(descriptor_);
}

void floor_peer::watch(bool for_room) {
  epoll_event event{};
  event.events = EPOLLIN | (for_room ? EPOLLOUT : 0u);
  event.data.ptr = this;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor_, &event);
}

// -- reading --------------------------------------------------------------------------------------

bool floor_peer::receive(const frame_handler& handle) {
  for (std::size_t total = 0; total < read_at_once;) {
    const bool is_large = !large_.empty();
    auto* to = is_large ? large_.data() + large_filled_ : chunk_.data() + chunk_filled_;
    const auto room = is_large ? large_.size() - large_filled_ : chunk_.size() - chunk_filled_;
    const auto got = ::recv(descriptor_, to, room, 0);
    if (got < 0 && errno == EAGAIN)
      return true;
    if (got <= 0)
      return got < 0 && errno == EINTR;
    total += static_cast<std::size_t>(got);
    (is_large ? large_filled_ : chunk_filled_) += static_cast<std::size_t>(got);
    if (!take_frames(handle))
      return false;
    if (static_cast<std::size_t>(got) < room)
      return true;
  }
  return true;
}

bool floor_peer::take_frames(const frame_handler& handle) {
  using protocol::frame_header_size;
  const auto give = [&](const mutable_buffer& frame) {
    const auto header = protocol::read_frame_header(frame.data(), frame_bytes_max);
    handle(*header, frame.freeze().slice(frame_header_size, frame.size() - frame_header_size));
  };
  if (!large_.empty()) {
    if (large_filled_ == large_.size())
      give(std::exchange(large_, {}));
    return true;
  }
  std::size_t at = 0;
  if (!preface_seen_) {
    if (chunk_filled_ < protocol::native_preface.size())
      return true;
    preface_seen_ = true;
    at = protocol::native_preface.size();
  }
  while (chunk_filled_ - at >= frame_header_size && large_.empty()) {
    const auto header = protocol::read_frame_header(chunk_.data() + at, frame_bytes_max);
    if (!header)
      return false;
    const std::size_t size = header->length + 4;
    const auto here = std::min(size, chunk_filled_ - at);
    if (size > large_bytes) {
      large_ = mutable_buffer(size);
      large_filled_ = here;
      std::memcpy(large_.data(), chunk_.data() + at, here);
      if (here == size)
        give(std::exchange(large_, {}));
    } else if (here == size) {
      // The chunk outlives the call, and who gets the slice copies it.
      give({std::shared_ptr<std::byte>(std::shared_ptr<void>(), chunk_.data() + at), size});
    } else {
      break;
    }
    at += here;
  }
  std::memmove(chunk_.data(), chunk_.data() + at, chunk_filled_ - at);
  chunk_filled_ -= at;
  return true;
}

// -- writing --------------------------------------------------------------------------------------

std::size_t floor_peer::send_some(const std::byte* data, std::size_t size) const {
  const auto sent = ::send(descriptor_, data, size, MSG_NOSIGNAL);
  // What a broken connection does not take is dropped; reading from it will tell.
  if (sent < 0)
    return errno == EAGAIN ? 0 : size;
  return static_cast<std::size_t>(sent);
}

void floor_peer::reply(std::vector<std::byte>& bytes) {
  const std::lock_guard lock(mutex_);
  if (out_sent_ < out_.size()) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return;
  }
  const auto sent = send_some(bytes.data(), bytes.size());
  if (sent == bytes.size())
    return;
  std::swap(out_, bytes);
  out_sent_ = sent;
  watch(true);
}

void floor_peer::send_rest() {
  const std::lock_guard lock(mutex_);
  out_sent_ += send_some(out_.data() + out_sent_, out_.size() - out_sent_);
  if (out_sent_ == out_.size())
    watch(false);
}

} // namespace aqueduct::bench
