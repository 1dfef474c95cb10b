// Scenarios of one or several replicas as text (tests/raft/testdata). Commands act on node=1 unless
// they name another.
#include "tests/raft/replica.hpp"
#include "tests/support/datadriven.hpp"
#include "tests/support/paths.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>

namespace aqueduct::raft::test {

namespace {

using aqueduct::test::directive;

class scenario {
public:
  std::string run(const directive& d) {
    if (d.name == "group")
      return found_group(d);
    if (d.name == "deliver")
      return deliver(d);
    auto& r = *replicas_.at(static_cast<int>(d.number("node", 1)));
    r.printed.clear();
    const auto extra = act(r, d);
    auto text = r.printed + extra;
    return text.empty() ? "ok\n" : text;
  }

private:
  std::string found_group(const directive& d) {
    replicas_.clear();
    ledger_ = {};
    membership founders;
    const auto nodes = static_cast<int>(d.number("nodes", 1));
    for (int node = 1; node <= nodes; ++node)
      founders.voters.push_back(id_of(node));
    const auto last = nodes + static_cast<int>(d.number("outsiders"));
    for (int node = 1; node <= last; ++node) {
      core_options o;
      o.self = id_of(node);
      o.seed = static_cast<std::uint64_t>(node);
      o.pending_bytes_max = d.number("pending_bytes_max", o.pending_bytes_max);
      o.load_bytes_max = d.number("load_bytes_max", o.load_bytes_max);
      o.tail_bytes_max = d.number("tail_bytes_max", o.tail_bytes_max);
      o.unapplied_bytes_max = d.number("unapplied_bytes_max", o.unapplied_bytes_max);
      o.inflight_requests_max =
          static_cast<std::uint32_t>(d.number("inflight", o.inflight_requests_max));
      o.hibernate_after_ticks = static_cast<std::uint32_t>(d.number("hibernate_after"));
      replicas_[node] =
          std::make_unique<replica>(o, node <= nodes ? founders : membership{}, ledger_);
    }
    return "ok\n";
  }

  /// Lets messages through until there are none, or as many `rounds` as are named. `drop` names a
  /// node that hears and says nothing; `settle=no` leaves the disks alone.
  std::string deliver(const directive& d) {
    const auto rounds = d.number("rounds", 100);
    const auto drop = static_cast<int>(d.number("drop"));
    std::string text;
    for (unsigned long long round = 0; round < rounds; ++round) {
      bool any = false;
      for (auto& [node, r] : replicas_) {
        r->printed.clear();
        if (d.text("settle") != "no")
          r->settle();
        if (r->fetch())
          r->install(*replicas_.at(r->fetch()->from.node.value));
        text += prefixed(node, r->printed);
        for (auto& m : std::exchange(r->sent, {})) {
          const auto to = m.to.node.value;
          any = true;
          if (node == drop || to == drop || !replicas_.contains(to))
            continue;
          auto& receiver = *replicas_[to];
          receiver.printed.clear();
          text +=
              std::to_string(node) + " -> " + std::to_string(to) + " " + to_string(m.body) + '\n';
          receiver.call([&](core& c) { return c.step(r->options.self, std::move(m.body)); });
          text += prefixed(to, receiver.printed);
        }
      }
      if (!any)
        break;
    }
    return text.empty() ? "ok\n" : text;
  }

  static std::string prefixed(int node, const std::string& lines) {
    std::string text;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("send ", 0) != 0) // the delivery shows it
        text += "  " + std::to_string(node) + ": " + line + '\n';
    }
    return text;
  }

  static std::string act(replica& r, const directive& d) {
    const auto first = d.words.empty() ? 0ULL : std::stoull("0" + digits(d.words[0]));
    if (d.name == "campaign")
      r.call([](core& c) { return c.campaign(); });
    else if (d.name == "tick")
      tick(r, d.words.empty() ? 1 : first);
    else if (d.name == "propose")
      return propose(r, d);
    else if (d.name == "persisted")
      r.complete_write();
    else if (d.name == "on-disk")
      r.complete_silently();
    else if (d.name == "tell")
      tell(r, first);
    else if (d.name == "stale")
      r.call([&](core& c) { return c.persisted({d.number("life"), d.number("ticket")}); });
    else if (d.name == "persist-failed")
      r.call([&](core& c) { return c.persist_failed(r.storage().pending().front().ticket); });
    else if (d.name == "apply")
      r.apply_all();
    else if (d.name == "flush-state")
      r.flush_state();
    else if (d.name == "answer-load")
      r.answer_load();
    else if (d.name == "fail-load")
      fail_load(r);
    else if (d.name == "compact")
      r.call([&](core& c) { return c.compact(log_index(first)); });
    else if (d.name == "read")
      r.call([&](core& c) { return c.read_index(first); });
    else if (d.name == "crash")
      crash(r, d);
    else if (d.name == "settle")
      r.settle();
    else if (d.name == "wake")
      r.call([](core& c) { return c.wake(); });
    else if (d.name == "retire")
      r.call([](core& c) { return c.retire(); });
    else if (d.name == "transfer")
      r.call([&](core& c) { return c.transfer_leadership(id_of(static_cast<int>(first))); });
    else if (d.name == "add-learner" || d.name == "promote" || d.name == "remove")
      return change(r, d);
    else if (d.name == "state")
      return state(r);
    else
      return "unknown command\n";
    return {};
  }

  static std::string digits(const std::string& word) {
    return word.find_first_not_of("0123456789") == std::string::npos ? word : "";
  }

  static void tick(replica& r, unsigned long long count) {
    for (; count > 0; --count)
      r.call([](core& c) { return c.tick(); });
  }

  static void tell(replica& r, unsigned long long number) {
    for (std::size_t i = 0; i < r.untold().size(); ++i) {
      if (r.untold()[i].number == number) {
        r.tell_completion(i);
        return;
      }
    }
  }

  static std::string propose(replica& r, const directive& d) {
    auto batch = d.words;
    if (const auto count = d.number("count"))
      batch.assign(count, std::string(d.number("bytes", 1), 'x'));
    std::optional<term_id> only_in;
    if (d.arguments.contains("term"))
      only_in = term_id(d.number("term"));
    const auto outcome = r.propose(batch, only_in);
    if (const auto* ok = std::get_if<proposal_accepted>(&outcome.answer))
      return "accepted " + to_string(entry_id{ok->term, ok->first}) + "\n";
    if (const auto* no = std::get_if<proposal_not_leader>(&outcome.answer))
      return "not leader, try " + (no->leader ? to_string(*no->leader) : "nobody") + "\n";
    return "overloaded\n";
  }

  static std::string change(replica& r, const directive& d) {
    const auto who = id_of(std::stoi(d.words.at(0)), d.number("incarnation"));
    membership_change c = add_learner{who};
    if (d.name == "promote")
      c = promote_learner{who};
    else if (d.name == "remove")
      c = remove_replica{who};
    static constexpr const char* names[] = {"accepted", "not leader", "not ready", "invalid"};
    return std::string(names[static_cast<int>(r.change(c).answer)]) + "\n";
  }

  static void fail_load(replica& r) {
    const auto id = r.loads().front().id;
    r.loads().pop_front();
    r.call([&](core& c) { return c.load_failed(id); });
  }

  static void crash(replica& r, const directive& d) {
    r.crash(d.number("writes"), d.number("parts"));
    r.restart();
  }

  static std::string state(const replica& r) {
    const auto& c = r.node();
    std::string text =
        std::string(to_string(c.role())) + " term=" + std::to_string(c.term().value) +
        " first=" + std::to_string(c.first_index().value) + " last=" + to_string(c.log().last()) +
        " durable=" + std::to_string(c.durable_index().value) +
        " commit=" + std::to_string(c.commit_index().value) +
        " applied=" + std::to_string(c.applied_index().value) + " in-memory=" +
        std::to_string(c.log().last().index.next().value - c.log().tail_begin().value) +
        " pending-bytes=" + std::to_string(c.pending_bytes());
    if (c.is_hibernating())
      text += " hibernating";
    if (c.is_poisoned())
      text += " poisoned";
    text += "\nrecords:";
    for (const auto& record : r.state())
      text += " " + (record.size() <= 16 ? record : std::to_string(record.size()) + "B");
    return text + "\n";
  }

  ledger ledger_;
  std::map<int, std::unique_ptr<replica>> replicas_;
};

void run_file(const std::string& name) {
  scenario s;
  aqueduct::test::run_scenario(aqueduct::test::source_path("tests/raft/testdata") / name,
                               [&](const directive& d) { return s.run(d); });
}

} // namespace

TEST_SUITE("raft.golden") {
  TEST_CASE("a single voter starts, proposes and commits as in single_life.txt") {
    run_file("single_life.txt");
  }
  TEST_CASE("writes in flight complete late and in any order as in single_pipeline.txt") {
    run_file("single_pipeline.txt");
  }
  TEST_CASE("a single voter that crashes at any point loses nothing as in single_crash.txt") {
    run_file("single_crash.txt");
  }
  TEST_CASE("a failed write poisons the replica as in single_poison.txt") {
    run_file("single_poison.txt");
  }
  TEST_CASE("entries that are not in memory are loaded in chunks as in single_load.txt") {
    run_file("single_load.txt");
  }
  TEST_CASE("three replicas elect a leader and follow it as in group_election.txt") {
    run_file("group_election.txt");
  }
  TEST_CASE("a leader brings a follower up to date as in group_replication.txt") {
    run_file("group_replication.txt");
  }
  TEST_CASE("a group grows from one to two and on to a state as in group_growth.txt") {
    run_file("group_growth.txt");
  }
  TEST_CASE("reads are answered when others go or lag as in group_reads.txt") {
    run_file("group_reads.txt");
  }
  TEST_CASE("leadership moves, and a group sleeps, as in group_transfer_sleep.txt") {
    run_file("group_transfer_sleep.txt");
  }
  TEST_CASE("compaction, overload and sleep go as in single_limits.txt") {
    run_file("single_limits.txt");
  }
}

} // namespace aqueduct::raft::test
