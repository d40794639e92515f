// kafkajs: transactions. It speaks the protocol of before KIP-890.
import { until } from './harness.mjs'
import { client, codecIds, create, member, producer } from './kafkajs-shared.mjs'
import { transactionCases } from './transactions.mjs'

const topicOf = (k, topic = k.topic) => Object.assign(Object.create(k), { topic })

async function transactional(k, { name = '', timeoutMs = 60_000 } = {}) {
  const p = await producer(k, { transactionalId: `${k.topic}-${name}`, transactionTimeout: timeoutMs, maxInFlightRequests: 1 })
  return {
    async begin() {
      const transaction = await p.transaction()
      return {
        send: (topic, values, { partition = 0, compression = 'none' } = {}) =>
          transaction.send({ topic, compression: codecIds[compression], messages: values.map(value => ({ partition, value })) }),
        offsets: (reader, { offset }) => transaction.sendOffsets({
          consumerGroupId: k.group, topics: [{ topic: k.topic, partitions: [{ partition: 0, offset: String(Number(offset) + 1) }] }],
        }),
        commit: () => transaction.commit(),
        abort: () => transaction.abort(),
      }
    },
  }
}

// There is no asking for the end by isolation level: it is where several fetches bring nothing.
export async function read(k, isolation, { topic = k.topic, partition = 0 } = {}) {
  const m = await member(topicOf(k, topic), { groupId: `${k.group}-${Math.random()}`, readUncommitted: isolation === 'uncommitted' })
  let fetches = 0
  let before = 0
  m.consumer.on(m.consumer.events.FETCH, () => {
    fetches = m.got.length === before ? fetches + 1 : 0
    before = m.got.length
  })
  await until(() => fetches >= 4, 'the end')
  await m.leave()
  return m.got.filter(message => message.partition === partition).map(message => String(message.value))
}

export const transactionCasesOfKafkajs = transactionCases({
  create: (k, partitions, topic) => create(topicOf(k, topic), partitions),
  async produce(k, value) {
    const p = await producer(k)
    await p.send({ topic: k.topic, messages: [{ value }] })
  },
  producer: transactional,
  read,
  async reader(k) {
    const m = await member(k, { run: { autoCommit: false } })
    return { next: m.next, close: m.leave }
  },
  async committed(k) {
    const a = client(k).admin()
    await a.connect()
    const [{ partitions: [{ offset }] }] = await a.fetchOffsets({ groupId: k.group, topics: [k.topic] })
    await a.disconnect()
    return Math.max(Number(offset), 0)
  },
  fenced: 'INVALID_PRODUCER_EPOCH',
})
