"""A node whose disk others fill: alive, serving what it has, going on when there is room."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from support import BrokerTest, Node

MIB = 1 << 20
PATIENCE = 60


class SmallDisk:
    """A disk of memory in a mount namespace of its own, which lives as long as this does."""

    MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo mounted && exec cat'

    def __init__(self, size):
        self.directory = tempfile.mkdtemp(prefix="aq-disk-")
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", self.MOUNT, "sh", size,
             self.directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not self.holder.stdout.readline():
            self.close()
            raise unittest.SkipTest("a node on a full disk is not tested: this system lets nobody "
                                    "mount one of his own")

    @property
    def inside(self):
        """What runs a command where the disk is seen."""
        return ["nsenter", f"--target={self.holder.pid}", "--user", "--mount",
                "--preserve-credentials"]

    @property
    def seen_from_here(self):
        return pathlib.Path(f"/proc/{self.holder.pid}/root{self.directory}")

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
        os.rmdir(self.directory)

    def fill(self):
        """All that is free, taken by somebody else."""
        with open(self.seen_from_here / "others", "ab", buffering=0) as file:
            for size in (MIB, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def make_room(self, left=None):
        """Of what others took: all, or so much."""
        others = self.seen_from_here / "others"
        if left is None:
            others.unlink()
        else:
            os.truncate(others, os.path.getsize(others) - left)


class FullDisk(BrokerTest):
    def start(self, reserve):
        disk = SmallDisk("96m")
        self.addCleanup(disk.close)
        self.node = Node(f"storage.reserve-bytes={reserve}", data=disk.directory + "/data",
                         launcher=disk.inside)
        self.addCleanup(self.node.close)
        return disk

    @property
    def brokers(self):
        return self.node

    def produce(self, code=0):
        """A few MiB of lines that nobody sent before."""
        lines = [f"{self.next + i} {'x' * 1000}\n" for i in range(4000)]
        ended = self.aq("produce", "log", "--timeout", "5s", input="".join(lines), code=None)
        if ended.code == 0:
            self.next += len(lines)
        if code is not None:
            self.assertEqual(ended.code, code, ended)
        return ended

    def consumed(self):
        """The numbers of all lines that are there."""
        text = self.aq("consume", "log", "-o", "start", "-e").text
        return [int(line.split()[0]) for line in text.splitlines()]

    def check_kept(self):
        """What was acknowledged is there, in order; of what was refused before, a part may be."""
        numbers = self.consumed()
        acknowledged = [n for n in numbers if n < self.next]
        self.assertEqual(list(dict.fromkeys(acknowledged)), list(range(self.next)))

    def check_full_and_back(self, reserve):
        disk = self.start(reserve)
        self.next = 0
        self.aq("topic", "create", "log", "-p", 1)
        for name in ("one", "other", "last"):
            self.aq("topic", "create", name, "-p", 1)
        self.produce()
        disk.fill()
        # Some find room in what was taken before, one may wait for room in the log.
        deadline = time.monotonic() + PATIENCE
        while b"STORAGE_FULL" not in self.produce(code=None).err:
            self.assertLess(time.monotonic(), deadline, self.node.errors())
        self.assertIsNone(self.node.process.poll(), self.node.errors())
        self.check_kept()
        self.aq("topic", "delete", "one", "--yes")
        self.aq("topic", "delete", "other", "--yes")

        # Room for a start, but not for RocksDB's next log. The node would take it for itself.
        self.node.kill()
        disk.make_room(left=4 * MIB)
        self.node.start()
        self.check_kept()
        self.aq("topic", "delete", "last", "--yes")

        disk.make_room()
        deadline = time.monotonic() + PATIENCE
        while self.produce(code=None).code != 0:
            self.assertLess(time.monotonic(), deadline, self.node.errors())
        self.check_kept()
        self.node.kill()
        self.node.start()
        self.check_kept()
        self.assertEqual(self.node.stop(), 0)

    def test_with_a_reserve(self):
        self.check_full_and_back("8MiB")

    def test_without_a_reserve(self):
        self.check_full_and_back("0B")
