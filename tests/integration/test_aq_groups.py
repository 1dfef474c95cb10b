"""The verbs of aq about consumer groups, against a real node."""

import signal
import subprocess
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
