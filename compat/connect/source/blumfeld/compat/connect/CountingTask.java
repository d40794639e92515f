package blumfeld.compat.connect;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;
import org.apache.kafka.connect.source.TransactionContext;

/**
 * One count. Where the connector defines transactions, each has three polls, and every second one is
 * first aborted: its records carry a mark that no reader of committed records may see.
 */
public final class CountingTask extends SourceTask {
    private static final int POLLS = 3;
    private static final String POSITION = "next";

    private String topic;
    private int task;
    private long count;
    private int batch;
    private long pause;
    private long next;

    private TransactionContext transaction; // null where Connect itself says what is one
    private long begin; // where the open transaction began
    private int polls; // of the open transaction
    private boolean aborting;

    @Override
    public String version() {
        return "1";
    }

    @Override
    public void start(Map<String, String> properties) {
        AbstractConfig config = new AbstractConfig(CountingSource.CONFIG, properties);
        topic = config.getString(CountingSource.TOPIC);
        count = config.getLong(CountingSource.COUNT);
        batch = config.getInt(CountingSource.BATCH);
        pause = config.getLong(CountingSource.PAUSE);
        task = Integer.parseInt(properties.get(CountingSource.TASK));
        Map<String, Object> offset = context.offsetStorageReader().offset(partition());
        next = offset == null ? 0 : (Long) offset.get(POSITION);
        begin = next;
        transaction = context.transactionContext();
        aborting = transaction != null;
    }

    @Override
    public void stop() {}

    @Override
    public List<SourceRecord> poll() throws InterruptedException {
        Thread.sleep(pause);
        if (next >= count && polls == 0) {
            return null;
        }
        String mark = aborting ? " aborted" : "";
        List<SourceRecord> records = new ArrayList<>();
        for (int i = 0; i < batch && next < count; i++) {
            records.add(new SourceRecord(partition(), Map.of(POSITION, next + 1), topic, task,
                    Schema.STRING_SCHEMA, Integer.toString(task), Schema.STRING_SCHEMA, next + mark));
            next++;
        }
        if (transaction != null) {
            endTransaction();
        }
        return records;
    }

    private void endTransaction() {
        polls++;
        if (polls < POLLS && next < count) {
            return;
        }
        if (aborting) {
            transaction.abortTransaction();
            next = begin;
        } else {
            transaction.commitTransaction();
            begin = next;
        }
        aborting = !aborting;
        polls = 0;
    }

    private Map<String, Object> partition() {
        return Map.of(CountingSource.TASK, Integer.toString(task));
    }
}
