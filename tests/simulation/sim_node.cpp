#include "tests/simulation/sim_node.hpp"

#include "actors/consumer_group/group_partition.hpp"
#include "protocol/batch_builder.hpp"
#include "protocol/record_reader.hpp"

#include <caf/send.hpp>

#include <chrono>

namespace aqueduct::actors::test {

// -- the machine ----------------------------------------------------------------------------------

sim_machine::sim_machine(std::uint64_t seed)
    : disk(std::make_shared<storage::sim_disk>()),
      store(std::make_shared<storage::memory_kv>()),
      kv(std::make_shared<storage::test::powered_kv>(*disk, *store)),
      time_(std::make_shared<virtual_environment>(seed)) {
  env = time_;
}

void sim_machine::crash(std::uint64_t seed) {
  disk->crash(storage::crash_policy::random(seed));
  store->crash(seed);
}

void sim_machine::keep_all() {
  disk->crash(storage::crash_policy::keep_all());
}

void sim_machine::wipe() {
  disk->wipe();
  store = std::make_shared<storage::memory_kv>();
  kv = std::make_shared<storage::test::powered_kv>(*disk, *store);
}

void sim_machine::advance(std::int64_t ms) {
  time_->advance(ms);
}

std::int64_t sim_machine::pass() {
  credit_ += rate_per_mille_;
  const auto whole = credit_ / 1000;
  credit_ %= 1000;
  advance(whole);
  return whole;
}

// -- the node -------------------------------------------------------------------------------------

namespace {

caf::scheduler::test_coordinator& coordinator(caf::actor_system& system) {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
}

template <class Outcome>
answer<Outcome> open_answer() {
  return std::make_shared<std::optional<Outcome>>();
}

struct topic_answer : topic_sink {
  explicit topic_answer(answer<result<topic_outcome>> to) : to(std::move(to)) {}
  void finished(result<topic_outcome> outcome) override { to->emplace(std::move(outcome)); }
  answer<result<topic_outcome>> to;
};

struct produce_answer : produce_sink {
  explicit produce_answer(answer<produce_outcome> to) : to(std::move(to)) {}
  void produced(std::uint32_t, produce_outcome outcome) override {
    to->emplace(std::move(outcome));
  }
  answer<produce_outcome> to;
};

struct fetch_answer : fetch_sink {
  explicit fetch_answer(answer<fetch_outcome> to) : to(std::move(to)) {}
  void fetched(std::uint32_t, fetch_outcome outcome) override { to->emplace(std::move(outcome)); }
  std::size_t reserve(std::size_t wanted) override { return wanted; }
  void release(std::size_t) override {}
  answer<fetch_outcome> to;
};

struct query_answer : query_sink {
  void found_offset(std::uint32_t, offset_outcome outcome) override {
    offset->emplace(std::move(outcome));
  }
  void described(std::uint32_t, describe_outcome outcome) override {
    description->emplace(std::move(outcome));
  }
  void trimmed(std::uint32_t, trim_outcome outcome) override { trim->emplace(std::move(outcome)); }
  answer<offset_outcome> offset = open_answer<offset_outcome>();
  answer<describe_outcome> description = open_answer<describe_outcome>();
  answer<trim_outcome> trim = open_answer<trim_outcome>();
};

} // namespace

sim_node::sim_node(sim_machine& machine, options opts)
    : machine_(machine), config_(std::make_unique<caf::actor_system_config>()) {
  config_->set("scheduler.policy", caf::atom("testing"));
  system_ = std::make_unique<caf::actor_system>(*config_);
  auto services = std::make_shared<partition_services>();
  upkeep_ = spawn_upkeep(*system_, {machine.kv, false});
  storage_worker_config worker;
  worker.upkeep = upkeep_;
  worker.disk = machine.disk;
  worker.state = machine.kv;
  worker.env = machine.env;
  worker.log = component_logger("storage");
  worker.store.directory = "/data";
  worker.store.reserve_bytes = opts.reserve_bytes;
  worker.store.flush = opts.flush;
  worker.sync_interval_ms = opts.sync_interval_ms;
  worker.store.mark_bytes = 1024;
  worker.index_interval_bytes = 512;
  worker.preallocate_bytes = 4096;
  worker.detached = false;
  worker.pool_size = static_cast<std::size_t>(opts.workers);
  for (std::int32_t i = 0; i < opts.workers; ++i) {
    worker.number = static_cast<std::size_t>(i);
    services->storage.push_back(spawn_storage_worker(*system_, worker));
  }
  services->readers.push_back(spawn_reader(*system_, false));
  services->node = 1;
  services->replica = {raft::node_id(1), raft::incarnation(1)};
  services->env = machine.env;
  services->log = component_logger("partition");
  services->raft_log = component_logger("raft");
  services->cache = std::make_shared<cache_budget>(4096);
  services->idle_timeout_ms = opts.idle_timeout_ms;
  if (opts.idle_timeout_ms > 0)
    services->quiet_tick_ms = 1000;
  services_ = services;
  controller_config control;
  control.services = services_;
  control.directory = directory_;
  control.view = std::make_shared<known_cluster>();
  limits_.partitions_per_node = opts.partitions_max;
  limits_.topic_defaults.segment_bytes = opts.segment_bytes;
  limits_.topic_defaults.message_bytes_max = opts.segment_bytes / 2;
  control.limits = limits_;
  control.self = {1, "localhost", 9092, ""};
  control.founders.voters = {services_->replica};
  control.log = component_logger("controller");
  control.ready = [ready = ready_](result<void> outcome) { ready->emplace(std::move(outcome)); };
  controller_ = spawn_controller(*system_, std::move(control));
  scrubber_config scrub;
  scrub.disk = machine.disk;
  scrub.state = machine.kv;
  scrub.env = machine.env;
  scrub.directory = directory_;
  scrub.board = board_;
  scrub.log = component_logger("storage");
  scrub.data_dir = "/data";
  scrub.options = opts.scrub;
  scrub.detached = false;
  scrubber_ = spawn_scrubber(*system_, std::move(scrub));
}

sim_node::~sim_node() {
  if (!system_)
    return;
  // A killed actor is gone when its last timeout has passed.
  const auto kill = [](const auto& handle) {
    if (handle)
      caf::anon_send_exit(handle, caf::exit_reason::kill);
  };
  for (const auto& topic : directory_->all())
    for (const auto& partition : topic->partitions)
      kill(partition->handle);
  kill(controller_);
  kill(scrubber_);
  for (const auto& worker : services_->storage)
    kill(worker);
  for (const auto& reader : services_->readers)
    kill(reader);
  kill(upkeep_);
  controller_ = nullptr;
  scrubber_ = nullptr;
  upkeep_ = nullptr;
  directory_.reset();
  services_.reset();
  auto& schedule = coordinator(*system_);
  schedule.run();
  while (schedule.trigger_timeouts() > 0)
    schedule.run();
}

void sim_node::ask() {
  if (!held_)
    settle();
}

void sim_node::settle() {
  held_ = false;
  coordinator(*system_).run();
}

void sim_node::run_for(std::int64_t ms) {
  held_ = false;
  auto& schedule = coordinator(*system_);
  schedule.run();
  for (; ms > 0; --ms) {
    machine_.advance(1);
    schedule.advance_time(std::chrono::milliseconds(1));
    schedule.run();
  }
}

void sim_node::run_part(std::size_t messages) {
  auto& schedule = coordinator(*system_);
  machine_.advance(1);
  schedule.advance_time(std::chrono::milliseconds(1));
  schedule.run(messages);
}

std::size_t sim_node::actor_count() const {
  return system_->registry().running();
}

void sim_node::stop() {
  const auto stopped = std::make_shared<bool>(false);
  caf::anon_send(controller_, controller_call{controller_stop{
                                  [stopped](const result<void>&) { *stopped = true; }}});
  for (int i = 0; i < 100 && !*stopped; ++i)
    run_for(10);
  stopped_ = *stopped;
}

partition_actor sim_node::partition_of(const std::string& topic, std::int32_t partition) {
  const auto route = directory_->find(topic);
  if (!route || static_cast<std::size_t>(partition) >= route->partitions.size())
    return partition_actor();
  return route->partitions[static_cast<std::size_t>(partition)]->handle;
}

template <class Call, class Request>
answer<result<topic_outcome>> sim_node::change(Request request) {
  auto to = open_answer<result<topic_outcome>>();
  caf::anon_send(controller_,
                 controller_call{Call{std::move(request), std::make_shared<topic_answer>(to)}});
  ask();
  return to;
}

answer<result<topic_outcome>> sim_node::create_topic(const std::string& name,
                                                     std::int32_t partitions) {
  protocol::create_topic_request request;
  request.name = name;
  request.partitions = partitions;
  return change<create_topic_call>(std::move(request));
}

answer<result<controller_answer>> sim_node::create_coordinators(std::int32_t partitions) {
  auto to = open_answer<result<controller_answer>>();
  own_topic_question question;
  question.name = group_topic_name;
  question.partitions = partitions;
  controller_job job;
  job.question.body = std::move(question);
  job.deadline_ms = machine_.env->steady_ms() + 30'000;
  job.done = [to](result<controller_answer> outcome) { to->emplace(std::move(outcome)); };
  caf::anon_send(controller_, controller_call{std::move(job)});
  ask();
  return to;
}

answer<result<topic_outcome>> sim_node::delete_topic(const std::string& name) {
  protocol::delete_topic_request request;
  request.name = name;
  return change<delete_topic_call>(std::move(request));
}

answer<result<topic_outcome>> sim_node::alter_topic(const std::string& name,
                                                    const std::string& setting,
                                                    const std::string& value) {
  protocol::alter_topic_request request;
  request.name = name;
  request.settings.push_back({setting, value});
  return change<alter_topic_call>(std::move(request));
}

answer<result<topic_outcome>> sim_node::add_partitions(const std::string& name,
                                                       std::int32_t partitions) {
  protocol::alter_topic_request request;
  request.name = name;
  request.partitions = partitions;
  return change<alter_topic_call>(std::move(request));
}

void sim_node::reconfigure(const controller_core::limits& limits) {
  limits_ = limits;
  caf::anon_send(controller_, controller_call{controller_configure{limits}});
  settle();
}

answer<produce_outcome> sim_node::produce(const std::string& topic, std::int32_t partition,
                                          const buffer& batch) {
  auto to = open_answer<produce_outcome>();
  const auto handle = partition_of(topic, partition);
  if (!handle)
    return to;
  produce_item item;
  item.sink = std::make_shared<produce_answer>(to);
  item.deadline_ms = machine_.env->steady_ms() + 30'000;
  item.batch = mutable_buffer(batch.size());
  std::memcpy(item.batch.data(), batch.data(), batch.size());
  item.header = protocol::batch_view(batch.bytes()).header();
  produce_message message;
  message.items.push_back(std::move(item));
  caf::anon_send(handle, std::move(message));
  settle();
  return to;
}

answer<fetch_outcome> sim_node::fetch(const std::string& topic, std::int32_t partition,
                                      std::int64_t offset, bool wait) {
  auto to = open_answer<fetch_outcome>();
  const auto handle = partition_of(topic, partition);
  if (!handle)
    return to;
  fetch_item item;
  item.sink = std::make_shared<fetch_answer>(to);
  item.offset = offset;
  item.bytes_max = 1 << 20;
  item.wait = wait;
  caf::anon_send(handle, partition_call{std::move(item)});
  settle();
  return to;
}

answer<trim_outcome> sim_node::trim(const std::string& topic, std::int32_t partition,
                                    std::int64_t before_offset) {
  const auto sink = std::make_shared<query_answer>();
  if (const auto handle = partition_of(topic, partition))
    caf::anon_send(handle, partition_call{trim_item{sink, 0, before_offset, 0}});
  settle();
  return sink->trim;
}

answer<offset_outcome> sim_node::find_offset(const std::string& topic, std::int32_t partition,
                                             std::int64_t timestamp_ms) {
  const auto sink = std::make_shared<query_answer>();
  if (const auto handle = partition_of(topic, partition))
    caf::anon_send(handle, partition_call{offset_item{sink, 0, timestamp_ms, std::nullopt}});
  settle();
  return sink->offset;
}

answer<describe_outcome> sim_node::describe(const std::string& topic, std::int32_t partition) {
  const auto sink = std::make_shared<query_answer>();
  if (const auto handle = partition_of(topic, partition))
    caf::anon_send(handle, partition_call{describe_item{sink, 0}});
  settle();
  return sink->description;
}

answer<result<void>> sim_node::sync() {
  auto to = open_answer<result<void>>();
  caf::anon_send(services_->storage[0], storage_request{storage_sync{
                                            [to](result<void> outcome) { to->emplace(outcome); }}});
  settle();
  return to;
}

answer<result<void>> sim_node::scrub(const std::string& topic, std::int32_t partition) {
  auto to = open_answer<result<void>>();
  caf::anon_send(scrubber_, scrub_request{scrub_start{topic, partition, [to](result<void> outcome) {
                                                        to->emplace(outcome);
                                                      }}});
  settle();
  return to;
}

void sim_node::stop_scrub() {
  caf::anon_send(scrubber_, scrub_request{scrub_stop{[](const result<void>&) {}}});
  settle();
}

// -- batches --------------------------------------------------------------------------------------

namespace {

buffer build(const std::string& value, std::int64_t timestamp_ms,
             const protocol::batch_options& options) {
  protocol::batch_builder builder;
  protocol::record_to_write record;
  record.timestamp = aqueduct::timestamp_ms(timestamp_ms);
  record.value = std::as_bytes(std::span(value));
  if (!builder.append(record))
    return {};
  return *builder.finish(options);
}

} // namespace

buffer make_batch(const std::string& value, std::int64_t timestamp_ms) {
  return build(value, timestamp_ms, {});
}

buffer make_batch(const std::string& value, std::int64_t producer, std::int32_t sequence) {
  protocol::batch_options options;
  options.producer = producer_id(producer);
  options.producer_epoch = 0;
  options.base_sequence = sequence;
  return build(value, start_time_ms, options);
}

result<std::map<std::int64_t, std::string>> values_of(const buffer_chain& records) {
  std::map<std::int64_t, std::string> values;
  const auto whole = records.flatten();
  auto rest = whole.bytes();
  while (true) {
    const auto batch = protocol::next_batch(rest);
    if (!batch)
      return batch.propagate();
    if (!*batch)
      break;
    protocol::batch_limits limits;
    limits.origin = protocol::batch_origin::log;
    if (const auto valid = protocol::validate_batch((*batch)->bytes(), limits); !valid)
      return valid.propagate();
    protocol::record_reader reader;
    reader.open(**batch);
    protocol::record_view record;
    while (reader.next(record)) {
      const auto value = record.value.value_or(byte_span());
      values.emplace(record.offset.value,
                     std::string(reinterpret_cast<const char*>(value.data()), value.size()));
    }
    if (const auto status = reader.status(); !status)
      return status.propagate();
  }
  if (!rest.empty())
    return unexpected(errc::corrupt_batch, "the last batch was cut");
  return values;
}

} // namespace aqueduct::actors::test
