#include "tests/aq/fake_node.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace aqueduct::aq::test {

using namespace actors;

namespace {

struct fake_settings : caf::actor_system_config {
  fake_settings() {
    load<caf::io::middleman>();
    set("scheduler.max-threads", std::size_t{1});
    add_message_types<caf::id_block::aqueduct_admin>();
  }
};

using shared_pointer = std::shared_ptr<fake_node::shared>;

/// The next answer; the last one stays.
template <class Answer>
Answer next(std::vector<Answer>& answers) {
  auto answer = answers.front();
  if (answers.size() > 1)
    answers.erase(answers.begin());
  return answer;
}

/// Notes what is asked, and answers from what the node says.
template <class Answer>
auto noted(const shared_pointer& node, const std::string& text, const Answer& answer) {
  const std::lock_guard lock(node->mutex);
  node->says.asked.push_back(text);
  return answer(node->says);
}

admin_done order(const shared_pointer& node, const std::string& text) {
  return noted(node, text, [](fake_cluster& says) { return next(says.done); });
}

admin_groups chosen(const fake_cluster& says, const admin_groups_request& request) {
  admin_groups some;
  for (const auto& each : says.groups.groups) {
    const auto& topic = each.topic.empty() ? std::string("controller") : each.topic;
    if ((request.topic.empty() || request.topic == topic) &&
        (request.partition < 0 || request.partition == each.partition))
      some.groups.push_back(each);
  }
  return some;
}

admin_moves moved(fake_cluster& says, const admin_move_request& request) {
  admin_moves answer;
  const auto done = next(says.done);
  answer.error = done.error;
  answer.message = done.message;
  if (done.error == 0 && request.dry_run)
    answer.moves.push_back({request.topic, request.partition, says.placed, request.to});
  return answer;
}

admin_actor::behavior_type behave(const shared_pointer& node) {
  return {
      [](const admin_status_request&) { return admin_status{}; },
      [=](const admin_partitions_request&) {
        return noted(node, "partitions", [](auto& says) { return says.partitions; });
      },
      [=](const admin_log_level_request&) { return order(node, "log-level"); },
      [=](const admin_flush_request&) { return order(node, "flush"); },
      [=](const admin_drain_request&) { return order(node, "drain"); },
      [=](const admin_shutdown_request&) { return order(node, "shutdown"); },
      [=](const admin_scrub_request&) { return order(node, "scrub"); },
      [=](const admin_scrub_stop_request&) { return order(node, "stop scrub"); },
      [](const admin_scrub_status_request&) { return admin_scrub_status{}; },
      [=](const admin_brokers_request&) {
        return noted(node, "brokers", [](auto& says) { return says.brokers; });
      },
      [=](const admin_groups_request& request) {
        return noted(node, "groups", [&](auto& says) { return chosen(says, request); });
      },
      [=](const admin_transfer_request& request) {
        const auto text =
            fmt::format("transfer {}:{} {}", request.topic, request.partition, request.to);
        return noted(node, text, [&](auto& says) {
          for (auto& each : says.groups.groups)
            each.leader = request.to;
          return next(says.done);
        });
      },
      [=](const admin_snapshot_request& request) {
        const auto text = fmt::format("snapshot {}:{}", request.topic, request.partition);
        return noted(node, text, [&](auto& says) {
          for (auto& each : says.groups.groups)
            each.first = each.applied + 1;
          return next(says.done);
        });
      },
      [=](const admin_broker_change_request& request) {
        return order(node, fmt::format("{} {}", request.change, request.node));
      },
      [=](const admin_move_request& request) {
        const auto text = fmt::format("{} {}:{} {}", request.dry_run ? "move?" : "move",
                                      request.topic, request.partition, fmt::join(request.to, ","));
        return noted(node, text, [&](auto& says) { return moved(says, request); });
      },
      [=](const admin_plan_request& request) {
        const auto text =
            request.evacuate < 0
                ? std::string(request.dry_run ? "plan?" : "plan")
                : fmt::format("{}? {}", request.shrink ? "shrink" : "evacuate", request.evacuate);
        return noted(node, text, [](auto& says) { return next(says.plans); });
      },
      [=](const admin_cancel_move_request& request) {
        const auto text = fmt::format("{} {}:{}", request.dry_run ? "cancel?" : "cancel",
                                      request.topic, request.partition);
        return noted(node, text, [](auto& says) { return next(says.plans); });
      },
  };
}

} // namespace

struct fake_node::actor_side {
  explicit actor_side(const shared_pointer& node) : system(settings) {
    admin = system.spawn([node](admin_actor::pointer) { return behave(node); });
  }
  ~actor_side() { caf::anon_send_exit(admin, caf::exit_reason::kill); }

  fake_settings settings;
  caf::actor_system system;
  admin_actor admin;
};

fake_node::fake_node() : actors_(std::make_unique<actor_side>(shared_)) {
  const auto port = actors_->system.middleman().publish(actors_->admin, 0, "127.0.0.1");
  REQUIRE(port);
  address_ = fmt::format("127.0.0.1:{}", *port);
}

fake_node::~fake_node() {
  static_cast<void>(actors_->system.middleman().unpublish(actors_->admin));
}

} // namespace aqueduct::aq::test
