#include "storage/shared_flush.hpp"
#include "tests/storage/support.hpp"

#include <atomic>
#include <future>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

TEST_SUITE("storage.shared_flush") {

  TEST_CASE("who asks while a flush runs gets one that began later") {
    shared_flush shared;
    std::promise<void> first_began;
    std::promise<void> first_may_end;
    std::atomic<int> begun = 0;
    std::atomic<int> ended = 0;
    const auto flush = [&]() -> result<void> {
      if (++begun == 1) {
        first_began.set_value();
        first_may_end.get_future().wait();
      }
      ++ended;
      return {};
    };

    auto first = std::async(std::launch::async, [&] { return shared.run(flush); });
    first_began.get_future().wait();
    // What `ended` is when they return tells whether a flush of their own time has ended.
    const auto ask = [&] {
      const auto outcome = shared.run(flush);
      return outcome ? ended.load() : -1;
    };
    auto second = std::async(std::launch::async, ask);
    auto third = std::async(std::launch::async, ask);
    first_may_end.set_value();

    CHECK_OK(first.get());
    CHECK(second.get() >= 2);
    CHECK(third.get() >= 2);
    CHECK(begun == ended);
    CHECK(begun <= 3);
  }

  TEST_CASE("a flush that fails is told to who asked, and the next one runs") {
    shared_flush shared;
    CHECK_FAILS(shared.run([]() -> result<void> { return unexpected(errc::storage_full, "full"); }),
                errc::storage_full);
    CHECK_OK(shared.run([]() -> result<void> { return {}; }));
  }

} // TEST_SUITE
