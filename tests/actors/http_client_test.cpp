// The client of HTTP against a server that follows a script, also one that no good server would.
#include "actors/network/http_client.hpp"
#include "tests/support/raw_socket.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

using namespace aqueduct;
using namespace aqueduct::actors;
using actors::network::http_client;
using aqueduct::test::raw_listener;
using aqueduct::test::raw_socket;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t long_ms = 30'000;
constexpr std::int64_t short_ms = 50;

config::endpoint to(const raw_listener& server) {
  return {"127.0.0.1", server.port()};
}

std::future<result<http_reply>> post(http_client& client, const config::endpoint& where,
                                     std::int64_t timeout_ms = long_ms) {
  const auto promised = std::make_shared<std::promise<result<http_reply>>>();
  client.post(where, {"/v3/kv/range", R"({"key":"a"})"}, timeout_ms,
              [promised](result<http_reply> reply) { promised->set_value(std::move(reply)); });
  return promised->get_future();
}

result<http_reply> get(std::future<result<http_reply>> answer) {
  REQUIRE(answer.wait_for(30s) == std::future_status::ready);
  return answer.get();
}

/// A request up to the end of its body.
std::string read_request(raw_socket& socket) {
  std::string text;
  for (std::vector<std::byte> one(1); !text.ends_with(R"({"key":"a"})");) {
    REQUIRE(socket.read_exactly(one));
    text.push_back(static_cast<char>(one.front()));
  }
  return text;
}

/// What becomes of a request that is answered like this, with the connection closed behind it.
result<http_reply> reply_after(const std::string& answer) {
  raw_listener server;
  http_client client({.body_bytes_max = 1000});
  auto reply = post(client, to(server));
  {
    auto socket = server.accept();
    (void)read_request(socket);
    socket.write(answer);
  }
  return get(std::move(reply));
}

class listener final : public http_stream_sink {
public:
  void line(std::string text) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(text));
    changed_.notify_all();
  }
  void closed(const error& why) override {
    const std::lock_guard lock(mutex_);
    CHECK_FALSE(why_);
    why_ = why;
    changed_.notify_all();
  }

  /// Waits for so many lines.
  std::vector<std::string> lines(std::size_t count) {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, 30s, [&] { return lines_.size() >= count; }));
    return lines_;
  }
  /// Waits for the end.
  error end() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 30s, [&] { return why_.has_value(); }));
    return *why_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::optional<error> why_;
};

const std::string stream_header = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string size;
  for (auto left = bytes.size(); left > 0; left /= 16)
    size.insert(size.begin(), digits[left % 16]);
  return size + "\r\n" + bytes + "\r\n";
}

} // namespace

TEST_SUITE("actors.http_client") {
  TEST_CASE("a request is HTTP/1.1 and its answer comes back with its status") {
    raw_listener server;
    http_client client({});
    auto reply = post(client, to(server));
    auto socket = server.accept();
    const auto request = read_request(socket);
    CHECK(request.starts_with("POST /v3/kv/range HTTP/1.1\r\n"));
    CHECK(request.find("Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n") !=
          std::string::npos);
    CHECK(request.find("Content-Length: 11\r\n") != std::string::npos);
    socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello");
    const auto got = get(std::move(reply));
    REQUIRE(got);
    CHECK(got->status == 404);
    CHECK(got->body == "hello");
    socket.read_to_end();
  }

  TEST_CASE("an answer in chunks, or up to the end of the connection, is read") {
    const auto chunked = reply_after(stream_header + chunk("ab") + chunk("c") + "0\r\n\r\n");
    REQUIRE(chunked);
    CHECK(chunked->body == "abc");
    const auto to_the_end = reply_after("HTTP/1.0 200 OK\r\n\r\nabc");
    REQUIRE(to_the_end);
    CHECK(to_the_end->body == "abc");
  }

  TEST_CASE("what is no whole answer is an error that says what is wrong") {
    const auto code_of = [](const std::string& answer) {
      const auto reply = reply_after(answer);
      REQUIRE_FALSE(reply);
      CHECK_FALSE(reply.error().message.empty());
      return reply.error().code;
    };
    CHECK(code_of("") == errc::connection_lost);
    CHECK(code_of("HTTP/1.1 200 OK\r\nContent-Le") == errc::connection_lost);
    CHECK(code_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") == errc::connection_lost);
    CHECK(code_of("SSH-2.0-something\r\n\r\n") == errc::invalid_message);
  }

  TEST_CASE("an answer that is too large is refused, before there is room for it") {
    const std::string begin = "HTTP/1.1 200 OK\r\nContent-Length: ";
    for (const auto& answer :
         {begin + "1001\r\n\r\n" + std::string(1001, 'x'), begin + "1000000000000000\r\n\r\nx",
          stream_header + chunk(std::string(1001, 'x')) + "0\r\n\r\n",
          "HTTP/1.0 200 OK\r\n\r\n" + std::string(1001, 'x')}) {
      const auto reply = reply_after(answer);
      REQUIRE_FALSE(reply);
      CHECK(reply.error().code == errc::message_too_large);
    }
    const auto whole = reply_after(begin + "1000\r\n\r\n" + std::string(1000, 'x'));
    REQUIRE(whole);
    CHECK(whole->body.size() == 1000);
  }

  TEST_CASE("a server that refuses, and a name that nobody knows, are errors") {
    http_client client({});
    config::endpoint closed{"127.0.0.1", 0};
    {
      const raw_listener gone;
      closed = to(gone);
    }
    const auto refused = get(post(client, closed));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::connection_lost);
    const auto unknown = get(post(client, {"no-such-host.invalid", 2379}));
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == errc::broker_unavailable);
    CHECK(unknown.error().message.find("no-such-host.invalid") != std::string::npos);
  }

  TEST_CASE("a server that never answers is given up at the deadline") {
    raw_listener server;
    http_client client({});
    const auto late = get(post(client, to(server), short_ms));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == errc::timed_out);
    CHECK(late.error().message == "no answer within 50 ms");
  }

  TEST_CASE("a stream brings lines as they come, also in pieces, and tells of its end") {
    raw_listener server;
    http_client client({});
    const auto heard = std::make_shared<listener>();
    const auto open = client.open(to(server), {"/v3/watch", R"({"key":"a"})"}, long_ms, heard);
    {
      auto socket = server.accept();
      CHECK(read_request(socket).starts_with("POST /v3/watch HTTP/1.1\r\n"));
      socket.write(stream_header + chunk("one\n\ntw"));
      CHECK(heard->lines(1) == std::vector<std::string>{"one"});
      socket.write(chunk("o\nthree\nfo"));
      CHECK(heard->lines(3) == std::vector<std::string>{"one", "two", "three"});
    }
    CHECK(heard->end().code == errc::connection_lost);
    CHECK(heard->lines(3).size() == 3);
    open->close();
  }

  TEST_CASE("a stream that ends properly, that is refused or too long, tells so") {
    const auto end_after = [](const std::string& answer) {
      raw_listener server;
      http_client client({.body_bytes_max = 1000});
      const auto heard = std::make_shared<listener>();
      const auto open = client.open(to(server), {"/v3/watch", R"({"key":"a"})"}, long_ms, heard);
      auto socket = server.accept();
      (void)read_request(socket);
      socket.write(answer);
      return heard->end();
    };
    CHECK(end_after(stream_header + "0\r\n\r\n").message == "the stream ended");
    const auto refused = end_after("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    CHECK(refused.code == errc::broker_unavailable);
    CHECK(refused.message == "it answers with HTTP status 503");
    CHECK(end_after(stream_header + chunk(std::string(1001, 'x'))).code == errc::message_too_large);
    CHECK(end_after("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\nx").code ==
          errc::message_too_large);
    CHECK(end_after("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").message == "the stream ended");
  }

  TEST_CASE("a stream that does not begin in time is over") {
    raw_listener server;
    http_client client({});
    const auto late = std::make_shared<listener>();
    const auto first = client.open(to(server), {"/v3/watch", R"({"key":"a"})"}, short_ms, late);
    CHECK(late->end().code == errc::timed_out);
  }

  TEST_CASE("closing a stream ends its connection, once") {
    raw_listener server;
    http_client client({});
    const auto heard = std::make_shared<listener>();
    const auto open = client.open(to(server), {"/v3/watch", R"({"key":"a"})"}, long_ms, heard);
    auto socket = server.accept();
    (void)read_request(socket);
    socket.write(stream_header + chunk("one\n"));
    (void)heard->lines(1);
    open->close();
    open->close();
    CHECK(heard->end().code == errc::cancelled);
    socket.read_to_end();
  }

  TEST_CASE("a client that ends leaves what is under way without an answer") {
    raw_listener server;
    const auto heard = std::make_shared<listener>();
    std::future<result<http_reply>> never;
    {
      http_client client({});
      never = post(client, to(server));
      const auto open = client.open(to(server), {"/v3/watch", R"({"key":"a"})"}, long_ms, heard);
      const auto first = server.accept();
      const auto second = server.accept();
      client.stop();
    }
    CHECK_THROWS_AS(never.get(), std::future_error);
  }
}
