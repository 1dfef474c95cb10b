"""How operators' clients change topics and settings."""

import struct

import wire
from cluster import ClusterTest, wait_for
from schema import APIS
from support import NodeTest

from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from confluent_kafka import KafkaException
from kafka.admin import ConfigResource as PythonResource
from kafka.admin import ConfigResourceType, KafkaAdminClient
from kafka.admin import NewPartitions as PythonPartitions
from kafka.admin import NewTopic as PythonTopic
from kafka import errors

WAIT_SECONDS = 20
CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, CREATE_PARTITIONS = 19, 20, 21, 37
DESCRIBE_CONFIGS, DESCRIBE_LOG_DIRS, ELECT_LEADERS, INCREMENTAL_ALTER_CONFIGS = 32, 35, 43, 44
DESCRIBE_CLUSTER = 60


class Confluent:
    def setUp(self):
        super().setUp()
        self.admin = AdminClient({"bootstrap.servers": self.brokers.address, "log_level": 2})

    def wait(self, futures):
        return [future.result(WAIT_SECONDS) for future in futures.values()]

    def error_of(self, futures):
        with self.assertRaises(KafkaException) as raised:
            self.wait(futures)
        return raised.exception.args[0].name()

    def shows(self, topic, partitions):
        """Waits until every broker may say so: what one decides, others learn a moment later."""
        def found():
            known = self.admin.list_topics().topics.get(topic)
            return (len(known.partitions) if known else 0) == partitions
        wait_for(f"{topic} has {partitions} partitions", found)

    def test_topics_are_created_grown_and_deleted(self):
        new = NewTopic("grown", 3, 1, config={"retention.ms": "3600000"})
        self.wait(self.admin.create_topics([new]))
        self.assertEqual(self.error_of(self.admin.create_topics([new])), "TOPIC_ALREADY_EXISTS")
        self.shows("grown", 3)
        self.wait(self.admin.create_partitions([NewPartitions("grown", 5)]))
        self.assertEqual(self.error_of(self.admin.create_partitions([NewPartitions("grown", 5)])),
                         "INVALID_PARTITIONS")
        self.shows("grown", 5)
        self.wait(self.admin.delete_topics(["grown"]))
        self.shows("grown", 0)
        self.assertEqual(self.error_of(self.admin.delete_topics(["grown"])),
                         "UNKNOWN_TOPIC_OR_PART")

    def test_what_cannot_be_created_is_refused(self):
        cases = {
            "INVALID_REPLICATION_FACTOR": NewTopic("replicated", 1, 9),
            "TOPIC_EXCEPTION": NewTopic("a b", 1, 1),
            "INVALID_CONFIG": NewTopic("configured", 1, 1, config={"retention.ms": "soon"}),
            "INVALID_PARTITIONS": NewTopic("partitioned", 0, 1),
        }
        for error, topic in cases.items():
            with self.subTest(error):
                self.assertEqual(self.error_of(self.admin.create_topics([topic])), error)

    def test_nothing_is_created_when_it_is_only_checked(self):
        self.wait(self.admin.create_topics([NewTopic("checked", 1, 1)], validate_only=True))
        self.assertNotIn("checked", self.admin.list_topics().topics)

    def test_settings_are_replaced_and_described(self):
        topic = self.topic()
        for settings in ({"retention.ms": "3600000", "max.message.bytes": "2000000"},
                         {"retention.ms": "7200000"}):
            resource = ConfigResource("topic", topic, set_config=settings)
            self.wait(self.admin.alter_configs([resource]))
        asked = ConfigResource("topic", topic)

        def found():
            described = self.wait(self.admin.describe_configs([asked]))[0]
            return described if described["retention.ms"].value == "7200000" else None
        described = wait_for("it is known", found)
        self.assertFalse(described["retention.ms"].is_default)
        self.assertEqual(described["max.message.bytes"].value, "1048588")
        self.assertTrue(described["max.message.bytes"].is_default)

    def test_a_value_out_of_range_is_refused(self):
        resource = ConfigResource("topic", self.topic(), set_config={"retention.ms": "never"})
        self.assertEqual(self.error_of(self.admin.alter_configs([resource])), "INVALID_CONFIG")

    def test_the_settings_of_the_broker_can_be_read(self):
        broker = str(next(iter(self.admin.list_topics().brokers)))
        described = self.wait(self.admin.describe_configs([ConfigResource("broker", broker)]))[0]
        self.assertEqual(described["broker.id"].value, broker)
        unknown = self.admin.describe_configs([ConfigResource("topic", "no")])
        self.assertEqual(self.error_of(unknown), "UNKNOWN_TOPIC_OR_PART")


class ConfluentOneNode(Confluent, NodeTest):
    pass


class ConfluentThreeNodes(Confluent, ClusterTest):
    pass


class KafkaPython:
    def setUp(self):
        super().setUp()
        self.admin = KafkaAdminClient(bootstrap_servers=self.brokers.addresses)
        self.addCleanup(self.admin.close)

    def test_topics_are_created_grown_and_deleted(self):
        self.admin.create_topics([PythonTopic("python", 2, 1)])
        with self.assertRaises(errors.TopicAlreadyExistsError):
            self.admin.create_topics([PythonTopic("python", 2, 1)])
        count = lambda: len(self.admin.describe_topics(["python"])[0]["partitions"])
        wait_for("it is there", lambda: count() == 2)
        self.admin.create_partitions({"python": PythonPartitions(4)})
        wait_for("it has grown", lambda: count() == 4)
        self.admin.delete_topics(["python"])
        wait_for("it is gone", lambda: "python" not in self.admin.list_topics())

    def test_settings_are_changed(self):
        topic = self.topic()
        resource = PythonResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "3600000"})
        self.admin.alter_configs([resource])
        asked = PythonResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None})
        rows = lambda: self.admin.describe_configs([asked])[0].resources[0][4]
        wait_for("it is changed", lambda: [row[:2] for row in rows()] == [
            ("retention.ms", "3600000")])

    def test_the_cluster_is_described(self):
        cluster = self.admin.describe_cluster()
        self.assertEqual(sorted(f"{b['host']}:{b['port']}" for b in cluster["brokers"]),
                         sorted(self.brokers.addresses))
        self.assertIn(cluster["controller_id"], [b["node_id"] for b in cluster["brokers"]])


class KafkaPythonOneNode(KafkaPython, NodeTest):
    pass


class KafkaPythonThreeNodes(KafkaPython, ClusterTest):
    pass


class ById:
    def test_a_topic_is_deleted_by_its_id(self):
        topic = self.topic(2)
        clients = [wire.Connection(address) for address in self.brokers.addresses]
        for client in clients:
            self.addCleanup(client.socket.close)

        def known(client, **asked):
            (row,) = APIS["Metadata"].call(client, 12, topics=[asked])["topics"]
            return row["error_code"], row["name"], row["topic_id"]

        _, _, topic_id = known(clients[0], name=topic)
        self.assertNotEqual(topic_id, bytes(16))
        for client in clients:
            wait_for("it is known", lambda: known(client, name=None, topic_id=topic_id) == (
                0, topic, topic_id))
        # Any broker takes it, and passes it on.
        delete = lambda: APIS["DeleteTopics"].call(
            clients[-1], 6, timeout_ms=1000 * WAIT_SECONDS,
            topics=[{"name": None, "topic_id": topic_id}])["responses"]
        self.assertEqual(delete(), [{"name": topic, "topic_id": topic_id, "error_code": 0,
                                     "error_message": None}])
        for client in clients:
            wait_for("it is gone", lambda: known(client, name=None, topic_id=topic_id)[0] == 100)
            self.assertEqual(known(client, name=topic)[0], 3)
        self.assertEqual([row["error_code"] for row in delete()], [100])
        # One that is made anew is another.
        self.aq("topic", "create", topic, "-r", self.REPLICAS)
        wait_for("it is there", lambda: known(clients[0], name=topic)[0] == 0)
        self.assertNotEqual(known(clients[0], name=topic)[2], topic_id)


class ByIdOneNode(ById, NodeTest):
    pass


class ByIdThreeNodes(ById, ClusterTest):
    pass


class Wire(NodeTest):
    def setUp(self):
        self.wire = wire.Connection(self.node.address)
        self.addCleanup(self.wire.socket.close)

    def delete_records(self, topic, partition, offset):
        body = struct.pack(">i", 1) + wire.text(topic)
        body += struct.pack(">iiqi", 1, partition, offset, 10000)
        response = self.wire.call(DELETE_RECORDS, 0, body)
        response.take("ii")
        response.text()
        return response.take("iiqh")[2:]

    def test_records_are_deleted_up_to_an_offset_or_the_end(self):
        topic = self.topic()
        for _ in range(3):
            self.wire.produce(topic, wire.GOLDEN_BATCH)
        self.assertEqual(self.delete_records(topic, 0, 4), (4, 0))
        self.assertEqual(self.wire.fetch(topic, 0)[2], 1)
        self.assertEqual(self.delete_records(topic, 0, 99)[1], 1)
        self.assertEqual(self.delete_records(topic, 0, -1), (6, 0))
        self.assertEqual(self.delete_records(topic, 7, 0), (-1, 3))

    def test_settings_are_changed_one_by_one(self):
        topic = self.topic()

        def change(operation, name, value):
            body = struct.pack(">ib", 1, 2) + wire.text(topic) + struct.pack(">i", 1)
            body += wire.text(name) + struct.pack(">b", operation)
            body += (struct.pack(">h", -1) if value is None else wire.text(value)) + b"\0"
            response = self.wire.call(INCREMENTAL_ALTER_CONFIGS, 0, body)
            return response.take("iih")[2]

        def described():
            body = struct.pack(">ib", 1, 2) + wire.text(topic) + struct.pack(">i", 1)
            body += wire.text("retention.ms") + b"\0"
            response = self.wire.call(DESCRIBE_CONFIGS, 1, body)
            self.assertEqual(response.take("iihh"), (0, 1, 0, -1))
            self.assertEqual((response.take("b"), response.text()), (2, topic))
            self.assertEqual((response.take("i"), response.text()), (1, "retention.ms"))
            return response.text(), response.take("bbb")[1]

        self.assertEqual(change(0, "retention.ms", "3600000"), 0)
        self.assertEqual(described(), ("3600000", 1))
        self.assertEqual(change(2, "retention.ms", "1"), 40)
        self.assertEqual(change(0, "retention.ms", None), 40)
        self.assertEqual(change(1, "retention.ms", None), 0)
        self.assertEqual(described()[1], 5)

    def test_what_is_not_set_is_taken_away_already(self):
        """What tools do that move replicas: Kafka has throttles for that."""
        def change(resource, name, operation, setting, value):
            body = struct.pack(">ib", 1, resource) + wire.text(name) + struct.pack(">i", 1)
            body += wire.text(setting) + struct.pack(">b", operation)
            body += (struct.pack(">h", -1) if value is None else wire.text(value)) + b"\0"
            return self.wire.call(INCREMENTAL_ALTER_CONFIGS, 0, body).take("iih")[2]

        topic, throttle = self.topic(), "leader.replication.throttled.r"
        self.assertEqual(change(2, topic, 1, f"{throttle}eplicas", None), 0)
        self.assertEqual(change(2, topic, 0, f"{throttle}eplicas", "*"), 40)
        self.assertEqual(change(4, "1", 1, f"{throttle}ate", None), 0)
        self.assertEqual(change(4, "1", 0, f"{throttle}ate", "1000"), 42)

    def test_the_directory_with_the_data_is_measured(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        body = struct.pack(">i", 1) + wire.text(topic) + struct.pack(">ii", 1, 0)
        response = self.wire.call(DESCRIBE_LOG_DIRS, 1, body)
        self.assertEqual(response.take("iih"), (0, 1, 0))
        self.assertEqual(response.text(), str(self.node.data))
        self.assertEqual((response.take("i"), response.text()), (1, topic))
        count, index, size, lag, future = response.take("iiqqb")
        self.assertEqual((count, index, lag, future), (1, 0, 0, 0))
        self.assertGreaterEqual(size, len(wire.GOLDEN_BATCH))

    def test_the_cluster_has_brokers_and_no_controllers_apart(self):
        response = self.wire.call(DESCRIBE_CLUSTER, 1, b"\0\x01\0", flexible=True)
        self.assertEqual(response.take("BihB"), (0, 0, 0, 0))
        refused = self.wire.call(DESCRIBE_CLUSTER, 1, b"\0\x02\0", flexible=True)
        self.assertEqual(refused.take("Bih")[2], 115)

    def test_leaders_are_elected_where_that_is_needed(self):
        topic = self.topic(2)

        def elect(kind, *partitions):
            """The error of the whole and of each partition; None: of all partitions."""
            body = struct.pack(">bi", kind, -1 if partitions == (None,) else 1)
            if partitions != (None,):
                body += wire.text(topic) + struct.pack(f">{len(partitions) + 1}i", len(partitions),
                                                       *partitions)
            response = self.wire.call(ELECT_LEADERS, 1, body + struct.pack(">i", 10000))
            _throttle, top, topics = response.take("ihi")
            rows = []
            for _ in range(topics):
                self.assertEqual(response.text(), topic)
                for _ in range(response.take("i")):
                    rows.append(response.take("ih"))
                    self.assertGreater(len(response.text()), 0)
            self.assertEqual(response.left, 0)
            return top, rows

        self.assertEqual(elect(0, 0, 1, 2), (0, [(0, 84), (1, 84), (2, 3)]))
        self.assertEqual(elect(1, 0), (0, [(0, 84)]))
        self.assertEqual(elect(2, 0), (42, [(0, 42)]))
        # Nothing is said of those that need no election.
        self.assertEqual(elect(0, None), (0, []))

    def test_brokers_of_new_partitions_are_the_clusters_choice(self):
        topic = self.topic()
        body = struct.pack(">i", 1) + wire.text("placed") + struct.pack(">ihiii", -1, -1, 1, 0, 1)
        body += struct.pack(">iii", 1, 0, 10000) + b"\0"
        refused = self.wire.call(CREATE_TOPICS, 2, body)
        self.assertEqual((refused.take("ii"), refused.text(), refused.take("h")),
                         ((0, 1), "placed", 39))
        body = struct.pack(">i", 1) + wire.text(topic) + struct.pack(">iiiii", 2, 1, 1, 1, 10000)
        refused = self.wire.call(CREATE_PARTITIONS, 0, body + b"\0")
        self.assertEqual((refused.take("ii"), refused.text(), refused.take("h")),
                         ((0, 1), topic, 39))

    def test_a_topic_that_is_named_twice_is_not_created(self):
        one = wire.text("twice") + struct.pack(">ihii", 1, 1, 0, 0)
        refused = self.wire.call(CREATE_TOPICS, 2, struct.pack(">i", 2) + one * 2 +
                                 struct.pack(">i", 10000) + b"\0")
        refused.take("ii")
        for _ in range(2):
            self.assertEqual((refused.text(), refused.take("h")), ("twice", 42))
            refused.text()

    def test_an_id_that_is_not_there_is_refused(self):
        unknown = b"\0" + b"\x07" * 16 + b"\0"
        body = b"\x02" + unknown + struct.pack(">i", 10000) + b"\0"
        response = self.wire.call(DELETE_TOPICS, 6, body, flexible=True)
        self.assertEqual(response.take("BiBB"), (0, 0, 2, 0))
        self.assertEqual(response.bytes(16), b"\x07" * 16)
        self.assertEqual(response.take("h"), 100)
