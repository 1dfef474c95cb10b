"""Kafka's own tools, which are written in Java. Where their jars are says AQUEDUCT_COMPAT_JAVA
(./dev compat --java DIR): a folder with them, or an unpacked distribution of Kafka."""

import functools
import json
import os
import pathlib
import re
import shutil
import unittest
import zipfile

from clients import Program
from support import clean_environment, run

CONFIGURATION = pathlib.Path(__file__).resolve().parent / "java"
END_SECONDS = 120
# Main classes; some were elsewhere in other versions.
TOOLS = {
    "broker-api-versions": ("org.apache.kafka.tools.BrokerApiVersionsCommand",
                            "kafka.admin.BrokerApiVersionsCommand"),
    "cluster": ("org.apache.kafka.tools.ClusterTool",),
    "configs": ("org.apache.kafka.tools.ConfigCommand", "kafka.admin.ConfigCommand"),
    "console-consumer": ("org.apache.kafka.tools.consumer.ConsoleConsumer",),
    "console-producer": ("org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer"),
    "consumer-groups": ("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",),
    "consumer-perf-test": ("org.apache.kafka.tools.ConsumerPerformance",),
    "delete-records": ("org.apache.kafka.tools.DeleteRecordsCommand",),
    "get-offsets": ("org.apache.kafka.tools.GetOffsetShell",),
    "leader-election": ("org.apache.kafka.tools.LeaderElectionCommand",),
    "log-dirs": ("org.apache.kafka.tools.LogDirsCommand",),
    "producer-perf-test": ("org.apache.kafka.tools.ProducerPerformance",),
    "reassign-partitions": ("org.apache.kafka.tools.reassign.ReassignPartitionsCommand",),
    "topics": ("org.apache.kafka.tools.TopicCommand",),
    "verifiable-consumer": ("org.apache.kafka.tools.VerifiableConsumer",),
    "verifiable-producer": ("org.apache.kafka.tools.VerifiableProducer",),
}


LOST = re.compile(r"NetworkClient .* (could not be established|disconnected)")
# Of tools that give up after five seconds otherwise, in which a machine may not even connect where
# much else runs.
PATIENCE = {"consumer-groups": ("--timeout", 60_000)}
# What options are called since 4.2, by their old names.
NEW_NAMES = {
    "console-consumer": {"--property": "--formatter-property",
                         "--consumer-property": "--command-property"},
    "console-producer": {"--property": "--reader-property"},
    "consumer-perf-test": {"--messages": "--num-records"},
    "producer-perf-test": {"--producer-props": "--command-property"},
}


class Java:
    """The tools, as they are run without the shell scripts around them."""

    @classmethod
    @functools.cache
    def jars(cls):
        """Of the tools; empty without a folder."""
        given = os.environ.get("AQUEDUCT_COMPAT_JAVA", "")
        if not given:
            return []
        folder = pathlib.Path(given)
        return sorted((folder / "libs" if (folder / "libs").is_dir() else folder).glob("*.jar"))

    @classmethod
    def version(cls):
        """As (4, 0, 0)."""
        for jar in cls.jars():
            if found := re.fullmatch(r"kafka-tools-(\d+)\.(\d+)\.(\d+).*\.jar", jar.name):
                return tuple(map(int, found.groups()))
        return None

    @classmethod
    def require(cls):
        """Skips the class of tests without the tools."""
        if not os.environ.get("AQUEDUCT_COMPAT_JAVA"):
            why = "./dev compat --java DIR does it, with a folder of their jars"
        elif not shutil.which("java"):
            raise AssertionError("there is no java")
        elif not cls.version():
            raise AssertionError(f"no kafka-tools-*.jar in {os.environ['AQUEDUCT_COMPAT_JAVA']}")
        else:
            return
        raise unittest.SkipTest(f"Kafka's Java tools are not tested: {why}")

    @classmethod
    @functools.cache
    def main_class(cls, tool):
        for name in TOOLS[tool]:
            entry = name.replace(".", "/") + ".class"
            for jar in cls.jars():
                if jar.name.startswith("kafka") and entry in zipfile.ZipFile(jar).namelist():
                    return name
        raise unittest.SkipTest(f"Kafka's {tool} is not tested: this version of the tools has none")

    @classmethod
    def command(cls, tool, *words):
        """Of a machine that starts quickly and takes little memory; with the options of before
        4.2."""
        names = NEW_NAMES.get(tool, {}) if cls.version() >= (4, 2, 0) else {}
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Dlog4j2.configurationFile={CONFIGURATION / 'log4j2.properties'}",
                f"-Dlog4j.configuration=file:{CONFIGURATION / 'log4j.properties'}",
                "-cp", f"{cls.jars()[0].parent}/*", cls.main_class(tool),
                *(names.get(word, str(word)) for word in (*words, *PATIENCE.get(tool, ())))]

    @classmethod
    def run(cls, tool, *words, input=b"", code=0, seconds=END_SECONDS):
        """Runs a tool that neither warns nor complains, unless it is to end with another code, or
        with any (None)."""
        ended = run(cls.command(tool, *words), input, seconds)
        if code not in (None, ended.code) or code == 0 and cls.complaints(ended.err.decode()):
            raise AssertionError(ended)
        return ended

    @staticmethod
    def complaints(said):
        """The warnings and errors in a log, but for those about brokers that are not there."""
        lines = re.findall(r"^\[(?:WARN|ERROR)\].*", said, re.MULTILINE)
        return [line for line in lines if not LOST.search(line)]


class JavaProgram(Program):
    """A tool that runs beside the test; its machine starts slowly where much else runs."""

    PATIENCE_SECONDS = END_SECONDS

    def __init__(self, tool, *words):
        super().__init__(*Java.command(tool, *words), env=clean_environment())

    @property
    def events(self):
        """The lines of JSON that the verifiable tools print."""
        return [json.loads(line) for line in self.lines if line.startswith(b"{")]

    def named(self, name):
        return [event for event in self.events if event["name"] == name]


class Member(JavaProgram):
    """The verifiable consumer, as one of a group."""

    def __init__(self, node, group, topic, *words, session_ms=6000):
        super().__init__("verifiable-consumer", "--bootstrap-server", node.address, "--group-id",
                         group, "--topic", topic, "--reset-policy", "earliest", "--verbose",
                         "--session-timeout", session_ms, *words)

    @property
    def shares(self):
        """The partitions that it has now; what it is told is one after the other."""
        held = set()
        for event in self.events:
            parts = {row["partition"] for row in event.get("partitions", ())
                     if "offset" not in row and "count" not in row}
            if event["name"] == "partitions_assigned":
                held |= parts
            elif event["name"] == "partitions_revoked":
                held -= parts
        return held

    @property
    def values(self):
        return [event["value"] for event in self.named("record_data")]

    @property
    def counted(self):
        return sum(event["count"] for event in self.named("records_consumed"))


class JavaCalls:
    """Runs tools against `self.brokers`."""

    @classmethod
    def setUpClass(cls):
        Java.require()
        super().setUpClass()

    def java(self, tool, *words, **options):
        return Java.run(tool, "--bootstrap-server", self.brokers.address, *words, **options)

    def refused(self, tool, *words):
        """What a tool says that does not work."""
        ended = self.java(tool, *words, code=1)
        return ended.text + ended.err.decode()

    def beside(self, program):
        self.addCleanup(program.__exit__)
        return program
