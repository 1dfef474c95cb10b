// The small parts: patience, matching, bars, streams, partition lists.
#include "apps/aq/bench.hpp"
#include "apps/aq/client_session.hpp"
#include "apps/aq/matcher.hpp"
#include "apps/aq/output_stream.hpp"
#include "apps/aq/pacer.hpp"
#include "apps/aq/produce.hpp"
#include "apps/aq/progress.hpp"
#include "tests/aq/support.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>

using namespace aqueduct;
using namespace aqueduct::aq;
using std::chrono::milliseconds;

TEST_SUITE_BEGIN("aq.parts");

TEST_CASE("a pacer keeps the rate, whatever the size of the pieces") {
  const auto begin = pacer::clock::time_point(std::chrono::hours(1));
  pacer keeper(1000, begin);
  CHECK(keeper.book(1, begin) <= begin);
  auto turn = begin;
  for (int i = 0; i < 999; ++i)
    turn = keeper.book(1, begin);
  CHECK(turn - begin > milliseconds(990));
  CHECK(turn - begin < milliseconds(1010));
}

TEST_CASE("a pacer does not make up for a long silence") {
  const auto begin = pacer::clock::time_point(std::chrono::hours(1));
  pacer keeper(10, begin);
  static_cast<void>(keeper.book(1, begin));
  const auto later = begin + std::chrono::minutes(1);
  CHECK(keeper.book(1, later) <= later);
  CHECK(keeper.book(1, later) > later);
}

TEST_CASE("a matcher takes any bytes, and texts of any length") {
  const auto literal = matcher::compile("needle");
  REQUIRE(literal.has_value());
  CHECK(literal->matches(std::string("a\0needle", 8)));
  CHECK_FALSE(literal->matches("need"));
  const auto expression = matcher::compile("^(err|warn)[0-9]+$");
  REQUIRE(expression.has_value());
  CHECK(expression->matches("err42"));
  CHECK_FALSE(expression->matches("xerr42"));
  CHECK_FALSE(expression->matches(""));
  const auto any = matcher::compile("(a|b)*c");
  REQUIRE(any.has_value());
  CHECK(any->matches(std::string(1 << 20, 'a') + "c"));
  CHECK(matcher::compile("").has_value());
  const auto bad = matcher::compile("(");
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().code == errc::invalid_request);
}

TEST_CASE("a bar is as wide as it should be, however full") {
  CHECK(bar(0, 4) == "▕░░░░▏");
  CHECK(bar(0.5, 4) == "▕██░░▏");
  CHECK(bar(1, 4) == "▕████▏");
  CHECK(bar(0.125, 4) == "▕▌░░░▏");
  CHECK(bar(7, 2) == "▕██▏");
  CHECK(bar(-1, 2) == "▕░░▏");
}

TEST_CASE("progress shows share, speed and time left, or only the speed") {
  const test::memory_file none;
  session on({none.fd(), none.fd(), none.fd()}, {});
  progress known(on, "bytes", 1 << 20);
  known.update(1 << 19);
  CHECK(known.line(std::chrono::seconds(2), 80) == bar(0.5, 40) + "  50%  256 KiB/s  2s left");
  CHECK(known.line(std::chrono::seconds(2), 10) == " 50%  256 KiB/s  2s left");
  progress unknown(on, "records", 0);
  unknown.update(3000);
  CHECK(unknown.line(std::chrono::seconds(3), 80) == "3,000 records  1,000 records/s");
}

TEST_CASE("a reader that goes away closes the stream without an error") {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  output_stream out(ends[1]);
  out.write("first");
  out.flush();
  out.notice_closed_reader();
  CHECK_FALSE(out.is_closed());
  ::close(ends[0]);
  out.notice_closed_reader();
  CHECK(out.is_closed());
  output_stream other(ends[1]);
  other.write("second");
  other.flush();
  CHECK(other.is_closed());
  CHECK(other.failure() == 0);
  ::close(ends[1]);
}

TEST_CASE("a full disk is an error of the stream") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  output_stream out(full);
  out.write("text");
  out.flush();
  CHECK(out.failure() == ENOSPC);
  ::close(full);
}

TEST_CASE("where to read from is a word, or a bound with a duration") {
  CHECK(*parse_read_source("leader") == client::read_source::leader());
  CHECK(*parse_read_source("any") == client::read_source::any());
  CHECK(*parse_read_source("linearizable") == client::read_source::linearizable());
  CHECK(*parse_read_source("bounded:500ms") ==
        client::read_source::within(std::chrono::milliseconds(500)));
  CHECK(*parse_read_source("bounded:2s") ==
        client::read_source::within(std::chrono::milliseconds(2000)));
  for (const auto* text : {"", "follower", "bounded", "bounded:", "bounded:soon", "Any"})
    CHECK_FALSE(parse_read_source(text).has_value());
}

TEST_CASE("lists of partitions are numbers and ranges") {
  CHECK(*parse_partitions("0") == std::vector<std::int32_t>{0});
  CHECK(*parse_partitions("7,0,2-4,3") == std::vector<std::int32_t>{0, 2, 3, 4, 7});
  for (const std::string text : {"", ",", "a", "-1", "3-1", "1-", "0-99999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_partitions(text).has_value());
  }
}

TEST_CASE("settings of the client reach the SDK") {
  global_options options;
  options.brokers = {"a:1", "b:2"};
  options.timeout = milliseconds(1500);
  options.settings = {{"producer.linger", "7ms"},
                      {"producer.batch_bytes", "64KiB"},
                      {"producer.idempotent", "false"},
                      {"consumer.mode", "push"}};
  const auto made = make_client_settings(options);
  REQUIRE(made.has_value());
  CHECK(made->cluster.brokers == options.brokers);
  CHECK(made->cluster.request_timeout == milliseconds(1500));
  CHECK(made->producer.linger == milliseconds(7));
  CHECK(made->producer.batch_bytes == 64 * 1024);
  CHECK(made->producer.idempotent == false);
  CHECK(made->consumer.mode == client::consume_mode::push);
  options.settings = {{"consumer.mode", "pull"}};
  CHECK_FALSE(make_client_settings(options).has_value());
}

TEST_CASE("a benchmark reports rate, target and quantiles, and the line that scripts know") {
  bench_outcome outcome;
  outcome.records = 10'000;
  outcome.bytes = 1 << 20;
  outcome.seconds = 2;
  outcome.target_rate = 5000;
  outcome.latency_of = "from send to answer";
  for (std::uint64_t us = 1; us <= 200; ++us)
    outcome.latency.record(us);
  render_options options;
  options.format = output_format::csv;
  const auto text = *render(bench_document(outcome), options);
  CHECK(text.starts_with("quantile,ms\np50,0.10\np90,0.18\n"));
  CHECK(text.find("max,0.20\n") != std::string::npos);
  const auto target_met = [](const bench_outcome& o) {
    for (const auto& each : bench_document(o).facts)
      if (each.label.key == "target_met")
        return each.content == value(true);
    return false;
  };
  CHECK(target_met(outcome));
  outcome.target_rate = 6000;
  CHECK_FALSE(target_met(outcome));
  CHECK(kafka_line(outcome).starts_with("10000 records sent, 5000.0 records/sec (0.50 MB/sec)"));
}

TEST_CASE("separators are written with escapes, and percent signs are themselves") {
  CHECK(*unescape("\\t") == "\t");
  CHECK(*unescape("%v") == "%v");
  CHECK(unescape("")->empty());
  CHECK_FALSE(unescape("\\q").has_value());
}

TEST_SUITE_END();
