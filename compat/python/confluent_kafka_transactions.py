"""confluent-kafka: transactions. The broker's transaction.version does not matter to librdkafka 2.16."""

import confluent_kafka_shared
import transaction_cases
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec
from confluent_kafka_shared import checked, consumer, create, error_code, producer, wait_for
from harness import PATIENCE_S, refused, same, until


class Producer(transaction_cases.Producer):
    def __init__(self, k, name, codec, timeout_ms):
        self._p = producer(
            k,
            transactional_id=f"{k.topic}-{name}",
            compression_type=codec or "none",
            transaction_timeout_ms=timeout_ms,
            batch_num_messages=200,
        )
        self._p.init_transactions(PATIENCE_S)
        self.begin, self.commit, self.abort = self._p.begin_transaction, self._p.commit_transaction, self._p.abort_transaction

    def send(self, topic, *values, partition=0):
        errors = []
        for value in values:
            self._p.produce(topic, value, partition=partition, on_delivery=lambda error, _: error and errors.append(error))
        try:
            same(0, self._p.flush(PATIENCE_S))
        except SystemError as error:  # what a fatal error becomes when a report is under way (FINDINGS.md)
            raise error.__cause__
        for error in errors:
            raise KafkaException(error)

    def offsets(self, k, offsets, reader=None):
        group = reader or Reader(k)
        at = [TopicPartition(k.topic, p, offset) for p, offset in offsets.items()]
        self._p.send_offsets_to_transaction(at, group.metadata(), PATIENCE_S)
        if not reader:
            group.close()

    def close(self):
        same(0, self._p.flush(PATIENCE_S))


class Reader(transaction_cases.Reader):
    def __init__(self, k):
        self._c = consumer(k, isolation_level="read_committed")
        self._c.subscribe([k.topic])
        self.metadata, self.close = self._c.consumer_group_metadata, self._c.close

    def poll(self):
        return [(m.partition(), m.offset(), m.value()) for m in checked(self._c.consume(15, 0.1))]


class Client(transaction_cases.Client):
    fenced = timed_out = KafkaException

    def read(self, k, isolation, topic=None, partition=0):
        c = consumer(k, isolation_level=isolation, enable_partition_eof=True)
        c.assign([TopicPartition(topic or k.topic, partition, OFFSET_BEGINNING)])
        got = []
        while True:
            (message,) = c.consume(1, PATIENCE_S)
            if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                c.close()
                return got
            got += [m.value() for m in checked([message])]

    def committed(self, k, partition=0):
        c = consumer(k)
        offset = c.committed([TopicPartition(k.topic, partition)], PATIENCE_S)[0].offset
        c.close()
        return offset if offset >= 0 else None


client = Client(confluent_kafka_shared, Producer, Reader)
globals().update(transaction_cases.cases(client))


def case_transaction_fenced_code(k):
    """librdkafka's own words for it, and it is fatal."""
    create(k)
    first = client.producer(k)
    first.begin()
    first.send(k.topic, b"first")
    client.producer(k)
    with refused(KafkaException) as refusal:
        first.commit()
    same((KafkaError._FENCED, True), (error_code(refusal), refusal.error.args[0].fatal()))


def case_transaction_timeout_too_long(k):
    with refused(KafkaException) as refusal:
        client.producer(k, timeout_ms=900_001)
    same(KafkaError.INVALID_TRANSACTION_TIMEOUT, error_code(refusal))


def case_transaction_unstable_offsets(k):
    """A consumer of committed data waits for offsets that are not decided."""
    create(k)
    p = client.producer(k)
    p.begin()
    p.offsets(k, {0: 3})
    c = consumer(k, isolation_level="read_committed")
    with refused(KafkaException) as refusal:
        c.committed([TopicPartition(k.topic, 0)], 1)
    same(KafkaError._TIMED_OUT, error_code(refusal))
    p.commit()
    same(3, c.committed([TopicPartition(k.topic, 0)], PATIENCE_S)[0].offset)
    c.close()


def case_admin_isolation(k):
    """The end is another one for consumers of committed data."""
    a = create(k)
    p = client.producer(k)
    p.begin()
    p.send(k.topic, b"open")
    tp = TopicPartition(k.topic, 0)

    def end(level):
        return wait_for(a.list_offsets({tp: OffsetSpec.latest()}, isolation_level=level))[tp].offset

    same((0, 1), (end(IsolationLevel.READ_COMMITTED), end(IsolationLevel.READ_UNCOMMITTED)))
    p.abort()
    until(lambda: end(IsolationLevel.READ_COMMITTED) == 2, "the marker")
    # Undecided offsets are not shown; who asks for stable ones is told to ask again.
    p.begin()
    p.offsets(k, {0: 1})

    def offsets(**options):
        asked = [ConsumerGroupTopicPartitions(k.group, [tp])]
        (found,) = wait_for(a.list_consumer_group_offsets(asked, **options))[k.group].topic_partitions
        return found.error and found.error.code(), found.offset

    same((None, OFFSET_INVALID), offsets())
    same((KafkaError.UNSTABLE_OFFSET_COMMIT, OFFSET_INVALID), offsets(require_stable=True))
    p.commit()
    until(lambda: offsets(require_stable=True) == (None, 1), "the offset")
