// What the cases of @platformatic/kafka are written with.
import { load, same, until } from './harness.mjs'

const {
  Admin, Consumer, MessagesStreamModes, Producer, stringDeserializers, stringSerializers,
} = load('@platformatic/kafka')

export const base = k => ({ clientId: 'compat', bootstrapBrokers: [k.addr], retries: 3, retryDelay: 50 })

export function admin(k) {
  const a = new Admin(base(k))
  k.later(() => a.close())
  return a
}

// What there is of a topic, in Metadata; null if it is not there.
export const described = (client, topic) =>
  client.metadata({ topics: [topic], forceUpdate: true, autocreateTopics: false }).then(m => m.topics.get(topic), () => null)

export async function create(k, partitions = 1, configs = {}) {
  const a = admin(k)
  const [created] = await a.createTopics({
    topics: [k.topic], partitions, replicas: 1,
    configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
  })
  same([k.topic, partitions], [created.name, created.partitions])
  await until(async () => (await described(a, k.topic))?.partitionsCount === partitions, 'topic in metadata')
  return a
}

export function producer(k, options) {
  const p = new Producer({ ...base(k), serializers: stringSerializers, ...options })
  k.later(() => p.close())
  return p
}

// Produces values, or messages, and returns where they went.
export async function produce(k, messages, { options, ...send } = {}) {
  const p = producer(k, options)
  const { offsets } = await p.send({
    messages: messages.map(m => ({ topic: k.topic, ...(typeof m === 'string' ? { value: m } : m) })),
    ...send,
  })
  return offsets
}

export const values = messages => messages.map(m => m.value)

export function consumer(k, options) {
  const c = new Consumer({
    ...base(k), groupId: k.group, deserializers: stringDeserializers, sessionTimeout: 6000, heartbeatInterval: 200,
    rebalanceTimeout: 10_000, maxWaitTime: 200, ...options,
  })
  k.later(() => c.close(true))
  return c
}

// A stream of the case's topic from its beginning: .got are its messages, .owned() its partitions.
export async function member(k, { consume = {}, ...options } = {}) {
  const c = consumer(k, options)
  const m = { consumer: c, got: [] }
  m.owned = () => (c.assignments ?? []).filter(a => a.topic === k.topic).flatMap(a => a.partitions).toSorted()
  m.stream = await c.consume({ topics: [k.topic], mode: MessagesStreamModes.EARLIEST, autocommit: false, ...consume })
  m.stream.on('data', message => m.got.push(message))
  m.stream.on('error', error => (m.error = error))
  m.next = async n => {
    await until(() => m.got.length >= n, `${n} messages`)
    return m.got.splice(0, n)
  }
  m.leave = async () => {
    if (!m.left) await c.close(true)
    m.left = true
  }
  return m
}

export async function read(k, n, { from, partition = 0 } = {}) {
  const consume = from === undefined ? {} : {
    mode: MessagesStreamModes.MANUAL, offsets: [{ topic: k.topic, partition, offset: BigInt(from) }],
  }
  const m = await member(k, { groupId: `${k.group}-${Math.random()}`, consume })
  const got = await m.next(n)
  await m.leave()
  return got
}

export async function configsOf(a, resourceType, resourceName) {
  const [{ configs }] = await a.describeConfigs({ resources: [{ resourceType, resourceName }] })
  return Object.fromEntries(configs.map(c => [c.name, c.value]))
}

export const committed = async (a, k) => {
  const [group] = await a.listConsumerGroupOffsets({ groups: [k.group] })
  return group.topics.flatMap(t => t.partitions.map(p => [p.partitionIndex, p.committedOffset]))
}
