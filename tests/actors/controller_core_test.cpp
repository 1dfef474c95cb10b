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
        alter_topic_command{id_of(1), {{"retention.ms", "1"}}},
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
    CHECK(decode_controller_command(buffer::copy_of("\x02\x01")).error().code ==
          errc::storage_damaged);
    CHECK_FALSE(decode_controller_command(buffer::copy_of("\x01\x77")));
  }
}
