"""Records as native clients and clients of Kafka write and read them."""

import base64
import json
from collections import namedtuple

from clients import Program
from support import aq_command

from confluent_kafka import Consumer, TopicPartition
from kafka import KafkaConsumer
from kafka import TopicPartition as PythonPartition

# Bytes or None, bytes or None, [(str, bytes or None)], milliseconds.
Record = namedtuple("Record", "key value headers time")
Row = namedtuple("Row", "partition offset record")


# -- aq -------------------------------------------------------------------------------------------

def packed(name, data):
    """The members of a JSON object that aq reads as these bytes, or as null."""
    return {name: None if data is None else base64.b64encode(data).decode(),
            f"{name}_encoding": "base64"}


def unpacked(row, name):
    if row[name] is None:
        return None
    is_text = f"{name}_encoding" not in row
    return row[name].encode() if is_text else base64.b64decode(row[name])


def aq_line(record):
    return json.dumps({**packed("key", record.key), **packed("value", record.value),
                       "timestamp_ms": record.time, "headers": [
                           {"key": name, **packed("value", data)}
                           for name, data in record.headers]}) + "\n"


def aq_row(line):
    row = json.loads(line)
    return Row(row["partition"], row["offset"], Record(
        unpacked(row, "key"), unpacked(row, "value"),
        [(header["key"], unpacked(header, "value")) for header in row["headers"]],
        row["timestamp_ms"]))


# -- kcat -----------------------------------------------------------------------------------------

# Keys and values may contain anything: their sizes stand before them. Headers are as kcat shows
# them, which has to be unambiguous in the records here.
KCAT_PATTERN = "%p %o %T %K %S %h\n%k%s"


def kcat_rows(printed):
    """Those that are whole."""
    rows, at = [], 0
    while (end := printed.find(b"\n", at)) >= 0:
        *numbers, headers = printed[at:end].split(b" ", 5)
        partition, offset, time, *sizes = map(int, numbers)
        at, texts = end + 1, []
        for size in sizes:
            texts.append(None if size < 0 else printed[at:at + size])
            at += max(size, 0)
        if at > len(printed):
            break
        pairs = [pair.split(b"=", 1) for pair in headers.split(b",")] if headers else []
        rows.append(Row(partition, offset, Record(
            *texts, [(name.decode(), None if data == b"NULL" else data) for name, data in pairs],
            time)))
    return rows


# -- kafka-python and confluent-kafka -------------------------------------------------------------

def python_row(record):
    return Row(record.partition, record.offset, Record(record.key, record.value,
                                                       record.headers, record.timestamp))


def confluent_row(record):
    return Row(record.partition(), record.offset(), Record(
        record.key(), record.value(), record.headers() or [], record.timestamp()[1]))


class PythonReader:
    """Reads all partitions from the start, as all readers do."""

    def __init__(self, brokers, topic, partitions=1):
        self.rows = []
        self.consumer = KafkaConsumer(bootstrap_servers=brokers.addresses, check_crcs=True)
        self.consumer.assign([PythonPartition(topic, i) for i in range(partitions)])
        self.consumer.seek_to_beginning()

    def read(self):
        """All that was read so far."""
        for found in self.consumer.poll(100).values():
            self.rows += map(python_row, found)
        return self.rows

    def close(self):
        self.consumer.close()


class ConfluentReader:
    def __init__(self, brokers, topic, partitions=1):
        self.rows = []
        self.consumer = Consumer({"bootstrap.servers": brokers.address, "group.id": "unused",
                                  "enable.auto.commit": False, "check.crcs": True})
        self.consumer.assign([TopicPartition(topic, i, 0) for i in range(partitions)])

    def read(self):
        """All that was read so far."""
        for record in self.consumer.consume(1000, 0.1):
            assert not record.error(), record.error()
            self.rows.append(confluent_row(record))
        return self.rows

    def close(self):
        self.consumer.close()


class ProgramReader:
    def __init__(self, rows_of, *command):
        self.rows_of, self.program = rows_of, Program(*command)

    def read(self):
        """All that was read so far."""
        return self.rows_of(self.program.printed)

    def close(self):
        self.program.__exit__()


def aq_reader(brokers, topic, *words):
    return ProgramReader(lambda printed: list(map(aq_row, printed.split(b"\n")[:-1])), *aq_command(
        brokers, "consume", topic, "-o", "start", "--output", "json", *words))


def kcat_reader(brokers, topic):
    return ProgramReader(kcat_rows, "kcat", "-C", "-b", brokers.address, "-t", topic, "-o",
                         "beginning", "-q", "-u", "-X", "check.crcs=true", "-f", KCAT_PATTERN)
