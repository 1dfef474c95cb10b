#include "protocol/client/consumer.hpp"

#include "protocol/client/internal/config_check.hpp"
#include "protocol/client/internal/consumer_core.hpp"

namespace aqueduct::client {

using namespace std::chrono_literals;

result<void> consumer_config::validate() const {
  constexpr auto long_time = 24h * 365;
  return config_check()
      .range("partition_bytes_max", partition_bytes_max, std::size_t{1} << 10,
             std::size_t{256} << 20, " bytes")
      .require(read_from.age_max() >= 0ms, "read_from allows an age below 0")
      .require(mode == consume_mode::fetch || read_from == read_source::leader(),
               "read_from is not the leader, from whom alone pushes come")
      .require(prefetch_bytes >= partition_bytes_max,
               "prefetch_bytes is less than partition_bytes_max")
      .range("fetch_bytes_min", fetch_bytes_min, std::size_t{0}, std::size_t{1} << 30, " bytes")
      .range("fetch_wait_max", fetch_wait_max, 0ms, 1min)
      .range("request_timeout", request_timeout, 1ms, long_time)
      .range("backoff_min", backoff_min, 1ms, 10min)
      .range("backoff_max", backoff_max, backoff_min, 10min)
      .require(poll_records_max >= 1, "poll_records_max is 0")
      .range("decompressed_bytes_max", decompressed_bytes_max, std::size_t{1} << 10,
             std::size_t{0x7fffffff}, " bytes")
      .done();
}

consumer::consumer(std::shared_ptr<consumer_core> core) : core_(std::move(core)) {}

consumer::consumer(consumer&&) noexcept = default;

consumer& consumer::operator=(consumer&& other) noexcept {
  if (this != &other) {
    if (core_)
      core_->close();
    core_ = std::move(other.core_);
  }
  return *this;
}

consumer::~consumer() {
  if (core_)
    core_->close();
}

result<consumer> consumer::create(const cluster& on, consumer_config config) {
  auto core = consumer_core::create(on.core(), std::move(config));
  if (!core)
    return core.propagate();
  return consumer(std::move(*core));
}

result<void> consumer::assign(std::vector<assignment> partitions) {
  return core_->assign(std::move(partitions));
}

result<void> consumer::assign_topic(std::string_view topic, start_position start) {
  return core_->assign_topic(topic, start);
}

std::vector<topic_partition> consumer::assigned() const {
  return core_->assigned();
}

result<void> consumer::seek(const topic_partition& tp, start_position to) {
  return core_->seek(tp, to);
}

result<void> consumer::pause(const topic_partition& tp) {
  return core_->pause(tp, true);
}

result<void> consumer::resume(const topic_partition& tp) {
  return core_->pause(tp, false);
}

result<record_set> consumer::poll(milliseconds timeout, poll_limits limits) {
  return core_->poll(timeout, limits);
}

std::optional<topic_partition> consumer::failed_partition() const {
  return core_->failed_partition();
}

result<offset_t> consumer::position(const topic_partition& tp) const {
  return core_->position(tp);
}

result<offset_t> consumer::high_watermark(const topic_partition& tp) const {
  return core_->high_watermark(tp);
}

result<answer_origin> consumer::last_answer(const topic_partition& tp) const {
  return core_->last_answer(tp);
}

result<std::int64_t> consumer::lag(const topic_partition& tp) const {
  return core_->lag(tp);
}

void consumer::close() {
  core_->close();
}

} // namespace aqueduct::client
