package blumfeld.compat.clients;

import static blumfeld.compat.harness.Failures.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DeletedRecords;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Admin: topics, partitions and records. */
class AdminTopics {
    private final Admin admin = Records.admin();
    private final String topic = Broker.fresh("admin-topic");

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void create() throws Exception {
        CreateTopicsResult created = admin.createTopics(List.of(
                new NewTopic(topic, Optional.of(3), Optional.empty()).configs(Map.of("retention.ms", "777"))));
        assertEquals(3, created.numPartitions(topic).get());
        assertEquals(1, created.replicationFactor(topic).get());
        assertEquals("777", created.config(topic).get().get("retention.ms").value());
        assertEquals("delete", created.config(topic).get().get("cleanup.policy").value());
        Await.until(() -> admin.listTopics().names().get().contains(topic));
    }

    @Test
    void createOnlyValidated() throws Exception {
        CreateTopicsResult validated = admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1)), new CreateTopicsOptions().validateOnly(true));
        assertEquals(2, validated.numPartitions(topic).get());
        assertTrue(!admin.listTopics().names().get().contains(topic));
    }

    @Test
    void createRefused() throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        refused(TopicExistsException.class, "Topic '" + topic + "' already exists.", create(new NewTopic(topic, 1, (short) 1)));
        String other = topic + "-other";
        refused(InvalidPartitionsException.class, "Number of partitions was set to an invalid non-positive value.",
                create(new NewTopic(other, 0, (short) 1)));
        refused(InvalidReplicationFactorException.class, "Replication factor must be larger than 0, or -1 to use the default value.",
                create(new NewTopic(other, 1, (short) 0)));
        refused(InvalidReplicationFactorException.class,
                "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) "
                        + "are registered or some brokers have all their log directories cordoned.",
                create(new NewTopic(other, 1, (short) 2)));
        refused(InvalidReplicaAssignmentException.class,
                "The manual partition assignment includes broker 7, but no such broker is registered.",
                create(new NewTopic(other, Map.of(0, List.of(7)))));
        refused(InvalidConfigurationException.class, "Unknown topic config name: no.such.key",
                create(new NewTopic(other, 1, (short) 1).configs(Map.of("no.such.key", "1"))));
        refused(InvalidTopicException.class, "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
                create(new NewTopic("a b", 1, (short) 1)));
        assertTrue(!admin.listTopics().names().get().contains(other));
    }

    @Test
    void createPartitions() throws Exception {
        Records.produce(topic, 0, "one");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        Await.until(() -> end(2) == 0);
        Records.produce(topic, 2, "three");
        assertEquals(1, end(2));
        refused(InvalidPartitionsException.class, "The topic " + topic + " currently has 3 partition(s); 2 would not be an increase.",
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all());
        refused(InvalidPartitionsException.class, "Topic already has 3 partition(s).",
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all());
        refused(UnknownTopicOrPartitionException.class, "This server does not host this topic-partition.",
                admin.createPartitions(Map.of(topic + "-nope", NewPartitions.increaseTo(3))).all());
    }

    @Test
    void list() throws Exception {
        Records.produce(topic, 0, "one");
        Records.consumer("group.id", topic).close();
        assertTrue(!admin.listTopics().listings().get().isEmpty());
        assertTrue(!admin.listTopics().namesToListings().get().get(topic).isInternal());
        assertTrue(!admin.listTopics().names().get().contains("__consumer_offsets"));
        Await.until(() -> {
            Set<String> all = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
            return all.contains("__consumer_offsets") && all.contains(topic);
        });
    }

    @Test
    void delete() throws Exception {
        Records.produce(topic, 0, "one");
        admin.deleteTopics(List.of(topic)).all().get();
        Await.until(() -> !admin.listTopics().names().get().contains(topic));
        refused(UnknownTopicOrPartitionException.class, "This server does not host this topic-partition.",
                admin.deleteTopics(List.of(topic)).all());
        // The name is free again, and nothing of the old topic is left.
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        Await.until(() -> end(0) == 0);
    }

    @Test
    void deleteRecords() throws Exception {
        Records.produce(topic, 0, "a", "b", "c");
        assertEquals(2, deleteBefore(2).get().lowWatermark());
        assertEquals(2, offset(0, OffsetSpec.earliest()));
        refused(OffsetOutOfRangeException.class, deleteBefore(9));
        assertEquals(3, deleteBefore(-1).get().lowWatermark());
    }

    private KafkaFuture<DeletedRecords> deleteBefore(long offset) {
        TopicPartition partition = new TopicPartition(topic, 0);
        return admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(offset))).lowWatermarks().get(partition);
    }

    private KafkaFuture<Void> create(NewTopic topic) {
        return admin.createTopics(List.of(topic)).all();
    }

    /** The end offset, -1 as long as the broker does not know the partition or its leader. */
    private long end(int partition) throws Exception {
        try {
            return offset(partition, OffsetSpec.latest());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RetriableException) {
                return -1;
            }
            throw e;
        }
    }

    private long offset(int partition, OffsetSpec spec) throws Exception {
        TopicPartition at = new TopicPartition(topic, partition);
        return admin.listOffsets(Map.of(at, spec)).partitionResult(at).get().offset();
    }
}
