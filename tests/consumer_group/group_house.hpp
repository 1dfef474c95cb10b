// A coordinator and its active groups, with nothing between them: what each tells the other is
// there before the next thing happens. Looks like a coordinator from outside.
#pragma once

#include "actors/consumer_group/group_coordinator.hpp"
#include "actors/consumer_group/group_core.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace aqueduct::actors::test {

class group_house {
public:
  group_house(const group_table& table, group_coordinator::options coordinator,
              group_core::options groups)
      : coordinator_(table, std::move(coordinator)), options_(std::move(groups)) {}

  void lead(group_time now) {
    now_ = now;
    coordinator_.lead(now);
    settle();
  }
  void follow(std::int32_t leader) {
    coordinator_.follow(leader);
    settle();
  }
  void close_board() {
    coordinator_.close_board();
    settle();
  }
  [[nodiscard]] bool leads() const { return coordinator_.leads(); }
  template <class Call>
  void handle(Call call, group_time now) {
    now_ = now;
    coordinator_.handle(std::move(call), now);
    settle();
  }
  void tick(group_time now) {
    now_ = now;
    coordinator_.tick(now);
    settle();
  }
  [[nodiscard]] std::vector<group_command> take_proposals() {
    return coordinator_.take_proposals();
  }
  void proposed(std::uint64_t first, std::uint64_t term, std::size_t count) {
    coordinator_.proposed(first, term, count);
  }
  bool refused(std::size_t count, const error& why, group_time now) {
    now_ = now;
    const bool is_news = coordinator_.refused(count, why, now);
    settle();
    return is_news;
  }
  void applied(std::uint64_t index, std::uint64_t term, group_time now) {
    now_ = now;
    coordinator_.applied(index, term, now);
    settle();
  }

  /// Groups that are active.
  [[nodiscard]] std::size_t active() const { return groups_.size(); }
  /// Looks that groups were asked for, since the beginning.
  [[nodiscard]] std::size_t looks() const { return looks_; }
  /// The reports of groups wait until `deliver`.
  void hold_reports() { holds_ = true; }
  /// One of those that wait; false: none does.
  bool deliver_one() {
    if (held_.empty())
      return false;
    auto report = std::move(held_.front());
    held_.pop_front();
    coordinator_.heard(std::move(report), now_);
    settle();
    return true;
  }
  void deliver() {
    holds_ = false;
    while (deliver_one()) {
    }
  }
  /// As if the group of that life had said so.
  void report(group_report said) {
    coordinator_.heard(std::move(said), now_);
    settle();
  }

private:
  void settle() {
    for (auto orders = coordinator_.take_orders(); !orders.empty();
         orders = coordinator_.take_orders())
      for (auto& each : orders)
        std::visit([this](auto& what) { pass(std::move(what)); }, each);
  }
  void pass(group_opening opening) {
    const auto life = opening.life;
    auto [at, is_new] =
        groups_.emplace(life, std::make_unique<group_core>(std::move(opening), options_));
    REQUIRE(is_new);
    hear(*at->second);
  }
  void pass(group_dispatch dispatch) {
    const auto at = groups_.find(dispatch.life);
    REQUIRE(at != groups_.end());
    looks_ += std::holds_alternative<group_look>(dispatch.order.what) ? 1 : 0;
    const bool is_last = std::holds_alternative<group_end>(dispatch.order.what);
    at->second->handle(std::move(dispatch.order));
    CHECK(at->second->has_ended() == is_last);
    hear(*at->second);
    if (is_last)
      groups_.erase(at);
  }
  void hear(group_core& group) {
    for (auto& each : group.take_reports()) {
      if (holds_)
        held_.push_back(std::move(each));
      else
        coordinator_.heard(std::move(each), now_);
    }
  }

  group_coordinator coordinator_;
  group_core::options options_;
  group_time now_;
  std::map<std::uint64_t, std::unique_ptr<group_core>> groups_;
  std::size_t looks_ = 0;
  bool holds_ = false;
  std::deque<group_report> held_;
};

} // namespace aqueduct::actors::test
