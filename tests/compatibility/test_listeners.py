"""Clients that reach a cluster of three nodes by listeners with names."""

import re
import unittest

import wire
from clients import kcat, numbers
from cluster import Cluster, ClusterTest, Ports, wait_for
from relay import Relay
from support import aq_command, run

LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND = 5, 72
RECORDS = numbers(0, 300)


class CountingRelay(Relay):
    """Counts the bytes that clients sent."""

    taken = 0

    def conversation(self):
        def counted(data):
            self.taken += len(data)
            return data
        return counted, lambda data: data


class ByListener:
    """The node as a client of a listener sees it."""

    def __init__(self, node, address):
        self.address, self.admin = address, node.admin


class Listeners(ClusterTest):
    """All nodes have the listener "out", whose clients are told of a relay to it; only nodes 1 and
    2 have "half"."""

    @classmethod
    def setUpClass(cls):
        cls.relays = {n: CountingRelay() for n in (1, 2, 3)}
        cls.out = {n: f"127.0.0.1:{Ports.next()}" for n in (1, 2, 3)}
        cls.half = {n: f"127.0.0.1:{Ports.next()}" for n in (1, 2)}
        own = {}
        for n, relay in cls.relays.items():
            relay.to = cls.out[n]
            listen = [f"out={cls.out[n]}"]
            if n in cls.half:
                listen.append(f"half={cls.half[n]}")
            own[n] = [f"listeners.listen={','.join(listen)}",
                      f"listeners.advertise=out={relay.address}"]
        cls.cluster = Cluster("network.threads=3", own=own)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for relay in cls.relays.values():
            relay.close()

    @property
    def told(self):
        """What clients of `out` are told."""
        return {n: relay.address for n, relay in self.relays.items()}

    def by_out(self, number):
        return ByListener(self.cluster[number], self.out[number])

    def all_taken(self, before):
        """Waits until every relay took more than before."""
        wait_for("all nodes are reached through `out`", lambda: all(
            relay.taken > before[n] for n, relay in self.relays.items()))

    @property
    def taken(self):
        return {n: relay.taken for n, relay in self.relays.items()}

    def test_every_listener_lists_its_own_addresses(self):
        listened = {node.number: node.address for node in self.cluster.nodes.values()}
        for address, wanted in ((self.cluster[2].address, listened), (self.out[2], self.told),
                                (self.out[3], self.told), (self.half[1], self.half)):
            with self.subTest(address=address):
                listed = kcat(ByListener(self.cluster[2], address), "-L").text
                brokers = re.findall(r"broker (\d) at (\S+?)(?: \(controller\))?\n", listed)
                self.assertEqual({int(n): told for n, told in brokers}, wanted)
                self.assertEqual(wire.described_cluster(address), wanted)

    def test_kafka_clients_stay_on_their_listener(self):
        topic = self.topic(3)
        before = self.taken
        client = self.by_out(1)
        for partition in range(3):
            said = kcat(client, "-P", "-t", topic, "-p", partition, "-d", "broker",
                        input=RECORDS).err.decode()
            ports = set(re.findall(r"Connecting to ipv4#127\.0\.0\.1:(\d+)", said))
            known = {address.rsplit(":")[1] for address in (client.address, *self.told.values())}
            self.assertTrue(ports, said)
            self.assertLessEqual(ports, known)
        self.all_taken(before)
        read = kcat(client, "-C", "-t", topic, "-e", "-q").out
        self.assertEqual(sorted(read.split()), sorted(RECORDS.split() * 3))
        self.assertEqual(sorted(kcat(self.cluster, "-C", "-t", topic, "-e", "-q").out.split()),
                         sorted(read.split()))

    def test_groups_are_coordinated_by_the_listener(self):
        topic = self.topic(3)
        self.aq("produce", topic, input=RECORDS)
        asked = kcat(self.by_out(2), "-G", "by-listener", topic, "-e", "-q", "-X",
                     "auto.offset.reset=earliest")
        self.assertEqual(sorted(asked.out.split()), sorted(RECORDS.split()))
        found = {}
        for group in range(20):
            # Every node may coordinate some.
            node, address = wait_for("somebody coordinates", lambda: wire.find_coordinator(
                self.out[1], f"group-{group}"))
            found[node] = address
        self.assertGreater(len(found), 1)
        self.assertLessEqual(found.items(), self.told.items())

    def test_native_clients_stay_on_their_listener(self):
        topic = self.topic(3)
        before = self.taken
        for command, input, wanted in (
                (("produce", topic), RECORDS, None),
                (("consume", topic, "-o", "beginning", "-e"), b"", RECORDS),
                (("consume", topic, "-g", "native-by-listener", "-e"), b"", RECORDS)):
            ended = run(aq_command(self.by_out(3), *command), input)
            self.assertEqual(ended.code, 0, ended)
            if wanted is not None:
                self.assertEqual(sorted(ended.out.split()), sorted(wanted.split()))
        self.all_taken(before)
        shown = run(aq_command(self.by_out(1), "doctor", "--no-disk-probe", "--output", "json"))
        rows = {row["check"]: (row["current"], row["severity"]) for row in shown.json["checks"]
                if row["check"].startswith("broker ")}
        self.assertEqual(rows, {f"broker {n} address": (address, "ok")
                                for n, address in self.told.items()})

    def test_connections_of_all_listeners_share_the_threads(self):
        addresses = (self.cluster[1].address, self.out[1], self.half[1])
        clients = [wire.Connection(addresses[n // 2 % 3]) for n in range(90)]
        for client in clients:
            self.addCleanup(client.socket.close)
        for _ in range(20):
            for client in clients:
                client.send(wire.API_VERSIONS, 0)
            for client in clients:
                self.assertEqual(client.receive()[1].take("h"), 0)

    def test_a_broker_without_the_listener(self):
        topic = self.topic(3)
        self.transfer(topic, 3)
        with wire.Connection(self.half[1]) as client:
            def row(version):
                return client.leaders(topic, version)[0]
            wait_for("node 1 hears who leads", lambda: row(6) == (LISTENER_NOT_FOUND, -1))
            self.assertEqual(row(5), (LEADER_NOT_AVAILABLE, -1))
        # To the others it leads as ever.
        with wire.Connection(self.out[1]) as client:
            self.assertEqual(client.leaders(topic, 6)[0], (0, 3))
        none = wire.NO_COORDINATOR
        groups = [f"g{i}" for i in range(20)]
        elsewhere = [group for group in groups if wait_for(
            "somebody coordinates", lambda: wire.find_coordinator(self.out[1], group))[0] == 3]
        self.assertTrue(elsewhere)
        with wire.Connection(self.half[2]) as client:
            answer = client.call(wire.FIND_COORDINATOR, 1, wire.text(elsewhere[0]) + b"\0")
            self.assertEqual(answer.take("ih"), (0, none))
            self.assertEqual(answer.text(), "broker 3 has no listener 'half', by which this "
                             "connection came")
        shown = self.aq("broker", "describe", 3, "--output", "json").json
        self.assertEqual(shown["listeners"], [f"out={self.told[3]}"])


if __name__ == "__main__":
    unittest.main()
