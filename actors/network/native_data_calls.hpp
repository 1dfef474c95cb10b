// PRODUCE, FETCH, BATCH_FETCH and SUBSCRIBE on their way. Sinks of the partitions on one side, the
// response frame on the other.
#pragma once

#include "actors/calls.hpp"
#include "actors/directory.hpp"
#include "actors/network/deadline_queue.hpp"
#include "actors/network/native_call.hpp"
#include "actors/network/services.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace aqueduct::actors::network {

/// Gathers the outcomes of one PRODUCE; each partition fills its slot, the last one answers.
class produce_call : public produce_sink, public native_call {
public:
  produce_call(native_request request, const protocol::produce_request& message);
  ~produce_call() override;

  void produced(std::uint32_t slot, produce_outcome outcome) override;

private:
  void finish();

  bool silent_;
  protocol::produce_response response_;
  /// Slot to its result in response_.
  std::vector<protocol::produce_partition_result*> slots_;
  std::atomic<std::size_t> left_;
};

/// One FETCH: asks all partitions at once, waits until there is enough or time is over.
class fetch_call : public fetch_sink,
                   public native_call,
                   public expirable,
                   public std::enable_shared_from_this<fetch_call> {
public:
  fetch_call(native_request request, protocol::fetch_request message, const front_services& node);

  /// Longest that a FETCH waits, whatever it asks for.
  static constexpr std::int32_t wait_max_ms = 300'000;

  /// Sends the questions. Call once, from the I/O thread.
  void start(const topic_directory& directory);
  /// Has itself told when its time is over, unless it is answered by then. After `start`, from the
  /// I/O thread.
  void wait_in(const std::shared_ptr<deadline_queue>& deadlines, const void* owner);

  void fetched(std::uint32_t slot, fetch_outcome outcome) override;
  std::size_t reserve(std::size_t wanted) override;
  void release(std::size_t unused) override;
  void expire() override;

private:
  struct slot_state {
    std::shared_ptr<partition_route> route;
    protocol::fetch_partition asked;
    protocol::fetch_partition_result* result = nullptr;
    bool answered = false;
    bool waiting = false;
    /// As in the outcome.
    std::int64_t complete_at_ms = -1;
  };

  [[nodiscard]] bool may_wait() const { return request_.max_wait_ms > 0; }
  void ask(std::uint32_t slot, bool wait);
  void note_ages();
  /// Answers if there is nothing left to wait for. Precondition: mutex_ is held.
  void finish_if_done(std::unique_lock<std::mutex>& lock);

  protocol::fetch_request request_;
  const std::int32_t node_;
  const std::shared_ptr<environment> env_;
  std::atomic<std::int64_t> budget_;
  std::mutex mutex_;
  // Guarded by mutex_ from `start` on.
  protocol::fetch_response response_;
  std::vector<slot_state> slots_;
  std::size_t unanswered_ = 0;
  std::size_t waiting_ = 0;
  std::size_t bytes_ = 0;
  bool any_error_ = false;
  bool expired_ = false;
  bool done_ = false;
  /// Where the deadline is, while there is one.
  std::shared_ptr<deadline_queue> deadlines_;
  deadline_queue::ticket deadline_;
};

/// One BATCH_FETCH: ranges of one partition, no waiting.
class batch_fetch_call : public fetch_sink,
                         public native_call,
                         public std::enable_shared_from_this<batch_fetch_call> {
public:
  batch_fetch_call(std::shared_ptr<connection> client, const protocol::frame_header& request,
                   std::size_t frame_bytes, protocol::batch_fetch_request message,
                   std::size_t bytes_max);

  void start(const std::shared_ptr<partition_route>& route);

  void fetched(std::uint32_t slot, fetch_outcome outcome) override;
  std::size_t reserve(std::size_t wanted) override;
  void release(std::size_t unused) override;

private:
  protocol::batch_fetch_request request_;
  std::atomic<std::int64_t> budget_;
  std::mutex mutex_;
  // Guarded by mutex_.
  protocol::batch_fetch_response response_;
  std::size_t left_;
};

/// A subscription of a connection. Pushes wait until the response is out.
class native_subscription : public push_sink,
                            public std::enable_shared_from_this<native_subscription> {
public:
  native_subscription(std::shared_ptr<native_call> call, protocol::subscribe_request request,
                      std::vector<std::shared_ptr<partition_route>> routes);
  ~native_subscription() override;

  /// Asks the partitions. Call once.
  void start();
  /// Refused before a partition was asked.
  void refuse(std::uint32_t slot, error why);
  void add_credit(std::int64_t bytes);
  [[nodiscard]] std::int64_t partition_count() const {
    return static_cast<std::int64_t>(routes_.size());
  }
  /// The connection takes pushes again.
  void relieved();
  void cancel();

  std::size_t take_credit(std::size_t wanted) override;
  void return_credit(std::int64_t unused) override;
  void subscribed(std::uint32_t slot, errc error, std::string message,
                  std::int64_t offset) override;
  void pushed(std::int32_t partition, push_outcome outcome) override;

private:
  /// What may be pushed now; 0 while the connection is congested.
  [[nodiscard]] std::size_t take_now(std::size_t wanted);
  /// So many bytes of what was taken were pushed, or will not be.
  void settle(std::int64_t bytes);
  void wake_if_starved();
  void wake_partitions();

  std::shared_ptr<native_call> call_;
  std::shared_ptr<connection> client_;
  protocol::frame_header push_header_;
  protocol::subscribe_request request_;
  std::vector<std::shared_ptr<partition_route>> routes_;
  std::atomic<std::int64_t> credit_;
  /// Taken and not pushed yet.
  std::atomic<std::int64_t> taken_{0};
  /// A partition was told that it must not push.
  std::atomic<bool> starved_{false};
  std::mutex mutex_;
  // Guarded by mutex_.
  protocol::subscribe_response response_;
  std::size_t unanswered_;
  std::vector<buffer_chain> early_;
  std::int64_t early_bytes_ = 0;
};

} // namespace aqueduct::actors::network
