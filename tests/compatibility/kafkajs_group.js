// Reads records of a topic as a member of a group until COUNT have come, and prints their values as
// JSON: kafkajs_group.js BROKER TOPIC GROUP COUNT
const { Kafka, logLevel } = require('kafkajs');

const [broker, topic, groupId, count] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });

async function main() {
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const values = [];
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    consumer
      .run({
        eachMessage: async ({ message }) => {
          values.push(message.value.toString());
          if (values.length === Number(count)) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  console.log(JSON.stringify(values));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
