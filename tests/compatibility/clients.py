"""Programs that others wrote for Kafka, as the tests beside this file run them."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import wait_for
from support import clean_environment, run

FOLDER = pathlib.Path(__file__).parent
END_SECONDS = 90
# ./dev compat --long: everything, and as many records as Kafka's own tests take.
IS_LONG = bool(os.environ.get("AQUEDUCT_COMPAT_LONG"))


def numbers(first, last):
    """The lines "first\\n" to "last - 1\\n"."""
    return "".join(f"{i}\n" for i in range(first, last)).encode()


def long_only(what):
    """A decorator for a test, or a class of tests, that takes more time than it tells news."""
    return unittest.skipUnless(IS_LONG, f"{what} is not tested: ./dev compat --long does it")


def kcat(node, *words, input=b"", code=0):
    """Runs kcat and checks its exit code; None takes any."""
    ended = run(["kcat", "-b", node.address, *words], input, END_SECONDS)
    if code is not None and ended.code != code:
        raise AssertionError(ended)
    return ended


def librdkafka():
    """The version that kcat runs on: Debian's (2, 0, 2), or what ./dev compat --librdkafka gave."""
    return tuple(map(int, re.search(r"librdkafka (\d+)\.(\d+)\.(\d+)",
                                    run(["kcat", "-V"]).text).groups()))


def missing_features():
    """What kcat says at "-d feature" that it does without."""
    to_come = {"SaslHandshake", "SaslAuthReq"}
    if librdkafka() < (2, 12):
        return to_come | {"MsgVer1", "ThrottleTime"}  # which are obsolete
    # With two ways to have members share partitions, it misses that of one.
    return to_come | {"Sasl", "BrokerBalancedConsumer"}


class Program:
    """A client that runs beside the test."""

    PATIENCE_SECONDS = 30

    def __init__(self, *command, env=None):
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=self.out, stderr=self.err,
                                        env=env or clean_environment())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.out.close()
        self.err.close()

    @staticmethod
    def all_of(file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)

    @property
    def printed(self):
        """What it has written to its standard output so far."""
        return self.all_of(self.out)

    @property
    def lines(self):
        """The whole lines of it."""
        return self.printed.split(b"\n")[:-1]

    @property
    def said(self):
        """What it has written to its standard error so far."""
        return self.all_of(self.err).decode(errors="replace")

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_for(self, what, condition):
        """Waits until `condition(self)`, and says what the program said if that does not come."""
        try:
            return wait_for(what, lambda: condition(self), self.PATIENCE_SECONDS)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.said[-3000:]}\n{self.printed[-300:]}") from None

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, code=0):
        """Closes its input, and returns what it printed when it ended by itself."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            ended = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            ended = "none: it runs still"
        if ended != code:
            raise AssertionError(f"exit code {ended}\n{self.said[-3000:]}")
        return self.printed

    def kill(self):
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # what it was sent before


class Kafkajs:
    """kafkajs, where npm is there to bring it."""

    VERSION = "2.2.4"
    PACKAGES = pathlib.Path(__file__).resolve().parents[2] / "build" / "kafkajs"
    INSTALL_SECONDS = 120

    @classmethod
    def reason_to_skip(cls):
        """None when kafkajs is there."""
        if (cls.PACKAGES / "node_modules" / "kafkajs").is_dir() and shutil.which("node"):
            return None
        if not shutil.which("node") or not shutil.which("npm"):
            return "kafkajs is not tested: there is no node, or no npm to bring it"
        cls.PACKAGES.mkdir(parents=True, exist_ok=True)
        installed = subprocess.run(["npm", "install", "--silent", "--prefix", cls.PACKAGES,
                                    f"kafkajs@{cls.VERSION}"], capture_output=True,
                                   timeout=cls.INSTALL_SECONDS)
        return None if installed.returncode == 0 else "kafkajs is not tested: npm cannot bring it"

    @classmethod
    def require(cls):
        """Skips the test, or the class of tests, without kafkajs."""
        if why := cls.reason_to_skip():
            raise unittest.SkipTest(why)

    @classmethod
    def environment(cls):
        return {**clean_environment(), "NODE_PATH": str(cls.PACKAGES / "node_modules")}

    @classmethod
    def command(cls, program, node, *words):
        return ["node", FOLDER / program, node.address, *words]

    @classmethod
    def run(cls, program, node, *words):
        """What the program prints, as JSON."""
        ended = run(cls.command(program, node, *words), seconds=END_SECONDS,
                    env=cls.environment())
        if ended.code != 0:
            raise AssertionError(ended)
        return ended.json

    @classmethod
    def start(cls, program, node, *words):
        return Program(*cls.command(program, node, *words), env=cls.environment())
