"""The verbs of aq about consumer groups, against a real node."""

import datetime
import signal
import subprocess
import time
import unittest

from support import BIN, NodeTest, aq_command, clean_environment, run


class GroupVerbs(NodeTest):
    def write(self, topic, first, last):
        self.aq("produce", topic, input="".join(f"v{i}\n" for i in range(first, last)))

    def offset(self, group):
        return self.aq("group", "lag", group, "--output", "json").json["partitions"][0]

    def test_a_group_goes_on_where_it_was(self):
        topic = self.topic()
        self.write(topic, 0, 10)
        self.assertEqual(self.aq("consume", topic, "-g", "goes-on", "-n", 4).text,
                         "v0\nv1\nv2\nv3\n")
        row = self.offset("goes-on")
        self.assertEqual((row["offset"], row["end"], row["lag"]), (4, 10, 6))
        self.assertGreater(row["lag_ms"], 0)
        self.assertEqual(self.aq("consume", topic, "-g", "goes-on", "-e").text,
                         "v4\nv5\nv6\nv7\nv8\nv9\n")
        row = self.offset("goes-on")
        self.assertEqual((row["offset"], row["lag"], row["lag_ms"]), (10, 0, 0))
        self.assertIn("goes-on", self.aq("group", "list", "--output", "name").text.split())
        described = self.aq("group", "describe", "goes-on", "--output", "json").json
        self.assertEqual((described["state"], described["lag"]), ("Empty", 0))
        self.assertEqual(described["members"], [])

    def test_offsets_are_moved_kept_and_forgotten(self):
        topic = self.topic(2)
        self.aq("produce", topic, "-p", 0, input=b"a\nb\nc\n")
        plan = self.aq("group", "seek", "moved", "--topic", topic, "--to", "end", "--dry-run",
                       "--output", "json").json["offsets"]
        self.assertEqual([(row["from"], row["to"]) for row in plan], [(None, 3), (None, 0)])
        self.aq("group", "describe", "moved", code=66)
        self.aq("group", "seek", "moved", "--topic", topic, "--to", "end")
        self.aq("group", "seek", "moved", "--shift", -2)
        self.assertEqual(self.offset("moved")["offset"], 1)

        kept = self.aq("group", "export", "moved").text
        self.assertEqual(kept, f"{topic}\t0\t1\n{topic}\t1\t0\n")
        self.aq("group", "import", "copied", input=kept)
        self.assertEqual(self.aq("group", "export", "copied").text, kept)
        wrong = self.aq("group", "import", "copied", input=b"what is this?\n", code=65)
        self.assertIn(b"line 1", wrong.err)
        self.assertEqual(self.aq("consume", topic, "-g", "copied", "-n", 2).text, "b\nc\n")

        self.aq("group", "delete", "moved", code=64)
        self.aq("group", "delete", "moved", "--dry-run")
        self.aq("group", "delete", "moved", "--yes")
        self.aq("group", "delete", "moved", "--yes", code=66)
        self.assertNotIn("moved", self.aq("group", "list", "--output", "name").text.split())

    def test_a_group_with_members_keeps_its_offsets(self):
        topic = self.topic()
        self.write(topic, 0, 1)
        command = aq_command(self.node, "consume", topic, "-g", "busy")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=clean_environment()) as member:
            self.assertEqual(member.stdout.readline(), b"v0\n")
            refused = self.aq("group", "seek", "busy", "--to", "start", code=73)
            self.assertIn(b"with 1 members", refused.err)
            self.aq("group", "delete", "busy", "--yes", code=73)
            rows = self.aq("group", "members", "busy", "--output", "json").json["members"]
            self.assertEqual((rows[0]["partitions"], rows[0]["topics"]), (1, [topic]))
            self.aq("group", "members", "busy", "--remove", "nobody", code=66)
            member.send_signal(signal.SIGINT)
            member.stdout.read()
        self.assertEqual(member.returncode, 130)
        self.assertEqual(self.aq("group", "members", "busy", "--output", "json").json["members"],
                         [])

    def test_groups_complete(self):
        topic = self.topic()
        self.write(topic, 0, 1)
        self.aq("consume", topic, "-g", "tabbed", "-o", "start", "-n", 1)
        shown = run([BIN / "aq", "__complete", "--", "-b", self.node.address, "group", "describe",
                     "tab"])
        self.assertEqual(shown.text.split(), ["tabbed"])

    def test_what_a_group_decides_is_not_told_it(self):
        topic = self.topic()
        self.aq("consume", topic, "-g", "g", "-o", 5, code=64)
        self.aq("consume", topic, "-g", "g", "-p", 0, code=64)
        self.aq("group", "seek", "g", code=64)
        self.aq("group", "describe", "nobody", code=66)


class Seek(NodeTest):
    """Every way to move the offsets of a group, over two partitions of known times."""

    ENDS = (10, 4)
    STARTS = (2, 0)
    FROM = (5, 2)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # An hour ago, a second between records, those of partition 1 half a second later.
        cls.begin_ms = int(time.time() - 3600) * 1000

    def time_of(self, partition, offset):
        return self.begin_ms + 1000 * offset + 500 * partition

    def at(self, seconds):
        return f"@{self.begin_ms + int(seconds * 1000)}"

    def fill(self):
        topic = self.topic(2)
        for partition, end in enumerate(self.ENDS):
            self.aq("produce", topic, "-p", partition, "-f", "%d %v\\n", input="".join(
                f"{self.time_of(partition, i)} {i}\n" for i in range(end)))
        self.aq("topic", "trim", topic, "-p", 0, "--before", self.STARTS[0], "--yes")
        return topic

    def ways(self):
        """{how it is told: the offsets of the partitions then}"""
        utc = datetime.datetime.fromtimestamp(self.begin_ms / 1000 + 3, datetime.timezone.utc)
        return {
            ("--to", "start"): self.STARTS,
            ("--to", "end"): self.ENDS,
            ("--to", "3"): (3, 3),
            ("--to", "+1"): (3, 1),
            ("--to", "-3"): (7, 1),
            ("--to", self.at(-60)): self.STARTS,
            ("--to", self.at(3)): (3, 3),
            ("--to", self.at(2.25)): (3, 2),
            ("--to", self.at(2.501)): (3, 3),
            ("--to", self.at(60)): self.ENDS,
            ("--to", "@-2h"): self.STARTS,
            ("--to", utc.strftime("@%Y-%m-%dT%H:%M:%S")): (3, 3),
            ("--shift", "2"): (7, 4),
            ("--shift", "-2"): (3, 0),
            ("--shift", "100"): self.ENDS,
            ("--shift", "-100"): self.STARTS,
            ("--shift", "0"): self.FROM,
            ("--to", "start", "-p", "1"): (None, 0),
            ("--shift", "1", "-p", "0"): (6, None),
        }

    def exported(self, topic, offsets):
        return "".join(f"{topic}\t{partition}\t{offset}\n"
                       for partition, offset in enumerate(offsets))

    def check_lag(self, offsets):
        """In records and in time: the age of the first record that is left."""
        before = time.time() * 1000
        rows = self.aq("group", "lag", "g", "--output", "json").json["partitions"]
        after = time.time() * 1000
        for partition, row in enumerate(rows):
            left = self.ENDS[partition] - offsets[partition]
            self.assertEqual((row["partition"], row["offset"], row["end"], row["lag"]),
                             (partition, offsets[partition], self.ENDS[partition], left))
            if left == 0:
                self.assertEqual(row["lag_ms"], 0)
            else:
                sent = self.time_of(partition, offsets[partition])
                self.assertTrue(before - sent - 1 <= row["lag_ms"] <= after - sent + 1, row)
        described = self.aq("group", "describe", "g", "--output", "json").json
        self.assertEqual(described["lag"], sum(row["lag"] for row in rows))
        oldest = max(row["lag_ms"] for row in rows)
        self.assertLessEqual(oldest, described["lag_ms"])
        self.assertEqual(described["lag_ms"] > 0, oldest > 0)

    def test_every_way_is_shown_first_and_then_gone(self):
        topic = self.fill()
        start = self.exported(topic, self.FROM)
        for way, wanted in self.ways().items():
            with self.subTest(way):
                self.aq("group", "import", "g", input=start)
                plan = [{"topic": topic, "partition": partition, "from": self.FROM[partition],
                         "to": offset}
                        for partition, offset in enumerate(wanted) if offset is not None]
                seek = ("group", "seek", "g", *way, "--output", "json")
                self.assertEqual(self.aq(*seek, "--dry-run").json["offsets"], plan)
                self.assertEqual(self.aq("group", "export", "g").text, start)

                self.assertEqual(self.aq(*seek).json["offsets"], plan)
                offsets = [old if new is None else new for old, new in zip(self.FROM, wanted)]
                self.assertEqual(self.aq("group", "export", "g").text,
                                 self.exported(topic, offsets))
                self.check_lag(offsets)
                read = self.aq("consume", topic, "-g", "g", "-e", "-f", "%p %o\\n").text
                self.assertEqual(sorted(read.splitlines()),
                                 sorted(f"{partition} {offset}" for partition in range(2)
                                        for offset in range(offsets[partition],
                                                            self.ENDS[partition])))

    def test_nothing_moves_when_the_place_is_wrong(self):
        topic = self.fill()
        start = self.exported(topic, self.FROM)
        self.aq("group", "import", "stays", input=start)
        for code, *way in ((64,), (64, "--to", "start", "--shift", 1), (64, "--to", "somewhere"),
                           (66, "--to", "start", "-p", 7), (64, "--shift", "x"),
                           (66, "--to", "start", "--topic", "nowhere")):
            with self.subTest(way):
                self.aq("group", "seek", "stays", *way, code=code)
                self.assertEqual(self.aq("group", "export", "stays").text, start)


class Examples(NodeTest):
    def example(self, name, *words):
        ended = run([BIN / f"example-groups-{name}", self.node.address, *words])
        self.assertEqual(ended.code, 0, ended)
        return ended.text

    def test_a_group_reads_and_commits(self):
        self.aq("produce", "greetings", input=b"a\nb\nc\n")
        self.assertIn("greetings/0 @ 1  b", self.example("simple", "billing", "greetings", 2))
        self.assertEqual(self.example("simple", "billing", "greetings", 1),
                         "greetings/0 @ 2  c\n")

    def test_half_of_the_partitions_change_hands(self):
        shown = self.example("rebalance", "shipping", "parcels")
        given_up = [line for line in shown.splitlines() if line.startswith("first gives up")]
        self.assertEqual(len(given_up[0].split()), 3 + 4)

    def test_a_journal_tells_all_that_happens(self):
        self.aq("produce", "audited", input=b"a\nb\n")
        for mode in ("polls", "auto", "handlers"):
            command = [BIN / "example-groups-journal", self.node.address, mode, "audited", mode]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                  env=clean_environment()) as member:
                lines = [member.stdout.readline().strip() for _ in range(3)]
                self.assertEqual(lines, ["assigned 1 0", "read 0 0 a", "read 0 1 b"])
                member.send_signal(signal.SIGTERM)
                rest = member.stdout.read().splitlines()
            self.assertEqual((member.returncode, rest[-2:]), (0, ["revoked 0", "left"]))
            self.assertEqual("committed 1 0:2" in rest, mode == "polls")
            self.assertEqual(self.aq("group", "lag", mode, "--output", "json")
                             .json["partitions"][0]["offset"], 2)

    def test_user_data_is_shown(self):
        self.assertEqual(self.example("user_data", "tellers", "accounts"),
                         "2 partitions: answers at 10.0.0.7:8080\n")

    def test_a_static_member_keeps_its_generation(self):
        lives = self.example("static_members", "drivers", "rides").splitlines()
        self.assertEqual([line.split(": ")[1] for line in lives],
                         ["2 partitions, generation 1"] * 2)


if __name__ == "__main__":
    unittest.main()
