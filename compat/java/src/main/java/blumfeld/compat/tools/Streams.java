package blumfeld.compat.tools;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;

/**
 * The standard streams of one run of a tool. A thread, and every thread that it starts, reads and
 * writes those of the run that it belongs to, so that tools can run side by side in one JVM.
 */
final class Streams {
    private static final InheritableThreadLocal<Streams> CURRENT = new InheritableThreadLocal<>();
    private static final PrintStream REAL_OUT = System.out;
    private static final PrintStream REAL_ERR = System.err;
    private static final InputStream REAL_IN = System.in;

    private final InputStream in;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    Streams(InputStream in) {
        this.in = in;
    }

    static InputStream of(String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Puts the routing streams in place of the process's own. */
    static void install() {
        System.setOut(new PrintStream(new Routed(streams -> streams.out, REAL_OUT), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new Routed(streams -> streams.err, REAL_ERR), true, StandardCharsets.UTF_8));
        System.setIn(new InputStream() {
            @Override
            public int read() throws java.io.IOException {
                return source().read();
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws java.io.IOException {
                return source().read(bytes, offset, length);
            }

            private InputStream source() {
                Streams current = CURRENT.get();
                return current == null ? REAL_IN : current.in;
            }
        });
    }

    /** Makes them the streams of the calling thread and of those that it will start. */
    void enter() {
        CURRENT.set(this);
    }

    String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private static final class Routed extends OutputStream {
        private final Function<Streams, OutputStream> side;
        private final OutputStream otherwise;

        Routed(Function<Streams, OutputStream> side, OutputStream otherwise) {
            this.side = side;
            this.otherwise = otherwise;
        }

        @Override
        public void write(int b) throws java.io.IOException {
            sink().write(b);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws java.io.IOException {
            sink().write(bytes, offset, length);
        }

        @Override
        public void flush() throws java.io.IOException {
            sink().flush();
        }

        private OutputStream sink() {
            Streams current = CURRENT.get();
            return current == null ? otherwise : side.apply(current);
        }
    }
}
