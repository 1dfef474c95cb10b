"""A C program on Debian's librdkafka, compiled by the test, on one node and on three."""

import pathlib
import shlex
import shutil
import subprocess
import tempfile

import wire
from clients import Program
from cluster import ClusterTest, wait_for
from support import NodeTest

SOURCE = pathlib.Path(__file__).with_name("librdkafka_client.c")


class Librdkafka:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.work = tempfile.mkdtemp(prefix="aq-librdkafka-")
        cls.program = pathlib.Path(cls.work, "client")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "rdkafka"], check=True,
                               capture_output=True, text=True).stdout
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-O1", "-o", cls.program, SOURCE,
                        *shlex.split(flags)], check=True)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.work, ignore_errors=True)

    def check(self, count, disturb=lambda: None):
        """Everything is delivered once and in order, whatever `disturb` does when it has begun."""
        topic = self.topic()
        with Program(self.program, self.brokers.address, topic, count) as program:
            with wire.Connection(self.leader_address(topic)) as client:
                wait_for("it has begun", lambda: client.list_offsets(topic, 4, -1)[0][1] > 0)
            disturb()
            said = program.end()
        self.assertEqual(said.decode(),
                         f"delivered {count} failed 0 ascending 1 read {count}\n")

    def test_an_idempotent_producer_and_a_simple_consumer(self):
        self.check(100_000)


class OneNode(Librdkafka, NodeTest):
    def test_the_node_restarts(self):
        def restart():
            address = self.node.address
            self.node.stop()
            self.node.start(listen=address)
        self.check(200_000, restart)


class ThreeNodes(Librdkafka, ClusterTest):
    def test_the_leader_is_killed(self):
        topic = self.topic_name(1)
        self.check(200_000, lambda: self.cluster[self.leader(topic)].kill())
