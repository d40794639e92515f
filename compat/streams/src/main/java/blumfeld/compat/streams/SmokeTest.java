package blumfeld.compat.streams;

import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.streams.tests.SmokeTestDriver;

/**
 * The driver of Kafka's own smoke test, with fewer records than Kafka's main gives it: writes them, and looks at what the
 * application made of them. Arguments: bootstrap address, keys, records of each, whether they
 * are processed exactly once.
 */
public final class SmokeTest {
    private SmokeTest() {}

    public static void main(String[] args) {
        int keys = Integer.parseInt(args[1]);
        int records = Integer.parseInt(args[2]);
        Map<String, Set<Integer>> written = SmokeTestDriver.generate(args[0], keys, records, Duration.ZERO);
        SmokeTestDriver.verify(args[0], written, records, Boolean.parseBoolean(args[3]));
    }
}
