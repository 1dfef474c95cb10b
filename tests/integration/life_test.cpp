// The life of topics and their records on a node that is stopped, killed and started again.
#include "tests/integration/own_node.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

TEST_SUITE_BEGIN("integration.life");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

std::string bytes_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

TEST_CASE("whoever asks for the controller is sent to the node that METADATA names") {
  own_node own;
  for (int life = 0; life < 2; ++life) {
    const auto found = must(own.client.call(protocol::controller_discover_request{}));
    const auto known = must(own.client.call(protocol::metadata_request{}));
    REQUIRE(known.brokers.size() == 1);
    CHECK(found.node == known.controller);
    CHECK(found.node == known.brokers[0].node);
    CHECK(found.address ==
          known.brokers[0].host + ":" + std::to_string(own.node.client_address().port));
    own.restart();
  }
}

TEST_CASE("records that were produced are fetched with their offsets, keys, times and headers") {
  own_node own;
  create_topic(own.client, "orders", 3);
  protocol::batch_builder builder;
  const std::string key = "customer-7";
  const std::string value = "two of them";
  const std::string trace = "00-trace";
  const std::vector<protocol::record_header> headers{
      {"traceparent", std::as_bytes(std::span(trace))}, {"empty", std::nullopt}};
  protocol::record_to_write record;
  record.timestamp = timestamp_ms(1'700'000'000'123);
  record.key = std::as_bytes(std::span(key));
  record.value = std::as_bytes(std::span(value));
  record.headers = headers;
  REQUIRE(builder.append(record));
  REQUIRE(builder.append({timestamp_ms(1'700'000'000'124), std::nullopt, std::nullopt, {}}));

  const auto first = produce(own.client, "orders", 2, must(builder.finish()));
  const auto second = produce(own.client, "orders", 2, must(builder.finish()));

  CHECK(first.error == errc::none);
  CHECK(first.base_offset == 0);
  CHECK(second.base_offset == 2);
  const auto got = fetch(own.client, "orders", 2, 2);
  CHECK(got.high_watermark == 4);
  CHECK(got.log_start == 0);
  const auto bytes = got.records.flatten();
  auto rest = bytes.bytes();
  protocol::record_reader reader;
  reader.open(*must(protocol::next_batch(rest)));
  protocol::record_view seen;
  REQUIRE(reader.next(seen));
  CHECK(seen.offset == offset_t(2));
  CHECK(seen.timestamp == timestamp_ms(1'700'000'000'123));
  REQUIRE(seen.key.has_value());
  CHECK(std::ranges::equal(*seen.key, *record.key));
  REQUIRE(seen.value.has_value());
  CHECK(std::ranges::equal(*seen.value, *record.value));
  REQUIRE(seen.headers.size() == 2);
  CHECK(seen.headers.begin()->key == "traceparent");
  CHECK(std::ranges::equal(*seen.headers.begin()->value, *headers[0].value));
  REQUIRE(reader.next(seen));
  CHECK_FALSE(seen.key.has_value());
  CHECK_FALSE(seen.value.has_value());
  CHECK_FALSE(reader.next(seen));
  CHECK(reader.status());
  CHECK(fetch(own.client, "orders", 0, 0).high_watermark == 0);
}

TEST_CASE("batches of every codec come back as they were sent") {
  own_node own;
  create_topic(own.client, "codecs");
  const std::vector<std::string> values(50, std::string(200, 'x'));
  std::int64_t offset = 0;
  for (const auto codec : {protocol::codec::none, protocol::codec::gzip, protocol::codec::snappy,
                           protocol::codec::lz4, protocol::codec::zstd}) {
    protocol::batch_options options;
    options.compression = codec;
    const auto sent = batch_of(values, 1, options);
    const auto outcome = produce(own.client, "codecs", 0, sent);
    CHECK(outcome.base_offset == offset);
    const auto got = fetch(own.client, "codecs", 0, offset).records.flatten();
    // Everything behind the two fields that the leader stamps.
    constexpr auto own_part = protocol::batch_layout::magic;
    CHECK(got.slice(own_part, got.size() - own_part) ==
          sent.slice(own_part, sent.size() - own_part));
    offset += 50;
  }
}

namespace {

/// What a client can see of a partition.
struct partition_picture {
  std::vector<read_record> records;
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::vector<std::int64_t> offsets_by_time;

  friend bool operator==(const partition_picture&, const partition_picture&) = default;
};

partition_picture picture_of(native_client& client, const std::string& topic,
                             std::int32_t partition) {
  partition_picture picture;
  picture.records = read_all(client, topic, partition);
  picture.start = log_start(client, topic, partition);
  picture.end = log_end(client, topic, partition);
  for (std::int64_t time = 0; time <= 1200; time += 50) {
    const auto found = offset_at(client, topic, partition, time);
    CHECK(found.error == errc::none);
    picture.offsets_by_time.push_back(found.offset);
  }
  return picture;
}

void fill(native_client& client, const std::string& topic, std::int32_t partition) {
  for (std::int64_t i = 0; i < 100; ++i)
    append(client, topic, partition,
           {"a" + std::to_string(i), "b" + std::to_string(i), "c" + std::to_string(i)},
           100 + i * 10);
}

} // namespace

TEST_CASE("a restart serves the same records, offsets, times and settings") {
  own_node own;
  const auto created = create_topic(own.client, "ledger", 2,
                                    {{"retention.ms", "-1"}, {"max.message.bytes", "4096"}});
  fill(own.client, "ledger", 0);
  fill(own.client, "ledger", 1);
  append(own.client, "ledger", 1, {"last"}, 5);
  const std::vector<partition_picture> before{picture_of(own.client, "ledger", 0),
                                              picture_of(own.client, "ledger", 1)};
  CHECK(before[0].records.size() == 300);
  CHECK(before[1].records.size() == 301);
  CHECK(before[0].offsets_by_time[0] == 0);
  CHECK(before[0].offsets_by_time[3] == 15);
  const auto info = topic_info(own.client, "ledger");

  SUBCASE("after a clean stop") {
    CHECK(own.node.stop() == 0);
    own.node.start();
    own.client = native_client(own.node.client_address());
  }
  SUBCASE("after a kill") {
    own.kill_and_start();
  }

  CHECK(picture_of(own.client, "ledger", 0) == before[0]);
  CHECK(picture_of(own.client, "ledger", 1) == before[1]);
  const auto again = topic_info(own.client, "ledger");
  CHECK(again.id == created.id);
  CHECK(again.created_ms == info.created_ms);
  CHECK(setting_of(again, "retention.ms") == setting_of(info, "retention.ms"));
  CHECK(setting_of(again, "max.message.bytes") == "4096");
  // The log goes on where it ended.
  CHECK(append(own.client, "ledger", 0, {"next"}) == 300);
  CHECK(append(own.client, "ledger", 1, {"next"}) == 301);
}

TEST_CASE("a node without work stops at once") {
  // The fastest of a few: the machine may be busy, but nothing has to be waited for.
  auto fastest = test_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    own_node own;
    create_topic(own.client, "t");
    append(own.client, "t", 0, {"a"});
    const auto begin = test_clock::now();
    CHECK(own.node.stop() == 0);
    fastest = std::min(fastest, test_clock::now() - begin);
  }
  CHECK(fastest < std::chrono::milliseconds(200));
}

TEST_CASE("a start that fails says why and does not speak of a stop") {
  own_node own;
  const temp_directory folder;
  const auto& admin = own.node.admin_address();
  const auto taken = admin.host + ":" + std::to_string(admin.port);
  const auto run = run_node({"--data-dir", (folder.path() / "data").string(), "--listen",
                             "127.0.0.1:0", "--set", "admin.listen=" + taken});
  CHECK(run.status == 73);
  CHECK(run.output.empty());
  CHECK(run.errors.find("cannot listen on " + taken) != std::string::npos);
  CHECK(run.errors.find("stopped") == std::string::npos);
}

TEST_CASE("a restarted node is still the same node of the same cluster") {
  own_node own;
  const auto before = must(own.client.call(protocol::hello_request{}));
  const auto metadata = must(own.client.call(protocol::metadata_request{}));
  own.restart();
  const auto after = must(own.client.call(protocol::hello_request{}));
  CHECK_FALSE(before.cluster.is_nil());
  CHECK(after.cluster == before.cluster);
  CHECK(after.node == before.node);
  CHECK(metadata.controller == after.node);
  // The port is another one, and clients are told so.
  const auto brokers = must(own.client.call(protocol::metadata_request{})).brokers;
  REQUIRE(brokers.size() == 1);
  CHECK(brokers[0].port == own.node.client_address().port);
}

TEST_CASE("a topic that is deleted and created again starts at 0 and its old files are gone") {
  own_node own;
  const auto old_id = create_topic(own.client, "phoenix", 2).id;
  append(own.client, "phoenix", 0, {"old", "older"});
  append(own.client, "phoenix", 1, {"old"});
  const auto data = own.node.options().data_dir;
  REQUIRE_FALSE(files_with(data, to_string(old_id)).empty());

  CHECK(delete_topic(own.client, "phoenix") == old_id);
  CHECK(fetch(own.client, "phoenix", 0, 0).error == errc::unknown_topic);
  const auto new_id = create_topic(own.client, "phoenix", 1).id;

  CHECK(new_id != old_id);
  CHECK(log_start(own.client, "phoenix") == 0);
  CHECK(log_end(own.client, "phoenix") == 0);
  CHECK(append(own.client, "phoenix", 0, {"new"}) == 0);
  await(own.client, "phoenix", [&] { return files_with(data, to_string(old_id)).empty(); });
  own.restart();
  CHECK(values_of(read_all(own.client, "phoenix", 0)) == std::vector<std::string>{"new"});
  CHECK(files_with(data, to_string(old_id)).empty());
}

TEST_CASE("a deletion that a crash interrupts is finished after the restart") {
  own_node own;
  const auto id = create_topic(own.client, "doomed", 20).id;
  create_topic(own.client, "kept");
  append(own.client, "kept", 0, {"still here"});
  for (std::int32_t partition = 0; partition < 20; ++partition)
    append(own.client, "doomed", partition, {"x"});
  (void)own.client.send(protocol::delete_topic_request{"doomed", 30000});
  // Whatever of it has reached the node: the topic is there as a whole or gone as a whole.
  own.kill_and_start();
  const auto topics = must(own.client.call(protocol::list_topics_request{})).topics;
  const bool there = std::ranges::any_of(topics, [](const auto& t) { return t.name == "doomed"; });
  if (there) {
    for (std::int32_t partition = 0; partition < 20; ++partition)
      CHECK(values_of(read_all(own.client, "doomed", partition)) == std::vector<std::string>{"x"});
    delete_topic(own.client, "doomed");
  }
  const auto data = own.node.options().data_dir;
  await(own.client, "kept", [&] { return files_with(data, to_string(id)).empty(); });
  CHECK(values_of(read_all(own.client, "kept", 0)) == std::vector<std::string>{"still here"});
}

TEST_CASE("altered settings take effect at once and survive a restart") {
  own_node own;
  create_topic(own.client, "limits");
  const auto large = batch_of({std::string(5000, 'x')});
  CHECK(produce(own.client, "limits", 0, large).error == errc::none);

  alter_topic(own.client, "limits", {{"max.message.bytes", "2048"}});

  const auto refusal = produce(own.client, "limits", 0, large);
  CHECK(refusal.error == errc::message_too_large);
  CHECK(refusal.message.find("2048") != std::string::npos);
  CHECK(setting_of(topic_info(own.client, "limits"), "max.message.bytes") == "2048");
  own.restart();
  CHECK(produce(own.client, "limits", 0, large).error == errc::message_too_large);

  protocol::alter_topic_request reset;
  reset.name = "limits";
  reset.settings.push_back({"max.message.bytes", std::nullopt});
  (void)must(own.client.call(reset));
  CHECK(produce(own.client, "limits", 0, large).base_offset == 1);
}

TEST_CASE("a topic may demand a codec") {
  own_node own;
  create_topic(own.client, "zipped", 1, {{"compression.type", "zstd"}});
  protocol::batch_options zstd;
  zstd.compression = protocol::codec::zstd;
  CHECK(produce(own.client, "zipped", 0, batch_of({"a"}, 1, zstd)).error == errc::none);
  const auto refusal = produce(own.client, "zipped", 0, batch_of({"a"}));
  CHECK(refusal.error == errc::unsupported_codec);
  CHECK(refusal.message.find("zstd") != std::string::npos);
}

TEST_CASE("asking for the metadata of a topic creates it where the node allows it") {
  protocol::metadata_request wish;
  wish.topics = {"wish", "bad name"};
  wish.auto_create = true;
  SUBCASE("allowed") {
    own_node own({"topic.partitions-default=4"});
    const auto answer = must(own.client.call(wish));
    REQUIRE(answer.topics.size() == 2);
    CHECK(answer.topics[0].error == errc::none);
    CHECK(answer.topics[0].partitions.size() == 4);
    CHECK(answer.topics[0].partitions[3].leader == 1);
    CHECK(answer.topics[1].error == errc::invalid_topic);
    CHECK(append(own.client, "wish", 3, {"x"}) == 0);
    // The same wish again finds it.
    CHECK(must(own.client.call(wish)).topics[0].id == answer.topics[0].id);
  }
  SUBCASE("not allowed") {
    own_node own({"topic.auto-create=false"});
    CHECK(must(own.client.call(wish)).topics[0].error == errc::unknown_topic);
    CHECK(must(own.client.call(protocol::list_topics_request{})).topics.empty());
  }
  SUBCASE("not wished") {
    own_node own;
    wish.auto_create = false;
    CHECK(must(own.client.call(wish)).topics[0].error == errc::unknown_topic);
  }
}

TEST_CASE("a topic that could not be created by asking for it says why") {
  own_node own({"limits.partitions=1"});
  create_topic(own.client, "full");
  protocol::metadata_request wish;
  wish.topics = {"wish", "full", "__own", "bad name"};
  wish.auto_create = true;
  const auto answer = must(own.client.call(wish));
  REQUIRE(answer.topics.size() == 4);
  CHECK(answer.topics[0].error == errc::invalid_partitions);
  CHECK(answer.topics[0].message.find("limits.partitions") != std::string::npos);
  CHECK(answer.topics[1].error == errc::none);
  CHECK(answer.topics[1].message.empty());
  CHECK(answer.topics[2].error == errc::invalid_topic);
  CHECK(answer.topics[2].message.find("two underscores") != std::string::npos);
  CHECK(answer.topics[3].error == errc::invalid_topic);
}

TEST_CASE("partitions are added to a topic that serves, and stay") {
  own_node own({"limits.partitions=6"});
  create_topic(own.client, "grown", 2);
  CHECK(append(own.client, "grown", 1, {"before"}) == 0);
  protocol::alter_topic_request change;
  change.name = "grown";
  change.partitions = 4;
  change.validate_only = true;
  CHECK(must(own.client.call(change)).partitions == 4);
  CHECK(topic_info(own.client, "grown").partitions.size() == 2);
  change.validate_only = false;
  change.settings = settings_of({{"retention.ms", "-1"}});
  CHECK(must(own.client.call(change)).partitions == 4);
  const auto check = [&] {
    const auto info = topic_info(own.client, "grown");
    CHECK(info.partitions.size() == 4);
    CHECK(setting_of(info, "retention.ms") == "-1");
    protocol::metadata_request which;
    which.topics = {"grown"};
    const auto layout = must(own.client.call(which));
    REQUIRE(layout.topics[0].partitions.size() == 4);
    CHECK(layout.topics[0].partitions[3].leader == 1);
  };
  check();
  CHECK(append(own.client, "grown", 3, {"after"}) == 0);
  own.kill_and_start();
  check();
  CHECK(values_of(read_all(own.client, "grown", 1)) == std::vector<std::string>{"before"});
  CHECK(values_of(read_all(own.client, "grown", 3)) == std::vector<std::string>{"after"});

  change.settings.clear();
  for (const std::int32_t count : {3, 0, -2, 7, std::numeric_limits<std::int32_t>::max(),
                                   std::numeric_limits<std::int32_t>::min()}) {
    CAPTURE(count);
    change.partitions = count;
    const auto refusal = own.client.call(change);
    REQUIRE_FALSE(refusal);
    CHECK(refusal.error().code == errc::invalid_partitions);
  }
}

TEST_CASE("changes and creations that are sent without waiting are all kept or refused") {
  own_node own({"limits.partitions=5"});
  create_topic(own.client, "many");
  std::vector<std::uint32_t> waiting;
  for (const auto& [name, value] : setting_list{{"retention.ms", "-1"},
                                                {"segment.ms", "3600000"},
                                                {"compression.type", "zstd"},
                                                {"max.message.bytes", "50000"}}) {
    protocol::alter_topic_request change;
    change.name = "many";
    change.settings = settings_of({{name, value}});
    waiting.push_back(own.client.send(change));
  }
  for (const auto id : waiting)
    CHECK(own.client.receive_answer(id).header.status == errc::none);
  waiting.clear();
  for (int i = 0; i < 20; ++i) {
    protocol::create_topic_request creation;
    creation.name = "c" + std::to_string(i);
    waiting.push_back(own.client.send(creation));
  }
  int created = 0;
  for (const auto id : waiting) {
    const auto status = own.client.receive_answer(id).header.status;
    created += status == errc::none ? 1 : 0;
    CHECK((status == errc::none || status == errc::invalid_partitions));
  }
  CHECK(created == 4);
  CHECK(must(own.client.call(protocol::list_topics_request{})).topics.size() == 5);
  const auto info = topic_info(own.client, "many");
  CHECK(setting_of(info, "retention.ms") == "-1");
  CHECK(setting_of(info, "segment.ms") == "3600000");
  CHECK(setting_of(info, "compression.type") == "zstd");
  CHECK(setting_of(info, "max.message.bytes") == "50000");
}

TEST_CASE("files of a group that the cluster does not know are named and left alone") {
  own_node own;
  create_topic(own.client, "orders");
  REQUIRE(produce(own.client, "orders", 0, batch_of({"kept"})).error == errc::none);
  REQUIRE(own.node.stop() == 0);
  // The log of a topic that is none of this cluster's.
  const std::string stranger = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
  const auto groups = own.folder.path() / "data" / "groups";
  std::filesystem::path known;
  for (const auto& file : files_with(groups, ".log"))
    if (file.string().find("controller") == std::string::npos)
      known = file;
  REQUIRE_FALSE(known.empty());
  const auto planted = groups / stranger / "0" / known.filename();
  std::filesystem::create_directories(planted.parent_path());
  std::filesystem::copy_file(known, planted);
  const auto content = bytes_of_file(planted);

  own.node.start();
  own.client = native_client(own.node.client_address());
  await(own.client, "orders", [&] {
    return own.node.process().errors().find("group " + stranger + "/0 has files here") !=
           std::string::npos;
  });
  CHECK(values_of(read_all(own.client, "orders", 0)) == std::vector<std::string>{"kept"});
  CHECK(must(own.client.call(protocol::list_topics_request{})).topics.size() == 1);
  own.restart();
  CHECK(bytes_of_file(planted) == content);
}

TEST_CASE("validating a topic creates nothing") {
  own_node own;
  protocol::create_topic_request request;
  request.name = "dry";
  request.validate_only = true;
  CHECK(must(own.client.call(request)).id.is_nil());
  CHECK(must(own.client.call(protocol::list_topics_request{})).topics.empty());
  create_topic(own.client, "dry");
  protocol::alter_topic_request change;
  change.name = "dry";
  change.settings = settings_of({{"retention.ms", "5000"}});
  change.validate_only = true;
  (void)must(own.client.call(change));
  CHECK(setting_of(topic_info(own.client, "dry"), "retention.ms") == "604800000");
}

TEST_SUITE_END();
