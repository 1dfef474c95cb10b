"""Clients of Kafka on a broker that offers only older versions of most requests (floor.py): they do
what they do on one that has the newest."""

import unittest

import test_admin
import test_go
import test_group_members
import test_group_offsets
import test_groups
import test_java
import test_kafkajs
import test_kcat
import test_librdkafka
import test_python_clients
import wire
from clients import kcat, numbers
from cluster import wait_for
from floor import FLOOR, OlderNode, tried_above_the_floor
from support import NodeTest

OFFSET_COMMIT, OFFSET_FETCH, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP = 8, 9, 11, 13, 14


class Older:
    """Of tests on one node. No client may try what it was not offered, but to ask for versions."""

    NODE = OlderNode

    @classmethod
    def tearDownClass(cls):
        tried = tried_above_the_floor(cls.node)
        super().tearDownClass()
        assert not tried, f"{cls.__name__} tried {tried}"


def above(name, test):
    """The test, skipped because it needs a version that the older broker has not."""
    return unittest.skip(f"{name} on an older broker is not tested: it does not have that")(test)


def ranges(connection, version):
    """{request: (lowest, highest version)} of an answer to ApiVersions, read by hand."""
    flexible = version >= 3
    answer = connection.call(wire.API_VERSIONS, version,
                             wire.compact("wire") + wire.compact("1") + b"\0" if flexible else b"",
                             flexible)
    assert answer.take("h") == 0
    rows = [answer.take("hhhB" if flexible else "hhh")[:3]
            for _ in range(answer.take("B") - 1 if flexible else answer.take("i"))]
    assert answer.left == (0 if version == 0 else 5 if flexible else 4)
    return {key: (low, high) for key, low, high in rows}


class Negotiation(NodeTest):
    NODE = OlderNode

    def test_every_version_of_the_answer_is_capped(self):
        with wire.Connection(self.node.relay.to) as direct:
            offered = ranges(direct, 3)
        self.assertEqual(set(offered), set(FLOOR))
        lowest = {key: (low, FLOOR[key]) for key, (low, _) in offered.items()}
        with wire.Connection(self.node.address) as client:
            for version in range(4):
                self.assertEqual(ranges(client, version), lowest)
        self.assertGreater(sum(high > FLOOR[key] for key, (_, high) in offered.items()), 20)

    def test_a_newer_way_to_ask_is_answered_in_the_oldest_form(self):
        with wire.Connection(self.node.address) as client:
            answer = client.call(wire.API_VERSIONS, 4, b"\x02a\x021\0", flexible=True)
            self.assertEqual(answer.take("hihhh"), (35, 1, 18, 0, 3))
            self.assertEqual(answer.left, 0)
            self.assertEqual(ranges(client, 3)[wire.FETCH], (4, 11))

    def test_a_version_above_ends_the_connection(self):
        for key, version in ((wire.FETCH, 12), (wire.METADATA, 9), (OFFSET_FETCH, 8)):
            with wire.Connection(self.node.address) as client:
                client.send(key, version)
                self.assertTrue(client.is_closed())


class Kcat(Older, test_kcat.KcatCalls, NodeTest):
    def test_it_uses_the_newest_versions_that_it_is_offered(self):
        topic = self.topic()
        self.produce(topic, "-X", "enable.idempotence=true")
        self.assertEqual(self.consume(topic), numbers(0, 1000))
        kcat(self.node, "-G", topic, topic, "-e", "-q", "-X", "auto.offset.reset=earliest")
        seen = self.node.relay.seen
        used = (wire.API_VERSIONS, wire.PRODUCE, wire.FETCH, wire.INIT_PRODUCER_ID, JOIN_GROUP,
                SYNC_GROUP, OFFSET_COMMIT, OFFSET_FETCH)
        self.assertEqual({key: seen[key] for key in used}, {key: FLOOR[key] for key in used})


class KcatProduce(Older, test_kcat.ProduceOneNode):
    pass


class KcatCodecs(Older, test_kcat.CodecsOneNode):
    pass


class KcatConsume(Older, test_kcat.ConsumeOneNode):
    pass


class Librdkafka(Older, test_librdkafka.Librdkafka, NodeTest):
    def test_connections_are_cut(self):
        topic = self.topic_name(1)

        def written():
            with wire.Connection(self.node.relay.to) as direct:
                return direct.list_offsets(topic, 4, -1)[0][1]

        first = self.node.relay.cuts

        def cut():
            # A cut finds nothing while the client is about to connect again.
            while self.node.relay.cuts < first + 5:
                before = written()
                self.node.relay.cut()
                wait_for("it goes on", lambda: written() > before)
        self.check(400_000, cut)
        self.assertGreaterEqual(self.node.relay.cuts, first + 5)


class KafkaPython(Older, test_python_clients.KafkaPythonOneNode):
    pass


class ConfluentKafka(Older, test_python_clients.ConfluentKafkaOneNode):
    pass


class ConfluentGroups(Older, test_groups.ConfluentOneNode):
    pass


class KafkaPythonGroups(Older, test_groups.KafkaPythonOneNode):
    pass


class Members(Older, test_group_members.OneNode):
    pass


class Offsets(Older, test_group_offsets.OneNode):
    test_two_groups_are_asked_for_at_once = above(
        "OffsetFetch 8", test_group_offsets.OneNode.test_two_groups_are_asked_for_at_once)


class ConfluentAdmin(Older, test_admin.ConfluentOneNode):
    pass


class KafkaPythonAdmin(Older, test_admin.KafkaPythonOneNode):
    pass


class Kafkajs(Older, test_kafkajs.OneNode):
    pass


class Sarama(Older, test_go.SaramaOneNode):
    pass


class Franz(Older, test_go.FranzOneNode):
    def test_it_uses_the_newest_versions_that_it_is_offered(self):
        """And not the newer ones that the node behind has."""
        topic = self.kept_topic()
        self.produce(topic, 0, 100)
        member = self.member(topic, topic)
        member.program.wait_for("it is read", lambda _: len(member.values) == 100)
        member.program.process.terminate()
        member.program.end()
        seen = self.node.relay.seen
        used = (wire.PRODUCE, wire.FETCH, wire.METADATA, wire.FIND_COORDINATOR, JOIN_GROUP,
                SYNC_GROUP, LEAVE_GROUP, OFFSET_COMMIT, OFFSET_FETCH)
        self.assertEqual({key: seen[key] for key in used}, {key: FLOOR[key] for key in used})
        self.assertGreater(seen[wire.API_VERSIONS], FLOOR[wire.API_VERSIONS])


class KafkaGo(Older, test_go.KafkaGoOneNode):
    pass


class JavaConnections(Older, test_java.Connections):
    pass


class JavaRecords(Older, test_java.RecordsOneNode):
    pass


class JavaOffsets(Older, test_java.OffsetsOneNode):
    pass


class JavaTopics(Older, test_java.TopicsOneNode):
    test_a_topic_lives_and_ends = above("Metadata 10",
                                        test_java.TopicsOneNode.test_a_topic_lives_and_ends)


class JavaGroups(Older, test_java.GroupsOneNode):
    pass


if __name__ == "__main__":
    unittest.main()
