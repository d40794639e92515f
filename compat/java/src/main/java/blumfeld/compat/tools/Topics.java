package blumfeld.compat.tools;

import static blumfeld.compat.tools.Commands.topics;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Varargs;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** kafka-topics. */
class Topics {
    private final String topic = Broker.fresh("topics");

    @Test
    void createAndDescribe() throws Exception {
        String created = topics("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1",
                "--config", "retention.ms=60000", "--config", "cleanup.policy=compact,delete").ok();
        assertEquals("Created topic " + topic + ".\n", created);
        Await.until(() -> topics("--describe", "--topic", topic).code() == 0);
        String described = topics("--describe", "--topic", topic).ok();
        Shape.same("""
                Topic: %1$s TopicId: <id> PartitionCount: 2 ReplicationFactor: 1 Configs: <configs>
                Topic: %1$s Partition: 0 Leader: 1 Replicas: 1 Isr: 1 Elr: LastKnownElr:
                Topic: %1$s Partition: 1 Leader: 1 Replicas: 1 Isr: 1 Elr: LastKnownElr:
                """.formatted(topic), described);
        assertEquals(Set.of("cleanup.policy=compact", "delete", "min.insync.replicas=1", "retention.ms=60000"), configs(described));
    }

    @Test
    void createWithDefaults() throws Exception {
        create(topic);
        Eventually.same("""
                Topic: %1$s TopicId: <id> PartitionCount: 1 ReplicationFactor: 1 Configs: min.insync.replicas=1
                Topic: %1$s Partition: 0 Leader: 1 Replicas: 1 Isr: 1 Elr: LastKnownElr:
                """.formatted(topic), () -> topics("--describe", "--topic", topic));
    }

    @Test
    void createWithAssignment() throws Exception {
        create(topic, "--replica-assignment", "1,1,1");
        Eventually.has("Topic: %s TopicId: <id> PartitionCount: 3 ReplicationFactor: 1 Configs: <...>".formatted(topic),
                () -> topics("--describe", "--topic", topic));
    }

    @Test
    void createWhatIsThere() throws Exception {
        create(topic);
        refused("Topic '" + topic + "' already exists.", "--create", "--topic", topic);
        assertEquals("", topics("--create", "--if-not-exists", "--topic", topic).ok());
    }

    @Test
    void createRefused() throws Exception {
        refused("Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
                "--create", "--topic", "a/b");
        refused("Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because "
                        + "only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
                "--create", "--topic", topic, "--replication-factor", "3");
        refused("Unknown topic config name: retention.mss", "--create", "--topic", topic, "--config", "retention.mss=1");
        refused("Invalid value abc for configuration retention.ms: Not a number of type LONG",
                "--create", "--topic", topic, "--config", "retention.ms=abc");
        refused("Topic '" + topic + "' does not exist as expected", "--describe", "--topic", topic);
    }

    @Test
    void createCollidingName() throws Exception {
        create(topic + ".a_b");
        Shape.has("Error while executing topic command : Topic '%1$s_a.b' collides with existing topic: %1$s.a_b".formatted(topic),
                topics("--create", "--topic", topic + "_a.b").failed());
    }

    @Test
    void list() throws Exception {
        create(topic);
        Eventually.has(topic, () -> topics("--list"));
        List<String> all = topics("--list").ok().lines().toList();
        assertTrue(all.contains(topic), all::toString);
        assertEquals(all.stream().sorted().toList(), all);
        Eventually.prints(topic + "\n", () -> topics("--list", "--topic", topic + ".*"));
        List<String> own = topics("--list", "--exclude-internal").ok().lines().toList();
        assertTrue(own.contains(topic), own::toString);
        assertFalse(own.contains("__consumer_offsets"), own::toString);
    }

    @Test
    void describeById() throws Exception {
        create(topic);
        String described = topics("--describe", "--topic", topic).ok();
        String id = described.replaceAll("(?s).*TopicId: (\\S+).*", "$1");
        // A topic looked up by its id is described from Metadata, which does not tell eligible leaders.
        Eventually.same(described.replaceAll("(LastKnownElr|Elr):", "$1: N/A"), () -> topics("--describe", "--topic-id", id));
        refused("TopicId 'AAAAAAAAAAAAAAAAAAAAAQ' does not exist as expected",
                "--describe", "--topic-id", "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    @Test
    void describeInPages() throws Exception {
        create(topic, "--partitions", "7");
        String whole = topics("--describe", "--topic", topic).ok();
        assertEquals(8, whole.lines().count());
        Eventually.prints(whole, () -> topics("--describe", "--topic", topic, "--partition-size-limit-per-response", "2"));
    }

    @Test
    void describeByState() throws Exception {
        create(topic, "--config", "flush.messages=5");
        Eventually.prints("", () -> topics("--describe", "--topic", topic, "--under-replicated-partitions"));
        Eventually.prints("", () -> topics("--describe", "--topic", topic, "--unavailable-partitions"));
        Eventually.prints("", () -> topics("--describe", "--topic", topic, "--under-min-isr-partitions"));
        Eventually.same("Topic: %s Partition: 0 Leader: 1 Replicas: 1 Isr: 1 Elr: LastKnownElr:".formatted(topic),
                () -> topics("--describe", "--topic", topic, "--at-min-isr-partitions"));
        String overrides = topics("--describe", "--topic", topic, "--topics-with-overrides").ok();
        Shape.same("Topic: %s TopicId: <id> PartitionCount: 1 ReplicationFactor: 1 Configs: <configs>".formatted(topic), overrides);
        assertEquals(Set.of("flush.messages=5", "min.insync.replicas=1"), configs(overrides));
    }

    @Test
    void addPartitions() throws Exception {
        create(topic, "--partitions", "2");
        assertEquals("", topics("--alter", "--topic", topic, "--partitions", "4").ok());
        Eventually.has("Topic: %s TopicId: <id> PartitionCount: 4 <...>".formatted(topic), () -> topics("--describe", "--topic", topic));
        refused("The topic " + topic + " currently has 4 partition(s); 3 would not be an increase.",
                "--alter", "--topic", topic, "--partitions", "3");
        refused("Topic already has 4 partition(s).", "--alter", "--topic", topic, "--partitions", "4");
        refused("Topic '" + topic + "-nope' does not exist as expected", "--alter", "--topic", topic + "-nope", "--partitions", "3");
        assertEquals("", topics("--alter", "--if-exists", "--topic", topic + "-nope", "--partitions", "3").ok());
    }

    @Test
    void delete() throws Exception {
        create(topic);
        Records.produce(topic, 0, "one");
        assertEquals("", topics("--delete", "--topic", topic).ok());
        Eventually.prints("", () -> topics("--list", "--topic", topic));
        refused("Topic '" + topic + "' does not exist as expected", "--delete", "--topic", topic);
        assertEquals("", topics("--delete", "--if-exists", "--topic", topic).ok());
    }

    @Test
    void deleteByPattern() throws Exception {
        create(topic + "-1");
        create(topic + "-2");
        topics("--delete", "--topic", topic + "-.*").ok();
        Eventually.prints("", () -> topics("--list", "--topic", topic + "-.*"));
    }

    /** Creates a topic, and waits until the broker knows it. */
    private static void create(String name, String... args) throws Exception {
        topics(Varargs.prepend(args, "--create", "--topic", name)).ok();
        Await.until(() -> topics("--describe", "--topic", name).code() == 0);
    }

    /** The configurations in the first line of a description; their order is the broker's own. */
    private static Set<String> configs(String described) {
        return Set.of(described.lines().findFirst().orElseThrow().replaceAll(".*Configs: ", "").split(","));
    }

    private static void refused(String why, String... args) throws Exception {
        Eventually.fails("Error while executing topic command : " + why, () -> topics(args));
    }
}
