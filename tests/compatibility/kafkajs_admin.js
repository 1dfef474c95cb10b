// Creates a topic, grows it, changes its settings, deletes its records and the topic, and says what
// came of it as JSON: kafkajs_admin.js BROKER TOPIC
const { Kafka, ConfigResourceTypes, logLevel } = require('kafkajs');

const [broker, topic] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  const said = {};
  said.created = await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
  said.again = await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
  const configEntries = [{ name: 'retention.ms', value: '3600000' }];
  await admin.alterConfigs({ resources: [{ ...resource, configEntries }] });
  const described = await admin.describeConfigs({
    resources: [{ ...resource, configNames: ['retention.ms'] }],
  });
  said.settings = described.resources[0].configEntries.map((e) => [e.configName, e.configValue]);
  const producer = kafka.producer();
  await producer.connect();
  const messages = ['1', '2', '3'].map((value) => ({ value, partition: 0 }));
  await producer.send({ topic, messages });
  await producer.disconnect();
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
  said.offsets = (await admin.fetchTopicOffsets(topic)).sort((a, b) => a.partition - b.partition);
  await admin.deleteTopics({ topics: [topic] });
  said.left = (await admin.listTopics()).includes(topic);
  await admin.disconnect();
  console.log(JSON.stringify(said));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
