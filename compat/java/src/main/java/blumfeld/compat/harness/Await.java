package blumfeld.compat.harness;

import java.util.concurrent.Callable;

/** Waiting for a state. The time limit of the case ends a vain wait. */
public final class Await {
    private Await() {}

    /** Asks until the answer is yes. */
    public static void until(Callable<Boolean> condition) throws Exception {
        while (!condition.call()) {
            Thread.sleep(20);
        }
    }

    /** Asks until an assertion holds, and throws its last failure after half a minute. */
    public static void untilPasses(Assertion assertion) throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (true) {
            try {
                assertion.check();
                return;
            } catch (AssertionError e) {
                if (System.nanoTime() > deadline) {
                    throw e;
                }
                Thread.sleep(50);
            }
        }
    }

    /** Something that throws AssertionError unless it holds. */
    public interface Assertion {
        void check() throws Exception;
    }
}
