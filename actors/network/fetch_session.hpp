// Incremental fetch sessions of Kafka's protocol (KIP-227): a client names its partitions once,
// then only what changes about them, and is told only of those with news. Pure: requests and time
// come in, what to answer goes out.
#pragma once

#include "protocol/ids.hpp"
#include "protocol/kafka/data_messages.hpp"
#include "protocol/kafka/error_code.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace aqueduct::actors::network {

/// The partitions of one session, and what its client was told of each last. Not thread-safe.
class fetch_session {
public:
  using asked_topic = protocol::kafka::fetch_request::topic_entry;
  using asked_partition = asked_topic::partition_entry;
  using forgotten_topic = protocol::kafka::fetch_request::forgotten_topic_entry;
  using answered_topic = protocol::kafka::fetch_response::topic_entry;
  using answered_partition = answered_topic::partition_entry;

  /// `by_id`: topics go by their ids (version 13 and later), not by their names.
  explicit fetch_session(bool by_id) : by_id_(by_id) {}

  [[nodiscard]] bool by_id() const { return by_id_; }
  /// Partitions in it.
  [[nodiscard]] std::size_t size() const { return order_.size(); }

  /// Adds partitions, or changes what is asked of them, and then drops those that are forgotten.
  void update(const std::vector<asked_topic>& topics, const std::vector<forgotten_topic>& gone);
  /// All partitions in the order in which they are to be served: those that gave records last come
  /// last.
  [[nodiscard]] std::vector<asked_topic> asked() const;
  /// Remembers what is answered; removes the rows that say nothing new unless the answer is to be
  /// `whole`.
  void answer(std::vector<answered_topic>& topics, bool whole);

private:
  struct topic_key {
    std::string name;
    uuid id;

    friend auto operator<=>(const topic_key&, const topic_key&) = default;
  };
  struct remembered {
    /// Of topics_.
    const topic_key* topic = nullptr;
    asked_partition asked;
    // -1: nothing that the client could take for known was told.
    std::int64_t high_watermark = -1;
    std::int64_t last_stable_offset = -1;
    std::int64_t log_start_offset = -1;
  };
  using place = std::list<remembered>::iterator;

  template <class Topic>
  [[nodiscard]] topic_key key_of(const Topic& topic) const {
    return by_id_ ? topic_key{{}, topic.topic_id} : topic_key{topic.topic, {}};
  }
  /// Notes what a row says. Whether it is news.
  [[nodiscard]] static bool note(remembered& known, const answered_partition& row);

  bool by_id_;
  std::list<remembered> order_;
  /// Where in order_ each partition is.
  std::map<topic_key, std::map<std::int32_t, place>> topics_;
};

/// One request on its way through its session.
struct fetch_turn {
  /// Not none: the answer is this error and nothing else.
  protocol::kafka::error_code refused = protocol::kafka::error_code::none;
  /// To be answered; 0: there is no session, or not any more.
  std::int32_t id = 0;
  /// The answer has a row for every partition.
  bool whole = true;

private:
  friend class fetch_session_cache;
  struct entry;
  std::shared_ptr<entry> session_;
};

/// The sessions of a node. Thread-safe.
class fetch_session_cache {
public:
  struct limits {
    std::size_t sessions_max = 1000;
    /// Of all sessions together.
    std::size_t partitions_max = 100'000;
    /// A session that was not used for so long gives way to any other, and one that is as old to a
    /// larger one.
    std::int64_t evict_after_ms = 120'000;
  };

  fetch_session_cache() = default;
  explicit fetch_session_cache(limits bounds) : bounds_(bounds) {}

  /// Takes a request of `version` of the client `owner`. In a session, `request.topics` are all of
  /// its partitions afterwards. `random` makes the id of a new session.
  [[nodiscard]] fetch_turn begin(protocol::kafka::fetch_request& request, std::int16_t version,
                                 const void* owner, std::int64_t now_ms, std::uint64_t random);
  /// Completes the answer to what `begin` took.
  static void finish(const fetch_turn& turn, protocol::kafka::fetch_response& response);
  /// The client is gone, and with it its sessions.
  void drop_all_of(const void* owner);

  [[nodiscard]] std::size_t size() const;
  /// Of all sessions.
  [[nodiscard]] std::size_t partitions() const;

private:
  using entry_ptr = std::shared_ptr<fetch_turn::entry>;
  using entries = std::map<std::int32_t, entry_ptr>;

  // Precondition of these: mutex_ is held.
  void remove(entries::iterator which);
  void remove_of(std::int32_t id, const void* owner);
  [[nodiscard]] fetch_turn create(const protocol::kafka::fetch_request& request, bool by_id,
                                  const void* owner, std::int64_t now_ms, std::uint64_t random);
  /// Makes room for a session of `size` partitions, in place of others if it may.
  [[nodiscard]] bool make_room(std::size_t size, std::int64_t now_ms);
  [[nodiscard]] entries::iterator choose_victim(std::size_t size, std::int64_t now_ms);

  limits bounds_;
  mutable std::mutex mutex_;
  // Guarded by mutex_. Invariant: partitions_ is the sum of the sizes of sessions_.
  entries sessions_;
  std::size_t partitions_ = 0;
};

} // namespace aqueduct::actors::network
