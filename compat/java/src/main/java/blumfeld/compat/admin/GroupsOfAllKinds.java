package blumfeld.compat.admin;

import static blumfeld.compat.harness.Failures.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ClassicGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DescribeConsumerGroupsOptions;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ClassicGroupState;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Admin: what newer clients tell of groups. */
class GroupsOfAllKinds {
    private final Admin admin = Records.admin();
    private final String group = Broker.fresh("kinds");
    private TopicPartition partition;

    @BeforeEach
    void createTopic() throws Exception {
        partition = new TopicPartition(Records.topic("kinds", 1), 0);
        Records.produce(partition.topic(), 0, "a", "b");
    }

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void listAndFilter() throws Exception {
        admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1))).all().get();
        GroupListing listing = list(new ListGroupsOptions()).get(group);
        assertEquals(Optional.of(GroupType.CLASSIC), listing.type());
        assertEquals(Optional.of(GroupState.EMPTY), listing.groupState());
        assertEquals("", listing.protocol());
        assertTrue(listing.isSimpleConsumerGroup());
        assertTrue(list(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).containsKey(group));
        assertTrue(!list(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE))).containsKey(group));
        assertTrue(list(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC))).containsKey(group));
        assertTrue(!list(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER, GroupType.SHARE))).containsKey(group));
        try (KafkaConsumer<String, String> consumer = joined()) {
            assertEquals("consumer", list(ListGroupsOptions.forConsumerGroups()).get(group).protocol());
            assertEquals(Optional.of(GroupState.STABLE), list(new ListGroupsOptions()).get(group).groupState());
        }
    }

    @Test
    void describeClassic() throws Exception {
        try (KafkaConsumer<String, String> consumer = joined()) {
            ClassicGroupDescription description = admin.describeClassicGroups(List.of(group)).all().get().get(group);
            assertEquals("consumer", description.protocol());
            assertEquals("range", description.protocolData());
            assertEquals(ClassicGroupState.STABLE, description.state());
            assertEquals(1, description.members().size());
        }
    }

    @Test
    void describeConsumerGroup() throws Exception {
        try (KafkaConsumer<String, String> consumer = joined()) {
            ConsumerGroupDescription description = admin.describeConsumerGroups(List.of(group),
                    new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).all().get().get(group);
            assertEquals(GroupType.CLASSIC, description.type());
            assertEquals(GroupState.STABLE, description.groupState());
            assertEquals(Optional.empty(), description.groupEpoch());
            assertEquals(EnumSet.of(AclOperation.READ, AclOperation.DELETE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS,
                    AclOperation.ALTER_CONFIGS), description.authorizedOperations());
        }
    }

    @Test
    void describeUnknown() {
        refused(GroupIdNotFoundException.class, "Group " + group + " not found.", admin.describeConsumerGroups(List.of(group)).all());
        refused(GroupIdNotFoundException.class, "The group id does not exist.", admin.describeClassicGroups(List.of(group)).all());
    }

    @Test
    void offsetsOfManyGroups() throws Exception {
        admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1))).all().get();
        admin.alterConsumerGroupOffsets(group + "-2", Map.of(partition, new OffsetAndMetadata(2))).all().get();
        ListConsumerGroupOffsetsSpec everything = new ListConsumerGroupOffsetsSpec();
        Map<String, Map<TopicPartition, OffsetAndMetadata>> found = admin.listConsumerGroupOffsets(
                        Map.of(group, everything, group + "-2", everything, group + "-3", everything),
                        new ListConsumerGroupOffsetsOptions().requireStable(true))
                .all().get();
        assertEquals(Map.of(group, Map.of(partition, new OffsetAndMetadata(1)), group + "-2",
                Map.of(partition, new OffsetAndMetadata(2)), group + "-3", Map.of()), found);
    }

    private KafkaConsumer<String, String> joined() {
        KafkaConsumer<String, String> consumer = Records.consumer("group.id", group);
        consumer.subscribe(List.of(partition.topic()));
        Records.poll(consumer, 1);
        return consumer;
    }

    private Map<String, GroupListing> list(ListGroupsOptions options) throws Exception {
        return admin.listGroups(options).all().get().stream().collect(Collectors.toMap(GroupListing::groupId, listing -> listing));
    }
}
