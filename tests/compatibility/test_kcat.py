"""kcat, on Debian's librdkafka, on one node and on three."""

import hashlib
import re
import struct
import time
import unittest

import wire
from batches import CODECS, batches
from clients import Kafkajs, kcat, missing_features, numbers
from cluster import ClusterTest
from support import Node, NodeTest

from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as PythonPartition

THOUSAND = numbers(0, 1000)


class KcatCalls:
    def kcat(self, *words, **options):
        return kcat(self.brokers, *words, **options)

    def produce(self, topic, *words, input=THOUSAND):
        return self.kcat("-P", "-t", topic, *words, input=input)

    def consume(self, topic, *words):
        return self.kcat("-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true", *words).out


class Listing(KcatCalls):
    def test_the_cluster_is_listed(self):
        topic = self.topic(3)
        listed = self.kcat("-L").text
        for address in self.brokers.addresses:
            self.assertIn(f"at {address}", listed)
        self.assertEqual(listed.count(" (controller)"), 1)
        self.assertIn(f'topic "{topic}" with 3 partitions', listed)

    def test_only_what_is_obsolete_or_not_there_yet_is_missing(self):
        said = self.kcat("-L", "-d", "feature").err.decode()
        self.assertEqual(set(re.findall(r"Disabling feature (\w+)", said)), missing_features())

    def test_an_illegal_name_is_said_to_be_one(self):
        self.assertIn("Broker: Invalid topic", self.kcat("-L", "-t", "a/b").text)

    def test_a_topic_is_created_when_it_is_written_to(self):
        self.produce("written-to")
        self.assertEqual(self.consume("written-to"), THOUSAND)


class WithoutCreation(unittest.TestCase):
    def test_no_topic_is_created_where_that_is_off(self):
        node = Node("topic.auto-create=false")
        self.addCleanup(node.close)
        failed = kcat(node, "-P", "-t", "nowhere", "-X", "message.timeout.ms=3000", "-X",
                      "topic.metadata.propagation.max.ms=100", input=b"x\n", code=None)
        self.assertIn("Unknown topic", failed.err.decode())
        self.assertNotIn('"nowhere"', kcat(node, "-L").text)


class Produce(KcatCalls):
    def test_every_kind_of_acknowledgement(self):
        topic = self.topic()
        for acks in ("0", "1", "all"):
            said = self.produce(topic, "-X", f"acks={acks}", "-vvv").err.decode()
            self.assertEqual(said.count("% Message delivered"), 1000, acks)
        self.assertEqual(self.consume(topic), THOUSAND * 3)
        self.assertEqual(self.consume(topic, "-f", "%o\n"), numbers(0, 3000))

    def test_an_idempotent_producer(self):
        topic = self.topic()
        self.produce(topic, "-X", "enable.idempotence=true")
        self.assertEqual(self.consume(topic), THOUSAND)

    def test_keys_headers_and_nulls(self):
        topic = self.topic()
        self.produce(topic, "-K:", "-Z", "-H", "a=1", "-H", "b=", input=b"k1:v1\nk2:\n")
        lines = self.consume(topic, "-f", "%k %S %h\n")
        self.assertEqual(lines, b"k1 2 a=1,b=\nk2 -1 a=1,b=\n")

    def test_a_batch_that_is_too_large_is_refused_until_the_topic_allows_it(self):
        topic = self.topic()
        big = b"a" * 2_000_000
        words = ("-X", "message.max.bytes=4000000")
        refused = self.kcat("-P", "-t", topic, *words, input=big, code=None)
        self.assertIn("Message size too large", refused.err.decode())
        self.aq("topic", "alter", topic, "--set", "max.message.bytes=4000000")
        self.produce(topic, *words, input=big)
        self.assertEqual(self.consume(topic).strip(), big)

    def test_keys_and_headers_of_all_records(self):
        topic = self.topic()
        self.produce(topic, "-k", "key", "-H", "a=1", "-H", "a=2", "-H", "b=", input=b"v\nw\n")
        lines = self.consume(topic, "-f", "%k %s %h\n")
        self.assertEqual(lines, b"key v a=1,a=2,b=\nkey w a=1,a=2,b=\n")

    def test_append_time(self):
        """Records of another time are read with that of the broker, and a right CRC."""
        topic = self.topic(1, self.REPLICAS, "--set", "message.timestamp.type=LogAppendTime")
        before = int(1000 * time.time())
        self.produce(topic, input=b"1\n2\n3\n")
        with wire.Connection(self.leader_address(topic)) as client:
            self.assertEqual(client.produce(topic, wire.GOLDEN_BATCH), [(0, 3)])
        times = [int(line) for line in self.consume(topic, "-f", "%T\n").split()]
        self.assertEqual((len(set(times[:3])), len(set(times[3:]))), (1, 1))
        for at in times:
            self.assertTrue(before <= at <= 1000 * time.time(), times)


class Codecs(KcatCalls):
    """What kcat wrote with each codec is stored with it, and read by all who know the codec."""

    def check(self, codec):
        topic = self.topic()
        said = self.produce(topic, "-X", f"compression.codec={codec}", "-d", "msg").err.decode()
        self.assertNotIn("not compressing", said)
        with wire.Connection(self.leader_address(topic)) as client:
            stored = {row[0] for row in batches(client, topic)}
        # A batch of a few records may be smaller without.
        self.assertIn(codec, stored)
        self.assertLessEqual(stored, {codec, "none"})
        self.assertEqual(self.consume(topic), THOUSAND)
        shown = self.aq("consume", topic, "-o", "start", "-n", "1000", "-f", "%v\n").out
        self.assertEqual(shown, THOUSAND)
        return topic

    def check_others(self, codec):
        """kafka-python and kafkajs have gzip themselves."""
        topic = self.check(codec)
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses, check_crcs=True)
        consumer.assign([PythonPartition(topic, 0)])
        consumer.seek_to_beginning()
        values = [next(consumer).value for _ in range(1000)]
        consumer.close()
        self.assertEqual(values, THOUSAND.split())
        Kafkajs.require()
        with Kafkajs.start("kafkajs_group.js", self.brokers, topic, topic, "1000") as member:
            self.assertEqual(member.end(), THOUSAND)

    def test_none(self):
        self.check_others("none")

    def test_gzip(self):
        self.check_others("gzip")

    def test_snappy(self):
        self.check("snappy")

    def test_lz4(self):
        self.check("lz4")

    def test_zstd(self):
        self.check("zstd")

    def test_gzip_of_kafka_python(self):
        topic = self.topic()
        producer = KafkaProducer(bootstrap_servers=self.brokers.addresses, compression_type="gzip")
        for value in THOUSAND.split():
            producer.send(topic, value)
        producer.close()
        self.assertEqual(self.consume(topic), THOUSAND)

    def test_snappy_of_java(self):
        """Java frames its blocks: a magic, two versions, and a size before each."""
        topic = self.topic()
        records = wire.GOLDEN_BATCH[61:]
        # One literal of up to 60 bytes, as snappy's format has it.
        block = bytes([len(records), (len(records) - 1) << 2]) + records
        framed = b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block
        batch = wire.GOLDEN_BATCH[:61] + framed
        batch = batch[:8] + struct.pack(">i", len(batch) - 12) + batch[12:]
        with wire.Connection(self.leader_address(topic)) as client:
            compressed = wire.with_fields(wire.stamped(batch, int(1000 * time.time())), 21,
                                          ("h", CODECS.index("snappy")))
            self.assertEqual(client.produce(topic, compressed), [(0, 0)])
        self.assertEqual(self.consume(topic, "-f", "%k %s %h\n", "-Z"), b"k v h=x\nNULL NULL \n")
        self.assertEqual(self.aq("consume", topic, "-o", "start", "-n", "2", "-f", "%k %v\n").text,
                         "k v\n \n")


class Consume(KcatCalls):
    is_filled = False

    def setUp(self):
        super().setUp()
        if not self.is_filled:
            self.aq("topic", "create", "thousand", "-r", self.REPLICAS)
            self.produce("thousand")
            type(self).is_filled = True

    def test_from_the_beginning(self):
        self.assertEqual(self.consume("thousand", "-o", "beginning"), THOUSAND)

    def test_the_last_five(self):
        self.assertEqual(self.consume("thousand", "-o", "-5"), b"995\n996\n997\n998\n999\n")

    def test_one_from_the_middle(self):
        self.assertEqual(self.consume("thousand", "-o", "10", "-c", "1"), b"10\n")

    def test_from_the_end(self):
        said = self.kcat("-C", "-t", "thousand", "-e", "-o", "end")
        self.assertEqual(said.out, b"")
        self.assertIn("% Reached end of topic thousand [0] at offset 1000: exiting",
                      said.err.decode())

    def test_an_empty_topic(self):
        ended = self.kcat("-C", "-t", self.topic(), "-e", "-d", "protocol,fetch,msg")
        said = ended.err.decode()
        self.assertNotIn("PROTOERR", said)
        self.assertIn("Received FetchResponse", said)
        self.assertEqual(ended.out, b"")

    def test_a_record_above_the_limit_of_a_fetch(self):
        topic = self.topic()
        big = hashlib.sha256(b"seed").hexdigest().encode() * 14000
        self.produce(topic, input=big)
        self.assertEqual(self.consume(topic, "-X", "fetch.message.max.bytes=1000").strip(), big)

    def test_an_offset_behind_the_end(self):
        words = ("-C", "-t", "thousand", "-p", "0", "-o", "999999999", "-e", "-q")
        failed = self.kcat(*words, "-X", "auto.offset.reset=error", code=None)
        self.assertIn("Offset out of range", failed.err.decode())
        again = self.kcat(*words, "-X", "auto.offset.reset=earliest")
        self.assertEqual(again.out, THOUSAND)

    def test_offsets_by_query_and_time(self):
        first, second = self.topic(), self.topic(2)
        now = int(1000 * time.time())
        with wire.Connection(self.leader_address(second)) as client:
            # Each has a second record 5 ms later.
            for later in (0, 1000, 2000):
                client.produce(second, wire.stamped(wire.GOLDEN_BATCH, now + later))
        self.produce(first, input=b"1\n2\n3\n")
        asked = (f"{first}:0:-1", f"{first}:0:-2", f"{second}:0:{now + 1}", f"{second}:1:-1",
                 f"{second}:0:{now + 1000}", f"{second}:0:{now + 3_600_000}")
        answers = [self.kcat("-Q", "-t", one).text.strip() for one in asked]
        self.assertEqual(answers, [f"{first} [0] offset 3", f"{first} [0] offset 0",
                                   f"{second} [0] offset 1", f"{second} [1] offset 0",
                                   f"{second} [0] offset 2", f"{second} [0] offset -1"])
        both = self.kcat("-Q", "-t", asked[0], "-t", asked[2]).text.splitlines()
        self.assertEqual(sorted(both), sorted([answers[0], answers[2]]))

    def test_from_one_time_to_another(self):
        topic = self.topic()
        now = int(1000 * time.time())
        with wire.Connection(self.leader_address(topic)) as client:
            for later in (0, 1000, 2000, 3000):
                client.produce(topic, wire.stamped(wire.GOLDEN_BATCH, now + later))
        read = lambda *words: self.consume(topic, "-p", "0", "-f", "%o\n", *words)
        self.assertEqual(read("-o", f"s@{now + 1}"), numbers(1, 8))
        self.assertEqual(read("-o", f"s@{now + 1}", "-o", f"e@{now + 2000}"), numbers(1, 4))
        self.assertEqual(read("-o", f"s@{now + 3_600_000}"), b"")

    def test_what_the_native_client_wrote(self):
        topic = self.topic()
        self.aq("produce", topic, input=THOUSAND)
        self.assertEqual(self.consume(topic), THOUSAND)


class ListingOneNode(Listing, NodeTest):
    pass


class ListingThreeNodes(Listing, ClusterTest):
    pass


class ProduceOneNode(Produce, NodeTest):
    pass


class ProduceThreeNodes(Produce, ClusterTest):
    pass


class CodecsOneNode(Codecs, NodeTest):
    pass


class CodecsThreeNodes(Codecs, ClusterTest):
    pass


class ConsumeOneNode(Consume, NodeTest):
    pass


class ConsumeThreeNodes(Consume, ClusterTest):
    pass


if __name__ == "__main__":
    unittest.main()
