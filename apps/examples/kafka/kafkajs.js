// Writes a record with kafkajs and reads it back in a group (npm install kafkajs):
//
//     node kafkajs.js 127.0.0.1:9092 from-kafkajs
const { Kafka, logLevel } = require('kafkajs');

const [broker, topic] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });

async function main() {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'hello from kafkajs' }] });
  await producer.disconnect();

  const consumer = kafka.consumer({ groupId: `readers-of-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const read = await new Promise((resolve, reject) => {
    const eachMessage = async ({ message }) => resolve(message.value.toString());
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  console.log(read);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
