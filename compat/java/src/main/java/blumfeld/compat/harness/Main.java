package blumfeld.compat.harness;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the cases of must-pass, or those named, and prints a line for each and their sum.
 *
 * <p>Properties: {@code broker}, host:port; {@code must-pass}, the list; {@code quick}, true to
 * leave out what is slow; {@code old}, the version of an older client library on the class path, to
 * run only what is marked for it.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        MustPass mustPass = MustPass.read(Path.of(System.getProperty("must-pass")));
        String old = System.getProperty("old", "");
        boolean quick = Boolean.getBoolean("quick");
        boolean named = args.length > 0;
        Set<String> chosen = (named ? Stream.of(args) : mustPass.names().stream())
                .filter(name -> named || !(quick && mustPass.slow(name)))
                .filter(name -> old.isEmpty() || (mustPass.names().contains(name) && mustPass.old(name)))
                .collect(Collectors.toCollection(TreeSet::new));

        Report report = new Report(out, old.isEmpty() ? "" : "@" + old);
        Launcher launcher = LauncherFactory.create();
        if (old.isEmpty() && !named) {
            Set<String> unlisted = new TreeSet<>(namesOf(launcher.discover(request(old).build())));
            unlisted.removeAll(mustPass.names());
            unlisted.forEach(name -> report.fail(name, "not listed in must-pass"));
        }
        // Without a broker each case would wait for its time limit.
        if (!chosen.isEmpty() && answers()) {
            launcher.execute(request(old).filters(only(chosen)).build(), report);
        }
        chosen.stream().filter(name -> !report.ran(name)).forEach(name -> report.fail(name, "did not run"));
        // Threads that a tool left behind must not keep the process.
        Runtime.getRuntime().halt(report.end() ? 0 : 1);
    }

    private static boolean answers() {
        try (Admin admin = Records.admin()) {
            admin.describeCluster(new DescribeClusterOptions().timeoutMs(10_000)).nodes().get();
            return true;
        } catch (ExecutionException | InterruptedException e) {
            return false;
        }
    }

    private static LauncherDiscoveryRequestBuilder request(String old) {
        LauncherDiscoveryRequestBuilder builder =
                LauncherDiscoveryRequestBuilder.request().selectors(selectPackage("blumfeld.compat.clients"));
        // Kafka's tools come with the client library of their own version.
        return old.isEmpty()
                ? builder.selectors(selectPackage("blumfeld.compat.tools"), selectPackage("blumfeld.compat.admin"))
                : builder;
    }

    private static PostDiscoveryFilter only(Set<String> chosen) {
        return descriptor -> FilterResult.includedIf(descriptor.getSource()
                .filter(MethodSource.class::isInstance)
                .map(MethodSource.class::cast)
                .map(source -> source.getJavaClass().getSimpleName() + "." + source.getMethodName())
                .map(chosen::contains)
                .orElse(true));
    }

    private static Set<String> namesOf(TestPlan plan) {
        return plan.getRoots().stream()
                .flatMap(root -> plan.getDescendants(root).stream())
                .flatMap(test -> Report.nameOf(test).stream())
                .collect(Collectors.toSet());
    }
}
