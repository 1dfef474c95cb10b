#include "tests/raft/replica.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>

namespace aqueduct::raft::test {

payload payload_of(std::string_view text) {
  auto owner = std::make_shared<const std::string>(text);
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  return {std::shared_ptr<const std::byte>(std::move(owner), data), text.size()};
}

std::string text_of(const payload& p) {
  return {reinterpret_cast<const char*>(p.data.get()), p.size};
}

replica_id id_of(int node, std::uint64_t life) {
  return {node_id(node), incarnation(life)};
}

membership voters_of(std::initializer_list<int> nodes) {
  membership m;
  for (const int node : nodes)
    m.voters.push_back(id_of(node));
  return m;
}

// -- disk ---------------------------------------------------------------------------------------

persist_ticket disk::complete_one() {
  REQUIRE(!pending_.empty());
  const auto request = std::move(pending_.front());
  pending_.pop_front();
  carry_out(request, std::numeric_limits<std::size_t>::max());
  return request.ticket;
}

void disk::crash(std::size_t writes, std::size_t parts) {
  for (; writes > 0 && !pending_.empty(); --writes)
    complete_one();
  if (!pending_.empty())
    carry_out(pending_.front(), parts);
  pending_.clear();
}

/// Every entry is a part of its own.
void disk::carry_out(const persist_request& request, std::size_t parts) {
  const auto take = [&parts] { return parts != 0 && parts-- != 0; };
  if (request.hard) {
    if (!take())
      return;
    hard_ = *request.hard;
  }
  if (request.reset) {
    if (!take())
      return;
    replace(*request.reset);
  }
  if (request.truncate_from) {
    if (!take())
      return;
    REQUIRE(*request.truncate_from > base_.last.index);
    while (!entries_.empty() && entries_.back().index >= *request.truncate_from)
      entries_.pop_back();
  }
  for (const auto& e : request.append) {
    if (!take())
      return;
    const auto end = entries_.empty() ? base_.last.index : entries_.back().index;
    REQUIRE(e.index == end.next());
    entries_.push_back(e);
  }
  if (request.compact && take()) {
    while (!entries_.empty() && entries_.front().index <= request.compact->last.index)
      entries_.pop_front();
    base_ = *request.compact;
  }
}

bool disk::has(entry_id id) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [id](const entry& e) { return e.id() == id; });
}

std::vector<entry> disk::read(log_index begin, log_index end, std::size_t bytes_max) const {
  std::vector<entry> out;
  std::size_t bytes = 0;
  for (const auto& e : entries_) {
    if (e.index < begin || e.index >= end)
      continue;
    bytes += e.body.size;
    if (!out.empty() && bytes > bytes_max)
      break;
    out.push_back(e);
  }
  return out;
}

restored_state disk::restore(log_index applied) const {
  restored_state s;
  s.hard = hard_;
  s.base = base_;
  s.last = base_.last.index;
  for (const auto& e : entries_) {
    if (s.terms.empty() || s.terms.back().term != e.term)
      s.terms.push_back({e.term, e.index});
    if (e.kind == entry_kind::membership)
      s.memberships.push_back({e.index, *decode_membership({e.body.data.get(), e.body.size})});
    s.last = e.index;
  }
  s.applied = applied;
  return s;
}

void ledger::record(const entry& e) {
  const std::pair value(e.term, text_of(e.body));
  const auto [at, is_new] = entries_.try_emplace(e.index, value);
  if (!is_new && at->second != value)
    throw std::logic_error("entry " + std::to_string(e.index.value) + " was committed in term " +
                           std::to_string(at->second.first.value) + " and now in term " +
                           std::to_string(e.term.value));
}

// -- replica ------------------------------------------------------------------------------------

replica::replica(core_options o, membership founders, ledger& committed)
    : options(o), ledger_(committed), founders_(std::move(founders)), disk_({{}, founders_}) {
  restart();
}

void replica::restart() {
  options.life = ++life_;
  auto made = core::create(options, disk_.restore(applied_));
  if (const auto* wrong = std::get_if<invalid_state>(&made))
    throw std::logic_error("cannot restart: " + wrong->reason);
  core_.emplace(std::get<core>(std::move(made)));
  check(*core_);
}

void replica::crash(std::size_t writes, std::size_t parts) {
  disk_.crash(writes, parts);
  core_.reset();
  sent.clear();
  unapplied_.clear();
  loads_.clear();
  untold_.clear();
  reads_.clear();
  fetch_.reset();
  applied_ = durable_applied_;
  state_.resize(records_at_[applied_]);
  // A state was fetched and is durable, but the log was not yet reset to it.
  if (installed_ && installed_->last.index > disk_.base().last.index &&
      !disk_.has(installed_->last))
    disk_.replace(*installed_);
}

void replica::preload(std::uint64_t term, const std::vector<std::uint64_t>& terms) {
  std::deque<entry> entries;
  for (std::size_t i = 0; i < terms.size(); ++i)
    entries.push_back({log_index(i + 1), term_id(terms[i]), entry_kind::records,
                       payload_of(std::to_string(i + 1) + "@" + std::to_string(terms[i]))});
  disk_.preload({term_id(term), std::nullopt}, std::move(entries));
  restart();
}

std::vector<std::uint64_t> replica::terms() const {
  std::vector<std::uint64_t> out;
  for (auto i = core_->first_index(); i <= core_->last_index(); i = i.next())
    out.push_back(core_->log().term_at(i)->value);
  return out;
}

void replica::wipe() {
  core_.reset();
  disk_ = disk({});
  sent.clear();
  unapplied_.clear();
  loads_.clear();
  untold_.clear();
  reads_.clear();
  fetch_.reset();
  applied_ = durable_applied_ = {};
  state_.clear();
  records_at_.clear();
  installed_.reset();
  options.self.incarnation = options.self.incarnation.next();
  restart();
}

void replica::call(const std::function<effects(core&)>& input) {
  const auto before = observe(*core_);
  perform(input(*core_), before);
}

propose_outcome replica::propose(std::vector<std::string> batch, std::optional<term_id> only_in) {
  std::vector<proposal> proposals;
  for (const auto& text : batch)
    proposals.push_back({entry_kind::records, payload_of(text)});
  const auto before = observe(*core_);
  auto outcome = core_->propose(std::move(proposals), only_in);
  perform(std::exchange(outcome.then, {}), before);
  return outcome;
}

change_outcome replica::change(const membership_change& c) {
  const auto before = observe(*core_);
  auto outcome = core_->change_membership(c);
  perform(std::exchange(outcome.then, {}), before);
  return outcome;
}

void replica::perform(effects out, const observation& before) {
  check_step(before, *core_);
  check_effects(before, *core_, out);
  for (const auto& line : lines_of(out))
    print(line);
  std::move(out.send.begin(), out.send.end(), std::back_inserter(sent));
  if (out.persist)
    disk_.submit(std::move(*out.persist));
  for (auto& e : out.committed) {
    ledger_.record(e);
    unapplied_.push_back(std::move(e));
  }
  std::move(out.loads.begin(), out.loads.end(), std::back_inserter(loads_));
  std::move(out.reads.begin(), out.reads.end(), std::back_inserter(reads_));
  if (out.fetch)
    fetch_ = out.fetch;
}

void replica::print(const std::string& line) {
  printed += line + '\n';
  for (const char c : line)
    trace = (trace ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
}

void replica::complete_write() {
  const auto ticket = disk_.complete_one();
  call([&](core& c) { return c.persisted(ticket); });
}

void replica::complete_silently() {
  untold_.push_back(disk_.complete_one());
}

void replica::tell_completion(std::size_t n) {
  const auto at = untold_.begin() + static_cast<std::ptrdiff_t>(n);
  const auto ticket = *at;
  untold_.erase(at);
  call([&](core& c) { return c.persisted(ticket); });
}

void replica::settle_disk() {
  while (!untold_.empty())
    tell_completion(0);
  while (!disk_.pending().empty())
    complete_write();
}

void replica::apply_all() {
  if (unapplied_.empty())
    return;
  for (const auto& e : unapplied_) {
    if (e.kind == entry_kind::records)
      state_.push_back(text_of(e.body));
    applied_ = e.index;
    records_at_[applied_] = state_.size();
  }
  unapplied_.clear();
  call([&](core& c) { return c.applied(applied_); });
}

void replica::answer_load() {
  REQUIRE(!loads_.empty());
  const auto request = loads_.front();
  loads_.pop_front();
  auto entries = disk_.read(request.begin, request.end, request.bytes_max);
  call([&](core& c) {
    return entries.empty() ? c.load_failed(request.id) : c.loaded(request.id, std::move(entries));
  });
}

void replica::answer_loads() {
  while (!loads_.empty())
    answer_load();
}

void replica::settle() {
  while (!disk_.pending().empty() || !untold_.empty() || !loads_.empty() || !unapplied_.empty()) {
    settle_disk();
    answer_loads();
    apply_all();
  }
}

void replica::install(const replica& from) {
  fetch_.reset();
  const auto meta = from.node().meta_at(from.applied_);
  if (meta.last.index > core_->commit_index()) {
    unapplied_.clear();
    loads_.clear();
    installed_ = meta;
    applied_ = durable_applied_ = meta.last.index;
    state_ = from.state_;
    records_at_[applied_] = state_.size();
  }
  call([&](core& c) { return c.snapshot_installed(meta); });
}

// -- printing -----------------------------------------------------------------------------------

namespace {

std::string num(log_index index) {
  return std::to_string(index.value);
}

std::string show(const entry& e) {
  auto text = to_string(e.id()) + " " + std::string(to_string(e.kind));
  if (e.kind == entry_kind::records || e.kind == entry_kind::command)
    text += " " + (e.body.size <= 16 ? text_of(e.body) : std::to_string(e.body.size) + "B");
  return text;
}

std::string show(const std::vector<entry>& entries) {
  std::string text;
  if (entries.size() > 6)
    return " [" + show(entries.front()) + "] .. [" + show(entries.back()) + "]";
  for (const auto& e : entries)
    text += " [" + show(e) + "]";
  return text;
}

std::string show(const persist_request& p) {
  auto text = "persist " + std::to_string(p.ticket.number);
  if (p.hard)
    text += " hard term=" + std::to_string(p.hard->term.value) +
            " vote=" + (p.hard->voted_for ? to_string(*p.hard->voted_for) : "none");
  if (p.reset)
    text +=
        " reset " + to_string(p.reset->last) + " members=[" + to_string(p.reset->membership) + "]";
  if (p.truncate_from)
    text += " truncate " + num(*p.truncate_from);
  if (!p.append.empty())
    text += " append" + show(p.append);
  if (p.compact)
    text += " compact " + to_string(p.compact->last) + " members=[" +
            to_string(p.compact->membership) + "]";
  return text;
}

} // namespace

std::vector<std::string> lines_of(const effects& out) {
  std::vector<std::string> lines;
  for (const auto& e : out.events)
    lines.push_back("event " + to_string(e));
  if (out.leader)
    lines.push_back("leader " + (out.leader->leader ? to_string(*out.leader->leader) : "none") +
                    " term=" + std::to_string(out.leader->term.value));
  if (out.persist)
    lines.push_back(show(*out.persist));
  for (const auto& m : out.send)
    lines.push_back("send " + to_string(m.to) + " " + to_string(m.body));
  if (!out.committed.empty())
    lines.push_back("committed" + show(out.committed));
  for (const auto& r : out.reads)
    lines.push_back("read " + std::to_string(r.context) + " at " +
                    (r.index ? num(*r.index) : "nothing"));
  for (const auto& l : out.loads)
    lines.push_back("load " + std::to_string(l.id) + " [" + num(l.begin) + ", " + num(l.end) +
                    ") max=" + std::to_string(l.bytes_max));
  if (out.fetch)
    lines.push_back("fetch from " + to_string(out.fetch->from) + " at least " +
                    to_string(out.fetch->meta.last));
  return lines;
}

} // namespace aqueduct::raft::test
