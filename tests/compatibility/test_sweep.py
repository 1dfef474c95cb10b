"""Every version of every request that the node offers: valid ones, whose answers are read with
layouts that share nothing with the broker's codec (schema.py), and broken ones."""

import os
import pathlib
import random
import re
import time
import unittest

import wire
from cluster import wait_for
from schema import APIS, Writer
from support import ROOT, Node, NodeTest

VECTORS = ROOT / "tests" / "protocol" / "kafka_vectors.txt"
# Produce is listed from 0, because librdkafka looks there for what else a broker can do.
PRODUCE_MIN = 3
WAIT_MS = 10_000
METADATA = b"m"
NOT_COORDINATING = {14, 15, 16}
MEBIBYTE = 1 << 20
# What broken requests may take altogether; many of them name a size of 2 GiB.
MEMORY_MAX = 64 * MEBIBYTE
CUTS, NOISES = 6, 6


def vectors():
    """{(message, version): bytes that another encoder made}."""
    rows = [line.split() for line in VECTORS.read_text().splitlines() if not line.startswith("#")]
    return {(name, int(version)): b"" if data == "-" else bytes.fromhex(data)
            for name, version, data in rows}


def offered(connection):
    """(Api, version) of all that the node at the other end takes."""
    answer = APIS["ApiVersions"].call(connection, 3, client_software_name="t",
                                      client_software_version="1")
    by_key = {api.key: api for api in APIS.values()}
    for row in answer["api_keys"]:
        api = by_key[row["api_key"]]
        low = PRODUCE_MIN if api.name == "Produce" else row["min_version"]
        for version in range(low, row["max_version"] + 1):
            yield api, version


def producing(topic):
    """The fields of a valid Produce; there is one record batch of now."""
    return {"acks": -1, "timeout_ms": WAIT_MS, "topic_data": [
        {"name": topic, "partition_data": [{"index": 0, "records": wire.new_batch()}]}]}


def fetching(topic, topic_id):
    """The fields of a valid Fetch of what is there."""
    return {"replica_id": -1, "max_wait_ms": WAIT_MS, "min_bytes": 1, "max_bytes": MEBIBYTE,
            "session_epoch": -1, "topics": [{"topic": topic, "topic_id": topic_id, "partitions": [
                {"partition": 0, "current_leader_epoch": -1, "last_fetched_epoch": -1,
                 "log_start_offset": -1, "partition_max_bytes": MEBIBYTE}]}]}


def id_of(connection, topic):
    (row,) = APIS["Metadata"].call(connection, 12, topics=[{"name": topic}])["topics"]
    assert row["topic_id"] != bytes(16), row
    return row["topic_id"]


def errors(message):
    """All error codes within."""
    if isinstance(message, list):
        return set().union(*map(errors, message))
    if not isinstance(message, dict):
        return set()
    found = {value for name, value in message.items() if name == "error_code"}
    return found.union(*map(errors, message.values()))


class Layouts(unittest.TestCase):
    def test_they_are_those_of_another_encoder(self):
        seen = set()
        for (name, version), data in vectors().items():
            base, kind = name.removesuffix("Request").removesuffix("Response"), "request"
            if name.endswith("Response"):
                kind = "response"
            if base not in APIS:
                continue
            with self.subTest(name, version=version):
                api = APIS[base]
                message = api.decode(getattr(api, kind), version, data)
                self.assertEqual(api.encode(getattr(api, kind), version, message), data)
            seen.add(base)
        self.assertEqual(seen, set(APIS))


class Valid(NodeTest):
    """One test of each request; each asks in every version, and looks at the answer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with wire.Connection(cls.node.address) as connection:
            wait_for("groups are coordinated",
                     lambda: wire.find_coordinator(cls.node.address, "swept"))
            cls.versions = {}
            for api, version in offered(connection):
                cls.versions.setdefault(api.name, []).append(version)
        cls.swept, cls.begun = set(), set()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        # Not of tests that were picked out.
        if cls.begun == set(unittest.defaultTestLoader.getTestCaseNames(cls)):
            assert cls.swept == set(cls.versions), set(cls.versions) - cls.swept

    def setUp(self):
        self.begun.add(self._testMethodName)
        self.wire = wire.Connection(self.node.address)
        self.addCleanup(self.wire.socket.close)

    def call(self, name, version, **values):
        return APIS[name].call(self.wire, version, **values)

    def each(self, name):
        """Its versions."""
        self.swept.add(name)
        for version in self.versions[name]:
            with self.subTest(name, version=version):
                yield version

    def sweep(self, name, values, check=lambda version, answer: None, allowed=(0,)):
        """Asks with what `values(version)` says."""
        for version in self.each(name):
            answer = self.call(name, version, **values(version))
            self.assertLessEqual(errors(answer), set(allowed), answer)
            check(version, answer)

    def filled(self):
        """A topic with one batch of two records."""
        topic = self.topic()
        self.assertEqual(self.wire.produce(topic, wire.new_batch()), [(0, 0)])
        return topic

    def joined(self, group, version=5):
        """(member, generation) of the only member of a group."""
        member = ""
        while True:
            answer = self.call("JoinGroup", version, **self.joining(group, version, member))
            member = answer["member_id"]
            if answer["error_code"] == 0:
                return member, answer["generation_id"]
            self.assertIn(answer["error_code"], {79, *NOT_COORDINATING})

    @staticmethod
    def joining(group, version, member):
        values = {"group_id": group, "session_timeout_ms": WAIT_MS, "member_id": member,
                  "protocol_type": "consumer",
                  "protocols": [{"name": "range", "metadata": METADATA}]}
        return {**values, "rebalance_timeout_ms": WAIT_MS}

    def committed(self, group, topic):
        """Has an offset committed of a group without members."""
        answer = self.call("OffsetCommit", 2, **self.committing(group, topic))
        self.assertEqual(errors(answer), {0})

    @staticmethod
    def committing(group, topic, generation=-1, member=""):
        return {"group_id": group, "generation_id_or_member_epoch": generation,
                "member_id": member, "retention_time_ms": -1, "topics": [
                    {"name": topic, "partitions": [{"partition_index": 0, "committed_offset": 1,
                                                    "committed_metadata": "note"}]}]}

    def test_produce(self):
        topic, sent = self.topic(), []

        def values(version):
            sent.append(version)
            return producing(topic)

        def check(version, answer):
            (row,) = answer["responses"]
            (part,) = row["partition_responses"]
            self.assertEqual((row["name"], part["base_offset"]), (topic, 2 * len(sent) - 2))
        self.sweep("Produce", values, check)

    def test_fetch(self):
        topic = self.topic()
        batch = wire.new_batch()
        self.wire.produce(topic, batch)
        fields = fetching(topic, id_of(self.wire, topic))

        def check(version, answer):
            (row,) = answer["responses"]
            (part,) = row["partitions"]
            self.assertEqual(part["high_watermark"], 2)
            self.assertEqual(part["records"][17:], batch[17:])
        self.sweep("Fetch", lambda version: fields, check)

    def test_list_offsets(self):
        topic = self.filled()

        def check(version, answer):
            (part,) = answer["topics"][0]["partitions"]
            self.assertEqual(part["offset"], 2)
        asked = {"partition_index": 0, "current_leader_epoch": -1, "timestamp": -1}
        self.sweep("ListOffsets", lambda version: {
            "replica_id": -1, "timeout_ms": WAIT_MS,
            "topics": [{"name": topic, "partitions": [asked]}]}, check)

    def test_metadata(self):
        topic = self.topic(3)

        def check(version, answer):
            (row,) = answer["topics"]
            self.assertEqual((row["name"], len(row["partitions"])), (topic, 3))
            (broker,) = answer["brokers"]
            self.assertEqual(f"{broker['host']}:{broker['port']}", self.node.address)
        self.sweep("Metadata", lambda version: {"topics": [{"name": topic}]}, check)

    def test_api_versions(self):
        def check(version, answer):
            self.assertEqual({row["api_key"] for row in answer["api_keys"]},
                             {api.key for api in APIS.values()})
        self.sweep("ApiVersions", lambda version: {"client_software_name": "t",
                                                   "client_software_version": "1"}, check)

    def test_find_coordinator(self):
        def check(version, answer):
            for row in answer.get("coordinators", [answer]):
                self.assertEqual(f"{row['host']}:{row['port']}", self.node.address)
        self.sweep("FindCoordinator", lambda version: {"key": "swept",
                                                       "coordinator_keys": ["swept"]}, check)

    def test_join_group(self):
        for version in self.each("JoinGroup"):
            member, generation = self.joined(f"join-{version}", version)
            self.assertGreater(len(member), 0)
            self.assertEqual(generation, 1)

    def test_sync_group(self):
        for version in self.each("SyncGroup"):
            member, generation = self.joined(f"sync-{version}")
            answer = self.call("SyncGroup", version, group_id=f"sync-{version}", member_id=member,
                               generation_id=generation, protocol_type="consumer",
                               protocol_name="range",
                               assignments=[{"member_id": member, "assignment": b"mine"}])
            self.assertEqual((answer["error_code"], answer["assignment"]), (0, b"mine"))

    def test_heartbeat_and_leave_group(self):
        member, generation = self.joined("beats")
        self.call("SyncGroup", 3, group_id="beats", member_id=member, generation_id=generation)
        self.sweep("Heartbeat", lambda version: {"group_id": "beats", "member_id": member,
                                                 "generation_id": generation})
        for version in self.each("LeaveGroup"):
            member, _ = self.joined(f"leaves-{version}")
            answer = self.call("LeaveGroup", version, group_id=f"leaves-{version}",
                               member_id=member, members=[{"member_id": member}])
            self.assertEqual(errors(answer), {0})

    def test_offset_commit_and_fetch(self):
        topic = self.topic()
        self.sweep("OffsetCommit", lambda version: self.committing("commits", topic))

        def check(version, answer):
            (group,) = answer.get("groups", [answer])
            (part,) = group["topics"][0]["partitions"]
            self.assertEqual((part["committed_offset"], part["metadata"]), (1, "note"))
        asked = [{"name": topic, "partition_indexes": [0]}]
        self.sweep("OffsetFetch", lambda version: {
            "group_id": "commits", "topics": asked,
            "groups": [{"group_id": "commits", "member_epoch": -1, "topics": asked}]}, check)

    def test_groups_are_listed_described_and_deleted(self):
        topic = self.topic()
        self.committed("kept", topic)
        self.sweep("ListGroups", lambda version: {}, lambda version, answer: self.assertIn(
            "kept", [row["group_id"] for row in answer["groups"]]))
        self.sweep("DescribeGroups", lambda version: {"groups": ["kept"]},
                   lambda version, answer: self.assertEqual(
                       [(row["group_id"], row["group_state"]) for row in answer["groups"]],
                       [("kept", "Empty")]))
        for version in self.each("OffsetDelete"):
            answer = self.call("OffsetDelete", version, group_id="kept", topics=[
                {"name": topic, "partitions": [{"partition_index": 0}]}])
            self.assertEqual(errors(answer), {0})
        for version in self.each("DeleteGroups"):
            self.committed("goes", topic)
            answer = self.call("DeleteGroups", version, groups_names=["goes"])
            self.assertEqual(answer["results"], [{"group_id": "goes", "error_code": 0}])

    def test_topics_are_created_grown_and_deleted(self):
        create = lambda name: {"timeout_ms": WAIT_MS, "topics": [
            {"name": name, "num_partitions": 1, "replication_factor": 1,
             "configs": [{"name": "retention.ms", "value": "3600000"}]}]}
        self.sweep("CreateTopics", lambda version: create(f"made-{version}"))
        self.sweep("CreatePartitions", lambda version: {"timeout_ms": WAIT_MS, "topics": [
            {"name": "made-2", "count": version + 2, "assignments": None}]})

        def gone(version):
            name = f"gone-{version}"
            self.assertEqual(errors(self.call("CreateTopics", 7, **create(name))), {0})
            return {"timeout_ms": WAIT_MS, "topic_names": [name],
                    "topics": [{"name": None, "topic_id": id_of(self.wire, name)}]}
        self.sweep("DeleteTopics", gone, lambda version, answer: self.assertEqual(
            [row["name"] for row in answer["responses"]], [f"gone-{version}"]))
        listed = {row["name"] for row in self.call("Metadata", 12, topics=None)["topics"]}
        self.assertIn("made-7", listed)
        self.assertEqual({name for name in listed if name.startswith("gone-")}, set())

    def test_delete_records(self):
        topic = self.filled()
        self.sweep("DeleteRecords", lambda version: {"timeout_ms": WAIT_MS, "topics": [
            {"name": topic, "partitions": [{"partition_index": 0, "offset": 1}]}]},
            lambda version, answer: self.assertEqual(
                answer["topics"][0]["partitions"][0]["low_watermark"], 1))

    def test_init_producer_id(self):
        self.sweep("InitProducerId", lambda version: {
            "transactional_id": None, "producer_id": -1, "producer_epoch": -1},
            lambda version, answer: self.assertGreaterEqual(answer["producer_id"], 0))

    def test_offset_for_leader_epoch(self):
        topic = self.filled()
        epoch = self.wire.epoch(topic)
        self.sweep("OffsetForLeaderEpoch", lambda version: {"replica_id": -1, "topics": [
            {"topic": topic, "partitions": [{"partition": 0, "current_leader_epoch": -1,
                                             "leader_epoch": epoch}]}]},
            lambda version, answer: self.assertEqual(
                answer["topics"][0]["partitions"][0]["end_offset"], 2))

    def test_settings(self):
        topic = self.topic()
        named = {"resource_type": 2, "resource_name": topic}

        def described(version, answer):
            (row,) = answer["results"]
            self.assertIn("retention.ms", [each["name"] for each in row["configs"]])
        self.sweep("DescribeConfigs", lambda version: {
            "resources": [{**named, "configuration_keys": None}], "include_synonyms": True,
            "include_documentation": True}, described)
        changed = {"name": "retention.ms", "value": "3600000"}
        self.sweep("AlterConfigs", lambda version: {"resources": [{**named, "configs": [changed]}]})
        self.sweep("IncrementalAlterConfigs", lambda version: {
            "resources": [{**named, "configs": [changed]}]})

    def test_directories_and_places(self):
        topic = self.filled()
        self.sweep("DescribeLogDirs", lambda version: {
            "topics": [{"topic": topic, "partitions": [0]}]},
            lambda version, answer: self.assertGreater(
                answer["results"][0]["topics"][0]["partitions"][0]["partition_size"], 0))
        # It is led where it is to be led.
        self.sweep("ElectLeaders", lambda version: {
            "topic_partitions": [{"topic": topic, "partitions": [0]}], "timeout_ms": WAIT_MS},
            allowed=(0, 84))
        self.sweep("AlterPartitionReassignments", lambda version: {
            "timeout_ms": WAIT_MS, "topics": [
                {"name": topic, "partitions": [{"partition_index": 0, "replicas": [1]}]}]})
        self.sweep("ListPartitionReassignments", lambda version: {
            "timeout_ms": WAIT_MS, "topics": None},
            lambda version, answer: self.assertEqual(answer["topics"], []))

    def test_quotas(self):
        self.sweep("DescribeClientQuotas", lambda version: {"components": [
            {"entity_type": "client-id", "match_type": 2, "match": None}]},
            lambda version, answer: self.assertFalse(answer["entries"]))
        self.sweep("AlterClientQuotas", lambda version: {"entries": [
            {"entity": [{"entity_type": "client-id", "entity_name": "c"}],
             "ops": [{"key": "producer_byte_rate", "value": 1024.0, "remove": False}]}]},
            allowed=(42,))

    def test_the_cluster_and_its_producers(self):
        self.sweep("DescribeCluster", lambda version: {"endpoint_type": 1},
                   lambda version, answer: self.assertEqual(len(answer["brokers"]), 1))
        topic = self.filled()
        self.sweep("DescribeProducers", lambda version: {
            "topics": [{"name": topic, "partition_indexes": [0]}]})


class WrongLength(Writer):
    """Writes one length of a message, but for those under tags, as another one."""

    def __init__(self, version, flexible, number=-1, wrong=None):
        super().__init__(version, flexible)
        self.number, self.wrong, self.lengths = number, wrong, 0

    def size(self, size, form):
        if self.lengths == self.number:
            size = self.wrong if form == "i" or self.flexible else min(self.wrong, 0x7fff)
        self.lengths += 1
        if self.flexible and size is not None:
            # As an unsigned one: -1 is null, what is below is more than there can be.
            self.varint(size + 1 & 0xffffffff)
        else:
            super().size(size, form)


class Broken(NodeTest):
    """Requests that are cut, changed at random, and whose lengths are wrong. A seed that fails is
    printed, and is tried again with AQUEDUCT_COMPAT_SEED."""

    WRONG = (-1, -2, -0x8000, 0x7fff, 0x7fffffff)

    @staticmethod
    def NODE():
        return Node("topic.auto-create=false")

    @property
    def memory(self):
        """The most bytes that the node ever held."""
        status = pathlib.Path(f"/proc/{self.node.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])

    def whole(self, topic, topic_id, golden):
        """(Api, version, body) of requests that can be read; Produce and Fetch once more for a
        topic that is there."""
        valid = {"Produce": producing(topic), "Fetch": fetching(topic, topic_id)}
        with wire.Connection(self.node.address) as connection:
            for api, version in offered(connection):
                yield api, version, golden[f"{api.name}Request", version]
                if api.name in valid:
                    yield api, version, api.encode(api.request, version, valid[api.name])

    def broken(self, dice, api, version, data):
        """(what is wrong, bytes) of each broken request."""
        for at in {0, len(data) - 1, *(dice.randrange(len(data)) for _ in range(CUTS))}:
            yield "cut", data[:at]
        for _ in range(NOISES):
            noisy = bytearray(data)
            for _ in range(dice.randint(1, 8)):
                noisy[dice.randrange(len(noisy))] = dice.choice((0, 1, 0x7f, 0x80, 0xff,
                                                                 dice.randrange(256)))
            yield "noise", bytes(noisy)
        message = api.decode(api.request, version, data)
        written = WrongLength(version, api.is_flexible(version))
        written.struct(api.request, message)
        assert written.out == data
        for number in range(written.lengths):
            wrong = WrongLength(version, api.is_flexible(version), number, dice.choice(self.WRONG))
            wrong.struct(api.request, message)
            yield f"length {number} is {wrong.wrong}", bytes(wrong.out)

    def test_the_node_lives_and_serves_others(self):
        seed = int(os.environ.get("AQUEDUCT_COMPAT_SEED") or time.time_ns() % 2**32)
        topic, kept = self.topic(), self.topic(2)
        with wire.Connection(self.node.address) as other:
            for each in (topic, kept):
                other.produce(each, wire.new_batch())
            requests = list(self.whole(topic, id_of(other, topic), vectors()))
            self.assertGreater(len(requests), 150)
            before = self.memory
            for api, version, data in requests:
                dice = random.Random(f"{seed} {api.name} {version}")
                for what, body in self.broken(dice, api, version, data) if data else ():
                    said = f"seed {seed}: {api.name} {version}, {what}: {body.hex()}"
                    try:
                        with wire.Connection(self.node.address) as client:
                            client.send(api.key, version, body, api.is_flexible(version))
                            # What is said of a client to ApiVersions is not looked at.
                            if what == "cut" and api.key != wire.API_VERSIONS:
                                self.assertTrue(client.is_closed(), said)
                            other.call(wire.API_VERSIONS, 0)
                    except OSError as lost:
                        self.fail(f"{lost}; {said}\n{self.node.errors()[-3000:]}")
                    self.assertIsNone(self.node.process.poll(), said)
                    self.assertLess(self.memory - before, MEMORY_MAX, said)
            self.assertEqual(other.list_offsets(kept, 4, -1)[0][:2], (0, 2))


if __name__ == "__main__":
    unittest.main()
