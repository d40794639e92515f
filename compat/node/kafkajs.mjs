// kafkajs
import { has, payloads, refused, same, until } from './harness.mjs'
import { casesOfEvery, rebalance, strings } from './every-client.mjs'
import * as shared from './kafkajs-shared.mjs'
import { transactionCasesOfKafkajs } from './kafkajs-transactions.mjs'

const { client, admin, partitionsOf, create, producer, produce, values, member, read, configsOf, kafkajs } = shared
const {
  AclOperationTypes, AclPermissionTypes, AclResourceTypes, AssignerProtocol, ConfigResourceTypes,
  ResourcePatternTypes,
} = kafkajs

// --- records -------------------------------------------------------------------------------------

const recordCases = {
  async keys(k) {
    await create(k)
    await produce(k, [{ key: 'a', value: '1' }, { key: null, value: '2' }, { key: '', value: '3' }])
    const got = await read(k, 3)
    same([['a', '1'], [null, '2'], ['', '3']], got.map(m => [m.key && m.key.toString(), m.value.toString()]))
  },

  async tombstones(k) {
    await create(k)
    await produce(k, [{ key: 'gone', value: null }, { key: 'empty', value: '' }])
    same([null, ''], values(await read(k, 2)))
  },

  async headers(k) {
    await create(k)
    const bytes = Buffer.from([0, 255])
    await produce(k, [{ value: 'with', headers: { a: ['1', 'again'], empty: '', bytes } }, 'without'])
    const [withHeaders, without] = await read(k, 2)
    const { a, empty, bytes: back } = withHeaders.headers
    same([['1', 'again'], '', bytes], [a.map(String), String(empty), back])
    same({}, without.headers)
  },

  async timestamps(k) {
    await create(k)
    await produce(k, [{ value: 'then', timestamp: '1600000000123' }])
    const before = Date.now()
    await produce(k, ['now'])
    const after = Date.now()
    const [then, now] = await read(k, 2)
    same('1600000000123', then.timestamp)
    same(true, before <= Number(now.timestamp) && Number(now.timestamp) <= after)
  },

  async offset_by_time(k) {
    const a = await create(k)
    for (const timestamp of ['1000', '3000', '2000']) await produce(k, [{ value: 'v', timestamp }])
    const at = async ms => (await a.fetchTopicOffsetsByTimestamp(k.topic, ms))[0].offset
    same(['0', '1', '1', '1'], [await at(1), await at(1001), await at(2000), await at(3000)])
    same('3', await at(3001)) // none is that young: the end
  },

  async watermarks(k) {
    const a = await create(k)
    await produce(k, payloads(7))
    same([{ partition: 0, offset: '7', high: '7', low: '0' }], await a.fetchTopicOffsets(k.topic))
  },

  // The key decides the partition; a partition can be named.
  async partitions(k) {
    await create(k, 4)
    const where = async key => (await produce(k, [{ key, value: 'v' }])).map(r => r.partition)
    same(await where('one'), await where('one'))
    same([3], (await produce(k, [{ value: 'named', partition: 3 }])).map(r => r.partition))
  },

  async large_record(k) {
    await create(k)
    const large = Buffer.alloc(900_000, 'abcdefghijklmno')
    await produce(k, [large])
    same(true, large.equals((await read(k, 1))[0].value))
  },

  async record_too_large(k) {
    await create(k, 1, { 'max.message.bytes': '10000' })
    await refused(() => produce(k, ['x'.repeat(20_000)]), 'MESSAGE_TOO_LARGE')
    same('0', (await produce(k, ['x'.repeat(5000)]))[0].baseOffset)
  },

  async idempotent_producer(k) {
    await create(k)
    const p = await producer(k, { idempotent: true, maxInFlightRequests: 1 })
    for (let n = 0; n < 50; n++) {
      const [sent] = await p.send({ topic: k.topic, messages: [{ value: String(2 * n) }, { value: String(2 * n + 1) }] })
      same(String(2 * n), sent.baseOffset)
    }
    same(strings(100), values(await read(k, 100)))
  },

  async unknown_topic(k) {
    const retry = { initialRetryTime: 10, retries: 2 }
    const a = await admin(k, { retry })
    await refused(() => a.fetchTopicMetadata({ topics: [k.topic] }), 'UNKNOWN_TOPIC_OR_PARTITION')
    await refused(() => a.deleteTopics({ topics: [`${k.topic}-no`] }), 'UNKNOWN_TOPIC_OR_PARTITION')
    const p = await producer(k, { allowAutoTopicCreation: false, retry })
    await refused(() => p.send({ topic: `${k.topic}-no`, messages: [{ value: 'v' }] }), 'UNKNOWN_TOPIC_OR_PARTITION')
    const c = client(k, { retry }).consumer({ groupId: k.group, allowAutoTopicCreation: false, retry })
    await c.connect()
    await refused(() => c.subscribe({ topics: [`${k.topic}-no`] }).then(() => c.run({})), 'UNKNOWN_TOPIC_OR_PARTITION')
    await c.disconnect()
  },

  async produce_creates_topic(k) {
    same('0', (await produce(k, ['first']))[0].baseOffset)
    same(['first'], values(await read(k, 1)))
  },

  // Several topics in one request.
  async send_batch(k) {
    await create(k)
    const p = await producer(k)
    const other = `${k.topic}-other`
    const sent = await p.sendBatch({
      topicMessages: [k.topic, other].map(topic => ({ topic, messages: [{ value: topic }] })),
    })
    same([k.topic, other].toSorted(), sent.map(r => r.topicName).toSorted())
    const m = await member(k, { subscribe: { topics: [k.topic, other] } })
    same([k.topic, other].toSorted(), values(await m.next(2)).toSorted())
  },
}

const consumerCases = {
  async each_batch(k) {
    await create(k)
    await produce(k, strings(10))
    const batches = []
    const m = await member(k, {
      run: {
        eachBatchAutoResolve: false,
        async eachBatch({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) {
          batches.push({ first: batch.firstOffset(), last: batch.lastOffset(), high: batch.highWatermark, lag: batch.offsetLag() })
          for (const message of batch.messages) {
            if (!isRunning() || isStale()) break
            m.got.push(message)
            resolveOffset(message.offset)
            await heartbeat()
          }
          await commitOffsetsIfNecessary()
        },
      },
    })
    same(strings(10), values(await m.next(10)))
    same([{ first: '0', last: '9', high: '10', lag: '0' }], batches)
  },

  async seek(k) {
    await create(k)
    await produce(k, strings(10))
    const m = await member(k, { seek: { 0: 8 } })
    same(['8', '9'], values(await m.next(2)))
    m.consumer.seek({ topic: k.topic, partition: 0, offset: '3' })
    same(['3', '4', '5', '6', '7', '8', '9'], values(await m.next(7)))
  },

  async pause(k) {
    await create(k, 2)
    await produce(k, [{ value: '0', partition: 0 }])
    const m = await member(k)
    same(['0'], values(await m.next(1)))
    m.consumer.pause([{ topic: k.topic, partitions: [0] }])
    same([{ topic: k.topic, partitions: [0] }], m.consumer.paused())
    await produce(k, [{ value: 'paused', partition: 0 }, ...strings(5).map(value => ({ value, partition: 1 }))])
    same([1, 1, 1, 1, 1], (await m.next(5)).map(r => r.partition))
    m.consumer.resume([{ topic: k.topic, partitions: [0] }])
    same(['paused'], values(await m.next(1)))
  },

  async offset_out_of_range(k) {
    await create(k)
    await produce(k, payloads(3))
    same('0', (await read(k, 1, { seek: { 0: 1000 } }))[0].offset)
  },

  async waiting_consumer_wakes(k) {
    await create(k)
    await produce(k, ['first'])
    const m = await member(k, { maxWaitTimeInMs: 4500 })
    await m.next(1)
    const began = Date.now()
    await produce(k, ['wake'])
    same(['wake'], values(await m.next(1)))
    same(true, Date.now() - began < 3000)
  },
}

const groupCases = {
  async group_resumes(k) {
    await create(k)
    await produce(k, strings(10))
    const first = await member(k, { run: { autoCommit: false } })
    same(strings(5), values(await first.next(5)))
    await first.consumer.commitOffsets([{ topic: k.topic, partition: 0, offset: '5' }])
    await first.leave()
    const second = await member(k)
    same(['5', '6', '7', '8', '9'], values(await second.next(5)))
  },

  async commit_metadata(k) {
    const a = await create(k)
    const m = await member(k)
    await until(() => m.owned().length === 1)
    await m.consumer.commitOffsets([{ topic: k.topic, partition: 0, offset: '7', metadata: 'what was done é' }])
    same(
      [{ topic: k.topic, partitions: [{ partition: 0, offset: '7', metadata: 'what was done é' }] }],
      await a.fetchOffsets({ groupId: k.group, topics: [k.topic] }),
    )
    await refused(
      () => m.consumer.commitOffsets([{ topic: k.topic, partition: 0, offset: '7', metadata: 'x'.repeat(5000) }]),
      'OFFSET_METADATA_TOO_LARGE',
    )
  },

  async auto_commit(k) {
    const a = await create(k)
    await produce(k, payloads(10))
    const m = await member(k, { run: { autoCommitThreshold: 10, eachMessage: async () => {} } })
    const committed = async () => (await a.fetchOffsets({ groupId: k.group, topics: [k.topic] }))[0].partitions[0]?.offset
    await until(async () => (await committed()) === '10', 'a commit at the end')
    await m.leave()
  },

  async subscribe_pattern(k) {
    await create(k)
    await produce(k, ['here'])
    const m = await member(k, { subscribe: { topics: [new RegExp(`^${k.topic}.*`)] } })
    same(['here'], values(await m.next(1)))
  },

  // A user's assigner, with the protocol's own encoding of what members subscribe to and get.
  async custom_assigner(k) {
    const backwards = ({ cluster }) => ({
      name: 'Backwards',
      version: 1,
      async assign({ members, topics }) {
        const ids = members.map(m => m.memberId).toSorted()
        return ids.map((memberId, i) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: 1,
            assignment: Object.fromEntries(topics.map(topic => [topic, cluster.findTopicPartitionMetadata(topic)
              .map(p => p.partitionId).filter(p => p % ids.length === i).toReversed()])),
          }),
        }))
      },
      protocol: ({ topics }) => ({
        name: 'Backwards',
        metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics }),
      }),
    })
    await rebalance(shared, k, { partitionAssigners: [backwards] })
  },

  async member_dies(k) {
    const a = await create(k, 2)
    const m = await member(k)
    await until(() => m.owned().length === 2)
    // A member whose process has vanished: it joined, and nothing more is heard of it.
    const dead = client(k).consumer({
      groupId: k.group, sessionTimeout: 6000, heartbeatInterval: 5900, rebalanceTimeout: 6000, maxWaitTimeInMs: 100,
    })
    k.later(() => dead.disconnect())
    await dead.connect()
    await dead.subscribe({ topics: [k.topic] })
    let release
    const stuck = new Promise(resolve => (release = resolve))
    k.later(() => release())
    await dead.run({ eachMessage: () => stuck })
    await until(() => m.owned().length === 1, 'one partition each')
    await produce(k, [{ value: 'a', partition: 0 }, { value: 'b', partition: 1 }])
    await until(() => m.owned().length === 2, 'the partitions of the member that is silent')
    same(['a', 'b'], values(await m.next(2)).toSorted())
    same(1, (await a.describeGroups([k.group])).groups[0].members.length)
  },
}

const adminCases = {
  async admin_topics(k) {
    const a = await create(k, 3, { 'retention.ms': '60000' })
    const { topics: [topic] } = await a.fetchTopicMetadata({ topics: [k.topic] })
    same([k.topic, [0, 1, 2]], [topic.name, topic.partitions.map(p => p.partitionId).toSorted()])
    has(k.topic, await a.listTopics())
    same(false, await a.createTopics({ topics: [{ topic: k.topic }] })) // there is one already
    await a.deleteTopics({ topics: [k.topic] })
    await until(async () => !(await a.listTopics()).includes(k.topic), 'the topic gone')
  },

  async admin_create_refused(k) {
    const a = await admin(k)
    for (const [topic, code] of [
      [{ topic: 'no/name' }, 'INVALID_TOPIC_EXCEPTION'],
      [{ topic: k.topic, replicationFactor: 9 }, 'INVALID_REPLICATION_FACTOR'],
      [{ topic: k.topic, numPartitions: 0 }, 'INVALID_PARTITIONS'],
      [{ topic: k.topic, configEntries: [{ name: 'retention.ms', value: 'x' }] }, 'INVALID_CONFIG'],
    ]) {
      await refused(() => a.createTopics({ topics: [topic] }), code)
    }
    same(true, await a.createTopics({ validateOnly: true, waitForLeaders: false, topics: [{ topic: k.topic }] }))
    same(false, (await a.listTopics()).includes(k.topic))
  },

  async admin_create_partitions(k) {
    const a = await create(k)
    await a.createPartitions({ topicPartitions: [{ topic: k.topic, count: 3 }] })
    await until(async () => (await partitionsOf(a, k.topic)) === 3, 'three partitions')
    await refused(() => a.createPartitions({ topicPartitions: [{ topic: k.topic, count: 2 }] }), 'INVALID_PARTITIONS')
    same([2], (await produce(k, [{ value: 'v', partition: 2 }])).map(r => r.partition))
  },

  // alterConfigs is the old call: what it does not name goes back to its default.
  async admin_configs(k) {
    const a = await create(k, 1, { 'retention.ms': '60000' })
    same('60000', (await configsOf(a, ConfigResourceTypes.TOPIC, k.topic))['retention.ms'])
    const alter = configEntries => a.alterConfigs({
      resources: [{ type: ConfigResourceTypes.TOPIC, name: k.topic, configEntries }],
    })
    await alter([{ name: 'segment.bytes', value: '2097152' }])
    await until(
      async () => (await configsOf(a, ConfigResourceTypes.TOPIC, k.topic))['segment.bytes'] === '2097152',
      'the new value',
    )
    same('604800000', (await configsOf(a, ConfigResourceTypes.TOPIC, k.topic))['retention.ms'])
    await refused(() => alter([{ name: 'segment.bytes', value: 'x' }]), 'INVALID_CONFIG')
  },

  async admin_broker_configs(k) {
    const a = await admin(k)
    const { brokers: [broker] } = await a.describeCluster()
    same('1', (await configsOf(a, ConfigResourceTypes.BROKER, String(broker.nodeId)))['num.partitions'])
  },

  async admin_groups(k) {
    const a = await create(k, 2)
    const m = await member(k)
    await until(() => m.owned().length === 2)
    has(k.group, (await a.listGroups()).groups.filter(g => g.protocolType === 'consumer').map(g => g.groupId))
    const { groups: [group] } = await a.describeGroups([k.group])
    same(['Stable', 'consumer', 'RoundRobinAssigner', 1], [group.state, group.protocolType, group.protocol, group.members.length])
    const assigned = AssignerProtocol.MemberAssignment.decode(group.members[0].memberAssignment)
    same({ [k.topic]: [0, 1] }, assigned.assignment)
    same('Stable', (await m.consumer.describeGroup()).state)
    await m.consumer.commitOffsets([{ topic: k.topic, partition: 0, offset: '0' }])
    const busy = await refused(() => a.deleteGroups([k.group]), 'Error in DeleteGroups')
    same([68], busy.groups.map(g => g.error.code)) // NON_EMPTY_GROUP
    await m.leave()
    same([{ groupId: k.group, errorCode: 0 }], (await a.deleteGroups([k.group])).map(({ groupId, errorCode }) => ({ groupId, errorCode })))
    const gone = await refused(() => a.deleteGroups([k.group]), 'Error in DeleteGroups')
    same([69], gone.groups.map(g => g.error.code)) // GROUP_ID_NOT_FOUND
  },

  async admin_group_offsets(k) {
    const a = await create(k, 2)
    await produce(k, payloads(5).map(value => ({ value, partition: 1 })))
    const offsets = async options => (await a.fetchOffsets({ groupId: k.group, topics: [k.topic], ...options }))[0].partitions
      .toSorted((x, y) => x.partition - y.partition).map(p => p.offset)
    same(['-1', '-1'], await offsets())
    await a.setOffsets({ groupId: k.group, topic: k.topic, partitions: [{ partition: 1, offset: '3' }] })
    same(['-1', '3'], await offsets())
    await a.resetOffsets({ groupId: k.group, topic: k.topic, earliest: true })
    same('0', (await offsets({ resolveOffsets: true }))[1])
    const m = await member(k)
    same('0', (await m.next(5))[0].offset)
    await refused(
      () => a.setOffsets({ groupId: k.group, topic: k.topic, partitions: [{ partition: 1, offset: '3' }] }),
      'must have no running instances',
    )
  },

  async admin_delete_records(k) {
    const a = await create(k)
    await produce(k, payloads(10))
    await a.fetchTopicOffsets(k.topic) // without it kafkajs does not know the leader
    await a.deleteTopicRecords({ topic: k.topic, partitions: [{ partition: 0, offset: '4' }] })
    same([{ partition: 0, offset: '10', high: '10', low: '4' }], await a.fetchTopicOffsets(k.topic))
    same('4', (await read(k, 1))[0].offset)
    await refused(() => a.deleteTopicRecords({ topic: k.topic, partitions: [{ partition: 0, offset: '40' }] }), 'OFFSET_OUT_OF_RANGE')
  },

  async admin_cluster(k) {
    const a = await admin(k)
    const cluster = await a.describeCluster()
    same(1, cluster.brokers.length)
    same(cluster.controller, cluster.brokers[0].nodeId)
    same('string', typeof cluster.clusterId)
    const there = client(k, { brokers: [`${cluster.brokers[0].host}:${cluster.brokers[0].port}`] }).admin()
    await there.connect()
    await there.disconnect()
  },

  async admin_reassignments(k) {
    const a = await create(k)
    same([], (await a.listPartitionReassignments({ topics: [{ topic: k.topic, partitions: [0] }] })).topics)
  },

  async admin_acls_without_authorizer(k) {
    const a = await admin(k)
    const any = {
      resourceType: AclResourceTypes.ANY, resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY,
    }
    await refused(() => a.describeAcls(any), 'SECURITY_DISABLED')
    await refused(() => a.createAcls({
      acl: [{
        resourceType: AclResourceTypes.TOPIC, resourceName: k.topic, resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: 'User:u', host: '*', operation: AclOperationTypes.READ, permissionType: AclPermissionTypes.ALLOW,
      }],
    }), 'SECURITY_DISABLED')
  },
}

export const cases = {
  ...casesOfEvery(shared), ...recordCases, ...consumerCases, ...groupCases, ...adminCases,
  ...transactionCasesOfKafkajs,
}
