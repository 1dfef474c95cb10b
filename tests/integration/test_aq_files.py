"""aq produce with files: lines of all lengths come back, byte by byte, at the offsets that follow
from their order."""

import itertools
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

from support import NodeTest, aq_command, clean_environment

BLOCK = 64 << 10


class Files(NodeTest):
    def round_trip(self, *files):
        """Sends files of these lines, the last line of each without an end, and reads them back."""
        topic = self.topic()
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder, f"{number}") for number in range(len(files))]
            for path, lines in zip(paths, files):
                path.write_bytes(b"\n".join(lines))
            sent = self.aq("produce", topic, *paths, "--output", "json").json
        lines = list(itertools.chain(*files))
        self.assertEqual(sent["records"], len(lines))
        shown = self.aq("consume", topic, "-o", "start", "-e", "-f", "%o %v\\n").out
        rows = shown.split(b"\n")
        self.assertEqual(rows.pop(), b"")
        self.assertEqual(len(rows), len(lines))
        for offset, (row, line) in enumerate(zip(rows, lines)):
            self.assertEqual(row, b"%d %b" % (offset, line))

    def test_lines_of_two_files_come_back_in_order(self):
        self.round_trip([b"one", b"", b"x" * 1000, b" ", b"ends without an end"],
                        [b"", b"\ttwo\r", bytes(range(11, 256)), b"", b"y" * 300_000, b"z"])

    def test_lines_around_the_size_of_a_block(self):
        lengths = [n for size in (4096, BLOCK, 4 * BLOCK) for n in range(size - 2, size + 3)]
        lines = [bytes([97 + n % 26]) * n for n in lengths]
        self.round_trip(lines, list(reversed(lines)))

    def test_many_lines_of_random_lengths(self):
        rng = random.Random(9)

        def line():
            length = int(rng.paretovariate(0.7)) % 20_000
            return rng.randbytes(length).replace(b"\n", b"")
        self.round_trip(*([line() for _ in range(10_000)] + [b"last"] for _ in range(3)))


@unittest.skipUnless(os.environ.get("AQUEDUCT_SLOW_TESTS"),
                     "aq with 10,000,000 records is not tested: ./dev soak does it")
class Volume(NodeTest):
    FILES = 3
    # Lengths that many records have, and some that few have.
    PADS = [b"." * length for length in [*range(0, 180, 3)] * 50 + [1000, 4096, 20_000]]

    def line(self, number):
        """Every hundredth is empty."""
        return b"%d %b" % (number, self.PADS[number % len(self.PADS)]) if number % 100 else b""

    def write(self, path, numbers):
        """The lines of these numbers, the last one without an end."""
        with path.open("wb") as file:
            last = numbers.stop - 1
            for start in range(numbers.start, last, 100_000):
                file.write(b"".join(self.line(i) + b"\n"
                                    for i in range(start, min(start + 100_000, last))))
            file.write(self.line(last) or b"\n")

    def check(self, path, count):
        with path.open("rb") as file:
            number = -1
            for number, row in enumerate(file):
                if row != b"%d %b\n" % (number, self.line(number)):
                    self.fail(f"of record {number} came back {row[:200]!r}")
        self.assertEqual(number + 1, count)

    def test_ten_million_records_round_trip(self):
        count = int(os.environ.get("AQUEDUCT_SLOW_RECORDS", 10_000_000))
        bounds = [count * i // self.FILES for i in range(self.FILES + 1)]
        with tempfile.TemporaryDirectory() as folder:
            sources = [pathlib.Path(folder, f"in-{i}") for i in range(self.FILES)]
            for source, begin, end in zip(sources, bounds, bounds[1:]):
                if begin < end:
                    self.write(source, range(begin, end))
                else:
                    source.touch()
            target = pathlib.Path(folder, "out")
            self.aq("topic", "create", "volume")
            sent = self.aq("produce", "volume", *sources, seconds=1800)
            print("\n" + sent.err.decode().strip())
            command = aq_command(self.node, "-v", "consume", "volume", "-o", "start", "-e", "-f",
                                 "%o %v\\n")
            with target.open("wb") as file:
                ended = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, timeout=1800,
                                       env=clean_environment())
            print(ended.stderr.decode().strip())
            self.assertEqual(ended.returncode, 0)
            self.check(target, count)


if __name__ == "__main__":
    unittest.main()
