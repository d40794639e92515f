package blumfeld.compat.harness;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.opentest4j.AssertionFailedError;

/**
 * Compares what a tool printed with a template, line by line. In the template {@code <word>} stands
 * for anything without blanks, {@code <...>} for anything. Blanks and tabs count as one blank each
 * run, because column widths depend on the values; blank lines do not count.
 */
public final class Shape {
    private static final Pattern PLACEHOLDER = Pattern.compile("<([a-z-]+|\\.\\.\\.)>");

    private Shape() {}

    /** The lines are those of the template, in its order. */
    public static void same(String template, String actual) {
        compare(lines(template), lines(actual), template, actual);
    }

    /** The lines are those of the template, in any order. */
    public static void sameLines(String template, String actual) {
        compare(lines(template).stream().sorted().toList(), lines(actual).stream().sorted().toList(), template, actual);
    }

    /** Each line of the template matches a line. */
    public static void has(String template, String actual) {
        List<String> present = lines(actual);
        for (String wanted : lines(template)) {
            Pattern pattern = pattern(wanted);
            if (present.stream().noneMatch(line -> pattern.matcher(line).matches())) {
                throw failure("no line matches: " + wanted, template, actual);
            }
        }
    }

    private static void compare(List<String> want, List<String> got, String template, String actual) {
        if (want.size() != got.size()) {
            throw failure(got.size() + " lines, not " + want.size(), template, actual);
        }
        for (int i = 0; i < want.size(); i++) {
            if (!pattern(want.get(i)).matcher(got.get(i)).matches()) {
                throw failure("not as line " + (i + 1) + " of the template: " + got.get(i), template, actual);
            }
        }
    }

    private static List<String> lines(String text) {
        return Arrays.stream(text.split("\n"))
                .map(line -> line.replaceAll("\\s+", " ").strip())
                .filter(line -> !line.isEmpty())
                .collect(Collectors.toCollection(ArrayList::new));
    }

    private static Pattern pattern(String line) {
        StringBuilder regex = new StringBuilder();
        Matcher placeholders = PLACEHOLDER.matcher(line);
        int end = 0;
        while (placeholders.find()) {
            regex.append(Pattern.quote(line.substring(end, placeholders.start())));
            regex.append(placeholders.group(1).equals("...") ? ".*" : "\\S+");
            end = placeholders.end();
        }
        return Pattern.compile(regex.append(Pattern.quote(line.substring(end))).toString());
    }

    private static AssertionFailedError failure(String what, String template, String actual) {
        return new AssertionFailedError(what + "\nwant:\n" + template.stripTrailing() + "\ngot:\n" + actual.stripTrailing());
    }
}
