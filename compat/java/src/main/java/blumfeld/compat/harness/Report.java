package blumfeld.compat.harness;

import java.io.PrintStream;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;

/** Prints a PASS or FAIL line for each case, and counts them. */
final class Report implements TestExecutionListener {
    private static final int SHOWN_FRAMES = 6;

    private final PrintStream out;
    private final String suffix;
    private final Set<String> ran = new HashSet<>();
    private int passed;
    private int failed;

    /** @param suffix is put after the name of each case */
    Report(PrintStream out, String suffix) {
        this.out = out;
        this.suffix = suffix;
    }

    /** Class.method, or nothing for what is not a test method. */
    static Optional<String> nameOf(TestIdentifier test) {
        return test.getSource()
                .filter(MethodSource.class::isInstance)
                .map(MethodSource.class::cast)
                .map(source -> source.getJavaClass().getSimpleName() + "." + source.getMethodName());
    }

    @Override
    public synchronized void executionFinished(TestIdentifier test, TestExecutionResult result) {
        Optional<String> name = nameOf(test);
        Optional<Throwable> thrown = result.getThrowable();
        if (name.isPresent()) {
            ran.add(name.get());
            if (thrown.isEmpty()) {
                passed++;
                out.println("PASS " + name.get() + suffix);
            } else {
                fail(name.get(), describe(thrown.get()));
            }
        } else if (thrown.isPresent()) {
            String where = test.getSource()
                    .filter(ClassSource.class::isInstance)
                    .map(source -> ((ClassSource) source).getJavaClass().getSimpleName())
                    .orElse(test.getDisplayName());
            fail(where, describe(thrown.get()));
        }
    }

    synchronized void fail(String name, String reason) {
        failed++;
        out.println("FAIL " + name + suffix + ": " + reason);
    }

    synchronized boolean ran(String name) {
        return ran.contains(name);
    }

    /** Prints the sum, and tells whether everything passed. */
    synchronized boolean end() {
        out.println(passed + " passed, " + failed + " failed");
        return passed > 0 && failed == 0;
    }

    /** What was thrown, and where in the cases. */
    private static String describe(Throwable thrown) {
        StringBuilder text = new StringBuilder(thrown.toString());
        for (Throwable cause = thrown.getCause(); cause != null; cause = cause.getCause()) {
            text.append("\n  caused by ").append(cause);
        }
        int shown = 0;
        for (StackTraceElement frame : thrown.getStackTrace()) {
            if (shown < SHOWN_FRAMES && frame.getClassName().startsWith("blumfeld.compat.")) {
                text.append("\n  at ").append(frame.getFileName()).append(':').append(frame.getLineNumber());
                shown++;
            }
        }
        return text.toString();
    }
}
