package blumfeld.compat.tools;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A tool in a JVM of its own: for those that end by System.exit and by hooks of the runtime. */
final class Jvm implements AutoCloseable {
    private final Process process;
    private final List<String> lines = new ArrayList<>();
    private final Thread reader;

    private Jvm(Process process) {
        this.process = process;
        reader = new Thread(this::read, "output of a JVM");
        reader.start();
    }

    static Jvm start(Class<?> tool, String... args) throws IOException {
        List<String> command = Stream.concat(
                        Stream.of(
                                ProcessHandle.current().info().command().orElseThrow(),
                                "-Xmx256M",
                                "-XX:TieredStopAtLevel=1",
                                "-XX:+UseSerialGC",
                                "-Dlevel=OFF",
                                "-Dlog4j2.configurationFile=" + System.getProperty("log4j2.configurationFile"),
                                "-cp",
                                System.getProperty("java.class.path"),
                                tool.getName()),
                        Stream.of(args))
                .toList();
        return new Jvm(new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    /** The lines that it has printed so far. */
    List<String> lines() {
        synchronized (lines) {
            return List.copyOf(lines);
        }
    }

    /** Waits for its end, and answers its exit code. All that it printed has been read then. */
    int await() throws InterruptedException {
        int code = process.waitFor();
        reader.join();
        return code;
    }

    /** Asks it to end: SIGTERM. */
    void terminate() {
        process.toHandle().destroy(); // Process.destroy would also close its output
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }

    private void read() {
        try (var output = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                synchronized (lines) {
                    lines.add(line);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
