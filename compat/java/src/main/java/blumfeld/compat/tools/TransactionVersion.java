package blumfeld.compat.tools;

import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Transactions;
import org.apache.kafka.tools.FeatureCommand;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;

/** kafka-features: which transaction protocol is spoken is transaction.version, a feature that goes up and down. */
@ResourceLock(Transactions.VERSION)
class TransactionVersion {
    private static final String REFUSED = "Could not %s. The update failed for all features since the following feature had an error: "
            + "Invalid update version %s\n1 out of 1 operation(s) failed.";

    @AfterEach
    void restore() throws Exception {
        features("upgrade", "--feature", "transaction.version=2").ok();
    }

    @Test
    void upAndDown() throws Exception {
        at(2);
        Shape.same("transaction.version was upgraded to 2.", features("upgrade", "--feature", "transaction.version=2").ok());
        Shape.same("transaction.version was downgraded to 1.", features("downgrade", "--feature", "transaction.version=1").ok());
        at(1);
        Shape.same("transaction.version was downgraded to 0.", features("downgrade", "--feature", "transaction.version=0").ok());
        at(0);
        Shape.same("transaction.version was upgraded to 2.", features("upgrade", "--feature", "transaction.version=2").ok());
        at(2);
        Shape.same("transaction.version was disabled.", features("disable", "--feature", "transaction.version").ok());
        at(0);
    }

    @Test
    void onlyTried() throws Exception {
        Shape.same("transaction.version can be downgraded to 1.",
                features("downgrade", "--feature", "transaction.version=1", "--dry-run").ok());
        at(2);
    }

    @Test
    void refused() throws Exception {
        Shape.same(REFUSED.formatted("upgrade transaction.version to 3",
                        "3 for feature transaction.version. Local controller 1 only supports versions 0-2"),
                features("upgrade", "--feature", "transaction.version=3").failed());
        features("downgrade", "--feature", "transaction.version=1").ok();
        Shape.same(REFUSED.formatted("downgrade transaction.version to 2",
                        "2 for feature transaction.version. Can't downgrade to a newer version."),
                features("downgrade", "--feature", "transaction.version=2").failed());
        at(1);
    }

    private static void at(int level) throws Exception {
        Eventually.has("Feature: transaction.version SupportedMinVersion: 0 SupportedMaxVersion: 2 FinalizedVersionLevel: " + level
                + " Epoch: <epoch>", () -> features("describe"));
    }

    private static Tool.Outcome features(String... args) throws InterruptedException {
        return Commands.run(FeatureCommand::main, args);
    }
}
