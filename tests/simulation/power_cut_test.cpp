// A short life of a node, cut off by a power failure at every change of its disk: whatever was
// acknowledged is there afterwards, once, whole and in order, and the node serves again. What was
// not synced is lost, kept or torn as the seed says.
#include "tests/simulation/sim_node.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;

namespace {

constexpr std::int64_t producer = 7;

/// What a client knows of one topic: what it sent and what was acknowledged.
class client_history {
public:
  /// Sends the next batch of the idempotent producer; false if no answer or an error came.
  bool send(sim_node& node, const std::string& topic) {
    const auto sequence = next_;
    const auto value = value_of(sequence);
    const auto answered = node.produce(topic, 0, make_batch(value, producer, sequence));
    if (!answered->has_value() || (*answered)->error != errc::none)
      return false;
    acked_[(*answered)->base_offset] = value;
    ++next_;
    return true;
  }
  bool trim(sim_node& node, const std::string& topic, std::int64_t before) {
    const auto answered = node.trim(topic, 0, before);
    // Asked for is enough: the answer may have been lost.
    start_max_ = before;
    if (!answered->has_value() || (*answered)->error != errc::none)
      return false;
    start_min_ = before;
    return true;
  }

  /// Reads everything back and holds it against what was promised; what is broken, as sentences.
  [[nodiscard]] std::vector<std::string> broken_promises(sim_node& node,
                                                         const std::string& topic) const {
    const auto earliest = node.find_offset(topic, 0, protocol::earliest_timestamp);
    if (!earliest->has_value() || (*earliest)->error != errc::none)
      return {"the partition does not serve"};
    std::vector<std::string> broken;
    const auto start = (*earliest)->offset;
    if (start < start_min_ || start > start_max_)
      broken.push_back("the log starts at " + std::to_string(start));
    std::map<std::int64_t, std::string> stored;
    for (auto from = start;;) {
      const auto fetched = node.fetch(topic, 0, from);
      if (!fetched->has_value() || (*fetched)->error != errc::none)
        return {"offset " + std::to_string(from) + " cannot be read"};
      const auto values = values_of((*fetched)->records);
      if (!values)
        return {"offset " + std::to_string(from) + ": " + to_string(values.error())};
      if (values->empty())
        break;
      stored.insert(values->begin(), values->end());
      from = values->rbegin()->first + 1;
    }
    for (const auto& [offset, value] : stored)
      // Sequence and offset run together: an idempotent producer leaves no gap and no repeat.
      if (value != value_of(static_cast<std::int32_t>(offset)))
        broken.push_back("offset " + std::to_string(offset) + " holds " + value);
    for (const auto& [offset, value] : acked_)
      if (offset >= start && !stored.contains(offset))
        broken.push_back(value + " was acknowledged and is lost");
    return broken;
  }

private:
  static std::string value_of(std::int32_t sequence) {
    return "value " + std::to_string(sequence) +
           std::string(static_cast<std::size_t>(sequence % 7) * 60, '.');
  }

  std::int32_t next_ = 0;
  std::map<std::int64_t, std::string> acked_;
  std::int64_t start_min_ = 0;
  std::int64_t start_max_ = 0;
};

/// What happened before the power failed.
struct life {
  bool created = false;
  bool deleting = false;
  bool deleted = false;
  client_history history;
};

/// The script. Returns when it ends or the power is off.
void live(sim_machine& machine, life& story,
          storage::flush_mode flush = storage::flush_mode::commit) {
  sim_node::options options;
  options.flush = flush;
  sim_node node(machine, options);
  node.settle();
  const auto cut = [&] { return machine.disk->is_powerless(); };
  if (cut())
    return;
  const auto created = node.create_topic("t", 1);
  story.created = created->has_value() && (*created)->has_value();
  const auto doomed = node.create_topic("doomed", 2);
  for (int i = 0; i < 12 && !cut(); ++i)
    if (!story.history.send(node, "t"))
      return;
  if (cut() || !story.history.trim(node, "t", 5))
    return;
  node.run_for(1100);
  if (cut())
    return;
  (void)node.produce("doomed", 1, make_batch("gone"));
  story.deleting = true;
  const auto deleted = node.delete_topic("doomed");
  story.deleted = deleted->has_value() && (*deleted)->has_value();
  for (int i = 0; i < 12 && !cut(); ++i)
    if (!story.history.send(node, "t"))
      return;
  if (!cut())
    node.stop();
}

void check_promises(sim_node& node, const life& story) {
  for (const auto& broken : story.history.broken_promises(node, "t"))
    FAIL_CHECK(broken);
}

/// The power is back: everything holds, and the node goes on.
void check_after(sim_machine& machine, life& story) {
  sim_node node(machine);
  node.settle();
  REQUIRE(node.is_ready());
  if (!story.created) {
    // The creation may or may not have been committed; it can be asked for again.
    const auto again = node.create_topic("t", 1);
    REQUIRE(again->has_value());
    CHECK(((*again)->has_value() || (*again)->error().code == errc::topic_exists));
  }
  check_promises(node, story);
  if (story.deleted)
    CHECK(node.directory().find("doomed") == nullptr);
  // The producer repeats what was not answered and goes on; nothing is doubled.
  for (int i = 0; i < 5; ++i)
    CHECK(story.history.send(node, "t"));
  check_promises(node, story);
}

std::uint64_t changes_of_a_whole_life() {
  sim_machine machine(1);
  life story;
  live(machine, story);
  return machine.disk->counts().changes;
}

} // namespace

TEST_SUITE("simulation.power_cut") {
  TEST_CASE("a power cut at any change of the disk loses nothing that was acknowledged") {
    const auto changes = changes_of_a_whole_life();
    REQUIRE(changes > 50);
    for (std::uint64_t cut = 0; cut < changes; ++cut)
      for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        CAPTURE(cut);
        CAPTURE(seed);
        sim_machine machine(1);
        life story;
        machine.disk->crash_after(cut);
        live(machine, story);
        machine.crash(seed);
        check_after(machine, story);
      }
  }

  TEST_CASE("power cuts during the recovery from a power cut lose nothing either") {
    const auto changes = changes_of_a_whole_life();
    for (std::uint64_t cut = 3; cut < changes; cut += 7)
      for (std::uint64_t second = 0; second < 12; ++second) {
        CAPTURE(cut);
        CAPTURE(second);
        sim_machine machine(1);
        life story;
        machine.disk->crash_after(cut);
        live(machine, story);
        machine.crash(cut + 1);
        machine.disk->crash_after(second);
        {
          sim_node node(machine);
          node.settle();
          (void)story.history.send(node, "t");
        }
        machine.crash(second + 1);
        check_after(machine, story);
      }
  }

  TEST_CASE("the checks notice a node that acknowledges before the sync") {
    std::size_t noticed = 0;
    const auto changes = changes_of_a_whole_life();
    for (std::uint64_t cut = 20; cut < changes; cut += 5) {
      sim_machine machine(1);
      life story;
      machine.disk->crash_after(cut);
      live(machine, story, storage::flush_mode::os);
      machine.crash(cut);
      sim_node node(machine);
      node.settle();
      noticed += story.history.broken_promises(node, "t").size();
    }
    CHECK(noticed > 0);
  }

  TEST_CASE("the same seed gives the same life, byte for byte") {
    const auto run = [] {
      sim_machine machine(42);
      life story;
      machine.disk->crash_after(60);
      live(machine, story);
      machine.crash(5);
      check_after(machine, story);
      return std::pair(machine.disk->fingerprint(), machine.store->fingerprint());
    };
    CHECK(run() == run());
  }
}
