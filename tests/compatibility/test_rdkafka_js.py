"""Packages for Node.js that bring a librdkafka of their own, newer than Debian's. They are compiled
when npm installs them, which takes minutes: ./dev compat --node DIR says where they are."""

import json
import os
import pathlib
import shutil
import signal
import unittest

import wire
from batches import CODECS, batches
from clients import END_SECONDS, FOLDER, Program, kcat, numbers
from cluster import ClusterTest
from floor import OlderCluster, OlderNode
from support import NodeTest, clean_environment, run

PACKAGES = pathlib.Path(os.environ.get("AQUEDUCT_COMPAT_NODE") or "none") / "node_modules"


def rows(printed):
    return [json.loads(line) for line in printed.splitlines() if line.endswith(b"}")]


def environment():
    return {**clean_environment(), "NODE_PATH": str(PACKAGES)}


class Member:
    """A member of a group."""

    def __init__(self, *command):
        self.program = Program(*command, env=environment())

    @property
    def share(self):
        """The partitions that it was given last; None before."""
        found = [row["assigned"] for row in rows(self.program.printed) if "assigned" in row]
        return found[-1] if found else None

    @property
    def read(self):
        return [row for row in rows(self.program.printed) if "value" in row]

    @property
    def values(self):
        return [int(row["value"]) for row in self.read]

    def leave(self):
        self.program.process.send_signal(signal.SIGTERM)
        self.program.end()


class RdkafkaJs:
    """Of one PACKAGE."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("node") or not (PACKAGES / cls.PACKAGE).is_dir():
            raise unittest.SkipTest("node-rdkafka and @confluentinc/kafka-javascript are not "
                                    "tested: ./dev compat --node DIR does it, where npm has "
                                    "installed them")
        super().setUpClass()

    def command(self, *words):
        return ["node", FOLDER / "rdkafka_client.js", self.PACKAGE, self.brokers.address, *words]

    def client(self, *words):
        ended = run(self.command(*words), seconds=END_SECONDS, env=environment())
        self.assertEqual(ended.code, 0, ended)
        return rows(ended.out)[-1]

    def member(self, topic, group):
        one = Member(*self.command("group", topic, group))
        self.addCleanup(one.program.__exit__)
        return one

    def write(self, topic, partitions, first, count, codec="none"):
        self.assertEqual(self.client("write", topic, partitions, first, count, codec),
                         {"sent": count})

    def test_every_codec_is_written_and_read(self):
        topic = self.topic()
        for i, codec in enumerate(CODECS):
            self.write(topic, 1, 100 * i, 100, codec)
        with wire.Connection(self.leader_address(topic)) as connection:
            stored = batches(connection, topic)
        self.assertEqual({row[0] for row in stored}, set(CODECS))
        self.assertEqual(sum(row[2] for row in stored), 500)
        shown = kcat(self.brokers, "-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true")
        self.assertEqual(shown.out, numbers(0, 500))
        member = self.member(topic, topic)
        member.program.wait_for("all is read", lambda _: len(member.values) >= 500)
        self.assertEqual(member.read, [{"value": f"{i}", "key": f"k{i}", "header": f"{i}"}
                                       for i in range(500)])
        member.leave()

    def test_a_member_takes_over_what_one_that_was_killed_had(self):
        topic = self.topic(4)
        first = self.member(topic, topic)
        first.program.wait_for("it has all", lambda _: first.share == [0, 1, 2, 3])
        second = self.member(topic, topic)
        second.program.wait_for("they share", lambda _: (
            [len(one.share or ()) for one in (first, second)] == [2, 2] and
            sorted(first.share + second.share) == [0, 1, 2, 3]))
        self.write(topic, 4, 0, 200)
        second.program.wait_for("all is read", lambda _: (
            sorted(first.values + second.values) == list(range(200))))
        first.program.kill()
        second.program.wait_for("it has all", lambda _: second.share == [0, 1, 2, 3])
        self.write(topic, 4, 200, 200)
        second.program.wait_for("the rest is read", lambda _: (
            set(second.values) >= set(range(200, 400))))
        second.leave()
        described = self.aq("group", "describe", topic, "--output", "json").json
        self.assertEqual((described["lag"], described["members"]), (0, []))

    def test_all_topics_are_listed(self):
        topic = self.topic()
        self.assertIn(topic, self.client("topics")["topics"])


class LeaderKilled:
    """Of RdkafkaJs on three nodes."""

    def test_a_producer_and_a_group_go_on_when_the_leader_is_killed(self):
        topic, count = self.topic(3), 100_000
        member = self.member(topic, topic)
        member.program.wait_for("it has all", lambda _: member.share == [0, 1, 2])
        producer = Program(*self.command("write", topic, 3, 0, count, "lz4"), env=environment())
        self.addCleanup(producer.__exit__)
        member.program.wait_for("it has begun", lambda _: len(member.read) > 0)
        self.cluster[self.leader(topic)].kill()
        self.assertEqual(rows(producer.end())[-1], {"sent": count})
        member.program.wait_for("all is read", lambda _: set(member.values) == set(range(count)))
        for partition in range(3):
            there = kcat(self.cluster, "-C", "-t", topic, "-p", str(partition), "-o", "beginning",
                         "-e", "-q", "-X", "check.crcs=true").out
            self.assertEqual([int(line) for line in there.split()],
                             list(range(partition, count, 3)))


class NodeRdkafka(RdkafkaJs):
    PACKAGE = "node-rdkafka"


class NodeRdkafkaOneNode(NodeRdkafka, NodeTest):
    pass


class NodeRdkafkaThreeNodes(LeaderKilled, NodeRdkafka, ClusterTest):
    pass


class NodeRdkafkaOnOlder(NodeRdkafka, NodeTest):
    NODE = OlderNode


class NodeRdkafkaOnThreeOlder(LeaderKilled, NodeRdkafka, ClusterTest):
    CLUSTER = OlderCluster


class Confluent(RdkafkaJs):
    PACKAGE = "@confluentinc/kafka-javascript"

    def test_the_api_of_kafkajs(self):
        for codec in CODECS:
            ended = run(["node", FOLDER / "confluent_kafkajs.js", self.brokers.address,
                         f"api-{codec}", codec], seconds=END_SECONDS, env=environment())
            self.assertEqual(ended.code, 0, ended)
            self.assertEqual(ended.lines[-1], {
                "created": True, "sent": [0],
                "read": [["k0", "1", "x"], ["k1", "2", "x"], ["k2", None, "x"]],
                "committed": [[0, 2]], "ends": [[0, 0, 3], [1, 0, 0]], "isEmpty": [True]})


class ConfluentOneNode(Confluent, NodeTest):
    pass


class ConfluentThreeNodes(LeaderKilled, Confluent, ClusterTest):
    pass


class ConfluentOnOlder(Confluent, NodeTest):
    NODE = OlderNode


class ConfluentOnThreeOlder(LeaderKilled, Confluent, ClusterTest):
    CLUSTER = OlderCluster


if __name__ == "__main__":
    unittest.main()
