"""kafkajs, where npm is there to bring it, on one node and on three."""

from clients import Kafkajs, kcat, numbers
from cluster import ClusterTest, wait_for
from support import NodeTest

# Reads with an assigned offset for as long as it takes, without a group of others.
READ = """
const consumer = kafka.consumer({ groupId: topic + '-reader', maxWaitTimeInMs: 100 });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
const read = [];
await new Promise((resolve, reject) => {
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
  consumer.run({ autoCommit: false, eachMessage: async ({ message }) => {
    read.push([message.key, message.value, message.headers.h]);
    if (read.length === COUNT) resolve();
  } }).catch(reject);
});
await consumer.disconnect();
return read.map((row) => row.map((bytes) => (bytes ? bytes.toString() : bytes)));
"""


class KafkajsTests:
    @classmethod
    def setUpClass(cls):
        Kafkajs.require()
        super().setUpClass()

    def js(self, topic, body):
        return Kafkajs.run("kafkajs_run.js", self.brokers, topic, body)

    def test_the_cluster_is_described(self):
        cluster = self.js("", "return admin.describeCluster()")
        self.assertEqual([f"{row['host']}:{row['port']}" for row in cluster["brokers"]],
                         sorted(self.brokers.addresses))
        self.assertIn(cluster["controller"], [row["nodeId"] for row in cluster["brokers"]])
        self.assertTrue(cluster["clusterId"])

    def test_a_batch_is_written_and_read(self):
        topic = self.topic()
        sent = self.js(topic, """
            const producer = kafka.producer();
            await producer.connect();
            const sent = await producer.send({ topic, acks: -1, compression: CompressionTypes.GZIP,
              messages: [{ key: 'a', value: '1', headers: { h: 'x' } }, { key: 'n', value: null }],
            });
            await producer.disconnect();
            return sent;""")
        self.assertEqual([(row["errorCode"], row["baseOffset"]) for row in sent], [(0, "0")])
        shown = kcat(self.brokers, "-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true",
                     "-f", "%k %S %s %h\n")
        self.assertEqual(shown.text, "a 1 1 h=x\nn -1  \n")
        self.assertEqual(self.js(topic, READ.replace("COUNT", "2")),
                         [["a", "1", "x"], ["n", None, None]])
        self.assertEqual(self.js(topic, "return admin.fetchTopicOffsets(topic)"),
                         [{"partition": 0, "offset": "2", "high": "2", "low": "0"}])

    def test_what_kcat_wrote_is_read(self):
        topic = self.topic()
        for codec in ("none", "gzip"):
            kcat(self.brokers, "-P", "-t", topic, "-X", f"compression.codec={codec}", "-K:", "-H",
                 "h=x", input=b"k:1\nk:2\n")
        self.assertEqual(self.js(topic, READ.replace("COUNT", "4")),
                         [["k", "1", "x"], ["k", "2", "x"]] * 2)

    def test_a_group_reads_on_where_it_was(self):
        topic = self.topic(3)
        for first in (0, 50):
            self.aq("produce", topic, input=numbers(first, first + 50))
            with Kafkajs.start("kafkajs_group.js", self.brokers, topic, topic, "50") as member:
                read = [int(line) for line in member.end().split()]
            self.assertEqual(sorted(read), list(range(first, first + 50)))

    def test_offsets_are_committed_by_hand(self):
        topic = self.topic()
        self.aq("produce", topic, input=numbers(0, 10))
        body = """
            const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
            await consumer.connect();
            await consumer.subscribe({ topics: [topic], fromBeginning: true });
            const offset = await new Promise((resolve, reject) => {
              consumer.run({ autoCommit: false, eachMessage: async ({ message }) => {
                if (message.offset === FIRST || message.offset === '7') resolve(message.offset);
              } }).catch(reject);
            });
            await consumer.commitOffsets([{ topic, partition: 0, offset: '4' }]);
            await consumer.disconnect();
            return [offset, await admin.fetchOffsets({ groupId: topic, topics: [topic] })];"""
        for first in ("'0'", "'4'"):
            offset, committed = self.js(topic, body.replace("FIRST", first))
            self.assertEqual(offset, first.strip("'"))
            self.assertEqual(committed, [{"topic": topic, "partitions": [
                {"partition": 0, "offset": "4", "metadata": None}]}])
        never = self.js(topic, "return admin.fetchOffsets({ groupId: 'never', topics: [topic] })")
        self.assertEqual(never[0]["partitions"][0]["offset"], "-1")

    def test_offsets_are_reset_and_groups_deleted_without_members_only(self):
        topic = self.topic()
        self.aq("produce", topic, input=numbers(0, 10))
        said = self.js(topic, """
            const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
            await consumer.connect();
            await consumer.subscribe({ topics: [topic], fromBeginning: true });
            await new Promise((resolve, reject) => {
              consumer.run({ eachMessage: async ({ message }) => {
                if (message.offset === '9') resolve();
              } }).catch(reject);
            });
            const reset = { groupId: topic, topic, earliest: true };
            const live = [await failure(admin.resetOffsets(reset)),
                          await failure(admin.deleteGroups([topic])),
                          (await admin.describeGroups([topic])).groups[0].state,
                          (await admin.listGroups()).groups.some((g) => g.groupId === topic)];
            await consumer.disconnect();
            const state = (await admin.describeGroups([topic])).groups[0].state;
            await admin.resetOffsets(reset);
            const offsets = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
            const deleted = await admin.deleteGroups([topic]);
            const gone = (await admin.listGroups()).groups.every((g) => g.groupId !== topic);
            return { live, state, offset: offsets[0].partitions[0].offset, deleted, gone };""")
        reset, deleted, state, listed = said["live"]
        self.assertIn("must have no running instances", reset["message"])
        self.assertNotIn("returned", deleted)
        self.assertEqual((state, listed), ("Stable", True))
        # It commits -2, which stands for the start; there is no offset then.
        self.assertEqual((said["offset"], said["state"], said["deleted"][0]["errorCode"],
                          said["gone"]), ("-1", "Empty", 0, True))

    def test_topics_are_created_grown_and_deleted(self):
        said = self.js("by-kafkajs", """
            const numPartitions = 2;
            const created = await admin.createTopics({ topics: [{ topic, numPartitions }] });
            const again = await admin.createTopics({ topics: [{ topic, numPartitions }] });
            await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
            await until(async () => {
              const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
              return topics[0].partitions.length === 3;
            });
            const producer = kafka.producer();
            await producer.connect();
            const messages = ['1', '2', '3'].map((value) => ({ value, partition: 0 }));
            await producer.send({ topic, messages });
            await producer.disconnect();
            await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
            const offsets = await admin.fetchTopicOffsets(topic);
            await admin.deleteTopics({ topics: [topic] });
            await until(async () => !(await admin.listTopics()).includes(topic));
            return { created, again, offsets };""")
        self.assertEqual((said["created"], said["again"]), (True, False))
        offsets = sorted(said["offsets"], key=lambda row: row["partition"])
        self.assertEqual([(row["low"], row["high"]) for row in offsets],
                         [("2", "3"), ("0", "0"), ("0", "0")])

    def test_replicas_are_moved_where_there_are_brokers(self):
        said = self.js(self.topic(), """
            const move = (replicas) => failure(admin.alterPartitionReassignments(
              { topics: [{ topic, partitionAssignment: [{ partition: 0, replicas }] }] }));
            const { brokers } = await admin.describeCluster();
            const refused = await move([77]);
            const moved = await move(brokers.slice(0, 1).map(({ nodeId }) => nodeId));
            await until(async () => {
              const { topics } = await admin.listPartitionReassignments({});
              return topics.length === 0;
            });
            return { refused, moved };""")
        self.assertEqual(said["refused"]["type"], "INVALID_REPLICA_ASSIGNMENT")
        self.assertNotIn("type", said["moved"])

    def test_what_cannot_be_created_is_refused(self):
        create = "return failure(admin.createTopics({ topics: [%s] }))"
        for topic, error in (("{ topic: 'a', replicationFactor: 9 }", "INVALID_REPLICATION_FACTOR"),
                             ("{ topic: 'a b' }", "INVALID_TOPIC_EXCEPTION"),
                             ("{ topic: 'a', numPartitions: 0 }", "INVALID_PARTITIONS"),
                             ("{ topic: 'a', configEntries: [{ name: 'retention.ms', "
                              "value: 'soon' }] }", "INVALID_CONFIG")):
            with self.subTest(error):
                self.assertEqual(self.js("", create % topic)["type"], error)

    def test_settings_are_changed_and_described(self):
        topic = self.topic()
        said = self.js(topic, """
            const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
            const alter = (value) => admin.alterConfigs({ resources: [
              { ...resource, configEntries: [{ name: 'max.message.bytes', value }] }] });
            await alter('2000000');
            const refused = await failure(alter('many'));
            const entries = await until(async () => {
              const { resources } = await admin.describeConfigs({ resources: [resource] });
              const found = resources[0].configEntries;
              return found.some(({ isDefault }) => !isDefault) && found;
            });
            return { refused, entries };""")
        self.assertEqual(said["refused"]["type"], "INVALID_CONFIG")
        changed = {row["configName"]: row["configValue"] for row in said["entries"]
                   if not row["isDefault"]}
        self.assertEqual(changed, {"max.message.bytes": "2000000"})
        self.assertIn("retention.ms", [row["configName"] for row in said["entries"]])


class OneNode(KafkajsTests, NodeTest):
    pass


class ThreeNodes(KafkajsTests, ClusterTest):
    def test_a_replica_is_moved(self):
        name = self.id().split(".")[-1]
        self.aq("topic", "create", name, "-r", 1)
        there = self.leader(name)
        to = there % 3 + 1
        self.js(name, """
            await admin.alterPartitionReassignments({ topics: [
              { topic, partitionAssignment: [{ partition: 0, replicas: [%d] }] }] });""" % to)
        wait_for("it has moved", lambda: self.partitions(name)[0]["replicas"] == [to])
        wait_for("nothing moves", lambda: self.js(
            name, "return (await admin.listPartitionReassignments({})).topics") == [])
