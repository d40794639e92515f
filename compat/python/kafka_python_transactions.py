"""kafka-python: transactions, and their administration."""

import kafka_python_shared
import transaction_cases
from harness import PATIENCE_S, refused, same, until
from kafka import OffsetAndMetadata, TopicPartition, errors
from kafka.admin import AbortTransactionSpec
from kafka_python_shared import assigned, consumer, create, produce, producer, subscribed


class Producer(transaction_cases.Producer):
    def __init__(self, k, name, codec, timeout_ms):
        self.id = f"{k.topic}-{name}"
        self._p = producer(k, transactional_id=self.id, compression_type=codec, transaction_timeout_ms=timeout_ms)
        self._p.init_transactions()
        self.begin, self.commit, self.abort = self._p.begin_transaction, self._p.commit_transaction, self._p.abort_transaction
        self.close = self._p.close

    def send(self, topic, *values, partition=0):
        futures = [self._p.send(topic, value, partition=partition) for value in values]
        self._p.flush(PATIENCE_S)
        for f in futures:
            f.get(PATIENCE_S)

    def offsets(self, k, offsets, reader=None):
        at = {TopicPartition(k.topic, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
        self._p.send_offsets_to_transaction(at, reader.metadata() if reader else k.group)


class Reader(transaction_cases.Reader):
    def __init__(self, k):
        self._c = subscribed(k, isolation_level="read_committed")
        self.metadata = self._c.group_metadata
        self.close = self._c.close

    def poll(self):
        return [(r.partition, r.offset, r.value) for rs in self._c.poll(timeout_ms=10_000, max_records=15).values() for r in rs]


class Client(transaction_cases.Client):
    fenced = (errors.ProducerFencedError, errors.InvalidProducerEpochError)
    timed_out = errors.KafkaError

    def read(self, k, isolation, topic=None, partition=0):
        tp = TopicPartition(topic or k.topic, partition)
        c = assigned(k.on(topic), partition, isolation_level=isolation)
        end, got = c.end_offsets([tp])[tp], []
        while c.position(tp) < end:  # over markers, and what is not shown
            got += [r.value for rs in c.poll(timeout_ms=100).values() for r in rs]
        c.close()
        return got

    def committed(self, k, partition=0):
        c = consumer(k)
        offset = c.committed(TopicPartition(k.topic, partition))
        c.close()
        return offset


client = Client(kafka_python_shared, Producer, Reader)
globals().update(transaction_cases.cases(client))


def case_transaction_stale_member(k):
    """A member of another generation may not commit for its group."""
    create(k)
    produce(k, b"one")
    p, reader = client.producer(k), client.reader(k)
    until(reader.poll, "a record")
    now = reader.metadata()
    p.begin()
    stale = now._replace(generation_id=now.generation_id - 1)
    with refused(errors.KafkaError) as refusal:
        p._p.send_offsets_to_transaction({TopicPartition(k.topic, 0): OffsetAndMetadata(1, "", -1)}, stale)
    same("CommitFailedError", type(refusal.error).__name__)
    p.abort()
    p.begin()
    p.offsets(k, {0: 1}, reader)
    p.commit()
    reader.close()


def case_admin_transactions(k):
    a = create(k)
    p = client.producer(k)
    tp = TopicPartition(k.topic, 0)

    def listed(**filters):
        return [(t.transactional_id, str(t.state.value)) for ts in a.list_transactions(**filters).values() for t in ts if t.transactional_id == p.id]

    same([(p.id, "Empty")], listed())
    p.begin()
    p.send(k.topic, b"open")
    same([(p.id, "Ongoing")], listed(state_filters=["Ongoing"]))
    same([(p.id, "Ongoing")], listed(transactional_id_pattern=f"{k.topic}.*"))
    same([], listed(state_filters=["Empty"]))
    same([], listed(duration_filter_ms=3_600_000))
    described = a.describe_transactions([p.id])[p.id]
    same(("Ongoing", 60_000, [tp]), (described.state.value, described.transaction_timeout_ms, list(described.topic_partitions)))
    same([(p.id, "Ongoing")], listed(producer_id_filters=[described.producer_id]))
    with refused(errors.TransactionalIdNotFoundError):
        a.describe_transactions([p.id + "-unknown"])
    (state,) = a.describe_producers([tp])[tp].active_producers
    same((described.producer_id, described.producer_epoch, 0), (state.producer_id, state.producer_epoch, state.current_transaction_start_offset))
    same([], [t for t in a.find_hanging_transactions() if t["transactional_id"] == p.id])
    # An administrator ends it in the partition; the coordinator is not asked.
    produce(k, b"behind")
    a.abort_transaction(AbortTransactionSpec(tp, state.producer_id, state.producer_epoch))
    same([b"behind"], client.read(k, "read_committed"))
    same([(p.id, "Ongoing")], listed())
