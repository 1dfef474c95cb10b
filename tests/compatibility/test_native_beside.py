"""Native clients and clients of Kafka at a time: they write and read one topic, and are members of
one group."""

import unittest

from clients import Program
from cluster import ClusterTest, wait_for
from records import ConfluentReader, PythonReader, aq_reader, kcat_reader
from support import NodeTest, aq_command

from confluent_kafka import Consumer, Producer
from kafka import KafkaProducer

WAIT_SECONDS = 30


class SideBySide:
    PARTITIONS = 3
    ROUND, ROUNDS = 300, 4

    def beside(self, one):
        self.addCleanup(getattr(one, "close", None) or one.__exit__)
        return one

    def test_all_write_and_read_one_topic(self):
        """Whoever reads sees the same records of all, in the same order. With what kafka-python
        can read without modules of others."""
        topic, brokers = self.topic(self.PARTITIONS), self.brokers
        readers = {"aq": aq_reader(brokers, topic),
                   "aq, by push": aq_reader(brokers, topic, "-X", "consumer.mode=push"),
                   "kcat": kcat_reader(brokers, topic),
                   "kafka-python": PythonReader(brokers, topic, self.PARTITIONS),
                   "confluent-kafka": ConfluentReader(brokers, topic, self.PARTITIONS)}
        for reader in readers.values():
            self.beside(reader)
        aq = self.beside(Program(*aq_command(brokers, "produce", topic, "-K", ":", "-H", "by=aq",
                                             "-z", "gzip", "-q")))
        python = self.beside(KafkaProducer(bootstrap_servers=brokers.addresses, acks="all",
                                           compression_type="gzip"))
        confluent = Producer({"bootstrap.servers": brokers.address, "enable.idempotence": True})
        text = lambda name, number: (f"{name}-{number}".encode(), str(number).encode())
        line = lambda name, number: b":".join(text(name, number)) + b"\n"
        for begin in range(0, self.ROUND * self.ROUNDS, self.ROUND):
            # It takes its input by kilobytes: the last lines go when it ends.
            cat = self.beside(Program("kcat", "-P", "-b", brokers.address, "-t", topic, "-K:", "-H",
                                      "by=kcat", "-X", "compression.codec=gzip"))
            for number in range(begin, begin + self.ROUND):
                aq.write(line("aq", number))
                cat.write(line("kcat", number))
                key, value = text("kafka-python", number)
                python.send(topic, value, key, [("by", b"kafka-python")])
                key, value = text("confluent-kafka", number)
                confluent.produce(topic, value, key, headers=[("by", b"confluent-kafka")])
            cat.end()
            python.flush(WAIT_SECONDS)
            self.assertEqual(confluent.flush(WAIT_SECONDS), 0)
            wait_for("all have read all", lambda: all([
                len(reader.read()) >= 4 * (begin + self.ROUND) for reader in readers.values()]))
        seen = {}
        for name, reader in readers.items():
            rows = reader.read()
            for partition in range(self.PARTITIONS):
                mine = [row for row in rows if row.partition == partition]
                self.assertEqual([row.offset for row in mine], list(range(len(mine))), name)
                self.assertEqual(mine, seen.setdefault(partition, mine), name)
        wrote = {}
        for rows in seen.values():
            for key, value, headers, _ in (row.record for row in rows):
                ((header, by),) = headers
                self.assertEqual((header, key), ("by", by + b"-" + value))
                wrote.setdefault(by.decode(), []).append(int(value))
        self.assertEqual({name: sorted(numbers) for name, numbers in wrote.items()},
                         dict.fromkeys(("aq", "kcat", "kafka-python", "confluent-kafka"),
                                       list(range(self.ROUND * self.ROUNDS))))

    def test_members_of_both_protocols_share_a_group(self):
        topic, group = self.topic(6), "mixed"
        # The way to assign that aq knows.
        settings = {"partition.assignment.strategy": "cooperative-sticky",
                    "auto.offset.reset": "earliest", "auto.commit.interval.ms": 100}
        start = lambda *command: self.beside(Program(*command))
        words = [word for pair in settings.items() for word in ("-X", "%s=%s" % pair)]
        cat = start("kcat", "-b", self.brokers.address, "-G", group, "-u", "-q", *words, topic)
        self.settle(group, 6)
        aq = start(*aq_command(self.brokers, "consume", topic, "-g", group, "-o", "start"))
        self.settle(group, 3, 3)
        other = self.beside(Consumer({"bootstrap.servers": self.brokers.address, "group.id": group,
                                      **settings}))
        other.subscribe([topic])
        values = []

        def polled():
            for record in other.consume(1000, 0.1):
                self.assertIsNone(record.error())
                values.append(int(record.value()))
            return values
        of = lambda program: list(map(int, program.lines))
        self.settle(group, 2, 2, 2, meanwhile=polled)
        self.write(topic, 6, 0, 600)
        wait_for("all is read", lambda: len(polled()) + len(aq.lines) + len(cat.lines) >= 600)
        self.assertEqual([len(one) for one in (of(aq), of(cat), values)], [200] * 3)
        self.assertEqual(sorted(of(aq) + of(cat) + values), list(range(600)))

        # Without native members, those of Kafka assign by themselves again.
        aq.interrupt()
        aq.end(130)
        self.settle(group, 3, 3, meanwhile=polled)
        self.write(topic, 6, 600, 1200)
        wait_for("the rest is read", lambda: len(polled()) + len(cat.lines) >= 1000)
        self.assertEqual(sorted(of(aq) + of(cat) + values), list(range(1200)))
        wait_for("all is committed", lambda: polled() and self.described(group)["lag"] == 0)

        # And a native one goes on alone where they stopped.
        cat.interrupt()
        cat.end()
        other.close()
        self.write(topic, 6, 1200, 1206)
        last = self.aq("consume", topic, "-g", group, "-e").text.split()
        self.assertEqual(sorted(map(int, last)), list(range(1200, 1206)))

    def described(self, group):
        return self.aq("group", "describe", group, "--output", "json", code=None).json

    def write(self, topic, partitions, first, last):
        """The numbers, spread over the partitions."""
        for partition in range(partitions):
            self.aq("produce", topic, "-p", partition, input="".join(
                f"{i}\n" for i in range(first + partition, last, partitions)))

    def settle(self, group, *counts, meanwhile=lambda: None):
        """Waits until the members have so many partitions each."""
        def shares():
            meanwhile()
            shown = self.aq("group", "members", group, "--output", "json", code=None)
            return sorted(row["partitions"] for row in shown.json["members"]) if (
                shown.code == 0) else None
        wait_for(f"shares of {counts}", lambda: shares() == sorted(counts) and
                 self.described(group)["state"] == "Stable")


class OneNode(SideBySide, NodeTest):
    pass


class ThreeNodes(SideBySide, ClusterTest):
    def setUp(self):
        super().setUp()
        # librdkafka reads nothing any more when the coordinator moves while it asks for offsets.
        self.coordinators_return()


if __name__ == "__main__":
    unittest.main()
