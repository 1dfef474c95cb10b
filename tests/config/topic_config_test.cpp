#include "config/topic_config.hpp"
#include "config/topic_model.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::config;
using namespace std::chrono_literals;

namespace {

std::string refusal(const topic_overrides& overrides) {
  const auto topic = apply_overrides({}, overrides);
  REQUIRE_FALSE(topic);
  CHECK(topic.error().code == errc::invalid_config);
  return topic.error().message;
}

} // namespace

TEST_SUITE("config.topic") {
  TEST_CASE("a topic without overrides follows the node") {
    node_config node;
    node.retention.time = 1h;
    node.retention.bytes = 1 << 30;
    node.storage.segment_bytes = 1 << 20;
    node.storage.segment_age = 2h;
    node.topic.message_bytes_max = 5000;

    const auto topic = topic_defaults(node);

    CHECK(topic.retention_time == 1h);
    CHECK(topic.retention_bytes == 1 << 30);
    CHECK(topic.segment_bytes == 1 << 20);
    CHECK(topic.segment_age == 2h);
    CHECK(topic.message_bytes_max == 5000);
    CHECK(*apply_overrides(topic, {}) == topic);
  }

  TEST_CASE("the defaults of a topic are those of a node with its defaults") {
    CHECK(topic_defaults(node_config{}) == topic_config{});
  }

  TEST_CASE("every Kafka key sets its field") {
    const topic_overrides overrides = {
        {"retention.ms", "60000"},      {"retention.bytes", "1073741824"},
        {"segment.bytes", "1048576"},   {"segment.ms", "1h"},
        {"max.message.bytes", "65536"}, {"cleanup.policy", "delete"},
        {"compression.type", "zstd"},   {"message.timestamp.type", "LogAppendTime"},
        {"min.insync.replicas", "2"}};
    const auto topic = apply_overrides({}, overrides);
    REQUIRE(topic);
    CHECK(topic->retention_time == 1min);
    CHECK(topic->retention_bytes == 1073741824);
    CHECK(topic->segment_bytes == 1048576);
    CHECK(topic->segment_age == 1h);
    CHECK(topic->message_bytes_max == 65536);
    CHECK(topic->cleanup == cleanup_policy::remove);
    CHECK(topic->compression == topic_compression::zstd);
    CHECK(topic->timestamps == timestamp_type::log_append_time);
    CHECK(topic->insync_replicas_min == 2);
    CHECK(overrides.size() == topic_model().rows().size());
  }

  TEST_CASE("-1 keeps messages without limit") {
    const topic_overrides overrides = {{"retention.ms", "-1"}, {"retention.bytes", "-1"}};
    topic_config defaults;
    defaults.retention_bytes = 1 << 20;
    const auto topic = apply_overrides(defaults, overrides);
    REQUIRE(topic);
    CHECK_FALSE(topic->retention_time);
    CHECK_FALSE(topic->retention_bytes);
  }

  TEST_CASE("wrong settings are refused all at once, with what would be right") {
    CHECK(refusal({{"retention.msec", "1"}}) ==
          "retention.msec: is unknown; did you mean retention.ms?");
    CHECK(refusal({{"retention.ms", "1"}, {"compression.type", "brotli"}}) ==
          "retention.ms: 1 is out of range; allowed: 1000 to 3153600000000, or -1\n"
          "compression.type: 'brotli' is unknown; allowed: one of producer, none, gzip, snappy, "
          "lz4, zstd");
    CHECK(refusal({{"segment.ms", "1h"}, {"segment.ms", "2h"}}) == "segment.ms: is given twice");
    CHECK(refusal({{"cleanup.policy", "compact"}}).find("compaction by key is not supported") !=
          std::string::npos);
    CHECK(refusal({{"min.insync.replicas", "0"}}).ends_with("allowed: 1 to 15"));
    CHECK(refusal({{"segment.bytes", "65536"}}) ==
          "max.message.bytes: 1048588 must be at most segment.bytes (65536)");
    CHECK(refusal({{"message.timestamp.type", "createtime"}}).find("CreateTime") !=
          std::string::npos);
  }

  TEST_CASE("overrides are stored in canonical spelling, ordered by key") {
    const topic_overrides given = {{"segment.ms", "1h"}, {"max.message.bytes", "1MiB"}};
    CHECK(*canonical_overrides({}, given) ==
          topic_overrides{{"max.message.bytes", "1048576"}, {"segment.ms", "3600000"}});
    CHECK_FALSE(canonical_overrides({}, topic_overrides{{"x", "1"}}));
  }

  TEST_CASE("a description tells overrides from defaults") {
    const topic_overrides overrides = {{"retention.ms", "604800000"}, {"segment.bytes", "2MB"}};
    const auto views = describe_topic({}, overrides);
    REQUIRE(views.size() == topic_model().rows().size());
    const auto view = [&](std::string_view key) {
      return *std::ranges::find(views, key, &topic_setting_view::key);
    };
    CHECK(view("segment.bytes").value == "2000000");
    CHECK(view("segment.bytes").default_value == "268435456");
    CHECK(view("segment.bytes").overridden);
    // Set to what is the default anyway: still an override, which a new default will not move.
    CHECK(view("retention.ms").overridden);
    CHECK_FALSE(view("cleanup.policy").overridden);
    CHECK(view("cleanup.policy").value == "delete");
    CHECK(view("compression.type").type == "choice");
    CHECK_FALSE(view("compression.type").documentation.empty());
    CHECK(std::ranges::is_sorted(views, {}, &topic_setting_view::key));
  }

  TEST_CASE("a default that contradicts an override gives way, and the other overrides stay") {
    topic_config small;
    small.segment_bytes = 2 << 20;
    const topic_overrides large = {{"max.message.bytes", "4000000"}, {"retention.ms", "-1"}};

    const auto grown = in_effect(small, large);

    CHECK_FALSE(grown.values.retention_time);
    CHECK(grown.values.message_bytes_max == 4000000);
    CHECK(grown.values.segment_bytes == 4000000);
    REQUIRE(grown.notes.size() == 1);
    CHECK(grown.notes.front() == "segment.bytes: the node's default 2097152 gives way to 4000000, "
                                 "for max.message.bytes");

    topic_config chatty;
    chatty.message_bytes_max = 4 << 20;
    const topic_overrides tight = {{"retention.bytes", "-1"}, {"segment.bytes", "1048576"}};
    const auto cut = in_effect(chatty, tight);
    CHECK(cut.values.segment_bytes == 1048576);
    CHECK(cut.values.message_bytes_max == 1048576);
    CHECK(cut.notes.size() == 1);
    CHECK(in_effect({}, large).notes.empty());
  }

  TEST_CASE("an override that cannot be read takes no other with it and deletes nothing") {
    topic_config defaults;
    defaults.retention_bytes = 1 << 20;
    const auto values = [&](const topic_overrides& overrides) {
      const auto outcome = in_effect(defaults, overrides);
      CHECK(outcome.notes.size() == 1);
      return outcome.values;
    };

    const auto unknown = values({{"a.setting.to.come", "1"}, {"retention.ms", "60000"}});
    CHECK(unknown.retention_time == 1min);
    CHECK(unknown.retention_bytes == defaults.retention_bytes);
    CHECK_FALSE(values({{"retention.ms", "soon"}}).retention_time);
    CHECK(values({{"retention.ms", "soon"}}).retention_bytes == defaults.retention_bytes);
    CHECK_FALSE(values({{"retention.bytes", "1"}}).retention_bytes);
    const auto policy = values({{"cleanup.policy", "compact"},
                                {"retention.bytes", "65536"},
                                {"retention.ms", "60000"},
                                {"segment.ms", "3600000"}});
    CHECK_FALSE(policy.retention_time);
    CHECK_FALSE(policy.retention_bytes);
    CHECK(policy.segment_age == 1h);
  }

  TEST_CASE("a description shows what is in effect when defaults had to give way") {
    topic_config defaults;
    defaults.segment_bytes = 2 << 20;
    const topic_overrides overrides = {{"max.message.bytes", "4000000"}, {"retention.ms", "-1"}};
    const auto views = describe_topic(defaults, overrides);
    const auto view = [&](std::string_view key) {
      return *std::ranges::find(views, key, &topic_setting_view::key);
    };
    CHECK(view("retention.ms").value == "-1");
    CHECK(view("retention.ms").overridden);
    CHECK(view("segment.bytes").value == "4000000");
    CHECK(view("segment.bytes").default_value == "2097152");
    CHECK_FALSE(view("segment.bytes").overridden);
  }
}
