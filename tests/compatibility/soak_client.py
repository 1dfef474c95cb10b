"""A client of the soak, for as long as that wants it: prints a number a line, when it was
acknowledged or read. soak_client.py LIBRARY write|read BROKERS TOPIC PARTITIONS"""

import logging
import sys
import threading

from confluent_kafka import Consumer, Producer
from kafka import KafkaConsumer, KafkaProducer

PATIENCE_MS = 120_000


class Confluent:
    def __init__(self, brokers, topic, partitions):
        self.brokers = {"bootstrap.servers": brokers}
        self.topic, self.partitions = topic, partitions

    def write(self, numbers):
        producer = Producer({**self.brokers, "enable.idempotence": True, "linger.ms": 5})

        def reported(error, record):
            assert error is None, error
            print(int(record.value()), flush=True)
        for number in numbers:
            producer.produce(self.topic, str(number), partition=number % self.partitions,
                             on_delivery=reported)
            producer.poll(0)
        assert producer.flush(PATIENCE_MS / 1000) == 0

    def read(self):
        consumer = Consumer({**self.brokers, "group.id": self.topic,
                             "auto.offset.reset": "earliest"})
        consumer.subscribe([self.topic])
        while True:
            for record in consumer.consume(1000, 0.1):
                if not record.error():
                    print(int(record.value()), flush=True)


class KafkaPython:
    def __init__(self, brokers, topic, partitions):
        self.brokers, self.topic, self.partitions = brokers.split(","), topic, partitions
        logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")

    def write(self, numbers):
        producer = KafkaProducer(bootstrap_servers=self.brokers, acks="all", retries=10_000,
                                 retry_backoff_ms=50, max_in_flight_requests_per_connection=1)
        lock, failed = threading.Lock(), []

        def acknowledged(number):
            with lock:
                print(number, flush=True)
        for number in numbers:
            sent = producer.send(self.topic, str(number).encode(),
                                 partition=number % self.partitions)
            sent.add_callback(lambda _, number=number: acknowledged(number))
            sent.add_errback(failed.append)
        producer.flush(PATIENCE_MS / 1000)
        producer.close()
        assert not failed, failed[0]

    def read(self):
        consumer = KafkaConsumer(self.topic, bootstrap_servers=self.brokers, group_id=self.topic,
                                 auto_offset_reset="earliest")
        while True:
            for records in consumer.poll(100).values():
                for record in records:
                    print(int(record.value), flush=True)


if __name__ == "__main__":
    library, what, brokers, topic, partitions = sys.argv[1:]
    client = {"confluent": Confluent, "kafka-python": KafkaPython}[library](
        brokers, topic, int(partitions))
    if what == "write":
        client.write(map(int, sys.stdin))
    else:
        client.read()
