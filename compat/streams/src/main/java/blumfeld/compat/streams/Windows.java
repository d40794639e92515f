package blumfeld.compat.streams;

import static blumfeld.compat.streams.Topologies.IN;
import static blumfeld.compat.streams.Topologies.OUT;

import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/**
 * Counts by window. tumbling and sessions tell a window's count once, when no record can change it any more; hopping tells
 * every update. Keys become KEY@START-END, in milliseconds.
 */
final class Windows {
    private static final Duration SIZE = Duration.ofSeconds(10);
    private static final Duration ADVANCE = Duration.ofSeconds(5);
    private static final Duration GRACE = Duration.ofSeconds(5);

    private Windows() {}

    static void build(StreamsBuilder builder, String application) {
        KGroupedStream<String, String> clicks = builder.stream(application + "-clicks", IN)
                .groupByKey(Grouped.with(Serdes.String(), Serdes.String()));
        to(application + "-tumbling", clicks.windowedBy(TimeWindows.ofSizeAndGrace(SIZE, GRACE))
                .count(Named.as("tumbling"))
                .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("closed-tumbling")));
        to(application + "-sessions", clicks.windowedBy(SessionWindows.ofInactivityGapAndGrace(SIZE, GRACE))
                .count(Named.as("sessions"))
                .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("closed-sessions")));
        to(application + "-hopping", clicks.windowedBy(TimeWindows.ofSizeAndGrace(SIZE, GRACE).advanceBy(ADVANCE))
                .count(Named.as("hopping")));
    }

    private static void to(String topic, KTable<Windowed<String>, Long> counts) {
        counts.toStream((key, count) -> key.key() + "@" + key.window().start() + "-" + key.window().end())
                .mapValues(count -> Long.toString(count))
                .to(topic, OUT);
    }
}
