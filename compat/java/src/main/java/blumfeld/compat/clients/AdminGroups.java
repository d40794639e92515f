package blumfeld.compat.clients;

import static blumfeld.compat.harness.Failures.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Varargs;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Admin: consumer groups and their offsets. */
class AdminGroups {
    private final Admin admin = Records.admin();
    private final String group = Broker.fresh("admin-group");
    private TopicPartition partition;

    @BeforeEach
    void createTopic() throws Exception {
        partition = new TopicPartition(Records.topic("admin-group", 2), 0);
        Records.produce(partition.topic(), 0, "a", "b", "c");
    }

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void describe() throws Exception {
        try (KafkaConsumer<String, String> consumer = joined("client.id", "me", "group.instance.id", "static")) {
            ConsumerGroupDescription description = described();
            assertEquals("range", description.partitionAssignor());
            assertEquals(1, description.coordinator().id());
            assertTrue(!description.isSimpleConsumerGroup());
            assertEquals(1, description.members().size());
            MemberDescription member = description.members().iterator().next();
            assertEquals("me", member.clientId());
            assertEquals(Optional.of("static"), member.groupInstanceId());
            assertEquals("/127.0.0.1", member.host());
            assertEquals(consumer.groupMetadata().memberId(), member.consumerId());
            assertEquals(Set.of(partition, new TopicPartition(partition.topic(), 1)), member.assignment().topicPartitions());
        }
    }

    @Test
    void offsets() throws Exception {
        alter(Map.of(partition, new OffsetAndMetadata(2, "noted")));
        assertEquals(Map.of(partition, new OffsetAndMetadata(2, "noted")), committed());
        admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
        assertEquals(Map.of(), committed());
        refused(GroupIdNotFoundException.class, admin.deleteConsumerGroupOffsets(group + "-nope", Set.of(partition)).all());
    }

    @Test
    void offsetsOfUnknownGroup() throws Exception {
        assertEquals(Map.of(), committed());
    }

    @Test
    void offsetsOfUnknownTopic() {
        refused(UnknownTopicOrPartitionException.class,
                admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(partition.topic(), 9), new OffsetAndMetadata(1))).all());
    }

    @Test
    void delete() throws Exception {
        alter(Map.of(partition, new OffsetAndMetadata(2)));
        admin.deleteConsumerGroups(List.of(group)).all().get();
        assertEquals(Map.of(), committed());
        refused(GroupIdNotFoundException.class, admin.deleteConsumerGroups(List.of(group)).all());
    }

    @Test
    void activeGroup() throws Exception {
        try (KafkaConsumer<String, String> consumer = joined()) {
            consumer.commitSync();
            refused(GroupNotEmptyException.class, admin.deleteConsumerGroups(List.of(group)).all());
            refused(GroupSubscribedToTopicException.class, admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all());
            refused(UnknownMemberIdException.class,
                    admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1))).all());
        }
    }

    @Test
    void removeMembers() throws Exception {
        try (KafkaConsumer<String, String> consumer = joined("group.instance.id", "static")) {
            admin.removeMembersFromConsumerGroup(group,
                    new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("static")))).all().get();
            assertEquals(0, described().members().size());
            refused(UnknownMemberIdException.class, admin.removeMembersFromConsumerGroup(group,
                    new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("static")))).memberResult(new MemberToRemove("static")));
        }
    }

    @Test
    void removeAllMembers() throws Exception {
        try (KafkaConsumer<String, String> consumer = joined()) {
            admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions()).all().get();
            assertEquals(0, described().members().size());
        }
    }

    private KafkaConsumer<String, String> joined(Object... properties) {
        KafkaConsumer<String, String> consumer =
                Records.consumer(Varargs.prepend(properties, "group.id", group, "heartbeat.interval.ms", "100"));
        consumer.subscribe(List.of(partition.topic()));
        Records.poll(consumer, 3);
        return consumer;
    }

    private ConsumerGroupDescription described() throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    private void alter(Map<TopicPartition, OffsetAndMetadata> offsets) throws Exception {
        admin.alterConsumerGroupOffsets(group, offsets).all().get();
    }

    private Map<TopicPartition, OffsetAndMetadata> committed() throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }
}
