"""aq top and aq doctor: verbs that look at a cluster as a whole."""

import os
import pty
import select
import signal
import subprocess
import unittest

from support import Node, NodeTest, aq_command, clean_environment, run

NOBODY = "127.0.0.1:1"


class Top(NodeTest):
    def test_one_sample_has_topics_partitions_and_groups(self):
        topic = self.topic(2)
        self.aq("produce", topic, "-p", 1, input="a\nb\nc\n")
        self.aq("group", "seek", "watched", "--topic", topic, "--to", "start")
        shown = self.aq("top", "-i", "100ms", "--output", "json").json
        (row,) = [row for row in shown["topics"] if row["topic"] == topic]
        self.assertEqual((row["partitions"], row["leaderless"], row["end"]), (2, 0, 3))
        self.assertEqual(row["records_per_second"], 0)
        (group,) = [row for row in shown["groups"] if row["topic"] == topic]
        self.assertEqual((group["group"], group["state"], group["members"], group["lag"]),
                         ("watched", "Empty", 0, 3))
        self.assertEqual(group["records_per_second"], 0)
        shown = self.aq("top", "-p", "-i", "100ms", "--output", "json").json
        self.assertEqual([(row["partition"], row["end"]) for row in shown["partitions"]
                          if row["topic"] == topic], [(0, 0), (1, 3)])
        self.assertIn("RECORDS/S", self.aq("top", "-i", "100ms").text)

    def watch(self, node, *steps):
        """What a terminal is sent. A step is what has to be seen, how often, and what is done then;
        after the last one aq is interrupted."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(aq_command(node, "--timeout", "500ms", "top", "-i", "100ms"),
                                   stdout=follower, env=clean_environment() | {"TERM": "xterm"})
        os.close(follower)
        left = list(steps)
        shown = b""
        try:
            while select.select([leader], [], [], 30)[0]:
                shown += os.read(leader, 4096)
                while left and shown.count(left[0][0]) >= left[0][1]:
                    left.pop(0)[2]()
                    if not left:
                        process.send_signal(signal.SIGINT)
        except OSError:
            pass  # the other end was closed
        os.close(leader)
        self.assertEqual((process.wait(30), left), (0, []), shown)
        return shown

    def test_a_terminal_is_drawn_again_until_it_is_interrupted(self):
        shown = self.watch(self.node, (b"RECORDS/S", 2, lambda: None))
        self.assertTrue(shown.startswith(b"\x1b[?1049h"), shown)
        self.assertTrue(shown.endswith(b"\x1b[?1049l"), shown)

    def test_a_node_that_is_gone_is_looked_for_again(self):
        node = Node()
        self.addCleanup(node.close)
        self.watch(node, (b"RECORDS/S", 1, node.kill), (b"trying again", 2, lambda: None))

    def test_what_is_wrong_is_said(self):
        self.assertIn(b"100ms", self.aq("top", "-i", "1ms", code=64).err)
        self.aq("top", "-i", "100ms", "--columns", "nothing", code=64)


class Doctor(unittest.TestCase):
    def addresses(self, node):
        """The rows about brokers' addresses, and how the doctor ended."""
        ended = run([*aq_command(node, "doctor", "--no-disk-probe"), "--output", "json"])
        rows = [row for row in ended.json["checks"] if row["check"].startswith("broker ")]
        return rows, ended.code

    def test_clients_are_told_where_the_node_is(self):
        node = Node()
        self.addCleanup(node.close)
        rows, _ = self.addresses(node)
        self.assertEqual([(row["current"], row["severity"]) for row in rows],
                         [(node.address, "ok")])

    def test_clients_are_told_a_wrong_address(self):
        other = Node()
        self.addCleanup(other.close)
        for wrong, problem in ((NOBODY, "Connection refused"),
                               (other.address, "of another cluster answers")):
            node = Node(f"advertise={wrong}")
            self.addCleanup(node.close)
            rows, code = self.addresses(node)
            self.assertEqual(code, 1)
            (row,) = rows
            self.assertEqual(row["severity"], "critical")
            self.assertTrue(row["current"].startswith(f"{wrong}: "), row)
            self.assertIn(problem, row["current"])
            self.assertIn("set `advertise` of broker", row["fix"])
            self.assertIn(node.address, row["fix"])
