package blumfeld.compat.clients;

import blumfeld.compat.harness.Records;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.FutureTask;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/** A member of a group that polls on a thread of its own until it is closed. */
final class Member implements AutoCloseable {
    private final KafkaConsumer<String, String> consumer;
    private final FutureTask<Void> loop = new FutureTask<>(this::poll, null);
    private final ConcurrentLinkedQueue<Runnable> orders = new ConcurrentLinkedQueue<>();
    private final List<String> events = new CopyOnWriteArrayList<>();
    private final List<String> values = new CopyOnWriteArrayList<>();
    private volatile Set<Integer> assignment = Set.of();
    private volatile boolean closing;

    /** Subscribes to a topic. */
    Member(String topic, Object... properties) {
        consumer = Records.consumer(properties);
        consumer.subscribe(List.of(topic), new Listener());
        new Thread(loop, "member").start();
    }

    /** The partitions that it has now. */
    Set<Integer> assignment() {
        return assignment;
    }

    /** What it has read. */
    List<String> values() {
        return List.copyOf(values);
    }

    /** "assigned [0, 1]", "revoked [0]" or "lost [0]", in the order in which it was told. */
    List<String> events() {
        return List.copyOf(events);
    }

    /** Does something with the consumer on its thread, and waits until it is done. */
    void does(Action action) throws Exception {
        FutureTask<Void> task = new FutureTask<>(() -> {
            action.with(consumer);
            return null;
        });
        orders.add(task);
        task.get();
    }

    interface Action {
        void with(KafkaConsumer<String, String> consumer) throws Exception;
    }

    /** Waits until it ends by itself, and throws what it ended with. */
    void end() throws Exception {
        loop.get();
    }

    @Override
    public void close() throws Exception {
        closing = true;
        consumer.wakeup();
        loop.get();
    }

    private void poll() {
        try (consumer) {
            while (!closing) {
                for (Runnable order = orders.poll(); order != null; order = orders.poll()) {
                    order.run();
                }
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(50))) {
                    values.add(record.value());
                }
            }
        } catch (WakeupException e) {
            if (!closing) {
                throw e;
            }
        }
    }

    private final class Listener implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            happened("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            happened("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            happened("lost", partitions);
        }

        private void happened(String what, Collection<TopicPartition> partitions) {
            events.add(what + " " + new ArrayList<>(numbers(partitions)));
            // While it is told of a revocation it still has what it is about to lose.
            Set<Integer> now = numbers(consumer.assignment());
            if (!what.equals("assigned")) {
                now.removeAll(numbers(partitions));
            }
            assignment = Set.copyOf(now);
        }

        private Set<Integer> numbers(Collection<TopicPartition> partitions) {
            Set<Integer> numbers = new TreeSet<>();
            partitions.forEach(partition -> numbers.add(partition.partition()));
            return numbers;
        }
    }
}
