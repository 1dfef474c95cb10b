"""Clients of Kafka that are written in Go: the programs in go/, built once."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

from clients import Program
from support import ROOT, clean_environment, run

SOURCES = pathlib.Path(__file__).resolve().parent / "go"
PROGRAMS = ROOT / "build" / "go-clients"
DOWNLOAD_SECONDS = 60
BUILD_SECONDS = 400
END_SECONDS = 90
# sarama does not go to the newest version that both know, but to the one that it is told.
SARAMA_NEWEST = {"SARAMA_VERSION": "4.3.1"}


class Go:
    """Built at first use; what that gave is kept."""

    reason = None
    is_built = False

    @classmethod
    def environment(cls):
        """Neither another version of Go nor other modules than those of go.sum."""
        return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}

    @classmethod
    def go(cls, seconds, *words):
        return subprocess.run(["go", *words], cwd=SOURCES, env=cls.environment(),
                              capture_output=True, text=True, timeout=seconds)

    @classmethod
    def bring(cls):
        """Why there are no clients; None when they are there. One that cannot be compiled is a
        failure, not a reason."""
        if not shutil.which("go"):
            return "there is no go"
        try:
            brought = cls.go(DOWNLOAD_SECONDS, "mod", "download")
        except subprocess.TimeoutExpired:
            return f"their modules did not come within {DOWNLOAD_SECONDS} seconds"
        if brought.returncode != 0:
            return f"their modules cannot be had ({brought.stderr.strip().splitlines()[-1]})"
        PROGRAMS.mkdir(parents=True, exist_ok=True)
        built = cls.go(BUILD_SECONDS, "build", "-o", f"{PROGRAMS}/", "./...")
        if built.returncode != 0:
            raise AssertionError(built.stderr)
        return None

    @classmethod
    def require(cls):
        """Skips the class of tests without Go, or fails if Go was asked for."""
        if not cls.is_built and cls.reason is None:
            cls.reason = cls.bring()
            cls.is_built = cls.reason is None
        if cls.is_built:
            return
        if os.environ.get("AQUEDUCT_COMPAT_GO"):
            raise AssertionError(cls.reason)
        raise unittest.SkipTest(f"sarama, franz-go and kafka-go are not tested: {cls.reason}")


def lines(printed):
    return [json.loads(line) for line in printed.splitlines() if line.endswith(b"}")]


def client(name, node, *words, more=None):
    """What the client printed when it ended well; `more` is for its environment."""
    ended = run([PROGRAMS / name, node.address, *words], seconds=END_SECONDS,
                env={**clean_environment(), **(more or {})})
    if ended.code != 0:
        raise AssertionError(ended)
    return lines(ended.out)


class GoMember:
    """A member of a group, in a process of its own."""

    def __init__(self, name, node, group, topic, more=None):
        self.program = Program(PROGRAMS / name, node.address, "group", group, topic,
                               env={**clean_environment(), **(more or {})})

    @property
    def shares(self):
        """The partitions that it was given last; None before."""
        rows = [row["assigned"] for row in lines(self.program.printed) if "assigned" in row]
        return sorted(rows[-1]) if rows else None

    @property
    def values(self):
        return [int(row["value"]) for row in lines(self.program.printed) if "value" in row]


class GoCalls:
    """Runs a client against `self.brokers`: NAME is its program's, MORE is for its environment."""

    MORE = {}

    @classmethod
    def setUpClass(cls):
        Go.require()
        super().setUpClass()

    def kept_topic(self, partitions=1):
        """A new topic, named after the test, that keeps records of long ago."""
        name = f"{self.NAME}-{self.topic_name(partitions)}"
        self.aq("topic", "create", name, "-p", partitions, "-r", self.REPLICAS,
                "--set", "retention.ms=-1")
        return name

    def beside(self, program):
        self.addCleanup(program.__exit__)
        return program

    def run_client(self, *words):
        return client(self.NAME, self.brokers, *words, more=self.MORE)

    def start(self, *words):
        return self.beside(Program(PROGRAMS / self.NAME, self.brokers.address, *words,
                                   env={**clean_environment(), **self.MORE}))

    def member(self, group, topic):
        one = GoMember(self.NAME, self.brokers, group, topic, self.MORE)
        self.beside(one.program)
        return one

    def lag(self, group):
        """None while nobody knows."""
        described = self.aq("group", "describe", group, "--output", "json", code=None)
        return described.json["lag"] if described.code == 0 else None
