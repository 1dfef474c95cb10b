#include "tests/support/etcd_process.hpp"

#include "tests/support/raw_socket.hpp"
#include "tests/support/test_cluster.hpp"

#include <signal.h>

#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace aqueduct::test {

namespace {

const std::filesystem::path program = "/usr/bin/etcd";

/// RFC 4648: the keys in the JSON of etcd.
std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6)
      text.push_back(digits[bits >> (count - 6) & 63U]);
  }
  if (count > 0)
    text.push_back(digits[bits << (6 - count) & 63U]);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string local(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

} // namespace

bool etcd_process::is_installed() {
  return std::filesystem::exists(program);
}

etcd_process::etcd_process() : clients_(free_port()), peers_(free_port()) {
  start();
}

void etcd_process::start() {
  const auto clients = "http://" + local(clients_);
  const auto peers = "http://" + local(peers_);
  const auto data = (folder_.path() / "etcd").string();
  process_ = std::make_unique<child_process>(
      program, std::vector<std::string>{
                   "--name=one", "--data-dir=" + data, "--listen-client-urls=" + clients,
                   "--advertise-client-urls=" + clients, "--listen-peer-urls=" + peers,
                   "--initial-advertise-peer-urls=" + peers, "--initial-cluster=one=" + peers,
                   "--logger=zap", "--log-level=error"});
  const auto deadline = test_clock::now() + patience;
  while (post("/v3/kv/range", R"({"key":"YQ=="})").find(" 200 OK") == std::string::npos) {
    if (!process_->is_running() || test_clock::now() > deadline)
      throw std::runtime_error("etcd does not answer; it said:\n" + process_->errors());
    std::this_thread::yield();
  }
}

void etcd_process::kill() {
  process_->signal(SIGKILL);
  if (!process_->wait_until(test_clock::now() + patience))
    throw std::runtime_error("etcd survives SIGKILL");
  process_.reset();
}

void etcd_process::wipe() {
  std::filesystem::remove_all(folder_.path() / "etcd");
}

std::string etcd_process::address() const {
  return local(clients_);
}

bool etcd_process::has(const std::string& key) const {
  const auto answer = post("/v3/kv/range", R"({"key":")" + base64(key) + R"("})");
  return answer.find("\"count\":\"1\"") != std::string::npos;
}

bool etcd_process::becomes(const std::string& key, bool exists) const {
  const auto deadline = test_clock::now() + patience;
  while (has(key) != exists) {
    if (test_clock::now() > deadline)
      return false;
    std::this_thread::yield();
  }
  return true;
}

std::string etcd_process::post(const std::string& path, const std::string& body) const {
  std::string answer;
  try {
    auto socket = raw_socket::connected_to(clients_);
    socket.write("POST " + path + " HTTP/1.1\r\nHost: " + address() +
                 "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n" + body);
    for (std::vector<std::byte> one(1); socket.read_exactly(one);)
      answer.push_back(static_cast<char>(one.front()));
  } catch (const std::runtime_error&) {
    // It does not run yet, or not any more.
    return "";
  }
  return answer;
}

} // namespace aqueduct::test
