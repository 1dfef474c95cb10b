// The actor around a group, under CAF's test coordinator: what it does when its group cannot go on,
// and how it ends. What groups decide is tested without it.
#include "actors/consumer_group/consumer_group.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

using reports = std::shared_ptr<std::vector<group_report>>;

/// Only listens.
group_partition_actor::behavior_type listener(reports heard) {
  return {
      [](produce_message&) {},
      [](partition_call&) {},
      [](log_answer&) {},
      [](partition_control&) {},
      [](group_event&) {},
      [](group_call&) {},
      [](find_coordinator_call&) {},
      [heard](group_report& report) { heard->push_back(std::move(report)); },
  };
}

struct bench {
  bench() {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    coordinator = system->spawn(listener, heard);
  }
  ~bench() {
    caf::anon_send_exit(coordinator, caf::exit_reason::kill);
    if (group)
      caf::anon_send_exit(group, caf::exit_reason::kill);
    run();
    coordinator = nullptr;
    group = nullptr;
  }

  void open(std::optional<group_record> known = std::nullopt) {
    consumer_group_config made;
    made.opening = {7, "g", std::move(known), nullptr, {1000, 1000}};
    made.options.bounds.initial_delay_ms = 0;
    made.options.topic_size = [this](std::string_view) -> std::optional<std::int32_t> {
      if (is_broken)
        throw std::logic_error("topics are broken");
      return 4;
    };
    made.options.new_member_id = [](std::string_view) { return std::string("m"); };
    made.coordinator = coordinator;
    made.log =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
    group = spawn_consumer_group(*system, std::move(made));
    run();
  }
  void run() { dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler()).run(); }
  template <class What>
  void order(What what) {
    caf::anon_send(group, group_order{{1000, 1000}, std::move(what)});
    run();
  }
  /// The join of a native member.
  std::shared_ptr<std::optional<join_answer>> join() {
    const auto answer = std::make_shared<std::optional<join_answer>>();
    join_call call;
    call.group = "g";
    call.protocol_type = "consumer";
    call.session_timeout_ms = call.rebalance_timeout_ms = 10'000;
    call.kind = member_kind::coordinator_assigned;
    protocol::consumer_subscription wish;
    wish.topics = {"t"};
    call.protocols = {{std::string(range_assignor), protocol::encode_subscription(wish)}};
    call.done = [answer](join_answer said) { answer->emplace(std::move(said)); };
    order(std::move(call));
    return answer;
  }
  /// Whether the actor is gone.
  [[nodiscard]] bool has_quit() {
    bool is_down = false;
    caf::scoped_actor watch(*system);
    watch->monitor(group);
    watch->receive([&](const caf::down_msg&) { is_down = true; },
                   caf::after(std::chrono::milliseconds(0)) >> [] {});
    return is_down;
  }
  template <class What>
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        *heard, [](const auto& each) { return std::holds_alternative<What>(each.what); }));
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  reports heard = std::make_shared<std::vector<group_report>>();
  group_partition_actor coordinator;
  consumer_group_actor group;
  bool is_broken = false;
};

} // namespace

TEST_SUITE("actors.consumer_group.actor") {
  TEST_CASE("it says how it stands from the beginning, and with the life that it was given") {
    bench on;
    on.open();
    REQUIRE(on.count<group_standing>() == 1);
    CHECK(on.heard->front().life == 7);
    CHECK(on.heard->front().group == "g");
    const auto joined = on.join();
    CHECK_FALSE(joined->has_value());
    CHECK(on.count<group_proposal>() == 1);
    CHECK_FALSE(on.has_quit());
  }

  TEST_CASE("a group that cannot go on says so once, answers nothing but that, and can be ended") {
    bench on;
    on.open();
    on.is_broken = true;
    const auto first = on.join();
    CHECK(on.count<group_broken>() == 1);
    CHECK(std::get<group_broken>(on.heard->back().what).why.message == "topics are broken");
    CHECK_FALSE(on.has_quit());
    // It would not fail any more, and is not asked.
    on.is_broken = false;
    const auto second = on.join();
    REQUIRE(second->has_value());
    CHECK((*second)->error == errc::internal);
    on.order(group_look{});
    CHECK(on.count<group_broken>() == 1);
    on.order(group_end{{errc::internal, "out of service", -1}});
    REQUIRE(first->has_value());
    CHECK((*first)->error == errc::internal);
    CHECK(on.has_quit());
  }

  TEST_CASE("a group that breaks when it is opened says so, too") {
    bench on;
    group_record known;
    known.id = "g";
    known.protocol = range_assignor;
    protocol::consumer_subscription wish;
    wish.topics = {"t"};
    member_record member;
    member.id = "m";
    member.protocols = {{std::string(range_assignor), protocol::encode_subscription(wish)}};
    known.members = {member};
    on.is_broken = true;
    on.open(known);
    CHECK(on.count<group_broken>() == 1);
    const auto asked = on.join();
    REQUIRE(asked->has_value());
    CHECK((*asked)->error == errc::internal);
    on.order(group_end{{errc::internal, "out of service", -1}});
    CHECK(on.has_quit());
  }

  TEST_CASE("it ends with its coordinator") {
    bench on;
    on.open();
    caf::anon_send_exit(on.coordinator, caf::exit_reason::unhandled_exception);
    on.run();
    CHECK(on.has_quit());
  }
}
