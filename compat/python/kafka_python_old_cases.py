"""kafka-python 2.0.2 of 2020: what kafka_python_shared asks, and its administration.

It does not know static members, idempotence or the incremental change of configurations, and
speaks versions of the protocol that the others have left behind.
"""

from harness import PATIENCE_S, has, refused, same, until
from kafka import TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka_python_shared import *
from kafka_python_shared import rebalance


def case_unknown_topic(k):
    same(None, consumer(k).partitions_for_topic(k.topic))
    with refused(errors.KafkaTimeoutError, "0"):
        consumer(k, request_timeout_ms=7000).end_offsets([TopicPartition("no/such", 0)])


def case_group_rebalances(k):
    rebalance(k)


def case_group_roundrobin(k):
    rebalance(k, partition_assignment_strategy=[RoundRobinPartitionAssignor])


def case_subscribe_pattern(k):
    create(k)
    produce(k, b"old")
    c = consumer(k, metadata_max_age_ms=300)
    c.subscribe(pattern=f"^{k.topic}.*")
    same([b"old"], values(poll(c, 1)))
    # A topic that comes later is found.
    admin(k).create_topics([NewTopic(k.topic + "-later", 1, 1)])
    p = producer(k)
    p.send(k.topic + "-later", b"new").get(PATIENCE_S)
    until(lambda: b"new" in [r.value for rs in c.poll(timeout_ms=50).values() for r in rs], "the new topic's record")
    c.close()


def case_admin_topics(k):
    a = create(k, partitions=3, **{"retention.ms": "60000"})
    topic = a.describe_topics([k.topic])[0]
    same((k.topic, False, 3), (topic["topic"], topic["is_internal"], len(topic["partitions"])))
    has(k.topic, a.list_topics())
    a.delete_topics([k.topic])
    until(lambda: k.topic not in a.list_topics(), "the topic gone")


def case_admin_create_partitions(k):
    a = create(k)
    a.create_partitions({k.topic: NewPartitions(3)})
    until(lambda: len(a.describe_topics([k.topic])[0]["partitions"]) == 3, "three partitions")
    with refused(errors.InvalidPartitionsError):
        a.create_partitions({k.topic: NewPartitions(2)})


def case_admin_configs(k):
    """alter_configs of that time replaces all of a topic's configuration."""
    a = create(k, **{"retention.ms": "60000"})

    def described():
        (response,) = a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, k.topic)])
        return {entry[0]: entry[1] for entry in response.resources[0][4]}

    same("60000", described()["retention.ms"])
    a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, k.topic, {"segment.bytes": "2097152"})])
    until(lambda: described()["segment.bytes"] == "2097152", "the new value")
    same("604800000", described()["retention.ms"])


def case_admin_groups(k):
    a = create(k, partitions=2)
    member = Member(k, client_id="reader")
    until(lambda: member.owned == [0, 1])
    has((k.group, "consumer"), a.list_consumer_groups())
    group = a.describe_consumer_groups([k.group])[0]
    same(("Stable", "range", "reader"), (group.state, group.protocol, group.members[0].client_id))
    same([(k.group, errors.NonEmptyGroupError)], a.delete_consumer_groups([k.group]))
    member.stop()
    c = consumer(k)
    c.assign([TopicPartition(k.topic, 0)])
    c.commit({TopicPartition(k.topic, 0): offset_and_metadata(1, "")})
    same((1, ""), tuple(a.list_consumer_group_offsets(k.group)[TopicPartition(k.topic, 0)]))
    same([(k.group, errors.NoError)], a.delete_consumer_groups([k.group]))
    same([(k.group, errors.GroupIdNotFoundError)], a.delete_consumer_groups([k.group]))


def case_admin_cluster(k):
    cluster = admin(k).describe_cluster()
    same(1, len(cluster["brokers"]))
    same(cluster["controller_id"], cluster["brokers"][0]["node_id"])
