"""What the broker remembers of idempotent producers, down to the sequence, through restarts of the
node and changes of the leader."""

import shutil
import struct

import wire
from clients import kcat, numbers
from cluster import ClusterTest, wait_for
from support import NodeTest, aq_command, run

DUPLICATE_SEQUENCE, OUT_OF_ORDER, OLD_EPOCH, INVALID_RECORD = 46, 45, 47, 87
LAST_SEQUENCE = 2**31 - 1
# Batches of a producer that are remembered.
REMEMBERED = 5


class Producer:
    """Writes the golden batch, of two records, with sequences that the tests choose."""

    def __init__(self, connect):
        self.connect = connect
        self.wire = connect()
        self.id = self.new_id()

    def new_id(self):
        response = self.wire.call(wire.INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60000))
        _throttle, error, producer, epoch = response.take("ihqh")
        assert (error, epoch) == (0, 0), (error, epoch)
        return producer

    def reconnect(self):
        self.close()
        self.wire = self.connect()

    def close(self):
        self.wire.socket.close()

    def send(self, topic, sequence, epoch=0):
        """(error, base offset)"""
        return self.wire.produce(topic, wire.sequenced(self.id, epoch, sequence))[0]


class Sequences(NodeTest):
    def setUp(self):
        self.name = self.topic()
        self.producer = Producer(lambda: wire.Connection(self.node.address))
        self.addCleanup(lambda: self.producer.close())

    def send(self, sequence, epoch=0):
        return self.producer.send(self.name, sequence, epoch)

    def end(self):
        return self.producer.wire.fetch(self.name, 0)[3]

    def test_producer_ids_are_new_each_time(self):
        self.assertNotEqual(self.producer.new_id(), self.producer.new_id())

    def test_a_batch_that_comes_again_gets_its_offset_again(self):
        for sequence in range(0, 10, 2):
            self.assertEqual(self.send(sequence), (0, sequence))
        for sequence in range(0, 10, 2):
            self.assertEqual(self.send(sequence), (0, sequence))
        self.assertEqual(self.end(), 10)

    def test_a_batch_that_is_no_longer_remembered_is_said_to_be_stored(self):
        for sequence in range(0, 2 * (REMEMBERED + 1), 2):
            self.assertEqual(self.send(sequence), (0, sequence))
        self.assertEqual(self.send(0), (DUPLICATE_SEQUENCE, -1))
        self.assertEqual(self.end(), 12)

    def test_a_gap_is_refused_and_what_is_next_is_taken(self):
        self.assertEqual(self.send(0), (0, 0))
        self.assertEqual(self.send(4), (OUT_OF_ORDER, -1))
        self.assertEqual(self.send(1), (OUT_OF_ORDER, -1))
        self.assertEqual(self.send(2), (0, 2))
        self.assertEqual(self.send(4), (0, 4))

    def test_an_older_epoch_is_refused_and_a_newer_one_begins_at_0(self):
        self.assertEqual(self.send(0, epoch=1), (0, 0))
        self.assertEqual(self.send(2, epoch=0), (OLD_EPOCH, -1))
        self.assertEqual(self.send(5, epoch=2), (OUT_OF_ORDER, -1))
        self.assertEqual(self.send(0, epoch=2), (0, 2))
        self.assertEqual(self.send(0, epoch=2), (0, 2))
        self.assertEqual(self.send(2, epoch=1), (OLD_EPOCH, -1))

    def test_sequences_begin_anew_after_the_last(self):
        # Nothing is known of the producer: it may begin anywhere. The second batch ends at 0.
        self.assertEqual(self.send(LAST_SEQUENCE - 2), (0, 0))
        self.assertEqual(self.send(LAST_SEQUENCE), (0, 2))
        self.assertEqual(self.send(LAST_SEQUENCE), (0, 2))
        self.assertEqual(self.send(0), (OUT_OF_ORDER, -1))
        self.assertEqual(self.send(1), (0, 4))
        self.assertEqual(self.send(LAST_SEQUENCE - 2), (0, 0))

    def test_a_sequence_below_0_is_refused(self):
        self.assertEqual(self.send(-2), (INVALID_RECORD, -1))

    def test_producers_are_known_by_partition(self):
        other = self.name + "-other"
        self.aq("topic", "create", other)
        self.assertEqual(self.send(0), (0, 0))
        self.assertEqual(self.producer.send(other, 0), (0, 0))
        self.assertEqual(self.send(2), (0, 2))

    def test_a_partition_tells_who_produces_to_it(self):
        connection, name = self.producer.wire, self.name
        self.assertEqual(connection.describe_producers((name, [0])), [(name, 0, 0, [])])
        connection.produce(name, wire.GOLDEN_BATCH)
        for sequence in (0, 2):
            self.send(sequence, epoch=3)
        newest = struct.unpack_from(">q", connection.fetch(name, 4)[4], 35)[0]
        row = (self.producer.id, 3, 3, newest, -1, -1)
        self.assertEqual(connection.describe_producers((name, [0, 0, 8]), ("none-such", [0])),
                         [(name, 0, 0, [row]), (name, 0, 42, []), (name, 8, 3, []),
                          ("none-such", 0, 3, [])])

    def test_transactional_ids_are_refused(self):
        body = wire.text("tx") + struct.pack(">i", 60000)
        response = self.producer.wire.call(wire.INIT_PRODUCER_ID, 0, body)
        self.assertEqual(response.take("ih")[1], 35)

    def test_a_restart_forgets_nothing(self):
        for restart in (self.node.stop, self.node.kill):
            for sequence in range(0, 2 * REMEMBERED, 2):
                self.send(sequence)
            restart()
            self.node.start()
            self.producer.reconnect()
            for sequence in range(0, 2 * REMEMBERED, 2):
                self.assertEqual(self.send(sequence), (0, sequence))
            self.assertEqual(self.send(2 * REMEMBERED + 2), (OUT_OF_ORDER, -1))
            self.assertEqual(self.end(), 2 * REMEMBERED)


class Failover(ClusterTest):
    def connect(self):
        return wire.Connection(self.cluster[self.leader(self.name)].address)

    def write(self, *settings):
        """A topic with as many batches of a producer as are remembered."""
        self.name = self.topic(1, 3, *settings)
        self.producer = Producer(self.connect)
        self.addCleanup(lambda: self.producer.close())
        for sequence in range(0, 2 * REMEMBERED, 2):
            self.assertEqual(self.producer.send(self.name, sequence), (0, sequence))

    def check_remembered(self, end):
        """On the leader of now: all batches are known, the next is taken, a gap is refused."""
        self.producer.reconnect()
        for sequence in range(0, 2 * REMEMBERED, 2):
            self.assertEqual(self.producer.send(self.name, sequence), (0, sequence))
        next_sequence = 2 * REMEMBERED
        self.assertEqual(self.producer.send(self.name, next_sequence + 2), (OUT_OF_ORDER, -1))
        self.assertEqual(self.producer.send(self.name, next_sequence), (0, end))

    def test_the_leader_hands_over(self):
        self.write()
        self.transfer(self.name, self.leader(self.name) % 3 + 1)
        self.check_remembered(2 * REMEMBERED)

    def test_the_leader_is_killed(self):
        self.write()
        self.cluster[self.leader(self.name)].kill()
        self.check_remembered(2 * REMEMBERED)

    def test_all_are_killed(self):
        self.write()
        for node in self.cluster.nodes.values():
            node.kill()
        self.cluster.heal()
        self.check_remembered(2 * REMEMBERED)

    def first(self, node):
        """The first entry of the log there."""
        shown = run(aq_command(self.cluster[node], "raft", "status", f"{self.name}:0", "--output",
                               "json"))
        groups = shown.json["groups"] if shown.code == 0 else []
        return groups[0]["first"] if groups else 0

    def test_a_replica_that_took_over_a_snapshot_leads(self):
        """The batches are in entries that no log has any more."""
        self.write("--set", "segment.bytes=65536", "--set", "max.message.bytes=60000")
        leader = self.leader(self.name)
        away = leader % 3 + 1
        self.cluster[away].kill()
        shutil.rmtree(self.cluster[away].data)
        bulk = numbers(0, 50_000)
        kcat(self.cluster, "-P", "-t", self.name, "-X", "batch.size=50000", input=bulk)
        end = 2 * REMEMBERED + 50_000
        self.aq("topic", "trim", self.name, "--before", "end", "--yes")
        for node in self.cluster.others(away):
            wait_for("the batches are gone", lambda: self.first(node) > 2 * REMEMBERED)
        self.cluster.heal()
        wait_for("the replica has the state", lambda: self.first(away) > 2 * REMEMBERED)
        self.transfer(self.name, away)
        self.assertEqual(self.leader(self.name), away)
        self.check_remembered(end)


class Epochs(ClusterTest):
    """Epochs of leaders after two elections."""

    def test_clients_are_told_that_their_epoch_is_over(self):
        name = self.topic()
        epochs, ends = [], []
        for _ in range(3):
            leader = self.leader(name)
            with wire.Connection(self.cluster[leader].address) as client:
                end = client.produce(name, wire.new_batch())[0][1] + 2
                epochs.append(client.epoch(name, end - 1))
                ends.append(end)
            self.cluster[leader].kill()
            wait_for("another one leads", lambda: self.leader(name) != leader)
            self.cluster.heal()
        self.assertEqual(ends, [2, 4, 6])
        self.assertEqual(epochs, sorted(set(epochs)))
        leader = self.leader(name)
        with wire.Connection(self.cluster[leader].address) as client:
            for version in (9, 10, 11):
                for epoch, error in ((0, 74), (epochs[0], 74), (10**6, 75), (-1, 0)):
                    self.assertEqual(client.fetch(name, 0, epoch=epoch, version=version)[2], error,
                                     (version, epoch))
            for version in (2, 3):
                self.assertEqual(client.epoch_end(name, *epochs, version=version),
                                 [(0, epoch, end) for epoch, end in zip(epochs, ends)])
        for other in self.cluster.others(leader):
            with wire.Connection(self.cluster[other].address) as client:
                self.assertEqual(client.fetch(name, 0)[2], 6)
                self.assertEqual(client.epoch_end(name, epochs[0])[0][0], 6)
