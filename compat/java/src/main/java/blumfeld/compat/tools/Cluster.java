package blumfeld.compat.tools;

import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.tools.BrokerApiVersionsCommand;
import org.apache.kafka.tools.ClusterTool;
import org.apache.kafka.tools.FeatureCommand;
import org.apache.kafka.tools.MetadataQuorumCommand;
import org.junit.jupiter.api.Test;

/** kafka-broker-api-versions, kafka-cluster, kafka-features and kafka-metadata-quorum. */
class Cluster {
    @Test
    void brokerApiVersions() throws Exception {
        // Of Apache Kafka 4.3.1: the versions of what is served have to be the same, there may be less of it.
        Tool.Outcome outcome = Commands.run(BrokerApiVersionsCommand::main);
        Shape.has("""
                %s (id: 1 rack: null isFenced: false) -> (
                Produce(0): 0 to 13 [usable: 13],
                Fetch(1): 4 to 18 [usable: 18],
                ListOffsets(2): 1 to 11 [usable: 11],
                Metadata(3): 0 to 13 [usable: 13],
                OffsetCommit(8): 2 to 10 [usable: 10],
                OffsetFetch(9): 1 to 10 [usable: 10],
                FindCoordinator(10): 0 to 6 [usable: 6],
                JoinGroup(11): 0 to 9 [usable: 9],
                Heartbeat(12): 0 to 4 [usable: 4],
                LeaveGroup(13): 0 to 5 [usable: 5],
                SyncGroup(14): 0 to 5 [usable: 5],
                DescribeGroups(15): 0 to 6 [usable: 6],
                ListGroups(16): 0 to 5 [usable: 5],
                ApiVersions(18): 0 to 4 [usable: 4],
                CreateTopics(19): 2 to 7 [usable: 7],
                DeleteTopics(20): 1 to 6 [usable: 6],
                DeleteRecords(21): 0 to 2 [usable: 2],
                InitProducerId(22): 0 to 5 [usable: 5],
                OffsetForLeaderEpoch(23): 2 to 4 [usable: 4],
                AddPartitionsToTxn(24): 0 to 5 [usable: 5],
                AddOffsetsToTxn(25): 0 to 4 [usable: 4],
                EndTxn(26): 0 to 5 [usable: 5],
                WriteTxnMarkers(27): 1 to 2 [usable: 2],
                TxnOffsetCommit(28): 0 to 5 [usable: 5],
                DescribeAcls(29): 1 to 3 [usable: 3],
                CreateAcls(30): 1 to 3 [usable: 3],
                DeleteAcls(31): 1 to 3 [usable: 3],
                DescribeConfigs(32): 1 to 4 [usable: 4],
                AlterConfigs(33): 0 to 2 [usable: 2],
                AlterReplicaLogDirs(34): 1 to 2 [usable: 2],
                DescribeLogDirs(35): 1 to 5 [usable: 5],
                CreatePartitions(37): 0 to 3 [usable: 3],
                DescribeDelegationToken(41): 1 to 3 [usable: 3],
                DeleteGroups(42): 0 to 2 [usable: 2],
                ElectLeaders(43): 0 to 2 [usable: 2],
                IncrementalAlterConfigs(44): 0 to 1 [usable: 1],
                AlterPartitionReassignments(45): 0 to 1 [usable: 1],
                ListPartitionReassignments(46): 0 [usable: 0],
                OffsetDelete(47): 0 [usable: 0],
                DescribeClientQuotas(48): 0 to 1 [usable: 1],
                DescribeUserScramCredentials(50): 0 [usable: 0],
                DescribeQuorum(55): 0 to 2 [usable: 2],
                UpdateFeatures(57): 0 to 2 [usable: 2],
                DescribeCluster(60): 0 to 2 [usable: 2],
                DescribeProducers(61): 0 [usable: 0],
                UnregisterBroker(64): 0 [usable: 0],
                DescribeTransactions(65): 0 [usable: 0],
                ListTransactions(66): 0 to 2 [usable: 2],
                ListConfigResources(74): 0 to 1 [usable: 1],
                DescribeTopicPartitions(75): 0 [usable: 0],
                )
                """.formatted(Broker.address()), outcome.ok());
        assertTrue(outcome.out().contains("PushTelemetry(72): UNSUPPORTED"), outcome::toString);
    }

    @Test
    void clusterId() throws Exception {
        try (Admin admin = Records.admin()) {
            Shape.same("Cluster ID: " + admin.describeCluster().clusterId().get(),
                    cluster("cluster-id", "--bootstrap-server", Broker.address()).ok());
        }
    }

    @Test
    void endpoints() throws Exception {
        String[] address = Broker.address().split(":");
        Shape.same("""
                ID HOST PORT RACK STATE ENDPOINT_TYPE
                1 %s %s null unfenced broker
                """.formatted(address[0], address[1]), cluster("list-endpoints", "--bootstrap-server", Broker.address()).ok());
    }

    @Test
    void unregisterUnknownBroker() throws Exception {
        Shape.has("org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 77 is not currently registered",
                cluster("unregister", "--bootstrap-server", Broker.address(), "--id", "77").failed());
    }

    @Test
    void describeFeatures() throws Exception {
        Shape.has("Feature: metadata.version SupportedMinVersion: <version> SupportedMaxVersion: 4.3-IV0 FinalizedVersionLevel: 4.3-IV0 Epoch: <epoch>",
                Commands.run(FeatureCommand::main, "describe").ok());
    }

    @Test
    void updateFeaturesRefused() throws Exception {
        Shape.same("""
                Could not upgrade no.such.feature to 1. The update failed for all features since the following feature had an error: Invalid update version 1 for feature no.such.feature. Local controller 1 does not support this feature.
                1 out of 1 operation(s) failed.
                """, Commands.run(FeatureCommand::main, "upgrade", "--feature", "no.such.feature=1").failed());
        Shape.same("""
                Could not downgrade no.such.feature to 0. The update failed for all features since the following feature had an error: Invalid update version 0 for feature no.such.feature. Feature no.such.feature not found.
                1 out of 1 operation(s) failed.
                """, Commands.run(FeatureCommand::main, "downgrade", "--feature", "no.such.feature=0").failed());
    }

    @Test
    void quorumStatus() throws Exception {
        try (Admin admin = Records.admin()) {
            Shape.has("""
                    ClusterId: %s
                    LeaderId: 1
                    LeaderEpoch: <epoch>
                    HighWatermark: <offset>
                    MaxFollowerLag: 0
                    MaxFollowerLagTimeMs: 0
                    CurrentVoters: [{"id": 1<...>}]
                    CurrentObservers: []
                    """.formatted(admin.describeCluster().clusterId().get()),
                    Commands.run(MetadataQuorumCommand::main, "describe", "--status").ok());
        }
    }

    @Test
    void quorumReplication() throws Exception {
        Shape.same("""
                NodeId DirectoryId LogEndOffset Lag LastFetchTimestamp LastCaughtUpTimestamp Status
                1 <id> <offset> 0 <ms> <ms> Leader
                """, Commands.run(MetadataQuorumCommand::main, "describe", "--replication").ok());
    }

    private static Tool.Outcome cluster(String... args) throws Exception {
        return Tool.run(ClusterTool::main, args);
    }
}
