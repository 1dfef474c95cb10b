#include "actors/network/deadline_queue.hpp"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("actors.deadline_queue");

using namespace aqueduct::actors::network;

namespace {

struct counted : expirable {
  void expire() override { ++times; }
  int times = 0;
};

struct lab {
  asio::io_context io;
  deadline_queue queue{io};
  deadline_queue::clock::time_point now = deadline_queue::clock::now();

  /// Runs until all deadlines that have passed were told.
  void run_past() {
    while (io.run_one_for(std::chrono::seconds(5)) > 0 && queue.size() > 0) {
    }
  }
};

} // namespace

TEST_CASE("whoever is late is told once, in order, and forgotten") {
  lab it;
  const auto first = std::make_shared<counted>();
  const auto second = std::make_shared<counted>();
  it.queue.add(it.now - std::chrono::seconds(1), second, &it);
  it.queue.add(it.now - std::chrono::seconds(2), first, &it);
  CHECK(it.queue.size() == 2);
  it.run_past();
  CHECK(first->times == 1);
  CHECK(second->times == 1);
  CHECK(it.queue.size() == 0);
}

TEST_CASE("a cancelled deadline takes no memory and is not told") {
  lab it;
  const auto who = std::make_shared<counted>();
  const auto kept = std::make_shared<counted>();
  const auto when = it.now - std::chrono::seconds(1);
  const auto ticket = it.queue.add(when, who, &it);
  it.queue.add(when, kept, &it);
  for (int i = 0; i < 10'000; ++i)
    it.queue.cancel(it.queue.add(it.now + std::chrono::hours(1), who, &it));
  it.queue.cancel(ticket);
  it.queue.cancel(ticket);
  CHECK(it.queue.size() == 1);
  CHECK(who.use_count() == 1);
  it.run_past();
  CHECK(who->times == 0);
  CHECK(kept->times == 1);
}

TEST_CASE("a deadline is told though the timer rang for one that was cancelled") {
  lab it;
  const auto who = std::make_shared<counted>();
  it.queue.cancel(it.queue.add(it.now - std::chrono::seconds(1), who, &it));
  CHECK(it.io.run_one_for(std::chrono::seconds(5)) == 1);
  CHECK(who->times == 0);
  it.io.restart();
  it.queue.cancel(it.queue.add(it.now + std::chrono::milliseconds(1), who, &it));
  it.queue.add(it.now + std::chrono::milliseconds(30), who, &it);
  it.run_past();
  CHECK(who->times == 1);
  CHECK(deadline_queue::clock::now() >= it.now + std::chrono::milliseconds(30));
}

TEST_CASE("the deadlines of one owner can be over at once") {
  lab it;
  const int mine = 0;
  const int others = 0;
  const auto who = std::make_shared<counted>();
  const auto other = std::make_shared<counted>();
  for (int i = 0; i < 3; ++i) {
    it.queue.add(it.now + std::chrono::hours(i + 1), who, &mine);
    it.queue.add(it.now + std::chrono::hours(i + 1), other, &others);
  }
  it.queue.expire_all_of(&mine);
  CHECK(who->times == 3);
  CHECK(other->times == 0);
  CHECK(it.queue.size() == 3);
  it.queue.expire_all_of(&mine);
  CHECK(who->times == 3);
  it.queue.stop();
  CHECK(it.queue.size() == 0);
}

TEST_CASE("who is gone is not told") {
  lab it;
  auto who = std::make_shared<counted>();
  it.queue.add(it.now - std::chrono::seconds(1), who, &it);
  who.reset();
  it.run_past();
  CHECK(it.queue.size() == 0);
}

TEST_SUITE_END();
