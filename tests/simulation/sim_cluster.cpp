#include "tests/simulation/sim_cluster.hpp"

#include "actors/consumer_group/group_partition.hpp"
#include "actors/logging.hpp"
#include "protocol/record_batch.hpp"

#include <caf/send.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

namespace aqueduct::actors::test {

namespace {

constexpr std::int64_t client_patience_ms = 3000;

struct change_note : topic_sink {
  change_note(std::shared_ptr<cluster_ledger> ledger, std::uint64_t cluster_ledger::*count)
      : ledger(std::move(ledger)), count(count) {}
  void finished(result<topic_outcome> outcome) override { (*ledger).*count += outcome ? 1 : 0; }
  std::shared_ptr<cluster_ledger> ledger;
  std::uint64_t cluster_ledger::*count;
};

struct produce_note : produce_sink {
  explicit produce_note(std::shared_ptr<std::optional<produce_outcome>> to) : to(std::move(to)) {}
  void produced(std::uint32_t, produce_outcome outcome) override {
    to->emplace(std::move(outcome));
  }
  std::shared_ptr<std::optional<produce_outcome>> to;
};

struct fetch_note : fetch_sink {
  fetch_note(std::shared_ptr<cluster_ledger> ledger, cluster_ledger::place at, std::int64_t offset)
      : ledger(std::move(ledger)), at(std::move(at)), offset(offset) {}
  void fetched(std::uint32_t, fetch_outcome outcome) override {
    if (outcome.error == errc::offset_out_of_range && offset < outcome.log_start)
      ++ledger->reads_behind_trim;
    if (outcome.error != errc::none)
      return;
    const auto values = values_of(outcome.records);
    if (!values) {
      ledger->broke("a fetch brought what is no batch: " + to_string(values.error()));
      return;
    }
    for (const auto& [offset, value] : *values) {
      if (offset >= outcome.high_watermark)
        ledger->broke(value + " was given away before it was committed");
      ledger->saw(at, offset, value);
    }
  }
  std::size_t reserve(std::size_t wanted) override { return wanted; }
  void release(std::size_t) override {}
  std::shared_ptr<cluster_ledger> ledger;
  cluster_ledger::place at;
  std::int64_t offset;
};

struct trim_note : query_sink {
  trim_note(std::shared_ptr<cluster_ledger> ledger, cluster_ledger::place at)
      : ledger(std::move(ledger)), at(std::move(at)) {}
  void found_offset(std::uint32_t, offset_outcome) override {}
  void described(std::uint32_t, describe_outcome) override {}
  void trimmed(std::uint32_t, trim_outcome outcome) override {
    if (outcome.error == errc::none)
      ledger->trimmed(at, outcome.log_start);
  }
  std::shared_ptr<cluster_ledger> ledger;
  cluster_ledger::place at;
};

/// AQUEDUCT_SIM_LOG: what the nodes log goes to the standard output.
std::shared_ptr<spdlog::logger> logger_of(std::int32_t node) {
  if (std::getenv("AQUEDUCT_SIM_LOG") == nullptr)
    return component_logger("raft");
  auto made = std::make_shared<spdlog::logger>("node " + std::to_string(node),
                                               std::make_shared<spdlog::sinks::stdout_sink_st>());
  made->set_level(spdlog::level::debug);
  made->set_pattern("%n %l %v");
  return made;
}

/// What a client has to expect and tries again.
bool is_passing(errc code) {
  switch (code) {
  case errc::not_leader:
  case errc::timed_out:
  case errc::unknown_topic:
  case errc::unknown_partition:
  case errc::shutting_down:
  case errc::storage_failed:
  case errc::storage_full:
  case errc::storage_damaged:
  case errc::overloaded:
  case errc::broker_unavailable:
  case errc::cancelled:
    return true;
  default:
    return false;
  }
}

} // namespace

sim_cluster::sim_cluster(const options& given)
    : options_(given),
      chance_(std::make_shared<virtual_environment>(given.seed * 7 + 3)),
      wires_(given.seed) {
  settings_.seeds = given.nodes;
  settings_.move_timeout_ms = given.move_timeout_ms;
  if (given.in_process)
    settings_.process = memory_registry::make();
  settings_.segment_bytes = given.segment_bytes;
  settings_.idle_timeout_ms = given.idle_timeout_ms;
  settings_.flush = given.flush;
  settings_.controller_entries_kept = given.controller_entries_kept;
  settings_.book = book_;
  settings_.disks_stall = given.disks_stall;
  book_->is_cut = [this](std::int32_t from, std::int32_t to) { return wires_.is_cut(from, to); };
  book_->drifts = given.clocks_drift;
  virtual_environment rates(given.seed * 11 + 5);
  for (std::int32_t i = 1; i <= given.nodes; ++i) {
    nodes_.emplace_back().machine =
        std::make_unique<sim_machine>(given.seed * 100 + static_cast<std::uint64_t>(i));
    nodes_.back().log = logger_of(i);
    if (given.clocks_drift)
      nodes_.back().machine->drift(900 + static_cast<std::int64_t>(rates.random() % 201));
  }
}

sim_cluster::~sim_cluster() {
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    if (is_up(i))
      kill(i);
}

// -- time -----------------------------------------------------------------------------------------

void sim_cluster::settle() {
  for (bool busy = true; busy;) {
    busy = false;
    for (auto& each : nodes_)
      if (each.broker && !each.paused) {
        const auto count = each.broker->settle();
        events_ += count;
        busy = busy || count > 0;
      }
  }
}

void sim_cluster::run_for(std::int64_t ms) {
  for (; ms > 0; --ms) {
    ++now_ms_;
    for (auto& each : nodes_) {
      if (each.paused)
        continue;
      for (auto passed = each.machine->pass(); passed > 0; --passed)
        if (each.broker)
          each.broker->tick();
    }
    events_ += wires_.advance(now_ms_);
    step_producers();
    settle();
    for (std::int32_t i = 1; i <= options_.nodes; ++i)
      if (is_up(i) && machine(i).disk->is_powerless())
        crash(i);
    for (auto& sentence : book_->safety.take_broken())
      ledger_->broke(std::move(sentence));
  }
}

bool sim_cluster::run_until(const std::function<bool()>& holds, std::int64_t ms_max) {
  for (std::int64_t waited = 0; waited <= ms_max; waited += 20) {
    if (holds())
      return true;
    run_for(20);
  }
  return false;
}

// -- what may happen to nodes ---------------------------------------------------------------------

void sim_cluster::start(std::int32_t number) {
  auto& node = at(number);
  node.paused = false;
  settings_.log = node.log;
  node.broker =
      std::make_unique<sim_broker>(number, *node.machine, node.incarnation, wires_, settings_);
}

void sim_cluster::end_life(std::int32_t number, std::int64_t told_within_ms) {
  wires_.leave(number, told_within_ms);
  at(number).broker.reset();
  at(number).paused = false;
}

void sim_cluster::crash(std::int32_t number) {
  machine(number).disk->crash_after(0);
  broker(number).watch().crashed();
  end_life(number, 3000);
  machine(number).crash(options_.seed * 1000 + ++crashes_);
}

void sim_cluster::crash_all() {
  if (std::ranges::any_of(ledger_->producers,
                          [](const auto& each) { return each.second.answer != nullptr; }))
    book_->counts.note(fault_case::all_killed_under_load);
  if (acknowledged_ms_ >= 0 && now_ms_ - acknowledged_ms_ <= 100)
    book_->counts.note(fault_case::power_lost_after_acknowledgement);
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    if (is_up(i))
      crash(i);
}

void sim_cluster::kill(std::int32_t number) {
  machine(number).disk->crash_after(0);
  broker(number).watch().crashed();
  end_life(number, 0);
  machine(number).keep_all();
}

bool sim_cluster::stop(std::int32_t number) {
  pause(number, false);
  broker(number).stop();
  const bool stopped =
      run_until([&] { return !is_up(number) || broker(number).is_stopped(); }, 10'000);
  if (is_up(number))
    kill(number);
  return stopped;
}

void sim_cluster::wipe(std::int32_t number) {
  if (is_up(number))
    kill(number);
  machine(number).wipe();
  ++at(number).incarnation;
}

void sim_cluster::pause(std::int32_t number, bool paused) {
  at(number).paused = paused;
  wires_.freeze(number, paused);
}

void sim_cluster::skew(std::int32_t node, std::int64_t ms) {
  machine(node).skew(ms);
  if (is_up(node))
    book_->counts.note(fault_case::clock_jumped);
}

void sim_cluster::stall_disk(std::int32_t node, std::int64_t ms) {
  auto& pace = *machine(node).pace;
  pace.stalled_until_ms = machine(node).env->steady_ms() + ms;
  pace.stalled_at_most_ms = std::max(pace.stalled_at_most_ms, pace.stalled_until_ms);
}

void sim_cluster::bridge(std::int32_t node) {
  for (std::int32_t a = 1; a <= options_.nodes; ++a)
    for (std::int32_t b = 1; b <= options_.nodes; ++b)
      if (a != node && b != node)
        wires_.cut(a, b);
  if (options_.nodes > 2)
    book_->shape = network_trouble::star;
}

void sim_cluster::heal_network() {
  wires_.heal();
  book_->shape = network_trouble::none;
}

void sim_cluster::form(network_trouble shape, const std::vector<network_link>& cuts) {
  for (const auto& [from, to] : cuts)
    wires_.cut(from, to);
  book_->shape = shape;
}

// -- clients --------------------------------------------------------------------------------------

void sim_cluster::create_topic(std::int32_t node, const std::string& name, std::int32_t partitions,
                               std::int16_t replication) {
  protocol::create_topic_request request;
  request.name = name;
  request.partitions = partitions;
  request.replication = replication;
  broker(node).send(controller_call{
      create_topic_call{std::move(request),
                        std::make_shared<change_note>(ledger_, &cluster_ledger::topics_created)}});
}

bool sim_cluster::create_coordinators(std::int32_t partitions, std::int64_t ms_max) {
  own_topic_question question;
  question.name = group_topic_name;
  question.partitions = partitions;
  question.replication = 3;
  const auto done = std::make_shared<bool>(false);
  broker(1).ask_controller(
      question, [done](const result<controller_answer>& answer) { *done = answer.has_value(); });
  return run_until([&] { return *done && unrest().empty(); }, ms_max);
}

void sim_cluster::delete_topic(std::int32_t node, const std::string& name) {
  protocol::delete_topic_request request;
  request.name = name;
  broker(node).send(controller_call{
      delete_topic_call{std::move(request),
                        std::make_shared<change_note>(ledger_, &cluster_ledger::topics_deleted)}});
}

void sim_cluster::add_partitions(std::int32_t node, const std::string& name,
                                 std::int32_t partitions) {
  protocol::alter_topic_request request;
  request.name = name;
  request.partitions = partitions;
  broker(node).send(controller_call{
      alter_topic_call{std::move(request),
                       std::make_shared<change_note>(ledger_, &cluster_ledger::partitions_added)}});
}

void sim_cluster::alter_topic(std::int32_t node, const std::string& name,
                              const std::string& setting, const std::string& value) {
  protocol::alter_topic_request request;
  request.name = name;
  request.settings.push_back({setting, value});
  broker(node).send(controller_call{
      alter_topic_call{std::move(request),
                       std::make_shared<change_note>(ledger_, &cluster_ledger::topics_altered)}});
}

void sim_cluster::produce(const std::string& topic, std::int32_t partition) {
  for (const auto& route : topics()) {
    if (route->record.name != topic ||
        partition >= static_cast<std::int32_t>(route->partitions.size()))
      continue;
    auto& producer = ledger_->producers[{route->record.id, partition}];
    if (producer.producer == 0) {
      producer.topic = topic;
      producer.id = route->record.id;
      producer.partition = partition;
      producer.producer = ++ledger_->last_producer;
    }
    producer.wanted = true;
    return;
  }
}

void sim_cluster::step_producers() {
  for (auto it = ledger_->producers.begin(); it != ledger_->producers.end();) {
    auto& producer = it->second;
    if (producer.answer && producer.answer->has_value()) {
      const auto outcome = **producer.answer;
      producer.answer.reset();
      note("value " + std::to_string(producer.producer) + "/" + std::to_string(producer.number) +
           (outcome.error == errc::none
                ? " stored at " + std::to_string(outcome.base_offset)
                : " refused: " + to_string(error{outcome.error, outcome.message})));
      if (outcome.error == errc::none) {
        ledger_->acknowledge(it->first, outcome.base_offset,
                             std::to_string(producer.producer) + "/" +
                                 std::to_string(producer.number));
        ++producer.number;
        producer.wanted = false;
        acknowledged_ms_ = now_ms_;
      } else {
        ++ledger_->retries;
        producer.hint = outcome.leader;
        producer.retry_ms = now_ms_ + 20 + static_cast<std::int64_t>(chance_->random() % 200);
        if (!is_passing(outcome.error))
          ledger_->broke("a producer was told: " +
                         to_string(error{outcome.error, outcome.message}));
      }
    } else if (producer.answer && now_ms_ >= producer.deadline_ms) {
      ++ledger_->unknown;
      producer.answer.reset();
      producer.hint = 0;
    }
    if (producer.wanted && !producer.answer && now_ms_ >= producer.retry_ms)
      send_value(producer);
    if (producer.is_done)
      it = ledger_->producers.erase(it);
    else
      ++it;
  }
}

void sim_cluster::send_value(producer_state& of) {
  of.retry_ms = now_ms_ + 100;
  const auto drawn =
      static_cast<std::int32_t>(chance_->random() % static_cast<std::uint64_t>(options_.nodes));
  auto node = of.hint >= 1 && of.hint <= options_.nodes ? of.hint : drawn + 1;
  of.hint = 0;
  if (!is_ready(node))
    return;
  const auto route = broker(node).directory().find(of.topic);
  if (!route || route->record.id != of.id) {
    // Deleted, or this node has not heard of it.
    const auto known = topics();
    of.is_done =
        std::ranges::none_of(known, [&](const auto& each) { return each->record.id == of.id; });
    return;
  }
  const auto to = broker(node).partition_of(of.topic, of.partition);
  if (!to)
    return;
  const auto batch = make_batch(std::to_string(of.producer) + "/" + std::to_string(of.number),
                                of.producer, of.number);
  of.answer = std::make_shared<std::optional<produce_outcome>>();
  of.deadline_ms = now_ms_ + client_patience_ms;
  note("value " + std::to_string(of.producer) + "/" + std::to_string(of.number) + " to node " +
       std::to_string(node));
  produce_item item;
  item.sink = std::make_shared<produce_note>(of.answer);
  item.deadline_ms = broker(node).env().steady_ms() + client_patience_ms;
  item.batch = mutable_buffer(batch.size());
  std::memcpy(item.batch.data(), batch.data(), batch.size());
  item.header = protocol::batch_view(batch.bytes()).header();
  produce_message message;
  message.items.push_back(std::move(item));
  caf::anon_send(to, std::move(message));
}

void sim_cluster::fetch(std::int32_t node, const std::string& topic, std::int32_t partition,
                        std::int64_t offset) {
  const auto route = broker(node).directory().find(topic);
  const auto to = broker(node).partition_of(topic, partition);
  if (!to)
    return;
  fetch_item item;
  item.sink = std::make_shared<fetch_note>(
      ledger_, cluster_ledger::place{route->record.id, partition}, offset);
  item.offset = offset;
  item.bytes_max = 4096;
  caf::anon_send(to, partition_call{std::move(item)});
}

void sim_cluster::ask_deposed(std::int32_t node) {
  if (!is_ready(node))
    return;
  const auto deposed = broker(node).watch().deposed();
  for (const auto& topic : broker(node).directory().all())
    for (std::size_t p = 0; p < topic->partitions.size(); ++p) {
      const auto partition = static_cast<std::int32_t>(p);
      if (!deposed.contains({topic->record.id, partition}))
        continue;
      book_->counts.note(fault_case::deposed_leader_asked);
      fetch(node, topic->record.name, partition, 0);
      produce(topic->record.name, partition);
      if (const auto producer = ledger_->producers.find({topic->record.id, partition});
          producer != ledger_->producers.end())
        producer->second.hint = node;
    }
}

void sim_cluster::trim(std::int32_t node, const std::string& topic, std::int32_t partition,
                       std::int64_t before) {
  const auto route = broker(node).directory().find(topic);
  const auto to = broker(node).partition_of(topic, partition);
  if (!to)
    return;
  const auto sink =
      std::make_shared<trim_note>(ledger_, cluster_ledger::place{route->record.id, partition});
  caf::anon_send(to, partition_call{trim_item{
                         sink, 0, before, broker(node).env().steady_ms() + client_patience_ms}});
}

// -- what is seen ---------------------------------------------------------------------------------

std::vector<std::shared_ptr<const topic_route>> sim_cluster::topics() const {
  const auto who = controller();
  if (who != 0)
    return at(who).broker->directory().all();
  for (const auto& each : nodes_)
    if (each.broker && each.broker->is_ready())
      return each.broker->directory().all();
  return {};
}

std::int32_t sim_cluster::controller() const {
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    if (is_ready(i) && !is_paused(i) && at(i).broker->view()->controller == i)
      return i;
  return 0;
}

bool sim_cluster::controller_can_lose_one() {
  const auto who = controller();
  if (who == 0)
    return false;
  const auto report = broker(who).report(controller_group);
  return report && report->members.voters.size() >= 3 && report->commit == report->last;
}

std::int32_t sim_cluster::leader_of(const std::string& topic, std::int32_t partition) const {
  for (std::int32_t i = 1; i <= options_.nodes; ++i) {
    if (!is_ready(i))
      continue;
    const auto route = at(i).broker->directory().find(topic);
    if (route && static_cast<std::size_t>(partition) < route->partitions.size() &&
        route->partitions[static_cast<std::size_t>(partition)]->leader.load() == i)
      return i;
  }
  return 0;
}

void sim_cluster::judge(std::int32_t number, const replica_report& report) {
  if (report.role == raft::role_kind::leader) {
    const auto [first, is_new] =
        terms_seen_.emplace(std::pair(report.group, report.term), report.self);
    if (!is_new && first->second != report.self)
      ledger_->broke("nodes " + std::to_string(first->second.node.value) + " and " +
                     std::to_string(number) + " lead " + to_string(report.group) + " in term " +
                     std::to_string(report.term));
  }
  if (report.applied > report.commit || report.commit > report.last)
    ledger_->broke("node " + std::to_string(number) + " applied " + std::to_string(report.applied) +
                   " of " + std::to_string(report.commit) + " committed entries of " +
                   to_string(report.group));
}

void sim_cluster::look() {
  for (std::int32_t i = 1; i <= options_.nodes; ++i) {
    if (!is_ready(i) || is_paused(i))
      continue;
    if (const auto report = broker(i).report(controller_group))
      judge(i, *report);
    for (const auto& topic : broker(i).directory().all())
      for (std::size_t p = 0; p < topic->partitions.size(); ++p)
        if (const auto report = broker(i).report({topic->record.id, static_cast<std::int32_t>(p)}))
          judge(i, *report);
  }
}

std::string sim_cluster::unrest() {
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    if (!is_ready(i))
      return "node " + std::to_string(i) + " is not ready";
  const auto office = controller();
  if (office == 0)
    return "nobody leads the controller's group";
  const auto metadata = broker(office).report(controller_group);
  for (std::int32_t i = 1; i <= options_.nodes; ++i) {
    const auto report = broker(i).report(controller_group);
    if (!metadata || !report || report->applied != metadata->commit ||
        report->last != metadata->last)
      return "node " + std::to_string(i) + " is behind with the metadata";
  }
  const auto truth = topics();
  for (std::int32_t i = 1; i <= options_.nodes; ++i) {
    const auto known = broker(i).directory().all();
    if (known.size() != truth.size())
      return "node " + std::to_string(i) + " knows other topics";
    for (std::size_t t = 0; t < known.size(); ++t)
      if (known[t]->record != truth[t]->record)
        return "node " + std::to_string(i) + " knows another topic " + truth[t]->record.name;
  }
  for (const auto& topic : truth)
    for (std::size_t p = 0; p < topic->partitions.size(); ++p)
      if (auto why = unrest_of(topic->record, static_cast<std::int32_t>(p)); !why.empty())
        return why;
  if (auto why = tend_damage(); !why.empty())
    return why;
  for (const auto& [at, producer] : ledger_->producers)
    if (producer.wanted)
      return "producer " + std::to_string(producer.producer) + " waits for " + producer.topic +
             "/" + std::to_string(producer.partition);
  return {};
}

std::string sim_cluster::unrest_of(const topic_record& topic, std::int32_t partition) {
  const auto name = topic.name + "/" + std::to_string(partition);
  const auto& wanted = topic.partitions[static_cast<std::size_t>(partition)];
  const group_id group{topic.id, partition};
  if (wanted.is_moving())
    return name + " is moving";
  if (!wanted.repairs.empty())
    return name + " is under repair";
  const auto leads = leader_of(topic.name, partition);
  if (leads == 0)
    return name + " has no leader";
  const auto truth = broker(leads).report(group);
  if (!truth)
    return wanted.nodes.size() == 1 ? std::string() : name + ": its leader sleeps";
  if (!truth->members.learners.empty() || truth->members.voters.size() != wanted.nodes.size())
    return name + " has other members than it should";
  for (const auto node : wanted.nodes) {
    const auto report = broker(node).report(group);
    if (!report || report->applied != truth->commit || report->last != truth->last)
      return name + ": node " + std::to_string(node) + " is behind";
  }
  return {};
}

case_counts sim_cluster::cases() const {
  auto all = book_->counts;
  for (const auto& each : nodes_)
    all.note(each.machine->disk->faults());
  all.note(fault_case::reader_behind_trim, ledger_->reads_behind_trim);
  all.note(fault_case::clog_let_go, wires_.let_go());
  return all;
}

void sim_cluster::note(const std::string& text) {
  nodes_.front().log->info("---- {} ms: {}", now_ms_, text);
}

} // namespace aqueduct::actors::test
