"""aiokafka: asyncio."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition, errors
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata
from aiokafka_shared import (
    admin,
    consumer,
    create,
    owned,
    partitions,
    poll,
    produce,
    producer,
    read,
    values,
)
from aiokafka_transactions import *  # their cases are found here
from harness import PATIENCE_S, has, payloads, refused, same, until_async

# --- records -----------------------------------------------------------------------------------


async def compressed(k, codec):
    await create(k)
    want = payloads(2000)
    await produce(k, *want, config=dict(compression_type=codec))
    same(want, values(await read(k, 2000)))


async def case_compression_none(k):
    await compressed(k, None)


async def case_compression_gzip(k):
    await compressed(k, "gzip")


async def case_compression_snappy(k):
    await compressed(k, "snappy")


async def case_compression_lz4(k):
    await compressed(k, "lz4")


async def case_compression_zstd(k):
    await compressed(k, "zstd")


async def case_compression_mixed(k):
    """One consumer reads batches of every codec, beginning in the middle of one."""
    await create(k)
    want = []
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        batch = [str(codec).encode() + b" " + p for p in payloads(100)]
        await produce(k, *batch, config=dict(compression_type=codec))
        want += batch
    same(want, values(await read(k, 500)))
    same(want[250:], values(await read(k, 250, offset=250)))


async def case_keys(k):
    await create(k)
    for key, value in ((b"a", b"1"), (None, b"2"), (b"", b"3")):
        await produce(k, value, key=key)
    same([(b"a", b"1"), (None, b"2"), (b"", b"3")], [(r.key, r.value) for r in await read(k, 3)])


async def case_tombstones(k):
    await create(k)
    await produce(k, None, key=b"gone")
    await produce(k, b"", key=b"empty")
    same([(b"gone", None), (b"empty", b"")], [(r.key, r.value) for r in await read(k, 2)])


async def case_headers(k):
    await create(k)
    headers = [("a", b"1"), ("null", None), ("a", b"again"), ("empty", b""), ("bytes", b"\x00\xff")]
    await produce(k, b"with", headers=headers)
    await produce(k, b"without")
    same([tuple(headers), ()], [r.headers for r in await read(k, 2)])


async def case_timestamps(k):
    await create(k)
    same([1_600_000_000_123], [m.timestamp for m in await produce(k, b"then", timestamp_ms=1_600_000_000_123)])
    before = int(time.time() * 1000)
    await produce(k, b"now")
    after = int(time.time() * 1000)
    then, now = await read(k, 2)
    same((1_600_000_000_123, 0, 0), (then.timestamp, then.timestamp_type, now.timestamp_type))
    assert before <= now.timestamp <= after, (before, now.timestamp, after)


async def case_offset_by_time(k):
    await create(k)
    for at in (1000, 3000, 2000):
        await produce(k, b"v", timestamp_ms=at)
    tp = TopicPartition(k.topic, 0)
    async with consumer(k) as c:

        async def found(ms):
            at = (await c.offsets_for_times({tp: ms}))[tp]
            return at and (at.offset, at.timestamp)

        same([(0, 1000), (1, 3000), (1, 3000), (1, 3000)], [await found(ms) for ms in (1, 1001, 2000, 3000)])
        same(None, await found(3001))


async def case_watermarks(k):
    await create(k)
    await produce(k, *payloads(7))
    tp = TopicPartition(k.topic, 0)
    async with consumer(k) as c:
        same(({tp: 0}, {tp: 7}), (await c.beginning_offsets([tp]), await c.end_offsets([tp])))
        c.assign([tp])
        await poll(c, 1)
        same((7, 7), (c.highwater(tp), c.last_stable_offset(tp)))


async def case_partitions(k):
    """The key decides the partition; a partition can be named."""
    await create(k, 4)
    async with producer(k) as p:
        same({0, 1, 2, 3}, await p.partitions_for(k.topic))
    same(1, len({m.partition for m in await produce(k, b"v", b"again", key=b"one")}))
    same(3, (await produce(k, b"named", partition=3))[0].partition)


async def case_large_record(k):
    await create(k)
    large = bytes(range(256)) * 3900
    await produce(k, large)
    same(large, (await read(k, 1))[0].value)


async def case_record_too_large(k):
    await create(k, **{"max.message.bytes": "10000"})
    with refused(errors.MessageSizeTooLargeError):
        await produce(k, b"x" * 20000)
    same(0, (await produce(k, b"x" * 5000))[0].offset)


async def acks(k, n):
    await create(k)
    want = payloads(200)
    await produce(k, *want, config=dict(acks=n))
    same(want, values(await read(k, 200)))


async def case_acks_0(k):
    await acks(k, 0)


async def case_acks_1(k):
    await acks(k, 1)


async def case_acks_all(k):
    await acks(k, "all")


async def case_idempotent_producer(k):
    await create(k)
    want = payloads(3000, 30)
    done = await produce(k, *want, config=dict(enable_idempotence=True, max_batch_size=2000))
    same(list(range(3000)), [m.offset for m in done])
    same(want, values(await read(k, 3000)))


async def case_send_batch(k):
    """A batch that the user builds and addresses."""
    await create(k, 2)
    async with producer(k) as p:
        batch = p.create_batch()
        for n in range(5):
            assert batch.append(key=b"k", value=b"%d" % n, timestamp=1000 + n)
        sent = await (await p.send_batch(batch, k.topic, partition=1))
    same((1, 0), (sent.partition, sent.offset))
    same([(1000 + n, b"%d" % n) for n in range(5)], [(r.timestamp, r.value) for r in await read(k, 5, partition=1)])


async def case_unknown_topic(k):
    async with admin(k) as a:
        (deleted,) = (await a.delete_topics([k.topic])).topic_error_codes
        same((k.topic, 3), tuple(deleted)[:2])
    async with consumer(k) as c:
        same(None, c.partitions_for_topic(k.topic))
        assert k.topic not in await c.topics()
    async with consumer(k, request_timeout_ms=2000) as c:
        with refused(errors.KafkaTimeoutError):
            await c.end_offsets([TopicPartition("no/such", 0)])


async def case_produce_creates_topic(k):
    same(0, (await produce(k, b"first"))[0].offset)
    same([b"first"], values(await read(k, 1)))


# --- consuming ---------------------------------------------------------------------------------


async def case_iterate(k):
    """`async for record in consumer`."""
    await create(k)
    await produce(k, *(b"%d" % n for n in range(10)))
    got = []
    async with consumer(k, k.topic) as c:
        async for record in c:
            got.append(record.value)
            if len(got) == 10:
                break
    same([b"%d" % n for n in range(10)], got)


async def case_getmany(k):
    await create(k, 2)
    for partition in (0, 1):
        await produce(k, *payloads(50), partition=partition)
    async with consumer(k, k.topic) as c:
        got = {0: 0, 1: 0}

        async def all_of_them():
            batch = await c.getmany(timeout_ms=200, max_records=20)
            assert sum(map(len, batch.values())) <= 20
            for tp, records in batch.items():
                same(list(range(got[tp.partition], got[tp.partition] + len(records))), [r.offset for r in records])
                got[tp.partition] += len(records)
            return got == {0: 50, 1: 50}

        await until_async(all_of_them, "a hundred records")


async def case_seek(k):
    await create(k)
    await produce(k, *(b"%d" % n for n in range(10)))
    tp = TopicPartition(k.topic, 0)
    async with consumer(k) as c:
        c.assign([tp])
        c.seek(tp, 8)
        same([b"8", b"9"], values(await poll(c, 2)))
        c.seek(tp, 3)
        same([b"3", b"4"], values(await poll(c, 2)))
        same(5, await c.position(tp))
        await c.seek_to_beginning(tp)
        same([b"0"], values(await poll(c, 1)))
        await c.seek_to_end(tp)
        await produce(k, b"new")
        same([b"new"], values(await poll(c, 1)))
        await c.commit({tp: 6})
        await c.seek_to_committed(tp)
        same([b"6"], values(await poll(c, 1)))


async def case_pause(k):
    await create(k, 2)
    await produce(k, b"0", partition=0)
    zero, one = TopicPartition(k.topic, 0), TopicPartition(k.topic, 1)
    async with consumer(k, group_id=None) as c:
        c.assign([zero, one])
        same([b"0"], values(await poll(c, 1)))
        c.pause(zero)
        same({zero}, c.paused())
        await produce(k, b"paused", partition=0)
        await produce(k, *(b"%d" % n for n in range(5)), partition=1)
        same({1}, {r.partition for r in await poll(c, 5)})
        c.resume(zero)
        same([b"paused"], values(await poll(c, 1)))


async def case_offset_out_of_range(k):
    await create(k)
    await produce(k, *payloads(3))
    same(0, (await read(k, 1, offset=1000))[0].offset)
    tp = TopicPartition(k.topic, 0)
    async with consumer(k, group_id=None, auto_offset_reset="none") as c:
        c.assign([tp])
        c.seek(tp, 1000)
        with refused(errors.OffsetOutOfRangeError) as refusal:
            await poll(c, 1)
        same({tp: 1000}, refusal.error.args[0])


async def case_waiting_consumer_wakes(k):
    await create(k)
    tp = TopicPartition(k.topic, 0)
    async with consumer(k, group_id=None, fetch_max_wait_ms=20000) as c:
        c.assign([tp])
        waiting = asyncio.ensure_future(c.getone())
        await c.end_offsets([tp])  # its first fetch is under way
        began = time.monotonic()
        await produce(k, b"wake")
        same(b"wake", (await asyncio.wait_for(waiting, PATIENCE_S)).value)
        assert time.monotonic() - began < 5


# --- groups ------------------------------------------------------------------------------------


async def rebalance(k, assignor):
    """A member joins, a second one, one leaves: every partition always has one owner in the end."""
    await create(k, 4)
    config = dict(partition_assignment_strategy=[assignor])
    one, two = consumer(k, k.topic, **config), consumer(k, k.topic, **config)

    async def all_with_one():
        return owned(one) == [0, 1, 2, 3]

    async def shared():
        return len(owned(one)) == 2 and sorted(owned(one) + owned(two)) == [0, 1, 2, 3]

    async def all_with_two():
        return owned(two) == [0, 1, 2, 3]

    await one.start()
    await until_async(all_with_one, "all partitions with the first member")
    await two.start()
    await until_async(shared, "two partitions each")
    for n in range(4):
        await produce(k, b"%d" % n, partition=n)
    got = []
    for member in (one, two):
        got += await poll(member, 2)
    same([b"0", b"1", b"2", b"3"], sorted(values(got)))
    await one.stop()
    await until_async(all_with_two, "all partitions with the second member")
    await two.stop()


async def case_group_rebalances(k):
    await rebalance(k, RangePartitionAssignor)


async def case_group_roundrobin(k):
    await rebalance(k, RoundRobinPartitionAssignor)


async def case_group_sticky(k):
    await rebalance(k, StickyPartitionAssignor)


async def case_rebalance_listener(k):
    await create(k, 2)
    told = []

    class Listener(ConsumerRebalanceListener):
        async def on_partitions_revoked(self, revoked):
            told.append(("revoked", len(revoked)))

        async def on_partitions_assigned(self, assigned):
            told.append(("assigned", len(assigned)))

    one, two = consumer(k), consumer(k, k.topic)
    one.subscribe([k.topic], listener=Listener())
    await one.start()

    async def assigned_all():
        return ("assigned", 2) in told

    async def gave_one_away():
        return told[-2:] == [("revoked", 2), ("assigned", 1)]

    await until_async(assigned_all)
    await two.start()
    await until_async(gave_one_away, told)
    await two.stop()
    await one.stop()


async def case_static_membership(k):
    """A static member is not told to leave, and finds its partitions again."""
    await create(k, 2)
    one, two = (consumer(k, k.topic, group_instance_id=name) for name in ("one", "two"))
    await one.start()
    await two.start()

    async def shared():
        return (len(owned(one)), len(owned(two))) == (1, 1)

    await until_async(shared, "one partition each")
    mine = owned(two)
    await two.stop()
    async with consumer(k, k.topic, group_instance_id="two") as again:

        async def back():
            return owned(again) == mine

        await until_async(back, "the same partition again")
    await one.stop()


async def case_group_resumes(k):
    await create(k)
    await produce(k, *(b"%d" % n for n in range(10)))
    async with consumer(k, k.topic) as c:
        same([b"%d" % n for n in range(5)], values(await poll(c, 5)))
        await c.commit()
    async with consumer(k, k.topic) as c:
        same([b"5", b"6", b"7", b"8", b"9"], values(await poll(c, 5)))
        same(5, await c.committed(TopicPartition(k.topic, 0)))


async def case_commit_metadata(k):
    await create(k)
    tp = TopicPartition(k.topic, 0)
    async with consumer(k) as c:
        c.assign([tp])
        await c.commit({tp: (7, "what was done é")})
    async with admin(k) as a:
        same({tp: OffsetAndMetadata(7, "what was done é")}, await a.list_consumer_group_offsets(k.group))


async def case_auto_commit(k):
    await create(k)
    await produce(k, *payloads(10))
    tp = TopicPartition(k.topic, 0)
    async with consumer(k, k.topic, enable_auto_commit=True, auto_commit_interval_ms=100) as c, consumer(k) as other:
        await poll(c, 10)

        async def committed():
            return await other.committed(tp) == 10

        await until_async(committed, "a commit at the end")


async def case_subscribe_pattern(k):
    await create(k)
    await produce(k, b"old")
    async with consumer(k, metadata_max_age_ms=300) as c:
        c.subscribe(pattern=f"^{k.topic}.*")
        same([b"old"], values(await poll(c, 1)))
        # A topic that comes later is found.
        await create(k, topic=k.topic + "-later")
        await produce(k, b"new", topic=k.topic + "-later")

        async def found():
            return b"new" in values(await poll(c, 1))

        await until_async(found, "the new topic's record")


# --- admin -------------------------------------------------------------------------------------


async def case_admin_topics(k):
    await create(k, 3, **{"retention.ms": "60000"})
    async with admin(k) as a:
        (topic,) = await a.describe_topics([k.topic])
        same((k.topic, False, 3), (topic["topic"], topic["is_internal"], len(topic["partitions"])))
        has(k.topic, await a.list_topics())
        await a.delete_topics([k.topic])

        async def gone():
            return k.topic not in await a.list_topics()

        await until_async(gone, "the topic gone")


async def case_admin_create_refused(k):
    await create(k)
    async with admin(k) as a:
        for topic, code, says in (
            (NewTopic(k.topic, 1, 1), 36, f"Topic '{k.topic}' already exists."),
            (NewTopic("no/name", 1, 1), 17, "ASCII alphanumerics"),
            (NewTopic(k.topic + "2", 1, 9), 38, "replication factor"),
            (NewTopic(k.topic + "2", 0, 1), 37, "Number of partitions was set to an invalid non-positive value."),
            (NewTopic(k.topic + "2", 1, 1, topic_configs={"retention.ms": "x"}), 40, "retention.ms"),
        ):
            (answer,) = (await a.create_topics([topic])).topic_errors
            same((topic.name, code), tuple(answer)[:2])
            has(says, answer[2])
        await a.create_topics([NewTopic(k.topic + "2", 1, 1)], validate_only=True)
        assert k.topic + "2" not in await a.list_topics()


async def case_admin_create_partitions(k):
    await create(k)
    async with admin(k) as a:
        await a.create_partitions({k.topic: NewPartitions(3)})

        async def three():
            return await partitions(a, k.topic) == 3

        await until_async(three, "three partitions")
        with refused(errors.InvalidPartitionsError, "currently has 3 partition(s); 2 would not be an increase."):
            await a.create_partitions({k.topic: NewPartitions(2)})
    same(2, (await produce(k, b"v", partition=2))[0].partition)


async def case_admin_configs(k):
    """alter_configs is the old call: what it does not name goes back to its default."""
    await create(k, **{"retention.ms": "60000"})
    async with admin(k) as a:

        async def described():
            (response,) = await a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, k.topic)])
            (resource,) = response.resources
            return {entry[0]: entry[1] for entry in resource[4]}

        same("60000", (await described())["retention.ms"])
        await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, k.topic, {"segment.bytes": "2097152"})])

        async def altered():
            return (await described())["segment.bytes"] == "2097152"

        await until_async(altered, "the new value")
        same("604800000", (await described())["retention.ms"])


async def case_admin_groups(k):
    await create(k, 2)
    async with admin(k) as a, consumer(k, k.topic, client_id="reader") as c:

        async def joined():
            return owned(c) == [0, 1]

        await until_async(joined)
        await c.commit({TopicPartition(k.topic, 1): 0})
        has((k.group, "consumer"), [tuple(g)[:2] for g in await a.list_consumer_groups()])
        (response,) = await a.describe_consumer_groups([k.group])
        (group,) = response.groups
        same((0, k.group, "Stable", "consumer", "roundrobin"), tuple(group)[:5])
        same(["reader"], [m[-4] if len(m) == 5 else m[-5 + 1] for m in group[5]])
        same({TopicPartition(k.topic, 1): OffsetAndMetadata(0, "")}, await a.list_consumer_group_offsets(k.group))
        assert await a.find_coordinator(k.group) >= 0


async def case_admin_delete_records(k):
    await create(k)
    await produce(k, *payloads(10))
    tp = TopicPartition(k.topic, 0)
    async with admin(k) as a:
        same({tp: 4}, await a.delete_records({tp: RecordsToDelete(before_offset=4)}))
        same(4, (await read(k, 1))[0].offset)
        with refused(errors.OffsetOutOfRangeError):
            await a.delete_records({tp: RecordsToDelete(before_offset=40)})


async def case_admin_cluster(k):
    async with admin(k) as a:
        cluster = await a.describe_cluster()
        same(1, len(cluster["brokers"]))
        broker = cluster["brokers"][0]
        same(cluster["controller_id"], broker["node_id"])
    async with AIOKafkaConsumer(bootstrap_servers=f"{broker['host']}:{broker['port']}") as c:
        assert isinstance(await c.topics(), set)
