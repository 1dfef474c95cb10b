// The batches of one connection on their way into partitions: checks them, and gathers those of one
// read into one message per partition, in order.
#pragma once

#include "actors/network/native_data_calls.hpp"
#include "actors/network/services.hpp"
#include "actors/network/topic_lookup.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace aqueduct::actors::network {

/// The frame that batches came in.
struct produce_frame {
  mutable_buffer bytes;
  /// False: it shares its memory with others.
  bool whole_allocation = false;
};

/// Used by the I/O thread of its connection only.
class produce_intake {
public:
  explicit produce_intake(std::shared_ptr<const front_services> node) : node_(std::move(node)) {}

  /// Gives every partition of `message`, whose records are slices of `frame`, its batch. `call`
  /// hears of each of them, now or later.
  void take(const protocol::produce_request& message, const produce_frame& frame,
            const std::shared_ptr<produce_call>& call);
  /// Sends what was gathered.
  void send_all();

private:
  [[nodiscard]] produce_outcome check_batch(const produce_frame& request,
                                            const protocol::produce_partition& partition,
                                            const topic_route& topic, produce_item& item) const;
  void take_partition(const produce_frame& request, const std::shared_ptr<produce_call>& call,
                      std::uint32_t slot, const protocol::produce_request& message,
                      topic_lookup& topic, const protocol::produce_partition& partition);

  std::shared_ptr<const front_services> node_;
  std::vector<std::pair<std::shared_ptr<partition_route>, std::vector<produce_item>>> gathered_;
};

} // namespace aqueduct::actors::network
