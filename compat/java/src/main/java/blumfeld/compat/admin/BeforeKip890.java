package blumfeld.compat.admin;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Transactions;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.FeatureUpdate.UpgradeType;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.parallel.ResourceLock;

/** Cases that a newer client goes through with a transaction.version of 1, and so in the protocol of before KIP-890. */
@ResourceLock(Transactions.VERSION)
interface BeforeKip890 {
    @BeforeAll
    static void lower() throws Exception {
        set((short) 1, UpgradeType.SAFE_DOWNGRADE);
    }

    @AfterAll
    static void raise() throws Exception {
        set((short) 2, UpgradeType.UPGRADE);
    }

    private static void set(short level, UpgradeType type) throws Exception {
        try (Admin admin = Records.admin()) {
            admin.updateFeatures(Map.of(Transactions.VERSION, new FeatureUpdate(level, type)), new UpdateFeaturesOptions()).all().get();
            // The controller has it; the broker, which tells clients, may hear of it later.
            Await.until(() -> admin.describeFeatures().featureMetadata().get().finalizedFeatures().get(Transactions.VERSION)
                    .maxVersionLevel() == level);
        }
    }
}
