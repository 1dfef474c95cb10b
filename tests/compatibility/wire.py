"""Frames of the Kafka protocol, built by hand: what clients send, and what none would."""

import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA, FIND_COORDINATOR = 0, 1, 2, 3, 10
API_VERSIONS, INIT_PRODUCER_ID, OFFSET_FOR_LEADER_EPOCH, DESCRIBE_PRODUCERS = 18, 22, 23, 61
DESCRIBE_CLUSTER = 60
NO_COORDINATOR = 15
WAIT_SECONDS = 20

# Two records, made by another implementation: (k, v, header h=x) and (null, null) 5 ms later.
GOLDEN_BATCH = bytes.fromhex(
    "000000000000000000000045ffffffff02d7bd8f470000000000010000018bcfe568000000018bcfe56805"
    "ffffffffffffffffffffffffffff0000000218000000026b027602026802780c000a02010100")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_fields(batch, at, *fields):
    """The batch with fields, given as (format, value), written from `at` on, and a right CRC."""
    changed = bytearray(batch)
    for form, value in fields:
        struct.pack_into(">" + form, changed, at, value)
        at += struct.calcsize(">" + form)
    struct.pack_into(">I", changed, 17, crc32c(changed[21:]))
    return bytes(changed)


def stamped(batch, at_ms):
    """The batch with its first record at `at_ms`, and the second 5 ms later."""
    return with_fields(batch, 27, ("q", at_ms), ("q", at_ms + 5))


def new_batch():
    """The golden batch with records of now, which retention does not take away."""
    return stamped(GOLDEN_BATCH, int(1000 * time.time()))


def sequenced(producer, epoch, sequence):
    """A batch of an idempotent producer."""
    return with_fields(new_batch(), 43, ("q", producer), ("h", epoch), ("i", sequence))


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def produce(topic, *records, acks=-1, partition=0, version=7, timeout_ms=10000):
    """The body of PRODUCE version 3 to 8; each of `records` is a batch for the next partition."""
    rows = b"".join(struct.pack(">ii", partition + i, -1 if r is None else len(r)) + (r or b"")
                    for i, r in enumerate(records))
    return (struct.pack(">hhii", -1, acks, timeout_ms, 1) + text(topic) +
            struct.pack(">i", len(records)) + rows)


def fetch(topic, offset, wait_ms=0, session=(0, -1), epoch=-1, version=11, bytes_max=1 << 20,
          min_bytes=1, rack=""):
    """The body of FETCH version 9 to 11 for partition 0."""
    body = struct.pack(">iiiibii", -1, wait_ms, min_bytes, 1 << 25, 0, *session)
    body += struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iiiqqi", 1, 0, epoch, offset, -1, bytes_max) + struct.pack(">i", 0)
    return body + (text(rack) if version >= 11 else b"")


def session_fetch(topic, session, offsets=None, forget=(), wait_ms=0):
    """The body of FETCH version 11 in a session; `offsets` says from where to read partitions."""
    rows = b"".join(struct.pack(">iiqqi", partition, -1, offset, -1, 1 << 20)
                    for partition, offset in (offsets or {}).items())
    gone = struct.pack(f">{len(forget)}i", *forget)

    def under_topic(count, data):
        if count == 0:
            return struct.pack(">i", 0)
        return struct.pack(">i", 1) + text(topic) + struct.pack(">i", count) + data

    return (struct.pack(">iiiibii", -1, wait_ms, 1, 1 << 25, 0, *session) +
            under_topic(len(offsets or {}), rows) + under_topic(len(forget), gone) + text(""))


def list_offsets(topic, version, *timestamps, partition=0):
    """The body of LIST_OFFSETS version 4 to 10: each time is looked up in `partition`."""
    if version < 6:
        count, end, name = (lambda n: struct.pack(">i", n)), b"", text(topic)
    else:
        count, end = (lambda n: bytes([n + 1])), b"\0"
        name = count(len(topic)) + topic.encode()
    rows = b"".join(struct.pack(">iiq", partition, -1, at) + end for at in timestamps)
    wait = struct.pack(">i", 1000) if version >= 10 else b""
    return (struct.pack(">ib", -1, 0) + count(1) + name + count(len(timestamps)) + rows + end +
            wait + end)


def epoch_end(topic, version, *epochs, current=-1):
    """The body of OFFSET_FOR_LEADER_EPOCH version 2 or 3: the end of each epoch of partition 0."""
    rows = b"".join(struct.pack(">iii", 0, current, epoch) for epoch in epochs)
    return ((struct.pack(">i", -1) if version >= 3 else b"") + struct.pack(">i", 1) + text(topic) +
            struct.pack(">i", len(epochs)) + rows)


def find_coordinator(address, group):
    """(node, "HOST:PORT") of the coordinator of a group as the node at `address` knows it, or None
    while there is none."""
    with Connection(address) as client:
        found = client.call(FIND_COORDINATOR, 0, text(group))
    error, node = found.take("hi")
    # kafkajs gives up on any other.
    assert error in (0, NO_COORDINATOR), error
    return (node, f"{found.text()}:{found.take('i')}") if error == 0 else None


def compact(value):
    return bytes([len(value) + 1]) + value.encode()


def described_cluster(address):
    """{node: "HOST:PORT"} of a DescribeCluster 0."""
    with Connection(address) as client:
        answer = client.call(DESCRIBE_CLUSTER, 0, b"\0\0", flexible=True)
    assert answer.take("bih") == (0, 0, 0) and answer.compact() is None
    answer.compact(), answer.take("i")
    brokers = {}
    for _ in range(answer.take("b") - 1):
        node, host = answer.take("i"), answer.compact()
        brokers[node] = f"{host}:{answer.take('i')}"
        answer.compact(), answer.take("b")
    return brokers


def describe_producers(*topics):
    """The body of DESCRIBE_PRODUCERS version 0; each topic has a name and partitions."""
    body = bytes([len(topics) + 1])
    for name, partitions in topics:
        body += compact(name) + bytes([len(partitions) + 1])
        body += b"".join(struct.pack(">i", each) for each in partitions) + b"\0"
    return body + b"\0"


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def bytes(self, size):
        self.at += max(size, 0)
        return self.data[self.at - max(size, 0):self.at]

    def text(self):
        return self.bytes(self.take("h")).decode()

    def compact(self):
        """A string of the flexible versions that is shorter than 127 bytes; None for null."""
        size = self.take("B")
        assert size < 128
        return self.bytes(size - 1).decode() if size > 0 else None

    @property
    def left(self):
        return len(self.data) - self.at


class Connection:
    """One connection; requests are numbered from 1."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), WAIT_SECONDS)
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, key, version, body=b"", flexible=False):
        self.number += 1
        header = struct.pack(">hhi", key, version, self.number) + text("wire")
        frame = header + (b"\0" if flexible else b"") + body
        self.send_bytes(struct.pack(">i", len(frame)) + frame)
        return self.number

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the broker closed the connection")
            data += more
        return data

    def receive(self):
        """Correlation id and body of the next response."""
        size = struct.unpack(">i", self.read(4))[0]
        body = Reader(self.read(size))
        return body.take("i"), body

    def call(self, key, version, body=b"", flexible=False):
        number = self.send(key, version, body, flexible)
        answered, response = self.receive()
        assert answered == number, (answered, number)
        return response

    def is_closed(self):
        """Waits until the broker ends the connection; False if it sends something instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def produce(self, topic, *records, version=7, **options):
        """(error, base offset) of each partition."""
        body = produce(topic, *records, version=version, **options)
        response = self.call(PRODUCE, version, body)
        assert response.take("i") == 1 and response.text() == topic
        rows = []
        for _ in range(response.take("i")):
            index, error, base, _time, _start = response.take("ihqqq")
            if version >= 8:
                assert response.take("i") == 0
                response.bytes(response.take("h"))
            rows.append((error, base))
        assert response.take("i") == 0 and response.left == 0
        return rows

    def list_offsets(self, topic, version, *timestamps, partition=0):
        """(error, offset, timestamp) of each look-up."""
        flexible = version >= 6
        body = list_offsets(topic, version, *timestamps, partition=partition)
        response = self.call(LIST_OFFSETS, version, body, flexible)
        if flexible:
            response.take("b")
        _throttle, topics = response.take("ib" if flexible else "ii")
        assert topics == (2 if flexible else 1)
        name = response.bytes(response.take("b") - 1).decode() if flexible else response.text()
        assert name == topic
        rows = []
        for _ in range(response.take("b") - 1 if flexible else response.take("i")):
            index, error, at, offset, _epoch = response.take("ihqqi")
            assert index == partition and (not flexible or response.take("b") == 0)
            rows.append((error, offset, at))
        assert response.left == (2 if flexible else 0)
        return rows

    def epoch(self, topic, offset=0):
        """The leader's epoch in the batch that holds the record at `offset`."""
        return struct.unpack_from(">i", self.fetch(topic, offset)[4], 12)[0]

    def epoch_end(self, topic, *epochs, version=3, **options):
        """(error, epoch, end offset) of each epoch."""
        body = epoch_end(topic, version, *epochs, **options)
        response = self.call(OFFSET_FOR_LEADER_EPOCH, version, body)
        assert response.take("ii") == (0, 1) and response.text() == topic
        rows = []
        for _ in range(response.take("i")):
            error, partition, epoch, end = response.take("hiiq")
            assert partition == 0
            rows.append((error, epoch, end))
        assert response.left == 0
        return rows

    def leaders(self, topic, version=4):
        """(error, leader) of each partition, of a Metadata 4 to 6; nothing if it knows no such
        topic."""
        answer = self.call(METADATA, version, struct.pack(">i", 1) + text(topic) + b"\0")
        answer.take("i")
        for _ in range(answer.take("i")):
            answer.take("i")
            answer.text(), answer.take("i")
            answer.bytes(answer.take("h"))
        answer.bytes(answer.take("h"))
        answer.take("ii")
        answer.take("h"), answer.text(), answer.take("b")
        rows = []
        for _ in range(answer.take("i")):
            error, _, leader = answer.take("hii")
            for _ in range(2 if version < 5 else 3):
                answer.bytes(4 * answer.take("i"))
            rows.append((error, leader))
        return rows

    def preferred_replica(self, topic, rack):
        """The node that a consumer of the rack is sent to; -1: it stays."""
        response = self.call(FETCH, 11, fetch(topic, 0, rack=rack))
        assert response.take("ihii")[1] == 0 and response.text() == topic
        assert response.take("iihqqqi")[2] == 0
        return response.take("i")

    def describe_producers(self, *topics):
        """(topic, partition, error, producers) of each partition."""
        response = self.call(DESCRIBE_PRODUCERS, 0, describe_producers(*topics), flexible=True)
        assert response.take("bi") == (0, 0)
        rows = []
        for _ in range(response.take("b") - 1):
            name = response.compact()
            for _ in range(response.take("b") - 1):
                partition, error = response.take("ih")
                assert (response.compact() is None) == (error == 0)
                producers = []
                for _ in range(response.take("b") - 1):
                    producers.append(response.take("qiiqiq"))
                    assert response.take("b") == 0
                rows.append((name, partition, error, producers))
                assert response.take("b") == 0
            assert response.take("b") == 0
        assert response.take("b") == 0 and response.left == 0
        return rows

    def fetch(self, topic, offset, version=11, **options):
        """(top error, session, error, high watermark, records) of partition 0."""
        response = self.call(FETCH, version, fetch(topic, offset, version=version, **options))
        _throttle, top_error, session = response.take("ihi")
        if response.take("i") == 0:
            return top_error, session, None, None, b""
        assert response.text() == topic and response.take("i") == 1
        _index, error, high, stable, _start, aborted = response.take("ihqqqi")
        assert stable == high and aborted in (-1, 0)
        if version >= 11:
            assert response.take("i") == -1
        records = response.bytes(response.take("i"))
        assert response.left == 0
        return top_error, session, error, high, records

    def session_fetch(self, topic, session, *args, **options):
        """(error, session, {partition: (error, high watermark, records)}), in order."""
        response = self.call(FETCH, 11, session_fetch(topic, session, *args, **options))
        _throttle, top_error, session = response.take("ihi")
        rows = {}
        for _ in range(response.take("i")):
            assert response.text() == topic
            for _ in range(response.take("i")):
                index, error, high, _stable, _start, aborted = response.take("ihqqqi")
                assert aborted in (-1, 0) and response.take("i") == -1
                rows[index] = (error, high, response.bytes(response.take("i")))
        assert response.left == 0
        return top_error, session, rows
