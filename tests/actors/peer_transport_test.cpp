// Links between nodes over real sockets: what arrives, and what becomes of everything else that
// connects to the cluster port or answers on it.
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"
#include "tests/actors/link_node.hpp"
#include "tests/actors/raft_samples.hpp"
#include "tests/support/raw_socket.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <utility>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
using aqueduct::test::raw_listener;
using aqueduct::test::raw_socket;
namespace wire = aqueduct::protocol::cluster;

namespace {

uuid some_cluster(std::uint8_t number) {
  uuid id;
  id.bytes[0] = number;
  return id;
}

std::string_view preface() {
  return {wire::preface.data(), wire::preface.size()};
}

template <class M>
buffer frame_of(protocol::frame_kind kind, protocol::api_key key, const M& message,
                std::uint16_t version = 1) {
  return protocol::encode_frame({0, kind, key, version, errc::none, 0}, message).flatten();
}

/// A hello of node 2 to node 1.
wire::hello good_hello() {
  wire::hello hello;
  hello.node = 2;
  hello.incarnation = 1;
  hello.session = 5;
  hello.target = 1;
  hello.frame_bytes_max = 1 << 20;
  hello.software = "raw";
  return hello;
}

void greet(raw_socket& socket, const wire::hello& hello) {
  socket.write(preface());
  socket.write(frame_of(protocol::frame_kind::request, wire::hello_key, hello));
}

wire::hello_answer read_hello_answer(raw_socket& socket) {
  const auto frame = socket.read_frame();
  REQUIRE(frame);
  CHECK(frame->header.key == wire::hello_key);
  CHECK(frame->header.kind == protocol::frame_kind::response);
  auto answer = protocol::decode<wire::hello_answer>(frame->payload, frame->header.version);
  REQUIRE(answer);
  return *answer;
}

/// What a node answers before it closes the connection.
wire::hello_answer refusal_of(std::uint16_t port, const wire::hello& hello) {
  auto socket = raw_socket::connected_to(port);
  greet(socket, hello);
  auto answer = read_hello_answer(socket);
  socket.read_to_end();
  CHECK_FALSE(answer.message.empty());
  return answer;
}

/// An answer of node 2.
wire::hello_answer good_answer() {
  wire::hello_answer answer;
  answer.node = 2;
  answer.incarnation = 1;
  answer.session = 5;
  answer.frame_bytes_max = 8 << 20;
  return answer;
}

/// Waits for a connection of node 1 for this purpose and answers it as node 2. Others are closed.
raw_socket take_connection(raw_listener& listener, wire::purpose what,
                           const wire::hello_answer& answer = good_answer()) {
  while (true) {
    auto socket = listener.accept();
    std::vector<std::byte> opening(wire::preface.size());
    if (!socket.read_exactly(opening))
      continue;
    const auto frame = socket.read_frame();
    if (!frame)
      continue;
    const auto hello = protocol::decode<wire::hello>(frame->payload);
    REQUIRE(hello);
    if (hello->connection != what)
      continue;
    socket.write(frame_of(protocol::frame_kind::response, wire::hello_key, answer));
    return socket;
  }
}

/// Node 1 still works: node 2 can link up with it.
void check_alive(link_node& one) {
  link_node two(2);
  one.meet(two);
  two.meet(one);
  one.log->wait_for_up(2);
  two.log->wait_for_up(1);
  two.send(parcel(1, vote(7), 2));
  CHECK(one.log->wait_for(1).size() == 1);
  one.transport->remove_peer(raft::node_id(2));
}

} // namespace

TEST_SUITE("actors.peer.sockets") {
  TEST_CASE("two nodes exchange messages both ways, small and large, in order") {
    link_node one(1);
    link_node two(2);
    one.meet(two);
    two.meet(one);
    one.log->wait_for_up(2);
    two.log->wait_for_up(1);
    constexpr std::uint64_t rounds = 60;
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      one.send(parcel(1, append(i, i % 4 == 0 ? 200'000 : 100), 1));
      two.send(parcel(2, append(i, i % 5 == 0 ? 300'000 : 100), 2));
    }
    // Bulk may not have been there for the first large ones, so that they may be lost.
    one.send(parcel(3, vote(9), 1));
    two.send(parcel(3, vote(9), 2));
    for (auto* node : {&one, &two}) {
      std::vector<std::uint64_t> found;
      for (const auto& each : node->log->wait_for(1 + rounds / 2)) {
        if (!std::holds_alternative<raft::append_request>(each.body))
          continue;
        found.push_back(index_of(each.body));
        const auto& body = std::get<raft::append_request>(each.body).entries[0].body;
        CHECK(std::all_of(body.data.get(), body.data.get() + body.size,
                          [](std::byte b) { return b == std::byte{'x'}; }));
      }
      CHECK(std::ranges::is_sorted(found));
    }
    const auto status = one.transport->status();
    REQUIRE(status.size() == 1);
    CHECK(status[0].peer.value == 2);
  }

  TEST_CASE("three nodes that meet at once all link up") {
    link_node one(1);
    link_node two(2);
    link_node three(3);
    std::vector<link_node*> nodes{&one, &two, &three};
    for (auto* from : nodes)
      for (auto* to : nodes)
        from->meet(*to);
    one.log->wait_for_up(2);
    one.log->wait_for_up(3);
    two.log->wait_for_up(1);
    two.log->wait_for_up(3);
    three.log->wait_for_up(1);
    three.log->wait_for_up(2);
    CHECK(one.transport->status().size() == 2);
  }

  TEST_CASE("a node is found by its name") {
    link_node one(1);
    link_node two(2);
    // The system's resolver reads it, as it does names, also where no file has any.
    one.meet(2, two.port(), "127.1");
    // It cannot reach the other node itself.
    two.meet(1, 1);
    one.log->wait_for_up(2);
    two.log->wait_for_up(1);
  }

  TEST_CASE("a port in use is said") {
    link_node one(1);
    link_node::options same;
    same.port = one.port();
    CHECK_THROWS_WITH_AS(link_node(2, same), doctest::Contains("the port is in use"),
                         std::runtime_error);
  }

  TEST_CASE("what is no node is closed and harms nothing") {
    link_node one(1);
    for (const std::string& opening :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\0'), std::string(50, '\xff'),
          std::string("AQC"), std::string("AQCL")}) {
      auto socket = raw_socket::connected_to(one.port());
      socket.write(opening);
      socket.finish_sending();
      socket.read_to_end();
    }
    check_alive(one);
  }

  TEST_CASE("a client at the cluster port is told where it is") {
    link_node one(1);
    auto socket = raw_socket::connected_to(one.port());
    socket.write({protocol::native_preface.data(), protocol::native_preface.size()});
    const auto frame = socket.read_frame();
    REQUIRE(frame);
    CHECK(frame->header.status == errc::invalid_request);
    const auto why = protocol::decode_error(frame->header, frame->payload);
    CHECK(why.message.find("the port for other nodes") != std::string::npos);
    socket.read_to_end();
  }

  TEST_CASE("another version of the preface is refused as such") {
    link_node one(1);
    auto socket = raw_socket::connected_to(one.port());
    socket.write(std::string_view("AQCL\0\0\0\x02", 8));
    CHECK(read_hello_answer(socket).refused == wire::refusal::unknown_version);
    socket.read_to_end();
  }

  TEST_CASE("lengths that lie end a connection that has not introduced itself") {
    link_node one(1);
    for (const std::uint32_t length : {0x7fffffffu, 0xffffffffu, 0x80000000u, 64u * 1024 + 1, 0u}) {
      auto socket = raw_socket::connected_to(one.port());
      socket.write(preface());
      std::vector<std::byte> header(protocol::frame_header_size);
      protocol::write_frame_header(header.data(), {length, protocol::frame_kind::request,
                                                   wire::hello_key, 1, errc::none, 0});
      socket.write(buffer::from(header));
      const auto answer = read_hello_answer(socket);
      CHECK(answer.refused == wire::refusal::malformed);
      CHECK(answer.message.find("frame length") != std::string::npos);
      socket.read_to_end();
    }
    check_alive(one);
  }

  TEST_CASE("frames that are cut off are forgotten") {
    link_node one(1);
    const auto hello = frame_of(protocol::frame_kind::request, wire::hello_key, good_hello());
    for (std::size_t size = 0; size < hello.size(); size += 5) {
      auto socket = raw_socket::connected_to(one.port());
      socket.write(preface());
      socket.write(hello.slice(0, size));
      if (size % 2 == 0)
        socket.reset();
    }
    check_alive(one);
  }

  TEST_CASE("who does not introduce itself in time is closed") {
    link_node::options hasty;
    hasty.handshake_timeout = std::chrono::milliseconds(1);
    link_node one(1, hasty);
    auto silent = raw_socket::connected_to(one.port());
    silent.read_to_end();
    auto half = raw_socket::connected_to(one.port());
    half.write(preface());
    half.read_to_end();
  }

  TEST_CASE("nodes that do not belong here are refused, each with its reason") {
    link_node::options known;
    known.cluster = some_cluster(1);
    link_node one(1, known);
    raw_listener two;
    one.meet(2, two.port());

    auto hello = good_hello();
    hello.cluster = some_cluster(2);
    auto answer = refusal_of(one.port(), hello);
    CHECK(answer.refused == wire::refusal::other_cluster);
    CHECK(answer.node == 1);
    CHECK(answer.cluster == some_cluster(1));
    hello = good_hello();
    hello.protocol_min = hello.protocol_max = 99;
    CHECK(refusal_of(one.port(), hello).refused == wire::refusal::unknown_version);
    hello = good_hello();
    hello.node = 1;
    CHECK(refusal_of(one.port(), hello).refused == wire::refusal::own_id);
    hello = good_hello();
    hello.target = 3;
    CHECK(refusal_of(one.port(), hello).refused == wire::refusal::other_node);
    hello = good_hello();
    hello.node = 9;
    CHECK(refusal_of(one.port(), hello).refused == wire::refusal::unknown_node);
    one.log->wait_for_stranger(9);
    hello = good_hello();
    hello.connection = wire::purpose::bulk;
    CHECK(refusal_of(one.port(), hello).refused == wire::refusal::no_control);

    auto socket = raw_socket::connected_to(one.port());
    socket.write(preface());
    socket.write(frame_of(protocol::frame_kind::push, wire::raft_key, wire::raft_messages{}));
    CHECK(read_hello_answer(socket).refused == wire::refusal::malformed);
    socket.read_to_end();
    auto later = raw_socket::connected_to(one.port());
    later.write(preface());
    later.write(frame_of(protocol::frame_kind::request, wire::hello_key, good_hello(), 2));
    CHECK(read_hello_answer(later).refused == wire::refusal::unknown_version);
    later.read_to_end();
  }

  TEST_CASE("a dialled node of another cluster is not spoken to, and the status says why") {
    link_node::options ours;
    ours.cluster = some_cluster(1);
    link_node one(1, ours);
    raw_listener two;
    one.meet(2, two.port());
    auto answer = good_answer();
    answer.cluster = some_cluster(2);
    take_connection(two, wire::purpose::control, answer).read_to_end();
    auto status = one.transport->status();
    CHECK(status[0].connections[0].last_error.find("it belongs to cluster 02") == 0);

    answer = good_answer();
    answer.refused = wire::refusal::unknown_node;
    answer.message = "who are you?";
    take_connection(two, wire::purpose::control, answer).read_to_end();
    status = one.transport->status();
    CHECK(status[0].connections[0].last_error == "refused (unknown-node): who are you?");
    CHECK_FALSE(status[0].is_connected());
  }

  TEST_CASE("a linked node that sends nonsense is cut off, what came before it counts") {
    using protocol::frame_kind;
    const auto vote_frame =
        frame_of(frame_kind::push, wire::raft_key,
                 wire::raft_messages{{to_wire(parcel(1, vote(), 2))}}, wire::protocol_max);
    const std::vector<std::string> nonsense = {
        std::string("\x7f\xff\xff\xff", 4) + std::string(12, '\0'),
        std::string("\0\0\0\x0c\x02\0\x07\xd1\0\x07\0\0\0\0\0\0", 16),
        std::string("\0\0\0\x0d\x02\0\x07\xd1\0\x01\0\0\0\0\0\0\x09", 17),
        std::string(100, 'x'),
    };
    for (const auto& bytes : nonsense) {
      link_node one(1);
      // Nobody is there: had its dial reached somebody, it would stay with that.
      one.meet(2, 1);
      auto socket = raw_socket::connected_to(one.port());
      greet(socket, good_hello());
      CHECK(read_hello_answer(socket).refused == wire::refusal::none);
      one.log->wait_for_up(2);
      socket.write(vote_frame);
      socket.write(bytes);
      socket.read_to_end();
      CHECK(one.log->wait_for(1).size() == 1);
      one.log->wait_for_up(2, false);
    }
  }

  TEST_CASE("a node that is frozen after its greeting is noticed, dialled or accepted") {
    link_node::options fast;
    fast.election_timeout_ms = 400;
    link_node one(1, fast);
    raw_listener two;
    one.meet(2, two.port());
    const auto control = take_connection(two, wire::purpose::control);
    one.log->wait_for_up(2);
    one.log->wait_for_up(2, false);
  }

  TEST_CASE("a node that accepts and never greets is given up and dialled again") {
    link_node::options fast;
    fast.election_timeout_ms = 200;
    link_node one(1, fast);
    raw_listener two;
    one.meet(2, two.port());
    const auto first = two.accept();
    const auto second = two.accept();
    const auto control = take_connection(two, wire::purpose::control);
    one.log->wait_for_up(2);
  }

  TEST_CASE("a link that is reset in the middle of a frame comes back") {
    link_node one(1);
    raw_listener two;
    one.meet(2, two.port());
    for (int round = 1; round <= 3; ++round) {
      auto control = take_connection(two, wire::purpose::control);
      one.log->wait_for_changes(2, 2 * round - 1);
      control.write(std::string_view("\0\0\x40\0half", 8));
      control.reset();
      one.log->wait_for_changes(2, 2 * round);
    }
  }

  TEST_CASE("a node that comes back elsewhere is found when its address is told") {
    link_node one(1);
    auto two = std::make_unique<link_node>(2);
    one.meet(*two);
    two->meet(one);
    one.log->wait_for_up(2);
    two.reset();
    one.log->wait_for_up(2, false);
    two = std::make_unique<link_node>(2);
    // It cannot reach the other node itself.
    two->meet(1, 1);
    one.meet(*two);
    one.log->wait_for_up(2);
  }

  TEST_CASE("a node that was removed is refused and not dialled") {
    link_node one(1);
    link_node two(2);
    one.meet(two);
    two.meet(one);
    one.log->wait_for_up(2);
    two.log->wait_for_up(1);
    one.transport->remove_peer(raft::node_id(2));
    two.log->wait_for_up(1, false);
    one.log->wait_for_stranger(2);
    CHECK(one.transport->status().empty());
    one.send(parcel(1, vote()));
    one.meet(two);
    one.log->wait_for_changes(2, 3);
  }

  TEST_CASE("a node that reads nothing costs bounded memory and delays no other") {
    link_node::options small;
    small.send_window_bytes = std::size_t{4} << 20;
    link_node one(1, small);
    raw_listener two;
    link_node three(3);
    one.meet(2, two.port());
    const auto control = take_connection(two, wire::purpose::control);
    const auto bulk = take_connection(two, wire::purpose::bulk);
    one.meet(three);
    three.meet(one);
    one.log->wait_for_up(2);
    one.log->wait_for_up(3);
    three.log->wait_for_up(1);
    for (std::uint64_t i = 1; i <= 500; ++i) {
      one.send(parcel(1, append(i, 200'000)));
      one.send(parcel(2, append(i, 10'000)));
      auto to_three = parcel(3, vote(i));
      to_three.to = sample_replica(3);
      one.send(std::move(to_three));
    }
    auto last = parcel(4, raft::append_response{});
    last.to = sample_replica(3);
    one.send(std::move(last));
    const auto answered = [](const std::vector<raft_delivery>& all) {
      return std::ranges::any_of(all, [](const raft_delivery& each) {
        return std::holds_alternative<raft::append_response>(each.body);
      });
    };
    while (!answered(three.log->wait_for(1))) {
    }
    // What a peer says of itself is renewed now and then.
    auto status = one.transport->status();
    REQUIRE(status.size() == 2);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (status[0].dropped_full == 0 && std::chrono::steady_clock::now() < until) {
      one.send(parcel(1, append(501, 200'000)));
      status = one.transport->status();
    }
    CHECK(status[0].dropped_full > 0);
    for (const auto& connection : status[0].connections)
      CHECK(connection.window_bytes <= small.send_window_bytes);
    CHECK(status[1].dropped_full == 0);
  }
}

TEST_SUITE("actors.peer.sockets.calls") {
  buffer text(std::string_view what) {
    return buffer::copy_of(what);
  }

  /// Nodes 1 and 2, with both connections.
  struct linked {
    explicit linked(const link_node::options& opts = {}) : one(1, opts), two(2, opts) {
      one.meet(two);
      two.meet(one);
      one.log->wait_for_up(2);
      two.log->wait_for_up(1);
    }
    link_node one;
    link_node two;
  };

  TEST_CASE("nodes call each other, many at a time, small and large") {
    linked nodes;
    std::vector<std::pair<std::string, awaited_answer>> answers;
    for (int i = 0; i < 100; ++i) {
      const std::string question(i % 10 == 0 ? 300'000 : 10, static_cast<char>('a' + i % 26));
      auto& from = i % 2 == 0 ? nodes.one : nodes.two;
      answers.emplace_back(question, from.call(i % 2 == 0 ? 2 : 1, text(question)));
    }
    for (auto& [question, answer] : answers) {
      const auto got = answer.wait();
      REQUIRE(got);
      CHECK(got->text() == question);
    }
  }

  TEST_CASE("frames of any size behind frames of any size arrive as they were sent") {
    // Reads end at other places behind large frames, and a frame may end at any of them.
    linked nodes;
    std::mt19937_64 random(7);
    constexpr std::array<std::size_t, 6> edges = {4'096, 65'536, 131'072, 262'144, 1 << 20, 100};
    std::vector<std::pair<std::string, awaited_answer>> answers;
    for (int i = 0; i < 300; ++i) {
      const auto size = edges.at(random() % edges.size()) - 100 + random() % 200;
      std::string question(size, ' ');
      for (auto& each : question)
        each = static_cast<char>('a' + random() % 26);
      answers.emplace_back(question, nodes.one.call(2, text(question)));
      if (answers.size() < 20)
        continue;
      for (auto& [asked, answer] : std::exchange(answers, {})) {
        const auto got = answer.wait();
        REQUIRE(got);
        CHECK(got->text() == asked);
      }
    }
  }

  TEST_CASE("bulk carries the fetches of state, once it is there") {
    linked nodes;
    const std::string large(2 << 20, 'z');
    // It is dialled once control is there.
    for (;;) {
      const auto got = nodes.one.call(2, text(large), 30'000, call_kind::fetch_state).wait();
      if (got) {
        CHECK(got->text() == large);
        break;
      }
      REQUIRE(got.error().code == errc::broker_unavailable);
    }
  }

  TEST_CASE("the other node's errors, and a question that it drops") {
    linked nodes;
    CHECK(nodes.one.call(2, text("fail")).wait().error() ==
          error{errc::conflict, "node 1 asked for it"});
    CHECK(nodes.one.call(2, text("drop")).wait().error().code == errc::internal);
  }

  TEST_CASE("errors of the way, each with its code") {
    linked nodes;
    CHECK(nodes.one.call(9, text("a")).wait().error().code == errc::broker_unavailable);
    CHECK(nodes.one.call(1, text("a")).wait().error().code == errc::invalid_request);
    CHECK(nodes.one.call(2, text("keep"), 20).wait().error().code == errc::timed_out);
    CHECK(nodes.one.call(2, text("a"), -5).wait().error().code == errc::timed_out);
    CHECK(nodes.one.call(2, text(std::string(9 << 20, 'x'))).wait().error().code ==
          errc::message_too_large);
    nodes.one.meet(3, 1);
    CHECK(nodes.one.call(3, text("a")).wait().error().code == errc::broker_unavailable);
  }

  TEST_CASE("a node that answers no calls says so") {
    link_node::options silent;
    silent.answers_calls = false;
    linked nodes(silent);
    CHECK(nodes.one.call(2, text("a")).wait().error().code == errc::unsupported_api);
  }

  TEST_CASE("a link that ends, and a node that ends, answer what is under way") {
    linked nodes;
    auto first = nodes.one.call(2, text("keep"));
    const auto kept = nodes.two.echo->take_kept(1);
    nodes.two.transport->remove_peer(raft::node_id(1));
    CHECK(first.wait().error().code == errc::connection_lost);
    // To nobody.
    kept[0](text("late"));
    nodes.two.meet(nodes.one);
    nodes.one.log->wait_for_changes(2, 3);
    auto second = nodes.one.call(2, text("keep"));
    const auto others = nodes.two.echo->take_kept(1);
    nodes.one.transport->stop();
    CHECK(second.wait().error().code == errc::shutting_down);
    CHECK(nodes.one.call(2, text("a")).wait().error().code == errc::broker_unavailable);
  }

  TEST_CASE("calls that come while a link is being closed are all answered") {
    for (int round = 0; round < 20; ++round) {
      linked nodes;
      std::vector<awaited_answer> answers;
      for (int i = 0; i < 30; ++i) {
        answers.push_back(nodes.one.call(2, text("a")));
        if (i == round)
          nodes.one.transport->remove_peer(raft::node_id(2));
      }
      for (auto& answer : answers)
        (void)answer.wait();
    }
  }

  TEST_CASE("an answer outlives the node that asked and the one that was asked") {
    std::function<void(result<buffer>)> kept;
    {
      linked nodes;
      (void)nodes.one.call(2, text("keep"));
      kept = nodes.two.echo->take_kept(1)[0];
    }
    kept(text("to nobody"));
  }
}
