// A client on the librdkafka that a package brings; it prints JSON, a line each.
// rdkafka_client.js PACKAGE BROKERS COMMAND...
//   write TOPIC PARTITIONS FIRST COUNT CODEC  numbers with a key and a header; {sent} at the end
//   group TOPIC GROUP                         {assigned} and {value, key, header}, until SIGTERM
//   topics                                    {topics}: the names of all
const [name, brokers, command, ...words] = process.argv.slice(2);
const { Producer, KafkaConsumer } = require(name);

const say = (row) => console.log(JSON.stringify(row));
const common = { 'bootstrap.servers': brokers };

function fail(error) {
  console.error(error);
  process.exit(1);
}

// An idempotent producer, once it is connected.
function producer(settings, use) {
  const one = new Producer({ ...common, 'enable.idempotence': true, dr_cb: true, ...settings });
  one.on('event.error', (error) => console.error(error));
  one.on('ready', () => use(one));
  one.connect({}, (error) => error && fail(error));
}

function write(topic, partitions, first, count, codec) {
  producer({ 'compression.codec': codec, 'linger.ms': 50 }, (one) => {
    let sent = 0;
    one.on('delivery-report', (error) => {
      if (error) fail(error);
      sent += 1;
      if (sent < count) return;
      say({ sent });
      setImmediate(() => one.disconnect());
    });
    one.setPollInterval(10);
    for (let i = first; i < first + count; i += 1)
      one.produce(topic, i % partitions, Buffer.from(`${i}`), `k${i}`, null, null, [{ h: `${i}` }]);
  });
}

function group(topic, groupId) {
  const one = new KafkaConsumer(
    { ...common, 'group.id': groupId, 'session.timeout.ms': 6000, rebalance_cb: true },
    { 'auto.offset.reset': 'earliest' },
  );
  let leaves = false;
  one.on('rebalance', () => setImmediate(() => {
    if (!leaves) say({ assigned: one.assignments().map(({ partition }) => partition).sort() });
  }));
  one.on('event.error', (error) => console.error(error));
  one.on('ready', () => {
    one.subscribe([topic]);
    one.consume();
  });
  one.on('data', ({ key, value, headers }) => {
    say({ value: `${value}`, key: `${key}`, header: `${headers[0].h}` });
  });
  one.connect({}, (error) => error && fail(error));
  process.on('SIGTERM', () => {
    leaves = true;
    one.disconnect(() => process.exit(0));
  });
}

function topics() {
  producer({}, (one) => one.getMetadata({ timeout: 10000 }, (error, found) => {
    if (error) fail(error);
    say({ topics: found.topics.map((topic) => topic.name).sort() });
    one.disconnect();
  }));
}

const [first, ...rest] = words;
if (command === 'write') write(first, ...rest.slice(0, 3).map(Number), rest[3]);
if (command === 'group') group(first, rest[0]);
if (command === 'topics') topics();
