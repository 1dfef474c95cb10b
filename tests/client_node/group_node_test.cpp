// Group consumers and group admins of the client library against real nodes.
#include "protocol/client/client.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/temp_directory.hpp"
#include "tests/support/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using test::patience;

namespace {

struct group_node {
  group_node()
      : node({.data_dir = folder.path() / "data",
              .settings = {"groups.initial-delay=0s", "groups.partitions=4"}}) {}

  [[nodiscard]] cluster connect() const {
    auto opened = cluster::open({.brokers = {"127.0.0.1:" + std::to_string(port())}});
    REQUIRE_MESSAGE(opened, to_string(opened.error()));
    return *opened;
  }
  [[nodiscard]] std::uint16_t port() const { return node.client_address().port; }

  test::temp_directory folder;
  test::node_process node;
};

void create_topic(const cluster& on, const std::string& name, int partitions) {
  const auto created = admin(on).create_topic({.name = name, .partitions = partitions});
  REQUIRE_MESSAGE(created, to_string(created.error()));
}

/// Writes `count` numbers to each partition of "t", beginning with `first`.
void write_numbers(const cluster& on, int partitions, int first, int count) {
  auto to = producer::create(on);
  REQUIRE(to);
  for (int partition = 0; partition < partitions; ++partition)
    for (int i = first; i < first + count; ++i)
      (void)to->send({.topic = "t",
                      .partition = partition_id(partition),
                      .value = bytes_view(std::to_string(i))});
  REQUIRE(to->flush(patience));
}

group_consumer_config config_of(std::string group) {
  group_consumer_config config;
  config.group = std::move(group);
  config.topics = {"t"};
  config.session_timeout = 6s;
  config.heartbeat_interval = 50ms;
  return config;
}

group_consumer start(const cluster& on, group_consumer_config config) {
  auto made = group_consumer::create(on, std::move(config));
  REQUIRE_MESSAGE(made, to_string(made.error()));
  return std::move(*made);
}

/// Polls all of them in turn until it holds, and hands out what they read.
template <class Holds>
bool poll_until(std::vector<group_consumer*> members, const Holds& holds,
                const std::function<void(const record_view&)>& take = {}) {
  const auto deadline = test::test_clock::now() + patience;
  while (!holds()) {
    if (test::test_clock::now() >= deadline)
      return false;
    for (auto* member : members) {
      const auto records = member->poll(10ms);
      REQUIRE_MESSAGE(records, to_string(records.error()));
      if (take)
        for (const auto& record : *records)
          take(record);
    }
  }
  return true;
}

} // namespace

TEST_SUITE_BEGIN("client_node.groups");

TEST_CASE("a member reads everything, and the next one goes on where it committed") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 3);
  write_numbers(on, 3, 0, 10);
  std::size_t seen = 0;
  {
    auto member = start(on, config_of("g"));
    REQUIRE(poll_until(
        {&member}, [&] { return seen == 30; }, [&](const auto&) { ++seen; }));
    CHECK(member.assigned().size() == 3);
    CHECK(member.generation() == 1);
    const auto closed = member.close();
    CHECK_MESSAGE(closed, to_string(closed.error()));
    CHECK(member.poll(1ms).error().code == errc::cancelled);
  }
  write_numbers(on, 3, 10, 5);
  auto next = start(on, config_of("g"));
  std::vector<std::string> values;
  REQUIRE(poll_until(
      {&next}, [&] { return values.size() >= 15; },
      [&](const record_view& record) { values.emplace_back(record.value->text()); }));
  CHECK(values.size() == 15);
  CHECK(std::ranges::count(values, "10") == 3);

  group_admin groups(on);
  const auto offsets = groups.offsets("g");
  REQUIRE(offsets);
  REQUIRE(offsets->size() == 3);
  CHECK((*offsets)[0].offset == offset_t(10));
  CHECK((*offsets)[0].committed.value > 0);
}

TEST_CASE("partitions that do not move are never given up, and nobody has one twice") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 4);
  std::set<topic_partition> first_revoked;
  auto config = config_of("g");
  config.on_revoked = [&](partition_span taken) {
    first_revoked.insert(taken.begin(), taken.end());
  };
  auto first = start(on, config);
  REQUIRE(poll_until({&first}, [&] { return first.assigned().size() == 4; }));

  auto second = start(on, config_of("g"));
  REQUIRE(poll_until({&first, &second}, [&] {
    return first.assigned().size() == 2 && second.assigned().size() == 2;
  }));
  CHECK(first_revoked.size() == 2);
  std::set<topic_partition> all;
  for (auto* member : {&first, &second})
    for (const auto& tp : member->assigned())
      CHECK(all.insert(tp).second);

  // Who leaves properly does not keep the others waiting for its session.
  REQUIRE(second.close());
  REQUIRE(poll_until({&first}, [&] { return first.assigned().size() == 4; }));
  CHECK(first_revoked.size() == 2);
}

TEST_CASE("with an eager assignor everything is given up before it is shared out anew") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 4);
  auto config = config_of("g");
  config.assignors = {"range"};
  std::size_t revoked = 0;
  auto mine = config;
  mine.on_revoked = [&](partition_span taken) { revoked += taken.size(); };
  auto first = start(on, mine);
  REQUIRE(poll_until({&first}, [&] { return first.assigned().size() == 4; }));
  auto second = start(on, config);
  REQUIRE(poll_until({&first, &second}, [&] {
    return first.assigned().size() == 2 && second.assigned().size() == 2;
  }));
  CHECK(revoked == 4);
}

TEST_CASE("a topic that a pattern matches is shared when it is created") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 1);
  auto config = config_of("g");
  config.topics.clear();
  config.patterns = {"t.*"};
  config.topics_interval = 50ms;
  auto member = start(on, config);
  REQUIRE(poll_until({&member}, [&] { return member.assigned().size() == 1; }));
  create_topic(on, "t2", 2);
  create_topic(on, "other", 2);
  REQUIRE(poll_until({&member}, [&] { return member.assigned().size() == 3; }));
}

TEST_CASE("a static member comes back to what it had, and fences who was there") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 2);
  auto config = config_of("g");
  config.instance_id = "i1";
  config.user_data = "tag";
  auto first = start(on, config);
  REQUIRE(poll_until({&first}, [&] { return first.assigned().size() == 2; }));
  const auto generation = first.generation();
  auto again = start(on, config);
  REQUIRE(poll_until({&again}, [&] { return again.assigned().size() == 2; }));
  CHECK(again.generation() == generation);

  const auto deadline = test::test_clock::now() + patience;
  errc said = errc::none;
  while (said == errc::none && test::test_clock::now() < deadline) {
    const auto records = first.poll(20ms);
    said = records ? errc::none : records.error().code;
  }
  CHECK(said == errc::fenced_member);

  group_admin groups(on);
  const auto described = groups.describe("g");
  REQUIRE(described);
  REQUIRE(described->members.size() == 1);
  CHECK(described->members[0].instance_id == "i1");
  CHECK(described->members[0].user_data == "tag");
  CHECK(described->state == "Stable");
  CHECK(described->assignor == "cooperative-sticky");
}

TEST_CASE("handlers work partition by partition, and what fails is given to them again") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 4);
  write_numbers(on, 4, 0, 20);
  auto config = config_of("g");
  config.auto_commit_interval = 10ms;
  auto member = start(on, config);
  std::mutex mutex;
  std::map<std::int32_t, std::vector<std::string>> done;
  std::atomic<int> left{80};
  std::atomic<bool> has_failed{false};
  const auto outcome = member.run(
      [&](const record_view& record) -> result<void> {
        if (record.partition == partition_id(2) && record.value->text() == "7" &&
            !has_failed.exchange(true))
          return unexpected(errc::internal, "not yet");
        {
          const std::lock_guard lock(mutex);
          done[record.partition.value].emplace_back(record.value->text());
        }
        if (--left == 0)
          member.stop();
        return {};
      },
      {.threads = 3, .retry_after = 10ms});
  REQUIRE_MESSAGE(outcome, to_string(outcome.error()));
  CHECK(has_failed);
  for (int partition = 0; partition < 4; ++partition) {
    std::vector<std::string> wanted;
    for (int i = 0; i < 20; ++i)
      wanted.push_back(std::to_string(i));
    CHECK(done[partition] == wanted);
  }
  const auto offsets = group_admin(on).offsets("g");
  REQUIRE(offsets);
  for (const auto& row : *offsets)
    CHECK(row.offset == offset_t(20));
}

TEST_CASE("who does not poll in time leaves, hears that everything is lost, and comes back") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 2);
  auto config = config_of("g");
  config.poll_interval_max = 1s;
  std::size_t lost = 0;
  config.on_lost = [&](partition_span taken) { lost += taken.size(); };
  auto member = start(on, config);
  REQUIRE(poll_until({&member}, [&] { return member.assigned().size() == 2; }));
  group_admin groups(on);
  const auto deadline = test::test_clock::now() + patience;
  std::size_t members = 1;
  while (members > 0 && test::test_clock::now() < deadline) {
    const auto described = groups.describe("g");
    REQUIRE(described);
    members = described->members.size();
  }
  CHECK(members == 0);
  const auto refused =
      member.commit(std::vector<offset_commit>{{{"t", partition_id(0)}, offset_t(1)}});
  CHECK(refused.error().code == errc::unknown_member);
  REQUIRE(poll_until({&member}, [&] { return lost == 2 && member.assigned().size() == 2; }));
}

TEST_CASE("offsets are committed by hand, looked at, reset and forgotten") {
  group_node node;
  const auto on = node.connect();
  create_topic(on, "t", 2);
  write_numbers(on, 2, 0, 10);
  group_admin groups(on);
  CHECK(groups.describe("g").error().code == errc::unknown_group);
  CHECK(groups.lag("g").error().code == errc::unknown_group);
  {
    auto config = config_of("g");
    config.auto_commit = false;
    auto member = start(on, config);
    std::size_t seen = 0;
    REQUIRE(poll_until(
        {&member}, [&] { return seen == 20; }, [&](const auto&) { ++seen; }));
    CHECK(groups.offsets("g")->empty());
    REQUIRE(
        member.commit(std::vector<offset_commit>{{{"t", partition_id(0)}, offset_t(4), "four"}}));
    CHECK(member.commit(std::vector<offset_commit>{{{"u", partition_id(0)}, offset_t(4)}})
              .error()
              .code == errc::unknown_topic);
    CHECK((*groups.offsets("g"))[0].metadata == "four");
    const auto lag = groups.lag("g");
    REQUIRE(lag);
    REQUIRE(lag->size() == 2);
    CHECK((*lag)[0].records == 6);
    CHECK((*lag)[0].time.has_value());
    CHECK((*lag)[1].records == 10);
    CHECK_FALSE((*lag)[1].offset.has_value());
    CHECK((*lag)[1].member_id == member.member_id());
    REQUIRE(member.commit());
    CHECK((*groups.lag("g"))[0].records == 0);
    CHECK(groups.set_offsets("g", std::vector<offset_commit>{{{"t", partition_id(0)}, offset_t(1)}})
              .error()
              .code == errc::unknown_member);
    CHECK(groups.delete_group("g").error().code == errc::group_not_empty);
    CHECK(groups.delete_offsets("g", std::vector<topic_partition>{{"t", partition_id(0)}})
              .error()
              .code == errc::group_subscribed);
    REQUIRE(groups.remove_members("g", std::vector<std::string>{member.member_id()}));
    CHECK(groups.remove_members("g", std::vector<std::string>{"nobody"}).error().code ==
          errc::unknown_member);
  }
  const std::vector<topic_partition> both{{"t", partition_id(0)}, {"t", partition_id(1)}};
  const auto plan = groups.reset("g", both, {.to = offset_target::kind::shift, .value = -3}, true);
  REQUIRE(plan);
  CHECK((*plan)[0].from == offset_t(10));
  CHECK((*plan)[0].to == offset_t(7));
  CHECK((*groups.offsets("g"))[0].offset == offset_t(10));
  REQUIRE(groups.reset("g", both, {.to = offset_target::kind::earliest}, false));
  CHECK((*groups.offsets("g"))[1].offset == offset_t(0));

  REQUIRE(groups.list());
  CHECK(groups.list()->size() == 1);
  CHECK((*groups.list())[0].state == "Empty");
  REQUIRE(groups.delete_offsets("g", std::vector<topic_partition>{{"t", partition_id(0)}}));
  CHECK(groups.offsets("g")->size() == 1);
  REQUIRE(groups.delete_group("g"));
  CHECK(groups.list()->empty());
  CHECK(groups.delete_group("g").error().code == errc::unknown_group);
}

TEST_CASE("commits outlive a node that is killed, and members find it again") {
  group_node node;
  const auto first_port = node.port();
  auto on = node.connect();
  create_topic(on, "t", 1);
  write_numbers(on, 1, 0, 10);
  {
    auto member = start(on, config_of("g"));
    std::size_t seen = 0;
    REQUIRE(poll_until(
        {&member}, [&] { return seen == 10; }, [&](const auto&) { ++seen; }));
    REQUIRE(member.commit());
    node.node.kill();
  }
  node.node.start();
  CHECK(first_port != 0);
  on = node.connect();
  const auto offsets = group_admin(on).offsets("g");
  REQUIRE_MESSAGE(offsets, to_string(offsets.error()));
  REQUIRE(offsets->size() == 1);
  CHECK((*offsets)[0].offset == offset_t(10));
}

TEST_CASE("members of three nodes go on when the coordinator is killed, and lose no commit") {
  test::test_cluster nodes({.settings = {"groups.initial-delay=0s", "groups.partitions=1"}});
  auto opened = cluster::open({.brokers = nodes.addresses()});
  REQUIRE_MESSAGE(opened, to_string(opened.error()));
  auto on = *opened;
  const auto created =
      admin(on).create_topic({.name = "t", .partitions = 4, .replication = std::int16_t{3}});
  REQUIRE_MESSAGE(created, to_string(created.error()));
  write_numbers(on, 4, 0, 50);
  auto first = start(on, config_of("g"));
  auto second = start(on, config_of("g"));
  std::map<std::pair<std::int32_t, std::int64_t>, int> seen;
  const auto take = [&](const record_view& record) {
    ++seen[{record.partition.value, record.offset.value}];
  };
  REQUIRE(poll_until(
      {&first, &second}, [&] { return seen.size() == 200; }, take));
  REQUIRE(poll_until(
      {&first, &second},
      [&] {
        return first.assigned().size() == 2 && second.assigned().size() == 2 && first.commit() &&
               second.commit();
      },
      take));

  const auto layout = on.describe(std::vector<std::string>{"__consumer_groups"});
  REQUIRE(layout);
  REQUIRE(layout->topics[0].partitions[0].leader);
  nodes.kill(layout->topics[0].partitions[0].leader->value);
  write_numbers(on, 4, 50, 50);
  REQUIRE(poll_until(
      {&first, &second}, [&] { return seen.size() == 400; }, take));
  REQUIRE(poll_until(
      {&first, &second}, [&] { return first.commit() && second.commit(); }, take));
  for (const auto& [where, times] : seen)
    if (where.second < 50)
      CHECK(times == 1);
  const auto offsets = group_admin(on).offsets("g");
  REQUIRE(offsets);
  for (const auto& row : *offsets)
    CHECK(row.offset == offset_t(100));
}

TEST_CASE("offsets go where they are sent, within what is there") {
  using kind = offset_target::kind;
  const auto go = [](kind to, std::int64_t value, std::optional<offset_t> committed,
                     std::optional<offset_t> found = {}) {
    return target_offset({to, value}, committed, offset_t(10), offset_t(20), found).value;
  };
  CHECK(go(kind::earliest, 0, offset_t(15)) == 10);
  CHECK(go(kind::latest, 0, offset_t(15)) == 20);
  CHECK(go(kind::offset, 12, offset_t(15)) == 12);
  CHECK(go(kind::offset, 5, {}) == 10);
  CHECK(go(kind::offset, 99, {}) == 20);
  CHECK(go(kind::timestamp, 1, {}, offset_t(13)) == 13);
  CHECK(go(kind::timestamp, 1, {}) == 20);
  CHECK(go(kind::shift, 2, offset_t(15)) == 17);
  CHECK(go(kind::shift, -20, offset_t(15)) == 10);
  CHECK(go(kind::shift, std::numeric_limits<std::int64_t>::max(), offset_t(15)) == 20);
  CHECK(go(kind::shift, std::numeric_limits<std::int64_t>::min(), offset_t(15)) == 10);
  CHECK(go(kind::shift, 2, {}) == 12);
}

TEST_CASE("what cannot be a group consumer is refused") {
  const auto refusal_of = [](auto change) {
    auto config = config_of("g");
    change(config);
    return config.validate().error().message;
  };
  CHECK(config_of("g").validate());
  CHECK(refusal_of([](auto& c) { c.group.clear(); }).find("group") != std::string::npos);
  CHECK(refusal_of([](auto& c) { c.topics.clear(); }).find("topics") != std::string::npos);
  CHECK(refusal_of([](auto& c) { c.patterns = {"("}; }).find("pattern") != std::string::npos);
  CHECK(refusal_of([](auto& c) { c.assignors = {"mine"}; }).find("mine") != std::string::npos);
  CHECK(refusal_of([](auto& c) { c.heartbeat_interval = 5s; }).find("heartbeat") !=
        std::string::npos);
  CHECK(refusal_of([](auto& c) { c.session_timeout = 1ms; }).find("session") != std::string::npos);
}

TEST_SUITE_END();
