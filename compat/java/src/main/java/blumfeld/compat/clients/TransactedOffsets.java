package blumfeld.compat.clients;

import static blumfeld.compat.harness.Transactions.committed;
import static blumfeld.compat.harness.Transactions.endsAt;
import static blumfeld.compat.harness.Transactions.producer;
import static blumfeld.compat.harness.Transactions.send;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Transactions;
import blumfeld.compat.harness.Varargs;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.FutureTask;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/** A group's offsets that are committed with a producer's records, in its transaction. */
@ResourceLock(value = Transactions.VERSION, mode = ResourceAccessMode.READ)
public class TransactedOffsets {
    private final String id = Broker.fresh("transacted");
    private final String group = Broker.fresh("transacted-group");
    private TopicPartition in;
    private TopicPartition out;

    @BeforeEach
    void createTopics() throws Exception {
        in = new TopicPartition(Records.topic("transacted-in", 4), 0);
        out = new TopicPartition(Records.topic("transacted-out", 1), 0);
    }

    @Test
    void invisibleUntilCommitted() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id);
                KafkaConsumer<String, String> consumer = member();
                Admin admin = Records.admin()) {
            consumer.commitSync(Map.of(in, new OffsetAndMetadata(3)));
            producer.beginTransaction();
            send(producer, out, "result");
            producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(7, "a note")), new ConsumerGroupMetadata(group));
            // A consumer waits for the decision; who only looks sees what was decided before.
            assertThrows(TimeoutException.class, () -> consumer.committed(Set.of(in), Duration.ofMillis(500)));
            assertEquals(3, seen(admin).offset());
            producer.commitTransaction();
            assertEquals(new OffsetAndMetadata(7, "a note"), consumer.committed(Set.of(in)).get(in));
            assertEquals(7, seen(admin).offset());
        }
        committed(out, "result");
    }

    @Test
    void goneWhenAborted() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id);
                KafkaConsumer<String, String> consumer = member()) {
            consumer.commitSync(Map.of(in, new OffsetAndMetadata(3)));
            for (int n = 0; n < 3; n++) {
                producer.beginTransaction();
                producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(7)), new ConsumerGroupMetadata(group));
                producer.abortTransaction();
            }
            assertEquals(3, consumer.committed(Set.of(in)).get(in).offset());
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(8)), new ConsumerGroupMetadata(group));
            producer.commitTransaction();
            assertEquals(8, consumer.committed(Set.of(in)).get(in).offset());
        }
    }

    @Test
    void severalTimesInATransaction() throws Exception {
        TopicPartition other = new TopicPartition(in.topic(), 1);
        String second = group + "-second";
        try (KafkaProducer<String, String> producer = producer(id);
                KafkaConsumer<String, String> consumer = member();
                KafkaConsumer<String, String> elsewhere = Records.consumer("group.id", second)) {
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(1)), new ConsumerGroupMetadata(group));
            producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(2), other, new OffsetAndMetadata(5)),
                    new ConsumerGroupMetadata(group));
            producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(9)), new ConsumerGroupMetadata(second));
            producer.commitTransaction();
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.of(in, other));
            assertEquals(2, committed.get(in).offset());
            assertEquals(5, committed.get(other).offset());
            assertEquals(9, elsewhere.committed(Set.of(in)).get(in).offset());
        }
    }

    @Test
    void ofAMemberOfBefore() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id);
                KafkaConsumer<String, String> consumer = member()) {
            Records.produce(in.topic(), 0, "one");
            consumer.subscribe(List.of(in.topic()));
            Records.poll(consumer, 1);
            ConsumerGroupMetadata now = consumer.groupMetadata();
            producer.beginTransaction();
            ConsumerGroupMetadata before = new ConsumerGroupMetadata(group, now.generationId() - 1, now.memberId(), now.groupInstanceId());
            assertThrows(CommitFailedException.class,
                    () -> producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(1)), before));
            producer.abortTransaction();
            producer.beginTransaction();
            ConsumerGroupMetadata stranger = new ConsumerGroupMetadata(group, now.generationId(), "stranger", now.groupInstanceId());
            assertThrows(CommitFailedException.class,
                    () -> producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(1)), stranger));
            producer.abortTransaction();
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(1)), now);
            producer.commitTransaction();
            assertEquals(1, consumer.committed(Set.of(in)).get(in).offset());
        }
    }

    @Test
    void readProcessWrite() throws Exception {
        List<String> want = new ArrayList<>();
        for (int partition = 0; partition < 4; partition++) {
            int p = partition;
            String[] values = IntStream.range(0, 50).mapToObj(n -> p + "/" + n).toArray(String[]::new);
            Records.produce(in.topic(), partition, values);
            want.addAll(List.of(values));
        }
        // Two of them, one of which gives up halfway: its last transaction stays open until the other has begun anew.
        Processor first = new Processor(id + 1);
        Processor second = new Processor(id + 2);
        Await.until(() -> first.done >= 20 && second.done >= 20 || first.done + second.done == want.size());
        first.stop();
        Await.until(() -> committed(out).size() >= want.size());
        second.stop();
        List<String> got = new ArrayList<>(committed(out));
        got.sort(null);
        want.sort(null);
        assertEquals(want, got);
        assertTrue(Transactions.written(out).size() > want.size(), "nothing was aborted");
        try (Admin admin = Records.admin()) {
            for (OffsetAndMetadata offset : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values()) {
                assertEquals(50, offset.offset());
            }
        }
    }

    /** Copies records from in to out until it is told to stop, and aborts every third transaction. */
    private final class Processor {
        private final FutureTask<Void> loop;
        private volatile boolean stopping;
        private volatile int done;

        Processor(String transactionalId) {
            loop = new FutureTask<>(() -> {
                try (KafkaProducer<String, String> producer = producer(transactionalId);
                        KafkaConsumer<String, String> consumer = member("max.poll.records", "7", "isolation.level", "read_committed",
                                "heartbeat.interval.ms", "100")) {
                    consumer.subscribe(List.of(in.topic()));
                    for (int round = 0; !stopping; round++) {
                        transact(producer, consumer, round % 3 == 2);
                    }
                }
                return null;
            });
            new Thread(loop, "processor").start();
        }

        private void transact(KafkaProducer<String, String> producer, KafkaConsumer<String, String> consumer, boolean inVain) {
            ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
            if (records.isEmpty()) {
                return;
            }
            Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
            producer.beginTransaction();
            for (ConsumerRecord<String, String> record : records) {
                producer.send(new ProducerRecord<>(out.topic(), 0, null, record.value()));
                next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
            try {
                producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
                if (!inVain) {
                    producer.commitTransaction();
                    done += records.count();
                    return;
                }
            } catch (CommitFailedException e) {
                // The group has dealt the partitions out anew.
            }
            producer.flush();
            producer.abortTransaction();
            rewind(consumer);
        }

        /** Goes back to what is committed. */
        private void rewind(KafkaConsumer<String, String> consumer) {
            Collection<TopicPartition> assigned = consumer.assignment();
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.copyOf(assigned));
            for (TopicPartition partition : assigned) {
                OffsetAndMetadata at = committed.get(partition);
                consumer.seek(partition, at == null ? 0 : at.offset());
            }
        }

        void stop() throws Exception {
            stopping = true;
            loop.get();
        }
    }

    private KafkaConsumer<String, String> member(Object... properties) {
        return Records.consumer(Varargs.prepend(properties, "group.id", group));
    }

    private OffsetAndMetadata seen(Admin admin) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(in);
    }
}
