#include "actors/controller/controller_core.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

uuid id_of(std::uint8_t number) {
  uuid id;
  id.bytes[15] = number;
  return id;
}

protocol::create_topic_request request_for(const std::string& name, std::int32_t partitions = 1,
                                           std::int16_t replication = 1) {
  protocol::create_topic_request request;
  request.name = name;
  request.partitions = partitions;
  request.replication = replication;
  return request;
}

/// A cluster of brokers 1 to `count`.
controller_core cluster_of(std::int32_t count) {
  controller_core::limits limits;
  limits.partitions_per_node = 10;
  controller_core core(limits);
  core.replay(create_cluster_command{id_of(99)});
  for (std::int32_t node = 1; node <= count; ++node)
    core.replay(register_broker_command{{node, "host", 9092, ""}});
  return core;
}

void create(controller_core& core, const std::string& name, std::uint8_t id,
            std::int32_t partitions = 1) {
  const auto command = core.decide_create(request_for(name, partitions), id_of(id), 5);
  REQUIRE(command);
  REQUIRE_FALSE(core.replay(*command).refused);
}

protocol::alter_topic_request change_of(const std::string& name,
                                        std::vector<protocol::topic_setting> settings,
                                        std::int32_t partitions = -1) {
  protocol::alter_topic_request request;
  request.name = name;
  request.settings = std::move(settings);
  request.partitions = partitions;
  return request;
}

/// Commits `command` as it comes out of a log.
replay_outcome commit(controller_core& core, const controller_command& command) {
  const auto read = decode_controller_command(encode(command));
  REQUIRE(read);
  return core.replay(*read);
}

} // namespace

TEST_SUITE("actors.controller_core") {
  TEST_CASE("topic names follow the rule, and the answer says which part is broken") {
    for (const auto* good : {"a", "A-b_c.9", "...", "x.y"})
      CHECK(check_topic_name(good));
    CHECK(check_topic_name(std::string(249, 'x')));
    for (const auto& bad : {std::string(), std::string("."), std::string(".."), std::string("a b"),
                            std::string("a/b"), std::string("\xc3\xa4"), std::string(250, 'x'),
                            std::string("a\0b", 3)})
      CHECK(check_topic_name(bad).error().code == errc::invalid_topic);
    CHECK(check_topic_name("ab/c").error().message.find("character 3") != std::string::npos);
  }

  TEST_CASE("a topic is created, altered, deleted, and forgotten when every node has purged it") {
    auto core = cluster_of(1);
    create(core, "t", 1, 3);
    REQUIRE(core.find("t") != nullptr);
    CHECK(core.replicas_on(1) == 3);
    protocol::alter_topic_request alter;
    alter.name = "t";
    alter.settings.push_back({"retention.ms", "3600000"});
    core.replay(*core.decide_alter(alter));
    CHECK(core.find("t")->overrides.size() == 1);
    alter.settings = {{"retention.ms", std::nullopt}};
    core.replay(*core.decide_alter(alter));
    CHECK(core.find("t")->overrides.empty());
    const auto deleted = core.replay(*core.decide_delete({"t", 0}));
    CHECK(std::holds_alternative<topic_deleted>(*deleted.change));
    CHECK(core.find("t") == nullptr);
    CHECK(core.topics().size() == 1);
    const auto purged = core.replay(topic_purged_command{id_of(1), 1});
    CHECK(std::holds_alternative<topic_forgotten>(*purged.change));
    CHECK(core.topics().empty());
    CHECK(core.replicas_on(1) == 0);
  }

  TEST_CASE("a name is free as soon as its topic is deleted, under another id") {
    auto core = cluster_of(1);
    create(core, "t", 1);
    core.replay(*core.decide_delete({"t", 0}));
    create(core, "t", 2);
    CHECK(core.find("t")->id == id_of(2));
    core.replay(topic_purged_command{id_of(1), 1});
    CHECK(core.find("t")->id == id_of(2));
  }

  TEST_CASE("of two creations of one name under way the second is refused by the log's order") {
    auto core = cluster_of(1);
    const auto first = core.decide_create(request_for("t"), id_of(1), 5);
    const auto second = core.decide_create(request_for("t"), id_of(2), 5);
    CHECK_FALSE(core.replay(*first).refused);
    CHECK(core.replay(*second).refused->code == errc::topic_exists);
    CHECK(core.find("t")->id == id_of(1));
  }

  TEST_CASE("of changes that are under way together each changes what it names") {
    auto core = cluster_of(1);
    create(core, "t", 1);
    std::vector<alter_topic_command> under_way;
    for (const auto& [name, value] : std::map<std::string, std::string>{
             {"retention.ms", "-1"}, {"segment.ms", "3600000"}, {"compression.type", "zstd"}})
      under_way.push_back(*core.decide_alter(change_of("t", {{name, value}})));
    under_way.push_back(*core.decide_alter(change_of("t", {{"retention.bytes", "1048576"}})));
    under_way.push_back(*core.decide_alter(change_of("t", {{"segment.ms", std::nullopt}})));
    for (const auto& command : under_way)
      CHECK_FALSE(commit(core, command).refused);
    const std::vector<protocol::topic_setting> expected{
        {"compression.type", "zstd"}, {"retention.bytes", "1048576"}, {"retention.ms", "-1"}};
    CHECK(core.find("t")->overrides == expected);
  }

  TEST_CASE("of changes that contradict each other the later one is refused as a whole") {
    auto core = cluster_of(1);
    create(core, "t", 1);
    const auto large = core.decide_alter(change_of("t", {{"max.message.bytes", "4000000"}}));
    const auto small = core.decide_alter(
        change_of("t", {{"segment.bytes", "2000000"}, {"retention.ms", "-1"}}, 3));
    CHECK_FALSE(commit(core, *large).refused);
    const auto outcome = commit(core, *small);
    REQUIRE(outcome.refused);
    CHECK(outcome.refused->code == errc::invalid_config);
    CHECK(outcome.refused->message ==
          "max.message.bytes: 4000000 must be at most segment.bytes (2000000)");
    CHECK(outcome.writes.empty());
    CHECK(core.find("t")->overrides.size() == 1);
    CHECK(core.find("t")->partitions.size() == 1);
  }

  TEST_CASE("a default that contradicts a topic does not stand in the way of other changes") {
    auto core = cluster_of(1);
    create(core, "t", 1);
    commit(core, *core.decide_alter(change_of("t", {{"segment.bytes", "2000000"}})));
    auto limits = core.bounds();
    limits.topic_defaults.message_bytes_max = 4 << 20;
    core.change_limits(limits);
    CHECK(core.decide_alter(change_of("t", {{"retention.ms", "-1"}})));
    CHECK(core.decide_alter(change_of("t", {{"segment.bytes", "3000000"}})).error().code ==
          errc::invalid_config);
    CHECK(core.decide_alter(change_of("t", {{"segment.bytes", "8000000"}})));
  }

  TEST_CASE("a setting that is named twice or that nobody knows is refused") {
    auto core = cluster_of(1);
    create(core, "t", 1);
    const auto why = [&](std::vector<protocol::topic_setting> settings) {
      return core.decide_alter(change_of("t", std::move(settings))).error().message;
    };
    CHECK(why({{"retention.ms", "5000"}, {"retention.ms", std::nullopt}}) ==
          "retention.ms: is given twice");
    CHECK(why({{"retention.mss", std::nullopt}, {"segment.bytes", "1"}})
              .starts_with("retention.mss: is unknown; did you mean retention.ms?\nsegment.bytes"));
  }

  TEST_CASE("a change in the form of older logs replaces all settings") {
    auto core = cluster_of(1);
    create(core, "t", 1);
    commit(core, *core.decide_alter(change_of("t", {{"retention.ms", "-1"}})));
    // Format 1, kind 3; the id; one setting with a value.
    const auto old = std::string("\x01\x03") + std::string(15, '\0') + "\x01" + "\x01\x0a" +
                     "segment.ms" + "\x01\x07" + "3600000";
    const auto read = decode_controller_command(buffer::copy_of(old));
    REQUIRE(read);
    CHECK_FALSE(core.replay(*read).refused);
    CHECK(core.find("t")->overrides ==
          std::vector<protocol::topic_setting>{{"segment.ms", "3600000"}});
  }

  TEST_CASE("creations that are under way together do not pass the limit of a broker") {
    auto core = cluster_of(1);
    std::vector<create_topic_command> under_way;
    for (std::uint8_t i = 0; i < 8; ++i)
      under_way.push_back(
          *core.decide_create(request_for("t" + std::to_string(i), 3), id_of(i), 5));
    int created = 0;
    for (const auto& command : under_way) {
      const auto outcome = commit(core, command);
      created += outcome.refused ? 0 : 1;
      if (outcome.refused) {
        CHECK(outcome.refused->code == errc::invalid_partitions);
        CHECK(outcome.refused->message == "3 partitions more do not fit on broker 1, which has 9 "
                                          "of 10 (limits.partitions)");
        CHECK(outcome.writes.empty());
      }
    }
    CHECK(created == 3);
    CHECK(core.replicas_on(1) == 9);
  }

  TEST_CASE("what is refused does not depend on the limits of the node that replays") {
    auto leader = cluster_of(1);
    auto limits = leader.bounds();
    limits.partitions_per_node = 2;
    limits.topic_defaults.message_bytes_max = 1 << 30;
    controller_core follower(limits);
    follower.replay(create_cluster_command{id_of(99)});
    follower.replay(register_broker_command{{1, "host", 9092, ""}});
    const auto both = [&](const controller_command& command) {
      const auto here = commit(leader, command);
      const auto there = commit(follower, command);
      CHECK(here.refused.has_value() == there.refused.has_value());
      CHECK(leader.topics() == follower.topics());
    };
    both(*leader.decide_create(request_for("t", 6), id_of(1), 5));
    both(*leader.decide_alter(change_of("t", {{"segment.bytes", "2000000"}}, 9)));
    CHECK(leader.find("t")->partitions.size() == 9);
  }

  TEST_CASE("replicas need distinct brokers, and room on each of them") {
    auto core = cluster_of(2);
    create(core, "a", 1, 2);
    auto lonely = *core.decide_create(request_for("b", 1), id_of(2), 5);
    lonely.topic.partitions.assign(8, replica_set{{1}});
    CHECK_FALSE(commit(core, lonely).refused);
    // Room for 10 in sum: 1 here and 9 there.
    const auto why = core.decide_create(request_for("c", 5, 2), id_of(3), 5);
    CHECK(why.error().code == errc::invalid_partitions);
    CHECK(core.decide_create(request_for("c", 1, 2), id_of(3), 5));
  }

  TEST_CASE("partitions are added, never taken away, within the limit") {
    auto core = cluster_of(2);
    create(core, "t", 1, 3);
    const auto before = core.find("t")->partitions;
    CHECK_FALSE(commit(core, *core.decide_alter(change_of("t", {}, 5))).refused);
    const auto& now = core.find("t")->partitions;
    REQUIRE(now.size() == 5);
    CHECK(std::equal(before.begin(), before.end(), now.begin()));
    CHECK(core.replicas_on(1) + core.replicas_on(2) == 5);
    const auto refusal = [&](std::int32_t partitions) {
      return core.decide_alter(change_of("t", {}, partitions)).error();
    };
    CHECK(refusal(4).code == errc::invalid_partitions);
    CHECK(refusal(4).message == "the topic has 5 partitions; they can become more, not 4");
    CHECK(refusal(0).code == errc::invalid_partitions);
    CHECK(refusal(-2).code == errc::invalid_partitions);
    CHECK(refusal(11).message.find("at most 10") != std::string::npos);
    // As many as there are is what a repeated request asks for.
    CHECK_FALSE(commit(core, *core.decide_alter(change_of("t", {}, 5))).refused);
    commit(core, *core.decide_delete({"t", 0}));
    commit(core, topic_purged_command{id_of(1), 1});
    commit(core, topic_purged_command{id_of(1), 2});
    CHECK(core.replicas_on(1) + core.replicas_on(2) == 0);
  }

  TEST_CASE("of additions under way together the largest number holds") {
    auto core = cluster_of(1);
    create(core, "t", 1, 2);
    const auto four = core.decide_alter(change_of("t", {}, 4));
    const auto six = core.decide_alter(change_of("t", {{"retention.ms", "-1"}}, 6));
    const auto three = core.decide_alter(change_of("t", {}, 3));
    const auto full = core.decide_create(request_for("u", 8), id_of(2), 5);
    CHECK_FALSE(commit(core, *four).refused);
    CHECK_FALSE(commit(core, *six).refused);
    CHECK(core.find("t")->partitions.size() == 6);
    CHECK(core.replicas_on(1) == 6);
    CHECK(commit(core, *three).refused->message ==
          "the topic has 6 partitions; they can become more, not 3");
    CHECK(commit(core, *full).refused->code == errc::invalid_partitions);
    const auto more = core.decide_alter(change_of("t", {}, 10));
    const auto other = core.decide_create(request_for("v", 1), id_of(3), 5);
    CHECK_FALSE(commit(core, *other).refused);
    CHECK(commit(core, *more).refused->code == errc::invalid_partitions);
    CHECK(core.find("t")->partitions.size() == 6);
  }

  TEST_CASE("a line of the log does not list every partition") {
    auto core = cluster_of(1);
    const auto create = *core.decide_create(request_for("t", 9), id_of(1), 5);
    CHECK(summary(create).starts_with("9 partitions: CreateTopic{"));
    CHECK(summary(create).find("nodes") == std::string::npos);
    core.replay(create);
    const auto alter = *core.decide_alter(change_of("t", {{"retention.ms", "-1"}}, 10));
    CHECK(summary(alter).find("nodes") == std::string::npos);
    CHECK(summary(alter).find("retention.ms") != std::string::npos);
    CHECK(summary(delete_topic_command{id_of(1)}) == print(delete_topic_command{id_of(1)}));
  }

  TEST_CASE("requests that cannot be met are refused with the range") {
    auto core = cluster_of(2);
    const auto code = [&](const protocol::create_topic_request& request) {
      return core.decide_create(request, id_of(1), 5).error().code;
    };
    CHECK(code(request_for("t", 0)) == errc::invalid_partitions);
    CHECK(code(request_for("t", 11)) == errc::invalid_partitions);
    CHECK(code(request_for("t", 1, 3)) == errc::invalid_replication);
    CHECK(code(request_for("t", 1, 0)) == errc::invalid_replication);
    CHECK(code(request_for("__t")) == errc::invalid_topic);
    auto unknown = request_for("t");
    unknown.settings.push_back({"no.such", "1"});
    CHECK(code(unknown) == errc::invalid_config);
    auto empty = request_for("t");
    empty.settings.push_back({"retention.ms", std::nullopt});
    CHECK(code(empty) == errc::invalid_config);
    CHECK(core.decide_delete({"nope", 0}).error().code == errc::unknown_topic);
  }

  TEST_CASE("replicas go to the least loaded brokers until there is no room") {
    auto core = cluster_of(3);
    create(core, "a", 1, 6);
    for (std::int32_t node = 1; node <= 3; ++node)
      CHECK(core.replicas_on(node) == 2);
    const auto command = core.decide_create(request_for("b", 8, 3), id_of(2), 5);
    REQUIRE(command);
    for (const auto& partition : command->topic.partitions)
      CHECK(partition.nodes.size() == 3);
    core.replay(*command);
    CHECK(core.decide_create(request_for("c", 1, 1), id_of(3), 5).error().code ==
          errc::invalid_partitions);
  }

  TEST_CASE("producer ids are never given twice") {
    auto core = cluster_of(2);
    const auto first = core.replay(allocate_producer_ids_command{1, 100});
    const auto second = core.replay(allocate_producer_ids_command{2, 100});
    CHECK(std::get<producer_ids_allocated>(*first.change).first == 0);
    CHECK(std::get<producer_ids_allocated>(*second.change).first == 100);
  }

  TEST_CASE("the stored state gives the same core again") {
    auto core = cluster_of(2);
    std::map<std::string, buffer> stored;
    const auto run = [&](const controller_command& command) {
      for (const auto& write : core.replay(command).writes) {
        if (write.value)
          stored[write.key] = *write.value;
        else
          stored.erase(write.key);
      }
    };
    run(register_broker_command{{1, "host", 9092, "rack"}});
    run(register_broker_command{{2, "host", 9093, ""}});
    run(*core.decide_create(request_for("a", 2), id_of(1), 5));
    run(*core.decide_create(request_for("b", 2), id_of(2), 6));
    run(*core.decide_delete({"a", 0}));
    run(allocate_producer_ids_command{1, 50});
    controller_core again(core.bounds());
    for (const auto& [key, value] : stored)
      REQUIRE(again.restore(key, value));
    CHECK(again.topics() == core.topics());
    CHECK(again.brokers() == core.brokers());
    CHECK(again.find("b") != nullptr);
    CHECK(again.find("a") == nullptr);
    CHECK(again.brokers().at(1).rack == "rack");
    CHECK(again.replicas_on(1) == core.replicas_on(1));
    CHECK(
        std::get<producer_ids_allocated>(*again.replay(allocate_producer_ids_command{1, 1}).change)
            .first == 50);
    CHECK(again.restore("nonsense", {}).error().code == errc::storage_damaged);
  }

  TEST_CASE("every command survives its encoding and nothing else is read") {
    auto core = cluster_of(1);
    const controller_command commands[] = {
        create_cluster_command{id_of(1)},
        register_broker_command{{1, "h", 1, "r"}},
        *core.decide_create(request_for("t", 3), id_of(1), 5),
        alter_topic_command{id_of(1), {{"retention.ms", "1"}}, true, 3, {{{1}}, {{1}}}, 10},
        delete_topic_command{id_of(1)},
        topic_purged_command{id_of(1), 1},
        allocate_producer_ids_command{1, 2},
    };
    for (const auto& command : commands) {
      const auto bytes = encode(command);
      const auto decoded = decode_controller_command(bytes);
      REQUIRE(decoded);
      CHECK(print(*decoded) == print(command));
      for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK_FALSE(decode_controller_command(bytes.slice(0, size)));
    }
    CHECK(decode_controller_command(buffer::copy_of("\x03\x01")).error().code ==
          errc::storage_damaged);
    CHECK_FALSE(decode_controller_command(buffer::copy_of("\x01\x77")));
  }
}
