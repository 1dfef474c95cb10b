"""Nodes that look to clients of Kafka like older brokers. Standard library only."""

import struct
import threading

import wire
from cluster import Cluster, Member, Ports
from relay import Relay
from support import Node

# The highest version of each request that the older broker has: what clients of all kinds get by
# with. It has no other requests.
FLOOR = {
    wire.PRODUCE: 7, wire.FETCH: 11, wire.LIST_OFFSETS: 7, wire.METADATA: 8,
    8: 7, 9: 7, wire.FIND_COORDINATOR: 3,  # OffsetCommit, OffsetFetch
    11: 5, 12: 3, 13: 3, 14: 3,            # JoinGroup, Heartbeat, LeaveGroup, SyncGroup
    15: 4, 16: 4, wire.API_VERSIONS: 3,    # DescribeGroups, ListGroups
    19: 4, 20: 4, 21: 1,                   # CreateTopics, DeleteTopics, DeleteRecords
    wire.INIT_PRODUCER_ID: 4, wire.OFFSET_FOR_LEADER_EPOCH: 3,
    32: 2, 33: 1, 35: 1,                   # {Describe,Alter}Configs, DescribeLogDirs
    37: 1, 42: 1, 43: 2,                   # CreatePartitions, DeleteGroups, ElectLeaders
    44: 1,                                 # IncrementalAlterConfigs
    45: 0, 46: 0, 47: 0,                   # {Alter,List}PartitionReassignments, OffsetDelete
    48: 0, 49: 0,                          # {Describe,Alter}ClientQuotas
    60: 0, wire.DESCRIBE_PRODUCERS: 0,     # DescribeCluster
}
FLEXIBLE_API_VERSIONS = 3
UNSUPPORTED_VERSION = 35
# One that no broker has.
NO_VERSION = 0x7fff
NATIVE = b"AQDT"


def capped(version, answer):
    """An answer to ApiVersions without what is above the floor."""
    read = wire.Reader(answer)
    error = read.take("h")
    flexible = version >= FLEXIBLE_API_VERSIONS and error != UNSUPPORTED_VERSION
    rows = []
    for _ in range(read.take("B") - 1 if flexible else read.take("i")):
        key, low, high = read.take("hhh")
        assert not flexible or read.take("B") == 0
        if key in FLOOR:
            rows.append(struct.pack(">hhh", key, low, min(high, FLOOR[key])))
    count = struct.pack(">B", len(rows) + 1) if flexible else struct.pack(">i", len(rows))
    end = b"\0" if flexible else b""
    return (struct.pack(">h", error) + count + b"".join(row + end for row in rows) +
            read.bytes(read.left))


class Frames:
    """The whole frames of one way of a connection, without their sizes."""

    def __init__(self):
        self.held = b""

    def cut(self, data):
        self.held += data
        frames = []
        while len(self.held) >= 4:
            end = 4 + struct.unpack_from(">I", self.held)[0]
            if len(self.held) < end:
                break
            frames.append(self.held[4:end])
            self.held = self.held[end:]
        return frames


class Conversation:
    """One connection to the older broker."""

    def __init__(self, relay):
        self.relay = relay
        self.requests, self.answers = Frames(), Frames()
        self.is_native = None
        self.asked = {}  # version by correlation id, of ApiVersions

    def there(self, data):
        if self.is_native is None:
            self.is_native = data[:4] == NATIVE[:len(data)]
        if self.is_native:
            return data
        return b"".join(map(self.request, self.requests.cut(data)))

    def request(self, frame):
        key, version, number = struct.unpack_from(">hhi", frame)
        self.relay.note(key, version)
        if key == wire.API_VERSIONS:
            if version > FLOOR[key]:
                version = NO_VERSION
            self.asked[number] = version
            frame = struct.pack(">hh", key, version) + frame[4:]
        elif version > FLOOR.get(key, -1):
            raise ConnectionError("an older broker ends the connection")
        return struct.pack(">I", len(frame)) + frame

    def back(self, data):
        if self.is_native:
            return data
        return b"".join(map(self.answer, self.answers.cut(data)))

    def answer(self, frame):
        version = self.asked.pop(struct.unpack_from(">i", frame)[0], None)
        if version is not None:
            frame = frame[:4] + capped(version, frame[4:])
        return struct.pack(">I", len(frame)) + frame


class OlderBroker(Relay):
    """Offers what the node behind it has up to FLOOR, and takes no more."""

    def __init__(self, port):
        self.seen = {}  # the highest version by request
        self.seen_lock = threading.Lock()
        super().__init__(port)

    def note(self, key, version):
        with self.seen_lock:
            self.seen[key] = max(version, self.seen.get(key, -1))

    def conversation(self):
        one = Conversation(self)
        return one.there, one.back


class Older:
    """A node that clients reach as an older broker; of one class that starts it."""

    def __init__(self, *settings):
        self.relay = OlderBroker(Ports.next())
        super().__init__(*settings, f"advertise={self.relay.address}")

    def begin(self, listen):
        # Clients find it where they did, wherever it listens.
        super().begin("127.0.0.1:0" if listen == self.relay.address else listen)

    def wait_ready(self):
        super().wait_ready()
        self.relay.to, self.address = self.address, self.relay.address
        if not self.relay.listener:
            self.relay.listen(self.relay.port)

    def kill(self):
        # franz-go gives up when somebody takes its connection and ends it at once.
        self.relay.refuse()
        super().kill()

    def close(self):
        super().close()
        self.relay.close()


class OlderNode(Older, Node):
    pass


class OlderMember(Older, Member):
    pass


class OlderCluster(Cluster):
    MEMBER = OlderMember


def tried_above_the_floor(*nodes):
    """{request: version} that no client was offered; asking for versions is no attempt."""
    return {key: version for node in nodes for key, version in node.relay.seen.items()
            if version > FLOOR.get(key, -1) and key != wire.API_VERSIONS}
