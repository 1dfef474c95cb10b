// The inside of a consumer. The I/O thread reads ahead, by long polls or subscriptions, into the
// partitions' queues; `poll` decodes on the user's thread. What both touch is guarded by one lock,
// which nobody holds while decoding or while talking to the network.
#pragma once

#include "protocol/client/consumer.hpp"
#include "protocol/client/internal/cluster_core.hpp"
#include "protocol/client/internal/record_cursor.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

namespace aqueduct::client {

/// An assigned partition. Guarded by the consumer's lock, but for what is constant.
struct consumer_partition {
  consumer_partition(topic_partition which, start_position where, backoff waits)
      : tp(std::move(which)),
        topic(std::make_shared<const std::string>(tp.topic)),
        start(where),
        wait(std::move(waits)) {}

  const topic_partition tp;
  const std::shared_ptr<const std::string> topic;

  /// Changes when what is under way is no longer wanted.
  std::uint64_t generation = 0;
  start_position start;
  /// Offset of the next record for the user; nothing until `start` is looked up.
  std::optional<offset_t> position;
  /// Offset after what was read ahead. Invariant: not before `position`.
  offset_t fetch_offset;
  offset_t high_watermark{-1};
  leader_epoch epoch{-1};

  struct chunk {
    buffer batches;
    offset_t from;
  };
  std::deque<chunk> ready;
  /// The chunk that the user is in. Taken out while `poll` decodes.
  std::unique_ptr<record_cursor> cursor;
  /// Bytes of `ready` and of the chunk that the user is in.
  std::size_t buffered = 0;

  bool is_paused = false;
  /// The partition is stopped until a seek. `is_told`: poll has returned it.
  std::optional<error> failed;
  bool is_told = false;

  // Work under way on the I/O thread.
  bool is_busy = false;
  time_point not_before{};
  backoff wait;
  /// A hint to another leader was followed, and nothing came of it yet.
  bool is_redirected = false;
  /// A replica that does not lead could not answer: until then the leader is asked.
  time_point leader_until{};
  /// Whose turn it is among the replicas that may be read from.
  std::size_t replica_turn = 0;
  std::optional<answer_origin> origin;

  /// The subscription of push mode: on `link`, with the correlation id and number `id`.
  struct subscription {
    std::weak_ptr<broker_link> link;
    std::uint32_t id = 0;
    std::uint32_t number = 0;
    /// Bytes that the user has taken and that the broker was not told of.
    std::int64_t credit_owed = 0;
  };
  std::optional<subscription> pushed;

  [[nodiscard]] bool has_data() const { return cursor || !ready.empty(); }
};

using partition_ptr = std::shared_ptr<consumer_partition>;

class consumer_core : public std::enable_shared_from_this<consumer_core> {
public:
  [[nodiscard]] static result<std::shared_ptr<consumer_core>>
  create(std::shared_ptr<cluster_core> on, consumer_config config);

  // -- any thread ---------------------------------------------------------------------------------

  /// With `keeps_common`, what is assigned already goes on as it is.
  [[nodiscard]] result<void> assign(std::vector<assignment> partitions, bool keeps_common = false);
  [[nodiscard]] result<void> assign_topic(std::string_view topic, start_position start);
  [[nodiscard]] std::vector<topic_partition> assigned() const;
  [[nodiscard]] result<void> seek(const topic_partition& tp, start_position to);
  [[nodiscard]] result<void> pause(const topic_partition& tp, bool is_paused);
  [[nodiscard]] result<record_set> poll(milliseconds timeout, poll_limits limits);
  [[nodiscard]] std::optional<topic_partition> failed_partition() const;
  [[nodiscard]] result<offset_t> position(const topic_partition& tp) const;
  [[nodiscard]] result<offset_t> high_watermark(const topic_partition& tp) const;
  [[nodiscard]] result<answer_origin> last_answer(const topic_partition& tp) const;
  [[nodiscard]] result<std::int64_t> lag(const topic_partition& tp) const;
  void close();

private:
  /// A partition that work is done for, as it was when the work began.
  struct task {
    partition_ptr partition;
    std::uint64_t generation = 0;
    std::int64_t value = 0;
    /// A replica is asked that is not known to lead.
    bool asks_follower = false;
  };
  using tasks = std::vector<task>;
  using locked = std::unique_lock<std::mutex>;

  consumer_core(std::shared_ptr<cluster_core> on, consumer_config config)
      : cluster_(std::move(on)), config_(std::move(config)) {}

  [[nodiscard]] result<partition_ptr> find(const topic_partition& tp) const;
  [[nodiscard]] partition_ptr new_partition(const assignment& wanted);
  void move_to(consumer_partition& partition, start_position to);
  void forget_buffered(consumer_partition& partition);
  void end(const error& why);
  void wake();

  // -- poll ---------------------------------------------------------------------------------------
  [[nodiscard]] partition_ptr untold_failure() const;
  /// The next partition in turn that has something for the user.
  [[nodiscard]] partition_ptr next_with_data();
  /// Decodes from one partition, without the lock. False if the limits are reached.
  [[nodiscard]] bool take_from(locked& lock, const partition_ptr& partition, record_collector& into,
                               const record_cursor::limits& until);
  void chunk_done(consumer_partition& partition, std::size_t bytes);

  // -- the I/O thread -----------------------------------------------------------------------------
  void start();
  void pump();
  /// Whom to read a partition from; nothing if nobody is known.
  [[nodiscard]] std::optional<node_id> source_of(const consumer_partition& partition,
                                                 std::optional<node_id> leader) const;
  void pump_fetches(const std::map<node_id, tasks>& by_leader);
  void look_up(node_id leader, tasks batch);
  void looked_up(const tasks& batch, answer<protocol::list_offsets_response> reply);
  void fetch(node_id leader, tasks batch, std::size_t bytes_max);
  void fetched(const tasks& batch, std::size_t reserved, time_point asked,
               answer<protocol::fetch_response> reply);
  void subscribe(node_id leader, const task& one);
  void subscribed(const task& one, std::uint32_t number,
                  answer<protocol::subscribe_response> reply);
  void delivered(const task& one, std::uint32_t number, answer<protocol::delivery> push);
  void unsubscribe(const consumer_partition::subscription& old);
  /// Under the lock, as all below.
  [[nodiscard]] std::size_t push_window() const;
  [[nodiscard]] bool is_current(const task& one) const;
  void received(consumer_partition& partition, buffer batches);
  void failed(locked& lock, const partition_ptr& partition, const failure& why);
  void ask_leader_instead(consumer_partition& partition);
  void note_origin(consumer_partition& partition, const protocol::fetch_partition_result& got);
  void retry_later(consumer_partition& partition);
  void arm_timer(time_point when);

  const std::shared_ptr<cluster_core> cluster_;
  const consumer_config config_;

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::map<topic_partition, partition_ptr> partitions_;
  /// The same, in the order of the assignment, and whose turn it is.
  std::vector<partition_ptr> turns_;
  std::size_t turn_ = 0;
  /// The partition that the next fetch names first.
  std::size_t pump_turn_ = 0;
  /// Bytes read ahead, and asked for. Invariant: the sum over `partitions_`, and over fetches.
  std::size_t buffered_ = 0;
  std::size_t reserved_ = 0;
  bool is_pump_posted_ = false;
  std::optional<error> closed_;
  std::optional<topic_partition> failed_partition_;
  /// Subscriptions that nobody wants any more.
  std::vector<consumer_partition::subscription> to_unsubscribe_;

  /// Spreads consumers over replicas.
  std::size_t spread_ = 0;

  // The I/O thread's.
  std::uint64_t listener_ = 0;
  std::uint32_t next_subscription_ = 1;
  std::unique_ptr<boost::asio::steady_timer> timer_;
  time_point armed_for_ = never;
};

} // namespace aqueduct::client
