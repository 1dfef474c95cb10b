"""Clients of Kafka on three nodes that offer only older versions of most requests (floor.py), some
of which are killed."""

import unittest

import test_admin
import test_cluster_clients
import test_cluster_kcat
import test_go
import test_go_cluster
import test_group_members
import test_group_offsets
import test_groups
import test_java
import test_java_cluster
import test_kafkajs
import test_kcat
import test_librdkafka
import test_python_clients
from clients import long_only
from floor import OlderCluster, tried_above_the_floor
from test_floor import above


class Older:
    """Of tests on three nodes."""

    CLUSTER = OlderCluster

    @classmethod
    def tearDownClass(cls):
        tried = tried_above_the_floor(*cls.cluster.nodes.values())
        super().tearDownClass()
        assert not tried, f"{cls.__name__} tried {tried}"


class KcatProduce(Older, test_kcat.ProduceThreeNodes):
    pass


class Librdkafka(Older, test_librdkafka.ThreeNodes):
    pass


class ConfluentGroups(Older, test_groups.ConfluentThreeNodes):
    pass


class KafkaPythonGroups(Older, test_groups.KafkaPythonThreeNodes):
    pass


WHAT = "The rest on three older brokers"


@long_only(WHAT)
class KcatCodecs(Older, test_kcat.CodecsThreeNodes):
    pass


@long_only(WHAT)
class LeaderKilled(Older, test_cluster_clients.LeaderKilled):
    pass


@long_only(WHAT)
class KcatConsume(Older, test_kcat.ConsumeThreeNodes):
    pass


@long_only(WHAT)
class KcatWhileLeadersChange(Older, test_cluster_kcat.Produce):
    pass


@long_only(WHAT)
class KafkaPython(Older, test_python_clients.KafkaPythonThreeNodes):
    pass


@long_only(WHAT)
class ConfluentKafka(Older, test_python_clients.ConfluentKafkaThreeNodes):
    pass


@long_only(WHAT)
class Members(Older, test_group_members.ThreeNodes):
    pass


@long_only(WHAT)
class Offsets(Older, test_group_offsets.ThreeNodes):
    test_two_groups_are_asked_for_at_once = above(
        "OffsetFetch 8", test_group_offsets.ThreeNodes.test_two_groups_are_asked_for_at_once)


@long_only(WHAT)
class ConfluentAdmin(Older, test_admin.ConfluentThreeNodes):
    pass


@long_only(WHAT)
class KafkaPythonAdmin(Older, test_admin.KafkaPythonThreeNodes):
    pass


@long_only(WHAT)
class Kafkajs(Older, test_kafkajs.ThreeNodes):
    pass


@long_only(WHAT)
class Sarama(Older, test_go.SaramaThreeNodes):
    pass


@long_only(WHAT)
class Franz(Older, test_go.FranzThreeNodes):
    pass


@long_only(WHAT)
class KafkaGo(Older, test_go.KafkaGoThreeNodes):
    pass


@long_only(WHAT)
class SaramaWhileNodesDie(Older, test_go_cluster.Sarama):
    pass


@long_only(WHAT)
class FranzWhileNodesDie(Older, test_go_cluster.Franz):
    pass


@long_only(WHAT)
class KafkaGoWhileNodesDie(Older, test_go_cluster.KafkaGo):
    pass


class JavaRecords(Older, test_java.RecordsThreeNodes):
    pass


class JavaOffsets(Older, test_java.OffsetsThreeNodes):
    pass


class JavaTopics(Older, test_java.TopicsThreeNodes):
    test_a_topic_lives_and_ends = above("Metadata 10",
                                        test_java.TopicsThreeNodes.test_a_topic_lives_and_ends)


class JavaGroups(Older, test_java.GroupsThreeNodes):
    pass


class JavaWhileNodesDie(Older, test_java_cluster.Killed):
    pass


if __name__ == "__main__":
    unittest.main()
