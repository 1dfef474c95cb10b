#include "actors/directory.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

TEST_SUITE_BEGIN("actors.directory");

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

uuid id_of(std::uint8_t number) {
  uuid id;
  id.bytes[0] = number;
  return id;
}

std::shared_ptr<const topic_route> topic(const std::string& name, std::uint8_t number) {
  auto made = std::make_shared<topic_route>();
  made->record.name = name;
  made->record.id = id_of(number);
  return made;
}

} // namespace

TEST_CASE("topics are found by name, and their names by id") {
  topic_directory directory;
  CHECK(directory.find("a") == nullptr);
  CHECK(!directory.name_of(id_of(1)));
  for (std::uint8_t number = 1; number <= 100; ++number)
    directory.put(topic("topic-" + std::to_string(number), number));
  for (std::uint8_t number = 1; number <= 100; ++number) {
    const auto name = "topic-" + std::to_string(number);
    CHECK(directory.name_of(id_of(number)) == name);
    REQUIRE(directory.find(name) != nullptr);
    CHECK(directory.find(name)->record.id == id_of(number));
  }
  CHECK(directory.all().size() == 100);
  CHECK(directory.all().front()->record.name == "topic-1");
}

TEST_CASE("clients of a listener see the addresses that brokers have for it") {
  cluster_view view;
  view.controller = 2;
  broker_record first{1, "a", 9092, "r"};
  first.listeners = {{"in", "a.in", 1}, {"out", "::1", 2}};
  const broker_record second{2, "b", 9092, "r"};
  view.brokers = {first};
  view.registered = {first, second};
  const auto seen = view_by_listener(view, "out");
  CHECK(seen.listener == "out");
  CHECK(seen.controller == 2);
  REQUIRE(seen.registered.size() == 2);
  CHECK(client_address(seen.brokers.at(0)) == "[::1]:2");
  CHECK(seen.registered[0] == seen.brokers[0]);
  CHECK(seen.registered[0].rack == "r");
  CHECK_FALSE(has_address(seen.registered[1]));
  CHECK(client_address(seen.registered[1]).empty());
  CHECK(client_address(view.registered[1]) == "b:9092");
  known_cluster known(std::make_shared<const cluster_view>(seen));
  CHECK(no_listener(known, 2) == "broker 2 has no listener 'out', by which this connection came");
}

TEST_CASE("a topic that is changed keeps its id") {
  topic_directory directory;
  directory.put(topic("a", 1));
  directory.put(topic("a", 1));
  CHECK(directory.name_of(id_of(1)) == "a");
}

TEST_CASE("a topic that is deleted, or deleted and created again, is not known by its former id") {
  topic_directory directory;
  directory.put(topic("a", 1));
  SUBCASE("deleted") {
    directory.remove("a", id_of(1));
    CHECK(directory.find("a") == nullptr);
  }
  SUBCASE("created again") {
    directory.put(topic("a", 2));
    CHECK(directory.name_of(id_of(2)) == "a");
    // News of the former one that came late.
    directory.remove("a", id_of(1));
    CHECK(directory.find("a") != nullptr);
  }
  CHECK(!directory.name_of(id_of(1)));
}

TEST_SUITE_END();
