"""What the cases of confluent-kafka are written with."""

import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic
from harness import PATIENCE_S, same, until

NO_CODEC = "none"


def admin(k):
    return AdminClient({"bootstrap.servers": k.addr})


def wait_for(futures):
    """The results of an admin call, by what was asked for; raises the first error."""
    return {key: future.result(PATIENCE_S) for key, future in futures.items()}


def create(k, partitions=1, **config):
    a = admin(k)
    wait_for(a.create_topics([NewTopic(k.topic, partitions, config=config)]))
    until(lambda: len(a.list_topics(k.topic, 5).topics[k.topic].partitions) == partitions, "topic in metadata")
    return a


def properties(config):
    """librdkafka's names of what is written with underscores; callbacks keep theirs."""
    return {n if n.startswith("on_") else n.replace("_", "."): v for n, v in config.items()}


def producer(k, **config):
    return Producer({"bootstrap.servers": k.addr, "linger.ms": 5, **properties(config)})


def produce(k, *values, p=None, **message):
    """Produces the values, and returns the messages as acknowledged."""
    p = p or producer(k)
    done = []

    def delivered(error, message):
        done.append(error or message)

    for value in values:
        p.produce(k.topic, value, on_delivery=delivered, **message)
    same(0, p.flush(PATIENCE_S))
    for each in done:
        if isinstance(each, KafkaError):
            raise KafkaException(each)
    return done


def consumer(k, **config):
    return Consumer(
        {
            "bootstrap.servers": k.addr,
            "group.id": k.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "heartbeat.interval.ms": 200,
            "session.timeout.ms": 6000,
            "check.crcs": True,
            **properties(config),
        }
    )


def poll(c, n, patience=PATIENCE_S):
    """The next n messages."""
    deadline = time.monotonic() + patience
    got = []
    while len(got) < n:
        got += checked(c.consume(n - len(got), 0.1))
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(got)} of {n} messages in {patience} s")
    return got


def checked(messages):
    for message in messages:
        if message.error():
            raise KafkaException(message.error())
    return messages


def values(messages):
    return [m.value() for m in messages]


def read(k, n, offset=OFFSET_BEGINNING, partition=0):
    """n messages of a partition from an offset on, without the group."""
    c = consumer(k)
    c.assign([TopicPartition(k.topic, partition, offset)])
    got = poll(c, n)
    c.close()
    return got


def error_code(refusal):
    return refusal.error.args[0].code()


def pollers(*consumers):
    """Polls consumers once each; returns what they got."""
    return [m for c in consumers for m in checked(c.consume(100, 0.02))]


def owned(c):
    return sorted(tp.partition for tp in c.assignment())
