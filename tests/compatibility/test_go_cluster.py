"""sarama, franz-go and kafka-go on three nodes, some of which are killed, where there is Go."""

import unittest

import wire
from clients import kcat, numbers
from cluster import ClusterTest
from go_clients import SARAMA_NEWEST, GoCalls


class GoClusterTest(GoCalls):
    """What each client does; ACKS are those that it waits for."""

    def test_a_producer_goes_on_when_the_leader_is_killed(self):
        topic = self.kept_topic()
        count = 100_000
        producer = self.start("produce", topic, 0, count, "lz4", self.ACKS)
        producer.wait_for("it has begun", lambda _: b"begun" in producer.printed)
        self.cluster[self.leader(topic)].kill()
        self.assertIn(b'{"sent":%d}' % count, producer.end())
        stored = kcat(self.cluster, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
                      "-X", "check.crcs=true").out
        if self.ACKS == "idempotent":
            self.assertEqual(stored, numbers(0, count))
        else:
            self.assertEqual(set(stored.split()), set(numbers(0, count).split()))

    def test_a_consumer_reads_on_when_the_leader_is_killed(self):
        topic = self.kept_topic()
        kcat(self.cluster, "-P", "-t", topic, input=numbers(0, 5000))
        consumer = self.start("consume", topic, 0, 0, 6000)
        consumer.wait_for("it has begun", lambda _: len(consumer.lines) > 100)
        self.cluster[self.leader(topic)].kill()
        kcat(self.cluster, "-P", "-t", topic, input=numbers(5000, 6000))
        offsets = [row.split(b'"offset":')[1].split(b",")[0] for row in consumer.end().splitlines()]
        self.assertEqual(offsets, numbers(0, 6000).split())

    def test_a_group_goes_on_without_its_coordinator(self):
        topic, group = self.kept_topic(4), f"{self.NAME}-coordinated"
        member = self.member(group, topic)
        member.program.wait_for("it has all", lambda _: member.shares == [0, 1, 2, 3])
        kcat(self.cluster, "-P", "-t", topic, input=numbers(0, 500))
        member.program.wait_for("all is read", lambda _: (
            sorted(member.values) == list(range(500))))
        with wire.Connection(self.cluster[1].address) as connection:
            error, coordinator = connection.call(wire.FIND_COORDINATOR, 0,
                                                 wire.text(group)).take("hi")
        self.assertEqual(error, 0)
        self.cluster[coordinator].kill()
        kcat(self.cluster, "-P", "-t", topic, input=numbers(500, 1000))
        member.program.wait_for("the rest is read", lambda _: (
            set(member.values) == set(range(1000))))
        member.program.wait_for("it is committed", lambda _: self.lag(group) == 0)

    def test_what_operators_do(self):
        other, group = self.kept_topic(), f"{self.NAME}-administered"
        kcat(self.cluster, "-P", "-t", other, input=numbers(0, 100))
        self.aq("group", "seek", group, "--topic", other, "--to", "end")
        rows = self.run_client("admin", f"{self.NAME}-made", group, other)
        said = {key: value for row in rows for key, value in row.items()}
        self.assertEqual({key: said[key] for key in (
            "again", "partitions", "replicas", "configs", "state", "committed", "group left",
            "topic left", "brokers", "controller")}, {
                "again": True, "partitions": 5, "replicas": 3,
                "configs": {"max.message.bytes": "2000000", "retention.ms": "3600000"},
                "state": "Empty", "committed": 100, "group left": False, "topic left": False,
                "brokers": [1, 2, 3], "controller": True})
        self.assertEqual((said["offsets"]["earliest"], said["offsets"]["latest"]), (0, 100))


class Sarama(GoClusterTest, ClusterTest):
    NAME, ACKS, MORE = "sarama", "idempotent", SARAMA_NEWEST


class Franz(GoClusterTest, ClusterTest):
    NAME, ACKS = "franz", "idempotent"

    def test_a_new_leader_finds_the_largest_timestamp(self):
        topic = self.kept_topic(3)
        for first in (500, 0):
            self.run_client("produce", topic, first, 300, "zstd", self.ACKS)
        wanted = {}
        for line in kcat(self.cluster, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
                         "-f", "%p %T %o\n").text.splitlines():
            partition, time, offset = map(int, line.split())
            wanted[partition] = max(wanted.get(partition, (0, 0)), (time, offset))
        newest = lambda: {row["partition"]: (row["time"], row["offset"])
                          for row in self.run_client("newest", topic)}
        self.assertEqual(set(wanted), {0, 1, 2})
        self.assertEqual(newest(), wanted)
        self.cluster[self.leader(topic)].kill()
        for partition in range(3):
            self.leader(topic, partition)
        self.assertEqual(newest(), wanted)


class KafkaGo(GoClusterTest, ClusterTest):
    NAME, ACKS = "kafkago", "-1"  # it has no idempotence: what is sent again may be there twice


if __name__ == "__main__":
    unittest.main()
