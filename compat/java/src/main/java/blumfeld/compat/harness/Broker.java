package blumfeld.compat.harness;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** The broker that is looked at, and names on it that no other case and no other run uses. */
public final class Broker {
    private static final String RUN = Long.toString(System.currentTimeMillis() % 100_000_000, 36);
    private static final AtomicInteger NAMES = new AtomicInteger();

    private Broker() {}

    /** Its bootstrap address, host:port. */
    public static String address() {
        return System.getProperty("broker");
    }

    /** A name for a topic or a group. */
    public static String fresh(String stem) {
        return "java-" + stem + "-" + RUN + "-" + NAMES.incrementAndGet();
    }

    /** Client properties: the address, and pairs of a name and a value. */
    public static Map<String, Object> properties(Object... pairs) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("bootstrap.servers", address());
        for (int i = 0; i < pairs.length; i += 2) {
            properties.put((String) pairs[i], pairs[i + 1]);
        }
        return properties;
    }
}
