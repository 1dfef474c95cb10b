// Reads records of a topic as a member of a group until COUNT different ones have come, and prints
// the value of each, a line each: kafkajs_group.js BROKERS TOPIC GROUP COUNT
const { Kafka, logLevel } = require('kafkajs');

const [brokers, topic, groupId, count] = process.argv.slice(2);
const kafka = new Kafka({
  brokers: brokers.split(','),
  logLevel: process.env.KAFKAJS_LOG ? logLevel.ERROR : logLevel.NOTHING,
});

async function main() {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const values = new Set();
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
    consumer
      .run({
        eachMessage: async ({ message }) => {
          const value = message.value.toString();
          console.log(value);
          if (values.add(value).size === Number(count)) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
