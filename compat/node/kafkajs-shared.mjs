// What the cases of kafkajs are written with.
import zlib from 'node:zlib'
import { promisify } from 'node:util'
import { load, same, until } from './harness.mjs'

export const kafkajs = load('kafkajs')
const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs

// kafkajs brings gzip; the others are given to it by its users.
const lz4 = load('lz4-napi')
CompressionCodecs[CompressionTypes.Snappy] = load('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: encoder => promisify(zlib.zstdCompress)(encoder.buffer),
  decompress: buffer => promisify(zlib.zstdDecompress)(buffer),
})
export const codecIds = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

export const client = (k, options) => new Kafka({
  clientId: 'compat', brokers: [k.addr], logLevel: logLevel.WARN,
  retry: { initialRetryTime: 50, retries: 8 }, ...options,
})

export async function admin(k, options) {
  const a = client(k, options).admin()
  await a.connect()
  k.later(() => a.disconnect())
  return a
}

export const partitionsOf = async (a, topic) => (await a.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length

export async function create(k, numPartitions = 1, configs = {}) {
  const a = await admin(k)
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  // kafkajs can wait for the leaders itself, and fails where the broker does not know the topic yet.
  same(true, await a.createTopics({ topics: [{ topic: k.topic, numPartitions, configEntries }], waitForLeaders: false }))
  await until(() => partitionsOf(a, k.topic).then(n => n === numPartitions, () => false), 'topic in metadata')
  return a
}

export async function producer(k, options) {
  const p = client(k).producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options })
  await p.connect()
  k.later(() => p.disconnect())
  return p
}

export async function produce(k, messages, { acks, compression = 'none', topic = k.topic, ...options } = {}) {
  const p = await producer(k, options)
  return p.send({
    topic, acks, compression: codecIds[compression],
    messages: messages.map(m => (typeof m === 'string' || Buffer.isBuffer(m) ? { value: m } : m)),
  })
}

export const values = messages => messages.map(m => m.value && m.value.toString())

// A running consumer of the case's group: .got are its messages, .owned() its partitions. `seek`
// says from where, by partition, once it has joined.
export async function member(k, { seek = {}, run = {}, subscribe = {}, ...options } = {}) {
  const c = client(k).consumer({
    groupId: k.group, sessionTimeout: 6000, heartbeatInterval: 200, rebalanceTimeout: 10_000,
    maxWaitTimeInMs: 200, metadataMaxAge: 500, ...options,
  })
  const m = { consumer: c, got: [], joins: 0 }
  let owned = []
  m.owned = () => owned
  c.on(c.events.GROUP_JOIN, ({ payload }) => {
    m.joins++
    owned = (payload.memberAssignment[k.topic] ?? []).toSorted()
  })
  c.on(c.events.CRASH, ({ payload }) => (m.crash = payload.error))
  m.leave = async () => {
    if (!m.left) await c.disconnect()
    m.left = true
  }
  k.later(m.leave)
  await c.connect()
  await c.subscribe({ topics: [k.topic], fromBeginning: true, ...subscribe })
  const eachMessage = async ({ topic, partition, message }) => void m.got.push({ topic, partition, ...message })
  await c.run({ eachMessage: run.eachBatch ? undefined : eachMessage, ...run })
  for (const [partition, offset] of Object.entries(seek)) {
    c.seek({ topic: k.topic, partition: Number(partition), offset: String(offset) })
  }
  m.next = async n => {
    await until(() => m.got.length >= n, `${n} messages`)
    return m.got.splice(0, n)
  }
  return m
}

export async function read(k, n, { from, ...options } = {}) {
  const seek = from === undefined ? {} : { 0: from }
  const m = await member(k, { groupId: `${k.group}-reader-${Math.random()}`, seek, ...options })
  const got = await m.next(n)
  await m.leave()
  return got
}

export const configsOf = async (a, type, name) => {
  const { resources: [resource] } = await a.describeConfigs({ resources: [{ type, name }], includeSynonyms: false })
  return Object.fromEntries(resource.configEntries.map(e => [e.configName, e.configValue]))
}
