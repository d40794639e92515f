package blumfeld.compat.tools;

import static blumfeld.compat.tools.Commands.groups;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.tools.GroupsCommand;
import org.apache.kafka.tools.consumer.ConsoleConsumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;

/** kafka-consumer-groups, all but --reset-offsets, and kafka-groups. */
class Groups {
    private static final String OFFSETS_HEADER =
            "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\n";
    private final String group = Broker.fresh("groups");
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("groups", 2);
        Records.produce(topic, 0, "a", "b", "c");
    }

    @Test
    void describeEmpty() throws Exception {
        commit(0, 2);
        Tool.Outcome offsets = groups("--describe", "--group", group);
        Shape.same(OFFSETS_HEADER + "%s %s 0 2 3 1 - - -".formatted(group, topic), offsets.ok());
        Shape.same("Consumer group '" + group + "' has no active members.", offsets.err());
        Shape.same("""
                GROUP TOPIC PARTITION LEADER-EPOCH CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID
                %s %s 0 - 2 3 1 - - -
                """.formatted(group, topic), groups("--describe", "--group", group, "--offsets", "--verbose").ok());
        Tool.Outcome members = groups("--describe", "--group", group, "--members");
        Shape.same("Consumer group '" + group + "' has no active members.", members.err());
        Shape.same("""
                GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS
                %s %s (1) - Empty 0
                """.formatted(group, Broker.address()), groups("--describe", "--group", group, "--state").ok());
    }

    @Test
    @ResourceLock("ConsoleConsumer")
    void describeActive() throws Exception {
        Tool member = Commands.start(ConsoleConsumer::main, "--topic", topic, "--group", group, "--from-beginning");
        Await.until(() -> member.out().lines().count() == 3);
        Await.untilPasses(() -> Shape.same(OFFSETS_HEADER + """
                %1$s %2$s 0 3 3 0 console-consumer-<uuid> /127.0.0.1 console-consumer
                %1$s %2$s 1 0 0 0 console-consumer-<uuid> /127.0.0.1 console-consumer
                """.formatted(group, topic), groups("--describe", "--group", group).ok()));
        Shape.same("""
                GROUP CONSUMER-ID HOST CLIENT-ID #PARTITIONS
                %s console-consumer-<uuid> /127.0.0.1 console-consumer 2
                """.formatted(group), groups("--describe", "--group", group, "--members").ok());
        Shape.same("""
                GROUP CONSUMER-ID HOST CLIENT-ID #PARTITIONS CURRENT-EPOCH CURRENT-ASSIGNMENT TARGET-EPOCH TARGET-ASSIGNMENT
                %s console-consumer-<uuid> /127.0.0.1 console-consumer 2 - %s:0,1 - -
                """.formatted(group, topic), groups("--describe", "--group", group, "--members", "--verbose").ok());
        Shape.same("""
                GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS
                %s %s (1) range Stable 1
                """.formatted(group, Broker.address()), groups("--describe", "--group", group, "--state").ok());
        Shape.has(group + " Stable", groups("--list", "--state").ok());
        assertEquals(0, member.stop().code());
        Await.untilPasses(() -> Shape.has(group + " Empty", groups("--list", "--state").ok()));
    }

    @Test
    void describeUnknown() throws Exception {
        Shape.has("Error: Executing consumer group command failed due to org.apache.kafka.common.errors.GroupIdNotFoundException: Group %s not found.".formatted(group),
                groups("--describe", "--group", group).out());
    }

    @Test
    void describeAll() throws Exception {
        commit(0, 1);
        Shape.has("%s %s 0 1 3 2 - - -".formatted(group, topic), groups("--describe", "--all-groups").out());
        Shape.has("%s %s (1) - Empty 0".formatted(group, Broker.address()), groups("--describe", "--all-groups", "--state").out());
    }

    @Test
    void list() throws Exception {
        commit(0, 1);
        Shape.has(group, groups("--list").ok());
        Shape.has("GROUP STATE\n" + group + " Empty", groups("--list", "--state").ok());
        Shape.has("GROUP STATE\n" + group + " Empty", groups("--list", "--state", "empty").ok());
        assertTrue(!groups("--list", "--state", "stable,PreparingRebalance").ok().contains(group));
        Shape.has("GROUP TYPE\n" + group + " Classic", groups("--list", "--type").ok());
        Shape.has("GROUP TYPE\n" + group + " Classic", groups("--list", "--type", "classic").ok());
        assertTrue(!groups("--list", "--type", "consumer").ok().contains(group));
        Shape.has("GROUP TYPE STATE\n" + group + " Classic Empty", groups("--list", "--type", "--state").ok());
        Shape.has("Invalid types list 'nonsense'. Valid types are: Consumer, Classic", groups("--list", "--type", "nonsense").failed());
        Shape.has("Invalid state list 'nonsense'. Valid states are: <...>", groups("--list", "--state", "nonsense").failed());
    }

    @Test
    void groupsTool() throws Exception {
        commit(0, 1);
        // Offsets that were committed without members leave a group without a protocol.
        Shape.has("GROUP TYPE PROTOCOL\n" + group + " Classic", Commands.run(GroupsCommand::main, "--list").ok());
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Records.poll(consumer, 2);
            Shape.has(group + " Classic consumer", Commands.run(GroupsCommand::main, "--list").ok());
            Shape.has(group + " Classic consumer", Commands.run(GroupsCommand::main, "--list", "--consumer").ok());
        }
        assertTrue(!Commands.run(GroupsCommand::main, "--list", "--group-type", "share").ok().contains(group));
    }

    @Test
    void delete() throws Exception {
        commit(0, 1);
        assertEquals("Deletion of requested consumer groups ('" + group + "') was successful.\n",
                groups("--delete", "--group", group).ok());
        assertTrue(!groups("--list").ok().contains(group));
        Shape.has("* Group '%s' could not be deleted due to: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.".formatted(group),
                groups("--delete", "--group", group).out());
    }

    @Test
    void deleteSome() throws Exception {
        commit(0, 1);
        Shape.same("""
                Error: Deletion of some consumer groups failed:
                * Group '%1$s-nope' could not be deleted due to: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.

                These consumer groups were deleted successfully: '%1$s'
                """.formatted(group), groups("--delete", "--group", group, "--group", group + "-nope").out()
                        .lines().filter(line -> !line.startsWith("\tat") && !line.startsWith("java.util") && !line.startsWith("Caused by"))
                        .reduce("", (a, b) -> a + b + "\n"));
    }

    @Test
    void deleteActive() throws Exception {
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Records.poll(consumer, 3);
            Shape.has("* Group '%s' could not be deleted due to: org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty.".formatted(group),
                    groups("--delete", "--group", group).out());
        }
    }

    @Test
    void deleteOffsets() throws Exception {
        commit(0, 1);
        commit(1, 0);
        Shape.same("""
                Request succeeded for deleting offsets from group %1$s.
                TOPIC PARTITION STATUS
                %2$s 0 Successful
                """.formatted(group, topic), groups("--delete-offsets", "--group", group, "--topic", topic + ":0").ok());
        Shape.same(OFFSETS_HEADER + "%s %s 1 0 0 0 - - -".formatted(group, topic), groups("--describe", "--group", group).ok());
        Shape.same("""
                Error: The group id does not exist.
                TOPIC PARTITION STATUS
                %1$s 0 Error: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.
                %1$s 1 Error: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.
                """.formatted(topic), groups("--delete-offsets", "--group", group + "-nope", "--topic", topic).out()
                        .lines().filter(line -> !line.startsWith("\tat")).reduce("", (a, b) -> a + b + "\n"));
    }

    @Test
    void deleteOffsetsOfSubscribedTopic() throws Exception {
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Records.poll(consumer, 3);
            consumer.commitSync();
            Shape.has("%s 0 Error: org.apache.kafka.common.errors.GroupSubscribedToTopicException: <...>".formatted(topic),
                    groups("--delete-offsets", "--group", group, "--topic", topic + ":0").out());
        }
    }

    private void commit(int partition, long offset) {
        try (KafkaConsumer<String, String> consumer = Records.consumer("group.id", group)) {
            consumer.commitSync(Map.of(new TopicPartition(topic, partition), new OffsetAndMetadata(offset)));
        }
    }
}
