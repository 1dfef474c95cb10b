"""aqueduct-bench, for a moment: what it reports is all there. How fast it was is not looked at."""

import os
import tempfile
import unittest

from support import BIN, run

# Those that take little more than their rounds, and the units of their rows.
CASES = {
    "produce-small": ["acks/s"],
    "produce-single": ["us", "us"],
    "end-to-end": ["ms", "ms"],
}
QUANTILES = ["p50_ns", "p90_ns", "p99_ns", "p99.9_ns", "p99.99_ns", "max_ns"]


class Bench(unittest.TestCase):
    def bench(self, *words, code=0):
        with tempfile.TemporaryDirectory() as folder:
            ended = run([BIN / "aqueduct-bench", "--seconds", "0.1", "--rounds", "1", "--data",
                         folder, *words])
            self.assertEqual(os.listdir(folder), [])
        self.assertEqual(ended.code, code, ended)
        return ended

    def check_figures(self, row):
        self.assertGreater(row["floor"], 0, row)
        self.assertGreater(row["node"], 0, row)
        self.assertAlmostEqual(row["ratio"], row["node"] / row["floor"], msg=row)
        self.assertEqual(row["met"] is None, row["target"] == "", row)

    def check_latency(self, row):
        self.assertGreater(row["count"], 0, row)
        times = [row[quantile] for quantile in QUANTILES]
        self.assertGreater(times[0], 0, row)
        self.assertEqual(times, sorted(times), row)

    def test_each_case_has_a_floor_a_node_their_ratio_and_latencies(self):
        ended = self.bench("--json", *CASES)
        rows, latencies = ended.json["rows"], ended.json["latencies"]
        for case, units in CASES.items():
            with self.subTest(case):
                self.assertIn(f"{case}: ".encode(), ended.err)
                of_case = [row for row in rows if row["case"].split()[0] == case]
                self.assertEqual([row["unit"] for row in of_case], units)
                for row in of_case:
                    self.check_figures(row)
                of_case = [row for row in latencies if row["name"].split()[0] == case]
                self.assertEqual({row["name"].split()[1] for row in of_case}, {"floor", "node"})
                for row in of_case:
                    self.check_latency(row)
        self.assertEqual({row["case"].split()[0] for row in rows}, set(CASES))

    def test_tables_say_the_same(self):
        lines = self.bench("produce-single").text.splitlines()
        self.assertEqual(lines[0].split()[:5], ["case", "unit", "floor", "Aqueduct", "ratio"])
        self.assertRegex(lines[1], r"^produce-single p50 +us( +\d+(\.\d+)?){3}")
        self.assertTrue(any(line.startswith("latency in ms ") for line in lines), lines)
        self.assertRegex(lines[-1], r"^produce-single node( +\d+(\.\d+)?){7}$")

    def test_a_case_that_is_none_is_said(self):
        ended = self.bench("nonsense", code=64)
        self.assertIn(b"there is no case 'nonsense'", ended.err)
        self.assertIn(b"produce-single", ended.err)


if __name__ == "__main__":
    unittest.main()
