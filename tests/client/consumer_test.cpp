#include "protocol/client/client.hpp"
#include "protocol/record_batch.hpp"
#include "tests/client/client_lab.hpp"

#include <doctest/doctest.h>

#include <future>
#include <map>
#include <set>
#include <thread>

using namespace aqueduct;
using namespace aqueduct::client;
using namespace std::chrono_literals;
using protocol::api_key;
using test::fake_cluster;
using test::open;
using test::reaction;
using kind = test::reaction::kind;

namespace {

const topic_partition tp{"t", partition_id(0)};

consumer_config quick(consume_mode mode = consume_mode::fetch) {
  consumer_config config;
  config.mode = mode;
  config.fetch_wait_max = 100ms;
  config.backoff_min = 1ms;
  config.backoff_max = 10ms;
  return config;
}

consumer create(const cluster& on, const consumer_config& config = quick()) {
  auto created = consumer::create(on, config);
  REQUIRE_MESSAGE(created, to_string(created.error()));
  return std::move(*created);
}

/// Stores `count` records in batches of `per_batch`, the number of each as its value.
void store(const cluster& on, int count, int per_batch = 10, int first = 0,
           compression codec = compression::none, const topic_partition& to = tp) {
  producer_config config;
  config.linger = 1min;
  config.batch_records = per_batch;
  config.codec = codec;
  auto sender = producer::create(on, config);
  REQUIRE(sender);
  for (int i = first; i < first + count; ++i) {
    const auto text = std::to_string(i);
    REQUIRE(sender->send({.topic = to.topic,
                          .partition = to.partition,
                          .value = text,
                          .timestamp = timestamp_ms(1'000'000 + i)}));
  }
  REQUIRE(sender->flush(10s));
}

/// Polls until `count` records have come, and checks that they are `first`, `first + 1` ...
void expect(consumer& from, int first, int count, const poll_limits& limits = {}) {
  for (int next = first; next < first + count;) {
    const auto got = from.poll(10s, limits);
    REQUIRE_MESSAGE(got, to_string(got.error()));
    REQUIRE_FALSE(got->empty());
    for (const auto& record : *got) {
      REQUIRE(record.value->text() == std::to_string(next));
      REQUIRE(record.offset.value == next++);
    }
  }
}

} // namespace

TEST_SUITE_BEGIN("client.consumer");

TEST_CASE("records come in order, from the beginning, by fetch and by push") {
  for (const auto mode : {consume_mode::fetch, consume_mode::push})
    for (const auto codec : {compression::none, compression::zstd}) {
      fake_cluster brokers;
      brokers.add_topic("t", 1);
      const auto on = open(brokers);
      store(on, 100, 7, 0, codec);
      auto reader = create(on, quick(mode));
      REQUIRE(reader.assign({{tp, start_position::earliest()}}));

      expect(reader, 0, 100);
      CHECK(reader.position(tp).value() == offset_t(100));
      CHECK(reader.high_watermark(tp).value() == offset_t(100));
      CHECK(reader.lag(tp).value() == 0);

      // And what is stored later comes as well.
      store(on, 50, 50, 100);
      expect(reader, 100, 50);
    }
}

TEST_CASE("a poll without records returns empty when its time is over") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto reader = create(on);
  CHECK(reader.poll(1ms).value().empty());
  REQUIRE(reader.assign({{tp, start_position::latest()}}));
  CHECK(reader.poll(0ms).value().empty());
  CHECK(reader.poll(20ms).value().empty());
}

TEST_CASE("reading starts where it is told to") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  store(on, 100, 10);
  auto reader = create(on);
  SUBCASE("at an offset within a batch") {
    REQUIRE(reader.assign({{tp, start_position::at(offset_t(37))}}));
    expect(reader, 37, 63);
  }
  SUBCASE("at a time") {
    REQUIRE(reader.assign({{tp, start_position::at_time(timestamp_ms(1'000'055))}}));
    // The fake finds the batch, as an index would.
    expect(reader, 51, 49);
  }
  SUBCASE("at a time after the last record: at the end") {
    REQUIRE(reader.assign({{tp, start_position::at_time(timestamp_ms(9'000'000))}}));
    REQUIRE(reader.poll(1ms));
    REQUIRE(brokers.wait([&] { return brokers.log.back().header.key == api_key::fetch; }));
    store(on, 5, 10, 100);
    expect(reader, 100, 5);
  }
  SUBCASE("at the end") {
    REQUIRE(reader.assign({{tp, start_position::latest()}}));
    REQUIRE(brokers.wait([&] { return brokers.log.back().header.key == api_key::fetch; }));
    store(on, 5, 10, 100);
    expect(reader, 100, 5);
  }
}

TEST_CASE("a seek drops what was read ahead and goes on elsewhere") {
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    fake_cluster brokers;
    brokers.add_topic("t", 1);
    const auto on = open(brokers);
    store(on, 1000, 10);
    auto reader = create(on, quick(mode));
    REQUIRE(reader.assign({{tp, start_position::earliest()}}));
    expect(reader, 0, 20, {.records_max = 5});

    REQUIRE(reader.seek(tp, start_position::at(offset_t(900))));
    CHECK(reader.position(tp).value() == offset_t(900));
    expect(reader, 900, 100);
    REQUIRE(reader.seek(tp, start_position::at(offset_t(3))));
    expect(reader, 3, 997, {.records_max = 13});
    CHECK(reader.seek({"t", partition_id(9)}, start_position::earliest()).error().code ==
          errc::not_found);
  }
}

TEST_CASE("seeks during a poll never let old records through") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  store(on, 2000, 100);
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
  std::atomic<bool> is_done = false;
  std::thread seeker([&] {
    for (int i = 0; !is_done; ++i)
      CHECK(reader.seek(tp, start_position::at(offset_t(i % 2000))));
  });
  for (int polls = 0; polls < 300; ++polls) {
    const auto got = reader.poll(1ms, {.records_max = 64});
    REQUIRE(got);
    for (std::size_t i = 1; i < got->size(); ++i)
      REQUIRE((*got)[i].value->text() == std::to_string((*got)[i].offset.value));
  }
  is_done = true;
  seeker.join();
}

TEST_CASE("a paused partition is silent and goes on where it was") {
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    fake_cluster brokers;
    brokers.add_topic("t", 2);
    const auto on = open(brokers);
    const topic_partition other{"t", partition_id(1)};
    store(on, 50, 5);
    store(on, 50, 5, 0, compression::none, other);
    auto reader = create(on, quick(mode));
    REQUIRE(reader.assign({{tp, start_position::earliest()}, {other, start_position::earliest()}}));
    REQUIRE(reader.pause(tp));
    std::size_t seen = 0;
    while (seen < 50) {
      const auto got = reader.poll(10s, {.records_max = 7});
      REQUIRE(got);
      for (const auto& record : *got)
        REQUIRE(record.partition == partition_id(1));
      seen += got->size();
    }
    CHECK(reader.poll(1ms)->empty());
    REQUIRE(reader.resume(tp));
    expect(reader, 0, 50);
  }
}

TEST_CASE("partitions take turns, each in its own order, at all their leaders") {
  fake_cluster brokers(3);
  brokers.add_topic("t", 6);
  for (int p = 0; p < 6; ++p)
    brokers.move_leader("t", p, p % 3);
  const auto on = open(brokers);
  for (int p = 0; p < 6; ++p)
    store(on, 200, 20, 0, compression::none, {"t", partition_id(p)});
  auto reader = create(on);
  REQUIRE(reader.assign_topic("t", start_position::earliest()));
  CHECK(reader.assigned().size() == 6);
  std::map<std::int32_t, std::int64_t> next;
  for (int total = 0; total < 1200;) {
    const auto got = reader.poll(10s, {.records_max = 33});
    REQUIRE(got);
    REQUIRE(got->size() <= 33);
    for (const auto& record : *got)
      REQUIRE(record.offset.value == next[record.partition.value]++);
    total += static_cast<int>(got->size());
  }
}

TEST_CASE("an offset out of range is reset as configured") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  store(on, 100, 10);
  brokers.with([](fake_cluster& state) { state.topics.at("t").partitions[0].log_start = 50; });
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    auto config = quick(mode);
    SUBCASE("to the beginning") {
      config.on_out_of_range = offset_reset::earliest;
      auto reader = create(on, config);
      REQUIRE(reader.assign({{tp, start_position::at(offset_t(7))}}));
      expect(reader, 50, 50);
    }
    SUBCASE("to an error that names the partition, once, until a seek") {
      config.on_out_of_range = offset_reset::error;
      auto reader = create(on, config);
      REQUIRE(reader.assign({{tp, start_position::at(offset_t(1000))}}));
      const auto got = reader.poll(10s);
      REQUIRE_FALSE(got);
      CHECK(got.error().code == errc::offset_out_of_range);
      CHECK(got.error().message.find("t/0") != std::string::npos);
      CHECK(reader.failed_partition() == tp);
      CHECK(reader.poll(5ms).value().empty());
      REQUIRE(reader.seek(tp, start_position::at(offset_t(60))));
      expect(reader, 60, 40);
    }
  }
  SUBCASE("to the end") {
    auto config = quick();
    config.on_out_of_range = offset_reset::latest;
    auto reader = create(on, config);
    REQUIRE(reader.assign({{tp, start_position::at(offset_t(1000))}}));
    REQUIRE(brokers.wait([&] {
      return brokers.log.back().header.key == api_key::fetch &&
             brokers.log.back().as<protocol::fetch_request>().topics[0].partitions[0].offset == 100;
    }));
    store(on, 5, 10, 100);
    expect(reader, 100, 5);
  }
}

TEST_CASE("reading follows the leader, and goes on after broken connections") {
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    fake_cluster brokers(2);
    brokers.add_topic("t", 1, 0);
    const auto on = open(brokers);
    store(on, 50, 10);
    auto reader = create(on, quick(mode));
    REQUIRE(reader.assign({{tp, start_position::earliest()}}));
    expect(reader, 0, 50);

    brokers.move_leader("t", 0, 1);
    brokers.drop_connections();
    store(on, 50, 10, 50);
    expect(reader, 50, 50);

    brokers.drop_connections();
    store(on, 50, 10, 100);
    expect(reader, 100, 50);
  }
}

// -- reading from replicas that do not lead -------------------------------------------------------

namespace {

/// One topic with a partition that broker 0 leads and brokers 1 and 2 have as well.
struct replicated {
  replicated() : brokers(3) {
    brokers.add_topic("t", 1, 0);
    brokers.with([](fake_cluster& it) {
      it.topics["t"].partitions[0].followers = {{0, -1}, {1, -1}, {2, -1}};
      it.racks = {{0, "a"}, {1, "b"}, {2, "c"}};
      return 0;
    });
  }

  /// Brokers that got a FETCH.
  std::set<int> fetched_from() {
    return brokers.with([](fake_cluster& it) {
      std::set<int> nodes;
      for (const auto& each : it.log)
        if (each.header.key == api_key::fetch)
          nodes.insert(each.node);
      return nodes;
    });
  }

  fake_cluster brokers;
};

consumer_config reading_from(const read_source& source) {
  auto config = quick();
  config.read_from = source;
  return config;
}

} // namespace

TEST_CASE("followers are read from where that is allowed, and say how old their answer is") {
  replicated it;
  const auto on = open(it.brokers);
  store(on, 50);
  auto reader = create(on, reading_from(read_source::within(200ms)));
  it.brokers.on_next(api_key::fetch, 1, {.what = kind::hold});
  REQUIRE(reader.assign({{tp, start_position::earliest()}}));
  CHECK(reader.last_answer(tp).error().code == errc::topic_not_ready);
  REQUIRE(it.brokers.wait([&] { return it.brokers.log.back().header.key == api_key::fetch; }));
  REQUIRE(it.brokers.release() == 1);
  expect(reader, 0, 50);

  const auto nodes = it.fetched_from();
  CHECK(nodes.size() == 1);
  CHECK_FALSE(nodes.contains(0));
  const auto from = reader.last_answer(tp);
  REQUIRE(from);
  CHECK(nodes.contains(from->replica.value));
  CHECK_FALSE(from->leads);
  CHECK(from->age == 7ms);
  const auto asked = it.brokers.with([](fake_cluster& all) {
    const auto last = std::ranges::find(all.log, api_key::fetch,
                                        [](const auto& each) { return each.header.key; });
    return last->as<protocol::fetch_request>();
  });
  CHECK(asked.freshness == protocol::fetch_freshness::bounded);
  CHECK(asked.age_ms_max == 200);
}

TEST_CASE("a replica in the rack of the client is read from before others") {
  replicated it;
  cluster_config config;
  config.brokers = it.brokers.addresses();
  config.rack = "c";
  const auto on = *cluster::open(config);
  store(on, 10);
  auto reader = create(on, reading_from(read_source::any()));
  REQUIRE(reader.assign({{tp, start_position::earliest()}}));
  expect(reader, 0, 10);
  CHECK(it.fetched_from() == std::set<int>{2});
}

TEST_CASE("the leader is read from when a follower cannot answer, without a gap or a repeat") {
  replicated it;
  const auto on = open(it.brokers);
  store(on, 50);
  SUBCASE("because it refuses") {
    it.brokers.on(api_key::fetch, [](const test::fake_request& request) {
      return request.node == 0 ? reaction{} : reaction{kind::fail_partitions, errc::not_leader, 0};
    });
  }
  SUBCASE("because of an error that only the leader may tell") {
    it.brokers.on(api_key::fetch, [](const test::fake_request& request) {
      return request.node == 0 ? reaction{}
                               : reaction{kind::fail_partitions, errc::offset_out_of_range};
    });
  }
  SUBCASE("because it is gone") {
    it.brokers.on(api_key::fetch, [](const test::fake_request& request) {
      return request.node == 0 ? reaction{} : reaction{kind::close};
    });
  }
  SUBCASE("because it is behind") {
    it.brokers.with([](fake_cluster& all) {
      all.topics["t"].partitions[0].followers = {{1, 0}, {2, 0}};
      return 0;
    });
  }
  auto reader = create(on, reading_from(read_source::any()));
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(20))}}));
  expect(reader, 20, 30);
  CHECK(it.fetched_from().contains(0));
  CHECK(reader.last_answer(tp)->leads);
}

TEST_CASE("without their leader followers are read from, one after the other") {
  replicated it;
  const auto on = open(it.brokers);
  store(on, 50);
  it.brokers.on(api_key::fetch, [](const test::fake_request& request) {
    return request.number < 3 || request.node == 0 ? reaction{kind::close} : reaction{};
  });
  auto reader = create(on, reading_from(read_source::any()));
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
  expect(reader, 0, 50);
}

TEST_CASE("pushes come from the leader only") {
  auto config = quick(consume_mode::push);
  config.read_from = read_source::any();
  CHECK(config.validate().error().code == errc::invalid_config);
  config = reading_from(read_source::within(-1ms));
  CHECK(config.validate().error().code == errc::invalid_config);
}

TEST_CASE("passing errors are retried in silence") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  store(on, 50, 10);
  brokers.on_next(api_key::fetch, 3, {.what = kind::fail_partitions, .code = errc::overloaded});
  brokers.on_next(api_key::list_offsets, 2, {.what = kind::fail, .code = errc::shutting_down});
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::earliest()}}));
  expect(reader, 0, 50);
}

TEST_CASE("an error that a retry cannot help is returned, and the other partitions go on") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  brokers.add_topic("u", 1);
  const auto on = open(brokers);
  store(on, 10, 10);
  brokers.on_next(api_key::fetch, 1, {.what = kind::fail_partitions, .code = errc::unauthorized});
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
  CHECK(reader.poll(10s).error().code == errc::unauthorized);
  REQUIRE(reader.seek(tp, start_position::at(offset_t(0))));
  expect(reader, 0, 10);
}

TEST_CASE("a damaged batch stops its partition after the records before it") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  store(on, 30, 10);
  brokers.with([](fake_cluster& state) {
    auto& damaged = state.topics.at("t").partitions[0].batches.back();
    std::vector bytes(damaged.bytes().begin(), damaged.bytes().end());
    bytes.back() ^= std::byte{1};
    damaged = buffer::from(std::move(bytes));
  });
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
  const auto batches = brokers.with(
      [](fake_cluster& state) { return state.topics.at("t").partitions[0].batches.size(); });
  REQUIRE(batches == 4);
  expect(reader, 0, 21);
  const auto got = reader.poll(10s);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == errc::corrupt_batch);
}

TEST_CASE("batches that do not reach the wanted offset are not taken for progress") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  store(on, 10, 10);
  brokers.with([](fake_cluster& state) {
    // The log says that it ends later than it does: the same batch would be served for ever.
    auto& part = state.topics.at("t").partitions[0];
    auto bytes = std::vector(part.batches[0].bytes().begin(), part.batches[0].bytes().end());
    part.batches.push_back(buffer::from(std::move(bytes)));
  });
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
  const auto got = reader.poll(10s);
  CHECK(got.error().code == errc::corrupt_batch);
}

TEST_CASE("reading ahead is bounded, and goes on as the user takes records") {
  for (const auto mode : {consume_mode::fetch, consume_mode::push}) {
    fake_cluster brokers;
    brokers.add_topic("t", 1);
    const auto on = open(brokers);
    const std::string kilobyte(1000, 'x');
    {
      producer_config config;
      config.batch_bytes = 2048;
      auto sender = producer::create(on, config);
      for (int i = 0; i < 200; ++i)
        REQUIRE(sender->send({.topic = "t", .value = kilobyte}));
      REQUIRE(sender->flush(10s));
    }
    auto config = quick(mode);
    config.partition_bytes_max = 10'000;
    config.prefetch_bytes = 20'000;
    auto reader = create(on, config);
    REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
    std::size_t total = 0;
    while (total < 200) {
      const auto got = reader.poll(10s, {.records_max = 3});
      REQUIRE(got);
      REQUIRE_FALSE(got->empty());
      total += got->size();
      if (mode == consume_mode::push)
        brokers.with([&](fake_cluster& state) {
          // What is pushed and not taken is within the window, but for the last batch of a push.
          const auto taken = static_cast<std::int64_t>(total) * 1050;
          CHECK(state.bytes_pushed - taken < 10'000 + 3 * 2200);
        });
    }
    if (mode == consume_mode::push)
      CHECK(brokers.with([](fake_cluster& state) { return state.credit_given; }) > 150'000);
  }
}

TEST_CASE("a long poll that is parked does not delay other requests") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto config = quick();
  config.fetch_wait_max = 60s;
  config.request_timeout = 60s;
  auto reader = create(on, config);
  REQUIRE(reader.assign({{tp, start_position::at(offset_t(0))}}));
  REQUIRE(brokers.wait([&] { return brokers.log.back().header.key == api_key::fetch; }));

  store(on, 1);

  expect(reader, 0, 1);
}

TEST_CASE("subscriptions end with the assignment, with a pause and with the consumer") {
  fake_cluster brokers;
  brokers.add_topic("t", 2);
  const auto on = open(brokers);
  const auto opened = [&](std::size_t count) {
    return brokers.wait([&, count] { return brokers.subscriptions_open == count; });
  };
  {
    auto reader = create(on, quick(consume_mode::push));
    REQUIRE(reader.assign_topic("t", start_position::earliest()));
    CHECK(opened(2));
    REQUIRE(reader.pause(tp));
    CHECK(opened(1));
    REQUIRE(reader.resume(tp));
    CHECK(opened(2));
    REQUIRE(reader.assign({{tp, start_position::earliest()}}));
    CHECK(opened(1));
  }
  CHECK(opened(0));
}

TEST_CASE("a poll under way ends when the consumer or the cluster is closed") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  auto on = open(brokers);
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::latest()}}));
  auto poll = std::async(std::launch::async, [&] { return reader.poll(1h); });
  SUBCASE("consumer") {
    reader.close();
  }
  SUBCASE("cluster") {
    on.close();
  }
  CHECK(poll.get().error().code == errc::cancelled);
  CHECK(reader.poll(1ms).error().code == errc::cancelled);
}

TEST_CASE("a record set outlives its consumer and the cluster") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  record_set kept;
  {
    const auto on = open(brokers);
    store(on, 10, 10, 0, compression::lz4);
    auto reader = create(on);
    REQUIRE(reader.assign({{tp, start_position::at(offset_t(1))}}));
    kept = std::move(*reader.poll(10s));
  }
  CHECK(kept[0].topic == "t");
  CHECK(kept[0].value->text() == "1");
  CHECK(kept.payload_bytes() == kept.size());
}

TEST_CASE("an assignment that makes no sense is refused and changes nothing") {
  fake_cluster brokers;
  brokers.add_topic("t", 1);
  const auto on = open(brokers);
  auto reader = create(on);
  REQUIRE(reader.assign({{tp, start_position::earliest()}}));
  CHECK(reader.assign({{tp}, {tp}}).error().code == errc::invalid_request);
  CHECK(reader.assign({{{"a/b", partition_id(0)}}}).error().code == errc::invalid_topic);
  CHECK(reader.assign({{{"t", partition_id(-1)}}}).error().code == errc::unknown_partition);
  CHECK(reader.assign({{tp, start_position::at(offset_t(-1))}}).error().code ==
        errc::offset_out_of_range);
  CHECK(reader.assign_topic("nowhere", start_position::earliest()).error().code ==
        errc::unknown_topic);
  CHECK(reader.assigned() == std::vector{tp});
}

TEST_CASE("settings of a consumer that are out of range are refused by name") {
  consumer_config config;
  CHECK(config.validate());
  config.prefetch_bytes = 1;
  CHECK(config.validate().error().message.find("prefetch_bytes") == 0);
  config = {};
  config.fetch_wait_max = 2min;
  CHECK(config.validate().error().code == errc::invalid_config);
}

TEST_SUITE_END();
