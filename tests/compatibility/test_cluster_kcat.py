"""kcat on a cluster of three nodes, while some of them die."""

import re
import unittest

import wire
from clients import Program, kcat, librdkafka, missing_features, numbers
from cluster import Cluster, ClusterTest, wait_for
from relay import Relay

THOUSAND = numbers(0, 1000)
# Of numbers with as many digits as the last.
FIRST = 100_000
# What kcat says of each record at -vvv.
DELIVERED = "% Message delivered"


class KcatTest(ClusterTest):
    def kcat(self, *words, **options):
        return kcat(self.cluster, *words, **options)

    def producer(self, topic, *words):
        return self.started("-P", "-t", topic, "-vvv", *words)

    def started(self, *words):
        program = Program("kcat", "-b", self.cluster.address, *words)
        self.addCleanup(program.__exit__)
        return program

    def consume(self, topic, *words):
        return self.kcat("-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true", *words).out

    def written(self, topic):
        """The number of records, as the leader knows it."""
        with wire.Connection(self.cluster[self.leader(topic)].address) as leader:
            (error, offset, _), = leader.list_offsets(topic, 4, -1)
        return offset if error == 0 else -1


class Healthy(KcatTest):
    def test_every_node_lists_the_cluster(self):
        topic = self.topic(3)
        for node in self.cluster.nodes.values():
            listed = kcat(node, "-L", "-t", topic, "-d", "feature")
            brokers = re.findall(r"broker (\d) at (\S+?)(?: \(controller\))?\n", listed.text)
            self.assertEqual(brokers, [(str(one.number), one.address)
                                       for one in self.cluster.nodes.values()])
            self.assertEqual(listed.text.count("(controller)"), 1)
            self.assertEqual(re.findall(r"partition (\d), leader [123], replicas: (\S+), isrs",
                                        listed.text),
                             [("0", "1,2,3"), ("1", "2,3,1"), ("2", "3,1,2")])
            self.assertEqual(set(re.findall(r"Disabling feature (\w+)", listed.err.decode())),
                             missing_features())

    def test_a_new_topic_has_leaders_wherever_it_is_known(self):
        for number in range(20):
            topic = f"new-{number}"
            self.aq("topic", "create", topic, "-p", 3, "-r", 3)
            for node in self.cluster.nodes.values():
                with wire.Connection(node.address) as client:
                    rows = wait_for("it is known", lambda: client.leaders(topic))
                self.assertEqual(len(rows), 3)
                for error, leader in rows:
                    self.assertEqual((error, leader in self.cluster.nodes), (0, True))

    def test_every_kind_of_acknowledgement(self):
        topic = self.topic()
        for acks in ("0", "1", "all"):
            self.kcat("-P", "-t", topic, "-X", f"acks={acks}", input=THOUSAND)
            wait_for("all are there", lambda: self.written(topic) % 1000 == 0)
        self.assertEqual(self.consume(topic), THOUSAND * 3)

    def test_every_codec(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            topic = f"codec-{codec}"
            self.aq("topic", "create", topic, "-r", 3)
            said = self.kcat("-P", "-t", topic, "-X", f"compression.codec={codec}", "-d", "msg",
                             input=THOUSAND).err.decode()
            self.assertNotIn("not compressing", said)
            self.assertEqual(self.consume(topic), THOUSAND, codec)

    def test_what_every_replica_would_serve_is_the_same(self):
        topic = self.topic()
        self.kcat("-P", "-t", topic, input=THOUSAND)
        for node in self.cluster.nodes:
            self.transfer(topic, node)
            self.assertEqual(self.consume(topic), THOUSAND)


class Produce(KcatTest):
    def send(self, producer, topic, first, count=1000):
        """Has kcat send some records, of which it reads whole blocks of 4 KiB."""
        before = self.written(topic)
        producer.write(numbers(first, first + count))
        wait_for("it is written", lambda: self.written(topic) > before)

    def move_leadership(self, topic, *settings):
        """A producer's reports, and what it wrote, while leadership moves twenty times."""
        producer = self.producer(topic, *settings)
        for i in range(20):
            self.send(producer, topic, FIRST + 1000 * i)
            self.transfer(topic, self.leader(topic) % 3 + 1)
        producer.end()
        self.assertEqual(producer.said.count(DELIVERED), 20_000)
        self.assertNotIn("failed", producer.said)
        return [int(line) - FIRST for line in self.consume(topic).split()]

    def test_leadership_moves_twenty_times(self):
        read = self.move_leadership(self.topic())
        self.assertEqual(sorted(set(read)), list(range(20_000)))

    def test_leadership_moves_twenty_times_with_idempotence(self):
        read = self.move_leadership(self.topic(), "-X", "enable.idempotence=true")
        self.assertEqual(read, list(range(20_000)))

    def kill_the_leader(self, *settings):
        topic = self.topic()
        producer = self.producer(topic, *settings)
        self.send(producer, topic, FIRST)
        self.cluster[self.leader(topic)].kill()
        producer.write(numbers(FIRST + 1000, FIRST + 2000))
        producer.end()
        self.assertEqual(producer.said.count(DELIVERED), 2000)
        return [int(line) - FIRST for line in self.consume(topic).split()]

    def test_the_leader_is_killed_with_acks_all(self):
        self.assertEqual(set(self.kill_the_leader("-X", "acks=all")), set(range(2000)))

    def test_the_leader_is_killed_with_acks_1(self):
        """What only the leader has is lost with it, and nothing else is."""
        read = self.kill_the_leader("-X", "acks=1")
        self.assertLessEqual(set(range(1000, 2000)), set(read))

    def test_the_leader_is_killed_with_idempotence(self):
        read = self.kill_the_leader("-X", "enable.idempotence=true")
        self.assertEqual(read, list(range(2000)))

    def test_the_majority_is_stopped(self):
        """What is sent meanwhile is answered as not stored, retried, and stored once."""
        topic = self.topic()
        producer = self.producer(topic, "-X", "enable.idempotence=true", "-X",
                                 "request.timeout.ms=1000", "-d", "msg,protocol")
        self.send(producer, topic, FIRST)
        leader, stored = self.leader(topic), self.written(topic)
        with wire.Connection(self.cluster[leader].address) as client:
            for other in self.cluster.others(leader):
                self.cluster[other].kill()
            # Nobody knows whether this one will be stored.
            refused = client.produce(topic, wire.new_batch(), timeout_ms=500)[0][0]
            self.assertIn(refused, (7, 19))
        producer.write(numbers(FIRST + 1000, FIRST + 2000))
        producer.wait_for("a request was refused", lambda one: re.search(
            r"Request timed out|Not enough in-sync|Not leader|in-flight requests? timed out|"
            r"Timed out ProduceRequest", one.said, re.I))
        self.assertLessEqual(producer.said.count(DELIVERED), stored)
        self.cluster.heal()
        producer.end()
        self.assertEqual(producer.said.count(DELIVERED), 2000)
        read = [line for line in self.consume(topic).split() if line != b"v"]
        self.assertEqual([int(line) - FIRST for line in read], list(range(2000)))


class Relayed(KcatTest):
    """Clients reach the nodes through relays, which the tests cut."""

    @classmethod
    def setUpClass(cls):
        cls.relays = {number: Relay() for number in (1, 2, 3)}
        cls.cluster = Cluster(own={number: [f"advertise={relay.address}"]
                                   for number, relay in cls.relays.items()})
        for number, relay in cls.relays.items():
            relay.to = cls.cluster[number].address

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for relay in cls.relays.values():
            relay.close()

    @unittest.skipIf(librdkafka() >= (2, 12), "kcat whose connections are all cut is not tested: "
                     "it ends, with this librdkafka")
    def test_connections_are_cut_and_leaders_killed(self):
        topic = self.topic()
        producer = self.started("-P", "-t", topic, "-X", "enable.idempotence=true", "-X",
                                "batch.num.messages=200", "-X", "linger.ms=1", "-X",
                                "reconnect.backoff.max.ms=200")
        for i in range(20):
            producer.write(numbers(5000 * i, 5000 * (i + 1)))
            wait_for("it goes on", lambda: self.written(topic) > 5000 * i)
            for relay in self.relays.values():
                relay.cut()
            if i in (6, 13):
                self.cluster[self.leader(topic)].kill()
            if i in (8, 15):
                self.cluster.heal()
        producer.end()
        self.assertGreaterEqual(sum(relay.cuts for relay in self.relays.values()), 20)
        self.assertEqual(self.consume(topic), numbers(0, 100_000))


class Racks(KcatTest):
    """Node N is in the rack "rN"."""

    def setUp(self):
        super().setUp()
        self.name = self.topic()
        self.kcat("-P", "-t", self.name, input=THOUSAND)
        self.near = self.leader(self.name) % 3 + 1
        with wire.Connection(self.cluster[self.leader(self.name)].address) as leader:
            wait_for("the replica keeps up", lambda: self.near == leader.preferred_replica(
                self.name, f"r{self.near}"))

    def moved(self, to):
        return f"to {to} (leader is {self.leader(self.name)}): preferred replica updated"

    def consumer(self):
        return self.started("-C", "-t", self.name, "-o", "beginning", "-u", "-X",
                            f"client.rack=r{self.near}", "-d", "topic,fetch,broker")

    def test_a_consumer_moves_to_the_replica_of_its_rack(self):
        consumer = self.consumer()
        consumer.wait_for("all is read", lambda one: one.printed == THOUSAND)
        self.assertIn(self.moved(self.near), consumer.said)
        self.kcat("-P", "-t", self.name, input=THOUSAND)
        consumer.wait_for("more is read", lambda one: one.printed == THOUSAND * 2)

    def test_a_consumer_of_the_leaders_rack_stays(self):
        self.near = self.leader(self.name)
        consumer = self.consumer()
        consumer.wait_for("all is read", lambda one: one.printed == THOUSAND)
        self.assertNotIn("preferred replica updated", consumer.said)

    def test_a_consumer_begins_when_the_replica_of_its_rack_is_dead(self):
        rack = f"r{self.near}"
        with wire.Connection(self.cluster[self.leader(self.name)].address) as leader:
            self.cluster[self.near].kill()
            wait_for("it is missed", lambda: leader.preferred_replica(self.name, rack) == -1)
        consumer = self.consumer()
        consumer.wait_for("all is read", lambda one: one.printed == THOUSAND)
        self.assertNotIn("preferred replica updated", consumer.said)

    def test_a_consumer_waits_for_its_replica_until_that_is_back(self):
        """It is librdkafka 2.0 that waits, for five minutes (the "lease" in its rdkafka_fetcher.c):
        it asks who leads, is told every second, and stays with the replica nevertheless."""
        consumer = self.consumer()
        consumer.wait_for("all is read", lambda one: one.printed == THOUSAND)
        self.cluster[self.near].kill()
        self.kcat("-P", "-t", self.name, input=THOUSAND)
        if librdkafka() >= (2, 12):
            consumer.wait_for("it reads from the leader", lambda one: one.printed == THOUSAND * 2)
            return
        stays = f"unchanged, not migrating away from preferred replica {self.near}"
        consumer.wait_for("it asked", lambda one: stays in one.said)
        self.assertEqual(consumer.printed, THOUSAND)
        self.cluster.heal()
        consumer.wait_for("it is back", lambda one: one.printed == THOUSAND * 2)

    def test_a_consumer_whose_replica_is_dead_follows_leadership(self):
        consumer = self.consumer()
        consumer.wait_for("all is read", lambda one: one.printed == THOUSAND)
        self.cluster[self.near].kill()
        self.kcat("-P", "-t", self.name, input=THOUSAND)
        other, = set(self.cluster.nodes) - {self.near, self.leader(self.name)}
        self.transfer(self.name, other)
        consumer.wait_for("it reads on", lambda one: one.printed == THOUSAND * 2)
