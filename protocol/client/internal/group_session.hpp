// The membership of one member in its group: joins, stays alive, joins again when the coordinator
// asks. Has a thread of its own, because the user's may be busy for minutes. What belongs to the
// member is for the user's thread to change: it is told by `take_news`, and says when it has.
//
//   out --join--> joining --answer--> member --rebalance, changed topics--> joining
//    ^                                   |
//    '------ expelled, not polled -------'
#pragma once

#include "protocol/client/group_consumer.hpp"
#include "protocol/client/internal/group_caller.hpp"

#include <deque>
#include <functional>
#include <regex>
#include <set>
#include <thread>

namespace aqueduct::client {

class group_session {
public:
  struct news {
    enum class kind : std::uint8_t {
      /// These are the member's from now on.
      assigned,
      /// Everything is to be given up before the next rebalance.
      give_up,
      /// Everything is others' already.
      lost,
      /// The member cannot be in the group.
      refused,
    };
    kind what = kind::assigned;
    std::vector<topic_partition> partitions{};
    error why{};
  };
  struct identity {
    std::string member;
    std::int32_t generation = -1;
  };

  /// `told` is called from the session's thread when there are news.
  group_session(std::shared_ptr<cluster_core> on, const group_consumer_config& config,
                std::function<void()> told);
  ~group_session();
  group_session(const group_session&) = delete;
  group_session& operator=(const group_session&) = delete;

  /// What has come up since the last call. With `assigned`, `give_up` and `lost` the session goes
  /// on when it hears `done`.
  [[nodiscard]] std::optional<news> take_news();
  /// The news are acted on: these are what the member holds.
  void done(std::vector<topic_partition> owned);
  /// The member is to join again, and does so when all news are done.
  [[nodiscard]] bool wants_to_join() const;
  /// The user's thread is alive.
  void polled();
  [[nodiscard]] identity who() const;
  /// Who the member is once a join that is on its way has been answered, or at the deadline: until
  /// the answer is read, the coordinator may be in the next generation already.
  [[nodiscard]] identity who_after_join(time_point deadline);
  /// Leaves the group, unless the member is static, and ends the thread.
  void leave();

private:
  using locked = std::unique_lock<std::mutex>;

  void live();
  void join(locked& lock);
  void joined(protocol::join_group_response answer);
  void join_failed(const error& why);
  void beat(locked& lock);
  void look_at_topics(locked& lock);
  void put_news(news what);
  [[nodiscard]] identity known_identity() const;
  void lose(bool forgets_id);
  [[nodiscard]] protocol::join_group_request join_request() const;
  [[nodiscard]] bool is_cooperative() const;
  [[nodiscard]] time_point next_wake() const;
  [[nodiscard]] static std::string new_id(const std::string& client);

  const std::shared_ptr<cluster_core> cluster_;
  const group_consumer_config config_;
  const std::function<void()> told_;
  std::vector<std::regex> patterns_;
  group_caller caller_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_ending_ = false;
  std::string member_;
  std::int32_t generation_ = -1;
  std::string assignor_;
  bool is_member_ = false;
  /// A request to join has been sent and is not answered.
  bool is_joining_ = false;
  bool must_join_ = true;
  /// Nothing is held on to: an assignor that is not cooperative may share everything out anew.
  bool has_given_up_ = true;
  std::vector<topic_partition> owned_;
  std::deque<news> news_;
  /// News that the user's thread has yet to act on.
  std::size_t awaited_ = 0;
  /// Found by the patterns.
  std::set<std::string> matched_;
  time_point polled_at_;
  time_point next_beat_{};
  time_point next_topics_{};
  time_point not_before_{};
  backoff join_backoff_;

  /// Last: it uses all of the above.
  std::thread thread_;
};

} // namespace aqueduct::client
