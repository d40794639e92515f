package blumfeld.compat.harness;

import java.util.Arrays;

/** Passing variable arguments on. */
public final class Varargs {
    private Varargs() {}

    /** The arguments, with others put in front. */
    @SafeVarargs
    public static <T> T[] prepend(T[] arguments, T... first) {
        T[] all = Arrays.copyOf(first, first.length + arguments.length);
        System.arraycopy(arguments, 0, all, first.length, arguments.length);
        return all;
    }
}
