package blumfeld.compat.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Shape;
import java.util.concurrent.Callable;

/**
 * What a tool prints once a change has reached the broker that it asks. In Apache Kafka the
 * controller answers for a change, and brokers learn of it afterwards.
 */
final class Eventually {
    private Eventually() {}

    /** Repeats the run until it succeeds with the lines of the template. */
    static void same(String template, Callable<Tool.Outcome> run) throws Exception {
        Await.untilPasses(() -> Shape.same(template, run.call().ok()));
    }

    /** Repeats the run until it succeeds and each line of the template is there. */
    static void has(String template, Callable<Tool.Outcome> run) throws Exception {
        Await.untilPasses(() -> Shape.has(template, run.call().ok()));
    }

    /** Repeats the run until it succeeds with exactly this text, but for blanks at its ends. */
    static void prints(String text, Callable<Tool.Outcome> run) throws Exception {
        Await.untilPasses(() -> assertEquals(text.strip(), run.call().ok().strip()));
    }

    /** Repeats the run until it fails and each line of the template is there. */
    static void fails(String template, Callable<Tool.Outcome> run) throws Exception {
        Await.untilPasses(() -> Shape.has(template, run.call().failed()));
    }
}
