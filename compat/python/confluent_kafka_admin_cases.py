"""confluent-kafka's AdminClient."""

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka_shared import (
    admin,
    consumer,
    create,
    error_code,
    owned,
    poll,
    pollers,
    produce,
    read,
    wait_for,
)
from harness import has, payloads, refused, same, until


def case_admin_topics(k):
    a = create(k, partitions=3, **{"retention.ms": "60000"})
    described = wait_for(a.describe_topics(TopicCollection([k.topic]), include_authorized_operations=True))[k.topic]
    same((k.topic, False, [0, 1, 2]), (described.name, described.is_internal, [p.id for p in described.partitions]))
    assert described.authorized_operations and str(described.topic_id), described.authorized_operations
    assert k.topic in a.list_topics(timeout=10).topics
    wait_for(a.delete_topics([k.topic]))
    until(lambda: k.topic not in a.list_topics(timeout=10).topics, "the topic gone")


def case_admin_create_refused(k):
    a = create(k)
    for topic, code, says in (
        (NewTopic(k.topic, 1), KafkaError.TOPIC_ALREADY_EXISTS, "already exists"),
        (NewTopic("no/name", 1), KafkaError.TOPIC_EXCEPTION, "ASCII alphanumerics"),
        (NewTopic(k.topic + "2", 1, 9), KafkaError.INVALID_REPLICATION_FACTOR, "replication"),
        (NewTopic(k.topic + "2", 0), KafkaError.INVALID_PARTITIONS, "Number of partitions"),
        (NewTopic(k.topic + "2", 1, config={"retention.ms": "x"}), KafkaError.INVALID_CONFIG, "retention.ms"),
        (NewTopic(k.topic + "2", 1, config={"no.such": "1"}), KafkaError.INVALID_CONFIG, "no.such"),
    ):
        with refused(KafkaException, says) as refusal:
            wait_for(a.create_topics([topic]))
        same((topic.topic, code), (topic.topic, error_code(refusal)))
    wait_for(a.create_topics([NewTopic(k.topic + "2", 1)], validate_only=True))
    assert k.topic + "2" not in a.list_topics(timeout=10).topics
    with refused(KafkaException) as refusal:
        wait_for(a.delete_topics([k.topic + "2"]))
    same(KafkaError.UNKNOWN_TOPIC_OR_PART, error_code(refusal))


def case_admin_create_partitions(k):
    a = create(k)
    wait_for(a.create_partitions([NewPartitions(k.topic, 3)]))
    until(lambda: len(a.list_topics(k.topic, 10).topics[k.topic].partitions) == 3, "three partitions")
    with refused(KafkaException) as refusal:
        wait_for(a.create_partitions([NewPartitions(k.topic, 2)]))
    same(KafkaError.INVALID_PARTITIONS, error_code(refusal))
    same(2, produce(k, b"v", partition=2)[0].partition())


def configs(a, kind, name):
    resource = ConfigResource(kind, name)
    return wait_for(a.describe_configs([resource]))[resource]


def case_admin_configs(k):
    a = create(k, **{"cleanup.policy": "delete"})
    topic = ConfigResource(ResourceType.TOPIC, k.topic)
    topic.add_incremental_config(ConfigEntry("retention.ms", "1234", incremental_operation=AlterConfigOpType.SET))
    topic.add_incremental_config(
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)
    )
    wait_for(a.incremental_alter_configs([topic]))

    def current(name):
        entry = configs(a, ResourceType.TOPIC, k.topic)[name]
        return entry.value, entry.is_default

    until(lambda: current("retention.ms") == ("1234", False), "the new value")
    same(("delete,compact", False), current("cleanup.policy"))
    same(("1048588", True), current("max.message.bytes"))
    # The older call replaces all of it.
    with_one = ConfigResource(ResourceType.TOPIC, k.topic, set_config={"segment.bytes": "2097152"})
    wait_for(a.alter_configs([with_one]))
    until(lambda: current("segment.bytes") == ("2097152", False), "the new value")
    same(("604800000", True), current("retention.ms"))
    with refused(KafkaException) as refusal:
        wait_for(a.alter_configs([ConfigResource(ResourceType.TOPIC, k.topic, set_config={"segment.bytes": "x"})]))
    same(KafkaError.INVALID_CONFIG, error_code(refusal))


def case_admin_broker_configs(k):
    a = admin(k)
    brokers = a.list_topics(timeout=10).brokers
    entries = configs(a, ResourceType.BROKER, str(min(brokers)))
    same("1", entries["num.partitions"].value)
    same(False, entries["log.retention.ms"].is_read_only)
    same(True, entries["log.dirs"].is_read_only)


def case_admin_groups(k):
    a = create(k, partitions=2)
    c = consumer(k, client_id="reader")
    c.subscribe([k.topic])
    until(lambda: pollers(c) or len(owned(c)) == 2)
    c.commit(offsets=[TopicPartition(k.topic, 0, 0)], asynchronous=False)
    listed = {g.group_id: g for g in a.list_consumer_groups(states={ConsumerGroupState.STABLE}).result(10).valid}
    same((ConsumerGroupState.STABLE, False), (listed[k.group].state, listed[k.group].is_simple_consumer_group))
    has(k.group, [g.id for g in a.list_groups(timeout=10)])
    group = wait_for(a.describe_consumer_groups([k.group], include_authorized_operations=True))[k.group]
    same((ConsumerGroupState.STABLE, "range", 1), (group.state, group.partition_assignor, len(group.members)))
    member = group.members[0]
    same("reader", member.client_id)
    same([0, 1], sorted(tp.partition for tp in member.assignment.topic_partitions))
    assert member.host.startswith("/") or "." in member.host or ":" in member.host, member.host
    with refused(KafkaException) as refusal:
        wait_for(a.delete_consumer_groups([k.group]))
    same(KafkaError.NON_EMPTY_GROUP, error_code(refusal))
    c.close()
    wait_for(a.delete_consumer_groups([k.group]))
    with refused(KafkaException) as refusal:
        wait_for(a.delete_consumer_groups([k.group]))
    same(KafkaError.GROUP_ID_NOT_FOUND, error_code(refusal))


def case_admin_group_offsets(k):
    a = create(k, partitions=2)
    produce(k, *payloads(5), partition=1)
    asked = ConsumerGroupTopicPartitions(k.group, [TopicPartition(k.topic, 1, 3)])
    wait_for(a.alter_consumer_group_offsets([asked]))
    found = wait_for(a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(k.group)]))[k.group]
    same([(1, 3)], [(tp.partition, tp.offset) for tp in found.topic_partitions])
    c = consumer(k)
    c.subscribe([k.topic])
    same(3, poll(c, 1)[0].offset())
    # Not while it has members.
    altered = wait_for(a.alter_consumer_group_offsets([asked]))[k.group]
    same([KafkaError.UNKNOWN_MEMBER_ID], [tp.error.code() for tp in altered.topic_partitions])
    c.close()


def case_admin_offsets(k):
    a = create(k)
    for at in (1000, 9000, 2000):
        produce(k, b"v", timestamp=at)
    tp = TopicPartition(k.topic, 0)

    def offset(spec):
        info = a.list_offsets({tp: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[tp].result(10)
        return info.offset

    same(
        [0, 3, 1, 1],
        [offset(s) for s in (OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp(), OffsetSpec.for_timestamp(1500))],
    )


def case_admin_delete_records(k):
    a = create(k)
    produce(k, *payloads(10))
    done = wait_for(a.delete_records([TopicPartition(k.topic, 0, 4)]))
    same([4], [d.low_watermark for d in done.values()])
    same(4, read(k, 1)[0].offset())
    with refused(KafkaException) as refusal:
        wait_for(a.delete_records([TopicPartition(k.topic, 0, 40)]))
    same(KafkaError.OFFSET_OUT_OF_RANGE, error_code(refusal))


def case_admin_cluster(k):
    a = admin(k)
    cluster = a.describe_cluster(include_authorized_operations=True).result(10)
    same(a.list_topics(timeout=10).cluster_id, cluster.cluster_id)
    same(1, len(cluster.nodes))
    assert cluster.controller.id == cluster.nodes[0].id and cluster.nodes[0].port > 0
    assert cluster.authorized_operations
    host = f"{cluster.nodes[0].host}:{cluster.nodes[0].port}"
    assert AdminClient({"bootstrap.servers": host}).list_topics(timeout=10).brokers


def case_admin_acls_without_authorizer(k):
    from confluent_kafka.admin import (
        AclBinding,
        AclBindingFilter,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
    )

    any_acl = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    a = admin(k)
    same([], a.describe_acls(any_acl).result(10))  # librdkafka does not pass on SECURITY_DISABLED
    binding = AclBinding(
        ResourceType.TOPIC, k.topic, ResourcePatternType.LITERAL, "User:u", "*", AclOperation.READ, AclPermissionType.ALLOW
    )
    with refused(KafkaException) as refusal:
        wait_for(a.create_acls([binding]))
    same(KafkaError.SECURITY_DISABLED, error_code(refusal))
    with refused(KafkaException, "No Authorizer is configured.") as refusal:
        wait_for(a.delete_acls([any_acl]))
    same(KafkaError.SECURITY_DISABLED, error_code(refusal))


def case_admin_elect_leaders(k):
    from confluent_kafka import ElectionType

    a = create(k)
    tp = TopicPartition(k.topic, 0)
    result = a.elect_leaders(ElectionType.PREFERRED, [tp]).result(10)
    same([KafkaError.ELECTION_NOT_NEEDED], [e.code() for e in result.values()])


def case_admin_scram_users(k):
    a = admin(k)
    same({}, a.describe_user_scram_credentials().result(10))
