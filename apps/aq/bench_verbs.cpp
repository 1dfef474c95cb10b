// aq bench produce|consume|e2e, as the command line sees it.
#include "apps/aq/bench.hpp"
#include "apps/aq/command_line.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace aqueduct::aq {

namespace {

/// An option whose text `read` turns into a value, or into a sentence why not.
template <class Value, class Read>
CLI::Option* add_parsed(CLI::App& verb, const std::string& name, Value& to, Read read,
                        const std::string& description) {
  return verb.add_option_function<std::string>(
      name,
      [&to, read, name](const std::string& text) {
        const auto value = read(text);
        if (!value)
          throw CLI::ValidationError(name, value.error().message);
        to = *value;
      },
      description);
}

void add_common(CLI::App& verb, bench_options& o) {
  verb.add_option("--topic", o.topic, "Topic of the run")
      ->type_name("TOPIC")
      ->capture_default_str();
  verb.add_option("--clients", o.clients, "Clients, each with a thread and connections of its own")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  add_parsed(verb, "--duration", o.duration, parse_duration, "How long to measure (default 10s)")
      ->type_name("DURATION");
  add_parsed(verb, "--warmup", o.warmup, parse_duration, "What does not count before (default 2s)")
      ->type_name("DURATION");
}

void add_sending(CLI::App& verb, bench_options& o, const std::string& rate_default) {
  verb.add_option("--partitions", o.partitions, "Of the topic, if it has to be made")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  add_parsed(verb, "--size", o.record_bytes, parse_size, "Size of a record (default 100)")
      ->type_name("SIZE");
  add_parsed(verb, "--rate", o.pace, parse_rate,
             "Records or bytes per second of all clients, as in 50k/s (default " + rate_default +
                 ")")
      ->type_name("RATE");
  verb.add_option("-z,--compression", o.codec, "none, gzip, snappy, lz4 or zstd")
      ->type_name("CODEC");
  verb.add_option("--acks", o.acks, "all, leader or none")->type_name("ACKS");
  verb.add_flag("--kafka-style", o.kafka_style, "Print the line of kafka-producer-perf-test");
}

} // namespace

void add_bench_verbs(command_line& line) {
  auto& group = line.add_group(line.root(), "bench", "Measure a cluster under load");

  auto sending = std::make_shared<bench_options>();
  auto& produce = line.add_verb(group, "produce", "Send as fast as possible, or at a rate",
                                "aq bench produce --duration 30s\n"
                                "aq bench produce --size 1KiB --rate 50k/s --clients 4\n",
                                [sending](session& on) { return bench_produce(on, *sending); });
  add_common(produce, *sending);
  add_sending(produce, *sending, "no limit");

  auto reading = std::make_shared<bench_options>();
  auto& consume = line.add_verb(group, "consume", "Read a topic from its beginning",
                                "aq bench consume --topic aq-bench --duration 10s --warmup 0s\n",
                                [reading](session& on) { return bench_consume(on, *reading); });
  add_common(consume, *reading);

  auto both = std::make_shared<bench_options>();
  both->pace = rate{1000, false};
  auto& e2e = line.add_verb(group, "e2e", "Send at a rate, and measure until receipt",
                            "aq bench e2e --rate 1k/s --duration 10s\n"
                            "aq bench e2e -X consumer.mode=push --output json\n",
                            [both](session& on) { return bench_e2e(on, *both); });
  add_common(e2e, *both);
  add_sending(e2e, *both, "1k/s");
}

} // namespace aqueduct::aq
