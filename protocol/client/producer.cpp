#include "protocol/client/producer.hpp"

#include "protocol/client/internal/config_check.hpp"
#include "protocol/client/internal/producer_core.hpp"

namespace aqueduct::client {

using namespace std::chrono_literals;

result<void> producer_config::validate() const {
  constexpr auto long_time = 24h * 365;
  return config_check()
      .require(acks == client::acks::all || acks == client::acks::leader ||
                   acks == client::acks::none,
               "acks is none of all, leader and none")
      .require(codec <= compression::zstd, "codec is unknown")
      .range("batch_bytes", batch_bytes, std::size_t{1} << 10, std::size_t{64} << 20, " bytes")
      .range("batch_records", batch_records, 1, 10'000'000)
      .range("linger", linger, 0ms, 1min)
      .require(memory_bytes >= batch_bytes, "memory_bytes is less than batch_bytes")
      .range("block_max", block_max, 0ms, long_time)
      .range("delivery_timeout", delivery_timeout, 1ms, long_time)
      .require(delivery_timeout >= linger, "delivery_timeout is shorter than linger")
      .range("request_timeout", request_timeout, 1ms, long_time)
      .range("backoff_min", backoff_min, 1ms, 10min)
      .range("backoff_max", backoff_max, backoff_min, 10min)
      .range("in_flight_per_partition", in_flight_per_partition, 1, 5)
      .require(acks != client::acks::none || !idempotent.value_or(false),
               "idempotent needs answers: acks leader or all")
      .done();
}

producer::producer(std::shared_ptr<producer_core> core) : core_(std::move(core)) {}

producer::producer(producer&&) noexcept = default;

producer& producer::operator=(producer&& other) noexcept {
  if (this != &other) {
    if (core_)
      core_->abandon();
    core_ = std::move(other.core_);
  }
  return *this;
}

producer::~producer() {
  if (core_)
    core_->abandon();
}

result<producer> producer::create(const cluster& on, producer_config config) {
  auto core = producer_core::create(on.core(), std::move(config));
  if (!core)
    return core.propagate();
  return producer(std::move(*core));
}

result<void> producer::send(const record& rec) {
  accumulator::told nobody;
  return core_->send(rec, nobody, false);
}

result<void> producer::send(const record& rec, send_callback done) {
  accumulator::told told;
  if (done)
    told = std::move(done);
  return core_->send(rec, told, false);
}

namespace {

std::future<result<record_metadata>> send_promised(producer_core& core, const record& rec,
                                                   bool at_once) {
  send_promise promise;
  auto outcome = promise.get_future();
  accumulator::told told(std::move(promise));
  if (auto sent = core.send(rec, told, at_once); !sent)
    std::get<send_promise>(told).set_value(sent.propagate());
  return outcome;
}

} // namespace

std::future<result<record_metadata>> producer::send_future(const record& rec) {
  return send_promised(*core_, rec, false);
}

result<record_metadata> producer::send_and_wait(const record& rec) {
  if (core_->is_io_thread())
    return unexpected(errc::invalid_request,
                      "this function waits and cannot be called from a callback");
  return send_promised(*core_, rec, true).get();
}

result<record_metadata> producer::append_at(const topic_partition& to, offset_t expected,
                                            std::span<const record> records, offset_t* end_offset) {
  return core_->append_at(to, expected, records, end_offset);
}

result<void> producer::flush(std::optional<milliseconds> timeout) {
  return core_->flush(timeout);
}

result<void> producer::close(std::optional<milliseconds> timeout) {
  return core_->close(timeout);
}

producer_stats producer::stats() const {
  return core_->stats();
}

} // namespace aqueduct::client
