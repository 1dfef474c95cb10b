// Changes of the cluster's metadata that a request of the Kafka protocol asks for, several at once.
#pragma once

#include "actors/calls.hpp"
#include "actors/network/kafka_call.hpp"
#include "protocol/sentence.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace aqueduct::actors::network {

/// Says in a row of an answer why something was refused.
template <class Row>
void say_refused(const kafka_answer& to, Row& row, const error& why) {
  row.error_code = to.error(why.code);
  if constexpr (requires { row.error_message; })
    row.error_message =
        cut_sentence(why.message.empty() ? std::string(describe(why.code).meaning) : why.message);
}

/// A call whose changes each have a row of the answer. Until a change was answered its row says
/// that time was over.
template <protocol::kafka::message M, class Row>
class kafka_changes_call : public kafka_call<M> {
public:
  using kafka_call<M>::kafka_call;

  /// The sink for the change with the row `row` of the answer.
  [[nodiscard]] static std::shared_ptr<topic_sink>
  sink_for(std::shared_ptr<kafka_changes_call> self, Row& row) {
    say_refused(self->answer(), row, {errc::timed_out, ""});
    return std::make_shared<row_sink>(std::move(self), row);
  }

protected:
  virtual void succeeded([[maybe_unused]] Row& row, [[maybe_unused]] const topic_outcome& change) {}

private:
  struct row_sink : topic_sink {
    row_sink(std::shared_ptr<kafka_changes_call> to, Row& its) : call(std::move(to)), row(its) {}
    void finished(result<topic_outcome> outcome) override {
      if (outcome) {
        row.error_code = 0;
        row.error_message = std::nullopt;
        call->succeeded(row, *outcome);
      } else {
        say_refused(call->answer(), row, outcome.error());
      }
      call->arrived();
    }
    std::shared_ptr<kafka_changes_call> call;
    Row& row;
  };
};

} // namespace aqueduct::actors::network
