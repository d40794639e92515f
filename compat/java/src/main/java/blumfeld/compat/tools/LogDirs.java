package blumfeld.compat.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Varargs;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.tools.LogDirsCommand;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** kafka-log-dirs. */
class LogDirs {
    private String topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = Records.topic("logdirs", 2);
        Records.produce(topic, 1, "one");
    }

    @Test
    void sizes() throws Exception {
        JsonNode described = describe("--topic-list", topic);
        assertEquals(1, described.get("version").asInt());
        JsonNode broker = described.get("brokers").get(0);
        assertEquals(1, broker.get("broker").asInt());
        JsonNode directory = broker.get("logDirs").get(0);
        assertTrue(directory.get("error").isNull());
        assertTrue(directory.get("logDir").asText().startsWith("/"), directory::toString);
        Map<String, Long> sizes = new TreeMap<>();
        for (JsonNode partition : directory.get("partitions")) {
            sizes.put(partition.get("partition").asText(), partition.get("size").asLong());
            assertEquals(0, partition.get("offsetLag").asLong());
            assertEquals(false, partition.get("isFuture").asBoolean());
        }
        // A batch's header has 61 bytes, this record 10.
        assertEquals(Map.of(topic + "-0", 0L, topic + "-1", 71L), sizes);
    }

    @Test
    void chosenBrokers() throws Exception {
        assertEquals(describe("--topic-list", topic), describe("--topic-list", topic, "--broker-list", "1"));
        Shape.same("ERROR: The given brokers do not exist from --broker-list: 5. Current existent brokers: 1",
                logDirs("--describe", "--broker-list", "1,5").failed());
    }

    @Test
    void unknownTopic() throws Exception {
        assertEquals(0, describe("--topic-list", topic + "-nope").at("/brokers/0/logDirs/0/partitions").size());
    }

    private static JsonNode describe(String... args) throws Exception {
        String[] lines = logDirs(Varargs.prepend(args, "--describe")).ok().split("\n");
        assertEquals(3, lines.length);
        assertEquals("Querying brokers for log directories information", lines[0]);
        assertEquals("Received log directory information from brokers 1", lines[1]);
        return new ObjectMapper().readTree(lines[2]);
    }

    private static Tool.Outcome logDirs(String... args) throws Exception {
        return Commands.run(LogDirsCommand::main, args);
    }
}
