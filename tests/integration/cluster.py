"""Three real nodes that are one cluster, for tests that kill some of them. Standard library
only."""

import os
import select
import socket
import time

from support import BrokerTest, Node, aq_command, run

# Below those that Linux gives to outgoing connections, which would be in the way of a restart.
PORT_MIN, BLOCK_PORTS, BLOCKS = 10_000, 1000, 22
WAIT_SECONDS = 30
LOOK_SECONDS = 0.02
GROUP_TOPIC = "__consumer_groups"


def claim_block():
    """A block of ports that no other test program uses while this process lives, the C++ ones
    (tests/support/test_cluster.cpp) among them: a socket with its name says whose it is."""
    for tries in range(BLOCKS):
        block = (os.getpid() + tries) % BLOCKS
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0aqueduct-test-ports-{block}")
            return block, claim
        except OSError:
            claim.close()
    raise AssertionError("too many test programs run at once")


class Ports:
    """Ports that nobody listens on, one after the other."""

    block, claim, given = None, None, 0

    @classmethod
    def next(cls):
        if cls.block is None:
            cls.block, cls.claim = claim_block()
        for _ in range(BLOCK_PORTS):
            port = PORT_MIN + cls.block * BLOCK_PORTS + cls.given % BLOCK_PORTS
            cls.given += 1
            with socket.socket() as tried:
                try:
                    tried.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass
        raise AssertionError("no port is free")


def wait_for(what, condition, seconds=WAIT_SECONDS):
    """What `condition` returns once that is true; `what` says what is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {seconds} s: {what}")
        # Between two looks the processor is others'.
        select.select([], [], [], LOOK_SECONDS)


class Member(Node):
    """One node of a cluster: it keeps its ports when it is killed and started again."""

    def __init__(self, number, seeds, *settings):
        self.number = number
        self.address = f"127.0.0.1:{Ports.next()}"
        super().__init__(f"node.id={number}", f"node.rack=r{number}",
                         f"cluster.listen={seeds[number - 1]}",
                         f"cluster.advertise={seeds[number - 1]}",
                         f"admin.listen=127.0.0.1:{Ports.next()}",
                         f"discovery.seeds={','.join(seeds)}", *settings)

    def start(self):
        """Begins; it is ready when a majority runs."""
        self.begin(self.address)

    @property
    def runs(self):
        return self.process.poll() is None


class Cluster:
    """Nodes 1, 2 and 3, made by MEMBER, each in a rack of its own: "r1", "r2" and "r3"."""

    MEMBER = Member

    def __init__(self, *settings, own=None):
        """`settings` are of all nodes; `own` has those of single nodes, by node."""
        seeds = [f"127.0.0.1:{Ports.next()}" for _ in range(3)]
        self.nodes = {n: self.MEMBER(n, seeds, *settings, *(own or {}).get(n, ()))
                      for n in (1, 2, 3)}
        try:
            for node in self.nodes.values():
                node.wait_ready()
        except AssertionError:
            self.close()
            raise

    def __getitem__(self, number):
        return self.nodes[number]

    @property
    def address(self):
        """Of all nodes, those that run first: some clients try only the first for long."""
        first = sorted(self.nodes.values(), key=lambda node: not node.runs)
        return ",".join(node.address for node in first)

    @property
    def addresses(self):
        return self.address.split(",")

    @property
    def admin(self):
        return next(node.admin for node in self.nodes.values() if node.runs)

    def others(self, number):
        return [other for other in self.nodes if other != number]

    def heal(self):
        """Starts those that were killed, and waits until they are ready."""
        dead = [node for node in self.nodes.values() if not node.runs]
        for node in dead:
            node.start()
        for node in dead:
            node.wait_ready()

    def close(self):
        for node in self.nodes.values():
            node.kill()
        for node in self.nodes.values():
            node.close()


class ClusterTest(BrokerTest):
    """Test cases that share a cluster, made by CLUSTER; each uses topics of its own, and may kill
    nodes."""

    CLUSTER = Cluster
    REPLICAS = 3

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.CLUSTER()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def setUp(self):
        self.cluster.heal()

    @property
    def brokers(self):
        return self.cluster

    def topic(self, partitions=1, replication=3, *settings):
        """A new topic, named after the test, whose partitions are led."""
        name = self.topic_name(partitions)
        self.aq("topic", "create", name, "-p", partitions, "-r", replication, *settings)
        for partition in range(partitions):
            self.leader(name, partition)
        return name

    def partitions(self, topic):
        return self.aq("topic", "describe", topic, "--output", "json").json["partitions"]

    def coordinators_return(self):
        """Waits until groups are coordinated where they will stay: by the first replicas."""
        shown = self.aq("topic", "describe", GROUP_TOPIC, "--output", "json", code=None)
        if shown.code == 0:
            wait_for("first replicas coordinate", lambda: all(
                row["leader"] == row["replicas"][0] for row in self.partitions(GROUP_TOPIC)))

    def leader(self, topic, partition=0):
        """The node that leads the partition."""
        def found():
            leader = self.partitions(topic)[partition]["leader"]
            return leader if leader in self.cluster.nodes and self.cluster[leader].runs else None
        return wait_for(f"somebody leads {topic}:{partition}", found)

    def leader_address(self, topic):
        """Of the node that leads partition 0."""
        return self.cluster[self.leader(topic)].address

    def transfer(self, topic, to, partition=0):
        """Has `to` lead the partition, until the cluster gives it back to the first replica."""
        def handed_over():
            node = self.cluster[self.leader(topic, partition)]
            # Refused while `to` has not caught up.
            return node.number == to or run(aq_command(
                node, "raft", "transfer", f"{topic}:{partition}", to)).code == 0
        wait_for(f"{to} leads {topic}:{partition}", handed_over)
