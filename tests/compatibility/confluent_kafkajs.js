// What kafkajs' API does where confluent has put it on librdkafka: makes, fills, reads and deletes
// a topic, and prints what came of it as JSON: confluent_kafkajs.js BROKERS TOPIC CODEC
const { ConsumerGroupStates, KafkaJS } = require('@confluentinc/kafka-javascript');

const [brokers, topic, compression] = process.argv.slice(2);
const kafka = new KafkaJS.Kafka({
  kafkaJS: { brokers: brokers.split(','), logLevel: KafkaJS.logLevel.NOTHING },
});
const groupId = `${topic}-readers`;

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  const created = await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
  const producer = kafka.producer({ kafkaJS: { idempotent: true, compression } });
  await producer.connect();
  const messages = ['1', '2', null].map((value, i) => ({ key: `k${i}`, value, partition: 0,
    headers: { h: 'x' } }));
  const sent = await producer.send({ topic, messages });
  await producer.disconnect();
  const consumer = kafka.consumer({ kafkaJS: { groupId, fromBeginning: true, autoCommit: false } });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  const read = [];
  await new Promise((resolve, reject) => {
    consumer.run({ eachMessage: async ({ message: { key, value, headers } }) => {
      read.push([key, value, headers.h].map((bytes) => (bytes ? bytes.toString() : null)));
      if (read.length === messages.length) resolve();
    } }).catch(reject);
  });
  await consumer.commitOffsets([{ topic, partition: 0, offset: '2' }]);
  await consumer.disconnect();
  const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const ends = await admin.fetchTopicOffsets(topic);
  const groups = (await admin.describeGroups([groupId])).groups.map(({ state }) => state);
  await admin.deleteGroups([groupId]);
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
  console.log(JSON.stringify({
    created, sent: sent.map(({ errorCode }) => errorCode), read,
    committed: offsets.partitions.filter(({ offset }) => offset !== '-1001')
      .map(({ partition, offset }) => [partition, Number(offset)]),
    ends: ends.map(({ partition, low, high }) => [partition, Number(low), Number(high)]).sort(),
    isEmpty: groups.map((state) => state === ConsumerGroupStates.EMPTY),
  }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
