package blumfeld.compat.streams;

import java.util.Arrays;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * The topologies by name. Topics are called APPLICATION-something, after the application's id; keys and values are
 * strings, so that any client can write and read them.
 */
final class Topologies {
    static final Consumed<String, String> IN = Consumed.with(Serdes.String(), Serdes.String());
    static final Produced<String, String> OUT = Produced.with(Serdes.String(), Serdes.String());

    private Topologies() {}

    static Topology named(String name, String application) {
        StreamsBuilder builder = new StreamsBuilder();
        switch (name) {
            case "word-count" -> wordCount(builder, application);
            case "totals" -> totals(builder, application);
            case "seen" -> seen(builder, application);
            case "joins" -> Joins.build(builder, application);
            case "windows" -> Windows.build(builder, application);
            default -> throw new IllegalArgumentException(name);
        }
        return builder.build();
    }

    /** lines to counts, by way of a repartition topic: every update of every word. */
    private static void wordCount(StreamsBuilder builder, String application) {
        builder.stream(application + "-lines", IN)
                .flatMapValues(line -> Arrays.asList(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
                .count(Materialized.as(Stores.persistentKeyValueStore("counts")))
                .toStream()
                .mapValues(count -> Long.toString(count))
                .to(application + "-counts", OUT);
    }

    /**
     * in to out, through a processor with a state store: a record with its key's running total for each record. journal
     * gets the same in a single partition, so that one transaction writes to several topics and partitions.
     */
    private static void totals(StreamsBuilder builder, String application) {
        builder.addStateStore(Totals.store());
        var totals = builder.stream(application + "-in", IN).process(Totals::new, Totals.STORE);
        totals.to(application + "-out", OUT);
        totals.to(application + "-journal", OUT);
    }

    /** in to out, by way of a repartition topic: the values of each key, each once, however often it comes. */
    private static void seen(StreamsBuilder builder, String application) {
        builder.stream(application + "-in", IN)
                .selectKey((key, value) -> key)
                .groupByKey(Grouped.with("numbers", Serdes.String(), Serdes.String()))
                .aggregate(
                        () -> "",
                        (key, value, seen) -> (seen + " ").contains(" " + value + " ") ? seen : seen + " " + value,
                        Materialized.<String, String>as(Stores.persistentKeyValueStore("seen"))
                                .withKeySerde(Serdes.String())
                                .withValueSerde(Serdes.String()))
                .toStream()
                .to(application + "-out", OUT);
    }
}
