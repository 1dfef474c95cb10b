// The messages of the cluster port, byte for byte: what one version writes, every other must read.
#include "protocol/bytes.hpp"
#include "protocol/cluster/election_messages.hpp"
#include "protocol/cluster/messages.hpp"
#include "protocol/native/codec.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace aqueduct;
using namespace aqueduct::protocol;
using aqueduct::testing::to_hex;

namespace {

uuid sample_uuid() {
  uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<std::uint8_t>(0xa0 + i);
  return id;
}

cluster::raft_envelope envelope_with(cluster::raft_message message) {
  cluster::raft_envelope envelope;
  envelope.topic = sample_uuid();
  envelope.partition = 3;
  envelope.from = {1, 0x10};
  envelope.to = {2, 0x11};
  envelope.message = std::move(message);
  return envelope;
}

/// The bytes of a frame with this one message, without those that all have.
std::string hex_of(cluster::raft_message message) {
  const auto bytes = encode(cluster::raft_messages{{envelope_with(std::move(message))}});
  const auto hex = to_hex(bytes.bytes());
  const std::string common = "01"                               // one message
                             "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf" // topic
                             "00000003"                         // partition
                             "000000010000000000000010"         // from
                             "000000020000000000000011";        // to
  REQUIRE(hex.starts_with(common));
  return hex.substr(common.size());
}

const auto all_messages = std::to_array<cluster::raft_message>({
    cluster::pre_vote_request{5, {4, 9}},
    cluster::pre_vote_response{5, true},
    cluster::vote_request{5, {4, 9}, true},
    cluster::vote_response{5, true},
    cluster::append_request{5, {4, 9}, 8, {{5, 1, buffer::copy_of("abc")}, {5, 0, {}}}},
    cluster::append_response{5, false, 9, {3, 7}},
    cluster::heartbeat_request{5, 8, 2, true},
    cluster::heartbeat_response{5, 2},
    cluster::snapshot_offer{5, {4, 9}, {{1, 0}, {2, 6}}, {{3, 0}}},
    cluster::snapshot_response{5, true, 9},
    cluster::timeout_now{5},
    cluster::read_index_request{5, 6},
    cluster::read_index_response{5, 6, true, 9},
});

} // namespace

TEST_SUITE("protocol.cluster.codec") {
  TEST_CASE("a hello has these bytes") {
    cluster::hello message;
    message.cluster = sample_uuid();
    message.node = 7;
    message.incarnation = 2;
    message.session = 0x1122334455667788;
    message.target = -1;
    message.protocol_min = 1;
    message.protocol_max = 3;
    message.connection = cluster::purpose::bulk;
    message.frame_bytes_max = 0x100000;
    message.software = "aq 1";
    message.host = "h";
    message.port = 9093;
    CHECK(to_hex(encode(message).bytes()) == "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
                                             "00000007"
                                             "0000000000000002"
                                             "1122334455667788"
                                             "ffffffff"
                                             "00010003"
                                             "01"
                                             "00100000"
                                             "0461712031"
                                             "0168"
                                             "2385");
  }

  TEST_CASE("an answer to a hello has these bytes") {
    cluster::hello_answer message;
    message.refused = cluster::refusal::other_cluster;
    message.message = "no";
    message.cluster = sample_uuid();
    message.node = 7;
    message.incarnation = 2;
    message.session = 3;
    message.protocol = 1;
    message.frame_bytes_max = 0x100000;
    message.software = "aq 1";
    CHECK(to_hex(encode(message).bytes()) == "01"
                                             "026e6f"
                                             "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
                                             "00000007"
                                             "0000000000000002"
                                             "0000000000000003"
                                             "0001"
                                             "00100000"
                                             "0461712031");
  }

  TEST_CASE("a ping has these bytes") {
    CHECK(to_hex(encode(cluster::ping{258}).bytes()) == "0000000000000102");
  }

  TEST_CASE("a call and its answer have these bytes") {
    CHECK(to_hex(encode(cluster::call{258, buffer::copy_of("abc")}).bytes()) == "010203616263");
    const cluster::call_answer answer{errc::not_leader, "no", buffer::copy_of("abc")};
    CHECK(to_hex(encode(answer).bytes()) == "000d026e6f03616263");
    CHECK(to_hex(encode(cluster::call_answer{}).bytes()) == "00000000");
  }

  TEST_CASE("the Raft messages have these bytes") {
    const std::string term = "0000000000000005";
    const std::string last = "00000000000000040000000000000009";
    const std::array<std::string, all_messages.size()> expected = {
        "00" + term + last,
        "01" + term + "01",
        "02" + term + last + "01",
        "03" + term + "01",
        "04" + term + last + "0000000000000008" + "02" + term + "01" + "03616263" + term + "00" +
            "00",
        "05" + term + "00" + "0000000000000009" + "00000000000000030000000000000007",
        "06" + term + "0000000000000008" + "0000000000000002" + "01",
        "07" + term + "0000000000000002",
        "08" + term + last + "02" + "000000010000000000000000" + "000000020000000000000006" + "01" +
            "000000030000000000000000",
        "09" + term + "01" + "0000000000000009",
        "0a" + term,
        "0b" + term + "0000000000000006",
        "0c" + term + "0000000000000006" + "01" + "0000000000000009",
    };
    for (std::size_t i = 0; i < all_messages.size(); ++i)
      CHECK(hex_of(all_messages[i]) == expected[i]);
  }

  TEST_CASE("messages of many groups come back as they were, large bodies shared") {
    cluster::raft_messages frame;
    for (const auto& message : all_messages)
      frame.messages.push_back(envelope_with(message));
    const auto body = buffer::from(std::vector<std::byte>(5000));
    frame.messages.push_back(envelope_with(cluster::append_request{5, {4, 9}, 8, {{5, 1, body}}}));

    const auto chain =
        encode_frame({0, frame_kind::push, cluster::raft_key, 1, errc::none, 0}, frame);
    CHECK(std::ranges::any_of(chain.parts(),
                              [&](const buffer& part) { return part.data() == body.data(); }));
    const auto bytes = chain.flatten();
    const auto decoded = decode<cluster::raft_messages>(
        bytes.slice(frame_header_size, bytes.size() - frame_header_size));
    REQUIRE(decoded);
    CHECK(print(*decoded) == print(frame));
    CHECK(encode(*decoded) == encode(frame));
    CHECK(cluster::check(*decoded));
  }

  TEST_CASE("a frame cut at any byte is refused") {
    cluster::raft_messages frame;
    for (const auto& message : all_messages)
      frame.messages.push_back(envelope_with(message));
    const auto whole = encode(frame);
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK_FALSE(decode<cluster::raft_messages>(whole.slice(0, size)));
  }

  TEST_CASE("a message of an unknown kind is refused and named") {
    auto bytes = encode(cluster::raft_messages{{envelope_with(cluster::timeout_now{5})}});
    std::vector<std::byte> changed(bytes.bytes().begin(), bytes.bytes().end());
    changed[changed.size() - 9] = std::byte{13};
    const auto decoded = decode<cluster::raft_messages>(buffer::from(changed));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().message.find("'message'") != std::string::npos);
  }

  TEST_CASE("counts that lie do not allocate what they claim") {
    std::vector<std::byte> bytes;
    byte_writer writer(bytes);
    writer.write_varint(0x7fffffff);
    CHECK_FALSE(decode<cluster::raft_messages>(buffer::from(bytes)));
    const auto whole =
        encode(cluster::raft_messages{{envelope_with(cluster::append_request{5, {4, 9}, 8, {}})}});
    bytes.assign(whole.bytes().begin(), whole.bytes().end() - 1);
    byte_writer(bytes).write_varint(0xffffffff);
    CHECK_FALSE(decode<cluster::raft_messages>(buffer::from(bytes)));
  }

  TEST_CASE("numbers that could overflow are refused, the largest allowed ones pass") {
    constexpr auto largest = cluster::number_max;
    constexpr auto beyond = largest + 1;
    constexpr auto all_ones = ~std::uint64_t{0};
    const auto passes = [](cluster::raft_message message) {
      return cluster::check({{envelope_with(std::move(message))}}).has_value();
    };
    for (const auto& message : all_messages)
      CHECK(passes(message));
    CHECK(passes(cluster::append_request{largest, {largest, largest}, largest, {}}));
    CHECK_FALSE(passes(cluster::append_request{largest, {1, largest}, 1, {{1, 1, {}}}}));
    CHECK_FALSE(passes(cluster::append_request{1, {1, 1}, 1, {{1, 4, {}}}}));
    CHECK_FALSE(passes(cluster::append_request{1, {1, 1}, 1, {{beyond, 1, {}}}}));
    for (const auto bad : {beyond, all_ones}) {
      CHECK_FALSE(passes(cluster::pre_vote_request{bad, {1, 1}}));
      CHECK_FALSE(passes(cluster::pre_vote_request{1, {bad, 1}}));
      CHECK_FALSE(passes(cluster::pre_vote_response{bad, true}));
      CHECK_FALSE(passes(cluster::vote_request{1, {1, bad}, false}));
      CHECK_FALSE(passes(cluster::vote_response{bad, true}));
      CHECK_FALSE(passes(cluster::append_request{1, {1, bad}, 1, {}}));
      CHECK_FALSE(passes(cluster::append_request{1, {1, 1}, bad, {}}));
      CHECK_FALSE(passes(cluster::append_response{1, true, bad, {}}));
      CHECK_FALSE(passes(cluster::append_response{1, false, 1, {1, bad}}));
      CHECK_FALSE(passes(cluster::heartbeat_request{1, bad, 0, false}));
      CHECK_FALSE(passes(cluster::heartbeat_response{bad, 0}));
      CHECK_FALSE(passes(cluster::snapshot_offer{1, {1, bad}, {}, {}}));
      CHECK_FALSE(passes(cluster::snapshot_response{1, true, bad}));
      CHECK_FALSE(passes(cluster::timeout_now{bad}));
      CHECK_FALSE(passes(cluster::read_index_request{bad, 0}));
      CHECK_FALSE(passes(cluster::read_index_response{1, 0, true, bad}));
    }
    CHECK_FALSE(passes(cluster::snapshot_offer{1, {1, 1}, {{-1, 0}}, {}}));
    CHECK_FALSE(passes(cluster::snapshot_offer{1, {1, 1}, {}, {{-1, 0}}}));
    auto envelope = envelope_with(cluster::timeout_now{1});
    envelope.partition = -1;
    CHECK_FALSE(cluster::check({{envelope}}));
    envelope.partition = 0;
    envelope.from.node = -1;
    CHECK_FALSE(cluster::check({{envelope}}));
  }

  TEST_CASE("elections come back as they were, and numbers out of range are refused") {
    cluster::election_question question;
    question.wait_ms = 30'000;
    question.wishes.push_back({uuid{{1, 2, 3}}, 7, 4});
    const auto asked = decode<cluster::election_question>(encode(question));
    REQUIRE(asked);
    CHECK(cluster::check(*asked));
    CHECK(encode(*asked) == encode(question));
    cluster::election_answer answer;
    answer.outcomes.push_back({cluster::election_verdict::elsewhere, 3, "why"});
    const auto told = decode<cluster::election_answer>(encode(answer));
    REQUIRE(told);
    CHECK(cluster::check(*told));
    CHECK(encode(*told) == encode(answer));

    question.wishes[0].to = -1;
    CHECK_FALSE(cluster::check(question));
    question.wishes[0].to = 1;
    question.wishes[0].partition = -1;
    CHECK_FALSE(cluster::check(question));
    question.wishes[0].partition = 0;
    question.wait_ms = cluster::election_question::wait_ms_max + 1;
    CHECK_FALSE(cluster::check(question));
    question.wait_ms = 0;
    CHECK(cluster::check(question));
    question.wishes.resize(cluster::election_question::wishes_max + 1);
    CHECK_FALSE(cluster::check(question));
    answer.outcomes[0].leader = -2;
    CHECK_FALSE(cluster::check(answer));
    answer.outcomes[0] = {static_cast<cluster::election_verdict>(5), -1, {}};
    CHECK_FALSE(cluster::check(answer));
  }

  TEST_CASE("neither preface can be taken for the other, nor a message number for a client's") {
    CHECK_FALSE(std::equal(cluster::preface.begin(), cluster::preface.begin() + 4, "AQDT"));
    for (const auto key :
         {cluster::hello_key, cluster::raft_key, cluster::ping_key, cluster::call_key})
      CHECK(find_api(static_cast<std::uint16_t>(key)) == nullptr);
  }

  TEST_CASE("every field of every message is documented") {
    const auto documented = [](const std::vector<message_reference>& all) {
      for (const auto& message : all) {
        CHECK_FALSE(message.info.doc.empty());
        for (const auto& row : message.fields)
          CHECK_FALSE(row.definition.doc.empty());
      }
    };
    documented(reference<cluster::hello>());
    documented(reference<cluster::hello_answer>());
    documented(reference<cluster::ping>());
    documented(reference<cluster::call>());
    documented(reference<cluster::call_answer>());
    documented(reference<cluster::raft_messages>());
    CHECK(reference<cluster::raft_messages>().size() == 18);
  }
}
