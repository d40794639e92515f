package blumfeld.compat.admin;

import static blumfeld.compat.harness.Failures.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Records;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Admin: what newer clients tell of topics. */
class TopicsById {
    private final Admin admin = Records.admin();
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("described", 2);
    }

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void describe() throws Exception {
        TopicDescription description = described(new DescribeTopicsOptions());
        assertTrue(!description.isInternal());
        assertEquals(2, description.partitions().size());
        for (int n = 0; n < 2; n++) {
            TopicPartitionInfo partition = description.partitions().get(n);
            assertEquals(n, partition.partition());
            assertEquals(1, partition.leader().id());
            assertEquals(List.of(partition.leader()), partition.replicas());
            assertEquals(List.of(partition.leader()), partition.isr());
            assertEquals(List.of(), partition.elr());
            assertEquals(List.of(), partition.lastKnownElr());
        }
        assertNull(description.authorizedOperations());
    }

    @Test
    void authorizedOperations() throws Exception {
        assertEquals(EnumSet.of(AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE, AclOperation.DELETE, AclOperation.ALTER,
                        AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS),
                described(new DescribeTopicsOptions().includeAuthorizedOperations(true)).authorizedOperations());
    }

    @Test
    void describeById() throws Exception {
        Uuid id = described(new DescribeTopicsOptions()).topicId();
        TopicDescription description = admin.describeTopics(TopicCollection.ofTopicIds(Set.of(id))).allTopicIds().get().get(id);
        assertEquals(topic, description.name());
        Uuid unknown = Uuid.randomUuid();
        refused(UnknownTopicIdException.class, admin.describeTopics(TopicCollection.ofTopicIds(Set.of(unknown))).allTopicIds());
    }

    @Test
    void describeInPages() throws Exception {
        assertEquals(2, described(new DescribeTopicsOptions().partitionSizeLimitPerResponse(1)).partitions().size());
    }

    @Test
    void describeUnknown() {
        refused(UnknownTopicOrPartitionException.class, "This server does not host this topic-partition.",
                admin.describeTopics(List.of(topic + "-nope")).allTopicNames());
    }

    @Test
    void deleteById() throws Exception {
        Uuid id = described(new DescribeTopicsOptions()).topicId();
        admin.deleteTopics(TopicCollection.ofTopicIds(Set.of(id))).all().get();
        Await.until(() -> !admin.listTopics().names().get().contains(topic));
        refused(UnknownTopicIdException.class, "This server does not host this topic ID.",
                admin.deleteTopics(TopicCollection.ofTopicIds(Set.of(id))).all());
    }

    @Test
    void everyOffsetSpec() throws Exception {
        // The last record has not the latest timestamp.
        Records.produce(topic, 1, "now");
        Records.produceAt(topic, 0, new TreeMap<>(Map.of(1_700_000_000_000L, "a", 1_700_000_009_000L, "b")));
        Records.produceAt(topic, 0, Map.of(1_700_000_005_000L, "c"));
        assertEquals("0 -1", offset(OffsetSpec.earliest()));
        assertEquals("3 -1", offset(OffsetSpec.latest()));
        assertEquals("1 1700000009000", offset(OffsetSpec.forTimestamp(1_700_000_000_001L)));
        assertEquals("-1 -1", offset(OffsetSpec.forTimestamp(1_700_000_009_001L)));
        assertEquals("1 1700000009000", offset(OffsetSpec.maxTimestamp()));
        assertEquals("0 -1", offset(OffsetSpec.earliestLocal()));
        assertEquals("-1 -1", offset(OffsetSpec.latestTiered()));
        assertEquals("-1 -1", offset(OffsetSpec.earliestPendingUpload()));
    }

    @Test
    void producers() throws Exception {
        Records.produce(topic, 0, "a", "b");
        TopicPartition partition = new TopicPartition(topic, 0);
        List<ProducerState> producers =
                admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
        assertEquals(1, producers.size());
        assertEquals(1, producers.get(0).lastSequence());
        assertEquals(0, producers.get(0).producerEpoch());
        assertTrue(producers.get(0).currentTransactionStartOffset().isEmpty());
        assertTrue(producers.get(0).lastTimestamp() > 1_700_000_000_000L);
    }

    private TopicDescription described(DescribeTopicsOptions options) throws Exception {
        return admin.describeTopics(List.of(topic), options).allTopicNames().get().get(topic);
    }

    private String offset(OffsetSpec spec) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        var found = admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
        return found.offset() + " " + found.timestamp();
    }
}
