#include "config/loader.hpp"
#include "config/node_model.hpp"
#include "tests/support/temp_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace aqueduct;
using namespace aqueduct::config;
using namespace std::chrono_literals;

namespace {

const test::temp_directory& directory() {
  static const test::temp_directory instance;
  return instance;
}

result<loaded_config> load_text(const std::string& name, std::string_view text) {
  return load({directory().write(name, text), {}, {}});
}

result<loaded_config> load_toml(std::string_view text) {
  return load_text("node.toml", text);
}

result<loaded_config> load_settings(std::vector<argument> arguments) {
  return load({std::nullopt, {}, std::move(arguments)});
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    all.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

/// Messages of a load that must fail, without the folder of the file.
std::vector<std::string> refusals(const result<loaded_config>& loaded) {
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::invalid_config);
  auto all = lines(loaded.error().message);
  const auto folder = directory().path().string() + "/";
  for (auto& line : all)
    if (line.starts_with(folder))
      line.erase(0, folder.size());
  return all;
}

std::string refusal(const result<loaded_config>& loaded) {
  const auto all = refusals(loaded);
  REQUIRE(all.size() == 1);
  return all.front();
}

std::string refusal(std::string key, std::string text) {
  return refusal(load_settings({{"--set", std::move(key), std::move(text)}}));
}

} // namespace

TEST_SUITE("config.loader") {
  TEST_CASE("without any source everything has its default") {
    const auto loaded = load({});
    REQUIRE(loaded);
    CHECK(loaded->values == node_config{});
    CHECK(loaded->given.empty());
  }

  TEST_CASE("the command line wins over the environment, that over the file, that over defaults") {
    const auto file = directory().write("order.toml", "[node]\nid = 2\nrack = \"file\"\n"
                                                      "[log]\nlevel = \"warn\"\n");
    const auto loaded = load({file,
                              {{"AQUEDUCT_NODE_ID", "3"}, {"AQUEDUCT_NODE_RACK", "env"}},
                              {{"--set", "node.id", "4"}}});
    REQUIRE(loaded);
    CHECK(loaded->values.node.id == 4);
    CHECK(loaded->values.node.rack == "env");
    CHECK(loaded->values.log.level == log_level::warning);
    CHECK(loaded->values.log.format == log_format::text);
    CHECK(to_string(loaded->given.at("node.id")) == "command line --set");
    CHECK(to_string(loaded->given.at("node.rack")) == "environment AQUEDUCT_NODE_RACK");
    CHECK(to_string(loaded->given.at("log.level")) == file.string() + ":5:1");
    CHECK_FALSE(loaded->given.contains("log.format"));
  }

  TEST_CASE("TOML and YAML give the same values") {
    const auto toml = load_toml("[cluster]\nlisten = \"a:1\"\n"
                                "[discovery]\nseeds = [\"a:1\"]\n[storage]\n"
                                "flush = \"interval\"\nflush-interval = \"2s\"\nthreads = 4\n"
                                "[topic]\nauto-create = false\n[log]\nlevels = [\"raft=debug\"]\n");
    const auto yaml = load_text("node.yaml", "cluster: {listen: \"a:1\"}\n"
                                             "discovery: {seeds: [\"a:1\"]}\nstorage:\n"
                                             "  flush: interval\n  flush-interval: 2s\n"
                                             "  threads: 4\ntopic:\n  auto-create: false\n"
                                             "log:\n  levels: [raft=debug]\n");
    REQUIRE(toml);
    REQUIRE(yaml);
    CHECK(toml->values == yaml->values);
    CHECK(toml->values.storage.flush == flush_policy::interval);
    CHECK(toml->values.storage.flush_interval == 2s);
    CHECK(toml->values.discovery.seeds == std::vector<endpoint>{{"a", 1}});
    CHECK(toml->values.log.levels.at("raft") == log_level::debug);
    CHECK_FALSE(toml->values.topic.auto_create);
  }

  TEST_CASE("every problem of every source is reported, each with its place") {
    const auto file = directory().write("bad.toml", "[storage]\nflush = \"sometimes\"\n"
                                                    "thread = 3\n\n[raft]\ntick = 5\n");
    const auto all = refusals(load({file,
                                    {{"AQUEDUCT_NODE_ID", "x"}, {"AQUEDUCT_LISTN", "a:1"}},
                                    {{"--listen", "listen", "9092"}}}));
    REQUIRE(all.size() == 6);
    const auto has = [&](std::string_view line) { return std::ranges::count(all, line) == 1; };
    CHECK(has("bad.toml:2:9: storage.flush: 'sometimes' is unknown; allowed: one of commit, "
              "interval, os"));
    CHECK(has("bad.toml:3:1: storage.thread: is unknown; did you mean storage.threads?"));
    CHECK(has("bad.toml:6:8: raft.tick: '5' has no unit; write a number with ms, s, m, h or d, "
              "such as 10s; allowed: 1ms to 1s"));
    CHECK(has("environment AQUEDUCT_NODE_ID: node.id: 'x' is not a whole number; allowed: 0 to "
              "2147483647"));
    CHECK(has("environment AQUEDUCT_LISTN: no setting has this variable; did you mean "
              "AQUEDUCT_LISTEN?"));
    CHECK(has("command line --listen: listen: '9092' has no port; write host:port"));
  }

  TEST_CASE("an unknown key names the nearest known one, or what it was taken for") {
    CHECK(refusal("storage.flush_interval", "1s") ==
          "command line --set: storage.flush_interval: is unknown; did you mean "
          "storage.flush-interval?");
    CHECK(refusal("LISTEN", "a:1").ends_with("did you mean listen?"));
    CHECK(refusal("banana", "1").ends_with("banana: is unknown"));
    CHECK(
        refusal("storage", "1")
            .ends_with("storage: is a section, not a setting; set storage.flush or others of it"));
    CHECK(refusal("listen.host", "a").ends_with("is unknown: listen is a single setting"));
    CHECK(refusal(std::string(10'000, 'x'), "1").ends_with("is unknown"));
  }

  TEST_CASE("a key given twice in one source is refused") {
    CHECK(refusal(load_settings({{"--listen", "listen", "a:1"}, {"--set", "listen", "a:1"}})) ==
          "command line --set: listen: is given twice, first at command line --listen");
    const auto text = refusal(load_text("twice.yaml", "node:\n  id: 1\n  id: 2\n"));
    CHECK(text.starts_with("twice.yaml:3:3: node.id: is given twice, first at "));
    CHECK(text.ends_with("twice.yaml:2:3"));
    CHECK(refusal(load_toml("[node]\nid = 1\nid = 2\n")).starts_with("node.toml:3:"));
  }

  TEST_CASE("a section without settings is accepted when it exists") {
    CHECK(load_toml("[storage]\n"));
    CHECK(refusal(load_toml("[banana]\n")) == "node.toml:1:2: banana: is unknown");
    CHECK(refusal(load_toml("storage = 1\n")).find("is a section") != std::string::npos);
  }

  TEST_CASE("an unknown kind of discovery is refused") {
    CHECK(refusal("discovery.kind", "zookeeper")
              .ends_with("'zookeeper' is unknown; allowed: one of static, memory, etcd"));
  }

  TEST_CASE("settings that contradict each other are refused and both are named") {
    CHECK(refusal("raft.heartbeat", "400ms") ==
          "command line --set: raft.heartbeat: 400ms must be at most a third of "
          "raft.election-timeout (1s, default)");
    CHECK(refusal("raft.tick", "200ms").starts_with("raft.heartbeat: 150ms must be at least"));
    CHECK(refusal(load_settings({{"--set", "cluster.listen", "0.0.0.0:9092"},
                                 {"--set", "cluster.advertise", "10.0.0.7:9092"}}))
              .find("another address than listen") != std::string::npos);
    CHECK(refusal("listen", "0.0.0.0:9092").find("set advertise") != std::string::npos);
    CHECK(refusal("storage.preallocate-bytes", "1GiB").find("storage.segment-bytes (256MiB") !=
          std::string::npos);
    CHECK(refusal("advertise", "0.0.0.0:9092")
              .ends_with("is not an address that a client can "
                         "connect to"));
    CHECK(refusals(load_settings({{"--set", "topic.message-bytes-max", "128MiB"}})).size() == 2);
    CHECK(refusal("limits.request-bytes-total", "64MiB").find("limits.request-bytes-in-flight") !=
          std::string::npos);
    CHECK(refusal(load_settings(
                      {{"--set", "discovery.kind", "memory"}, {"--set", "discovery.seeds", "a:1"}}))
              .find("takes no discovery.seeds") != std::string::npos);
  }

  TEST_CASE("a cluster is found by a list of seeds, by etcd, or by chance in one process") {
    for (const auto* seeds : {"127.0.0.1:9093,10.0.0.7:9093", "127.0.0.1:9094", "127.0.0.1:9093"})
      CHECK(load_settings({{"--set", "discovery.seeds", seeds}}));
    CHECK(load_settings({{"--set", "discovery.kind", "memory"}}));
    const auto by_etcd = load_settings({{"--set", "discovery.kind", "etcd"},
                                        {"--set", "discovery.seeds", "etcd-1:2379,etcd-2:2379"},
                                        {"--set", "discovery.prefix", "/of/mine"},
                                        {"--set", "discovery.ttl", "30s"}});
    REQUIRE(by_etcd);
    CHECK(by_etcd->values.discovery.prefix == "/of/mine");
    CHECK(by_etcd->values.discovery.ttl == 30s);
  }

  TEST_CASE("discovery by etcd needs members, a path and whole seconds") {
    CHECK(refusal("discovery.kind", "etcd") ==
          "command line --set: discovery.kind: 'etcd' needs discovery.seeds: the addresses of "
          "members of etcd");
    for (const auto* prefix : {"aqueduct", "/aqueduct/", "//"})
      CHECK(refusal("discovery.prefix", prefix)
                .ends_with("must begin with a slash and not end with one"));
    CHECK(refusal("discovery.ttl", "1500ms").ends_with("is not a number of whole seconds"));
    CHECK(refusal("discovery.ttl", "0s").find("1s to 10m") != std::string::npos);
  }

  TEST_CASE("other nodes are told an address that they can connect to") {
    CHECK(refusal("cluster.listen", "0.0.0.0:9093").find("set cluster.advertise") !=
          std::string::npos);
    CHECK(load_settings({{"--set", "cluster.listen", "0.0.0.0:9093"},
                         {"--set", "cluster.advertise", "10.0.0.7:9093"}}));
    CHECK(refusal("cluster.advertise", "0.0.0.0:9093")
              .ends_with("is not an address that a node can connect to"));
  }

  TEST_CASE("a session is at least three heartbeats") {
    CHECK(refusal("cluster.heartbeat", "2s").find("at most a third of cluster.session-timeout") !=
          std::string::npos);
  }

  TEST_CASE("addresses with port 0 never collide, and a wildcard is fine once advertised") {
    CHECK(load_settings({{"--set", "listen", "127.0.0.1:0"},
                         {"--set", "cluster.listen", "127.0.0.1:0"},
                         {"--set", "http.listen", "127.0.0.1:0"},
                         {"--set", "admin.listen", "127.0.0.1:0"}}));
    const auto loaded =
        load_settings({{"--set", "listen", "0.0.0.0:9092"}, {"--set", "advertise", "me:9092"}});
    REQUIRE(loaded);
    CHECK(loaded->values.advertised() == endpoint{"me", 9092});
    CHECK(node_config{}.advertised() == node_config{}.listen);
  }

  TEST_CASE("listeners have ports and advertised addresses of their own") {
    const auto loaded = load_settings({{"--set", "listeners.listen", "in=10.0.0.7:1,out=0.0.0.0:2"},
                                       {"--set", "listeners.advertise", "out=me.example:3"}});
    REQUIRE(loaded);
    const auto& listen = loaded->values.listeners.listen;
    REQUIRE(listen.size() == 2);
    CHECK(loaded->values.advertised(listen[0]) == endpoint{"10.0.0.7", 1});
    CHECK(loaded->values.advertised(listen[1]) == endpoint{"me.example", 3});
    CHECK(refusal("listeners.listen", "out=0.0.0.0:2")
              .ends_with("'out=0.0.0.0:2' has every address of the machine for out, which tells "
                         "clients nothing; set its address in listeners.advertise"));
    CHECK(refusal("listeners.listen", "out=127.0.0.1:9092")
              .ends_with("has the address of listen once more: 127.0.0.1:9092"));
    CHECK(refusal("listeners.listen", "out=127.0.0.1:9093").find("cluster.listen once more") !=
          std::string::npos);
    CHECK(refusal("listeners.listen", "a=10.0.0.7:1,b=10.0.0.7:1")
              .ends_with("has the address of a once more: 10.0.0.7:1"));
    CHECK(refusal("listeners.advertise", "out=me:1")
              .ends_with("'out=me:1' names out, which is not in listeners.listen"));
    CHECK(refusal(load_settings({{"--set", "listeners.listen", "out=0.0.0.0:2"},
                                 {"--set", "listeners.advertise", "out=0.0.0.0:2"}}))
              .ends_with("has an address for out that a client cannot connect to"));
  }

  TEST_CASE("the printed configuration loads to the same values") {
    const auto first = load_settings({{"--set", "node.rack", "a \"quoted\" \\ rack"},
                                      {"--set", "retention.time", "unlimited"},
                                      {"--set", "retention.bytes", "10GB"},
                                      {"--set", "cluster.listen", "[::1]:2"},
                                      {"--set", "discovery.seeds", "[::1]:2"},
                                      {"--set", "advertise", "me:1"},
                                      {"--set", "log.levels", "raft=trace,admin=off"},
                                      {"--set", "topic.auto-create", "false"}});
    REQUIRE(first);
    const auto printed = print(*first);
    const auto second = load_toml(printed);
    REQUIRE_MESSAGE(second, second.error().message);
    CHECK(second->values == first->values);
    CHECK(second->given.size() == node_model().rows().size());
  }

  TEST_CASE("a log level for a component that does not exist is refused with those that do") {
    const auto refused = load_settings({{"--set", "log.levels", "raftt=debug"}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("'raftt=debug'") != std::string::npos);
    CHECK(refused.error().message.find("raft, storage") != std::string::npos);
  }

  TEST_CASE("the printed configuration says where each value came from") {
    const auto file = directory().write("origin.toml", "[node]\nrack = \"r1\"\n");
    const auto loaded =
        load({file, {{"AQUEDUCT_LOG_LEVEL", "debug"}}, {{"--set", "node.id", "7"}}});
    REQUIRE(loaded);
    const auto all = lines(print(*loaded));
    const auto has = [&](const std::string& line) { return std::ranges::count(all, line) == 1; };
    CHECK(has("id = 7  # command line --set"));
    CHECK(has("rack = \"r1\"  # " + file.string() + ":2:1"));
    CHECK(has("level = \"debug\"  # environment AQUEDUCT_LOG_LEVEL"));
    CHECK(has("flush = \"commit\"  # default"));
    CHECK(has("[storage]"));
  }

  TEST_CASE("reading the settings again takes over what is reloadable and names the rest") {
    const node_config before;
    auto after = before;
    after.log.level = log_level::debug;
    after.storage.threads = 9;

    const auto changed = changes(before, after);
    const auto merged = reloaded(before, after);

    REQUIRE(changed.size() == 2);
    CHECK(changed[0].key == "storage.threads");
    CHECK(changed[0].before == "16");
    CHECK(changed[0].after == "9");
    CHECK_FALSE(changed[0].reloadable);
    CHECK(changed[1].key == "log.level");
    CHECK(changed[1].reloadable);
    REQUIRE(merged);
    CHECK(merged->log.level == log_level::debug);
    CHECK(merged->storage.threads == before.storage.threads);
    CHECK(changes(before, before).empty());
  }

  TEST_CASE("reading the settings again is refused when it contradicts what has to stay") {
    const node_config before;
    auto after = before;
    after.limits.frame_bytes_max = after.limits.request_bytes_in_flight = 400 << 20;
    after.topic.message_bytes_max = 200 << 20;
    after.storage.segment_bytes = 1 << 30;
    after.limits.decompressed_bytes_max = 300 << 20;
    REQUIRE(conflicts(after, {}).empty());

    const auto merged = reloaded(before, after);

    REQUIRE_FALSE(merged);
    CHECK(merged.error().message.find("limits.frame-bytes-max (100MiB") != std::string::npos);
  }
}

TEST_SUITE("config.node_model") {
  TEST_CASE("keys, their variables and the order of sections are without clash") {
    std::set<std::string> keys;
    std::set<std::string> variables;
    std::set<std::string, std::less<>> closed_sections;
    std::string_view section;
    for (const auto& row : node_model().rows()) {
      INFO(row.key);
      CHECK(keys.insert(row.key).second);
      CHECK(variables.insert(environment_name(row.key)).second);
      CHECK(std::ranges::count(reserved_variables(), environment_name(row.key)) == 0);
      CHECK(row.documentation.ends_with("."));
      CHECK(std::ranges::all_of(
          row.key, [](char c) { return (c >= 'a' && c <= 'z') || c == '-' || c == '.'; }));
      if (const auto own = section_of(row.key); own != section) {
        CHECK(closed_sections.insert(std::string(section)).second);
        CHECK_FALSE(closed_sections.contains(own));
        section = own;
      }
    }
    CHECK(keys.size() > 40);
  }

  TEST_CASE("every default is within its own range") {
    const node_config defaults;
    for (const auto& row : node_model().rows()) {
      const auto text = print_value(row.type, row.read(defaults));
      const auto read = read_value(row.type, {raw_value::form::plain, text, {}, 0, 0});
      CHECK_MESSAGE(read, row.key, ": ", read ? "" : read.error().message);
      CHECK((!read || *read == row.read(defaults)));
    }
  }

  TEST_CASE("every row writes the field that it reads, and no other") {
    for (const auto& row : node_model().rows()) {
      INFO(row.key);
      const node_config defaults;
      node_config other;
      // A value that no default has, of each kind of field.
      const auto other_value = std::visit(
          [](const auto& held) -> value {
            using T = std::remove_cvref_t<decltype(held)>;
            if constexpr (std::is_same_v<T, bool>)
              return !held;
            else if constexpr (std::is_same_v<T, std::string>)
              return held;
            else if constexpr (std::is_same_v<T, std::monostate>)
              return held;
            else if constexpr (std::is_same_v<T, byte_size>)
              return byte_size{held.count + 1};
            else if constexpr (std::is_same_v<T, endpoint>)
              return endpoint{"other", 1};
            else if constexpr (std::is_same_v<T, std::vector<endpoint>>)
              return std::vector<endpoint>{{"other", 1}};
            else if constexpr (std::is_same_v<T, std::vector<named_endpoint>>)
              return std::vector<named_endpoint>{{"other", {"other", 1}}};
            else if constexpr (std::is_same_v<T, std::vector<std::string>>)
              return std::vector<std::string>{"other=debug"};
            else
              return held + T{1};
          },
          row.read(defaults));
      row.write(other, other_value);
      CHECK(row.read(other) == other_value);
      for (const auto& neighbour : node_model().rows())
        if (neighbour.key != row.key)
          CHECK(neighbour.read(other) == neighbour.read(defaults));
    }
  }
}

namespace {

/// A struct of its own shows that nothing in the model is about nodes.
struct vault {
  std::string password = "changeme";
  double share = 0.5;
};

model<vault> vault_model() {
  model_builder<vault> rows;
  rows.add("vault.password", text_kind{8, 20}, AQUEDUCT_FIELD(password), "The password.",
           reload::no, visibility::secret);
  rows.add("vault.share", ratio_kind{0, 1}, AQUEDUCT_FIELD(share), "The share.");
  return rows.build();
}

} // namespace

TEST_SUITE("config.model") {
  TEST_CASE("a secret is neither printed nor quoted in a message") {
    const auto model = vault_model();
    vault values;
    origins given;
    problems found;
    model.apply({{"vault.password", {raw_value::form::plain, "hunter2", {}, 0, 0}, {}}}, values,
                given, found);
    REQUIRE(found.size() == 1);
    CHECK(found[0] == "vault.password: is not valid; allowed: 8 to 20 characters");

    found.clear();
    model.apply({{"vault.password", {raw_value::form::plain, "hunter2hunter2", {}, 0, 0}, {}}},
                values, given, found);
    CHECK(found.empty());
    CHECK(values.password == "hunter2hunter2");
    const auto printed = model.print(values, given);
    CHECK(printed.find("hunter2") == std::string::npos);
    CHECK(printed.find("password is secret") != std::string::npos);
    CHECK(printed.find("share = 0.5  # default") != std::string::npos);
  }
}
