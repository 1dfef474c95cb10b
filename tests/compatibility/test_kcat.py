"""kcat, on Debian's librdkafka."""

import hashlib
import re
import unittest

from support import Node, NodeTest, run

THOUSAND = "".join(f"{i}\n" for i in range(1000)).encode()


def kcat(node, *words, input=b"", code=0):
    ended = run(["kcat", "-b", node.address, *words], input)
    if code is not None and ended.code != code:
        raise AssertionError(ended)
    return ended


class KcatTest(NodeTest):
    def kcat(self, *words, **options):
        return kcat(self.node, *words, **options)

    def produce(self, topic, *words, input=THOUSAND):
        return self.kcat("-P", "-t", topic, *words, input=input)

    def consume(self, topic, *words):
        return self.kcat("-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true", *words).out


class Cluster(KcatTest):
    def test_the_cluster_is_listed(self):
        topic = self.topic(3)
        listed = self.kcat("-L").text
        self.assertIn(f"at {self.node.address} (controller)", listed)
        self.assertIn(f'topic "{topic}" with 3 partitions', listed)

    def test_only_what_is_obsolete_or_not_there_yet_is_missing(self):
        said = self.kcat("-L", "-d", "feature").err.decode()
        obsolete = {"MsgVer1", "ThrottleTime"}
        to_come = {"SaslHandshake", "SaslAuthReq"}
        self.assertEqual(set(re.findall(r"Disabling feature (\w+)", said)), obsolete | to_come)

    def test_an_illegal_name_is_said_to_be_one(self):
        self.assertIn("Broker: Invalid topic", self.kcat("-L", "-t", "a/b").text)

    def test_a_topic_is_created_when_it_is_written_to(self):
        self.produce("written-to")
        self.assertEqual(self.consume("written-to"), THOUSAND)


class WithoutCreation(unittest.TestCase):
    def test_no_topic_is_created_where_that_is_off(self):
        node = Node("topic.auto-create=false")
        self.addCleanup(node.close)
        failed = kcat(node, "-P", "-t", "nowhere", "-X", "message.timeout.ms=3000", "-X",
                      "topic.metadata.propagation.max.ms=100", input=b"x\n", code=None)
        self.assertIn("Unknown topic", failed.err.decode())
        self.assertNotIn('"nowhere"', kcat(node, "-L").text)


class Produce(KcatTest):
    def test_every_kind_of_acknowledgement(self):
        topic = self.topic()
        for acks in ("0", "1", "all"):
            self.produce(topic, "-X", f"acks={acks}")
        self.assertEqual(self.consume(topic), THOUSAND * 3)

    def test_an_idempotent_producer(self):
        topic = self.topic()
        self.produce(topic, "-X", "enable.idempotence=true")
        self.assertEqual(self.consume(topic), THOUSAND)

    def test_keys_headers_and_nulls(self):
        topic = self.topic()
        self.produce(topic, "-K:", "-Z", "-H", "a=1", "-H", "b=", input=b"k1:v1\nk2:\n")
        lines = self.consume(topic, "-f", "%k %S %h\n")
        self.assertEqual(lines, b"k1 2 a=1,b=\nk2 -1 a=1,b=\n")

    def test_a_batch_that_is_too_large_is_refused_until_the_topic_allows_it(self):
        topic = self.topic()
        big = b"a" * 2_000_000
        words = ("-X", "message.max.bytes=4000000")
        refused = self.kcat("-P", "-t", topic, *words, input=big, code=None)
        self.assertIn("Message size too large", refused.err.decode())
        self.aq("topic", "alter", topic, "--set", "max.message.bytes=4000000")
        self.produce(topic, *words, input=big)
        self.assertEqual(self.consume(topic).strip(), big)

    def test_append_time(self):
        topic = "append-time"
        self.aq("topic", "create", topic, "--set", "message.timestamp.type=LogAppendTime")
        self.produce(topic, input=b"1\n2\n3\n")
        self.assertEqual(len(set(self.consume(topic, "-f", "%T\n").split())), 1)


class Codecs(KcatTest):
    def check(self, codec):
        topic = f"codec-{codec}"
        said = self.produce(topic, "-X", f"compression.codec={codec}", "-d", "msg").err.decode()
        self.assertNotIn("not compressing", said)
        self.assertEqual(self.consume(topic), THOUSAND)
        shown = self.aq("consume", topic, "-o", "start", "-n", "1000", "-f", "%v\n").out
        self.assertEqual(shown, THOUSAND)

    def test_none(self):
        self.check("none")

    def test_gzip(self):
        self.check("gzip")

    def test_snappy(self):
        self.check("snappy")

    def test_lz4(self):
        self.check("lz4")

    def test_zstd(self):
        self.check("zstd")


class Consume(KcatTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        kcat(cls.node, "-P", "-t", "thousand", input=THOUSAND)

    def test_from_the_beginning(self):
        self.assertEqual(self.consume("thousand", "-o", "beginning"), THOUSAND)

    def test_the_last_five(self):
        self.assertEqual(self.consume("thousand", "-o", "-5"), b"995\n996\n997\n998\n999\n")

    def test_one_from_the_middle(self):
        self.assertEqual(self.consume("thousand", "-o", "10", "-c", "1"), b"10\n")

    def test_from_the_end(self):
        self.assertEqual(self.consume("thousand", "-o", "end"), b"")

    def test_an_empty_topic(self):
        ended = self.kcat("-C", "-t", self.topic(), "-e", "-d", "protocol")
        self.assertNotIn("PROTOERR", ended.err.decode())

    def test_a_record_above_the_limit_of_a_fetch(self):
        topic = self.topic()
        big = hashlib.sha256(b"seed").hexdigest().encode() * 14000
        self.produce(topic, input=big)
        self.assertEqual(self.consume(topic, "-X", "fetch.message.max.bytes=1000").strip(), big)

    def test_an_offset_behind_the_end(self):
        words = ("-C", "-t", "thousand", "-p", "0", "-o", "999999999", "-e", "-q")
        failed = self.kcat(*words, "-X", "auto.offset.reset=error", code=None)
        self.assertIn("Offset out of range", failed.err.decode())
        again = self.kcat(*words, "-X", "auto.offset.reset=earliest")
        self.assertEqual(again.out, THOUSAND)

    def test_offsets_by_query_and_time(self):
        topic = self.topic()
        self.produce(topic, input=b"1\n2\n3\n")
        first = int(self.consume(topic, "-o", "0", "-c", "1", "-f", "%T"))
        query = lambda what: self.kcat("-Q", "-t", f"{topic}:0:{what}").text.split()[-1]
        self.assertEqual(query(-1), "3")
        self.assertEqual(query(-2), "0")
        self.assertEqual(query(first), "0")
        self.assertEqual(query(first + 3_600_000), "-1")
        self.assertEqual(self.consume(topic, "-o", f"s@{first}"), b"1\n2\n3\n")

    def test_what_the_native_client_wrote(self):
        topic = self.topic()
        self.aq("produce", topic, input=THOUSAND)
        self.assertEqual(self.consume(topic), THOUSAND)


if __name__ == "__main__":
    unittest.main()
