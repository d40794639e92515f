package blumfeld.compat.harness;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.KafkaFuture;

/** Expecting what the broker refuses. */
public final class Failures {
    private Failures() {}

    /** The future fails with exactly this exception and message. */
    public static void refused(Class<? extends Exception> cause, String message, KafkaFuture<?> future) {
        ExecutionException thrown = assertThrows(ExecutionException.class, future::get);
        assertEquals(cause, thrown.getCause().getClass(), thrown::toString);
        assertEquals(message, thrown.getCause().getMessage());
    }

    /** The future fails with exactly this exception. */
    public static void refused(Class<? extends Exception> cause, KafkaFuture<?> future) {
        ExecutionException thrown = assertThrows(ExecutionException.class, future::get);
        assertEquals(cause, thrown.getCause().getClass(), thrown::toString);
    }
}
