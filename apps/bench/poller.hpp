// The links of a load generator in one epoll.
#pragma once

#include "apps/bench/link.hpp"
#include "protocol/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace aqueduct::bench {

class poller {
public:
  using clock = std::chrono::steady_clock;
  using frame_handler = std::function<result<void>(
      std::size_t link, const protocol::frame_header& header, const buffer& payload)>;

  [[nodiscard]] static result<poller> connect(std::uint16_t port, int count,
                                              wire speaks = wire::native);
  poller(poller&& other) noexcept;
  poller& operator=(poller&&) = delete;
  ~poller();

  [[nodiscard]] std::size_t size() const { return links_.size(); }
  [[nodiscard]] link& at(std::size_t i) { return links_[i]; }

  /// Sends what is queued on a link, and the rest when its socket takes it.
  [[nodiscard]] result<void> flush(std::size_t i);
  /// Waits until something can be read or `until` is reached, reads every ready link once and sends
  /// what the handler queued.
  [[nodiscard]] result<void> poll(clock::time_point until, const frame_handler& handle);

private:
  explicit poller(int epoll) : epoll_(epoll) {}

  int epoll_;
  std::vector<link> links_;
  /// Whether epoll watches the link for room to write.
  std::vector<bool> wants_room_;
};

} // namespace aqueduct::bench
