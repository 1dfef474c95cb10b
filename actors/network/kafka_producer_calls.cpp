// Who produces to a partition: what operators look at when a producer hangs or is fenced.
#include "actors/messages.hpp"
#include "actors/network/kafka_change.hpp"
#include "actors/network/kafka_data_calls.hpp"
#include "actors/network/topic_lookup.hpp"

#include <caf/send.hpp>

#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;

class producers_call : public kafka_call<kafka::describe_producers_response>,
                       public producers_sink {
public:
  using row = kafka::describe_producers_response::topic_entry::partition_entry;

  using kafka_call::kafka_call;

  void start(const front_services& node, const kafka::describe_producers_request& message,
             const std::shared_ptr<producers_call>& self) {
    std::vector<std::shared_ptr<partition_route>> asked;
    // An answer is as large as what a partition remembers: each gives one.
    std::set<const partition_route*> seen;
    response.topics.resize(message.topics.size());
    for (std::size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      auto& rows = response.topics[t].partitions;
      response.topics[t].name = topic.name;
      rows.resize(topic.partition_indexes.size());
      topic_lookup lookup(*node.directory, topic.name);
      for (std::size_t p = 0; p < rows.size(); ++p) {
        rows[p].partition_index = topic.partition_indexes[p];
        auto found = lookup.partition(rows[p].partition_index);
        if (found.route && !seen.insert(found.route.get()).second)
          found = {nullptr, {errc::invalid_request, "the partition is named twice"}, -1};
        say_refused(answer(), rows[p], found.route ? error{errc::shutting_down, ""} : found.why);
        if (!found.route)
          continue;
        slots_.push_back(&rows[p]);
        asked.push_back(std::move(found.route));
      }
    }
    expect(asked.size());
    for (std::uint32_t slot = 0; slot < asked.size(); ++slot)
      caf::anon_send(asked[slot]->handle, partition_call{producers_item{self, slot}});
  }

  void listed(std::uint32_t slot, producers_outcome outcome) override {
    auto& to = *slots_[slot];
    if (outcome.error != errc::none) {
      say_refused(answer(), to, {outcome.error, std::move(outcome.message)});
    } else {
      to.error_code = number_of(kafka::error_code::none);
      to.error_message = std::nullopt;
      to.active_producers.reserve(outcome.producers.size());
      for (const auto& each : outcome.producers)
        to.active_producers.push_back(
            {each.producer, each.epoch, each.last_sequence, each.last_timestamp_ms});
    }
    arrived();
  }

private:
  std::vector<row*> slots_;
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::describe_producers_request message) {
  const auto call = std::make_shared<producers_call>(request);
  call->start(node, message, call);
}

} // namespace aqueduct::actors::network
