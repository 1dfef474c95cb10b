// The parts of a link: its queue, the order of appends, the translation of messages, the greeting.
#include "actors/peer/append_order.hpp"
#include "actors/peer/peer_hello.hpp"
#include "actors/peer/peer_inbox.hpp"
#include "actors/peer/send_queue.hpp"
#include "protocol/native/codec.hpp"
#include "tests/actors/raft_samples.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace aqueduct;
using namespace aqueduct::actors;
using namespace aqueduct::actors::test;
namespace wire = aqueduct::protocol::cluster;

TEST_SUITE("actors.peer.send_queue") {
  using outcome = send_queue::outcome;

  TEST_CASE("messages leave in order, as many as fit a frame, at least one") {
    send_queue queue(1 << 20);
    for (std::uint64_t i = 1; i <= 5; ++i)
      CHECK(queue.push(parcel(1, append(i, 1000))) == outcome::queued);

    CHECK(queue.take(10).size() == 1);
    const auto rest = queue.take(3500);
    REQUIRE(rest.size() == 3);
    CHECK(index_of(rest.front().body) == 2);
    CHECK(queue.size() == 1);
  }

  TEST_CASE("a newer heartbeat or vote takes the place of an older one of its group and kind") {
    send_queue queue(1 << 20);
    CHECK(queue.push(parcel(1, heartbeat(1))) == outcome::queued);
    CHECK(queue.push(parcel(2, heartbeat(1))) == outcome::queued);
    CHECK(queue.push(parcel(1, vote(1))) == outcome::queued);
    CHECK(queue.push(parcel(1, heartbeat(2))) == outcome::superseded);
    CHECK(queue.push(parcel(1, vote(2))) == outcome::superseded);
    auto other_life = parcel(1, heartbeat(3));
    other_life.to.incarnation = raft::incarnation(2);
    CHECK(queue.push(other_life) == outcome::queued);

    const auto all = queue.take(1 << 20);
    REQUIRE(all.size() == 4);
    CHECK(std::get<raft::heartbeat_request>(all[0].body).read_round == 2);
    CHECK(std::get<raft::vote_request>(all[2].body).term.value == 2);
    CHECK(queue.empty());
    CHECK(queue.push(parcel(1, heartbeat(4))) == outcome::queued);
  }

  TEST_CASE("appends never take the place of each other, nor do reads and answers") {
    send_queue queue(1 << 20);
    for (int i = 0; i < 2; ++i) {
      CHECK(queue.push(parcel(1, append(1))) == outcome::queued);
      CHECK(queue.push(parcel(1, raft::append_response{})) == outcome::queued);
      CHECK(queue.push(parcel(1, raft::read_index_request{})) == outcome::queued);
      CHECK(queue.push(parcel(1, raft::read_index_response{})) == outcome::queued);
    }
    CHECK(queue.size() == 8);
  }

  TEST_CASE("appends stop at three quarters of the window, votes pass until it is full") {
    send_queue queue(100'000);
    int appends = 0;
    while (queue.push(parcel(1, append(1, 1000))) == outcome::queued)
      ++appends;
    CHECK(queue.bytes() <= 75'000);
    CHECK(appends > 60);
    int votes = 0;
    while (queue.push(parcel(votes + 1, vote())) == outcome::queued)
      ++votes;
    CHECK(votes > 200);
    CHECK(queue.bytes() <= 100'000);
    // Full as it is, what is newer still gets in for what is older.
    CHECK(queue.push(parcel(1, vote(2))) == outcome::superseded);
  }

  TEST_CASE("what was taken counts against the window until it left") {
    send_queue queue(10'000);
    CHECK(queue.push(parcel(1, append(1, 7000))) == outcome::queued);
    (void)queue.take(1 << 20);
    CHECK(queue.push(parcel(1, append(2, 7000))) == outcome::dropped);
    queue.sent();
    CHECK(queue.push(parcel(1, append(3, 7000))) == outcome::queued);
  }

  TEST_CASE("what is larger than the window goes alone") {
    send_queue queue(10'000);
    CHECK(queue.push(parcel(1, append(1, 50'000))) == outcome::queued);
    CHECK(queue.push(parcel(1, append(2, 1))) == outcome::dropped);
  }

  TEST_CASE("a lost connection takes the appends along and leaves what supersedes") {
    send_queue queue(1 << 20);
    (void)queue.push(parcel(1, append(1)));
    (void)queue.push(parcel(1, vote(1)));
    (void)queue.push(parcel(1, heartbeat(1)));
    CHECK(queue.lose() == 1);
    CHECK(queue.size() == 2);
    CHECK(queue.push(parcel(1, vote(2))) == outcome::superseded);
    CHECK_FALSE(queue.is_patient());
    (void)queue.take(1);
    CHECK(queue.is_patient());
  }
}

TEST_SUITE("actors.peer.append_order") {
  using way = append_order::way;
  constexpr std::size_t small = 10;
  constexpr std::size_t large = 100;
  const auto group = sample_group(1);

  TEST_CASE("small appends go over control, large ones over bulk") {
    const append_order order(large);
    CHECK(order.way_of(group, small) == way::control);
    CHECK(order.way_of(group, large) == way::bulk);
  }

  TEST_CASE("small appends follow a large one over bulk until it has arrived") {
    append_order order(large);
    order.queued(group, purpose::bulk);
    CHECK(order.way_of(group, small) == way::bulk);
    CHECK(order.way_of(sample_group(2), small) == way::control);
    order.queued(group, purpose::bulk);
    order.left(purpose::bulk, 1, {group});
    CHECK(order.arrived(purpose::bulk, 1).empty());
    CHECK(order.way_of(group, small) == way::bulk);
    order.left(purpose::bulk, 2, {group});
    CHECK(order.arrived(purpose::bulk, 1).empty());
    CHECK(order.way_of(group, small) == way::bulk);
    CHECK(order.arrived(purpose::bulk, 2).empty());
    CHECK(order.way_of(group, small) == way::control);
  }

  TEST_CASE("a large append waits for small ones on control, and those behind it wait too") {
    append_order order(large);
    order.queued(group, purpose::control);
    CHECK(order.way_of(group, large) == way::wait);
    order.hold(parcel(1, append(2, large)));
    CHECK(order.way_of(group, small) == way::wait);
    order.hold(parcel(1, append(3, small)));
    CHECK(order.held_bytes() > large);
    order.left(purpose::control, 1, {group});
    const auto released = order.arrived(purpose::control, 1);
    REQUIRE(released.size() == 2);
    CHECK(index_of(released[0].body) == 2);
    CHECK(index_of(released[1].body) == 3);
    CHECK(order.held_bytes() == 0);
  }

  TEST_CASE("a lost connection ends the order on it") {
    append_order order(large);
    order.queued(group, purpose::control);
    order.hold(parcel(1, append(2, large)));
    order.queued(sample_group(2), purpose::bulk);
    CHECK(order.lost(purpose::control) == 1);
    CHECK(order.held_bytes() == 0);
    CHECK(order.way_of(group, large) == way::bulk);
    CHECK(order.way_of(sample_group(2), small) == way::bulk);
    CHECK(order.lost(purpose::bulk) == 0);
    CHECK(order.way_of(sample_group(2), small) == way::control);
  }
}

TEST_SUITE("actors.peer.raft_wire") {
  TEST_CASE("every message is the same after the way over the wire") {
    const raft::entry_id id{raft::term_id(4), raft::log_index(9)};
    const raft::term_id term(5);
    raft::membership members;
    members.voters = {sample_replica(1), sample_replica(2, 6)};
    members.learners = {sample_replica(3)};
    raft::append_request entries{term, id, raft::log_index(8), {}};
    for (std::uint64_t i = 10; i < 14; ++i)
      entries.entries.push_back({raft::log_index(i), term, static_cast<raft::entry_kind>(i - 10),
                                 sample_body((i - 10) * 20'000)});
    const auto all = std::to_array<raft::message>({
        raft::pre_vote_request{term, id},
        raft::pre_vote_response{term, true},
        raft::vote_request{term, id, true},
        raft::vote_response{term, true},
        entries,
        raft::append_response{term, false, raft::log_index(9), id},
        raft::heartbeat_request{term, raft::log_index(8), 2, true},
        raft::heartbeat_response{term, 2},
        raft::snapshot_offer{term, {id, members}},
        raft::snapshot_response{term, true, raft::log_index(9)},
        raft::timeout_now{term},
        raft::read_index_request{term, 6},
        raft::read_index_response{term, 6, true, raft::log_index(9)},
    });
    static_assert(std::variant_size_v<raft::message> == std::tuple_size_v<decltype(all)>);
    for (const auto& message : all) {
      CAPTURE(raft::to_string(message));
      const auto bytes = protocol::encode(wire::raft_messages{{to_wire(parcel(3, message))}});
      CHECK(bytes.size() <= wire_size(message) + 8);
      auto decoded = protocol::decode<wire::raft_messages>(bytes);
      REQUIRE(decoded);
      REQUIRE(wire::check(*decoded));
      const auto delivery = from_wire(std::move(decoded->messages[0]));
      CHECK(delivery.group == sample_group(3));
      CHECK(delivery.from == sample_replica(1));
      CHECK(delivery.to == sample_replica(2));
      CHECK(delivery.body.index() == message.index());
      CHECK(raft::to_string(delivery.body) == raft::to_string(message));
      // Not all fields are printed, but all are encoded.
      raft_parcel again{delivery.group, delivery.from, delivery.to, delivery.body};
      CHECK(protocol::encode(wire::raft_messages{{to_wire(std::move(again))}}) == bytes);
    }
  }

  TEST_CASE("small bodies are copied out of the frame, large ones are slices of it") {
    const auto is_slice = [](std::size_t size) {
      const auto frame =
          protocol::encode(wire::raft_messages{{to_wire(parcel(1, append(1, size)))}});
      auto decoded = protocol::decode<wire::raft_messages>(frame);
      REQUIRE(decoded);
      const auto delivery = from_wire(std::move(decoded->messages[0]));
      const auto* body = std::get<raft::append_request>(delivery.body).entries[0].body.data.get();
      return body >= frame.data() && body < frame.data() + frame.size();
    };
    CHECK_FALSE(is_slice(1000));
    CHECK(is_slice(100'000));
  }
}

TEST_SUITE("actors.peer.inbox") {
  TEST_CASE("the first message wakes, what does not fit is dropped") {
    peer_inbox inbox(5000, 10);
    CHECK(inbox.push({parcel(1, append(1, 2000))}));
    CHECK_FALSE(inbox.push({parcel(1, append(2, 2000))}));
    CHECK_FALSE(inbox.push({parcel(1, append(3, 2000)), parcel(1, vote())}));
    CHECK(inbox.dropped() == 1);
    CHECK(inbox.take().parcels.size() == 3);
    CHECK(inbox.push({parcel(1, append(4, 9000))}));
    CHECK_FALSE(inbox.push({}));
  }
}

TEST_SUITE("actors.peer.hello") {
  node_identity identity(int node) {
    node_identity us;
    us.self = sample_replica(node);
    us.session = static_cast<std::uint64_t>(node);
    us.software = "test";
    us.frame_bytes_max = 1000;
    return us;
  }

  uuid cluster(std::uint8_t number) {
    uuid id;
    id.bytes[0] = number;
    return id;
  }

  std::optional<wire::refusal> judged(const node_identity& us, const wire::hello& them) {
    const auto refused = judge(us, them);
    if (!refused)
      return std::nullopt;
    CHECK_FALSE(refused->message.empty());
    return refused->why;
  }

  TEST_CASE("nodes of one cluster, or that know none, may connect") {
    auto us = identity(1);
    auto them = identity(2);
    CHECK_FALSE(judged(us, make_hello(them, us.self.node, purpose::control)));
    us.cluster = cluster(1);
    CHECK_FALSE(judged(us, make_hello(them, us.self.node, purpose::bulk)));
    them.cluster = cluster(1);
    CHECK_FALSE(judged(us, make_hello(them, us.self.node, purpose::bulk)));
    CHECK_FALSE(judged(us, make_hello(them, raft::node_id(-1), purpose::bulk)));
    us.cluster = {};
    CHECK_FALSE(judged(us, make_hello(them, us.self.node, purpose::bulk)));
  }

  TEST_CASE("others are refused, each with its reason") {
    auto us = identity(1);
    us.cluster = cluster(1);
    auto them = identity(2);
    them.cluster = cluster(2);
    const auto node = us.self.node;
    CHECK(judged(us, make_hello(them, node, purpose::control)) == wire::refusal::other_cluster);
    them.cluster = cluster(1);
    CHECK(judged(us, make_hello(them, raft::node_id(3), purpose::control)) ==
          wire::refusal::other_node);
    CHECK(judged(us, make_hello(us, node, purpose::control)) == wire::refusal::own_id);
    them.self = us.self;
    CHECK(judged(us, make_hello(them, node, purpose::control)) == wire::refusal::own_id);
    auto future = make_hello(identity(2), node, purpose::control);
    future.protocol_min = 7;
    future.protocol_max = 9;
    CHECK(judged(us, future) == wire::refusal::unknown_version);
    future.protocol_min = future.protocol_max = 0;
    CHECK(judged(us, future) == wire::refusal::unknown_version);
  }

  TEST_CASE("the newest version that both speak is chosen") {
    auto hello = make_hello(identity(2), raft::node_id(1), purpose::control);
    hello.protocol_max = 40;
    CHECK(make_answer(identity(1), hello).protocol == wire::protocol_max);
  }

  protocol::frame_header header_of(protocol::frame_kind kind, protocol::api_key key,
                                   std::uint16_t version = 1) {
    return {12, kind, key, version, errc::none, 0};
  }

  TEST_CASE("the first frame must be a hello that makes sense") {
    using protocol::frame_kind;
    const auto good = protocol::encode(make_hello(identity(2), raft::node_id(1), purpose::control));
    CHECK(read_hello(header_of(frame_kind::request, wire::hello_key), good));
    CHECK_FALSE(read_hello(header_of(frame_kind::push, wire::hello_key), good));
    CHECK_FALSE(read_hello(header_of(frame_kind::request, wire::raft_key), good));
    const auto later = read_hello(header_of(frame_kind::request, wire::hello_key, 2), good);
    REQUIRE_FALSE(later);
    CHECK(later.error().code == errc::unsupported_version);
    CHECK_FALSE(read_hello(header_of(frame_kind::request, wire::hello_key),
                           good.slice(0, good.size() - 1)));
    auto odd = make_hello(identity(2), raft::node_id(1), static_cast<purpose>(3));
    CHECK_FALSE(read_hello(header_of(frame_kind::request, wire::hello_key), protocol::encode(odd)));
    odd = make_hello(identity(-2), raft::node_id(1), purpose::control);
    CHECK_FALSE(read_hello(header_of(frame_kind::request, wire::hello_key), protocol::encode(odd)));
  }

  TEST_CASE("an answer must come from the node that was dialled, and take the connection") {
    using protocol::frame_kind;
    auto us = identity(1);
    us.cluster = cluster(1);
    const auto header = header_of(frame_kind::response, wire::hello_key);
    const auto read = [&](const wire::hello_answer& answer) {
      return read_hello_answer(us, raft::node_id(2), header, protocol::encode(answer));
    };
    const auto good = make_answer(identity(2), {});
    CHECK(read(good));
    CHECK_FALSE(read_hello_answer(us, raft::node_id(2),
                                  header_of(frame_kind::response, wire::ping_key),
                                  protocol::encode(good)));
    const auto refused = read(make_refusal(identity(2), {wire::refusal::other_cluster, "no"}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "refused (other-cluster): no");
    CHECK(read(make_refusal(identity(2), {wire::refusal::duplicate, "no"})).error().code ==
          errc::conflict);
    CHECK(read(make_answer(identity(3), {})).error().message == "it is node 3, not node 2");
    auto other = identity(2);
    other.cluster = cluster(9);
    CHECK_FALSE(read(make_answer(other, {})));
    auto odd = good;
    odd.protocol = 9;
    CHECK(read(odd).error().code == errc::unsupported_version);
  }
}
