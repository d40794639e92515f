package blumfeld.compat.tools;

import static blumfeld.compat.tools.Commands.configs;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Varargs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** kafka-configs, of topics. */
class Configs {
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("configs", 1);
    }

    @Test
    void nothingSet() throws Exception {
        Eventually.prints("Dynamic configs for topic " + topic + " are:\n", this::describe);
    }

    @Test
    void setAndDelete() throws Exception {
        assertEquals("Completed updating config for topic " + topic + ".\n",
                alter("--add-config", "retention.ms=1000000,cleanup.policy=[compact,delete]").ok());
        Eventually.same("""
                Dynamic configs for topic %s are:
                cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}
                retention.ms=1000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000000}
                """.formatted(topic), this::describe);
        alter("--delete-config", "retention.ms").ok();
        Eventually.same("""
                Dynamic configs for topic %s are:
                cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}
                """.formatted(topic), this::describe);
        alter("--delete-config", "retention.ms,cleanup.policy").ok();
        Eventually.prints("Dynamic configs for topic " + topic + " are:\n", this::describe);
    }

    @Test
    void setFromFile(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("topic.properties");
        Files.writeString(file, "segment.bytes=2097152\nflush.ms=1234\n");
        alter("--add-config-file", file.toString()).ok();
        Eventually.same("""
                Dynamic configs for topic %s are:
                flush.ms=1234 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:flush.ms=1234}
                segment.bytes=2097152 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:segment.bytes=2097152, DEFAULT_CONFIG:log.segment.bytes=1073741824}
                """.formatted(topic), this::describe);
    }

    @Test
    void all() throws Exception {
        Shape.same(
                """
                All configs for topic %s are:
                cleanup.policy=delete sensitive=false synonyms={DEFAULT_CONFIG:log.cleanup.policy=delete}
                compression.gzip.level=-1 sensitive=false synonyms={DEFAULT_CONFIG:compression.gzip.level=-1}
                compression.lz4.level=9 sensitive=false synonyms={DEFAULT_CONFIG:compression.lz4.level=9}
                compression.type=producer sensitive=false synonyms={DEFAULT_CONFIG:compression.type=producer}
                compression.zstd.level=3 sensitive=false synonyms={DEFAULT_CONFIG:compression.zstd.level=3}
                delete.retention.ms=86400000 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.delete.retention.ms=86400000}
                file.delete.delay.ms=60000 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.delete.delay.ms=60000}
                flush.messages=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.flush.interval.messages=9223372036854775807}
                flush.ms=9223372036854775807 sensitive=false synonyms={}
                follower.replication.throttled.replicas= sensitive=false synonyms={}
                index.interval.bytes=4096 sensitive=false synonyms={DEFAULT_CONFIG:log.index.interval.bytes=4096}
                leader.replication.throttled.replicas= sensitive=false synonyms={}
                local.retention.bytes=-2 sensitive=false synonyms={DEFAULT_CONFIG:log.local.retention.bytes=-2}
                local.retention.ms=-2 sensitive=false synonyms={DEFAULT_CONFIG:log.local.retention.ms=-2}
                max.compaction.lag.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.max.compaction.lag.ms=9223372036854775807}
                max.message.bytes=1048588 sensitive=false synonyms={DEFAULT_CONFIG:message.max.bytes=1048588}
                message.timestamp.after.max.ms=3600000 sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.after.max.ms=3600000}
                message.timestamp.before.max.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.before.max.ms=9223372036854775807}
                message.timestamp.type=CreateTime sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.type=CreateTime}
                min.cleanable.dirty.ratio=0.5 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5}
                min.compaction.lag.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.compaction.lag.ms=0}
                min.insync.replicas=1 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1, DEFAULT_CONFIG:min.insync.replicas=1}
                preallocate=false sensitive=false synonyms={DEFAULT_CONFIG:log.preallocate=false}
                remote.log.copy.disable=false sensitive=false synonyms={}
                remote.log.delete.on.disable=false sensitive=false synonyms={}
                remote.storage.enable=false sensitive=false synonyms={}
                retention.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.bytes=-1}
                retention.ms=604800000 sensitive=false synonyms={}
                segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}
                segment.index.bytes=10485760 sensitive=false synonyms={DEFAULT_CONFIG:log.index.size.max.bytes=10485760}
                segment.jitter.ms=0 sensitive=false synonyms={}
                segment.ms=604800000 sensitive=false synonyms={}
                unclean.leader.election.enable=false sensitive=false synonyms={DEFAULT_CONFIG:unclean.leader.election.enable=false}
                """.formatted(topic),
                configs("--describe", "--entity-type", "topics", "--entity-name", topic, "--all").ok());
    }

    @Test
    void refused() throws Exception {
        Shape.has("Caused by: org.apache.kafka.common.errors.InvalidConfigurationException: Invalid value x for configuration retention.ms: Not a number of type LONG",
                alter("--add-config", "retention.ms=x").failed());
        Shape.has("Caused by: org.apache.kafka.common.errors.InvalidConfigurationException: Unknown topic config name: retention.mss",
                alter("--add-config", "retention.mss=5").failed());
        Shape.has("Caused by: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: The topic '%s-nope' does not exist.".formatted(topic),
                configs("--alter", "--topic", topic + "-nope", "--add-config", "retention.ms=5").failed());
        Eventually.prints("Dynamic configs for topic " + topic + " are:\n", this::describe);
    }

    @Test
    void unknownTopic() throws Exception {
        Eventually.prints("The topic '" + topic + "-nope' doesn't exist and doesn't have dynamic config.\n",
                () -> configs("--describe", "--topic", topic + "-nope"));
    }

    @Test
    void everyTopic() throws Exception {
        alter("--add-config", "retention.bytes=77").ok();
        Eventually.has("""
                Dynamic configs for topic %s are:
                retention.bytes=77 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.bytes=77, DEFAULT_CONFIG:log.retention.bytes=-1}
                """.formatted(topic), () -> configs("--describe", "--entity-type", "topics"));
    }

    @Test
    void maxMessageBytesActsAtOnce() throws Exception {
        alter("--add-config", "max.message.bytes=100").ok();
        Await.untilPasses(() -> {
            ExecutionException refused =
                    assertThrows(ExecutionException.class, () -> Records.produce(topic, 0, "x".repeat(200)));
            assertEquals(RecordTooLargeException.class, refused.getCause().getClass());
        });
        Records.produce(topic, 0, "short");
    }

    private Tool.Outcome describe() throws Exception {
        return configs("--describe", "--topic", topic);
    }

    private Tool.Outcome alter(String... args) throws Exception {
        return configs(Varargs.prepend(args, "--alter", "--topic", topic));
    }
}
