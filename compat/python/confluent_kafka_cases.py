"""confluent-kafka: librdkafka under Python. The admin client has a file of its own."""

import threading
import time

import confluent_kafka_shared
import record_cases
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_CREATE_TIME,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import NewTopic
from confluent_kafka_admin_cases import *  # their cases are found here
from confluent_kafka_shared import (
    admin,
    checked,
    consumer,
    create,
    error_code,
    owned,
    poll,
    pollers,
    produce,
    producer,
    read,
    values,
    wait_for,
)
from confluent_kafka_transactions import *
from harness import PATIENCE_S, has, payloads, refused, same, until

# --- records -----------------------------------------------------------------------------------

globals().update(record_cases.cases(confluent_kafka_shared))


def case_keys(k):
    create(k)
    for key, value in ((b"a", b"1"), (None, b"2"), (b"", b"3"), ("é", "ü")):
        produce(k, value, key=key)
    same(
        [(b"a", b"1"), (None, b"2"), (b"", b"3"), ("é".encode(), "ü".encode())],
        [(m.key(), m.value()) for m in read(k, 4)],
    )


def case_tombstones(k):
    create(k)
    produce(k, None, key=b"gone")
    produce(k, b"", key=b"empty")
    same([(b"gone", None), (b"empty", b"")], [(m.key(), m.value()) for m in read(k, 2)])


def case_headers(k):
    create(k)
    headers = [("a", b"1"), ("null", None), ("a", b"again"), ("empty", b""), ("bytes", b"\x00\xff")]
    produce(k, b"with", headers=headers)
    produce(k, b"without")
    got = read(k, 2)
    same(headers, got[0].headers())
    same(None, got[1].headers())


def case_timestamps(k):
    create(k)
    produce(k, b"then", timestamp=1_600_000_000_123)
    before = int(time.time() * 1000)
    produce(k, b"now")
    after = int(time.time() * 1000)
    then, now = (m.timestamp() for m in read(k, 2))
    same((TIMESTAMP_CREATE_TIME, 1_600_000_000_123), then)
    same(TIMESTAMP_CREATE_TIME, now[0])
    assert before <= now[1] <= after, (before, now, after)


def case_offset_by_time(k):
    create(k)
    for at in (1000, 3000, 2000):
        produce(k, b"v", timestamp=at)
    c = consumer(k)

    def offset(ms):
        return c.offsets_for_times([TopicPartition(k.topic, 0, ms)], 10)[0].offset

    same([0, 1, 1, 1], [offset(ms) for ms in (1, 1001, 2000, 3000)])
    same(OFFSET_END, offset(3001))


def case_watermarks(k):
    create(k)
    c = consumer(k)
    same((0, 0), c.get_watermark_offsets(TopicPartition(k.topic, 0), 10))
    produce(k, *payloads(7))
    same((0, 7), c.get_watermark_offsets(TopicPartition(k.topic, 0), 10))


def case_partitions(k):
    """The key decides the partition; a partition can be named."""
    create(k, partitions=4)
    where = {m.key(): m.partition() for m in produce(k, b"v", key=b"one") + produce(k, b"v", key=b"two")}
    for key, partition in where.items():
        same(partition, produce(k, b"again", key=key)[0].partition())
    named = produce(k, b"named", partition=3)[0]
    same(3, named.partition())
    same(b"named", read(k, 1, offset=named.offset(), partition=3)[0].value())


def case_record_too_large(k):
    create(k, **{"max.message.bytes": "10000"})
    with refused(KafkaException) as refusal:
        produce(k, b"x" * 20000)
    same(KafkaError.MSG_SIZE_TOO_LARGE, error_code(refusal))
    same(0, produce(k, b"x" * 5000)[0].offset())


def case_idempotent_producer(k):
    create(k)
    want = payloads(5000, 30)
    done = produce(k, *want, p=producer(k, enable_idempotence=True, batch_num_messages=50))
    same(list(range(5000)), [m.offset() for m in done])
    same(want, values(read(k, 5000)))


def case_delivery_reports(k):
    create(k, partitions=2)
    seen = []
    p = producer(k)
    for n in range(10):
        p.produce(k.topic, b"%d" % n, key=b"k", partition=n % 2, on_delivery=lambda e, m: seen.append((e, m)))
    until(lambda: p.poll(0.05) and False or len(seen) == 10, "ten reports")
    same([None] * 10, [error for error, _ in seen])
    same([(n % 2, n // 2) for n in range(10)], sorted(((m.partition(), m.offset()) for _, m in seen), key=lambda x: x[1] * 2 + x[0]))
    assert all(m.latency() > 0 and m.key() == b"k" for _, m in seen)


def case_unknown_topic(k):
    c = consumer(k)
    c.subscribe([k.topic])
    message = until(lambda: c.poll(0.1), "an error message")
    same(KafkaError.UNKNOWN_TOPIC_OR_PART, message.error().code())
    has("Subscribed topic not available", message.error().str())
    # Asked by a consumer; an admin client, which is a producer inside, would create the topic.
    same(KafkaError.UNKNOWN_TOPIC_OR_PART, c.list_topics(k.topic, 10).topics[k.topic].error.code())
    c.close()
    a = admin(k)
    with refused(KafkaException) as refusal:
        wait_for(a.describe_topics(TopicCollection([k.topic + "-no"])))
    same(KafkaError.UNKNOWN_TOPIC_OR_PART, error_code(refusal))


def case_produce_creates_topic(k):
    same(0, produce(k, b"first")[0].offset())
    same([b"first"], values(read(k, 1)))


# --- consuming ---------------------------------------------------------------------------------


def case_seek(k):
    create(k)
    produce(k, *(b"%d" % n for n in range(10)))
    c = consumer(k)
    c.assign([TopicPartition(k.topic, 0, 8)])
    same([b"8", b"9"], values(poll(c, 2)))
    c.seek(TopicPartition(k.topic, 0, 3))
    same([b"3", b"4"], values(poll(c, 2)))
    same(5, c.position([TopicPartition(k.topic, 0)])[0].offset)
    c.seek(TopicPartition(k.topic, 0, OFFSET_END))
    # The end is looked up in the background: what is produced before then is passed over.
    new = until(lambda: produce(k, b"new") and checked(c.consume(1, 0.1)), "a new message")
    same(b"new", new[0].value())


def case_pause(k):
    create(k, partitions=2)
    produce(k, b"0", partition=0)
    c = consumer(k)
    zero, one = TopicPartition(k.topic, 0, OFFSET_BEGINNING), TopicPartition(k.topic, 1, OFFSET_BEGINNING)
    c.assign([zero, one])
    same([b"0"], values(poll(c, 1)))
    c.pause([zero])
    produce(k, b"paused", partition=0)
    produce(k, *(b"%d" % n for n in range(5)), partition=1)
    same({1}, {m.partition() for m in poll(c, 5)})
    c.resume([zero])
    same([b"paused"], values(poll(c, 1)))


def case_offset_out_of_range(k):
    create(k)
    produce(k, *payloads(3))
    same(0, read(k, 1, offset=1000)[0].offset())
    c = consumer(k, auto_offset_reset="error")
    c.assign([TopicPartition(k.topic, 0, 1000)])
    message = until(lambda: c.poll(0.1), "an error message")
    same(KafkaError._AUTO_OFFSET_RESET, message.error().code())
    has("Offset out of range", message.error().str())


def case_end_of_partition(k):
    create(k)
    produce(k, b"1")
    c = consumer(k, enable_partition_eof=True)
    c.assign([TopicPartition(k.topic, 0, OFFSET_BEGINNING)])
    got = [until(lambda: c.poll(0.1)) for _ in range(2)]
    same([None, KafkaError._PARTITION_EOF], [m.error() and m.error().code() for m in got])
    same(1, got[1].offset())


def case_waiting_consumer_wakes(k):
    create(k)
    c = consumer(k, fetch_wait_max_ms=8000, enable_partition_eof=True)
    c.assign([TopicPartition(k.topic, 0, OFFSET_BEGINNING)])
    same(KafkaError._PARTITION_EOF, until(lambda: c.poll(0.1)).error().code())
    began = time.monotonic()
    produce(k, b"wake")
    same([b"wake"], values(poll(c, 1)))
    assert time.monotonic() - began < 4


# --- groups ------------------------------------------------------------------------------------


def rebalance(k, **config):
    """A member joins, a second one, one leaves: every partition always has one owner in the end."""
    create(k, partitions=4)
    one, two = consumer(k, **config), consumer(k, **config)
    one.subscribe([k.topic])
    until(lambda: pollers(one) or owned(one) == [0, 1, 2, 3], "all partitions with the first member")
    two.subscribe([k.topic])

    def shared():
        pollers(one, two)
        return len(owned(one)) == 2 and len(owned(two)) == 2 and sorted(owned(one) + owned(two)) == [0, 1, 2, 3]

    until(shared, "two partitions each")
    for n in range(4):
        produce(k, b"%d" % n, partition=n)
    got = []
    until(lambda: got.extend(pollers(one, two)) or len(got) >= 4, "a message of each partition")
    same([b"0", b"1", b"2", b"3"], sorted(values(got)))
    one.close()
    until(lambda: pollers(two) and False or owned(two) == [0, 1, 2, 3], "all partitions with the second member")
    two.close()


def case_group_rebalances(k):
    rebalance(k, partition_assignment_strategy="range")


def case_group_roundrobin(k):
    rebalance(k, partition_assignment_strategy="roundrobin")


def case_group_cooperative(k):
    """Incremental: the first member keeps two partitions throughout, and is told only of those it loses."""
    create(k, partitions=4)
    told = []

    def listener(who):
        return dict(
            on_assign=lambda c, tps: told.append((who, "assign", sorted(tp.partition for tp in tps))),
            on_revoke=lambda c, tps: told.append((who, "revoke", sorted(tp.partition for tp in tps))),
        )

    one, two = (consumer(k, partition_assignment_strategy="cooperative-sticky") for _ in range(2))
    one.subscribe([k.topic], **listener("one"))
    until(lambda: pollers(one) or owned(one) == [0, 1, 2, 3], "all partitions with the first member")
    two.subscribe([k.topic], **listener("two"))
    until(lambda: pollers(one, two) or (len(owned(one)), len(owned(two))) == (2, 2), "two partitions each")
    lost = sorted({0, 1, 2, 3} - set(owned(one)))
    has(("one", "revoke", lost), told)
    has(("two", "assign", lost), told)
    same(lost, owned(two))
    two.close()
    until(lambda: pollers(one) or owned(one) == [0, 1, 2, 3], "all partitions back")
    one.close()


def case_incremental_assign(k):
    create(k, partitions=3)
    for n in range(3):
        produce(k, b"%d" % n, partition=n)
    c = consumer(k)
    c.incremental_assign([TopicPartition(k.topic, 0, OFFSET_BEGINNING)])
    same([b"0"], values(poll(c, 1)))
    c.incremental_assign([TopicPartition(k.topic, 2, OFFSET_BEGINNING)])
    same([b"2"], values(poll(c, 1)))
    c.incremental_unassign([TopicPartition(k.topic, 0)])
    same([2], owned(c))


def case_static_membership(k):
    """A static member that comes back within its session takes its partitions without a rebalance."""
    create(k, partitions=2)
    told = []
    one = consumer(k, group_instance_id="one")
    one.subscribe([k.topic], on_assign=lambda c, tps: told.append(len(tps)))
    two = consumer(k, group_instance_id="two")
    two.subscribe([k.topic])
    until(lambda: pollers(one, two) or (len(owned(one)), len(owned(two))) == (1, 1), "one partition each")
    mine = owned(two)
    two.close()  # a static member does not leave
    assignments = len(told)
    two = consumer(k, group_instance_id="two")
    two.subscribe([k.topic])
    until(lambda: pollers(one, two) or owned(two) == mine, "the same partition again")
    same(assignments, len(told))
    # Another one of the same name fences the first.
    three = consumer(k, group_instance_id="two")
    three.subscribe([k.topic])

    def fenced():
        pollers(one, three)
        message = two.poll(0.02)
        return message and message.error() and message.error().code() == KafkaError._FATAL and message.error()

    has("group.instance.id", until(fenced, "the fatal error of a fenced member").str())
    one.close()
    three.close()


def case_group_resumes(k):
    create(k)
    produce(k, *(b"%d" % n for n in range(10)))
    c = consumer(k)
    c.subscribe([k.topic])
    for message in poll(c, 5):
        c.commit(message, asynchronous=False)
    c.close()
    c = consumer(k)
    c.subscribe([k.topic])
    same([b"5", b"6", b"7", b"8", b"9"], values(poll(c, 5)))
    same(5, c.committed([TopicPartition(k.topic, 0)], 10)[0].offset)
    c.close()


def case_commit_metadata(k):
    create(k)
    c = consumer(k)
    c.commit(offsets=[TopicPartition(k.topic, 0, 7, metadata="what was done é")], asynchronous=False)
    committed = c.committed([TopicPartition(k.topic, 0)], 10)[0]
    same((7, "what was done é"), (committed.offset, committed.metadata))
    with refused(KafkaException) as refusal:
        c.commit(offsets=[TopicPartition(k.topic, 0, 7, metadata="x" * 5000)], asynchronous=False)
    same(KafkaError.OFFSET_METADATA_TOO_LARGE, error_code(refusal))


def case_auto_commit(k):
    create(k)
    produce(k, *payloads(10))
    done = []
    c = consumer(k, enable_auto_commit=True, auto_commit_interval_ms=100, on_commit=lambda e, tps: done.append(tps))
    c.subscribe([k.topic])
    poll(c, 10)
    until(lambda: pollers(c) or any(tps[0].offset == 10 for tps in done), "a commit at the end")
    same(10, consumer(k).committed([TopicPartition(k.topic, 0)], 10)[0].offset)
    c.close()


def case_store_offsets(k):
    """What is stored is what is committed, not what was consumed."""
    create(k)
    produce(k, *payloads(10))
    c = consumer(k, enable_auto_commit=True, enable_auto_offset_store=False)
    c.subscribe([k.topic])
    c.store_offsets(poll(c, 10)[3])
    c.close()
    same(4, consumer(k).committed([TopicPartition(k.topic, 0)], 10)[0].offset)


def case_subscribe_pattern(k):
    a = create(k)
    produce(k, b"old")
    c = consumer(k, topic_metadata_refresh_interval_ms=200)
    c.subscribe([f"^{k.topic}.*"])
    same([b"old"], values(poll(c, 1)))
    # A topic that comes later is found.
    wait_for(a.create_topics([NewTopic(k.topic + "-later", 1)]))
    p = producer(k)
    p.produce(k.topic + "-later", b"new")
    p.flush(10)
    until(lambda: b"new" in values(pollers(c)), "the message of the new topic")
    c.close()


def case_member_dies(k):
    """The partitions of a member that stops polling go to the other one."""
    create(k, partitions=2)
    dead = consumer(k, max_poll_interval_ms=6000, session_timeout_ms=6000)
    dead.subscribe([k.topic])
    until(lambda: pollers(dead) or owned(dead) == [0, 1])
    alive = consumer(k)
    alive.subscribe([k.topic])
    until(lambda: pollers(dead, alive) or len(owned(alive)) == 1, "one partition each")
    until(lambda: pollers(alive) or owned(alive) == [0, 1], "the partitions of the member that does not poll")
    alive.close()


# --- volume ------------------------------------------------------------------------------------


def case_volume(k):
    """A hundred thousand records while a group reads them."""
    create(k, partitions=3)
    n = 100_000
    failures = []

    def write():
        p = producer(k, compression_type="lz4", queue_buffering_max_messages=200_000)
        for i in range(n):
            p.produce(k.topic, b"%d" % i, on_delivery=lambda e, m: e and failures.append(e))
        failures.extend([] if p.flush(PATIENCE_S) == 0 else ["not flushed"])

    writer = threading.Thread(target=write)
    writer.start()
    c = consumer(k)
    c.subscribe([k.topic])
    seen = set()
    deadline = time.monotonic() + PATIENCE_S
    while len(seen) < n and time.monotonic() < deadline:
        seen.update(int(m.value()) for m in checked(c.consume(10_000, 0.2)))
    writer.join()
    c.close()
    same([], failures)
    same(n, len(seen))
