package blumfeld.compat.tools;

import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.kafka.tools.LeaderElectionCommand;
import org.apache.kafka.tools.reassign.ReassignPartitionsCommand;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** kafka-leader-election and kafka-reassign-partitions, where there is one broker to choose from. */
class Replicas {
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("replicas", 2);
    }

    @Test
    void electPreferred() throws Exception {
        Shape.same("Valid replica already elected for partitions %s-0".formatted(topic),
                elect("--election-type", "preferred", "--topic", topic, "--partition", "0").ok());
        elect("--election-type", "preferred", "--all-topic-partitions").ok();
    }

    @Test
    void electUnclean() throws Exception {
        Shape.same("Valid replica already elected for partitions %s-1".formatted(topic),
                elect("--election-type", "unclean", "--topic", topic, "--partition", "1").ok());
    }

    @Test
    void electFromFile(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("partitions.json");
        Files.writeString(file, """
                {"partitions": [{"topic": "%1$s", "partition": 0}, {"topic": "%1$s", "partition": 1}]}
                """.formatted(topic));
        Shape.has("Valid replica already elected for partitions <...>",
                elect("--election-type", "preferred", "--path-to-json-file", file.toString()).ok());
    }

    @Test
    void electOfUnknown() throws Exception {
        Shape.has("""
                Error completing leader election (PREFERRED) for partition: %1$s-nope-0: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such topic as %1$s-nope
                1 replica(s) could not be elected
                """.formatted(topic), elect("--election-type", "preferred", "--topic", topic + "-nope", "--partition", "0").failed());
        Shape.has("""
                Error completing leader election (PREFERRED) for partition: %1$s-9: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such partition as %1$s-9
                """.formatted(topic), elect("--election-type", "preferred", "--topic", topic, "--partition", "9").failed());
    }

    @Test
    void noReassignments() throws Exception {
        Shape.same("No partition reassignments found.", reassign("--list").ok());
    }

    @Test
    void generateReassignment(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("topics.json");
        Files.writeString(file, "{\"topics\": [{\"topic\": \"%s\"}], \"version\": 1}".formatted(topic));
        Shape.same("""
                Current partition replica assignment
                {"version":1,"partitions":[{"topic":"%1$s","partition":0,"replicas":[1],"log_dirs":["<dir>"]},{"topic":"%1$s","partition":1,"replicas":[1],"log_dirs":["<dir>"]}]}
                Proposed partition reassignment configuration
                {"version":1,"partitions":[{"topic":"%1$s","partition":0,"replicas":[1],"log_dirs":["any"]},{"topic":"%1$s","partition":1,"replicas":[1],"log_dirs":["any"]}]}
                """.formatted(topic), reassign("--generate", "--topics-to-move-json-file", file.toString(), "--broker-list", "1").ok());
    }

    @Test
    void reassignToItself(@TempDir Path directory) throws Exception {
        Path file = assignment(directory, 1);
        Shape.same("""
                Current partition replica assignment
                {"version":1,"partitions":[{"topic":"%1$s","partition":0,"replicas":[1],"log_dirs":["<dir>"]}]}
                Save this to use as the --reassignment-json-file option during rollback
                Successfully started partition reassignment for %1$s-0
                """.formatted(topic), reassign("--execute", "--reassignment-json-file", file.toString()).ok());
        Eventually.same("""
                Status of partition reassignment:
                Reassignment of partition %s-0 is completed.
                Clearing broker-level throttles on broker 1
                Clearing topic-level throttles on topic %1$s
                """.formatted(topic), () -> reassign("--verify", "--reassignment-json-file", file.toString()));
        Shape.has("None of the specified partition reassignments are active.",
                reassign("--cancel", "--reassignment-json-file", file.toString()).ok());
    }

    @Test
    void reassignToUnknownBroker(@TempDir Path directory) throws Exception {
        Shape.has("Error: Unknown broker id 9", reassign("--execute", "--reassignment-json-file", assignment(directory, 9).toString()).failed());
    }

    private Path assignment(Path directory, int broker) throws Exception {
        Path file = directory.resolve("assignment.json");
        Files.writeString(file, """
                {"version": 1, "partitions": [{"topic": "%s", "partition": 0, "replicas": [%d], "log_dirs": ["any"]}]}
                """.formatted(topic, broker));
        return file;
    }

    private static Tool.Outcome elect(String... args) throws Exception {
        return Commands.run(LeaderElectionCommand::main, args);
    }

    private static Tool.Outcome reassign(String... args) throws Exception {
        return Commands.run(ReassignPartitionsCommand::main, args);
    }
}
