// Requests to etcd and its answers, byte by byte. The answers are those of etcd 3.4.23.
#include "actors/discovery/etcd_wire.hpp"

#include <doctest/doctest.h>

#include <variant>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

constexpr std::string_view header =
    R"("header":{"cluster_id":"3249","member_id":"3319","revision":"7","raft_term":"2"})";

std::string answer(const std::string& rest) {
  return "{" + std::string(header) + (rest.empty() ? "" : ",") + rest + "}";
}

const etcd_request grant = etcd_grant{10};
const etcd_request keep_alive = etcd_keep_alive{77};
const etcd_request range = etcd_range{"/a/"};
const etcd_request txn = etcd_txn{{{"/a/b", std::nullopt, 0}}, {"/a/b", "x", 77}};

template <class Reply>
Reply reply_to(const etcd_request& request, const std::string& body) {
  const auto read = decode(request, 200, body);
  REQUIRE_MESSAGE(read, read.error().message);
  REQUIRE(std::holds_alternative<Reply>(*read));
  return std::get<Reply>(*read);
}

} // namespace

TEST_SUITE("actors.etcd_wire") {
  TEST_CASE("base64 is that of RFC 4648, and everything comes back") {
    const std::pair<const char*, const char*> samples[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : samples) {
      CHECK(to_base64(bytes) == text);
      CHECK(from_base64(text) == bytes);
    }
    std::string all;
    for (int i = 0; i < 256; ++i) {
      all.push_back(static_cast<char>(i));
      CHECK(from_base64(to_base64(all)) == all);
    }
  }

  TEST_CASE("what is no base64 is refused") {
    for (const auto* text : {"Z", "Zg", "Zg=", "Zg=a", "=g==", "Z===", "====", "Zm9v=m9v",
                             "Zg==Zg==", "Zm 9", "Zm9\n", "Zm9-"})
      CHECK_MESSAGE(!from_base64(text), text);
  }

  TEST_CASE("requests are those of etcd's gateway") {
    CHECK(encode(grant) == http_request{"/v3/lease/grant", R"({"TTL":"10"})"});
    CHECK(encode(keep_alive) == http_request{"/v3/lease/keepalive", R"({"ID":"77"})"});
    // From "/a/" to "/a0", the first key that does not begin with it.
    CHECK(encode(range) == http_request{"/v3/kv/range", R"({"key":"L2Ev","range_end":"L2Ew"})"});
    CHECK(encode(txn) ==
          http_request{"/v3/kv/txn",
                       R"({"compare":[{"key":"L2EvYg==","mod_revision":"0","result":"EQUAL",)"
                       R"("target":"MOD"}],"success":[{"request_put":{"key":"L2EvYg==",)"
                       R"("lease":"77","value":"eA=="}}]})"});
    CHECK(encode(etcd_request(etcd_txn{{{"/a/b", "x", 0}}, {"/a/c", "y", 0}})).body ==
          R"({"compare":[{"key":"L2EvYg==","result":"EQUAL","target":"VALUE","value":"eA=="}],)"
          R"("success":[{"request_put":{"key":"L2EvYw==","value":"eQ=="}}]})");
    CHECK(encode_watch("/a/", 8) ==
          http_request{
              "/v3/watch",
              R"({"create_request":{"key":"L2Ev","range_end":"L2Ew","start_revision":"8"}})"});
  }

  TEST_CASE("the end of a prefix of the largest bytes is the end of all keys") {
    CHECK(encode(etcd_request(etcd_range{"a\xff"})).body == R"({"key":"Yf8=","range_end":"Yg=="})");
    CHECK(encode(etcd_request(etcd_range{"\xff\xff"})).body ==
          R"({"key":"//8=","range_end":"AA=="})");
  }

  TEST_CASE("leases are read, and one that is gone has no time left") {
    const auto granted = reply_to<etcd_lease>(grant, answer(R"("ID":"77","TTL":"10")"));
    CHECK(granted.id == 77);
    CHECK(granted.ttl_s == 10);
    const auto kept = reply_to<etcd_lease>(
        keep_alive, R"({"result":)" + answer(R"("ID":"77","TTL":"9")") + "}\n");
    CHECK(kept.ttl_s == 9);
    const auto gone =
        reply_to<etcd_lease>(keep_alive, R"({"result":)" + answer(R"("ID":"77")") + "}\n");
    CHECK(gone.ttl_s == 0);
  }

  TEST_CASE("keys are read with revision and lease, and none is no error") {
    const auto none = reply_to<etcd_entries>(range, answer(""));
    CHECK(none.revision == 7);
    CHECK(none.entries.empty());
    const auto some = reply_to<etcd_entries>(
        range, answer(R"("kvs":[{"key":"L2EvYg==","create_revision":"2","mod_revision":"3",)"
                      R"("version":"2","value":"eA==","lease":"77"},{"key":"L2EvYw==",)"
                      R"("mod_revision":4}],"count":"2")"));
    CHECK(some.entries == std::vector<etcd_entry>{{"/a/b", "x", 3, 77}, {"/a/c", "", 4, 0}});
  }

  TEST_CASE("a transaction wrote, did not, or had a lease that is gone") {
    CHECK(reply_to<etcd_txn_done>(txn, answer(R"("succeeded":true,"responses":[])")).succeeded);
    CHECK_FALSE(reply_to<etcd_txn_done>(txn, answer("")).succeeded);
    const auto* lost = R"({"error":"etcdserver: requested lease not found",)"
                       R"("message":"etcdserver: requested lease not found","code":5})";
    const auto read = decode(txn, 404, lost);
    REQUIRE(read);
    CHECK(std::holds_alternative<etcd_lease_lost>(*read));
    // Only a put has a lease to lose.
    CHECK_FALSE(decode(range, 404, lost));
  }

  TEST_CASE("what etcd refuses is told in its own words") {
    const auto read = decode(range, 503, R"({"error":"etcdserver: no leader","code":14})");
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::broker_unavailable);
    CHECK(read.error().message == "etcdserver: no leader");
    CHECK(decode(range, 502, "<html>").error().message == "it answers with HTTP status 502");
    CHECK(decode(range, 404, "{}").error().message == "it answers with HTTP status 404");
    const auto late =
        decode(keep_alive, 200, R"({"error":{"grpc_code":14,"message":"no leader"}})");
    REQUIRE_FALSE(late);
    CHECK(late.error().message == "no leader");
  }

  TEST_CASE("an answer that is not etcd's is refused with what it said") {
    const auto read = decode(range, 200, "<html>\x01 hello");
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::invalid_message);
    CHECK(read.error().message == "its answer is not one of etcd's: '<html>? hello'");
    const std::pair<etcd_request, std::string> wrong[] = {
        {range, ""},
        {range, "[]"},
        {range, "{}"},
        {range, R"({"header":7})"},
        {range, R"({"header":{"revision":"x"}})"},
        {range, R"({"header":{"revision":18446744073709551615}})"},
        {range, R"({"header":{"revision":[]}})"},
        {range, answer(R"("kvs":7)")},
        {range, answer(R"("kvs":[7])")},
        {range, answer(R"("kvs":[{"key":7}])")},
        {range, answer(R"("kvs":[{"key":"!"}])")},
        {range, answer(R"("kvs":[{"key":"eA==","mod_revision":"1x"}])")},
        {grant, answer("")},
        {grant, answer(R"("ID":"77","TTL":"-1")")},
        {grant, answer(R"("ID":"x","TTL":"1")")},
        {keep_alive, answer(R"("ID":"77","TTL":"9")")},
        {keep_alive, R"({"result":7})"},
        {txn, R"({"succeeded":true})"},
    };
    for (const auto& [request, body] : wrong)
      CHECK_MESSAGE(!decode(request, 200, body), body);
  }

  TEST_CASE("an answer cut anywhere is refused") {
    const std::pair<etcd_request, std::string> whole[] = {
        {grant, answer(R"("ID":"77","TTL":"10")")},
        {range, answer(R"("kvs":[{"key":"L2EvYg==","mod_revision":"3"}],"count":"1")")},
        {txn, answer(R"("succeeded":true)")}};
    for (const auto& [request, body] : whole)
      for (std::size_t size = 0; size < body.size(); ++size)
        CHECK_FALSE(decode(request, 200, body.substr(0, size)));
  }

  TEST_CASE("a watch tells of changes, of its beginning and of its end") {
    const auto said = [](const std::string& rest) {
      const auto news = decode_watch(R"({"result":)" + answer(rest) + "}");
      REQUIRE(news);
      return *news;
    };
    CHECK_FALSE(said(R"("created":true)").has_changes);
    CHECK(said(R"("events":[{"type":"DELETE","kv":{"key":"eA=="}}])").has_changes);
    CHECK_FALSE(said(R"("events":[])").has_changes);
    CHECK(said(R"("canceled":true,"compact_revision":"9")").is_over);
    CHECK_FALSE(said("").is_over);
    const auto failed = decode_watch(R"({"error":{"grpc_code":14,"message":"gone"}})");
    REQUIRE(failed);
    CHECK(failed->is_over);
    for (const auto* line : {"", "x", "{}", "7", R"({"result":7})"})
      CHECK_FALSE(decode_watch(line));
  }

  TEST_CASE("nodes and founders come back as they were written") {
    uuid cluster;
    cluster.bytes[3] = 9;
    for (const auto& node : {registered_node{{"host", 9093}, 1764000000000, {}},
                             registered_node{{"::1", 1}, ~std::uint64_t{0}, cluster}})
      CHECK(decode_node(encode(node)) == node);
    const registered_founder founder{2147483647, 1764000000000};
    CHECK(decode_founder(encode(founder)) == founder);
    CHECK(encode(registered_node{{"host", 9093}, 5, {}}) ==
          R"({"address":"host:9093","cluster":null,"incarnation":5})");
    CHECK(encode(registered_founder{3, 5}) == R"({"incarnation":5,"node":3})");
    CHECK(decode_node(R"({"address":"host:9093","incarnation":5,"more":[1]})"));
  }

  TEST_CASE("what is no node and no founder is refused") {
    for (const auto* text :
         {"", "x", "7", "{}", R"({"address":"host:9093"})", R"({"address":"host","incarnation":5})",
          R"({"address":7,"incarnation":5})", R"({"address":"host:9093","incarnation":-5})",
          R"({"address":"host:9093","incarnation":"5"})",
          R"({"address":"host:9093","incarnation":5,"cluster":7})",
          R"({"address":"host:9093","incarnation":5,"cluster":"x"})"})
      CHECK_MESSAGE(!decode_node(text), text);
    for (const auto* text :
         {"", "x", "7", "{}", R"({"node":1})", R"({"node":-1,"incarnation":1})",
          R"({"node":2147483648,"incarnation":1})", R"({"node":1,"incarnation":"1"})"})
      CHECK_MESSAGE(!decode_founder(text), text);
  }
}
