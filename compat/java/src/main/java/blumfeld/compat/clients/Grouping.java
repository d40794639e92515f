package blumfeld.compat.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Varargs;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** KafkaConsumer in classic groups. The topic has 4 partitions with 5 records each. */
class Grouping {
    private static final Set<Integer> ALL = Set.of(0, 1, 2, 3);
    private static final int RECORDS = 20;
    private final String group = Broker.fresh("grouping");
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("grouping", 4);
        for (int partition = 0; partition < 4; partition++) {
            Records.produce(topic, partition, values(partition));
        }
    }

    @Test
    void commitAndResume() {
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = subscribed()) {
            Records.poll(consumer, RECORDS);
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(3, "a note")));
            assertEquals(new OffsetAndMetadata(3, "a note"), consumer.committed(Set.of(partition)).get(partition));
        }
        try (KafkaConsumer<String, String> consumer = subscribed()) {
            List<String> again = Records.values(Records.poll(consumer, RECORDS - 3));
            assertEquals(RECORDS - 3, again.size());
            assertTrue(again.contains("0/3") && !again.contains("0/2"), again::toString);
            consumer.commitSync();
        }
        try (KafkaConsumer<String, String> consumer = subscribed()) {
            consumer.poll(Duration.ofSeconds(2));
            assertEquals(5, consumer.position(partition));
        }
    }

    @Test
    void commitAsync() throws Exception {
        CompletableFuture<Map<TopicPartition, OffsetAndMetadata>> committed = new CompletableFuture<>();
        try (KafkaConsumer<String, String> consumer = subscribed()) {
            Records.poll(consumer, RECORDS);
            consumer.commitAsync((offsets, failure) -> {
                if (failure == null) {
                    committed.complete(offsets);
                } else {
                    committed.completeExceptionally(failure);
                }
            });
            Await.until(() -> {
                consumer.poll(Duration.ofMillis(10));
                return committed.isDone();
            });
            assertEquals(4, committed.get().size());
            assertEquals(5, consumer.committed(committed.get().keySet()).get(new TopicPartition(topic, 2)).offset());
        }
    }

    @Test
    void autoCommit() {
        try (KafkaConsumer<String, String> consumer =
                Records.consumer("group.id", group, "enable.auto.commit", "true", "auto.commit.interval.ms", "100000")) {
            consumer.subscribe(List.of(topic));
            Records.poll(consumer, RECORDS); // committed when it is closed
        }
        try (KafkaConsumer<String, String> consumer = subscribed()) {
            assertEquals(5, consumer.committed(Set.of(new TopicPartition(topic, 3))).get(new TopicPartition(topic, 3)).offset());
        }
    }

    @Test
    void commitWithoutMembership() {
        TopicPartition partition = new TopicPartition(topic, 1);
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.assign(List.of(partition));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(2)));
            assertEquals("1/2", Records.poll(consumer, 1).get(0).value());
        }
    }

    @Test
    void commitWithoutGroup() {
        try (KafkaConsumer<String, String> consumer = Records.consumer()) {
            consumer.assign(List.of(new TopicPartition(topic, 1)));
            assertThrows(InvalidGroupIdException.class, consumer::commitSync);
        }
    }

    @Test
    void rangeRebalance() throws Exception {
        rebalance(RangeAssignor.class, Set.of(0, 1), Set.of(2, 3));
    }

    @Test
    void roundRobinRebalance() throws Exception {
        rebalance(RoundRobinAssignor.class, Set.of(0, 2), Set.of(1, 3));
    }

    @Test
    void stickyRebalance() throws Exception {
        try (Member one = member(StickyAssignor.class)) {
            Await.until(() -> one.assignment().equals(ALL));
            try (Member two = member(StickyAssignor.class)) {
                Await.until(() -> one.assignment().size() == 2 && two.assignment().size() == 2);
                assertEquals(ALL, union(one, two));
            }
            Await.until(() -> one.assignment().equals(ALL));
        }
    }

    @Test
    void cooperativeRebalance() throws Exception {
        try (Member one = member(CooperativeStickyAssignor.class)) {
            Await.until(() -> one.assignment().equals(ALL));
            try (Member two = member(CooperativeStickyAssignor.class)) {
                Await.until(() -> one.assignment().size() == 2 && two.assignment().size() == 2);
                assertEquals(ALL, union(one, two));
                // Only what moves is taken away.
                List<String> revoked = one.events().stream().filter(event -> event.startsWith("revoked")).toList();
                assertEquals(List.of("revoked " + new TreeSet<>(two.assignment())), revoked);
            }
            Await.until(() -> one.assignment().equals(ALL));
        }
    }

    @Test
    void membersShareTheRecords() throws Exception {
        try (Member one = member(RangeAssignor.class); Member two = member(RangeAssignor.class)) {
            Await.until(() -> one.assignment().size() == 2 && two.assignment().size() == 2);
            one.does(KafkaConsumer::commitSync);
            two.does(KafkaConsumer::commitSync);
            for (int partition = 0; partition < 4; partition++) {
                Records.produce(topic, partition, "late " + partition);
            }
            Await.until(() -> late(one).size() + late(two).size() == 4);
            assertEquals(2, late(one).size());
            assertEquals(2, late(two).size());
        }
    }

    @Test
    void staticMemberRestarts() throws Exception {
        try (Member one = member(RangeAssignor.class, "group.instance.id", "one");
                Member two = member(RangeAssignor.class, "group.instance.id", "two")) {
            Await.until(() -> one.assignment().size() == 2 && two.assignment().size() == 2);
            int told = two.events().size();
            Set<Integer> before = one.assignment();
            one.close();
            try (Member again = member(RangeAssignor.class, "group.instance.id", "one")) {
                Await.until(() -> again.assignment().equals(before));
                // The other one did not notice.
                assertEquals(told, two.events().size(), () -> two.events().toString());
            }
        }
    }

    @Test
    void staticMemberIsFenced() throws Exception {
        Member one = member(RangeAssignor.class, "group.instance.id", "one");
        Await.until(() -> one.assignment().equals(ALL));
        try (Member again = member(RangeAssignor.class, "group.instance.id", "one")) {
            Await.until(() -> again.assignment().equals(ALL));
            ExecutionException thrown = assertThrows(ExecutionException.class, one::end);
            assertEquals(FencedInstanceIdException.class, thrown.getCause().getClass());
        }
    }

    @Test
    void vanishedMemberIsReplaced() throws Exception {
        // A static member says no good-bye: its session has to run out.
        Member vanished = member(RangeAssignor.class, "group.instance.id", "vanished", "session.timeout.ms", "6000");
        Await.until(() -> vanished.assignment().equals(ALL));
        vanished.close();
        try (Member other = member(RangeAssignor.class)) {
            Await.until(() -> other.assignment().equals(ALL));
        }
    }

    @Test
    void slowMemberIsThrownOut() throws Exception {
        try (KafkaConsumer<String, String> slow = Records.consumer("group.id", group, "max.poll.interval.ms", "1000")) {
            slow.subscribe(List.of(topic));
            Records.poll(slow, RECORDS);
            try (Member other = member(RangeAssignor.class)) {
                Await.until(() -> other.assignment().equals(ALL));
                assertThrows(CommitFailedException.class, slow::commitSync);
            }
        }
    }

    @Test
    void newPartitionsAreTaken() throws Exception {
        try (Member one = member(RangeAssignor.class, "metadata.max.age.ms", "200");
                Admin admin = Records.admin()) {
            Await.until(() -> one.assignment().equals(ALL));
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(6))).all().get();
            Await.until(() -> one.assignment().size() == 6);
            Records.produce(topic, 5, "on a new partition");
            Await.until(() -> one.values().contains("on a new partition"));
        }
    }

    private void rebalance(Class<?> assignor, Set<Integer> half, Set<Integer> otherHalf) throws Exception {
        Set<Set<Integer>> halves = Set.of(half, otherHalf);
        try (Member one = member(assignor)) {
            Await.until(() -> one.assignment().equals(ALL));
            try (Member two = member(assignor)) {
                Await.until(() -> one.assignment().size() == 2 && two.assignment().size() == 2);
                assertEquals(halves, Set.of(one.assignment(), two.assignment()));
                // Eagerly: everything is given up before it is dealt out anew.
                assertTrue(one.events().contains("revoked [0, 1, 2, 3]"), () -> one.events().toString());
            }
            Await.until(() -> one.assignment().equals(ALL));
        }
    }

    private KafkaConsumer<String, String> subscribed() {
        KafkaConsumer<String, String> consumer = Records.consumer("group.id", group);
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    private Member member(Class<?> assignor, Object... properties) {
        return new Member(topic, Varargs.prepend(properties, "group.id", group,
                "partition.assignment.strategy", assignor.getName(), "heartbeat.interval.ms", "100"));
    }

    private static List<String> late(Member member) {
        return member.values().stream().filter(value -> value.startsWith("late")).toList();
    }

    private static Set<Integer> union(Member one, Member two) {
        Set<Integer> union = new TreeSet<>(one.assignment());
        union.addAll(two.assignment());
        return union;
    }

    private static String[] values(int partition) {
        String[] values = new String[5];
        for (int n = 0; n < values.length; n++) {
            values[n] = partition + "/" + n;
        }
        return values;
    }
}
