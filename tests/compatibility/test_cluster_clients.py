"""kafka-python, confluent-kafka and kafkajs on a cluster of three nodes, whose leaders are killed
while records are written, and read by a group."""

from clients import Kafkajs, kcat
from cluster import ClusterTest, wait_for

from confluent_kafka import Consumer, Producer
from kafka import KafkaConsumer, KafkaProducer

PARTITIONS = 3
ROUND = 100
# One round before, one while the leader of partition 0 is dead, one when it is back.
ROUNDS = 3


class Client:
    """What a client does in these tests: writes numbers, and reads them as a member of a group."""

    def write(self, numbers):
        """Begins to write the numbers, each to the partition of its remainder."""

    def flush(self):
        """Waits until all are acknowledged."""

    def read(self):
        """All numbers that have been read so far."""

    def has_read(self, numbers):
        """Waits until these have been read."""
        wait_for("all is read", lambda: set(numbers) <= set(self.read()))

    def close(self):
        pass


class Confluent(Client):
    def __init__(self, brokers, topic, **settings):
        # Without the words on connections that end: that is what is tested.
        common = {"bootstrap.servers": brokers.address, "log_level": 2}
        self.topic, self.reports, self.values = topic, [], []
        self.producer = Producer({**common, **settings})
        self.consumer = Consumer({**common, "group.id": topic, "auto.offset.reset": "earliest"})
        self.consumer.subscribe([topic])

    def write(self, numbers):
        for number in numbers:
            self.producer.produce(self.topic, str(number), partition=number % PARTITIONS,
                                  on_delivery=lambda error, _: self.reports.append(error))
            self.producer.poll(0)

    def flush(self):
        assert self.producer.flush(30) == 0 and set(self.reports) == {None}, set(self.reports)

    def read(self):
        for record in self.consumer.consume(1000, 0.1):
            if not record.error():
                self.values.append(int(record.value()))
        return self.values

    def close(self):
        self.consumer.close()


class KafkaPython(Client):
    def __init__(self, brokers, topic):
        self.topic, self.sent, self.values = topic, [], []
        self.producer = KafkaProducer(bootstrap_servers=brokers.addresses, acks="all",
                                      retries=1000, retry_backoff_ms=50,
                                      max_in_flight_requests_per_connection=1)
        self.consumer = KafkaConsumer(topic, bootstrap_servers=brokers.addresses, group_id=topic,
                                      auto_offset_reset="earliest")

    def write(self, numbers):
        self.sent += [self.producer.send(self.topic, str(number).encode(),
                                         partition=number % PARTITIONS) for number in numbers]

    def flush(self):
        for one in self.sent:
            one.get(30)

    def read(self):
        for records in self.consumer.poll(100).values():
            self.values += [int(record.value) for record in records]
        return self.values

    def close(self):
        self.producer.close()
        self.consumer.close()


class KafkajsPrograms(Client):
    def __init__(self, brokers, topic, idempotent):
        total = ROUND * ROUNDS
        self.acknowledged = 0
        self.writer = Kafkajs.start("kafkajs_writer.js", brokers, topic, PARTITIONS, idempotent)
        self.member = Kafkajs.start("kafkajs_group.js", brokers, topic, topic, total)

    def write(self, numbers):
        self.writer.write("".join(f"{number}\n" for number in numbers).encode())
        self.acknowledged += len(numbers)

    def flush(self):
        self.writer.wait_for("all are acknowledged",
                             lambda one: len(one.lines) == self.acknowledged)

    def read(self):
        return [int(line) for line in self.member.lines]

    def close(self):
        self.writer.__exit__()
        self.member.__exit__()


class LeaderKilled(ClusterTest):
    def setUp(self):
        super().setUp()
        # librdkafka reads nothing any more when the coordinator moves while it asks for offsets.
        self.coordinators_return()

    def check(self, make, exactly):
        """A group reads everything that was acknowledged; if `exactly`, it is there once and in
        order."""
        topic = self.topic(PARTITIONS)
        client = make(self.cluster, topic)
        self.addCleanup(client.close)
        client.write(range(ROUND))
        client.flush()
        client.has_read(range(ROUND))
        self.cluster[self.leader(topic)].kill()
        client.write(range(ROUND, 2 * ROUND))
        client.flush()
        self.cluster.heal()
        client.write(range(2 * ROUND, ROUNDS * ROUND))
        client.flush()
        client.has_read(range(ROUNDS * ROUND))
        for partition in range(PARTITIONS):
            there = kcat(self.cluster, "-C", "-t", topic, "-p", str(partition), "-e", "-q",
                         "-X", "check.crcs=true", "-f", "%s\n").out
            there = [int(line) for line in there.split()]
            wanted = list(range(partition, ROUNDS * ROUND, PARTITIONS))
            self.assertEqual(there if exactly else sorted(set(there)), wanted)

    def test_confluent_kafka(self):
        self.check(Confluent, exactly=False)

    def test_confluent_kafka_with_idempotence(self):
        self.check(lambda *where: Confluent(*where, **{"enable.idempotence": True}), exactly=True)

    def test_kafka_python(self):
        self.check(KafkaPython, exactly=False)

    def test_kafkajs(self):
        Kafkajs.require()
        self.check(lambda *where: KafkajsPrograms(*where, "false"), exactly=False)

    def test_kafkajs_with_idempotence(self):
        Kafkajs.require()
        self.check(lambda *where: KafkajsPrograms(*where, "true"), exactly=True)
