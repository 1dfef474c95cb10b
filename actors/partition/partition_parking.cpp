// Calls that nobody can answer yet, because it is not known who leads. They wait, for a while.
#include "actors/partition/partition_core.hpp"

#include <algorithm>

namespace aqueduct::actors {

bool partition_core::undecided() const {
  // Without a leader there is no truth to answer with; with one elsewhere there is.
  return !failed_ && !ready_ && (leads_ || leader_ < 0);
}

void partition_core::unpark(std::int64_t now_ms, partition_effects& out) {
  if (undecided())
    return;
  parked_bytes_ = 0;
  for (auto& call : std::exchange(parked_, {})) {
    std::visit(
        [&](auto& parked) {
          using parked_type = std::decay_t<decltype(parked)>;
          if constexpr (std::is_same_v<parked_type, std::vector<produce_item>>)
            produce(std::move(parked), now_ms, steady_ms_, out);
          else if constexpr (std::is_same_v<parked_type, fetch_item>)
            fetch(std::move(parked), steady_ms_, out);
          else if constexpr (std::is_same_v<parked_type, subscribe_item>)
            subscribe(std::move(parked), out);
          else if constexpr (std::is_same_v<parked_type, offset_item>)
            find_offset(std::move(parked), out);
          else if constexpr (std::is_same_v<parked_type, describe_item>)
            describe(std::move(parked), out);
          else if constexpr (std::is_same_v<parked_type, producers_item>)
            list_producers(std::move(parked));
          else
            trim(std::move(parked), out);
        },
        call.event);
  }
}

void partition_core::park(std::vector<produce_item> items) {
  std::vector<produce_item> kept;
  for (auto& item : items) {
    if (parked_bytes_ + item.batch.size() > options_.pending_bytes_max) {
      answer({std::move(item.sink), item.slot, item.deadline_ms},
             refusal(errc::overloaded, std::to_string(parked_bytes_) +
                                           " bytes wait for a leader of the partition already"));
      continue;
    }
    parked_bytes_ += item.batch.size();
    kept.push_back(std::move(item));
  }
  if (!kept.empty())
    parked_.push_back({std::move(kept)});
}

void partition_core::refuse_parked(parked_event& event) const {
  constexpr auto why = errc::not_leader;
  const std::string message = "nobody leads the partition";
  std::visit(
      [&](auto& parked) {
        using parked_type = std::decay_t<decltype(parked)>;
        if constexpr (std::is_same_v<parked_type, fetch_item>) {
          auto outcome = fetch_state();
          outcome.error = why;
          outcome.message = message;
          parked.sink->fetched(parked.slot, std::move(outcome));
        } else if constexpr (std::is_same_v<parked_type, subscribe_item>) {
          parked.sink->subscribed(parked.slot, why, message, -1);
        } else if constexpr (std::is_same_v<parked_type, offset_item>) {
          offset_outcome outcome;
          outcome.error = why;
          outcome.message = message;
          parked.sink->found_offset(parked.slot, std::move(outcome));
        } else if constexpr (std::is_same_v<parked_type, describe_item>) {
          describe_outcome outcome;
          outcome.error = why;
          outcome.message = message;
          parked.sink->described(parked.slot, std::move(outcome));
        } else if constexpr (std::is_same_v<parked_type, producers_item>) {
          producers_outcome outcome;
          outcome.error = why;
          outcome.message = message;
          parked.sink->listed(parked.slot, std::move(outcome));
        } else if constexpr (std::is_same_v<parked_type, trim_item>) {
          parked.sink->trimmed(parked.slot, {why, message, log_start_, -1});
        }
      },
      event);
}

void partition_core::expire_parked(std::int64_t steady_ms) {
  std::erase_if(parked_, [&](parked_call& call) {
    if (auto* items = std::get_if<std::vector<produce_item>>(&call.event)) {
      std::erase_if(*items, [&](produce_item& item) {
        if (item.deadline_ms > steady_ms)
          return false;
        parked_bytes_ -= item.batch.size();
        answer(
            {std::move(item.sink), item.slot, item.deadline_ms},
            refusal(errc::not_leader, "nobody led the partition in time; the batch is not stored"));
        return true;
      });
      return items->empty();
    }
    if (!call.deadline_ms)
      call.deadline_ms = steady_ms + parked_ms_max;
    if (*call.deadline_ms > steady_ms)
      return false;
    refuse_parked(call.event);
    return true;
  });
}

} // namespace aqueduct::actors
