package blumfeld.compat.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;

import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Varargs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.tools.DeleteRecordsCommand;
import org.apache.kafka.tools.GetOffsetShell;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** kafka-get-offsets and kafka-delete-records, on two partitions of which one is empty. */
class Offsets {
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("offsets", 2);
        Records.produceAt(topic, 1, new TreeMap<>(Map.of(1_700_000_000_000L, "a", 1_700_000_001_000L, "b", 1_700_000_002_000L, "c")));
    }

    @Test
    void ofTheEnds() throws Exception {
        same("0:0 1:3");
        same("0:0 1:3", "--time", "latest");
        same("0:0 1:3", "--time", "-1");
        same("0:0 1:0", "--time", "earliest");
        same("0:0 1:0", "--time", "-2");
        same("0:0 1:0", "--time", "earliest-local");
    }

    @Test
    void ofTimes() throws Exception {
        same("1:1", "--time", "1700000000001");
        same("1:2", "--time", "1700000002000");
        same("", "--time", "1700000002001");
        same("1:2", "--time", "max-timestamp");
        same("1:2", "--time", "-3");
        same("", "--time", "latest-tiered");
    }

    @Test
    void ofChosenPartitions() throws Exception {
        same("1:3", "--partitions", "1");
        assertEquals(topic + ":1:3\n", offsets("--topic-partitions", topic + ":1-7").ok());
        Shape.has("%1$s:0:0\n%1$s:1:3".formatted(topic), offsets("--topic-partitions", topic + ":0,.*:1").ok());
    }

    @Test
    void ofNothing() throws Exception {
        Shape.has("Error occurred: Could not match any topic-partitions with the specified filters", offsets("--topic", topic + "-nope").failed());
    }

    @Test
    void deleteRecords(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("offsets.json");
        Files.writeString(file, """
                {"partitions": [{"topic": "%1$s", "partition": 1, "offset": 2}, {"topic": "%1$s", "partition": 0, "offset": -1}], "version": 1}
                """.formatted(topic));
        Shape.sameLines("""
                Executing records delete operation
                Records delete operation completed:
                partition: %1$s-1 low_watermark: 2
                partition: %1$s-0 low_watermark: 0
                """.formatted(topic), delete(file).ok());
        same("0:0 1:2", "--time", "earliest");
        assertEquals("c", Records.read(topic, 1, 1).get(0).value());
    }

    @Test
    void deleteRecordsOutOfRange(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("offsets.json");
        Files.writeString(file, """
                {"partitions": [{"topic": "%s", "partition": 1, "offset": 99}], "version": 1}
                """.formatted(topic));
        Shape.has("partition: %s-1 error: org.apache.kafka.common.errors.OffsetOutOfRangeException: <...>".formatted(topic),
                delete(file).ok());
    }

    private void same(String offsets, String... args) throws Exception {
        StringBuilder want = new StringBuilder();
        for (String offset : offsets.split(" ")) {
            want.append(offset.isEmpty() ? "" : topic + ":" + offset + "\n");
        }
        assertEquals(want.toString(), offsets(Varargs.prepend(args, "--topic", topic)).ok());
    }

    private static Tool.Outcome offsets(String... args) throws Exception {
        return Commands.run(GetOffsetShell::main, args);
    }

    private static Tool.Outcome delete(Path file) throws Exception {
        return Commands.run(DeleteRecordsCommand::main, "--offset-json-file", file.toString());
    }
}
