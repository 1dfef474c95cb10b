// Small requests that could have large answers, or stay in the node's memory for long.
#include "tests/integration/sturdy_node.hpp"

#include <doctest/doctest.h>

#include <limits>

TEST_SUITE_BEGIN("integration.amplification");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

/// The answer to `request`, which must be of a size with it.
template <class Request>
received_frame proportionate_answer(native_client& client, const Request& request) {
  const auto frame = client.receive_answer(client.send(request));
  CHECK(frame.payload.size() < 64 * 1024 + 8 * protocol::encode(request).size());
  return frame;
}

template <class Request>
typename exchange_of<Request>::response answer_to(native_client& client, const Request& request) {
  const auto frame = proportionate_answer(client, request);
  REQUIRE(frame.header.status == errc::none);
  return must(protocol::decode<typename exchange_of<Request>::response>(frame.payload,
                                                                        frame.header.version));
}

} // namespace

TEST_CASE("a long name of a topic is not repeated for each of its partitions") {
  sturdy_node own;
  const std::string name(mib, 'n');
  const auto refused = [](const auto& rows) {
    REQUIRE(rows.size() == 500);
    for (const auto& row : rows) {
      CHECK(row.error == errc::invalid_topic);
      CHECK(row.message.find("249") != std::string::npos);
    }
  };
  auto read = fetch_request_of(name, 0, 0);
  read.topics[0].partitions.resize(500);
  refused(answer_to(own.client, read).topics.at(0).partitions);

  auto write = produce_request_of(name, 0, batch_of({"x"}));
  write.topics[0].partitions.resize(500, write.topics[0].partitions[0]);
  refused(answer_to(own.client, write).topics.at(0).partitions);

  protocol::list_offsets_request offsets;
  offsets.topics = {{name, std::vector<protocol::list_offsets_partition>(500)}};
  refused(answer_to(own.client, offsets).topics.at(0).partitions);

  protocol::delete_records_request deletion;
  deletion.topic = name;
  deletion.partitions.resize(500);
  refused(answer_to(own.client, deletion).partitions);
  own.check_unharmed();
}

TEST_CASE("the name of a topic that is not there is in one sentence of the answer") {
  sturdy_node own;
  const std::string longest(249, 'n');
  auto absent = fetch_request_of(longest, 0, 0);
  absent.topics[0].partitions.resize(5000);
  const auto none = answer_to(own.client, absent).topics.at(0).partitions;
  CHECK(none.front().error == errc::unknown_topic);
  CHECK(none.front().message.find(longest) != std::string::npos);
  CHECK(none.back().error == errc::unknown_topic);
  CHECK(none.back().message == "there is no such topic");

  create_topic(own.client, longest, 2);
  for (auto& partition : absent.topics[0].partitions)
    partition.partition = 2;
  const auto beyond = answer_to(own.client, absent).topics.at(0).partitions;
  CHECK(beyond.front().error == errc::unknown_partition);
  CHECK(beyond.front().message == "topic '" + longest + "' has partitions 0 to 1");
  CHECK(beyond.back().message == "the topic has partitions 0 to 1");
  own.check_unharmed();
}

TEST_CASE("a name that no topic can have says so wherever a topic is named") {
  sturdy_node own;
  const std::string name = "with space";
  CHECK(fetch(own.client, name, 0, 0).error == errc::invalid_topic);
  CHECK(produce(own.client, name, 0, batch_of({"x"})).error == errc::invalid_topic);
  CHECK(offset_at(own.client, name, 0, -1).error == errc::invalid_topic);
  CHECK(delete_records(own.client, name, 0, 0).error == errc::invalid_topic);
  CHECK(own.client.call(protocol::get_topic_info_request{name}).error().code ==
        errc::invalid_topic);
  protocol::subscribe_request subscribe;
  subscribe.topic = name;
  subscribe.partitions = {{0, 0}};
  const auto refusal = own.client.call(subscribe);
  REQUIRE_FALSE(refusal);
  CHECK(refusal.error().code == errc::invalid_topic);
  CHECK(refusal.error().message.find("character 5") != std::string::npos);
}

TEST_CASE("a sentence that quotes what a client sent is cut") {
  sturdy_node own;
  for (const std::string letter : {"s", "\xc3\xa4"}) {
    std::string word;
    while (word.size() < mib)
      word += letter;
    protocol::alter_topic_request change;
    change.name = "witness";
    change.settings = settings_of({{word, "1"}, {"retention.ms", word}});
    const auto refusal = own.client.call(change);
    REQUIRE_FALSE(refusal);
    CHECK(refusal.error().message.size() < 1100);
    CHECK(refusal.error().message.ends_with(letter + "..."));
    CHECK(own.client.call(protocol::delete_topic_request{word}).error().message.size() < 1100);
  }
  own.check_unharmed();
}

TEST_CASE("metadata answers a name once, however often it is asked") {
  sturdy_node own;
  create_topic(own.client, "t", 100);
  protocol::metadata_request request;
  request.topics.emplace(50'000, "t");
  request.topics->push_back("absent");
  request.topics->insert(request.topics->end(), 50'000, "absent");
  const auto answer = answer_to(own.client, request);
  REQUIRE(answer.topics.size() == 2);
  CHECK(answer.topics[0].name == "t");
  CHECK(answer.topics[0].partitions.size() == 100);
  CHECK(answer.topics[1].error == errc::unknown_topic);
  request.auto_create = true;
  CHECK(answer_to(own.client, request).topics.at(1).error == errc::none);
  own.check_unharmed();
}

TEST_CASE("a subscription that names 200,000 partitions is answered while others are served") {
  sturdy_node own;
  protocol::subscribe_request wish;
  wish.subscription = 1;
  wish.topic = "witness";
  for (std::int32_t i = 0; i < 200'000; ++i)
    wish.partitions.push_back({i, 0});
  wish.partitions.push_back({7, 0});
  const auto refusal = own.client.call(wish);
  REQUIRE_FALSE(refusal);
  CHECK(refusal.error().code == errc::quota_exceeded);
  wish.partitions.resize(9'999);
  wish.partitions.push_back({7, 0});
  const auto answer = must(own.client.call(wish));
  CHECK(answer.partitions.at(0).error == errc::none);
  CHECK(answer.partitions.at(1).error == errc::unknown_partition);
  CHECK(answer.partitions.back().error == errc::unknown_partition);
  (void)must(own.client.call(protocol::unsubscribe_request{1}));
  protocol::subscribe_request twice;
  twice.subscription = 2;
  twice.topic = "witness";
  twice.partitions = {{0, 0}, {0, 40}};
  const auto described = must(own.client.call(twice));
  for (const auto& row : described.partitions) {
    CHECK(row.error == errc::invalid_request);
    CHECK(row.message.find("twice") != std::string::npos);
  }
  own.check_unharmed(128 * mib);
}

TEST_CASE("subscriptions are counted, per connection and in all, and given back") {
  sturdy_node own({"limits.subscriptions-per-connection=10", "limits.subscriptions=15"});
  create_topic(own.client, "wide", 10);
  const auto subscribe = [](native_client& client, std::uint32_t number, std::int32_t count) {
    protocol::subscribe_request wish;
    wish.subscription = number;
    wish.topic = "wide";
    for (std::int32_t i = 0; i < count; ++i)
      wish.partitions.push_back({i, -1});
    return client.call(wish);
  };
  const auto refused = [&](native_client& client, std::int32_t count, std::string_view limit) {
    const auto refusal = subscribe(client, 99, count);
    REQUIRE_FALSE(refusal);
    CHECK(refusal.error().code == errc::quota_exceeded);
    CHECK(refusal.error().message.find(limit) != std::string::npos);
  };
  must(subscribe(own.client, 1, 4));
  must(subscribe(own.client, 2, 6));
  refused(own.client, 1, "limits.subscriptions-per-connection");
  {
    native_client second(own.node.client_address());
    must(subscribe(second, 1, 5));
    refused(second, 1, "limits.subscriptions, 15");
    must(own.client.call(protocol::unsubscribe_request{1}));
    must(subscribe(second, 2, 4));
  }
  // The connection that ended gives back what it had.
  native_client third(own.node.client_address());
  await(own.client, "witness", [&] {
    const auto answer = subscribe(third, 1, 9);
    return answer.has_value();
  });
  refused(third, 1, "limits.subscriptions, 15");
  own.check_unharmed();
}

TEST_CASE("a fetch that was answered, or whose client has gone, is not kept for its wait") {
  sturdy_node own;
  create_topic(own.client, "quiet");
  constexpr auto for_ever = std::numeric_limits<std::int32_t>::max();
  for (int round = 0; round < 100; ++round) {
    // Refused at once.
    native_client hasty(own.node.client_address());
    std::vector<std::uint32_t> asked;
    for (int i = 0; i < 500; ++i)
      asked.push_back(hasty.send(fetch_request_of("quiet", 0, 77, for_ever)));
    for (const auto correlation : asked)
      (void)hasty.receive_answer(correlation);
    // Waits, and is left.
    for (int i = 0; i < 500; ++i)
      (void)hasty.send(fetch_request_of("quiet", 0, 0, for_ever));
    (void)log_end(hasty, "quiet");
  }
  own.check_unharmed(24 * mib);
  // Answered by what they wait for.
  std::vector<std::uint32_t> asked;
  for (int i = 0; i < 1000; ++i)
    asked.push_back(own.client.send(fetch_request_of("quiet", 0, 0, for_ever)));
  append(own.client, "quiet", 0, {"at last"});
  for (const auto correlation : asked) {
    const auto frame = own.client.receive_answer(correlation);
    CHECK(fetched(frame).topics.at(0).partitions.at(0).records.size() > 0);
  }
  own.check_unharmed(24 * mib);
}

TEST_CASE("waiting fetches give way when they hold all the memory for requests") {
  sturdy_node own({"limits.frame-bytes-max=2MiB", "limits.request-bytes-in-flight=2MiB",
                   "limits.request-bytes-total=6MiB"});
  create_topic(own.client, "quiet");
  const auto wait = fetch_request_of("quiet", 0, 0, std::numeric_limits<std::int32_t>::max());
  const auto rounds = [&](int count) {
    for (int round = 0; round < count; ++round) {
      native_client gone(own.node.client_address());
      // More than the node begins at once, fewer than it reads.
      for (int i = 0; i < 1500; ++i)
        (void)gone.send(wait);
    }
    // Others are served, whatever those that are gone, or not known to be, have left.
    for (int i = 0; i < 3; ++i)
      (void)fetch(own.client, "witness", 0, 40, 100);
  };
  rounds(300);
  own.check_unharmed(48 * mib);
  // Those that stay, and are full together only, are answered with nothing before their time.
  std::vector<native_client> patient;
  std::vector<std::uint32_t> first;
  for (int i = 0; i < 6; ++i) {
    patient.emplace_back(own.node.client_address());
    first.push_back(patient.back().send(wait));
    for (int k = 0; k < 1000; ++k)
      (void)patient.back().send(wait);
  }
  for (std::size_t i = 0; i < patient.size(); ++i)
    CHECK(patient[i].receive_answer(first[i]).header.status == errc::none);
  own.check_unharmed(48 * mib);
}

TEST_CASE("a request that names more than the node has memory for is refused, with the number") {
  sturdy_node own;
  auto greedy = fetch_request_of("witness", 0, 0);
  greedy.topics[0].partitions.assign(300'000, greedy.topics[0].partitions[0]);
  const auto refusal = own.client.call(greedy);
  REQUIRE_FALSE(refusal);
  CHECK(refusal.error().code == errc::invalid_request);
  CHECK(refusal.error().message.find("300001") != std::string::npos);
  CHECK(refusal.error().message.find("204800") != std::string::npos);
  own.check_unharmed(96 * mib);
}

TEST_SUITE_END();
