// @platformatic/kafka
import { has, load, payloads, refused, same, soon, until } from './harness.mjs'
import { casesOfEvery, strings } from './every-client.mjs'
import * as shared from './platformatic-shared.mjs'
import { transactionCasesOfPlatformatic } from './platformatic-transactions.mjs'

const { base, admin, described, create, producer, produce, values, consumer, member, read, configsOf, committed } = shared
const {
  Admin, AclOperations, AclPermissionTypes, ConfigResourceTypes, IncrementalAlterConfigOperationTypes,
  ListOffsetTimestamps, MessagesStreamModes, ResourcePatternTypes, ResourceTypes,
} = load('@platformatic/kafka')

// --- records -------------------------------------------------------------------------------------

const recordCases = {
  async keys(k) {
    await create(k)
    await produce(k, [{ key: 'a', value: '1' }, { value: '2' }, { key: 'é', value: 'ü' }])
    same([['a', '1'], [undefined, '2'], ['é', 'ü']], (await read(k, 3)).map(m => [m.key ?? undefined, m.value]))
  },

  async tombstones(k) {
    await create(k)
    await produce(k, [{ key: 'gone' }, { key: 'full', value: 'v' }])
    same([undefined, 'v'], values(await read(k, 2)).map(v => v ?? undefined))
  },

  async headers(k) {
    await create(k)
    const headers = { a: '1', empty: '', null: null, 'with é': 'ü' }
    await produce(k, [{ value: 'with', headers }, 'without'])
    const [withHeaders, without] = await read(k, 2)
    same(headers, Object.fromEntries([...withHeaders.headers].map(([name, value]) => [name, value ?? null])))
    same(0, without.headers.size)
  },

  async timestamps(k) {
    await create(k)
    await produce(k, [{ value: 'then', timestamp: 1600000000123n }])
    const before = Date.now()
    await produce(k, ['now'])
    const after = Date.now()
    const [then, now] = await read(k, 2)
    same(1600000000123n, then.timestamp)
    same(true, before <= Number(now.timestamp) && Number(now.timestamp) <= after)
  },

  async offset_by_time(k) {
    await create(k)
    for (const timestamp of [1000n, 3000n, 2000n]) await produce(k, [{ value: 'v', timestamp }])
    const c = consumer(k)
    const at = async timestamp => {
      const found = await c.listOffsetsWithTimestamps({ topics: [k.topic], timestamp })
      return found.get(k.topic).get(0)
    }
    same([0n, 1n, 1n, 1n], [(await at(1n)).offset, (await at(1001n)).offset, (await at(2000n)).offset, (await at(3000n)).offset])
    same(3000n, (await at(1001n)).timestamp)
    same(-1n, (await at(3001n)).offset)
  },

  async watermarks(k) {
    await create(k)
    await produce(k, payloads(7))
    const c = consumer(k)
    const at = async timestamp => (await c.listOffsets({ topics: [k.topic], timestamp })).get(k.topic)
    same([[0n], [7n]], [await at(ListOffsetTimestamps.EARLIEST), await at(ListOffsetTimestamps.LATEST)])
  },

  // The key decides the partition; a partition can be named.
  async partitions(k) {
    await create(k, 4)
    const where = async key => (await produce(k, [{ key, value: 'v' }])).map(o => o.partition)
    same(await where('one'), await where('one'))
    same([3], (await produce(k, [{ value: 'named', partition: 3 }])).map(o => o.partition))
  },

  async large_record(k) {
    await create(k)
    const large = 'abcdefghijklmno'.repeat(60_000)
    await produce(k, [large])
    same(true, large === (await read(k, 1))[0].value)
  },

  async record_too_large(k) {
    await create(k, 1, { 'max.message.bytes': '10000' })
    await refused(() => produce(k, ['x'.repeat(20_000)]), 'MESSAGE_TOO_LARGE')
    same([0n], (await produce(k, ['x'.repeat(5000)])).map(o => o.offset))
  },

  async idempotent_producer(k) {
    await create(k)
    const p = producer(k, { idempotent: true })
    for (let n = 0; n < 50; n++) {
      const { offsets } = await p.send({ messages: ['a', 'b'].map(value => ({ topic: k.topic, value: `${n}${value}` })) })
      same([BigInt(2 * n)], offsets.map(o => o.offset))
    }
    same(true, p.producerId >= 0n)
    same(strings(50).flatMap(n => [`${n}a`, `${n}b`]), values(await read(k, 100)))
  },

  async unknown_topic(k) {
    const p = producer(k, { retries: 1, autocreateTopics: false })
    await refused(() => p.send({ messages: [{ topic: k.topic, value: 'v' }] }), `Unknown topic ${k.topic}`)
    const c = consumer(k, { retries: 1 })
    await refused(() => c.consume({ topics: [k.topic], mode: 'earliest' }), `Unknown topic ${k.topic}`)
    const a = admin(k)
    await refused(() => a.deleteTopics({ topics: [k.topic] }), 'UNKNOWN_TOPIC_OR_PARTITION')
    same(false, (await a.listTopics()).includes(k.topic))
  },

  async produce_creates_topic(k) {
    const p = producer(k, { autocreateTopics: true })
    same([0n], (await p.send({ messages: [{ topic: k.topic, value: 'first' }] })).offsets.map(o => o.offset))
    same(['first'], values(await read(k, 1)))
  },

  // A writable stream of messages that reports each batch.
  async producer_stream(k) {
    await create(k)
    const p = producer(k)
    const stream = p.asStream({ batchSize: 10, batchTime: 50, reportMode: 'batch' })
    const reports = []
    stream.on('delivery-report', report => reports.push(report.count))
    stream.on('data', () => {})
    for (const value of strings(100)) stream.write({ topic: k.topic, value })
    await soon(new Promise((resolve, reject) => stream.end(error => (error ? reject(error) : resolve()))), 'the end')
    same(strings(100), values(await read(k, 100)))
  },
}

const consumerCases = {
  // `for await (const message of stream)`
  async iterate(k) {
    await create(k)
    await produce(k, strings(10))
    const c = consumer(k)
    const stream = await c.consume({ topics: [k.topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
    const got = []
    for await (const message of stream) {
      got.push([message.offset, message.value])
      if (got.length === 10) break
    }
    same(strings(10).map((value, n) => [BigInt(n), value]), got)
  },

  async seek(k) {
    await create(k)
    await produce(k, strings(10))
    same(['8', '9'], values(await read(k, 2, { from: 8 })))
    same(['3', '4'], values(await read(k, 2, { from: 3 })))
    const m = await member(k, { consume: { mode: MessagesStreamModes.LATEST } })
    await produce(k, ['new'])
    same(['new'], values(await m.next(1)))
  },

  async pause(k) {
    await create(k)
    await produce(k, ['0'])
    const m = await member(k)
    same(['0'], values(await m.next(1)))
    m.stream.pause()
    await produce(k, strings(5))
    same(true, m.stream.isPaused())
    same([], m.got)
    m.stream.resume()
    same(strings(5), values(await m.next(5)))
  },

  async offset_out_of_range(k) {
    await create(k)
    await produce(k, payloads(3))
    const beyond = fallbackMode => member(k, {
      groupId: `${k.group}-${fallbackMode}`,
      consume: {
        mode: MessagesStreamModes.MANUAL, fallbackMode, offsets: [{ topic: k.topic, partition: 0, offset: 1000n }],
      },
    })
    same(0n, (await (await beyond('earliest')).next(1))[0].offset)
    const failing = await beyond('fail')
    await until(() => failing.error, 'an error')
    await refused(() => Promise.reject(failing.error), 'OFFSET_OUT_OF_RANGE')
  },

  async waiting_consumer_wakes(k) {
    await create(k)
    await produce(k, ['first'])
    const m = await member(k, { maxWaitTime: 10_000 })
    await m.next(1)
    const began = Date.now()
    await produce(k, ['wake'])
    same(['wake'], values(await m.next(1)))
    same(true, Date.now() - began < 5000)
  },

  async lag(k) {
    await create(k)
    await produce(k, payloads(10))
    const m = await member(k)
    await (await m.next(4))[3].commit()
    same([6n], (await m.consumer.getLag({ topics: [k.topic] })).get(k.topic))
  },
}

const groupCases = {
  async group_resumes(k) {
    await create(k)
    await produce(k, strings(10))
    const first = await member(k)
    for (const message of await first.next(5)) await message.commit()
    await first.leave()
    const second = await member(k, { consume: { mode: MessagesStreamModes.COMMITTED } })
    same(['5', '6', '7', '8', '9'], values(await second.next(5)))
    same([5n], (await second.consumer.listCommittedOffsets({ topics: [{ topic: k.topic, partitions: [0] }] })).get(k.topic))
  },

  async auto_commit(k) {
    const a = await create(k)
    await produce(k, payloads(10))
    const m = await member(k, { consume: { autocommit: 100 } })
    await m.next(10)
    await until(async () => String(await committed(a, k)) === '0,10', 'a commit at the end')
  },

  async static_membership(k) {
    const a = await create(k, 2)
    const one = await member(k, { groupInstanceId: 'one' })
    const two = await member(k, { groupInstanceId: 'two' })
    await until(() => one.owned().length === 1 && two.owned().length === 1, 'one partition each')
    const members = [...(await a.describeGroups({ groups: [k.group] })).get(k.group).members.values()]
    same(['one', 'two'], members.map(m => m.groupInstanceId).toSorted())
  },
}

const adminCases = {
  async admin_topics(k) {
    const a = await create(k, 3, { 'retention.ms': '60000' })
    has(k.topic, await a.listTopics())
    same(false, (await a.listTopics({ includeInternals: false })).includes('__consumer_offsets'))
    await a.deleteTopics({ topics: [k.topic] })
    await until(async () => !(await a.listTopics()).includes(k.topic), 'the topic gone')
  },

  async admin_create_refused(k) {
    const a = await create(k)
    for (const [options, code, says] of [
      [{ topics: [k.topic] }, 'TOPIC_ALREADY_EXISTS', `Topic '${k.topic}' already exists.`],
      [{ topics: ['no/name'] }, 'INVALID_TOPIC_EXCEPTION', 'ASCII alphanumerics'],
      [{ topics: [`${k.topic}2`], replicas: 9 }, 'INVALID_REPLICATION_FACTOR', 'replication factor'],
      [{ topics: [`${k.topic}2`], partitions: -7 }, 'INVALID_PARTITIONS', 'non-positive'],
      [{ topics: [`${k.topic}2`], configs: [{ name: 'retention.ms', value: 'x' }] }, 'INVALID_CONFIG', 'retention.ms'],
    ]) {
      await refused(() => a.createTopics({ partitions: 1, replicas: 1, ...options }), code, says)
    }
  },

  async admin_create_partitions(k) {
    const a = await create(k)
    const to = count => a.createPartitions({ topics: [{ name: k.topic, count, assignments: null }] })
    await to(3)
    await until(async () => (await described(a, k.topic)).partitionsCount === 3, 'three partitions')
    await refused(() => to(2), 'INVALID_PARTITIONS', 'currently has 3 partition(s); 2 would not be an increase.')
    same([2], (await produce(k, [{ value: 'v', partition: 2 }])).map(o => o.partition))
  },

  async admin_configs(k) {
    const a = await create(k, 1, { 'retention.ms': '60000' })
    const current = name => configsOf(a, ConfigResourceTypes.TOPIC, k.topic).then(c => c[name])
    const resource = configs => ({ resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: k.topic, configs }] })
    same('60000', await current('retention.ms'))
    const configOperation = IncrementalAlterConfigOperationTypes.SET
    await a.incrementalAlterConfigs(resource([{ name: 'segment.bytes', value: '2097152', configOperation }]))
    await until(async () => (await current('segment.bytes')) === '2097152', 'the new value')
    same('60000', await current('retention.ms'))
    // The older call replaces all of it.
    await a.alterConfigs(resource([{ name: 'max.message.bytes', value: '10000' }]))
    await until(async () => (await current('max.message.bytes')) === '10000', 'the new value')
    same('604800000', await current('retention.ms'))
    await refused(() => a.alterConfigs(resource([{ name: 'segment.bytes', value: 'x' }])), 'INVALID_CONFIG')
  },

  async admin_broker_configs(k) {
    const a = admin(k)
    const [id] = (await a.metadata({})).brokers.keys()
    same('1', (await configsOf(a, ConfigResourceTypes.BROKER, String(id)))['num.partitions'])
  },

  async admin_groups(k) {
    const a = await create(k, 2)
    const m = await member(k, { clientId: 'reader' })
    await until(() => m.owned().length === 2)
    const listed = (await a.listGroups({ states: ['STABLE'], types: ['classic'] })).get(k.group)
    same(['Stable', 'classic', 'consumer'], [listed.state, listed.groupType, listed.protocolType])
    const group = (await a.describeGroups({ groups: [k.group] })).get(k.group)
    same(['Stable', 1], [group.state, group.members.size])
    const [only] = group.members.values()
    same(['reader', [0, 1]], [only.clientId, only.assignments.get(k.topic).partitions.toSorted()])
    await refused(() => a.deleteGroups({ groups: [k.group] }), 'NON_EMPTY_GROUP')
    await m.consumer.commit({ offsets: [{ topic: k.topic, partition: 0, offset: 1n, leaderEpoch: 0 }] })
    await m.leave()
    await a.deleteGroups({ groups: [k.group] })
    await refused(() => a.deleteGroups({ groups: [k.group] }), 'GROUP_ID_NOT_FOUND')
  },

  async admin_remove_members(k) {
    const a = await create(k)
    const m = await member(k, { groupInstanceId: 'lost' })
    await until(() => m.owned().length === 1)
    await a.removeMembersFromConsumerGroup({ groupId: k.group, members: [{ memberId: m.consumer.memberId }] })
    await until(() => m.consumer.memberId && m.owned().length === 1, 'the member back')
  },

  async admin_find_coordinator(k) {
    const [found] = await admin(k).findCoordinator({ keyType: 0, keys: [k.group] })
    same([k.group, k.addr.split(':')[1]], [found.key, String(found.port)])
  },

  async admin_group_offsets(k) {
    const a = await create(k, 2)
    await produce(k, payloads(5).map(value => ({ value, partition: 1 })))
    await a.alterConsumerGroupOffsets({
      groupId: k.group,
      topics: [{ name: k.topic, partitionOffsets: [{ partition: 0, offset: 0n }, { partition: 1, offset: 3n }] }],
    })
    same([[0, 0n], [1, 3n]], (await committed(a, k)).toSorted(([x], [y]) => x - y))
    await a.deleteConsumerGroupOffsets({ groupId: k.group, topics: [{ name: k.topic, partitionIndexes: [0] }] })
    same([[1, 3n]], (await committed(a, k)).filter(([, offset]) => offset >= 0n))
    const m = await member(k, { consume: { mode: MessagesStreamModes.COMMITTED } })
    same(3n, (await m.next(1))[0].offset)
  },

  async admin_offsets(k) {
    const a = await create(k)
    for (const timestamp of [1000n, 9000n, 2000n]) await produce(k, [{ value: 'v', timestamp }])
    const at = async timestamp => {
      const [topic] = await a.listOffsets({ topics: [{ name: k.topic, partitions: [{ partitionIndex: 0, timestamp }] }] })
      return topic.partitions[0].offset
    }
    same([0n, 3n, 1n, 1n], [await at(-2n), await at(-1n), await at(-3n), await at(1500n)])
  },

  async admin_delete_records(k) {
    const a = await create(k)
    await produce(k, payloads(10))
    const to = offset => a.deleteRecords({ topics: [{ name: k.topic, partitions: [{ partition: 0, offset }] }] })
    same([{ name: k.topic, partitions: [{ partition: 0, lowWatermark: 4n }] }], await to(4n))
    same(4n, (await read(k, 1))[0].offset)
    await refused(() => to(40n), 'OFFSET_OUT_OF_RANGE')
  },

  async admin_cluster(k) {
    const a = admin(k)
    const { id, brokers, controllerId } = await a.metadata({})
    same(['string', 1], [typeof id, brokers.size])
    same(controllerId, brokers.keys().next().value)
    const broker = brokers.get(controllerId)
    const there = new Admin({ ...base(k), bootstrapBrokers: [`${broker.host}:${broker.port}`] })
    await there.listTopics()
    await there.close()
  },

  async admin_log_dirs(k) {
    const a = await create(k)
    await produce(k, payloads(100))
    const [broker] = await a.describeLogDirs({ topics: [{ name: k.topic, partitions: [0] }] })
    const [{ topics: [topic], totalBytes }] = broker.results
    same([k.topic, 0], [topic.name, topic.partitions[0].partitionIndex])
    same(true, topic.partitions[0].partitionSize > 0n && totalBytes > 0n)
  },

  async admin_client_quotas(k) {
    const none = await admin(k).describeClientQuotas({ components: [{ entityType: 'client-id', matchType: 2 }], strict: false })
    same(0, (none.entries ?? none ?? []).length)
  },

  async admin_acls_without_authorizer(k) {
    const a = admin(k)
    const any = {
      resourceType: ResourceTypes.ANY, resourceName: null, resourcePatternType: ResourcePatternTypes.ANY, principal: null,
      host: null, operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY,
    }
    await refused(() => a.describeAcls({ filter: any }), 'SECURITY_DISABLED')
    await refused(() => a.createAcls({
      creations: [{
        resourceType: ResourceTypes.TOPIC, resourceName: k.topic, resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: 'User:u', host: '*', operation: AclOperations.READ, permissionType: AclPermissionTypes.ALLOW,
      }],
    }), 'SECURITY_DISABLED')
  },
}

export const cases = {
  ...casesOfEvery(shared), ...recordCases, ...consumerCases, ...groupCases, ...adminCases,
  ...transactionCasesOfPlatformatic,
}
