package blumfeld.compat.admin;

import static blumfeld.compat.harness.Failures.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.ReplicaInfo;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.BrokerIdNotRegisteredException;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidUpdateVersionException;
import org.apache.kafka.common.errors.LogDirNotFoundException;
import org.apache.kafka.common.errors.NoReassignmentInProgressException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnsupportedByAuthenticationException;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Admin: the cluster, its directories, features, quorum, leaders, security. */
class ClusterWide {
    private final Admin admin = Records.admin();

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void describeCluster() throws Exception {
        DescribeClusterResult cluster = admin.describeCluster(
                new DescribeClusterOptions().includeAuthorizedOperations(true).includeFencedBrokers(true));
        assertEquals(1, cluster.nodes().get().size());
        Node node = cluster.nodes().get().iterator().next();
        assertEquals(1, node.id());
        assertEquals(Broker.address(), node.host() + ":" + node.port());
        assertTrue(!node.hasRack() && !node.isFenced());
        assertEquals(node, cluster.controller().get());
        assertEquals(22, cluster.clusterId().get().length());
        assertEquals(EnumSet.of(AclOperation.CREATE, AclOperation.ALTER, AclOperation.DESCRIBE, AclOperation.CLUSTER_ACTION,
                AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS, AclOperation.IDEMPOTENT_WRITE),
                cluster.authorizedOperations().get());
    }

    @Test
    void logDirs() throws Exception {
        TopicPartition partition = new TopicPartition(Records.topic("dirs", 1), 0);
        Records.produce(partition.topic(), 0, "one");
        Map<String, LogDirDescription> dirs = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
        assertEquals(1, dirs.size());
        LogDirDescription dir = dirs.values().iterator().next();
        ReplicaInfo replica = dir.replicaInfos().get(partition);
        assertEquals(71, replica.size());
        assertEquals(0, replica.offsetLag());
        assertTrue(!replica.isFuture());
        assertTrue(dir.totalBytes().getAsLong() > dir.usableBytes().getAsLong());
        assertTrue(dir.usableBytes().getAsLong() > 0);
        TopicPartitionReplica at = new TopicPartitionReplica(partition.topic(), 0, 1);
        assertEquals(dirs.keySet().iterator().next(),
                admin.describeReplicaLogDirs(List.of(at)).values().get(at).get().getCurrentReplicaLogDir());
        admin.alterReplicaLogDirs(Map.of(at, dirs.keySet().iterator().next())).all().get();
        refused(LogDirNotFoundException.class, admin.alterReplicaLogDirs(Map.of(at, "/no/such/dir")).all());
    }

    @Test
    void features() throws Exception {
        FeatureMetadata features = admin.describeFeatures().featureMetadata().get();
        assertTrue(features.finalizedFeaturesEpoch().isPresent());
        assertEquals(30, features.finalizedFeatures().get("metadata.version").maxVersionLevel());
        assertEquals(30, features.supportedFeatures().get("metadata.version").maxVersion());
        refused(InvalidUpdateVersionException.class,
                admin.updateFeatures(Map.of("no.such.feature", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
                        new UpdateFeaturesOptions()).all());
    }

    @Test
    void quorum() throws Exception {
        QuorumInfo quorum = admin.describeMetadataQuorum().quorumInfo().get();
        assertEquals(1, quorum.leaderId());
        assertEquals(1, quorum.voters().size());
        QuorumInfo.ReplicaState voter = quorum.voters().get(0);
        assertEquals(1, voter.replicaId());
        assertTrue(voter.logEndOffset() >= quorum.highWatermark());
        assertTrue(quorum.observers().isEmpty());
    }

    @Test
    void unregisterUnknownBroker() {
        refused(BrokerIdNotRegisteredException.class, "Broker ID 77 is not currently registered", admin.unregisterBroker(77).all());
    }

    @Test
    void elections() throws Exception {
        TopicPartition partition = new TopicPartition(Records.topic("election", 1), 0);
        TopicPartition unknown = new TopicPartition(partition.topic() + "-nope", 0);
        for (ElectionType type : ElectionType.values()) {
            Map<TopicPartition, Optional<Throwable>> elected = admin.electLeaders(type, Set.of(partition, unknown)).partitions().get();
            assertEquals(ElectionNotNeededException.class, elected.get(partition).orElseThrow().getClass());
            assertEquals("Leader election not needed for topic partition.", elected.get(partition).orElseThrow().getMessage());
            assertEquals(UnknownTopicOrPartitionException.class, elected.get(unknown).orElseThrow().getClass());
            assertEquals("No such topic as " + unknown.topic(), elected.get(unknown).orElseThrow().getMessage());
        }
    }

    @Test
    void reassignments() throws Exception {
        TopicPartition partition = new TopicPartition(Records.topic("reassign", 1), 0);
        assertEquals(Map.of(), admin.listPartitionReassignments().reassignments().get());
        assertEquals(Map.of(), admin.listPartitionReassignments(Set.of(partition)).reassignments().get());
        refused(NoReassignmentInProgressException.class, "No partition reassignment is in progress.",
                admin.alterPartitionReassignments(Map.of(partition, Optional.empty())).all());
        admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(1))))).all().get();
        refused(InvalidReplicaAssignmentException.class,
                admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(7))))).all());
        refused(UnknownTopicOrPartitionException.class, admin.alterPartitionReassignments(
                Map.of(new TopicPartition(partition.topic() + "-nope", 0), Optional.of(new NewPartitionReassignment(List.of(1))))).all());
    }

    @Test
    void noAuthorizer() {
        AclBinding binding = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "t", PatternType.LITERAL),
                new AccessControlEntry("User:x", "*", AclOperation.READ, AclPermissionType.ALLOW));
        refused(SecurityDisabledException.class, "No Authorizer is configured on the broker", admin.describeAcls(AclBindingFilter.ANY).values());
        refused(SecurityDisabledException.class, "No Authorizer is configured.", admin.createAcls(List.of(binding)).all());
        refused(SecurityDisabledException.class, "No Authorizer is configured.", admin.deleteAcls(List.of(binding.toFilter())).all());
    }

    @Test
    void noDelegationTokens() {
        refused(UnsupportedByAuthenticationException.class, admin.describeDelegationToken().delegationTokens());
        refused(UnsupportedByAuthenticationException.class, admin.createDelegationToken().delegationToken());
    }

    @Test
    void noQuotasNoCredentials() throws Exception {
        assertEquals(Map.of(), admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
        assertEquals(Map.of(), admin.describeUserScramCredentials().all().get());
    }

    @Test
    void configResources() throws Exception {
        String topic = Records.topic("resource", 1);
        Set<ConfigResource> resources = Set.copyOf(admin.listConfigResources().all().get());
        assertTrue(resources.contains(new ConfigResource(ConfigResource.Type.TOPIC, topic)), resources::toString);
        assertTrue(resources.contains(new ConfigResource(ConfigResource.Type.BROKER, "1")), resources::toString);
    }
}
