"""kafka-python and confluent-kafka, as Debian has them, on one node and on three."""

from cluster import ClusterTest
from support import NodeTest

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as PythonPartition

WAIT_SECONDS = 20
VALUES = [str(i).encode() for i in range(1000)]


class KafkaPython:
    def write(self, topic, **settings):
        producer = KafkaProducer(bootstrap_servers=self.brokers.addresses, **settings)
        sent = [producer.send(topic, value, key=b"k", headers=[("h", b"x")], partition=0)
                for value in VALUES]
        producer.flush(WAIT_SECONDS)
        offsets = [one.get(WAIT_SECONDS).offset for one in sent]
        producer.close()
        return offsets

    def read(self, topic, count=len(VALUES)):
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses, check_crcs=True,
                                 consumer_timeout_ms=1000 * WAIT_SECONDS)
        consumer.assign([PythonPartition(topic, 0)])
        consumer.seek_to_beginning()
        records = [next(consumer) for _ in range(count)]
        consumer.close()
        return records

    def check(self, codec):
        topic = self.topic()
        self.assertEqual(self.write(topic, compression_type=codec, acks="all"), list(range(1000)))
        records = self.read(topic)
        self.assertEqual([record.value for record in records], VALUES)
        self.assertEqual((records[0].key, records[0].headers), (b"k", [("h", b"x")]))
        shown = self.aq("consume", topic, "-o", "start", "-n", "1000", "-f", "%v\n").out
        self.assertEqual(shown.split(), VALUES)

    def test_no_compression(self):
        self.check(None)

    def test_gzip(self):
        self.check("gzip")

    def test_acks_1_and_0(self):
        topic = self.topic()
        self.write(topic, acks=1)
        producer = KafkaProducer(bootstrap_servers=self.brokers.addresses, acks=0)
        producer.send(topic, b"last")
        producer.flush(WAIT_SECONDS)
        producer.close()
        self.assertEqual(self.read(topic, 1001)[-1].value, b"last")

    def test_offsets_by_time_and_at_the_ends(self):
        topic = self.topic()
        partition = PythonPartition(topic, 0)
        self.write(topic)
        first = self.read(topic, 1)[0].timestamp
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.addresses)
        self.assertEqual(consumer.beginning_offsets([partition]), {partition: 0})
        self.assertEqual(consumer.end_offsets([partition]), {partition: 1000})
        self.assertEqual(consumer.offsets_for_times({partition: first})[partition].offset, 0)
        self.assertIsNone(consumer.offsets_for_times({partition: first + 10**7})[partition])
        self.assertIn(topic, consumer.topics())
        consumer.close()


class ConfluentKafka:
    def write(self, topic, **settings):
        producer = Producer({"bootstrap.servers": self.brokers.address, **settings})
        reports = []
        for value in VALUES:
            producer.produce(topic, value, key=b"k", headers=[("h", b"x")], partition=0,
                             on_delivery=lambda error, record: reports.append((error, record)))
            producer.poll(0)
        self.assertEqual(producer.flush(WAIT_SECONDS), 0)
        self.assertEqual([error for error, _ in reports], [None] * len(VALUES))
        return [record.offset() for _, record in reports]

    def test_an_idempotent_producer_and_an_assigned_consumer(self):
        topic = self.topic()
        self.assertEqual(self.write(topic, **{"enable.idempotence": True}), list(range(1000)))
        consumer = Consumer({"bootstrap.servers": self.brokers.address, "group.id": "unused",
                             "enable.auto.commit": False, "enable.partition.eof": True})
        consumer.assign([TopicPartition(topic, 0, 0)])
        values = []
        while True:
            record = consumer.poll(WAIT_SECONDS)
            self.assertIsNotNone(record)
            if record.error():
                self.assertEqual(record.error().code(), KafkaError._PARTITION_EOF)
                break
            values.append(record.value())
        self.assertEqual(consumer.get_watermark_offsets(TopicPartition(topic, 0)), (0, 1000))
        consumer.close()
        self.assertEqual(values, VALUES)


class KafkaPythonOneNode(KafkaPython, NodeTest):
    pass


class KafkaPythonThreeNodes(KafkaPython, ClusterTest):
    pass


class ConfluentKafkaOneNode(ConfluentKafka, NodeTest):
    pass


class ConfluentKafkaThreeNodes(ConfluentKafka, ClusterTest):
    pass
