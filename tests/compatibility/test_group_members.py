"""How members of a group share partitions: kcat, kafkajs and confluent-kafka, on one node and on
three."""

import re
import time

import wire
from clients import Kafkajs, Program, kcat, numbers
from cluster import ClusterTest, wait_for
from support import NodeTest

from confluent_kafka import Consumer

SESSION_MS = 2000
SHORT = ("-X", f"session.timeout.ms={SESSION_MS}", "-X", "heartbeat.interval.ms=300")
COOPERATIVE = ("-X", "partition.assignment.strategy=cooperative-sticky")


class Member(Program):
    """kcat in a group; it prints PARTITION:VALUE of each record."""

    def __init__(self, brokers, group, topic, *words):
        super().__init__("kcat", "-b", brokers.address, "-G", group, "-X",
                         "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=100", "-u",
                         "-f", "%p:%s\n", *words, topic)

    @property
    def rebalances(self):
        """What was said of each: ("assigned", {0, 1}), the oldest first."""
        found = re.findall(r"rebalanced.*?(assign|revo).*?: (?=\S+ \[)(.*)", self.said)
        return [({"assign": "assigned", "revo": "revoked"}[what],
                 set(map(int, re.findall(r"\[(\d+)\]", partitions))))
                for what, partitions in found]

    @property
    def share(self):
        """The partitions that it holds."""
        held = set()
        for what, partitions in self.rebalances:
            held = held | partitions if what == "assigned" else held - partitions
        return held

    @property
    def values(self):
        return [int(line.split(b":")[1]) for line in self.lines]


class Sharing:
    def member(self, group, topic, *words):
        one = Member(self.brokers, group, topic, *words)
        self.addCleanup(one.__exit__)
        return one

    def described(self, group):
        return self.aq("group", "describe", group, "--output", "json").json

    def settle(self, members, *counts):
        """Waits until each partition is held once, and the members hold as many each."""
        total = sum(counts)
        wait_for(f"shares of {counts}: {[one.said for one in members]}", lambda: sorted(
            len(one.share) for one in members) == sorted(counts) and len(
                set().union(*(one.share for one in members))) == total)

    def send(self, topic, partitions, first, last):
        """Writes the numbers, spread over the partitions."""
        for partition in range(partitions):
            lines = "".join(f"{i}\n" for i in range(first + partition, last, partitions))
            kcat(self.brokers, "-P", "-t", topic, "-p", str(partition), input=lines.encode())

    def all_read(self, members, wanted):
        wait_for("all is read", lambda: set(sum((one.values for one in members), [])) >=
                 set(wanted))

    def test_a_member_of_three_is_killed(self):
        topic = self.topic(12)
        members = [self.member("killed", topic, *SHORT) for _ in range(3)]
        self.settle(members, 4, 4, 4)
        self.send(topic, 12, 0, 600)
        self.all_read(members, range(600))
        doomed = members.pop()
        killed = time.monotonic()
        doomed.kill()
        self.settle(members, 6, 6)
        self.assertGreater(time.monotonic() - killed, SESSION_MS / 1000 / 2)
        self.send(topic, 12, 600, 1200)
        self.all_read(members + [doomed], range(1200))
        # At rest nobody reads what another one does.
        after = sorted(value for one in members for value in one.values if value >= 600)
        self.assertEqual(after, list(range(600, 1200)))
        self.assertEqual(len(self.described("killed")["members"]), 2)

    def test_a_member_that_leaves_is_not_waited_for(self):
        topic = self.topic(4)
        members = [self.member("left", topic) for _ in range(2)]
        self.settle(members, 2, 2)
        self.send(topic, 4, 0, 100)
        self.all_read(members, range(100))
        leaving = members.pop()
        leaving.interrupt()
        leaving.end()
        self.settle(members, 4)
        self.send(topic, 4, 100, 200)
        self.all_read(members, range(100, 200))
        self.assertEqual(sorted(members[0].values + leaving.values), list(range(200)))

    def test_cooperative_members_keep_what_does_not_move(self):
        topic = self.topic(4)
        first = self.member("cooperative", topic, *COOPERATIVE)
        self.settle([first], 4)
        sent = 0
        second = self.member("cooperative", topic, *COOPERATIVE)
        # Partitions flow meanwhile.
        while len(second.share) < 2:
            self.send(topic, 4, sent, sent + 40)
            sent += 40
        self.settle([first, second], 2, 2)
        self.send(topic, 4, sent, sent + 40)
        self.all_read([first, second], range(sent + 40))
        for one in (first, second):
            said = re.findall(r"rebalanced: (.*?) of", one.said)
            self.assertLessEqual(set(said), {"incremental assignment", "incremental revoke"}, said)
            self.assertIn("COOPERATIVE", one.said)
        lost = set().union(*(gone for what, gone in first.rebalances if what == "revoked"))
        self.assertEqual(lost, second.share)
        self.assertEqual(sorted(first.values + second.values), list(range(sent + 40)))

    def test_a_static_member_that_comes_back_disturbs_nobody(self):
        topic = self.topic(4)
        words = ("-X", "session.timeout.ms=30000", "-X")
        other = self.member("static", topic, *words, "group.instance.id=i0")
        one = self.member("static", topic, *words, "group.instance.id=i1")
        self.settle([other, one], 2, 2)
        before, heard = self.described("static"), len(other.rebalances)
        self.send(topic, 4, 0, 100)
        self.all_read([one, other], range(100))
        one.kill()
        again = self.member("static", topic, *words, "group.instance.id=i1")
        self.settle([other, again], 2, 2)
        self.send(topic, 4, 100, 200)
        self.all_read([one, other, again], range(200))
        after = self.described("static")
        self.assertEqual((after["generation"], again.share), (before["generation"], one.share))
        self.assertEqual({row["instance"] for row in after["members"]}, {"i0", "i1"})
        self.assertEqual(len(other.rebalances), heard)

    def test_the_first_of_two_with_one_instance_id_is_fenced(self):
        topic = self.topic(2)
        words = ("-X", "group.instance.id=i1", *SHORT)
        first = self.member("fenced", topic, *words)
        self.settle([first], 2)
        second = self.member("fenced", topic, *words)
        self.settle([second], 2)
        first.end(code=1)
        self.assertRegex(first.said, "fenced by other consumer with same group.instance.id")
        self.send(topic, 2, 0, 100)
        self.all_read([second], range(100))


class OneNode(Sharing, NodeTest):
    def kafkajs(self, topic, group):
        return Kafkajs.start("kafkajs_group.js", self.node, topic, group, "1")

    def test_members_without_a_common_assignor_are_refused(self):
        Kafkajs.require()
        topic = self.topic()
        first = self.member("kcat-first", topic)
        self.settle([first], 1)
        with self.kafkajs(topic, "kcat-first") as refused:
            refused.end(code=1)
            self.assertIn("code: 23", refused.said)
            self.assertIn("INCONSISTENT_GROUP_PROTOCOL", refused.said)
        with self.kafkajs(topic, "kafkajs-first") as first:
            wait_for("it is a member", lambda: self.aq(
                "group", "members", "kafkajs-first", code=None).code == 0 and self.described(
                    "kafkajs-first")["state"] == "Stable")
            refused = self.member("kafkajs-first", topic, "-d", "cgrp")
            refused.wait_for("it is refused", lambda one: "Inconsistent group protocol" in
                             one.said)
            self.assertEqual(len(self.described("kafkajs-first")["members"]), 1)

    def test_kcat_and_confluent_kafka_share_by_range(self):
        topic = self.topic(4)
        one = self.member("both", topic)
        self.settle([one], 4)
        other = Consumer({"bootstrap.servers": self.node.address, "group.id": "both",
                          "auto.offset.reset": "earliest"})
        self.addCleanup(other.close)
        other.subscribe([topic])
        values = []

        def poll():
            record = other.poll(0.1)
            if record and not record.error():
                values.append(int(record.value()))
            return values
        wait_for("it has its share", lambda: poll() is values and len(other.assignment()) == 2)
        self.settle([one], 2)
        self.send(topic, 4, 0, 100)
        wait_for("all is read", lambda: set(poll() + one.values) >= set(range(100)))
        self.assertEqual(sorted(values + one.values), list(range(100)))


class ThreeNodes(Sharing, ClusterTest):
    def setUp(self):
        super().setUp()
        # librdkafka reads nothing any more when the coordinator moves while it asks for offsets.
        self.coordinators_return()

    def coordinator(self, group):
        def find():
            found = wire.find_coordinator(self.cluster.addresses[0], group)
            return found[0] if found and self.cluster[found[0]].runs else None
        return wait_for(f"{group} has a coordinator", find)

    def test_the_coordinator_is_killed(self):
        """Members go on, with what they hold, and no offset is lost."""
        topic = self.topic(6)
        members = [self.member("coordinated", topic, "-X", "session.timeout.ms=10000")
                   for _ in range(2)]
        self.settle(members, 3, 3)
        self.send(topic, 6, 0, 300)
        self.all_read(members, range(300))
        wait_for("it is committed", lambda: self.described("coordinated")["lag"] == 0)
        generation = self.described("coordinated")["generation"]
        gone = self.coordinator("coordinated")
        self.cluster[gone].kill()
        self.assertNotEqual(self.coordinator("coordinated"), gone)
        self.send(topic, 6, 300, 600)
        self.all_read(members, range(600))
        wait_for("it is committed", lambda: self.described("coordinated")["lag"] == 0)
        self.assertEqual(self.described("coordinated")["generation"], generation)
        for one in members:
            one.interrupt()
            one.end()
        read = members[0].values + members[1].values
        self.assertEqual(sorted(read), list(range(600)))
        last = self.member("coordinated", topic, "-e")
        self.assertEqual(last.end(), b"")

    def test_the_leaders_of_what_is_read_are_killed(self):
        """Everything acknowledged is read, and nothing twice."""
        topic = self.topic(6)
        members = [self.member("led", topic, "-X", "session.timeout.ms=10000") for _ in range(2)]
        self.settle(members, 3, 3)
        sent = 0
        for victim in (2, 3):
            self.send(topic, 6, sent, sent + 300)
            sent += 300
            self.cluster[victim].kill()
            self.send(topic, 6, sent, sent + 300)
            sent += 300
            self.all_read(members, range(sent))
            self.cluster.heal()
        self.assertEqual(sorted(members[0].values + members[1].values), list(range(sent)))
