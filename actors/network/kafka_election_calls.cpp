// Preferred replicas that are to lead their partitions, because an operator does not wait until
// that comes by itself.
#include "actors/election/leader_elections.hpp"
#include "actors/network/kafka_placement_calls.hpp"
#include "actors/network/topic_lookup.hpp"
#include "protocol/sentence.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

namespace {

namespace kafka = protocol::kafka;
using kafka::error_code;
using kafka::number_of;
using protocol::cluster::election_outcome;
using protocol::cluster::election_verdict;

/// Longest that a request waits, whatever it asks for.
constexpr std::int64_t wait_ms_max = 60'000;

/// `ElectionType` of Kafka's clients.
constexpr std::int8_t preferred_type = 0;
constexpr std::int8_t unclean_type = 1;

error_code code_of(election_verdict verdict) {
  switch (verdict) {
  case election_verdict::elected:
    return error_code::none;
  case election_verdict::not_needed:
    return error_code::election_not_needed;
  case election_verdict::timed_out:
    return error_code::request_timed_out;
  case election_verdict::elsewhere:
  case election_verdict::refused:
    break;
  }
  return error_code::preferred_leader_not_available;
}

class elect_call : public kafka_call<kafka::elect_leaders_response> {
public:
  using topic_row = kafka::elect_leaders_response::topic_entry;
  using row = topic_row::partition_entry;

  elect_call(const kafka_request& request, const front_services& node,
             const kafka::elect_leaders_request& message)
      : kafka_call(request),
        directory_(node.directory),
        view_(node.view->load()),
        type_(message.election_type),
        is_of_all_(!message.topic_partitions) {
    // The last outcome sends the answer, or this call's end does.
    response.error_code =
        number_of(is_of_known_type() ? error_code::none : error_code::invalid_request);
    if (message.topic_partitions)
      add_named(*message.topic_partitions);
    else
      add_all();
  }

  void start(const front_services& node, std::int64_t wait_ms,
             const std::shared_ptr<elect_call>& self) {
    expect(1);
    node.elections->hold(
        std::exchange(orders_, {}), wait_ms,
        [self](const std::vector<election_outcome>& outcomes) { self->decided(outcomes); });
  }

private:
  struct place {
    std::size_t topic = 0;
    std::size_t partition = 0;
  };

  [[nodiscard]] bool is_of_known_type() const {
    return type_ == preferred_type || type_ == unclean_type;
  }

  void add_named(const std::vector<kafka::elect_leaders_request::topic_partition_entry>& topics) {
    for (const auto& asked : topics) {
      auto& rows = response.replica_election_results.emplace_back();
      rows.topic = asked.topic;
      const auto topic = directory_->find(asked.topic);
      for (const auto partition : asked.partitions)
        add(topic.get(), asked.topic, partition, rows);
    }
  }

  void add_all() {
    if (!is_of_known_type())
      return;
    for (const auto& topic : directory_->all()) {
      auto& rows = response.replica_election_results.emplace_back();
      rows.topic = topic->record.name;
      for (std::size_t i = 0; i < topic->partitions.size(); ++i)
        add(topic.get(), rows.topic, static_cast<std::int32_t>(i), rows);
    }
  }

  void add(const topic_route* topic, const std::string& name, std::int32_t partition,
           topic_row& rows) {
    auto& to = rows.partition_result.emplace_back();
    to.partition_id = partition;
    const auto number = static_cast<std::size_t>(partition);
    if (!is_of_known_type()) {
      say(to, error_code::invalid_request,
          "an election is of type 0, of the preferred replica, or 1, unclean; not " +
              std::to_string(type_));
    } else if (topic == nullptr) {
      say(to, kafka::kafka_error(no_such_topic(name).code), no_such_topic(name).message);
    } else if (partition < 0 || number >= topic->partitions.size()) {
      say(to, error_code::unknown_topic_or_partition,
          "the topic has partitions 0 to " + std::to_string(topic->partitions.size() - 1));
    } else if (type_ == unclean_type) {
      refuse_unclean(topic->partitions[number]->leader, to);
    } else {
      judge(*topic, number, to, rows);
    }
  }

  /// A group of replicas elects by majority or not at all: nobody can be made to lead whom a
  /// majority does not know to have everything.
  void refuse_unclean(std::int32_t leader, row& to) const {
    if (find_broker(leader) != nullptr)
      say(to, error_code::election_not_needed, "the partition has a leader");
    else
      say(to, error_code::eligible_leaders_not_available,
          "a partition without a majority of its replicas stays without a leader");
  }

  void judge(const topic_route& topic, std::size_t number, row& to, const topic_row& rows) {
    const auto& route = topic.partitions[number];
    const auto& replicas = topic.record.partitions[number].nodes;
    const auto preferred = replicas.front();
    const auto* broker = find_broker(preferred);
    if (broker == nullptr) {
      say(to, error_code::preferred_leader_not_available,
          "broker " + std::to_string(preferred) + " is not there now");
    } else if (replicas.size() > 1 && broker->draining) {
      say(to, error_code::preferred_leader_not_available,
          "broker " + std::to_string(preferred) + " is being drained");
    } else if (replicas.size() == 1 || (route->handle && route->leader == preferred)) {
      say(to, error_code::election_not_needed, "broker " + std::to_string(preferred) + " leads");
    } else {
      say(to, error_code::request_timed_out, "");
      orders_.push_back({{topic.record.id, static_cast<std::int32_t>(number)}, route, replicas});
      places_.push_back(
          {response.replica_election_results.size() - 1, rows.partition_result.size() - 1});
    }
  }

  /// Of those that are there.
  [[nodiscard]] const broker_record* find_broker(std::int32_t node) const {
    if (!view_)
      return nullptr;
    const auto found = std::ranges::find(view_->brokers, node, &broker_record::node);
    return found == view_->brokers.end() ? nullptr : &*found;
  }

  static void say(row& to, error_code code, const std::string& message) {
    to.error_code = number_of(code);
    to.error_message = code == error_code::none || message.empty()
                           ? std::nullopt
                           : std::optional(cut_sentence(message));
  }

  void decided(const std::vector<election_outcome>& outcomes) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const auto& outcome = outcomes[i];
      const bool led_already = outcome.verdict == election_verdict::not_needed;
      say(response.replica_election_results[places_[i].topic]
              .partition_result[places_[i].partition],
          code_of(outcome.verdict), led_already ? "it leads already" : outcome.message);
    }
    if (is_of_all_)
      drop_unneeded();
    arrived();
  }

  /// Who asks for all is told of those that there was something to do about.
  void drop_unneeded() {
    for (auto& topic : response.replica_election_results)
      std::erase_if(topic.partition_result, [](const row& each) {
        return each.error_code == number_of(error_code::election_not_needed);
      });
    std::erase_if(response.replica_election_results,
                  [](const topic_row& topic) { return topic.partition_result.empty(); });
  }

  std::shared_ptr<topic_directory> directory_;
  std::shared_ptr<const cluster_view> view_;
  std::int8_t type_;
  bool is_of_all_;
  std::vector<election_order> orders_;
  /// Where the outcome of each order stands.
  std::vector<place> places_;
};

} // namespace

void serve_kafka(const kafka_request& request, const front_services& node,
                 kafka::elect_leaders_request message) {
  const auto call = std::make_shared<elect_call>(request, node, message);
  call->start(node, std::clamp<std::int64_t>(message.timeout_ms, 0, wait_ms_max), call);
}

} // namespace aqueduct::actors::network
