// Lives of nodes that find each other through etcd, by chance: requests that come late or twice as
// late, answers that are lost, members of etcd that go away, watches that fall silent, nodes that
// crash and lose their disks while they found a cluster. Whatever happens there is one cluster.
#include "actors/discovery/etcd_core.hpp"
#include "tests/actors/model_etcd.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using actors::test::model_etcd;

namespace {

using effects = etcd_core::effects;

constexpr std::int64_t ttl_ms = 3000;
/// Afterwards nothing fails any more.
constexpr std::int64_t calm_at_ms = 60'000;
constexpr std::int64_t end_ms = 120'000;

class random_life {
public:
  random_life(std::uint64_t seed, int nodes) : chance_(seed) {
    for (int i = 1; i <= nodes; ++i) {
      nodes_.emplace(i, node{});
      at(upto(2000), [this, i] { start(i); });
    }
    for (std::int64_t when = upto(4000); when < calm_at_ms; when += upto(8000))
      at(when, [this] { disturb(); });
    at(calm_at_ms, [this] { away_.clear(); });
  }

  void run() {
    while (!events_.empty() && events_.begin()->first.first <= end_ms) {
      auto next = events_.extract(events_.begin());
      now_ = next.key().first;
      next.mapped()();
    }
    now_ = end_ms;
    etcd_.advance(end_ms);
  }

  /// That all nodes are in one cluster, and know each other.
  void check() {
    std::set<std::string> clusters;
    for (const auto& [id, node] : nodes_) {
      INFO("node " << id << ": " << (node.core ? node.core->state() : "down"));
      CHECK_FALSE(node.cluster.is_nil());
      clusters.insert(to_string(node.cluster));
      const auto registered = decode_node(etcd_.value_of("/p/nodes/" + std::to_string(id)));
      REQUIRE(registered);
      CHECK(registered->cluster == node.cluster);
      CHECK(registered->incarnation == node.incarnation);
      CHECK(node.met.size() == nodes_.size() - 1);
    }
    CHECK(clusters.size() == 1);
    CHECK(*clusters.begin() == etcd_.value_of("/p/cluster"));
  }

private:
  struct node {
    // On its disk.
    std::uint64_t incarnation = 0;
    uuid cluster;
    /// It was told to found one, and wrote the first bit of it.
    uuid founding;
    // In its process.
    int life = 0;
    std::optional<etcd_core> core;
    std::set<std::int32_t> met;
    std::uint64_t watch = 0;
  };

  std::int64_t upto(std::int64_t most) {
    return 1 + static_cast<std::int64_t>(chance_() % static_cast<std::uint64_t>(most));
  }
  bool by_chance(int percent) { return static_cast<int>(chance_() % 100) < percent; }
  [[nodiscard]] bool is_calm() const { return now_ >= calm_at_ms; }

  void at(std::int64_t when, std::function<void()> what) {
    events_.emplace(std::pair(when, ++last_event_), std::move(what));
  }
  /// Unless the process of the node ends before.
  void at(std::int64_t when, int id, std::function<void()> what) {
    at(when, [this, id, life = nodes_[id].life, what = std::move(what)] {
      if (nodes_[id].life == life && nodes_[id].core)
        what();
    });
  }

  void start(int id) {
    auto& node = nodes_[id];
    if (node.core)
      return;
    ++node.life;
    if (node.incarnation == 0)
      node.incarnation = ++last_incarnation_;
    node.met.clear();
    node.watch = 0;
    etcd_core::options options;
    options.prefix = "/p";
    options.ttl_ms = ttl_ms;
    options.members = {"a:1", "b:1"};
    options.node = id;
    options.incarnation = node.incarnation;
    options.address = {"host", static_cast<std::uint16_t>(id)};
    options.cluster = node.cluster;
    options.decides = node.cluster.is_nil() && node.founding.is_nil();
    options.seed = chance_();
    node.core.emplace(options);
    if (node.cluster.is_nil() && !node.founding.is_nil())
      found(id);
    tick(id);
  }

  void crash(int id, bool loses_disk) {
    auto& node = nodes_[id];
    node.core.reset();
    ++node.life;
    // A founder may lose its disk as long as nobody can have joined what it founds.
    if (loses_disk && (node.cluster.is_nil() || node.cluster != node.founding)) {
      node.incarnation = 0;
      node.cluster = node.founding = {};
    }
    at(now_ + upto(5000), [this, id] { start(id); });
  }

  void disturb() {
    const auto id = static_cast<int>(upto(static_cast<std::int64_t>(nodes_.size())));
    if (by_chance(40))
      crash(id, by_chance(50));
    if (by_chance(30))
      away_.insert(static_cast<std::size_t>(chance_() % 2));
    if (by_chance(60))
      away_.clear();
  }

  void found(int id) {
    at(now_ + upto(1500), id, [this, id] {
      auto& node = nodes_[id];
      node.cluster = node.founding;
      perform(id, node.core->joined(node.cluster, now_));
    });
  }

  void tick(int id) {
    perform(id, nodes_[id].core->tick(now_));
    at(std::max(nodes_[id].core->wake_at(), now_ + 1), id, [this, id] { tick(id); });
  }

  void perform(int id, const effects& out) {
    auto& node = nodes_[id];
    for (const auto& [other, address] : out.meet)
      node.met.insert(other);
    if (out.closes_watch)
      node.watch = 0;
    if (out.opens_watch)
      node.watch = out.opens_watch->number;
    if (out.asks)
      carry(id, *out.asks);
    if (!out.decided)
      return;
    if (out.decided->is_nil()) {
      node.founding.bytes[0] = static_cast<std::uint8_t>(++last_cluster_);
      found(id);
    } else {
      node.cluster = *out.decided;
      perform(id, node.core->joined(node.cluster, now_));
    }
  }

  void carry(int id, const effects::request& request) {
    const bool never_arrives = away_.contains(request.member) || (!is_calm() && by_chance(5));
    const bool answer_is_lost = !is_calm() && by_chance(5);
    const auto there = now_ + upto(by_chance(5) ? 700 : 30);
    const auto late = now_ + request.timeout_ms;
    const auto reply = [this, id, number = request.number](result<etcd_reply> what) {
      perform(id, nodes_[id].core->answered(number, what, now_));
    };
    if (never_arrives || answer_is_lost)
      at(late, id, [reply] { reply(unexpected(errc::timed_out, "late")); });
    if (never_arrives)
      return;
    // What was sent arrives, whether or not its sender is still there.
    at(there, [this, id, life = nodes_[id].life, what = request.what, answer_is_lost, reply] {
      const auto before = etcd_.revision();
      const auto answer = etcd_.execute(what, now_);
      if (etcd_.revision() != before)
        tell_watches();
      if (!answer_is_lost && nodes_[id].life == life && nodes_[id].core)
        at(now_ + upto(30), id, [reply, answer] { reply(answer); });
    });
  }

  void tell_watches() {
    for (const auto& [id, node] : nodes_)
      if (node.core && node.watch != 0 && (is_calm() || by_chance(80)))
        at(now_ + upto(50), id, [this, id = id, watch = node.watch] {
          perform(id, nodes_[id].core->watch_said(watch, etcd_watch_news{true, false}, now_));
        });
  }

  std::mt19937_64 chance_;
  std::int64_t now_ = 0;
  std::uint64_t last_event_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, std::function<void()>> events_;
  model_etcd etcd_;
  std::set<std::size_t> away_;
  std::map<int, node> nodes_;
  std::uint64_t last_incarnation_ = 0;
  int last_cluster_ = 0;
};

} // namespace

TEST_SUITE("actors.etcd_random") {
  TEST_CASE("whatever fails while nodes start, they end in one cluster") {
    const auto* given = std::getenv("SEED");
    const auto first = given ? std::strtoull(given, nullptr, 10) : 1;
    const auto last = given ? first : 400;
    for (auto seed = first; seed <= last; ++seed) {
      INFO("SEED=" << seed);
      random_life life(seed, 3 + static_cast<int>(seed % 3));
      life.run();
      life.check();
    }
  }
}
