"""Kafka's own tools against one node and three; ./dev compat --java DIR runs them."""

import json
import re
import tempfile
import unittest

import wire
from batches import CODECS, batches
from clients import IS_LONG, Program, kcat, numbers
from cluster import ClusterTest
from java_tools import Java, JavaCalls, Member
from support import NodeTest
from test_groups import GroupsOfThreeNodes

from confluent_kafka import Producer

RANGE = "org.apache.kafka.clients.consumer.RangeAssignor"
COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
EARLY_MS = 1_700_000_000_000
MEASURED, VERIFIED = (1_000_000, 100_000) if IS_LONG else (20_000, 20_000)
LONG_SECONDS = 600


class JavaTest(JavaCalls):
    def kcat(self, *words, **options):
        return kcat(self.brokers, *words, **options)

    def write(self, topic, first, last, *words):
        self.kcat("-P", "-t", topic, *words, input=numbers(first, last))

    def read(self, topic, count, *words):
        """The records that the console consumer prints."""
        ended = self.java("console-consumer", "--topic", topic, "--from-beginning",
                          "--max-messages", count, *words)
        self.assertIn(f"Processed a total of {count} messages", ended.err.decode())
        return ended.out


class Connections(JavaTest, NodeTest):
    def test_the_versions_of_all_requests_are_listed(self):
        shown = self.java("broker-api-versions").text
        rows = dict(re.findall(r"^\t(\w+)\(\d+\): (.*?),?$", shown, re.MULTILINE))
        self.assertEqual(len(re.findall(r"^\S+ \(id: 1 rack: null", shown, re.MULTILINE)), 1)
        for name in ("Produce", "Fetch", "ListOffsets", "Metadata", "OffsetCommit", "OffsetFetch",
                     "FindCoordinator", "JoinGroup", "Heartbeat", "LeaveGroup", "SyncGroup",
                     "DescribeGroups", "ListGroups", "ApiVersions", "CreateTopics", "DeleteTopics",
                     "DeleteRecords", "InitProducerId", "OffsetForLeaderEpoch", "DescribeConfigs",
                     "AlterConfigs", "DescribeLogDirs", "CreatePartitions", "DeleteGroups",
                     "IncrementalAlterConfigs", "AlterPartitionReassignments",
                     "ListPartitionReassignments", "OffsetDelete", "DescribeCluster"):
            self.assertRegex(rows[name], r"\[usable: \d+\]$", name)

    def test_the_cluster_is_named(self):
        shown = Java.run("cluster", "cluster-id", "--bootstrap-server", self.node.address).text
        self.assertRegex(shown, r"^Cluster ID: \S+\n$")


class Records(JavaTest):
    def test_every_codec_is_read_that_kcat_wrote(self):
        topic = self.topic()
        for i, codec in enumerate(CODECS):
            self.write(topic, 1000 * i, 1000 * (i + 1), "-X", f"compression.codec={codec}")
        self.assertEqual(self.read(topic, 5000), numbers(0, 5000))

    def test_every_codec_is_written_that_kcat_reads(self):
        topic = self.topic()
        for i, codec in enumerate(CODECS):
            self.java("console-producer", "--topic", topic, "--compression-codec", codec,
                      input=numbers(1000 * i, 1000 * (i + 1)))
        with wire.Connection(self.leader_address(topic)) as connection:
            rows = batches(connection, topic)
        self.assertEqual({row[0] for row in rows}, set(CODECS))
        # Producers are idempotent unless told otherwise: each run is one of its own.
        self.assertEqual(len({row[1] for row in rows} - {-1}), len(CODECS))
        self.assertEqual(self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q",
                                   "-X", "check.crcs=true").out, numbers(0, 5000))

    def test_keys_headers_and_nulls_are_kept(self):
        topic = self.topic()
        self.java("console-producer", "--topic", topic, "--property", "parse.key=true",
                  "--property", "parse.headers=true", "--property", "null.marker=NULL",
                  input="a:1,b:\tkey\tvalue\nc:2\tNULL\tNULL\n")
        self.assertEqual(self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-Z",
                                   "-f", "%h %k %s\n").text, "a=1,b= key value\nc=2 NULL NULL\n")
        self.assertRegex(
            self.read(topic, 2, "--property", "print.key=true", "--property",
                      "print.headers=true", "--property", "print.timestamp=true").decode(),
            r"^CreateTime:\d+\ta:1,b:\tkey\tvalue\nCreateTime:\d+\tc:2\tnull\tnull\n$")

    def test_a_million_bytes_come_through_a_window_of_a_thousand(self):
        topic = self.topic()
        self.kcat("-P", "-t", topic, input=b"a" * 900_000 + b"\nlast\n")
        read = self.read(topic, 2, "--consumer-property", "max.partition.fetch.bytes=1000",
                         "--consumer-property", "fetch.max.bytes=1000")
        self.assertEqual(read, b"a" * 900_000 + b"\nlast\n")

    def test_performance_is_measured(self):
        topic = self.topic(3)
        kinds = (("acks=all",), ("acks=all", "compression.type=zstd"),
                 ("acks=all", "batch.size=1000000"), ("acks=1",), ("acks=0",))
        for words in kinds:
            ended = Java.run("producer-perf-test", "--topic", topic, "--num-records", MEASURED,
                             "--record-size", 100, "--throughput", -1, "--producer-props",
                             f"bootstrap.servers={self.brokers.address}", *words,
                             seconds=LONG_SECONDS)
            self.assertRegex(ended.text, rf"(?m)^{MEASURED} records sent")
        total = MEASURED * len(kinds)
        shown = self.java("consumer-perf-test", "--topic", topic, "--messages", total,
                          seconds=LONG_SECONDS).text
        names, values = [line.split(", ") for line in shown.splitlines()[:2]]
        row = dict(zip(names, values))
        self.assertEqual(row["data.consumed.in.nMsg"], str(total), shown)
        self.assertGreater(float(row["MB.sec"]), 0, shown)

    def test_what_was_acknowledged_is_verified(self):
        topic = self.topic()
        written = self.java("verifiable-producer", "--topic", topic, "--max-messages", VERIFIED,
                            "--acks", -1, seconds=LONG_SECONDS)
        self.assertEqual(written.text.count("producer_send_success"), VERIFIED)
        summary = json.loads(written.text.splitlines()[-1])
        self.assertEqual((summary["sent"], summary["acked"]), (VERIFIED, VERIFIED))
        read = self.java("verifiable-consumer", "--topic", topic, "--group-id", "verified",
                         "--max-messages", VERIFIED, "--reset-policy", "earliest", "--verbose",
                         seconds=LONG_SECONDS)
        events = [json.loads(line) for line in read.text.splitlines()]
        self.assertEqual([event["value"] for event in events if event["name"] == "record_data"],
                         [str(i) for i in range(VERIFIED)])

    def test_many_partitions_are_fetched_without_complaint(self):
        topic = self.topic(200)
        consumer = self.beside(Member(self.brokers, "many", topic))
        consumer.wait_for("it has all", lambda _: len(consumer.shares) == 200)
        self.write(topic, 0, 20000, "-X", "sticky.partitioning.linger.ms=0")
        consumer.wait_for("all is read", lambda _: consumer.counted == 20000)
        # It would say there that it was sent an invalid full fetch response.
        self.assertNotIn("FetchSessionHandler", consumer.said)
        self.assertEqual(sorted(map(int, consumer.values)), list(range(20000)))


class Offsets(JavaTest):
    def at(self, topic, time):
        return self.java("get-offsets", "--topic", topic, "--time", time).text

    def test_offsets_are_found_by_time(self):
        topic = self.topic(1, self.REPLICAS, "--set", "retention.ms=-1")
        producer = Producer({"bootstrap.servers": self.brokers.address})
        for at in (100, 300, 200, 50):
            producer.produce(topic, str(at), timestamp=EARLY_MS + at)
        self.assertEqual(producer.flush(30), 0)
        self.assertEqual(self.at(topic, -1), f"{topic}:0:4\n")
        self.assertEqual(self.at(topic, -2), f"{topic}:0:0\n")
        self.assertEqual(self.at(topic, -3), f"{topic}:0:1\n")
        self.assertEqual(self.at(topic, "earliest"), f"{topic}:0:0\n")
        self.assertEqual(self.at(topic, EARLY_MS + 150), f"{topic}:0:1\n")
        self.assertEqual(self.at(topic, EARLY_MS), f"{topic}:0:0\n")

    def test_records_are_deleted(self):
        topic = self.topic(2)
        self.write(topic, 0, 100, "-p", "0")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"version": 1, "partitions": [
                {"topic": topic, "partition": 0, "offset": 60}]}, file)
            file.flush()
            shown = self.java("delete-records", "--offset-json-file", file.name).text
        self.assertIn(f"partition: {topic}-0\tlow_watermark: 60", shown)
        self.assertEqual(self.at(topic, -2), f"{topic}:0:60\n{topic}:1:0\n")
        self.assertEqual(self.kcat("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e",
                                   "-q").out, numbers(60, 100))


class Topics(JavaTest):
    def described(self, topic):
        shown = self.java("topics", "--describe", "--topic", topic).text
        return re.search(r"PartitionCount: (\d+)\tReplicationFactor: (\d+)\tConfigs: (.*)",
                         shown).groups(), re.findall(r"Partition: (\d+)\tLeader: (\d+)", shown)

    def test_a_topic_lives_and_ends(self):
        topics = lambda *words: self.java("topics", *words).text
        made = topics("--create", "--topic", "lived", "--partitions", 3, "--replication-factor",
                      self.REPLICAS, "--config", "retention.ms=1000")
        self.assertEqual(made, "Created topic lived.\n")
        (summary, parts) = self.described("lived")
        self.assertEqual(summary[:2], ("3", str(self.REPLICAS)))
        self.assertEqual([row[0] for row in parts], ["0", "1", "2"])
        brokers = {str(i + 1) for i in range(len(self.brokers.addresses))}
        self.assertLessEqual({row[1] for row in parts}, brokers)
        self.assertIn("retention.ms=1000", summary[2])
        topics("--alter", "--topic", "lived", "--partitions", 6)
        self.assertEqual(len(self.described("lived")[1]), 6)
        self.assertIn("lived", topics("--list").split())
        topic_id = re.search(r"TopicId: (\S+)", topics("--describe", "--topic", "lived"))[1]
        self.assertEqual(topics("--describe", "--topic-id", topic_id).count("Topic: lived"), 7)
        topics("--delete", "--topic", "lived")
        self.assertNotIn("lived", topics("--list").split())

    def test_defaults_are_the_brokers(self):
        self.java("topics", "--create", "--topic", "by-default")
        self.assertEqual(self.described("by-default")[0][:2], ("1", str(self.REPLICAS)))

    def test_what_is_wrong_is_named(self):
        topic = self.topic()
        create = lambda *words: self.refused("topics", "--create", "--topic", *words)
        self.assertIn("TopicExistsException", create(topic))
        self.assertIn("InvalidReplicationFactorException",
                      create("too-many", "--replication-factor", 9))
        self.assertIn("InvalidTopicException", create("a b"))
        self.assertIn("InvalidPartitionsException",
                      self.refused("topics", "--alter", "--topic", topic, "--partitions", 1))
        self.assertIn("does not exist",
                      self.refused("topics", "--delete", "--topic", "never-made"))

    def test_settings_change(self):
        topic = self.topic()
        of = ("--entity-type", "topics", "--entity-name", topic)
        show = lambda *words: self.java("configs", *of, "--describe", *words).text
        self.java("configs", *of, "--alter", "--add-config", "max.message.bytes=2000000")
        self.assertIn("max.message.bytes=2000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:"
                      "max.message.bytes=2000000, DEFAULT_CONFIG:max.message.bytes=1048588}",
                      show())
        self.assertIn("retention.ms=604800000", show("--all"))
        refused = self.refused("configs", *of, "--alter", "--add-config", "max.message.bytes=abc")
        self.assertIn("InvalidConfigurationException", refused)
        self.java("configs", *of, "--alter", "--delete-config", "max.message.bytes")
        self.assertNotIn("max.message.bytes", show())
        broker = self.java("configs", "--entity-type", "brokers", "--entity-name", 1,
                           "--describe", "--all").text
        self.assertIn("auto.create.topics.enable=true", broker)

    def test_clients_have_no_quotas(self):
        of = ("--entity-type", "clients", "--entity-name", "c")
        self.assertNotIn("producer_byte_rate", self.java("configs", *of, "--describe").text)
        refused = self.refused("configs", *of, "--alter", "--add-config", "producer_byte_rate=1024")
        self.assertIn("quotas", refused)

    def test_the_sizes_of_logs_are_told(self):
        topic = self.topic()
        self.write(topic, 0, 1000)
        shown = self.java("log-dirs", "--describe", "--broker-list", 1, "--topic-list", topic).text
        (broker,) = json.loads(shown.splitlines()[-1])["brokers"]
        (row,) = broker["logDirs"][0]["partitions"]
        self.assertEqual((row["partition"], row["offsetLag"], row["isFuture"]),
                         (f"{topic}-0", 0, False))
        self.assertGreater(row["size"], 3000)


class Groups(JavaTest):
    def member(self, group, topic, *words, **options):
        return self.beside(Member(self.brokers, group, topic, *words, **options))

    def write_to_all(self, topic, first, last):
        """A quarter to each of four partitions."""
        step = (last - first) // 4
        for partition in range(4):
            begin = first + step * partition
            self.write(topic, begin, begin + step, "-p", partition)

    def groups(self, *words):
        return self.java("consumer-groups", *words).text

    def table(self, *words):
        """The rows that are printed below the heading, by its words."""
        lines = [line.split() for line in self.groups(*words).splitlines() if line.strip()]
        begin = next(i for i, line in enumerate(lines) if line[0] == "GROUP")
        return lines[begin + 1:]

    def test_a_group_is_looked_at_and_reset(self):
        topic, group = self.topic(2), "looked-at"
        self.write(topic, 0, 1000, "-p", "0")
        member = self.member(group, topic)
        member.wait_for("all is read and committed", lambda _: member.counted == 1000 and any(
            row["offset"] == 1000 for event in member.named("offsets_committed")
            for row in event["offsets"]))
        self.assertIn(group, self.groups("--list").split())
        rows = {row[2]: row for row in self.table("--describe", "--group", group)}
        self.assertEqual(rows["0"][:6], [group, topic, "0", "1000", "1000", "0"])
        self.assertEqual(rows["0"][7], "/127.0.0.1")
        ((_, *who),) = self.table("--describe", "--group", group, "--members", "--verbose")
        self.assertIn("2", who)
        self.assertRegex(" ".join(who), r"\(0,\s?1\)|:0,1")  # 3.9 has the numbers alone
        (state,) = self.table("--describe", "--group", group, "--state")
        self.assertIn("Stable", state)
        self.assertIn("range", state)
        reset = ("--reset-offsets", "--group", group, "--topic", topic, "--execute")
        to_time = ("--to-datetime", "2024-01-01T00:00:00.000")
        self.assertIn("Assignments can only be reset if the group",
                      self.said(*reset, *to_time))
        self.assertIn("GroupNotEmpty", self.said("--delete", "--group", group))
        self.assertIn("GroupSubscribedToTopic",
                      self.said("--delete-offsets", "--group", group, "--topic", topic))
        member.process.terminate()
        member.end(143)
        (state,) = self.table("--describe", "--group", group, "--state")
        self.assertIn("Empty", state)
        self.assertEqual(set(self.resets(group, self.groups(*reset, *to_time))),
                         {(topic, "0", "0"), (topic, "1", "0")})
        self.assertEqual(self.resets(group, self.groups(
            "--reset-offsets", "--group", group, "--topic", f"{topic}:0", "--execute",
            "--shift-by", 7)), [(topic, "0", "7")])
        rows = {row[2]: row[3] for row in self.table("--describe", "--group", group)}
        self.assertEqual(rows, {"0": "7", "1": "0"})
        self.assertIn("Successful",
                      self.groups("--delete-offsets", "--group", group, "--topic", f"{topic}:1"))
        self.assertEqual([row[2] for row in self.table("--describe", "--group", group)], ["0"])
        self.assertIn("successful", self.groups("--delete", "--group", group))
        self.assertNotIn(group, self.groups("--list").split())

    @staticmethod
    def resets(group, shown):
        """(topic, partition, offset) of those that are printed; 3.9 has all in one line."""
        return re.findall(rf"{group}\s+(\S+)\s+(\d+)\s+(\d+)\b", shown)

    def said(self, *words):
        """All that the tool says; some versions end with 0 although they refuse."""
        ended = self.java("consumer-groups", *words, code=None)
        return ended.text + ended.err.decode()

    def test_a_member_that_is_killed_is_replaced(self):
        topic, group = self.topic(4), "replaced"
        first = self.member(group, topic)
        first.wait_for("it has all", lambda _: first.shares == {0, 1, 2, 3})
        second = self.member(group, topic)
        second.wait_for("they share", lambda _: (
            len(first.shares) == len(second.shares) == 2 and
            first.shares | second.shares == {0, 1, 2, 3}))
        self.write_to_all(topic, 0, 2000)
        second.wait_for("all is read", lambda _: (
            sorted(map(int, first.values + second.values)) == list(range(2000))))
        first.kill()
        second.wait_for("it has all", lambda _: second.shares == {0, 1, 2, 3})
        self.write_to_all(topic, 2000, 3000)
        second.wait_for("the rest is read", lambda _: (
            set(map(int, second.values)) >= set(range(2000, 3000))))

    def test_a_static_member_comes_back_to_its_partitions(self):
        topic, group = self.topic(4), "static"
        join = lambda: self.member(group, topic, "--group-instance-id", "i1", session_ms=60_000)
        member = join()
        member.wait_for("it has all", lambda _: member.shares == {0, 1, 2, 3})
        generation = self.generation(group)
        member.kill()
        member = join()
        member.wait_for("it has all", lambda _: member.shares == {0, 1, 2, 3})
        self.assertEqual(self.generation(group), generation)

    def generation(self, group):
        return self.aq("group", "describe", group, "--output", "json").json["generation"]

    def test_cooperative_members_keep_what_they_hold(self):
        topic, group = self.topic(4), "cooperative"
        words = ("--assignment-strategy", COOPERATIVE)
        first = self.member(group, topic, *words)
        first.wait_for("it has all", lambda _: first.shares == {0, 1, 2, 3})
        second = self.member(group, topic, *words)
        second.wait_for("they share", lambda _: (
            len(first.shares) == len(second.shares) == 2 and
            first.shares | second.shares == {0, 1, 2, 3}))
        revoked = [row["partition"] for event in first.named("partitions_revoked")
                   for row in event["partitions"]]
        self.assertEqual(set(revoked), second.shares)
        self.assertEqual(len(revoked), 2)

    def test_kcat_and_java_are_one_group(self):
        topic, group = self.topic(4), "both"
        java = self.member(group, topic, "--assignment-strategy", RANGE)
        java.wait_for("it has all", lambda _: java.shares == {0, 1, 2, 3})
        other = self.beside(self.kcat_member(group, topic))
        java.wait_for("they share", lambda _: len(java.shares) == 2)
        self.write_to_all(topic, 0, 2000)
        values = lambda: sorted(int(one) for one in other.lines + java.values)
        java.wait_for("all is read once", lambda _: values() == list(range(2000)))
        self.assertTrue(other.lines and java.values)

    def kcat_member(self, group, topic):
        return Program("kcat", "-b", self.brokers.address, "-G", group, topic, "-q", "-u",
                       "-X", "partition.assignment.strategy=range",
                       "-X", "auto.offset.reset=earliest")


class RecordsOneNode(Records, NodeTest):
    pass


class RecordsThreeNodes(Records, ClusterTest):
    pass


class OffsetsOneNode(Offsets, NodeTest):
    pass


class OffsetsThreeNodes(Offsets, ClusterTest):
    pass


class TopicsOneNode(Topics, NodeTest):
    pass


class TopicsThreeNodes(Topics, ClusterTest):
    pass


class GroupsOneNode(Groups, NodeTest):
    pass


class GroupsThreeNodes(Groups, GroupsOfThreeNodes):
    pass


if __name__ == "__main__":
    unittest.main()
