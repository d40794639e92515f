package blumfeld.compat.tools;

import static blumfeld.compat.tools.Commands.groups;
import static org.junit.jupiter.api.Assertions.assertEquals;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Varargs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * kafka-consumer-groups --reset-offsets. The topic has 2 partitions with 10 and 5 records, an hour
 * apart of each other, the last one now; the group has committed 4 and 5.
 */
class ResetOffsets {
    private static final String HEADER = "GROUP TOPIC PARTITION NEW-OFFSET\n";
    private final String group = Broker.fresh("reset");
    private final long hour = TimeUnit.HOURS.toMillis(1);
    private final long now = System.currentTimeMillis();
    private String topic;

    @BeforeEach
    void createGroup() throws Exception {
        topic = Records.topic("reset", 2);
        for (int partition = 0; partition < 2; partition++) {
            int count = partition == 0 ? 10 : 5;
            Map<Long, String> records = new TreeMap<>();
            for (int n = 0; n < count; n++) {
                records.put(now - (count - 1 - n) * hour, "value " + n);
            }
            Records.produceAt(topic, partition, records);
        }
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(4),
                    new TopicPartition(topic, 1), new OffsetAndMetadata(5)));
        }
    }

    @Test
    void dryRun() throws Exception {
        plans("0 0", "--topic", topic, "--to-earliest", "--dry-run");
        committed("4 5");
        // Without either it only plans, and warns.
        Tool.Outcome neither = reset("--topic", topic, "--to-earliest");
        Shape.sameLines(table("0 0"), neither.ok().lines().filter(line -> !line.startsWith("WARN")).reduce("", (a, b) -> a + b + "\n"));
        Shape.has("WARN: No action will be performed as the --execute option is missing. <...>", neither.out() + neither.err());
        committed("4 5");
    }

    @Test
    void toEarliest() throws Exception {
        executes("0 0", "--topic", topic, "--to-earliest");
        try (Admin admin = Records.admin()) {
            admin.deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(3))).all().get();
        }
        executes("3 0", "--topic", topic, "--to-earliest");
    }

    @Test
    void toLatest() throws Exception {
        executes("10 5", "--topic", topic, "--to-latest");
    }

    @Test
    void toCurrent() throws Exception {
        executes("4 5", "--topic", topic, "--to-current");
    }

    @Test
    void toOffset() throws Exception {
        executes("2 2", "--topic", topic, "--to-offset", "2");
        // Out of a partition's range: its nearest end.
        executes("7 5", "--topic", topic, "--to-offset", "7");
    }

    @Test
    void shiftBy() throws Exception {
        executes("2 3", "--topic", topic, "--shift-by", "-2");
        executes("10 5", "--topic", topic, "--shift-by", "9");
        executes("0 0", "--topic", topic, "--shift-by", "-100");
    }

    @Test
    void byDuration() throws Exception {
        executes("7 2", "--topic", topic, "--by-duration", "PT2H30M");
        executes("0 0", "--topic", topic, "--by-duration", "P2D");
    }

    @Test
    void toDatetime() throws Exception {
        String time = Instant.ofEpochMilli(now - 3 * hour).toString().replace("Z", "");
        executes("6 1", "--topic", topic, "--to-datetime", time.contains(".") ? time : time + ".000");
        executes("0 0", "--topic", topic, "--to-datetime", "2020-01-01T00:00:00.000");
    }

    @Test
    void toDatetimeAfterTheLastRecord() throws Exception {
        Shape.sameLines("""
                Warn: Partition 0 from topic %1$s is empty. Falling back to latest known offset.
                Warn: Partition 1 from topic %1$s is empty. Falling back to latest known offset.
                """.formatted(topic) + table("10 5"),
                reset("--topic", topic, "--to-datetime", "2090-01-01T00:00:00.000", "--execute").ok());
        committed("10 5");
    }

    @Test
    void chosenPartitions() throws Exception {
        Shape.same(HEADER + group + " " + topic + " 1 0", reset("--topic", topic + ":1", "--to-earliest", "--execute").ok());
        committed("4 0");
        executes("10 5", "--topic", topic + ":0,1", "--to-latest");
    }

    @Test
    void allTopics() throws Exception {
        executes("0 0", "--all-topics", "--to-earliest");
    }

    @Test
    void exportAndImport(@TempDir Path directory) throws Exception {
        String plan = reset("--all-topics", "--to-offset", "3", "--export", "--dry-run").ok();
        Shape.sameLines("%1$s,0,3\n%1$s,1,3\n".formatted(topic), plan);
        committed("4 5");
        Path file = directory.resolve("plan.csv");
        Files.writeString(file, plan);
        executes("3 3", "--from-file", file.toString());
        Files.writeString(file, "%1$s,0,8\n%1$s,1,99\n".formatted(topic));
        executes("8 5", "--from-file", file.toString());
    }

    @Test
    void exportOfSeveralGroups() throws Exception {
        String other = Broker.fresh("reset");
        Shape.sameLines("""
                "%1$s",%3$s,0,0
                "%1$s",%3$s,1,0
                "%2$s",%3$s,0,0
                "%2$s",%3$s,1,0
                """.formatted(group, other, topic).replace("\"", ""),
                groups("--reset-offsets", "--group", group, "--group", other, "--topic", topic, "--to-earliest", "--export", "--dry-run").ok());
    }

    @Test
    void newGroup() throws Exception {
        String fresh = Broker.fresh("reset");
        Shape.sameLines(table("10 5").replace(group, fresh),
                groups("--reset-offsets", "--group", fresh, "--topic", topic, "--to-latest", "--execute").ok());
        Shape.has("%s Empty".formatted(fresh), groups("--list", "--state").ok());
    }

    @Test
    void unknownPartition() throws Exception {
        Shape.has("Error: Executing consumer group command failed due to The partitions \"%s-7\" do not exist".formatted(topic),
                reset("--topic", topic + ":7", "--to-earliest", "--execute").out());
        committed("4 5");
    }

    @Test
    void activeGroup() throws Exception {
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Records.poll(consumer, 6);
            Shape.has("Error: Assignments can only be reset if the group '%s' is inactive, but the current state is Stable.".formatted(group),
                    reset("--topic", topic, "--to-earliest", "--execute").out());
        }
        committed("4 5");
    }

    /** Resets, and finds these offsets of the partitions both planned and committed. */
    private void executes(String offsets, String... args) throws Exception {
        plans(offsets, Varargs.prepend(args, "--execute"));
        committed(offsets);
    }

    private void plans(String offsets, String... args) throws Exception {
        Shape.sameLines(table(offsets), reset(args).ok());
    }

    private String table(String offsets) {
        String[] each = offsets.split(" ");
        return HEADER + group + " " + topic + " 0 " + each[0] + "\n" + group + " " + topic + " 1 " + each[1] + "\n";
    }

    private Tool.Outcome reset(String... args) throws Exception {
        return groups(Varargs.prepend(args, "--reset-offsets", "--group", group));
    }

    private void committed(String offsets) throws Exception {
        try (Admin admin = Records.admin()) {
            Map<TopicPartition, OffsetAndMetadata> found =
                    admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            assertEquals(offsets, found.get(new TopicPartition(topic, 0)).offset() + " " + found.get(new TopicPartition(topic, 1)).offset());
        }
    }
}
