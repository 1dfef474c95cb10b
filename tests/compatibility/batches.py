"""What is stored of a partition: the headers of its record batches."""

import struct

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def batches(wire, topic):
    """(codec, producer id, records) of each batch of partition 0; `wire` is a connection."""
    rows, offset = [], 0
    while True:
        _, _, error, high, data = wire.fetch(topic, offset)
        assert error == 0, error
        if offset >= high:
            return rows
        at = 0
        while at + 61 <= len(data):
            size = 12 + struct.unpack_from(">i", data, at + 8)[0]
            if at + size > len(data):
                break
            attributes, last = struct.unpack_from(">hi", data, at + 21)
            producer, = struct.unpack_from(">q", data, at + 43)
            count, = struct.unpack_from(">i", data, at + 57)
            rows.append((CODECS[attributes & 7], producer, count))
            offset = struct.unpack_from(">q", data, at)[0] + last + 1
            at += size
