#include "tests/simulation/sim_group.hpp"

#include "actors/replica/ticker.hpp"

#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <set>

namespace aqueduct::actors::test {

namespace {

constexpr group_id group{uuid{{1}}, 0};
constexpr std::int64_t tick_ms = 10;

caf::scheduler::test_coordinator& coordinator(caf::actor_system& system) {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
}

template <class Handle>
void kill(const Handle& handle) {
  if (handle)
    caf::anon_send_exit(handle, caf::exit_reason::kill);
}

/// The state machine of the simulated group: writes everything down.
struct note_taker {
  std::shared_ptr<group_journal> journal;
  std::shared_ptr<replica_actor> replica;

  void operator()(group_opened& news) const { adopt(news.state, news.applied, news.generation); }
  void operator()(group_installed& news) const {
    // What is accepted and is in the state already will not be seen to commit.
    std::erase_if(journal->accepted, [&](const auto& each) { return each.first <= news.applied; });
    adopt(news.state, news.applied, news.generation);
    ++journal->installs;
  }
  void operator()(group_space&) const {}
  void operator()(group_closed&) const {}
  void operator()(group_transfer_failed&) const {}
  void operator()(group_followers& news) const { journal->in_sync = news.in_sync; }
  void operator()(group_failed& news) const { journal->failure = news.why; }
  void operator()(group_members& news) const { journal->members = news.members; }
  void operator()(group_read_ready& news) const { journal->reads[news.context] = news.index; }
  void operator()(group_proposed& news) const {
    for (std::size_t i = 0; i < news.count; ++i)
      journal->accepted[news.first + i] = {news.term, journal->proposed[i]};
    forget(news.count);
  }
  void operator()(group_refused& news) const {
    journal->refused += news.count;
    forget(news.count);
  }
  void operator()(group_leadership& news) const {
    journal->term = news.term;
    journal->leader = news.leader;
    journal->leads = news.here;
    journal->is_established = false;
  }
  void operator()(group_committed& news) const {
    for (const auto& entry : news.entries) {
      const std::string value(reinterpret_cast<const char*>(entry.body.data.get()),
                              entry.body.size);
      journal->applied[entry.index.value] = {entry.term.value, value};
      take(entry.index.value, entry.term.value, value);
      if (journal->leads && entry.term.value == journal->term)
        journal->is_established = true;
      const auto mine = journal->accepted.find(entry.index.value);
      if (mine == journal->accepted.end())
        continue;
      if (mine->second.first == entry.term.value)
        journal->acknowledged.push_back(mine->second.second);
      else
        ++journal->replaced;
      journal->accepted.erase(mine);
    }
    if (news.confirm)
      caf::anon_send(*replica, replica_request{replica_applied{news.entries.back().index.value}});
  }

  void adopt(const std::vector<storage::kv_pair>& rows, std::uint64_t applied,
             std::uint64_t generation) const {
    journal->generation = generation;
    journal->state = noted_state::from_rows(rows, applied);
    journal->digests[applied] = journal->state.digest;
    journal->handed_over.clear();
    for (const auto& row : rows)
      journal->handed_over.emplace(row.key, row.value);
  }

  void take(std::uint64_t index, std::uint64_t term, const std::string& value) const {
    auto& state = journal->state;
    if (index <= state.applied) {
      ++journal->skipped;
      return;
    }
    journal->has_hole = journal->has_hole || index != state.applied + 1;
    state.apply(index, term, value);
    journal->digests[index] = state.digest;
  }

  void forget(std::size_t count) const {
    journal->proposed.erase(journal->proposed.begin(),
                            journal->proposed.begin() + static_cast<std::ptrdiff_t>(count));
  }
};

state_machine_actor::behavior_type take_notes(state_machine_actor::pointer, note_taker notes) {
  return {[notes](group_event& event) { std::visit(notes, event.what); }};
}

} // namespace

// -- the state ------------------------------------------------------------------------------------

/// FNV-1a, 64 bits, over what was there and what comes.
void noted_state::apply(std::uint64_t index, std::uint64_t term, const std::string& value) {
  constexpr std::size_t keys = 7;
  const auto mix = [this](std::string_view text) {
    for (const char c : text)
      digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  };
  applied = index;
  mix(std::to_string(index) + "@" + std::to_string(term) + ":");
  mix(value);
  rows["row " + std::to_string(index % keys)] = value;
  for (const auto& [key, content] : rows)
    mix(key + "=" + content);
}

std::vector<storage::kv_pair> noted_state::to_rows() const {
  std::vector<storage::kv_pair> pairs{{"digest", std::to_string(digest)}};
  for (const auto& [key, content] : rows)
    pairs.push_back({key, content});
  return pairs;
}

noted_state noted_state::from_rows(const std::vector<storage::kv_pair>& rows,
                                   std::uint64_t applied) {
  noted_state state;
  state.applied = applied;
  for (const auto& [key, content] : rows)
    if (key == "digest")
      state.digest = std::stoull(content);
    else if (key.starts_with("row "))
      state.rows[key] = content;
  return state;
}

sim_group::sim_group(const options& given) : options_(given), network_(given.seed) {
  config_.set("scheduler.policy", caf::atom("testing"));
  system_ = std::make_unique<caf::actor_system>(config_);
  book_->is_cut = [this](std::int32_t from, std::int32_t to) { return network_.is_cut(from, to); };
  book_->drifts = options_.clocks_drift;
  virtual_environment rates(options_.seed * 11 + 5);
  for (std::int32_t i = 1; i <= options_.nodes; ++i) {
    auto& made = nodes_.emplace_back();
    made.machine = std::make_unique<sim_machine>(options_.seed * 100 + static_cast<unsigned>(i));
    made.machine->pace->delay_ms_max = options_.disk_delay_ms_max;
    if (options_.clocks_drift)
      made.machine->drift(900 + static_cast<std::int64_t>(rates.random() % 201));
    start(i);
  }
}

sim_group::~sim_group() {
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    network_.leave(i);
  for (auto& each : nodes_)
    if (each.life) {
      kill(each.life->replica);
      kill(each.life->state_machine);
      kill(each.life->slow_storage);
      kill(each.life->storage);
      kill(each.life->reader);
      kill(each.life->upkeep);
      kill(each.life->ticker);
      each.life.reset();
    }
  auto& schedule = coordinator(*system_);
  schedule.run();
  while (schedule.trigger_timeouts() > 0)
    schedule.run();
}

// -- time -----------------------------------------------------------------------------------------

void sim_group::settle() {
  events_ += coordinator(*system_).run();
  for (auto& each : nodes_)
    collect(each);
  for (auto& sentence : book_->safety.take_broken())
    broken_.push_back(std::move(sentence));
}

void sim_group::run_for(std::int64_t ms) {
  auto& schedule = coordinator(*system_);
  settle();
  for (; ms > 0; --ms) {
    ++now_ms_;
    for (auto& each : nodes_)
      (void)each.machine->pass();
    schedule.advance_time(std::chrono::milliseconds(1));
    network_.advance(now_ms_);
    settle();
    for (std::int32_t i = 1; i <= options_.nodes; ++i) {
      if (ambush_ && is_up(i) && network_.is_calling(i)) {
        crash_after(i, *std::exchange(ambush_, std::nullopt));
        ++ambushes_;
      }
      if (is_up(i) && machine(i).disk->is_powerless())
        crash(i);
    }
  }
}

std::int32_t sim_group::wait_for_leader(std::int64_t ms_max) {
  for (std::int64_t waited = 0; waited <= ms_max; ++waited) {
    if (const auto found = leader(); found != 0)
      return found;
    run_for(1);
  }
  return 0;
}

bool sim_group::wait_until_equal(std::int64_t ms_max) {
  const auto last_of = [](const group_journal& of) { return of.state.applied; };
  const auto is_equal = [&] {
    const auto leads = leader();
    if (leads == 0)
      return false;
    const auto& truth = journal(leads);
    for (std::int32_t i = 1; i <= options_.nodes; ++i)
      if (truth.members.contains(replica_of(i)) &&
          (!is_up(i) || last_of(journal(i)) != last_of(truth)))
        return false;
    return true;
  };
  for (std::int64_t waited = 0; waited <= ms_max; waited += tick_ms) {
    if (is_equal())
      return true;
    run_for(tick_ms);
  }
  return false;
}

// -- what may happen ------------------------------------------------------------------------------

void sim_group::start(std::int32_t number) {
  auto& node = nodes_.at(at(number));
  look_at_disk(node);
  node.journal = std::make_shared<group_journal>();
  node.journal->fresh = fresh_reads(++lives_);
  node.life = std::make_unique<node_life>();
  auto& life = *node.life;
  life.upkeep = spawn_upkeep(*system_, {node.machine->kv, false});
  storage_worker_config worker;
  worker.upkeep = life.upkeep;
  worker.disk = node.machine->disk;
  worker.state = node.machine->kv;
  worker.env = node.machine->env;
  worker.log = component_logger("storage");
  worker.store.directory = "/data";
  worker.store.flush = options_.flush;
  worker.store.mark_bytes = 1024;
  worker.index_interval_bytes = 512;
  worker.preallocate_bytes = 4096;
  worker.detached = false;
  worker.states.piece_bytes = options_.state_piece_bytes;
  life.storage = spawn_storage_worker(*system_, worker);
  life.slow_storage = life.storage;
  if (options_.disk_delay_ms_max > 0 || options_.disks_stall)
    life.slow_storage = spawn_slow_storage(*system_, life.storage, node.machine->env,
                                           node.machine->pace, [this] { return now_ms_; });
  life.reader = spawn_reader(*system_, false);
  const auto replica = std::make_shared<replica_actor>();
  life.state_machine = system_->spawn(take_notes, note_taker{node.journal, replica});
  life.registry = std::make_shared<group_registry>(replica_of(number));
  life.watch = std::make_shared<case_watch>(book_, number);

  replica_config made;
  made.group = group;
  made.core.self = replica_of(number);
  made.core.life = node.machine->env->random();
  made.core.seed = node.machine->env->random();
  made.core.hibernate_after_ticks = options_.hibernate_after_ticks;
  made.core.tail_bytes_max = 2048;
  made.core.unapplied_bytes_max = 2048;
  made.core.append_bytes_max = options_.append_bytes_max;
  made.core.inflight_requests_max = options_.inflight_requests_max;
  made.storage = life.slow_storage;
  made.reader = life.reader;
  made.transport = network_.join(number, life.registry,
                                 std::make_shared<state_server>(replica_of(number), life.registry));
  made.calls = network_.caller(number);
  if (options_.catch_up_rate > 0)
    made.pacer = std::make_shared<catch_up_pacer>(options_.catch_up_rate);
  made.state_machine = life.state_machine;
  made.env = node.machine->env;
  made.log = component_logger("raft");
  made.state_prefix = storage::group_prefix(group);
  made.segment_bytes = options_.segment_bytes;
  made.segment_age_ms = -1;
  life.ticker = spawn_ticker(*system_, tick_ms * 1000 / node.machine->rate_per_mille());
  made.ticker = life.ticker;
  made.watch = life.watch;
  if (number <= options_.founders)
    for (std::int32_t i = 1; i <= options_.founders; ++i)
      made.founders.voters.push_back(replica_of(i));
  life.replica = spawn_replica(*system_, std::move(made));
  *replica = life.replica;
  life.registry->add(group, [] {});
  life.registry->opened(group, life.replica);
  settle();
}

void sim_group::crash(std::int32_t number) {
  auto& node = nodes_.at(at(number));
  node.machine->disk->crash_after(0);
  node.life->watch->crashed();
  network_.leave(number);
  kill(node.life->replica);
  kill(node.life->state_machine);
  kill(node.life->slow_storage);
  kill(node.life->storage);
  kill(node.life->reader);
  kill(node.life->upkeep);
  kill(node.life->ticker);
  collect(node);
  node.life.reset();
  settle();
  node.machine->crash(options_.seed * 1000 + ++crashes_);
}

void sim_group::crash_all() {
  const auto is_waited_for = [](const node& each) {
    return each.life && (!each.journal->accepted.empty() || !each.journal->proposed.empty());
  };
  if (std::ranges::any_of(nodes_, is_waited_for))
    book_->counts.note(fault_case::all_killed_under_load);
  if (acknowledged_ms_ >= 0 && now_ms_ - acknowledged_ms_ <= 100)
    book_->counts.note(fault_case::power_lost_after_acknowledgement);
  for (std::int32_t i = 1; i <= options_.nodes; ++i)
    if (is_up(i))
      crash(i);
}

void sim_group::stall_disk(std::int32_t node, std::int64_t ms) {
  machine(node).pace->stalled_until_ms = now_ms_ + ms;
}

void sim_group::bridge(std::int32_t node) {
  for (std::int32_t a = 1; a <= options_.nodes; ++a)
    for (std::int32_t b = 1; b <= options_.nodes; ++b)
      if (a != node && b != node && a != b)
        network_.cut(a, b);
  book_->shape = network_trouble::star;
}

void sim_group::heal_network() {
  network_.heal();
  book_->shape = network_trouble::none;
}

void sim_group::form(network_trouble shape, const std::vector<network_link>& cuts) {
  for (const auto& [from, to] : cuts)
    network_.cut(from, to);
  book_->shape = shape;
}

/// Whether a crash struck in the middle of taking over a state.
void sim_group::look_at_disk(const node& of) {
  const auto installed = storage::read_installed(*of.machine->kv, group);
  const auto applied = storage::read_applied_index(*of.machine->kv, group);
  const auto log = storage::load_log_meta(*of.machine->kv, group);
  if (!installed || !*installed || !applied || !log)
    return;
  ahead_of_log_ += (*installed)->applied_index == *applied ? 1 : 0;
  if (log->base.index < (*installed)->base.index) {
    ++unfinished_installs_;
    book_->counts.note(fault_case::crashed_in_takeover);
  }
}

void sim_group::persist(std::int32_t number) {
  auto& node = nodes_.at(at(number));
  const auto& state = node.journal->state;
  storage_write_state write;
  write.group = group;
  write.generation = node.journal->generation;
  auto& known = node.journal->handed_over;
  for (const auto& row : state.to_rows()) {
    if (const auto found = known.find(row.key); found != known.end() && found->second == row.value)
      continue;
    known[row.key] = row.value;
    write.batch.put(storage::family::partition_state, storage::group_prefix(group) + row.key,
                    row.value);
  }
  storage::put_applied_index(write.batch, group, state.applied);
  caf::anon_send(node.life->slow_storage, storage_request{std::move(write)});
}

void sim_group::compact(std::int32_t number, std::uint64_t upto) {
  persist(number);
  auto& node = nodes_.at(at(number));
  upto = std::min(upto, node.journal->state.applied);
  caf::anon_send(node.life->replica, replica_request{replica_compact{upto + 1}});
  settle();
}

void sim_group::propose(std::int32_t number, const std::string& value,
                        std::optional<std::uint64_t> round) {
  auto& node = nodes_.at(at(number));
  node.journal->proposed.push_back(value);
  replica_propose proposal;
  proposal.term = node.journal->term;
  proposal.round = round;
  proposal.entries.push_back({raft::entry_kind::command, buffer::copy_of(value)});
  caf::anon_send(node.life->replica, replica_request{std::move(proposal)});
  settle();
}

void sim_group::read(std::int32_t number, std::uint64_t context) {
  if (!nodes_.at(at(number)).life->watch->deposed().empty())
    book_->counts.note(fault_case::deposed_leader_asked);
  read_floors_[context] = ledger_.empty() ? 0 : ledger_.rbegin()->first;
  caf::anon_send(nodes_.at(at(number)).life->replica, replica_request{replica_read{context}});
  settle();
}

void sim_group::read_fresh(std::int32_t number, std::optional<std::int64_t> age_ms_max) {
  auto& node = nodes_.at(at(number));
  node.journal->fresh.ask(age_ms_max, now_ms_, history_);
  look_at_reads(node);
  settle();
}

void sim_group::look_at_reads(node& of) {
  auto& fresh = of.journal->fresh;
  for (auto& sentence : fresh.look(of.journal->state.applied, now_ms_, history_))
    broken_.push_back(std::move(sentence));
  fresh_reads_ += fresh.take_count();
  if (!of.life)
    return;
  if (const auto context = fresh.next_question(now_ms_))
    caf::anon_send(of.life->replica, replica_request{replica_read{*context}});
}

void sim_group::lose_contact(std::int32_t node, std::int32_t to) {
  caf::anon_send(nodes_.at(at(node)).life->replica,
                 replica_request{replica_lost_contact{raft::node_id(to)}});
  settle();
}

void sim_group::transfer(std::int32_t from, std::int32_t to) {
  caf::anon_send(nodes_.at(at(from)).life->replica,
                 replica_request{replica_transfer{replica_of(to)}});
  settle();
}

std::shared_ptr<std::optional<result<std::uint64_t>>>
sim_group::change(std::int32_t number, const raft::membership_change& what) {
  auto answer = std::make_shared<std::optional<result<std::uint64_t>>>();
  caf::anon_send(nodes_.at(at(number)).life->replica,
                 replica_request{replica_change{
                     what, [answer](result<std::uint64_t> done) { answer->emplace(done); }}});
  settle();
  return answer;
}

// -- what is seen ---------------------------------------------------------------------------------

std::int32_t sim_group::leader() const {
  std::int32_t found = 0;
  std::uint64_t term = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& each = nodes_[i];
    if (each.life && each.journal->leads && each.journal->is_established &&
        each.journal->term > term) {
      found = static_cast<std::int32_t>(i) + 1;
      term = each.journal->term;
    }
  }
  return found;
}

void sim_group::collect(node& from) {
  if (!from.journal)
    return;
  auto& journal = *from.journal;
  const auto number = static_cast<std::int32_t>(&from - nodes_.data()) + 1;
  if (journal.leads) {
    const auto [first, is_new] = leader_of_term_.emplace(journal.term, number);
    if (!is_new && first->second != number)
      broken_.push_back("nodes " + std::to_string(first->second) + " and " +
                        std::to_string(number) + " lead in term " + std::to_string(journal.term));
  }
  // What was looked at before is looked at again only by `check`.
  for (auto it = journal.applied.upper_bound(journal.collected); it != journal.applied.end();
       ++it) {
    ledger_.insert(*it);
    journal.collected = it->first;
  }
  if (!ledger_.empty())
    history_.note(now_ms_, ledger_.rbegin()->first);
  for (const auto& [index, digest] : std::exchange(journal.digests, {})) {
    const auto [first, is_new] = digests_.emplace(index, digest);
    if (!is_new && first->second != digest)
      broken_.push_back("node " + std::to_string(number) + " has another state at index " +
                        std::to_string(index));
  }
  if (std::exchange(journal.has_hole, false))
    broken_.push_back("node " + std::to_string(number) + " was given entries with a hole");
  installs_ += std::exchange(journal.installs, 0);
  skipped_ += std::exchange(journal.skipped, 0);
  book_->counts.note(fault_case::proposal_replaced, std::exchange(journal.replaced, 0));
  if (!journal.acknowledged.empty())
    acknowledged_ms_ = now_ms_;
  acknowledged_.insert(acknowledged_.end(), journal.acknowledged.begin(),
                       journal.acknowledged.end());
  journal.acknowledged.clear();
  for (const auto& [context, index] : std::exchange(journal.reads, {})) {
    if (journal.fresh.answered(context, index))
      continue;
    reads_ += index ? 1 : 0;
    if (index && *index < read_floors_.at(context))
      broken_.push_back("a read was answered with index " + std::to_string(*index) + ", when " +
                        std::to_string(read_floors_.at(context)) + " was committed before");
  }
  look_at_reads(from);
  // Without power anything may fail, and nobody hears of it.
  if (from.machine->disk->is_powerless())
    journal.failure.reset();
  if (journal.failure && journal.failure->code != errc::storage_failed)
    broken_.push_back("node " + std::to_string(number) + ": " +
                      to_string(*std::exchange(journal.failure, std::nullopt)));
}

case_counts sim_group::cases() const {
  auto all = book_->counts;
  for (const auto& each : nodes_)
    all.note(each.machine->disk->faults());
  all.note(fault_case::clog_let_go, network_.let_go());
  return all;
}

std::vector<std::string> sim_group::check() {
  for (auto& each : nodes_)
    for (const auto& [index, entry] : each.journal->applied) {
      const auto [first, is_new] = ledger_.emplace(index, entry);
      if (!is_new && first->second != entry)
        broken_.push_back("index " + std::to_string(index) + " holds '" + entry.second + "' and '" +
                          first->second.second + "'");
    }
  std::multiset<std::string> stored;
  for (const auto& [index, entry] : ledger_)
    stored.insert(entry.second);
  for (const auto& value : acknowledged_)
    if (stored.count(value) != 1)
      broken_.push_back(value + " was acknowledged and is there " +
                        std::to_string(stored.count(value)) + " times");
  return std::exchange(broken_, {});
}

} // namespace aqueduct::actors::test
