package blumfeld.compat.harness;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The list of cases that have to pass: one a line, marks in the comment after it. {@code slow}: not
 * in a quick run; {@code old}: also with the older client.
 */
record MustPass(Map<String, List<String>> marks) {
    static MustPass read(Path file) throws IOException {
        Map<String, List<String>> marks = new LinkedHashMap<>();
        for (String line : Files.readAllLines(file)) {
            String[] parts = line.split("#", 2);
            if (!parts[0].isBlank()) {
                marks.put(parts[0].strip(), parts.length == 1 ? List.of() : List.of(parts[1].strip().split("\\s+")));
            }
        }
        return new MustPass(marks);
    }

    Set<String> names() {
        return marks.keySet();
    }

    boolean slow(String name) {
        return marks.get(name).contains("slow");
    }

    boolean old(String name) {
        return marks.get(name).contains("old");
    }
}
