// aq produce, as the command line sees it.
#include "apps/aq/command_line.hpp"
#include "apps/aq/produce.hpp"
#include "apps/aq/units.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace aqueduct::aq {

void add_produce_verb(command_line& line) {
  auto options = std::make_shared<produce_options>();
  auto& verb = line.add_verb(line.root(), "produce", "Send records from files or standard input",
                             "echo hello | aq produce orders\n"
                             "aq produce orders -K : < lines-with-keys.txt\n"
                             "aq produce orders -H source=shop -z zstd access.log\n"
                             "aq produce orders -f '%K{big32}%k%V{big32}%v' < framed.bin\n"
                             "aq produce images -f raw -k logo logo.png\n"
                             "aq consume orders -e -f json | aq produce copy -f json\n"
                             "aq produce orders --rate 1k/s < lines.txt\n",
                             [options](session& on) { return produce(on, *options); });
  auto& o = *options;
  verb.add_option("TOPIC", o.topic, "Name of the topic")->required()->type_name("TOPIC");
  verb.add_option("FILE", o.files, "Files to send, - for standard input")->type_name("FILE");
  verb.add_option("-K,--key-separator", o.key_separator, "What stands between key and value")
      ->type_name("TEXT");
  verb.add_option("-k,--key", o.key, "Key of every record that has none")->type_name("KEY");
  verb.add_option("-H,--header", o.headers, "Header of every record")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  verb.add_option("-p,--partition", o.partition, "Partition to send to")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  verb.add_option("-z,--compression", o.codec, "none, gzip, snappy, lz4 or zstd")
      ->type_name("CODEC");
  verb.add_option("--compression-level", o.level, "Level of the codec")->type_name("N");
  verb.add_option("--acks", o.acks, "all, leader or none")->type_name("ACKS");
  verb.add_option("--rate", o.rate, "Most records or bytes per second, as in 1k/s or 5MB/s")
      ->type_name("RATE");
  verb.add_flag("-Z,--empty-as-null", o.empty_is_null, "Empty keys and values become null");
  verb.add_option("-f,--format", o.format,
                  "Pattern of the input, json (JSON lines) or raw (one record per file); see "
                  "aq help formats")
      ->type_name("PATTERN");
  verb.add_option_function<std::string>(
          "--record-size",
          [options](const std::string& text) {
            const auto size = parse_size(text);
            if (!size || *size == 0)
              throw CLI::ValidationError("--record-size",
                                         size ? "must be above 0" : size.error().message);
            options->record_size = *size;
          },
          "Cut the input into records of this size")
      ->type_name("SIZE");
  verb.add_option("--timestamp", o.timestamp, "Timestamp of every record")->type_name("TIME");
  verb.add_flag("--keep-partitions", o.keep_partitions,
                "Send to the partitions that the input names");
}

} // namespace aqueduct::aq
