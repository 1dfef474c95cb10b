// The floor that nodes are measured against: what is left of it must not take part in the
// measurement.
#include "apps/bench/floor_peer.hpp"
#include "apps/bench/floor_server.hpp"
#include "apps/bench/floor_store.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

using namespace aqueduct;
using namespace aqueduct::bench;
using namespace aqueduct::test;

namespace {

/// The end of a connection that the floor has, in its epoll, and the other end.
struct connection {
  explicit connection(int epoll) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    peer = std::make_shared<floor_peer>(ends[0], epoll);
    other = ends[1];
  }
  ~connection() { ::close(other); }

  std::shared_ptr<floor_peer> peer;
  int other = -1;
};

} // namespace

TEST_CASE("a subscriber of the floor that is gone leaves nothing in its epoll") {
  const temp_directory folder;
  floor_options options;
  options.directory = folder.path().string();
  options.writers = 0;
  options.partitions = 1;
  options.file_bytes = 1 << 20;
  auto store = floor_store::open(options);
  REQUIRE(store);
  (*store)->prepare_responses("t");
  const int epoll = ::epoll_create1(0);
  REQUIRE(epoll >= 0);
  connection producer(epoll);
  const auto bytes = buffer::copy_of(std::array<std::byte, 3>{});
  {
    connection gone(epoll);
    (*store)->subscribe(0, gone.peer, 1);
    gone.peer.reset();
  }
  epoll_event event{};
  CHECK(::epoll_wait(epoll, &event, 1, 0) == 0);
  // Another one is told as before.
  connection stays(epoll);
  (*store)->subscribe(0, stays.peer, 2);
  (*store)->append(0, bytes, false, producer.peer, 1);
  (*store)->commit();
  std::array<char, 256> said{};
  CHECK(::read(stays.other, said.data(), said.size()) > 0);
  ::close(epoll);
}
