package blumfeld.compat.clients;

import static blumfeld.compat.harness.Transactions.abort;
import static blumfeld.compat.harness.Transactions.commit;
import static blumfeld.compat.harness.Transactions.committed;
import static blumfeld.compat.harness.Transactions.endsAt;
import static blumfeld.compat.harness.Transactions.producer;
import static blumfeld.compat.harness.Transactions.send;
import static blumfeld.compat.harness.Transactions.written;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Transactions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * Transactions of a producer, and what the consumers of both isolation levels see of them. A newer
 * client speaks the protocol of the broker's transaction.version, the older one that of before.
 */
@ResourceLock(value = Transactions.VERSION, mode = ResourceAccessMode.READ)
public class Transacting {
    private final String id = Broker.fresh("transacting");
    private TopicPartition one;
    private TopicPartition two;

    @BeforeEach
    void createTopic() throws Exception {
        String topic = Records.topic("transacting", 2);
        one = new TopicPartition(topic, 0);
        two = new TopicPartition(topic, 1);
    }

    @Test
    void commitOfSeveralPartitions() throws Exception {
        TopicPartition other = new TopicPartition(Records.topic("transacting", 1), 0);
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, one, "a", "b");
            send(producer, two, "c");
            send(producer, other, "d");
            written(one, "a", "b");
            assertEquals(List.of(), committed(one));
            producer.commitTransaction();
        }
        committed(one, "a", "b");
        committed(two, "c");
        committed(other, "d");
        endsAt(3, one); // the marker takes an offset
        endsAt(2, two);
        endsAt(2, other);
    }

    @Test
    void abortOfSeveralPartitions() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            commit(producer, one, "before");
            producer.beginTransaction();
            send(producer, one, "aborted 1", "aborted 2");
            send(producer, two, "aborted 3");
            producer.abortTransaction();
            commit(producer, one, "after");
        }
        committed(one, "before", "after");
        written(one, "before", "aborted 1", "aborted 2", "after");
        endsAt(7, one);
        endsAt(2, two);
        committed(two);
        written(two, "aborted 3");
    }

    @Test
    void emptyTransactions() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            for (int n = 0; n < 3; n++) {
                producer.beginTransaction();
                producer.commitTransaction();
                producer.beginTransaction();
                producer.abortTransaction();
            }
            commit(producer, one, "something");
        }
        committed(one, "something");
        endsAt(2, one);
        endsAt(0, two);
    }

    @Test
    void bigTransactions() throws Exception {
        // Many compressed batches each: 20 to 200 KB of values that are not all alike.
        String[] values = IntStream.range(0, 5000).mapToObj(n -> n + "-" + "x".repeat(n % 50)).toArray(String[]::new);
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            TopicPartition partition = new TopicPartition(Records.topic("big", 1), 0);
            try (KafkaProducer<String, String> producer =
                    producer(id + codec, "compression.type", codec, "batch.size", "4000", "linger.ms", "5")) {
                abort(producer, partition, values);
                commit(producer, partition, values);
                abort(producer, partition, values);
            }
            committed(partition, values);
            assertEquals(3 * values.length, written(partition).size());
        }
    }

    @Test
    void interleavedProducers() throws Exception {
        try (KafkaProducer<String, String> first = producer(id + 1);
                KafkaProducer<String, String> second = producer(id + 2)) {
            first.beginTransaction();
            second.beginTransaction();
            send(first, one, "first 1");
            send(second, one, "second 1");
            send(first, one, "first 2");
            Records.produce(one.topic(), 0, "plain 1");
            second.abortTransaction();
            send(first, one, "first 3");
            second.beginTransaction();
            send(second, one, "second 2");
            first.commitTransaction();
            Records.produce(one.topic(), 0, "plain 2");
            second.commitTransaction();
            // The same producer, committed here and aborted there.
            first.beginTransaction();
            send(first, one, "first 4");
            first.abortTransaction();
        }
        committed(one, "first 1", "first 2", "plain 1", "first 3", "second 2", "plain 2");
        written(one, "first 1", "second 1", "first 2", "plain 1", "first 3", "second 2", "plain 2", "first 4");
        endsAt(12, one);
    }

    @Test
    void nothingBehindAnOpenTransaction() throws Exception {
        try (KafkaProducer<String, String> open = producer(id + 1);
                KafkaProducer<String, String> other = producer(id + 2);
                KafkaConsumer<String, String> reader = reader()) {
            commit(other, one, "before");
            open.beginTransaction();
            send(open, one, "open");
            commit(other, one, "behind");
            Records.produce(one.topic(), 0, "plain");
            written(one, "before", "open", "behind", "plain");
            endsAt(2, one);
            assertEquals(List.of("before"), committed(one));
            // A consumer that waits there wakes when it ends.
            assertEquals(List.of("before"), Records.values(Records.poll(reader, 1)));
            assertTrue(reader.poll(Duration.ofMillis(300)).isEmpty());
            assertEquals(2, reader.position(one));
            open.abortTransaction();
            assertEquals(List.of("behind", "plain"), Records.values(Records.poll(reader, 2)));
            Await.until(() -> {
                reader.poll(Duration.ofMillis(100));
                return reader.position(one) == 7;
            });
        }
        committed(one, "before", "behind", "plain");
    }

    @Test
    void seekIntoWhatWasAborted() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            commit(producer, one, "0", "1");
            abort(producer, one, "3", "4", "5");
            commit(producer, one, "7", "8");
        }
        endsAt(10, one);
        try (KafkaConsumer<String, String> reader = reader()) {
            for (long from : new long[] {2, 3, 4, 5, 6, 7}) {
                reader.seek(one, from);
                assertEquals(List.of("7", "8"), Records.values(Records.poll(reader, 2)));
            }
            reader.seek(one, 8);
            assertEquals(List.of("8"), Records.values(Records.poll(reader, 1)));
        }
    }

    @Test
    void deleteRecordsUpToAStableOffset() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id);
                Admin admin = Records.admin()) {
            abort(producer, one, "aborted 1", "aborted 2");
            commit(producer, one, "kept");
            endsAt(5, one);
            admin.deleteRecords(Map.of(one, RecordsToDelete.beforeOffset(1))).all().get();
        }
        committed(one, "kept");
        written(one, "aborted 2", "kept");
    }

    @Test
    void refusedRecordSpoilsTheTransaction() throws Exception {
        try (Admin admin = Records.admin()) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, one.topic());
            AlterConfigOp small = new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000"), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(small))).all().get();
            Await.until(() -> admin.describeConfigs(List.of(resource)).all().get().get(resource).get("max.message.bytes").value().equals("2000"));
        }
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, one, "small");
            var large = producer.send(new ProducerRecord<>(one.topic(), 0, null, "x".repeat(5000)));
            ExecutionException thrown = assertThrows(ExecutionException.class, large::get);
            assertEquals(RecordTooLargeException.class, thrown.getCause().getClass());
            KafkaException spoilt = assertThrows(KafkaException.class, producer::commitTransaction);
            assertTrue(spoilt instanceof RecordTooLargeException || spoilt.getCause() instanceof RecordTooLargeException, spoilt::toString);
            producer.abortTransaction();
            commit(producer, one, "after");
        }
        committed(one, "after");
        written(one, "small", "after");
    }

    private KafkaConsumer<String, String> reader() {
        KafkaConsumer<String, String> reader = Records.consumer("isolation.level", "read_committed");
        reader.assign(List.of(one));
        return reader;
    }
}
