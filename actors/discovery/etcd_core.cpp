#include "actors/discovery/etcd_core.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace aqueduct::actors {

namespace {

constexpr std::int64_t request_timeout_ms = 2000;
/// Between two readings while no watch is open.
constexpr std::int64_t read_interval_ms = 1000;
/// Between two attempts to open a watch.
constexpr std::int64_t watch_interval_ms = 1000;
/// After all members of etcd failed: doubled each time, up to the second.
constexpr std::int64_t pause_min_ms = 100;
constexpr std::int64_t pause_max_ms = 5000;
constexpr std::size_t doublings_max = 6;
/// After a transaction that did not hold, because another node was first.
constexpr std::int64_t lost_race_pause_ms = 50;
/// Transactions without a rest, after which something must be wrong with the store.
constexpr int writes_max = 8;
constexpr std::int64_t many_writes_pause_ms = 1000;
/// Nodes beyond which none is believed any more.
constexpr std::size_t nodes_max = 128;

std::optional<std::int32_t> node_number(std::string_view text) {
  std::int32_t number = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || stop != text.data() + text.size() || number < 0)
    return std::nullopt;
  return number;
}

} // namespace

etcd_core::etcd_core(options given) : opts_(std::move(given)) {
  reasons_.resize(opts_.members.size());
  // Not all nodes ask the same member first.
  member_ = static_cast<std::size_t>(opts_.seed % opts_.members.size());
}

// -- what comes in --------------------------------------------------------------------------------

etcd_core::effects etcd_core::tick(std::int64_t now_ms) {
  now_ms_ = now_ms;
  return advance();
}

etcd_core::effects etcd_core::answered(std::uint64_t number, const result<etcd_reply>& reply,
                                       std::int64_t now_ms) {
  now_ms_ = now_ms;
  if (asking_ == number) {
    asking_ = 0;
    if (reply)
      replied(*reply);
    else
      failed(reply.error());
  }
  return advance();
}

etcd_core::effects etcd_core::watch_said(std::uint64_t number, const result<etcd_watch_news>& news,
                                         std::int64_t now_ms) {
  if (number == watch_ && (!news || news->is_over)) {
    out_.closes_watch = true;
    return watch_closed(number, now_ms);
  }
  now_ms_ = now_ms;
  if (number == watch_ && news->has_changes)
    expect_news();
  return advance();
}

etcd_core::effects etcd_core::watch_closed(std::uint64_t number, std::int64_t now_ms) {
  now_ms_ = now_ms;
  if (number == watch_) {
    watch_ = 0;
    watch_at_ms_ = now_ms_ + jittered(watch_interval_ms);
    expect_news();
  }
  return advance();
}

etcd_core::effects etcd_core::joined(const uuid& cluster, std::int64_t now_ms) {
  now_ms_ = now_ms;
  opts_.cluster = cluster;
  opts_.decides = false;
  if (seen_)
    meet_nodes();
  return advance();
}

// -- what to do next ------------------------------------------------------------------------------

etcd_core::effects etcd_core::advance() {
  if (asking_ == 0 && now_ms_ >= not_before_ms_)
    act();
  if (asking_ != 0) {
    // Its answer comes sooner.
    wake_at_ms_ = now_ms_ + 2 * timeout_ms();
  } else if (now_ms_ < not_before_ms_) {
    wake_at_ms_ = not_before_ms_;
  } else {
    wake_at_ms_ = next_reading_ms();
    if (lease_ != 0)
      wake_at_ms_ = std::min(wake_at_ms_, renew_at_ms_);
    if (watch_ == 0)
      wake_at_ms_ = std::min(wake_at_ms_, watch_at_ms_);
  }
  return std::exchange(out_, {});
}

void etcd_core::act() {
  if (lease_ != 0 && now_ms_ >= renew_at_ms_)
    return ask(etcd_keep_alive{lease_});
  if (is_stale_ || now_ms_ >= next_reading_ms()) {
    is_stale_ = false;
    return ask(etcd_range{opts_.prefix + "/"});
  }
  open_watch();
  tell_problem();
  if (problem()) {
    // Not registered any more, once the lease has run out.
    lease_ = 0;
    return;
  }
  if (lease_ == 0)
    return ask(etcd_grant{(opts_.ttl_ms + 999) / 1000});
  const auto& own = seen_->own;
  if (!own || own->value != own_value() || own->lease != lease_)
    return write({{own_key(), std::nullopt, own ? own->mod_revision : 0}},
                 {own_key(), own_value(), lease_});
  if (!opts_.cluster.is_nil() && !seen_->cluster_text)
    // Not in the name of a life that is over: what it founded may be gone with its disk.
    return write({{key_of("cluster"), std::nullopt, 0}, {own_key(), own_value(), 0}},
                 {key_of("cluster"), to_string(opts_.cluster), 0});
  if (opts_.decides)
    decide();
  if (asking_ == 0)
    writes_ = 0;
}

/// Precondition: this node is registered.
void etcd_core::decide() {
  if (!seen_->cluster.is_nil()) {
    opts_.decides = false;
    out_.decided = seen_->cluster;
    return;
  }
  const auto& founder = seen_->founder;
  if (founder && founder->node == opts_.node && founder->incarnation == opts_.incarnation) {
    opts_.decides = false;
    out_.decided = uuid();
    return;
  }
  if (founder && founder->node != opts_.node)
    return;
  // Nobody's, or that of a former life of this node, which is gone with its disk: only one life is
  // registered, and the transaction holds only if that is still this one.
  etcd_compare before{key_of("founder"), seen_->founder_text, 0};
  write({std::move(before), {key_of("cluster"), std::nullopt, 0}, {own_key(), own_value(), 0}},
        {key_of("founder"), own_claim(), 0});
}

void etcd_core::ask(etcd_request what) {
  asking_ = ++last_number_;
  asked_at_ms_ = now_ms_;
  out_.asks = effects::request{asking_, member_, std::move(what), timeout_ms()};
}

void etcd_core::write(std::vector<etcd_compare> if_all, etcd_put then) {
  ask(etcd_txn{std::move(if_all), std::move(then)});
}

void etcd_core::open_watch() {
  if (watch_ != 0 || now_ms_ < watch_at_ms_)
    return;
  watch_ = ++last_number_;
  out_.opens_watch = effects::watch{watch_, member_, seen_->revision + 1, timeout_ms()};
}

// -- answers --------------------------------------------------------------------------------------

void etcd_core::replied(const etcd_reply& reply) {
  failures_ = 0;
  reasons_.assign(opts_.members.size(), "");
  if (std::exchange(told_outage_, false))
    out_.notes.push_back({severity::info, "etcd answers again"});
  if (const auto* found = std::get_if<etcd_entries>(&reply)) {
    see(*found);
  } else if (const auto* lease = std::get_if<etcd_lease>(&reply)) {
    // What runs out on the way is noticed by the next answer.
    lease_ = lease->ttl_s > 0 ? lease->id : 0;
    renew_at_ms_ = asked_at_ms_ + lease->ttl_s * 1000 / 3;
    if (lease_ == 0)
      expect_news();
  } else {
    const auto* done = std::get_if<etcd_txn_done>(&reply);
    if (!done)
      lease_ = 0;
    expect_news();
    if (++writes_ > writes_max)
      not_before_ms_ = now_ms_ + jittered(many_writes_pause_ms);
    else if (done && !done->succeeded)
      not_before_ms_ = now_ms_ + jittered(lost_race_pause_ms);
  }
}

void etcd_core::failed(const error& why) {
  // Whether it was done is unknown: reading tells.
  expect_news();
  reasons_[member_] = why.message;
  member_ = (member_ + 1) % opts_.members.size();
  if (++failures_ % opts_.members.size() != 0)
    return;
  const auto rounds = failures_ / opts_.members.size();
  const auto doublings = std::min(rounds - 1, doublings_max);
  not_before_ms_ = now_ms_ + jittered(std::min(pause_min_ms << doublings, pause_max_ms));
  if (!std::exchange(told_outage_, true)) {
    auto text = "etcd does not answer at " + members();
    if (!opts_.cluster.is_nil())
      text += "; the cluster goes on without it";
    out_.notes.push_back({severity::warning, std::move(text)});
  }
}

void etcd_core::see(const etcd_entries& found) {
  const bool has_news = seen_ && seen_->entries != found.entries;
  // A watch that did not tell of what changed is deaf.
  if (has_news && !was_told_ && watch_ != 0) {
    watch_ = 0;
    out_.closes_watch = true;
  }
  was_told_ = is_stale_;
  read_at_ms_ = now_ms_;
  seen_ = read(found);
  tell_problem();
  meet_nodes();
}

etcd_core::picture etcd_core::read(const etcd_entries& found) const {
  picture made;
  made.revision = found.revision;
  made.entries = found.entries;
  const auto nodes = key_of("nodes/");
  for (const auto& entry : found.entries) {
    if (entry.key == key_of("founder")) {
      made.founder_text = entry.value;
      made.founder = decode_founder(entry.value);
    } else if (entry.key == key_of("cluster")) {
      made.cluster_text = entry.value;
      if (!parse_uuid(entry.value, made.cluster))
        made.cluster = uuid();
    } else if (entry.key.starts_with(nodes)) {
      const auto node = node_number(std::string_view(entry.key).substr(nodes.size()));
      const auto what = decode_node(entry.value);
      if (node && *node == opts_.node)
        made.own = entry;
      if (node && what)
        made.nodes.emplace(*node, *what);
    }
  }
  return made;
}

void etcd_core::meet_nodes() {
  if (problem())
    return;
  for (const auto& [node, what] : seen_->nodes) {
    const bool together =
        opts_.cluster.is_nil() || what.cluster.is_nil() || opts_.cluster == what.cluster;
    const auto known = met_.find(node);
    if (node == opts_.node || !together || (known != met_.end() && known->second == what.address) ||
        (known == met_.end() && met_.size() >= nodes_max))
      continue;
    met_[node] = what.address;
    out_.meet.push_back({node, what.address});
  }
}

// -- sentences ------------------------------------------------------------------------------------

/// Why this node must not register, which a person has to mend, or time.
std::optional<etcd_core::note> etcd_core::problem() const {
  const auto key = key_of("cluster");
  if (seen_->cluster_text && seen_->cluster.is_nil())
    return note{severity::failure, key + " in etcd is not the id of a cluster: '" +
                                       seen_->cluster_text->substr(0, 100) + "'"};
  if (!opts_.cluster.is_nil() && seen_->cluster_text && seen_->cluster != opts_.cluster)
    return note{
        severity::failure,
        "this node belongs to the cluster " + to_string(opts_.cluster) + ", but " + key +
            " in etcd names " + to_string(seen_->cluster) +
            "; it is not registered there. Give each cluster a discovery.prefix of its own"};
  const auto own = seen_->nodes.find(opts_.node);
  if (own != seen_->nodes.end() && own->second.incarnation != opts_.incarnation)
    return note{severity::warning,
                "the node at " + to_string(own->second.address) + " has the id " +
                    std::to_string(opts_.node) +
                    " too; node.id must be unique in the cluster. If it was a former life of this "
                    "node, its registration in etcd ends within discovery.ttl"};
  if (opts_.decides && !seen_->cluster_text && seen_->founder_text && !seen_->founder)
    return note{severity::failure, key_of("founder") + " in etcd does not name a node: '" +
                                       seen_->founder_text->substr(0, 100) + "'"};
  return std::nullopt;
}

void etcd_core::tell_problem() {
  const auto found = problem();
  if (const auto text = found ? found->text : ""; text != told_problem_) {
    told_problem_ = text;
    if (found)
      out_.notes.push_back(*found);
  }
}

std::string etcd_core::state() const {
  if (failures_ > 0 || !seen_)
    return "waiting for etcd at " + members();
  if (const auto found = problem())
    return found->text;
  if (seen_->founder && seen_->founder->node != opts_.node)
    return "waiting for node " + std::to_string(seen_->founder->node) + " to found the cluster (" +
           key_of("founder") + " in etcd)";
  return "waiting for etcd to register this node";
}

/// All of them, with what went wrong there last.
std::string etcd_core::members() const {
  std::string text;
  for (std::size_t i = 0; i < opts_.members.size(); ++i) {
    text += (i > 0 ? "; " : "") + opts_.members[i];
    if (!reasons_[i].empty())
      text += " (" + reasons_[i] + ")";
  }
  return text;
}

// -- small things ---------------------------------------------------------------------------------

std::string etcd_core::own_key() const {
  return key_of("nodes/" + std::to_string(opts_.node));
}

std::string etcd_core::own_value() const {
  return encode(registered_node{opts_.address, opts_.incarnation, opts_.cluster});
}

std::string etcd_core::own_claim() const {
  return encode(registered_founder{opts_.node, opts_.incarnation});
}

void etcd_core::expect_news() {
  is_stale_ = true;
  was_told_ = true;
}

std::int64_t etcd_core::next_reading_ms() const {
  return read_at_ms_ + (watch_ != 0 ? opts_.ttl_ms : read_interval_ms);
}

std::int64_t etcd_core::timeout_ms() const {
  return std::clamp<std::int64_t>(opts_.ttl_ms / 4, 500, request_timeout_ms);
}

/// Between half and the whole of it, by a generator of its own (splitmix64).
std::int64_t etcd_core::jittered(std::int64_t ms) {
  opts_.seed += 0x9e3779b97f4a7c15U;
  auto x = opts_.seed;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  x ^= x >> 31;
  return ms / 2 + static_cast<std::int64_t>(x % static_cast<std::uint64_t>(ms / 2 + 1));
}

} // namespace aqueduct::actors
