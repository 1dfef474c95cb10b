// The inside of a group consumer: applies what the session hears to the partitions that are read,
// and keeps account of what is finished. For the user's thread, but for what is said otherwise.
#pragma once

#include "protocol/client/internal/consumer_core.hpp"
#include "protocol/client/internal/group_session.hpp"

#include <atomic>
#include <exception>
#include <map>
#include <span>

namespace aqueduct::client {

class group_consumer_core {
public:
  [[nodiscard]] static result<std::shared_ptr<group_consumer_core>>
  create(std::shared_ptr<cluster_core> on, group_consumer_config config);
  ~group_consumer_core();

  [[nodiscard]] result<record_set> poll(milliseconds timeout, poll_limits limits);
  [[nodiscard]] result<void> run(const group_consumer::handler& work, const run_options& options);
  [[nodiscard]] result<void> commit();
  [[nodiscard]] result<void> commit(std::span<const offset_commit> offsets);
  /// `commits_all`: what the last poll returned is finished too.
  [[nodiscard]] result<void> close(bool commits_all);

  // Any thread.
  void stop() { is_stopped_ = true; }
  [[nodiscard]] consumer_core& reading() const { return *reading_; }
  [[nodiscard]] group_session::identity who() const { return session_->who(); }

private:
  using offsets = std::map<topic_partition, offset_t>;

  group_consumer_core(std::shared_ptr<cluster_core> on, group_consumer_config config,
                      std::shared_ptr<consumer_core> reading);

  [[nodiscard]] result<record_set> poll_until(time_point deadline, poll_limits limits);
  /// Where partitions begin, and why some of them are not there.
  struct known_starts {
    std::vector<assignment> starts;
    std::optional<error> missing;
  };

  [[nodiscard]] result<void> act_on_news();
  [[nodiscard]] result<void> go_on_taking_over();
  [[nodiscard]] result<void> take_over(const std::vector<topic_partition>& given);
  /// What the callback threw: the partitions are given up whatever it does.
  [[nodiscard]] std::exception_ptr give_up(const std::vector<topic_partition>& taken, bool is_lost);
  [[nodiscard]] std::exception_ptr call_back(const std::function<void(partition_span)>& told,
                                             partition_span partitions);
  [[nodiscard]] result<known_starts> starts_of(const std::vector<topic_partition>& partitions);
  /// Everything that polls returned is finished.
  void finish_all();
  void commit_if_due();
  [[nodiscard]] result<void> commit_finished();
  [[nodiscard]] result<void> commit_offsets(std::span<const offset_commit> rows);
  [[nodiscard]] bool has_moved_on(group_session::identity& self, const error& refused,
                                  time_point deadline);
  [[nodiscard]] result<void> commit_some(const group_session::identity& self,
                                         std::span<const offset_commit> rows,
                                         result<void>& outcome);
  void work_on(const record_set& records, const group_consumer::handler& work,
               const run_options& options);
  void resume_retries();

  const std::shared_ptr<cluster_core> cluster_;
  const group_consumer_config config_;
  const std::shared_ptr<consumer_core> reading_;
  group_caller caller_;
  std::unique_ptr<group_session> session_;

  std::vector<topic_partition> owned_;
  /// An assignment that could not be acted on yet, or not on all of it: when it is tried again, and
  /// when the user hears of it.
  std::optional<std::vector<topic_partition>> unfinished_;
  time_point try_again_at_{};
  time_point complain_at_{};
  backoff look_up_backoff_;
  /// The next records of which the ones before are worked on, and what of that is committed.
  offsets finished_;
  offsets committed_;
  /// Partitions whose handler failed: when they go on.
  std::map<topic_partition, time_point> retries_;
  time_point next_commit_{};
  bool runs_handlers_ = false;
  bool is_calling_back_ = false;
  bool is_closed_ = false;
  std::atomic<bool> is_stopped_{false};
};

} // namespace aqueduct::client
