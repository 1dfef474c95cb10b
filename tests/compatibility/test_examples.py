"""The programs for Kafka's clients that apps/examples/kafka shows, as it says how to run them."""

import pathlib
import sys
import unittest

from clients import Kafkajs
from support import NodeTest, run

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "apps" / "examples" / "kafka"


class Examples(NodeTest):
    def check(self, client, *command):
        """Nobody created the topic, and what the client wrote is there for others too."""
        topic = f"from-{client}"
        said = f"hello from {client}\n"
        ended = run([*command, self.node.address, topic], env=Kafkajs.environment())
        self.assertEqual((ended.code, ended.text), (0, said), ended)
        self.assertEqual(self.aq("consume", topic, "-e", "-o", "start", "-f", "%v\n").text, said)

    def test_kcat(self):
        self.check("kcat", "sh", EXAMPLES / "kcat.sh")

    def test_kafka_python(self):
        self.check("kafka-python", sys.executable, "-B", EXAMPLES / "kafka_python.py")

    def test_kafkajs(self):
        Kafkajs.require()
        self.check("kafkajs", "node", EXAMPLES / "kafkajs.js")

    def test_nothing_is_shown_that_is_not_run(self):
        self.assertEqual(sorted(path.name for path in EXAMPLES.iterdir()),
                         ["kafka_python.py", "kafkajs.js", "kcat.sh"])


if __name__ == "__main__":
    unittest.main()
