// Requests of the Kafka protocol about classic consumer groups: they become the questions to
// coordinators that the native protocol asks too.
#pragma once

#include "actors/network/kafka_call.hpp"
#include "actors/network/services.hpp"
#include "protocol/kafka/group_messages.hpp"
#include "protocol/kafka/offset_messages.hpp"

#include <memory>
#include <mutex>

namespace aqueduct::actors::network {

// Each answers the request, now or later. kafka_group_calls.cpp has membership,
// kafka_offset_calls.cpp the offsets, kafka_group_admin_calls.cpp what operators ask.

void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::find_coordinator_request message);
/// Answered when the rebalance is through; what follows on the connection waits for it.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::join_group_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::sync_group_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::heartbeat_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::leave_group_request message);

void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::offset_commit_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::offset_fetch_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::offset_delete_request message);

void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::describe_groups_request message);
/// The groups that this broker coordinates.
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::list_groups_request message);
void serve_kafka(const kafka_request& request, const front_services& node,
                 protocol::kafka::delete_groups_request message);

/// A request whose answers come from coordinators, one for each question.
template <protocol::kafka::message M>
class kafka_group_call : public kafka_call<M> {
public:
  explicit kafka_group_call(const kafka_request& request) : kafka_call<M>(request) {}

  using kafka_call<M>::answer;
  using kafka_call<M>::expect;
  using kafka_call<M>::response;

  /// Answers are taken one at a time.
  template <class F>
  void take(F&& fill) {
    {
      const std::lock_guard lock(mutex_);
      fill(response);
    }
    this->arrived();
  }

private:
  std::mutex mutex_;
};

/// A call for one question, whose answer is `code` if the coordinator never gives one.
template <protocol::kafka::message M>
[[nodiscard]] std::shared_ptr<kafka_group_call<M>> make_group_call(const kafka_request& request) {
  auto call = std::make_shared<kafka_group_call<M>>(request);
  if constexpr (requires { call->response.error_code; })
    call->response.error_code = number_of(protocol::kafka::error_code::coordinator_not_available);
  call->expect(1);
  return call;
}

} // namespace aqueduct::actors::network
