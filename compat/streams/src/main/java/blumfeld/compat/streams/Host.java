package blumfeld.compat.streams;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.streams.StreamsConfig;

/**
 * A process of Streams applications, told on standard input what to do, a command a line:
 *
 * <pre>
 * start NAME TOPOLOGY KEY=VALUE…   starts an instance; the pairs are its StreamsConfig
 * stop NAME                        closes it; it leaves its group
 * </pre>
 *
 * On standard output it says what happens to the instances, an event a line, the instance's name first; Instance lists
 * them. It ends when its input does, so that it outlives nobody.
 */
public final class Host {
    private Host() {}

    public static void main(String[] args) throws Exception {
        Map<String, Instance> instances = new ConcurrentHashMap<>();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            List<String> words = Arrays.asList(line.split(" "));
            String name = words.get(1);
            switch (words.get(0)) {
                case "start" -> {
                    Properties config = properties(words.subList(3, words.size()));
                    String application = config.getProperty(StreamsConfig.APPLICATION_ID_CONFIG);
                    Instance instance = new Instance(name, Topologies.named(words.get(2), application), config);
                    instances.put(name, instance);
                    instance.start();
                }
                case "stop" -> {
                    Instance instance = instances.remove(name);
                    new Thread(instance::stop, "stop-" + name).start();
                }
                default -> throw new IllegalArgumentException(line);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    /** One line, also when several threads have something to say. */
    static void say(String line) {
        synchronized (System.out) {
            System.out.println(line);
            System.out.flush();
        }
    }

    private static Properties properties(List<String> pairs) {
        Properties properties = new Properties();
        for (String pair : pairs) {
            int equals = pair.indexOf('=');
            properties.setProperty(pair.substring(0, equals), pair.substring(equals + 1));
        }
        return properties;
    }
}
