"""Consumer groups of clients of Kafka, on one node and on three."""

import struct
import time
import unittest

import wire
from cluster import ClusterTest, wait_for
from support import Node, NodeTest

from confluent_kafka import Consumer, Producer
from kafka import KafkaAdminClient, KafkaConsumer
from kafka import TopicPartition as PythonPartition

WAIT_SECONDS = 30
VALUES = [str(i).encode() for i in range(300)]
JOIN_GROUP, HEARTBEAT, OFFSET_COMMIT, OFFSET_FETCH, DELETE_GROUPS = 11, 12, 8, 9, 42


class GroupCalls:
    def filled(self, partitions=3):
        topic = self.topic(partitions)
        producer = Producer({"bootstrap.servers": self.brokers.address})
        for i, value in enumerate(VALUES):
            producer.produce(topic, value, partition=i % partitions)
        self.assertEqual(producer.flush(WAIT_SECONDS), 0)
        return topic


class Confluent(GroupCalls):
    def consumer(self, group, **settings):
        one = Consumer({"bootstrap.servers": self.brokers.address, "group.id": group,
                        "auto.offset.reset": "earliest", **settings})
        self.addCleanup(one.close)
        return one

    def test_two_members_share_the_partitions(self):
        topic = self.filled(4)
        members = [self.consumer("shared") for _ in range(2)]
        for member in members:
            member.subscribe([topic])
        deadline = time.monotonic() + WAIT_SECONDS
        shares = []
        values = []
        while shares != [2, 2] or len(set(values)) < len(VALUES):
            self.assertLess(time.monotonic(), deadline, shares)
            for member in members:
                record = member.poll(0.1)
                if record and not record.error():
                    values.append(record.value())
            shares = [len(member.assignment()) for member in members]
        self.assertEqual(set(values), set(VALUES))

    def test_committed_offsets_are_read_again(self):
        topic = self.filled(1)
        first = self.consumer("committed", **{"enable.auto.commit": False})
        first.subscribe([topic])
        record = None
        while record is None or record.offset() < 9:
            record = first.poll(WAIT_SECONDS)
            self.assertIsNone(record.error())
        committed = first.commit(record, asynchronous=False)
        self.assertEqual([(row.offset, row.error) for row in committed], [(10, None)])
        first.close()
        second = self.consumer("committed")
        second.subscribe([topic])
        self.assertEqual(second.poll(WAIT_SECONDS).offset(), 10)


class KafkaPython(GroupCalls):
    def test_a_group_reads_commits_and_is_described(self):
        topic = self.filled()
        consumer = KafkaConsumer(topic, bootstrap_servers=self.brokers.addresses, group_id="python",
                                 auto_offset_reset="earliest", enable_auto_commit=False,
                                 consumer_timeout_ms=1000 * WAIT_SECONDS)
        values = [next(consumer).value for _ in VALUES]
        self.assertEqual(set(values), set(VALUES))
        consumer.commit()
        admin = KafkaAdminClient(bootstrap_servers=self.brokers.addresses)
        self.assertIn(("python", "consumer"), admin.list_consumer_groups())
        described = admin.describe_consumer_groups(["python"])[0]
        self.assertEqual((described.state, len(described.members)), ("Stable", 1))
        self.assertEqual(described.members[0].client_host, "/127.0.0.1")
        consumer.close()
        offsets = admin.list_consumer_group_offsets("python")
        self.assertEqual({p.partition: row.offset for p, row in offsets.items()},
                         {0: 100, 1: 100, 2: 100})
        self.assertEqual([code.errno for _, code in admin.delete_consumer_groups(["python"])], [0])
        self.assertEqual(admin.list_consumer_group_offsets("python"), {})
        admin.close()

    def test_a_client_of_the_other_protocol_is_of_the_same_group(self):
        topic = self.filled(1)
        shown = self.aq("consume", topic, "-g", "mixed", "-o", "start", "-n", len(VALUES),
                        "-f", "%v\n").out
        self.assertEqual(shown.split(), VALUES)
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses, group_id="mixed")
        self.assertEqual(consumer.committed(PythonPartition(topic, 0)), len(VALUES))
        consumer.close()


class Wire:
    def speak_to_coordinator(self, group):
        _, address = wait_for("there is a coordinator", lambda: wire.find_coordinator(
            self.brokers.addresses[0], group))
        self.wire = wire.Connection(address)
        self.addCleanup(self.wire.socket.close)

    def join(self, member="", version=4):
        body = wire.text("wired") + struct.pack(">ii", 10000, 10000) + wire.text(member)
        body += wire.text("consumer") + struct.pack(">i", 1) + wire.text("range")
        body += struct.pack(">i", 1) + b"m"
        response = self.wire.call(JOIN_GROUP, version, body)
        response.take("i")
        error, generation = response.take("hi")
        response.text()
        response.text()
        return error, generation, response.text()

    def settled(self, group, ask):
        """The answer of the group's coordinator when that has been found and has loaded."""
        def answered():
            self.speak_to_coordinator(group)
            answer = ask()
            return answer if answer[0] not in (14, 15, 16) else None
        return wait_for("it has loaded", answered)

    def test_a_member_is_named_first_and_unknown_ones_are_refused(self):
        error, generation, member = self.settled("wired", self.join)
        self.assertEqual((error, generation), (79, -1))
        error, generation, named = self.join(member)
        self.assertEqual((error, named), (0, member))
        beat = lambda of, who: self.wire.call(HEARTBEAT, 0, wire.text("wired") + struct.pack(
            ">i", of) + wire.text(who)).take("h")
        self.assertEqual(beat(generation, member), 0)
        self.assertEqual(beat(generation + 5, member), 22)
        self.assertEqual(beat(generation, "nobody"), 25)

    def test_offsets_without_members(self):
        topic = self.topic()

        def commit(partition, metadata):
            body = wire.text("alone") + struct.pack(">i", -1) + wire.text("")
            body += struct.pack(">qi", -1, 1) + wire.text(topic)
            body += struct.pack(">iiq", 1, partition, 7) + wire.text(metadata)
            response = self.wire.call(OFFSET_COMMIT, 2, body)
            response.take("i")
            response.text()
            return response.take("iih")[2:]

        def fetch(partition):
            body = wire.text("alone") + struct.pack(">i", 1) + wire.text(topic)
            response = self.wire.call(OFFSET_FETCH, 1, body + struct.pack(">ii", 1, partition))
            response.take("i")
            response.text()
            _count, _partition, offset = response.take("iiq")
            return offset, response.text(), response.take("h")

        self.assertEqual(self.settled("alone", lambda: commit(0, "note")), (0,))
        self.assertEqual(fetch(0), (7, "note", 0))
        # The topic has no such partition, as far as this broker knows: it may just have grown.
        self.assertEqual(fetch(3), (-1, "", 14))
        self.assertEqual(commit(3, ""), (3,))
        self.assertEqual(commit(0, "x" * 5000), (12,))

    def test_groups_that_are_not_there_are_said_to_be_dead(self):
        body = struct.pack(">i", 1) + wire.text("no-such")

        def describe():
            response = self.wire.call(15, 0, body)
            response.take("i")
            return response.take("h"), response.text(), response.text()

        self.assertEqual(self.settled("no-such", describe), (0, "no-such", "Dead"))
        deleted = self.wire.call(DELETE_GROUPS, 0, body)
        deleted.take("ii")
        self.assertEqual((deleted.text(), deleted.take("h")), ("no-such", 69))


class GroupsOfThreeNodes(ClusterTest):
    def setUp(self):
        super().setUp()
        # librdkafka reads nothing any more when the coordinator moves while it asks for offsets.
        wait_for("groups are coordinated", lambda: wire.find_coordinator(
            self.brokers.addresses[0], "first"))
        self.coordinators_return()


class ConfluentOneNode(Confluent, NodeTest):
    pass


class ConfluentThreeNodes(Confluent, GroupsOfThreeNodes):
    pass


class KafkaPythonOneNode(KafkaPython, NodeTest):
    pass


class KafkaPythonThreeNodes(KafkaPython, GroupsOfThreeNodes):
    pass


class WireOneNode(Wire, NodeTest):
    pass


class WireThreeNodes(Wire, GroupsOfThreeNodes):
    pass


class FirstUse(unittest.TestCase):
    def test_the_coordinator_that_is_found_coordinates(self):
        """Some clients give up, or wait for seconds, when it says that it does not."""
        node = Node()
        self.addCleanup(node.close)
        found, said = [], []
        with wire.Connection(node.address) as connection:
            end = time.monotonic() + WAIT_SECONDS
            while (not found or found[-1] != 0) and time.monotonic() < end:
                response = connection.call(wire.FIND_COORDINATOR, 0, wire.text("first"))
                found.append(response.take("h"))
            beat = wire.text("first") + struct.pack(">i", 1) + wire.text("nobody")
            while (not said or said[-1] in (14, 15, 16)) and time.monotonic() < end:
                said.append(connection.call(HEARTBEAT, 0, beat).take("h"))
        self.assertLessEqual(set(found), {15, 0})  # COORDINATOR_NOT_AVAILABLE
        self.assertEqual(found[-1], 0)
        self.assertLessEqual(set(said), {14, 25})  # it loads, then: nobody is no member
        self.assertEqual(said[-1], 25)
