"""Clients of Kafka write and read on three nodes, of which one after the other is killed: ./dev
compat --soak MINUTES. At the end everything that was acknowledged has been read, and is in the log,
once where the producer is idempotent; and no client has logged an error but for nodes that were not
there.

A seed that is printed gives the same kills again with AQUEDUCT_COMPAT_SEED, though not at the same
moments."""

import collections
import os
import random
import re
import signal
import sys
import threading
import time

from clients import FOLDER, Kafkajs, Program, kcat
from cluster import Cluster, wait_for
from support import aq_command, run

PARTITIONS = 3
STEP_SECONDS = 0.05
STEP_RECORDS = 20
# A writer that waits for a leader is sent no more.
UNACKNOWLEDGED_MAX = 2000
END_SECONDS = 180
# How long all nodes run, and how long one is dead.
CALM_SECONDS, DEAD_SECONDS = (3, 8), (1, 4)
READ_BYTES = 1 << 20

# Lines of level error, by the way that clients of each kind log.
LIBRDKAFKA = re.compile(r"^%[0-3]\|.*|^% (?:ERROR|Fatal).*", re.MULTILINE)
PYTHON = re.compile(r"^(?:ERROR|CRITICAL) .*", re.MULTILINE)
KAFKAJS = re.compile(r'^\{"level":"ERROR".*|^\S*Error.*', re.MULTILINE)
# What they may say: a node is gone, or leads or coordinates no more. A leader that steps down
# answers that a request timed out, when nobody knows yet whether its records will be stored; a
# member that was away commits for the generation in which it was there; kafkajs announces each new
# attempt.
ALLOWED = tuple(map(re.compile, (
    r"Connection refused|ECONNREFUSED|returned error (?:104|111)\b",
    r"Connection reset by peer|ECONNRESET|Broken pipe|EPIPE",
    r"[Dd]isconnected|Closed connection|socket hang up",
    r"Error (?:receiving network|sending request) data",
    r"brokers are down",
    r"not the leader|leadership election",
    r"The request timed out",
    r"not the correct coordinator|coordinator is loading|coordinator is not available",
    r"group is rebalancing|generation id is not valid",
    r"Restarting the consumer in")))


class Tail:
    """The whole lines of a file that grows."""

    def __init__(self, program, file):
        self.program, self.file, self.at, self.begun = program, file, 0, b""

    def new(self):
        """Those that came since the last time."""
        lines = []
        while data := os.pread(self.file.fileno(), READ_BYTES, self.at):
            self.at += len(data)
            *whole, self.begun = (self.begun + data).split(b"\n")
            lines += whole
        return lines


class Client:
    """A kind of client: its writer is fed numbers, and its group reads them."""

    def __init__(self, name, topic, errors, once=True):
        self.name, self.topic, self.errors, self.once = name, topic, errors, once
        self.sent, self.acknowledged = 0, 0
        self.read, self.reads = set(), 0
        self.programs, self.members = [], []

    def start(self, *command, env=None):
        program = Program(*command, env=env)
        self.programs.append(program)
        return program

    def write_with(self, program):
        self.writer, self.reports = program, self.reports_of(program)

    def reports_of(self, program):
        return Tail(program, program.out)

    def is_report(self, line):
        return line.isdigit()

    def read_with(self, program):
        self.members.append(Tail(program, program.out))

    def look(self):
        self.acknowledged += sum(map(self.is_report, self.reports.new()))
        for member in self.members:
            values = list(map(int, member.new()))
            self.reads += len(values)
            self.read.update(values)

    def may_send(self):
        return self.sent - self.acknowledged < UNACKNOWLEDGED_MAX

    def feed(self):
        if self.may_send():
            last = self.sent + STEP_RECORDS
            numbers = "".join(f"{i}\n" for i in range(self.sent, last)).encode()
            try:
                self.writer.write(numbers)
            except BrokenPipeError:
                raise AssertionError(f"{self.name} ended: {self.writer.said[-3000:]}") from None
            self.sent = last

    def is_done(self):
        self.look()
        return len(self.read) == self.sent

    def complaints(self):
        """Lines of level error that are not about nodes which were not there, and programs that
        ended before they were to."""
        lines = [line for program in self.programs for line in self.errors.findall(program.said)]
        by_reason = collections.Counter(next(
            (reason.pattern for reason in ALLOWED if reason.search(line)), None) for line in lines)
        by_reason.pop(None, None)
        for reason, times in sorted(by_reason.items()):
            print(f"    {times} lines may be: {reason}", flush=True)
        ended = [f"a program ended: {program.said[-1000:]}" for program in self.programs
                 if program.process.poll() not in (None, -signal.SIGKILL, 0)]
        return ended + [line for line in lines if not any(one.search(line) for one in ALLOWED)]


class Kcat(Client):
    """Of each record it says that it was delivered, not of which. Its members are killed, too."""

    def __init__(self, brokers):
        super().__init__("kcat", "soak-kcat", LIBRDKAFKA)
        self.brokers = brokers

    def begin(self):
        # What is to one partition is delivered in order. Without -E kcat ends when the only node
        # dies that it is connected to.
        self.write_with(self.start("kcat", "-P", "-E", "-b", self.brokers.address, "-t",
                                   self.topic, "-p", "0", "-vvv", "-X",
                                   "enable.idempotence=true"))
        for _ in range(2):
            self.join()

    def join(self):
        self.read_with(self.start("kcat", "-E", "-b", self.brokers.address, "-G", self.topic, "-q",
                                  "-u", "-f", "%s\\n", "-X", "auto.offset.reset=earliest",
                                  "-X", "session.timeout.ms=6000", self.topic))

    def replace_a_member(self, dice):
        running = [one.program for one in self.members if one.program.process.poll() is None]
        dice.choice(running).process.kill()
        self.join()

    def may_send(self):
        # While it waits for input it hears of no delivery.
        return True

    def reports_of(self, program):
        return Tail(program, program.err)

    def is_report(self, line):
        return b"% Message delivered" in line


class Python(Client):
    """confluent-kafka or kafka-python, which has no idempotence."""

    def __init__(self, name, brokers, errors, once):
        super().__init__(name, f"soak-{name}", errors, once)
        self.brokers = brokers

    def begin(self):
        command = lambda what: ("/usr/bin/python3", "-B", FOLDER / "soak_client.py", self.name,
                                what, self.brokers.address, self.topic, PARTITIONS)
        self.write_with(self.start(*command("write")))
        self.read_with(self.start(*command("read")))


class KafkaJs(Client):
    def __init__(self, brokers):
        super().__init__("kafkajs", "soak-kafkajs", KAFKAJS)
        self.brokers = brokers

    def begin(self):
        env = {**Kafkajs.environment(), "KAFKAJS_LOG": "1"}
        self.write_with(self.start(*Kafkajs.command(
            "kafkajs_writer.js", self.brokers, self.topic, PARTITIONS, "true"), env=env))
        # It ends when it has read so many, which is never.
        self.read_with(self.start(*Kafkajs.command(
            "kafkajs_group.js", self.brokers, self.topic, self.topic, -1), env=env))


class Killer:
    """Kills nodes, one at a time, and the members of kcat's group."""

    def __init__(self, cluster, dice, kcat_client):
        self.cluster, self.dice, self.kcat = cluster, dice, kcat_client
        self.kills, self.dead = 0, None
        self.next = time.monotonic() + dice.uniform(*CALM_SECONDS)

    def go_on(self):
        if time.monotonic() < self.next:
            return
        if self.dead is None:
            self.dead = self.cluster[self.dice.choice(list(self.cluster.nodes))]
            self.dead.kill()
            self.kills += 1
            if self.kills % 3 == 0:
                self.kcat.replace_a_member(self.dice)
            self.next = time.monotonic() + self.dice.uniform(*DEAD_SECONDS)
        else:
            self.cluster.heal()
            self.dead = None
            self.next = time.monotonic() + self.dice.uniform(*CALM_SECONDS)


def log_of(cluster, topic):
    """How often each number is there; the replica that serves it is checked byte by byte."""
    found = collections.Counter()
    for partition in range(PARTITIONS):
        shown = kcat(cluster, "-C", "-t", topic, "-p", str(partition), "-o", "beginning", "-e",
                     "-q", "-X", "check.crcs=true", "-f", "%s\n").out
        found.update(map(int, shown.split()))
    return found


def verified(cluster, client):
    """What is wrong, a sentence each."""
    wrong = []
    found = log_of(cluster, client.topic)
    if client.acknowledged != client.sent:
        wrong.append(f"{client.sent} were sent, {client.acknowledged} acknowledged")
    if missing := set(range(client.sent)) - set(found):
        wrong.append(f"{len(missing)} are not in the log: {sorted(missing)[:5]}")
    doubled = [number for number, times in found.items() if times > 1]
    if client.once and doubled:
        wrong.append(f"{len(doubled)} are there more than once: {sorted(doubled)[:5]}")
    if unread := set(range(client.sent)) - client.read:
        wrong.append(f"{len(unread)} were not read: {sorted(unread)[:5]}")
    print(f"{client.name}: {client.sent} written, {len(found)} in the log, of these "
          f"{len(doubled)} more than once; {client.reads} read", flush=True)
    if complaints := client.complaints():
        wrong.append("\n".join([f"{len(complaints)} errors are logged:", *complaints[:10]]))
    return [f"{client.name}: {each}" for each in wrong]


def soak(cluster, clients, dice, seconds):
    for client in clients:
        ended = run(aq_command(cluster, "topic", "create", client.topic, "-p", PARTITIONS,
                               "-r", 3))
        assert ended.code == 0, ended
        client.begin()
    killer = Killer(cluster, dice, clients[0])
    pace = threading.Event()  # of the writers; nobody sets it
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            client.look()
            client.feed()
        killer.go_on()
        pace.wait(STEP_SECONDS)
    cluster.heal()
    for client in clients:
        client.writer.end()
    for client in clients:
        try:
            wait_for(f"{client.name} has read all", client.is_done, END_SECONDS)
        except AssertionError as late:
            print(late, flush=True)
    print(f"nodes were killed {killer.kills} times", flush=True)
    return [each for client in clients for each in verified(cluster, client)]


def main(minutes):
    seed = int(os.environ.get("AQUEDUCT_COMPAT_SEED") or time.time_ns() % 2**32)
    print(f"seed {seed}, {minutes} minutes", flush=True)
    cluster = Cluster()
    clients = [Kcat(cluster), Python("confluent", cluster, LIBRDKAFKA, True),
               Python("kafka-python", cluster, PYTHON, False)]
    if why := Kafkajs.reason_to_skip():
        print(why)
    else:
        clients.append(KafkaJs(cluster))
    try:
        wrong = soak(cluster, clients, random.Random(seed), 60 * minutes)
    finally:
        for client in clients:
            for program in client.programs:
                program.__exit__()
        cluster.close()
    print("\n".join(wrong) or "all that was acknowledged was read, and no client complained")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
