"""Every verb of aq against a real node: what it prints, how it ends."""

import fcntl
import json
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from support import BIN, Node, NodeTest, aq_command, clean_environment, run

NOBODY = "127.0.0.1:1"


def read_terminal(leader):
    """What is written to a terminal until nobody has it open."""
    shown = b""
    try:
        while select.select([leader], [], [], 30)[0]:
            shown += os.read(leader, 4096)
    except OSError:
        pass  # the other end was closed
    os.close(leader)
    return shown.decode()


class TopicVerbs(NodeTest):
    def test_life_of_a_topic(self):
        created = self.aq("topic", "create", "life", "-p", 3, "--output", "json").json
        self.assertEqual(created["v"], 1)
        self.assertEqual(created["topics"][0]["partitions"], 3)
        topic_id = created["topics"][0]["id"]

        names = self.aq("topic", "list", "--output", "name").text.split()
        self.assertIn("life", names)
        listed = self.aq("topic", "list", "--output", "json").json["topics"]
        self.assertEqual([t["id"] for t in listed if t["name"] == "life"], [topic_id])

        described = self.aq("topic", "describe", "life", "--output", "json").json
        self.assertEqual(described["id"], topic_id)
        self.assertEqual([p["partition"] for p in described["partitions"]], [0, 1, 2])
        self.assertTrue(all(p["leader"] is not None for p in described["partitions"]))

        self.aq("topic", "alter", "life", "--set", "retention.ms=3600000")
        settings = {s["name"]: s for s in
                    self.aq("topic", "describe", "life", "--output", "json").json["settings"]}
        self.assertEqual(settings["retention.ms"]["value"], "3600000")
        self.assertFalse(settings["retention.ms"]["is_default"])
        self.aq("topic", "alter", "life", "--unset", "retention.ms")
        settings = {s["name"]: s for s in
                    self.aq("topic", "describe", "life", "--output", "json").json["settings"]}
        self.assertTrue(settings["retention.ms"]["is_default"])

        self.aq("topic", "alter", "life", "--partitions", 5, "--dry-run")
        described = self.aq("topic", "describe", "life", "--output", "json").json
        self.assertEqual(len(described["partitions"]), 3)
        grown = self.aq("topic", "alter", "life", "--partitions", 5, "--output", "json").json
        self.assertEqual([p["partition"] for p in grown["partitions"]], [0, 1, 2, 3, 4])
        fewer = self.aq("topic", "alter", "life", "--partitions", 4, code=64)
        self.assertIn(b"has 5 partitions", fewer.err)
        self.aq("produce", "life", "-p", 4, input=b"in the new one\n")
        self.assertIn(b"in the new one", self.aq("consume", "life", "-p", 4, "-e").out)

        refused = self.aq("topic", "delete", "life", code=64)
        self.assertIn(b"--yes", refused.err)
        self.aq("topic", "delete", "life", "--dry-run")
        self.assertIn("life", self.aq("topic", "list", "--output", "name").text.split())
        self.aq("topic", "delete", "life", "--yes")
        self.assertNotIn("life", self.aq("topic", "list", "--output", "name").text.split())

    def test_exit_codes_of_topics(self):
        self.aq("topic", "create", "twice")
        self.aq("topic", "create", "twice", code=73)
        self.aq("topic", "create", "twice", "--if-not-exists")
        self.aq("topic", "create", "not a name", code=64)
        self.aq("topic", "create", "many", "-p", 0, code=64)
        self.aq("topic", "create", "odd", "--set", "no.such.setting=1", code=78)
        self.aq("topic", "describe", "nowhere", code=66)
        self.aq("topic", "delete", "nowhere", "--yes", code=66)
        self.aq("topic", "delete", "nowhere", "--yes", "--if-exists")
        self.aq("topic", "alter", "nowhere", "--set", "retention.ms=1000", code=66)
        self.aq("topic", "offsets", "nowhere", code=66)
        self.aq("topic", "trim", "nowhere", "--before", "end", "--yes", code=66)
        failed = self.aq("topic", "describe", "nowhere", "--output", "json", code=66)
        self.assertIn(b'"code":"UNKNOWN_TOPIC"', failed.err)
        self.assertEqual(failed.out, b"")

    def test_dry_run_creates_nothing(self):
        self.aq("topic", "create", "imagined", "--dry-run")
        self.assertNotIn("imagined", self.aq("topic", "list", "--output", "name").text.split())

    def test_offsets_and_trim(self):
        topic = self.topic()
        # The records are of 1970.
        self.aq("topic", "alter", topic, "--set", "retention.ms=-1")
        self.aq("produce", topic, "-f", "%d %v\\n",
                input="".join(f"{1000 + i} v{i}\n" for i in range(100)))
        row = self.aq("topic", "offsets", topic, "--output", "json").json["offsets"][0]
        self.assertEqual((row["start"], row["end"], row["records"]), (0, 100, 100))
        at = self.aq("topic", "offsets", topic, "--at", "-10", "--output", "json").json
        self.assertEqual(at["offsets"][0]["offset"], 90)
        at = self.aq("topic", "offsets", topic, "--at", "@1970-01-01T00:00:01.050Z", "--output",
                     "json").json
        self.assertEqual(at["offsets"][0]["offset"], 50)
        at = self.aq("topic", "offsets", topic, "--at", "@-1h", "--output", "json").json
        self.assertEqual(at["offsets"][0]["offset"], 100)

        self.aq("topic", "trim", topic, "--before", 30, "--dry-run")
        self.aq("topic", "trim", topic, "--before", 30, code=64)
        row = self.aq("topic", "trim", topic, "--before", 30, "--yes", "--output",
                      "json").json["partitions"][0]
        self.assertEqual((row["log_start"], row["deleted"]), (30, 30))
        first = self.aq("consume", topic, "-n", 1, "-f", "%o %v\\n").text
        self.assertEqual(first, "30 v30\n")


class Records(NodeTest):
    def produce(self, topic, *words, input=b""):
        return self.aq("produce", topic, *words, input=input)

    def test_lines_round_trip(self):
        topic = self.topic()
        self.produce(topic, input="one\ntwo\n\nfour")
        self.assertEqual(self.aq("consume", topic, "-e").out, b"one\ntwo\n\nfour\n")

    def test_where_a_record_went_is_said(self):
        topic = self.topic()
        said = self.produce(topic, input="x\n")
        self.assertRegex(said.err.decode(), rf"{topic}/0 @ 0 ")
        self.assertEqual(said.out, b"")
        document = self.produce(topic, "--output", "json", input="y\nz\n").json
        self.assertEqual(document["records"], 2)
        self.assertEqual(document["partitions"],
                         [{"partition": 0, "first_offset": 1, "last_offset": 2, "records": 2}])
        self.assertEqual(self.produce(topic, "-q", input="q\n").err, b"")

    def test_keys_headers_partitions(self):
        topic = self.topic(3)
        self.produce(topic, "-K", ":", "-H", "a=1", "-H", "b=x=y", "-p", 2, input="k:v:w\nplain\n")
        shown = self.aq("consume", topic, "-e", "-f", "%p %o [%k] [%v] %h{%k=%v;} %H\\n").text
        self.assertEqual(shown, "2 0 [k] [v:w] a=1;b=x=y; 2\n2 1 [] [plain] a=1;b=x=y; 2\n")
        self.assertEqual(self.aq("consume", topic, "-e", "-p", "0,1").out, b"")

    def test_keys_choose_partitions_as_kafka_does(self):
        topic = self.topic(3)
        self.produce(topic, "-K", ":", input="".join(f"key{i % 10}:{i}\n" for i in range(100)))
        seen = {}
        for line in self.aq("consume", topic, "-e", "-f", "%k %p\\n").text.splitlines():
            key, partition = line.split()
            self.assertEqual(seen.setdefault(key, partition), partition)
        self.assertGreater(len(set(seen.values())), 1)

    def test_codecs_round_trip(self):
        lines = "".join(f"line {i} {'x' * (i % 50)}\n" for i in range(5000)).encode()
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                name = f"codec-{codec}"
                self.aq("topic", "create", name)
                self.produce(name, "-z", codec, input=lines)
                self.assertEqual(self.aq("consume", name, "-e").out, lines)

    def test_acks(self):
        for acks in ("all", "leader", "none"):
            name = f"acks-{acks}"
            self.aq("topic", "create", name)
            self.produce(name, "--acks", acks, input="x\n")
            self.assertEqual(self.aq("consume", name, "-n", 1).out, b"x\n", acks)

    def test_null_and_empty_are_told_apart(self):
        topic = self.topic()
        self.produce(topic, input="\n")
        self.produce(topic, "-Z", input="\n")
        values = [r["value"] for r in self.aq("consume", topic, "-e", "--output", "json").lines]
        self.assertEqual(values, ["", None])

    def test_arbitrary_bytes_round_trip(self):
        rng = random.Random(7)
        blob = rng.randbytes(300_000)
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "blob"
            source.write_bytes(blob)
            topic = self.topic()
            self.produce(topic, "--record-size", "1000", source)
            self.assertEqual(self.aq("consume", topic, "-e", "-f", "%v").out, blob)
            framed = self.aq("consume", topic, "-e", "-f", "%V{big32}%v").out
            self.aq("topic", "create", "framed")
            self.produce("framed", "-f", "%V{big32}%v", input=framed)
            self.assertEqual(self.aq("consume", "framed", "-e", "-f", "%v").out, blob)
            self.aq("topic", "create", "whole")
            self.produce("whole", "-f", "raw", source)
            whole = self.aq("consume", "whole", "-e", "-f", "%V\\n%v").out
            self.assertEqual(whole, b"300000\n" + blob)

    def test_json_lines_round_trip_exactly(self):
        rng = random.Random(8)
        topic = self.topic(2)
        frames = b""
        for i in range(500):
            key, value = rng.randbytes(rng.randrange(20)), rng.randbytes(rng.randrange(200))
            frames += len(key).to_bytes(2, "big") + key + len(value).to_bytes(4, "big") + value
        self.produce(topic, "-f", "%K{big16}%k%V{big32}%v", "-H", "h=1", input=frames)
        first = self.aq("consume", topic, "-e", "--output", "json")
        self.assertTrue(any(r.get("value_encoding") == "base64" for r in first.lines))
        self.aq("topic", "create", "copy", "-p", 2)
        self.produce("copy", "-f", "json", "--keep-partitions", input=first.out)
        second = self.aq("consume", "copy", "-e", "--output", "json")

        def contents(lines):
            return sorted((r["partition"], r["offset"], r["timestamp_ms"], r["key"], r["value"],
                           str(r["headers"])) for r in lines)
        self.assertEqual(contents(first.lines), contents(second.lines))

    def test_offsets_grammar(self):
        topic = self.topic()
        # The records are years old.
        self.aq("topic", "alter", topic, "--set", "retention.ms=-1")
        self.produce(topic, "-f", "%d %v\\n",
                     input="".join(f"{1_700_000_000_000 + i * 1000} {i}\n" for i in range(100)))
        for offsets, wanted in {
            "start": range(100), "95": range(95, 100), "+97": range(97, 100),
            "-3": range(97, 100), "10:13": range(10, 13), ":2": range(2), "98:": range(98, 100),
            ":end": range(100), "-3:-1": range(97, 99), "5:5": [],
            "@1700000010:2s": [10, 11], "@1700000098:end": [98, 99], "@-1h": [], "end": [],
            "@2023-11-14T22:13:20Z:1700000003": range(3),
        }.items():
            with self.subTest(offsets):
                got = self.aq("consume", topic, "-e", "-o", offsets).text.split()
                self.assertEqual(got, [str(i) for i in wanted])
        self.assertEqual(self.aq("consume", topic, "-o", "10:13").text.split(), ["10", "11", "12"])
        self.assertEqual(self.aq("consume", topic, "-n", 2).text.split(), ["0", "1"])

    def test_grep_and_meta(self):
        topic = self.topic()
        self.produce(topic, "-K", ":", input="a:error 1\nb:fine\nc:failed 2\n")
        self.assertEqual(self.aq("consume", topic, "-e", "--grep", "error|failed").text,
                         "error 1\nfailed 2\n")
        self.assertEqual(self.aq("consume", topic, "-e", "--grep-key", "^b$").text, "fine\n")
        meta = self.aq("consume", topic, "-e", "--meta-only", "--output", "json").lines
        self.assertEqual([m["value_bytes"] for m in meta], [7, 4, 8])
        self.assertNotIn("value", meta[0])

    def test_several_topics(self):
        self.aq("topic", "create", "left", "right")
        self.produce("left", input="l\n")
        self.produce("right", input="r\n")
        shown = self.aq("consume", "left", "right", "-e", "-f", "%t=%v\\n").text.split()
        self.assertEqual(sorted(shown), ["left=l", "right=r"])

    def test_push_mode(self):
        topic = self.topic(2)
        lines = [f"{i}" for i in range(2000)]
        self.produce(topic, input="\n".join(lines) + "\n")
        got = self.aq("-X", "consumer.mode=push", "consume", topic, "-e").text.split()
        self.assertEqual(sorted(got), sorted(lines))

    def test_exit_codes_of_records(self):
        self.aq("consume", "nowhere", "-e", code=66)
        topic = self.topic()
        self.aq("consume", topic, "-p", 7, "-e", code=66)
        self.aq("produce", topic, "-p", 7, input="x\n", code=66)
        self.aq("produce", topic, "/nonexistent", code=66)
        self.aq("produce", topic, "-f", "%V{big32}%v", input=b"\0\0\0\x09short", code=65)
        self.aq("produce", topic, "-f", "raw", input=b"x" * (3 << 20), code=65)
        self.aq("consume", topic, "-o", 1000, code=66)

    def test_rate_is_kept(self):
        topic = self.topic()
        document = self.produce(topic, "--rate", "100/s", "--output", "json",
                                input="x\n" * 60).json
        self.assertGreaterEqual(document["elapsed_ms"], 500)

    def test_following_sees_what_comes(self):
        topic = self.topic()
        reader = subprocess.Popen(aq_command(self.node, "consume", topic, "-n", 3),
                                  stdout=subprocess.PIPE, env=clean_environment())
        for i in range(3):
            self.produce(topic, input=f"late {i}\n")
        out, _ = reader.communicate(timeout=30)
        self.assertEqual(out, b"late 0\nlate 1\nlate 2\n")
        self.assertEqual(reader.returncode, 0)

    def test_a_pipe_into_produce_is_sent_line_by_line(self):
        topic = self.topic()
        writer = subprocess.Popen(aq_command(self.node, "produce", topic), stdin=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=clean_environment())
        writer.stdin.write(b"early\n")
        writer.stdin.flush()
        self.assertEqual(self.aq("consume", topic, "-n", 1).out, b"early\n")
        writer.stdin.write(b"later\n")
        writer.communicate(timeout=30)
        self.assertEqual(writer.returncode, 0)
        self.assertEqual(self.aq("consume", topic, "-e").out, b"early\nlater\n")

    def test_a_closed_pipe_ends_quietly(self):
        topic = self.topic()
        self.produce(topic, input="line\n" * 200_000)
        words = " ".join(aq_command(self.node, "consume", topic))
        ended = run(["bash", "-c", f"{words} | head -n 1; echo ${{PIPESTATUS[0]}}"], seconds=30)
        self.assertEqual(ended.out, b"line\n0\n")
        self.assertEqual(ended.err, b"")

    def test_interrupt_prints_a_summary_and_ends_with_130(self):
        topic = self.topic()
        self.produce(topic, input="x\n")
        reader = subprocess.Popen(aq_command(self.node, "consume", topic), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=clean_environment())
        self.assertEqual(reader.stdout.readline(), b"x\n")
        reader.send_signal(signal.SIGINT)
        _, err = reader.communicate(timeout=30)
        self.assertEqual(reader.returncode, 130)
        self.assertIn(b"1 records", err)

        writer = subprocess.Popen(aq_command(self.node, "produce", topic), stdin=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=clean_environment())
        writer.stdin.write(b"y\n")
        writer.stdin.flush()
        self.assertEqual(self.aq("consume", topic, "-n", 2).out, b"x\ny\n")
        writer.send_signal(signal.SIGINT)
        _, err = writer.communicate(timeout=30)
        self.assertEqual(writer.returncode, 130)

    def test_a_folder_is_no_input(self):
        topic = self.topic()
        with tempfile.TemporaryDirectory() as folder:
            refused = self.aq("produce", topic, folder, code=66)
            self.assertIn(f"cannot read {folder}: Is a directory".encode(), refused.err)
            self.assertNotIn(b"producer", refused.err)

    def on_a_terminal(self, *words, **files):
        """What a verb shows on standard error when that is a terminal."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(aq_command(self.node, *words), stderr=follower,
                                   env=clean_environment() | {"TERM": "xterm"}, **files)
        os.close(follower)
        shown = read_terminal(leader)
        self.assertEqual(process.wait(30), 0, shown)
        return shown

    def test_progress_is_drawn_on_a_terminal(self):
        topic = self.topic()
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0123456789\n" * 4000)
            file.flush()
            slow = ("produce", topic, file.name, "--rate", "10k/s")
            shown = self.on_a_terminal(*slow, stdout=subprocess.DEVNULL)
            self.assertRegex(shown, r"\r\x1b\[K▕█*[▏▎▍▌▋▊▉]?░*▏ +\d+%  .*/s  .* left")
            self.assertNotIn("\x1b[K▕", self.on_a_terminal(*slow, "--no-progress",
                                                          stdout=subprocess.DEVNULL))

    def test_reading_to_the_end_draws_a_bar(self):
        topic = self.topic()
        self.produce(topic, input=(b"0123456789" * 100 + b"\n") * 4000)
        leader, follower = pty.openpty()
        process = subprocess.Popen(aq_command(self.node, "consume", topic, "-e"), stderr=follower,
                                   stdout=subprocess.PIPE, bufsize=0,
                                   env=clean_environment() | {"TERM": "xterm"})
        os.close(follower)
        # The pipe is full long before the end, which takes longer than the time to the first bar.
        first = process.stdout.read(1)
        select.select([leader], [], [], 0.2)
        rest, _ = process.communicate(timeout=30)
        self.assertEqual(len(first + rest), 4000 * 1001)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(os.read(leader, 65536).decode(), r"▕[█▏▎▍▌▋▊▉░]+▏ +\d+%")
        os.close(leader)

    def test_output_that_cannot_be_written_is_an_error(self):
        topic = self.topic()
        self.produce(topic, input="x\n")
        words = " ".join(aq_command(self.node, "consume", topic, "-e"))
        ended = run(["bash", "-c", f"{words} > /dev/full"])
        self.assertEqual(ended.code, 1)
        self.assertIn(b"No space left", ended.err)


class OtherVerbs(NodeTest):
    def test_cluster_info(self):
        info = self.aq("cluster", "info", "--output", "json").json
        self.assertEqual(len(info["brokers"]), 1)
        self.assertEqual(info["leaderless_partitions"], 0)
        host, port = self.node.address.rsplit(":", 1)
        self.assertEqual((info["brokers"][0]["host"], info["brokers"][0]["port"]),
                         (host, int(port)))

    def test_admin_verbs(self):
        topic = self.topic(2)
        status = self.aq("admin", "status", "--output", "json").json
        self.assertEqual(status["state"], "running")
        self.assertEqual(status["address"], self.node.address)
        self.assertGreater(status["resident_bytes"], 0)
        held = self.aq("admin", "partitions", "--topic", topic, "--output", "json").json
        self.assertEqual([p["partition"] for p in held["partitions"]], [0, 1])
        self.aq("admin", "partitions", "--topic", "nowhere", code=66)
        self.aq("admin", "log-level", "loud", code=64)
        unknown = self.aq("admin", "log-level", "info", "--component", "nonsense", code=66)
        self.assertIn(b"the components are node, network,", unknown.err)
        self.aq("admin", "flush")
        self.assertRegex(self.node.errors(), r"info +admin +flush\n")
        imagined = self.aq("admin", "drain", "--dry-run", "--output", "json")
        self.assertEqual((imagined.json["action"], imagined.json["done"]), ("drain", False))
        self.assertIn(b"would take no new connections", imagined.err)
        self.assertEqual(self.aq("admin", "status", "--output", "json").json["state"], "running")

    def test_a_scrub_of_a_sound_node(self):
        topic = self.topic(2)
        done = self.aq("admin", "scrub", topic, "--output", "json").json
        self.assertFalse(done["running"])
        self.assertEqual(done["end"], "complete")
        self.assertEqual((done["groups_total"], done["groups_done"]), (2, 2))
        self.assertEqual(done["damages"], [])
        self.aq("admin", "scrub", f"{topic}:1")
        self.aq("admin", "scrub", f"{topic}:2", code=66)
        self.aq("admin", "scrub", "nowhere", code=66)
        self.aq("admin", "scrub", f"{topic}:x", code=64)
        self.aq("admin", "scrub", "--stop", "--status", code=64)
        self.aq("admin", "scrub", "--dry-run")
        whole = self.aq("admin", "scrub", "--output", "json").json
        self.assertIsNotNone(whole["scrubbed"])
        status = self.aq("admin", "status", "--output", "json").json
        self.assertEqual(status["scrubbed"], whole["scrubbed"])
        self.assertIsNotNone(status["next_scrub"])
        self.assertEqual(status["damaged"], 0)

    def refused_frames(self):
        """How many lines the log has for frames that are none; there is one more frame now."""
        host, port = self.node.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while stranger.recv(4096):
                pass
        return len(re.findall(r" debug +network +.*refused", self.node.errors()))

    def test_a_log_level_is_in_force_at_once(self):
        self.assertEqual(self.refused_frames(), 0)
        self.aq("admin", "log-level", "debug", "--component", "raft")
        self.assertEqual(self.refused_frames(), 0)
        self.aq("admin", "log-level", "debug", "--component", "network")
        self.assertGreater(self.refused_frames(), 0)
        self.aq("admin", "log-level", "info")
        before = self.refused_frames()
        self.assertEqual(self.refused_frames(), before)

    def test_an_admin_port_that_is_none(self):
        ended = run([BIN / "aq", "--admin", self.node.address, "--timeout", "2s", "admin",
                     "status"])
        self.assertIn(ended.code, (69, 75), ended)
        ended = run([BIN / "aq", "--admin", NOBODY, "admin", "status"])
        self.assertEqual(ended.code, 69, ended)

    def test_nobody_there(self):
        for verb in (("topic", "list"), ("cluster", "info"), ("consume", "x"), ("produce", "x")):
            ended = run([BIN / "aq", "-b", NOBODY, "--timeout", "500ms", *verb])
            self.assertEqual(ended.code, 69, ended)

    def test_bench_verbs(self):
        quick = ("--duration", "500ms", "--warmup", "100ms", "--output", "json")
        sent = self.aq("bench", "produce", *quick).json
        self.assertGreater(sent["records"], 1000)
        self.assertEqual(sent["errors"], 0)
        self.assertEqual([row["quantile"] for row in sent["latency"]],
                         ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"])
        self.assertGreater(self.aq("bench", "consume", *quick).json["records"], 1000)
        both = self.aq("bench", "e2e", "--rate", "500/s", *quick).json
        self.assertGreater(both["records"], 100)
        self.assertEqual(both["errors"], 0)
        self.aq("bench", "consume", "--topic", "nowhere", code=66)
        line = self.aq("bench", "produce", "--duration", "200ms", "--warmup", "0s",
                       "--kafka-style").text
        self.assertRegex(line, r"^\d+ records sent, .* ms 99.9th\.\n$")

    def test_wrong_usage_is_said_without_advice_for_brokers(self):
        for words in (("produce", "x", "-z", "brotli"), ("completion", "tcsh")):
            refused = self.aq(*words, code=64)
            self.assertIn(words[-1].encode(), refused.err)
            self.assertNotIn(b"Correct the request", refused.err)

    def test_the_rate_without_rate_is_told(self):
        self.assertIn("(default 1k/s)", " ".join(self.aq("bench", "e2e", "--help").text.split()))
        self.assertIn("(default no limit)",
                      " ".join(self.aq("bench", "produce", "--help").text.split()))

    def test_topics_complete(self):
        topic = self.topic()
        shown = run([BIN / "aq", "__complete", "--", "-b", self.node.address, "consume", topic[:4]])
        self.assertIn(topic, shown.text.split())

    def test_bash_completion(self):
        topic = self.topic()
        script = (f'source <("{BIN}/aq" completion bash); '
                  f'COMP_LINE="{BIN}/aq -b {self.node.address} consume {topic[:6]}"; '
                  'COMP_POINT=${#COMP_LINE}; COMP_WORDS=($COMP_LINE); '
                  'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _aq; printf "%s\\n" "${COMPREPLY[@]}"')
        ended = run(["bash", "-c", script])
        self.assertEqual(ended.text.split(), [topic], ended)

    def completed_by(self, shell, script, topic):
        """What the shell offers for the beginning of a topic's name. The script loads LOADED, and
        is given the words of the line."""
        if not shutil.which(shell):
            self.skipTest(f"{shell} completion is not tested: there is no {shell}")
        loaded = self.aq("completion", shell).out
        with tempfile.NamedTemporaryFile() as file:
            file.write(loaded)
            file.flush()
            checked = run([shell, "-n", file.name])
            self.assertEqual((checked.code, checked.err), (0, b""))
            env = clean_environment() | {"PATH": f"{BIN}:{os.environ['PATH']}"}
            ended = run([shell, "-c", script.replace("LOADED", file.name), "aq", "-b",
                         self.node.address, "consume", topic[:6]], env=env)
        self.assertEqual((ended.code, ended.err), (0, b""), ended)
        return ended.text.split()

    def test_zsh_completion(self):
        topic = self.topic()
        # The system of completions wants a terminal: in its place are two functions.
        script = ('compdef() { }; compadd() { shift; print -l -- "$@" }; source LOADED; '
                  'words=(aq "$@"); CURRENT=$#words; _aq')
        self.assertEqual(self.completed_by("zsh", script, topic), [topic])

    def test_fish_completion(self):
        topic = self.topic()
        script = 'source LOADED; complete -C "$argv"'
        self.assertEqual(self.completed_by("fish", script, topic), [topic])

    def test_environment(self):
        env = clean_environment()
        env |= {"AQUEDUCT_BROKER": self.node.address, "AQUEDUCT_OUTPUT": "json"}
        ended = run([BIN / "aq", "topic", "list"], env=env)
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("topics", ended.json)

    def test_a_terminal_is_asked_before_a_deletion(self):
        topic = self.topic()
        for answer, gone in ((b"wrong\n", False), (topic.encode() + b"\n", True)):
            leader, follower = pty.openpty()
            process = subprocess.Popen(aq_command(self.node, "topic", "delete", topic),
                                       stdin=follower, stdout=subprocess.PIPE, stderr=follower,
                                       env=clean_environment())
            os.close(follower)
            shown = b""
            while b"to go on" not in shown:
                self.assertTrue(select.select([leader], [], [], 30)[0], shown)
                shown += os.read(leader, 4096)
            self.assertIn(b"0 records", shown)
            os.write(leader, answer)
            process.communicate(timeout=30)
            os.close(leader)
            self.assertEqual(process.returncode, 0 if gone else 1)
            self.assertEqual(topic not in self.aq("topic", "list", "--output", "name").text.split(),
                             gone)


class NodeLife(unittest.TestCase):
    def test_records_survive_a_restart_and_the_files_verify(self):
        node = Node()
        try:
            run(aq_command(node, "topic", "create", "kept", "-p", 2))
            lines = "".join(f"{i}\n" for i in range(20_000))
            self.assertEqual(run(aq_command(node, "produce", "kept"), lines).code, 0)
            self.assertEqual(node.stop(), 0, node.errors())
            checked = run([BIN / "aq", "log", "verify", node.data, "--output", "json"])
            self.assertEqual(checked.code, 0, checked)
            self.assertTrue(all(row["status"] == "ok" for row in checked.json["logs"]))
            self.dump_has(node, 20_000)
            node.start()
            got = run(aq_command(node, "consume", "kept", "-e")).text.split()
            self.assertEqual(sorted(got, key=int), lines.split())
        finally:
            node.close()

    def dump_has(self, node, records):
        seen = 0
        for file in pathlib.Path(node.data).glob("groups/*/*/*.log"):
            if file.parts[-3].startswith("00000000-0000-0000"):
                continue
            entries = run([BIN / "aq", "log", "dump", file, "--output", "json"]).lines
            counted = sum(e["records"] or 0 for e in entries if not e["is_control"])
            shown = run([BIN / "aq", "log", "dump", file, "--records", "--output", "json"]).lines
            self.assertEqual(len(shown), counted)
            seen += counted
        self.assertEqual(seen, records)

    def test_a_check_of_files_draws_a_bar(self):
        node = Node()
        self.addCleanup(node.close)
        run(aq_command(node, "topic", "create", "long"))
        run(aq_command(node, "produce", "long"), "x\n" * 1000)
        self.assertEqual(node.stop(), 0, node.errors())
        topic = next(file.parent for file in pathlib.Path(node.data).glob("groups/*/*/*.log")
                     if not file.parts[-3].startswith("00000000-0000-0000"))
        self.assertRegex(self.held_up(topic), r"\r\x1b\[K▕[█▏▎▍▌▋▊▉░]+▏ +\d+%  .*/s  .* left")
        self.assertNotIn("▕", self.held_up(topic, "--no-progress"))

    def held_up(self, folder, *words):
        """What a terminal is shown of a check that finds a file leased, and waits for it longer
        than for the first bar."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
        with next(folder.glob("*.log")).open("rb+") as file:
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError:
                self.skipTest("the bar of aq log verify is not tested: no leases on this disk")
            leader, follower = pty.openpty()
            process = subprocess.Popen([BIN / "aq", "log", "verify", folder, *words],
                                       stdout=subprocess.DEVNULL, stderr=follower,
                                       env=clean_environment() | {"TERM": "xterm"})
            os.close(follower)
            self.assertTrue(signal.sigtimedwait([signal.SIGIO], 30))
            self.assertEqual(select.select([leader], [], [], 0.2)[0], [])
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        shown = read_terminal(leader)
        self.assertEqual(process.wait(30), 0, shown)
        return shown

    def test_damage_is_found(self):
        node = Node()
        try:
            run(aq_command(node, "topic", "create", "hurt"))
            run(aq_command(node, "produce", "hurt"), "x\n" * 1000)
            self.assertEqual(node.stop(), 0, node.errors())
            with tempfile.TemporaryDirectory() as folder:
                copy = pathlib.Path(folder) / "data"
                shutil.copytree(node.data, copy)
                file = next(f for f in copy.glob("groups/*/*/*.log")
                            if not f.parts[-3].startswith("00000000-0000-0000"))
                data = bytearray(file.read_bytes())
                data[len(bytes(data).rstrip(b"\0")) - 20] ^= 1
                file.write_bytes(data)
                checked = run([BIN / "aq", "log", "verify", copy, "--output", "json"])
                self.assertEqual(checked.code, 65, checked)
                self.assertEqual(checked.json["damaged"], 1)
                self.assertEqual(run([BIN / "aq", "log", "dump", file]).code, 65)
                os.truncate(file, 100)
                self.deletion_says_what_it_does_not_know(copy)
        finally:
            node.close()

    def deletion_says_what_it_does_not_know(self, data):
        node = Node(data=data)
        try:
            plan = run(aq_command(node, "topic", "delete", "hurt", "--dry-run", "--output", "json"))
            self.assertEqual(plan.code, 0, plan)
            self.assertEqual(plan.json["topics"][0]["silent_partitions"], 1)
            asked = run(aq_command(node, "topic", "delete", "hurt"))
            self.assertIn(b"and what is in the 1 that do not answer", asked.err)
        finally:
            node.close()

    def test_shutdown_stops_the_node(self):
        node = Node()
        try:
            refused = run(aq_command(node, "admin", "shutdown"))
            self.assertEqual(refused.code, 64, refused)
            stopped = run(aq_command(node, "admin", "shutdown", "--yes"))
            self.assertEqual(stopped.code, 0, stopped)
            self.assertEqual(node.wait(), 0, node.errors())
        finally:
            node.close()

    def test_a_scrub_names_damage_and_the_rest_is_served(self):
        node = Node("storage.segment-bytes=65536", "storage.preallocate-bytes=0",
                    "storage.index-interval-bytes=1024", "topic.message-bytes-max=65536",
                    "log.level=error")
        try:
            aq = lambda *words, **more: run(aq_command(node, *words), **more)
            self.assertEqual(aq("topic", "create", "t").code, 0)
            lines = "".join(f"{n:06d}{'.' * 1000}\n" for n in range(300))
            sent = aq("produce", "t", "-X", "producer.batch_bytes=4KiB", input=lines)
            self.assertEqual(sent.code, 0, sent)
            topic_id = aq("topic", "describe", "t", "--output", "json").json["id"]
            folder = pathlib.Path(node.data, "groups", topic_id, "0")
            damaged = sorted(folder.glob("*.log"))[1]
            with damaged.open("r+b") as file:
                file.seek(20_000)
                byte = file.read(1)[0]
                file.seek(20_000)
                file.write(bytes([byte ^ 8]))

            found = aq("admin", "scrub", "--output", "json")
            self.assertEqual(found.code, 65, found)
            self.assertEqual(found.json["damaged"], 1)
            self.assertEqual(found.json["damages"][0]["partition"], "t:0")
            self.assertIn(damaged.name, found.json["damages"][0]["problem"])
            self.assertIn(damaged.name, node.errors())
            self.assertEqual(aq("admin", "status", "--output", "json").json["damaged"], 1)
            held = aq("admin", "partitions", "--output", "json").json["partitions"]
            self.assertIn(damaged.name, held[0]["damage"])
            self.assertIsNone(held[0]["error"])

            first = aq("consume", "t", "-n", 50, "-f", "%v\n")
            self.assertEqual(first.code, 0, first)
            self.assertEqual(len(first.out.splitlines()), 50)
            last = aq("consume", "t", "-o", "200", "-n", 100, "-f", "%v\n")
            self.assertEqual(len(last.out.splitlines()), 100)
            self.assertEqual(aq("produce", "t", input="more\n").code, 0)
        finally:
            node.close()

    def test_a_drained_node_serves_those_who_are_there_and_nobody_else(self):
        node = Node()
        try:
            run(aq_command(node, "topic", "create", "t"))
            waiting = subprocess.Popen(aq_command(node, "produce", "t"), stdin=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=clean_environment())
            waiting.stdin.write(b"before\n")
            waiting.stdin.flush()
            while run(aq_command(node, "topic", "offsets", "t", "--output",
                                 "json")).json["offsets"][0]["end"] < 1:
                pass
            self.assertEqual(run(aq_command(node, "admin", "drain")).code, 0)
            status = run(aq_command(node, "admin", "status", "--output", "json"))
            self.assertEqual(status.json["state"], "draining")
            refused = run([BIN / "aq", "-b", node.address, "--timeout", "500ms", "topic", "list"])
            self.assertEqual(refused.code, 69, refused)
            _, said = waiting.communicate(b"after\n", timeout=30)
            self.assertEqual(waiting.returncode, 0, said)
            self.assertIn(b"t/0 @ 0-1", said)
        finally:
            node.close()

    def test_the_log_as_json(self):
        node = Node("log.format=json", "log.level=trace")
        try:
            run(aq_command(node, "topic", "create", 'a "quoted" \\ name'))
            run(aq_command(node, "topic", "create", "plain"))
            run(aq_command(node, "produce", "plain"), "x\n")
            self.assertEqual(node.stop(), 0, node.errors())
            entries = [json.loads(line) for line in node.errors().splitlines()]
            self.assertGreater(len(entries), 5)
            for entry in entries:
                self.assertEqual(set(entry), {"ts", "level", "logger", "msg"})
                self.assertRegex(entry["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            loggers = {entry["logger"] for entry in entries}
            self.assertLessEqual({"node", "controller", "raft"}, loggers)
        finally:
            node.close()


class Examples(NodeTest):
    def example(self, name, *words):
        ended = run([BIN / f"example-{name}", self.node.address, *words])
        self.assertEqual(ended.code, 0, ended)
        return ended.text

    def test_basic(self):
        self.example("basic-producer", "greetings", 3)
        shown = self.example("basic-consumer", "greetings", 3)
        self.assertIn("greetings/0 @ 2  key-2 = hello number 2", shown)

    def test_high_performance(self):
        self.assertIn("50000 stored, 0 failed",
                      self.example("high_performance-async_producer", "load", 50_000, 100))
        self.assertIn("50000 records, 5000000 bytes",
                      self.example("high_performance-push_subscriber", "load", 50_000))

    def test_nobody_there_is_said(self):
        ended = run([BIN / "example-basic-producer", NOBODY, "x"])
        self.assertEqual(ended.code, 1)
        self.assertIn(b"BROKER_UNAVAILABLE", ended.err)


if __name__ == "__main__":
    unittest.main()
