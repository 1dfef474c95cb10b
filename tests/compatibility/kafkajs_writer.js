// Writes each number that it reads, a line each, to the partition of its remainder, and prints it
// when it is acknowledged: kafkajs_writer.js BROKERS TOPIC PARTITIONS IDEMPOTENT
const readline = require('readline');
const { Kafka, logLevel } = require('kafkajs');

const [brokers, topic, partitions, idempotent] = process.argv.slice(2);
const kafka = new Kafka({
  brokers: brokers.split(','),
  logLevel: process.env.KAFKAJS_LOG ? logLevel.ERROR : logLevel.NOTHING,
});

async function main() {
  const producer = kafka.producer({
    idempotent: idempotent === 'true',
    maxInFlightRequests: 1,
    retry: { initialRetryTime: 50, retries: 100, maxRetryTime: 500 },
  });
  await producer.connect();
  for await (const value of readline.createInterface({ input: process.stdin })) {
    const message = { value, partition: Number(value) % Number(partitions) };
    await producer.send({ topic, acks: -1, messages: [message] });
    console.log(value);
  }
  await producer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
