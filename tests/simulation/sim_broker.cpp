#include "tests/simulation/sim_broker.hpp"

#include "actors/election/leader_elections.hpp"
#include "actors/logging.hpp"
#include "actors/replica/state_server.hpp"
#include "actors/replica/ticker.hpp"

#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <chrono>

namespace aqueduct::actors::test {

namespace {

constexpr std::int64_t election_timeout_ms = 1000;
constexpr std::int64_t raft_tick_ms = 50;
/// Bytes per second, little enough to be felt.
constexpr std::uint64_t catch_up_rate = 64 << 10;

caf::scheduler::test_coordinator& coordinator(caf::actor_system& system) {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
}

template <class Handle>
void kill(Handle& handle) {
  if (handle)
    caf::anon_send_exit(handle, caf::exit_reason::kill);
  handle = nullptr;
}

} // namespace

sim_broker::sim_broker(std::int32_t number, sim_machine& machine, std::uint64_t incarnation,
                       sim_wires& wires, const broker_settings& settings)
    : number_(number),
      machine_(machine),
      wires_(wires),
      settings_(settings),
      config_(std::make_unique<caf::actor_system_config>()),
      watch_(std::make_shared<case_watch>(settings.book, number)) {
  config_->set("scheduler.policy", caf::atom("testing"));
  system_ = std::make_unique<caf::actor_system>(*config_);
  storage::claim_request claim;
  claim.path = "/data";
  claim.node = node_id(number);
  claim.incarnation = incarnation;
  claim.now = timestamp_ms(machine.env->now_ms());
  auto claimed = storage::data_directory::claim(*machine.disk, claim);
  if (!claimed) {
    fail(claimed.error());
    return;
  }
  data_.emplace(std::move(*claimed));
  enter_cluster();
}

sim_broker::~sim_broker() {
  if (discovery_)
    caf::anon_send(discovery_, discovery_event{discovery_stop{}});
  discovery_ = nullptr;
  if (seat_)
    seat_->leave();
  calls_->route(call_kind::controller, nullptr);
  calls_->route(call_kind::fetch_state, nullptr);
  calls_->route(call_kind::elect, nullptr);
  if (transport_)
    transport_->stop();
  for (const auto& topic : directory_->all())
    for (const auto& partition : topic->partitions)
      if (partition->handle)
        caf::anon_send_exit(partition->handle, caf::exit_reason::kill);
  kill(controller_);
  kill(scrubber_);
  auto& schedule = coordinator(*system_);
  schedule.run();
  // Who waits for a disk that stands still hears that it has no power.
  if (const auto left = machine_.pace->stalled_at_most_ms - machine_.env->steady_ms(); left > 0) {
    schedule.advance_time(std::chrono::milliseconds(left));
    schedule.run();
  }
  if (services_) {
    auto services = *services_;
    services_.reset();
    for (auto& worker : services.storage)
      kill(worker);
    for (auto& worker : workers_)
      kill(worker);
    for (auto& reader : services.readers)
      kill(reader);
    kill(services.ticker);
  }
  kill(upkeep_);
  groups_.reset();
  directory_.reset();
  transport_.reset();
  registry_.reset();
  calls_.reset();
  schedule.run();
  // A killed actor is gone when its last timeout has passed.
  while (schedule.trigger_timeouts() > 0)
    schedule.run();
}

void sim_broker::fail(const error& why) {
  if (!failure_)
    failure_ = why;
}

std::size_t sim_broker::settle() {
  auto count = coordinator(*system_).run();
  if (failure_)
    return count;
  if (!spawned_ && decided_->has_value()) {
    if (cluster() != (*decided_)->cluster)
      join((*decided_)->cluster);
    if (failure_)
      return count;
    spawn_storage();
    start_controller();
    count += coordinator(*system_).run();
  }
  if (ready_->has_value() && !**ready_)
    fail((**ready_).error());
  if (is_ready() && cluster().is_nil())
    join(view_->load()->id);
  return count;
}

void sim_broker::join(const uuid& cluster) {
  auto identity = data_->identity();
  identity.cluster = cluster;
  transport_->join(cluster);
  if (seat_)
    seat_->belongs_to(cluster);
  if (auto changed = data_->change_identity(identity); !changed)
    fail(changed.error());
}

void sim_broker::tick() {
  coordinator(*system_).advance_time(std::chrono::milliseconds(1));
}

// -- the parts, as the node puts them together ----------------------------------------------------

void sim_broker::enter_cluster() {
  const auto& identity = data_->identity();
  const raft::replica_id self{raft::node_id(number_), raft::incarnation(identity.incarnation)};
  registry_ = std::make_shared<group_registry>(self);
  calls_->route(call_kind::fetch_state, std::make_shared<state_server>(self, registry_));
  dialler_ = wires_.join(number_);
  peer_transport_options links;
  links.us.cluster = identity.cluster;
  links.us.self = self;
  links.us.software = "simulated";
  links.us.frame_bytes_max = 64 << 20;
  links.us.address = sim_wires::address_of(number_);
  links.election_timeout_ms = election_timeout_ms;
  links.env = machine_.env;
  links.dialler = dialler_;
  links.receiver = registry_;
  links.calls = calls_;
  links.log = settings_.log;
  links.changed = [groups = registry_](raft::node_id node, bool is_up) {
    if (!is_up)
      groups->lost_contact(node);
  };
  links.stranger = [this](const protocol::cluster::hello& hello) {
    if (discovery_)
      caf::anon_send(discovery_, discovery_event{stranger_seen{hello}});
  };
  transport_ = std::make_shared<peer_transport>(*system_, std::move(links));
  wires_.listen(number_, transport_);
  const bool belongs = !identity.cluster.is_nil();
  const auto began = machine_.disk->exists("/data/groups/controller");
  if (!began) {
    fail(began.error());
    return;
  }
  discovery_config finding;
  for (std::int32_t node = 1; node <= settings_.seeds; ++node)
    finding.seeds.push_back(sim_wires::address_of(node));
  if (settings_.process) {
    seat_ = settings_.process->enter(number_, sim_wires::address_of(number_));
    finding.seat = seat_;
    finding.seeds = seat_->addresses();
    if (belongs)
      seat_->belongs_to(identity.cluster);
    else if (*began && !seat_->may_found())
      fail({errc::conflict, "the nodes of this process have another cluster"});
  }
  finding.dialler = dialler_;
  finding.transport = transport_;
  finding.env = machine_.env;
  finding.log = settings_.log;
  if (belongs || *began)
    *decided_ = survey_outcome{identity.cluster};
  else
    finding.decided = [decided = decided_](const survey_outcome& found) { *decided = found; };
  discovery_ = spawn_discovery(*system_, std::move(finding));
}

void sim_broker::spawn_storage() {
  spawned_ = true;
  upkeep_ = spawn_upkeep(*system_, {machine_.kv, false});
  storage_worker_config worker;
  worker.upkeep = upkeep_;
  worker.disk = machine_.disk;
  worker.state = machine_.kv;
  worker.env = machine_.env;
  worker.log = settings_.log;
  worker.store.directory = "/data";
  worker.store.flush = settings_.flush;
  worker.store.mark_bytes = 1024;
  worker.index_interval_bytes = 512;
  worker.preallocate_bytes = 4096;
  worker.detached = false;
  auto services = std::make_shared<partition_services>();
  worker.pool_size = 2;
  for (int i = 0; i < 2; ++i) {
    worker.number = static_cast<std::size_t>(i);
    workers_.push_back(spawn_storage_worker(*system_, worker));
    services->storage.push_back(
        settings_.disks_stall
            ? spawn_slow_storage(*system_, workers_.back(), machine_.env, machine_.pace,
                                 [env = machine_.env] { return env->steady_ms(); })
            : workers_.back());
  }
  services->watch = watch_;
  services->readers.push_back(spawn_reader(*system_, false));
  services->node = number_;
  services->replica = transport_->identity().self;
  services->env = machine_.env;
  services->log = settings_.log;
  services->raft_log = settings_.log;
  services->cache = std::make_shared<cache_budget>(4096);
  services->transport = transport_;
  services->calls = transport_;
  services->pacer = std::make_shared<catch_up_pacer>(catch_up_rate);
  services->registry = registry_;
  services->ticker = spawn_ticker(*system_, raft_tick_ms);
  services->election_timeout_ticks = election_timeout_ms / raft_tick_ms;
  services->idle_timeout_ms = settings_.idle_timeout_ms;
  if (settings_.idle_timeout_ms > 0)
    services->quiet_tick_ms = 1000;
  services_ = services;
}

void sim_broker::start_controller() {
  controller_config control;
  control.services = services_;
  control.directory = directory_;
  control.view = view_;
  control.limits.partitions_per_node = 1000;
  control.limits.topic_defaults.segment_bytes = settings_.segment_bytes;
  control.limits.topic_defaults.message_bytes_max = settings_.segment_bytes / 2;
  control.self = {number_, "client-" + std::to_string(number_), 9092, ""};
  control.self.incarnation = incarnation();
  control.self.cluster_host = sim_wires::address_of(number_).host;
  control.self.cluster_port = sim_wires::address_of(number_).port;
  control.heartbeat_ms = 250;
  control.session_timeout_ms = 2000;
  control.move_timeout_ms = settings_.move_timeout_ms;
  control.entries_kept = settings_.controller_entries_kept;
  if (cluster().is_nil())
    control.founders.voters = {services_->replica};
  control.caller = transport_;
  control.contacts = [to = std::weak_ptr<peer_transport>(transport_)] {
    std::vector<raft::node_id> nodes;
    if (const auto transport = to.lock())
      for (const auto& peer : transport->status())
        if (peer.is_connected())
          nodes.push_back(peer.peer);
    return nodes;
  };
  control.meet = [to = std::weak_ptr<peer_transport>(transport_)](const broker_record& broker) {
    if (const auto transport = to.lock(); transport && !broker.cluster_host.empty())
      transport->add_peer(raft::node_id(broker.node), {broker.cluster_host, broker.cluster_port});
  };
  control.disk = [files = machine_.disk] {
    const auto space = files->space("/data");
    return space ? disk_room{space->free_bytes, space->total_bytes} : disk_room{};
  };
  control.log = settings_.log;
  control.ready = [ready = ready_](result<void> outcome) { ready->emplace(std::move(outcome)); };
  control.voters_wanted = (*decided_)->nodes;
  control.settled = [settled = settled_](result<void> outcome) {
    settled->emplace(std::move(outcome));
  };
  controller_ = spawn_controller(*system_, std::move(control));
  calls_->route(call_kind::controller, make_controller_gate(controller_));
  calls_->route(call_kind::elect, make_election_server(directory_, machine_.env));
  group_router::options groups;
  groups.node = number_;
  groups.directory = directory_;
  groups.view = view_;
  groups.controller = controller_;
  groups.env = machine_.env;
  groups_ = std::make_shared<const group_router>(std::move(groups));
}

// -- what is asked of it --------------------------------------------------------------------------

void sim_broker::send(controller_call call) {
  if (controller_)
    caf::anon_send(controller_, std::move(call));
}

void sim_broker::ask_controller(controller_question_body question,
                                std::function<void(result<controller_answer>)> done) {
  controller_job job;
  job.question.body = std::move(question);
  job.deadline_ms = env().steady_ms() + 10'000;
  job.done = std::move(done);
  send(controller_call{std::move(job)});
}

void sim_broker::elect(const std::string& topic, std::int32_t partition, std::int64_t wait_ms,
                       std::function<void(const protocol::cluster::election_outcome&)> done) {
  const auto route = directory_->find(topic);
  const auto number = static_cast<std::size_t>(partition);
  if (!route || number >= route->partitions.size())
    return;
  leader_elections(number_, machine_.env, transport_)
      .hold({{{route->record.id, partition},
              route->partitions[number],
              route->record.partitions[number].nodes}},
            wait_ms, [done = std::move(done)](const auto& outcomes) { done(outcomes.at(0)); });
}

partition_actor sim_broker::partition_of(const std::string& topic, std::int32_t partition) const {
  const auto route = directory_->find(topic);
  if (!route || static_cast<std::size_t>(partition) >= route->partitions.size())
    return partition_actor();
  return route->partitions[static_cast<std::size_t>(partition)]->handle;
}

std::optional<replica_report> sim_broker::report(const group_id& group) {
  const auto replica = registry_->find(group);
  if (!replica)
    return std::nullopt;
  const auto answer = std::make_shared<std::optional<replica_report>>();
  caf::anon_send(replica, replica_request{replica_describe{[answer](result<replica_report> found) {
                   if (found)
                     answer->emplace(std::move(*found));
                 }}});
  settle();
  return *answer;
}

void sim_broker::transfer(const group_id& group, raft::replica_id to) {
  if (const auto replica = registry_->find(group))
    caf::anon_send(replica, replica_request{replica_transfer{to}});
}

void sim_broker::scrub() {
  if (!controller_)
    return;
  if (!scrubber_) {
    scrubber_config config;
    config.disk = machine_.disk;
    config.state = machine_.kv;
    config.env = machine_.env;
    config.directory = directory_;
    config.board = std::make_shared<scrub_board>(std::make_shared<const scrub_report>());
    config.log = settings_.log;
    config.data_dir = "/data";
    config.options.rate = std::uint64_t{1} << 40;
    config.detached = false;
    config.damaged = [to = controller_](const group_id& group, const error& why) {
      caf::anon_send(to, controller_call{partition_damaged{group, why}});
    };
    scrubber_ = spawn_scrubber(*system_, std::move(config));
  }
  caf::anon_send(scrubber_, scrub_request{scrub_start{{}, -1, [](const result<void>&) {}}});
}

void sim_broker::stop() {
  if (!controller_) {
    *stopped_ = true;
    return;
  }
  send(controller_call{
      controller_stop{[stopped = stopped_](const result<void>&) { *stopped = true; }}});
}

} // namespace aqueduct::actors::test
