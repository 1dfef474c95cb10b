"""A C program on Debian's librdkafka, compiled by the test."""

import pathlib
import shlex
import shutil
import subprocess
import tempfile

from support import NodeTest, run

SOURCE = pathlib.Path(__file__).with_name("librdkafka_client.c")


class Librdkafka(NodeTest):
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

    def test_an_idempotent_producer_and_a_simple_consumer(self):
        ended = run([self.program, self.node.address, self.topic(), 100000])
        self.assertEqual(ended.text, "delivered 100000 failed 0 ascending 1 read 100000\n", ended)
        self.assertEqual(ended.code, 0)

    def test_an_idempotent_producer_while_the_node_restarts(self):
        topic = self.topic()
        program = subprocess.Popen([self.program, self.node.address, topic, "200000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        address = self.node.address
        self.node.stop()
        self.node.start(listen=address)
        out, err = program.communicate(timeout=60)
        self.assertEqual(out.decode(), "delivered 200000 failed 0 ascending 1 read 200000\n", err)
