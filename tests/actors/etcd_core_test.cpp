// How nodes find each other through etcd, in virtual time against a model of it.
#include "actors/discovery/etcd_core.hpp"
#include "tests/actors/model_etcd.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <random>
#include <set>

using namespace aqueduct;
using namespace aqueduct::actors;
using actors::test::model_etcd;

namespace {

using effects = etcd_core::effects;

uuid cluster_of(std::uint8_t number) {
  uuid id;
  id.bytes[0] = number;
  return id;
}

etcd_core::options options_of(std::int32_t node, std::uint64_t incarnation = 1) {
  etcd_core::options options;
  options.prefix = "/p";
  options.ttl_ms = 9000;
  options.members = {"a:1"};
  options.node = node;
  options.incarnation = incarnation;
  options.address = {"host", static_cast<std::uint16_t>(9000 + node)};
  options.decides = true;
  return options;
}

etcd_core::options member_of(std::int32_t node, const uuid& cluster) {
  auto options = options_of(node);
  options.cluster = cluster;
  options.decides = false;
  return options;
}

const error refused{errc::connection_lost, "refused"};

/// A node whose etcd answers at once, unless it is away.
class quick_node {
public:
  quick_node(model_etcd& etcd, const etcd_core::options& options) : etcd_(etcd), core_(options) {}

  /// Goes on until the time has come, and everything is said.
  void run(std::int64_t until_ms) {
    perform(core_.tick(now_ms), now_ms);
    while (core_.wake_at() <= until_ms) {
      now_ms = std::max(now_ms, core_.wake_at());
      perform(core_.tick(now_ms), now_ms);
    }
    now_ms = until_ms;
  }

  void join(const uuid& cluster) { perform(core_.joined(cluster, now_ms), now_ms); }
  void watch_says(const result<etcd_watch_news>& news) {
    perform(core_.watch_said(watch, news, now_ms), now_ms);
  }
  void watch_closes() { perform(core_.watch_closed(std::exchange(watch, 0), now_ms), now_ms); }

  [[nodiscard]] bool said(std::string_view words) const {
    return std::ranges::any_of(
        notes, [&](const auto& n) { return n.text.find(words) != std::string::npos; });
  }
  [[nodiscard]] std::string state() const { return core_.state(); }

  std::int64_t now_ms = 0;
  /// By member: what its requests end with instead of an answer.
  std::map<std::size_t, error> away;
  std::vector<std::size_t> asked;
  std::vector<std::int64_t> asked_at_ms;
  std::vector<etcd_core::note> notes;
  std::map<std::int32_t, config::endpoint> met;
  std::optional<uuid> decided;
  std::uint64_t watch = 0;
  std::int64_t watched_from = 0;
  int watches = 0;

private:
  void perform(effects first, std::int64_t now) {
    for (auto next = std::optional(std::move(first)); next;) {
      const auto out = *std::exchange(next, std::nullopt);
      notes.insert(notes.end(), out.notes.begin(), out.notes.end());
      for (const auto& [node, address] : out.meet)
        met[node] = address;
      if (out.closes_watch)
        watch = 0;
      if (out.opens_watch) {
        watch = out.opens_watch->number;
        watched_from = out.opens_watch->from_revision;
        ++watches;
      }
      if (out.decided) {
        CHECK_FALSE(decided);
        decided = out.decided;
      }
      if (!out.asks)
        continue;
      asked.push_back(out.asks->member);
      asked_at_ms.push_back(now);
      const auto gone = away.find(out.asks->member);
      next = core_.answered(out.asks->number,
                            gone != away.end() ? result<etcd_reply>(unexpected(gone->second))
                                               : etcd_.execute(out.asks->what, now),
                            now);
    }
  }

  model_etcd& etcd_;
  etcd_core core_;
};

} // namespace

TEST_SUITE("actors.etcd_core") {
  TEST_CASE("an empty node in an empty etcd registers, claims the founding and founds") {
    model_etcd etcd;
    quick_node node(etcd, options_of(1, 5));
    node.run(0);
    REQUIRE(node.decided);
    CHECK(node.decided->is_nil());
    CHECK(etcd.value_of("/p/founder") == R"({"incarnation":5,"node":1})");
    CHECK(etcd.lease_of("/p/founder") == 0);
    CHECK(etcd.value_of("/p/nodes/1") ==
          R"({"address":"host:9001","cluster":null,"incarnation":5})");
    CHECK(etcd.lease_of("/p/nodes/1") != 0);
    CHECK(etcd.value_of("/p/cluster").empty());
    CHECK(node.watched_from > 1);

    node.join(cluster_of(7));
    CHECK(etcd.value_of("/p/cluster") == to_string(cluster_of(7)));
    CHECK(etcd.lease_of("/p/cluster") == 0);
    CHECK(etcd.value_of("/p/nodes/1").find(to_string(cluster_of(7))) != std::string::npos);
    CHECK(node.notes.empty());
  }

  TEST_CASE("a second empty node waits for the founder, says so, and joins what it founds") {
    model_etcd etcd;
    quick_node first(etcd, options_of(1));
    quick_node second(etcd, options_of(2));
    first.run(0);
    second.run(0);
    CHECK_FALSE(second.decided);
    CHECK(second.state() == "waiting for node 1 to found the cluster (/p/founder in etcd)");
    CHECK(second.met == std::map<std::int32_t, config::endpoint>{{1, {"host", 9001}}});

    first.join(cluster_of(7));
    second.watch_says(etcd_watch_news{true, false});
    REQUIRE(second.decided);
    CHECK(*second.decided == cluster_of(7));
    first.watch_says(etcd_watch_news{true, false});
    CHECK(first.met.at(2) == config::endpoint{"host", 9002});
  }

  TEST_CASE("nobody founds when etcd names a cluster, even if no node is registered") {
    model_etcd etcd;
    etcd.put("/p/cluster", to_string(cluster_of(7)));
    quick_node node(etcd, options_of(1));
    node.run(0);
    REQUIRE(node.decided);
    CHECK(*node.decided == cluster_of(7));
    CHECK(etcd.value_of("/p/founder").empty());
  }

  TEST_CASE("a founder that crashed finds its own claim and goes on, before its lease is over") {
    model_etcd etcd;
    quick_node(etcd, options_of(1, 5)).run(0);
    const auto before = etcd.lease_of("/p/nodes/1");
    quick_node again(etcd, options_of(1, 5));
    again.run(0);
    REQUIRE(again.decided);
    CHECK(again.decided->is_nil());
    CHECK(etcd.lease_of("/p/nodes/1") != before);
  }

  TEST_CASE("a founder that lost its disk takes its claim over once its former life is over") {
    model_etcd etcd;
    quick_node(etcd, options_of(1, 5)).run(0);
    quick_node next(etcd, options_of(1, 6));
    next.run(8900);
    CHECK_FALSE(next.decided);
    CHECK(next.said("has the id 1 too"));
    CHECK(next.state().find("ends within discovery.ttl") != std::string::npos);
    next.run(30'000);
    REQUIRE(next.decided);
    CHECK(next.decided->is_nil());
    CHECK(etcd.value_of("/p/founder") == R"({"incarnation":6,"node":1})");
  }

  TEST_CASE("two nodes with one id do not both found") {
    model_etcd etcd;
    quick_node one(etcd, options_of(1, 5));
    quick_node other(etcd, options_of(1, 6));
    for (std::int64_t now = 0; now <= 60'000; now += 1000) {
      one.run(now);
      other.run(now);
    }
    CHECK(one.decided);
    CHECK_FALSE(other.decided);
    CHECK(other.said("node.id must be unique"));
  }

  TEST_CASE("a node of a cluster writes its id when etcd has none, and founds nothing") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    CHECK_FALSE(node.decided);
    CHECK(etcd.value_of("/p/cluster") == to_string(cluster_of(7)));
    CHECK(etcd.value_of("/p/founder").empty());
  }

  TEST_CASE("a life that is over does not write what it founded") {
    model_etcd etcd;
    etcd_core late(member_of(1, cluster_of(7)));
    auto out = late.tick(0);
    // Until it wants to write the cluster's id.
    const auto is_publishing = [](const effects& what) {
      const auto* txn = what.asks ? std::get_if<etcd_txn>(&what.asks->what) : nullptr;
      return txn && txn->then.key == "/p/cluster";
    };
    while (!is_publishing(out))
      out = late.answered(out.asks->number, etcd.execute(out.asks->what, 0), 0);
    const auto held_up = *out.asks;

    quick_node next(etcd, options_of(1, 2));
    next.run(30'000);
    REQUIRE(next.decided);
    (void)etcd.execute(held_up.what, 30'000);
    CHECK(etcd.value_of("/p/cluster").empty());
  }

  TEST_CASE(
      "a node of another cluster says so, does not register, and recovers when it is mended") {
    model_etcd etcd;
    etcd.put("/p/cluster", to_string(cluster_of(8)));
    etcd.put("/p/nodes/2", encode(registered_node{{"host", 9002}, 1, cluster_of(8)}));
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(20'000);
    CHECK(node.said("this node belongs to the cluster " + to_string(cluster_of(7)) +
                    ", but /p/cluster in etcd names " + to_string(cluster_of(8))));
    CHECK(node.notes.size() == 1);
    CHECK(node.notes.front().how == etcd_core::severity::failure);
    CHECK(etcd.value_of("/p/nodes/1").empty());
    CHECK(node.met.empty());

    etcd.put("/p/cluster", to_string(cluster_of(7)));
    node.run(40'000);
    CHECK_FALSE(etcd.value_of("/p/nodes/1").empty());
  }

  TEST_CASE("nodes of other clusters are not met, those without one are") {
    model_etcd etcd;
    etcd.put("/p/nodes/2", encode(registered_node{{"host", 9002}, 1, cluster_of(8)}));
    etcd.put("/p/nodes/3", encode(registered_node{{"host", 9003}, 1, {}}));
    etcd.put("/p/nodes/4", encode(registered_node{{"host", 9004}, 1, cluster_of(7)}));
    etcd.put("/p/nodes/5", "garbage");
    etcd.put("/p/nodes/x", encode(registered_node{{"host", 9006}, 1, {}}));
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    CHECK(node.met ==
          std::map<std::int32_t, config::endpoint>{{3, {"host", 9003}}, {4, {"host", 9004}}});
    // One that moved is met again.
    etcd.put("/p/nodes/4", encode(registered_node{{"other", 1}, 1, cluster_of(7)}));
    node.watch_says(etcd_watch_news{true, false});
    CHECK(node.met.at(4) == config::endpoint{"other", 1});
  }

  TEST_CASE("not more nodes are believed than a cluster can have") {
    model_etcd etcd;
    for (int node = 2; node < 300; ++node)
      etcd.put("/p/nodes/" + std::to_string(node),
               encode(registered_node{{"host", 1}, 1, cluster_of(7)}));
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    CHECK(node.met.size() == 128);
  }

  TEST_CASE("keys that make no sense are told and nothing is decided by them") {
    model_etcd etcd;
    SUBCASE("the cluster") {
      etcd.put("/p/cluster", "garbage");
    }
    SUBCASE("the founder") {
      etcd.put("/p/founder", "garbage");
    }
    quick_node node(etcd, options_of(1));
    node.run(30'000);
    CHECK_FALSE(node.decided);
    REQUIRE(node.notes.size() == 1);
    CHECK(node.notes.front().text.find("'garbage'") != std::string::npos);
    CHECK(node.state() == node.notes.front().text);
  }

  TEST_CASE("a registration of this node that makes no sense is replaced") {
    model_etcd etcd;
    etcd.put("/p/nodes/1", "garbage");
    quick_node node(etcd, options_of(1));
    node.run(0);
    CHECK(decode_node(etcd.value_of("/p/nodes/1")));
    CHECK(node.decided);
  }

  TEST_CASE("the lease is kept alive every third of its time") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(100'000);
    etcd.advance(100'000);
    CHECK_FALSE(etcd.value_of("/p/nodes/1").empty());
    const auto first = etcd.lease_of("/p/nodes/1");
    node.run(200'000);
    CHECK(etcd.lease_of("/p/nodes/1") == first);
    // A keep-alive each 3 s and a reading each 9 s, and a few requests at the start.
    CHECK(node.asked.size() < 200 / 3 + 200 / 9 + 10);
  }

  TEST_CASE("a lease that ran out is replaced and the node registered again") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    const auto first = etcd.lease_of("/p/nodes/1");
    etcd.end_lease(first);
    SUBCASE("the watch tells") {
      node.watch_says(etcd_watch_news{true, false});
    }
    SUBCASE("the keep-alive tells") {
      node.run(3000);
    }
    CHECK_FALSE(etcd.value_of("/p/nodes/1").empty());
    CHECK(etcd.lease_of("/p/nodes/1") != first);
  }

  TEST_CASE("an etcd that comes back empty hears everything again within a third of the time") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(1000);
    etcd.wipe();
    SUBCASE("the watch ended") {
      node.watch_closes();
    }
    SUBCASE("nothing tells") {}
    node.run(4000);
    CHECK_FALSE(etcd.value_of("/p/nodes/1").empty());
    CHECK(etcd.value_of("/p/cluster") == to_string(cluster_of(7)));
  }

  TEST_CASE("a watch that is over is opened again from what was read last") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    const auto before = node.watches;
    etcd.put("/p/nodes/2", encode(registered_node{{"host", 9002}, 1, cluster_of(7)}));
    SUBCASE("compacted") {
      node.watch_says(etcd_watch_news{false, true});
    }
    SUBCASE("unreadable") {
      node.watch_says(unexpected(errc::invalid_message, "x"));
    }
    SUBCASE("closed") {
      node.watch_closes();
    }
    // What it missed is read at once, the watch itself opened after a while.
    CHECK(node.met.contains(2));
    CHECK(node.watches == before);
    node.run(2000);
    CHECK(node.watches == before + 1);
    CHECK(node.watched_from == etcd.revision() + 1);
  }

  TEST_CASE("a watch that told nothing of a change is replaced") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    const auto before = node.watches;
    etcd.put("/p/nodes/2", encode(registered_node{{"host", 9002}, 1, cluster_of(7)}));
    node.run(9000);
    CHECK(node.met.contains(2));
    CHECK(node.watches == before + 1);
  }

  TEST_CASE("when a member of etcd fails the next one is asked at once") {
    model_etcd etcd;
    auto options = options_of(1);
    options.members = {"a:1", "b:1", "c:1"};
    options.seed = 0;
    quick_node node(etcd, options);
    node.away = {{0, refused}, {1, {errc::timed_out, "no answer within 2 s"}}};
    node.run(0);
    CHECK(node.decided);
    CHECK(std::vector<std::size_t>(node.asked.begin(), node.asked.begin() + 4) ==
          std::vector<std::size_t>{0, 1, 2, 2});
    CHECK(node.notes.empty());
  }

  TEST_CASE("when all members of etcd fail they are asked ever less often, and it is told once") {
    model_etcd etcd;
    auto options = options_of(1);
    options.members = {"a:1", "b:1"};
    quick_node node(etcd, options);
    node.away = {{0, refused}, {1, refused}};
    node.run(60'000);
    CHECK(node.asked.size() > 20);
    CHECK(node.asked.size() < 80);
    const auto last = node.asked_at_ms.back() - node.asked_at_ms[node.asked_at_ms.size() - 3];
    CHECK(last >= 2500);
    CHECK(last <= 5000);
    REQUIRE(node.notes.size() == 1);
    CHECK(node.notes.front().text == "etcd does not answer at a:1 (refused); b:1 (refused)");
    CHECK(node.state() == "waiting for etcd at a:1 (refused); b:1 (refused)");

    node.away.clear();
    node.run(70'000);
    CHECK(node.decided);
    CHECK(node.said("etcd answers again"));
  }

  TEST_CASE("a node of a cluster says that the cluster goes on without etcd") {
    model_etcd etcd;
    quick_node node(etcd, member_of(1, cluster_of(7)));
    node.run(0);
    node.away = {{0, refused}};
    node.run(60'000);
    CHECK(node.said("the cluster goes on without it"));
    node.away.clear();
    node.run(70'000);
    CHECK_FALSE(etcd.value_of("/p/nodes/1").empty());
    CHECK(node.notes.size() == 2);
  }

  TEST_CASE("a store that forgets what it confirms is not written without a rest") {
    etcd_core core(options_of(1));
    int requests = 0;
    auto out = core.tick(0);
    for (std::int64_t now = 0; now < 10'000; now = std::max(now + 1, core.wake_at()))
      for (out = core.tick(now); out.asks;) {
        ++requests;
        const auto& what = out.asks->what;
        result<etcd_reply> reply = etcd_reply(etcd_txn_done{true});
        if (std::holds_alternative<etcd_range>(what))
          reply = etcd_reply(etcd_entries{1, {}});
        else if (!std::holds_alternative<etcd_txn>(what))
          reply = etcd_reply(etcd_lease{77, 10});
        out = core.answered(out.asks->number, reply, now);
      }
    CHECK(requests < 100);
  }

  TEST_CASE("answers and news that nobody waits for change nothing") {
    model_etcd etcd;
    etcd_core core(options_of(1));
    const auto out = core.tick(0);
    REQUIRE(out.asks);
    CHECK_FALSE(core.answered(out.asks->number + 1, etcd_reply(etcd_lease{1, 1}), 0).asks);
    CHECK_FALSE(core.watch_said(99, etcd_watch_news{true, true}, 0).closes_watch);
    CHECK_FALSE(core.watch_closed(99, 0).asks);
    CHECK(core.answered(out.asks->number, etcd_reply(etcd_entries{1, {}}), 0).asks);
  }
}
