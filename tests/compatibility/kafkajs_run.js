// Runs the body of an asynchronous function with `kafka`, `admin` (connected), `topic`, the two
// functions below and all of kafkajs at hand, and prints what it returns as JSON:
// kafkajs_run.js BROKERS TOPIC BODY
const kafkajs = require('kafkajs');

const [brokers, topic, body] = process.argv.slice(2);
const kafka = new kafkajs.Kafka({
  brokers: brokers.split(','),
  logLevel: kafkajs.logLevel.NOTHING,
});
const AsyncFunction = (async () => {}).constructor;

// What kafkajs says of a call that has to fail: its type, or that of the first of several.
async function failure(call) {
  try {
    return { returned: await call };
  } catch (error) {
    const first = (error.errors || [error])[0];
    return { type: first.type || first.name, code: first.code, message: first.message };
  }
}

// Asks until `ask` returns something true, and returns that: what one broker decides, others learn
// a moment later.
async function until(ask) {
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  const known = { ...kafkajs, kafka, admin, topic, failure, until };
  const run = new AsyncFunction(...Object.keys(known), body);
  const returned = await run(...Object.values(known));
  await admin.disconnect();
  console.log(JSON.stringify(returned === undefined ? null : returned));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
