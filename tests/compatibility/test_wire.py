"""What the broker makes of frames, down to the byte."""

import struct
import time
import uuid

import wire
from cluster import wait_for
from support import Node, NodeTest

PARTITIONS = 8


class WireTest(NodeTest):
    def setUp(self):
        self.wire = wire.Connection(self.node.address)
        self.addCleanup(self.wire.socket.close)


class Negotiation(WireTest):
    def test_an_unknown_version_of_api_versions_is_answered_in_the_oldest_form(self):
        response = self.wire.call(wire.API_VERSIONS, 9, flexible=True)
        self.assertEqual(response.take("hihhh"), (35, 1, 18, 0, 4))
        self.assertEqual(response.left, 0)
        self.assertEqual(self.wire.call(wire.API_VERSIONS, 0).take("h"), 0)

    def test_api_versions_3_has_the_old_header_and_lists_ascending_keys(self):
        response = self.wire.call(wire.API_VERSIONS, 3, b"\x04rd\0\x041.0\0"[:4] + b"\x041.0\0",
                                  flexible=True)
        self.assertEqual(response.take("h"), 0)
        count = response.take("B") - 1
        rows = [response.take("hhhB")[:3] for _ in range(count)]
        self.assertEqual(response.take("iB"), (0, 0))
        self.assertEqual(response.left, 0)
        keys = [row[0] for row in rows]
        self.assertEqual(keys, sorted(set(keys)))
        self.assertIn((0, 0, 11), rows)
        self.assertIn((1, 4, 17), rows)

    def test_an_unknown_request_ends_the_connection(self):
        self.wire.send(999, 0)
        self.assertTrue(self.wire.is_closed())

    def test_an_unknown_version_ends_the_connection(self):
        self.wire.send(wire.FETCH, 99)
        self.assertTrue(self.wire.is_closed())

    def test_produce_of_a_listed_version_that_nobody_negotiates_ends_the_connection(self):
        self.wire.send(wire.PRODUCE, 2)
        self.assertTrue(self.wire.is_closed())

    def test_a_message_that_cannot_be_read_ends_the_connection_and_no_other(self):
        self.wire.send(wire.METADATA, 1, struct.pack(">i", 0x7fffffff))
        self.assertTrue(self.wire.is_closed())
        with wire.Connection(self.node.address) as other:
            self.assertEqual(other.call(wire.API_VERSIONS, 0).take("h"), 0)

    def test_bytes_behind_a_message_are_ignored(self):
        """librdkafka since 2.1 sends three, when it asks for all topics."""
        topic = self.topic()
        for version, all_topics in ((1, struct.pack(">i", -1)), (9, b"\0\0\0\0\0"),
                                    (13, b"\0\0\0\0")):
            with wire.Connection(self.node.address) as client:
                answer = client.call(wire.METADATA, version, all_topics + b"\1\0\0",
                                     flexible=version >= 9)
                self.assertIn(topic.encode(), answer.data, version)

    def test_sizes_that_no_request_has_end_the_connection(self):
        for size in (-1, 0, 7, 0x7fffffff):
            for first in (b"", struct.pack(">ihhih", 10, wire.API_VERSIONS, 0, 1, -1)):
                with wire.Connection(self.node.address) as one:
                    one.send_bytes(first + struct.pack(">i", size))
                    if first:
                        one.receive()
                    self.assertTrue(one.is_closed(), size)

    def test_pipelined_requests_are_answered_in_order(self):
        topic = self.topic()
        for i in range(100):
            kind = i % 4
            if kind == 0:
                self.wire.send(wire.METADATA, 1, struct.pack(">i", -1))
            elif kind == 1:
                self.wire.send(wire.PRODUCE, 7, wire.produce(topic, wire.GOLDEN_BATCH))
            elif kind == 2:
                self.wire.send(wire.FETCH, 11, wire.fetch(topic, 0))
            else:
                self.wire.send(wire.API_VERSIONS, 0)
        answered = [self.wire.receive()[0] for _ in range(100)]
        self.assertEqual(answered, list(range(1, 101)))

    def test_what_follows_a_waiting_fetch_is_answered_after_it(self):
        topic = self.topic()
        self.wire.send(wire.FETCH, 11, wire.fetch(topic, 0, wait_ms=300))
        self.wire.send(wire.API_VERSIONS, 0)
        self.assertEqual([self.wire.receive()[0] for _ in range(2)], [1, 2])


class Metadata(WireTest):
    def read(self, response):
        """{topic: (error, partition count)} of version 1."""
        for _ in range(response.take("i")):
            response.take("i")
            response.text()
            response.take("i")
            response.bytes(response.take("h"))
        response.take("i")
        topics = {}
        for _ in range(response.take("i")):
            error = response.take("h")
            name = response.text()
            response.take("B")
            count = response.take("i")
            for _ in range(count):
                response.take("hii")
                for _ in range(2):
                    response.bytes(4 * response.take("i"))
            topics[name] = (error, count)
        self.assertEqual(response.left, 0)
        return topics

    def ask(self, *names):
        body = struct.pack(">i", len(names)) + b"".join(map(wire.text, names))
        return self.read(self.wire.call(wire.METADATA, 1, body))

    def test_names_are_answered_once_each(self):
        topic = self.topic(3)
        self.assertEqual(self.ask(topic, topic), {topic: (0, 3)})

    def test_no_name_is_none_and_null_is_all(self):
        topic = self.topic()
        self.assertEqual(self.ask(), {})
        self.assertIn(topic, self.read(self.wire.call(wire.METADATA, 1, struct.pack(">i", -1))))

    def test_an_id_counts_whatever_the_name_with_it(self):
        topic = self.topic()
        shown = self.aq("topic", "describe", topic, "--output", "json").json["id"]
        for name in (b"\0", b"\x01"):  # null, and empty as Java's client sends it
            body = b"\x02" + uuid.UUID(shown).bytes + name + b"\0" + b"\0\0\0"
            response = self.wire.call(wire.METADATA, 12, body, flexible=True)
            _tags, _throttle, brokers = response.take("BiB")
            self.assertEqual(brokers, 2)
            response.take("i")
            response.bytes(response.take("B") - 1)
            self.assertEqual(response.take("iBB")[1:], (0, 0))
            response.bytes(response.take("B") - 1)
            self.assertEqual(response.take("iBh")[1:], (2, 0))
            self.assertEqual(response.bytes(response.take("B") - 1).decode(), topic)
            self.assertEqual(response.bytes(16), uuid.UUID(shown).bytes)

    def test_an_illegal_name_is_said_to_be_one(self):
        self.assertEqual(self.ask("a/b"), {"a/b": (17, 0)})


class Produce(WireTest):
    def test_a_batch_comes_back_as_it_was_but_for_offset_and_epoch(self):
        topic = self.topic()
        self.assertEqual(self.wire.produce(topic, wire.GOLDEN_BATCH), [(0, 0)])
        self.assertEqual(self.wire.produce(topic, wire.GOLDEN_BATCH), [(0, 2)])
        _, _, error, high, records = self.wire.fetch(topic, 2)
        self.assertEqual((error, high), (0, 4))
        self.assertEqual(records[16:], wire.GOLDEN_BATCH[16:])
        self.assertEqual(struct.unpack_from(">q", records)[0], 2)

    def test_a_fetch_within_a_batch_gives_the_whole_batch(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        records = self.wire.fetch(topic, 1)[4]
        self.assertEqual(records[16:], wire.GOLDEN_BATCH[16:])

    def test_partitions_fail_each_for_itself(self):
        topic = self.topic(2)
        damaged = bytearray(wire.GOLDEN_BATCH)
        damaged[70] ^= 1
        rows = self.wire.produce(topic, bytes(damaged), wire.GOLDEN_BATCH, wire.GOLDEN_BATCH)
        self.assertEqual(rows, [(2, -1), (0, 0), (3, -1)])

    def test_what_is_no_single_batch_is_refused(self):
        topic = self.topic()
        cases = {
            "null": (None, 87),
            "empty": (b"", 87),
            "a control batch": (wire.with_fields(wire.GOLDEN_BATCH, 21, ("h", 0x20)), 87),
            "a transaction": (wire.with_fields(wire.sequenced(7, 0, 0), 21, ("h", 0x10)), 48),
            "append time": (wire.with_fields(wire.GOLDEN_BATCH, 21, ("h", 0x08)), 32),
            "count": (wire.with_fields(wire.GOLDEN_BATCH, 57, ("i", 3)), 87),
        }
        for name, (records, error) in cases.items():
            with self.subTest(name):
                self.assertEqual(self.wire.produce(topic, records), [(error, -1)])

    def test_two_batches_or_another_magic_are_refused(self):
        topic = self.topic()
        twice = self.wire.produce(topic, wire.GOLDEN_BATCH * 2)[0][0]
        old = self.wire.produce(topic, wire.GOLDEN_BATCH[:16] + b"\1" + wire.GOLDEN_BATCH[17:])
        self.assertEqual(twice, 87)
        self.assertIn(old[0][0], (43, 87))

    def test_zstd_is_refused_in_versions_that_did_not_know_it(self):
        topic = self.topic()
        batch = wire.with_fields(wire.GOLDEN_BATCH, 21, ("h", 4))
        self.assertEqual(self.wire.produce(topic, batch, version=6), [(76, -1)])

    def test_acks_that_do_not_exist_are_refused(self):
        self.assertEqual(self.wire.produce(self.topic(), wire.GOLDEN_BATCH, acks=2), [(21, -1)])

    def test_version_8_says_why(self):
        topic = self.topic()
        self.assertEqual(self.wire.produce(topic, wire.GOLDEN_BATCH, version=8), [(0, 0)])
        self.assertEqual(self.wire.produce(topic, b"x" * 70, version=8)[0][1], -1)

    def test_acks_0_has_no_answer_and_keeps_the_connection(self):
        topic = self.topic()
        self.wire.send(wire.PRODUCE, 7, wire.produce(topic, wire.GOLDEN_BATCH, acks=0))
        self.assertEqual(self.wire.produce(topic, wire.GOLDEN_BATCH), [(0, 2)])

    def test_acks_0_of_what_is_refused_ends_the_connection(self):
        self.wire.send(wire.PRODUCE, 7, wire.produce("none-such", wire.GOLDEN_BATCH, acks=0))
        self.assertTrue(self.wire.is_closed())


class Fetch(WireTest):
    def test_an_idle_partition_is_waited_for_as_long_as_asked(self):
        topic = self.topic()
        began = time.monotonic()
        _, _, error, high, records = self.wire.fetch(topic, 0, wait_ms=1000)
        waited = time.monotonic() - began
        self.assertEqual((error, high, records), (0, 0, b""))
        self.assertGreaterEqual(waited, 0.95)
        # kafkajs gives up 100 ms after the time that it asked for.
        self.assertLess(waited, 1.1)

    def test_a_record_ends_the_wait(self):
        topic = self.topic()
        self.wire.send(wire.FETCH, 11, wire.fetch(topic, 0, wait_ms=60000))
        with wire.Connection(self.node.address) as other:
            other.produce(topic, wire.GOLDEN_BATCH)
            written = time.monotonic()
        self.assertEqual(self.wire.receive()[0], 1)
        self.assertLess(time.monotonic() - written, 0.3)

    def test_nothing_is_waited_for_when_enough_is_there(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        began = time.monotonic()
        for least in (0, 1, len(wire.GOLDEN_BATCH)):
            self.wire.fetch(topic, 0, wait_ms=60000, min_bytes=least)
        self.assertLess(time.monotonic() - began, 5)

    def test_the_first_batch_comes_whatever_its_size(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        self.assertEqual(len(self.wire.fetch(topic, 0, bytes_max=1)[4]), len(wire.GOLDEN_BATCH))

    def test_offsets_that_are_not_there_are_said_with_the_range(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        self.assertEqual(self.wire.fetch(topic, 99, wait_ms=5000)[2:], (1, 2, b""))

    def test_unknown_topics_and_versions_without_epochs(self):
        topic = self.topic()
        self.assertEqual(self.wire.fetch("none-such", 0)[2], 3)
        self.assertEqual(self.wire.fetch(topic, 0, version=10)[2], 0)

    def test_epochs_are_compared(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        self.assertEqual(self.wire.fetch(topic, 0, epoch=0)[2], 74)
        self.assertEqual(self.wire.fetch(topic, 0, epoch=10**6)[2], 75)


class FetchSessions(WireTest):
    EMPTY = (0, 0, b"")

    def open(self, topic, partitions):
        error, session, rows = self.wire.session_fetch(topic, (0, 0), dict.fromkeys(partitions, 0))
        self.assertEqual((error, list(rows)), (0, list(partitions)))
        self.assertGreater(session, 0)
        return session

    def read(self, topic, session, epoch, *args, **options):
        error, answered, rows = self.wire.session_fetch(topic, (session, epoch), *args, **options)
        self.assertEqual((error, answered), (0, session))
        return rows

    def test_a_session_tells_what_is_new(self):
        topic = self.topic(3)
        session = self.open(topic, range(3))
        self.assertEqual(self.read(topic, session, 1), {})
        self.wire.produce(topic, wire.GOLDEN_BATCH, partition=1)
        error, _, rows = self.wire.session_fetch(topic, (session, 2))
        self.assertEqual((error, list(rows)), (0, [1]))
        self.assertEqual(rows[1][:2], (0, 2))
        # What the client does not take it gets again.
        self.assertEqual(list(self.read(topic, session, 3)), [1])
        self.assertEqual(self.read(topic, session, 4, {1: 2}), {})

    def test_a_record_ends_the_wait_of_a_session(self):
        topic = self.topic(3)
        session = self.open(topic, range(3))
        self.wire.send(wire.FETCH, 11, wire.session_fetch(topic, (session, 1), wait_ms=60000))
        with wire.Connection(self.node.address) as other:
            other.produce(topic, wire.GOLDEN_BATCH, partition=2)
        _, response = self.wire.receive()
        self.assertEqual(response.take("ihi"), (0, 0, session))

    def test_partitions_come_and_go(self):
        topic = self.topic(3)
        session = self.open(topic, [0])
        self.assertEqual(self.read(topic, session, 1, {2: 0}), {2: self.EMPTY})
        self.wire.produce(topic, wire.GOLDEN_BATCH, wire.GOLDEN_BATCH, wire.GOLDEN_BATCH)
        self.assertEqual(list(self.read(topic, session, 2, forget=[0, 1])), [2])

    def test_a_partition_that_is_not_there_is_told_each_time(self):
        topic = self.topic(1)
        session = self.open(topic, [0, 7])
        for epoch in (1, 2):
            self.assertEqual([(p, row[0]) for p, row in self.read(topic, session, epoch).items()],
                             [(7, 3)])

    def test_sessions_that_are_not_there_and_epochs_that_are_not_due_are_refused(self):
        topic = self.topic()
        self.assertEqual(self.wire.session_fetch(topic, (12345, 7), {0: 0}), (70, 0, {}))
        session = self.open(topic, [0])
        self.assertEqual(self.wire.session_fetch(topic, (session, 2)), (71, 0, {}))
        self.assertEqual(self.read(topic, session, 1), {})
        self.assertEqual(self.wire.session_fetch(topic, (session, 1)), (71, 0, {}))
        with wire.Connection(self.node.address) as other:
            self.assertEqual(other.session_fetch(topic, (session, 2)), (70, 0, {}))

    def test_a_session_ends_when_the_client_ends_it_or_begins_another(self):
        topic = self.topic()
        for epoch in (-1, 0):
            session = self.open(topic, [0])
            error, other, rows = self.wire.session_fetch(topic, (session, epoch), {0: 0})
            self.assertEqual((error, rows), (0, {0: self.EMPTY}))
            self.assertEqual(other == 0, epoch == -1)
            self.assertEqual(self.wire.session_fetch(topic, (session, 1)), (70, 0, {}))

    def test_a_session_without_partitions_ends(self):
        topic = self.topic()
        session = self.open(topic, [0])
        self.assertEqual(self.wire.session_fetch(topic, (session, 1), forget=[0]), (0, 0, {}))
        self.assertEqual(self.wire.session_fetch(topic, (session, 2)), (70, 0, {}))


class Offsets(WireTest):
    FIRST_MS = 1700000000000

    def test_the_newest_record_is_found_from_version_7_on(self):
        topic = self.topic()
        for version in (7, 8, 9, 10):
            self.assertEqual(self.wire.list_offsets(topic, version, -3), [(0, -1, -1)])
        for later in (0, 9000, 4000):
            self.wire.produce(topic, wire.stamped(wire.GOLDEN_BATCH, self.FIRST_MS + later))
        self.assertEqual(self.wire.list_offsets(topic, 7, -3, -1, -2),
                         [(0, 3, self.FIRST_MS + 9005), (0, 6, -1), (0, 0, -1)])
        self.assertEqual(self.wire.list_offsets(topic, 10, -3, self.FIRST_MS + 1),
                         [(0, 3, self.FIRST_MS + 9005), (0, 1, self.FIRST_MS + 5)])

    def test_nothing_is_in_remote_storage(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        self.assertEqual(self.wire.list_offsets(topic, 8, -4), [(0, 0, -1)])
        self.assertEqual(self.wire.list_offsets(topic, 9, -4, -5, -1),
                         [(0, 0, -1), (0, -1, -1), (0, 2, -1)])
        self.assertEqual(self.wire.list_offsets("none-such", 9, -5, -4), [(3, -1, -1)] * 2)

    def test_what_a_version_does_not_know_is_refused(self):
        topic = self.topic()
        for version, *unknown in ((4, -3), (6, -3, -4), (7, -4, -5), (8, -5), (10, -6, -99)):
            self.assertEqual(self.wire.list_offsets(topic, version, *unknown),
                             [(35, -1, -1)] * len(unknown))


class Epochs(WireTest):
    def lead_again(self):
        """Restarts the node: it leads in a later epoch then."""
        self.node.stop()
        self.node.start()
        self.wire.socket.close()
        self.wire = wire.Connection(self.node.address)
        self.addCleanup(self.wire.socket.close)

    def test_an_epoch_ends_where_the_next_begins(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        first = self.wire.epoch(topic)
        self.assertEqual(self.wire.epoch_end(topic, first, first + 1000, -1, first - 1),
                         [(0, first, 2), (0, -1, -1), (0, -1, -1), (0, first - 1, 0)])
        self.lead_again()
        for _ in range(2):
            self.wire.produce(topic, wire.GOLDEN_BATCH)
        second = self.wire.epoch(topic, 2)
        self.assertGreater(second, first)
        for version in (2, 3):
            self.assertEqual(
                self.wire.epoch_end(topic, first, second, second + 1, version=version),
                [(0, first, 2), (0, second, 6), (0, -1, -1)])

    def test_epochs_are_compared_with_what_the_client_knows(self):
        topic = self.topic()
        self.wire.produce(topic, wire.GOLDEN_BATCH)
        epoch = self.wire.epoch(topic)
        self.assertEqual(self.wire.epoch_end(topic, epoch, current=epoch), [(0, epoch, 2)])
        self.assertEqual(self.wire.epoch_end(topic, epoch, current=0), [(74, -1, -1)])
        self.assertEqual(self.wire.epoch_end(topic, epoch, current=10**6), [(75, -1, -1)])
        self.assertEqual(self.wire.epoch_end("none-such", 1), [(3, -1, -1)])


class Coordinators(WireTest):
    def test_groups_have_one_and_transactions_none(self):
        found = wait_for("there is one", lambda: wire.find_coordinator(self.node.address, "x"))
        self.assertEqual(found[1], self.node.address)
        body = wire.text("x") + struct.pack(">b", 1)
        of_transactions = self.wire.call(wire.FIND_COORDINATOR, 1, body)
        self.assertEqual(of_transactions.take("ih")[1], wire.NO_COORDINATOR)


class Quotas(WireTest):
    DESCRIBE, ALTER = 48, 49

    def test_none_are_listed(self):
        body = struct.pack(">i", 1) + wire.text("client-id") + struct.pack(">bh?", 2, -1, False)
        response = self.wire.call(self.DESCRIBE, 0, body)
        self.assertEqual(response.take("ihhi"), (0, 0, -1, 0))
        self.assertEqual(response.left, 0)

    def test_one_that_is_to_be_set_is_refused_with_the_reason(self):
        entity = b"\x02" + wire.compact("client-id") + wire.compact("c") + b"\0"
        limit = b"\x02" + wire.compact("producer_byte_rate") + struct.pack(">d?", 1024, False)
        body = b"\x02" + entity + limit + b"\0" + b"\0" + b"\0" + b"\0"
        response = self.wire.call(self.ALTER, 1, body, flexible=True)
        self.assertEqual(response.take("BiBh"), (0, 0, 2, 42))
        self.assertIn("quotas", response.compact())
        self.assertEqual((response.take("B"), response.compact(), response.compact()),
                         (2, "client-id", "c"))
        self.assertEqual(response.take("BBB"), (0, 0, 0))
        self.assertEqual(response.left, 0)


class Limits(WireTest):
    @classmethod
    def setUpClass(cls):
        cls.node = Node("limits.request-bytes-in-flight=1MiB", "limits.frame-bytes-max=1MiB",
                        "topic.message-bytes-max=512KiB")

    def test_a_request_that_names_too_much_ends_the_connection(self):
        names = b"".join(wire.text("t") for _ in range(3000))
        self.wire.send(wire.METADATA, 8, struct.pack(">i", 3000) + names + b"\0\0\0")
        self.assertTrue(self.wire.is_closed())

    def test_a_client_that_reads_nothing_stops_being_read(self):
        topic = self.topic()
        big = wire.GOLDEN_BATCH
        for _ in range(50):
            self.wire.produce(topic, big)
        for _ in range(2000):
            self.wire.send(wire.FETCH, 11, wire.fetch(topic, 0))
        answered = [self.wire.receive()[0] for _ in range(2000)]
        self.assertEqual(answered, list(range(51, 2051)))
