// Prints the latest revision of each journey, one JSON object a line, and ends when nothing has come for five seconds.
import avro from "avsc";
import { decompress } from "fzstd";
import kafkajs from "kafkajs";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const TOPIC = "journeys.v1";
const IDLE_MS = 5_000;

// Results are compressed with zstd, which KafkaJS leaves to others.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: () => {
    throw new Error("this codec only reads");
  },
  decompress: async (buffer) => Buffer.from(decompress(buffer)),
});

// The writer's schema of a record: its id stands in bytes 1 to 4 of the value.
const types = new Map();
async function typeOf(id) {
  if (!types.has(id)) {
    const answer = await fetch(`${process.env.SCHEMA_REGISTRY_URL}/schemas/ids/${id}`);
    types.set(id, avro.Type.forSchema(JSON.parse((await answer.json()).schema)));
  }
  return types.get(id);
}

const client = new Kafka({ brokers: process.env.KAFKA_BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });
// KafkaJS reads what is committed, unless told otherwise (readUncommitted).
const consumer = client.consumer({ groupId: process.env.GROUP ?? "journeys-node" });
const latest = new Map();
let timer;

function waitForMore() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    await consumer.disconnect();
    for (const { journey_id, revision, customer, touchpoints } of latest.values()) {
      console.log(JSON.stringify({ journey_id, revision, customer, touchpoints }));
    }
  }, IDLE_MS);
}

await consumer.connect();
await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
consumer.on(consumer.events.GROUP_JOIN, waitForMore);
await consumer.run({
  eachMessage: async ({ message }) => {
    if (message.value === null) {
      latest.delete(message.key.toString()); // the journey does not exist any more
      return;
    }
    const type = await typeOf(message.value.readUInt32BE(1));
    // Within a partition revisions of a journey ascend: the last record of a key is the latest revision.
    latest.set(message.key.toString(), type.fromBuffer(message.value.subarray(5)));
    waitForMore();
  },
});
