package clients

import (
	"errors"
	"testing"

	"github.com/IBM/sarama"
)

// saramaAdmin are the cases of sarama's ClusterAdmin.
func saramaAdmin(t *testing.T, c saramaClient) {
	for name, f := range map[string]func(*testing.T, saramaClient, sarama.ClusterAdmin){
		"admin_cluster":       saramaCluster,
		"admin_topics":        saramaTopics,
		"admin_configs":       saramaConfigs,
		"admin_list_offsets":  saramaListOffsets,
		"admin_groups":        saramaGroups,
		"admin_group_offsets": saramaGroupOffsets,
		"admin_acls":          saramaACLs,
		"admin_answered":      saramaAnswered,
	} {
		run(t, name, func(t *testing.T) { f(t, c, c.admin(t)) })
	}
}

func saramaCluster(t *testing.T, c saramaClient, adm sarama.ClusterAdmin) {
	brokers, controller, err := adm.DescribeCluster()
	must(t, err)
	if len(brokers) != 1 || brokers[0].ID() != controller {
		t.Errorf("brokers %v, controller %d", brokers, controller)
	}
	topic := written(t, c, writing{}, numbered(10)...)
	dirs, err := adm.DescribeLogDirs([]int32{controller})
	must(t, err)
	found := 0
	for _, dir := range dirs[controller] {
		equal(t, "directory", dir.ErrorCode, sarama.ErrNoError)
		for _, of := range dir.Topics {
			if of.Topic == topic && len(of.Partitions) == 1 && of.Partitions[0].Size > 0 {
				found++
			}
		}
	}
	equal(t, "directories with the partition", found, 1)
}

func saramaTopics(t *testing.T, _ saramaClient, adm sarama.ClusterAdmin) {
	topic := fresh(t)
	retention := "3600000"
	detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
	must(t, adm.CreateTopic(topic, detail, true)) // validates only
	must(t, adm.CreateTopic(topic, detail, false))
	is(t, "again", adm.CreateTopic(topic, detail, false), sarama.ErrTopicAlreadyExists)
	is(t, "too many replicas", adm.CreateTopic(topic+"-3", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, false), sarama.ErrInvalidReplicationFactor)
	all, err := adm.ListTopics()
	must(t, err)
	if d := all[topic]; d.NumPartitions != 2 || d.ReplicationFactor != 1 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != retention {
		t.Errorf("listed %+v", d)
	}
	must(t, adm.CreatePartitions(topic, 4, nil, false))
	is(t, "fewer partitions", adm.CreatePartitions(topic, 3, nil, false), sarama.ErrInvalidPartitions)
	until(t, "four partitions", func() bool {
		described, err := adm.DescribeTopics([]string{topic})
		return err == nil && len(described[0].Partitions) == 4
	})
	must(t, adm.DeleteTopic(topic))
	is(t, "delete again", adm.DeleteTopic(topic), sarama.ErrUnknownTopicOrPartition)
	until(t, "the topic is gone", func() bool {
		described, err := adm.DescribeTopics([]string{topic})
		return err == nil && described[0].Err == sarama.ErrUnknownTopicOrPartition
	})
}

func saramaConfigs(t *testing.T, c saramaClient, adm sarama.ClusterAdmin) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	shows := func(key, value string, source sarama.ConfigSource) {
		t.Helper()
		until(t, key+"="+value, func() bool {
			//lint:ignore SA1019 deprecated, and what programs use
			entries, err := adm.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{key}})
			must(t, err)
			equal(t, "entries", len(entries), 1)
			return entries[0].Name == key && entries[0].Value == value && entries[0].Source == source
		})
	}
	shows("retention.ms", "604800000", sarama.SourceDefault)
	value := "60000"
	must(t, adm.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}, false))
	shows("retention.ms", "60000", sarama.SourceTopic)
	segment := "7200000"
	must(t, adm.AlterConfig(sarama.TopicResource, topic, map[string]*string{"segment.ms": &segment}, false)) // replaces all
	shows("segment.ms", "7200000", sarama.SourceTopic)
	shows("retention.ms", "604800000", sarama.SourceDefault)
	soon := "soon"
	err := adm.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &soon},
	}, false)
	is(t, "no number", err, sarama.ErrInvalidConfig)
	results, err := adm.DescribeConfigs([]*sarama.ConfigResource{
		{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"segment.ms"}},
	}, sarama.DescribeConfigsOptions{IncludeSynonyms: true, IncludeDocumentation: true})
	must(t, err)
	entry := results[0].Configs[0]
	if entry.Type != sarama.LongConfigType || entry.Documentation == nil || *entry.Documentation == "" || len(entry.Synonyms) == 0 || entry.Synonyms[0].ConfigValue != segment {
		t.Errorf("segment.ms is %+v", entry)
	}
}

func saramaListOffsets(t *testing.T, c saramaClient, adm sarama.ClusterAdmin) {
	topic := written(t, c, writing{}, numbered(10)...)
	must(t, adm.DeleteRecords(topic, map[int32]int64{0: 4}))
	is(t, "delete more than there is", adm.DeleteRecords(topic, map[int32]int64{0: 11}), sarama.ErrOffsetOutOfRange)
	for at, want := range map[int64]int64{sarama.OffsetOldest: 4, sarama.OffsetNewest: 10} {
		listed, err := adm.ListOffsets(map[string]map[int32]int64{topic: {0: at}}, nil)
		must(t, err)
		is(t, "list", listed[topic][0].Err, sarama.ErrNoError)
		equal(t, "offset", listed[topic][0].Offset, want)
	}
}

func saramaGroups(t *testing.T, c saramaClient, adm sarama.ClusterAdmin) {
	topic, group := written(t, c, writing{}, numbered(3)...), fresh(t)
	config := c.config()
	config.ClientID = "the-client"
	m := c.joinWith(t, config, group, topic)
	receive(t, "a record", m.records())
	groups, err := adm.ListConsumerGroups()
	must(t, err)
	equal(t, "type of the group", groups[group], "consumer")
	describedAll, err := adm.DescribeConsumerGroups([]string{group, group + "-no-such"})
	must(t, err)
	for _, d := range describedAll {
		if d.GroupId != group {
			equal(t, "state of a group that is not there", d.State, "Dead")
			continue
		}
		if d.State != "Stable" || d.Protocol != "range" || len(d.Members) != 1 {
			t.Fatalf("described %+v", d)
		}
		for _, member := range d.Members {
			equal(t, "client id", member.ClientId, "the-client")
			assigned, err := member.GetMemberAssignment()
			must(t, err)
			equal(t, "assigned", len(assigned.Topics[topic]), 1)
			subscribed, err := member.GetMemberMetadata()
			must(t, err)
			equal(t, "subscribed", subscribed.Topics[0], topic)
		}
	}
	is(t, "delete with a member", adm.DeleteConsumerGroup(group), sarama.ErrNonEmptyGroup)
	m.leave(t)
	until(t, "the group can be deleted", func() bool { return adm.DeleteConsumerGroup(group) == nil })
	is(t, "delete again", adm.DeleteConsumerGroup(group), sarama.ErrGroupIDNotFound)
	coordinator, err := adm.Coordinator(group)
	must(t, err)
	controller, err := adm.Controller()
	must(t, err)
	equal(t, "coordinator", coordinator.ID(), controller.ID())
}

func saramaGroupOffsets(t *testing.T, c saramaClient, adm sarama.ClusterAdmin) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 2)
	altered, err := adm.AlterConsumerGroupOffsets(group, map[string]map[int32]sarama.OffsetAndMetadata{
		topic: {0: {Offset: 5, Metadata: "by hand", LeaderEpoch: -1}, 1: {Offset: 7, LeaderEpoch: -1}},
	}, nil)
	must(t, err)
	equal(t, "commit", altered.Errors[topic][0], sarama.ErrNoError)
	fetched, err := adm.ListConsumerGroupOffsets(group, nil) // all there are
	must(t, err)
	if b := fetched.GetBlock(topic, 0); b == nil || b.Offset != 5 || b.Metadata != "by hand" {
		t.Errorf("fetched %+v", b)
	}
	must(t, adm.DeleteConsumerGroupOffset(group, topic, 1))
	batch, err := adm.ListConsumerGroupOffsetsBatch(map[string]map[string][]int32{group: {topic: {0, 1}}, group + "-no-such": {topic: {0}}})
	must(t, err)
	equal(t, "offset", batch[group].Blocks[topic][0].Offset, 5)
	equal(t, "offset that was deleted", batch[group].Blocks[topic][1].Offset, -1)
	equal(t, "offset of no group", batch[group+"-no-such"].Blocks[topic][0].Offset, -1)
}

func saramaACLs(t *testing.T, _ saramaClient, adm sarama.ClusterAdmin) {
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: "t", ResourcePatternType: sarama.AclPatternLiteral}
	acl := sarama.Acl{Principal: "User:alice", Host: "*", Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	filter := sarama.AclFilter{
		Version: 1, ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny,
		Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny,
	}
	_, err := adm.ListAcls(filter)
	is(t, "list", err, sarama.ErrSecurityDisabled)
	//lint:ignore SA1019 deprecated, and what programs use
	is(t, "create", adm.CreateACL(resource, acl), sarama.ErrSecurityDisabled)
	_, err = adm.DeleteACL(filter, false)
	is(t, "delete", err, sarama.ErrSecurityDisabled)
}

// What one broker without users, quotas or reassignments answers.
func saramaAnswered(t *testing.T, c saramaClient, adm sarama.ClusterAdmin) {
	topic := written(t, c, writing{}, numbered(1)...)
	moving, err := adm.ListPartitionReassignments(topic, []int32{0})
	must(t, err)
	equal(t, "reassignments", len(moving[topic]), 0)
	elected, err := adm.ElectLeaders(sarama.PreferredElection, map[string][]int32{topic: {0}})
	must(t, err)
	equal(t, "election", elected[topic][0].ErrorCode, sarama.ErrElectionNotNeeded)
	nobody := fresh(t)
	users, err := adm.DescribeUserScramCredentials([]string{nobody})
	must(t, err)
	equal(t, "user", users[0].ErrorCode, sarama.KError(91)) // RESOURCE_NOT_FOUND
	quotas, err := adm.DescribeClientQuotas([]sarama.QuotaFilterComponent{
		{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: nobody},
	}, true)
	must(t, err)
	equal(t, "quotas", len(quotas), 0)
	_, err = adm.UpdateFeatures([]sarama.FeatureUpdate{{Feature: "no.such.feature", MaxVersionLevel: 1}})
	if err == nil || errors.Is(err, sarama.ErrNoError) {
		t.Error("a feature that is not there was updated")
	}
}
