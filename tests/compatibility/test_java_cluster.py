"""Kafka's own tools against three nodes, some of which are killed; ./dev compat --java DIR."""

import json
import re
import tempfile
import unittest

import wire
from clients import Program, kcat, numbers
from cluster import Cluster, ClusterTest, wait_for
from java_tools import Java, JavaCalls, JavaProgram, Member

from confluent_kafka import Producer

RECORDS = 100_000


class JavaCluster(JavaCalls, ClusterTest):
    def kcat(self, *words, **options):
        return kcat(self.cluster, *words, **options)

    def mover(self, replicas):
        """Runs the tool that moves replicas with its file: {(topic, partition): brokers}."""
        file = tempfile.NamedTemporaryFile("w", suffix=".json")
        self.addCleanup(file.close)
        json.dump({"version": 1, "partitions": [
            {"topic": topic, "partition": partition, "replicas": to}
            for (topic, partition), to in replicas.items()]}, file)
        file.flush()
        return lambda *words, **options: self.java(
            "reassign-partitions", *words, "--reassignment-json-file", file.name, **options).text

    def end(self, topic):
        with wire.Connection(self.cluster[self.leader(topic)].address) as connection:
            return connection.list_offsets(topic, 4, -1)[0][1]


class Operators(JavaCluster):
    def test_every_broker_lists_its_versions(self):
        shown = self.java("broker-api-versions").text
        self.assertEqual(sorted(re.findall(r"\(id: (\d+) ", shown)), ["1", "2", "3"])

    def test_topics_have_replicas(self):
        topics = lambda *words: self.java("topics", *words).text
        topics("--create", "--topic", "a", "--partitions", 3, "--replication-factor", 3)
        rows = re.findall(r"Partition: (\d)\tLeader: (\d)\tReplicas: (\S+)\tIsr: (\S+)",
                          topics("--describe", "--topic", "a"))
        self.assertEqual([row[0] for row in rows], ["0", "1", "2"])
        for _, leader, replicas, alive in rows:
            self.assertIn(leader, ["1", "2", "3"])
            self.assertEqual(sorted(replicas.split(",")), ["1", "2", "3"])
            self.assertEqual(sorted(alive.split(",")), ["1", "2", "3"])
        self.assertIn("InvalidReplicationFactorException",
                      self.refused("topics", "--create", "--topic", "b", "--replication-factor", 9))
        topics("--alter", "--topic", "a", "--partitions", 6)
        self.assertEqual(topics("--describe", "--topic", "a").count("Partition: "), 6)
        topics("--delete", "--topic", "a")
        self.assertNotIn("a", topics("--list").split())

    def test_logs_of_all_brokers_are_measured(self):
        topic = self.topic()
        shown = self.java("log-dirs", "--describe", "--broker-list", "1,2,3", "--topic-list",
                          topic).text
        brokers = json.loads(shown.splitlines()[-1])["brokers"]
        self.assertEqual(sorted(row["broker"] for row in brokers), [1, 2, 3])
        for broker in brokers:
            self.assertEqual([row["partition"] for row in broker["logDirs"][0]["partitions"]],
                             [f"{topic}-0"])

    def test_groups_of_all_coordinators_are_listed(self):
        topic = self.topic()
        groups = [f"listed-{i}" for i in range(8)]
        for group in groups:
            self.aq("group", "seek", group, "--topic", topic, "--to", "start")
        listed = self.java("consumer-groups", "--list").text.split()
        self.assertLessEqual(set(groups), set(listed))
        described = self.java("consumer-groups", "--describe", "--all-groups", "--state").text
        at = dict(re.findall(r"^(listed-\d)\s+\S+\s+\((\d)\)", described, re.MULTILINE))
        self.assertEqual(set(at), set(groups))
        self.assertGreater(len(set(at.values())), 1, "one broker coordinates them all")

    def test_preferred_replicas_are_elected(self):
        topic = self.topic()
        preferred = self.partitions(topic)[0]["replicas"][0]
        self.transfer(topic, preferred % 3 + 1)
        elect = lambda *words: self.java("leader-election", "--election-type", *words,
                                         "--topic", topic, "--partition", 0).text
        # The cluster may have been quicker.
        self.assertRegex(elect("preferred"),
                         r"Successfully completed leader election|Valid replica already elected")
        self.assertEqual(self.leader(topic), preferred)
        self.assertIn("Valid replica already elected", elect("preferred"))
        self.assertIn("Valid replica already elected", elect("unclean"))
        self.assertEqual(self.leader(topic), preferred)

    def test_replicas_are_moved(self):
        topic = self.topic(1, 1)
        kcat(self.cluster, "-P", "-t", topic, input=numbers(0, 1000))
        old = self.leader(topic)
        new = self.cluster.others(old)
        move = self.mover({(topic, 0): new})
        self.assertIn("Successfully started partition reassignment", move("--execute"))
        while "still in progress" in (shown := move("--verify", "--preserve-throttles")):
            pass  # each look starts a machine of its own
        self.assertIn(f"Reassignment of partition {topic}-0 is completed.", shown)
        # What is left of Kafka's throttles is taken away.
        self.assertIn("Clearing broker-level throttles", move("--verify"))
        self.assertIn("No partition reassignments found",
                      self.java("reassign-partitions", "--list").text)
        self.assertEqual(sorted(self.partitions(topic)[0]["replicas"]), new)
        self.assertEqual(self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q").out,
                         numbers(0, 1000))


class Cancelled(JavaCluster):
    """Moves to a broker that is dead but counts as there as long as the test runs: they do not come
    to an end."""

    @classmethod
    def setUpClass(cls):
        Java.require()
        cls.cluster = Cluster("cluster.session-timeout=10m")

    def listed(self):
        """{partition: (replicas, adding, removing)} of the moves that are under way."""
        shown = self.java("reassign-partitions", "--list").text
        numbers = lambda text: sorted(map(int, text.split(","))) if text else []
        rows = re.findall(r"^(\S+): replicas: (\S+)\.(?: adding: (\S+)\.)?"
                          r"(?: removing: (\S+)\.)?$", shown, re.MULTILINE)
        self.assertEqual(rows == [], "No partition reassignments found" in shown, shown)
        return {name: tuple(map(numbers, sets)) for name, *sets in rows}

    def wait_for_moves(self, wanted):
        """Until these are under way; each look starts a machine of its own."""
        wait_for(f"only these move: {wanted}", lambda: self.listed() == wanted, 60)

    def held(self, *topics):
        """{broker: names of the partitions that it has}, of those brokers that run."""
        shown = self.java("log-dirs", "--describe", "--topic-list", ",".join(topics),
                          "--broker-list", ",".join(str(n) for n, node in self.cluster.nodes.items()
                                                    if node.runs)).text
        return {row["broker"]: {part["partition"] for log in row["logDirs"]
                                for part in log["partitions"]}
                for row in json.loads(shown.splitlines()[-1])["brokers"]}

    def clients(self, topic, partition):
        """Has numbers written and read: a call goes on from one number to another."""
        producer = Producer({"bootstrap.servers": self.cluster.address, "log_level": 2,
                             "enable.idempotence": True})
        consumer = self.beside(Program(
            "kcat", "-C", "-b", self.cluster.address, "-t", topic, "-p", partition, "-q", "-u",
            "-o", "beginning", "-X", "check.crcs=true"))

        def go_on(first, last):
            for number in range(first, last):
                producer.produce(topic, str(number), partition=partition)
            self.assertEqual(producer.flush(30), 0)
            consumer.wait_for(f"{last} are read", lambda _: len(consumer.lines) >= last)
            self.assertEqual(consumer.printed, numbers(0, last))
        return go_on

    def test_moves_are_cancelled_while_clients_go_on(self):
        """One to another replica, and one to two of which one can be made."""
        pair, single = "pair", "single"
        self.aq("topic", "create", pair, "-r", 2)
        self.aq("topic", "create", single, "-p", 3, "-r", 1)
        self.leader(pair)
        ((stays, leaves),) = (row["replicas"] for row in self.partitions(pair))
        (target,) = {1, 2, 3} - {stays, leaves}
        places = [row["replicas"] for row in self.partitions(single)]
        part = places.index([stays])
        first, second = f"{pair}-0", f"{single}-{part}"
        move_first = self.mover({(pair, 0): [stays, target]})
        move_second = self.mover({(single, part): [leaves, target]})
        clients = (self.clients(pair, 0), self.clients(single, part))
        go_on = lambda begin, end: [each(begin, end) for each in clients]
        self.cluster[target].kill()
        go_on(0, 1000)

        for move in (move_first, move_second):
            self.assertIn("Successfully started partition reassignment",
                          move("--execute", "--additional"))
        under_way = {first: ([1, 2, 3], [target], [leaves]),
                     second: ([1, 2, 3], sorted([leaves, target]), [stays])}
        self.assertEqual(self.listed(), under_way)
        go_on(1000, 2000)
        self.assertIn(f"{first} is still in progress", move_first("--verify",
                                                                  "--preserve-throttles"))
        wait_for("the replica is made that can be", lambda: second in self.held(single)[leaves])

        # Throttles would be taken from the broker that is dead.
        cancel = lambda move: move("--cancel", "--preserve-throttles")
        self.assertIn(f"Successfully cancelled partition reassignment for: {first}",
                      cancel(move_first))
        self.wait_for_moves({second: under_way[second]})
        self.assertEqual([row["replicas"] for row in self.partitions(pair)], [[stays, leaves]])
        self.assertIn("None of the specified partition reassignments are active",
                      cancel(move_first))
        self.assertRegex(move_first("--verify", "--preserve-throttles"),
                         f"no active reassignment of partition {first}, but replica set is "
                         f"{stays},{leaves} rather than {stays},{target}")
        go_on(2000, 3000)

        self.assertIn(f"Successfully cancelled partition reassignment for: {second}",
                      cancel(move_second))
        self.wait_for_moves({})
        self.assertEqual([row["replicas"] for row in self.partitions(single)], places)
        wait_for("who had a replica has it alone", lambda: self.held(pair, single) == {
            stays: {first, second}, leaves: {first, f"{single}-{places.index([leaves])}"}})
        go_on(3000, 4000)

        self.cluster.heal()
        self.assertEqual(self.listed(), {})
        self.assertEqual(self.held(pair, single)[target],
                         {f"{single}-{places.index([target])}"})
        go_on(4000, 5000)


class Killed(JavaCluster):
    def test_a_producer_loses_and_doubles_nothing(self):
        topic = self.topic()
        producer = self.beside(JavaProgram(
            "producer-perf-test", "--topic", topic, "--num-records", RECORDS,
            "--payload-monotonic", "--throughput", 20_000, "--producer-props",
            f"bootstrap.servers={self.cluster.address}"))
        producer.wait_for("it has begun", lambda _: self.end(topic) > 0)
        self.cluster[self.leader(topic)].kill()
        self.assertIn(f"{RECORDS} records sent".encode(), producer.end())
        self.assertEqual(self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q",
                                   "-X", "check.crcs=true").out, numbers(0, RECORDS))

    def test_a_consumer_reads_on(self):
        topic = self.topic()
        self.kcat("-P", "-t", topic, input=numbers(0, RECORDS))
        consumer = self.beside(Member(self.cluster, "read-on", topic, "--max-messages",
                                      RECORDS + 1000))
        consumer.wait_for("it has begun", lambda _: consumer.counted > 0)
        leader = self.leader(topic)
        self.cluster[leader].kill()
        self.kcat("-P", "-t", topic, input=numbers(RECORDS, RECORDS + 1000))
        consumer.end()
        self.assertEqual(consumer.values, [str(i) for i in range(RECORDS + 1000)])

    def test_a_group_goes_on_without_its_coordinator(self):
        topic, group = self.topic(4), "coordinated"
        member = self.beside(Member(self.cluster, group, topic))
        member.wait_for("it has all", lambda _: member.shares == {0, 1, 2, 3})
        self.kcat("-P", "-t", topic, input=numbers(0, 1000))
        member.wait_for("all is read and committed", lambda _: (
            member.counted == 1000 and self.committed(group) == 1000))
        with wire.Connection(self.cluster[1].address) as connection:
            found = connection.call(wire.FIND_COORDINATOR, 0, wire.text(group))
        error, coordinator = found.take("hi")
        self.assertEqual(error, 0)
        self.cluster[coordinator].kill()
        self.kcat("-P", "-t", topic, input=numbers(1000, 2000))
        member.wait_for("the rest is read and committed", lambda _: (
            member.counted == 2000 and self.committed(group) == 2000))
        self.assertEqual(member.named("partitions_revoked"), [])  # it was a member all the time
        self.assertEqual(sorted(map(int, member.values)), list(range(2000)))
        state = self.java("consumer-groups", "--describe", "--group", group, "--state").text
        self.assertIn("Stable", state)
        self.assertNotIn(self.cluster[coordinator].address, state)

    def committed(self, group):
        described = self.aq("group", "describe", group, "--output", "json", code=None)
        # A partition of which nothing is committed yet has none.
        return sum(row["offset"] or 0 for row in described.json["partitions"]) if (
            described.code == 0) else -1


if __name__ == "__main__":
    unittest.main()
