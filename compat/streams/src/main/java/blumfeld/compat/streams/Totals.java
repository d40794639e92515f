package blumfeld.compat.streams;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * Adds the values of each key up, and says after each record how many they are and what they come to. A record with the
 * header "poison" is refused, by an exception, when this process sees it for the first time.
 */
final class Totals implements Processor<String, String, String, String> {
    static final String STORE = "totals";

    private static final Set<String> REFUSED = ConcurrentHashMap.newKeySet();

    private ProcessorContext<String, String> context;
    private KeyValueStore<String, String> totals;

    static StoreBuilder<KeyValueStore<String, String>> store() {
        return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.String());
    }

    @Override
    public void init(ProcessorContext<String, String> context) {
        this.context = context;
        totals = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, String> record) {
        String before = totals.get(record.key());
        long count = 1;
        long sum = Long.parseLong(record.value());
        if (before != null) {
            int blank = before.indexOf(' ');
            count += Long.parseLong(before.substring(0, blank));
            sum += Long.parseLong(before.substring(blank + 1));
        }
        String total = count + " " + sum;
        totals.put(record.key(), total);
        context.forward(record.withValue(total));
        // Last, so that the transaction that the exception aborts has written to every topic.
        if (record.headers().lastHeader("poison") != null
                && REFUSED.add(context.applicationId() + " " + record.key() + " " + total)) {
            throw new IllegalStateException("poison");
        }
    }
}
