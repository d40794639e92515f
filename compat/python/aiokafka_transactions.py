"""aiokafka: transactions. Its coroutines run in a loop of another thread, so that the cases are those of all clients."""

import asyncio
import threading

import aiokafka_shared
import transaction_cases
from aiokafka import TopicPartition, errors
from aiokafka.structs import OffsetAndMetadata
from aiokafka_shared import consumer, create, produce, producer
from harness import PATIENCE_S


class Loop:
    """Runs in a thread of its own, from the first coroutine on, until the process ends."""

    def __init__(self):
        self._loop = None

    def done(self, coroutine):
        if not self._loop:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)


loop = Loop()


class Producer(transaction_cases.Producer):
    def __init__(self, k, name, codec, timeout_ms):
        async def start():
            config = dict(compression_type=codec, transaction_timeout_ms=timeout_ms)
            self._p = producer(k, transactional_id=f"{k.topic}-{name}", **config)
            await self._p.start()

        loop.done(start())

    def begin(self):
        loop.done(self._p.begin_transaction())

    def send(self, topic, *values, partition=0):
        async def send():
            await asyncio.gather(*[await self._p.send(topic, value, partition=partition) for value in values])

        loop.done(send())

    def offsets(self, k, offsets, reader=None):
        at = {TopicPartition(k.topic, p): OffsetAndMetadata(offset, "") for p, offset in offsets.items()}
        loop.done(self._p.send_offsets_to_transaction(at, k.group))

    def commit(self):
        loop.done(self._p.commit_transaction())

    def abort(self):
        loop.done(self._p.abort_transaction())

    def close(self):
        loop.done(self._p.stop())


class Reader(transaction_cases.Reader):
    def __init__(self, k):
        async def start():
            self._c = consumer(k, k.topic, isolation_level="read_committed")
            await self._c.start()

        loop.done(start())

    def poll(self):
        batches = loop.done(self._c.getmany(timeout_ms=200, max_records=15))
        return [(r.partition, r.offset, r.value) for rs in batches.values() for r in rs]

    def close(self):
        loop.done(self._c.stop())


class Client(transaction_cases.Client):
    fenced = errors.ProducerFenced
    timed_out = errors.KafkaError

    def create(self, k, partitions=1, topic=None):
        loop.done(create(k.on(topic), partitions))

    def produce(self, k, value):
        loop.done(produce(k, value))

    def read(self, k, isolation, topic=None, partition=0):
        async def read():
            tp = TopicPartition(topic or k.topic, partition)
            async with consumer(k, group_id=None, isolation_level=isolation) as c:
                c.assign([tp])
                end, got = (await c.end_offsets([tp]))[tp], []
                while await c.position(tp) < end:  # over markers, and what is not shown
                    got += [r.value for rs in (await c.getmany(timeout_ms=100)).values() for r in rs]
                return got

        return loop.done(read())

    def committed(self, k, partition=0):
        async def committed():
            async with consumer(k) as c:
                return await c.committed(TopicPartition(k.topic, partition))

        return loop.done(committed())


client = Client(aiokafka_shared, Producer, Reader)
globals().update(transaction_cases.cases(client))
