package blumfeld.compat.clients;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Varargs;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Partitioner;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

/** KafkaProducer. */
class Producing {
    @Test
    void uncompressed() throws Exception {
        roundTrip("compression.type", "none");
    }

    @Test
    void gzip() throws Exception {
        roundTrip("compression.type", "gzip");
    }

    @Test
    void snappy() throws Exception {
        roundTrip("compression.type", "snappy");
    }

    @Test
    void lz4() throws Exception {
        roundTrip("compression.type", "lz4");
    }

    @Test
    void zstd() throws Exception {
        roundTrip("compression.type", "zstd");
    }

    @Test
    void idempotent() throws Exception {
        roundTrip("enable.idempotence", "true", "acks", "all", "max.in.flight.requests.per.connection", "5");
    }

    @Test
    void notIdempotent() throws Exception {
        roundTrip("enable.idempotence", "false", "acks", "1");
    }

    @Test
    void unacknowledged() throws Exception {
        String topic = Records.topic("acks0", 1);
        try (KafkaProducer<String, String> producer = Records.producer("acks", "0", "enable.idempotence", "false")) {
            RecordMetadata metadata = producer.send(new ProducerRecord<>(topic, "value")).get();
            assertEquals(-1, metadata.offset());
        }
        assertEquals("value", Records.read(topic, 0, 1).get(0).value());
    }

    @Test
    void keysHeadersTimestamps() throws Exception {
        String topic = Records.topic("record", 1);
        List<Header> headers = List.of(header("a", "1"), header("b", ""), new RecordHeader("c", (byte[]) null), header("a", "2"));
        try (KafkaProducer<String, String> producer = Records.producer()) {
            RecordMetadata first = producer.send(new ProducerRecord<>(topic, 0, 1_234_567_890_123L, "key", "value", headers)).get();
            assertEquals(0, first.offset());
            assertEquals(1_234_567_890_123L, first.timestamp());
            assertEquals(3, first.serializedKeySize());
            assertEquals(5, first.serializedValueSize());
            producer.send(new ProducerRecord<>(topic, 0, null, null)).get();
            producer.send(new ProducerRecord<>(topic, 0, "", "")).get();
        }
        List<ConsumerRecord<String, String>> records = Records.read(topic, 0, 3);
        ConsumerRecord<String, String> first = records.get(0);
        assertEquals("key", first.key());
        assertEquals("value", first.value());
        assertEquals(1_234_567_890_123L, first.timestamp());
        assertEquals(TimestampType.CREATE_TIME, first.timestampType());
        assertArrayEquals(headers.toArray(), first.headers().toArray());
        assertNull(records.get(1).key());
        assertNull(records.get(1).value());
        assertEquals("", records.get(2).key());
        assertEquals("", records.get(2).value());
        assertTrue(records.get(2).leaderEpoch().isPresent());
    }

    @Test
    void keysChoosePartitions() throws Exception {
        String topic = Records.topic("keyed", 3);
        try (KafkaProducer<String, String> producer = Records.producer()) {
            for (int n = 0; n < 30; n++) {
                String key = "key " + n % 10;
                int partition = producer.send(new ProducerRecord<>(topic, key, "value")).get().partition();
                assertEquals(partition, producer.send(new ProducerRecord<>(topic, key, "again")).get().partition());
            }
            assertEquals(3, producer.partitionsFor(topic).size());
        }
    }

    /** Puts a record where its value says. */
    public static final class ByValue implements Partitioner {
        @Override
        public int partition(String topic, Object key, byte[] keyBytes, Object value, byte[] valueBytes, Cluster cluster) {
            return Integer.parseInt((String) value) % cluster.partitionCountForTopic(topic);
        }

        @Override
        public void close() {}

        @Override
        public void configure(Map<String, ?> configs) {}
    }

    @Test
    void customPartitioner() throws Exception {
        String topic = Records.topic("partitioner", 3);
        try (KafkaProducer<String, String> producer = Records.producer("partitioner.class", ByValue.class.getName())) {
            for (int n = 0; n < 9; n++) {
                assertEquals(n % 3, producer.send(new ProducerRecord<>(topic, Integer.toString(n))).get().partition());
            }
        }
        assertEquals(List.of("2", "5", "8"), Records.values(Records.read(topic, 2, 3)));
    }

    @Test
    void logAppendTime() throws Exception {
        String topic = Broker.fresh("appendtime");
        createWith(topic, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = Records.producer()) {
            long told = producer.send(new ProducerRecord<>(topic, 0, 5L, null, "value")).get().timestamp();
            assertTrue(told >= before, () -> told + " is before " + before);
            ConsumerRecord<String, String> record = Records.read(topic, 0, 1).get(0);
            assertEquals(told, record.timestamp());
            assertEquals(TimestampType.LOG_APPEND_TIME, record.timestampType());
        }
    }

    @Test
    void timestampRefused() throws Exception {
        String topic = Broker.fresh("timestamps");
        createWith(topic, Map.of("message.timestamp.before.max.ms", "1000"));
        try (KafkaProducer<String, String> producer = Records.producer()) {
            thrown(InvalidTimestampException.class, producer.send(new ProducerRecord<>(topic, 0, 5L, null, "value")));
            producer.send(new ProducerRecord<>(topic, 0, null, "value")).get();
        }
    }

    @Test
    void tooLarge() throws Exception {
        String topic = Records.topic("large", 1);
        try (KafkaProducer<String, String> producer = Records.producer("max.request.size", "5000000")) {
            thrown(RecordTooLargeException.class, producer.send(new ProducerRecord<>(topic, "x".repeat(2_000_000))));
            assertEquals(0, producer.send(new ProducerRecord<>(topic, "x".repeat(1_000_000))).get().offset());
        }
        assertEquals(1_000_000, Records.read(topic, 0, 1).get(0).value().length());
    }

    @Test
    void unknownPartition() throws Exception {
        String topic = Records.topic("partition", 1);
        try (KafkaProducer<String, String> producer = Records.producer("max.block.ms", "500")) {
            thrown(TimeoutException.class, producer.send(new ProducerRecord<>(topic, 7, null, "value")));
        }
    }

    @Test
    void invalidTopic() {
        try (KafkaProducer<String, String> producer = Records.producer("max.block.ms", "5000")) {
            thrown(InvalidTopicException.class, producer.send(new ProducerRecord<>("not/a/topic", "value")));
        }
    }

    @Test
    void createsTopics() throws Exception {
        String topic = Broker.fresh("auto");
        Records.produce(topic, 0, "created");
        assertEquals(List.of("created"), Records.values(Records.read(topic, 0, 1)));
    }

    private static void roundTrip(Object... properties) throws Exception {
        String topic = Records.topic("roundtrip", 1);
        List<String> values = IntStream.range(0, 3000).mapToObj(n -> "value " + n + " " + "abc".repeat(n % 50)).toList();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = Records.producer(Varargs.prepend(properties, "linger.ms", "5"))) {
            for (String value : values) {
                sent.add(producer.send(new ProducerRecord<>(topic, value)));
            }
            producer.flush();
            for (int n = 0; n < sent.size(); n++) {
                assertEquals(n, sent.get(n).get().offset());
            }
        }
        assertEquals(values, Records.values(Records.read(topic, 0, values.size())));
    }

    private static void createWith(String topic, Map<String, String> configs) throws Exception {
        try (Admin admin = Records.admin()) {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(configs))).all().get();
        }
    }

    private static Header header(String key, String value) {
        return new RecordHeader(key, value.getBytes(StandardCharsets.UTF_8));
    }

    private static void thrown(Class<? extends Exception> cause, Future<?> future) {
        ExecutionException thrown = assertThrows(ExecutionException.class, future::get);
        assertEquals(cause, thrown.getCause().getClass(), thrown::toString);
    }
}
