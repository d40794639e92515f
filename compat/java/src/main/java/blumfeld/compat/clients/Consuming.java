package blumfeld.compat.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** KafkaConsumer without a group. Partition 0 has the records 0 to 9, a second apart of each other; partition 1 is empty. */
class Consuming {
    private static final long START = 1_700_000_000_000L;
    private TopicPartition full;
    private TopicPartition empty;

    @BeforeEach
    void createTopic() throws Exception {
        String topic = Records.topic("consuming", 2);
        full = new TopicPartition(topic, 0);
        empty = new TopicPartition(topic, 1);
        Map<Long, String> records = new TreeMap<>();
        for (int n = 0; n < 10; n++) {
            records.put(START + n * 1000, Integer.toString(n));
        }
        Records.produceAt(topic, 0, records);
    }

    @Test
    void seek() {
        try (KafkaConsumer<String, String> consumer = assigned(full)) {
            consumer.seek(full, 7);
            assertEquals(List.of("7", "8", "9"), Records.values(Records.poll(consumer, 3)));
            assertEquals(10, consumer.position(full));
            consumer.seekToBeginning(List.of(full));
            assertEquals(0, consumer.position(full));
            assertEquals("0", Records.poll(consumer, 1).get(0).value());
            consumer.seekToEnd(List.of(full));
            assertEquals(10, consumer.position(full));
        }
    }

    @Test
    void pauseAndResume() throws Exception {
        Records.produce(empty.topic(), 1, "other");
        try (KafkaConsumer<String, String> consumer = assigned(full, empty)) {
            consumer.pause(List.of(full));
            assertEquals(Set.of(full), consumer.paused());
            assertEquals(List.of("other"), Records.values(Records.poll(consumer, 1)));
            assertTrue(consumer.poll(Duration.ofMillis(300)).isEmpty());
            consumer.resume(List.of(full));
            assertEquals(10, Records.poll(consumer, 10).size());
        }
    }

    @Test
    void offsetsForTimes() {
        try (KafkaConsumer<String, String> consumer = assigned(full)) {
            assertOffset(0, START, lookUp(consumer, 0));
            assertOffset(3, START + 3000, lookUp(consumer, START + 3000));
            assertOffset(4, START + 4000, lookUp(consumer, START + 3001));
            assertNull(lookUp(consumer, START + 9001));
            assertNull(consumer.offsetsForTimes(Map.of(empty, 0L)).get(empty));
        }
    }

    @Test
    void ends() throws Exception {
        try (KafkaConsumer<String, String> consumer = assigned(full); Admin admin = Records.admin()) {
            List<TopicPartition> both = List.of(full, empty);
            assertEquals(Map.of(full, 0L, empty, 0L), consumer.beginningOffsets(both));
            assertEquals(Map.of(full, 10L, empty, 0L), consumer.endOffsets(both));
            admin.deleteRecords(Map.of(full, RecordsToDelete.beforeOffset(4))).all().get();
            assertEquals(Map.of(full, 4L, empty, 0L), consumer.beginningOffsets(both));
            assertEquals("4", Records.poll(consumer, 1).get(0).value());
        }
    }

    @Test
    void outOfRangeResets() {
        try (KafkaConsumer<String, String> consumer = assigned(full)) {
            consumer.seek(full, 1000);
            assertEquals("0", Records.poll(consumer, 1).get(0).value());
        }
    }

    @Test
    void outOfRangeThrows() {
        try (KafkaConsumer<String, String> consumer = Records.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(full));
            assertThrows(NoOffsetForPartitionException.class, () -> consumer.poll(Duration.ofSeconds(10)));
            consumer.seek(full, 1000);
            OffsetOutOfRangeException thrown =
                    assertThrows(OffsetOutOfRangeException.class, () -> Records.poll(consumer, 1));
            assertEquals(Map.of(full, 1000L), thrown.offsetOutOfRangePartitions());
        }
    }

    @Test
    void smallFetches() throws Exception {
        Records.produce(empty.topic(), 1, "x".repeat(300_000), "y".repeat(300_000));
        try (KafkaConsumer<String, String> consumer = Records.consumer("fetch.max.bytes", "1000",
                "max.partition.fetch.bytes", "1", "max.poll.records", "1")) {
            consumer.assign(List.of(full, empty));
            assertEquals(12, Records.poll(consumer, 12).size());
        }
    }

    @Test
    void readCommitted() {
        try (KafkaConsumer<String, String> consumer = Records.consumer("isolation.level", "read_committed")) {
            consumer.assign(List.of(full));
            assertEquals(10, Records.poll(consumer, 10).size());
            assertEquals(Map.of(full, 10L), consumer.endOffsets(List.of(full)));
        }
    }

    @Test
    void longPoll() throws Exception {
        try (KafkaConsumer<String, String> consumer = Records.consumer("fetch.min.bytes", "100000", "fetch.max.wait.ms", "700")) {
            consumer.assign(List.of(empty));
            consumer.poll(Duration.ofMillis(100));
            long began = System.nanoTime();
            Records.produce(empty.topic(), 1, "small");
            Records.poll(consumer, 1);
            // Less than was asked for: it comes when the broker has waited long enough, and not never.
            assertTrue(System.nanoTime() - began < 20_000_000_000L);
        }
    }

    @Test
    void wakeup() throws Exception {
        try (KafkaConsumer<String, String> consumer = assigned(empty)) {
            Thread waker = new Thread(consumer::wakeup);
            waker.start();
            assertThrows(WakeupException.class, () -> consumer.poll(Duration.ofSeconds(30)));
            waker.join();
        }
    }

    @Test
    void partitionsAndTopics() {
        try (KafkaConsumer<String, String> consumer = assigned(full)) {
            List<PartitionInfo> partitions = consumer.partitionsFor(full.topic());
            assertEquals(2, partitions.size());
            for (PartitionInfo partition : partitions) {
                assertEquals(1, partition.leader().id());
                assertEquals(1, partition.replicas().length);
                assertEquals(1, partition.inSyncReplicas().length);
                assertEquals(0, partition.offlineReplicas().length);
            }
            assertEquals(2, consumer.listTopics().get(full.topic()).size());
        }
    }

    @Test
    void unknownTopic() {
        TopicPartition unknown = new TopicPartition(Broker.fresh("unknown"), 0);
        try (KafkaConsumer<String, String> consumer = Records.consumer("allow.auto.create.topics", "false")) {
            consumer.assign(List.of(unknown));
            assertTrue(consumer.poll(Duration.ofMillis(300)).isEmpty());
            assertThrows(TimeoutException.class, () -> consumer.endOffsets(List.of(unknown), Duration.ofMillis(300)));
            assertTrue(!consumer.listTopics().containsKey(unknown.topic()));
        }
    }

    @Test
    void unknownPartition() {
        TopicPartition unknown = new TopicPartition(full.topic(), 9);
        try (KafkaConsumer<String, String> consumer = assigned(unknown)) {
            assertThrows(TimeoutException.class, () -> consumer.position(unknown, Duration.ofMillis(300)));
        }
    }

    @Test
    void invalidTopic() {
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", Broker.fresh("invalid"))) {
            consumer.subscribe(List.of("not/a/topic"));
            assertThrows(InvalidTopicException.class, () -> Records.poll(consumer, 1));
        }
    }

    @Test
    void patternFindsNewTopics() throws Exception {
        String prefix = Broker.fresh("pattern");
        try (KafkaConsumer<String, String> consumer =
                Records.consumer("group.id", Broker.fresh("pattern-group"), "metadata.max.age.ms", "200")) {
            consumer.subscribe(Pattern.compile(prefix + ".*"));
            consumer.poll(Duration.ofMillis(300));
            Records.produce(prefix + "-new", 0, "found");
            assertEquals(List.of("found"), Records.values(Records.poll(consumer, 1)));
            assertEquals(Set.of(new TopicPartition(prefix + "-new", 0)), consumer.assignment());
        }
    }

    private static KafkaConsumer<String, String> assigned(TopicPartition... partitions) {
        KafkaConsumer<String, String> consumer = Records.consumer();
        consumer.assign(List.of(partitions));
        return consumer;
    }

    private OffsetAndTimestamp lookUp(KafkaConsumer<String, String> consumer, long timestamp) {
        return consumer.offsetsForTimes(Map.of(full, timestamp)).get(full);
    }

    private static void assertOffset(long offset, long timestamp, OffsetAndTimestamp found) {
        assertEquals(offset, found.offset());
        assertEquals(timestamp, found.timestamp());
        assertTrue(found.leaderEpoch().isPresent());
    }
}
