package blumfeld.compat.clients;

import static blumfeld.compat.harness.Failures.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Records;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Admin: configurations. */
class AdminConfigs {
    private final Admin admin = Records.admin();
    private ConfigResource topic;

    @BeforeEach
    void createTopic() throws Exception {
        topic = new ConfigResource(ConfigResource.Type.TOPIC, Records.topic("admin-config", 1));
    }

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void describeTopic() throws Exception {
        ConfigEntry policy = described(topic).get("cleanup.policy");
        assertEquals("delete", policy.value());
        assertEquals(ConfigSource.DEFAULT_CONFIG, policy.source());
        assertEquals(ConfigEntry.ConfigType.LIST, policy.type());
        assertTrue(policy.isDefault() && !policy.isReadOnly() && !policy.isSensitive());
        assertTrue(!policy.documentation().isEmpty());
        assertEquals(List.of("log.cleanup.policy"), policy.synonyms().stream().map(ConfigEntry.ConfigSynonym::name).toList());
    }

    @Test
    void describeBroker() throws Exception {
        Config broker = described(new ConfigResource(ConfigResource.Type.BROKER, "1"));
        ConfigEntry id = broker.get("node.id");
        assertEquals("1", id.value());
        assertEquals(ConfigSource.STATIC_BROKER_CONFIG, id.source());
        assertTrue(id.isReadOnly());
        assertTrue(broker.get("ssl.keystore.password").isSensitive());
        assertEquals(null, broker.get("ssl.keystore.password").value());
        assertEquals("1048588", broker.get("message.max.bytes").value());
        assertTrue(!broker.get("message.max.bytes").isReadOnly());
    }

    @Test
    void alter() throws Exception {
        alter(op("retention.ms", "123456", OpType.SET), op("cleanup.policy", "compact", OpType.APPEND)).get();
        Await.until(() -> described(topic).get("retention.ms").value().equals("123456"));
        assertEquals(ConfigSource.DYNAMIC_TOPIC_CONFIG, described(topic).get("retention.ms").source());
        assertEquals("delete,compact", described(topic).get("cleanup.policy").value());
        alter(op("retention.ms", null, OpType.DELETE), op("cleanup.policy", "delete", OpType.SUBTRACT)).get();
        Await.until(() -> described(topic).get("retention.ms").isDefault());
        assertEquals("compact", described(topic).get("cleanup.policy").value());
    }

    @Test
    void alterOnlyValidated() throws Exception {
        admin.incrementalAlterConfigs(Map.of(topic, List.of(op("retention.ms", "123456", OpType.SET))),
                new AlterConfigsOptions().validateOnly(true)).all().get();
        assertTrue(described(topic).get("retention.ms").isDefault());
    }

    @Test
    void alterRefused() throws Exception {
        refused(InvalidConfigurationException.class, "Invalid value -5 for configuration segment.bytes: Value must be at least 1048576",
                alter(op("segment.bytes", "-5", OpType.SET)));
        refused(InvalidConfigurationException.class, "Unknown topic config name: no.such.key", alter(op("no.such.key", "1", OpType.SET)));
        ConfigResource unknown = new ConfigResource(ConfigResource.Type.TOPIC, topic.name() + "-nope");
        refused(UnknownTopicOrPartitionException.class,
                admin.incrementalAlterConfigs(Map.of(unknown, List.of(op("retention.ms", "1", OpType.SET)))).all());
        refused(UnknownTopicOrPartitionException.class, admin.describeConfigs(List.of(unknown)).all());
    }

    private Config described(ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true))
                .all().get().get(resource);
    }

    private KafkaFuture<Void> alter(AlterConfigOp... ops) {
        return admin.incrementalAlterConfigs(Map.of(topic, Arrays.asList(ops))).all();
    }

    private static AlterConfigOp op(String key, String value, OpType type) {
        return new AlterConfigOp(new ConfigEntry(key, value), type);
    }
}
