// What a producer can ask for beyond "append": times, conditions, identities, acks.
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("integration.produce");

using namespace aqueduct;
using namespace aqueduct::test;

TEST_CASE("a topic with LogAppendTime stamps records with the time of the append") {
  own_node own;
  create_topic(own.client, "stamped", 1, {{"message.timestamp.type", "LogAppendTime"}});
  const auto before = wall_ms();
  const auto outcome = produce(own.client, "stamped", 0, batch_of({"a", "b"}, 5));
  const auto after = wall_ms();
  CHECK(outcome.append_time_ms >= before);
  CHECK(outcome.append_time_ms <= after);
  const auto check = [&] {
    for (const auto& record : read_all(own.client, "stamped", 0))
      CHECK(record.timestamp_ms == outcome.append_time_ms);
    CHECK(offset_at(own.client, "stamped", 0, before).offset == 0);
    CHECK(offset_at(own.client, "stamped", 0, after + 1).offset == -1);
  };
  check();
  own.restart();
  check();
  // Back to the producer's times, for new records only.
  alter_topic(own.client, "stamped", {{"message.timestamp.type", "CreateTime"}});
  CHECK(produce(own.client, "stamped", 0, batch_of({"c"}, 5)).append_time_ms == -1);
  const auto records = read_all(own.client, "stamped", 0);
  REQUIRE(records.size() == 3);
  CHECK(records[1].timestamp_ms == outcome.append_time_ms);
  CHECK(records[2].timestamp_ms == 5);
}

TEST_CASE("of two conditional appends at the same offset one wins and the other learns the end") {
  own_node own;
  create_topic(own.client, "register");
  CHECK(produce(own.client, "register", 0, batch_of({"a", "b"}), 0).base_offset == 0);
  const auto loser = produce(own.client, "register", 0, batch_of({"x"}), 0);
  CHECK(loser.error == errc::offset_conflict);
  CHECK(loser.end_offset == 2);
  CHECK(loser.message.find("2") != std::string::npos);
  CHECK(produce(own.client, "register", 0, batch_of({"x"}), 3).error == errc::offset_conflict);

  // Many at once, from one connection without waiting: exactly one of each generation wins.
  std::vector<std::uint32_t> sent;
  for (int i = 0; i < 50; ++i)
    sent.push_back(
        own.client.send(produce_request_of("register", 0, batch_of({"r" + std::to_string(i)}), 2)));
  int winners = 0;
  for (const auto correlation : sent) {
    const auto frame = own.client.receive_answer(correlation);
    const auto answer = must(protocol::decode<protocol::produce_response>(frame.payload));
    const auto& outcome = answer.topics.at(0).partitions.at(0);
    winners += outcome.error == errc::none ? 1 : 0;
    CHECK((outcome.error == errc::none || outcome.error == errc::offset_conflict));
  }
  CHECK(winners == 1);
  own.restart();
  CHECK(values_of(read_all(own.client, "register", 0)) == std::vector<std::string>{"a", "b", "r0"});
  CHECK(produce(own.client, "register", 0, batch_of({"c"}), 3).base_offset == 3);
}

TEST_CASE(
    "a repeated batch of an idempotent producer gets its first offset, also after a restart") {
  own_node own;
  create_topic(own.client, "once", 2);
  const auto producer = new_producer(own.client);
  std::vector<buffer> batches;
  for (std::int32_t i = 0; i < 7; ++i)
    batches.push_back(batch_of({"a" + std::to_string(i), "b" + std::to_string(i)}, 1,
                               sequence_options(producer, i * 2)));
  for (std::int64_t i = 0; i < 7; ++i)
    CHECK(produce(own.client, "once", 0, batches[static_cast<std::size_t>(i)]).base_offset ==
          i * 2);

  const auto check = [&] {
    // The last five are remembered with their offsets; older ones are known to be stored.
    for (std::int64_t i = 2; i < 7; ++i) {
      const auto again = produce(own.client, "once", 0, batches[static_cast<std::size_t>(i)]);
      CHECK(again.error == errc::none);
      CHECK(again.base_offset == i * 2);
    }
    CHECK(produce(own.client, "once", 0, batches[0]).error == errc::duplicate_sequence);
    const auto gap =
        produce(own.client, "once", 0, batch_of({"x"}, 1, sequence_options(producer, 20)));
    CHECK(gap.error == errc::out_of_order_sequence);
    CHECK(log_end(own.client, "once") == 14);
  };
  check();
  SUBCASE("stopped") {
    own.restart();
  }
  SUBCASE("killed") {
    own.kill_and_start();
  }
  check();
  // Sequences are counted per partition, and a newer epoch fences the older one.
  CHECK(produce(own.client, "once", 1, batches[0]).base_offset == 0);
  protocol::init_producer_id_request next_epoch;
  next_epoch.producer_id = producer.producer_id;
  next_epoch.producer_epoch = producer.producer_epoch;
  const auto newer = must(own.client.call(next_epoch));
  CHECK(newer.producer_id == producer.producer_id);
  CHECK(newer.producer_epoch == producer.producer_epoch + 1);
  CHECK(
      produce(own.client, "once", 0, batch_of({"n"}, 1, sequence_options(newer, 0))).base_offset ==
      14);
  CHECK(produce(own.client, "once", 0, batch_of({"o"}, 1, sequence_options(producer, 14))).error ==
        errc::fenced_epoch);
}

TEST_CASE("a repeat of a conditional append is a repeat, not a conflict with its own first copy") {
  own_node own;
  create_topic(own.client, "register");
  const auto producer = new_producer(own.client);
  const auto first = batch_of({"a", "b"}, 1, sequence_options(producer, 0));
  const auto second = batch_of({"c"}, 1, sequence_options(producer, 2));
  CHECK(produce(own.client, "register", 0, first, 0).base_offset == 0);
  CHECK(produce(own.client, "register", 0, second, 2).base_offset == 2);
  const auto check = [&] {
    for (const auto& [batch, offset] : {std::pair(first, 0), std::pair(second, 2)}) {
      const auto again = produce(own.client, "register", 0, batch, offset);
      CHECK(again.error == errc::none);
      CHECK(again.base_offset == offset);
    }
    const auto other = batch_of({"x"}, 1, sequence_options(producer, 3));
    const auto conflict = produce(own.client, "register", 0, other, 2);
    CHECK(conflict.error == errc::offset_conflict);
    CHECK(conflict.end_offset == 3);
    CHECK(log_end(own.client, "register") == 3);
  };
  check();
  own.kill_and_start();
  check();
}

TEST_CASE("producer ids are never given twice, also after kills") {
  own_node own;
  std::int64_t last = -1;
  for (int life = 0; life < 3; ++life) {
    for (int i = 0; i < 5; ++i) {
      const auto id = new_producer(own.client).producer_id;
      CHECK(id > last);
      last = id;
    }
    own.kill_and_start();
  }
}

TEST_CASE("a batch that nobody waits for is stored without an answer") {
  own_node own;
  create_topic(own.client, "silent");
  (void)own.client.send(produce_request_of("silent", 0, batch_of({"a"}), -1, protocol::acks::none));
  // Requests of a connection to one partition are served in order: this one comes after.
  CHECK(append(own.client, "silent", 0, {"b"}) == 1);
  CHECK(values_of(read_all(own.client, "silent", 0)) == std::vector<std::string>{"a", "b"});
  CHECK(produce(own.client, "silent", 0, batch_of({"c"}), -1, protocol::acks::leader).base_offset ==
        2);
}

TEST_CASE("one request with many partitions is answered for each, good and bad") {
  own_node own;
  create_topic(own.client, "one", 2);
  create_topic(own.client, "two", 1);
  protocol::produce_request request;
  request.topics.push_back({"one",
                            {{1, -1, buffer_chain(batch_of({"a"}))},
                             {9, -1, buffer_chain(batch_of({"b"}))},
                             {0, -1, buffer_chain(buffer::copy_of("no batch"))}}});
  request.topics.push_back({"absent", {{0, -1, buffer_chain(batch_of({"c"}))}}});
  request.topics.push_back({"two", {{0, -1, buffer_chain(batch_of({"d"}))}}});
  const auto answer = must(own.client.call(request));
  REQUIRE(answer.topics.size() == 3);
  REQUIRE(answer.topics[0].partitions.size() == 3);
  CHECK(answer.topics[0].partitions[0].base_offset == 0);
  CHECK(answer.topics[0].partitions[1].error == errc::unknown_partition);
  CHECK(answer.topics[0].partitions[2].error == errc::corrupt_batch);
  CHECK(answer.topics[1].partitions[0].error == errc::unknown_topic);
  CHECK(answer.topics[2].partitions[0].error == errc::none);
  // A partition that is named twice takes both, in order.
  protocol::produce_request twice;
  twice.topics.push_back(
      {"two", {{0, -1, buffer_chain(batch_of({"e"}))}, {0, -1, buffer_chain(batch_of({"f"}))}}});
  const auto both = must(own.client.call(twice));
  CHECK(both.topics[0].partitions[0].base_offset == 1);
  CHECK(both.topics[0].partitions[1].base_offset == 2);
  // And a request that names nothing is answered with nothing.
  CHECK(must(own.client.call(protocol::produce_request{})).topics.empty());
}

TEST_SUITE_END();
