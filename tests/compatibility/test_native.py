"""What aq wrote is what kcat, kafka-python and confluent-kafka read, and the other way round: keys,
values, headers and timestamps, in every codec."""

import unittest

import wire
from batches import batches
from clients import kcat
from cluster import wait_for
from records import (KCAT_PATTERN, ConfluentReader, PythonReader, Record, aq_line, aq_row,
                     kcat_rows)
from support import NodeTest

from confluent_kafka import Producer
from kafka import KafkaProducer
from kafka.codec import has_lz4, has_snappy, has_zstd

WAIT_SECONDS = 30
# All records are one batch: some clients leave one as it is that would not become smaller.
LINGER_MS = 1000
# In the past, and each later than the one that is written after it.
TIME_MS = 1_700_000_000_000


def records(*rows):
    """With a time for each."""
    return [Record(*row, TIME_MS - i) for i, row in enumerate(rows)]


# What every client can write. Null and empty are not the same.
COMMON = records(
    (b"k", b"v", [("h", b"x")]),
    (None, b"without a key", []),
    (b"without a value", None, []),
    (b"", b"", []),
    (b"\x00\xff\n\xfe", bytes(range(256)), []),
    ("schlüssel".encode(), "größe ✓".encode(), [("kopf", "ä".encode())]),
    (b"headers", b"v", [("a", b"1"), ("b", b""), ("a", b"2"), ("c", b"\xff\xfe")]),
    (b"large", b"0123456789" * 20_000, []),
)
# kafka-python refuses these.
RARE = records((None, None, []), (b"headers", b"v", [("null", None), ("empty", b"")]))
ALL = COMMON + RARE


class Written:
    """What each client writes with the codec CODEC."""

    def written(self, writer, wanted):
        """A new topic that keeps old records, with those that `writer(topic)` writes."""
        topic = f"{self.topic_name(1)}-{self.CODEC}"
        self.aq("topic", "create", topic, "--set", "retention.ms=-1")
        writer(topic)
        with wire.Connection(self.node.address) as connection:
            stored = batches(connection, topic)
        self.assertEqual(({row[0] for row in stored}, sum(row[2] for row in stored)),
                         ({self.CODEC}, len(wanted)))
        return topic

    def read_by(self, reader, count):
        """The records that are read, which are in order."""
        self.addCleanup(reader.close)
        rows = wait_for("all are read", lambda: len(rows := reader.read()) >= count and rows)
        self.assertEqual([row[:2] for row in rows], [(0, i) for i in range(count)])
        return [row.record for row in rows]

    def of_aq(self, topic):
        return [aq_row(line).record
                for line in self.aq("consume", topic, "-e", "--output", "json").out.splitlines()]

    def of_kcat(self, topic):
        return [row.record for row in kcat_rows(kcat(
            self.node, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-X", "check.crcs=true",
            "-f", KCAT_PATTERN).out)]

    def by_aq(self, topic):
        self.aq("produce", topic, "-f", "json", "-z", self.CODEC, input="".join(
            map(aq_line, ALL)))

    def by_confluent(self, topic):
        producer = Producer({"bootstrap.servers": self.node.address,
                             "compression.codec": self.CODEC, "linger.ms": LINGER_MS})
        producer.list_topics(topic)  # without knowing the leader it sends record by record
        for record in ALL:
            producer.produce(topic, record.value, record.key, 0, headers=record.headers,
                             timestamp=record.time)
        self.assertEqual(producer.flush(WAIT_SECONDS), 0)

    def by_python(self, topic):
        producer = KafkaProducer(bootstrap_servers=self.node.address, acks="all",
                                 linger_ms=LINGER_MS, batch_size=1_000_000,
                                 compression_type=None if self.CODEC == "none" else self.CODEC)
        sent = [producer.send(topic, record.value, record.key, record.headers, 0, record.time)
                for record in COMMON]
        producer.flush(WAIT_SECONDS)
        for one in sent:
            one.get(WAIT_SECONDS)
        producer.close()

    def by_kcat(self, topic):
        """Of its records only keys and values differ; their time is that of writing."""
        kcat(self.node, "-P", "-t", topic, "-X", f"compression.codec={self.CODEC}", "-X",
             f"linger.ms={LINGER_MS}", "-K:", "-Z", "-H", "a=1", "-H", "a=2", "-H", "b=",
             input="k:v\n:w\ngröße:\n:\n")

    KCAT_WROTE = [(b"k", b"v"), (None, b"w"), ("größe".encode(), None), (None, None)]

    def require_python(self):
        if not {"snappy": has_snappy, "lz4": has_lz4, "zstd": has_zstd}.get(
                self.CODEC, lambda: True)():
            self.skipTest(f"kafka-python with {self.CODEC} is not tested: it has no module for it "
                          "(python3-snappy, python3-lz4, python3-zstandard)")

    def test_aq_wrote(self):
        topic = self.written(self.by_aq, ALL)
        self.assertEqual(self.of_kcat(topic), ALL)
        self.assertEqual(self.of_aq(topic), ALL)
        self.assertEqual(self.read_by(ConfluentReader(self.node, topic), len(ALL)), ALL)

    def test_aq_wrote_for_kafka_python(self):
        self.require_python()
        topic = self.written(self.by_aq, ALL)
        self.assertEqual(self.read_by(PythonReader(self.node, topic), len(ALL)), ALL)

    def test_confluent_kafka_wrote(self):
        self.assertEqual(self.of_aq(self.written(self.by_confluent, ALL)), ALL)

    def test_kafka_python_wrote(self):
        self.require_python()
        self.assertEqual(self.of_aq(self.written(self.by_python, COMMON)), COMMON)

    def test_kcat_wrote(self):
        topic = self.written(self.by_kcat, self.KCAT_WROTE)
        rows = self.of_aq(topic)
        headers = [("a", b"1"), ("a", b"2"), ("b", b"")]
        self.assertEqual([row[:3] for row in rows],
                         [(*texts, headers) for texts in self.KCAT_WROTE])
        self.assertEqual(rows, self.of_kcat(topic))  # times too


class None_(Written, NodeTest):
    CODEC = "none"


class Gzip(Written, NodeTest):
    CODEC = "gzip"


class Snappy(Written, NodeTest):
    CODEC = "snappy"


class Lz4(Written, NodeTest):
    CODEC = "lz4"


class Zstd(Written, NodeTest):
    CODEC = "zstd"


if __name__ == "__main__":
    unittest.main()
