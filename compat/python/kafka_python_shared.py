"""kafka-python: what an old and a new version of it are both asked, producer and consumer.

`kafka` is the version that the process has on its path. A consumer of the old one blocks in poll
while its group rebalances, so that each member polls in a thread of its own.
"""

import sys
import threading
import time

import record_cases
from harness import PATIENCE_S, payloads, refused, same, until
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition, errors
from kafka.admin import KafkaAdminClient, NewTopic

# --- what the cases are written with -----------------------------------------------------------

# How long one poll waits for a record. A poll that ends just when a join does makes kafka-python
# 3.0.12 forget the join (FINDINGS.md), so that no poll here ends without a record.
LONG_MS = 20_000

NO_CODEC = None


def admin(k):
    return KafkaAdminClient(bootstrap_servers=k.addr)


def create(k, partitions=1, **config):
    a = admin(k)
    a.create_topics([NewTopic(k.topic, partitions, 1, topic_configs=config)])
    until(lambda: [len(t["partitions"]) for t in a.describe_topics([k.topic])] == [partitions], "topic in metadata")
    return a


def producer(k, **config):
    return KafkaProducer(bootstrap_servers=k.addr, linger_ms=5, **config)


def produce(k, *values, p=None, **message):
    """Produces the values, and returns the records' metadata as acknowledged."""
    mine = p or producer(k)
    futures = [mine.send(k.topic, value, **message) for value in values]
    mine.flush(PATIENCE_S)
    done = [f.get(PATIENCE_S) for f in futures]
    mine.close()
    return done


def consumer(k, **config):
    options = dict(
        bootstrap_servers=k.addr,
        group_id=k.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        heartbeat_interval_ms=200,
        session_timeout_ms=6000,
    )
    return KafkaConsumer(**{**options, **config})


def subscribed(k, listener=None, **config):
    """A consumer that knows the topic before it joins: a leader without metadata assigns nothing, and stays so."""
    c = consumer(k, **config)
    c.partitions_for_topic(k.topic)
    c.subscribe([k.topic], listener=listener)
    return c


def poll(c, n, at_most=True):
    """The next n records; more if they come together and at_most is not asked for."""
    got = []

    def enough():
        for records in c.poll(timeout_ms=LONG_MS, max_records=n - len(got) if at_most else 500).values():
            got.extend(records)
        return len(got) >= n

    until(enough, f"{n} records")
    return got


def assigned(k, partition=0, offset=0, **config):
    """A consumer of one partition, without a group."""
    c = consumer(k, group_id=None, **config)
    c.assign([TopicPartition(k.topic, partition)])
    c.seek(TopicPartition(k.topic, partition), offset)
    return c


def read(k, n, partition=0, offset=0):
    c = assigned(k, partition, offset)
    got = poll(c, n)
    c.close()
    return got


def values(records):
    return [r.value for r in records]


class Member(threading.Thread, ConsumerRebalanceListener):
    """A member of the case's group; .got and .owned say what it has, stop() lets it leave."""

    def __init__(self, k, **config):
        super().__init__(daemon=True)
        self.got, self.owned, self.error = [], [], None
        self._k, self._config = k, config
        self.start()

    def on_partitions_assigned(self, assigned):
        self.owned = sorted({*self.owned, *(tp.partition for tp in assigned)})

    def on_partitions_revoked(self, revoked):
        self.owned = sorted({*self.owned} - {tp.partition for tp in revoked})

    def run(self):
        try:
            c = subscribed(self._k, listener=self, **self._config)
            while not any(r.value == STOP for r in self.got):
                for records in c.poll(timeout_ms=LONG_MS).values():
                    self.got += records
            c.commit()  # or the next owner of the partition would stop as well
            c.close()
        except Exception as error:
            self.error = error
            raise

    def stop(self):
        until(lambda: self.owned, "a partition to send the sign to")
        produce(self._k, STOP, partition=self.owned[0])
        self.join(PATIENCE_S)
        same((False, None), (self.is_alive(), self.error))


STOP = b"what a member leaves after"


# --- records -----------------------------------------------------------------------------------

globals().update(record_cases.cases(sys.modules[__name__]))


def case_keys(k):
    create(k)
    for key, value in ((b"a", b"1"), (None, b"2"), (b"", b"3")):
        produce(k, value, key=key)
    same([(b"a", b"1"), (None, b"2"), (b"", b"3")], [(r.key, r.value) for r in read(k, 3)])


def case_tombstones(k):
    create(k)
    produce(k, None, key=b"gone")
    produce(k, b"", key=b"empty")
    same([(b"gone", None), (b"empty", b"")], [(r.key, r.value) for r in read(k, 2)])


def case_headers(k):
    create(k)
    # This client refuses to send a header without a value.
    headers = [("a", b"1"), ("a", b"again"), ("empty", b""), ("bytes", b"\x00\xff")]
    produce(k, b"with", headers=headers)
    produce(k, b"without")
    same([headers, []], [list(r.headers) for r in read(k, 2)])


def case_timestamps(k):
    create(k)
    same(1_600_000_000_123, produce(k, b"then", timestamp_ms=1_600_000_000_123)[0].timestamp)
    before = int(time.time() * 1000)
    produce(k, b"now")
    after = int(time.time() * 1000)
    then, now = read(k, 2)
    same((1_600_000_000_123, 0, 0), (then.timestamp, then.timestamp_type, now.timestamp_type))
    assert before <= now.timestamp <= after, (before, now.timestamp, after)


def case_offset_by_time(k):
    create(k)
    for at in (1000, 3000, 2000):
        produce(k, b"v", timestamp_ms=at)
    c = consumer(k)
    tp = TopicPartition(k.topic, 0)

    def found(ms):
        at = c.offsets_for_times({tp: ms})[tp]
        return at and (at.offset, at.timestamp)

    same([(0, 1000), (1, 3000), (1, 3000), (1, 3000)], [found(ms) for ms in (1, 1001, 2000, 3000)])
    same(None, found(3001))


def case_watermarks(k):
    create(k)
    produce(k, *payloads(7))
    c = consumer(k)
    tp = TopicPartition(k.topic, 0)
    same(({tp: 0}, {tp: 7}), (c.beginning_offsets([tp]), c.end_offsets([tp])))


def case_partitions(k):
    """The key decides the partition; a partition can be named."""
    create(k, partitions=4)
    p = producer(k)
    same({0, 1, 2, 3}, p.partitions_for(k.topic))
    same(1, len({m.partition for m in produce(k, b"v", b"again", key=b"one")}))
    same(3, produce(k, b"named", partition=3)[0].partition)
    same({0, 1, 2, 3}, consumer(k).partitions_for_topic(k.topic))


def case_record_too_large(k):
    create(k, **{"max.message.bytes": "10000"})
    with refused(errors.MessageSizeTooLargeError):
        produce(k, b"x" * 20000)
    same(0, produce(k, b"x" * 5000)[0].offset)


def case_produce_creates_topic(k):
    same(0, produce(k, b"first")[0].offset)
    same([b"first"], values(read(k, 1)))


# --- consuming ---------------------------------------------------------------------------------


def case_iterate(k):
    """`for record in consumer`, until it has been quiet for a while."""
    create(k)
    produce(k, *(b"%d" % n for n in range(10)))
    c = KafkaConsumer(k.topic, bootstrap_servers=k.addr, auto_offset_reset="earliest", consumer_timeout_ms=1500)
    same([b"%d" % n for n in range(10)], [r.value for r in c])


def case_seek(k):
    create(k)
    produce(k, *(b"%d" % n for n in range(10)))
    tp = TopicPartition(k.topic, 0)
    c = assigned(k, offset=8)
    same([b"8", b"9"], values(poll(c, 2)))
    c.seek(tp, 3)
    same([b"3", b"4"], values(poll(c, 2)))
    same(5, c.position(tp))
    c.seek_to_beginning(tp)
    same([b"0"], values(poll(c, 1)))
    c.seek_to_end(tp)
    same(10, c.position(tp))
    produce(k, b"new")
    same([b"new"], values(poll(c, 1)))


def case_pause(k):
    create(k, partitions=2)
    # FINDINGS.md tells why no poll here limits its records.
    produce(k, b"0", partition=0)
    zero, one = TopicPartition(k.topic, 0), TopicPartition(k.topic, 1)
    c = consumer(k, group_id=None)
    c.assign([zero, one])
    same([b"0"], values(poll(c, 1, at_most=False)))
    c.pause(zero)
    same({zero}, c.paused())
    produce(k, b"paused", partition=0)
    produce(k, *(b"%d" % n for n in range(5)), partition=1)
    same({1}, {r.partition for r in poll(c, 5, at_most=False)})
    c.resume(zero)
    same([b"paused"], values(poll(c, 1, at_most=False)))


def case_offset_out_of_range(k):
    create(k)
    produce(k, *payloads(3))
    same(0, read(k, 1, offset=1000)[0].offset)


# --- groups ------------------------------------------------------------------------------------


def rebalance(k, **config):
    """A member joins, a second one, one leaves: every partition always has one owner in the end."""
    create(k, partitions=4)
    one = Member(k, **config)
    until(lambda: one.owned == [0, 1, 2, 3], "all partitions with the first member")
    two = Member(k, **config)

    def shared():
        return len(one.owned) == 2 and sorted(one.owned + two.owned) == [0, 1, 2, 3]

    until(shared, "two partitions each")
    for n in range(4):
        produce(k, b"%d" % n, partition=n)
    until(lambda: len(one.got + two.got) >= 4, "a record of each partition")
    same([b"0", b"1", b"2", b"3"], sorted(values(one.got + two.got)))
    one.stop()
    until(lambda: two.owned == [0, 1, 2, 3], "all partitions with the second member")
    two.stop()


def case_group_resumes(k):
    create(k)
    produce(k, *(b"%d" % n for n in range(10)))
    c = subscribed(k, max_poll_records=5)
    same([b"%d" % n for n in range(5)], values(poll(c, 5)))
    c.commit()
    c.close()
    c = subscribed(k)
    same([b"5", b"6", b"7", b"8", b"9"], values(poll(c, 5)))
    same(5, c.committed(TopicPartition(k.topic, 0)))
    c.close()


def offset_and_metadata(offset, metadata):
    """The new version knows the leader's epoch too."""
    return OffsetAndMetadata(*(offset, metadata, -1)[: len(OffsetAndMetadata._fields)])


def case_commit_metadata(k):
    create(k)
    tp = TopicPartition(k.topic, 0)
    c = consumer(k)
    c.assign([tp])
    c.commit({tp: offset_and_metadata(7, "what was done é")})
    found = consumer(k).committed(tp, metadata=True)
    same((7, "what was done é"), (found.offset, found.metadata))


def case_commit_async(k):
    create(k)
    tp = TopicPartition(k.topic, 0)
    done = []
    c = consumer(k)
    c.assign([tp])
    same(None, c.committed(tp))  # the old version refuses until it has met the coordinator
    c.commit_async({tp: offset_and_metadata(3, "")}, callback=lambda offsets, result: done.append((offsets, result)))
    until(lambda: c.poll(timeout_ms=50) or done, "the callback")
    same([3], [o.offset for o in done[0][0].values()])
    assert not isinstance(done[0][1], Exception), done
    same(3, c.committed(tp))


def case_auto_commit(k):
    create(k)
    produce(k, *payloads(10))
    c = subscribed(k, enable_auto_commit=True, auto_commit_interval_ms=100)
    poll(c, 10)
    other = consumer(k)
    until(lambda: not c.poll(timeout_ms=50) and other.committed(TopicPartition(k.topic, 0)) == 10, "a commit at the end")
    c.close()


# --- admin -------------------------------------------------------------------------------------


def case_admin_create_refused(k):
    a = create(k)
    for topic, kind in (
        (NewTopic(k.topic, 1, 1), errors.TopicAlreadyExistsError),
        (NewTopic("no/name", 1, 1), errors.InvalidTopicError),
        (NewTopic(k.topic + "2", 1, 9), errors.InvalidReplicationFactorError),
        (NewTopic(k.topic + "2", 0, 1), errors.InvalidPartitionsError),
        (NewTopic(k.topic + "2", 1, 1, topic_configs={"retention.ms": "x"}), errors.InvalidConfigurationError),
    ):
        with refused(kind):
            a.create_topics([topic])
    a.create_topics([NewTopic(k.topic + "2", 1, 1)], validate_only=True)
    assert k.topic + "2" not in a.list_topics()
    with refused(errors.UnknownTopicOrPartitionError):
        a.delete_topics([k.topic + "2"])
