#include "actors/node.hpp"

#include "actors/admin.hpp"
#include "actors/admin_port.hpp"
#include "actors/controller/controller.hpp"
#include "actors/election/leader_elections.hpp"
#include "actors/environment.hpp"
#include "actors/logging.hpp"
#include "actors/network/front_end.hpp"
#include "actors/node_cluster.hpp"
#include "actors/replica/ticker.hpp"
#include "actors/scrub/scrubber.hpp"
#include "actors/storage_pool/storage_worker.hpp"
#include "actors/storage_pool/upkeep.hpp"
#include "config/loader.hpp"
#include "storage/data_directory.hpp"
#include "storage/posix_disk.hpp"
#include "storage/rocksdb_kv.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <map>
#include <optional>
#include <sstream>
#include <thread>

namespace aqueduct::actors {

namespace {

/// How long an operator waits for one of the node's actors.
constexpr auto answer_patience = std::chrono::seconds(5);

/// CAF as the node runs it: see docs/adr/0005-caf-settings.md for the measurements.
struct caf_settings : caf::actor_system_config {
  explicit caf_settings(const config::actor_settings& actors) {
    load<caf::io::middleman>();
    const auto cores = static_cast<std::size_t>(std::thread::hardware_concurrency());
    const auto threads = actors.threads > 0 ? static_cast<std::size_t>(actors.threads)
                                            : std::max<std::size_t>(cores / 2, 1);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", threads);
    set("scheduler.max-throughput", std::size_t{100});
    set("middleman.workers", std::size_t{1});
    add_message_types<caf::id_block::aqueduct_admin>();
  }
};

storage::flush_mode to_storage(config::flush_policy policy) {
  switch (policy) {
  case config::flush_policy::commit:
    return storage::flush_mode::commit;
  case config::flush_policy::interval:
    return storage::flush_mode::interval;
  case config::flush_policy::os:
    return storage::flush_mode::os;
  }
  return storage::flush_mode::commit;
}

std::uint32_t ticks_of(std::chrono::milliseconds time, std::chrono::milliseconds tick) {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(time / tick, 1));
}

/// Waits for an actor's answer; `send` is given what the actor has to call.
template <class Send>
result<void> ask(const Send& send) {
  auto done = std::make_shared<std::promise<result<void>>>();
  auto answer = done->get_future();
  send([to = std::move(done)](result<void> outcome) { to->set_value(std::move(outcome)); });
  if (answer.wait_for(answer_patience) != std::future_status::ready)
    return unexpected(errc::timed_out, "the node is busy; it may still do what was asked");
  try {
    return answer.get();
  } catch (const std::future_error&) {
    return unexpected(errc::shutting_down, "the node is shutting down");
  }
}

template <class Handle>
void kill(Handle& handle) {
  if (handle)
    caf::anon_send_exit(handle, caf::exit_reason::kill);
  handle = nullptr;
}

} // namespace

struct node::impl {
  explicit impl(options given) : opts(std::move(given)), log(component_logger("node")) {}

  [[nodiscard]] const config::node_config& settings() const { return opts.config; }

  // -- start -------------------------------------------------------------------------------------

  [[nodiscard]] result<void> open_stores() {
    disk = std::make_shared<storage::posix_disk>(
        storage::posix_options{.direct_writes = settings().storage.direct_writes});
    storage::claim_request claim;
    claim.path = settings().data.dir.string();
    claim.node = node_id(settings().node.id);
    // A disk that is lost and replaced is another life of the node: what the former one promised
    // must not be asked of this one.
    claim.incarnation = static_cast<std::uint64_t>(env->now_ms());
    claim.now = timestamp_ms(env->now_ms());
    auto claimed = storage::data_directory::claim(*disk, claim);
    if (!claimed)
      return claimed.propagate();
    data.emplace(std::move(*claimed));
    storage::rocksdb_options store;
    store.directory = data->kv_path();
    store.warn = [log = component_logger("storage")](std::string_view text) {
      log->warn("RocksDB: {}", text);
    };
    auto opened = storage::rocksdb_kv::open(store);
    if (!opened)
      return opened.propagate();
    state = std::move(*opened);
    return {};
  }

  void spawn_storage() {
    upkeep = spawn_upkeep(*system, {state});
    storage_worker_config worker;
    worker.upkeep = upkeep;
    worker.disk = disk;
    worker.state = state;
    worker.env = env;
    worker.log = component_logger("storage");
    worker.store.directory = data->path();
    worker.store.flush = to_storage(settings().storage.flush);
    worker.store.reserve_bytes = settings().storage.reserve_bytes;
    worker.store.read_files_max = static_cast<std::size_t>(
        std::max(settings().storage.open_files / settings().storage.threads, 1));
    worker.sync_interval_ms = settings().storage.flush_interval.count();
    worker.index_interval_bytes = settings().storage.index_interval_bytes;
    worker.preallocate_bytes = settings().storage.preallocate_bytes;
    auto shared = std::make_shared<partition_services>();
    worker.pool_size = static_cast<std::size_t>(settings().storage.threads);
    for (std::int32_t i = 0; i < settings().storage.threads; ++i) {
      worker.number = static_cast<std::size_t>(i);
      shared->storage.push_back(spawn_storage_worker(*system, worker));
    }
    for (std::int32_t i = 0; i < settings().storage.reader_threads; ++i)
      shared->readers.push_back(spawn_reader(*system, true));
    shared->node = settings().node.id;
    shared->replica = {raft::node_id(settings().node.id),
                       raft::incarnation(data->identity().incarnation)};
    shared->registry = cluster->registry();
    shared->transport = cluster->transport();
    shared->calls = cluster->transport();
    shared->pacer = pacer;
    shared->env = env;
    shared->log = component_logger("partition");
    shared->raft_log = component_logger("raft");
    shared->cache = cache;
    shared->ticker = spawn_ticker(*system, settings().raft.tick.count());
    shared->election_timeout_ticks =
        ticks_of(settings().raft.election_timeout, settings().raft.tick);
    shared->heartbeat_ticks = ticks_of(settings().raft.heartbeat, settings().raft.tick);
    shared->idle_timeout_ms = settings().partition.idle_timeout.count();
    shared->follower_reads = settings().partition.follower_reads;
    // A short timeout is worth looking at the time more often.
    if (shared->idle_timeout_ms > 0)
      shared->quiet_tick_ms =
          std::clamp<std::int64_t>(shared->idle_timeout_ms / 4, shared->tick_ms, 30'000);
    services = std::move(shared);
  }

  /// Finds out which cluster the node belongs to, and remembers it before anything else is said or
  /// promised in it.
  [[nodiscard]] result<void> enter_cluster() {
    cluster->serve(*system, *data, opts.software, env);
    const bool belongs = !data->identity().cluster.is_nil();
    // A node that crashed while it founded a cluster goes on founding it.
    const auto began = disk->exists(data->path() + "/groups/controller");
    if (!began)
      return began.propagate();
    auto found = cluster->find(belongs || *began, opts.interrupted);
    if (!found)
      return found.propagate();
    founds = !belongs && found->cluster.is_nil();
    founders = founds ? found->nodes : 1;
    return belongs || founds ? result<void>() : belong_to(found->cluster);
  }

  [[nodiscard]] result<void> belong_to(const uuid& id) {
    auto identity = data->identity();
    identity.cluster = id;
    cluster->join(id);
    return data->change_identity(identity);
  }

  /// What clients of the listeners with names are told, ordered by name.
  [[nodiscard]] std::vector<broker_listener> advertised_listeners() const {
    std::vector<broker_listener> all;
    for (const auto& bound : front->listeners()) {
      auto address = settings().advertised(bound);
      all.push_back({bound.name, address.host, address.port});
    }
    std::ranges::sort(all, {}, &broker_listener::name);
    return all;
  }

  /// The same services, but for where the brokers are.
  [[nodiscard]] std::vector<std::shared_ptr<const network::front_services>>
  services_of_listeners(const network::front_services& shared) const {
    std::vector<std::shared_ptr<const network::front_services>> all;
    for (const auto& bound : front->listeners()) {
      auto own = std::make_shared<network::front_services>(shared);
      own->view = listener_views.at(bound.name);
      all.push_back(std::move(own));
    }
    return all;
  }

  [[nodiscard]] result<void> start_controller() {
    controller_config control;
    control.services = services;
    control.directory = directory;
    control.view = view;
    control.limits = controller_limits();
    control.groups = limits_of_groups();
    control.repaired = [told = told_of_repairs](const group_id& group) {
      if (const auto to = told->load())
        caf::anon_send(*to, scrub_request{scrub_forget{group}});
    };
    auto advertised = settings().advertised();
    if (advertised.port == 0)
      advertised.port = front->address().port;
    control.self.node = settings().node.id;
    control.self.host = advertised.host;
    control.self.port = advertised.port;
    control.self.listeners = advertised_listeners();
    control.listener_views = listener_views;
    control.self.rack = settings().node.rack;
    control.self.incarnation = data->identity().incarnation;
    control.self.cluster_host = cluster->advertised().host;
    control.self.cluster_port = cluster->advertised().port;
    control.heartbeat_ms = settings().cluster.heartbeat.count();
    control.session_timeout_ms = settings().cluster.session_timeout.count();
    control.move_timeout_ms = settings().cluster.move_timeout.count();
    if (founds)
      control.founders.voters = {services->replica};
    control.caller = cluster->transport();
    control.contacts = cluster->contacts();
    control.meet = [to = cluster->transport()](const broker_record& broker) {
      if (!broker.cluster_host.empty())
        to->add_peer(raft::node_id(broker.node), {broker.cluster_host, broker.cluster_port});
    };
    control.disk = [files = disk, path = data->path()] {
      const auto space = files->space(path);
      return space ? disk_room{space->free_bytes, space->total_bytes} : disk_room{};
    };
    control.log = component_logger("controller");
    const auto ready = std::make_shared<std::promise<result<void>>>();
    control.ready = [ready](result<void> outcome) { ready->set_value(std::move(outcome)); };
    const auto votes = std::make_shared<std::promise<result<void>>>();
    control.settled = [votes](result<void> outcome) { votes->set_value(std::move(outcome)); };
    control.voters_wanted = founders;
    settled = votes->get_future();
    controller = spawn_controller(*system, std::move(control));
    cluster->calls()->route(call_kind::controller, make_controller_gate(controller));
    cluster->calls()->route(call_kind::elect, make_election_server(directory, env));
    auto outcome = await(ready->get_future(), "stopped before the node was registered");
    if (outcome && data->identity().cluster.is_nil())
      outcome = belong_to(view->load()->id);
    return outcome;
  }

  /// Waits for the node's own actors as long as it takes, or until the node is to stop.
  [[nodiscard]] result<void> await(std::future<result<void>> answer, const char* stopped) const {
    while (answer.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready)
      if (opts.interrupted && opts.interrupted())
        return unexpected(errc::shutting_down, stopped);
    return answer.get();
  }

  /// Until then the loss of another node may lose the cluster's metadata, and with it everything.
  [[nodiscard]] result<void> await_votes() {
    auto outcome = await(std::move(settled), "stopped before the node had a vote");
    if (outcome || outcome.error().code != errc::timed_out)
      return outcome;
    log->warn("{}; the node goes on without, and the loss of one node may stop the cluster",
              outcome.error().message);
    return {};
  }

  [[nodiscard]] scrub_core::options scrub_options() const {
    return {settings().storage.scrub_interval.count(), settings().storage.scrub_rate};
  }

  void start_scrubber() {
    scrubber_config config;
    config.disk = disk;
    config.state = state;
    config.env = env;
    config.directory = directory;
    config.board = scrubs;
    config.log = component_logger("storage");
    config.data_dir = data->path();
    config.options = scrub_options();
    config.damaged = [to = controller](const group_id& group, const error& why) {
      caf::anon_send(to, controller_call{partition_damaged{group, why}});
    };
    scrubber = spawn_scrubber(*system, std::move(config));
    told_of_repairs->store(std::make_shared<const scrubber_actor>(scrubber));
  }

  [[nodiscard]] result<void> publish_admin() {
    admin_services what;
    what.node = settings().node.id;
    what.software = opts.software;
    what.address = to_string(front->address());
    what.data_dir = data->path();
    what.started_ms = env->now_ms();
    what.directory = directory;
    what.view = view;
    what.cache = cache;
    what.disk = disk;
    what.scrubs = scrubs;
    what.connections = [this] { return front->connection_count(); };
    what.is_draining = [this] { return draining.load(); };
    what.flush = [this] { return sync_storage(); };
    what.drain = [this] { drain(); };
    what.shut_down = opts.shutdown_requested;
    what.scrub = [to = scrubber](const std::string& topic, std::int32_t partition) {
      return ask([&](auto done) {
        caf::anon_send(to, scrub_request{scrub_start{topic, partition, std::move(done)}});
      });
    };
    what.stop_scrub = [to = scrubber] {
      return ask(
          [&](auto done) { caf::anon_send(to, scrub_request{scrub_stop{std::move(done)}}); });
    };
    what.groups = cluster->registry();
    what.links = [to = cluster->transport()] { return to->status(); };
    what.controller = controller;
    what.env = env;
    what.log = component_logger("admin");
    admin = spawn_admin(*system, std::move(what));
    return operators->publish(*system, admin);
  }

  [[nodiscard]] result<void> start() {
    network::front_end::options ports{settings().listen, settings().network, settings().limits,
                                      settings().listeners.listen};
    auto opened = network::front_end::open(std::move(ports));
    if (!opened)
      return opened.propagate();
    front = std::move(*opened);
    for (const auto& bound : front->listeners())
      listener_views[bound.name] = std::make_shared<known_cluster>();
    auto bound = admin_port::open(settings().admin.listen);
    if (!bound)
      return bound.propagate();
    operators = std::move(*bound);
    auto linked = node_cluster::open(settings(), opts.process);
    if (!linked)
      return linked.propagate();
    cluster = std::move(*linked);
    if (auto stores = open_stores(); !stores)
      return stores;
    cache = std::make_shared<cache_budget>(settings().storage.tail_cache_bytes);
    caf_config = std::make_unique<caf_settings>(settings().actors);
    system = std::make_unique<caf::actor_system>(*caf_config);
    if (auto entered = enter_cluster(); !entered)
      return entered;
    spawn_storage();
    if (auto controlled = start_controller(); !controlled)
      return controlled;
    start_scrubber();
    if (auto published = publish_admin(); !published)
      return published;
    const auto shared = make_front_services();
    front->serve(shared, services_of_listeners(*shared));
    serving = true;
    log->info("node {} serves clients on {}, operators on {}, other nodes on {}",
              settings().node.id, to_string(front->address()), to_string(operators->address()),
              to_string(cluster->address()));
    for (const auto& bound : front->listeners())
      log->info("listener {} serves clients on {}", bound.name, to_string(bound.address));
    return await_votes();
  }

  [[nodiscard]] std::shared_ptr<const network::front_services> make_front_services() const {
    live->auto_create = settings().topic.auto_create;
    live->topic_defaults =
        std::make_shared<const config::topic_config>(config::topic_defaults(settings()));
    auto shared = std::make_shared<network::front_services>();
    shared->node = settings().node.id;
    shared->software = opts.software;
    shared->data_dir = data->path();
    shared->directory = directory;
    shared->view = view;
    shared->controller = controller;
    group_router::options groups;
    groups.node = settings().node.id;
    groups.directory = directory;
    groups.view = view;
    groups.controller = controller;
    groups.env = env;
    groups.partitions = settings().groups.partitions;
    groups.replication = static_cast<std::int16_t>(settings().groups.replication);
    shared->groups = std::make_shared<const group_router>(std::move(groups));
    shared->elections =
        std::make_shared<const leader_elections>(shared->node, env, cluster->transport());
    shared->env = env;
    shared->log = component_logger("network");
    shared->limits = settings().limits;
    shared->live = live;
    return shared;
  }

  /// The machine's refusal of a thread, a descriptor or memory comes as an exception.
  [[nodiscard]] result<void> start_or_explain() {
    try {
      return start();
    } catch (const std::exception& refusal) {
      return unexpected(errc::internal, std::string("cannot start: ") + refusal.what());
    }
  }

  // -- while running -----------------------------------------------------------------------------

  [[nodiscard]] result<void> sync_storage() {
    result<void> outcome;
    for (const auto& worker : services->storage) {
      const auto done = std::make_shared<std::promise<result<void>>>();
      caf::anon_send(worker, storage_request{storage_sync{
                                 [done](result<void> synced) { done->set_value(synced); }}});
      if (auto synced = done->get_future().get(); !synced)
        outcome = synced;
    }
    return outcome;
  }

  void drain() {
    if (!draining.exchange(true))
      front->stop_accepting();
  }

  void reload(const result<config::node_config>& settings) {
    auto merged = settings ? config::reloaded(opts.config, *settings) : settings;
    if (!merged) {
      refuse_reload(merged.error().message);
      return;
    }
    for (const auto& change : config::changes(opts.config, *settings))
      log->info("{}: {} -> {}{}", change.key, change.before, change.after,
                change.reloadable ? "" : " (takes effect after a restart)");
    opts.config = std::move(*merged);
    set_log_levels(opts.config.log);
    front->limit_connections(opts.config.limits.connections);
    pacer->set_rate(opts.config.cluster.catch_up_rate);
    live->auto_create = opts.config.topic.auto_create;
    live->topic_defaults =
        std::make_shared<const config::topic_config>(config::topic_defaults(opts.config));
    caf::anon_send(controller, controller_call{controller_configure{controller_limits()}});
    caf::anon_send(scrubber, scrub_request{scrub_configure{scrub_options()}});
  }

  /// One entry of the log per line, as collectors take them apart.
  void refuse_reload(const std::string& problems) {
    log->error("the settings are not taken over; those from before stay in effect");
    std::istringstream lines(problems);
    for (std::string line; std::getline(lines, line);)
      log->error("{}", line);
  }

  [[nodiscard]] group_limits limits_of_groups() const {
    const auto& groups = settings().groups;
    group_limits limits;
    limits.session_ms_min = static_cast<std::int32_t>(groups.session_timeout_min.count());
    limits.session_ms_max = static_cast<std::int32_t>(groups.session_timeout_max.count());
    limits.initial_delay_ms = static_cast<std::int32_t>(groups.initial_delay.count());
    limits.members_max = static_cast<std::size_t>(groups.members_max);
    limits.retention_ms = groups.offset_retention.count();
    limits.fit_frames(settings().limits.frame_bytes_max);
    return limits;
  }

  [[nodiscard]] controller_core::limits controller_limits() const {
    controller_core::limits limits;
    limits.partitions_per_node = settings().limits.partitions;
    limits.partitions_default = settings().topic.partitions_default;
    limits.replication_default = settings().topic.replication_default;
    limits.topic_defaults = config::topic_defaults(settings());
    return limits;
  }

  // -- stop --------------------------------------------------------------------------------------

  [[nodiscard]] bool stop() {
    const auto deadline = std::chrono::steady_clock::now() + settings().shutdown.timeout;
    bool clean = true;
    if (system) {
      drain();
      clean = stop_controller(deadline);
      front->stop();
      if (clean && services)
        if (auto synced = sync_storage(); !synced)
          log->error("the last sync failed: {}", to_string(synced.error()));
      clean = stop_actors(deadline) && clean;
    }
    if (clean) {
      // A start that failed is told by its error alone.
      if (serving)
        log->info("stopped");
      front.reset();
      if (cluster)
        cluster->close();
      cluster.reset();
      system.reset();
      state.reset();
      data.reset();
    }
    flush_logs();
    return clean;
  }

  [[nodiscard]] bool stop_controller(std::chrono::steady_clock::time_point deadline) {
    if (!controller)
      return true;
    const auto stopped = std::make_shared<std::promise<void>>();
    caf::anon_send(controller, controller_call{controller_stop{
                                   [stopped](const result<void>&) { stopped->set_value(); }}});
    return stopped->get_future().wait_until(deadline) == std::future_status::ready;
  }

  [[nodiscard]] bool stop_actors(std::chrono::steady_clock::time_point deadline) {
    if (admin)
      (void)system->middleman().unpublish(admin, operators->address().port);
    kill(admin);
    told_of_repairs->store(nullptr);
    kill(scrubber);
    kill(controller);
    if (cluster)
      cluster->stop();
    auto workers = services ? services->storage : std::vector<storage_actor>();
    auto readers = services ? services->readers : std::vector<reader_actor>();
    auto ticker = services ? services->ticker : ticker_actor();
    services.reset();
    directory.reset();
    for (auto& worker : workers)
      kill(worker);
    for (auto& reader : readers)
      kill(reader);
    kill(ticker);
    kill(upkeep);
    // The actor system waits for the last actor without a bound; this one has it.
    while (system->registry().running() > 0) {
      if (std::chrono::steady_clock::now() > deadline)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  options opts;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<environment> env = make_system_environment();
  std::shared_ptr<storage::disk> disk;
  std::optional<storage::data_directory> data;
  std::shared_ptr<storage::kv> state;
  std::shared_ptr<cache_budget> cache;
  std::shared_ptr<topic_directory> directory = std::make_shared<topic_directory>();
  /// Of the listeners that have names, by name: the same with their addresses.
  std::map<std::string, std::shared_ptr<known_cluster>> listener_views;
  std::shared_ptr<known_cluster> view =
      std::make_shared<known_cluster>(std::make_shared<const cluster_view>());
  std::shared_ptr<network::live_settings> live = std::make_shared<network::live_settings>();
  std::unique_ptr<caf_settings> caf_config;
  std::unique_ptr<caf::actor_system> system;
  std::shared_ptr<const partition_services> services;
  std::shared_ptr<catch_up_pacer> pacer =
      std::make_shared<catch_up_pacer>(settings().cluster.catch_up_rate);
  controller_actor controller;
  admin_actor admin;
  upkeep_actor upkeep;
  scrubber_actor scrubber;
  /// The scrubber, once there is one.
  std::shared_ptr<std::atomic<std::shared_ptr<const scrubber_actor>>> told_of_repairs =
      std::make_shared<std::atomic<std::shared_ptr<const scrubber_actor>>>();
  std::shared_ptr<scrub_board> scrubs =
      std::make_shared<scrub_board>(std::make_shared<const scrub_report>());
  std::unique_ptr<network::front_end> front;
  std::unique_ptr<admin_port> operators;
  std::unique_ptr<node_cluster> cluster;
  /// The node is the first of a new cluster.
  bool founds = false;
  /// How many nodes it founds it with.
  std::size_t founders = 1;
  std::future<result<void>> settled;
  std::atomic<bool> draining{false};
  bool serving = false;
};

node::node(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

node::~node() = default;

result<std::unique_ptr<node>> node::start(options opts) {
  auto state = std::make_unique<impl>(std::move(opts));
  if (auto started = state->start_or_explain(); !started) {
    (void)state->stop();
    return started.propagate();
  }
  return std::unique_ptr<node>(new node(std::move(state)));
}

const config::endpoint& node::client_address() const {
  return impl_->front->address();
}

const config::endpoint& node::admin_address() const {
  return impl_->operators->address();
}

const config::endpoint& node::cluster_address() const {
  return impl_->cluster->address();
}

void node::reload(const result<config::node_config>& settings) {
  impl_->reload(settings);
}

bool node::stop() {
  return impl_->stop();
}

} // namespace aqueduct::actors
