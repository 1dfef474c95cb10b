"""sarama, franz-go and kafka-go on one node and on three, where Go is there to build them."""

import unittest

import wire
from batches import CODECS, batches
from clients import kcat, long_only, numbers
from cluster import ClusterTest, wait_for
from go_clients import GoCalls
from support import NodeTest

from confluent_kafka import Producer

TIME_MS = 1_700_000_000_000


class GoTest(GoCalls):
    """What each client does; NEWEST and TRIMMED are the offset of the record with the largest
    timestamp, and where the log begins after deleting, where its API has that."""

    ACKS = ("0", "1", "-1")

    def stored(self, topic):
        with wire.Connection(self.leader_address(topic)) as connection:
            return batches(connection, topic)

    def produce(self, topic, first, count, codec="none", acks="-1"):
        said = self.run_client("produce", topic, first, count, codec, acks)
        self.assertEqual(said[-1], {"sent": count})

    def end(self, topic):
        with wire.Connection(self.leader_address(topic)) as connection:
            return connection.list_offsets(topic, 4, -1)[0][1]

    def test_every_codec_and_acknowledgement(self):
        topic = self.kept_topic()
        first = 0
        for acks in self.ACKS:
            for codec in CODECS:
                self.produce(topic, first, 50, codec, acks)
                first += 50
                # Without acknowledgement, the program may have ended before they are stored.
                wait_for("the records are stored", lambda: self.end(topic) == first)
        self.assertEqual({row[0] for row in self.stored(topic)}, set(CODECS))
        self.assertEqual(kcat(self.brokers, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
                              "-X", "check.crcs=true").out, numbers(0, first))
        self.assertEqual(kcat(self.brokers, "-C", "-t", topic, "-o", "7", "-c", "1", "-q",
                              "-f", "%k %h %T").text, f"k7 h=7 {TIME_MS + 7}")

    def test_what_kcat_wrote_in_every_codec_is_read(self):
        topic = self.kept_topic()
        for i, codec in enumerate(CODECS):
            kcat(self.brokers, "-P", "-t", topic, "-X", f"compression.codec={codec}",
                 "-H", f"codec={codec}", input=numbers(100 * i, 100 * (i + 1)))
        self.assertEqual({row[0] for row in self.stored(topic)}, set(CODECS))
        read = self.run_client("consume", topic, 0, 0, 100 * len(CODECS))
        self.assertEqual([(row["offset"], row["value"], row["headers"]["codec"]) for row in read],
                         [(i, str(i), CODECS[i // 100]) for i in range(len(read))])

    def test_consuming_begins_at_an_offset_or_a_time(self):
        topic = self.kept_topic()
        self.produce(topic, 0, 100)
        (row,) = self.run_client("consume", topic, 0, 42, 1)
        self.assertEqual(row, {"partition": 0, "offset": 42, "key": "k42", "value": "42",
                               "headers": {"h": "42"}, "time": TIME_MS + 42})
        (row,) = self.run_client("consume", topic, 0, f"@{TIME_MS + 77}", 1)
        self.assertEqual((row["offset"], row["time"]), (77, TIME_MS + 77))

    def test_a_member_takes_over_what_one_that_was_killed_had(self):
        topic = self.kept_topic(4)
        group = f"{self.NAME}-members"
        first = self.member(group, topic)
        first.program.wait_for("it has all partitions", lambda _: first.shares == [0, 1, 2, 3])
        second = self.member(group, topic)
        second.program.wait_for("they share", lambda _: (
            [len(one.shares or ()) for one in (first, second)] == [2, 2] and
            sorted(first.shares + second.shares) == [0, 1, 2, 3]))
        self.produce(topic, 0, 200)
        second.program.wait_for("all are read", lambda _: (
            sorted(first.values + second.values) == list(range(200))))
        self.assertTrue(first.values and second.values)
        first.program.kill()
        second.program.wait_for("it has all partitions", lambda _: second.shares == [0, 1, 2, 3])
        self.produce(topic, 200, 200)
        second.program.wait_for("the rest is read", lambda _: (
            set(second.values) >= set(range(200, 400))))
        second.program.process.terminate()
        second.program.end()
        self.assertEqual(self.lag(group), 0)

    def test_what_operators_do(self):
        other = self.kept_topic()
        self.produce(other, 0, 100)
        group = f"{self.NAME}-administered"
        member = self.member(group, other)
        member.program.wait_for("it is read", lambda _: len(member.values) == 100)
        member.program.process.terminate()
        member.program.end()
        rows = self.run_client("admin", f"{self.NAME}-made", group, other)
        said = {key: value for row in rows for key, value in row.items()}
        newest = said["offsets"].pop("newest", None)
        self.assertIn(newest, self.NEWEST)
        first = said.pop("first", None)
        self.assertIn(first, self.TRIMMED)
        self.assertEqual(said, {
            "again": True, "partitions": 5, "replicas": self.REPLICAS,
            "configs": {"max.message.bytes": "2000000", "retention.ms": "3600000"},
            "offsets": {"earliest": 0, "latest": 100}, "listed": "consumer", "state": "Empty",
            "committed": 100, "group left": False, "topic left": False,
            "brokers": list(range(1, 1 + len(self.brokers.addresses))), "controller": True})


class Newest:
    """Of a client that asks for the record with the largest timestamp."""

    # In order: the largest is within a batch that is not the last, and there is another one.
    BATCHES = ((100, 400, 300, 50, 400, 200), (350, 10, 20))

    def filled(self, codec):
        """A topic with these batches in partition 0, and nothing in partition 1."""
        topic = f"newest-{codec}"
        self.aq("topic", "create", topic, "-p", 2, "-r", self.REPLICAS, "--set", "retention.ms=-1")
        producer = Producer({"bootstrap.servers": self.brokers.address, "linger.ms": 5000,
                             "compression.codec": codec})
        producer.list_topics(topic)  # without knowing the leader it sends record by record
        for times in self.BATCHES:
            for at in times:
                producer.produce(topic, str(at) * 50, partition=0, timestamp=TIME_MS + at)
            self.assertEqual(producer.flush(30), 0)
        self.assertEqual([row[::2] for row in self.stored(topic)],
                         [(codec, len(times)) for times in self.BATCHES])
        return topic

    def test_the_record_with_the_largest_timestamp_is_found(self):
        for codec in CODECS:
            with self.subTest(codec):
                topic = self.filled(codec)
                found = lambda: [[row[field] for field in ("partition", "offset", "time")]
                                 for row in self.run_client("newest", topic)]
                self.assertEqual(sorted(found()), [[0, 1, TIME_MS + 400], [1, -1, -1]])
                # Of those that are left when the log begins later.
                for begin, offset, at in ((2, 4, 400), (5, 6, 350), (7, 8, 20)):
                    self.aq("topic", "trim", topic, "-p", 0, "--before", begin, "--yes")
                    self.assertIn([0, offset, TIME_MS + at], found())


class RefusedNewest:
    """Of a client whose requests are of versions that know no largest timestamp."""

    def test_no_record_is_taken_for_the_newest(self):
        topic = self.kept_topic()
        self.produce(topic, 0, 10)
        (row,) = self.run_client("newest", topic)
        self.assertIn("version", row["refused"].lower())


class Idempotent:
    def test_an_idempotent_producer_has_an_id(self):
        topic = self.kept_topic()
        self.produce(topic, 0, 1000, "zstd", "idempotent")
        rows = self.stored(topic)
        self.assertEqual(sum(row[2] for row in rows), 1000)
        producers = {row[1] for row in rows}
        self.assertEqual(len(producers), 1)
        self.assertGreaterEqual(producers.pop(), 0)


class Sarama(GoTest, Idempotent, RefusedNewest):
    NAME, NEWEST, TRIMMED = "sarama", (None,), (10,)  # ListOffsets 6 knows no largest timestamp


class Franz(GoTest, Idempotent, Newest):
    NAME, NEWEST, TRIMMED = "franz", (99,), (10,)


class KafkaGo(GoTest, RefusedNewest):
    NAME, NEWEST, TRIMMED = "kafkago", (None,), (None,)  # neither is in its API


class SaramaOneNode(Sarama, NodeTest):
    pass


@long_only("sarama on three nodes, but for what is killed there,")
class SaramaThreeNodes(Sarama, ClusterTest):
    pass


class FranzOneNode(Franz, NodeTest):
    pass


@long_only("franz-go on three nodes, but for what is killed there,")
class FranzThreeNodes(Franz, ClusterTest):
    pass


class KafkaGoOneNode(KafkaGo, NodeTest):
    pass


@long_only("kafka-go on three nodes, but for what is killed there,")
class KafkaGoThreeNodes(KafkaGo, ClusterTest):
    pass


if __name__ == "__main__":
    unittest.main()
