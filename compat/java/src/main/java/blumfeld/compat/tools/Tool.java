package blumfeld.compat.tools;

import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.utils.Exit;

/**
 * A run of one of Kafka's command-line tools: its main method, on a thread of this JVM, with streams
 * of its own. Starting a JVM for each would take most of the time of a test run.
 *
 * <p>A tool ends through Kafka's Exit class, which is told here to throw instead of ending the
 * process. The first exit code is the one that counts, as it is where exiting does not return.
 */
final class Tool {
    private static final InheritableThreadLocal<Tool> CURRENT = new InheritableThreadLocal<>();

    static {
        Streams.install();
        Exit.setExitProcedure((code, message) -> CURRENT.get().exit(code));
        Exit.setHaltProcedure((code, message) -> CURRENT.get().exit(code));
        Exit.setShutdownHookAdder((name, hook) -> CURRENT.get().onShutdown(hook));
    }

    private final Streams streams;
    private final List<Runnable> hooks = new ArrayList<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private Outcome outcome;

    private Tool(Streams streams) {
        this.streams = streams;
    }

    /** A tool's main method. */
    interface Main {
        void main(String[] args) throws Exception;
    }

    /** What a tool printed, and its exit code. */
    record Outcome(int code, String out, String err) {
        /** What it printed on standard output, if it succeeded. */
        String ok() {
            if (code != 0) {
                throw new AssertionError(this);
            }
            return out;
        }

        /** What it printed, on either stream, if it failed. */
        String failed() {
            if (code == 0) {
                throw new AssertionError(this);
            }
            return out + err;
        }

        @Override
        public String toString() {
            return "exit code " + code + "\nstdout:\n" + out.stripTrailing() + "\nstderr:\n" + err.stripTrailing();
        }
    }

    private static final class Exited extends Error {
        private static final long serialVersionUID = 1;

        Exited() {
            super("exit", null, false, false);
        }
    }

    /** Runs a tool to its end, without input. */
    static Outcome run(Main main, String... args) throws InterruptedException {
        return start(Streams.of(""), main, args).await();
    }

    /** Runs a tool to its end, with this as its standard input. */
    static Outcome feed(String input, Main main, String... args) throws InterruptedException {
        return start(Streams.of(input), main, args).await();
    }

    /** Starts a tool that ends when it is stopped, or by itself. */
    static Tool start(Main main, String... args) {
        return start(Streams.of(""), main, args);
    }

    private static Tool start(InputStream input, Main main, String... args) {
        Tool tool = new Tool(new Streams(input));
        Thread thread = new Thread(() -> tool.body(main, args), "tool");
        thread.setDaemon(true);
        thread.start();
        return tool;
    }

    /** What it has printed so far. */
    String out() {
        return streams.out();
    }

    /** Asks it to end, as SIGTERM does, and waits for that. */
    Outcome stop() throws InterruptedException {
        runHooks();
        return await();
    }

    Outcome await() throws InterruptedException {
        ended.await();
        synchronized (this) {
            return outcome;
        }
    }

    private void body(Main main, String[] args) {
        CURRENT.set(this);
        streams.enter();
        try {
            main.main(args);
            end(0);
        } catch (Exited e) {
            // The outcome is there.
        } catch (Throwable e) {
            // As the JVM does with what main throws.
            e.printStackTrace();
            end(1);
        }
        runHooks();
        ended.countDown();
    }

    private void exit(int code) {
        end(code);
        throw new Exited();
    }

    private synchronized void end(int code) {
        if (outcome == null) {
            outcome = new Outcome(code, streams.out(), streams.err());
        }
    }

    private synchronized void onShutdown(Runnable hook) {
        hooks.add(hook);
    }

    private void runHooks() {
        List<Runnable> due;
        synchronized (this) {
            due = List.copyOf(hooks);
            hooks.clear();
        }
        due.forEach(Runnable::run);
    }
}
