package blumfeld.compat.clients;

import static blumfeld.compat.harness.Transactions.commit;
import static blumfeld.compat.harness.Transactions.committed;
import static blumfeld.compat.harness.Transactions.producer;
import static blumfeld.compat.harness.Transactions.send;
import static blumfeld.compat.harness.Transactions.written;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Transactions;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/** Several producers with one transactional id, one after the other: only the last may write. */
@ResourceLock(value = Transactions.VERSION, mode = ResourceAccessMode.READ)
public class Fencing {
    private final String id = Broker.fresh("fencing");
    private TopicPartition partition;

    @BeforeEach
    void createTopic() throws Exception {
        partition = new TopicPartition(Records.topic("fencing", 1), 0);
    }

    @Test
    void restartAbortsWhatWasOpen() throws Exception {
        KafkaProducer<String, String> first = producer(id);
        first.beginTransaction();
        send(first, partition, "open");
        first.close(Duration.ZERO);
        try (KafkaProducer<String, String> again = producer(id)) {
            // Initialized: the open transaction has been aborted.
            commit(again, partition, "again");
        }
        committed(partition, "again");
        written(partition, "open", "again");
    }

    @Test
    void restartKeepsWhatWasCommitted() throws Exception {
        for (int n = 0; n < 5; n++) {
            try (KafkaProducer<String, String> producer = producer(id)) {
                commit(producer, partition, "run " + n);
            }
        }
        committed(partition, "run 0", "run 1", "run 2", "run 3", "run 4");
    }

    @Test
    void idleProducerIsFenced() throws Exception {
        try (KafkaProducer<String, String> first = producer(id);
                KafkaProducer<String, String> second = producer(id)) {
            commit(second, partition, "second");
            first.beginTransaction();
            // Before KIP-890 the coordinator is asked first, since then the partition's leader says it.
            assertEquals(Transactions.beforeKip890() ? ProducerFencedException.class : InvalidProducerEpochException.class,
                    refusal(first, "first"));
            assertThrows(KafkaException.class, first::commitTransaction);
            assertThrows(ProducerFencedException.class, first::abortTransaction);
            assertThrows(ProducerFencedException.class, first::beginTransaction);
            commit(second, partition, "second again");
        }
        committed(partition, "second", "second again");
        written(partition, "second", "second again");
    }

    @Test
    void openTransactionIsFenced() throws Exception {
        try (KafkaProducer<String, String> first = producer(id)) {
            first.beginTransaction();
            send(first, partition, "first 1");
            try (KafkaProducer<String, String> second = producer(id)) {
                commit(second, partition, "second");
                // The leader has seen the marker of the newer epoch.
                assertEquals(InvalidProducerEpochException.class, refusal(first, "first 2"));
                assertThrows(InvalidProducerEpochException.class, first::commitTransaction);
                assertThrows(ProducerFencedException.class, first::abortTransaction);
            }
        }
        committed(partition, "second");
        written(partition, "first 1", "second");
    }

    @Test
    void commitOfAFencedProducer() throws Exception {
        try (KafkaProducer<String, String> first = producer(id)) {
            first.beginTransaction();
            send(first, partition, "first");
            try (KafkaProducer<String, String> second = producer(id)) {
                assertThrows(ProducerFencedException.class, first::commitTransaction);
                commit(second, partition, "second");
            }
        }
        committed(partition, "second");
    }

    @Test
    void offsetsOfAFencedProducer() throws Exception {
        ConsumerGroupMetadata group = new ConsumerGroupMetadata(Broker.fresh("fencing-group"));
        try (KafkaProducer<String, String> first = producer(id)) {
            first.beginTransaction();
            send(first, partition, "first");
            try (KafkaProducer<String, String> second = producer(id)) {
                assertThrows(ProducerFencedException.class,
                        () -> first.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(1)), group));
                assertThrows(ProducerFencedException.class, first::abortTransaction);
                commit(second, partition, "second");
            }
        }
        committed(partition, "second");
    }

    @Test
    void timeoutAbortsWhatIsOpen() throws Exception {
        try (KafkaProducer<String, String> slow = producer(id, "transaction.timeout.ms", "500")) {
            slow.beginTransaction();
            send(slow, partition, "too slow");
            Records.produce(partition.topic(), 0, "behind");
            committed(partition, "behind"); // the broker looks for such transactions every ten seconds
            KafkaException thrown = assertThrows(KafkaException.class, slow::commitTransaction);
            assertEquals(Transactions.beforeKip890() ? ProducerFencedException.class : InvalidTxnStateException.class, thrown.getClass());
            assertThrows(KafkaException.class, slow::abortTransaction);
        }
        try (KafkaProducer<String, String> again = producer(id)) {
            commit(again, partition, "again");
        }
        committed(partition, "behind", "again");
    }

    @Test
    void timeoutTooLong() {
        try (KafkaProducer<String, String> producer = Records.producer("transactional.id", id, "transaction.timeout.ms", "900001")) {
            KafkaException thrown = assertThrows(KafkaException.class, producer::initTransactions);
            assertEquals("Unexpected error in InitProducerIdResponse; The transaction timeout is larger than the maximum value allowed by "
                    + "the broker (as configured by transaction.max.timeout.ms).", thrown.getMessage());
        }
    }

    private Class<?> refusal(KafkaProducer<String, String> producer, String value) {
        var sent = producer.send(new ProducerRecord<>(partition.topic(), 0, null, value));
        return assertThrows(ExecutionException.class, sent::get).getCause().getClass();
    }
}
