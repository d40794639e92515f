// @platformatic/kafka: transactions. Its consumer does not leave out what was aborted, only what is open: kafkajs
// reads what it has written.
import { load, same, until } from './harness.mjs'
import { read } from './kafkajs-transactions.mjs'
import { admin, committed, create, member, produce, producer } from './platformatic-shared.mjs'
import { transactionCases } from './transactions.mjs'

const { MessagesStreamModes } = load('@platformatic/kafka')

const topicOf = (k, topic = k.topic) => Object.assign(Object.create(k), { topic })

// Unless it is told that it has no producer id it asks for id 0, and a second producer is refused.
const initial = { producerId: -1n, producerEpoch: -1 }

async function transactional(k, { name = '', timeoutMs = 60_000 } = {}) {
  const p = producer(k, { transactionalId: `${k.topic}-${name}`, idempotent: true, timeout: timeoutMs, ...initial })
  return {
    async begin() {
      const transaction = await p.beginTransaction()
      return {
        send: (topic, values, { partition = 0, ...options } = {}) =>
          transaction.send({ messages: values.map(value => ({ topic, partition, value })), ...options }),
        async offsets(reader, message) {
          await transaction.addConsumer(reader.consumer)
          await transaction.addOffset(message)
        },
        commit: () => transaction.commit(),
        abort: () => transaction.abort(),
      }
    },
  }
}

const written = transactionCases({
  create: (k, partitions, topic) => create(topicOf(k, topic), partitions),
  produce: (k, value) => produce(k, [value]),
  producer: transactional,
  read,
  async reader(k) {
    const m = await member(k, { consume: { mode: MessagesStreamModes.COMMITTED, fallbackMode: 'earliest', isolationLevel: 1 } })
    return { next: m.next, close: m.leave, consumer: m.consumer }
  },
  async committed(k) {
    const [[, offset] = [0, 0n]] = await committed(admin(k), k)
    return offset
  },
  fenced: 'PRODUCER_FENCED',
})

// A consumer of committed messages waits for the end of the transaction.
async function transaction_isolation(k) {
  await create(k)
  const end = async (m, isolationLevel) => (await m.consumer.listOffsets({ topics: [k.topic], isolationLevel })).get(k.topic)[0]
  const transaction = await (await transactional(k)).begin()
  await transaction.send(k.topic, ['open'])
  const [uncommitted, committed] = await Promise.all([0, 1].map(isolationLevel =>
    member(k, { groupId: `${k.group}-${isolationLevel}`, consume: { isolationLevel } })))
  same('open', (await uncommitted.next(1))[0].value)
  same([1n, 0n], [await end(uncommitted, 0), await end(committed, 1)])
  same(0, committed.got.length)
  await transaction.commit()
  same('open', (await committed.next(1))[0].value)
  await until(async () => (await end(committed, 1)) === 2n, 'the marker')
}

export const transactionCasesOfPlatformatic = { ...written, transaction_isolation }
