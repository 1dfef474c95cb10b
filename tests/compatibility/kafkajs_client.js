// Describes the cluster, writes two records compressed by gzip, and says what came of it as JSON:
// kafkajs_client.js BROKER TOPIC
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

const [broker, topic] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR });

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  const cluster = await admin.describeCluster();
  const producer = kafka.producer();
  await producer.connect();
  const sent = await producer.send({
    topic,
    acks: -1,
    compression: CompressionTypes.GZIP,
    messages: [{ key: 'a', value: '1', headers: { h: 'x' } }, { key: 'n', value: null }],
  });
  await producer.disconnect();
  const offsets = await admin.fetchTopicOffsets(topic);
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  console.log(JSON.stringify({ cluster, sent, offsets, metadata }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
