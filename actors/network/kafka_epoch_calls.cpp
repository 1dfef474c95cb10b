// Where the records of a leader's epoch end: by that consumers find out that what they have read
// was cut off.
#include "actors/messages.hpp"
#include "actors/network/kafka_data_calls.hpp"
#include "actors/network/topic_lookup.hpp"

#include <caf/send.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;

class epoch_end_call : public kafka_call<kafka::offset_for_leader_epoch_response>,
                       public query_sink {
public:
  using row = kafka::offset_for_leader_epoch_response::topic_entry::partition_entry;

  epoch_end_call(const kafka_request& request, std::int32_t node)
      : kafka_call(request), node_(node) {}

  void start(const front_services& node, const kafka::offset_for_leader_epoch_request& message,
             const std::shared_ptr<epoch_end_call>& self) {
    struct question {
      std::shared_ptr<partition_route> route;
      std::int32_t epoch;
      std::int32_t known_epoch;
    };
    std::vector<question> questions;
    response.topics.resize(message.topics.size());
    for (std::size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      auto& rows = response.topics[t].partitions;
      response.topics[t].topic = topic.topic;
      rows.resize(topic.partitions.size());
      topic_lookup lookup(*node.directory, topic.topic);
      for (std::size_t p = 0; p < rows.size(); ++p) {
        const auto& asked = topic.partitions[p];
        rows[p].partition = asked.partition;
        auto found = lookup.partition(asked.partition);
        rows[p].error_code = answer().error(found.route ? errc::shutting_down : found.why.code);
        if (!found.route)
          continue;
        if (asked.current_leader_epoch >= 0 &&
            asked.current_leader_epoch < found.route->leader_epoch) {
          rows[p].error_code = number_of(error_code::fenced_leader_epoch);
          continue;
        }
        slots_.push_back(&rows[p]);
        questions.push_back(
            {std::move(found.route), asked.leader_epoch, asked.current_leader_epoch});
      }
    }
    expect(questions.size());
    for (std::uint32_t slot = 0; slot < questions.size(); ++slot) {
      const auto& each = questions[slot];
      caf::anon_send(each.route->handle,
                     partition_call{offset_item{self, slot, protocol::latest_timestamp, each.epoch,
                                                each.known_epoch}});
    }
  }

  void found_offset(std::uint32_t slot, offset_outcome outcome) override {
    auto& to = *slots_[slot];
    // Who leads and refuses as if it did not was asked with a newer epoch than its own.
    to.error_code = outcome.error == errc::not_leader && outcome.leader == node_
                        ? number_of(error_code::unknown_leader_epoch)
                        : answer().error(outcome.error);
    if (outcome.error == errc::none) {
      to.leader_epoch = outcome.leader_epoch;
      to.end_offset = outcome.offset;
    }
    arrived();
  }
  void described(std::uint32_t, describe_outcome) override {}
  void trimmed(std::uint32_t, trim_outcome) override {}

private:
  std::int32_t node_;
  std::vector<row*> slots_;
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::offset_for_leader_epoch_request message) {
  const auto call = std::make_shared<epoch_end_call>(request, node.node);
  call->start(node, message, call);
}

} // namespace aqueduct::actors::network
