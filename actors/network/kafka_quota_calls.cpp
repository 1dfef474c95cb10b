#include "actors/network/kafka_quota_calls.hpp"

#include <utility>

namespace aqueduct::actors::network {

namespace kafka = protocol::kafka;

void serve_kafka(const kafka_request& request, const front_services&,
                 const kafka::describe_client_quotas_request&) {
  kafka::describe_client_quotas_response response;
  response.entries.emplace();
  request.respond(response);
}

void serve_kafka(const kafka_request& request, const front_services&,
                 kafka::alter_client_quotas_request message) {
  kafka::alter_client_quotas_response response;
  for (auto& entry : message.entries) {
    auto& row = response.entries.emplace_back();
    row.error_code = number_of(kafka::error_code::invalid_request);
    row.error_message = "this broker does not limit clients by quotas";
    row.entity = std::move(entry.entity);
  }
  request.respond(response);
}

} // namespace aqueduct::actors::network
