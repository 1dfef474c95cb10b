"""Offsets that groups commit: what is kept, refused and given back, on one node and on three."""

import struct

import wire
from clients import kcat, numbers
from cluster import ClusterTest, wait_for
from support import NodeTest

from confluent_kafka import Consumer, KafkaException, TopicPartition
from kafka import KafkaAdminClient, KafkaConsumer, errors
from kafka import TopicPartition as PythonPartition
from kafka.structs import OffsetAndMetadata

JOIN_GROUP, SYNC_GROUP, OFFSET_FETCH, OFFSET_COMMIT, OFFSET_DELETE = 11, 14, 9, 8, 47
WAIT_SECONDS = 20
# Longer than a test: the member does not find out by itself what others did.
PATIENT = {"session.timeout.ms": 60000, "heartbeat.interval.ms": 50000}


def compact(value):
    return bytes([len(value) + 1]) + value.encode()


class Offsets:
    def coordinator(self, group):
        """A connection to the node that coordinates the group."""
        _, address = wait_for("there is a coordinator", lambda: wire.find_coordinator(
            self.brokers.addresses[0], group))
        one = wire.Connection(address)
        self.addCleanup(one.socket.close)
        return one

    def member(self, group, topic, **settings):
        """confluent-kafka in a group, with the only partition."""
        one = Consumer({"bootstrap.servers": self.brokers.address, "group.id": group,
                        "enable.auto.commit": False, **PATIENT, **settings})
        self.addCleanup(one.close)
        one.subscribe([topic])
        wait_for("it has the partition", lambda: one.poll(0.05) is None and one.assignment())
        return one

    def error_of_commit(self, member, topic):
        with self.assertRaises(KafkaException) as raised:
            member.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
        return raised.exception.args[0].code()

    def member_id(self, group):
        return self.aq("group", "members", group, "--output", "json").json["members"][0]["member"]

    def test_a_member_of_a_former_generation_is_refused(self):
        topic = self.topic()
        member = self.member(topic, topic)
        # Somebody joins in its name: the group is of the next generation, and the member does not
        # know.
        body = wire.text(topic) + struct.pack(">ii", 60000, 60000)
        body += wire.text(self.member_id(topic)) + wire.text("consumer") + struct.pack(">i", 1)
        body += wire.text("range") + struct.pack(">i", 1) + b"m"
        with self.coordinator(topic) as other:
            joined = other.call(JOIN_GROUP, 2, body)
            self.assertEqual(joined.take("ih")[1], 0)
            generation = joined.take("i")
            body = wire.text(topic) + struct.pack(">i", generation) + wire.text(
                self.member_id(topic)) + struct.pack(">i", 0)
            self.assertEqual(other.call(SYNC_GROUP, 1, body).take("ih")[1], 0)
            self.assertEqual(self.error_of_commit(member, topic), 22)
        self.assertIsNone(self.committed(topic, topic))

    def test_a_member_that_was_put_out_is_refused(self):
        topic = self.topic()
        member = self.member(topic, topic)
        self.aq("group", "members", topic, "--remove", self.member_id(topic), "--yes")
        self.assertEqual(self.error_of_commit(member, topic), 25)
        self.assertIsNone(self.committed(topic, topic))

    def committed(self, group, topic):
        """What kafka-python finds."""
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses, group_id=group)
        try:
            return consumer.committed(PythonPartition(topic, 0))
        finally:
            consumer.close()

    def test_what_was_never_committed_is_no_error(self):
        topic = self.topic()
        self.assertIsNone(self.committed("never", topic))
        consumer = Consumer({"bootstrap.servers": self.brokers.address, "group.id": "never"})
        self.addCleanup(consumer.close)
        row, = consumer.committed([TopicPartition(topic, 0)], WAIT_SECONDS)
        # RD_KAFKA_OFFSET_INVALID
        self.assertEqual((row.offset, row.error), (-1001, None))

    def test_metadata_is_kept_up_to_its_limit(self):
        topic = self.topic()
        partition = PythonPartition(topic, 0)
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses, group_id=topic)
        self.addCleanup(consumer.close)
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(3, "n" * 4096)})
        with self.assertRaises(errors.OffsetMetadataTooLargeError):
            consumer.commit({partition: OffsetAndMetadata(4, "n" * 5000)})
        self.assertEqual(consumer.committed(partition, metadata=True),
                         OffsetAndMetadata(3, "n" * 4096))

    def test_two_groups_are_asked_for_at_once(self):
        topic = self.topic()
        # Groups of one coordinator: in three nodes, one of these pairs is.
        first = self.coordinator("both-1")
        here = lambda group: self.coordinator(group).socket.getpeername()
        second = next(group for group in map("both-{}".format, range(2, 50))
                      if here(group) == first.socket.getpeername())
        for offset, group in ((3, "both-1"), (4, second)):
            consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses, group_id=group)
            consumer.assign([PythonPartition(topic, 0)])
            consumer.commit({PythonPartition(topic, 0): OffsetAndMetadata(offset, "")})
            consumer.close()
        rows = b"".join(compact(group) + b"\x02" + compact(topic) + b"\x02" +
                        struct.pack(">i", 0) + b"\0\0" for group in ("both-1", second))
        found = first.call(OFFSET_FETCH, 8, b"\x03" + rows + b"\0\0", flexible=True)
        self.assertEqual(found.take("BiB"), (0, 0, 3))
        for offset, group in ((3, "both-1"), (4, second)):
            self.assertEqual(found.bytes(found.take("B") - 1).decode(), group)
            self.assertEqual(found.take("B"), 2)
            self.assertEqual(found.bytes(found.take("B") - 1).decode(), topic)
            _count, partition, committed, _epoch = found.take("Biqi")
            self.assertEqual((partition, committed), (0, offset))
            self.assertEqual(found.take("BhBBhB")[1::3], (0, 0))
        self.assertEqual(found.left, 1)

    def test_offsets_are_deleted_and_groups_too_without_members_only(self):
        topic = self.topic()
        member = self.member(topic, topic)
        member.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
        admin = KafkaAdminClient(bootstrap_servers=self.brokers.addresses)
        self.addCleanup(admin.close)
        body = wire.text(topic) + struct.pack(">i", 1) + wire.text(topic)
        body += struct.pack(">ii", 1, 0)

        def delete_offset():
            answer = self.coordinator(topic).call(OFFSET_DELETE, 0, body)
            error = answer.take("hii")[0]
            answer.text()
            return error, answer.take("iih")[2]

        delete_group = lambda: [code.errno for _, code in admin.delete_consumer_groups([topic])]
        self.assertEqual(delete_offset(), (0, 86))
        self.assertEqual(delete_group(), [68])
        self.assertEqual(self.committed(topic, topic), 5)
        member.close()
        self.assertEqual(delete_offset(), (0, 0))
        self.assertIsNone(self.committed(topic, topic))
        self.assertEqual(delete_group(), [0])
        self.assertEqual(delete_group(), [69])

    def test_offsets_are_moved_without_members_only(self):
        """As tools do that reset offsets: they commit as no member."""
        topic = self.topic()
        member = self.member(topic, topic)
        body = wire.text(topic) + struct.pack(">i", -1) + wire.text("")
        body += struct.pack(">qi", -1, 1) + wire.text(topic)
        body += struct.pack(">iiq", 1, 0, 7) + wire.text("")

        def move():
            answer = self.coordinator(topic).call(OFFSET_COMMIT, 2, body)
            answer.take("i")
            answer.text()
            return answer.take("iih")[2]

        self.assertEqual(move(), 25)
        self.assertIsNone(self.committed(topic, topic))
        member.close()
        self.assertEqual(move(), 0)
        self.assertEqual(self.committed(topic, topic), 7)

    def test_commits_of_the_oldest_versions_are_kept(self):
        """Version 0 knows no members; 1 has a time with each offset, which is not used."""
        topic = self.topic()

        def commit(version, offset, member):
            body = wire.text(topic) + member + struct.pack(">i", 1) + wire.text(topic)
            body += struct.pack(">iiq", 1, 0, offset)
            body += (struct.pack(">q", 1000) if version == 1 else b"") + wire.text("note")
            answer = self.coordinator(topic).call(OFFSET_COMMIT, version, body)
            self.assertEqual(answer.take("i"), 1)
            self.assertEqual(answer.text(), topic)
            error = answer.take("iih")[2]
            self.assertEqual(answer.left, 0)
            return error

        stranger = struct.pack(">i", 4) + wire.text("stranger")
        self.assertEqual(commit(0, 5, b""), 0)
        self.assertEqual(self.committed(topic, topic), 5)
        self.assertEqual(commit(1, 6, struct.pack(">i", -1) + wire.text("")), 0)
        self.assertEqual(self.committed(topic, topic), 6)
        self.assertEqual(commit(1, 7, stranger), 25)
        self.assertEqual(self.committed(topic, topic), 6)

    def test_a_group_of_kcat_goes_on_where_it_was(self):
        topic = self.topic(3)
        words = ("-G", topic, topic, "-q", "-X", "auto.offset.reset=earliest")
        kcat(self.brokers, "-P", "-t", topic, input=numbers(0, 300))
        first = kcat(self.brokers, *words, "-e").out
        self.assertEqual(sorted(map(int, first.split())), list(range(300)))
        kcat(self.brokers, "-P", "-t", topic, input=numbers(300, 400))
        again = kcat(self.brokers, *words, "-e").out
        self.assertEqual(sorted(map(int, again.split())), list(range(300, 400)))


class OneNode(Offsets, NodeTest):
    pass


class ThreeNodes(Offsets, ClusterTest):
    pass
