package blumfeld.compat.harness;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.AppInfoParser;

/** Transactional producers, and the two views of what they have written. */
public final class Transactions {
    /** Who changes transaction.version may not have others transact meanwhile: the name of a resource lock. */
    public static final String VERSION = "transaction.version";

    private Transactions() {}

    /** A producer that may begin its first transaction. */
    public static KafkaProducer<String, String> producer(String transactionalId, Object... properties) {
        KafkaProducer<String, String> producer =
                Records.producer(Varargs.prepend(properties, "transactional.id", transactionalId));
        producer.initTransactions();
        return producer;
    }

    /** Whether this client and the broker speak the protocol of before KIP-890. */
    public static boolean beforeKip890() throws Exception {
        if (AppInfoParser.getVersion().startsWith("2.")) {
            return true;
        }
        try (Admin admin = Records.admin()) {
            return admin.describeFeatures().featureMetadata().get().finalizedFeatures().get(VERSION).maxVersionLevel() < 2;
        }
    }

    /** Sends values to a partition; returns when the broker has them. */
    public static void send(KafkaProducer<String, String> producer, TopicPartition to, String... values) {
        for (String value : values) {
            producer.send(new ProducerRecord<>(to.topic(), to.partition(), null, value));
        }
        producer.flush();
    }

    /** A transaction of its own for these values. */
    public static void commit(KafkaProducer<String, String> producer, TopicPartition to, String... values) {
        producer.beginTransaction();
        send(producer, to, values);
        producer.commitTransaction();
    }

    /** A transaction of its own for these values, in vain. */
    public static void abort(KafkaProducer<String, String> producer, TopicPartition to, String... values) {
        producer.beginTransaction();
        send(producer, to, values);
        producer.abortTransaction();
    }

    /** What a consumer of committed data sees is, in the end, exactly this. Markers may come after a producer's commit. */
    public static void committed(TopicPartition partition, String... values) throws Exception {
        Await.untilPasses(() -> assertEquals(List.of(values), committed(partition)));
    }

    /** What a consumer of committed data sees now. */
    public static List<String> committed(TopicPartition partition) {
        return values(partition, "read_committed");
    }

    /** What was written, aborted or not, is exactly this. */
    public static void written(TopicPartition partition, String... values) {
        assertEquals(List.of(values), written(partition));
    }

    /** What was written, aborted or not. */
    public static List<String> written(TopicPartition partition) {
        return values(partition, "read_uncommitted");
    }

    /** The end for a consumer of committed data: the last stable offset. */
    public static long stableEnd(TopicPartition partition) {
        try (KafkaConsumer<String, String> consumer = Records.consumer("isolation.level", "read_committed")) {
            return consumer.endOffsets(List.of(partition)).get(partition);
        }
    }

    /** The offsets of the partition end here, markers included, once nothing is open any more. */
    public static void endsAt(long offset, TopicPartition partition) throws Exception {
        Await.untilPasses(() -> assertEquals(offset, stableEnd(partition)));
    }

    /** Reads from the beginning to the end of now: the position has to come there, over markers and what is not shown. */
    private static List<String> values(TopicPartition partition, String isolation) {
        try (KafkaConsumer<String, String> consumer = Records.consumer("isolation.level", isolation)) {
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            while (consumer.position(partition) < end) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
            return Records.values(records);
        }
    }
}
