"""What the cases of aiokafka are written with."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from harness import PATIENCE_S, has, same, until_async


class Admin(AIOKafkaAdminClient):
    """async with, as consumers and producers have it."""

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.close()


def admin(k):
    return Admin(bootstrap_servers=k.addr)


async def partitions(a, topic):
    """How many partitions a topic has; 0 if it is not there."""
    (described,) = await a.describe_topics([topic])
    return len(described["partitions"]) if described["error_code"] == 0 else 0


async def create(k, count=1, topic=None, **config):
    topic = topic or k.topic
    async with admin(k) as a:
        created = await a.create_topics([NewTopic(topic, count, 1, topic_configs=config)])
        same([0], [t[1] for t in created.topic_errors])

        async def there():
            return await partitions(a, topic) == count

        await until_async(there, "topic in metadata")


def producer(k, **config):
    return AIOKafkaProducer(bootstrap_servers=k.addr, linger_ms=5, **config)


async def produce(k, *values, topic=None, config=None, **message):
    """Produces the values, and returns the records' metadata as acknowledged."""
    async with producer(k, **(config or {})) as p:
        futures = [await p.send(topic or k.topic, value, **message) for value in values]
        return await asyncio.wait_for(asyncio.gather(*futures), PATIENCE_S)


def consumer(k, *topics, **config):
    options = dict(
        bootstrap_servers=k.addr,
        group_id=k.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        heartbeat_interval_ms=200,
        session_timeout_ms=6000,
    )
    return AIOKafkaConsumer(*topics, **{**options, **config})


async def poll(c, n):
    """The next n records."""
    return [await asyncio.wait_for(c.getone(), PATIENCE_S) for _ in range(n)]


async def read(k, n, partition=0, offset=0):
    async with consumer(k, group_id=None) as c:
        tp = TopicPartition(k.topic, partition)
        c.assign([tp])
        c.seek(tp, offset)
        return await poll(c, n)


def values(records):
    return [r.value for r in records]


def owned(c):
    return sorted(tp.partition for tp in c.assignment())
