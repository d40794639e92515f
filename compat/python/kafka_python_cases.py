"""kafka-python, the newest: what kafka_python_shared asks, and what only it can do."""

import uuid

import kafka_python_shared
import record_cases
from harness import has, payloads, refused, same, until
from kafka import KafkaConsumer, TopicPartition
from kafka import errors
from kafka.admin import ConfigResource, MemberToRemove, OffsetSpec
from kafka.admin._partitions import ElectionType
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka_python_shared import *
from kafka_python_shared import rebalance
from kafka_python_transactions import *

# --- records -----------------------------------------------------------------------------------


def case_acks_0(k):
    """Without idempotence, which wants all of them."""
    record_cases.written(k, kafka_python_shared, 200, acks=0, enable_idempotence=False)


def case_idempotent_producer(k):
    create(k)
    want = payloads(3000, 30)
    done = produce(k, *want, p=producer(k, enable_idempotence=True, batch_size=2000))
    same(list(range(3000)), [m.offset for m in done])
    same(want, values(read(k, 3000)))


def case_unknown_topic(k):
    a = admin(k)
    same([(k.topic, 3)], [(t["name"], t["error_code"]) for t in a.describe_topics([k.topic])])
    with refused(errors.UnknownTopicOrPartitionError):
        a.list_partition_offsets({TopicPartition(k.topic, 0): OffsetSpec.LATEST})
    with refused(errors.UnknownTopicOrPartitionError):
        a.create_partitions({k.topic: 2})
    assert k.topic not in a.list_topics()


# --- groups ------------------------------------------------------------------------------------


def case_group_rebalances(k):
    rebalance(k)


def case_group_roundrobin(k):
    rebalance(k, partition_assignment_strategy=[RoundRobinPartitionAssignor])


def case_group_sticky(k):
    rebalance(k, partition_assignment_strategy=[StickyPartitionAssignor])


def case_group_cooperative(k):
    rebalance(k, partition_assignment_strategy=[CooperativeStickyAssignor])


def case_static_membership(k):
    """A static member is replaced by one of its name, and removed by an administrator."""
    create(k, partitions=2)
    one, two = (Member(k, group_instance_id=name) for name in ("one", "two"))
    until(lambda: (len(one.owned), len(two.owned)) == (1, 1), "one partition each")
    a = admin(k)
    members = a.describe_groups([k.group])[k.group]["members"]
    same(["one", "two"], sorted(m["group_instance_id"] for m in members))
    mine = two.owned
    two.stop()
    two = Member(k, group_instance_id="two")
    until(lambda: two.owned == mine, "the same partition again")
    two.stop()
    a.remove_group_members(k.group, [MemberToRemove(group_instance_id="two")])
    until(lambda: one.owned == [0, 1], "all partitions with the one that is left")
    one.stop()


def case_subscribe_pattern(k):
    """What is there already; FINDINGS.md tells about topics that come later."""
    create(k)
    produce(k, b"here")
    c = consumer(k)
    c.subscribe(pattern=f"^{k.topic[:-3]}.*")
    same([b"here"], values(poll(c, 1)))
    same({k.topic}, c.subscription())
    c.close()


# --- admin -------------------------------------------------------------------------------------


def case_admin_topics(k):
    a = create(k, partitions=3, **{"retention.ms": "60000"})
    topic = a.describe_topics([k.topic])[0]
    same((k.topic, False, 3), (topic["name"], topic["is_internal"], len(topic["partitions"])))
    by_id = a.describe_topics([uuid.UUID(str(topic["topic_id"]))])
    same([k.topic], [t["name"] for t in by_id])
    has(k.topic, a.list_topics())
    paged = a.describe_topic_partitions([k.topic], response_partition_limit=2)
    same(([2], 2), ([len(t["partitions"]) for t in paged["topics"]], paged["next_cursor"]["partition_index"]))
    a.delete_topics([k.topic])
    until(lambda: k.topic not in a.list_topics(), "the topic gone")


def case_admin_create_answer(k):
    """What the broker says of it, without raising an error."""
    a = create(k)
    result = a.create_topics([NewTopic(k.topic, 1, 1)], raise_errors=False)
    same([(36, f"Topic '{k.topic}' already exists.")], [(t["error_code"], t["error_message"]) for t in result["topics"]])


def case_admin_create_partitions(k):
    a = create(k)
    a.create_partitions({k.topic: 3})
    until(lambda: len(a.describe_topics([k.topic])[0]["partitions"]) == 3, "three partitions")
    with refused(errors.InvalidPartitionsError):
        a.create_partitions({k.topic: 2})
    same(2, produce(k, b"v", partition=2)[0].partition)


def case_admin_configs(k):
    a = create(k, **{"retention.ms": "60000"})

    def described(config_filter="all"):
        return a.describe_configs([ConfigResource("TOPIC", k.topic)], config_filter=config_filter)["topic"][k.topic]

    same("60000", described("modified")["retention.ms"]["value"])
    same("1048588", described()["max.message.bytes"]["value"])
    result = a.alter_configs([ConfigResource("TOPIC", k.topic, {"retention.ms": "70000", "segment.bytes": "2097152"})])
    same({"topic": {k.topic: "OK"}}, result)
    until(lambda: described()["retention.ms"]["value"] == "70000", "the new value")
    a.reset_configs([ConfigResource("TOPIC", k.topic, ["retention.ms"])])
    until(lambda: set(described("modified")) == {"segment.bytes"}, "one configuration left")
    has("Invalid value x", a.alter_configs([ConfigResource("TOPIC", k.topic, {"retention.ms": "x"})])["topic"][k.topic])
    has(k.topic, a.list_config_resources(["TOPIC"])["topic"])


def case_admin_broker_configs(k):
    a = admin(k)
    broker = a.describe_cluster()["brokers"][0]["broker_id"]
    described = a.describe_configs([ConfigResource("BROKER", str(broker))], config_filter="all")["broker"][str(broker)]
    same("1", described["num.partitions"]["value"])
    assert described["log.dirs"]["value"]


def case_admin_groups(k):
    a = create(k, partitions=2)
    member = Member(k, client_id="reader")
    until(lambda: member.owned == [0, 1])
    listed = {g["group_id"]: g for g in a.list_groups(states_filter=["Stable"])}[k.group]
    same(("consumer", "Stable", "classic"), (listed["protocol_type"], listed["group_state"], listed["group_type"].lower()))
    group = a.describe_groups([k.group])[k.group]
    same(("Stable", "range", "reader"), (group["group_state"], group["protocol_data"], group["members"][0]["client_id"]))
    same({k.group: "NonEmptyGroupError"}, a.delete_groups([k.group]))
    member.stop()
    c = consumer(k)
    c.assign([TopicPartition(k.topic, 0)])
    c.commit({TopicPartition(k.topic, 0): offset_and_metadata(1, "")})
    same({k.group: "OK"}, a.delete_groups([k.group]))
    same({k.group: "GroupIdNotFoundError"}, a.delete_groups([k.group]))


def case_admin_group_offsets(k):
    a = create(k, partitions=2)
    produce(k, *payloads(5), partition=1)
    zero, one = TopicPartition(k.topic, 0), TopicPartition(k.topic, 1)
    altered = {zero: offset_and_metadata(0, ""), one: offset_and_metadata(3, "note")}
    same({zero: errors.NoError, one: errors.NoError}, a.alter_group_offsets(k.group, altered))
    same({zero: (0, ""), one: (3, "note")}, {tp: (o.offset, o.metadata) for tp, o in a.list_group_offsets(k.group)[k.group].items()})
    reset = a.reset_group_offsets(k.group, {one: OffsetSpec.LATEST})
    same((errors.NoError, 5), (reset[one]["error"], reset[one]["offset"]))
    same({zero: errors.NoError}, a.delete_group_offsets(k.group, [zero]))
    same([one], list(a.list_group_offsets(k.group)[k.group]))


def case_admin_offsets(k):
    a = create(k)
    for at in (1000, 9000, 2000):
        produce(k, b"v", timestamp_ms=at)
    tp = TopicPartition(k.topic, 0)

    def offset(spec):
        return a.list_partition_offsets({tp: spec})[tp].offset

    same([0, 3, 1, 1], [offset(s) for s in (OffsetSpec.EARLIEST, OffsetSpec.LATEST, OffsetSpec.MAX_TIMESTAMP, 1500)])


def case_admin_delete_records(k):
    a = create(k)
    produce(k, *payloads(10))
    tp = TopicPartition(k.topic, 0)
    same(4, a.delete_records({tp: 4})[tp]["low_watermark"])
    same(4, read(k, 1)[0].offset)
    with refused(errors.OffsetOutOfRangeError):
        a.delete_records({tp: 40})


def case_admin_cluster(k):
    a = admin(k)
    cluster = a.describe_cluster()
    same(1, len(cluster["brokers"]))
    broker = cluster["brokers"][0]
    same(cluster["controller_id"], broker["broker_id"])
    assert cluster["cluster_id"] and cluster["authorized_operations"]
    there = KafkaConsumer(bootstrap_servers=f"{broker['host']}:{broker['port']}")
    assert isinstance(there.topics(), set)


def case_admin_log_dirs(k):
    a = create(k)
    produce(k, *payloads(100))
    dirs = [d for b in a.describe_log_dirs({k.topic: [0]}) for d in b["log_dirs"]]
    same([0], [d["error_code"] for d in dirs])
    topic = dirs[0]["topics"][0]
    same(k.topic, topic["name"])
    assert topic["partitions"][0]["partition_size"] > 0 and dirs[0]["total_bytes"] > 0


def case_admin_producers(k):
    """describe_producers shows the idempotent producer that wrote last."""
    a = create(k)
    produce(k, *payloads(3), p=producer(k, enable_idempotence=True))
    tp = TopicPartition(k.topic, 0)
    states = a.describe_producers([tp])
    has("last_sequence", str(states))
    has(k.topic, str(states))


def case_admin_reassignments(k):
    a = create(k)
    tp = TopicPartition(k.topic, 0)
    same({}, a.list_partition_reassignments({k.topic: [0]}))
    same({tp: errors.NoReassignmentInProgressError}, a.alter_partition_reassignments({tp: None}))


def case_admin_elect_leaders(k):
    a = create(k)
    result = a.elect_leaders(ElectionType.PREFERRED, {k.topic: [0]}, raise_errors=False).to_dict()
    same((0, [84]), (result["error_code"], [p["error_code"] for t in result["replica_election_results"] for p in t["partition_result"]]))


def case_admin_features(k):
    features = admin(k).describe_features()
    same(features["metadata.version"]["supported"][1], features["metadata.version"]["finalized"][1])


def case_admin_scram_users(k):
    assert not admin(k).describe_user_scram_credentials()


def case_admin_quorum(k):
    quorum = admin(k).describe_metadata_quorum()
    (topic,) = quorum["topics"]
    partition = topic["partitions"][0]
    same(("__cluster_metadata", partition["leader_id"]), (topic["topic_name"], partition["current_voters"][0]["replica_id"]))


def case_admin_acls_without_authorizer(k):
    from kafka.admin import (
        ACL,
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePattern,
        ResourcePatternFilter,
        ResourceType,
    )

    a = admin(k)
    any_acl = ACLFilter(
        principal=None, host=None, operation=ACLOperation.ANY, permission_type=ACLPermissionType.ANY,
        resource_pattern=ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
    )
    with refused(errors.SecurityDisabledError):
        a.describe_acls(any_acl)
    acl = ACL(
        principal="User:u", host="*", operation=ACLOperation.READ, permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType.TOPIC, k.topic),
    )
    same({"succeeded": [], "failed": [errors.SecurityDisabledError]}, a.create_acls([acl]))
    same([errors.SecurityDisabledError], [error for _, _, error in a.delete_acls([any_acl])])
