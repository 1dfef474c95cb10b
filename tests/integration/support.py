"""A real node and the real command line, for the tests beside this file. Standard library only."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AQUEDUCT_BIN_DIR", ROOT / "build" / "bin"))
LISTENERS = ("cluster.listen", "http.listen", "admin.listen")
START_SECONDS = 30
STOP_SECONDS = 30
VERB_SECONDS = 60


def clean_environment():
    """The environment without anything that changes what the programs do."""
    return {k: v for k, v in os.environ.items() if not k.startswith("AQUEDUCT_")}


class Node:
    """An aqueductd with a data directory of its own, on ports that are free."""

    def __init__(self, *settings, data=None, launcher=()):
        self.owns_data = data is None
        self.launcher = launcher
        self.data = data or tempfile.mkdtemp(prefix="aq-node-")
        self.settings = settings
        self.start()

    def start(self, listen="127.0.0.1:0"):
        self.begin(listen)
        self.wait_ready()

    def begin(self, listen):
        """Starts the node without waiting for it."""
        command = [*self.launcher, BIN / "aqueductd", "--data-dir", self.data, "--listen", listen]
        chosen = {setting.split("=")[0] for setting in self.settings}
        free = [f"{key}=127.0.0.1:0" for key in LISTENERS if key not in chosen]
        for setting in (*free, *self.settings):
            command += ["--set", setting]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log,
                                        env=clean_environment())

    def wait_ready(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        found = re.match(r"ready\b.*\blisten=(\S+).*\badmin=(\S+)", line)
        if not found:
            self.kill()
            raise AssertionError(f"the node did not start: {line!r} {self.errors()}")
        self.address, self.admin = found.groups()

    @property
    def addresses(self):
        return [self.address]

    def errors(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self):
        """Ends the node as an operator does, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        self.stop()
        self.log.close()
        if self.owns_data:
            shutil.rmtree(self.data, ignore_errors=True)


class Ended:
    """How a program ended, with what it wrote."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"exit {self.code}\nout: {self.out[:2000]!r}\nerr: {self.err[:2000]!r}"


def aq_command(node, *words):
    return [str(BIN / "aq"), "-b", node.address, "--admin", node.admin, *map(str, words)]


def run(command, input=b"", seconds=VERB_SECONDS, env=None):
    if isinstance(input, str):
        input = input.encode()
    ended = subprocess.run([str(word) for word in command], input=input, capture_output=True,
                           timeout=seconds, env=env or clean_environment())
    return Ended(ended.returncode, ended.stdout, ended.stderr)


class BrokerTest(unittest.TestCase):
    """Test cases that share `brokers`: a node, or a cluster of them."""

    def aq(self, *words, input=b"", code=0, seconds=VERB_SECONDS):
        """Runs aq and checks its exit code; None takes any."""
        ended = run(aq_command(self.brokers, *words), input, seconds)
        if code is not None:
            self.assertEqual(ended.code, code, ended)
        return ended

    def topic_name(self, partitions):
        """After the test."""
        return self.id().split(".")[-1].replace("test_", "") + f"-{partitions}"


class NodeTest(BrokerTest):
    """Test cases that share one node, made by NODE; each uses topics of its own."""

    NODE = Node
    REPLICAS = 1

    @classmethod
    def setUpClass(cls):
        cls.node = cls.NODE()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    @property
    def brokers(self):
        return self.node

    def leader_address(self, _topic):
        """Of the node that leads partition 0."""
        return self.node.address

    def topic(self, partitions=1, replication=1, *settings):
        """A new topic, named after the test."""
        name = self.topic_name(partitions)
        self.aq("topic", "create", name, "-p", partitions, "-r", replication, *settings)
        return name
