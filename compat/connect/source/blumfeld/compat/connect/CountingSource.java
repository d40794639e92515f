package blumfeld.compat.connect;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.Importance;
import org.apache.kafka.common.config.ConfigDef.Type;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.source.ConnectorTransactionBoundaries;
import org.apache.kafka.connect.source.ExactlyOnceSupport;
import org.apache.kafka.connect.source.SourceConnector;

/**
 * Each task counts from zero into a partition of its own, at a steady pace, and goes on after a restart
 * where its last committed offset says. It can say itself where transactions end, and then aborts some.
 */
public final class CountingSource extends SourceConnector {
    static final String TOPIC = "topic";
    static final String COUNT = "count";
    static final String BATCH = "batch";
    static final String PAUSE = "pause.ms";
    static final String TASK = "task";

    static final ConfigDef CONFIG = new ConfigDef()
            .define(TOPIC, Type.STRING, Importance.HIGH, "The topic; task n writes to its partition n.")
            .define(COUNT, Type.LONG, Long.MAX_VALUE, Importance.HIGH, "How far each task counts.")
            .define(BATCH, Type.INT, 5, Importance.LOW, "Records of one poll.")
            .define(PAUSE, Type.LONG, 10L, Importance.LOW, "Milliseconds between two polls.");

    private Map<String, String> properties;

    @Override
    public String version() {
        return "1";
    }

    @Override
    public ConfigDef config() {
        return CONFIG;
    }

    @Override
    public Class<? extends Task> taskClass() {
        return CountingTask.class;
    }

    @Override
    public void start(Map<String, String> properties) {
        this.properties = properties;
    }

    @Override
    public void stop() {}

    @Override
    public List<Map<String, String>> taskConfigs(int maxTasks) {
        List<Map<String, String>> configs = new ArrayList<>();
        for (int task = 0; task < maxTasks; task++) {
            Map<String, String> config = new HashMap<>(properties);
            config.put(TASK, Integer.toString(task));
            configs.add(config);
        }
        return configs;
    }

    @Override
    public ExactlyOnceSupport exactlyOnceSupport(Map<String, String> properties) {
        return ExactlyOnceSupport.SUPPORTED;
    }

    @Override
    public ConnectorTransactionBoundaries canDefineTransactionBoundaries(Map<String, String> properties) {
        return ConnectorTransactionBoundaries.SUPPORTED;
    }

    @Override
    public boolean alterOffsets(Map<String, String> properties, Map<Map<String, ?>, Map<String, ?>> offsets) {
        return true;
    }
}
