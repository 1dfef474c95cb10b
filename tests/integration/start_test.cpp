// How starts and stops end: which are refused, with which exit code and which sentence, and that a
// refused start leaves what it found as it was.
#include "tests/integration/own_node.hpp"
#include "tests/support/instrumented.hpp"
#include "tests/support/paths.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

TEST_SUITE_BEGIN("integration.start");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

/// A port of 127.0.0.1 that this process listens on.
class taken_port {
public:
  taken_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_, generic, size) == 0);
    REQUIRE(::listen(socket_, 1) == 0);
    REQUIRE(::getsockname(socket_, generic, &size) == 0);
    text_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~taken_port() { ::close(socket_); }
  taken_port(const taken_port&) = delete;
  taken_port& operator=(const taken_port&) = delete;

  [[nodiscard]] const std::string& address() const { return text_; }

private:
  int socket_;
  std::string text_;
};

bool says(const finished_run& run, const std::string& words) {
  return run.errors.find(words) != std::string::npos;
}

using setting_map = std::map<std::string, std::string>;

/// The arguments for a node on free ports but where `settings` say otherwise.
std::vector<std::string> arguments_of(const std::filesystem::path& data,
                                      const setting_map& settings = {}) {
  setting_map all = settings;
  for (const auto* key : {"listen", "admin.listen", "cluster.listen", "http.listen"})
    all.try_emplace(key, "127.0.0.1:0");
  std::vector<std::string> arguments{"--data-dir", data.string()};
  for (const auto& [key, value] : all)
    arguments.insert(arguments.end(), {"--set", key + "=" + value});
  return arguments;
}

/// A start that must end with `status` and explain itself.
finished_run refused_start(const std::vector<std::string>& arguments, int status) {
  auto run = run_node(arguments);
  INFO(run.errors);
  CHECK(run.status == status);
  CHECK(run.output.empty());
  CHECK(run.errors.starts_with("aqueductd: "));
  return run;
}

/// Arguments of a shell that starts a node after `ulimit FLAGS LIMIT`.
std::vector<std::string> limited(const std::filesystem::path& data, const std::string& flags,
                                 const std::string& limit) {
  std::vector<std::string> words{"-c", "ulimit " + flags + " $0; exec \"$@\"", limit,
                                 built_program("aqueductd").string()};
  for (auto& word : arguments_of(data))
    words.push_back(std::move(word));
  return words;
}

std::vector<std::string> with_check(std::vector<std::string> arguments) {
  arguments.push_back("--check-config");
  return arguments;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

TEST_CASE("a start whose port is taken names address, setting and owner, and touches no data") {
  const temp_directory folder;
  const taken_port taken;
  std::string setting;
  std::string name;
  SUBCASE("for clients") {
    setting = "listen";
  }
  SUBCASE("for clients of another listener") {
    setting = "listeners.listen";
    name = "out=";
  }
  SUBCASE("for operators") {
    setting = "admin.listen";
  }
  SUBCASE("for other nodes") {
    setting = "cluster.listen";
  }

  const auto run =
      refused_start(arguments_of(folder.path() / "data", {{setting, name + taken.address()}}), 73);

  CHECK(says(run, taken.address() + " (" + setting + ")"));
  CHECK(says(run, "in use by process " + std::to_string(::getpid()) + " (integration_te"));
  CHECK_FALSE(says(run, "system_error"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "data"));
}

TEST_CASE("a port of a running node is refused with the number of its process") {
  own_node own;
  const temp_directory folder;
  const auto port = std::to_string(own.node.admin_address().port);

  const auto run = refused_start(
      arguments_of(folder.path() / "data", {{"admin.listen", "127.0.0.1:" + port}}), 73);

  CHECK(says(run, "process " + std::to_string(own.node.process().pid()) + " (aqueductd)"));
}

TEST_CASE("an address that is none of this machine is a wrong setting") {
  const temp_directory folder;
  // 192.0.2.0/24 is nobody's (RFC 5737).
  const auto run =
      refused_start(arguments_of(folder.path() / "data", {{"admin.listen", "192.0.2.1:0"}}), 78);
  CHECK(says(run, "192.0.2.1:0 (admin.listen)"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "data"));
}

TEST_CASE("the data directory of a running node is refused, and that node goes on") {
  own_node own;
  create_topic(own.client, "t");

  const auto run = refused_start(arguments_of(own.node.options().data_dir), 73);

  CHECK(says(run, own.node.options().data_dir.string() + " is used by another running node"));
  CHECK(append(own.client, "t", 0, {"x"}) == 0);
}

TEST_CASE("data that is not this node's, or not this version's, is refused and left as it was") {
  own_node own;
  create_topic(own.client, "t");
  append(own.client, "t", 0, {"x"});
  REQUIRE(own.node.stop() == 0);
  const auto data = own.node.options().data_dir;
  const auto meta = data / "node.meta";
  const auto right = content_of(meta);
  auto found = right;
  SUBCASE("of another node") {
    const auto run = refused_start(arguments_of(data, {{"node.id", "2"}}), 73);
    CHECK(says(run, "belongs to node 1, this is node 2"));
  }
  SUBCASE("of a newer version") {
    found[found.find('\n') + 4] = 9;
    std::ofstream(meta, std::ios::binary) << found;
    const auto run = refused_start(arguments_of(data), 73);
    CHECK(says(run, "has format version 9, this program knows version 1"));
  }
  SUBCASE("damaged") {
    found.back() = static_cast<char>(found.back() ^ 1);
    std::ofstream(meta, std::ios::binary) << found;
    const auto run = refused_start(arguments_of(data), 74);
    CHECK(says(run, meta.string() + " is damaged"));
  }
  SUBCASE("without its identity") {
    found.clear();
    std::filesystem::remove(meta);
    const auto run = refused_start(arguments_of(data), 74);
    CHECK(says(run, meta.string() + " is missing, but there is data beside it"));
  }
  CHECK(content_of(meta) == found);

  // Set right again, everything is there.
  std::ofstream(meta, std::ios::binary) << right;
  own.node.start();
  own.client = native_client(own.node.client_address());
  CHECK(log_end(own.client, "t", 0) == 1);
}

TEST_CASE("a node whose key-value store is gone or damaged says so and serves nothing") {
  own_node own;
  create_topic(own.client, "t");
  append(own.client, "t", 0, {"x"});
  REQUIRE(own.node.stop() == 0);
  const auto data = own.node.options().data_dir;
  const auto kept = data.parent_path() / "kept";
  std::filesystem::copy(data / "kv", kept, std::filesystem::copy_options::recursive);
  std::string sentence;
  SUBCASE("gone") {
    std::filesystem::remove_all(data / "kv");
    sentence = "has entries of term 1, but its hard state is missing";
  }
  SUBCASE("a table") {
    sentence = "damaged";
    for (const auto& file : std::filesystem::directory_iterator(data / "kv"))
      if (file.path().extension() == ".sst") {
        auto bytes = content_of(file.path());
        for (std::size_t i = 0; i < 64; ++i)
          bytes.at(bytes.size() / 4 + i) ^= '\xff';
        std::ofstream(file.path(), std::ios::binary) << bytes;
      }
  }
  SUBCASE("the list of its files") {
    sentence = "cannot open the key-value store";
    for (const auto& file : std::filesystem::directory_iterator(data / "kv"))
      if (file.path().filename().string().starts_with("MANIFEST"))
        std::ofstream(file.path(), std::ios::binary) << "nonsense";
  }
  const auto run = run_node(arguments_of(data));
  INFO(run.errors);
  CHECK(run.status == 74);
  CHECK(run.output.empty());
  CHECK(says(run, sentence));

  // Set right again, everything is there.
  std::filesystem::remove_all(data / "kv");
  std::filesystem::rename(kept, data / "kv");
  own.node.start();
  own.client = native_client(own.node.client_address());
  CHECK(log_end(own.client, "t", 0) == 1);
}

TEST_CASE("a data directory that cannot be made is the disk's refusal") {
  const auto run = refused_start(arguments_of("/proc/nope"), 74);
  CHECK(says(run, "the data directory /proc/nope cannot be made"));
}

TEST_CASE("a file where the data directory should be is the disk's refusal") {
  const temp_directory folder;
  const auto run = refused_start(arguments_of(folder.write("file", "mine")), 74);
  CHECK(says(run, "Not a directory"));
  CHECK(content_of(folder.path() / "file") == "mine");
}

// A sanitizer needs descriptors of its own before anything of the node runs.
TEST_CASE("a machine without descriptors is said, not crashed upon" *
          doctest::skip(is_instrumented)) {
  const temp_directory folder;
  // With the first no socket can be made, with the second no queue of events.
  for (const auto* limit : {"5", "8"}) {
    child_process shell("/bin/sh", limited(folder.path() / "data", "-n", limit));
    CHECK(shell.wait_until(test_clock::now() + patience).value_or(-1) == 70);
    INFO(shell.errors());
    CHECK(shell.errors().starts_with("aqueductd: cannot "));
    CHECK(shell.errors().find("Too many open files") != std::string::npos);
  }
}

TEST_CASE("a node takes as many descriptors as the hard limit allows") {
  const temp_directory folder;
  child_process shell("/bin/sh", limited(folder.path() / "data", "-S -n", "256"));
  const auto ready = shell.read_line(test_clock::now() + patience);
  REQUIRE(ready.has_value());
  CHECK(ready->starts_with("ready "));
  const auto limits = content_of("/proc/" + std::to_string(shell.pid()) + "/limits");
  std::istringstream row(limits.substr(limits.find("Max open files") + 14));
  std::string soft;
  std::string hard;
  row >> soft >> hard;
  CHECK(soft == hard);
  CHECK(soft != "256");
}

TEST_CASE("wrong settings and wrong usage end a start before anything is touched") {
  const temp_directory folder;
  const auto data = folder.path() / "data";
  const auto setting =
      refused_start(arguments_of(data, {{"storage.flush", "sometimes"}, {"node.id", "-1"}}), 78);
  CHECK(says(setting, "storage.flush"));
  CHECK(says(setting, "node.id"));
  const auto usage = refused_start({"--no-such-option"}, 64);
  CHECK(says(usage, "--no-such-option"));
  CHECK_FALSE(std::filesystem::exists(data));
}

TEST_CASE("--check-config says whether the settings are right and starts nothing") {
  const temp_directory folder;
  const auto data = folder.path() / "data";
  const taken_port taken;
  const auto right =
      run_node(node_arguments({data, {"admin.listen=" + taken.address()}, {"--check-config"}}));
  CHECK(right.status == 0);
  CHECK(right.output.find("is right") != std::string::npos);
  CHECK(right.errors.empty());

  const auto file = folder.write("wrong.toml", "[storage]\nflsh = \"commit\"\n");
  const auto wrong = run_node(with_check({"--data-dir", data.string(), "--config", file.string()}));
  CHECK(wrong.status == 78);
  CHECK(wrong.output.empty());
  CHECK(says(wrong, file.string() + ":2"));
  CHECK(says(wrong, "storage.flush"));
  CHECK_FALSE(std::filesystem::exists(data));
}

TEST_CASE("a stop that takes longer than allowed ends with 69 and loses nothing") {
  own_node own({"shutdown.timeout=0s"});
  create_topic(own.client, "t");
  CHECK(append(own.client, "t", 0, {"a", "b"}) == 0);

  CHECK(own.node.stop() == 69);

  own.node.start();
  own.client = native_client(own.node.client_address());
  CHECK(read_all(own.client, "t", 0).size() == 2);
}

TEST_SUITE_END();
