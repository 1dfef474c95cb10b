// Clients that ask for more than they take.
#include "tests/integration/sturdy_node.hpp"
#include "tests/support/instrumented.hpp"

#include <doctest/doctest.h>

#include <algorithm>

TEST_SUITE_BEGIN("integration.flood");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

/// `count` requests as one run of bytes, with correlation ids from `first` on.
template <class Request>
std::vector<std::byte> many(const Request& request, std::uint32_t first, std::uint32_t count) {
  std::vector<std::byte> bytes;
  byte_writer out(bytes);
  for (std::uint32_t i = 0; i < count; ++i) {
    protocol::frame_header header;
    header.key = exchange_of<Request>::key;
    header.correlation_id = first + i;
    out.write_bytes(protocol::encode_frame(header, request).flatten().bytes());
  }
  return bytes;
}

/// Writes until the node takes no more, or all is written; returns how much it took. While it is
/// at it, another client is served.
std::size_t push_until_full(sturdy_node& own, native_client& rude,
                            const std::vector<std::byte>& bytes) {
  std::size_t done = 0;
  int refusals = 0;
  while (done < bytes.size() && refusals < 50) {
    const auto sent = rude.write_some(byte_span(bytes).subspan(done));
    done += sent;
    refusals = sent == 0 ? refusals + 1 : 0;
    if (sent == 0)
      (void)log_end(own.client, "witness");
  }
  return done;
}

} // namespace

TEST_CASE("10,000 pipelined requests without a reader are served later or held back, never lost") {
  sturdy_node own({"network.send-buffer-bytes=64KiB"});
  append(own.client, "witness", 0, {std::string(100'000, 'x')});
  own.records = read_all(own.client, "witness", 0);
  native_client rude(own.node.client_address());
  constexpr std::uint32_t count = 10'000;
  // A gigabyte of answers if they were all made at once.
  const auto requests = many(fetch_request_of("witness", 0, 40), 100, count);
  const auto taken = push_until_full(own, rude, requests);
  own.check_unharmed();

  // Now the client reads, and gets what it asked for.
  std::vector<bool> answered(count);
  std::size_t written = taken;
  for (std::uint32_t left = count; left > 0; --left) {
    while (written < requests.size()) {
      const auto sent = rude.write_some(byte_span(requests).subspan(written));
      written += sent;
      if (sent == 0)
        break;
    }
    const auto frame = rude.receive();
    REQUIRE(frame.header.status == errc::none);
    answered.at(frame.header.correlation_id - 100) = true;
  }
  CHECK(std::ranges::count(answered, true) == count);
  own.check_unharmed();
}

TEST_CASE("10,000 pipelined produces without a reader are stored in order") {
  sturdy_node own({"network.send-buffer-bytes=64KiB"});
  create_topic(own.client, "flooded");
  native_client rude(own.node.client_address());
  constexpr std::uint32_t count = 10'000;
  std::vector<std::byte> requests;
  byte_writer out(requests);
  for (std::uint32_t i = 0; i < count; ++i) {
    protocol::frame_header header;
    header.key = protocol::api_key::produce;
    header.correlation_id = i + 100;
    const auto request = produce_request_of("flooded", 0, batch_of({std::to_string(i)}));
    out.write_bytes(protocol::encode_frame(header, request).flatten().bytes());
  }
  std::size_t written = push_until_full(own, rude, requests);
  for (std::uint32_t i = 0; i < count; ++i) {
    while (written < requests.size()) {
      const auto sent = rude.write_some(byte_span(requests).subspan(written));
      written += sent;
      if (sent == 0)
        break;
    }
    const auto frame = rude.receive();
    const auto answer = must(protocol::decode<protocol::produce_response>(frame.payload));
    const auto& outcome = answer.topics.at(0).partitions.at(0);
    REQUIRE(outcome.error == errc::none);
    CHECK(outcome.base_offset == frame.header.correlation_id - 100);
  }
  const auto stored = read_all(own.client, "flooded", 0);
  REQUIRE(stored.size() == count);
  for (std::uint32_t i = 0; i < count; ++i)
    CHECK(stored[i].value == std::to_string(i));
  own.check_unharmed(std::size_t{128} << 20);
}

TEST_CASE("a client that leaves with 10,000 requests under way takes nothing with it") {
  sturdy_node own;
  create_topic(own.client, "deserted");
  for (int round = 0; round < 5; ++round) {
    native_client rude(own.node.client_address());
    const auto polls = many(fetch_request_of("deserted", 0, 0, 60'000), 1, 5'000);
    const auto reads = many(fetch_request_of("witness", 0, 0), 10'000, 5'000);
    (void)push_until_full(own, rude, polls);
    (void)push_until_full(own, rude, reads);
  }
  own.check_unharmed(std::size_t{128} << 20);
}

TEST_CASE("a thousand connections that do nothing leave room for one that works") {
  sturdy_node own;
  std::vector<native_client> idle;
  for (int i = 0; i < 1000; ++i)
    idle.emplace_back(own.node.client_address(),
                      i % 2 == 0 ? native_client::greeting::hello : native_client::greeting::none);
  own.check_unharmed();
}

TEST_CASE("connections beyond limits.connections are closed, and the log says so once") {
  sturdy_node own({"limits.connections=3"});
  {
    std::vector<native_client> others;
    for (int i = 0; i < 2; ++i)
      others.emplace_back(own.node.client_address());
    for (int i = 0; i < 100; ++i)
      CHECK(native_client(own.node.client_address(), native_client::greeting::none)
                .read_to_end()
                .empty());
    CHECK(log_end(own.client, "witness") == 40);
  }
  const auto log = own.node.process().errors();
  const auto first = log.find("connections are refused");
  REQUIRE(first != std::string::npos);
  CHECK(log.find("connections are refused", first + 1) == std::string::npos);
  await(own.client, "witness", [&] {
    try {
      native_client next(own.node.client_address());
      return true;
    } catch (const connection_ended&) {
      return false;
    }
  });
  own.check_unharmed();
}

TEST_CASE("subscriptions without a reader are held back by the send buffer") {
  sturdy_node own({"network.send-buffer-bytes=64KiB"});
  create_topic(own.client, "stream");
  const std::string value(50'000, 's');
  for (int i = 0; i < 100; ++i)
    append(own.client, "stream", 0, {value});
  std::vector<native_client> deaf;
  for (int i = 0; i < 20; ++i) {
    deaf.emplace_back(own.node.client_address());
    protocol::subscribe_request wish;
    wish.subscription = 1;
    wish.topic = "stream";
    wish.partitions = {{0, 0}};
    // All the credit in the world; what bounds the node's memory is the node's own limit.
    wish.credit_bytes = std::int64_t{1} << 60;
    (void)deaf.back().send(wish);
  }
  for (auto& client : deaf)
    (void)client.receive();
  own.check_unharmed(std::size_t{128} << 20);
}

TEST_CASE("subscriptions to what is only on the disk wait for a client that does not read") {
  sturdy_node own({"network.send-buffer-bytes=1MiB", "storage.tail-cache-bytes=1MiB"});
  create_topic(own.client, "cold");
  constexpr int count = 160;
  for (int i = 0; i < count; ++i)
    append(own.client, "cold", 0, {std::string(1'000'000, static_cast<char>('a' + i % 26))});
  const auto before = own.node.process().resident_bytes();
  native_client deaf(own.node.client_address());
  protocol::subscribe_request wish;
  wish.subscription = 1;
  wish.topic = "cold";
  wish.partitions = {{0, 0}};
  wish.credit_bytes = std::int64_t{1} << 60;
  CHECK(must(deaf.call(wish)).partitions.at(0).error == errc::none);
  // Time enough to push everything, were it not held back.
  (void)read_all(own.client, "cold", 0);
  CHECK(own.node.process().resident_bytes() < before + memory_bound(std::size_t{96} << 20));
  // Who reads after all gets every record, in order.
  std::int64_t next = 0;
  while (next < count) {
    const auto frame = deaf.receive();
    REQUIRE(frame.header.kind == protocol::frame_kind::push);
    const auto push = must(protocol::decode<protocol::delivery>(frame.payload));
    REQUIRE(push.error == errc::none);
    for (const auto& record : records_in(push.records))
      REQUIRE(record.offset == next++);
  }
  own.check_unharmed(std::size_t{128} << 20);
}

TEST_CASE("a client that takes none of its replies is closed after network.idle-timeout") {
  sturdy_node own({"network.idle-timeout=1s", "network.send-buffer-bytes=64KiB"});
  create_topic(own.client, "wide", 1000);
  native_client deaf(own.node.client_address());
  (void)push_until_full(own, deaf, many(protocol::metadata_request{}, 1, 20'000));
  for (int i = 0; i < 3; ++i)
    (void)fetch(own.client, "witness", 0, 40, 1000);
  // The end comes behind what was queued, or at once.
  CHECK_THROWS_AS(([&] {
                    while (true)
                      (void)deaf.receive();
                  }()),
                  connection_ended);
  own.check_unharmed(std::size_t{96} << 20);
}

TEST_CASE("memory for requests in flight is bounded over all connections, and all are answered") {
  sturdy_node own({"limits.frame-bytes-max=1200000B", "limits.request-bytes-total=1200000B",
                   "limits.request-bytes-in-flight=1200000B"});
  create_topic(own.client, "narrow", 4);
  std::vector<native_client> clients;
  std::vector<std::uint32_t> asked;
  const auto batch = batch_of({std::string(900'000, 'n')});
  for (std::int32_t i = 0; i < 8; ++i) {
    clients.emplace_back(own.node.client_address());
    asked.push_back(clients.back().send(produce_request_of("narrow", i % 4, batch)));
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto frame = clients[i].receive_answer(asked[i]);
    const auto answer = must(protocol::decode<protocol::produce_response>(frame.payload));
    CHECK(answer.topics.at(0).partitions.at(0).error == errc::none);
  }
  own.check_unharmed();
}

TEST_CASE("questions with long answers wait for a client that does not read") {
  sturdy_node own({"network.send-buffer-bytes=256KiB"});
  create_topic(own.client, "wide", 1000);
  const auto before = own.node.process().resident_bytes();
  protocol::metadata_request all;
  const auto ask_all = [&](std::uint32_t count) {
    std::vector<native_client> deaf;
    for (int kind = 0; kind < 4; ++kind)
      deaf.emplace_back(own.node.client_address());
    (void)push_until_full(own, deaf[0], many(all, 100, count));
    (void)push_until_full(own, deaf[1], many(protocol::list_topics_request{}, 100, count));
    (void)push_until_full(own, deaf[2], many(protocol::get_topic_info_request{"wide"}, 100, count));
    protocol::list_offsets_request offsets;
    offsets.topics = {{"wide", std::vector<protocol::list_offsets_partition>(500)}};
    (void)push_until_full(own, deaf[3], many(offsets, 100, count));
    CHECK(own.node.process().resident_bytes() < before + memory_bound(std::size_t{64} << 20));
    // Who reads after all gets every answer.
    for (std::uint32_t i = 0; i < 20; ++i)
      CHECK(deaf[0].receive_answer(100 + i).header.status == errc::none);
  };
  ask_all(1000);
  own.check_unharmed(std::size_t{96} << 20);
}

TEST_CASE("pipelined reads of what is only on the disk are made one after the other") {
  sturdy_node own({"network.send-buffer-bytes=1MiB", "storage.tail-cache-bytes=1MiB"});
  create_topic(own.client, "cold");
  for (int i = 0; i < 64; ++i)
    append(own.client, "cold", 0, {std::string(1'000'000, static_cast<char>('a' + i % 26))});
  const auto before = own.node.process().resident_bytes();
  auto all = fetch_request_of("cold", 0, 0, 0, 1, 32 << 20);
  native_client deaf(own.node.client_address());
  constexpr std::uint32_t count = 200;
  deaf.write(many(all, 100, count));
  (void)log_end(own.client, "witness");
  for (int i = 0; i < 5; ++i)
    (void)read_all(own.client, "cold", 0);
  CHECK(own.node.process().resident_bytes() < before + memory_bound(std::size_t{160} << 20));
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto frame = deaf.receive_answer(100 + i);
    const auto answer = fetched(frame);
    CHECK(answer.topics.at(0).partitions.at(0).records.size() > 30'000'000);
  }
  own.check_unharmed(std::size_t{200} << 20);
}

TEST_SUITE_END();
