package blumfeld.compat.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.kafka.tools.VerifiableConsumer;
import org.apache.kafka.tools.VerifiableProducer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** kafka-verifiable-producer and kafka-verifiable-consumer, which print an event a line. */
class Verifiable {
    @Test
    void producerAndConsumer(@TempDir Path directory) throws Exception {
        String topic = Records.topic("verifiable", 1);
        try (Jvm producer = Jvm.start(VerifiableProducer.class, Commands.withAddress("--topic", topic, "--max-messages", "1000",
                "--acks", "-1", "--value-prefix", "7"))) {
            assertEquals(0, producer.await(), () -> producer.lines().toString());
            List<JsonNode> acknowledged = events(producer, "producer_send_success");
            assertEquals(1000, acknowledged.size());
            // Each offset was given once, and what was acknowledged there is what is read there.
            List<String> read = Records.values(Records.read(topic, 0, 1000));
            TreeSet<Integer> offsets = new TreeSet<>();
            for (JsonNode event : acknowledged) {
                offsets.add(event.get("offset").asInt());
                assertEquals(event.get("value").asText(), read.get(event.get("offset").asInt()));
            }
            assertEquals(1000, offsets.size());
            assertEquals(1000, events(producer, "tool_data").get(0).get("acked").asInt());
        }
        Path slowly = directory.resolve("consumer.properties");
        Files.writeString(slowly, "max.poll.records=100\n");
        String group = Broker.fresh("verifiable");
        try (Jvm consumer = Jvm.start(VerifiableConsumer.class, Commands.withAddress("--topic", topic, "--group-id", group,
                "--reset-policy", "earliest", "--max-messages", "600", "--command-config", slowly.toString()))) {
            assertEquals(0, consumer.await(), () -> consumer.lines().toString());
            assertEquals(600, consumed(consumer));
            assertEquals(1, events(consumer, "partitions_assigned").get(0).get("partitions").size());
            JsonNode committed = last(events(consumer, "offsets_committed"));
            assertTrue(committed.get("success").asBoolean(), committed::toString);
            assertEquals(600, committed.get("offsets").get(0).get("offset").asInt());
        }
        // The next member of the group goes on, and ends when it is asked to.
        try (Jvm consumer = Jvm.start(VerifiableConsumer.class, Commands.withAddress("--topic", topic, "--group-id", group,
                "--assignment-strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"))) {
            Await.until(() -> consumed(consumer) == 400);
            consumer.terminate();
            consumer.await();
            assertEquals(1, events(consumer, "shutdown_complete").size());
            assertEquals(600, events(consumer, "records_consumed").get(0).get("partitions").get(0).get("minOffset").asInt());
        }
    }

    private static int consumed(Jvm consumer) throws Exception {
        return events(consumer, "records_consumed").stream().mapToInt(event -> event.get("count").asInt()).sum();
    }

    private static List<JsonNode> events(Jvm tool, String name) throws Exception {
        List<JsonNode> events = new ArrayList<>();
        for (String line : tool.lines()) {
            if (line.startsWith("{")) {
                JsonNode event = new ObjectMapper().readTree(line);
                if (event.get("name").asText().equals(name)) {
                    events.add(event);
                }
            }
        }
        return events;
    }

    private static JsonNode last(List<JsonNode> events) {
        return events.get(events.size() - 1);
    }
}
