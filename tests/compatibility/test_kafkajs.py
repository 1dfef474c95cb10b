"""kafkajs, where npm is there to bring it."""

import os
import pathlib
import shutil
import subprocess
import unittest

from support import NodeTest, run

VERSION = "2.2.4"
PACKAGES = pathlib.Path(__file__).resolve().parents[2] / "build" / "kafkajs"
CLIENT = pathlib.Path(__file__).with_name("kafkajs_client.js")
ADMIN = CLIENT.with_name("kafkajs_admin.js")
MEMBER = CLIENT.with_name("kafkajs_group.js")
INSTALL_SECONDS = 120


def reason_to_skip():
    """None when kafkajs is there."""
    if (PACKAGES / "node_modules" / "kafkajs").is_dir() and shutil.which("node"):
        return None
    if not shutil.which("node") or not shutil.which("npm"):
        return "kafkajs is not tested: there is no node, or no npm to bring it"
    PACKAGES.mkdir(parents=True, exist_ok=True)
    installed = subprocess.run(["npm", "install", "--silent", "--prefix", PACKAGES,
                                f"kafkajs@{VERSION}"], capture_output=True,
                               timeout=INSTALL_SECONDS)
    return None if installed.returncode == 0 else "kafkajs is not tested: npm cannot bring it"


class Kafkajs(NodeTest):
    @classmethod
    def setUpClass(cls):
        if why := reason_to_skip():
            print(why)
            raise unittest.SkipTest(why)
        super().setUpClass()

    def run_client(self, topic, client=CLIENT, *words):
        env = {**os.environ, "NODE_PATH": str(PACKAGES / "node_modules")}
        ended = run(["node", client, self.node.address, topic, *words], env=env)
        self.assertEqual(ended.code, 0, ended)
        return ended.json

    def test_a_cluster_is_described_and_a_batch_is_written(self):
        topic = self.topic()
        said = self.run_client(topic)
        host, port = self.node.address.split(":")
        self.assertEqual([(b["host"], b["port"]) for b in said["cluster"]["brokers"]],
                         [(host, int(port))])
        self.assertEqual(said["cluster"]["controller"], said["cluster"]["brokers"][0]["nodeId"])
        self.assertEqual([(row["errorCode"], row["baseOffset"]) for row in said["sent"]],
                         [(0, "0")])
        self.assertEqual(said["offsets"],
                         [{"partition": 0, "offset": "2", "high": "2", "low": "0"}])
        self.assertEqual(said["metadata"]["topics"][0]["partitions"][0]["partitionErrorCode"], 0)
        shown = self.aq("consume", topic, "-o", "start", "-n", "2", "-f", "%k=%v\n").text
        self.assertTrue(shown.startswith("a=1\nn="), shown)

    def test_a_topic_is_created_changed_and_deleted(self):
        said = self.run_client("administered", ADMIN)
        self.assertEqual((said["created"], said["again"]), (True, False))
        self.assertEqual(said["settings"], [["retention.ms", "3600000"]])
        self.assertEqual([(row["low"], row["high"]) for row in said["offsets"]],
                         [("2", "3"), ("0", "0"), ("0", "0")])
        self.assertFalse(said["left"])

    def test_a_group_reads_on_where_it_was(self):
        topic = self.topic(3)
        for first in (0, 50):
            values = [str(i) for i in range(first, first + 50)]
            self.aq("produce", topic, input="".join(f"{value}\n" for value in values))
            self.assertEqual(sorted(self.run_client(topic, MEMBER, "kafkajs", 50)), sorted(values))
